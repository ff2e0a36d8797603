//! How a step is tried again, and every limit of a run. What differs from step to step is in [`Step::spec`].

use std::time::Duration;

pub use crate::domain::step::{Compensation, Policy};
use crate::domain::{Step, Task, Timestamp};

use super::{TransientError, TransientErrorCode};

/// How long a run may take, from being queued (or queued again) to its end.
pub const RUN_LIMIT: Duration = Duration::from_secs(30 * 60);
/// The last attempt of a step begins so long before the run's deadline, beside the step's own time limit.
const BEFORE_DEADLINE: Duration = Duration::from_secs(5);
/// How long the removed tenant's object keeps its checkpoint, which holds a name and an address.
pub const KEPT_AFTER_REMOVAL: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a run waits for a tenant that D1 does not know before what it made is removed: a restored database by mistake
/// may be put forward again.
pub const ORPHAN_GRACE: Duration = Duration::from_secs(24 * 3600);
/// How long after a run ended D1 is checked for its tenant. Only a backup that is older than the run lacks the tenant, so the
/// checks thin out as the run ages.
pub const TENANT_CHECKS: [Duration; 7] = [
    Duration::from_secs(3600),
    Duration::from_secs(6 * 3600),
    Duration::from_secs(24 * 3600),
    Duration::from_secs(3 * 24 * 3600),
    Duration::from_secs(7 * 24 * 3600),
    Duration::from_secs(14 * 24 * 3600),
    Duration::from_secs(30 * 24 * 3600),
];
/// How long a run waits before it looks again whether provisioning is still paused.
pub const PAUSE_CHECK: Duration = Duration::from_secs(30);
/// After a run that failed for an outage, how long until it is resumed without anyone asking: one pause per try. A breaker
/// that closes meanwhile resumes it sooner.
pub const RESUME_AFTER: [Duration; 7] = [
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(3600),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(4 * 3600),
    Duration::from_secs(8 * 3600),
];
/// The longest `Retry-After` that is honoured.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(10 * 60);
/// Jitter, in percent of the delay, either way.
const JITTER_PERCENT: u64 = 20;

/// How a step is tried.
pub const fn policy(step: Step) -> Policy {
    step.spec().policy
}

/// What undoing has to remove of a step.
pub const fn compensation(step: Step) -> Compensation {
    step.spec().compensation
}

/// Whether a run, or undoing it, ends with this: the tenant goes live, or its name is free. It can't be left out, and D1 hears of
/// the end in the batch that does it.
pub const fn is_last(task: Task) -> bool {
    match task {
        Task::Do(step) => matches!(step, Step::Activate),
        Task::Undo(step) => matches!(compensation(step), Compensation::SlugAndEmail),
    }
}

/// How often a task was tried since its run was last queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// Attempts that count.
    pub counted: u32,
    /// Attempts in a row, the last ones, that did not count.
    pub uncounted: u32,
}

impl Policy {
    /// Whether an attempt that ended in `fault` is one of those that the step has in a round. An upstream that was not asked has
    /// not failed, and neither has it if the interruption or the outage was our own: the run's deadline bounds those.
    pub const fn uses_attempt(&self, fault: &TransientError) -> bool {
        !matches!(
            fault.code,
            TransientErrorCode::CircuitOpen
                | TransientErrorCode::StoreUnavailable
                | TransientErrorCode::Interrupted
        )
    }

    /// When to try again after an attempt that ended in `fault`; none when it fails. The attempts are spread over the time until
    /// `deadline_at`: the last one begins right before it, unless the upstream asked for more time than there is.
    pub fn next_attempt(
        &self,
        tries: Tries,
        fault: &TransientError,
        deadline_at: Timestamp,
        now: Timestamp,
        random: u32,
    ) -> Option<Timestamp> {
        if !self.uses_attempt(fault) {
            let wait = match fault.code {
                // One interruption is ours, and over: nothing is gained by waiting. Many in a row are something else.
                TransientErrorCode::Interrupted if tries.uncounted <= 1 => Duration::ZERO,
                _ => self.delay(tries.uncounted, fault, random),
            };
            return Some(now.after(wait));
        }
        if tries.counted >= self.attempts {
            return None;
        }
        let next = now.after(self.delay(tries.counted, fault, random));
        let last = deadline_at.before(self.time_limit + BEFORE_DEADLINE);
        let asks_too_much =
            fault.retry_after.is_some_and(|asked| now.after(asked.min(LONGEST_RETRY_AFTER)) > last);
        if next <= last || asks_too_much {
            return Some(next);
        }
        (now.after(self.first_delay) <= last).then_some(last)
    }

    /// How long to wait after the `failed`-th attempt (counted from one) of a round ended in `fault`. The upstream may ask for more
    /// time than we would take, up to a bound, and never for less; a breaker says exactly when. `random` spreads the rest, so that
    /// a thousand runs that failed together do not come back together.
    pub fn delay(&self, failed: u32, fault: &TransientError, random: u32) -> Duration {
        let own = self.backoff(failed, random);
        match (fault.code, fault.retry_after) {
            (_, None) => own,
            (TransientErrorCode::CircuitOpen, Some(asked)) => asked.min(LONGEST_RETRY_AFTER),
            (_, Some(asked)) => own.max(asked.min(LONGEST_RETRY_AFTER)),
        }
    }

