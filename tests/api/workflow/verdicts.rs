//! What the end of an attempt says about the other side, and what only about a customer's.

use std::time::Duration;

use tenantry::{
    domain::{Upstream, config::Budgets},
    workflow::{
        Failure, FailureCode, Fault, FaultCode, Outcome,
        breaker::{AskerId, Breaker, State, Verdict, limits},
    },
};

use super::lab::START;

const FAULTS: [FaultCode; 9] = [
    FaultCode::Timeout,
    FaultCode::Connection,
    FaultCode::ServerError,
    FaultCode::RateLimited,
    FaultCode::Malformed,
    FaultCode::Contradiction,
    FaultCode::Interrupted,
    FaultCode::StoreUnavailable,
    FaultCode::CircuitOpen,
];
const SHARED: [Upstream; 4] =
    [Upstream::AppsScript, Upstream::Google, Upstream::Resend, Upstream::Cloudflare];
const WAIT: Duration = Duration::from_secs(300);

fn unknown(upstream: Upstream, code: FaultCode) -> Verdict {
    Verdict::of(upstream, &Outcome::Unknown(Fault { retry_after: Some(WAIT), ..Fault::new(code) }))
}

fn refused(upstream: Upstream, code: FailureCode, status: Option<u16>) -> Verdict {
    Verdict::of(upstream, &Outcome::Refused(Failure { status, ..Failure::new(code, "No.") }))
}

#[test]
fn of_make_nothing_says_anything_that_a_customers_own_scenario_can_do() {
    for code in FAULTS {
        let expected = match code {
            FaultCode::Connection => Verdict::Failed { retry_after: None, own: false },
            _ => Verdict::Nothing,
        };
        assert_eq!(unknown(Upstream::Make, code), expected, "{code:?}");
    }
}

#[test]
fn of_what_all_share_faults_say_that_it_is_in_trouble_and_how_long_it_wants_to_rest() {
    for upstream in SHARED {
        for code in FAULTS {
            let expected = match code {
                FaultCode::Timeout
                | FaultCode::Connection
                | FaultCode::ServerError
                | FaultCode::RateLimited => Verdict::Failed { retry_after: Some(WAIT), own: false },
                FaultCode::Malformed | FaultCode::Contradiction => {
                    Verdict::Failed { retry_after: None, own: true }
                }
                FaultCode::Interrupted
                | FaultCode::StoreUnavailable
                | FaultCode::CircuitOpen
                | FaultCode::Other(_) => Verdict::Nothing,
            };
            assert_eq!(unknown(upstream, code), expected, "{upstream:?} {code:?}");
        }
    }
}

#[test]
fn a_yes_and_a_no_are_answers_and_what_was_found_out_without_asking_is_none() {
    assert_eq!(Verdict::of(Upstream::Make, &Outcome::Done(None)), Verdict::Answered);
    let answered = Some(410);
    assert_eq!(refused(Upstream::Make, FailureCode::WebhookRejected, answered), Verdict::Answered);
    assert_eq!(refused(Upstream::Make, FailureCode::WebhookRejected, None), Verdict::Nothing);
    assert_eq!(refused(Upstream::Google, FailureCode::SpreadsheetMissing, Some(404)), Verdict::Answered);
    assert_eq!(refused(Upstream::Google, FailureCode::SpreadsheetMissing, None), Verdict::Nothing);
    assert_eq!(refused(Upstream::Cloudflare, FailureCode::SubdomainConflict, None), Verdict::Answered);
    assert_eq!(refused(Upstream::AppsScript, FailureCode::Misconfigured, answered), Verdict::Nothing);
    assert_eq!(refused(Upstream::Make, FailureCode::WebhookMissing, None), Verdict::Nothing);
}

/// A script that chokes on a name does so each time, and its owner may try as often as it likes.
#[test]
fn what_may_be_about_ones_own_data_counts_once() {
    let limits = limits(Upstream::AppsScript, Budgets::default());
    let own = Verdict::Failed { retry_after: None, own: true };
    let mut breaker = Breaker::default();
    for number in 0..90 {
        breaker.report(&limits, &AskerId::of(&format!("run_{}", number % 9)), own, START);
    }
    assert_eq!((breaker.failures(), breaker.next_probe_at()), (9, None));
    breaker.report(&limits, &AskerId::of("run_9"), own, START);
    assert!(matches!(breaker.state, State::Open { .. }), "ten of them are no coincidence");
}
