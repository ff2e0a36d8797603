//! One way through the steps of a run: doing them in order, or undoing in reverse what they left. Both move alike.
//!
//! Every step that was begun is undone, done or not: its answer may have been lost. What was never ours is not touched:
//! that is for the step to know. The last to be undone is the first that is ever done, and with it the tenant's name
//! and address are free.

use serde::{Deserialize, Serialize, Serializer};

use crate::domain::{Step, Task, Timestamp};

use super::{
    Artifact, FailureCode, Next, Outcome, PermanentError, Record, Stage, TransientError,
    policy::{Compensation, RUN_LIMIT, compensation, is_last, policy},
    record::is_zero,
};

/// Doing the steps of a run, or undoing them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// Whether they are undone.
    #[serde(skip)]
    pub is_undo: bool,
    /// How often it was queued.
    #[serde(rename = "rounds")]
    pub times_queued: u32,
    /// When it was first queued.
    #[serde(alias = "asked_at")]
    pub queued_at: Timestamp,
    /// Its deadline.
    pub deadline_at: Timestamp,
    /// Where it stands.
    pub stage: Stage,
    /// Its steps, in order.
    #[serde(alias = "removals")]
    pub records: Vec<Record>,
    /// When its last step was first begun in this round: the event of its end says so, whichever attempt gets through.
    #[serde(rename = "live_at", alias = "gone_at", default, skip_serializing_if = "Option::is_none")]
    pub finishing_at: Option<Timestamp>,
}

impl Track {
    /// Doing these steps.
    pub fn doing(steps: &[Step], now: Timestamp) -> Self {
        Self::queued(false, steps.iter().copied().map(Record::new).collect(), now)
    }

    /// Undoing a run whose steps stand so. One that `was_lost` may have begun any of them: undoing what never was finds nothing
    /// to do.
    pub fn undoing(records: &[Record], was_lost: bool, now: Timestamp) -> Self {
        let has_left = |record: &&Record| match compensation(record.step) {
            Compensation::None => matches!(record.artifact, Some(Artifact::Other(_))),
            Compensation::Required => record.attempts > 0 || was_lost,
            Compensation::SlugAndEmail => true,
        };
        let mut steps: Vec<Step> = records.iter().rev().filter(has_left).map(|record| record.step).collect();
        // Wherever another version has it: nobody gets the name while anything is left behind it.
        steps.sort_by_key(|step| is_last(Task::Undo(*step)));
        Self::queued(true, steps.into_iter().map(Record::new).collect(), now)
    }

    fn queued(is_undo: bool, records: Vec<Record>, now: Timestamp) -> Self {
        let first = records.first().map_or(Step::SeedDefaults, |record| record.step);
        Self {
            is_undo,
            times_queued: 1,
            queued_at: now,
            deadline_at: now.after(RUN_LIMIT),
            stage: Stage::Ready { step: first },
            records,
            finishing_at: None,
        }
    }

    /// In the place of one that is read next.
    pub(super) fn unread() -> Self {
        Self::queued(false, Vec::new(), Timestamp::from_millis(0))
    }

    const fn task(&self, step: Step) -> Task {
        if self.is_undo { Task::Undo(step) } else { Task::Do(step) }
    }

    /// What it wants done at `now`.
    pub fn next(&self, now: Timestamp) -> Next {
        match self.stage {
            Stage::Completed { .. } | Stage::Failed { .. } => Next::Idle,
            _ if now >= self.deadline_at => Next::Expire,
            Stage::Ready { step } => Next::Begin(self.task(step)),
            Stage::Running { step, .. } => Next::Recover(self.task(step)),
            Stage::Waiting { until, .. } if until > now => Next::Sleep(until.min(self.deadline_at)),
            Stage::Waiting { step, .. } => Next::Begin(self.task(step)),
        }
    }

    /// What is being attempted, and since when.
    pub const fn running(&self) -> Option<(Task, Timestamp)> {
        match self.stage {
            Stage::Running { step, since } => Some((self.task(step), since)),
            _ => None,
        }
    }

    /// Records that an attempt begins.
    pub fn begin(&mut self, step: Step, now: Timestamp) {
        if let Some(record) = self.record_mut(step) {
            record.attempts += 1;
            record.attempts_since_queued += 1;
            record.started_at.get_or_insert(now);
        }
        if is_last(self.task(step)) {
            self.finishing_at.get_or_insert(now);
        }
        self.stage = Stage::Running { step, since: now };
    }

    /// Records how the attempt that is running ended, and moves on. One that `is_probe` is not made again if it counts.
    pub fn settle(&mut self, outcome: Outcome, is_probe: bool, now: Timestamp, random: u32) {
        let Stage::Running { step, .. } = self.stage else { return };
        match outcome {
            Outcome::Done(product) => {
                if let Some(record) = self.record_mut(step) {
                    record.done(product, now);
                }
                self.go_on(now);
            }
            Outcome::Failed(failure) => self.fail(step, failure, now),
            Outcome::Unknown(fault) => self.retry_or_fail(step, fault, is_probe, now, random),
        }
    }

    fn retry_or_fail(
        &mut self,
        step: Step,
        fault: TransientError,
        is_probe: bool,
        now: Timestamp,
        random: u32,
    ) {
        let (policy, deadline_at) = (policy(step), self.deadline_at);
        let Some(record) = self.record_mut(step) else { return };
        let uses_attempt = policy.uses_attempt(&fault);
        record.was_tried(uses_attempt);
        let tries = record.tries();
        let next = policy.next_attempt(tries, &fault, deadline_at, now, random);
        match next.filter(|_| !(is_probe && uses_attempt)) {
            Some(until) => self.stage = Stage::Waiting { step, until, fault },
            None => self.fail(step, retries_exhausted(&fault, tries.counted), now),
        }
    }

