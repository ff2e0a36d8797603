//! The projection of provisioning runs: what the objects last told, never older than what is there.

use serde_json::json;

use crate::{
    db::{self, Db, DbError, FromRow, Query, Statement, columns},
    domain::{Plan, RunId, RunStatus, Step, StepStatus, TenantId, TenantStatus, Timestamp, UndoStatus},
    workflow::{Attempt, ProjectionResult, Report, Run, Stage, StepReport, report::ErrorSummary},
};

use super::{deliveries, mails, overdue, undo, webhooks};

/// Writes what D1 doesn't show yet of a run, and says what it listed before. An older version than the listed one changes nothing,
/// and nothing changes a run that went live: its object may not have heard of it. `rows` are what its steps left beside it.
pub async fn project(db: &impl Db, run: &Run, rows: Vec<Statement>, now: Timestamp) -> ProjectionResult {
    let answer = match projection(run, rows, now) {
        Ok(batch) => db.ask(batch).await,
        Err(error) => Err(error),
    };
    match answer {
        Ok((written, _)) => written,
        Err(DbError::Aborted) => ProjectionResult::Restored,
        Err(error) if error.is_about_a_missing_row() => ProjectionResult::TenantUnknown,
        Err(_) => ProjectionResult::Unavailable,
    }
}

/// What was projected before.
impl FromRow for ProjectionResult {
    fn from_row(row: &mut db::Row<'_>) -> Result<Self, DbError> {
        let before: Option<RunStatus> = row.get("status")?;
        Ok(Self::Written { was_completed: before == Some(RunStatus::Completed) })
    }
}

/// Raises if D1 knows less of the run than it was told once, so that nothing of the batch is done: it was restored, and has to be
/// told everything. What was undone takes nothing new, and may lag behind, and so does what completed until it is undone.
fn refuse_if_put_back(run: &Run) -> Query<ProjectionResult> {
    Query::one(Statement::new(
        "select r.status,
           case when coalesce(r.version, 0) < ?2 and r.undo_state is not 'undone'
             and not (r.status is 'completed' and r.undo_state is null and ?3 = 0)
           then json('put back ' || one) end as put_back
         from (select 1 as one) left join provision_runs r on r.id = ?1",
        [
            run.id.as_str().into(),
            i64::try_from(run.projected_version).unwrap_or(i64::MAX).into(),
            run.undoing.is_some().into(),
        ],
    ))
}

/// What [`project`] asks, for a batch that does more.
pub fn projection(
    run: &Run,
    rows: Vec<Statement>,
    now: Timestamp,
) -> Result<(Query<ProjectionResult>, Vec<Statement>), DbError> {
    let report = Report::of(run);
    let mut statements = rows;
    if run.projected_version == 0 {
        statements.push(end_other_runs(run, now));
    }
    // The tenant before the run: by the listed run's version it is known whether this one says anything new.
    statements.push(update_tenant(run, &report, now));
    statements.extend(undo::update_tenant(run, now));
    statements.push(upsert_run(run, &report, now)?);
    statements.extend(undo::projection(run, now));
    statements.extend(upsert_steps(run, &report));
    statements.extend(insert_attempts(run));
    statements.extend(lifecycle_events(run, &report, now));
    Ok((refuse_if_put_back(run), statements))
}

/// The object is the authority: a run that D1 has at work beside this one is none that anybody goes on with.
fn end_other_runs(run: &Run, now: Timestamp) -> Statement {
    Statement::new(
        "update provision_runs set status = 'failed', reason = 'CANCELLED', error = 'Another run took its place.',
           completed_at = ?3, updated_at = ?3
         where tenant_id = ?1 and status = 'processing' and id <> ?2",
        [run.subject.tenant.as_str().into(), run.id.as_str().into(), now.seconds().into()],
    )
}

