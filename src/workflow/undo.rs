//! Undoing a run: what its steps left is removed, in reverse, each confirmed before it counts.
//!
//! Every step that was begun is undone, done or not: its answer may have been lost. What was never ours is not touched:
//! that is for the step to know. The last to be undone is the first that is ever done, and with it the tenant's name
//! and address are free.

use serde::{Deserialize, Serialize};

use crate::domain::{Step, Task, Timestamp, UndoStatus};

use super::{
    Artifact, FailureCode, Next, Outcome, PermanentError, Record, Stage, TransientError,
    policy::{Compensation, RUN_LIMIT, Tries, compensation, policy},
    record::is_zero,
    run::retries_exhausted,
};

/// What is remembered of undoing one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The step.
    pub step: Step,
    /// How often it was tried, over all rounds.
    pub attempts: u32,
    /// How often it was tried in this round, by the attempts that count.
    #[serde(rename = "round")]
    pub attempts_since_queued: u32,
    /// How many attempts in a row, the last ones, did not count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub uncounted: u32,
    /// When it was first tried.
    pub started_at: Option<Timestamp>,
    /// When it was confirmed, or left.
    pub done_at: Option<Timestamp>,
    /// Whether an operator had it left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[serde(rename = "left")]
    pub abandoned: bool,
}

/// Undoing one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// How often it was asked for.
    #[serde(rename = "rounds")]
    pub times_queued: u32,
    /// When it was first asked for.
    pub asked_at: Timestamp,
    /// Its deadline.
    pub deadline_at: Timestamp,
    /// Where it stands.
    pub stage: Stage,
    /// What is removed, in order.
    pub removals: Vec<Removal>,
    /// When letting go of the name was begun first in this round: its event says so, whichever attempt gets through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<Timestamp>,
}

impl Undo {
    /// Of a run whose steps stand so. One that `was_lost` may have begun any of them: undoing what never was finds nothing to do.
    pub fn of(records: &[Record], was_lost: bool, now: Timestamp) -> Self {
        let mut removals: Vec<Removal> = records
            .iter()
            .rev()
            .filter(|record| match compensation(record.step) {
                Compensation::None => matches!(record.artifact, Some(Artifact::Other(_))),
                Compensation::Required => record.attempts > 0 || was_lost,
                Compensation::SlugAndEmail => true,
            })
            .map(|record| Removal {
                step: record.step,
                attempts: 0,
                attempts_since_queued: 0,
                uncounted: 0,
                started_at: None,
                done_at: None,
                abandoned: false,
            })
            .collect();
        // Wherever another version has it: nobody gets the name while anything is left behind it.
        removals.sort_by_key(|removal| compensation(removal.step) == Compensation::SlugAndEmail);
        let first = removals.first().map_or(Step::SeedDefaults, |removal| removal.step);
        Self {
            times_queued: 1,
            asked_at: now,
            deadline_at: now.after(RUN_LIMIT),
            stage: Stage::Ready { step: first },
            removals,
            gone_at: None,
        }
    }

    /// What it wants done at `now`.
    pub fn next(&self, now: Timestamp) -> Next {
        self.stage.next(Task::Undo, self.deadline_at, now)
    }

    /// Records that an attempt begins.
    pub fn begin(&mut self, step: Step, now: Timestamp) {
        if let Some(removal) = self.removal_mut(step) {
            removal.attempts += 1;
            removal.attempts_since_queued += 1;
            removal.started_at.get_or_insert(now);
        }
        if compensation(step) == Compensation::SlugAndEmail {
            self.gone_at.get_or_insert(now);
        }
        self.stage = Stage::Running { step, since: now };
    }

    /// Records how the attempt that is running ended, and moves on.
    pub fn settle(&mut self, outcome: Outcome, now: Timestamp, random: u32) {
        let Stage::Running { step, .. } = self.stage else { return };
        match outcome {
            Outcome::Done(_) => self.go_on(step, now),
            Outcome::Failed(failure) => self.stage = Stage::Failed { step, failure, at: now },
            Outcome::Unknown(fault) => self.retry_or_fail(step, fault, now, random),
        }
    }

