//! D1, as far as provisioning knows it: the wish, and the listing of the run. The rules are those of the statements in
//! `store::runs` and `store::tenants`; `the_register_is_d1` holds them against each other.

use tenantry::{
    domain::{RunStatus, Timestamp, UndoStatus},
    workflow::Run,
};

/// What D1 holds about one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// `tenants.provision_state`
    pub state: RunStatus,
    /// `tenants.undo_state`
    pub undo: Option<UndoStatus>,
    /// `tenants.undo_updated_at`, else `tenants.provision_updated_at`
    pub moved_at: Timestamp,
    /// `tenants.status = 'active'`
    pub live: bool,
    /// `provision_runs`: the version and the status.
    pub run: Option<(u64, RunStatus)>,
}

impl Register {
    /// A tenant that just signed up.
    pub fn new(now: Timestamp) -> Self {
        Self { state: RunStatus::Pending, undo: None, moved_at: now, live: false, run: None }
    }

    /// `want_provisioning`: pending or failed becomes processing.
    pub fn wants(&mut self, now: Timestamp) {
        if self.undo.is_none() && matches!(self.state, RunStatus::Pending | RunStatus::Failed) {
            self.state = RunStatus::Processing;
            self.moved_at = now;
        }
    }

    /// `undo::want`: removed, or to be tried again.
    pub fn wants_undo(&mut self, now: Timestamp) {
        if matches!(self.undo, None | Some(UndoStatus::CompensationFailed)) {
            self.undo = Some(UndoStatus::Undoing);
            self.moved_at = now;
        }
    }

    /// `listing`: a newer version is taken, an older one is not, and what is completed stays so.
    pub fn lists(&mut self, run: &Run, now: Timestamp) {
        let (version, status) = (run.version, run.status());
        let known = self.run.map_or(0, |(version, _)| version);
        let is_news = version > known;
        let was_completed = self.run.is_some_and(|(_, status)| status == RunStatus::Completed);
        if is_news && self.run.is_none_or(|(_, status)| status != RunStatus::Completed) {
            self.run = Some((version, status));
        }
        if let Some(undo) = run.undo.as_ref().map(|undo| undo.status()) {
            self.run = self.run.map(|(known, status)| (known.max(version), status));
            let moves = self.undo.is_some_and(|known| known != UndoStatus::Undone && known != undo);
            if is_news && moves {
                self.undo = Some(undo);
                self.moved_at = now;
            }
        }
        if is_news && !was_completed && self.state != RunStatus::Completed && self.state != status {
            self.state = status;
            self.moved_at = if self.undo.is_some() { self.moved_at } else { now };
        }
    }
}

#[cfg(test)]
mod tests {
    use tenantry::{
        db::Db,
        domain::{Plan, Step},
        store,
        workflow::{Fault, FaultCode},
    };

    use super::*;
    use crate::{
        simulation::chance::Chance,
        support::TestApp,
        workflow::lab::{Attempt, Lab, START},
    };

    /// A run as it was at each of its listings, over two rounds.
    fn moments(chance: &Chance) -> Vec<Run> {
        let lab = Lab::queued(Plan::Starter);
        let mut moments = vec![lab.run()];
        for _ in 0..2 {
            let step = *chance.one_of(Step::of(Plan::Starter));
            let unknown = Attempt::Unknown(Fault::new(FaultCode::Timeout));
            lab.next(step, [chance.one_of(&[Attempt::Refused, unknown, Attempt::DiesAfter]).clone()]);
            while lab.rings() {
                moments.push(lab.run());
            }
            lab.is_queued_again();
            moments.push(lab.run());
        }
        if chance.one_in(2) {
            lab.next_removal(Step::SeedDefaults, [Attempt::Refused]);
            for _ in 0..2 {
                lab.is_undone();
                while lab.rings() {
                    moments.push(lab.run());
                }
            }
        }
        moments
    }

    /// Whatever is listed in whatever order, and wanted in between: D1 holds what the register says.
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
                        .batch(vec![store::tenants::want_provisioning(&tenant, None, "", START)])
                        .await
                        .unwrap();
                    register.wants(START);
                } else if chance.one_in(6) {
                    app.db().batch(vec![store::undo::want(&tenant, START)]).await.unwrap();
                    register.wants_undo(START);
                } else {
                    let run = chance.one_of(&moments);
                    store::runs::list(app.db(), run, START).await.unwrap();
                    register.lists(run, START);
                }
                let row = app.db().row(
                    "select t.provision_state, t.undo_state, r.version, r.status from tenants t left join provision_runs r on true",
                );
                assert_eq!(row["provision_state"], register.state.as_str(), "{seed}");
                assert_eq!(row["undo_state"].as_str(), register.undo.map(UndoStatus::as_str), "{seed}");
                let listed = row["version"].as_u64().zip(row["status"].as_str());
                assert_eq!(
                    listed,
                    register.run.map(|(version, status)| (version, status.as_str())),
                    "{seed}"
                );
            }
        }
    }
}
