//! Queued again: by whoever wants it, whenever.

use std::time::Duration;

use tenantry::{
    domain::{Plan, RunStatus, Step, Task, Upstream},
    workflow::{Command, Reply, RequestOrigin, TransientError, TransientErrorCode, policy::RUN_LIMIT},
};

use super::{
    every_step,
    run_harness::{Attempt, RunHarness, queue, subject, undo, wake},
};

fn changed(reply: &Reply) -> bool {
    match reply {
        Reply::Run { changed, .. } => *changed,
        other => panic!("{other:?}"),
    }
}

/// What the sweep says when D1 shows the run as it is now.
fn woken(harness: &RunHarness) -> Command {
    let run = harness.run();
    wake(run.plan, Some(run.version), false)
}

#[test]
fn a_failed_run_goes_on_at_the_step_that_failed() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.next(step, [Attempt::Refused]);
        harness.runs_to_the_end();
        let id = harness.run().id;
        assert!(changed(&harness.is_queued_again()), "{step:?}");
        harness.runs_to_the_end();
        assert_eq!((harness.ended().as_str(), harness.run().id), ("completed", id), "{step:?}");
        for other in Step::of(plan) {
            assert_eq!(
                harness.attempts_at(*other),
                if *other == step { 2 } else { 1 },
                "{step:?}: {other:?}"
            );
        }
        assert_eq!(harness.run().doing.times_queued, 2);
    }
}

#[test]
fn a_round_has_fresh_attempts_and_a_fresh_deadline() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.always(step, Attempt::Unknown(TransientError::new(TransientErrorCode::Timeout)));
        harness.runs_to_the_end();
        let once = harness.attempts_at(step);
        harness.passes(RUN_LIMIT * 3);
        harness.is_queued_again();
        let queued_at = harness.clock();
        harness.runs_to_the_end();
        assert_eq!(harness.ended(), "UPSTREAM_UNAVAILABLE", "{step:?}");
        assert_eq!(harness.attempts_at(step), 2 * once, "{step:?}");
        assert!(harness.clock().since(queued_at) < RUN_LIMIT);
        let record = harness.run().doing.records.into_iter().find(|record| record.step == step).unwrap();
        assert_eq!(
            usize::try_from(record.attempts).unwrap(),
            2 * once,
            "attempts are counted over all rounds"
        );
    }
}

#[test]
fn queueing_a_run_at_work_or_a_completed_one_changes_nothing() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.next(step, [Attempt::Unknown(TransientError::new(TransientErrorCode::Timeout))]);
        harness.rings();
        let (run, alarm) = (harness.run(), harness.alarm());
        assert!(!changed(&harness.is_queued_again()), "{step:?}");
        assert_eq!((harness.run(), harness.alarm()), (run, alarm), "{step:?}");
        harness.runs_to_the_end();
        let run = harness.run();
        assert!(!changed(&harness.is_queued_again()), "{step:?}");
        assert_eq!((harness.run(), harness.alarm()), (run, None), "{step:?}");
    }
}

#[test]
fn a_run_whose_alarm_was_lost_is_woken_by_whoever_asks() {
    for (plan, step) in every_step() {
        for told in [queue(plan, RequestOrigin::default()), wake(plan, None, false)] {
            let harness = RunHarness::queued(plan);
            harness.next(step, [Attempt::DiesAfter]);
            harness.rings();
            harness.loses_its_alarm();
            harness.is_told(told);
            harness.runs_to_the_end();
            assert_eq!(harness.ended(), "completed", "{step:?}");
        }
    }
}

#[test]
fn waking_begins_nothing_that_completed() {
    for plan in [Plan::Starter, Plan::Pro] {
        let harness = RunHarness::queued(plan);
        harness.runs_to_the_end();
        let run = harness.run();
        assert!(!changed(&harness.is_told(woken(&harness))));
        assert_eq!((harness.run(), harness.alarm()), (run, None), "{plan:?}");
    }
}

/// D1 wakes whom it lists as at work: it listed the failure, and then somebody wanted another try.
#[test]
fn waking_a_run_whose_failure_is_listed_tries_again() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.next(step, [Attempt::Refused]);
        harness.runs_to_the_end();
        let failed = harness.ended() != "completed";
        assert_eq!(changed(&harness.is_told(woken(&harness))), failed, "{step:?}");
        harness.runs_to_the_end();
        assert_eq!(harness.ended(), "completed", "{step:?}");
    }
}

/// The sweep reads first, and wakes one after the other: what it read may be old by then.
#[test]
fn waking_a_run_that_was_stopped_since_begins_nothing_and_lists_it_again() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        let read = woken(&harness);
        harness.passes(Duration::from_secs(61));
        harness.next(step, [Attempt::Unknown(TransientError::new(TransientErrorCode::Timeout))]);
        harness.rings();
        harness.is_cancelled();
        harness.runs_to_the_end();
        let (stopped, (_, listings)) = (harness.run(), harness.writes());
        assert!(!changed(&harness.is_told(read)), "{step:?}");
        harness.runs_to_the_end();
        assert_eq!((harness.ended().as_str(), harness.attempts_at(step)), ("CANCELLED", 1), "{step:?}");
        assert_eq!(
            (harness.run().doing.stage, harness.run().doing.times_queued),
            (stopped.doing.stage, stopped.doing.times_queued),
            "{step:?}"
        );
        assert_eq!(harness.writes().1, listings + 1, "{step:?}");
    }
}

