//! One customer's trouble stays that customer's, and an outage is over for all as soon as it has ended: many tenants' runs through
//! the real steps.

use std::{ops::ControlFlow, time::Duration};

use futures_util::future::join_all;
use serde_json::json;
use tenantry::{
    domain::{Timestamp, Upstream},
    ports::Clock,
    workflow::breaker::State,
};

use super::breakers::{after, calls, is_open, many, opened, state, time_goes_on};
use crate::support::{Reaction, TestApp, TestTenant, Token, at_each_poll};

async fn starters(app: &TestApp, prefix: &str, count: usize) -> Vec<TestTenant> {
    let mut tenants = Vec::new();
    for n in 0..count {
        tenants.push(app.queued(&format!("{prefix}-{n:02}")).await);
    }
    tenants
}

/// How often attempts of a tenant at a step ended so.
fn ends(tenant: &TestTenant, step: &str) -> Vec<String> {
    let rows = tenant.db().rows(&format!(
        "select coalesce(h.error, h.outcome) as end from provision_history h
         join provision_runs r on r.id = h.run_id
         where r.tenant_id = '{}' and h.step = '{step}' order by h.attempt",
        tenant.id
    ));
    rows.iter().map(|row| row["end"].as_str().unwrap().to_owned()).collect()
}

/// Everything goes on until all of these have ended. Answers how long that took.
async fn all_complete(tenants: &[TestTenant]) -> Duration {
    let began = tenants[0].outside().now();
    time_goes_on(tenants, None).await;
    for tenant in tenants {
        assert_eq!(tenant.ended().await, "completed");
    }
    let ended = "select max(completed_at) from provision_runs";
    Timestamp::from_seconds(tenants[0].db().number(ended)).since(began)
}

/// How many calls were made at most in any so long a time.
fn busiest(app: &TestApp, upstream: &str, window: Duration) -> usize {
    let moments: Vec<Timestamp> =
        app.outside().upstreams().sent_to(upstream).iter().map(|sent| sent.at).collect();
    let within =
        |from: &Timestamp| moments.iter().filter(|at| *at >= from && at.since(*from) < window).count();
    moments.iter().map(within).max().unwrap_or(0)
}

/// All tenants that did nothing but wait for Apps Script got their spreadsheets within seconds after this moment. Those that
/// were probes have another attempt of their own to wait for. Answers how many there are.
fn all_that_waited(tenants: &[TestTenant], moment: Timestamp) -> usize {
    let waited = |tenant: &&TestTenant| {
        ends(tenant, "create_spreadsheet").iter().all(|end| ["CIRCUIT_OPEN", "done"].contains(&end.as_str()))
    };
    let waited: Vec<&str> = tenants.iter().filter(waited).map(|tenant| tenant.id.as_str()).collect();
    for sent in tenants[0].outside().upstreams().sent_to("apps_script") {
        if waited.contains(&sent.json()["tenantId"].as_str().unwrap()) {
            let took = sent.at.since(moment);
            assert!(took <= Duration::from_secs(4), "{took:?}");
        }
    }
    waited.len()
}

async fn moves(app: &TestApp, upstream: &str, how: &str) {
    let token = Token::operator(app.now()).sign();
    let path = format!("/api/v1/bgops/upstreams/{upstream}/{how}");
    app.post(&path).token(&token).json(&json!({ "reason": "a test" })).send().await.is(200);
}

/// Each webhook is its owner's: what it does is no evidence about Make.
#[tokio::test]
async fn webhooks_that_hang_or_ask_to_wait_hold_up_no_other_tenant() {
    let (hangs, waits) = (Reaction::TimesOut, Reaction::AsksToWait(503, "300"));
    let worlds = [
        (40, vec![("/bad", hangs.clone())]),
        (3, vec![("/bad", waits.clone())]),
        (
            40,
            vec![
                ("/bad-0", hangs),
                ("/bad-1", waits),
                ("/bad-2", Reaction::AsksToWait(429, "300")),
                ("/bad-3", Reaction::Answers(520, "")),
            ],
        ),
    ];
    for (count, reactions) in worlds {
        let app = TestApp::new();
        for (part, reaction) in &reactions {
            app.outside().upstreams().always_at(part, reaction.clone());
        }
        let bad = starters(&app, "bad", count).await;
        time_goes_on(&bad, after(&app, 60)).await;
        let good = starters(&app, "good", 5).await;
        let all: Vec<TestTenant> = bad.iter().chain(&good).cloned().collect();
        time_goes_on(&all, after(&app, 20)).await;
        for tenant in &good {
            assert_eq!(tenant.ended().await, "completed", "{reactions:?}");
            assert_eq!(ends(tenant, "validate_webhook"), ["done"], "{reactions:?}");
        }
        assert!(app.log_of("circuit_opened").is_empty(), "{reactions:?}");
        time_goes_on(&all, None).await;
        for tenant in &bad {
            assert_ne!(tenant.ended().await, "completed", "{reactions:?}");
        }
        assert!(app.log_of("circuit_opened").is_empty(), "{reactions:?}");
    }
}

