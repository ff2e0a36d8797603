//! One provisioning run: doing its steps, undoing them, and what it remembers beside that.
//!
//! The whole value is one checkpoint row of the Durable Object. Its JSON is read by later versions of this code, so
//! its shape is pinned by a test.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{Plan, RunId, RunStatus, Step, StepStatus, Task, Timestamp, UndoStatus};

use super::{
    Artifact, Attempt, FailureCode, Next, Outcome, PermanentError, Record, RequestOrigin, Stage, Subject,
    Track, TransientError, TransientErrorCode, record::is_zero, track::write_undo,
};

/// One provisioning run of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Whom it provisions.
    pub subject: Subject,
    /// Which steps it has.
    pub plan: Plan,
    /// Counts every recorded change: the projection in D1 takes a state only if it is newer than its own.
    pub version: u64,
    /// Doing its steps.
    #[serde(flatten, skip_deserializing, default = "Track::unread")]
    pub doing: Track,
    /// When the welcome mail's link was issued: fixed before the mail is sent, so that every attempt sends the same.
    pub link_issued_at: Timestamp,
    /// The welcome mail's link's own id.
    pub link_id: String,
    /// Attempts that D1 does not show yet.
    #[serde(rename = "unlisted")]
    pub pending_history: Vec<Attempt>,
    /// The newest version that D1 shows; 0 if the whole run has to be reprojected.
    #[serde(rename = "listed_version")]
    pub projected_version: u64,
    /// How often in a row the projection could not be written.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[serde(rename = "listing_failures")]
    pub projection_failures: u32,
    /// Where it was queued from.
    pub caller: RequestOrigin,
    /// Undoing it, once that was asked for: from then on nothing else is done.
    #[serde(
        rename = "undo",
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "write_undo"
    )]
    pub undoing: Option<Track>,
    /// How often it was resumed without anyone asking, since somebody last queued it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub resumes: u32,
    /// The step at which it was resumed without anyone asking: one attempt tells whether the outage is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probing: Option<Step>,
    /// Whether it waits because provisioning is paused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// Whether its object lost it, and took it over from D1: steps that D1 does not show may have been begun.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_lost: bool,
    /// Since when D1 has not known its tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orphaned_since: Option<Timestamp>,
    /// How long it waited for a person, in seconds: failed until it was wanted again, or paused.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waited: u32,
}