fn upsert_run(run: &Run, report: &Report, now: Timestamp) -> Result<Statement, DbError> {
    let warnings = serde_json::to_string(&report.warnings).map_err(|e| DbError::Corrupt(e.to_string()))?;
    Ok(Statement::new(
        "insert into provision_runs (id, tenant_id, plan, status, step, reason, error, version, warnings, started_at,
           deadline_at, completed_at, updated_at, waited)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
         on conflict (id) do update set status = excluded.status, step = excluded.step, reason = excluded.reason,
           error = excluded.error, version = excluded.version, warnings = excluded.warnings,
           deadline_at = excluded.deadline_at, completed_at = excluded.completed_at, updated_at = excluded.updated_at,
           waited = excluded.waited
         where excluded.version > provision_runs.version and provision_runs.status <> 'completed'",
        [
            run.id.as_str().into(),
            run.subject.tenant.as_str().into(),
            run.plan.as_str().into(),
            report.status.as_str().into(),
            report.step.map(Step::as_str).into(),
            report.failure.as_ref().map(|f| f.code.as_str()).into(),
            report.failure.as_ref().map(|f| f.message.as_str()).into(),
            i64::try_from(run.version).unwrap_or(i64::MAX).into(),
            warnings.into(),
            run.doing.queued_at.seconds().into(),
            run.doing.deadline_at.seconds().into(),
            report.ended_at.map(Timestamp::seconds).into(),
            now.seconds().into(),
            run.waited.into(),
        ],
    ))
}

/// Only what changed is written, and `completed` is never left: an operator may have completed by hand what failed. What D1
/// was told before, its answer lost, changes nothing: somebody may have wanted the run again since.
fn update_tenant(run: &Run, report: &Report, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set provision_state = ?2, provision_reason = ?3, provision_run_id = ?4,
           provision_updated_at = ?5, resume_at = ?7
         where id = ?1 and provision_state <> 'completed'
           and (provision_state, coalesce(provision_reason, ''), coalesce(provision_run_id, ''))
             <> (?2, coalesce(?3, ''), ?4)
           and not exists (select 1 from provision_runs where id = ?4 and (version >= ?6 or status = 'completed'))",
        [
            run.subject.tenant.as_str().into(),
            report.status.as_str().into(),
            report.failure.as_ref().map(|f| f.code.as_str()).into(),
            run.id.as_str().into(),
            now.seconds().into(),
            i64::try_from(run.version).unwrap_or(i64::MAX).into(),
            run.resume_at().map(Timestamp::seconds).into(),
        ],
    )
}

/// The steps that were begun or left out, in one statement: one that stands as it is projected is not written.
fn upsert_steps(run: &Run, report: &Report) -> Option<Statement> {
    let begun = |step: &StepReport| step.attempts > 0 || step.status == StepStatus::Skipped;
    let rows: Vec<serde_json::Value> = report
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| begun(step))
        .map(|(position, step)| step_row(position, step))
        .collect();
    if rows.is_empty() {
        return None;
    }
    Some(Statement::new(
        "insert into provision_steps as listed (run_id, step, position, status, attempts, started_at, completed_at, retry_at,
           error_code, error)
         select ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
           value ->> 8
         from json_each(?2)
         where exists (select 1 from provision_runs where id = ?1 and version = ?3 and (status <> 'completed' or ?4 = 'completed'))
         on conflict (run_id, step) do update set status = excluded.status, attempts = excluded.attempts,
           started_at = excluded.started_at, completed_at = excluded.completed_at, retry_at = excluded.retry_at,
           error_code = excluded.error_code, error = excluded.error
         where (listed.status, listed.attempts, listed.started_at, listed.completed_at, listed.retry_at, listed.error_code,
             listed.error)
           is not (excluded.status, excluded.attempts, excluded.started_at, excluded.completed_at, excluded.retry_at,
             excluded.error_code, excluded.error)",
        [
            run.id.as_str().into(),
            serde_json::Value::from(rows).to_string().into(),
            i64::try_from(run.version).unwrap_or(i64::MAX).into(),
            run.status().as_str().into(),
        ],
    ))
}

