//! Queued again: by whoever wants it, whenever.

use std::time::Duration;

use tenantry::{
    domain::{Plan, RunStatus, Step, Task, Upstream},
    workflow::{Caller, Command, Fault, FaultCode, Reply, policy::RUN_LIMIT},
};

use super::{
    every_step,
    lab::{Attempt, Lab, queue, subject, undo, wake},
};

fn changed(reply: &Reply) -> bool {
    match reply {
        Reply::Run { changed, .. } => *changed,
        other => panic!("{other:?}"),
    }
}

/// What the sweep says when D1 lists the run as it is now.
fn woken(lab: &Lab) -> Command {
    let run = lab.run();
    wake(run.plan, Some(run.version), false)
}

#[test]
fn a_failed_run_goes_on_at_the_step_that_failed() {
    for (plan, step) in every_step() {
        let lab = Lab::queued(plan);
        lab.next(step, [Attempt::Refused]);
        lab.runs_to_the_end();
        let id = lab.run().id;
        assert!(changed(&lab.is_queued_again()), "{step:?}");
        lab.runs_to_the_end();
        assert_eq!((lab.ended().as_str(), lab.run().id), ("completed", id), "{step:?}");
        for other in Step::of(plan) {
            assert_eq!(lab.attempts_at(*other), if *other == step { 2 } else { 1 }, "{step:?}: {other:?}");
        }
        assert_eq!(lab.run().rounds, 2);
    }
}

#[test]
fn a_round_has_fresh_attempts_and_a_fresh_deadline() {
    for (plan, step) in every_step() {
        let lab = Lab::queued(plan);
        lab.always(step, Attempt::Unknown(Fault::new(FaultCode::Timeout)));
        lab.runs_to_the_end();
        let once = lab.attempts_at(step);
        lab.passes(RUN_LIMIT * 3);
        lab.is_queued_again();
        let queued_at = lab.clock();
        lab.runs_to_the_end();
        assert_eq!(lab.ended(), "UPSTREAM_UNAVAILABLE", "{step:?}");
        assert_eq!(lab.attempts_at(step), 2 * once, "{step:?}");
        assert!(lab.clock().since(queued_at) < RUN_LIMIT);
        let record = lab.run().records.into_iter().find(|record| record.step == step).unwrap();
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
        let lab = Lab::queued(plan);
        lab.next(step, [Attempt::Unknown(Fault::new(FaultCode::Timeout))]);
        lab.rings();
        let (run, alarm) = (lab.run(), lab.alarm());
        assert!(!changed(&lab.is_queued_again()), "{step:?}");
        assert_eq!((lab.run(), lab.alarm()), (run, alarm), "{step:?}");
        lab.runs_to_the_end();
        let run = lab.run();
        assert!(!changed(&lab.is_queued_again()), "{step:?}");
        assert_eq!((lab.run(), lab.alarm()), (run, None), "{step:?}");
    }
}

#[test]
fn a_run_whose_alarm_was_lost_is_woken_by_whoever_asks() {
    for (plan, step) in every_step() {
        for told in [queue(plan, Caller::default()), wake(plan, None, false)] {
            let lab = Lab::queued(plan);
            lab.next(step, [Attempt::DiesAfter]);
            lab.rings();
            lab.loses_its_alarm();
            lab.is_told(told);
            lab.runs_to_the_end();
            assert_eq!(lab.ended(), "completed", "{step:?}");
        }
    }
}

#[test]
fn waking_begins_nothing_that_completed() {
    for plan in [Plan::Starter, Plan::Pro] {
        let lab = Lab::queued(plan);
        lab.runs_to_the_end();
        let run = lab.run();
        assert!(!changed(&lab.is_told(woken(&lab))));
        assert_eq!((lab.run(), lab.alarm()), (run, None), "{plan:?}");
    }
}

/// D1 wakes whom it lists as at work: it listed the failure, and then somebody wanted another try.
#[test]
fn waking_a_run_whose_failure_is_listed_tries_again() {
    for (plan, step) in every_step() {
        let lab = Lab::queued(plan);
        lab.next(step, [Attempt::Refused]);
        lab.runs_to_the_end();
        let failed = lab.ended() != "completed";
        assert_eq!(changed(&lab.is_told(woken(&lab))), failed, "{step:?}");
        lab.runs_to_the_end();
        assert_eq!(lab.ended(), "completed", "{step:?}");
    }
}

/// The sweep reads first, and wakes one after the other: what it read may be old by then.
#[test]
fn waking_a_run_that_was_stopped_since_begins_nothing_and_lists_it_again() {
    for (plan, step) in every_step() {
        let lab = Lab::queued(plan);
        let read = woken(&lab);
        lab.passes(Duration::from_secs(61));
        lab.next(step, [Attempt::Unknown(Fault::new(FaultCode::Timeout))]);
        lab.rings();
        lab.is_cancelled();
        lab.runs_to_the_end();
        let (stopped, (_, listings)) = (lab.run(), lab.writes());
        assert!(!changed(&lab.is_told(read)), "{step:?}");
        lab.runs_to_the_end();
        assert_eq!((lab.ended().as_str(), lab.attempts_at(step)), ("CANCELLED", 1), "{step:?}");
        assert_eq!((lab.run().stage, lab.run().rounds), (stopped.stage, stopped.rounds), "{step:?}");
        assert_eq!(lab.writes().1, listings + 1, "{step:?}");
    }
}

