//! How often an upstream may be asked, and how often it was.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{
    Timestamp,
    upstream::{AtOnce, Budget},
};

use super::{RequesterId, Waiting};

/// When those come again who found that as many ask as may.
const SLOT_WAIT: Duration = Duration::from_secs(10);
/// Into how many slices the window of a budget is cut: what was spent is forgotten slice by slice.
const SLICES: u32 = 10;

impl Budget {
    /// How long it takes until the budget was enough for all who wait.
    pub(super) fn line(&self, waiting: &Waiting) -> Duration {
        self.window * waiting.len() / self.calls.max(1)
    }
}

impl AtOnce {
    /// How long it may take until there was room for all who wait.
    pub(super) fn line(&self, waiting: &Waiting) -> Duration {
        SLOT_WAIT * waiting.len() / self.calls.max(1)
    }
}

/// Who asks now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Slots(Vec<Slot>);

/// One who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Slot {
    run: RequesterId,
    until: Timestamp,
}

impl Slots {
    /// Whether nobody asks.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many ask at `now`.
    pub fn held(&self, now: Timestamp) -> u32 {
        let held = self.0.iter().filter(|slot| now < slot.until).count();
        u32::try_from(held).unwrap_or(u32::MAX)
    }

    /// When it is worth while for `requester` to come again; none if it may ask now.
    pub fn freed_at(&self, at_once: &AtOnce, requester: &RequesterId, now: Timestamp) -> Option<Timestamp> {
        // Whose earlier attempt was interrupted has its place already.
        if self.held(now) < at_once.calls || self.0.iter().any(|slot| slot.run == *requester) {
            return None;
        }
        self.free_at(at_once, now).map(|lapses_at| lapses_at.min(now.after(SLOT_WAIT)))
    }

    /// When a place is free at the latest; none if one is free now.
    pub fn free_at(&self, at_once: &AtOnce, now: Timestamp) -> Option<Timestamp> {
        let held = self.0.iter().map(|slot| slot.until).filter(|until| now < *until);
        if self.held(now) < at_once.calls { None } else { held.min() }
    }

    /// Takes a place for `requester`.
    pub fn take(&mut self, at_once: &AtOnce, requester: &RequesterId, now: Timestamp) {
        self.0.retain(|slot| now < slot.until && slot.run != *requester);
        self.0.push(Slot { run: requester.clone(), until: now.after(at_once.held_for) });
    }

    /// Gives the place of `requester` back.
    pub fn free(&mut self, requester: &RequesterId) {
        self.0.retain(|slot| slot.run != *requester);
    }
}

/// What was spent of a budget, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Spent(Vec<Slice>);

/// Calls that were let through at about the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Slice {
    at: Timestamp,
    calls: u32,
}

impl Spent {
    /// How many calls the window holds at `now`.
    pub fn used(&self, budget: &Budget, now: Timestamp) -> u32 {
        self.in_window(budget, now).map(|slice| slice.calls).sum()
    }

    /// When the budget has `cost` calls again; none if it has them now. More than it ever has is all that it has.
    pub fn refilled_at(&self, budget: &Budget, cost: u32, now: Timestamp) -> Option<Timestamp> {
        let wanted = self.used(budget, now).saturating_add(cost.min(budget.calls));
        let mut over = wanted.saturating_sub(budget.calls);
        for slice in self.in_window(budget, now) {
            if over > 0 && slice.calls >= over {
                return Some(slice.ends_at(budget));
            }
            over = over.saturating_sub(slice.calls);
        }
        None
    }

    /// Takes `cost` calls out of the budget.
    pub fn spend(&mut self, budget: &Budget, cost: u32, now: Timestamp) {
        let cost = cost.min(budget.calls);
        self.0.retain(|slice| slice.ends_at(budget) > now);
        match self.0.last_mut() {
            Some(last) if now.since(last.at) < budget.window / SLICES => last.calls += cost,
            _ => self.0.push(Slice { at: now, calls: cost }),
        }
    }

    fn in_window(&self, budget: &Budget, now: Timestamp) -> impl Iterator<Item = &Slice> {
        self.0.iter().filter(move |slice| slice.ends_at(budget) > now)
    }
}

impl Slice {
    /// When the youngest call that may be in it has left the window.
    fn ends_at(&self, budget: &Budget) -> Timestamp {
        self.at.after(budget.window + budget.window / SLICES)
    }
}
