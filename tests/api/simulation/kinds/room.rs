//! What one run of the object lives in.

use std::time::Duration;

use tenantry::{
    domain::{Step, Task, Timestamp},
    workflow::{
        Asked, FailureCode, Kind, Look, Outcome, Performed, PermanentError, Permit, Product,
        ProjectionResult, Run, RunContext, TransientError, TransientErrorCode,
        advance::RunEvent,
        policy::{Compensation, compensation},
    },
};

use super::{
    house::{Died, House},
    watch::{PATIENCE, RINGS, STILL, WATCH, leaves_something, look, pace},
};
use crate::workflow::run_harness::asks_outside;

/// What one run of the object lives in.
pub struct Room<'a> {
    pub house: &'a House<'a>,
    pub kind: Kind,
    /// Whether it is the version before that is at work.
    pub is_before: bool,
}

impl Room<'_> {
    fn outcome(&self, run: &Run, task: Task) -> Outcome {
        let (house, step) = (self.house, task.step());
        if house.goes_wrong(60) {
            return Outcome::Failed(PermanentError::new(
                FailureCode::WebhookRejected,
                "The other side said no.",
            ));
        }
        if house.goes_wrong(8) {
            house.next_look.set(Timestamp::from_millis(0));
            return Outcome::Unknown(TransientError::new(TransientErrorCode::Timeout));
        }
        if task == Task::Do(look()) {
            return Outcome::Done(Some(Product::Looked(self.looks(run))));
        }
        let leaves = if self.kind == WATCH {
            leaves_something(task)
        } else {
            compensation(step) != Compensation::None
        };
        let made = (self.kind.as_str(), step);
        if task.is_undo() {
            house.there.borrow_mut().remove(&made);
        } else if leaves {
            house.there.borrow_mut().insert(made);
        }
        if house.goes_wrong(15) {
            return Outcome::Unknown(TransientError::new(TransientErrorCode::Connection));
        }
        Outcome::Done(None)
    }

    /// No sooner than its pace says.
    fn looks(&self, run: &Run) -> Look {
        let (house, now) = (self.house, self.house.now.get());
        assert!(now >= house.next_look.get(), "it looks too soon: {:?}", run.doing.standing);
        let word = if now >= house.rings_from { RINGS } else { STILL };
        if let Some(standing) = run.doing.standing.as_ref().filter(|standing| standing.word == word) {
            let pause = pace(standing, now).unwrap_or(Duration::ZERO);
            house.next_look.set(now.after(pause));
            assert!(word == RINGS || now.since(standing.since) <= PATIENCE + Duration::from_secs(3600));
        }
        Look { word: word.to_owned(), is_over: word == RINGS && house.ends }
    }
}

impl RunContext for Room<'_> {
    type Error = Died;
    type Found = ();

    fn now(&self) -> Timestamp {
        self.house.now.get()
    }

    fn random(&self) -> u32 {
        u32::try_from(self.house.chance.bits() >> 32).unwrap()
    }

    fn load(&self) -> Result<Option<Run>, Died> {
        Ok(self.house.run(self.kind))
    }

    fn save(&self, run: &Run) -> Result<(), Died> {
        assert_eq!(run.kind, self.kind);
        if self.house.goes_wrong(80) {
            return Err(Died);
        }
        self.house.runs.borrow_mut().insert(self.kind.as_str(), serde_json::to_string(run).unwrap());
        if self.house.goes_wrong(80) { Err(Died) } else { Ok(()) }
    }

    fn asks_outside(&self, _: &Run, task: Task) -> bool {
        self.kind == WATCH || asks_outside(task)
    }

    async fn perform(&self, run: &Run, task: Task, (): ()) -> Performed {
        let house = self.house;
        house.happens(format_args!("{:?}: {task:?} is tried", self.kind));
        let stored = house.run(self.kind).unwrap();
        assert_eq!(stored.running().map(|(running, _)| running), Some(task), "what leaves is durable before");
        let key = if task.is_undo() { run.undo_key(task.step()) } else { run.idempotency_key(task.step()) };
        assert!(key.starts_with(run.id.as_str()));
        if task == Task::Undo(Step::SeedDefaults) && !self.is_before {
            assert!(
                house.run(WATCH).is_none_or(|run| run.is_undone()),
                "the name is let go before the rest is gone"
            );
        }
        if house.goes_wrong(50) {
            std::future::pending::<()>().await;
        }
        house.passes(Duration::from_millis(house.chance.below(300)));
        let outcome = self.outcome(run, task);
        if house.goes_wrong(50) {
            std::future::pending::<()>().await;
        }
        if house.goes_wrong(30) {
            // The object takes commands while it waits, for the other kind, too.
            house.somebody_queues(if self.kind == WATCH { Kind::PROVISIONING } else { WATCH });
        }
        outcome.into()
    }

    async fn forget(&self) -> Result<(), Died> {
        panic!("D1 knows the tenant");
    }

    async fn permit(&self, run: &Run, _: Task, lists: bool) -> Asked<()> {
        *self.house.asked.borrow_mut().entry(self.kind.as_str()).or_default() += 1;
        let permit = if !self.house.has_d1() {
            Permit::Unavailable
        } else if self.house.is_suspended.get() || self.house.is_removed.get() {
            Permit::Stopped
        } else {
            Permit::Granted
        };
        if permit == Permit::Unavailable || !lists {
            return permit.into();
        }
        Asked { projection: Some(self.project(run).await), ..permit.into() }
    }

    async fn project(&self, run: &Run) -> ProjectionResult {
        if self.house.goes_wrong(40) {
            std::future::pending::<()>().await;
        }
        if !self.house.has_d1() || self.house.goes_wrong(20) {
            return ProjectionResult::Unavailable;
        }
        self.house.lists(self.kind, |listed| {
            if listed.run.as_ref().is_none_or(|known| known.id != run.id || known.version < run.version) {
                listed.run = Some(run.clone());
                listed.moved_at = Some(self.house.now.get());
                let has_ended = run.doing.stage.ended_at().is_some();
                listed.is_wanted &= !has_ended;
                if run.undoing.as_ref().is_some_and(|undo| undo.stage.ended_at().is_some()) {
                    listed.is_unwanted = false;
                }
            }
        });
        ProjectionResult::Written { was_completed: false }
    }

    fn undo_others(&self, run: &Run) -> Result<bool, Died> {
        if self.kind == WATCH || self.is_before {
            return Ok(true);
        }
        self.house.undo_others(run)
    }

    fn log_event(&self, _: &Run, _: RunEvent<'_>) {}
}
