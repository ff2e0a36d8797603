//! What lies outside the workflow, as a schedule has it: the clock, the checkpoint, D1, the upstreams.

use std::time::Duration;

use tenantry::{
    domain::{RunStatus, Step, Task, Timestamp},
    workflow::{
        Artifact, Asked, Command, FailureCode, Outcome, Performed, PermanentError, Permit, Product,
        ProjectionResult, Run, RunContext as Lives, TransientError, TransientErrorCode,
        advance::RunEvent,
        policy::{Compensation, compensation},
    },
};

use super::world::{Died, RunContext};
use crate::workflow::run_harness::{asks_outside, caller, subject};

/// Whether an attempt at it asks outside; subdomains are records in every schedule's removal, and a wildcard's in its run.
fn is_outside(task: Task) -> bool {
    asks_outside(task) || task == Task::Undo(Step::ConfigureRouting)
}

/// Whether D1 hears of its end in the batch that does it.
fn lists_its_end(task: Task) -> bool {
    matches!(task, Task::Do(Step::Activate) | Task::Undo(Step::SeedDefaults))
}

impl RunContext {
    /// How an attempt at `task` goes.
    fn outcome(&self, run: &Run, task: Task) -> Outcome {
        let fault = |code| Outcome::Unknown(TransientError::new(code));
        if lists_its_end(task) && !self.has_d1() {
            return fault(TransientErrorCode::StoreUnavailable);
        }
        if lists_its_end(task) && self.register.borrow().exists && self.register.borrow().is_behind(run) {
            return fault(TransientErrorCode::StoreUnavailable);
        }
        if lists_its_end(task) && !self.register.borrow().exists {
            let gone = PermanentError::new(FailureCode::TenantGone, "This club does not exist any more.");
            // Its rows went with it.
            self.there.borrow_mut().remove(&task.step());
            return if task.is_undo() { Outcome::Done(None) } else { Outcome::Failed(gone) };
        }
        if self.rests && is_outside(task) && self.goes_wrong(3) {
            let wait = Duration::from_secs(1 + self.chance.below(450));
            self.counts(|sum| sum.refused += 1);
            return Outcome::Unknown(TransientError {
                retry_after: Some(wait),
                ..TransientError::new(TransientErrorCode::CircuitOpen)
            });
        }
        if self.dead.0 == task.step() && self.now.get() < self.dead.1.get() {
            return self.is_dead();
        }
        if self.goes_wrong(60) {
            return Outcome::Failed(PermanentError::new(
                FailureCode::WebhookRejected,
                "The other side said no.",
            ));
        }
        if self.goes_wrong(60) {
            // In the past, by the clock of the upstream.
            let at_once = Some(Duration::ZERO);
            return Outcome::Unknown(TransientError {
                retry_after: at_once,
                ..TransientError::new(TransientErrorCode::ServerError)
            });
        }
        if self.goes_wrong(15) {
            return fault(*self.chance.one_of(&[
                TransientErrorCode::Timeout,
                TransientErrorCode::Connection,
                TransientErrorCode::Malformed,
            ]));
        }
        if task == Task::Do(Step::VerifySpreadsheet)
            && !self.there.borrow().contains(&Step::CreateSpreadsheet)
        {
            return Outcome::Failed(PermanentError::new(FailureCode::SpreadsheetMissing, "It is not there."));
        }
        // It says that it did, and did not: looking is what tells.
        let lies = task.step() == Step::CreateSpreadsheet && self.goes_wrong(20);
        if lies {
            self.happens(format_args!("it lies"));
            self.counts(|sum| sum.lies += 1);
            if task.is_undo() {
                return fault(TransientErrorCode::Contradiction);
            }
        } else {
            self.is_done(run, task);
        }
        if self.goes_wrong(15) {
            self.happens(format_args!("its answer is lost"));
            self.counts(|sum| sum.lost_answers += 1);
            return fault(TransientErrorCode::Connection);
        }
        let sheet = || Artifact::Spreadsheet {
            id: "sheet_1".to_owned(),
            url: "https://docs.google.com/sheet_1".to_owned(),
        };
        Outcome::Done((task == Task::Do(Step::CreateSpreadsheet)).then(sheet).map(Product::Created))
    }

