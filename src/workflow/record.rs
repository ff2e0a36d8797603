//! What a run remembers: of each of its steps, of each attempt, of who queued it.

use serde::{Deserialize, Serialize};

use crate::domain::{Step, Timestamp};

use super::{Artifact, PermanentError, Product, policy::Tries};

/// What a run remembers of one step, or of undoing it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The step.
    pub step: Step,
    /// How often it was tried, over all rounds.
    pub attempts: u32,
    /// How often it was tried since the run was last queued, by the attempts that count.
    #[serde(rename = "round")]
    pub attempts_since_queued: u32,
    /// How many attempts in a row, the last ones, did not count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub uncounted: u32,
    /// When it was first tried.
    pub started_at: Option<Timestamp>,
    /// When it was done, or left.
    pub done_at: Option<Timestamp>,
    /// What it made outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// Why it was left with a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<PermanentError>,
    /// Whether it was left out, by an operator or because the run began before there was such a step.
    #[serde(default, alias = "left", skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// Whether there was nothing to do, as the service was configured: the tenant has no address on the web.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_route: bool,
    /// The webhook that took its ping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
}

impl Record {
    /// Of a step that was not begun.
    pub const fn new(step: Step) -> Self {
        Self {
            step,
            attempts: 0,
            attempts_since_queued: 0,
            uncounted: 0,
            started_at: None,
            done_at: None,
            artifact: None,
            warning: None,
            skipped: false,
            no_route: false,
            webhook: None,
        }
    }

    /// Records that it is done, and what came of it.
    pub(super) fn done(&mut self, product: Option<Product>, now: Timestamp) {
        self.done_at = Some(now);
        match product {
            Some(Product::Created(artifact)) => self.artifact = Some(artifact),
            Some(Product::Pinged(webhook)) => self.webhook = Some(webhook),
            Some(Product::NoRoute) => self.no_route = true,
            None => {}
        }
    }

    /// Records that an attempt ended without an answer, and whether it is one of those that the step has in a round.
    pub(super) const fn was_tried(&mut self, uses_attempt: bool) {
        if uses_attempt {
            self.uncounted = 0;
        } else {
            self.attempts_since_queued = self.attempts_since_queued.saturating_sub(1);
            self.uncounted += 1;
        }
    }

    /// How often it was tried since the run was last queued.
    pub const fn tries(&self) -> Tries {
        Tries { counted: self.attempts_since_queued, uncounted: self.uncounted }
    }
}

/// A webhook as it was stored when it took a ping: D1 is updated later, and by then another one may be stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Where it is.
    pub url: String,
    /// Its secret, sealed: sealed anew each time that a webhook is stored.
    pub secret: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(super) const fn is_zero(number: &u32) -> bool {
    *number == 0
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
    /// The HTTP status of the upstream, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_status: Option<u16>,
    /// What the upstream said when it refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// What a run remembers of the request that queued it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestOrigin {
    /// The service's own address as the request named it: mailed links lead there unless configured otherwise.
    #[serde(default)]
    pub origin: String,
    /// The request's id: on every line that the run logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The trace that the run's calls belong to: `traceparent`, and behind a blank its `tracestate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}
