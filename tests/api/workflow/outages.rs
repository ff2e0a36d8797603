//! What an outage costs: our own database's, at every moment of a run and of a removal, and a webhook's. What ended for one goes on
//! by itself.

use std::{ops::ControlFlow, time::Duration};

use serde_json::json;
use tenantry::{
    domain::{Plan, RunStatus, Step},
    workflow::{
        TransientError, TransientErrorCode,
        policy::{RESUME_AFTER, RUN_LIMIT},
    },
};

use crate::support::{RECORDS, Reaction, TestApp, TestTenant, Token, WEBHOOK_SECRET, at_each_poll};

use super::{
    every_step,
    run_harness::{Attempt, RunHarness, wake},
};

const PLANS: [Plan; 2] = [Plan::Starter, Plan::Pro];

async fn queued(plan: Plan) -> TestTenant {
    let app = TestApp::with(&RECORDS);
    app.queued_on(plan, "fc-nord").await
}

async fn removing(plan: Plan) -> TestTenant {
    let tenant = queued(plan).await;
    tenant.waits().await;
    is_removed_by_an_operator(&tenant).await;
    tenant
}

async fn is_removed_by_an_operator(tenant: &TestTenant) {
    let token = Token::operator(tenant.now()).sign();
    let ask = tenant.ask(http::Method::DELETE, &format!("/api/v1/admin/tenants/{}", tenant.id)).token(&token);
    ask.json(&json!({ "reason": "it closed" })).send().await.is(202);
}

async fn moments(tenant: &TestTenant) -> usize {
    at_each_poll(tenant.waits(), |_| ControlFlow::Continue(()))
}

/// From its moment of this number on D1 is away for so many minutes.
fn d1_is_away(tenant: &TestTenant, moment: usize, minutes: i64) {
    let mut back_at = None;
    at_each_poll(tenant.waits(), |now| {
        if now == moment {
            tenant.db().goes_down();
            back_at = Some(tenant.now() + minutes * 60);
        }
        if back_at.is_some_and(|at| tenant.now() >= at) {
            tenant.db().comes_up();
        }
        ControlFlow::Continue(())
    });
}

/// Pinged once, with one spreadsheet and one record, all of which D1 knows.
async fn is_live(tenant: &TestTenant, plan: Plan, what: &str) {
    assert_eq!(tenant.ended().await, "completed", "{what}");
    assert_eq!(tenant.row()["route_ready"], 1, "{what}");
    let upstreams = tenant.outside().upstreams();
    for (key, times) in upstreams.effects() {
        assert_eq!(times, 1, "{what}: {key:?}");
    }
    assert_eq!(upstreams.dns(|dns| (dns.records().len(), dns.made)), (1, 1), "{what}");
    assert_eq!(upstreams.sheets().len(), usize::from(plan == Plan::Pro), "{what}");
    match plan {
        Plan::Starter => {
            assert_eq!(upstreams.sent_to("make").len(), 1, "{what}");
            let known =
                tenant.db().number("select count(*) from make_connections where validated_at is not null");
            assert_eq!(known, 1, "{what}");
        }
        Plan::Pro => {
            let known =
                tenant.db().rows("select spreadsheet_id from pro_automation where verified_at is not null");
            assert_eq!(known, [json!({ "spreadsheet_id": "sheet_0" })], "{what}");
        }
    }
}

fn failures(tenant: &TestTenant) -> i64 {
    tenant.db().number("select count(*) from domain_events where type = 'tenant.failed'")
}

#[tokio::test]
async fn d1_may_be_away_for_twenty_minutes_at_any_moment_of_a_run() {
    for plan in PLANS {
        for moment in 0..moments(&queued(plan).await).await {
            let minutes = [6, 20][moment % 2];
            let tenant = queued(plan).await;
            d1_is_away(&tenant, moment, minutes);
            let what = format!("{plan:?} {moment} {minutes}");
            is_live(&tenant, plan, &what).await;
            assert_eq!(failures(&tenant), 0, "{what}");
        }
    }
}

