//! Undoing a run, from wherever it stands and through everything that can go wrong with it.

use std::time::Duration;

use tenantry::{
    domain::{Plan, RunStatus, Step},
    workflow::{
        Command, Reply, Track, TransientError, TransientErrorCode,
        policy::{Compensation, RUN_LIMIT, compensation, policy},
    },
};

use super::{
    every_step,
    run_harness::{Attempt, Death, RunHarness, caller, queue, undo, wake},
};

const PLANS: [Plan; 2] = [Plan::Starter, Plan::Pro];

/// Every step that leaves something, in each plan.
fn every_removal() -> impl Iterator<Item = (Plan, Step)> {
    every_step().filter(|(_, step)| compensation(*step) != Compensation::None)
}

fn completed(plan: Plan) -> RunHarness {
    let harness = RunHarness::queued(plan);
    harness.runs_to_the_end();
    assert_eq!(harness.ended(), "completed");
    harness
}

fn removed(harness: &RunHarness) -> Vec<Step> {
    harness.removals.borrow().iter().map(|(step, _)| *step).collect()
}

#[test]
fn what_was_made_is_removed_in_reverse_and_the_name_last() {
    for plan in PLANS {
        let harness = completed(plan);
        let version = harness.run().version;
        harness.is_undone();
        harness.runs_to_the_end();
        assert_eq!(harness.was_undone(), "undone");
        let left = Step::of(plan).iter().rev().filter(|step| compensation(**step) != Compensation::None);
        assert_eq!(removed(&harness), left.copied().collect::<Vec<_>>());
        assert_eq!(removed(&harness).last(), Some(&Step::SeedDefaults));
        assert_eq!(harness.run().status(), RunStatus::Completed, "what was is not rewritten");
        assert!(harness.run().version > version);
    }
}

#[test]
fn a_run_that_failed_anywhere_is_undone_from_there() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.next(step, [Attempt::Refused]);
        harness.runs_to_the_end();
        harness.is_undone();
        harness.runs_to_the_end();
        assert_eq!(harness.was_undone(), "undone", "{step:?}");
        // The step that failed may have been done all the same: what was begun is undone.
        let begun = harness.run().doing.records.iter().filter(|record| record.attempts > 0).count();
        let expected =
            Step::of(plan).iter().take(begun).rev().filter(|s| compensation(**s) != Compensation::None);
        assert_eq!(removed(&harness), expected.copied().collect::<Vec<_>>(), "{step:?}");
    }
}

/// What the attempt under way does outside is known by nothing but its key.
#[test]
fn a_run_is_undone_in_the_middle_of_any_step() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.next(step, [Attempt::Meanwhile(vec![undo(plan, caller(), None)])]);
        harness.runs_to_the_end();
        assert_eq!(harness.was_undone(), "undone", "{step:?}");
        assert_eq!(harness.ended(), "CANCELLED", "{step:?}");
        assert_eq!(harness.attempts_at(step), 1, "{step:?}");
        assert!(harness.there.borrow().is_empty(), "{step:?}: {:?}", harness.there.borrow());
    }
}

#[test]
fn a_removal_that_fails_once_is_repeated_under_its_key() {
    let unknown = || Attempt::Unknown(TransientError::new(TransientErrorCode::Timeout));
    for (plan, step) in every_removal() {
        for attempt in [unknown(), Attempt::AnswerLost, Attempt::DiesBefore, Attempt::DiesAfter] {
            let harness = completed(plan);
            harness.next_removal(step, [attempt.clone()]);
            harness.is_undone();
            harness.runs_to_the_end();
            assert_eq!(harness.was_undone(), "undone", "{step:?} {attempt:?}");
            let repeated = removed(&harness).iter().filter(|removed| **removed == step).count();
            assert_eq!(repeated, 2, "{step:?} {attempt:?}");
        }
    }
}