    /// Records that the time is up.
    pub fn expire(&mut self, now: Timestamp) {
        let Some(step) = self.stage.current() else { return };
        let message = "Removing took too long and was stopped. Try again: it goes on where it stopped.";
        let failure = PermanentError::new(FailureCode::DeadlineExceeded, message);
        self.stage = Stage::Failed { step, failure, at: now };
    }

    /// Tries again what failed, with fresh attempts and a fresh deadline.
    pub fn resume(&mut self, now: Timestamp) {
        let Stage::Failed { step, .. } = self.stage else { return };
        self.begin_attempts(now);
        self.stage = Stage::Ready { step };
    }

    /// Leaves what could not be removed, and goes on behind it. Answers whether it did.
    pub fn skip(&mut self, now: Timestamp) -> bool {
        let Stage::Failed { step, .. } = self.stage else { return false };
        if compensation(step) == Compensation::SlugAndEmail {
            return false;
        }
        if let Some(removal) = self.removal_mut(step) {
            removal.abandoned = true;
        }
        self.begin_attempts(now);
        self.go_on(step, now);
        true
    }

    /// Where it stands, in one word.
    pub const fn status(&self) -> UndoStatus {
        match self.stage {
            Stage::Ready { .. } | Stage::Running { .. } | Stage::Waiting { .. } => UndoStatus::Undoing,
            Stage::Completed { .. } => UndoStatus::Undone,
            Stage::Failed { .. } => UndoStatus::CompensationFailed,
        }
    }

    /// Whether something could not be removed.
    pub const fn has_failed(&self) -> bool {
        matches!(self.stage, Stage::Failed { .. })
    }

    /// When it failed.
    pub const fn failed_at(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Failed { at, .. } => Some(at),
            _ => None,
        }
    }

    /// Whether nothing is left to do.
    pub const fn has_ended(&self) -> bool {
        !matches!(self.status(), UndoStatus::Undoing)
    }

    /// How often undoing `step` was tried.
    pub fn attempts(&self, step: Step) -> u32 {
        self.removals.iter().find(|removal| removal.step == step).map_or(0, |removal| removal.attempts)
    }

    /// How often undoing `step` was tried in this round.
    pub fn tries(&self, step: Step) -> u32 {
        self.removals
            .iter()
            .find(|removal| removal.step == step)
            .map_or(0, |removal| removal.attempts_since_queued)
    }

    fn begin_attempts(&mut self, now: Timestamp) {
        for removal in &mut self.removals {
            (removal.attempts_since_queued, removal.uncounted) = (0, 0);
        }
        self.times_queued += 1;
        self.gone_at = None;
        self.deadline_at = now.after(RUN_LIMIT);
    }

    fn retry_or_fail(&mut self, step: Step, fault: TransientError, now: Timestamp, random: u32) {
        let (policy, deadline_at) = (policy(step), self.deadline_at);
        let Some(removal) = self.removal_mut(step) else { return };
        if policy.uses_attempt(&fault) {
            removal.uncounted = 0;
        } else {
            removal.attempts_since_queued = removal.attempts_since_queued.saturating_sub(1);
            removal.uncounted += 1;
        }
        let tries = Tries { counted: removal.attempts_since_queued, uncounted: removal.uncounted };
        self.stage = match policy.next_attempt(tries, &fault, deadline_at, now, random) {
            Some(until) => Stage::Waiting { step, until, fault },
            None => Stage::Failed { step, failure: retries_exhausted(&fault, tries.counted), at: now },
        };
    }

    fn go_on(&mut self, step: Step, now: Timestamp) {
        if let Some(removal) = self.removal_mut(step) {
            removal.done_at = Some(now);
        }
        let next = self.removals.iter().find(|removal| removal.done_at.is_none()).map(|removal| removal.step);
        self.stage = next.map_or(Stage::Completed { at: now }, |step| Stage::Ready { step });
    }

    pub(super) fn removal_mut(&mut self, step: Step) -> Option<&mut Removal> {
        self.removals.iter_mut().find(|removal| removal.step == step)
    }
}
