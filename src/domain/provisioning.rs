//! The words of provisioning: tasks and states. They are stored, answered and filtered by, so each is pinned.

use super::{Step, words};

/// One piece of a run's work: doing a step, or undoing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// The step.
    Do(Step),
    /// What the step left is removed.
    Undo(Step),
}

impl Task {
    /// Its step.
    pub const fn step(self) -> Step {
        match self {
            Self::Do(step) | Self::Undo(step) => step,
        }
    }

    /// Whether it undoes.
    pub const fn is_undo(self) -> bool {
        matches!(self, Self::Undo(_))
    }
}

words! {
    /// Where undoing a run stands.
    UndoStatus {
        /// At work, or waiting to try again.
        Undoing = "undoing",
        /// What was made is gone, and the tenant's name and address are free.
        Undone = "undone",
        /// Something could not be removed: an operator tries again, or leaves it.
        CompensationFailed = "compensation_failed",
    }
}

words! {
    /// Where a tenant's provisioning stands.
    RunStatus {
        /// Not queued yet.
        Pending = "pending",
        /// At work, or waiting to try again.
        Processing = "processing",
        /// Done.
        Completed = "completed",
        /// Failed, with a reason.
        Failed = "failed",
    }
}

words! {
    /// Where one step stands.
    StepStatus {
        /// Not begun.
        Pending = "pending",
        /// At work, or waiting to try again.
        Running = "running",
        /// Done: it never runs again.
        Completed = "completed",
        /// Failed.
        Failed = "failed",
        /// Left out.
        Skipped = "skipped",
    }
}
