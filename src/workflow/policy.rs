//! How each step is tried: every limit of provisioning, in one table.

use std::time::Duration;

use crate::domain::Step;

use super::{Fault, FaultCode};

/// How long a run may take, from being queued (or queued again) to its end.
pub const RUN_LIMIT: Duration = Duration::from_secs(30 * 60);
/// The longest wait that another side's `Retry-After` can make us take.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(10 * 60);
/// Jitter, in percent of the delay, either way.
const JITTER_PERCENT: u64 = 20;

/// What giving up on a step means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivingUp {
    /// The run fails.
    FailsTheRun,
    /// The run goes on with a warning.
    Warns,
}

/// How one step is tried.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// How long one attempt may take.
    pub time_limit: Duration,
    /// How often it is tried, in one round.
    pub attempts: u32,
    /// The wait after the first attempt; doubled after each further one.
    pub first_delay: Duration,
    /// The longest wait.
    pub longest_delay: Duration,
    /// What giving up means.
    pub giving_up: GivingUp,
}

/// The table.
#[must_use]
pub const fn policy(step: Step) -> Policy {
    const fn row(
        time_limit: u64,
        attempts: u32,
        first_delay: u64,
        longest_delay: u64,
        giving_up: GivingUp,
    ) -> Policy {
        Policy {
            time_limit: Duration::from_secs(time_limit),
            attempts,
            first_delay: Duration::from_secs(first_delay),
            longest_delay: Duration::from_secs(longest_delay),
            giving_up,
        }
    }
    use GivingUp::FailsTheRun;
    match step {
        // All that they do is in D1: the mail is stored there, and leaves by itself.
        Step::SeedDefaults | Step::CreateOwner | Step::SendWelcomeEmail | Step::Activate => {
            row(10, 20, 1, 60, FailsTheRun)
        }
        // Up to three calls, one after the other.
        Step::ConfigureRouting => row(15, 8, 2, 60, FailsTheRun),
        // Five seconds is what the contract gives a webhook to answer.
        Step::ValidateWebhook => row(5, 8, 2, 60, FailsTheRun),
        // Apps Script needs seconds on a good day.
        Step::CreateSpreadsheet => row(30, 8, 2, 120, FailsTheRun),
        Step::VerifySpreadsheet => row(30, 8, 2, 60, FailsTheRun),
    }
}

/// What a step leaves behind that undoing has to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    /// Nothing, or nothing that can be taken back.
    Nothing,
    /// Something outside, or rows of the club's own.
    Something,
    /// What every club has from the first moment: its content, its name, its address. Removed last.
    TheName,
}

/// What undoing has to remove.
#[must_use]
pub const fn leaves(step: Step) -> Leaves {
    match step {
        Step::SeedDefaults => Leaves::TheName,
        Step::ConfigureRouting | Step::CreateSpreadsheet | Step::CreateOwner => Leaves::Something,
        // A ping and a mail can't be taken back, a look changed nothing, and the club was stopped before anything is
        // undone.
        Step::ValidateWebhook | Step::VerifySpreadsheet | Step::SendWelcomeEmail | Step::Activate => {
            Leaves::Nothing
        }
    }
}

impl Policy {
    /// Whether an attempt that ended in `fault` is one of those that the step has in a round. The other side that was not
    /// asked has not failed; but a step that only warns ends soon, whatever the reason.
    #[must_use]
    pub fn counts(&self, fault: &Fault) -> bool {
        fault.code != FaultCode::CircuitOpen || self.giving_up == GivingUp::Warns
    }

    /// How long to wait after the `failed`-th attempt (counted from one) of a round ended in `fault`. The other
    /// side's own word wins; `random` spreads the rest, so that a thousand runs that failed together do not come back
    /// together.
    #[must_use]
    pub fn delay(&self, failed: u32, fault: &Fault, random: u32) -> Duration {
        if let Some(asked) = fault.retry_after {
            // What only warns holds no club up while nobody is asked.
            let rests = fault.code == FaultCode::CircuitOpen && self.giving_up == GivingUp::Warns;
            return asked.min(if rests { self.longest_delay } else { LONGEST_RETRY_AFTER });
        }
        let doubled =
            self.first_delay.saturating_mul(1_u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX));
        let millis = u64::try_from(doubled.min(self.longest_delay).as_millis()).unwrap_or(u64::MAX);
        let spread = millis * JITTER_PERCENT / 100;
        let offset = u64::from(random) % (2 * spread + 1);
        Duration::from_millis(millis - spread + offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Fault = Fault::new(FaultCode::Timeout);

    #[test]
    fn delays_double_up_to_the_longest_within_a_fifth_of_jitter() {
        let policy = policy(Step::CreateSpreadsheet);
        for (failed, seconds) in [(1, 2), (2, 4), (3, 8), (6, 64), (7, 120), (40, 120)] {
            for random in [0, 1, 7, 1_000_003, u32::MAX] {
                let delay = policy.delay(failed, &TIMEOUT, random).as_millis();
                assert!(delay >= seconds * 800 && delay <= seconds * 1200, "{failed}: {delay}");
            }
        }
        assert_ne!(policy.delay(3, &TIMEOUT, 0), policy.delay(3, &TIMEOUT, 999));
    }

    #[test]
    fn the_other_sides_word_wins_within_reason() {
        let asked = |seconds| Fault { retry_after: Some(Duration::from_secs(seconds)), ..TIMEOUT };
        let policy = policy(Step::SendWelcomeEmail);
        assert_eq!(policy.delay(1, &asked(37), 5), Duration::from_secs(37));
        assert_eq!(policy.delay(1, &asked(86_400), 5), LONGEST_RETRY_AFTER);
    }

    #[test]
    fn every_step_fits_into_the_run() {
        for step in Step::ALL {
            let policy = policy(step);
            let longest = (policy.time_limit + policy.longest_delay) * policy.attempts;
            assert!(longest <= RUN_LIMIT, "{step:?}: {longest:?}");
        }
    }
}
