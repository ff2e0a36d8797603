//! One provisioning run: where it stands, and the only table of how it moves.
//!
//! The whole value is one checkpoint row of the Durable Object. Its JSON is read by later versions of this code, so
//! its shape is pinned by a test.

use serde::{Deserialize, Serialize};

use crate::domain::{Plan, RunId, RunStatus, Step, StepStatus, Timestamp};

use super::{
    Artifact, Failure, FailureCode, Fault, FaultCode, Outcome, Subject,
    policy::{GivingUp, RUN_LIMIT, policy},
};

/// Where a run stands. Each state owns what only it knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// `step` is next.
    Ready {
        /// The step.
        step: Step,
    },
    /// An attempt at `step` was begun. Found at the start of an alarm, it was interrupted.
    Running {
        /// The step.
        step: Step,
        /// When the attempt began.
        since: Timestamp,
    },
    /// The last attempt at `step` ended unknown; the next is due at `until`.
    Waiting {
        /// The step.
        step: Step,
        /// When to try again.
        until: Timestamp,
        /// How the last attempt ended.
        fault: Fault,
    },
    /// Every step is done.
    Completed {
        /// Since when.
        at: Timestamp,
    },
    /// Given up at `step`.
    Failed {
        /// The step.
        step: Step,
        /// Why.
        failure: Failure,
        /// Since when.
        at: Timestamp,
    },
}

/// What a run remembers of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The step.
    pub step: Step,
    /// How often it was tried, over all rounds.
    pub attempts: u32,
    /// How often it was tried since the run was last queued.
    pub round: u32,
    /// When it was first tried.
    pub started_at: Option<Timestamp>,
    /// When it was done, or left with a warning.
    pub done_at: Option<Timestamp>,
    /// What it made outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// Why it was left with a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<Failure>,
    /// Whether an operator had it left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
}

/// One attempt that ended: a line of the run's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The step.
    pub step: Step,
    /// Which attempt at it, counted from one over all rounds.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// `done`, `refused` or `unknown`.
    pub outcome: String,
    /// The failure's or fault's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The HTTP status of the other side, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_status: Option<u16>,
}

/// One provisioning run of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Whom it provisions.
    pub subject: Subject,
    /// Which steps it has.
    pub plan: Plan,
    /// Counts every recorded change: the listing in D1 takes a state only if it is newer than its own.
    pub version: u64,
    /// How often it was queued.
    pub rounds: u32,
    /// When it was first queued.
    pub queued_at: Timestamp,
    /// When it is given up.
    pub deadline_at: Timestamp,
    /// When the welcome mail's link was issued: fixed before the mail is sent, so that every attempt sends the same.
    pub link_issued_at: Timestamp,
    /// The welcome mail's link's own id.
    pub link_id: String,
    /// Where it stands.
    pub stage: Stage,
    /// Its steps, in order.
    pub records: Vec<Record>,
    /// Attempts that D1 doesn't list yet.
    pub unlisted: Vec<Attempt>,
    /// The newest version that D1 lists.
    pub listed_version: u64,
    /// Where it was queued from.
    pub caller: Caller,
}

/// What a request leaves to the run it queues.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The service's own address as the request named it: mailed links lead there unless configured otherwise.
    #[serde(default)]
    pub origin: String,
    /// The request's id: on every line that the run logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The trace that the run's calls belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// What a run wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Begin an attempt at this step.
    Begin(Step),
    /// An attempt at this step was interrupted: note it, then go on.
    Recover(Step),
    /// Nothing before this moment.
    Sleep(Timestamp),
    /// Its time is up.
    Expire,
    /// Nothing any more.
    Rest,
}

impl Run {
    /// A run that was just queued. `link_id` is fresh randomness.
    #[must_use]
    pub fn queued(
        id: RunId,
        plan: Plan,
        subject: Subject,
        link_id: String,
        caller: Caller,
        now: Timestamp,
    ) -> Self {
        let records = Step::of(plan)
            .iter()
            .map(|step| Record {
                step: *step,
                attempts: 0,
                round: 0,
                started_at: None,
                done_at: None,
                artifact: None,
                warning: None,
                skipped: false,
            })
            .collect();
        Self {
            id,
            subject,
            plan,
            version: 1,
            rounds: 1,
            queued_at: now,
            deadline_at: now.after(RUN_LIMIT),
            link_issued_at: now,
            link_id,
            stage: Stage::Ready { step: Step::SeedDefaults },
            records,
            unlisted: Vec::new(),
            listed_version: 0,
            caller,
        }
    }

