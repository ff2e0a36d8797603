//! A run that another version of this code began: how it is read.
//!
//! A run follows its own record of steps. Steps that its plan has gained are added when it is read. Steps that this version
//! does not know are kept as they are, and skipped.

pub use crate::domain::step::Gained;
use crate::domain::{RunStatus, Step};

use super::{Record, Run, Stage};

/// What becomes of `step` in the runs that are under way when it is added to their plan.
pub const fn gained(step: Step) -> Gained {
    step.spec().gained
}

impl Run {
    /// Reads a checkpoint, whichever version wrote it.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        let mut run: Self = serde_json::from_str(text)?;
        run.follows(Step::of(run.plan), gained);
        Ok(run)
    }

    /// The run learns of the steps that its plan has in this version; `gained` says what becomes of those that are new to it.
    pub fn follows(&mut self, steps: &[Step], gained: impl Fn(Step) -> Gained) {
        let is_under_way = self.undoing.is_none() && self.status() != RunStatus::Completed;
        if !is_under_way {
            return;
        }
        for (place, step) in steps.iter().enumerate() {
            if self.doing.records.iter().any(|record| record.step == *step) {
                continue;
            }
            let behind = steps.get(place..).unwrap_or_default();
            let at = self.doing.records.iter().position(|record| behind.contains(&record.step));
            self.doing
                .records
                .insert(at.unwrap_or(self.doing.records.len()), self.missing(*step, gained(*step)));
        }
        // It is at a step that this version does not know: that is passed over.
        if matches!(self.doing.stage.current(), Some(Step::Other(_)))
            && self.status() == RunStatus::Processing
            && let Some(step) = self.doing.first_not_done()
        {
            self.doing.stage = Stage::Ready { step };
        }
    }

    fn missing(&self, step: Step, gained: Gained) -> Record {
        match gained {
            Gained::Done => Record::new(step),
            Gained::Skipped => {
                Record { done_at: Some(self.doing.queued_at), skipped: true, ..Record::new(step) }
            }
        }
    }
}
