//! Runs of another version, in the past or in the future: with a step more, a step fewer, steps in another order, words that nobody
//! here knows. Each is brought to its end, fails and goes on, and is undone.

use serde_json::{Value, json};
use tenantry::{
    domain::{Plan, RunStatus, Step},
    workflow::{
        Artifact, Record, Report, Run, Stage, TransientError, TransientErrorCode,
        policy::{Compensation, compensation, policy},
        versions::Gained,
    },
};

use super::{
    every_step,
    later::{TOMORROW, checkpoints, with_one_fewer, with_one_more, with_one_moved},
    run_harness::{Attempt, RunHarness},
};

/// What other versions may have left: a name for each, and the checkpoint.
fn others() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (stage, checkpoint) in checkpoints() {
        for at in 0..=7 {
            for is_begun in [false, true] {
                let name = format!("{stage}, one more at {at}, begun {is_begun}");
                all.push((name, with_one_more(&checkpoint, at, is_begun)));
            }
        }
        for at in 0..7 {
            all.push((format!("{stage}, one fewer at {at}"), with_one_fewer(&checkpoint, at)));
            all.push((format!("{stage}, moved from {at}"), with_one_moved(&checkpoint, at, 6 - at)));
        }
        for (what, place) in [
            ("reason", "/stage/failed/failure/code"),
            ("fault", "/stage/waiting/fault/code"),
            ("error", "/unlisted/0/error"),
            ("outcome", "/unlisted/0/outcome"),
            ("removal's reason", "/undo/stage/failed/failure/code"),
            ("removal's fault", "/undo/stage/waiting/fault/code"),
        ] {
            let mut later = checkpoint.clone();
            if let Some(word) = later.pointer_mut(place) {
                *word = TOMORROW.into();
                all.push((format!("{stage}, unknown {what}"), later));
            }
        }
        let mut later = checkpoint.clone();
        later["records"][2]["artifact"] = json!({ "calendar": { "id": "c1" } });
        all.push((format!("{stage}, unknown artifact"), later));
    }
    all
}

fn left_with(checkpoint: &Value) -> RunHarness {
    RunHarness::left_with(&checkpoint.to_string())
}

fn is_known(record: &Record) -> bool {
    !matches!(record.step, Step::Other(_))
}

/// Its records of steps that this version does not know. A new round counts anew, for them as well.
fn unknown(run: &Run) -> Vec<Record> {
    let unknown = run.doing.records.iter().filter(|record| !is_known(record));
    unknown.map(|record| Record { attempts_since_queued: 0, ..record.clone() }).collect()
}

/// After its current step, each recorded step was tried in the recorded order. None that was done before was tried again.
fn follows_its_own_record(harness: &RunHarness, before: &Run, what: &str) {
    let run = harness.run();
    let tried: Vec<Step> = harness.attempts.borrow().iter().map(|(step, _)| *step).collect();
    let behind = tried.iter().skip_while(|step| Some(*step) == tried.first());
    let places: Vec<usize> = behind.map(|step| place(&run, *step)).collect();
    assert!(places.is_sorted(), "{what}: {tried:?}");
    for (step, key) in harness.attempts.borrow().iter() {
        assert_eq!(*key, format!("{}/{}", run.id, step.as_str()), "{what}");
        let was_done =
            before.doing.records.iter().any(|record| record.step == *step && record.done_at.is_some());
        assert!(!was_done, "{what}: {step:?} was done before");
    }
    assert_eq!(unknown(&run), unknown(before), "{what}: what is not known is passed over, and left as it is");
}

fn is_completed(harness: &RunHarness, before: &Run, what: &str) {
    assert_eq!(harness.ended(), "completed", "{what}");
    let run = harness.run();
    assert!(
        run.doing.records.iter().filter(|r| is_known(r)).all(|r| r.done_at.is_some()),
        "{what}: {:?}",
        run.doing.records
    );
    for step in Step::of(run.plan) {
        assert!(
            run.doing.records.iter().any(|record| record.step == *step),
            "{what}: {step:?} is not in its record"
        );
    }
    follows_its_own_record(harness, before, what);
    assert_eq!(
        harness.projected.borrow().as_ref().map(|projected| projected.version),
        Some(run.version),
        "{what}"
    );
}

#[test]
fn a_run_of_another_version_is_brought_to_its_end() {
    let mut count = 0;
    for (what, checkpoint) in others() {
        let harness = left_with(&checkpoint);
        let before = harness.run();
        if before.undoing.is_some() || before.status() == RunStatus::Completed {
            continue;
        }
        harness.runs_until_it_rests();
        if harness.ended() != "completed" {
            harness.is_queued_again();
            harness.runs_until_it_rests();
        }
        is_completed(&harness, &before, &what);
        count += 1;
    }
    assert!(count > 100, "{count}");
}