    /// What it wants done at `now`.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Next {
        match &self.stage {
            Stage::Completed { .. } | Stage::Failed { .. } => Next::Rest,
            _ if now >= self.deadline_at => Next::Expire,
            Stage::Ready { step } => Next::Begin(*step),
            Stage::Running { step, .. } => Next::Recover(*step),
            Stage::Waiting { until, .. } if *until > now => Next::Sleep((*until).min(self.deadline_at)),
            Stage::Waiting { step, .. } => Next::Begin(*step),
        }
    }

    /// Records that an attempt at `step` begins. Answers its number.
    pub fn begin(&mut self, step: Step, now: Timestamp) -> u32 {
        let mut number = 0;
        if let Some(record) = self.record_mut(step) {
            record.attempts += 1;
            record.round += 1;
            record.started_at.get_or_insert(now);
            number = record.attempts;
        }
        self.move_to(Stage::Running { step, since: now });
        number
    }

    /// Records how the attempt that is running ended, and moves on. Without a running attempt it changes nothing: the
    /// attempt was overtaken.
    pub fn settle(&mut self, outcome: Outcome, now: Timestamp, random: u32) {
        let Stage::Running { step, since } = self.stage else { return };
        self.note(step, since, now, &outcome);
        match outcome {
            Outcome::Done(artifact) => self.done(step, artifact, now),
            Outcome::Refused(failure) => self.give_up(step, failure, now),
            Outcome::Unknown(fault) => self.retry_or_give_up(step, fault, now, random),
        }
    }

    /// Records that the time is up.
    pub fn expire(&mut self, now: Timestamp) {
        let Some(step) = self.current() else { return };
        let failure = Failure::new(
            FailureCode::DeadlineExceeded,
            "Setting up took too long and was stopped. It can be started again and goes on where it stopped.",
        );
        self.move_to(Stage::Failed { step, failure, at: now });
    }

    /// Queues a failed run again: it goes on at the failed step, with fresh attempts and a fresh deadline. Any other
    /// run stays as it is.
    pub fn requeue(&mut self, link_id: String, caller: Caller, now: Timestamp) {
        let Stage::Failed { step, .. } = self.stage else { return };
        for record in &mut self.records {
            record.round = 0;
        }
        self.rounds += 1;
        self.deadline_at = now.after(RUN_LIMIT);
        if !self.is_done(Step::SendWelcomeEmail) && self.link_is_stale(now) {
            self.link_id = link_id;
            self.link_issued_at = now;
        }
        // Where the links lead is part of the mail, and so of every attempt at it; the rest is not.
        self.caller = Caller { origin: std::mem::take(&mut self.caller.origin), ..caller };
        self.move_to(Stage::Ready { step });
    }

    /// Stops a run that has not ended, on an operator's word. Answers whether it did.
    pub fn cancel(&mut self, now: Timestamp) -> bool {
        let (RunStatus::Processing, Some(step)) = (self.status(), self.current()) else { return false };
        let failure = Failure::new(FailureCode::Cancelled, "Setting up was stopped by our support.");
        self.move_to(Stage::Failed { step, failure, at: now });
        true
    }

    /// Leaves out the step at which the run failed, on an operator's word, and goes on behind it. Going live can't be left
    /// out. Answers whether it did.
    pub fn skip(&mut self, now: Timestamp) -> bool {
        let Stage::Failed { step, .. } = self.stage else { return false };
        if step == Step::Activate {
            return false;
        }
        if let Some(record) = self.record_mut(step) {
            record.done_at = Some(now);
            record.skipped = true;
        }
        self.rounds += 1;
        self.deadline_at = now.after(RUN_LIMIT);
        self.go_on(step, now);
        true
    }

    /// Records that D1 lists `version`, and the first `attempts` of what it had not listed.
    pub fn listed(&mut self, version: u64, attempts: usize) {
        self.listed_version = self.listed_version.max(version);
        self.unlisted.drain(..attempts.min(self.unlisted.len()));
    }

    /// Whether D1 lists less than this.
    #[must_use]
    pub fn is_unlisted(&self) -> bool {
        self.listed_version < self.version
    }

    /// Where the run stands, in one word.
    #[must_use]
    pub const fn status(&self) -> RunStatus {
        match self.stage {
            Stage::Ready { .. } | Stage::Running { .. } | Stage::Waiting { .. } => RunStatus::Processing,
            Stage::Completed { .. } => RunStatus::Completed,
            Stage::Failed { .. } => RunStatus::Failed,
        }
    }

    /// The step it is at; none when every step is done.
    #[must_use]
    pub const fn current(&self) -> Option<Step> {
        match &self.stage {
            Stage::Ready { step }
            | Stage::Running { step, .. }
            | Stage::Waiting { step, .. }
            | Stage::Failed { step, .. } => Some(*step),
            Stage::Completed { .. } => None,
        }
    }

    /// Where one of its steps stands, in one word.
    #[must_use]
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

    /// The key under which every attempt at `step` is recognised outside.
    #[must_use]
    pub fn idempotency_key(&self, step: Step) -> String {
        format!("{}/{}", self.id, step.as_str())
    }

    /// The fields of every line that the run logs.
    #[must_use]
    pub fn scope(&self) -> Vec<(&'static str, String)> {
        let trace = self.caller.traceparent.as_deref().and_then(|t| t.split('-').nth(1));
        [("tenantId", self.subject.tenant.to_string()), ("runId", self.id.to_string())]
            .into_iter()
            .chain(self.caller.request.clone().map(|request| ("requestId", request)))
            .chain(trace.map(|trace| ("traceId", trace.to_owned())))
            .collect()
    }

    /// What `step` made outside.
    #[must_use]
    pub fn artifact(&self, step: Step) -> Option<&Artifact> {
        self.records.iter().find(|r| r.step == step)?.artifact.as_ref()
    }

    fn is_done(&self, step: Step) -> bool {
        self.records.iter().any(|r| r.step == step && r.done_at.is_some())
    }

    /// A link lives a day; half of that is the least that a mail may leave its reader.
    fn link_is_stale(&self, now: Timestamp) -> bool {
        now.since(self.link_issued_at).as_secs() > 12 * 3600
    }

    fn done(&mut self, step: Step, artifact: Option<Artifact>, now: Timestamp) {
        if let Some(record) = self.record_mut(step) {
            record.done_at = Some(now);
            record.artifact = artifact;
        }
        self.go_on(step, now);
    }

    fn give_up(&mut self, step: Step, failure: Failure, now: Timestamp) {
        match policy(step).giving_up {
            GivingUp::FailsTheRun => self.move_to(Stage::Failed { step, failure, at: now }),
            GivingUp::Warns => {
                if let Some(record) = self.record_mut(step) {
                    record.done_at = Some(now);
                    record.warning = Some(failure);
                }
                self.go_on(step, now);
            }
        }
    }

    fn retry_or_give_up(&mut self, step: Step, fault: Fault, now: Timestamp, random: u32) {
        let policy = policy(step);
        let tried = self.records.iter().find(|r| r.step == step).map_or(0, |r| r.round);
        if tried >= policy.attempts {
            let message = format!("{} We tried {tried} times.", fault.code.message());
            return self.give_up(step, Failure::new(FailureCode::UpstreamUnavailable, message), now);
        }
        // An interruption is ours, not the other side's: nothing is gained by waiting.
        let wait = match fault.code {
            FaultCode::Interrupted => std::time::Duration::ZERO,
            _ => policy.delay(tried, &fault, random),
        };
        self.move_to(Stage::Waiting { step, until: now.after(wait), fault });
    }

    fn go_on(&mut self, step: Step, now: Timestamp) {
        let following = Step::of(self.plan).iter().skip_while(|s| **s != step).nth(1);
        self.move_to(following.map_or(Stage::Completed { at: now }, |next| Stage::Ready { step: *next }));
    }

    fn move_to(&mut self, stage: Stage) {
        self.stage = stage;
        self.version += 1;
    }

    fn note(&mut self, step: Step, started_at: Timestamp, ended_at: Timestamp, outcome: &Outcome) {
        let (word, error, upstream_status) = match outcome {
            Outcome::Done(_) => ("done", None, None),
            Outcome::Refused(failure) => ("refused", Some(failure.code.as_str()), None),
            Outcome::Unknown(fault) => ("unknown", Some(fault.code.as_str()), fault.status),
        };
        let number = self.records.iter().find(|r| r.step == step).map_or(0, |r| r.attempts);
        self.unlisted.push(Attempt {
            step,
            number,
            started_at,
            ended_at,
            outcome: word.to_owned(),
            error: error.map(str::to_owned),
            upstream_status,
        });
    }

    fn record_mut(&mut self, step: Step) -> Option<&mut Record> {
        self.records.iter_mut().find(|r| r.step == step)
    }
}
