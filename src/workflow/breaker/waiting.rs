//! Who waits at a breaker, and when they are told to go on: at a pace, as soon as there is no need to wait any more.
//!
//! A help, like the breaker: whoever waits comes by its own clock, too, told or not.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{TenantId, Timestamp};

use super::{Breaker, Limits, State};

/// How many are remembered. The oldest are forgotten first: their own clocks ring before those of the others.
const KEPT: usize = 500;
/// How often some of them are told.
const PACE: Duration = Duration::from_secs(1);
/// How many are told at once, where nothing else limits them.
const AT_A_TIME: u32 = 25;

/// Who waits, the longest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    line: Vec<Waiter>,
    /// When some were last told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    woken_at: Option<Timestamp>,
}

/// One who waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Waiter {
    tenant: TenantId,
    /// How often it will ask.
    cost: u32,
    /// Whether it failed before: it is told after those that did not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    has_failed: bool,
}

/// What comes of an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waking {
    /// Who waits from now on.
    pub waiting: Waiting,
    /// Whom to tell to go on.
    pub tenants: Vec<TenantId>,
}

impl Waiting {
    /// How many wait.
    pub fn len(&self) -> u32 {
        u32::try_from(self.line.len()).unwrap_or(u32::MAX)
    }

    /// Whether nobody waits.
    pub const fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// Somebody waits, who keeps the place that it has.
    pub(super) fn join(&mut self, tenant: &TenantId, cost: u32, has_failed: bool) {
        match self.line.iter_mut().find(|waiter| waiter.tenant == *tenant) {
            Some(known) => (known.cost, known.has_failed) = (cost, has_failed),
            None => self.line.push(Waiter { tenant: tenant.clone(), cost, has_failed }),
        }
        self.line.drain(..self.line.len().saturating_sub(KEPT));
    }

    /// Somebody waits no more.
    pub(super) fn leave(&mut self, tenant: &TenantId) {
        self.line.retain(|waiter| waiter.tenant != *tenant);
    }

    /// The next one: of those that never failed, if there are any, the one that waits the longest.
    fn next(&self) -> Option<&Waiter> {
        self.line.iter().find(|waiter| !waiter.has_failed).or_else(|| self.line.first())
    }

    /// Takes out as many as `room` is enough for. Those that failed before, and may open it again, come after all the others.
    fn take(&mut self, room: Room, now: Timestamp) -> Vec<TenantId> {
        let have_failed = self.next().is_some_and(|next| next.has_failed);
        let (mut calls, mut tenants) = (room.calls, Vec::new());
        while tenants.len() < room.waiters
            && let Some(next) = self.next()
            && next.has_failed == have_failed
            && (next.cost <= calls || tenants.is_empty())
        {
            calls = calls.saturating_sub(next.cost);
            let tenant = next.tenant.clone();
            self.leave(&tenant);
            tenants.push(tenant);
        }
        if !tenants.is_empty() {
            self.woken_at = Some(now);
        }
        tenants
    }
}

/// How many may go on.
#[derive(Debug, Clone, Copy)]
struct Room {
    waiters: usize,
    calls: u32,
}

/// When the alarm has to ring; none while nobody waits, or an operator holds it open.
pub fn rings_at(breaker: &Breaker, waiting: &Waiting, limits: &Limits, now: Timestamp) -> Option<Timestamp> {
    let next = waiting.next()?;
    let at = match &breaker.state {
        State::Closed { .. } => breaker.has_room_at(limits, next.cost, now),
        // Somebody has to go and see.
        State::Open { .. } | State::HalfOpen { .. } => {
            breaker.due_at(limits)?.after(if next.has_failed { limits.grace } else { Duration::ZERO })
        }
    };
    Some(waiting.woken_at.map_or(at, |woken_at| at.max(woken_at.after(PACE))))
}

/// Says who goes on now: while it is closed, as many as there is room for; else one, to see.
pub fn wake(breaker: &Breaker, waiting: &Waiting, limits: &Limits, now: Timestamp) -> Waking {
    let mut waiting = waiting.clone();
    let tenants = match rings_at(breaker, &waiting, limits, now) {
        Some(at) if at <= now => waiting.take(breaker.room(limits, now), now),
        Some(_) | None => Vec::new(),
    };
    Waking { waiting, tenants }
}

impl Breaker {
    /// From when on one that asks so often may leave, while it is closed.
    fn has_room_at(&self, limits: &Limits, cost: u32, now: Timestamp) -> Timestamp {
        let refilled_at = limits.budget.and_then(|budget| self.spent.refilled_at(&budget, cost, now));
        let freed_at = limits.at_once.and_then(|at_once| self.slots.free_at(&at_once, now));
        refilled_at.max(freed_at).unwrap_or(now)
    }

    fn room(&self, limits: &Limits, now: Timestamp) -> Room {
        if !matches!(self.state, State::Closed { .. }) {
            return Room { waiters: 1, calls: u32::MAX };
        }
        let calls = limits
            .budget
            .map_or(u32::MAX, |budget| budget.calls.saturating_sub(self.spent.used(&budget, now)));
        let waiters = limits
            .at_once
            .map_or(AT_A_TIME, |at_once| at_once.calls.saturating_sub(self.slots.held(now)).min(AT_A_TIME));
        Room { waiters: usize::try_from(waiters).unwrap_or(usize::MAX), calls }
    }
}
