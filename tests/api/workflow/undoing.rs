//! Undoing a run, from wherever it stands and through everything that can go wrong with it.

use std::time::Duration;

use tenantry::{
    domain::{Plan, RunStatus, Step},
    workflow::{
        Command, Fault, FaultCode, Reply, Undo,
        policy::{Leaves, RUN_LIMIT, leaves, policy},
    },
};

use super::{
    every_step,
    lab::{Attempt, Death, Lab, caller, queue, undo, wake},
};

const PLANS: [Plan; 2] = [Plan::Starter, Plan::Pro];

/// Every step that leaves something, in each plan.
fn every_removal() -> impl Iterator<Item = (Plan, Step)> {
    every_step().filter(|(_, step)| leaves(*step) != Leaves::Nothing)
}

fn completed(plan: Plan) -> Lab {
    let lab = Lab::queued(plan);
    lab.runs_to_the_end();
    assert_eq!(lab.ended(), "completed");
    lab
}

fn removed(lab: &Lab) -> Vec<Step> {
    lab.removals.borrow().iter().map(|(step, _)| *step).collect()
}

#[test]
fn what_was_made_is_removed_in_reverse_and_the_name_last() {
    for plan in PLANS {
        let lab = completed(plan);
        let version = lab.run().version;
        lab.is_undone();
        lab.runs_to_the_end();
        assert_eq!(lab.was_undone(), "undone");
        let left = Step::of(plan).iter().rev().filter(|step| leaves(**step) != Leaves::Nothing);
        assert_eq!(removed(&lab), left.copied().collect::<Vec<_>>());
        assert_eq!(removed(&lab).last(), Some(&Step::SeedDefaults));
        assert_eq!(lab.run().status(), RunStatus::Completed, "what was is not rewritten");
        assert!(lab.run().version > version);
    }
}

#[test]
fn a_run_that_failed_anywhere_is_undone_from_there() {
    for (plan, step) in every_step() {
        let lab = Lab::queued(plan);
        lab.next(step, [Attempt::Refused]);
        lab.runs_to_the_end();
        lab.is_undone();
        lab.runs_to_the_end();
        assert_eq!(lab.was_undone(), "undone", "{step:?}");
        // The step that failed may have been done all the same: what was begun is undone.
        let begun = lab.run().records.iter().filter(|record| record.attempts > 0).count();
        let expected = Step::of(plan).iter().take(begun).rev().filter(|s| leaves(**s) != Leaves::Nothing);
        assert_eq!(removed(&lab), expected.copied().collect::<Vec<_>>(), "{step:?}");
    }
}

/// What the attempt under way does outside is known by nothing but its key.
#[test]
fn a_run_is_undone_in_the_middle_of_any_step() {
    for (plan, step) in every_step() {
        let lab = Lab::queued(plan);
        lab.next(step, [Attempt::Meanwhile(vec![undo(plan, caller(), None)])]);
        lab.runs_to_the_end();
        assert_eq!(lab.was_undone(), "undone", "{step:?}");
        assert_eq!(lab.ended(), "CANCELLED", "{step:?}");
        assert_eq!(lab.attempts_at(step), 1, "{step:?}");
        assert!(lab.there.borrow().is_empty(), "{step:?}: {:?}", lab.there.borrow());
    }
}

#[test]
fn a_removal_that_fails_once_is_repeated_under_its_key() {
    let unknown = || Attempt::Unknown(Fault::new(FaultCode::Timeout));
    for (plan, step) in every_removal() {
        for attempt in [unknown(), Attempt::AnswerLost, Attempt::DiesBefore, Attempt::DiesAfter] {
            let lab = completed(plan);
            lab.next_removal(step, [attempt.clone()]);
            lab.is_undone();
            lab.runs_to_the_end();
            assert_eq!(lab.was_undone(), "undone", "{step:?} {attempt:?}");
            let repeated = removed(&lab).iter().filter(|removed| **removed == step).count();
            assert_eq!(repeated, 2, "{step:?} {attempt:?}");
        }
    }
}

