//! What the Worker says to a breaker's object, and what it answers. As with a tenant's object, each side must read what the
//! version before and the version after says.

use serde::{Deserialize, Serialize};

use crate::domain::{TenantId, Timestamp, Upstream};

use super::super::reading::or_nothing;
use super::{Admission, Ask, AskerId, Breaker, Limits, State, Verdict, Waiting};

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
    /// Let nobody through until you are told to close.
    Open,
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

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obeyed {
    /// What to answer. The breaker in it is to be written down if it is another than before.
    pub reply: Reply,
    /// Who waits now: to be written down likewise.
    pub waiting: Waiting,
}

/// Does what is wished: the same in the object and in every test.
#[must_use]
pub fn obey(
    known: &Breaker,
    waiting: &Waiting,
    command: &Command,
    limits: &Limits,
    now: Timestamp,
) -> Obeyed {
    let (mut breaker, mut waiting) = (known.clone(), waiting.clone());
    let mut admission = None;
    match &command.wish {
        Wish::Admit { run, cost, tenant, has_failed } => {
            let ask = Ask { run, cost: *cost, has_failed: *has_failed };
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
        Wish::Report { run, verdict, watched } => {
            breaker.ended(run);
            // Of those that nobody watched only the failures are told: one of them says that something may be wrong, and from
            // then on all are watched. Counted one by one, a fifth of many at once would look like ten in a row.
            let counts = *watched || !matches!(verdict, Verdict::Failed { .. }) || breaker.failures() == 0;
            if counts {
                breaker.report(limits, run, *verdict, now);
            }
        }
        Wish::Close => breaker.close(now),
        Wish::Open => breaker.hold_open(now),
        Wish::Look => {}
    }
    Obeyed { reply: Reply { moved: moved(known, &breaker), breaker, admission }, waiting }
}

fn moved(before: &Breaker, after: &Breaker) -> Option<Moved> {
    if after.is_held_open() && !before.is_held_open() {
        return Some(Moved::Opened);
    }
    match (&before.state, &after.state) {
        (State::Closed { .. }, State::Closed { .. }) | (State::Open { .. }, State::Open { .. }) => None,
        (State::HalfOpen { probe, .. }, State::HalfOpen { probe: next, .. }) if probe == next => None,
        (_, State::Open { .. }) => Some(Moved::Opened),
        (_, State::HalfOpen { .. }) => Some(Moved::HalfOpened),
        (_, State::Closed { .. }) => Some(Moved::Closed),
    }
}
