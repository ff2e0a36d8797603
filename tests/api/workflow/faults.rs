//! Every step × everything that the upstream can do.

use std::time::Duration;

use tenantry::{
    domain::{RunStatus, StepStatus},
    workflow::{
        Report, TransientError, TransientErrorCode,
        policy::{RUN_LIMIT, policy},
    },
};

use super::{
    every_step,
    run_harness::{Attempt, RunHarness},
};

const FAULTS: [TransientErrorCode; 7] = [
    TransientErrorCode::Timeout,
    TransientErrorCode::Connection,
    TransientErrorCode::ServerError,
    TransientErrorCode::RateLimited,
    TransientErrorCode::Malformed,
    TransientErrorCode::StoreUnavailable,
    TransientErrorCode::CircuitOpen,
];

#[test]
fn a_step_that_fails_once_is_done_at_the_second_attempt() {
    for (plan, step) in every_step() {
        for code in FAULTS {
            let harness = RunHarness::queued(plan);
            harness.next(step, [Attempt::Unknown(TransientError::new(code))]);
            harness.runs_to_the_end();
            assert_eq!(harness.ended(), "completed", "{step:?} {code:?}");
            assert_eq!((harness.attempts_at(step), harness.effects_of(step)), (2, 1), "{step:?} {code:?}");
        }
    }
}

#[test]
fn a_step_that_is_refused_is_not_tried_again() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.always(step, Attempt::Refused);
        harness.runs_to_the_end();
        assert_eq!((harness.attempts_at(step), harness.effects_of(step)), (1, 0), "{step:?}");
        let run = harness.run();
        assert_eq!((harness.ended(), run.current()), ("MISCONFIGURED".to_owned(), Some(step)));
        let last = harness.attempts.borrow().last().map(|(step, _)| *step);
        assert_eq!(last, Some(step), "nothing is done behind it");
    }
}

#[test]
fn a_step_that_stays_unknown_is_tried_so_often_and_no_more() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.always(step, Attempt::Unknown(TransientError::new(TransientErrorCode::Timeout)));
        harness.runs_to_the_end();
        assert_eq!(harness.ended(), "UPSTREAM_UNAVAILABLE", "{step:?}");
        let (tried, took) = (harness.attempts_at(step), harness.clock().since(super::run_harness::START));
        let policy = policy(step);
        assert!((5..=usize::try_from(policy.attempts).unwrap()).contains(&tried), "{step:?}: {tried}");
        assert!(took < RUN_LIMIT, "{step:?}");
        // What asks outside has the whole half hour, whoever is down.
        let is_outside = policy.longest_delay == Duration::from_secs(240);
        assert!(!is_outside || took > RUN_LIMIT - Duration::from_secs(60), "{step:?}: {took:?}");
    }
}

/// The upstream was not asked, or our own database or process failed: the step has not. Only the run's deadline ends this.
#[test]
fn what_is_not_the_steps_failure_uses_none_of_its_attempts() {
    for (plan, step) in every_step() {
        let store = Attempt::Unknown(TransientError::new(TransientErrorCode::StoreUnavailable));
        for free in [rests(5), store, Attempt::DiesBefore] {
            let harness = RunHarness::queued(plan);
            harness.next(step, std::iter::repeat_n(free.clone(), 9));
            harness.next(
                step,
                std::iter::repeat_n(Attempt::Unknown(TransientError::new(TransientErrorCode::Timeout)), 6),
            );
            harness.next(step, [free.clone()]);
            harness.runs_to_the_end();
            let told = (harness.ended(), harness.attempts_at(step));
            assert_eq!(told, ("completed".to_owned(), 17), "{step:?} {free:?}");
            let record = harness.run().doing.records.into_iter().find(|record| record.step == step).unwrap();
            assert_eq!((record.attempts_since_queued, record.attempts), (7, 17), "{step:?} {free:?}");
        }

        let harness = RunHarness::queued(plan);
        harness.always(step, rests(45));
        harness.runs_to_the_end();
        let run = harness.run();
        let record = run.doing.records.iter().find(|record| record.step == step).unwrap();
        assert_eq!(
            (harness.ended().as_str(), record.attempts_since_queued),
            ("DEADLINE_EXCEEDED", 0),
            "{step:?}"
        );
        assert!(record.attempts > policy(step).attempts, "{step:?}: all in the history");
    }
}

/// The upstream is left alone for so many seconds.
fn rests(seconds: u64) -> Attempt {
    let wait = Some(Duration::from_secs(seconds));
    Attempt::Unknown(TransientError {
        retry_after: wait,
        ..TransientError::new(TransientErrorCode::CircuitOpen)
    })
}

