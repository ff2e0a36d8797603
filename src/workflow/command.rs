//! What the Worker says to the object, and what it answers.
//!
//! Both are deployed at different moments, so each side must read what the version before and the version after says:
//! fields are added with a default, never renamed.

use serde::{Deserialize, Serialize};

use crate::domain::{ClubName, Email, Plan, Slug, TenantId, Upstream, UserId};

use super::{Caller, Report};

/// Whom a run provisions: taken down when it is queued, so that every attempt sends the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The tenant.
    pub tenant: TenantId,
    /// Its name in addresses.
    pub slug: Slug,
    /// Its name.
    pub name: ClubName,
    /// Where its owner gets mail.
    pub email: Email,
    /// The owner-to-be.
    pub owner: UserId,
}

/// A command to a tenant's object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Start a run, or resume a failed one; idempotent while one runs, and after one completed.
    Queue {
        /// Whom.
        subject: Subject,
        /// Which steps.
        plan: Plan,
        /// What the request leaves to the run.
        #[serde(default)]
        caller: Caller,
    },
    /// Go on if there is anything to do: the second net under a lost alarm, and under a queueing that never arrived.
    Wake {
        /// Whom.
        subject: Subject,
        /// Which steps.
        plan: Plan,
        /// Which version of the run D1 lists, none being 0: a failure that D1 did not know of was not wanted again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        listed_version: Option<u64>,
    },
    /// Stop whatever is at work, and remove what the run made; or try again what could not be removed. Idempotent while
    /// that is at work, and after it is done.
    Undo {
        /// Whom.
        subject: Subject,
        /// Which steps.
        plan: Plan,
        /// What the request leaves to it.
        #[serde(default)]
        caller: Caller,
        /// Which version of the run D1 lists, if it is the sweep that says so: as for waking.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        listed_version: Option<u64>,
    },
    /// Stop the run.
    Cancel,
    /// Leave out the step at which the run failed, and go on behind it.
    Skip,
    /// Try again now if `upstream` was not asked: it may be now. Else nothing.
    GoOn {
        /// The other side.
        upstream: Upstream,
    },
    /// Say where the run stands.
    Report,
    /// Say that you are there.
    Ping,
}

/// The object's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Where the run stands; `changed` says whether the command did something.
    Run {
        /// The run.
        report: Report,
        /// Whether the command did something.
        changed: bool,
    },
    /// There is no run.
    NoRun,
    /// Here.
    Pong,
}
