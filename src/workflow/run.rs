//! One provisioning run: where it stands, and the only table of how it moves.
//!
//! The whole value is one checkpoint row of the Durable Object. Its JSON is read by later versions of this code, so
//! its shape is pinned by a test.

use serde::{Deserialize, Serialize};

use crate::domain::{Plan, RunId, RunStatus, Step, StepStatus, Task, Timestamp, UndoStatus};

use super::{
    Artifact, Attempt, FailureCode, Next, Outcome, PermanentError, Product, Record, RequestOrigin, Stage,
    Subject, TransientError, TransientErrorCode, Undo,
    policy::{RUN_LIMIT, policy},
    record::is_zero,
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
    /// How often it was queued.
    #[serde(rename = "rounds")]
    pub times_queued: u32,
    /// When it was first queued.
    pub queued_at: Timestamp,
    /// Its deadline.
    pub deadline_at: Timestamp,
    /// When the welcome mail's link was issued: fixed before the mail is sent, so that every attempt sends the same.
    pub link_issued_at: Timestamp,
    /// The welcome mail's link's own id.
    pub link_id: String,
    /// Where it stands.
    pub stage: Stage,
    /// Its steps, in order.
    pub records: Vec<Record>,
    /// Attempts that D1 does not show yet.
    #[serde(rename = "unlisted")]
    pub pending_history: Vec<Attempt>,
    /// The newest version that D1 shows; 0 if the whole run has to be reprojected.
    #[serde(rename = "listed_version")]
    pub projected_version: u64,
    /// How often in a row The projection could not be written.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[serde(rename = "listing_failures")]
    pub projection_failures: u32,
    /// Where it was queued from.
    pub caller: RequestOrigin,
    /// Undoing it, once that was asked for: from then on nothing else is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
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
    /// When going live was begun first in this round: its event says so, whichever attempt gets through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_at: Option<Timestamp>,
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
        let records = Step::of(plan).iter().map(|step| Record::new(*step)).collect();
        Self {
            id,
            subject,
            plan,
            version: 1,
            times_queued: 1,
            queued_at: now,
            deadline_at: now.after(RUN_LIMIT),
            link_issued_at: now,
            link_id,
            stage: Stage::Ready { step: Step::SeedDefaults },
            records,
            pending_history: Vec::new(),
            projected_version: 0,
            projection_failures: 0,
            caller,
            undo: None,
            resumes: 0,
            probing: None,
            paused: false,
            was_lost: false,
            orphaned_since: None,
            live_at: None,
            waited: 0,
        }
    }

    /// What it wants done at `now`.
    pub fn next(&self, now: Timestamp) -> Next {
        if let Some(undo) = &self.undo {
            return undo.next(now);
        }
        self.stage.next(Task::Do, self.deadline_at, now)
    }

    /// Records that an attempt at `task` begins. Answers its number.
    pub fn begin(&mut self, task: Task, now: Timestamp) -> u32 {
        self.paused = false;
        match (task, &mut self.undo) {
            (Task::Undo(step), Some(undo)) => {
                undo.begin(step, now);
                self.version += 1;
            }
            (Task::Undo(_), None) => {}
            (Task::Do(step), _) => {
                if let Some(record) = self.record_mut(step) {
                    record.attempts += 1;
                    record.attempts_since_queued += 1;
                    record.started_at.get_or_insert(now);
                }
                if step == Step::Activate {
                    self.live_at.get_or_insert(now);
                }
                self.move_to(Stage::Running { step, since: now });
            }
        }
        self.attempts(task.step())
    }

    /// What is being attempted, and since when.
    pub fn running(&self) -> Option<(Task, Timestamp)> {
        let (stage, task): (_, fn(Step) -> Task) = match &self.undo {
            Some(undo) => (&undo.stage, Task::Undo),
            None => (&self.stage, Task::Do),
        };
        stage.running().map(|(step, since)| (task(step), since))
    }

    /// Records how the attempt that is running ended, and moves on. Without a running attempt it changes nothing: the
    /// attempt was overtaken.
    pub fn settle(&mut self, outcome: Outcome, now: Timestamp, random: u32) {
        let Some((task, since)) = self.running() else { return };
        self.note(task, since, now, &outcome);
        match (task, outcome) {
            (Task::Do(step), Outcome::Done(product)) => self.done(step, product, now),
            (Task::Do(step), Outcome::Failed(failure)) => self.fail(step, failure, now),
            (Task::Do(step), Outcome::Unknown(fault)) => self.retry_or_fail(step, fault, now, random),
            (Task::Undo(_), outcome) => self.change_undo(|undo| undo.settle(outcome, now, random)),
        }
    }

    /// Records that the time is up.
    pub fn expire(&mut self, now: Timestamp) {
        self.note_overtaken(now);
        if self.undo.is_some() {
            return self.change_undo(|undo| undo.expire(now));
        }
        let Some(step) = self.current() else { return };
        let failure = PermanentError::new(
            FailureCode::DeadlineExceeded,
            "Setting up took too long and was stopped. It can be started again and goes on where it stopped.",
        );
        self.move_to(Stage::Failed { step, failure, at: now });
    }

    /// Queues a failed run again: it goes on at the failed step, with fresh attempts and a fresh deadline. Any other
    /// run stays as it is.
    pub fn requeue(&mut self, link_id: String, caller: RequestOrigin, now: Timestamp) {
        let (Stage::Failed { .. }, None) = (&self.stage, &self.undo) else { return };
        (self.resumes, self.probing, self.live_at) = (0, None, None);
        let Some(step) = self.first_not_done() else { return };
        for record in &mut self.records {
            (record.attempts_since_queued, record.uncounted) = (0, 0);
        }
        self.was_requested_again(now);
        self.times_queued += 1;
        self.deadline_at = now.after(RUN_LIMIT);
        self.renew_link(link_id, now);
        // Where the links lead is part of the mail, and so of every attempt at it; the rest is not.
        self.caller = RequestOrigin { origin: std::mem::take(&mut self.caller.origin), ..caller };
        self.move_to(Stage::Ready { step });
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
        let failure = PermanentError::new(FailureCode::Cancelled, why);
        self.move_to(Stage::Failed { step, failure, at: now });
        true
    }

    /// Undoes the run, or tries again to: what is at work is stopped, and nothing else is done any more. Answers whether
    /// it did.
    pub fn begin_undo(&mut self, caller: RequestOrigin, now: Timestamp) -> bool {
        self.cancel(now);
        match &mut self.undo {
            None => self.undo = Some(Undo::of(&self.records, self.was_lost, now)),
            Some(undo) if undo.has_failed() => undo.resume(now),
            Some(_) => return false,
        }
        self.caller = RequestOrigin { origin: std::mem::take(&mut self.caller.origin), ..caller };
        self.version += 1;
        true
    }

    /// Tries again now what waits because the upstream was not asked. Answers whether anything does. It was due sooner or later:
    /// nothing that is projected changes.
    pub fn go_on_now(&mut self, now: Timestamp) -> bool {
        let stage = self.undo.as_mut().map_or(&mut self.stage, |undo| &mut undo.stage);
        match stage {
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
        if let Some(undo) = &mut self.undo {
            let skipped = undo.skip(now);
            self.version += u64::from(skipped);
            return skipped;
        }
        let Stage::Failed { step, .. } = self.stage else { return false };
        if step == Step::Activate {
            return false;
        }
        (self.resumes, self.probing) = (0, None);
        if let Some(record) = self.record_mut(step) {
            record.done_at = Some(now);
            record.skipped = true;
        }
        self.was_requested_again(now);
        self.times_queued += 1;
        self.deadline_at = now.after(RUN_LIMIT);
        self.renew_link(link_id, now);
        self.go_on(now);
        true
    }

    /// The step, or the removal, at which it failed.
    pub const fn failed_at(&self) -> Option<Step> {
        let stage = match &self.undo {
            Some(undo) => &undo.stage,
            None => &self.stage,
        };
        match stage {
            Stage::Failed { step, .. } => Some(*step),
            _ => None,
        }
    }

    /// Whether nothing is left to do: it ended, and if it is to be undone, that did too.
    pub fn has_ended(&self) -> bool {
        match &self.undo {
            Some(undo) => undo.has_ended(),
            None => self.status() != RunStatus::Processing,
        }
    }

    /// Whether everything that it made was removed, and its name is free.
    pub fn is_undone(&self) -> bool {
        self.undo.as_ref().is_some_and(|undo| undo.status() == UndoStatus::Undone)
    }

    /// Whether it waits before it tries again.
    pub const fn is_waiting(&self) -> bool {
        match &self.undo {
            Some(undo) => undo.stage.is_waiting(),
            None => self.stage.is_waiting(),
        }
    }

    /// How often `step` was tried, to do it or to undo it.
    pub fn attempts(&self, step: Step) -> u32 {
        let done = self.records.iter().find(|r| r.step == step).map_or(0, |r| r.attempts);
        done + self.undo.as_ref().map_or(0, |undo| undo.attempts(step))
    }

    /// Where the run stands, in one word.
    pub const fn status(&self) -> RunStatus {
        match self.stage {
            Stage::Ready { .. } | Stage::Running { .. } | Stage::Waiting { .. } => RunStatus::Processing,
            Stage::Completed { .. } => RunStatus::Completed,
            Stage::Failed { .. } => RunStatus::Failed,
        }
    }

    /// The step it is at; none when every step is done.
    pub const fn current(&self) -> Option<Step> {
        self.stage.current()
    }

    /// Where one of its steps stands, in one word.
    pub fn step_status(&self, record: &Record) -> StepStatus {
        if record.skipped {
            return StepStatus::Skipped;
        }
        if record.done_at.is_some() {
            return if record.warning.is_some() { StepStatus::Failed } else { StepStatus::Completed };
        }
        match &self.stage {
            Stage::Failed { step, .. } if *step == record.step => StepStatus::Failed,
            Stage::Running { step, .. } | Stage::Waiting { step, .. } if *step == record.step => {
                StepStatus::Running
            }
            _ => StepStatus::Pending,
        }
    }

    /// What `step` made outside.
    pub fn artifact(&self, step: Step) -> Option<&Artifact> {
        self.records.iter().find(|r| r.step == step)?.artifact.as_ref()
    }

    fn is_done(&self, step: Step) -> bool {
        self.records.iter().any(|r| r.step == step && r.done_at.is_some())
    }

    /// A round that begins long after the one before must not mail a link that has ended.
    pub(super) fn renew_link(&mut self, link_id: String, now: Timestamp) {
        if !self.is_done(Step::SendWelcomeEmail) && self.link_is_stale(now) {
            self.link_id = link_id;
            self.link_issued_at = now;
        }
    }

    /// A link lives a day; half of that is the least that a mail may leave its reader.
    fn link_is_stale(&self, now: Timestamp) -> bool {
        now.since(self.link_issued_at).as_secs() > 12 * 3600
    }

    fn done(&mut self, step: Step, product: Option<Product>, now: Timestamp) {
        if let Some(record) = self.record_mut(step) {
            record.done_at = Some(now);
            match product {
                Some(Product::Created(artifact)) => record.artifact = Some(artifact),
                Some(Product::Pinged(webhook)) => record.webhook = Some(webhook),
                Some(Product::NoRoute) => record.no_route = true,
                None => {}
            }
        }
        self.probing = None;
        self.go_on(now);
    }

    fn fail(&mut self, step: Step, failure: PermanentError, now: Timestamp) {
        self.move_to(Stage::Failed { step, failure, at: now });
    }

    fn retry_or_fail(&mut self, step: Step, fault: TransientError, now: Timestamp, random: u32) {
        let (policy, deadline_at, probing) = (policy(step), self.deadline_at, self.probing == Some(step));
        let Some(record) = self.record_mut(step) else { return };
        let counts = policy.uses_attempt(&fault);
        if counts {
            record.uncounted = 0;
        } else {
            record.attempts_since_queued = record.attempts_since_queued.saturating_sub(1);
            record.uncounted += 1;
        }
        let tries = record.tries();
        let next = policy.next_attempt(tries, &fault, deadline_at, now, random);
        match next.filter(|_| !(probing && counts)) {
            Some(until) => self.move_to(Stage::Waiting { step, until, fault }),
            None => self.fail(step, retries_exhausted(&fault, tries.counted), now),
        }
    }

    /// What is next is the first step of the run's own record that is not done: what the code would do next is another version's
    /// business.
    fn go_on(&mut self, now: Timestamp) {
        let next = self.first_not_done();
        self.move_to(next.map_or(Stage::Completed { at: now }, |step| Stage::Ready { step }));
    }

    /// The first step that is not done, of those that this version knows: it passes over those of a later one.
    pub(super) fn first_not_done(&self) -> Option<Step> {
        let mut known = self.records.iter().filter(|record| !matches!(record.step, Step::Other(_)));
        known.find(|record| record.done_at.is_none()).map(|record| record.step)
    }

    pub(super) fn move_to(&mut self, stage: Stage) {
        self.stage = stage;
        self.version += 1;
    }

    pub(super) fn change_undo(&mut self, change: impl FnOnce(&mut Undo)) {
        self.undo.as_mut().map(change);
        self.version += 1;
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

    pub(super) fn record_mut(&mut self, step: Step) -> Option<&mut Record> {
        self.records.iter_mut().find(|r| r.step == step)
    }
}

/// Why a step, or removing what it made, failed after so many attempts that nobody knows the end of.
pub(super) fn retries_exhausted(fault: &TransientError, tried: u32) -> PermanentError {
    let times = if tried == 1 { "once".to_owned() } else { format!("{tried} times") };
    PermanentError::new(
        FailureCode::UpstreamUnavailable,
        format!("{} We tried {times}.", fault.code.message()),
    )
}