#[test]
fn a_run_of_another_version_fails_with_a_reason_and_goes_on_when_it_is_wanted_again() {
    for (what, checkpoint) in others() {
        let harness = left_with(&checkpoint);
        let before = harness.run();
        let next = before.doing.records.iter().find(|record| is_known(record) && record.done_at.is_none());
        let Some(step) = next.map(|record| record.step).filter(|_| before.undoing.is_none()) else {
            continue;
        };
        if before.status() == RunStatus::Failed {
            harness.is_queued_again();
        }
        harness.always(step, Attempt::Refused);
        harness.runs_until_it_rests();
        assert_eq!(
            (harness.ended().as_str(), harness.run().current()),
            ("MISCONFIGURED", Some(step)),
            "{what}"
        );
        let told = Report::of(harness.projected.borrow().as_ref().unwrap());
        assert_eq!((told.status, told.step), (RunStatus::Failed, Some(step)), "{what}");
        harness.always(step, Attempt::Works);
        harness.is_queued_again();
        harness.runs_until_it_rests();
        is_completed(&harness, &before, &what);
    }
}

/// What a later version's step made is there until somebody who knows it removes it, or an operator leaves it.
#[test]
fn a_run_of_another_version_is_undone_but_for_what_this_one_does_not_know() {
    let tomorrow: Step = serde_json::from_value(TOMORROW.into()).unwrap();
    let mut refused = 0;
    for (what, checkpoint) in others() {
        let harness = left_with(&checkpoint);
        let before = harness.run();
        harness.always_when_removed(tomorrow, Attempt::Refused);
        harness.is_undone();
        harness.runs_until_it_rests();
        if harness.was_undone() != "undone" && before.undoing.is_some() {
            // It had failed, and that is told once more.
            harness.is_undone();
            harness.runs_until_it_rests();
        }
        let knows_of_it =
            harness.run().undoing.unwrap().records.iter().any(|removal| removal.step == tomorrow);
        if knows_of_it {
            assert_eq!(harness.was_undone(), "MISCONFIGURED", "{what}");
            assert_eq!(harness.run().failed_at(), Some(tomorrow), "{what}");
            assert!(
                !harness
                    .removals
                    .borrow()
                    .iter()
                    .any(|(step, _)| compensation(*step) == Compensation::SlugAndEmail),
                "{what}"
            );
            harness.is_skipped(tomorrow);
            harness.runs_until_it_rests();
            refused += 1;
        }
        assert_eq!(harness.was_undone(), "undone", "{what}");
        let begun = unknown(&before).iter().any(|record| record.attempts > 0);
        assert!(knows_of_it || !begun || before.undoing.is_some(), "{what}: it was begun");
        let left: Vec<Step> =
            harness.run().undoing.unwrap().records.iter().filter(|r| r.skipped).map(|r| r.step).collect();
        assert!(!knows_of_it || left.contains(&tomorrow), "{what}: {left:?}");
        for (step, key) in harness.removals.borrow().iter() {
            assert_eq!(*key, format!("{}/undo_{}", harness.run().id, step.as_str()), "{what}");
        }
    }
    assert!(refused > 10, "{refused}");
}

/// A run that was begun by a version whose plan had no `gained` yet, and which is at `at`.
fn begun_without(plan: Plan, gained: Step, at: Step) -> Run {
    let harness = RunHarness::queued(plan);
    harness.next(at, [Attempt::Unknown(TransientError::new(TransientErrorCode::Timeout))]);
    harness.rings();
    let mut run = harness.run();
    assert_eq!(run.current(), Some(at));
    run.doing.records.retain(|record| record.step != gained);
    run
}

/// Every step that a plan may have gained, and every one at which a run may be then.
fn every_gain() -> impl Iterator<Item = (Plan, Step, Step)> {
    every_step().flat_map(|(plan, gained)| Step::of(plan).iter().map(move |at| (plan, gained, *at)))
}

fn place(run: &Run, step: Step) -> usize {
    run.doing.records.iter().position(|record| record.step == step).unwrap()
}

#[test]
fn a_step_that_a_plan_gained_is_done_in_its_place_or_next() {
    for (plan, gained, at) in every_gain() {
        let old = begun_without(plan, gained, at);
        let mut run = old.clone();
        run.follows(Step::of(plan), |_| Gained::Done);
        let steps: Vec<Step> = run.doing.records.iter().map(|record| record.step).collect();
        assert_eq!(steps, Step::of(plan), "{gained:?} at {at:?}");
        assert_eq!(run.doing.records[place(&run, gained)], Record::new(gained), "{gained:?} at {at:?}");
        let harness = RunHarness::left_with(&serde_json::to_string(&old).unwrap());
        harness.runs_until_it_rests();
        assert_eq!(harness.ended(), "completed", "{gained:?} at {at:?}");
        assert_eq!(harness.attempts_at(gained), 1, "{gained:?} at {at:?}");
        let done = old.doing.records.iter().filter(|record| record.done_at.is_some());
        for record in done {
            assert_eq!(harness.attempts_at(record.step), 0, "{gained:?} at {at:?}: {:?}", record.step);
        }
    }
}