fn step_row(position: usize, step: &StepReport) -> serde_json::Value {
    json!([
        step.name.as_str(),
        position,
        step.status.as_str(),
        step.attempts,
        step.started_at.map(Timestamp::seconds),
        step.completed_at.map(Timestamp::seconds),
        step.retry_at.map(Timestamp::seconds),
        step.error.as_ref().map(|error| &error.code),
        step.error.as_ref().map(|error| &error.message),
    ])
}

/// The attempts that D1 does not show yet, in one statement.
fn insert_attempts(run: &Run) -> Option<Statement> {
    if run.pending_history.is_empty() {
        return None;
    }
    let rows: serde_json::Value = run.pending_history.iter().map(attempt_row).collect();
    Some(Statement::new(
        "insert into provision_history (run_id, step, attempt, outcome, error, upstream_status, ms, started_at, undo,
           request_id, said)
         select ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
           value ->> 8, value ->> 9
         from json_each(?2) where true on conflict do nothing",
        [run.id.as_str().into(), rows.to_string().into()],
    ))
}

fn attempt_row(attempt: &Attempt) -> serde_json::Value {
    let took = attempt.ended_at.since(attempt.started_at).as_millis();
    json!([
        attempt.step.as_str(),
        attempt.number,
        attempt.outcome,
        attempt.error,
        attempt.upstream_status,
        i64::try_from(took).unwrap_or(i64::MAX),
        attempt.started_at.seconds(),
        u32::from(attempt.undo),
        attempt.request,
        attempt.said,
    ])
}

/// The end of a run is an event of its tenant, under an id that a replay repeats; so is the end of undoing it.
fn lifecycle_events(run: &Run, report: &Report, now: Timestamp) -> Vec<Statement> {
    ended(run, report, now).into_iter().chain(undone(run)).flatten().collect()
}

fn event_id(run: &Run, end: &str) -> String {
    format!("evt_{}_{end}", run.id.as_str().trim_start_matches("run_"))
}

fn undone(run: &Run) -> Option<Vec<Statement>> {
    let undo = run.undoing.as_ref()?;
    let Stage::Completed { at } = undo.stage else { return None };
    let at = undo.finishing_at.unwrap_or(at);
    let (tenant, kind, id) = (&run.subject.tenant, "tenant.deprovisioned", event_id(run, "undone"));
    let data = json!({ "runId": run.id, "plan": run.plan });
    let trace = run.caller.traceparent.as_deref();
    let announcement = deliveries::announce(tenant, &id, kind, &data, at, trace, false);
    let event = Statement::new(
        "insert into domain_events (tenant_id, occurred_at, id, type, data) select ?1, ?2, ?3, ?4, ?5
         where not exists (select 1 from domain_events where tenant_id = ?1 and id = ?3)",
        [tenant.as_str().into(), at.seconds().into(), id.into(), kind.into(), data.to_string().into()],
    );
    // Its webhook hears of it first, if it is there.
    Some(vec![event, announcement, webhooks::forget_cancelled(tenant)])
}

fn ended(run: &Run, report: &Report, now: Timestamp) -> Option<Vec<Statement>> {
    if run.is_no_news() {
        return None;
    }
    let kind = match report.status {
        RunStatus::Completed => "tenant.provisioned",
        // Nothing failed that was never tried: the tenant is removed, and that is told.
        RunStatus::Failed
            if run.undoing.is_some() && run.doing.records.iter().all(|record| record.attempts == 0) =>
        {
            return None;
        }
        RunStatus::Failed => "tenant.failed",
        RunStatus::Pending | RunStatus::Processing | RunStatus::Other(_) => return None,
    };
    let reason = report.failure.as_ref().map(|f| &f.code);
    let data = json!({ "runId": run.id, "plan": run.plan, "reason": reason, "step": report.step });
    let (tenant, ended_at) = (&run.subject.tenant, report.ended_at.unwrap_or(run.doing.queued_at));
    // It may fail again and again. It goes live once, even if an operator stopped it meanwhile and wanted it again.
    let (id, at) = match report.status {
        RunStatus::Completed => (event_id(run, "completed"), run.doing.finishing_at.unwrap_or(ended_at)),
        _ => (event_id(run, &format!("{}_failed", run.doing.times_queued)), ended_at),
    };
    // Whoever tries again and again is told of it once an hour.
    let seldom = report.status == RunStatus::Failed;
    let trace = run.caller.traceparent.as_deref();
    // What ended so long ago was announced then. Its delivery is not kept any more: it would be announced again.
    let is_news = now.since(at) < deliveries::KEPT;
    let announcement = is_news.then(|| deliveries::announce(tenant, &id, kind, &data, at, trace, seldom));
    let event = Statement::new(
        "insert into domain_events (tenant_id, occurred_at, id, type, data) select ?1, ?2, ?3, ?4, ?5
         where exists (select 1 from provision_runs where id = ?6 and status = ?7)
           and not exists (select 1 from domain_events where tenant_id = ?1 and id = ?3)",
        [
            tenant.as_str().into(),
            at.seconds().into(),
            id.into(),
            kind.into(),
            data.to_string().into(),
            run.id.as_str().into(),
            report.status.as_str().into(),
        ],
    );
    let failure = report.failure.as_ref().filter(|_| report.status == RunStatus::Failed);
    let mail = failure.and_then(|why| mails::setup_failed(run, why, report.step, at, now));
    Some([event].into_iter().chain(announcement).chain(mail).collect())
}