#[test]
fn a_cancelled_run_stops_before_its_next_attempt() {
    for (plan, step) in every_step() {
        let lab = Lab::queued(plan);
        lab.next(step, [Attempt::Unknown(Fault::new(FaultCode::Timeout))]);
        lab.rings();
        assert!(changed(&lab.is_cancelled()), "{step:?}");
        lab.runs_to_the_end();
        assert_eq!((lab.ended().as_str(), lab.attempts_at(step)), ("CANCELLED", 1), "{step:?}");
        assert!(!changed(&lab.is_cancelled()), "{step:?}: it has ended");
        lab.is_queued_again();
        lab.runs_to_the_end();
        assert_eq!(lab.ended(), "completed", "{step:?}");
    }
}

/// It would begin before D1 hears of the end, which then stands there as the last word.
#[test]
fn a_wish_that_knew_of_no_end_begins_nothing_behind_it() {
    for (plan, step) in every_step() {
        let lab = Lab::queued(plan);
        lab.next(step, [Attempt::Unknown(Fault::new(FaultCode::Timeout))]);
        lab.rings();
        let wish = |listed_version| Command::Queue {
            subject: subject(),
            plan,
            caller: Caller::default(),
            run: None,
            listed_version: Some(listed_version),
        };
        let before = lab.run().version;
        lab.is_cancelled();
        assert!(!changed(&lab.is_told(wish(before))), "{step:?}");
        lab.runs_to_the_end();
        assert_eq!(lab.ended(), "CANCELLED", "{step:?}");
        assert!(changed(&lab.is_told(wish(lab.run().version))), "{step:?}");
        lab.runs_to_the_end();
        assert_eq!(lab.ended(), "completed", "{step:?}");
    }
}

/// The object takes commands while a call is away: its answer must not undo them.
#[test]
fn a_run_that_is_cancelled_during_a_call_stays_cancelled() {
    for (plan, step) in every_step() {
        let lab = Lab::queued(plan);
        lab.next(step, [Attempt::Meanwhile(vec![lab.cancel()])]);
        lab.runs_to_the_end();
        assert_eq!((lab.ended().as_str(), lab.attempts_at(step)), ("CANCELLED", 1), "{step:?}");
        assert_eq!(lab.run().current(), Some(step));
        lab.is_queued_again();
        lab.runs_to_the_end();
        assert_eq!(
            (lab.ended().as_str(), lab.attempts_at(step)),
            ("completed", 2),
            "{step:?}: under the same key"
        );
    }
}

/// An attempt that was begun may have done something outside: who looks for what stands where must find it.
#[test]
fn an_attempt_that_was_overtaken_is_in_the_history() {
    for (plan, step) in every_step() {
        let undone = undo(plan, Caller::default(), None);
        for command in [Command::CancelRun { run: "run_lab".parse().unwrap() }, undone] {
            let lab = Lab::queued(plan);
            lab.next(step, [Attempt::Meanwhile(vec![command.clone()])]);
            lab.runs_to_the_end();
            assert_eq!(
                lab.history_of(Task::Do(step)),
                [Some("INTERRUPTED".to_owned())],
                "{step:?} {command:?}"
            );
        }
        let lab = Lab::queued(plan);
        lab.next(step, [Attempt::DiesAfter]);
        lab.rings();
        lab.passes(RUN_LIMIT);
        lab.runs_to_the_end();
        assert_eq!(lab.ended(), "DEADLINE_EXCEEDED", "{step:?}");
        assert_eq!(lab.history_of(Task::Do(step)), [Some("INTERRUPTED".to_owned())], "{step:?}");
    }
}

#[test]
fn a_run_that_is_cancelled_and_queued_again_during_a_call_repeats_the_step() {
    for (plan, step) in every_step() {
        let lab = Lab::queued(plan);
        let again = queue(plan, Caller::default());
        lab.next(step, [Attempt::Meanwhile(vec![lab.cancel(), again])]);
        lab.runs_to_the_end();
        assert_eq!((lab.ended().as_str(), lab.attempts_at(step)), ("completed", 2), "{step:?}");
    }
}

#[test]
fn a_step_that_failed_can_be_left_out_but_not_going_live() {
    for (plan, step) in every_step() {
        let lab = Lab::queued(plan);
        lab.always(step, Attempt::Refused);
        lab.runs_to_the_end();
        let skipped = changed(&lab.is_skipped(step));
        assert_eq!(skipped, step != Step::Activate, "{step:?}");
        if skipped {
            lab.runs_to_the_end();
            assert_eq!((lab.ended().as_str(), lab.attempts_at(step)), ("completed", 1), "{step:?}");
        }
    }
}

