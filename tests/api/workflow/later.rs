//! What a later version leaves behind for this one, after a rollback: words that this one doesn't know, and runs that have other
//! steps. All of it is read, and written back as it was.

use std::path::Path;

use serde_json::{Value, json};
use tenantry::{
    domain::{Plan, Step, Upstream, config::Budgets},
    workflow::{
        Artifact, Command, FailureCode, Outcome, Reply, Report, Run, Stage, TransientErrorCode,
        breaker::{self, Breaker, HealthSignal, State},
        policy::{Compensation, compensation},
    },
};

use super::run_harness::{RunHarness, subject};

/// A word of tomorrow.
pub const TOMORROW: &str = "of_tomorrow";

/// Every checkpoint that version 0.2.0 wrote, by its stage.
pub fn checkpoints() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/workflow/checkpoints/0.2.0");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let stage = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (stage, serde_json::from_str(&text).unwrap())
        })
        .collect()
}

/// The same run with one step more, at this place.
pub fn with_one_more(checkpoint: &Value, at: usize, is_begun: bool) -> Value {
    let mut more = checkpoint.clone();
    let record = json!({
        "step": TOMORROW, "attempts": u8::from(is_begun), "round": u8::from(is_begun),
        "started_at": is_begun.then_some(1_800_000_012_345_i64), "done_at": is_begun.then_some(1_800_000_012_345_i64)
    });
    more["records"].as_array_mut().unwrap().insert(at, record);
    more
}

/// The same run with one step fewer.
pub fn with_one_fewer(checkpoint: &Value, at: usize) -> Value {
    let mut fewer = checkpoint.clone();
    fewer["records"].as_array_mut().unwrap().remove(at);
    fewer
}

/// The same run with a step in another place.
pub fn with_one_moved(checkpoint: &Value, from: usize, to: usize) -> Value {
    let mut transition = checkpoint.clone();
    let records = transition["records"].as_array_mut().unwrap();
    let record = records.remove(from);
    records.insert(to, record);
    transition
}