#[test]
fn a_removal_that_is_refused_stops_there_and_is_tried_again_on_an_operators_word() {
    for (plan, step) in every_removal() {
        let lab = completed(plan);
        lab.next_removal(step, [Attempt::Refused]);
        lab.is_undone();
        lab.runs_to_the_end();
        assert_eq!(lab.was_undone(), "MISCONFIGURED", "{step:?}");
        assert_eq!(removed(&lab).last(), Some(&step), "nothing behind it was touched");
        assert!(lab.there.borrow().contains(Step::SeedDefaults.as_str()), "the name is kept");
        let tried = lab.run().undo.unwrap().attempts(step);
        lab.is_undone();
        lab.runs_to_the_end();
        assert_eq!(lab.was_undone(), "undone", "{step:?}");
        assert_eq!(lab.run().undo.unwrap().attempts(step), tried + 1, "{step:?}");
        assert_eq!(lab.run().undo.unwrap().rounds, 2);
    }
}

#[test]
fn a_removal_is_tried_so_often_and_no_more() {
    for (plan, step) in every_removal() {
        let lab = completed(plan);
        lab.always_when_removed(step, Attempt::Unknown(Fault::new(FaultCode::ServerError)));
        lab.is_undone();
        lab.runs_to_the_end();
        assert_eq!(lab.was_undone(), "UPSTREAM_UNAVAILABLE", "{step:?}");
        let tried = removed(&lab).iter().filter(|removed| **removed == step).count();
        assert!((5..=usize::try_from(policy(step).attempts).unwrap()).contains(&tried), "{step:?}: {tried}");
    }
}

#[test]
fn a_removal_that_takes_too_long_is_given_up_with_its_reason() {
    let wait = Fault { retry_after: Some(Duration::from_secs(600)), ..Fault::new(FaultCode::RateLimited) };
    let lab = completed(Plan::Pro);
    lab.always_when_removed(Step::CreateSpreadsheet, Attempt::Unknown(wait));
    lab.is_undone();
    let asked_at = lab.clock();
    lab.runs_to_the_end();
    assert_eq!(lab.was_undone(), "DEADLINE_EXCEEDED");
    assert_eq!(lab.clock().since(asked_at), RUN_LIMIT);
}

#[test]
fn what_cannot_be_removed_is_left_on_an_operators_word_but_not_the_name() {
    for (plan, step) in every_removal() {
        let lab = completed(plan);
        lab.next_removal(step, [Attempt::Refused]);
        lab.is_undone();
        lab.runs_to_the_end();
        let reply = lab.is_skipped(step);
        let is_name = step == Step::SeedDefaults;
        assert!(matches!(reply, Reply::Run { changed, .. } if changed != is_name), "{step:?}: {reply:?}");
        lab.runs_to_the_end();
        assert_eq!(lab.was_undone(), if is_name { "MISCONFIGURED" } else { "undone" }, "{step:?}");
        assert!(lab.there.borrow().contains(step.as_str()), "{step:?}");
    }
}

#[test]
fn a_process_that_dies_anywhere_while_undoing_loses_nothing() {
    for plan in PLANS {
        let lab = completed(plan);
        let (saved, listed) = lab.writes();
        lab.is_undone();
        lab.runs_to_the_end();
        let (saves, listings) = lab.writes();
        let deaths = (saved..saves)
            .flat_map(|n| [Death::BeforeSave(n), Death::AfterSave(n)])
            .chain((listed..listings).flat_map(|n| [Death::BeforeListing(n), Death::AfterListing(n)]));
        for death in deaths {
            let lab = completed(plan);
            lab.is_undone();
            lab.dies(death);
            lab.runs_to_the_end();
            assert!(lab.has_died(), "{death:?}");
            assert_eq!(lab.was_undone(), "undone", "{death:?}");
        }
    }
}

