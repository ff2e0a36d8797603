//! D1, as far as provisioning knows it: the wish, and the listing of the run. The rules are those of the statements in
//! `store::runs` and `store::tenants`; `the_register_is_d1` holds them against each other.

use tenantry::{
    domain::{RunStatus, Timestamp},
    workflow::Run,
};

/// What D1 holds about one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// `tenants.provision_state`
    pub state: RunStatus,
    /// `tenants.provision_updated_at`
    pub moved_at: Timestamp,
    /// `tenants.status = 'active'`
    pub live: bool,
    /// `provision_runs`: the version and the status.
    pub run: Option<(u64, RunStatus)>,
}

impl Register {
    /// A tenant that just signed up.
    pub fn new(now: Timestamp) -> Self {
        Self { state: RunStatus::Pending, moved_at: now, live: false, run: None }
    }

    /// `want_provisioning`: pending or failed becomes processing.
    pub fn wants(&mut self, now: Timestamp) {
        if matches!(self.state, RunStatus::Pending | RunStatus::Failed) {
            self.state = RunStatus::Processing;
            self.moved_at = now;
        }
    }

    /// `listing`: a newer version is taken, an older one is not, and what is completed stays so.
    pub fn lists(&mut self, run: &Run, now: Timestamp) {
        let (version, status) = (run.version, run.status());
        let known = self.run.map_or(0, |(version, _)| version);
        if version > known && self.run.is_none_or(|(_, status)| status != RunStatus::Completed) {
            self.run = Some((version, status));
        }
        let is_this = self.run.is_some_and(|(known, _)| known == version);
        if is_this && self.state != RunStatus::Completed && self.state != status {
            self.state = status;
            self.moved_at = now;
        }
    }
}
