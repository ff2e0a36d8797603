//! The upstreams that provisioning depends on, and how often each may be asked.

use std::time::Duration;

use super::{config::Budgets, words};

words! {
    /// One of the upstreams, as far as it fails as a whole.
    #[derive(PartialOrd, Ord, Hash)]
    Upstream {
        /// Make, behind the tenants' webhooks.
        Make = "make",
        /// The Apps Script web app that makes spreadsheets.
        AppsScript = "apps_script",
        /// Google's own APIs.
        Google = "google",
        /// Resend, which sends mail.
        Resend = "resend",
        /// Cloudflare's API.
        Cloudflare = "cloudflare",
    }
}

/// So many calls in any window of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// So many calls.
    pub calls: u32,
    /// In so long.
    pub window: Duration,
}

/// So many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtOnce {
    /// So many.
    pub calls: u32,
    /// For how long one counts that does not report its end: longer than any attempt takes.
    pub held_for: Duration,
}

/// How much an upstream takes.
#[derive(Debug, Clone, Copy)]
pub struct Capacity {
    /// How often it may be asked.
    pub budget: Option<Budget>,
    /// How many may ask it at once.
    pub at_once: Option<AtOnce>,
    /// The longest that its breaker keeps everybody from asking, its own word included.
    pub longest_wait: Duration,
}

impl Capacity {
    /// Of one that is asked as often as anybody likes, and spared for five minutes at most.
    const UNLIMITED: Self = Self { budget: None, at_once: None, longest_wait: Duration::from_secs(300) };
}

impl Upstream {
    /// The table of upstreams, one row each, for an account with these budgets.
    pub const fn capacity(self, budgets: Budgets) -> Capacity {
        match self {
            // Behind it are customers' own servers: nobody has to be spared, and whatever opened it is to be over soon.
            Self::Make => Capacity { longest_wait: Duration::from_secs(60), ..Capacity::UNLIMITED },
            // An attempt makes two calls of thirty seconds, and then writes down what came of it.
            Self::AppsScript => Capacity {
                at_once: Some(AtOnce {
                    calls: budgets.apps_script_at_once,
                    held_for: Duration::from_secs(80),
                }),
                ..Capacity::UNLIMITED
            },
            Self::Google => Capacity::UNLIMITED,
            Self::Resend => Capacity {
                budget: Some(Budget {
                    calls: budgets.resend_calls_per_second,
                    window: Duration::from_secs(1),
                }),
                ..Capacity::UNLIMITED
            },
            // What Cloudflare's API allows one account.
            Self::Cloudflare => Capacity {
                budget: Some(Budget { calls: 1200, window: Duration::from_secs(300) }),
                ..Capacity::UNLIMITED
            },
            Self::Other(_) => Capacity::UNLIMITED,
        }
    }

    /// Whether a customer's own server answers behind it.
    pub const fn is_tenant_owned(self) -> bool {
        matches!(self, Self::Make)
    }
}