#[test]
fn a_link_that_has_grown_old_is_replaced_before_it_is_mailed() {
    let plan = Plan::Starter;
    for (hours, fresh) in [(1, false), (12, false), (13, true), (48, true)] {
        let lab = Lab::queued(plan);
        lab.next(Step::ValidateWebhook, [Attempt::Refused]);
        lab.runs_to_the_end();
        let before = lab.run();
        lab.passes(Duration::from_secs(hours * 3600));
        lab.is_queued_again();
        let after = lab.run();
        assert_eq!(after.link_id != before.link_id, fresh, "{hours}");
        assert_eq!(after.link_issued_at == lab.clock(), fresh, "{hours}");
    }
}

/// The step that failed overnight is left out in the morning: the mail that follows must not bring a link that is over.
#[test]
fn a_link_that_has_grown_old_is_replaced_when_the_step_before_it_is_left_out() {
    for (hours, fresh) in [(1, false), (12, false), (13, true), (48, true)] {
        let lab = Lab::queued(Plan::Starter);
        lab.next(Step::ValidateWebhook, [Attempt::Refused]);
        lab.runs_to_the_end();
        let before = lab.run();
        lab.passes(Duration::from_secs(hours * 3600));
        lab.is_skipped(Step::ValidateWebhook);
        let after = lab.run();
        assert_eq!(after.link_id != before.link_id, fresh, "{hours}");
        assert_eq!(after.link_issued_at == lab.clock(), fresh, "{hours}");
    }
}

#[test]
fn a_link_that_was_mailed_is_never_replaced() {
    let plan = Plan::Starter;
    let lab = Lab::queued(plan);
    lab.next(Step::Activate, [Attempt::Refused]);
    lab.runs_to_the_end();
    let before = lab.run();
    lab.passes(Duration::from_secs(48 * 3600));
    lab.is_queued_again();
    assert_eq!((lab.run().link_id, lab.run().link_issued_at), (before.link_id, before.link_issued_at));
}

#[test]
fn nobody_is_answered_about_a_run_that_is_not_there() {
    let lab = Lab::queued(Plan::Pro);
    assert!(
        matches!(lab.is_told(Command::Report), Reply::Run { report, changed: false } if report.status == RunStatus::Processing)
    );
    assert_eq!(lab.is_told(Command::Ping), Reply::Pong);
    let fresh = || tenantry::workflow::Fresh { run: "run_new".parse().unwrap(), link_id: String::new() };
    for command in [Command::Report, Command::Cancel, Command::Skip] {
        let obeyed = tenantry::workflow::obey(None, command, fresh(), lab.clock());
        assert_eq!((obeyed.reply, obeyed.save), (Reply::NoRun, None));
    }
}

/// Whatever else a run waits for, it has its own reason to.
#[test]
fn told_to_go_on_a_run_does_so_if_nobody_was_asked_and_else_nothing() {
    let go_on = || Command::GoOn { upstream: Upstream::AppsScript };
    let wait = Some(Duration::from_secs(170));
    for code in [FaultCode::CircuitOpen, FaultCode::RateLimited, FaultCode::Timeout] {
        let lab = Lab::queued(Plan::Pro);
        let fault = Fault { retry_after: wait, ..Fault::new(code) };
        lab.next(Step::CreateSpreadsheet, [Attempt::Unknown(fault)]);
        lab.rings();
        let (version, alarm) = (lab.run().version, lab.alarm().unwrap());
        assert_eq!(alarm.since(lab.clock()), Duration::from_secs(170), "{code:?}");
        lab.passes(Duration::from_secs(3));
        let is_woken = code == FaultCode::CircuitOpen;
        assert!(
            matches!(lab.is_told(go_on()), Reply::Run { changed, .. } if changed == is_woken),
            "{code:?}"
        );
        let expected = if is_woken { lab.clock() } else { alarm };
        assert_eq!((lab.alarm(), lab.run().version), (Some(expected), version), "{code:?}");
        lab.rings();
        assert_eq!(lab.ended(), "completed", "{code:?}");
        assert!(matches!(lab.is_told(go_on()), Reply::Run { changed: false, .. }));
        assert_eq!(lab.alarm(), None);
    }
}

#[test]
fn told_to_go_on_a_removal_does_so_too() {
    let lab = Lab::queued(Plan::Pro);
    lab.runs_to_the_end();
    let wait = Some(Duration::from_secs(170));
    let fault = Fault { retry_after: wait, ..Fault::new(FaultCode::CircuitOpen) };
    lab.next_removal(Step::CreateSpreadsheet, [Attempt::Unknown(fault)]);
    lab.is_undone();
    lab.rings();
    let before = lab.clock();
    assert!(lab.alarm().unwrap() > before);
    let reply = lab.is_told(Command::GoOn { upstream: Upstream::AppsScript });
    assert!(matches!(reply, Reply::Run { changed: true, .. }));
    lab.rings();
    assert_eq!(lab.was_undone(), "undone");
    assert!(lab.clock().since(before) < Duration::from_secs(1));
}
