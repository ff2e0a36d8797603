//! What must hold in every schedule: at any moment, and at its end.

use std::time::Duration;

use tenantry::{
    domain::{RunStatus, Step, UndoStatus},
    workflow::{
        Run, Stage,
        policy::{RUN_LIMIT, policy},
    },
};

use super::world::{LATE, RunContext, SWEEP};

impl RunContext {
    /// What must hold at any moment.
    pub fn is_as_promised(&self) {
        let checkpoint = self.checkpoint.borrow();
        let Some(run) = checkpoint.as_ref() else { return };
        self.will_go_on(run);
        let register = self.register.borrow();
        let slack = Duration::from_secs(2 * LATE) + 2 * SWEEP;
        // What went live is done, even if the object lost both the answer and its alarm.
        // Whom D1 does not know waits for it, for a day.
        let is_lost = !register.exists || self.is_put_back.get() || run.orphaned_since.is_some();
        if run.status() == RunStatus::Processing && register.state != RunStatus::Completed && !is_lost {
            assert!(
                self.now.get() <= run.doing.deadline_at.after(slack),
                "it outlives its deadline: {:?}",
                run.doing.stage
            );
        }
        for record in &run.doing.records {
            assert!(
                record.attempts_since_queued <= policy(record.step).attempts,
                "tried too often: {record:?}"
            );
        }
        assert!(run.doing.deadline_at.since(run.doing.queued_at) >= RUN_LIMIT);
        if let Some(undo) = &run.undoing {
            assert_ne!(run.status(), RunStatus::Processing, "what is undone is not at work");
            let is_done =
                undo.stage.ended_at().is_some() || is_lost || register.undo == Some(UndoStatus::Undone);
            assert!(is_done || self.now.get() <= undo.deadline_at.after(slack), "it outlives its deadline");
            for removal in &undo.records {
                assert!(
                    removal.attempts_since_queued <= policy(removal.step).attempts,
                    "tried too often: {removal:?}"
                );
            }
        }
    }

    /// Whatever is left to do, an alarm is set, or the sweep will find it.
    fn will_go_on(&self, run: &Run) {
        let register = self.register.borrow();
        // D1 need not hear again of an end that it knows.
        let is_told_again = run.has_ended()
            && match &run.undoing {
                Some(_) => register.undo == run.undo_status(),
                None => register.state == run.status(),
            };
        let is_known = is_told_again || register.run.is_some_and(|(version, _)| version >= run.version);
        let left = !run.has_ended() || !is_known;
        let is_swept = register.state == RunStatus::Processing || register.undo == Some(UndoStatus::Undoing);
        let found = self.alarm.get().is_some() || is_swept;
        // What D1 was told in the same batch as the end is done, even if the object lost both the answer and its alarm.
        let is_done = match run.undoing {
            Some(_) => register.undo == Some(UndoStatus::Undone),
            None => register.state == RunStatus::Completed,
        };
        // A restored database is compared with the objects, which takes a while.
        let will_be_compared = self.is_put_back.get();
        assert!(
            !left || found || is_done || will_be_compared,
            "nobody will ever go on with {:?}, {:?}",
            run.doing.stage,
            run.undoing
        );
    }

    /// Whether nothing happens any more.
    pub fn is_at_rest(&self) -> bool {
        if !self.register.borrow().exists {
            return self.has_no_alarm();
        }
        let (state, undo) = (self.register.borrow().state, self.register.borrow().undo);
        let ended = self.run().as_ref().is_some_and(Run::has_ended);
        let has_ended = match undo {
            Some(UndoStatus::Undone) => true,
            Some(undo) => ended && undo != UndoStatus::Undoing,
            None => state == RunStatus::Completed || (ended && state != RunStatus::Processing),
        };
        // What failed for an outage goes on by itself.
        has_ended && self.has_no_alarm() && (self.register.borrow().resume_at.is_none() || undo.is_some())
    }

    /// What must hold when nothing happens any more.
    pub fn has_ended_as_promised(&self) {
        let checkpoint = self.checkpoint.borrow();
        if !self.register.borrow().exists {
            // What is at rest asks nobody: only what was at work finds out.
            let is_at_rest =
                checkpoint.as_ref().is_some_and(|run| run.has_ended() && !run.has_pending_projection());
            assert!(
                is_at_rest || checkpoint.is_none(),
                "of whom D1 does not know nothing is kept: {checkpoint:?}"
            );
            let (there, left) = (self.there.borrow(), self.left.borrow());
            assert!(is_at_rest || there.is_subset(&left), "still there: {there:?}");
            return self.counts(|sum| sum.abandoned += 1);
        }
        drop(checkpoint);
        let run = &self.run().unwrap();
        self.provisioning_has_ended_as_promised(run);
        self.undoing_has_ended_as_promised(run);
    }

    fn provisioning_has_ended_as_promised(&self, run: &Run) {
        let register = self.register.borrow();
        match &run.doing.stage {
            Stage::Completed { .. } => {
                assert_eq!(register.state, RunStatus::Completed);
                let was_removed = self.restores && run.undoing.is_some();
                assert!(register.live || was_removed, "completed and not live");
                assert!(run.doing.records.iter().all(|record| record.done_at.is_some()));
                self.counts(|sum| sum.completed += 1);
            }
            Stage::Failed { failure, .. } => {
                assert!(!failure.message.is_empty(), "a reason that a person can act on");
                assert!(register.live || register.state == RunStatus::Failed);
                self.counts(|sum| sum.failed += 1);
            }
            _ => {
                assert_eq!((register.state, register.live), (RunStatus::Completed, true));
                self.counts(|sum| sum.completed += 1);
            }
        }
        if register.state != RunStatus::Completed || run.status() == RunStatus::Completed {
            assert_eq!(register.run.map(|(_, status)| status), Some(run.status()), "D1 knows how it ended");
        }
        if !self.restores || run.undoing.is_none() {
            assert_eq!(register.live, register.state == RunStatus::Completed, "live and completed are one");
        }
    }

    fn undoing_has_ended_as_promised(&self, run: &Run) {
        let wanted = self.register.borrow().undo;
        let ended = run.undo_status();
        let is_done = wanted == Some(UndoStatus::Undone);
        assert!(is_done || ended == wanted, "D1 knows how undoing it ended: {wanted:?}, {ended:?}");
        let Some(undo) = &run.undoing else { return };
        match &undo.stage {
            Stage::Failed { failure, .. } if !is_done => {
                assert!(!failure.message.is_empty(), "a reason that a person can act on");
                assert!(!self.name_is_free.get(), "the name is free, and something is left behind it");
                self.counts(|sum| sum.not_undone += 1);
            }
            _ => {
                let left: Vec<Step> = undo
                    .records
                    .iter()
                    .filter(|removal| removal.skipped)
                    .map(|removal| removal.step)
                    .collect();
                let there = self.there.borrow();
                assert!(there.iter().all(|step| left.contains(step)), "undone, and there is still {there:?}");
                assert!(self.name_is_free.get(), "undone, and the name is not free");
                self.counts(|sum| sum.undone += 1);
            }
        }
    }
}
