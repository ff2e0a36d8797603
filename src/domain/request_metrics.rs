//! Requests as they are counted.

use std::{collections::BTreeMap, time::Duration};

use super::Timestamp;

/// How long requests are counted before they are flushed together. The platform ends background work 30 seconds after an
/// answer.
const FLUSH_EVERY: Duration = Duration::from_secs(10);
/// When a scheduled flush counts as lost.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);

/// The key that requests are counted by. Nothing in it is chosen by a caller, so the number of keys is bounded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestKey {
    /// The pattern of the route, or `unmatched`.
    pub route: String,
    /// The method, or `other`.
    pub method: &'static str,
    /// The status' first digit.
    pub class: u8,
}

impl RequestKey {
    /// A request by the pattern of its route, its method, and the status of its answer.
    pub fn new(route: &str, method: &str, status: u16) -> Self {
        const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("other");
        Self { route: route.to_owned(), method, class: u8::try_from(status / 100).unwrap_or(5) }
    }
}

/// Who flushes the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlushDecision {
    /// This request, now.
    Now,
    /// This request, when so much time has passed.
    After(Duration),
    /// Another one.
    Scheduled,
}

/// Counts that were not flushed yet.
#[derive(Debug, Default)]
pub struct RequestCounter {
    counts: BTreeMap<RequestKey, u32>,
    /// When somebody last set out to write.
    written_at: Option<Timestamp>,
    /// Since when somebody waits in order to write.
    awaited_since: Option<Timestamp>,
}

impl RequestCounter {
    /// An empty one.
    pub const fn new() -> Self {
        Self { counts: BTreeMap::new(), written_at: None, awaited_since: None }
    }

    /// Counts a request, and says who writes.
    ///
    /// While a request waits, nobody who follows the log sees its lines. So none waits that somebody may look out for: only one
    /// that read something, and was answered well.
    pub fn add(&mut self, request: RequestKey, now: Timestamp) -> FlushDecision {
        let may_wait = request.method == "GET" && request.class < 4;
        *self.counts.entry(request).or_default() += 1;
        let wait = self.written_at.map_or(Duration::ZERO, |at| FLUSH_EVERY.saturating_sub(now.since(at)));
        let awaited = self.awaited_since.is_some_and(|since| now.since(since) < FLUSH_TIMEOUT);
        if awaited {
            FlushDecision::Scheduled
        } else if wait.is_zero() {
            self.written_at = Some(now);
            FlushDecision::Now
        } else if may_wait {
            self.awaited_since = Some(now);
            FlushDecision::After(wait)
        } else {
            FlushDecision::Scheduled
        }
    }

    /// Takes what there is, to write it down.
    pub fn take(&mut self, now: Timestamp) -> BTreeMap<RequestKey, u32> {
        self.written_at = Some(now);
        self.awaited_since = None;
        std::mem::take(&mut self.counts)
    }

    /// Puts back what could not be written: it goes with what comes next.
    pub fn put_back(&mut self, counts: BTreeMap<RequestKey, u32>) {
        for (request, requests) in counts {
            *self.counts.entry(request).or_default() += requests;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn request(status: u16) -> RequestKey {
        RequestKey::new("/health", "GET", status)
    }

    fn after(seconds: u64) -> FlushDecision {
        FlushDecision::After(Duration::from_secs(seconds))
    }

    #[test]
    fn requests_are_told_apart_by_what_callers_can_not_make_up() {
        assert_eq!(request(200), request(204));
        assert_ne!(request(200), request(304));
        assert_eq!(RequestKey::new("/health", "BREW", 405), RequestKey::new("/health", "get", 405));
        assert_ne!(RequestKey::new("/health", "HEAD", 200), request(200));
    }

    #[test]
    fn one_alone_is_written_at_once_and_of_many_one_waits_for_the_others() {
        let mut counter = RequestCounter::new();
        assert_eq!(counter.add(request(200), at(100)), FlushDecision::Now);
        assert_eq!(counter.take(at(100)), [(request(200), 1)].into());
        assert_eq!(counter.add(request(200), at(103)), after(7));
        assert_eq!(counter.add(request(200), at(104)), FlushDecision::Scheduled);
        assert_eq!(counter.add(request(404), at(109)), FlushDecision::Scheduled);
        assert_eq!(counter.take(at(110)), [(request(200), 2), (request(404), 1)].into());
        assert!(counter.take(at(110)).is_empty());
        assert_eq!(counter.add(request(503), at(120)), FlushDecision::Now);
    }

    #[test]
    fn none_waits_whose_lines_somebody_may_look_out_for() {
        let mut counter = RequestCounter::new();
        assert_eq!(counter.add(request(200), at(100)), FlushDecision::Now);
        for eager in [request(404), request(503), RequestKey::new("/public/signup/start", "POST", 200)] {
            assert_eq!(counter.add(eager, at(101)), FlushDecision::Scheduled);
        }
        assert_eq!(counter.add(request(304), at(102)), after(8));
        assert_eq!(counter.take(at(110)).values().sum::<u32>(), 5);
    }

    #[test]
    fn what_could_not_be_written_goes_with_what_comes_next() {
        let mut counter = RequestCounter::new();
        assert_eq!(counter.add(request(200), at(100)), FlushDecision::Now);
        let counts = counter.take(at(100));
        assert_eq!(counter.add(request(200), at(101)), after(9));
        counter.put_back(counts);
        assert_eq!(counter.add(request(503), at(102)), FlushDecision::Scheduled);
        assert_eq!(counter.take(at(110)), [(request(200), 2), (request(503), 1)].into());
    }

    #[test]
    fn a_writer_that_never_came_is_replaced() {
        let mut counter = RequestCounter::new();
        assert_eq!(counter.add(request(200), at(100)), FlushDecision::Now);
        assert_eq!(counter.add(request(200), at(101)), after(9));
        assert_eq!(counter.add(request(200), at(160)), FlushDecision::Scheduled);
        assert_eq!(counter.add(request(500), at(161)), FlushDecision::Now);
    }
}