#[test]
fn undoing_is_asked_for_once_however_often_it_is_asked() {
    let lab = completed(Plan::Pro);
    lab.is_undone();
    let asked = lab.run();
    assert!(matches!(lab.is_undone(), Reply::Run { changed: false, .. }));
    assert_eq!(lab.run(), asked);
    lab.runs_to_the_end();
    let undone = lab.run();
    assert!(matches!(lab.is_undone(), Reply::Run { changed: false, .. }));
    assert_eq!((lab.run(), lab.alarm()), (undone, None));
}

#[test]
fn what_is_undone_is_not_started_stopped_or_skipped_again() {
    let lab = Lab::queued(Plan::Starter);
    lab.next(Step::ValidateWebhook, [Attempt::Refused]);
    lab.runs_to_the_end();
    lab.is_undone();
    for _ in 0..2 {
        let before = lab.run();
        for command in [
            queue(Plan::Starter, caller()),
            lab.cancel(),
            Command::SkipStep { run: before.id.clone(), step: Step::ValidateWebhook },
            // As version 0.2.0 says it.
            Command::Cancel,
            Command::Skip,
        ] {
            assert!(matches!(lab.is_told(command), Reply::Run { changed: false, .. }));
        }
        lab.is_told(wake(Plan::Starter, Some(before.version), false));
        assert_eq!(lab.run(), before);
        lab.runs_to_the_end();
        assert_eq!(lab.was_undone(), "undone");
    }
}

/// The sweep reads first, and tells one after the other: what could not be removed meanwhile is an operator's to try again.
#[test]
fn a_removal_that_failed_since_the_sweep_read_it_is_not_tried_again() {
    let lab = completed(Plan::Starter);
    lab.is_undone();
    let told = |listed: u64| undo(Plan::Starter, caller(), Some(listed));
    let read = lab.run().version;
    lab.next_removal(Step::CreateOwner, [Attempt::Refused]);
    lab.runs_to_the_end();
    let failed = lab.run();
    assert!(matches!(lab.is_told(told(read)), Reply::Run { changed: false, .. }));
    lab.runs_to_the_end();
    assert_eq!(lab.run().undo, failed.undo, "listed again, and no more");
    let failed = lab.run();
    // D1 knew that it had failed, and says that it is wanted: somebody wants it.
    assert!(matches!(lab.is_told(told(failed.version)), Reply::Run { changed: true, .. }));
    lab.runs_to_the_end();
    assert_eq!(lab.was_undone(), "undone");
}

#[test]
fn a_lost_alarm_is_set_again_while_undoing() {
    let lab = completed(Plan::Starter);
    lab.is_undone();
    lab.loses_its_alarm();
    lab.is_undone();
    assert_eq!(lab.alarm(), Some(lab.clock()));
    lab.runs_to_the_end();
    assert_eq!(lab.was_undone(), "undone");
}

#[test]
fn attempts_at_undoing_a_step_are_numbered_behind_those_at_doing_it() {
    let lab = Lab::queued(Plan::Starter);
    lab.next(Step::CreateOwner, [Attempt::Unknown(Fault::new(FaultCode::Timeout))]);
    lab.runs_to_the_end();
    lab.listing_fails.set(usize::MAX);
    lab.is_undone();
    lab.rings();
    let attempts: Vec<_> =
        lab.run().unlisted.into_iter().filter(|attempt| attempt.step == Step::CreateOwner).collect();
    assert_eq!(attempts.len(), 1);
    assert_eq!(
        (attempts[0].number, attempts[0].undo, attempts[0].request.as_deref()),
        (3, true, Some("req_1"))
    );
}

#[test]
fn every_step_says_what_it_leaves() {
    for plan in PLANS {
        let undo = Undo::of(&completed(plan).run().records, false, super::lab::START);
        assert_eq!(undo.removals.last().map(|removal| removal.step), Some(Step::SeedDefaults));
    }
}
