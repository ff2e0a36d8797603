//! What lies outside the workflow, as a schedule has it: the clock, the checkpoint, D1, the other sides.

use std::time::Duration;

use tenantry::{
    domain::{RunStatus, Step, Task, Timestamp},
    workflow::{
        Artifact, Asked, Command, Failure, FailureCode, Fault, FaultCode, Listing, Outcome, Performed,
        Permit, Product, Run, World as Lives,
        advance::Moment,
        policy::{Leaves, leaves},
    },
};

use super::world::{Died, World};
use crate::workflow::lab::{asks_outside, caller, subject};

/// Whether an attempt at it asks outside; subdomains are records in every schedule's removal, and a wildcard's in its run.
fn is_outside(task: Task) -> bool {
    asks_outside(task) || task == Task::Undo(Step::ConfigureRouting)
}

/// Whether D1 hears of its end in the batch that does it.
fn lists_its_end(task: Task) -> bool {
    matches!(task, Task::Do(Step::Activate) | Task::Undo(Step::SeedDefaults))
}

impl World {
    /// How an attempt at `task` goes.
    fn outcome(&self, run: &Run, task: Task) -> Outcome {
        let fault = |code| Outcome::Unknown(Fault::new(code));
        if lists_its_end(task) && !self.has_d1() {
            return fault(FaultCode::StoreUnavailable);
        }
        if lists_its_end(task) && self.register.borrow().exists && self.register.borrow().is_behind(run) {
            return fault(FaultCode::StoreUnavailable);
        }
        if lists_its_end(task) && !self.register.borrow().exists {
            let gone = Failure::new(FailureCode::TenantGone, "This club does not exist any more.");
            // Its rows went with it.
            self.there.borrow_mut().remove(&task.step());
            return if task.is_undo() { Outcome::Done(None) } else { Outcome::Refused(gone) };
        }
        if self.rests && is_outside(task) && self.goes_wrong(3) {
            let wait = Duration::from_secs(1 + self.chance.below(450));
            self.counts(|sum| sum.refused += 1);
            return Outcome::Unknown(Fault { retry_after: Some(wait), ..Fault::new(FaultCode::CircuitOpen) });
        }
        if self.dead.0 == task.step() && self.now.get() < self.dead.1.get() {
            return self.is_dead();
        }
        if self.goes_wrong(60) {
            return Outcome::Refused(Failure::new(FailureCode::WebhookRejected, "The other side said no."));
        }
        if self.goes_wrong(60) {
            // In the past, by the clock of the other side.
            let at_once = Some(Duration::ZERO);
            return Outcome::Unknown(Fault { retry_after: at_once, ..Fault::new(FaultCode::ServerError) });
        }
        if self.goes_wrong(15) {
            return fault(*self.chance.one_of(&[
                FaultCode::Timeout,
                FaultCode::Connection,
                FaultCode::Malformed,
            ]));
        }
        if task == Task::Do(Step::VerifySpreadsheet)
            && !self.there.borrow().contains(&Step::CreateSpreadsheet)
        {
            return Outcome::Refused(Failure::new(FailureCode::SpreadsheetMissing, "It is not there."));
        }
        // It says that it did, and did not: looking is what tells.
        let lies = task.step() == Step::CreateSpreadsheet && self.goes_wrong(20);
        if lies {
            self.happens(format_args!("it lies"));
            self.counts(|sum| sum.lies += 1);
            if task.is_undo() {
                return fault(FaultCode::Contradiction);
            }
        } else {
            self.is_done(run, task);
        }
        if self.goes_wrong(15) {
            self.happens(format_args!("its answer is lost"));
            self.counts(|sum| sum.lost_answers += 1);
            return fault(FaultCode::Connection);
        }
        let sheet = || Artifact::Spreadsheet {
            id: "sheet_1".to_owned(),
            url: "https://docs.google.com/sheet_1".to_owned(),
        };
        Outcome::Done((task == Task::Do(Step::CreateSpreadsheet)).then(sheet).map(Product::Made))
    }

