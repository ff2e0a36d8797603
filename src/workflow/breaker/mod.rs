//! The breaker of one upstream, shared by all runs: a dead one is not asked by thousands of them, and none is asked
//! more often than it allows.
//!
//! It opens after many failures in a row that come from several runs, and counts only what says something about the upstream:
//! never what one tenant's own endpoint or data can cause. While it is open, one run at a time probes the upstream. Runs that
//! were never tried go first. Who waits is woken when that has ended. Whoever can't reach the breaker goes on without it.

mod budget;
mod command;
mod health_signal;
mod waiting;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{RunId, TenantId, Timestamp, Upstream, config::Budgets, upstream::Capacity};

use super::reading::or_nothing;

pub use crate::domain::upstream::{AtOnce, Budget};
use budget::{Slots, Spent};
pub use command::{BreakerCommand, Effects, Reply, Request, Transition, handle};
pub use health_signal::HealthSignal;
pub use waiting::{Waiting, Waking, rings_at, wake};

/// How many failures are kept while the breaker is closed: more than it takes to open it.
const FAILURES_KEPT: usize = 50;
/// How many of those that were tried in an outage are remembered.
const TRIED_KEPT: usize = 50;
/// Until when one is open that an operator opened, as versions read it that know nothing of that: for years.
const HELD_FOR: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Who asks a breaker.
#[derive(Debug, Clone, Copy)]
pub struct Requester<'a> {
    /// The run, or the mail.
    pub id: &'a str,
    /// Whose it is: told to go on when there is no need to wait any more.
    pub tenant: Option<&'a TenantId>,
    /// Whether it failed at this upstream before: somebody who was never tried is a better probe.
    pub has_failed: bool,
}

/// An attempt that wants to leave.
#[derive(Debug, Clone, Copy)]
pub struct AdmissionRequest<'a> {
    /// Whose.
    pub run: &'a RequesterId,
    /// How often it will ask.
    pub cost: u32,
    /// Whether that one failed at this upstream before.
    pub has_failed: bool,
}

/// An asker's id, as a breaker knows and writes it. Version 0.2.0 knows only runs, and can't read a breaker that names anything
/// else: what is no run is written like one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequesterId(String);

impl RequesterId {
    /// The id of a run, or of a mail.
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
    /// The longest wait, the upstream's own word included.
    pub longest_wait: Duration,
    /// For how long a probe is left to those that were never tried.
    pub grace: Duration,
    /// When a probe that did not report fails: later than any attempt ends.
    pub probe_limit: Duration,
    /// When those who came while a probe is out come again.
    pub probe_wait: Duration,
    /// How often the upstream may be asked.
    pub budget: Option<Budget>,
    /// How many may ask it at once.
    pub at_once: Option<AtOnce>,
}

/// When the breaker of `upstream` opens; what differs from one to the next is in [`Upstream::capacity`].
pub const fn limits(upstream: Upstream, budgets: Budgets) -> Limits {
    let Capacity { budget, at_once, longest_wait } = upstream.capacity(budgets);
    Limits {
        failures: 10,
        runs: 3,
        memory: Duration::from_secs(600),
        first_wait: Duration::from_secs(30),
        longest_wait,
        grace: Duration::from_secs(10),
        probe_limit: Duration::from_secs(60),
        probe_wait: Duration::from_secs(10),
        budget,
        at_once,
    }
}

/// The breaker of one upstream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// Whether it lets anybody through: everybody, if that can't be read.
    #[serde(deserialize_with = "or_nothing")]
    pub state: State,
    /// What was spent of the budget; nothing without one.
    #[serde(default)]
    spent: Spent,
    /// Who asks now, where only so many may at once.
    #[serde(default, skip_serializing_if = "Slots::is_empty")]
    slots: Slots,
    /// Whether an operator opened it: nobody is let through until somebody closes it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    held_open: bool,
    /// Who was tried in this outage and failed, the last one last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tried: Vec<RequesterId>,
    /// When it was last closed after it had been open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed_at: Option<Timestamp>,
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
        probe: RequesterId,
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
    pub run: RequesterId,
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