    /// The object takes commands while it waits for an answer.
    fn somebody_says_something(&self) {
        if self.goes_wrong(40) {
            self.obeys(Command::Cancel);
        }
        if self.goes_wrong(40) && self.has_d1() && self.register.borrow().exists {
            self.wants();
            let projected_version = self.register.borrow().run.map(|(version, _)| version);
            self.obeys(Command::Queue {
                subject: subject(),
                plan: self.plan,
                caller: caller(),
                run: None,
                projected_version,
            });
        }
        if self.goes_wrong(80) {
            self.an_operator_undoes();
        }
    }

    fn is_dead(&self) -> Outcome {
        self.passes(Duration::from_secs(self.chance.below(10)));
        match self.chance.below(3) {
            0 => Outcome::Unknown(TransientError {
                code: TransientErrorCode::RateLimited,
                status: Some(429),
                retry_after: Some(Duration::from_secs(self.chance.below(900))),
            }),
            1 => Outcome::Unknown(TransientError::new(TransientErrorCode::Timeout)),
            _ => Outcome::Unknown(TransientError::new(TransientErrorCode::ServerError)),
        }
    }

    /// It is really done. Going live lists the end in the same batch, and so does letting the name go.
    fn is_done(&self, run: &Run, task: Task) {
        let step = task.step();
        if task.is_undo() {
            self.there.borrow_mut().remove(&step);
        } else if compensation(step) != Compensation::None {
            self.there.borrow_mut().insert(step);
        }
        if lists_its_end(task) {
            let mut ended = run.clone();
            ended.settle(Outcome::Done(None), self.now.get(), 0);
            self.register.borrow_mut().live |= !task.is_undo();
            if task.is_undo() {
                self.lets_the_name_go(&ended);
            }
            self.register_lists(&ended);
        }
    }

    /// What the steps wrote beside the projection is written with it, as far as D1 was not told; everything, if it was
    /// restored.
    fn is_told_what_steps_wrote(&self, run: &Run) {
        if run.is_undone() {
            self.name_is_free.set(true);
        } else if run.projected_version == 0 && run.undoing.is_none() && run.status() == RunStatus::Completed
        {
            self.register.borrow_mut().live = true;
        }
    }

    fn lets_the_name_go(&self, run: &Run) {
        let undo = run.undoing.as_ref().unwrap();
        let left: Vec<Step> = undo.records.iter().filter(|r| r.skipped).map(|r| r.step).collect();
        let there = self.there.borrow();
        assert!(there.iter().all(|step| left.contains(step)), "the name is let go before {there:?}");
        self.name_is_free.set(true);
    }

    fn register_lists(&self, run: &Run) {
        let before = self.register.borrow().clone();
        self.register.borrow_mut().lists(run, self.now.get());
        let after = self.register.borrow();
        assert!(
            after.run.map(|(version, _)| version) >= before.run.map(|(version, _)| version),
            "a version went back"
        );
        assert!(
            before.state != RunStatus::Completed || after.state == RunStatus::Completed,
            "it left completed"
        );
    }

    /// What may leave now: what is durable, was not done before, and is under its key.
    fn may_leave(&self, run: &Run, task: Task) {
        let stored = self.checkpoint.borrow().clone().unwrap();
        let step = task.step();
        assert_eq!(stored.running().map(|(running, _)| running), Some(task), "what leaves is durable before");
        match task {
            Task::Do(_) => {
                let key = format!("{}/{}", self.run_id(), step.as_str());
                assert_eq!(run.idempotency_key(step), key, "one key for ever");
                assert!(stored.undoing.is_none(), "what is to be undone is not done");
                let place = Step::of(self.plan).iter().position(|s| *s == step).unwrap();
                assert!(place >= self.done.get(), "{} was done already", step.as_str());
                assert!(stored.doing.records.iter().all(|r| r.step != step || r.done_at.is_none()));
            }
            Task::Undo(_) => {
                let key = format!("{}/undo_{}", self.run_id(), step.as_str());
                assert_eq!(run.undo_key(step), key, "one key for ever");
                let removals = &stored.undoing.as_ref().unwrap().records;
                let place = removals.iter().position(|removal| removal.step == step).unwrap();
                let (before, after) = removals.split_at(place);
                assert!(before.iter().all(|removal| removal.done_at.is_some()), "not in reverse");
                assert!(after.iter().all(|removal| removal.done_at.is_none()), "removed already");
            }
        }
    }
}

