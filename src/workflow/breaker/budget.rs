//! How often an other side may be asked, and how often it was.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;

/// Into how many slices the window of a budget is cut: what was spent is forgotten slice by slice.
const SLICES: u32 = 10;

/// So many calls in any window of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// So many calls.
    pub calls: u32,
    /// In so long.
    pub window: Duration,
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