/// Where a JSON value holds words of our vocabulary, as pointers to them.
fn words_in(value: &Value, at: &str, found: &mut Vec<String>) {
    let is_word = |text: &str| {
        Step::named(text).is_some()
            || FailureCode::named(text).is_some()
            || TransientErrorCode::named(text).is_some()
            || [
                "done",
                "refused",
                "unknown",
                "processing",
                "completed",
                "failed",
                "pending",
                "undoing",
                "running",
            ]
            .contains(&text)
    };
    match value {
        Value::String(text) if is_word(text) => found.push(at.to_owned()),
        Value::Array(all) => {
            for (index, one) in all.iter().enumerate() {
                words_in(one, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, one) in fields {
                words_in(one, &format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}

fn is_read_and_written_back(checkpoint: &Value) -> Run {
    let run: Run =
        serde_json::from_str(&checkpoint.to_string()).unwrap_or_else(|e| panic!("{e}: {checkpoint:#}"));
    let mut written = serde_json::to_value(&run).unwrap();
    // Null and absent are the same.
    let mut expected = checkpoint.clone();
    for value in [&mut written, &mut expected] {
        without_nulls(value);
    }
    assert_eq!(written, expected);
    run
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, one| !one.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(all) => all.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

#[test]
fn an_unknown_word_in_any_place_of_a_checkpoint_is_kept() {
    let mut count = 0;
    for (_, checkpoint) in checkpoints() {
        let mut places = Vec::new();
        words_in(&checkpoint, "", &mut places);
        for place in places {
            let mut later = checkpoint.clone();
            *later.pointer_mut(&place).unwrap() = TOMORROW.into();
            let run = is_read_and_written_back(&later);
            // Nor does it stop anybody from saying where the run stands.
            let report = serde_json::to_value(Report::of(&run)).unwrap();
            assert_eq!(serde_json::from_value::<Report>(report).unwrap(), Report::of(&run));
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}

#[test]
fn a_run_that_has_other_steps_is_read_as_it_is() {
    for (_, checkpoint) in checkpoints() {
        for at in 0..=7 {
            for is_begun in [false, true] {
                is_read_and_written_back(&with_one_more(&checkpoint, at, is_begun));
            }
        }
        for at in 0..7 {
            is_read_and_written_back(&with_one_fewer(&checkpoint, at));
            is_read_and_written_back(&with_one_moved(&checkpoint, at, 6 - at));
        }
    }
}

#[test]
fn what_an_unknown_step_made_is_kept_as_it_was() {
    let made = json!({ "calendar": { "id": "c1", "shared": [1, { "deep": null }] } });
    for (_, checkpoint) in checkpoints() {
        let mut later = checkpoint.clone();
        later["records"][2]["artifact"] = made.clone();
        let run: Run = serde_json::from_value(later).unwrap();
        assert_eq!(run.artifact(Step::CreateSpreadsheet), Some(&Artifact::Other(made.clone())));
        assert_eq!(serde_json::to_value(&run).unwrap()["records"][2]["artifact"], made);
    }
    // What is known, but not in this shape, is not half read.
    let more = json!({ "dns_record": { "zone": "z1" } });
    assert_eq!(serde_json::from_value::<Artifact>(more.clone()).unwrap(), Artifact::Other(more));
}

#[test]
fn an_unknown_stage_at_a_step_is_that_step_next() {
    for (_, checkpoint) in checkpoints() {
        let mut later = checkpoint;
        later["stage"] = json!({ "paused": { "step": "create_owner", "by": "operator" } });
        let run: Run = serde_json::from_value(later.clone()).unwrap();
        assert_eq!(run.doing.stage, Stage::Ready { step: Step::CreateOwner });
        later["stage"] = json!({ "archived": { "at": 1 } });
        let error = serde_json::from_value::<Run>(later).unwrap_err().to_string();
        assert!(error.contains("the stage \"archived\""), "{error}");
    }
}

#[test]
fn an_unknown_plan_is_known_by_its_steps() {
    for plan in [Plan::Starter, Plan::Pro] {
        let harness = RunHarness::queued(plan);
        let mut later = serde_json::to_value(harness.run()).unwrap();
        later["plan"] = "club".into();
        assert_eq!(serde_json::from_value::<Run>(later).unwrap().plan, plan);
        let mut report = serde_json::to_value(Report::of(&harness.run())).unwrap();
        report["plan"] = "club".into();
        assert_eq!(serde_json::from_value::<Report>(report).unwrap().plan, plan);
    }
}

#[test]
fn a_command_about_an_unknown_plan_undoes_but_begins_nothing() {
    let told = |word: &str| json!({ word: { "subject": subject(), "plan": "club" } });
    assert!(serde_json::from_value::<Command>(told("undo")).is_ok());
    for word in ["queue", "wake"] {
        assert!(serde_json::from_value::<Command>(told(word)).is_err(), "{word}");
    }
}

#[test]
fn a_report_with_an_unknown_word_in_any_place_is_read() {
    let harness = RunHarness::queued(Plan::Pro);
    harness.runs_to_the_end();
    harness.is_undone();
    let reply = serde_json::to_value(harness.is_told(Command::Report)).unwrap();
    let mut places = Vec::new();
    words_in(&reply, "", &mut places);
    assert!(places.len() > 14, "{places:?}");
    for place in places {
        let mut later = reply.clone();
        *later.pointer_mut(&place).unwrap() = TOMORROW.into();
        let read: Reply = serde_json::from_value(later.clone()).unwrap_or_else(|e| panic!("{place}: {e}"));
        assert_eq!(serde_json::to_value(read).unwrap(), later);
    }
}

#[test]
fn what_a_breaker_does_not_understand_says_nothing() {
    let report = json!({
        "upstream": TOMORROW, "wish": { "report": { "run": "run_1", "verdict": { "slow": { "ms": 7 } }, "watched": true } }
    });
    let command: breaker::Request = serde_json::from_value(report).unwrap();
    assert!(matches!(
        command.command,
        breaker::BreakerCommand::Report { verdict: HealthSignal::Nothing, .. }
    ));
    let breaker = Breaker::default();
    let now = super::run_harness::START;
    let limits = breaker::limits(Upstream::Resend, Budgets::default());
    let effects = breaker::handle(&breaker, &breaker::Waiting::default(), &command, &limits, now);
    assert_eq!(effects.reply.breaker, breaker);
    let reply = json!({
        "breaker": { "state": { "forced_open": { "by": "operator" } }, "spent": [] },
        "moved": TOMORROW, "admission": { "queue": { "place": 3 } }
    });
    let reply: breaker::Reply = serde_json::from_value(reply).unwrap();
    assert_eq!(reply.breaker.state, State::default());
    assert_eq!((reply.transition, reply.admission), (None, None));
    assert!(
        serde_json::from_value::<breaker::Request>(json!({ "upstream": "make", "wish": TOMORROW })).is_err()
    );
}

#[test]
fn an_unknown_end_of_an_attempt_says_nothing_about_the_other_side() {
    let failure = serde_json::from_value(json!({ "code": TOMORROW, "message": "No." })).unwrap();
    let refused = Outcome::Failed(failure);
    let fault = serde_json::from_value(json!({ "code": TOMORROW })).unwrap();
    let unknown = Outcome::Unknown(fault);
    for upstream in Upstream::ALL {
        for outcome in [&refused, &unknown] {
            assert_eq!(HealthSignal::of(upstream, outcome), HealthSignal::Nothing, "{upstream:?}");
        }
    }
}

#[test]
fn what_a_step_of_tomorrow_began_is_removed_before_the_tenant_is_told_gone() {
    let step: Step = serde_json::from_value(TOMORROW.into()).unwrap();
    assert_eq!(compensation(step), Compensation::Required);
    let (_, completed) = checkpoints().into_iter().find(|(stage, _)| stage == "completed").unwrap();
    for (is_begun, is_removed) in [(false, false), (true, true)] {
        let mut run: Run = serde_json::from_value(with_one_more(&completed, 3, is_begun)).unwrap();
        run.begin_undo(super::run_harness::caller(), super::run_harness::START);
        let removals = run.undoing.unwrap().records;
        assert_eq!(removals.iter().any(|removal| removal.step == step), is_removed);
    }
    // Of a step that leaves nothing as this version knows it, too.
    let mut later = completed;
    later["records"][3]["artifact"] = json!({ "calendar": { "id": "c1" } });
    let mut run: Run = serde_json::from_value(later).unwrap();
    run.begin_undo(super::run_harness::caller(), super::run_harness::START);
    assert!(run.undoing.unwrap().records.iter().any(|removal| removal.step == Step::VerifySpreadsheet));
}