#[tokio::test]
async fn a_make_that_can_not_be_reached_is_left_alone_until_it_is_back() {
    let app = TestApp::new();
    let tenants = starters(&app, "fc", 20).await;
    app.outside().upstreams().always("make", Reaction::Breaks);
    time_goes_on(&tenants, after(&app, 25)).await;
    assert!(is_open(&app, Upstream::Make));
    let pings = app.outside().upstreams().sent_to("make").len();
    assert_eq!(pings, 10);
    app.outside().upstreams().always("make", Reaction::Healthy);
    all_complete(&tenants).await;
}

#[tokio::test]
async fn who_was_never_tried_goes_to_see_before_those_that_failed() {
    let app = TestApp::new();
    app.outside().upstreams().always_at("/bad", Reaction::Breaks);
    let bad = starters(&app, "bad", 8).await;
    time_goes_on(&bad, after(&app, 6 * 60)).await;
    assert!(is_open(&app, Upstream::Make));
    let good = starters(&app, "good", 5).await;
    let all: Vec<TestTenant> = bad.iter().chain(&good).cloned().collect();
    // A probe may just have left. The one after it is one of theirs.
    time_goes_on(&all, after(&app, 80)).await;
    for tenant in &good {
        assert_eq!(tenant.ended().await, "completed");
    }
}

#[tokio::test]
async fn when_an_outage_is_over_those_who_wait_are_woken_within_seconds_and_not_all_at_once() {
    let app = TestApp::with(&[("APPS_SCRIPT_AT_ONCE", "1000"), ("RESEND_CALLS_PER_SECOND", "1000")]);
    let mut tenants = opened(&app).await;
    for n in 0..60 {
        tenants.push(app.queued_pro(&format!("fc-late-{n:02}")).await);
    }
    time_goes_on(&tenants, after(&app, 3 * 60)).await;
    assert_eq!(app.outside().breakers().waiting_at(Upstream::AppsScript), 63);
    app.outside().upstreams().always("apps_script", Reaction::Healthy);
    time_goes_on(&tenants, None).await;
    for tenant in &tenants {
        assert_eq!(tenant.ended().await, "completed");
    }
    let closed_at = app.outside().breakers().of(Upstream::AppsScript).closed_at().unwrap();
    assert!(all_that_waited(&tenants, closed_at) >= 55);
    // Twenty-five a second are woken, each makes two calls, and some come by themselves.
    assert!(busiest(&app, "apps_script", Duration::from_secs(1)) <= 80);
}

/// The waking is a help: whoever it does not reach comes by its own clock.
#[tokio::test]
async fn whoever_is_not_woken_comes_by_itself() {
    let app = TestApp::new();
    let mut tenants = opened(&app).await;
    tenants.push(app.queued_pro("fc-late").await);
    time_goes_on(&tenants, after(&app, 20)).await;
    app.outside().upstreams().always("apps_script", Reaction::Healthy);
    for _ in 0..200 {
        app.outside().breakers().forget_who_waits();
        let alarm =
            |tenant: &TestTenant| app.outside().objects().alarm(&tenant.id).map(|at| (at, tenant.id.clone()));
        let Some((_, id)) = tenants.iter().filter_map(alarm).min() else { break };
        app.alarm_rings(&id).await;
    }
    assert!(app.log_of("circuit_woke").is_empty());
    all_complete(&tenants).await;
}

#[tokio::test]
async fn when_an_operator_closes_a_breaker_those_who_wait_go_on_within_seconds() {
    let app = TestApp::with(&[("RESEND_CALLS_PER_SECOND", "1000")]);
    let mut tenants = opened(&app).await;
    for n in 0..20 {
        tenants.push(app.queued_pro(&format!("fc-late-{n:02}")).await);
    }
    time_goes_on(&tenants, after(&app, 6 * 60)).await;
    app.outside().upstreams().always("apps_script", Reaction::Healthy);
    let closed_at = app.outside().now();
    moves(&app, "apps_script", "close").await;
    all_complete(&tenants).await;
    assert!(all_that_waited(&tenants, closed_at) >= 15);
}