#[test]
fn a_removal_that_is_refused_stops_there_and_is_tried_again_on_an_operators_word() {
    for (plan, step) in every_removal() {
        let harness = completed(plan);
        harness.next_removal(step, [Attempt::Refused]);
        harness.is_undone();
        harness.runs_to_the_end();
        assert_eq!(harness.was_undone(), "MISCONFIGURED", "{step:?}");
        assert_eq!(removed(&harness).last(), Some(&step), "nothing behind it was touched");
        assert!(harness.there.borrow().contains(Step::SeedDefaults.as_str()), "the name is kept");
        let tried = harness.run().undoing.unwrap().attempts(step);
        harness.is_undone();
        harness.runs_to_the_end();
        assert_eq!(harness.was_undone(), "undone", "{step:?}");
        assert_eq!(harness.run().undoing.unwrap().attempts(step), tried + 1, "{step:?}");
        assert_eq!(harness.run().undoing.unwrap().times_queued, 2);
    }
}

#[test]
fn a_removal_is_tried_so_often_and_no_more() {
    for (plan, step) in every_removal() {
        let harness = completed(plan);
        harness.always_when_removed(
            step,
            Attempt::Unknown(TransientError::new(TransientErrorCode::ServerError)),
        );
        harness.is_undone();
        harness.runs_to_the_end();
        assert_eq!(harness.was_undone(), "UPSTREAM_UNAVAILABLE", "{step:?}");
        let tried = removed(&harness).iter().filter(|removed| **removed == step).count();
        assert!((5..=usize::try_from(policy(step).attempts).unwrap()).contains(&tried), "{step:?}: {tried}");
    }
}

#[test]
fn a_removal_that_takes_too_long_is_given_up_with_its_reason() {
    let wait = TransientError {
        retry_after: Some(Duration::from_secs(600)),
        ..TransientError::new(TransientErrorCode::RateLimited)
    };
    let harness = completed(Plan::Pro);
    harness.always_when_removed(Step::CreateSpreadsheet, Attempt::Unknown(wait));
    harness.is_undone();
    let asked_at = harness.clock();
    harness.runs_to_the_end();
    assert_eq!(harness.was_undone(), "DEADLINE_EXCEEDED");
    assert_eq!(harness.clock().since(asked_at), RUN_LIMIT);
}

#[test]
fn what_cannot_be_removed_is_left_on_an_operators_word_but_not_the_name() {
    for (plan, step) in every_removal() {
        let harness = completed(plan);
        harness.next_removal(step, [Attempt::Refused]);
        harness.is_undone();
        harness.runs_to_the_end();
        let reply = harness.is_skipped(step);
        let is_name = step == Step::SeedDefaults;
        assert!(matches!(reply, Reply::Run { changed, .. } if changed != is_name), "{step:?}: {reply:?}");
        harness.runs_to_the_end();
        assert_eq!(harness.was_undone(), if is_name { "MISCONFIGURED" } else { "undone" }, "{step:?}");
        assert!(harness.there.borrow().contains(step.as_str()), "{step:?}");
    }
}

#[test]
fn a_process_that_dies_anywhere_while_undoing_loses_nothing() {
    for plan in PLANS {
        let harness = completed(plan);
        let (saved, projected) = harness.writes();
        harness.is_undone();
        harness.runs_to_the_end();
        let (saves, listings) = harness.writes();
        let deaths = (saved..saves)
            .flat_map(|n| [Death::BeforeSave(n), Death::AfterSave(n)])
            .chain((projected..listings).flat_map(|n| [Death::BeforeListing(n), Death::AfterListing(n)]));
        for death in deaths {
            let harness = completed(plan);
            harness.is_undone();
            harness.dies(death);
            harness.runs_to_the_end();
            assert!(harness.has_died(), "{death:?}");
            assert_eq!(harness.was_undone(), "undone", "{death:?}");
        }
    }
}