/// Its half hour is over, and it failed for that. Nobody presses anything.
#[tokio::test]
async fn a_run_that_d1_kept_from_its_end_for_forty_minutes_goes_on_by_itself() {
    for plan in PLANS {
        for moment in 0..moments(&queued(plan).await).await {
            let tenant = queued(plan).await;
            d1_is_away(&tenant, moment, 40);
            for _ in 0..10 {
                tenant.passes(61);
                tenantry::app::sweep::run(&tenant.app).await;
                tenant.waits().await;
            }
            let what = format!("{plan:?} {moment}");
            is_live_after_mails(&tenant, plan, &what).await;
            assert!(failures(&tenant) <= 1, "{what}");
        }
    }
}

/// As [`is_live`], after the sweep sent what there was to send.
async fn is_live_after_mails(tenant: &TestTenant, plan: Plan, what: &str) {
    assert_eq!(tenant.ended().await, "completed", "{what}");
    let pinged = tenant.outside().upstreams().sent_to("make");
    let pings = pinged.iter().filter(|sent| sent.key().ends_with("/validate_webhook")).count();
    assert_eq!(pings, usize::from(plan == Plan::Starter), "{what}");
    for (key, times) in tenant.outside().upstreams().effects() {
        assert_eq!(times, 1, "{what}: {key:?}");
    }
    assert_eq!(tenant.outside().upstreams().sheets().len(), usize::from(plan == Plan::Pro), "{what}");
}

#[tokio::test]
async fn d1_may_be_away_at_any_moment_of_a_removal() {
    for plan in PLANS {
        for moment in 0..moments(&removing(plan).await).await {
            let minutes = [6, 20, 40][moment % 3];
            let tenant = removing(plan).await;
            d1_is_away(&tenant, moment, minutes);
            let what = format!("{plan:?} {moment} {minutes}");
            if minutes == 40 && tenant.row()["undo_state"] == "compensation_failed" {
                is_removed_by_an_operator(&tenant).await;
                tenant.waits().await;
            }
            assert_eq!(tenant.row()["undo_state"], "undone", "{what}");
            tenant.has_left_nothing(&what);
        }
    }
}

#[tokio::test]
async fn a_webhook_may_be_away_for_twenty_minutes() {
    for reaction in [Reaction::Answers(503, ""), Reaction::TimesOut, Reaction::AsksToWait(429, "0")] {
        for minutes in [3, 20] {
            let tenant = queued(Plan::Starter).await;
            tenant.outside().upstreams().always("make", reaction.clone());
            let back_at = tenant.now() + minutes * 60;
            at_each_poll(tenant.waits(), |_| {
                if tenant.now() >= back_at {
                    tenant.outside().upstreams().always("make", Reaction::Healthy);
                }
                ControlFlow::Continue(())
            });
            assert_eq!(tenant.ended().await, "completed", "{reaction:?} {minutes}");
            assert_eq!(failures(&tenant), 0, "{reaction:?} {minutes}");
        }
    }
}

/// Alone at its upstream, it is no evidence of an outage: it is asked as often as anybody else's, and goes on as soon as it can.
#[tokio::test]
async fn a_tenant_alone_whose_webhook_fails_has_its_whole_time() {
    for reaction in [
        Reaction::Breaks,
        Reaction::TimesOut,
        Reaction::Answers(400, "Queue is full."),
        Reaction::Answers(408, ""),
        Reaction::Answers(413, ""),
        Reaction::Answers(421, ""),
        Reaction::Answers(423, ""),
        Reaction::Answers(425, ""),
        Reaction::Answers(429, ""),
        Reaction::Answers(500, ""),
        Reaction::Answers(530, ""),
        Reaction::AsksToWait(403, "20"),
        Reaction::AsksToWait(404, "20"),
    ] {
        for minutes in [3, 29] {
            let tenant = queued(Plan::Starter).await;
            let begun_at = tenant.now();
            tenant.outside().upstreams().always("make", reaction.clone());
            at_each_poll(tenant.waits(), |_| {
                if tenant.now() >= begun_at + minutes * 60 {
                    tenant.outside().upstreams().always("make", Reaction::Healthy);
                }
                ControlFlow::Continue(())
            });
            let what = format!("{reaction:?} {minutes}");
            assert_eq!(tenant.ended().await, "completed", "{what}");
            assert!(tenant.now() - begun_at < (minutes + 5) * 60, "{what}: {}", tenant.now() - begun_at);
            assert!(tenant.outside().upstreams().sent_to("make").len() >= 6, "{what}");
            for word in ["circuit_opened", "circuit_half_open"] {
                assert_eq!(tenant.log_of(word).len(), 0, "{what}");
            }
            let waited = "select count(*) from provision_history where error = 'CIRCUIT_OPEN'";
            assert_eq!(tenant.db().number(waited), 0, "{what}");
        }
    }
}

