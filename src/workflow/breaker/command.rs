//! What the Worker says to a breaker's object, and what it answers. As with a tenant's object, each side must read what the
//! version before and the version after says.

use serde::{Deserialize, Serialize};

use crate::domain::{TenantId, Timestamp, Upstream};

use super::super::reading::or_nothing;
use super::{Admission, AdmissionRequest, Breaker, HealthSignal, Limits, RequesterId, State, Waiting};

/// A command to a breaker's object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Whose breaker it is.
    pub upstream: Upstream,
    /// What is wanted of it.
    #[serde(rename = "wish")]
    pub command: BreakerCommand,
}

/// What is wanted of a breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerCommand {
    /// Say whether an attempt of `run` may leave.
    Admit {
        /// The run, or the mail.
        run: RequesterId,
        /// How often it will ask.
        cost: u32,
        /// Whose it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tenant: Option<TenantId>,
        /// Whether it failed at this upstream before.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        has_failed: bool,
    },
    /// Hear how an attempt of `run` ended.
    Report {
        /// The run, or the mail.
        run: RequesterId,
        /// What it says.
        #[serde(deserialize_with = "or_nothing")]
        verdict: HealthSignal,
        /// Whether its admission said that it is watched: if so, it would have told of a success, too.
        #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
        watched: bool,
    },
    /// Let everybody through again.
    Close,
    /// Let nobody through until you are told to close.
    Open,
    /// Say where it stands.
    #[serde(rename = "look")]
    Get,
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
    #[serde(rename = "moved")]
    pub transition: Option<Transition>,
    /// Whether the attempt may leave, if that was asked.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Option::is_none")]
    pub admission: Option<Admission>,
}

/// A change that somebody may want to know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transition {
    /// Nobody is let through for a while.
    Opened,
    /// Somebody is let through, to see.
    HalfOpened,
    /// Everybody is let through again.
    Closed,
}

/// The effects of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effects {
    /// What to answer. The breaker in it is to be written down if it is another than before.
    pub reply: Reply,
    /// Who waits now: to be written down likewise.
    pub waiting: Waiting,
}

/// Does what is wished: the same in the object and in every test.
pub fn handle(
    known: &Breaker,
    waiting: &Waiting,
    request: &Request,
    limits: &Limits,
    now: Timestamp,
) -> Effects {
    let (mut breaker, mut waiting) = (known.clone(), waiting.clone());
    let mut admission = None;
    match &request.command {
        BreakerCommand::Admit { run, cost, tenant, has_failed } => {
            let ask = AdmissionRequest { run, cost: *cost, has_failed: *has_failed };
            let admitted = breaker.admit(limits, &ask, &waiting, now);
            if let Some(tenant) = tenant {
                match admitted {
                    Admission::Go { .. } => waiting.leave(tenant),
                    Admission::Wait { .. } => {
                        waiting.join(tenant, *cost, *has_failed || breaker.has_failed(run));
                    }
                }
            }
            admission = Some(admitted);
        }
        BreakerCommand::Report { run, verdict, watched } => {
            breaker.ended(run);
            // Of those that nobody watched only the failures are told: one of them says that something may be wrong, and from
            // then on all are watched. Counted one by one, a fifth of many at once would look like ten in a row.
            let uses_attempt =
                *watched || !matches!(verdict, HealthSignal::Failed { .. }) || breaker.failures() == 0;
            if uses_attempt {
                breaker.report(limits, run, *verdict, now);
            }
        }
        BreakerCommand::Close => breaker.close(now),
        BreakerCommand::Open => breaker.hold_open(now),
        BreakerCommand::Get => {}
    }
    Effects { reply: Reply { transition: transition(known, &breaker), breaker, admission }, waiting }
}

fn transition(before: &Breaker, after: &Breaker) -> Option<Transition> {
    if after.is_held_open() && !before.is_held_open() {
        return Some(Transition::Opened);
    }
    match (&before.state, &after.state) {
        (State::Closed { .. }, State::Closed { .. }) | (State::Open { .. }, State::Open { .. }) => None,
        (State::HalfOpen { probe, .. }, State::HalfOpen { probe: next, .. }) if probe == next => None,
        (_, State::Open { .. }) => Some(Transition::Opened),
        (_, State::HalfOpen { .. }) => Some(Transition::HalfOpened),
        (_, State::Closed { .. }) => Some(Transition::Closed),
    }
}
