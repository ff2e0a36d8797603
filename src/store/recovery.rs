//! A run as D1 shows it, for an object that has lost it or can't read it: the run, its steps, what they made, and what was
//! removed of that. What was never listed is done once more, under the same keys.

use crate::{
    db::{self, Db, DbError, Query, Statement, columns},
    domain::{
        Email, Plan, RunId, RunStatus, Slug, Step, StepStatus, TenantId, TenantName, Timestamp, UndoStatus,
        UserId,
    },
    workflow::{
        Artifact, Command, FailureCode, NewIds, PermanentError, Record, RequestOrigin, Run, Stage, Subject,
        Track, outcome::StoredArtifact, policy::RUN_LIMIT,
    },
};

/// What D1 does not show of a DNS record: where it was made, as far as the configuration says.
#[derive(Debug, Clone)]
pub struct DnsContext {
    /// The zone of the tenants' domain.
    pub zone: String,
    /// The tenants' domain.
    pub base_domain: String,
}

/// The run that D1 shows and that `command`, told to an object without one, is about; none if D1 shows none.
pub async fn take_over(
    db: &impl Db,
    command: &Command,
    dns_context: &DnsContext,
    fresh: &NewIds,
    now: Timestamp,
) -> Result<Option<Run>, DbError> {
    let Some(statement) = select(command) else { return Ok(None) };
    let listed = db.ask(Query::<Option<Row>>::optional(statement)).await?;
    listed.map_or(Ok(None), |row| row.run(dns_context, fresh, now))
}

macro_rules! select_where {
    ($which:literal, $param:expr) => {
        Statement::new(
            concat!(
                "select r.id, r.plan, r.status, r.step, r.reason, r.error, r.version, r.started_at, r.completed_at, r.waited,
                   r.undo_state, r.undo_step, r.undo_reason, r.undo_error,
                   t.id as tenant_id, t.slug, t.name, t.email, t.owner_user_id, t.undo_updated_at, a.spreadsheet_url,
                   (select count(*) from domain_events where tenant_id = t.id and type = 'tenant.failed') as failures,
                   (select json_group_array(json_object('step', step, 'status', status, 'attempts', attempts,
                      'started_at', started_at, 'completed_at', completed_at, 'error', error))
                    from (select * from provision_steps where run_id = r.id order by position)) as steps,
                   (select json_group_array(json_object('step', step, 'external_id', external_id,
                      'created_by_us', created_by_us, 'status', status, 'attempts', attempts,
                      'started_at', started_at, 'removed_at', removed_at))
                    from provision_undo where run_id = r.id) as made
                 from provision_runs r join tenants t on t.id = r.tenant_id
                   left join pro_automation a on a.tenant_id = t.id
                 where ",
                $which
            ),
            [$param.into()],
        )
    };
}
/// By the run if the command names one, else by its tenant if D1 is said to list a run of it.
fn select(command: &Command) -> Option<Statement> {
    let (run, tenant) = match command {
        Command::CancelRun { run } | Command::SkipStep { run, .. } | Command::Reset { run } => {
            (Some(run), None)
        }
        Command::Queue { projected_version: Some(1..), subject, .. }
        | Command::Wake { projected_version: Some(1..), subject, .. } => (None, Some(&subject.tenant)),
        Command::Undo { run, .. } => (run.as_ref(), None),
        Command::Queue { .. }
        | Command::Wake { .. }
        | Command::Cancel
        | Command::Skip
        | Command::Forget
        | Command::Compare { .. }
        | Command::GoOn { .. }
        | Command::Report
        | Command::Ping => (None, None),
    };
    match (run, tenant) {
        (Some(run), _) => Some(select_where!("r.id = ?1", run.as_str())),
        (None, Some(tenant)) => {
            Some(select_where!("r.id = t.provision_run_id and t.id = ?1", tenant.as_str()))
        }
        (None, None) => None,
    }
}

#[derive(Debug)]
struct Row {
    id: RunId,
    plan: Plan,
    status: RunStatus,
    step: Option<Step>,
    reason: Option<FailureCode>,
    error: Option<String>,
    version: u64,
    started_at: i64,
    completed_at: Option<i64>,
    waited: u32,
    undo_state: Option<UndoStatus>,
    undo_step: Option<Step>,
    undo_reason: Option<FailureCode>,
    undo_error: Option<String>,
    tenant_id: TenantId,
    slug: Option<Slug>,
    name: TenantName,
    email: Option<Email>,
    owner_user_id: UserId,
    undo_updated_at: Option<i64>,
    spreadsheet_url: Option<String>,
    failures: u32,
    steps: String,
    made: String,
}

columns! {
    Row: id, plan, status, step, reason, error, version, started_at, completed_at, waited, undo_state, undo_step,
        undo_reason, undo_error, tenant_id, slug, name, email, owner_user_id, undo_updated_at, spreadsheet_url, failures,
        steps, made
}

#[derive(Debug)]
struct StepRow {
    step: Step,
    status: StepStatus,
    attempts: u32,
    started_at: Option<i64>,
    completed_at: Option<i64>,
    error: Option<String>,
}

columns! { StepRow: step, status, attempts, started_at, completed_at, error }