/// The predecessors called this a failed signup, although the tenant existed.
#[test]
fn a_lost_answer_repeats_the_step_under_the_same_key() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.next(step, [Attempt::AnswerLost, Attempt::AnswerLost]);
        harness.runs_to_the_end();
        assert_eq!(harness.ended(), "completed", "{step:?}");
        assert_eq!(harness.attempts_at(step), 3, "{step:?}");
        let keys: std::collections::BTreeSet<String> = harness
            .attempts
            .borrow()
            .iter()
            .filter(|(s, _)| *s == step)
            .map(|(_, key)| key.clone())
            .collect();
        assert_eq!(keys.len(), 1, "{step:?}");
    }
}

#[test]
fn an_upstream_may_ask_for_more_time_and_never_for_less() {
    for (plan, step) in every_step() {
        for seconds in [0, 1, 37, 500] {
            let harness = RunHarness::queued(plan);
            let wait = Duration::from_secs(seconds);
            let fault = TransientError {
                code: TransientErrorCode::RateLimited,
                status: Some(429),
                retry_after: Some(wait),
            };
            harness.next(step, [Attempt::Unknown(fault)]);
            harness.runs_to_the_end();
            assert_eq!(harness.ended(), "completed", "{step:?}");
            let attempts = harness.attempts.borrow();
            let at: Vec<_> = harness
                .begun_at
                .borrow()
                .iter()
                .zip(&*attempts)
                .filter(|(_, (s, _))| *s == step)
                .map(|(at, _)| *at)
                .collect();
            let took = at[1].since(at[0]).saturating_sub(Duration::from_millis(20));
            let own = policy(step).delay(1, &TransientError::new(TransientErrorCode::RateLimited), 7);
            assert_eq!(took, wait.max(own), "{step:?}: never sooner than we would ourselves");
        }
    }
}

#[test]
fn waits_grow_and_an_early_alarm_tries_nothing() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.always(step, Attempt::Unknown(TransientError::new(TransientErrorCode::ServerError)));
        harness.rings();
        let mut last = Duration::ZERO;
        for attempt in 1..policy(step).attempts.min(9) {
            let due = harness.alarm().unwrap();
            let wait = due.since(harness.clock());
            let longest = policy(step).longest_delay;
            assert!(
                wait >= last.mul_f64(0.66).min(longest.mul_f64(0.8)),
                "{step:?} {attempt}: {wait:?} after {last:?}"
            );
            assert!(wait <= longest.mul_f64(1.2), "{step:?}: {wait:?}");
            last = wait;
            harness.passes(wait / 2);
            harness.advances();
            assert_eq!(harness.attempts_at(step), usize::try_from(attempt).unwrap(), "{step:?}: too early");
            assert_eq!(harness.alarm(), Some(due), "{step:?}: the alarm is set again");
            harness.rings();
        }
    }
}

#[test]
fn while_a_step_waits_the_run_is_at_work() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.next(step, [Attempt::Unknown(TransientError::new(TransientErrorCode::Timeout))]);
        harness.rings();
        let report = Report::of(&harness.run());
        assert_eq!((report.status, report.step), (RunStatus::Processing, Some(step)));
        let told = report.steps.iter().find(|told| told.name == step).unwrap();
        assert_eq!((told.status, told.retry_at), (StepStatus::Running, harness.alarm()));
        assert_eq!(told.error.as_ref().unwrap().code, "TIMEOUT");
        assert_eq!(harness.projected.borrow().as_ref().unwrap().version, report.version, "and D1 knows");
    }
}

#[test]
fn a_run_past_its_deadline_fails_with_a_reason() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        let wait = Duration::from_secs(300);
        harness.always(
            step,
            Attempt::Unknown(TransientError {
                retry_after: Some(wait),
                ..TransientError::new(TransientErrorCode::ServerError)
            }),
        );
        harness.runs_to_the_end();
        let ended = harness.ended();
        assert!(ended == "DEADLINE_EXCEEDED", "{step:?}: {ended}");
        assert!(
            harness.clock().since(super::run_harness::START) <= RUN_LIMIT + Duration::from_secs(1),
            "{step:?}"
        );
    }
}

#[test]
fn a_run_whose_alarm_comes_too_late_is_not_begun() {
    for (plan, _) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.passes(RUN_LIMIT);
        harness.runs_to_the_end();
        assert_eq!((harness.ended(), harness.attempts.borrow().len()), ("DEADLINE_EXCEEDED".to_owned(), 0));
    }
}

/// Everything at once: each step fails in its own way, some several times.
#[test]
fn many_faults_in_one_run_are_one_run() {
    for (plan, _) in every_step() {
        let harness = RunHarness::queued(plan);
        for (n, step) in tenantry::domain::Step::of(plan).iter().enumerate() {
            let faults = [
                Attempt::AnswerLost,
                Attempt::DiesBefore,
                Attempt::Unknown(TransientError::new(TransientErrorCode::Timeout)),
                Attempt::DiesAfter,
            ];
            harness.next(*step, faults.into_iter().cycle().skip(n).take(n % 4 + 1));
        }
        harness.runs_to_the_end();
        assert_eq!(harness.ended(), "completed");
    }
}