#[test]
fn a_cancelled_run_stops_before_its_next_attempt() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.next(step, [Attempt::Unknown(TransientError::new(TransientErrorCode::Timeout))]);
        harness.rings();
        assert!(changed(&harness.is_cancelled()), "{step:?}");
        harness.runs_to_the_end();
        assert_eq!((harness.ended().as_str(), harness.attempts_at(step)), ("CANCELLED", 1), "{step:?}");
        assert!(!changed(&harness.is_cancelled()), "{step:?}: it has ended");
        harness.is_queued_again();
        harness.runs_to_the_end();
        assert_eq!(harness.ended(), "completed", "{step:?}");
    }
}

/// It would begin before D1 hears of the end, which then stands there as the last word.
#[test]
fn a_wish_that_knew_of_no_end_begins_nothing_behind_it() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.next(step, [Attempt::Unknown(TransientError::new(TransientErrorCode::Timeout))]);
        harness.rings();
        let wish = |projected_version| Command::Queue {
            subject: subject(),
            plan,
            caller: RequestOrigin::default(),
            run: None,
            projected_version: Some(projected_version),
        };
        let before = harness.run().version;
        harness.is_cancelled();
        assert!(!changed(&harness.is_told(wish(before))), "{step:?}");
        harness.runs_to_the_end();
        assert_eq!(harness.ended(), "CANCELLED", "{step:?}");
        assert!(changed(&harness.is_told(wish(harness.run().version))), "{step:?}");
        harness.runs_to_the_end();
        assert_eq!(harness.ended(), "completed", "{step:?}");
    }
}

/// The object takes commands while a call is away: its answer must not undo them.
#[test]
fn a_run_that_is_cancelled_during_a_call_stays_cancelled() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.next(step, [Attempt::Meanwhile(vec![harness.cancel()])]);
        harness.runs_to_the_end();
        assert_eq!((harness.ended().as_str(), harness.attempts_at(step)), ("CANCELLED", 1), "{step:?}");
        assert_eq!(harness.run().current(), Some(step));
        harness.is_queued_again();
        harness.runs_to_the_end();
        assert_eq!(
            (harness.ended().as_str(), harness.attempts_at(step)),
            ("completed", 2),
            "{step:?}: under the same key"
        );
    }
}

/// An attempt that was begun may have done something outside: who looks for what stands where must find it.
#[test]
fn an_attempt_that_was_overtaken_is_in_the_history() {
    for (plan, step) in every_step() {
        let undone = undo(plan, RequestOrigin::default(), None);
        for command in [Command::CancelRun { run: "run_lab".parse().unwrap() }, undone] {
            let harness = RunHarness::queued(plan);
            harness.next(step, [Attempt::Meanwhile(vec![command.clone()])]);
            harness.runs_to_the_end();
            assert_eq!(
                harness.history_of(Task::Do(step)),
                [Some("INTERRUPTED".to_owned())],
                "{step:?} {command:?}"
            );
        }
        let harness = RunHarness::queued(plan);
        harness.next(step, [Attempt::DiesAfter]);
        harness.rings();
        harness.passes(RUN_LIMIT);
        harness.runs_to_the_end();
        assert_eq!(harness.ended(), "DEADLINE_EXCEEDED", "{step:?}");
        assert_eq!(harness.history_of(Task::Do(step)), [Some("INTERRUPTED".to_owned())], "{step:?}");
    }
}

#[test]
fn a_run_that_is_cancelled_and_queued_again_during_a_call_repeats_the_step() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        let again = queue(plan, RequestOrigin::default());
        harness.next(step, [Attempt::Meanwhile(vec![harness.cancel(), again])]);
        harness.runs_to_the_end();
        assert_eq!((harness.ended().as_str(), harness.attempts_at(step)), ("completed", 2), "{step:?}");
    }
}

#[test]
fn a_step_that_failed_can_be_left_out_but_not_going_live() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.always(step, Attempt::Refused);
        harness.runs_to_the_end();
        let skipped = changed(&harness.is_skipped(step));
        assert_eq!(skipped, step != Step::Activate, "{step:?}");
        if skipped {
            harness.runs_to_the_end();
            assert_eq!((harness.ended().as_str(), harness.attempts_at(step)), ("completed", 1), "{step:?}");
        }
    }
}

