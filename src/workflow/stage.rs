//! Where a run stands, or undoing it, and what that wants done.

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

    /// When it failed.
    pub const fn failed_at(&self) -> Option<Timestamp> {
        match self {
            Self::Failed { at, .. } => Some(*at),
            _ => None,
        }
    }

    /// When it ended: every step is done, or it failed.
    pub const fn ended_at(&self) -> Option<Timestamp> {
        match self {
            Self::Completed { at } | Self::Failed { at, .. } => Some(*at),
            Self::Ready { .. } | Self::Running { .. } | Self::Waiting { .. } => None,
        }
    }
}