/// Where a tenant's provisioning stands, as D1 shows it.
#[derive(Debug, Clone)]
pub struct RunView {
    /// The tenant's plan.
    pub plan: Plan,
    /// The state to tell.
    pub status: RunStatus,
    /// When it last changed, Unix seconds.
    pub updated_at: Option<i64>,
    /// When it completed, Unix seconds.
    pub completed_at: Option<i64>,
    /// The run, once there is one.
    pub report: Option<Report>,
    /// Whether it waits for nothing but the proof of its address.
    pub waits_for_proof: bool,
    /// Why the wish failed of a tenant whose object never answered: there is no run to say so.
    pub failure: Option<ErrorSummary>,
}

#[derive(Debug)]
struct Row {
    plan: Plan,
    status: TenantStatus,
    provision_state: RunStatus,
    provision_reason: Option<String>,
    provision_updated_at: Option<i64>,
    provisioned_at: Option<i64>,
    run_id: Option<RunId>,
    run_plan: Option<Plan>,
    run_status: Option<RunStatus>,
    step: Option<Step>,
    reason: Option<String>,
    error: Option<String>,
    version: Option<u64>,
    warnings: Option<String>,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    run_updated_at: Option<i64>,
    undo_state: Option<UndoStatus>,
    resume_at: Option<i64>,
    /// What became of the latest welcome mail, if it failed: the code.
    mail_error: Option<String>,
    waits_for_proof: bool,
    steps: String,
}

columns! {
    Row: plan, status, provision_state, provision_reason, provision_updated_at, provisioned_at, run_id,
        run_plan, run_status, step, reason, error, version, warnings, started_at, ended_at,
        run_updated_at, undo_state, resume_at, mail_error, waits_for_proof, steps
}

#[derive(Debug)]
struct StepRow {
    step: Step,
    status: StepStatus,
    attempts: u32,
    started_at: Option<i64>,
    completed_at: Option<i64>,
    retry_at: Option<i64>,
    error_code: Option<String>,
    error: Option<String>,
}

columns! { StepRow: step, status, attempts, started_at, completed_at, retry_at, error_code, error }

