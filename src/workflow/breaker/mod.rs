//! The breaker of one other side, shared by all runs: a dead one is not asked by thousands of them, and none is asked
//! more often than it allows.
//!
//! It opens after many failures in a row that come from several runs: one club's own dead scenario stops nobody else. While it
//! is open, one run at a time is let through to see whether the other side is back. Whoever can't reach the breaker goes on
//! without it.

mod budget;
mod command;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{RunId, TenantId, Timestamp, Upstream};

use super::{FailureCode, FaultCode, Outcome, reading::or_nothing};

pub use budget::Budget;
use budget::Spent;
pub use command::{Command, Moved, Reply, Wish, obey};

/// How many failures are kept while the breaker is closed: more than it takes to open it.
const FAILURES_KEPT: usize = 50;

/// Who asks a breaker.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The run, or the mail.
    pub id: &'a str,
    /// Whose it is: told to go on when there is no need to wait any more.
    pub tenant: Option<&'a TenantId>,
    /// Whether it failed at this other side before: somebody who was never tried is a better probe.
    pub has_failed: bool,
}

/// An asker's id, as a breaker knows and writes it. Version 0.2.0 knows only runs, and can't read a breaker that names anything
/// else: what is no run is written like one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AskerId(String);

impl AskerId {
    /// The id of a run, or of a mail.
    #[must_use]
    pub fn of(id: &str) -> Self {
        if id.parse::<RunId>().is_ok() {
            return Self(id.to_owned());
        }
        let plain = id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
        Self(format!("run_{}", plain.take(60).collect::<String>()))
    }
}

/// When a breaker opens, and when it lets somebody through.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// So many failures in a row open it,
    pub failures: usize,
    /// if they come from so many runs,
    pub runs: usize,
    /// and none is older than this.
    pub memory: Duration,
    /// How long it is open before the first probe; doubled after each that fails.
    pub first_wait: Duration,
    /// The shortest wait that the other side's own `Retry-After` can make.
    pub shortest_wait: Duration,
    /// The longest wait, the other side's own word included.
    pub longest_wait: Duration,
    /// When a probe that did not report is given up: later than any attempt ends.
    pub probe_limit: Duration,
    /// When those who came while a probe is out come again.
    pub probe_wait: Duration,
    /// How often the other side may be asked.
    pub budget: Option<Budget>,
}

/// The table.
#[must_use]
pub const fn limits(upstream: Upstream) -> Limits {
    let budget = match upstream {
        // What Cloudflare's API allows one account.
        Upstream::Cloudflare => Some(Budget { calls: 1200, window: Duration::from_secs(300) }),
        // What Resend's API allows one team.
        Upstream::Resend => Some(Budget { calls: 2, window: Duration::from_secs(1) }),
        Upstream::Make | Upstream::AppsScript | Upstream::Google | Upstream::Other(_) => None,
    };
    Limits {
        failures: 10,
        runs: 3,
        memory: Duration::from_secs(600),
        first_wait: Duration::from_secs(30),
        shortest_wait: Duration::from_secs(1),
        longest_wait: Duration::from_secs(300),
        probe_limit: Duration::from_secs(60),
        probe_wait: Duration::from_secs(10),
        budget,
    }
}

/// The breaker of one other side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// Whether it lets anybody through: everybody, if that can't be read.
    #[serde(deserialize_with = "or_nothing")]
    pub state: State,
    /// What was spent of the budget; nothing without one.
    #[serde(default)]
    spent: Spent,
}

/// Whether a breaker lets anybody through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Everybody.
    Closed {
        /// The failures in a row so far.
        failures: Vec<Failed>,
    },
    /// Nobody before `until`; then one run, to see.
    Open {
        /// What happened.
        outage: Outage,
        /// Until when.
        until: Timestamp,
    },
    /// One run is out to see.
    HalfOpen {
        /// What happened.
        outage: Outage,
        /// The run.
        probe: AskerId,
        /// When it left.
        probe_at: Timestamp,
    },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: Vec::new() }
    }
}

/// An attempt that ended without an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Whose.
    pub run: AskerId,
    /// When.
    pub at: Timestamp,
}

/// What keeps a breaker from being closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// When it opened.
    pub since: Timestamp,
    /// How many attempts failed in a row.
    pub failures: u32,
    /// How many of them were probes.
    pub probes: u32,
}

/// Whether an attempt may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// It may. If it is `watched`, the breaker wants to hear how it ended, whatever the end; if not, only of failures.
    Go {
        /// See above.
        watched: bool,
    },
    /// Not before this moment.
    Wait {
        /// This one.
        until: Timestamp,
    },
}

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
    },
    /// Nothing: it was not asked, or what went wrong was ours.
    #[default]
    Nothing,
}

