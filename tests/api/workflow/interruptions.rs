//! The process dies: at every checkpoint, at every projection, before and after every effect; alarms ring twice.

use std::time::Duration;

use tenantry::{
    domain::{Plan, Step},
    workflow::policy::RUN_LIMIT,
};

use super::{
    every_step,
    run_harness::{Attempt, Death, RunHarness},
};

const PLANS: [Plan; 2] = [Plan::Starter, Plan::Pro];

/// How many checkpoints and projection an undisturbed run writes.
fn undisturbed(plan: Plan) -> (usize, usize) {
    let harness = RunHarness::queued(plan);
    harness.runs_to_the_end();
    assert_eq!(harness.ended(), "completed");
    harness.writes()
}

#[test]
fn an_undisturbed_run_does_each_step_once_in_one_alarm() {
    for plan in PLANS {
        let harness = RunHarness::queued(plan);
        assert!(harness.rings());
        assert_eq!(harness.alarm(), None);
        harness.is_as_promised();
        assert_eq!(harness.ended(), "completed");
        let tried: Vec<Step> = harness.attempts.borrow().iter().map(|(step, _)| *step).collect();
        assert_eq!(tried, Step::of(plan));
        let told = harness.told.borrow();
        assert_eq!(
            (told.first().map(String::as_str), told.last().map(String::as_str)),
            (Some("started"), Some("ended"))
        );
    }
}

#[test]
fn a_process_that_dies_in_a_step_repeats_it_under_the_same_key() {
    for (plan, step) in every_step() {
        for (death, effects) in [(Attempt::DiesBefore, 1), (Attempt::DiesAfter, 2)] {
            let harness = RunHarness::queued(plan);
            harness.next(step, [death.clone()]);
            harness.runs_to_the_end();
            assert_eq!(harness.ended(), "completed", "{step:?} {death:?}");
            assert_eq!(
                (harness.attempts_at(step), harness.effects_of(step)),
                (2, effects),
                "{step:?} {death:?}"
            );
        }
    }
}

#[test]
fn an_interrupted_step_is_repeated_without_waiting() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.next(step, [Attempt::DiesBefore]);
        harness.rings();
        let woken = harness.alarm().unwrap();
        harness.rings();
        assert_eq!(harness.ended(), "completed", "{step:?}");
        let at = harness.begun_at.borrow();
        let repeated = harness.attempts.borrow().iter().rposition(|(tried, _)| *tried == step).unwrap();
        assert_eq!(at[repeated], woken, "{step:?}");
    }
}

/// Also "a lost checkpoint repeats the step": the one that is lost after an effect is among them.
#[test]
fn a_process_that_dies_at_any_checkpoint_loses_nothing() {
    for plan in PLANS {
        let (saves, _) = undisturbed(plan);
        for n in 0..saves {
            for death in [Death::BeforeSave(n), Death::AfterSave(n)] {
                let harness = RunHarness::queued(plan);
                harness.dies(death);
                harness.runs_to_the_end();
                assert!(harness.has_died(), "{death:?}");
                assert_eq!(harness.ended(), "completed", "{death:?}");
                let repeated = harness.attempts.borrow().len() - Step::of(plan).len();
                assert!(repeated <= 1, "{death:?}: {repeated} attempts more");
            }
        }
    }
}

#[test]
fn a_lost_checkpoint_repeats_the_step() {
    for (plan, step) in every_step() {
        // Two checkpoints a step, before and after it, and one for what was projected.
        let harness = RunHarness::queued(plan);
        let (saves, _) = undisturbed(plan);
        let repeats = (0..saves).find(|n| {
            let harness = RunHarness::queued(plan);
            harness.dies(Death::BeforeSave(*n));
            harness.runs_to_the_end();
            harness.effects_of(step) == 2
        });
        harness.dies(Death::BeforeSave(repeats.unwrap_or_else(|| panic!("no checkpoint follows {step:?}"))));
        harness.runs_to_the_end();
        assert_eq!((harness.ended().as_str(), harness.attempts_at(step)), ("completed", 2), "{step:?}");
    }
}

#[test]
fn a_process_that_dies_at_any_listing_loses_nothing() {
    for plan in PLANS {
        let (_, listings) = undisturbed(plan);
        for n in 0..listings {
            for death in [Death::BeforeListing(n), Death::AfterListing(n)] {
                let harness = RunHarness::queued(plan);
                harness.dies(death);
                harness.runs_to_the_end();
                assert!(harness.has_died(), "{death:?}");
                assert_eq!(harness.ended(), "completed", "{death:?}");
                assert_eq!(
                    harness.attempts.borrow().len(),
                    Step::of(plan).len(),
                    "{death:?}: a listing repeats no step"
                );
            }
        }
    }
}

#[test]
fn a_process_that_dies_twice_at_any_two_checkpoints_loses_nothing() {
    for plan in PLANS {
        let (saves, _) = undisturbed(plan);
        for first in 0..saves {
            for second in first + 1..first + 9 {
                let harness = RunHarness::queued(plan);
                harness.dies(Death::BeforeSave(first));
                harness.rings();
                harness.dies(Death::AfterSave(second));
                harness.runs_to_the_end();
                assert_eq!(harness.ended(), "completed", "{first} {second}");
            }
        }
    }
}

#[test]
fn a_process_that_always_dies_in_a_step_does_not_die_for_ever() {
    for (plan, step) in every_step() {
        for death in [Attempt::DiesBefore, Attempt::DiesAfter] {
            let harness = RunHarness::queued(plan);
            harness.always(step, death);
            harness.runs_to_the_end();
            assert!(harness.attempts_at(step) < 50, "{step:?}: {}", harness.attempts_at(step));
            assert!(
                harness.clock().since(super::run_harness::START) < RUN_LIMIT + Duration::from_secs(60),
                "{step:?}"
            );
        }
    }
}

#[test]
fn an_alarm_that_rings_again_after_the_end_does_nothing() {
    for plan in PLANS {
        for refused in [None, Some(Step::CreateOwner)] {
            let harness = RunHarness::queued(plan);
            if let Some(step) = refused {
                harness.always(step, Attempt::Refused);
            }
            harness.runs_to_the_end();
            let (run, attempts, writes) = (harness.run(), harness.attempts.borrow().len(), harness.writes());
            for _ in 0..3 {
                harness.advances();
            }
            assert_eq!(
                (harness.run(), harness.attempts.borrow().len(), harness.writes()),
                (run, attempts, writes)
            );
            assert_eq!(harness.alarm(), None);
        }
    }
}

#[test]
fn an_alarm_that_rings_twice_does_no_step_twice() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.next(
            step,
            [Attempt::Unknown(tenantry::workflow::TransientError::new(
                tenantry::workflow::TransientErrorCode::Timeout,
            ))],
        );
        while harness.rings() {
            harness.advances();
        }
        harness.is_as_promised();
        assert_eq!((harness.ended().as_str(), harness.attempts_at(step)), ("completed", 2), "{step:?}");
    }
}