#[derive(Debug)]
struct MadeRow {
    step: Step,
    external_id: Option<String>,
    created_by_us: bool,
    status: String,
    attempts: u32,
    started_at: Option<i64>,
    removed_at: Option<i64>,
}

columns! { MadeRow: step, external_id, created_by_us, status, attempts, started_at, removed_at }

fn at(seconds: Option<i64>) -> Option<Timestamp> {
    seconds.map(Timestamp::from_seconds)
}

impl Row {
    /// None for a tenant whose name was let go of: there is nothing left to go on with.
    fn run(self, dns_context: &DnsContext, fresh: &NewIds, now: Timestamp) -> Result<Option<Run>, DbError> {
        let steps: Vec<StepRow> = db::Row::read_all(&self.steps)?;
        let made: Vec<MadeRow> = db::Row::read_all(&self.made)?;
        let (Some(slug), Some(email)) = (self.slug.clone(), self.email.clone()) else { return Ok(None) };
        let subject = Subject {
            tenant: self.tenant_id.clone(),
            slug,
            name: self.name.clone(),
            email,
            owner: self.owner_user_id.clone(),
        };
        let mut run = Run::queued(
            self.id.clone(),
            self.plan,
            subject,
            fresh.link_id.clone(),
            RequestOrigin::default(),
            now,
        );
        for row in steps {
            let known = run.doing.records.iter_mut().find(|record| record.step == row.step);
            match known {
                Some(record) => row.remembered_by(record, now),
                None => {
                    let mut record = Record::new(row.step);
                    row.remembered_by(&mut record, now);
                    run.doing.records.push(record);
                }
            }
        }
        for row in &made {
            if let Some(record) = run.doing.records.iter_mut().find(|record| record.step == row.step) {
                record.artifact = self.artifact(row, dns_context);
                record.attempts = record.attempts.max(1);
            }
        }
        run.version = self.version;
        run.projected_version = self.version;
        run.doing.times_queued = 1 + self.failures;
        run.doing.queued_at = Timestamp::from_seconds(self.started_at);
        run.waited = self.waited;
        run.doing.stage = self.stage(now);
        run.undoing = self.undo(&run.doing.records, &made, now);
        Ok(Some(run))
    }

    fn artifact(&self, row: &MadeRow, dns_context: &DnsContext) -> Option<Artifact> {
        let kept = StoredArtifact {
            id: row.external_id.clone()?,
            ours: row.created_by_us,
            spreadsheet_url: self.spreadsheet_url.clone(),
            zone: dns_context.zone.clone(),
            host: format!("{}.{}", self.slug.as_ref()?.as_str(), dns_context.base_domain),
        };
        Artifact::of(row.step, kept)
    }

    fn stage(&self, now: Timestamp) -> Stage {
        let ended_at = at(self.completed_at).unwrap_or(now);
        match self.status {
            RunStatus::Completed => Stage::Completed { at: ended_at },
            RunStatus::Failed => Stage::Failed {
                step: self.step.unwrap_or(Step::SeedDefaults),
                failure: failure(self.reason, self.error.as_deref()),
                at: ended_at,
            },
            RunStatus::Pending | RunStatus::Processing | RunStatus::Other(_) => {
                Stage::Ready { step: self.step.unwrap_or(Step::SeedDefaults) }
            }
        }
    }

    /// What D1 does not show of a removal is done once more: it finds nothing left to do.
    fn undo(&self, records: &[Record], made: &[MadeRow], now: Timestamp) -> Option<Track> {
        let status = self.undo_state?;
        let mut undo = Track::undoing(records, true, at(self.undo_updated_at).unwrap_or(now));
        undo.deadline_at = now.after(RUN_LIMIT);
        for row in made {
            if let Some(removal) = undo.records.iter_mut().find(|removal| removal.step == row.step) {
                row.remembered_by(removal);
            }
        }
        let next = undo.records.iter().find(|removal| removal.done_at.is_none()).map(|removal| removal.step);
        undo.stage = match (status, next) {
            (UndoStatus::CompensationFailed, Some(next)) => Stage::Failed {
                step: self.undo_step.unwrap_or(next),
                failure: failure(self.undo_reason, self.undo_error.as_deref()),
                at: now,
            },
            (_, Some(step)) => Stage::Ready { step },
            (_, None) => Stage::Completed { at: now },
        };
        Some(undo)
    }
}

impl StepRow {
    fn remembered_by(&self, record: &mut Record, now: Timestamp) {
        record.attempts = self.attempts;
        record.started_at = at(self.started_at);
        record.done_at = at(self.completed_at);
        record.skipped = self.status == StepStatus::Skipped;
        if record.skipped {
            record.done_at.get_or_insert(now);
        }
        if self.status == StepStatus::Failed && record.done_at.is_some() {
            record.warning = Some(failure(None, self.error.as_deref()));
        }
    }
}

impl MadeRow {
    fn remembered_by(&self, removal: &mut Record) {
        removal.attempts = self.attempts;
        removal.started_at = at(self.started_at);
        removal.done_at = at(self.removed_at);
        removal.skipped = self.status == "left";
    }
}

fn failure(code: Option<FailureCode>, message: Option<&str>) -> PermanentError {
    let message = message.unwrap_or("Setting up was stopped.");
    PermanentError::new(code.unwrap_or(FailureCode::UpstreamUnavailable), message)
}