/// One that went on without a record was tried a thousand times.
#[test]
fn a_step_that_a_plan_gained_has_its_attempts_and_no_more() {
    for (plan, gained, at) in every_gain() {
        let harness =
            RunHarness::left_with(&serde_json::to_string(&begun_without(plan, gained, at)).unwrap());
        harness.always(gained, Attempt::Unknown(TransientError::new(TransientErrorCode::Timeout)));
        harness.runs_until_it_rests();
        let ended = harness.ended();
        assert!(["UPSTREAM_UNAVAILABLE", "DEADLINE_EXCEEDED"].contains(&ended.as_str()), "{ended}");
        let run = harness.run();
        let record = &run.doing.records[place(&run, gained)];
        let tried = harness.attempts_at(gained);
        assert_eq!(usize::try_from(record.attempts).unwrap(), tried, "{gained:?} at {at:?}");
        assert!(record.attempts <= policy(gained).attempts && tried > 4, "{gained:?} at {at:?}: {tried}");
        assert_eq!(
            harness.history_of(tenantry::domain::Task::Do(gained)).len(),
            tried,
            "{gained:?} at {at:?}"
        );
    }
}

#[test]
fn what_a_step_that_a_plan_gained_made_is_kept_and_removed() {
    let gained = Step::CreateSpreadsheet;
    for at in Step::of(Plan::Pro) {
        let harness =
            RunHarness::left_with(&serde_json::to_string(&begun_without(Plan::Pro, gained, *at)).unwrap());
        harness.runs_until_it_rests();
        assert!(matches!(harness.run().artifact(gained), Some(Artifact::Spreadsheet { .. })), "{at:?}");
        harness.is_undone();
        harness.runs_until_it_rests();
        assert_eq!(harness.was_undone(), "undone", "{at:?}");
        assert!(harness.removals.borrow().iter().any(|(step, _)| *step == gained), "{at:?}");
        assert!(harness.there.borrow().is_empty(), "{at:?}: {:?}", harness.there.borrow());
    }
}

/// As the version that began it would have ended it.
#[test]
fn a_step_that_is_only_for_new_runs_is_left_out_of_those_that_are_under_way() {
    for (plan, gained, at) in every_gain() {
        let mut run = begun_without(plan, gained, at);
        // Where it is at that step itself, the old version had another name for it: what is next is done.
        run.follows(Step::of(plan), |_| Gained::Skipped);
        let record = run.doing.records[place(&run, gained)].clone();
        assert!(record.skipped && record.done_at.is_some() && record.attempts == 0, "{gained:?} at {at:?}");
        if gained == at {
            continue;
        }
        let harness = RunHarness::left_with(&serde_json::to_string(&run).unwrap());
        harness.runs_until_it_rests();
        assert_eq!(
            (harness.ended().as_str(), harness.attempts_at(gained)),
            ("completed", 0),
            "{gained:?} at {at:?}"
        );
        let told = Report::of(harness.projected.borrow().as_ref().unwrap());
        assert_eq!(told.steps[place(&run, gained)].status.as_str(), "skipped", "{gained:?} at {at:?}");
    }
}

#[test]
fn what_is_over_gains_nothing() {
    for (plan, gained) in every_step() {
        for is_removal in [false, true] {
            let harness = RunHarness::queued(plan);
            harness.runs_to_the_end();
            if is_removal {
                harness.is_undone();
            }
            let mut run = harness.run();
            run.doing.records.retain(|record| record.step != gained);
            let before = run.clone();
            run.follows(Step::of(plan), |_| Gained::Done);
            assert_eq!(run, before, "{gained:?} {is_removal}");
        }
    }
}

/// One that failed is under way: it goes on with what its plan has by now when it is wanted again.
#[test]
fn a_run_that_failed_gains_what_its_plan_gained() {
    for (plan, gained, at) in every_gain() {
        let harness = RunHarness::queued(plan);
        harness.next(at, [Attempt::Refused]);
        harness.runs_to_the_end();
        let mut run = harness.run();
        run.doing.records.retain(|record| record.step != gained);
        let harness = RunHarness::left_with(&serde_json::to_string(&run).unwrap());
        assert!(
            matches!(harness.run().doing.stage, Stage::Failed { step, .. } if step == at),
            "{gained:?} at {at:?}"
        );
        harness.is_queued_again();
        harness.runs_until_it_rests();
        assert_eq!(
            (harness.ended().as_str(), harness.attempts_at(gained)),
            ("completed", 1),
            "{gained:?} at {at:?}"
        );
    }
}
