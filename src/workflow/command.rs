//! What the Worker says to the object, and what it answers.
//!
//! Both are deployed at different moments, so each side must read what the version before and the version after says:
//! fields are added with a default, never renamed.

use serde::{Deserialize, Serialize};

use crate::domain::{Email, Plan, RunId, Slug, Step, TenantId, TenantName, Upstream, UserId};

use super::{Report, RequestOrigin, reading::any_plan};

/// Whom a run provisions: taken down when it is queued, so that every attempt sends the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The tenant.
    pub tenant: TenantId,
    /// Its name in addresses.
    pub slug: Slug,
    /// Its name.
    pub name: TenantName,
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
        caller: RequestOrigin,
        /// The run that the sender saw, if it is about one: another one is left as it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<RunId>,
        /// Which version of a run D1 shows, if it lists one: an object that has none takes that over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "listed_version")]
        projected_version: Option<u64>,
    },
    /// Go on if there is anything to do: the second net under a lost alarm, and under a queueing that never arrived.
    Wake {
        /// Whom.
        subject: Subject,
        /// Which steps.
        plan: Plan,
        /// Which version of the run D1 shows, none being 0: a failure that D1 did not know of was not wanted again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "listed_version")]
        projected_version: Option<u64>,
        /// Whether nobody asked for it: a run that failed for an outage may go on by now.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        resume: bool,
    },
    /// Stop whatever is at work, and remove what the run made; or try again what could not be removed. Idempotent while
    /// that is at work, and after it is done.
    Undo {
        /// Whom; nobody any more if D1 let go of the name already. An object that has a run knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<Subject>,
        /// Which steps.
        #[serde(deserialize_with = "any_plan")]
        plan: Plan,
        /// What the request leaves to it.
        #[serde(default)]
        caller: RequestOrigin,
        /// Which version of the run D1 shows, if it is the sweep that says so: as for waking.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "listed_version")]
        projected_version: Option<u64>,
        /// The run that D1 shows: an object that has none takes that over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<RunId>,
    },
    /// Stop this run.
    CancelRun {
        /// The one that the operator saw.
        run: RunId,
    },
    /// Leave out the step at which this run failed, and go on behind it.
    SkipStep {
        /// The one that the operator saw.
        run: RunId,
        /// The step that the operator saw; at any other nothing is done.
        step: Step,
    },
    /// Forget what is stored and take over what D1 shows of this run: what is stored can't be read.
    Reset {
        /// The run.
        run: RunId,
    },
    /// Compare what is stored with what D1 shows: it was restored, and may know less than it was told.
    Compare {
        /// Which version of the run D1 shows, none being 0.
        #[serde(rename = "listed_version")]
        projected_version: u64,
    },
    /// Delete everything that is stored, if the run was undone: it holds a name and an address.
    Forget,
    /// [`CancelRun`](Self::CancelRun), as version 0.2.0 says it.
    Cancel,
    /// [`SkipStep`](Self::SkipStep), as version 0.2.0 says it.
    Skip,
    /// Try again now if `upstream` was not asked: it may be now. Else nothing.
    GoOn {
        /// The upstream.
        upstream: Upstream,
    },
    /// Say where the run stands.
    Report,
    /// Say that you are there.
    Ping,
}

/// The object's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "one at a time, read and gone; small enough where pointers are")]
#[strum(serialize_all = "snake_case")]
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
    /// What is stored can't be read by this version.
    Unreadable,
    /// Here.
    Pong,
}

impl Reply {
    /// The name in the log, for an answer that is none to what was asked.
    pub fn word(&self) -> &'static str {
        self.into()
    }
}
