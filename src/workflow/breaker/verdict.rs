//! What the end of an attempt says about the other side.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::Upstream;

use super::super::{Fault, FaultCode, Outcome};

/// What an attempt says about the other side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is there: it said yes or no.
    Answered,
    /// It gave no answer, or none that says anything.
    Failed {
        /// How long it asked us to wait.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<Duration>,
        /// Whether it may be about what this one asked for: its repeats say nothing more.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        own: bool,
    },
    /// Nothing: it was not asked, or what went wrong was ours, or one customer's.
    #[default]
    Nothing,
}

impl Verdict {
    /// What the end of an attempt says about `upstream`.
    #[must_use]
    pub const fn of(upstream: Upstream, outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done(_) => Self::Answered,
            Outcome::Refused(failure) if failure.code.is_an_answer(failure.status) => Self::Answered,
            Outcome::Refused(_) => Self::Nothing,
            Outcome::Unknown(fault) if upstream.is_customers_own() => Self::of_a_webhook(fault),
            Outcome::Unknown(fault) => Self::of_a_fault(fault),
        }
    }

    /// Behind each webhook is a customer's own scenario, which can hang, and answer whatever it wants, waits included. That is
    /// no evidence about Make, and no better one about the customer's than its own run has: it makes one attempt at a time, with
    /// pauses of its own. What no scenario can do is keep a connection from being made; and for a host that is not there, the
    /// platform answers, by status 530.
    const fn of_a_webhook(fault: &Fault) -> Self {
        match fault.code {
            FaultCode::Connection => Self::Failed { retry_after: None, own: false },
            FaultCode::Timeout
            | FaultCode::ServerError
            | FaultCode::RateLimited
            | FaultCode::Malformed
            | FaultCode::Contradiction
            | FaultCode::Interrupted
            | FaultCode::StoreUnavailable
            | FaultCode::CircuitOpen
            | FaultCode::Other(_) => Self::Nothing,
        }
    }

    const fn of_a_fault(fault: &Fault) -> Self {
        match fault.code {
            FaultCode::Timeout | FaultCode::Connection | FaultCode::ServerError | FaultCode::RateLimited => {
                Self::Failed { retry_after: fault.retry_after, own: false }
            }
            // It is there, and chokes on something: on this club's name or spreadsheet, for all we know.
            FaultCode::Malformed | FaultCode::Contradiction => Self::Failed { retry_after: None, own: true },
            FaultCode::Interrupted
            | FaultCode::StoreUnavailable
            | FaultCode::CircuitOpen
            | FaultCode::Other(_) => Self::Nothing,
        }
    }
}