impl Verdict {
    /// What the end of an attempt says about the other side.
    #[must_use]
    pub const fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done(_) => Self::Answered,
            Outcome::Refused(failure) => match failure.code {
                FailureCode::SubdomainConflict
                | FailureCode::SubdomainRejected
                | FailureCode::CompensationRefused
                | FailureCode::WebhookRejected
                | FailureCode::SpreadsheetRejected
                | FailureCode::SpreadsheetMissing
                | FailureCode::EmailRejected => Self::Answered,
                FailureCode::WebhookMissing
                | FailureCode::Misconfigured
                | FailureCode::UpstreamUnavailable
                | FailureCode::DeadlineExceeded
                | FailureCode::TenantGone
                | FailureCode::Cancelled
                | FailureCode::Other(_) => Self::Nothing,
            },
            Outcome::Unknown(fault) => match fault.code {
                FaultCode::Timeout
                | FaultCode::Connection
                | FaultCode::ServerError
                | FaultCode::RateLimited
                | FaultCode::Malformed
                | FaultCode::Contradiction => Self::Failed { retry_after: fault.retry_after },
                FaultCode::Interrupted
                | FaultCode::StoreUnavailable
                | FaultCode::CircuitOpen
                | FaultCode::Other(_) => Self::Nothing,
            },
        }
    }
}

impl Breaker {
    /// Whether an attempt of `run` that asks `cost` times may leave now.
    pub fn admit(&mut self, limits: &Limits, run: &AskerId, cost: u32, now: Timestamp) -> Admission {
        if let Some(until) = limits.budget.and_then(|budget| self.spent.refilled_at(&budget, cost, now)) {
            return Admission::Wait { until };
        }
        let watched = match &self.state {
            State::Closed { failures } => !failures.is_empty(),
            State::Open { until, .. } if now < *until => return Admission::Wait { until: *until },
            // A run makes one attempt at a time: if its probe is out, that one ended without a word.
            State::HalfOpen { probe, probe_at, .. }
                if probe != run && now < probe_at.after(limits.probe_limit) =>
            {
                let given_up_at = probe_at.after(limits.probe_limit);
                return Admission::Wait { until: given_up_at.min(now.after(limits.probe_wait)) };
            }
            State::Open { outage, .. } | State::HalfOpen { outage, .. } => {
                self.state = State::HalfOpen { outage: *outage, probe: run.clone(), probe_at: now };
                true
            }
        };
        if let Some(budget) = limits.budget {
            self.spent.spend(&budget, cost, now);
        }
        Admission::Go { watched }
    }

    /// Takes down what an attempt of `run` said about the other side.
    pub fn report(&mut self, limits: &Limits, run: &AskerId, verdict: Verdict, now: Timestamp) {
        match (&mut self.state, verdict) {
            (_, Verdict::Answered) => self.close(),
            (State::Closed { failures }, Verdict::Failed { retry_after }) => {
                failures.retain(|failed| now.since(failed.at) < limits.memory);
                failures.push(Failed { run: run.clone(), at: now });
                failures.drain(..failures.len().saturating_sub(FAILURES_KEPT));
                if failures.len() >= limits.failures && several(failures, limits.runs) {
                    let failures = u32::try_from(failures.len()).unwrap_or(u32::MAX);
                    self.open(limits, Outage { since: now, failures, probes: 0 }, retry_after, now);
                }
            }
            (State::HalfOpen { outage, probe, .. }, Verdict::Failed { retry_after }) if probe == run => {
                let failed = Outage { failures: outage.failures + 1, probes: outage.probes + 1, ..*outage };
                self.open(limits, failed, retry_after, now);
            }
            // The next one may see.
            (State::HalfOpen { outage, probe, .. }, Verdict::Nothing) if probe == run => {
                self.state = State::Open { outage: *outage, until: now };
            }
            // Whoever left before it opened has nothing new to say.
            (State::Closed { .. } | State::Open { .. } | State::HalfOpen { .. }, _) => {}
        }
    }

    /// Lets everybody through again.
    pub fn close(&mut self) {
        self.state = State::default();
    }

    /// How many failures in a row it counts.
    #[must_use]
    pub fn failures(&self) -> u32 {
        match &self.state {
            State::Closed { failures } => u32::try_from(failures.len()).unwrap_or(u32::MAX),
            State::Open { outage, .. } | State::HalfOpen { outage, .. } => outage.failures,
        }
    }

    /// When the next probe may leave; none while nobody waits for one.
    #[must_use]
    pub const fn next_probe_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Open { until, .. } => Some(*until),
            State::Closed { .. } | State::HalfOpen { .. } => None,
        }
    }

    /// How many calls the budget's window holds at `now`.
    #[must_use]
    pub fn used(&self, budget: &Budget, now: Timestamp) -> u32 {
        self.spent.used(budget, now)
    }

    fn open(&mut self, limits: &Limits, outage: Outage, retry_after: Option<Duration>, now: Timestamp) {
        let doubled = limits.first_wait.saturating_mul(1_u32.checked_shl(outage.probes).unwrap_or(u32::MAX));
        let wait = retry_after.unwrap_or(doubled).clamp(limits.shortest_wait, limits.longest_wait);
        self.state = State::Open { outage, until: now.after(wait) };
    }
}

/// Whether these come from so many runs.
fn several(failures: &[Failed], runs: usize) -> bool {
    let first = |at: usize, run: &AskerId| failures.iter().take(at).all(|failed| failed.run != *run);
    failures.iter().enumerate().filter(|(at, failed)| first(*at, &failed.run)).count() >= runs
}