#[tokio::test]
async fn while_an_operator_holds_a_breaker_open_nothing_asks_and_then_all_go_on() {
    let app = TestApp::new();
    moves(&app, "apps_script", "open").await;
    let tenants = many(&app, 6).await;
    let starter = app.provisioned("fc-starter").await;
    assert_eq!(starter.ended().await, "completed");
    time_goes_on(&tenants, after(&app, 20 * 60)).await;
    assert_eq!(calls(&app), 0);
    for tenant in &tenants {
        let step = tenant.sees_status().await.is(200)["data"]["steps"][2].clone();
        assert_eq!((&step["status"], &step["error"]["code"]), (&json!("running"), &json!("CIRCUIT_OPEN")));
    }
    moves(&app, "apps_script", "close").await;
    let took = all_complete(&tenants).await;
    assert!(took <= Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn a_removal_that_waits_goes_on_as_well() {
    let app = TestApp::new();
    let tenant = app.queued_pro("fc-nord").await;
    tenant.waits().await;
    moves(&app, "apps_script", "open").await;
    let token = Token::operator(app.now()).sign();
    let path = format!("/api/v1/admin/tenants/{}", tenant.id);
    let ask = app.ask(http::Method::DELETE, &path).token(&token).json(&json!({ "reason": "a test" }));
    ask.send().await.is(202);
    time_goes_on(std::slice::from_ref(&tenant), after(&app, 20 * 60)).await;
    assert_eq!(app.outside().upstreams().sheets().len(), 1);
    moves(&app, "apps_script", "close").await;
    time_goes_on(std::slice::from_ref(&tenant), after(&app, 5)).await;
    assert_eq!(app.outside().upstreams().sheets().len(), 0);
    assert_eq!(tenant.row()["undo_state"], "undone");
}

/// Many at once is no outage: nothing opens, nobody loses an attempt, and the limit is kept.
#[tokio::test]
async fn mails_leave_as_often_as_resend_allows() {
    for (configured, allowed) in [("", 2), ("5", 5)] {
        let app = TestApp::with(&[("RESEND_CALLS_PER_SECOND", configured)]);
        let tenants = starters(&app, "fc", 30).await;
        all_complete(&tenants).await;
        let began = app.outside().now();
        app.mails_leave().await;
        let took = app.outside().now().since(began);
        for tenant in &tenants {
            assert_eq!(tenant.sees_status().await.is(200)["data"]["warnings"], json!([]));
        }
        assert_eq!(app.outside().upstreams().sent_to("resend").len(), 30);
        assert!(busiest(&app, "resend", Duration::from_secs(1)) <= allowed);
        assert!(took < Duration::from_secs(60), "{took:?}");
        assert_eq!(app.outside().breakers().of(Upstream::Resend).failures(), 0);
        assert!(app.log_of("circuit_opened").is_empty());
    }
}

#[tokio::test]
async fn only_so_many_spreadsheets_are_asked_for_at_once() {
    let app = TestApp::with(&[("APPS_SCRIPT_AT_ONCE", "2")]);
    let tenants = many(&app, 7).await;
    // Up to the step before.
    join_all(tenants.iter().map(|tenant| app.alarm_rings(&tenant.id))).await;
    let refused =
        tenants.iter().filter(|tenant| ends(tenant, "create_spreadsheet") == ["CIRCUIT_OPEN"]).count();
    assert_eq!(refused, 5, "two asked at once");
    assert_eq!(state(&app, Upstream::AppsScript), State::default());
    let took = all_complete(&tenants).await;
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[tokio::test]
async fn a_process_that_died_while_it_asked_keeps_nobody_out_for_long() {
    let app = TestApp::with(&[("APPS_SCRIPT_AT_ONCE", "1")]);
    let tenants = many(&app, 2).await;
    let asks = || app.outside().breakers().of(Upstream::AppsScript).asking(app.outside().now()) > 0;
    // It dies when the breaker has let it through and nothing came back yet.
    let alarm = async {
        let _ = app.alarm_rings(&tenants[0].id).await;
    };
    at_each_poll(alarm, |_| if asks() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) });
    assert!(asks());
    app.outside().objects().loses_the_alarm(&tenants[0].id);
    app.outside().objects().rings_again(&tenants[0].id, 600, &app.app);
    let began = app.outside().now();
    let took = all_complete(&tenants[1..]).await;
    assert!(took >= Duration::from_secs(79) && took < Duration::from_secs(95), "{took:?}");
    all_complete(&tenants).await;
    assert!(app.outside().now().since(began) < Duration::from_secs(700));
}