    fn backoff(&self, failed: u32, random: u32) -> Duration {
        let doubled =
            self.first_delay.saturating_mul(1_u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX));
        jittered(doubled.min(self.longest_delay), random)
    }
}

/// The backoff after the `failed`-th failed projection in a row (counted from one), with jitter: a database that has just
/// come back is not met by everybody at once. One that does not know the tenant is asked less and less.
pub fn projection_delay(failed: u32, is_orphan: bool, random: u32) -> Duration {
    let (first, longest) = (10, if is_orphan { 3600 } else { 300 });
    let doubled = 1_u64.checked_shl(failed.saturating_sub(1)).unwrap_or(u64::MAX).saturating_mul(first);
    jittered(Duration::from_secs(doubled.min(longest)), random)
}

/// Up to a fifth less or more.
fn jittered(wait: Duration, random: u32) -> Duration {
    let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    let spread = millis * JITTER_PERCENT / 100;
    let offset = u64::from(random) % (2 * spread + 1);
    Duration::from_millis(millis - spread + offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: TransientError = TransientError::new(TransientErrorCode::Timeout);
    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn delays_double_up_to_the_longest_within_a_fifth_of_jitter() {
        let policy = policy(Step::CreateSpreadsheet);
        for (failed, seconds) in [(1, 2), (2, 4), (3, 8), (6, 64), (8, 240), (40, 240)] {
            for random in [0, 1, 7, 1_000_003, u32::MAX] {
                let delay = policy.delay(failed, &TIMEOUT, random).as_millis();
                assert!(delay >= seconds * 800 && delay <= seconds * 1200, "{failed}: {delay}");
            }
        }
        assert_ne!(policy.delay(3, &TIMEOUT, 0), policy.delay(3, &TIMEOUT, 999));
    }

    #[test]
    fn an_upstream_may_ask_for_more_time_within_reason_and_never_for_less() {
        let asked = |seconds| TransientError { retry_after: Some(Duration::from_secs(seconds)), ..TIMEOUT };
        let policy = policy(Step::ValidateWebhook);
        assert_eq!(policy.delay(1, &asked(37), 5), Duration::from_secs(37));
        assert_eq!(policy.delay(1, &asked(86_400), 5), LONGEST_RETRY_AFTER);
        for failed in 1..10 {
            assert_eq!(policy.delay(failed, &asked(0), 5), policy.delay(failed, &TIMEOUT, 5), "{failed}");
        }
    }

    #[test]
    fn a_breaker_says_exactly_when() {
        let rests = TransientError {
            retry_after: Some(Duration::from_secs(1)),
            ..TransientError::new(TransientErrorCode::CircuitOpen)
        };
        assert_eq!(policy(Step::ValidateWebhook).delay(9, &rests, 5), Duration::from_secs(1));
    }

    /// Whatever the jitter: the first failure comes early, the last attempt right before the deadline.
    #[test]
    fn attempts_are_spread_over_the_whole_run() {
        for step in Step::ALL.into_iter().filter(|step| policy(*step).longest_delay.as_secs() == 240) {
            for random in [0, 7, 1_000_003, u32::MAX] {
                for asked in [None, Some(0), Some(20)] {
                    let fault = TransientError { retry_after: asked.map(Duration::from_secs), ..TIMEOUT };
                    let (policy, deadline_at) = (policy(step), NOW.after(RUN_LIMIT));
                    let (mut now, mut counted) = (NOW, 1);
                    while let Some(next) =
                        policy.next_attempt(Tries { counted, uncounted: 0 }, &fault, deadline_at, now, random)
                    {
                        assert!(next > now, "{step:?} {counted} {asked:?}");
                        if next.after(policy.time_limit) >= deadline_at {
                            let wait = fault.retry_after.unwrap_or_default() + policy.time_limit;
                            assert!(
                                now.after(wait) > deadline_at.before(BEFORE_DEADLINE),
                                "{step:?} {counted} {asked:?}"
                            );
                            break;
                        }
                        (now, counted) = (next, counted + 1);
                    }
                    assert!(
                        now.since(NOW) > RUN_LIMIT - Duration::from_secs(45),
                        "{step:?}: {now:?} {asked:?}"
                    );
                    assert!((10..=policy.attempts).contains(&counted), "{step:?}: {counted} {asked:?}");
                }
            }
        }
    }

    #[test]
    fn a_database_that_came_back_is_not_met_by_everybody_at_once() {
        let first: Vec<Duration> = (0..9).map(|random| projection_delay(1, false, random * 411)).collect();
        assert!(first.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(projection_delay(30, false, 0) >= Duration::from_secs(240));
        assert!(projection_delay(30, false, u32::MAX) <= Duration::from_secs(360));
        assert!(projection_delay(30, true, 0) >= Duration::from_secs(2880));
    }
}
