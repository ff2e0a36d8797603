//! What the end of an attempt says about the upstream, and what only about a customer's.

use std::time::Duration;

use tenantry::{
    domain::{Upstream, config::Budgets},
    workflow::{
        FailureCode, Outcome, PermanentError, TransientError, TransientErrorCode,
        breaker::{Breaker, HealthSignal, RequesterId, State, limits},
    },
};

use super::run_harness::START;

const FAULTS: [TransientErrorCode; 9] = [
    TransientErrorCode::Timeout,
    TransientErrorCode::Connection,
    TransientErrorCode::ServerError,
    TransientErrorCode::RateLimited,
    TransientErrorCode::Malformed,
    TransientErrorCode::Contradiction,
    TransientErrorCode::Interrupted,
    TransientErrorCode::StoreUnavailable,
    TransientErrorCode::CircuitOpen,
];
const SHARED: [Upstream; 4] =
    [Upstream::AppsScript, Upstream::Google, Upstream::Resend, Upstream::Cloudflare];
const WAIT: Duration = Duration::from_secs(300);

fn unknown(upstream: Upstream, code: TransientErrorCode) -> HealthSignal {
    HealthSignal::of(
        upstream,
        &Outcome::Unknown(TransientError { retry_after: Some(WAIT), ..TransientError::new(code) }),
    )
}

fn refused(upstream: Upstream, code: FailureCode, status: Option<u16>) -> HealthSignal {
    HealthSignal::of(
        upstream,
        &Outcome::Failed(PermanentError { status, ..PermanentError::new(code, "No.") }),
    )
}

#[test]
fn of_make_nothing_says_anything_that_a_customers_own_scenario_can_do() {
    for code in FAULTS {
        let expected = match code {
            TransientErrorCode::Connection => HealthSignal::Failed { retry_after: None, own: false },
            _ => HealthSignal::Nothing,
        };
        assert_eq!(unknown(Upstream::Make, code), expected, "{code:?}");
    }
}

#[test]
fn of_what_all_share_faults_say_that_it_is_in_trouble_and_how_long_it_wants_to_rest() {
    for upstream in SHARED {
        for code in FAULTS {
            let expected = match code {
                TransientErrorCode::Timeout
                | TransientErrorCode::Connection
                | TransientErrorCode::ServerError
                | TransientErrorCode::RateLimited => {
                    HealthSignal::Failed { retry_after: Some(WAIT), own: false }
                }
                TransientErrorCode::Malformed | TransientErrorCode::Contradiction => {
                    HealthSignal::Failed { retry_after: None, own: true }
                }
                TransientErrorCode::Interrupted
                | TransientErrorCode::StoreUnavailable
                | TransientErrorCode::CircuitOpen
                | TransientErrorCode::Other(_) => HealthSignal::Nothing,
            };
            assert_eq!(unknown(upstream, code), expected, "{upstream:?} {code:?}");
        }
    }
}

#[test]
fn a_yes_and_a_no_are_answers_and_what_was_found_out_without_asking_is_none() {
    assert_eq!(HealthSignal::of(Upstream::Make, &Outcome::Done(None)), HealthSignal::Answered);
    let answered = Some(410);
    assert_eq!(refused(Upstream::Make, FailureCode::WebhookRejected, answered), HealthSignal::Answered);
    assert_eq!(refused(Upstream::Make, FailureCode::WebhookRejected, None), HealthSignal::Nothing);
    assert_eq!(refused(Upstream::Google, FailureCode::SpreadsheetMissing, Some(404)), HealthSignal::Answered);
    assert_eq!(refused(Upstream::Google, FailureCode::SpreadsheetMissing, None), HealthSignal::Nothing);
    assert_eq!(refused(Upstream::Cloudflare, FailureCode::SubdomainConflict, None), HealthSignal::Answered);
    assert_eq!(refused(Upstream::AppsScript, FailureCode::Misconfigured, answered), HealthSignal::Nothing);
    assert_eq!(refused(Upstream::Make, FailureCode::WebhookMissing, None), HealthSignal::Nothing);
}

/// A script that chokes on a name does so each time, and its owner may try as often as it likes.
#[test]
fn what_may_be_about_ones_own_data_counts_once() {
    let limits = limits(Upstream::AppsScript, Budgets::default());
    let own = HealthSignal::Failed { retry_after: None, own: true };
    let mut breaker = Breaker::default();
    for number in 0..90 {
        breaker.report(&limits, &RequesterId::of(&format!("run_{}", number % 9)), own, START);
    }
    assert_eq!((breaker.failures(), breaker.next_probe_at()), (9, None));
    breaker.report(&limits, &RequesterId::of("run_9"), own, START);
    assert!(matches!(breaker.state, State::Open { .. }), "ten of them are no coincidence");
}
