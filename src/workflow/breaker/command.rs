//! What the Worker says to a breaker's object, and what it answers. As with a tenant's object, each side must read what the
//! version before and the version after says.

use serde::{Deserialize, Serialize};

use crate::domain::{TenantId, Timestamp, Upstream};

use super::super::reading::or_nothing;
use super::{Admission, AskerId, Breaker, State, Verdict, limits};

/// A command to a breaker's object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Whose breaker it is.
    pub upstream: Upstream,
    /// What is wanted of it.
    pub wish: Wish,
}

/// What is wanted of a breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// Say whether an attempt of `run` may leave.
    Admit {
        /// The run, or the mail.
        run: AskerId,
        /// How often it will ask.
        cost: u32,
        /// Whose it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tenant: Option<TenantId>,
        /// Whether it failed at this other side before.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        has_failed: bool,
    },
    /// Hear how an attempt of `run` ended.
    Report {
        /// The run, or the mail.
        run: AskerId,
        /// What it says.
        #[serde(deserialize_with = "or_nothing")]
        verdict: Verdict,
        /// Whether its admission said that it is watched: if so, it would have told of a success, too.
        #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
        watched: bool,
    },
    /// Let everybody through again.
    Close,
    /// Say where it stands.
    Look,
}

const fn yes() -> bool {
    true
}

/// The object's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Where the breaker stands now.
    pub breaker: Breaker,
    /// What the wish changed about it.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
    /// Whether the attempt may leave, if that was asked.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Option::is_none")]
    pub admission: Option<Admission>,
}

/// A change that somebody may want to know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moved {
    /// Nobody is let through for a while.
    Opened,
    /// Somebody is let through, to see.
    HalfOpened,
    /// Everybody is let through again.
    Closed,
}

/// Does what is wished: the same in the object and in every test. The breaker in the answer is to be written down if it is
/// another than `known`.
#[must_use]
pub fn obey(known: &Breaker, command: &Command, now: Timestamp) -> Reply {
    let (mut breaker, limits) = (known.clone(), limits(command.upstream));
    let mut admission = None;
    match &command.wish {
        Wish::Admit { run, cost, .. } => admission = Some(breaker.admit(&limits, run, *cost, now)),
        // Of those that nobody watched only the failures are told: one of them says that something may be wrong, and from
        // then on all are watched. Counted one by one, a fifth of many at once would look like ten in a row.
        Wish::Report { watched: false, verdict: Verdict::Failed { .. }, .. } if breaker.failures() > 0 => {}
        Wish::Report { run, verdict, .. } => breaker.report(&limits, run, *verdict, now),
        Wish::Close => breaker.close(),
        Wish::Look => {}
    }
    Reply { moved: moved(&known.state, &breaker.state), breaker, admission }
}

fn moved(before: &State, after: &State) -> Option<Moved> {
    match (before, after) {
        (State::Closed { .. }, State::Closed { .. }) | (State::Open { .. }, State::Open { .. }) => None,
        (State::HalfOpen { probe, .. }, State::HalfOpen { probe: next, .. }) if probe == next => None,
        (_, State::Open { .. }) => Some(Moved::Opened),
        (_, State::HalfOpen { .. }) => Some(Moved::HalfOpened),
        (_, State::Closed { .. }) => Some(Moved::Closed),
    }
}