#[test]
fn undoing_is_asked_for_once_however_often_it_is_asked() {
    let harness = completed(Plan::Pro);
    harness.is_undone();
    let asked = harness.run();
    assert!(matches!(harness.is_undone(), Reply::Run { changed: false, .. }));
    assert_eq!(harness.run(), asked);
    harness.runs_to_the_end();
    let undone = harness.run();
    assert!(matches!(harness.is_undone(), Reply::Run { changed: false, .. }));
    assert_eq!((harness.run(), harness.alarm()), (undone, None));
}

#[test]
fn what_is_undone_is_not_started_stopped_or_skipped_again() {
    let harness = RunHarness::queued(Plan::Starter);
    harness.next(Step::ValidateWebhook, [Attempt::Refused]);
    harness.runs_to_the_end();
    harness.is_undone();
    for _ in 0..2 {
        let before = harness.run();
        for command in [
            queue(Plan::Starter, caller()),
            harness.cancel(),
            Command::SkipStep { run: before.id.clone(), step: Step::ValidateWebhook },
            // As version 0.2.0 says it.
            Command::Cancel,
            Command::Skip,
        ] {
            assert!(matches!(harness.is_told(command), Reply::Run { changed: false, .. }));
        }
        harness.is_told(wake(Plan::Starter, Some(before.version), false));
        assert_eq!(harness.run(), before);
        harness.runs_to_the_end();
        assert_eq!(harness.was_undone(), "undone");
    }
}

/// The sweep reads first, and tells one after the other: what could not be removed meanwhile is an operator's to try again.
#[test]
fn a_removal_that_failed_since_the_sweep_read_it_is_not_tried_again() {
    let harness = completed(Plan::Starter);
    harness.is_undone();
    let told = |projected: u64| undo(Plan::Starter, caller(), Some(projected));
    let read = harness.run().version;
    harness.next_removal(Step::CreateOwner, [Attempt::Refused]);
    harness.runs_to_the_end();
    let failed = harness.run();
    assert!(matches!(harness.is_told(told(read)), Reply::Run { changed: false, .. }));
    harness.runs_to_the_end();
    assert_eq!(harness.run().undoing, failed.undoing, "listed again, and no more");
    let failed = harness.run();
    // D1 knew that it had failed, and says that it is wanted: somebody wants it.
    assert!(matches!(harness.is_told(told(failed.version)), Reply::Run { changed: true, .. }));
    harness.runs_to_the_end();
    assert_eq!(harness.was_undone(), "undone");
}

#[test]
fn a_lost_alarm_is_set_again_while_undoing() {
    let harness = completed(Plan::Starter);
    harness.is_undone();
    harness.loses_its_alarm();
    harness.is_undone();
    assert_eq!(harness.alarm(), Some(harness.clock()));
    harness.runs_to_the_end();
    assert_eq!(harness.was_undone(), "undone");
}

#[test]
fn attempts_at_undoing_a_step_are_numbered_behind_those_at_doing_it() {
    let harness = RunHarness::queued(Plan::Starter);
    harness.next(Step::CreateOwner, [Attempt::Unknown(TransientError::new(TransientErrorCode::Timeout))]);
    harness.runs_to_the_end();
    harness.listing_fails.set(usize::MAX);
    harness.is_undone();
    harness.rings();
    let attempts: Vec<_> = harness
        .run()
        .pending_history
        .into_iter()
        .filter(|attempt| attempt.step == Step::CreateOwner)
        .collect();
    assert_eq!(attempts.len(), 1);
    assert_eq!(
        (attempts[0].number, attempts[0].undo, attempts[0].request.as_deref()),
        (3, true, Some("req_1"))
    );
}

#[test]
fn every_step_says_what_it_leaves() {
    for plan in PLANS {
        let undo = Track::undoing(&completed(plan).run().doing.records, false, super::run_harness::START);
        assert_eq!(undo.records.last().map(|removal| removal.step), Some(Step::SeedDefaults));
    }
}
