//! What is stored, or sent between versions, as literal text: a later version must read what an earlier one wrote.
//!
//! `checkpoints` holds, for each version that ever wrote others, one checkpoint of every stage. What is in there is never
//! changed, only added to.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use tenantry::{
    domain::{Plan, Step, Timestamp, Upstream},
    workflow::{Artifact, Command, Reply, Report, RequestOrigin, Run, TransientError, TransientErrorCode},
};

use super::run_harness::{Attempt, RunHarness, caller, queue, subject, undo, wake};

/// The version whose checkpoints are those that are written now.
const NEWEST: &str = "0.4.0";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/workflow/checkpoints")
}

/// The same runs, brought to every stage.
fn every_stage() -> [(&'static str, Run); 10] {
    let harness = RunHarness::queued(Plan::Pro);
    let ready = harness.run();
    harness.listing_fails.set(2);
    harness.next(Step::VerifySpreadsheet, [Attempt::DiesBefore]);
    harness.rings();
    // Version 0.4.0 told D1 of every step.
    let running = Run { projection_failures: 3, ..harness.run() };
    let wait = TransientError {
        code: TransientErrorCode::RateLimited,
        status: Some(429),
        retry_after: Some(Duration::from_millis(37_500)),
    };
    harness.next(Step::VerifySpreadsheet, [Attempt::Unknown(wait)]);
    harness.rings();
    let waiting = harness.run();
    harness.next(Step::VerifySpreadsheet, [Attempt::Refused]);
    harness.runs_to_the_end();
    let failed = harness.run();
    harness.is_skipped(Step::VerifySpreadsheet);
    harness.runs_to_the_end();
    let completed = harness.run();
    harness.is_undone();
    let undo_ready = harness.run();
    harness.listing_fails.set(3);
    harness.next_removal(Step::CreateSpreadsheet, [Attempt::DiesBefore]);
    harness.rings();
    let undo_running = harness.run();
    harness.next_removal(
        Step::CreateSpreadsheet,
        [Attempt::Unknown(TransientError::new(TransientErrorCode::Timeout))],
    );
    harness.rings();
    let undo_waiting = Run { projection_failures: 2, ..harness.run() };
    harness.next_removal(Step::CreateSpreadsheet, [Attempt::Refused]);
    harness.runs_to_the_end();
    let undo_failed = harness.run();
    harness.passes(Duration::from_millis(32_007));
    harness.is_skipped(Step::CreateSpreadsheet);
    harness.runs_to_the_end();
    [
        ("ready", ready),
        ("running", running),
        ("waiting", waiting),
        ("failed", failed),
        ("completed", completed),
        ("undo_ready", undo_ready),
        ("undo_running", undo_running),
        ("undo_waiting", undo_waiting),
        ("undo_failed", undo_failed),
        ("undone", harness.run()),
    ]
}

/// Writes the files of a version that writes others than the one before; those that are there are never written again.
fn write_the_checkpoints() {
    std::fs::create_dir(folder().join(NEWEST)).unwrap();
    for (stage, run) in every_stage() {
        let text = serde_json::to_string_pretty(&run).unwrap() + "\n";
        std::fs::write(folder().join(NEWEST).join(format!("{stage}.json")), text).unwrap();
    }
}

/// After raising `NEWEST`, `WRITE_CHECKPOINTS=1 cargo test --test api a_checkpoint_of_every_stage` writes its files.
#[test]
fn a_checkpoint_of_every_stage_is_written_as_it_was() {
    if std::env::var_os("WRITE_CHECKPOINTS").is_some() {
        write_the_checkpoints();
    }
    for (stage, run) in every_stage() {
        let kept = std::fs::read_to_string(folder().join(NEWEST).join(format!("{stage}.json"))).unwrap();
        let mut kept: Value = serde_json::from_str(&kept).unwrap();
        // Mails were sent by the run, and one that was refused was a warning: it is read, and not written any more.
        for record in kept["records"].as_array_mut().unwrap() {
            record.as_object_mut().unwrap().remove("warning");
        }
        assert_eq!(serde_json::to_value(&run).unwrap(), kept, "{stage}");
    }
}

/// What few runs have, each way by the name that every version reads.
#[test]
fn what_is_seldom_in_a_checkpoint_is_written_as_it_was() {
    let [.., (_, run)] = every_stage();
    let mut run = run;
    let undo = run.undoing.as_mut().unwrap();
    (undo.records[1].uncounted, undo.records[1].skipped) = (3, true);
    undo.finishing_at = Some(Timestamp::from_millis(1_800_000_100_000));
    run.doing.finishing_at = Some(Timestamp::from_millis(1_800_000_050_000));
    (run.doing.records[1].uncounted, run.doing.records[1].skipped) = (2, true);
    let text = serde_json::to_value(&run).unwrap();
    assert_eq!((&text["live_at"], text.get("gone_at")), (&json!(1_800_000_050_000_i64), None));
    assert_eq!(
        (&text["undo"]["gone_at"], text["undo"].get("live_at")),
        (&json!(1_800_000_100_000_i64), None)
    );
    let (record, removal) = (&text["records"][1], &text["undo"]["removals"][1]);
    assert_eq!(
        (&record["uncounted"], &record["skipped"], record.get("left")),
        (&json!(2), &json!(true), None)
    );
    assert_eq!(
        (&removal["uncounted"], &removal["left"], removal.get("skipped")),
        (&json!(3), &json!(true), None)
    );
    assert_eq!(serde_json::from_value::<Run>(text).unwrap(), run);
}

/// Otherwise a deployment would strand the runs that are under way.
#[test]
fn every_checkpoint_that_was_ever_written_is_brought_to_its_end() {
    let mut count = 0;
    for version in std::fs::read_dir(folder()).unwrap() {
        for file in std::fs::read_dir(version.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let harness = RunHarness::left_with(&std::fs::read_to_string(&path).unwrap());
            let rounds = harness.run().doing.times_queued;
            harness.runs_to_the_end();
            if harness.run().undoing.is_some() {
                harness.is_undone();
                harness.runs_to_the_end();
                assert_eq!(harness.was_undone(), "undone", "{path:?}");
            } else if harness.ended() != "completed" {
                harness.is_queued_again();
                harness.runs_to_the_end();
                assert_eq!(harness.run().doing.times_queued, rounds + 1);
            }
            assert_eq!(harness.ended(), "completed", "{path:?}");
            count += 1;
        }
    }
    assert!(count >= 15);
}

#[test]
fn what_a_later_version_adds_is_passed_over() {
    for (_, run) in every_stage() {
        let mut value = serde_json::to_value(&run).unwrap();
        value["something"] = json!({ "new": true });
        value["records"][0]["something"] = json!(1);
        assert_eq!(serde_json::from_value::<Run>(value).unwrap(), run);
    }
}

#[test]
fn commands_are_written_as_they_were() {
    let told = json!({
        "tenant": "tenant_1", "slug": "fc-nord", "name": "FC Nord", "email": "owner@fc-nord.example", "owner": "user_1"
    });
    let from = json!({
        "origin": "https://api.example.com", "request": "req_1",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    });
    for (command, text) in [
        (queue(Plan::Pro, caller()), json!({ "queue": { "subject": told, "plan": "pro", "caller": from } })),
        (
            wake(Plan::Starter, Some(7), false),
            json!({ "wake": { "subject": told, "plan": "starter", "listed_version": 7 } }),
        ),
        (wake(Plan::Starter, None, false), json!({ "wake": { "subject": told, "plan": "starter" } })),
        (
            undo(Plan::Pro, caller(), None),
            json!({ "undo": { "subject": told, "plan": "pro", "caller": from } }),
        ),
        (
            undo(Plan::Pro, RequestOrigin::default(), Some(7)),
            json!({
                "undo": { "subject": told, "plan": "pro", "caller": { "origin": "" }, "listed_version": 7 }
            }),
        ),
        (
            Command::Queue {
                subject: subject(),
                plan: Plan::Pro,
                caller: RequestOrigin::default(),
                run: Some("run_lab".parse().unwrap()),
                projected_version: Some(7),
            },
            json!({
                "queue": {
                    "subject": told, "plan": "pro", "caller": { "origin": "" }, "run": "run_lab", "listed_version": 7
                }
            }),
        ),
        (
            wake(Plan::Starter, Some(7), true),
            json!({ "wake": { "subject": told, "plan": "starter", "listed_version": 7, "resume": true } }),
        ),
        (
            Command::Undo {
                subject: None,
                plan: Plan::Pro,
                caller: RequestOrigin::default(),
                projected_version: None,
                run: Some("run_lab".parse().unwrap()),
            },
            json!({ "undo": { "plan": "pro", "caller": { "origin": "" }, "run": "run_lab" } }),
        ),
        (
            Command::CancelRun { run: "run_lab".parse().unwrap() },
            json!({ "cancel_run": { "run": "run_lab" } }),
        ),
        (
            Command::SkipStep { run: "run_lab".parse().unwrap(), step: Step::ValidateWebhook },
            json!({ "skip_step": { "run": "run_lab", "step": "validate_webhook" } }),
        ),
        (Command::Reset { run: "run_lab".parse().unwrap() }, json!({ "reset": { "run": "run_lab" } })),
        (Command::Compare { projected_version: 7 }, json!({ "compare": { "listed_version": 7 } })),
        (Command::Forget, json!("forget")),
        (Command::GoOn { upstream: Upstream::AppsScript }, json!({ "go_on": { "upstream": "apps_script" } })),
        (Command::Cancel, json!("cancel")),
        (Command::Skip, json!("skip")),
        (Command::Report, json!("report")),
        (Command::Ping, json!("ping")),
    ] {
        assert_eq!(serde_json::to_value(&command).unwrap(), text);
        assert_eq!(serde_json::from_value::<Command>(text).unwrap(), command);
    }
    let bare = json!({ "queue": { "subject": told, "plan": "pro", "something": "new" } });
    let command = queue(Plan::Pro, RequestOrigin::default());
    assert_eq!(serde_json::from_value::<Command>(bare).unwrap(), command);
}

#[test]
fn replies_are_written_as_they_were() {
    let harness = RunHarness::queued(Plan::Starter);
    harness
        .next(Step::ConfigureRouting, [Attempt::Unknown(TransientError::new(TransientErrorCode::Timeout))]);
    harness.rings();
    let reply = harness.is_told(Command::Report);
    let step = |name: &str| {
        json!({
            "name": name, "status": "pending", "attempts": 0, "started_at": null, "completed_at": null,
            "retry_at": null, "error": null
        })
    };
    let mut steps: Vec<Value> = Step::of(Plan::Starter).iter().map(|s| step(s.as_str())).collect();
    steps[0] = json!({
        "name": "seed_defaults", "status": "completed", "attempts": 1, "started_at": 1_800_000_012_345_i64,
        "completed_at": 1_800_000_012_365_i64, "retry_at": null, "error": null
    });
    steps[1] = json!({
        "name": "configure_routing", "status": "running", "attempts": 1, "started_at": 1_800_000_012_365_i64,
        "completed_at": null, "retry_at": 1_800_000_013_992_i64,
        "error": { "code": "TIMEOUT", "message": "The other side did not answer in time." }
    });
    let text = json!({
        "run": {
            "report": {
                "run": "run_lab", "plan": "starter", "status": "processing", "version": 5, "step": "configure_routing",
                "steps": steps, "failure": null, "warnings": [], "started_at": 1_800_000_012_345_i64, "ended_at": null
            },
            "changed": false
        }
    });
    assert_eq!(serde_json::to_value(&reply).unwrap(), text);
    assert_eq!(serde_json::from_value::<Reply>(text).unwrap(), reply);
    assert_eq!(serde_json::to_value(Reply::NoRun).unwrap(), json!("no_run"));
    assert_eq!(serde_json::to_value(Reply::Unreadable).unwrap(), json!("unreadable"));
    assert_eq!(serde_json::to_value(Reply::Pong).unwrap(), json!("pong"));
}

/// An older version sends nothing of the kind, and reads past it.
#[test]
fn when_a_failed_run_goes_on_is_written_as_it_was() {
    let harness = RunHarness::queued(Plan::Starter);
    harness
        .always(Step::ConfigureRouting, Attempt::Unknown(TransientError::new(TransientErrorCode::Timeout)));
    harness.runs_to_the_end();
    let report = Report::of(&harness.run());
    let mut text = serde_json::to_value(&report).unwrap();
    assert_eq!(text["resume_at"], json!(harness.run().resume_at().unwrap()));
    assert_eq!(text["resume_at"].as_i64().unwrap() - text["ended_at"].as_i64().unwrap(), 5 * 60 * 1000);
    text.as_object_mut().unwrap().remove("resume_at");
    let older = serde_json::from_value::<Report>(text).unwrap();
    assert_eq!(older, Report { resume_at: None, ..report });
}

#[test]
fn what_a_step_made_is_written_as_it_was() {
    let text = |value: &str| value.to_owned();
    for (artifact, written) in [
        (
            Artifact::Spreadsheet { id: text("s1"), url: text("https://docs.google.com/s1") },
            json!({ "spreadsheet": { "id": "s1", "url": "https://docs.google.com/s1" } }),
        ),
        (
            Artifact::DnsRecord {
                id: text("r1"),
                zone: text("z1"),
                name: text("fc.clubs.example"),
                created: true,
            },
            json!({ "dns_record": { "id": "r1", "zone": "z1", "name": "fc.clubs.example", "created": true } }),
        ),
    ] {
        assert_eq!(serde_json::to_value(&artifact).unwrap(), written);
        assert_eq!(serde_json::from_value::<Artifact>(written).unwrap(), artifact);
    }
}

#[test]
fn times_in_a_checkpoint_are_milliseconds() {
    assert_eq!(
        serde_json::to_value(Timestamp::from_millis(1_800_000_012_345)).unwrap(),
        json!(1_800_000_012_345_i64)
    );
}
