//! Where a run stands, and what that wants done: for doing its steps and for undoing them.

use serde::{Deserialize, Serialize};

use crate::domain::{Step, Task, Timestamp};

use super::{PermanentError, TransientError};

/// Where a run, or undoing it, stands. Each state owns what only it knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "snake_case")]
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
        fault: TransientError,
    },
    /// Every step is done, or undone.
    Completed {
        /// Since when.
        at: Timestamp,
    },
    /// Given up at `step`.
    Failed {
        /// The step.
        step: Step,
        /// Why.
        failure: PermanentError,
        /// Since when.
        at: Timestamp,
    },
}

/// What a run wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Begin an attempt at this.
    Begin(Task),
    /// An attempt at this was interrupted: note it, then go on.
    Recover(Task),
    /// Nothing before this moment.
    Sleep(Timestamp),
    /// Its time is up.
    Expire,
    /// Nothing any more.
    Idle,
}

impl Stage {
    /// What it wants done at `now`, where a step is a `task` and all fails at `deadline_at`.
    pub fn next(&self, task: fn(Step) -> Task, deadline_at: Timestamp, now: Timestamp) -> Next {
        match self {
            Self::Completed { .. } | Self::Failed { .. } => Next::Idle,
            _ if now >= deadline_at => Next::Expire,
            Self::Ready { step } => Next::Begin(task(*step)),
            Self::Running { step, .. } => Next::Recover(task(*step)),
            Self::Waiting { until, .. } if *until > now => Next::Sleep((*until).min(deadline_at)),
            Self::Waiting { step, .. } => Next::Begin(task(*step)),
        }
    }

    /// The step it is at; none when every one is behind it.
    pub const fn current(&self) -> Option<Step> {
        match self {
            Self::Ready { step }
            | Self::Running { step, .. }
            | Self::Waiting { step, .. }
            | Self::Failed { step, .. } => Some(*step),
            Self::Completed { .. } => None,
        }
    }

    /// The step that is attempted, and since when.
    pub const fn running(&self) -> Option<(Step, Timestamp)> {
        match self {
            Self::Running { step, since } => Some((*step, *since)),
            _ => None,
        }
    }

    /// Whether it waits before it tries again.
    pub const fn is_waiting(&self) -> bool {
        matches!(self, Self::Waiting { .. })
    }

    /// Why it failed.
    pub const fn failure(&self) -> Option<&PermanentError> {
        match self {
            Self::Failed { failure, .. } => Some(failure),
            _ => None,
        }
    }
}
