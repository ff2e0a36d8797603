//! What the tests stand on: the application with everything outside of it played, and people who use it.

mod answer;
mod app;
mod breakers;
mod checks;
mod database;
mod dns;
mod examples;
mod objects;
mod people;
mod ports;
mod scrape;
mod tokens;
mod upstreams;
mod witness;

use std::{
    ops::ControlFlow,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

pub use answer::{Answer, keys};
pub use app::{
    AdmissionRequest, METRICS_TOKEN, PLATFORM_SECRET, PLATFORM_WEBHOOK, RECORDS, SECRETS, TestApp,
    WEBHOOK_SECRET, ZONE,
};
pub use database::{Breaks, Cost, Database, Recorded, Saved};
pub use examples::{Body, Example, example, good_tokens, tenant_for};
pub use objects::Manner;
pub use people::{IMPOSSIBLE_MOMENTS, TestTenant, cookie_of, signup, walk_pages};
pub use ports::{Outside, splitmix};
pub use scrape::Scrape;
pub use tokens::Token;
pub use upstreams::{Reaction, RecordedCall};

/// Polls `work` so often and no more: then the process dies.
pub fn dies_after<T>(polls: u64, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if let Poll::Ready(ended) = work.as_mut().poll(&mut context) {
            return Some(ended);
        }
    }
    None
}

/// Polls `work` to its end, and does `at` after each poll but the last: `Break` is the process's death. Answers how often it polled.
pub fn at_each_poll(work: impl Future<Output = ()>, mut at: impl FnMut(usize) -> ControlFlow<()>) -> usize {
    let mut work = pin!(work);
    let mut context = Context::from_waker(Waker::noop());
    let mut polls = 0;
    while work.as_mut().poll(&mut context).is_pending() && at(polls).is_continue() {
        polls += 1;
    }
    polls
}

/// Lets others have `count` turns.
pub fn turns(count: u32) -> Turns {
    Turns(count)
}

/// See [`turns`].
pub struct Turns(u32);

impl Future for Turns {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
