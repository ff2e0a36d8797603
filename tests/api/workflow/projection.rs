//! D1 can't be updated: that holds up nothing, and is made up for.

use std::time::Duration;

use tenantry::{
    domain::{Plan, Step},
    workflow::{TransientError, TransientErrorCode},
};

use super::{
    every_step,
    run_harness::{Attempt, RunHarness},
};

#[test]
fn one_listing_that_fails_is_made_up_for() {
    for plan in [Plan::Starter, Plan::Pro] {
        for before in 0..8 {
            let harness = RunHarness::queued(plan);
            harness.listing_fails.set(before);
            harness.runs_to_the_end();
            assert_eq!(harness.ended(), "completed", "{before}");
            assert_eq!(harness.attempts.borrow().len(), Step::of(plan).len(), "{before}");
            let known = harness.told.borrow().iter().filter(|word| *word == "not listed").count();
            assert_eq!(known, before, "each is told to the log");
        }
    }
}

#[test]
fn without_any_listing_a_run_completes_all_the_same() {
    for plan in [Plan::Starter, Plan::Pro] {
        let harness = RunHarness::queued(plan);
        harness.listing_fails.set(usize::MAX);
        for _ in 0..50 {
            assert!(harness.rings(), "an alarm is armed as long as D1 doesn't know");
        }
        assert_eq!(harness.ended(), "completed");
        assert!(harness.run().has_pending_projection());
        assert_eq!(harness.attempts.borrow().len(), Step::of(plan).len());
        harness.listing_fails.set(0);
        harness.runs_to_the_end();
    }
}

/// So that a database that has just come back is not met by everybody every ten seconds.
#[test]
fn what_could_not_be_listed_is_tried_again_less_and_less() {
    let harness = RunHarness::queued(Plan::Starter);
    harness.listing_fails.set(usize::MAX);
    harness.rings();
    let mut last = Duration::ZERO;
    for _ in 0..12 {
        let wait = harness.alarm().unwrap().since(harness.clock());
        assert!(wait >= last && wait <= Duration::from_secs(360), "{wait:?} after {last:?}");
        last = wait;
        harness.rings();
    }
    assert!(last >= Duration::from_secs(240), "{last:?}");
    harness.listing_fails.set(0);
    harness.runs_to_the_end();
    assert_eq!(harness.run().projection_failures, 0);
}

/// A wait that is longer than that must not hide the run from D1 until then.
#[test]
fn a_long_wait_is_listed_before_it_ends() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        let fault = TransientError {
            retry_after: Some(Duration::from_secs(400)),
            ..TransientError::new(TransientErrorCode::ServerError)
        };
        harness.next(step, [Attempt::Unknown(fault)]);
        harness.listing_fails.set(usize::MAX);
        harness.rings();
        assert!(harness.run().has_pending_projection(), "{step:?}");
        assert!(harness.alarm().unwrap().since(harness.clock()) < Duration::from_secs(360), "{step:?}");
        harness.listing_fails.set(0);
        harness.rings();
        assert!(!harness.run().has_pending_projection(), "{step:?}");
        assert_eq!(harness.attempts_at(step), 1, "{step:?}: listing is no attempt");
        harness.runs_to_the_end();
        assert_eq!(harness.ended(), "completed", "{step:?}");
    }
}
