//! D1, as far as provisioning knows it: the wish, and the projection of the run. The rules are those of the statements
//! in `store::runs` and `store::tenants`; `the_register_is_d1` holds them against each other.

use std::rc::Rc;

use tenantry::{
    domain::{RunStatus, Timestamp, UndoStatus},
    workflow::Run,
};

/// What D1 holds about one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// Whether there is such a tenant: a database may be restored to before its signup.
    pub exists: bool,
    /// `tenants.provision_state`
    pub state: RunStatus,
    /// `tenants.undo_state`
    pub undo: Option<UndoStatus>,
    /// `tenants.undo_updated_at`, else `tenants.provision_updated_at`
    pub last_progress_at: Timestamp,
    /// `tenants.status = 'active'`
    pub live: bool,
    /// `provision_runs`: the version and the status.
    pub run: Option<(u64, RunStatus)>,
    /// `tenants.resume_at`
    pub resume_at: Option<Timestamp>,
    /// The run as it was when it was projected last: what an object that has lost it takes over.
    pub projected: Option<Rc<Run>>,
}

impl Register {
    /// A tenant that just signed up.
    pub fn new(now: Timestamp) -> Self {
        Self {
            exists: true,
            state: RunStatus::Pending,
            undo: None,
            last_progress_at: now,
            live: false,
            run: None,
            resume_at: None,
            projected: None,
        }
    }

    /// A database that was restored to before the signup.
    pub fn without_tenant(now: Timestamp) -> Self {
        Self { exists: false, ..Self::new(now) }
    }

    /// `refuse_if_put_back`: whether it knows less of the run than it was told once.
    pub fn is_behind(&self, run: &Run) -> bool {
        let (version, status) = self.run.unwrap_or((0, RunStatus::Pending));
        let is_undoing = self.projected.as_ref().is_some_and(|projected| projected.undoing.is_some());
        let is_undone = self.projected.as_ref().is_some_and(|projected| projected.is_undone());
        let takes_nothing =
            is_undone || status == RunStatus::Completed && !is_undoing && run.undoing.is_none();
        version < run.projected_version && !takes_nothing
    }

    /// Whether it has the run as completed.
    pub fn has_completed(&self) -> bool {
        self.run.is_some_and(|(_, status)| status == RunStatus::Completed)
    }

    /// `resume_due`: a run that failed for an outage may go on.
    pub fn resumes(&mut self, now: Timestamp) -> bool {
        let due = self.state == RunStatus::Failed
            && self.undo.is_none()
            && self.resume_at.is_some_and(|at| at <= now);
        if due {
            (self.state, self.last_progress_at, self.resume_at) = (RunStatus::Processing, now, None);
        }
        due
    }

    /// `mark_queued`: pending or failed becomes processing.
    pub fn wants(&mut self, now: Timestamp) {
        if self.undo.is_none() && matches!(self.state, RunStatus::Pending | RunStatus::Failed) {
            self.state = RunStatus::Processing;
            self.last_progress_at = now;
        }
    }

    /// `undo::request_deprovision`: removed, or to be tried again.
    pub fn wants_undo(&mut self, now: Timestamp) {
        if matches!(self.undo, None | Some(UndoStatus::CompensationFailed)) {
            self.undo = Some(UndoStatus::Undoing);
            self.last_progress_at = now;
        }
    }

    /// `projection`: a newer version is taken, an older one is not, and what is completed stays so.
    pub fn lists(&mut self, run: &Run, now: Timestamp) {
        let (version, status) = (run.version, run.status());
        let known = self.run.map_or(0, |(version, _)| version);
        let is_news = version > known;
        let was_completed = self.run.is_some_and(|(_, status)| status == RunStatus::Completed);
        let is_taken = is_news && (!was_completed || run.undoing.is_some());
        if is_taken {
            self.projected = Some(Rc::new(run.clone()));
        }
        if is_news && self.run.is_none_or(|(_, status)| status != RunStatus::Completed) {
            self.run = Some((version, status));
        }
        if let Some(undo) = run.undo_status() {
            self.run = self.run.map(|(known, status)| (known.max(version), status));
            let moves = self.undo.is_none_or(|known| known != UndoStatus::Undone && known != undo);
            if is_news && moves {
                self.resume_at = None;
                self.undo = Some(undo);
                self.last_progress_at = now;
            }
        }
        if is_news && !was_completed && self.state != RunStatus::Completed && self.state != status {
            self.state = status;
            self.resume_at = run.resume_at();
            self.last_progress_at = if self.undo.is_some() { self.last_progress_at } else { now };
        }
    }
}