    /// The object takes commands while it waits for an answer.
    fn somebody_says_something(&self) {
        if self.goes_wrong(40) {
            self.obeys(Command::Cancel);
        }
        if self.goes_wrong(40) && self.has_d1() && self.register.borrow().exists {
            self.wants();
            let listed_version = self.register.borrow().run.map(|(version, _)| version);
            self.obeys(Command::Queue {
                subject: subject(),
                plan: self.plan,
                caller: caller(),
                run: None,
                listed_version,
            });
        }
        if self.goes_wrong(80) {
            self.an_operator_undoes();
        }
    }

    fn is_dead(&self) -> Outcome {
        self.passes(Duration::from_secs(self.chance.below(10)));
        match self.chance.below(3) {
            0 => Outcome::Unknown(Fault {
                code: FaultCode::RateLimited,
                status: Some(429),
                retry_after: Some(Duration::from_secs(self.chance.below(900))),
            }),
            1 => Outcome::Unknown(Fault::new(FaultCode::Timeout)),
            _ => Outcome::Unknown(Fault::new(FaultCode::ServerError)),
        }
    }

    /// It is really done. Going live lists the end in the same batch, and so does letting the name go.
    fn is_done(&self, run: &Run, task: Task) {
        let step = task.step();
        if task.is_undo() {
            self.there.borrow_mut().remove(&step);
        } else if leaves(step) != Leaves::Nothing {
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

    /// What the steps wrote beside the listing is written with it, as far as D1 was not told; everything, if it was put back.
    fn is_told_what_steps_wrote(&self, run: &Run) {
        if run.is_undone() {
            self.name_is_free.set(true);
        } else if run.listed_version == 0 && run.undo.is_none() && run.status() == RunStatus::Completed {
            self.register.borrow_mut().live = true;
        }
    }

    fn lets_the_name_go(&self, run: &Run) {
        let undo = run.undo.as_ref().unwrap();
        let left: Vec<Step> = undo.removals.iter().filter(|r| r.left).map(|r| r.step).collect();
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
                assert!(stored.undo.is_none(), "what is to be undone is not done");
                let place = Step::of(self.plan).iter().position(|s| *s == step).unwrap();
                assert!(place >= self.done.get(), "{} was done already", step.as_str());
                assert!(stored.records.iter().all(|r| r.step != step || r.done_at.is_none()));
            }
            Task::Undo(_) => {
                let key = format!("{}/undo_{}", self.run_id(), step.as_str());
                assert_eq!(run.undo_key(step), key, "one key for ever");
                let removals = &stored.undo.as_ref().unwrap().removals;
                let place = removals.iter().position(|removal| removal.step == step).unwrap();
                let (before, after) = removals.split_at(place);
                assert!(before.iter().all(|removal| removal.done_at.is_some()), "not in reverse");
                assert!(after.iter().all(|removal| removal.done_at.is_none()), "removed already");
            }
        }
    }
}

impl Lives for World {
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
        match self.list(run).await {
            Listing::Unavailable => Permit::Unavailable.into(),
            Listing::TenantUnknown => Permit::TenantUnknown.into(),
            listing => Asked { listing: Some(listing), ..permit.into() },
        }
    }

    async fn list(&self, run: &Run) -> Listing {
        if self.goes_wrong(50) {
            std::future::pending::<()>().await;
        }
        if self.goes_wrong(20) {
            self.somebody_says_something();
        }
        if !self.has_d1() {
            return Listing::Unavailable;
        }
        if !self.register.borrow().exists {
            return Listing::TenantUnknown;
        }
        if self.register.borrow().is_behind(run) {
            return Listing::PutBack;
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
        if self.goes_wrong(20) { Listing::Unavailable } else { Listing::Written { was_completed } }
    }

    fn tell(&self, run: &Run, moment: Moment<'_>) {
        if let Moment::Attempted(task, outcome) = moment {
            self.happens(format_args!("{task:?} ended: {outcome:?}"));
        }
        if moment == Moment::PutBack {
            // A mail that D1 forgot may be queued again: the provider knows it by its key.
            self.done.set(0);
        }
        self.remembers(run);
    }
}
