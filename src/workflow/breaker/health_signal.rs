//! What the end of an attempt says about the upstream.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::Upstream;

use super::super::{Outcome, TransientError, TransientErrorCode};

/// What an attempt says about the upstream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthSignal {
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

impl HealthSignal {
    /// What the end of an attempt says about `upstream`.
    pub const fn of(upstream: Upstream, outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done(_) => Self::Answered,
            Outcome::Failed(failure) if failure.code.is_answer(failure.status) => Self::Answered,
            Outcome::Failed(_) => Self::Nothing,
            Outcome::Unknown(fault) if upstream.is_tenant_owned() => Self::of_webhook_error(fault),
            Outcome::Unknown(fault) => Self::of_transient_error(fault),
        }
    }

    /// Behind each webhook is a customer's own scenario, which can hang, and answer whatever it wants, waits included. That
    /// is no evidence about Make, and no better one about the customer's than its own run has: it makes one attempt at a
    /// time, with pauses of its own. No scenario can prevent a connection. For a host that does not exist, the platform
    /// answers with status 530.
    const fn of_webhook_error(fault: &TransientError) -> Self {
        match fault.code {
            TransientErrorCode::Connection => Self::Failed { retry_after: None, own: false },
            TransientErrorCode::Timeout
            | TransientErrorCode::ServerError
            | TransientErrorCode::RateLimited
            | TransientErrorCode::Malformed
            | TransientErrorCode::Contradiction
            | TransientErrorCode::Interrupted
            | TransientErrorCode::StoreUnavailable
            | TransientErrorCode::CircuitOpen
            | TransientErrorCode::Other(_) => Self::Nothing,
        }
    }

    const fn of_transient_error(fault: &TransientError) -> Self {
        match fault.code {
            TransientErrorCode::Timeout
            | TransientErrorCode::Connection
            | TransientErrorCode::ServerError
            | TransientErrorCode::RateLimited => Self::Failed { retry_after: fault.retry_after, own: false },
            // It is there, and chokes on something: on this tenant's name or spreadsheet, for all we know.
            TransientErrorCode::Malformed | TransientErrorCode::Contradiction => {
                Self::Failed { retry_after: None, own: true }
            }
            TransientErrorCode::Interrupted
            | TransientErrorCode::StoreUnavailable
            | TransientErrorCode::CircuitOpen
            | TransientErrorCode::Other(_) => Self::Nothing,
        }
    }
}
