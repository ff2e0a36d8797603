//! D1 can't be told: that holds up nothing, and is made up for.

use std::time::Duration;

use tenantry::{
    domain::{Plan, Step},
    workflow::{Fault, FaultCode},
};

use super::{
    every_step,
    lab::{Attempt, Lab},
};

#[test]
fn one_listing_that_fails_is_made_up_for() {
    for plan in [Plan::Starter, Plan::Pro] {
        for before in 0..8 {
            let lab = Lab::queued(plan);
            lab.listing_fails.set(before);
            lab.runs_to_the_end();
            assert_eq!(lab.ended(), "completed", "{before}");
            assert_eq!(lab.attempts.borrow().len(), Step::of(plan).len(), "{before}");
            let known = lab.told.borrow().iter().filter(|word| *word == "not listed").count();
            assert_eq!(known, before, "each is told to the log");
        }
    }
}

#[test]
fn without_any_listing_a_run_completes_all_the_same() {
    for plan in [Plan::Starter, Plan::Pro] {
        let lab = Lab::queued(plan);
        lab.listing_fails.set(usize::MAX);
        for _ in 0..50 {
            assert!(lab.rings(), "an alarm is armed as long as D1 doesn't know");
        }
        assert_eq!(lab.ended(), "completed");
        assert!(lab.run().is_unlisted());
        assert_eq!(lab.attempts.borrow().len(), Step::of(plan).len());
        lab.listing_fails.set(0);
        lab.runs_to_the_end();
    }
}

/// So that a database that has just come back is not met by everybody every ten seconds.
#[test]
fn what_could_not_be_listed_is_tried_again_less_and_less() {
    let lab = Lab::queued(Plan::Starter);
    lab.listing_fails.set(usize::MAX);
    lab.rings();
    let mut last = Duration::ZERO;
    for _ in 0..12 {
        let wait = lab.alarm().unwrap().since(lab.clock());
        assert!(wait >= last && wait <= Duration::from_secs(360), "{wait:?} after {last:?}");
        last = wait;
        lab.rings();
    }
    assert!(last >= Duration::from_secs(240), "{last:?}");
    lab.listing_fails.set(0);
    lab.runs_to_the_end();
    assert_eq!(lab.run().listing_failures, 0);
}

/// A wait that is longer than that must not hide the run from D1 until then.
#[test]
fn a_long_wait_is_listed_before_it_ends() {
    for (plan, step) in every_step() {
        let lab = Lab::queued(plan);
        let fault =
            Fault { retry_after: Some(Duration::from_secs(400)), ..Fault::new(FaultCode::ServerError) };
        lab.next(step, [Attempt::Unknown(fault)]);
        lab.listing_fails.set(usize::MAX);
        lab.rings();
        assert!(lab.run().is_unlisted(), "{step:?}");
        assert!(lab.alarm().unwrap().since(lab.clock()) < Duration::from_secs(360), "{step:?}");
        lab.listing_fails.set(0);
        lab.rings();
        assert!(!lab.run().is_unlisted(), "{step:?}");
        assert_eq!(lab.attempts_at(step), 1, "{step:?}: listing is no attempt");
        lab.runs_to_the_end();
        assert_eq!(lab.ended(), "completed", "{step:?}");
    }
}