impl Breaker {
    /// Whether an attempt may leave now, while these wait.
    pub fn admit(
        &mut self,
        limits: &Limits,
        ask: &AdmissionRequest<'_>,
        waiting: &Waiting,
        now: Timestamp,
    ) -> Admission {
        if let Some(until) = self.within_budget_at(limits, ask, waiting, now) {
            return Admission::Wait { until };
        }
        let watched = match &self.state {
            State::Closed { failures } => !failures.is_empty() || limits.at_once.is_some(),
            _ if self.held_open => return Admission::Wait { until: now.after(limits.longest_wait) },
            State::Open { until, .. } if now < *until => return Admission::Wait { until: *until },
            // A run makes one attempt at a time: if its probe is out, that one ended without a word.
            State::HalfOpen { probe, probe_at, .. }
                if probe != ask.run && now < probe_at.after(limits.probe_limit) =>
            {
                let expires_at = probe_at.after(limits.probe_limit);
                return Admission::Wait { until: expires_at.min(now.after(limits.probe_wait)) };
            }
            State::Open { outage, .. } | State::HalfOpen { outage, .. } => {
                let (outage, until) = (*outage, self.may_probe_at(limits, ask, waiting, now));
                if now < until {
                    return Admission::Wait { until };
                }
                self.state = State::HalfOpen { outage, probe: ask.run.clone(), probe_at: now };
                self.note_tried(ask.run);
                true
            }
        };
        if let Some(budget) = limits.budget {
            self.spent.spend(&budget, ask.cost, now);
        }
        if let Some(at_once) = limits.at_once {
            self.slots.take(&at_once, ask.run, now);
        }
        Admission::Go { watched }
    }

    /// Takes down what an attempt of `requester` said about the upstream.
    pub fn report(
        &mut self,
        limits: &Limits,
        requester: &RequesterId,
        verdict: HealthSignal,
        now: Timestamp,
    ) {
        match (&mut self.state, verdict) {
            _ if self.held_open => {}
            (_, HealthSignal::Answered) => self.close(now),
            // What may be about its own data counts once, however often it is tried again.
            (State::Closed { failures }, HealthSignal::Failed { own: true, .. })
                if failures.iter().any(|failed| failed.run == *requester) => {}
            (State::Closed { failures }, HealthSignal::Failed { retry_after, .. }) => {
                failures.retain(|failed| now.since(failed.at) < limits.memory);
                failures.push(Failed { run: requester.clone(), at: now });
                failures.drain(..failures.len().saturating_sub(FAILURES_KEPT));
                if failures.len() >= limits.failures && several(failures, limits.runs) {
                    let tried: Vec<RequesterId> = failures.iter().map(|failed| failed.run.clone()).collect();
                    let failures = u32::try_from(failures.len()).unwrap_or(u32::MAX);
                    tried.iter().for_each(|requester| self.note_tried(requester));
                    self.open(limits, Outage { since: now, failures, probes: 0 }, retry_after, now);
                }
            }
            (State::HalfOpen { outage, probe, .. }, HealthSignal::Failed { retry_after, .. })
                if probe == requester =>
            {
                let failed = Outage { failures: outage.failures + 1, probes: outage.probes + 1, ..*outage };
                self.open(limits, failed, retry_after, now);
            }
            // The next one may see.
            (State::HalfOpen { outage, probe, .. }, HealthSignal::Nothing) if probe == requester => {
                self.state = State::Open { outage: *outage, until: now };
            }
            // Whoever left before it opened has nothing new to say.
            (State::Closed { .. } | State::Open { .. } | State::HalfOpen { .. }, _) => {}
        }
    }

    /// Takes down that no attempt of `requester` is out any more.
    pub fn ended(&mut self, requester: &RequesterId) {
        self.slots.free(requester);
    }

    /// Lets everybody through again.
    pub fn close(&mut self, now: Timestamp) {
        if !matches!(self.state, State::Closed { .. }) {
            self.closed_at = Some(now);
        }
        self.state = State::default();
        self.held_open = false;
        self.tried.clear();
    }

    /// Lets nobody through, not even to see, until it is closed by hand.
    pub fn hold_open(&mut self, now: Timestamp) {
        let outage = match &self.state {
            State::Closed { .. } => Outage { since: now, failures: self.failures(), probes: 0 },
            State::Open { outage, .. } | State::HalfOpen { outage, .. } => *outage,
        };
        if !self.held_open {
            self.state = State::Open { outage, until: now.after(HELD_FOR) };
        }
        self.held_open = true;
    }