impl Lives for RunContext {
    type Error = Died;
    type Found = ();

    fn now(&self) -> Timestamp {
        self.now.get()
    }

    fn random(&self) -> u32 {
        u32::try_from(self.chance.bits() >> 32).unwrap()
    }

    fn load(&self) -> Result<Option<Run>, Died> {
        Ok(self.checkpoint.borrow().clone())
    }

    fn save(&self, run: &Run) -> Result<(), Died> {
        if self.goes_wrong(80) {
            return Err(Died);
        }
        *self.checkpoint.borrow_mut() = Some(run.clone());
        if self.goes_wrong(80) { Err(Died) } else { Ok(()) }
    }

    fn asks_outside(&self, _: &Run, task: Task) -> bool {
        is_outside(task)
    }

    async fn perform(&self, run: &Run, task: Task, (): ()) -> Performed {
        self.happens(format_args!("{task:?} is tried"));
        self.may_leave(run, task);
        if self.goes_wrong(50) {
            std::future::pending::<()>().await;
        }
        self.passes(Duration::from_millis(self.chance.below(300)));
        let outcome = self.outcome(run, task);
        if self.goes_wrong(50) {
            std::future::pending::<()>().await;
        }
        self.somebody_says_something();
        let is_known = lists_its_end(task) && outcome == Outcome::Done(None) && self.register.borrow().exists;
        let told = is_known.then(|| {
            let mut ended = run.clone();
            ended.settle(outcome.clone(), self.now.get(), 0);
            ended.into()
        });
        Performed { outcome, told }
    }

    async fn forget(&self) -> Result<(), Died> {
        *self.checkpoint.borrow_mut() = None;
        Ok(())
    }

    async fn permit(&self, run: &Run, _: Task, lists: bool) -> Asked<()> {
        let permit = if !self.has_d1() {
            Permit::Unavailable
        } else if self.is_paused() {
            Permit::Paused
        } else if !self.register.borrow().exists {
            Permit::TenantUnknown
        } else {
            Permit::Granted
        };
        self.somebody_says_something();
        let is_unknown = matches!(permit, Permit::Unavailable | Permit::TenantUnknown);
        if !lists || is_unknown {
            return permit.into();
        }
        // One batch: all of it, or nothing.
        match self.project(run).await {
            ProjectionResult::Unavailable => Permit::Unavailable.into(),
            ProjectionResult::TenantUnknown => Permit::TenantUnknown.into(),
            projection => Asked { projection: Some(projection), ..permit.into() },
        }
    }

    async fn project(&self, run: &Run) -> ProjectionResult {
        if self.goes_wrong(50) {
            std::future::pending::<()>().await;
        }
        if self.goes_wrong(20) {
            self.somebody_says_something();
        }
        if !self.has_d1() {
            return ProjectionResult::Unavailable;
        }
        if !self.register.borrow().exists {
            return ProjectionResult::TenantUnknown;
        }
        if self.register.borrow().is_behind(run) {
            return ProjectionResult::Restored;
        }
        let was_completed = self.register.borrow().has_completed();
        self.is_told_what_steps_wrote(run);
        self.register_lists(run);
        if self.goes_wrong(50) {
            std::future::pending::<()>().await;
        }
        if self.goes_wrong(20) {
            self.somebody_says_something();
        }
        if self.goes_wrong(20) {
            ProjectionResult::Unavailable
        } else {
            ProjectionResult::Written { was_completed }
        }
    }

    fn log_event(&self, run: &Run, moment: RunEvent<'_>) {
        if let RunEvent::Attempted(task, outcome) = moment {
            self.happens(format_args!("{task:?} ended: {outcome:?}"));
        }
        if moment == RunEvent::Restored {
            // A mail that D1 forgot may be queued again: the provider knows it by its key.
            self.done.set(0);
        }
        self.remembers(run);
    }
}