#[tokio::test]
async fn a_webhook_that_asks_for_no_wait_is_not_asked_within_a_second() {
    for after in ["0", "Fri, 15 Jan 2027 07:59:00 GMT"] {
        let tenant = queued(Plan::Starter).await;
        tenant.outside().upstreams().always("make", Reaction::AsksToWait(503, after));
        tenant.waits().await;
        let pings = tenant.outside().upstreams().sent_to("make");
        assert!(pings.len() >= 8, "{after}: {}", pings.len());
        assert!(pings.windows(2).all(|two| two[1].at.since(two[0].at) >= Duration::from_secs(1)), "{after}");
        assert!(pings.last().unwrap().at.since(pings[0].at) > RUN_LIMIT - Duration::from_secs(60), "{after}");
    }
}

/// Whoever verifies refuses what is older than five minutes.
#[tokio::test]
async fn a_ping_in_a_later_round_is_of_its_own_time() {
    let tenant = queued(Plan::Starter).await;
    tenant.outside().upstreams().next("make", [Reaction::Answers(404, "")]);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "WEBHOOK_REJECTED");
    tenant.passes(3600);
    tenant.retries().await.is(200);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
    let pings = tenant.outside().upstreams().sent_to("make");
    assert_eq!(pings.len(), 2);
    for ping in &pings {
        assert_eq!(ping.header("webhook-timestamp"), ping.at.seconds().to_string());
        assert!(ping.is_signed_with(WEBHOOK_SECRET));
    }
    assert_eq!(pings[0].header("webhook-id"), pings[1].header("webhook-id"));
}

fn timeout() -> Attempt {
    Attempt::Unknown(TransientError::new(TransientErrorCode::Timeout))
}

/// The sweep resumes it, as often as it says when.
fn is_resumed(harness: &RunHarness) -> bool {
    let Some(at) = harness.run().resume_at() else { return false };
    harness.passes(at.since(harness.clock()));
    harness.is_told(wake(harness.run().plan, Some(harness.run().version), true));
    true
}

#[test]
fn what_failed_for_an_outage_is_tried_once_now_and_then_until_it_is_over() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.always(step, timeout());
        harness.runs_to_the_end();
        assert_eq!(harness.ended(), "UPSTREAM_UNAVAILABLE", "{step:?}");
        let failed_at = harness.clock();
        for (tries, pause) in RESUME_AFTER.iter().enumerate() {
            let (before, attempts) = (harness.clock(), harness.attempts_at(step));
            assert!(is_resumed(&harness), "{step:?} {tries}");
            assert_eq!(harness.clock().since(before), *pause, "{step:?} {tries}");
            harness.runs_to_the_end();
            assert_eq!(harness.attempts_at(step), attempts + 1, "{step:?} {tries}: one attempt tells");
            assert_eq!(harness.ended(), "UPSTREAM_UNAVAILABLE", "{step:?} {tries}");
            assert!(harness.run().is_no_news(), "{step:?} {tries}: it is not told again");
        }
        assert!(!is_resumed(&harness), "{step:?}: not for ever");
        assert!(harness.clock().since(failed_at) > Duration::from_secs(15 * 3600), "{step:?}");
        // Somebody asks: that is a round like the first, and everything begins anew.
        let attempts = harness.attempts_at(step);
        harness.is_queued_again();
        harness.runs_to_the_end();
        assert!(harness.attempts_at(step) > attempts + 5 && !harness.run().is_no_news(), "{step:?}");
        assert!(is_resumed(&harness), "{step:?}");
        harness.always(step, Attempt::Works);
        harness.runs_to_the_end();
        assert_eq!((harness.ended().as_str(), harness.run().resume_at()), ("completed", None), "{step:?}");
    }
}