#[test]
fn a_link_that_has_grown_old_is_replaced_before_it_is_mailed() {
    let plan = Plan::Starter;
    for (hours, fresh) in [(1, false), (12, false), (13, true), (48, true)] {
        let harness = RunHarness::queued(plan);
        harness.next(Step::ValidateWebhook, [Attempt::Refused]);
        harness.runs_to_the_end();
        let before = harness.run();
        harness.passes(Duration::from_secs(hours * 3600));
        harness.is_queued_again();
        let after = harness.run();
        assert_eq!(after.link_id != before.link_id, fresh, "{hours}");
        assert_eq!(after.link_issued_at == harness.clock(), fresh, "{hours}");
    }
}

/// The step that failed overnight is left out in the morning: the mail that follows must not bring a link that has
/// ended.
#[test]
fn a_link_that_has_grown_old_is_replaced_when_the_step_before_it_is_left_out() {
    for (hours, fresh) in [(1, false), (12, false), (13, true), (48, true)] {
        let harness = RunHarness::queued(Plan::Starter);
        harness.next(Step::ValidateWebhook, [Attempt::Refused]);
        harness.runs_to_the_end();
        let before = harness.run();
        harness.passes(Duration::from_secs(hours * 3600));
        harness.is_skipped(Step::ValidateWebhook);
        let after = harness.run();
        assert_eq!(after.link_id != before.link_id, fresh, "{hours}");
        assert_eq!(after.link_issued_at == harness.clock(), fresh, "{hours}");
    }
}

#[test]
fn a_link_that_was_mailed_is_never_replaced() {
    let plan = Plan::Starter;
    let harness = RunHarness::queued(plan);
    harness.next(Step::Activate, [Attempt::Refused]);
    harness.runs_to_the_end();
    let before = harness.run();
    harness.passes(Duration::from_secs(48 * 3600));
    harness.is_queued_again();
    assert_eq!(
        (harness.run().link_id, harness.run().link_issued_at),
        (before.link_id, before.link_issued_at)
    );
}

#[test]
fn nobody_is_answered_about_a_run_that_is_not_there() {
    let harness = RunHarness::queued(Plan::Pro);
    assert!(
        matches!(harness.is_told(Command::Report), Reply::Run { report, changed: false } if report.status == RunStatus::Processing)
    );
    assert_eq!(harness.is_told(Command::Ping), Reply::Pong);
    let fresh = || tenantry::workflow::NewIds { run: "run_new".parse().unwrap(), link_id: String::new() };
    for command in [Command::Report, Command::Cancel, Command::Skip] {
        let effects = tenantry::workflow::handle(None, command, fresh(), harness.clock());
        assert_eq!((effects.reply, effects.save), (Reply::NoRun, None));
    }
}

/// Whatever else a run waits for, it has its own reason to.
#[test]
fn told_to_go_on_a_run_does_so_if_nobody_was_asked_and_else_nothing() {
    let go_on = || Command::GoOn { upstream: Upstream::AppsScript };
    let wait = Some(Duration::from_secs(170));
    for code in
        [TransientErrorCode::CircuitOpen, TransientErrorCode::RateLimited, TransientErrorCode::Timeout]
    {
        let harness = RunHarness::queued(Plan::Pro);
        let fault = TransientError { retry_after: wait, ..TransientError::new(code) };
        harness.next(Step::CreateSpreadsheet, [Attempt::Unknown(fault)]);
        harness.rings();
        let (version, alarm) = (harness.run().version, harness.alarm().unwrap());
        assert_eq!(alarm.since(harness.clock()), Duration::from_secs(170), "{code:?}");
        harness.passes(Duration::from_secs(3));
        let is_woken = code == TransientErrorCode::CircuitOpen;
        assert!(
            matches!(harness.is_told(go_on()), Reply::Run { changed, .. } if changed == is_woken),
            "{code:?}"
        );
        let expected = if is_woken { harness.clock() } else { alarm };
        assert_eq!((harness.alarm(), harness.run().version), (Some(expected), version), "{code:?}");
        harness.rings();
        assert_eq!(harness.ended(), "completed", "{code:?}");
        assert!(matches!(harness.is_told(go_on()), Reply::Run { changed: false, .. }));
        assert_eq!(harness.alarm(), None);
    }
}

#[test]
fn told_to_go_on_a_removal_does_so_too() {
    let harness = RunHarness::queued(Plan::Pro);
    harness.runs_to_the_end();
    let wait = Some(Duration::from_secs(170));
    let fault = TransientError { retry_after: wait, ..TransientError::new(TransientErrorCode::CircuitOpen) };
    harness.next_removal(Step::CreateSpreadsheet, [Attempt::Unknown(fault)]);
    harness.is_undone();
    harness.rings();
    let before = harness.clock();
    assert!(harness.alarm().unwrap() > before);
    let reply = harness.is_told(Command::GoOn { upstream: Upstream::AppsScript });
    assert!(matches!(reply, Reply::Run { changed: true, .. }));
    harness.rings();
    assert_eq!(harness.was_undone(), "undone");
    assert!(harness.clock().since(before) < Duration::from_secs(1));
}
