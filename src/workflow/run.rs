//! One provisioning run: where it stands, and the only table of how it moves.
//!
//! The whole value is one checkpoint row of the Durable Object. Its JSON is read by later versions of this code, so
//! its shape is pinned by a test.

use serde::{Deserialize, Serialize};

use crate::domain::{Plan, RunId, RunStatus, Step, StepStatus, Task, Timestamp};

use super::{
    Artifact, Attempt, Caller, Failure, FailureCode, Fault, FaultCode, Next, Outcome, Record, Stage, Subject,
    Undo,
    breaker::Asker,
    policy::{GivingUp, RUN_LIMIT, policy},
};

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
    /// Undoing it, once that was asked for: from then on nothing else is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
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
            undo: None,
        }
    }

    /// What it wants done at `now`.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Next {
        if let Some(undo) = &self.undo {
            return undo.next(now);
        }
        self.stage.next(Task::Do, self.deadline_at, now)
    }

    /// Records that an attempt at `task` begins. Answers its number.
    pub fn begin(&mut self, task: Task, now: Timestamp) -> u32 {
        match (task, &mut self.undo) {
            (Task::Undo(step), Some(undo)) => {
                undo.begin(step, now);
                self.version += 1;
            }
            (Task::Undo(_), None) => {}
            (Task::Do(step), _) => {
                if let Some(record) = self.record_mut(step) {
                    record.attempts += 1;
                    record.round += 1;
                    record.started_at.get_or_insert(now);
                }
                self.move_to(Stage::Running { step, since: now });
            }
        }
        self.attempts(task.step())
    }

    /// What is being attempted, and since when.
    #[must_use]
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
            (Task::Do(step), Outcome::Done(artifact)) => self.done(step, artifact, now),
            (Task::Do(step), Outcome::Refused(failure)) => self.give_up(step, failure, now),
            (Task::Do(step), Outcome::Unknown(fault)) => self.retry_or_give_up(step, fault, now, random),
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
        let failure = Failure::new(
            FailureCode::DeadlineExceeded,
            "Setting up took too long and was stopped. It can be started again and goes on where it stopped.",
        );
        self.move_to(Stage::Failed { step, failure, at: now });
    }

    /// Queues a failed run again: it goes on at the failed step, with fresh attempts and a fresh deadline. Any other
    /// run stays as it is.
    pub fn requeue(&mut self, link_id: String, caller: Caller, now: Timestamp) {
        let (Stage::Failed { step, .. }, None) = (&self.stage, &self.undo) else { return };
        let step = *step;
        for record in &mut self.records {
            record.round = 0;
        }
        self.rounds += 1;
        self.deadline_at = now.after(RUN_LIMIT);
        self.renew_link(link_id, now);
        // Where the links lead is part of the mail, and so of every attempt at it; the rest is not.
        self.caller = Caller { origin: std::mem::take(&mut self.caller.origin), ..caller };
        self.move_to(Stage::Ready { step });
    }

    /// Stops a run that has not ended, on an operator's word. Answers whether it did.
    pub fn cancel(&mut self, now: Timestamp) -> bool {
        let (RunStatus::Processing, Some(step)) = (self.status(), self.current()) else { return false };
        self.note_overtaken(now);
        let failure = Failure::new(FailureCode::Cancelled, "Setting up was stopped by our support.");
        self.move_to(Stage::Failed { step, failure, at: now });
        true
    }

    /// Undoes the run, or tries again to: what is at work is stopped, and nothing else is done any more. Answers whether
    /// it did.
    pub fn begin_undo(&mut self, caller: Caller, now: Timestamp) -> bool {
        self.cancel(now);
        match &mut self.undo {
            None => self.undo = Some(Undo::of(&self.records, now)),
            Some(undo) if undo.has_failed() => undo.resume(now),
            Some(_) => return false,
        }
        self.caller = Caller { origin: std::mem::take(&mut self.caller.origin), ..caller };
        self.version += 1;
        true
    }

    /// Tries again now what waits because the other side was not asked. Answers whether anything does. It was due sooner or later:
    /// nothing that is listed changes.
    pub fn go_on_now(&mut self, now: Timestamp) -> bool {
        let stage = self.undo.as_mut().map_or(&mut self.stage, |undo| &mut undo.stage);
        match stage {
            Stage::Waiting { until, fault, .. } if fault.code == FaultCode::CircuitOpen => {
                *until = now.min(*until);
                true
            }
            _ => false,
        }
    }

    /// Leaves out the step at which the run failed, or the removal that did, on an operator's word, and goes on behind it.
    /// Going live, and letting go of the club's name, can't be left out. Answers whether it did.
    pub fn skip(&mut self, link_id: String, now: Timestamp) -> bool {
        if let Some(undo) = &mut self.undo {
            let skipped = undo.skip(now);
            self.version += u64::from(skipped);
            return skipped;
        }
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
        self.renew_link(link_id, now);
        self.go_on(step, now);
        true
    }

    /// Records that D1 lists `version`, and the first `attempts` of what it had not listed.
    pub fn listed(&mut self, version: u64, attempts: usize) {
        self.listed_version = self.listed_version.max(version);
        self.unlisted.drain(..attempts.min(self.unlisted.len()));
    }

    /// D1 forgot it, or may have: it is listed as if it never was, under a version of its own. Whatever D1 said before it has
    /// that is old then.
    pub fn list_again(&mut self) {
        self.listed_version = 0;
        self.version += 1;
    }

    /// Whether D1 lists less than this.
    #[must_use]
    pub fn is_unlisted(&self) -> bool {
        self.listed_version < self.version
    }

    /// Whether nothing is left to do: it ended, and if it is to be undone, that did too.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match &self.undo {
            Some(undo) => undo.is_over(),
            None => self.status() != RunStatus::Processing,
        }
    }

    /// Whether it waits before it tries again.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        match &self.undo {
            Some(undo) => undo.stage.is_waiting(),
            None => self.stage.is_waiting(),
        }
    }

    /// How often `step` was tried, to do it or to undo it.
    #[must_use]
    pub fn attempts(&self, step: Step) -> u32 {
        let done = self.records.iter().find(|r| r.step == step).map_or(0, |r| r.attempts);
        done + self.undo.as_ref().map_or(0, |undo| undo.attempts(step))
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
        self.stage.current()
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

    /// Who asks an other side while an attempt at `task` is out. One that was not asked does not count as an attempt of its round.
    #[must_use]
    pub fn asker(&self, task: Task) -> Asker<'_> {
        let tries = match (task, &self.undo) {
            (Task::Do(step), _) => self.records.iter().find(|r| r.step == step).map_or(0, |r| r.round),
            (Task::Undo(step), Some(undo)) => undo.tries(step),
            (Task::Undo(_), None) => 0,
        };
        Asker { id: self.id.as_str(), tenant: Some(&self.subject.tenant), has_failed: tries > 1 }
    }

    /// The key under which every attempt at `step` is recognised outside.
    #[must_use]
    pub fn idempotency_key(&self, step: Step) -> String {
        format!("{}/{}", self.id, step.as_str())
    }

    /// The key under which every attempt at undoing `step` is recognised outside.
    #[must_use]
    pub fn undo_key(&self, step: Step) -> String {
        format!("{}/undo_{}", self.id, step.as_str())
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

    /// A round that begins long after the one before must not mail a link that is over.
    fn renew_link(&mut self, link_id: String, now: Timestamp) {
        if !self.is_done(Step::SendWelcomeEmail) && self.link_is_stale(now) {
            self.link_id = link_id;
            self.link_issued_at = now;
        }
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
        if !policy.counts(&fault)
            && let Some(record) = self.record_mut(step)
        {
            record.round = record.round.saturating_sub(1);
        }
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

    fn change_undo(&mut self, change: impl FnOnce(&mut Undo)) {
        self.undo.as_mut().map(change);
        self.version += 1;
    }

    fn note(&mut self, task: Task, started_at: Timestamp, ended_at: Timestamp, outcome: &Outcome) {
        let (word, error, upstream_status) = match outcome {
            Outcome::Done(_) => ("done", None, None),
            Outcome::Refused(failure) => ("refused", Some(failure.code.as_str()), failure.status),
            Outcome::Unknown(fault) => ("unknown", Some(fault.code.as_str()), fault.status),
        };
        self.unlisted.push(Attempt {
            step: task.step(),
            undo: task.is_undo(),
            number: self.attempts(task.step()),
            started_at,
            ended_at,
            outcome: word.to_owned(),
            error: error.map(str::to_owned),
            request: self.caller.request.clone(),
            upstream_status,
        });
    }

    /// An attempt that is given up while it is away may yet do something outside: it is one of those that were made.
    fn note_overtaken(&mut self, now: Timestamp) {
        if let Some((task, since)) = self.running() {
            self.note(task, since, now, &Outcome::Unknown(Fault::new(FaultCode::Interrupted)));
        }
    }

    fn record_mut(&mut self, step: Step) -> Option<&mut Record> {
        self.records.iter_mut().find(|r| r.step == step)
    }
}