impl FromRow for RunView {
    fn from_row(row: &mut db::Row<'_>) -> Result<Self, DbError> {
        let row = Row::from_row(row)?;
        let corrupt = |e: serde_json::Error| DbError::Corrupt(e.to_string());
        let done: Vec<StepRow> = db::Row::read_all(&row.steps)?;
        let mut warnings: Vec<ErrorSummary> =
            row.warnings.as_deref().map_or(Ok(Vec::new()), serde_json::from_str).map_err(corrupt)?;
        warnings.extend(row.mail_error.as_deref().map(mails::warning));
        let completed_by_hand = row.provisioned_at.is_some() && row.status != TenantStatus::Trial;
        let status = if completed_by_hand { RunStatus::Completed } else { row.provision_state };
        let report = row.run_id.zip(row.run_status).map(|(run, run_status)| {
            let plan = row.run_plan.unwrap_or(row.plan);
            Report {
                run,
                plan,
                status: run_status,
                version: row.version.unwrap_or(0),
                step: row.step,
                steps: steps(plan, row.step.filter(|_| run_status == RunStatus::Processing), done),
                failure: row.reason.zip(row.error).map(|(code, message)| ErrorSummary { code, message }),
                warnings,
                started_at: Timestamp::from_seconds(row.started_at.unwrap_or(0)),
                ended_at: row.ended_at.map(Timestamp::from_seconds),
                resume_at: row.resume_at.map(Timestamp::from_seconds),
                undo: row.undo_state,
            }
        });
        let given_up = row.provision_reason.filter(|_| report.is_none() && status == RunStatus::Failed);
        let failure = given_up.map(|code| ErrorSummary { code, message: overdue::MESSAGE.to_owned() });
        Ok(Self {
            plan: row.plan,
            waits_for_proof: row.waits_for_proof,
            failure,
            status,
            updated_at: row.run_updated_at.max(row.provision_updated_at),
            completed_at: row.provisioned_at,
            report,
        })
    }
}

/// Where a tenant's provisioning stands.
pub fn select(tenant: &TenantId) -> Query<Option<RunView>> {
    Query::optional(Statement::new(
        "select t.plan, t.status, t.provision_state, t.provision_reason, t.provision_updated_at, t.provisioned_at,
           r.id as run_id, r.plan as run_plan, r.status as run_status, r.step, r.reason, r.error, r.version,
           r.warnings, r.started_at, r.completed_at as ended_at, r.updated_at as run_updated_at,
           r.undo_state,
           iif(t.provisioned_at is null and t.undo_state is null and t.status in ('trial', 'active'), t.resume_at, null) as resume_at,
           (select iif(status = 'failed', coalesce(last_error, ''), null) from mails
            where tenant_id = t.id and kind = 'welcome' order by key desc limit 1) as mail_error,
           t.unproven_email is not null and t.provision_wanted_at is not null as waits_for_proof,
           (select json_group_array(json_object('step', step, 'status', status, 'attempts', attempts,
              'started_at', started_at, 'completed_at', completed_at, 'retry_at', retry_at,
              'error_code', error_code, 'error', error))
            from (select * from provision_steps where run_id = r.id order by position)) as steps
         from tenants t left join provision_runs r on r.id = t.provision_run_id
         where t.id = ?1",
        [tenant.as_str().into()],
    ))
}

/// Every step of the plan, in order: those that were tried as listed, the current one as running. Behind them those that only
/// another version has.
fn steps(plan: Plan, current: Option<Step>, done: Vec<StepRow>) -> Vec<StepReport> {
    let mut steps = untried(plan);
    for step in &mut steps {
        if Some(step.name) == current {
            step.status = StepStatus::Running;
        }
    }
    for row in done {
        let index = steps.iter().position(|step| step.name == row.step).unwrap_or_else(|| {
            steps.push(untried_step(row.step));
            steps.len() - 1
        });
        let Some(step) = steps.get_mut(index) else { continue };
        if row.status != StepStatus::Pending {
            step.status = row.status;
        }
        step.attempts = row.attempts;
        step.started_at = row.started_at.map(Timestamp::from_seconds);
        step.completed_at = row.completed_at.map(Timestamp::from_seconds);
        step.retry_at = row.retry_at.map(Timestamp::from_seconds);
        step.error = row.error_code.zip(row.error).map(|(code, message)| ErrorSummary { code, message });
    }
    steps
}

/// Every step of the plan, in order, none tried.
pub fn untried(plan: Plan) -> Vec<StepReport> {
    Step::of(plan).iter().copied().map(untried_step).collect()
}

const fn untried_step(name: Step) -> StepReport {
    StepReport {
        name,
        status: StepStatus::Pending,
        attempts: 0,
        started_at: None,
        completed_at: None,
        retry_at: None,
        error: None,
    }
}
