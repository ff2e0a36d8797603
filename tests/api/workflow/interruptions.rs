//! The process dies: at every checkpoint, at every listing, before and after every effect; alarms ring twice.

use std::time::Duration;

use tenantry::{
    domain::{Plan, Step},
    workflow::policy::RUN_LIMIT,
};

use super::{
    every_step,
    lab::{Attempt, Death, Lab},
};

const PLANS: [Plan; 2] = [Plan::Starter, Plan::Pro];

/// How many checkpoints and listings an undisturbed run writes.
fn undisturbed(plan: Plan) -> (usize, usize) {
    let lab = Lab::queued(plan);
    lab.runs_to_the_end();
    assert_eq!(lab.ended(), "completed");
    lab.writes()
}

#[test]
fn an_undisturbed_run_does_each_step_once_in_one_alarm() {
    for plan in PLANS {
        let lab = Lab::queued(plan);
        assert!(lab.rings());
        assert_eq!(lab.alarm(), None);
        lab.is_as_promised();
        assert_eq!(lab.ended(), "completed");
        let tried: Vec<Step> = lab.attempts.borrow().iter().map(|(step, _)| *step).collect();
        assert_eq!(tried, Step::of(plan));
        let told = lab.told.borrow();
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
            let lab = Lab::queued(plan);
            lab.next(step, [death.clone()]);
            lab.runs_to_the_end();
            assert_eq!(lab.ended(), "completed", "{step:?} {death:?}");
            assert_eq!((lab.attempts_at(step), lab.effects_of(step)), (2, effects), "{step:?} {death:?}");
        }
    }
}

#[test]
fn an_interrupted_step_is_repeated_without_waiting() {
    for (plan, step) in every_step() {
        let lab = Lab::queued(plan);
        lab.next(step, [Attempt::DiesBefore]);
        lab.rings();
        let woken = lab.alarm().unwrap();
        lab.rings();
        assert_eq!(lab.ended(), "completed", "{step:?}");
        let at = lab.begun_at.borrow();
        let repeated = lab.attempts.borrow().iter().rposition(|(tried, _)| *tried == step).unwrap();
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
                let lab = Lab::queued(plan);
                lab.dies(death);
                lab.runs_to_the_end();
                assert!(lab.has_died(), "{death:?}");
                assert_eq!(lab.ended(), "completed", "{death:?}");
                let repeated = lab.attempts.borrow().len() - Step::of(plan).len();
                assert!(repeated <= 1, "{death:?}: {repeated} attempts more");
            }
        }
    }
}

#[test]
fn a_lost_checkpoint_repeats_the_step() {
    for (plan, step) in every_step() {
        // Two checkpoints a step, before and after it, and one for what was listed.
        let lab = Lab::queued(plan);
        let (saves, _) = undisturbed(plan);
        let repeats = (0..saves).find(|n| {
            let lab = Lab::queued(plan);
            lab.dies(Death::BeforeSave(*n));
            lab.runs_to_the_end();
            lab.effects_of(step) == 2
        });
        lab.dies(Death::BeforeSave(repeats.unwrap_or_else(|| panic!("no checkpoint follows {step:?}"))));
        lab.runs_to_the_end();
        assert_eq!((lab.ended().as_str(), lab.attempts_at(step)), ("completed", 2), "{step:?}");
    }
}

#[test]
fn a_process_that_dies_at_any_listing_loses_nothing() {
    for plan in PLANS {
        let (_, listings) = undisturbed(plan);
        for n in 0..listings {
            for death in [Death::BeforeListing(n), Death::AfterListing(n)] {
                let lab = Lab::queued(plan);
                lab.dies(death);
                lab.runs_to_the_end();
                assert!(lab.has_died(), "{death:?}");
                assert_eq!(lab.ended(), "completed", "{death:?}");
                assert_eq!(
                    lab.attempts.borrow().len(),
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
                let lab = Lab::queued(plan);
                lab.dies(Death::BeforeSave(first));
                lab.rings();
                lab.dies(Death::AfterSave(second));
                lab.runs_to_the_end();
                assert_eq!(lab.ended(), "completed", "{first} {second}");
            }
        }
    }
}

#[test]
fn a_process_that_always_dies_in_a_step_does_not_die_for_ever() {
    for (plan, step) in every_step() {
        for death in [Attempt::DiesBefore, Attempt::DiesAfter] {
            let lab = Lab::queued(plan);
            lab.always(step, death);
            lab.runs_to_the_end();
            assert!(lab.attempts_at(step) < 50, "{step:?}: {}", lab.attempts_at(step));
            assert!(lab.clock().since(super::lab::START) < RUN_LIMIT + Duration::from_secs(60), "{step:?}");
        }
    }
}

#[test]
fn an_alarm_that_rings_again_after_the_end_does_nothing() {
    for plan in PLANS {
        for refused in [None, Some(Step::CreateOwner)] {
            let lab = Lab::queued(plan);
            if let Some(step) = refused {
                lab.always(step, Attempt::Refused);
            }
            lab.runs_to_the_end();
            let (run, attempts, writes) = (lab.run(), lab.attempts.borrow().len(), lab.writes());
            for _ in 0..3 {
                lab.advances();
            }
            assert_eq!((lab.run(), lab.attempts.borrow().len(), lab.writes()), (run, attempts, writes));
            assert_eq!(lab.alarm(), None);
        }
    }
}

#[test]
fn an_alarm_that_rings_twice_does_no_step_twice() {
    for (plan, step) in every_step() {
        let lab = Lab::queued(plan);
        lab.next(
            step,
            [Attempt::Unknown(tenantry::workflow::Fault::new(tenantry::workflow::FaultCode::Timeout))],
        );
        while lab.rings() {
            lab.advances();
        }
        lab.is_as_promised();
        assert_eq!((lab.ended().as_str(), lab.attempts_at(step)), ("completed", 2), "{step:?}");
    }
}