/// Nobody's outage brings back what was refused, stopped, or is to be removed.
#[test]
fn only_what_failed_for_an_outage_goes_on_by_itself() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.next(step, [Attempt::Refused]);
        harness.runs_to_the_end();
        assert_eq!(harness.run().resume_at(), None, "{step:?}");
        let harness = RunHarness::queued(plan);
        harness.next(step, [timeout()]);
        harness.rings();
        harness.is_cancelled();
        harness.runs_to_the_end();
        assert_eq!(harness.run().resume_at(), None, "{step:?}");
        let harness = RunHarness::queued(plan);
        harness.always(step, timeout());
        harness.runs_to_the_end();
        harness.is_undone();
        assert_eq!(harness.run().resume_at(), None, "{step:?}");
        harness.runs_to_the_end();
        assert_eq!(harness.run().resume_at(), None, "{step:?}");
    }
}

/// Our own database is away while it is tried: that says nothing about the upstream.
#[test]
fn what_is_our_own_fault_is_not_the_one_attempt_that_tells() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.always(step, timeout());
        harness.runs_to_the_end();
        is_resumed(&harness);
        let store = Attempt::Unknown(TransientError::new(TransientErrorCode::StoreUnavailable));
        harness.next(step, [store, Attempt::DiesBefore]);
        harness.always(step, Attempt::Works);
        harness.runs_to_the_end();
        assert_eq!(harness.ended(), "completed", "{step:?}");
    }
}

/// Behind the step that tells, the others have their attempts.
#[test]
fn a_run_that_is_resumed_has_all_its_attempts_at_the_steps_behind() {
    for (plan, step) in every_step().filter(|(_, step)| *step != Step::Activate) {
        let next = Step::of(plan)[Step::of(plan).iter().position(|s| *s == step).unwrap() + 1];
        let harness = RunHarness::queued(plan);
        harness.always(step, timeout());
        harness.runs_to_the_end();
        is_resumed(&harness);
        harness.always(step, Attempt::Works);
        harness.next(next, std::iter::repeat_n(timeout(), 4));
        harness.runs_to_the_end();
        assert_eq!((harness.ended().as_str(), harness.attempts_at(next)), ("completed", 5), "{step:?}");
    }
}

/// The tenant hears of it once, and its webhook of the end.
#[tokio::test]
async fn a_failure_for_an_outage_is_told_once_and_a_humans_try_is_told_again() {
    let tenant = queued(Plan::Pro).await;
    tenant.outside().upstreams().always("apps_script", Reaction::Answers(503, ""));
    tenant.waits().await;
    assert_eq!((tenant.ended().await.as_str(), failures(&tenant)), ("UPSTREAM_UNAVAILABLE", 1));
    for _ in 0..3 {
        tenant.passes(3600);
        let before = tenant.outside().upstreams().sent_to("apps_script").len();
        tenantry::app::sweep::run(&tenant.app).await;
        tenant.waits().await;
        assert!(tenant.outside().upstreams().sent_to("apps_script").len() <= before + 1);
        assert_eq!((tenant.ended().await.as_str(), failures(&tenant)), ("UPSTREAM_UNAVAILABLE", 1));
    }
    assert!(tenant.outside().objects().run(&tenant.id).unwrap().resumes > 0);
    tenant.retries().await.is(200);
    tenant.waits().await;
    assert_eq!(failures(&tenant), 2);
    assert_eq!(tenant.outside().objects().run(&tenant.id).unwrap().resumes, 0);
    tenant.outside().upstreams().always("apps_script", Reaction::Healthy);
    tenant.passes(3600);
    tenantry::app::sweep::run(&tenant.app).await;
    tenant.waits().await;
    assert_eq!((tenant.ended().await.as_str(), failures(&tenant)), ("completed", 2));
    assert_eq!(tenant.outside().objects().run(&tenant.id).unwrap().status(), RunStatus::Completed);
}
