//! What a run remembers: of each of its steps, of each attempt, of who queued it.

use serde::{Deserialize, Serialize};

use crate::domain::{Step, Timestamp};

use super::{Artifact, Failure};

/// What a run remembers of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The step.
    pub step: Step,
    /// How often it was tried, over all rounds.
    pub attempts: u32,
    /// How often it was tried since the run was last queued.
    pub round: u32,
    /// When it was first tried.
    pub started_at: Option<Timestamp>,
    /// When it was done, or left with a warning.
    pub done_at: Option<Timestamp>,
    /// What it made outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// Why it was left with a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<Failure>,
    /// Whether an operator had it left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
}

/// One attempt that ended: a line of the run's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The step.
    pub step: Step,
    /// Whether it was undone, not done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undo: bool,
    /// Which attempt at it, counted from one over all rounds; those at undoing it follow those at doing it.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// `done`, `refused` or `unknown`.
    pub outcome: String,
    /// The failure's or fault's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The request that wanted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The HTTP status of the other side, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_status: Option<u16>,
}

/// What a request leaves to the run it queues.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The service's own address as the request named it: mailed links lead there unless configured otherwise.
    #[serde(default)]
    pub origin: String,
    /// The request's id: on every line that the run logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The trace that the run's calls belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}