    /// Records that `step` failed.
    pub fn fail(&mut self, step: Step, failure: PermanentError, now: Timestamp) {
        self.stage = Stage::Failed { step, failure, at: now };
    }

    /// Records that the time is up.
    pub fn expire(&mut self, now: Timestamp) {
        let Some(step) = self.stage.current() else { return };
        let message = if self.is_undo {
            "Removing took too long and was stopped. Try again: it goes on where it stopped."
        } else {
            "Setting up took too long and was stopped. It can be started again and goes on where it stopped."
        };
        self.fail(step, PermanentError::new(FailureCode::DeadlineExceeded, message), now);
    }

    /// Queues it again after it failed: it goes on at the first step that is not done, with fresh attempts and a fresh deadline.
    /// Answers whether it did.
    pub fn requeue(&mut self, now: Timestamp) -> bool {
        let (Stage::Failed { .. }, Some(step)) = (&self.stage, self.first_not_done()) else { return false };
        self.renew_attempts();
        self.renew(now);
        self.stage = Stage::Ready { step };
        true
    }

    /// Leaves out the step at which it failed, and goes on behind it. The last one can't be left out. Answers whether it did.
    pub fn skip(&mut self, now: Timestamp) -> bool {
        let Stage::Failed { step, .. } = self.stage else { return false };
        if is_last(self.task(step)) {
            return false;
        }
        if let Some(record) = self.record_mut(step) {
            record.done_at = Some(now);
            record.skipped = true;
        }
        if self.is_undo {
            self.renew_attempts();
        }
        self.renew(now);
        self.go_on(now);
        true
    }

    fn renew_attempts(&mut self) {
        for record in &mut self.records {
            (record.attempts_since_queued, record.uncounted) = (0, 0);
        }
    }

    fn renew(&mut self, now: Timestamp) {
        self.times_queued += 1;
        self.deadline_at = now.after(RUN_LIMIT);
        self.finishing_at = None;
    }

    /// What is next is the first step of its own record that is not done: what the code would do next is another version's
    /// business.
    fn go_on(&mut self, now: Timestamp) {
        let next = self.first_not_done();
        self.stage = next.map_or(Stage::Completed { at: now }, |step| Stage::Ready { step });
    }

    /// The first step that is not done. Doing passes over those that this version does not know; undoing does not: what they
    /// made may still be there.
    pub(super) fn first_not_done(&self) -> Option<Step> {
        let mut tasks = self.records.iter().filter(|r| r.done_at.is_none()).map(|r| self.task(r.step));
        tasks.find(|task| !matches!(task, Task::Do(Step::Other(_)))).map(Task::step)
    }

    /// What is remembered of `step`.
    pub fn record(&self, step: Step) -> Option<&Record> {
        self.records.iter().find(|record| record.step == step)
    }

    pub(super) fn record_mut(&mut self, step: Step) -> Option<&mut Record> {
        self.records.iter_mut().find(|record| record.step == step)
    }

    /// How often `step` was tried.
    pub fn attempts(&self, step: Step) -> u32 {
        self.record(step).map_or(0, |record| record.attempts)
    }

    /// How often `step` was tried since this was last queued, by the attempts that count.
    pub fn attempts_since_queued(&self, step: Step) -> u32 {
        self.record(step).map_or(0, |record| record.attempts_since_queued)
    }
}

/// Why a step, or removing what it made, failed after so many attempts that nobody knows the end of.
fn retries_exhausted(fault: &TransientError, tried: u32) -> PermanentError {
    let times = if tried == 1 { "once".to_owned() } else { format!("{tried} times") };
    let message = format!("{} We tried {times}.", fault.code.message());
    PermanentError::new(FailureCode::UpstreamUnavailable, message)
}

/// Undoing, as a checkpoint has it: by names of its own.
#[derive(Serialize)]
struct StoredUndo<'a> {
    rounds: u32,
    asked_at: Timestamp,
    deadline_at: Timestamp,
    stage: &'a Stage,
    removals: Vec<StoredRemoval>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gone_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct StoredRemoval {
    step: Step,
    attempts: u32,
    round: u32,
    #[serde(skip_serializing_if = "is_zero")]
    uncounted: u32,
    started_at: Option<Timestamp>,
    done_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    left: bool,
}

#[expect(clippy::ref_option, reason = "serde's signature")]
pub(super) fn write_undo<S: Serializer>(undoing: &Option<Track>, serializer: S) -> Result<S::Ok, S::Error> {
    let removal = |record: &Record| StoredRemoval {
        step: record.step,
        attempts: record.attempts,
        round: record.attempts_since_queued,
        uncounted: record.uncounted,
        started_at: record.started_at,
        done_at: record.done_at,
        left: record.skipped,
    };
    let stored = undoing.as_ref().map(|undo| StoredUndo {
        rounds: undo.times_queued,
        asked_at: undo.queued_at,
        deadline_at: undo.deadline_at,
        stage: &undo.stage,
        removals: undo.records.iter().map(removal).collect(),
        gone_at: undo.finishing_at,
    });
    stored.serialize(serializer)
}