impl Run {
    /// A run that was just queued. `link_id` is fresh randomness.
    pub fn queued(
        id: RunId,
        plan: Plan,
        subject: Subject,
        link_id: String,
        caller: RequestOrigin,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            subject,
            plan,
            version: 1,
            doing: Track::doing(Step::of(plan), now),
            link_issued_at: now,
            link_id,
            pending_history: Vec::new(),
            projected_version: 0,
            projection_failures: 0,
            caller,
            undoing: None,
            resumes: 0,
            probing: None,
            paused: false,
            was_lost: false,
            orphaned_since: None,
            waited: 0,
        }
    }

    /// What is at work: doing its steps, or undoing them once that was asked for.
    pub fn track(&self) -> &Track {
        self.undoing.as_ref().unwrap_or(&self.doing)
    }

    pub(super) fn track_mut(&mut self) -> &mut Track {
        self.undoing.as_mut().unwrap_or(&mut self.doing)
    }

    /// What it wants done at `now`.
    pub fn next(&self, now: Timestamp) -> Next {
        self.track().next(now)
    }

    /// Records that an attempt at `task` begins. Answers its number.
    pub fn begin(&mut self, task: Task, now: Timestamp) -> u32 {
        self.paused = false;
        self.track_mut().begin(task.step(), now);
        self.version += 1;
        self.attempts(task.step())
    }

    /// What is being attempted, and since when.
    pub fn running(&self) -> Option<(Task, Timestamp)> {
        self.track().running()
    }

    /// Records how the attempt that is running ended, and moves on. Without a running attempt it changes nothing: the
    /// attempt was overtaken.
    pub fn settle(&mut self, outcome: Outcome, now: Timestamp, random: u32) {
        let Some((task, since)) = self.running() else { return };
        self.note(task, since, now, &outcome);
        let is_probe = !task.is_undo() && self.probing == Some(task.step());
        if !task.is_undo() && matches!(outcome, Outcome::Done(_)) {
            self.probing = None;
        }
        self.track_mut().settle(outcome, is_probe, now, random);
        self.version += 1;
    }

    /// Records that the time is up.
    pub fn expire(&mut self, now: Timestamp) {
        self.note_overtaken(now);
        self.track_mut().expire(now);
        self.version += 1;
    }

    /// Queues a failed run again: it goes on at the failed step, with fresh attempts and a fresh deadline. Any other
    /// run stays as it is.
    pub fn requeue(&mut self, link_id: String, caller: RequestOrigin, now: Timestamp) {
        let failed_at = self.doing.stage.failed_at();
        if self.undoing.is_some() || !self.doing.requeue(now) {
            return;
        }
        self.was_requested_again(failed_at, link_id, now);
        self.requested_by(caller);
        self.version += 1;
    }

    /// Where the links lead is part of the mail, and so of every attempt at it; the rest is not.
    fn requested_by(&mut self, caller: RequestOrigin) {
        self.caller = RequestOrigin { origin: std::mem::take(&mut self.caller.origin), ..caller };
    }

    /// Somebody wants it again, that failed then: it has waited for that.
    fn was_requested_again(&mut self, failed_at: Option<Timestamp>, link_id: String, now: Timestamp) {
        (self.resumes, self.probing) = (0, None);
        self.waits(failed_at.map_or(Duration::ZERO, |at| now.since(at)));
        self.renew_link(link_id, now);
    }

    /// Stops a run that has not ended, on an operator's word. Answers whether it did.
    pub fn cancel(&mut self, now: Timestamp) -> bool {
        self.stop("Setting up was stopped by our support.", now)
    }

    /// Stops a run that has not ended: this is why, for people. Answers whether it did.
    pub fn stop(&mut self, why: &str, now: Timestamp) -> bool {
        let (RunStatus::Processing, Some(step)) = (self.status(), self.current()) else { return false };
        self.note_overtaken(now);
        self.paused = false;
        self.doing.fail(step, PermanentError::new(FailureCode::Cancelled, why), now);
        self.version += 1;
        true
    }

    /// Undoes the run, or tries again to: what is at work is stopped, and nothing else is done any more. Answers whether
    /// it did.
    pub fn begin_undo(&mut self, caller: RequestOrigin, now: Timestamp) -> bool {
        self.cancel(now);
        match &mut self.undoing {
            None => self.undoing = Some(Track::undoing(&self.doing.records, self.was_lost, now)),
            Some(undo) => {
                if !undo.requeue(now) {
                    return false;
                }
            }
        }
        self.requested_by(caller);
        self.version += 1;
        true
    }

    /// Tries again now what waits because the upstream was not asked. Answers whether anything does. It was due sooner or later:
    /// nothing that is projected changes.
    pub fn go_on_now(&mut self, now: Timestamp) -> bool {
        match &mut self.track_mut().stage {
            Stage::Waiting { until, fault, .. } if fault.code == TransientErrorCode::CircuitOpen => {
                *until = now.min(*until);
                true
            }
            _ => false,
        }
    }

    /// Leaves out the step at which the run failed, or the removal that did, on an operator's word, and goes on behind it: if it
    /// is the one that the operator saw. Going live, and letting go of the tenant's name, can't be left out. Answers whether it
    /// did.
    pub fn skip(&mut self, seen: Option<Step>, link_id: String, now: Timestamp) -> bool {
        if self.failed_at().is_none_or(|step| seen.is_some_and(|seen| seen != step)) {
            return false;
        }
        let failed_at = self.doing.stage.failed_at();
        if !self.track_mut().skip(now) {
            return false;
        }
        if self.undoing.is_none() {
            self.was_requested_again(failed_at, link_id, now);
        }
        self.version += 1;
        true
    }

    /// The step, or the removal, at which it failed.
    pub fn failed_at(&self) -> Option<Step> {
        match self.track().stage {
            Stage::Failed { step, .. } => Some(step),
            _ => None,
        }
    }

    /// Whether nothing is left to do: it ended, and if it is to be undone, that did too.
    pub fn has_ended(&self) -> bool {
        self.track().stage.ended_at().is_some()
    }

    /// Whether everything that it made was removed, and its name is free.
    pub fn is_undone(&self) -> bool {
        self.undo_status() == Some(UndoStatus::Undone)
    }

    /// Whether it waits before it tries again.
    pub fn is_waiting(&self) -> bool {
        self.track().stage.is_waiting()
    }

    /// How often `step` was tried, to do it or to undo it.
    pub fn attempts(&self, step: Step) -> u32 {
        self.doing.attempts(step) + self.undoing.as_ref().map_or(0, |undo| undo.attempts(step))
    }

    /// Where the run stands, in one word.
    pub const fn status(&self) -> RunStatus {
        match self.doing.stage {
            Stage::Ready { .. } | Stage::Running { .. } | Stage::Waiting { .. } => RunStatus::Processing,
            Stage::Completed { .. } => RunStatus::Completed,
            Stage::Failed { .. } => RunStatus::Failed,
        }
    }

    /// Where undoing it stands, in one word, once that was asked for.
    pub fn undo_status(&self) -> Option<UndoStatus> {
        self.undoing.as_ref().map(|undo| match undo.stage {
            Stage::Ready { .. } | Stage::Running { .. } | Stage::Waiting { .. } => UndoStatus::Undoing,
            Stage::Completed { .. } => UndoStatus::Undone,
            Stage::Failed { .. } => UndoStatus::CompensationFailed,
        })
    }

    /// The step it is at; none when every step is done.
    pub const fn current(&self) -> Option<Step> {
        self.doing.stage.current()
    }

    /// Where one of its steps stands, in one word.
    pub fn step_status(&self, record: &Record) -> StepStatus {
        if record.skipped {
            return StepStatus::Skipped;
        }
        if record.done_at.is_some() {
            return if record.warning.is_some() { StepStatus::Failed } else { StepStatus::Completed };
        }
        match &self.doing.stage {
            Stage::Failed { step, .. } if *step == record.step => StepStatus::Failed,
            Stage::Running { step, .. } | Stage::Waiting { step, .. } if *step == record.step => {
                StepStatus::Running
            }
            _ => StepStatus::Pending,
        }
    }

    /// What `step` made outside.
    pub fn artifact(&self, step: Step) -> Option<&Artifact> {
        self.doing.record(step)?.artifact.as_ref()
    }

    /// A round that begins long after the one before must not mail a link that has ended.
    fn renew_link(&mut self, link_id: String, now: Timestamp) {
        let is_mailed =
            self.doing.record(Step::SendWelcomeEmail).is_some_and(|record| record.done_at.is_some());
        if !is_mailed && self.link_is_stale(now) {
            self.link_id = link_id;
            self.link_issued_at = now;
        }
    }

    /// A link lives a day; half of that is the least that a mail may leave its reader.
    fn link_is_stale(&self, now: Timestamp) -> bool {
        now.since(self.link_issued_at).as_secs() > 12 * 3600
    }

    fn note(&mut self, task: Task, started_at: Timestamp, ended_at: Timestamp, outcome: &Outcome) {
        let (word, error, upstream_status, said) = match outcome {
            Outcome::Done(_) => ("done", None, None, None),
            Outcome::Failed(no) => ("refused", Some(no.code.as_str()), no.status, no.said.clone()),
            Outcome::Unknown(fault) => ("unknown", Some(fault.code.as_str()), fault.status, None),
        };
        self.pending_history.push(Attempt {
            step: task.step(),
            undo: task.is_undo(),
            number: self.attempts(task.step()),
            started_at,
            ended_at,
            outcome: word.to_owned(),
            error: error.map(str::to_owned),
            request: self.caller.request.clone(),
            upstream_status,
            said,
        });
    }

    /// An attempt that fails while it is away may yet do something outside: it is one of those that were made.
    fn note_overtaken(&mut self, now: Timestamp) {
        if let Some((task, since)) = self.running() {
            self.note(
                task,
                since,
                now,
                &Outcome::Unknown(TransientError::new(TransientErrorCode::Interrupted)),
            );
        }
    }
}