    /// Whether an operator opened it: nobody is let through until somebody closes it.
    pub const fn is_held_open(&self) -> bool {
        self.held_open
    }

    /// When it was last closed after it had been open.
    pub const fn closed_at(&self) -> Option<Timestamp> {
        self.closed_at
    }

    /// How many failures in a row it counts.
    pub fn failures(&self) -> u32 {
        match &self.state {
            State::Closed { failures } => u32::try_from(failures.len()).unwrap_or(u32::MAX),
            State::Open { outage, .. } | State::HalfOpen { outage, .. } => outage.failures,
        }
    }

    /// When the next probe may leave; none while nobody waits for one.
    pub const fn next_probe_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Open { until, .. } if !self.held_open => Some(*until),
            State::Open { .. } | State::Closed { .. } | State::HalfOpen { .. } => None,
        }
    }

    /// How many calls the budget's window holds at `now`.
    pub fn used(&self, budget: &Budget, now: Timestamp) -> u32 {
        self.spent.used(budget, now)
    }

    /// How many ask at `now`, where only so many may at once.
    pub fn asking(&self, now: Timestamp) -> u32 {
        self.slots.held(now)
    }

    /// The upstream's own word makes a wait longer, never shorter.
    fn open(&mut self, limits: &Limits, outage: Outage, retry_after: Option<Duration>, now: Timestamp) {
        let doubled = limits.first_wait.saturating_mul(1_u32.checked_shl(outage.probes).unwrap_or(u32::MAX));
        let wait = retry_after.unwrap_or_default().max(doubled).min(limits.longest_wait);
        self.state = State::Open { outage, until: now.after(wait) };
    }

    /// When what is allowed has room for an attempt again; none if it has it now. Those who wait come first.
    fn within_budget_at(
        &self,
        limits: &Limits,
        ask: &AdmissionRequest<'_>,
        waiting: &Waiting,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if let Some(budget) = limits.budget
            && let Some(refilled_at) = self.spent.refilled_at(&budget, ask.cost, now)
        {
            return Some(refilled_at.after(budget.line(waiting)));
        }
        let at_once = limits.at_once?;
        Some(self.slots.freed_at(&at_once, ask.run, now)?.after(at_once.line(waiting)))
    }

    /// From when on this one may go to see. A probe is for somebody who was never tried, if there is anybody; then for whoever
    /// comes, and last for who was the last one. Whose own probe is out, that one was interrupted.
    fn may_probe_at(
        &self,
        limits: &Limits,
        ask: &AdmissionRequest<'_>,
        waiting: &Waiting,
        now: Timestamp,
    ) -> Timestamp {
        let turns = match &self.state {
            State::HalfOpen { probe, .. } if probe == ask.run => return now,
            _ if self.tried.last() == Some(ask.run) && !waiting.is_empty() => 2,
            _ => u32::from(ask.has_failed || self.has_failed(ask.run)),
        };
        self.due_at(limits).map_or(now, |due_at| due_at.after(limits.grace * turns))
    }

    /// Since when nobody is out to see; none while it is closed, or held open.
    fn due_at(&self, limits: &Limits) -> Option<Timestamp> {
        match &self.state {
            _ if self.held_open => None,
            State::Closed { .. } => None,
            State::Open { until, .. } => Some(*until),
            State::HalfOpen { probe_at, .. } => Some(probe_at.after(limits.probe_limit)),
        }
    }

    fn has_failed(&self, requester: &RequesterId) -> bool {
        self.tried.contains(requester)
    }

    fn note_tried(&mut self, requester: &RequesterId) {
        self.tried.retain(|tried| tried != requester);
        self.tried.push(requester.clone());
        self.tried.drain(..self.tried.len().saturating_sub(TRIED_KEPT));
    }
}

/// Whether these come from so many runs.
fn several(failures: &[Failed], runs: usize) -> bool {
    let first = |at: usize, run: &RequesterId| failures.iter().take(at).all(|failed| failed.run != *run);
    failures.iter().enumerate().filter(|(at, failed)| first(*at, &failed.run)).count() >= runs
}
