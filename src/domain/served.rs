//! Requests as they are counted.

use std::{collections::BTreeMap, time::Duration};

use super::Timestamp;

/// When a count that was to be written is given up for lost: it takes seconds, unless the platform ended it.
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

/// What was counted and is not written down yet.
#[derive(Debug, Default)]
pub struct Tally {
    counts: BTreeMap<Served, u32>,
    /// Since when somebody is about to write it down.
    awaited_since: Option<Timestamp>,
}

impl Tally {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self { counts: BTreeMap::new(), awaited_since: None }
    }

    /// Counts a request. Whoever is answered `true` has to write the tally down, soon: nobody else will.
    #[must_use]
    pub fn add(&mut self, served: Served, now: Timestamp) -> bool {
        *self.counts.entry(served).or_default() += 1;
        let awaited = self.awaited_since.is_some_and(|since| now.since(since) < LOST_AFTER);
        if !awaited {
            self.awaited_since = Some(now);
        }
        !awaited
    }

    /// Takes what there is, to write it down.
    #[must_use]
    pub fn take(&mut self) -> BTreeMap<Served, u32> {
        std::mem::take(self).counts
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
        Timestamp::from_millis(seconds * 1000)
    }

    fn served(status: u16) -> Served {
        Served::new("/health", "GET", status)
    }

    #[test]
    fn requests_are_told_apart_by_what_callers_can_not_make_up() {
        assert_eq!(served(200), served(204));
        assert_ne!(served(200), served(304));
        assert_eq!(Served::new("/health", "BREW", 405), Served::new("/health", "get", 405));
        assert_ne!(Served::new("/health", "HEAD", 200), served(200));
    }

    #[test]
    fn the_first_of_many_writes_them_all() {
        let mut tally = Tally::new();
        assert!(tally.add(served(200), at(0)));
        assert!(!tally.add(served(200), at(5)));
        assert!(!tally.add(served(500), at(9)));
        assert_eq!(tally.take(), [(served(200), 2), (served(500), 1)].into());
        assert!(tally.take().is_empty());
        assert!(tally.add(served(200), at(9)), "whoever comes then is the first again");
    }

    #[test]
    fn what_could_not_be_written_goes_with_what_comes_next() {
        let mut tally = Tally::new();
        assert!(tally.add(served(200), at(0)));
        let counts = tally.take();
        assert!(tally.add(served(200), at(1)));
        tally.put_back(counts);
        assert!(!tally.add(served(503), at(2)));
        assert_eq!(tally.take(), [(served(200), 2), (served(503), 1)].into());
    }

    #[test]
    fn a_writer_that_never_came_is_replaced() {
        let mut tally = Tally::new();
        assert!(tally.add(served(200), at(0)));
        assert!(!tally.add(served(200), at(59)));
        assert!(tally.add(served(200), at(60)));
        assert!(!tally.add(served(200), at(61)));
    }
}
