//! Requests as they are counted.

use std::{collections::BTreeMap, time::Duration};

use super::Timestamp;

/// How long requests are counted before they are written down together. The platform ends what goes on 30 seconds after an
/// answer.
const COUNTED_FOR: Duration = Duration::from_secs(10);
/// When somebody who was to write is given up for lost.
const LOST_AFTER: Duration = Duration::from_secs(60);

/// What requests are told apart by. Nothing that a caller makes up is in it: there are only so many of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Served {
    /// The pattern of the route, or `unmatched`.
    pub route: String,
    /// The method, or `other`.
    pub method: &'static str,
    /// The status' first digit.
    pub class: u8,
}

impl Served {
    /// A request by the pattern of its route, its method, and the status of its answer.
    #[must_use]
    pub fn new(route: &str, method: &str, status: u16) -> Self {
        const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("other");
        Self { route: route.to_owned(), method, class: u8::try_from(status / 100).unwrap_or(5) }
    }
}

/// Who writes down what was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// This request, now.
    Now,
    /// This request, when so much time has passed.
    After(Duration),
    /// Another one.
    Another,
}

/// What was counted and is not written down yet.
#[derive(Debug, Default)]
pub struct Tally {
    counts: BTreeMap<Served, u32>,
    /// When somebody last set out to write.
    written_at: Option<Timestamp>,
    /// Since when somebody waits in order to write.
    awaited_since: Option<Timestamp>,
}

impl Tally {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self { counts: BTreeMap::new(), written_at: None, awaited_since: None }
    }

    /// Counts a request, and says who writes.
    ///
    /// While a request waits, nobody who follows the log sees its lines. So none waits that somebody may look out for: only one
    /// that read something, and was answered well.
    #[must_use]
    pub fn add(&mut self, served: Served, now: Timestamp) -> Turn {
        let may_wait = served.method == "GET" && served.class < 4;
        *self.counts.entry(served).or_default() += 1;
        let rest = self.written_at.map_or(Duration::ZERO, |at| COUNTED_FOR.saturating_sub(now.since(at)));
        let awaited = self.awaited_since.is_some_and(|since| now.since(since) < LOST_AFTER);
        if awaited {
            Turn::Another
        } else if rest.is_zero() {
            self.written_at = Some(now);
            Turn::Now
        } else if may_wait {
            self.awaited_since = Some(now);
            Turn::After(rest)
        } else {
            Turn::Another
        }
    }

    /// Takes what there is, to write it down.
    #[must_use]
    pub fn take(&mut self, now: Timestamp) -> BTreeMap<Served, u32> {
        self.written_at = Some(now);
        self.awaited_since = None;
        std::mem::take(&mut self.counts)
    }

    /// Puts back what could not be written: it goes with what comes next.
    pub fn put_back(&mut self, counts: BTreeMap<Served, u32>) {
        for (served, requests) in counts {
            *self.counts.entry(served).or_default() += requests;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn served(status: u16) -> Served {
        Served::new("/health", "GET", status)
    }

    fn after(seconds: u64) -> Turn {
        Turn::After(Duration::from_secs(seconds))
    }

    #[test]
    fn requests_are_told_apart_by_what_callers_can_not_make_up() {
        assert_eq!(served(200), served(204));
        assert_ne!(served(200), served(304));
        assert_eq!(Served::new("/health", "BREW", 405), Served::new("/health", "get", 405));
        assert_ne!(Served::new("/health", "HEAD", 200), served(200));
    }

    #[test]
    fn one_alone_is_written_at_once_and_of_many_one_waits_for_the_others() {
        let mut tally = Tally::new();
        assert_eq!(tally.add(served(200), at(100)), Turn::Now);
        assert_eq!(tally.take(at(100)), [(served(200), 1)].into());
        assert_eq!(tally.add(served(200), at(103)), after(7));
        assert_eq!(tally.add(served(200), at(104)), Turn::Another);
        assert_eq!(tally.add(served(404), at(109)), Turn::Another);
        assert_eq!(tally.take(at(110)), [(served(200), 2), (served(404), 1)].into());
        assert!(tally.take(at(110)).is_empty());
        assert_eq!(tally.add(served(503), at(120)), Turn::Now);
    }

    #[test]
    fn none_waits_whose_lines_somebody_may_look_out_for() {
        let mut tally = Tally::new();
        assert_eq!(tally.add(served(200), at(100)), Turn::Now);
        for eager in [served(404), served(503), Served::new("/public/signup/start", "POST", 200)] {
            assert_eq!(tally.add(eager, at(101)), Turn::Another);
        }
        assert_eq!(tally.add(served(304), at(102)), after(8));
        assert_eq!(tally.take(at(110)).values().sum::<u32>(), 5);
    }

    #[test]
    fn what_could_not_be_written_goes_with_what_comes_next() {
        let mut tally = Tally::new();
        assert_eq!(tally.add(served(200), at(100)), Turn::Now);
        let counts = tally.take(at(100));
        assert_eq!(tally.add(served(200), at(101)), after(9));
        tally.put_back(counts);
        assert_eq!(tally.add(served(503), at(102)), Turn::Another);
        assert_eq!(tally.take(at(110)), [(served(200), 2), (served(503), 1)].into());
    }

    #[test]
    fn a_writer_that_never_came_is_replaced() {
        let mut tally = Tally::new();
        assert_eq!(tally.add(served(200), at(100)), Turn::Now);
        assert_eq!(tally.add(served(200), at(101)), after(9));
        assert_eq!(tally.add(served(200), at(160)), Turn::Another);
        assert_eq!(tally.add(served(500), at(161)), Turn::Now);
    }
}
