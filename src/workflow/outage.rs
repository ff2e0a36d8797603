//! The projection of a run in D1, and what a run does when it can't go on. Provisioning may be paused. D1 may be unavailable
//! or not know the tenant. An upstream may have been down for so long that the run failed.

use std::time::Duration;

use crate::domain::{RunStatus, Step, Task, Timestamp};

use super::{
    FailureCode, RequestOrigin, Run, Stage, TransientError, TransientErrorCode,
    policy::{ORPHAN_GRACE, PAUSE_CHECK, RESUME_AFTER, RUN_LIMIT, TENANT_CHECKS, policy, projection_delay},
};

impl Run {
    /// Provisioning is paused: nothing is begun, and the time does not count. The pause is projected once, when it begins.
    pub fn pause(&mut self, task: Task, now: Timestamp) {
        let fault = TransientError {
            retry_after: Some(PAUSE_CHECK),
            ..TransientError::new(TransientErrorCode::CircuitOpen)
        };
        let waiting = Stage::Waiting { step: task.step(), until: now.after(PAUSE_CHECK), fault };
        let track = self.track_mut();
        (track.stage, track.deadline_at) = (waiting, track.deadline_at.after(PAUSE_CHECK));
        self.waits(PAUSE_CHECK);
        self.version += u64::from(!self.paused);
        self.paused = true;
    }

    pub(super) fn waits(&mut self, duration: Duration) {
        self.waited = self.waited.saturating_add(u32::try_from(duration.as_secs()).unwrap_or(u32::MAX));
    }

    /// How long it took until `now`, without its waits for a person.
    pub fn took(&self, now: Timestamp) -> Duration {
        now.since(self.doing.queued_at).saturating_sub(Duration::from_secs(self.waited.into()))
    }

    /// Nobody could say whether an attempt at `task` may begin: D1 did not answer. That costs no attempt.
    pub fn postpone(&mut self, task: Task, now: Timestamp, random: u32) {
        let (step, fault) = (task.step(), TransientError::new(TransientErrorCode::StoreUnavailable));
        let track = self.track_mut();
        let uncounted = track.record_mut(step).map_or(1, |record| {
            record.uncounted += 1;
            record.uncounted
        });
        let until = now.after(policy(step).delay(uncounted, &fault, random));
        track.stage = Stage::Waiting { step, until, fault };
        self.version += 1;
    }

    /// Records that D1 shows the run as `told`, and whether D1 had it as completed before. Returns whether the run went live
    /// without knowing it.
    pub fn projected(&mut self, told: &Self, was_completed: bool, now: Timestamp) -> bool {
        (self.projection_failures, self.orphaned_since) = (0, None);
        self.projected_version = self.projected_version.max(told.version);
        self.pending_history.drain(..told.pending_history.len().min(self.pending_history.len()));
        let went_live = was_completed && self.undoing.is_none() && self.status() != RunStatus::Completed;
        if went_live {
            self.went_live(now);
        }
        went_live
    }

    /// Reprojects the whole run under a new version: D1 may have been restored to an older state.
    pub const fn reproject(&mut self) {
        self.projected_version = 0;
        self.version += 1;
    }

    /// Going live was done, and its answer lost; or an operator stopped the run when that was too late.
    fn went_live(&mut self, now: Timestamp) {
        if let Some(record) = self.doing.record_mut(Step::Activate) {
            record.done_at.get_or_insert(now);
        }
        self.doing.stage = Stage::Completed { at: now };
        self.version += 1;
    }

    /// Whether D1 shows an older version than this.
    pub fn has_pending_projection(&self) -> bool {
        self.projected_version < self.version
    }

    /// The projection failed. Returns when to try again.
    pub fn projection_failed(&mut self, now: Timestamp, random: u32) -> Timestamp {
        self.projection_failures = self.projection_failures.saturating_add(1);
        now.after(projection_delay(self.projection_failures, self.orphaned_since.is_some(), random))
    }

    /// D1 does not know the tenant: it was restored to a moment before the signup.
    pub fn orphan(&mut self, now: Timestamp) {
        self.orphaned_since.get_or_insert(now);
    }

    /// Whether nothing is begun because D1 does not know the tenant. What it made is removed in the end.
    pub const fn waits_for_its_tenant(&self) -> bool {
        self.orphaned_since.is_some() && self.undoing.is_none()
    }

    /// Whether D1 has not known the tenant for so long that what was made for it is to be removed.
    pub fn is_abandoned(&self, now: Timestamp) -> bool {
        self.undoing.is_none() && self.orphaned_since.is_some_and(|since| now >= since.after(ORPHAN_GRACE))
    }

    /// Whether a check is due that D1 still knows the tenant.
    pub fn is_tenant_check_due(&self, now: Timestamp) -> bool {
        self.tenant_checks().next().is_some_and(|first| now >= first)
    }

    /// When to check next that D1 still knows the tenant. The checks end after 30 days.
    pub fn next_tenant_check(&self, now: Timestamp) -> Option<Timestamp> {
        self.tenant_checks().find(|look| *look > now)
    }

    /// Of a run that has ended, and has left something.
    fn tenant_checks(&self) -> impl Iterator<Item = Timestamp> {
        let ended_since = match &self.undoing {
            Some(undo) => undo.stage.failed_at(),
            None => self.doing.stage.ended_at(),
        };
        ended_since.into_iter().flat_map(|since| TENANT_CHECKS.map(|pause| since.after(pause)))
    }

    /// When a run that failed for an outage is resumed without anyone asking, unless its upstream is known to be back sooner.
    pub fn resume_at(&self) -> Option<Timestamp> {
        let at = self.doing.stage.failed_at()?;
        let pause = RESUME_AFTER.get(usize::try_from(self.resumes).ok()?)?;
        (self.failed_for_outage() && self.undoing.is_none()).then(|| at.after(*pause))
    }

    /// Goes on without anyone asking: at the step that failed, one attempt tells whether the outage is over.
    pub fn resume(&mut self, link_id: String, now: Timestamp) {
        let (resumes, waited) = (self.resumes + 1, self.waited);
        self.requeue(link_id, RequestOrigin::default(), now);
        // It did not wait for a person.
        self.waited = waited;
        if let Stage::Ready { step } = self.doing.stage {
            (self.resumes, self.probing) = (resumes, Some(step));
        }
    }

    /// A run that D1 shows, and whose object lost it, goes on with fresh time.
    pub fn found_again(&mut self, now: Timestamp) {
        self.was_lost = true;
        self.doing.deadline_at = now.after(RUN_LIMIT);
        if self.status() == RunStatus::Processing
            && let Some(step) = self.doing.first_not_done()
        {
            self.doing.stage = Stage::Ready { step };
        }
    }

    /// Whether a round that nobody asked for failed as the one before: that is not told again.
    pub fn is_no_news(&self) -> bool {
        self.resumes > 0 && self.failed_for_outage()
    }

    fn failed_for_outage(&self) -> bool {
        self.doing.stage.failure().is_some_and(|failure| {
            matches!(failure.code, FailureCode::UpstreamUnavailable | FailureCode::DeadlineExceeded)
        })
    }
}