#[cfg(test)]
mod tests {
    use tenantry::{
        app::projection,
        db::Db,
        domain::{Plan, Step},
        store,
        workflow::{ProjectionResult, TransientError, TransientErrorCode},
    };

    use super::*;
    use crate::{
        simulation::chance::Chance,
        support::TestApp,
        workflow::run_harness::{Attempt, RunHarness, START},
    };

    /// A run as it was at each of its projection, over two rounds.
    fn moments(chance: &Chance) -> Vec<Run> {
        let harness = RunHarness::queued(Plan::Starter);
        let mut moments = vec![harness.run()];
        for _ in 0..2 {
            let step = *chance.one_of(Step::of(Plan::Starter));
            let unknown = Attempt::Unknown(TransientError::new(TransientErrorCode::Timeout));
            harness.next(step, [chance.one_of(&[Attempt::Refused, unknown, Attempt::DiesAfter]).clone()]);
            while harness.rings() {
                moments.push(harness.run());
            }
            harness.is_queued_again();
            moments.push(harness.run());
        }
        if chance.one_in(2) {
            harness.next_removal(Step::SeedDefaults, [Attempt::Refused]);
            for _ in 0..2 {
                harness.is_undone();
                while harness.rings() {
                    moments.push(harness.run());
                }
            }
        }
        moments
    }

    /// Whatever is projected in whatever order, and wanted in between: D1 holds what the register says.
    #[tokio::test]
    async fn the_register_is_d1() {
        for seed in 0..150 {
            let (app, chance) = (TestApp::new(), Chance::of(seed));
            app.db().execute(
                "insert into tenants (id, name, plan, trial_ends_at, owner_user_id, signup_fingerprint, created_at, updated_at)
                 values ('tenant_1', 'FC', 'starter', 0, 'user_1', '', 0, 0)",
                (),
            );
            let tenant = "tenant_1".parse().unwrap();
            let mut register = Register::new(START);
            let moments = moments(&chance);
            for _ in 0..20 {
                if chance.one_in(4) {
                    app.db()
                        .batch(vec![store::tenants::mark_queued(&tenant, None, "", START)])
                        .await
                        .unwrap();
                    register.wants(START);
                } else if chance.one_in(6) {
                    app.db().batch(vec![store::undo::request_deprovision(&tenant, START)]).await.unwrap();
                    register.wants_undo(START);
                } else {
                    let run = chance.one_of(&moments);
                    let projection = if register.is_behind(run) {
                        ProjectionResult::Restored
                    } else {
                        ProjectionResult::Written { was_completed: register.has_completed() }
                    };
                    assert_eq!(projection::project(app.db(), run, START).await, projection, "{seed}");
                    if projection != ProjectionResult::Restored {
                        register.lists(run, START);
                    }
                }
                let row = app.db().row(
                    "select t.provision_state, t.undo_state, t.resume_at, r.version, r.status from tenants t left join provision_runs r on true",
                );
                assert_eq!(row["provision_state"], register.state.as_str(), "{seed}");
                assert_eq!(row["undo_state"].as_str(), register.undo.map(UndoStatus::as_str), "{seed}");
                assert_eq!(row["resume_at"].as_i64(), register.resume_at.map(Timestamp::seconds), "{seed}");
                let projected = row["version"].as_u64().zip(row["status"].as_str());
                assert_eq!(
                    projected,
                    register.run.map(|(version, status)| (version, status.as_str())),
                    "{seed}"
                );
            }
        }
    }
}
