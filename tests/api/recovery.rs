//! What comes back by itself: runs that an outage ended, what a restored database does not know, and what is forgotten in time.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tenantry::ports::Clock;

use crate::support::{Reaction, TestApp, TestTenant, Token};

/// Minutes go by: each alarm rings when it is due, and the sweep comes once a minute.
async fn minutes_pass(app: &TestApp, tenants: &[TestTenant], minutes: u64) {
    for _ in 0..minutes {
        let end = app.outside().now().after(Duration::from_secs(60));
        for turn in 0.. {
            assert!(turn < 2000, "the alarms of one minute never end");
            let alarms = tenants.iter().map(|tenant| (app.outside().objects().alarm(&tenant.id), tenant));
            let due =
                alarms.filter_map(|(alarm, tenant)| Some((alarm?, tenant))).min_by_key(|(alarm, _)| *alarm);
            let breaker = app.outside().breakers().alarm().map(|(at, _)| at).filter(|at| *at < end);
            match due.filter(|(alarm, _)| *alarm <= end) {
                Some((alarm, _)) if breaker.is_some_and(|at| at < alarm) => {
                    let rang = app.breaker_rings_before(end).await;
                    assert!(rang, "{breaker:?}");
                }
                Some((_, tenant)) => {
                    tenant.alarm_rings(&tenant.id).await;
                }
                None if breaker.is_some() => {
                    app.breaker_rings_before(end).await;
                }
                None => break,
            }
        }
        app.outside().is_at(end);
        tenantry::app::sweep::run(&app.app).await;
    }
}

async fn pro_tenants(app: &TestApp, count: usize) -> Vec<TestTenant> {
    let mut tenants = Vec::new();
    for n in 0..count {
        let tenant = app.signed_up_pro(&format!("fc-{n}")).await;
        tenant.confirms_pro().await.is(200);
        tenants.push(tenant);
    }
    tenants
}

async fn ended(tenants: &[TestTenant]) -> Vec<String> {
    let mut ended = Vec::new();
    for tenant in tenants {
        ended.push(tenant.ended().await);
    }
    ended
}

/// Nobody presses anything.
#[tokio::test]
async fn what_failed_for_an_outage_goes_on_when_the_upstream_is_back() {
    for (count, outage) in [(1, 40), (12, 40), (12, 200)] {
        let app = TestApp::new();
        let tenants = pro_tenants(&app, count).await;
        app.outside().upstreams().always("apps_script", Reaction::Answers(503, ""));
        minutes_pass(&app, &tenants, outage).await;
        assert!(ended(&tenants).await.iter().all(|end| end != "completed"), "{outage}");
        let failed = app.db().number("select count(*) from domain_events where type = 'tenant.failed'");
        assert_eq!(failed, i64::try_from(count).unwrap(), "told once, however often it is looked");
        app.outside().upstreams().always("apps_script", Reaction::Healthy);
        minutes_pass(&app, &tenants, 130).await;
        assert!(
            ended(&tenants).await.iter().all(|end| end == "completed"),
            "{outage}: {:?}",
            ended(&tenants).await
        );
        assert_eq!(app.outside().upstreams().sheets().len(), count, "one spreadsheet each");
    }
}

/// Once the breaker has closed, those that the outage ended need not wait for their own time.
#[tokio::test]
async fn a_breaker_that_closes_brings_back_whom_its_outage_ended() {
    let app = TestApp::new();
    let tenants = pro_tenants(&app, 12).await;
    app.outside().upstreams().always("apps_script", Reaction::Answers(503, ""));
    minutes_pass(&app, &tenants, 34).await;
    assert!(
        ended(&tenants).await.iter().all(|end| end == "DEADLINE_EXCEEDED" || end == "UPSTREAM_UNAVAILABLE")
    );
    app.outside().upstreams().always("apps_script", Reaction::Healthy);
    let close = app.post("/api/v1/bgops/upstreams/apps_script/close");
    let close = close.token(&Token::operator(app.now()).sign()).json(&json!({ "reason": "it is back" }));
    close.send().await.is(200);
    minutes_pass(&app, &tenants, 2).await;
    assert!(ended(&tenants).await.iter().all(|end| end == "completed"), "{:?}", ended(&tenants).await);
    assert_eq!(app.log_of("tenant_provision_resumed").len(), 12);
}

#[tokio::test]
async fn a_minute_brings_back_so_many_and_no_more() {
    let app = TestApp::new();
    let numbers = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100)";
    app.db().execute(
        &format!(
            "insert into tenants (id, slug, name, email, plan, trial_ends_at, owner_user_id, signup_fingerprint,
               created_at, updated_at, provision_state, provision_reason, provision_updated_at, resume_at)
             {numbers} select 'tenant_' || i, 'down-' || i, 'FC', 'owner@down-' || i || '.example', 'pro', 0,
               'user_' || i, '', 0, 0, 'failed', 'UPSTREAM_UNAVAILABLE', 0, 1 from n"
        ),
        (),
    );
    for expected in [60, 100, 100] {
        tenantry::app::sweep::run(&app.app).await;
        assert_eq!(app.log_of("tenant_provision_resumed").len(), expected);
        app.passes(30);
    }
}

/// A customer's own webhook is looked at again with one ping, less and less often, and not for ever.
#[tokio::test]
async fn a_webhook_that_stays_dead_is_pinged_seldom_and_not_for_ever() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    let tenants = [tenant.clone()];
    app.outside().upstreams().always("make", Reaction::Answers(503, ""));
    minutes_pass(&app, &tenants, 31).await;
    assert_eq!(tenant.ended().await, "UPSTREAM_UNAVAILABLE");
    let pings = || {
        let sent = app.outside().upstreams().sent_to("make");
        sent.iter().filter(|request| request.key().ends_with("/validate_webhook")).count()
    };
    let in_its_half_hour = pings();
    assert_ne!(in_its_half_hour, 0);
    minutes_pass(&app, &tenants, 20 * 60).await;
    assert_eq!(pings() - in_its_half_hour, 7, "five minutes later, a quarter of an hour, …");
    assert_eq!(tenant.row()["resume_at"], Value::Null);
    assert_eq!(app.db().number("select count(*) from domain_events where type = 'tenant.failed'"), 1);
    app.outside().upstreams().always("make", Reaction::Healthy);
    tenant.retries().await.is(200);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}

#[tokio::test]
async fn what_was_refused_or_stopped_does_not_go_on_by_itself() {
    for reaction in [Reaction::Answers(404, ""), Reaction::TimesOut] {
        let app = TestApp::new();
        let tenant = app.queued("fc-nord").await;
        app.outside().upstreams().always("make", reaction.clone());
        tenant.alarm_rings(&tenant.id).await;
        if reaction == Reaction::TimesOut {
            let run = app.outside().objects().run(&tenant.id).unwrap().id;
            let cancel = app.post(&format!("/api/v1/bgops/sagas/{run}/cancel"));
            let cancel = cancel.token(&Token::operator(app.now()).sign()).json(&json!({ "reason": "test" }));
            cancel.send().await.is(200);
        }
        app.outside().upstreams().always("make", Reaction::Healthy);
        minutes_pass(&app, std::slice::from_ref(&tenant), 60).await;
        assert_ne!(tenant.ended().await, "completed", "{reaction:?}");
    }
}

async fn resumes(app: &TestApp) {
    let resume = app.post("/api/v1/bgops/provisioning/resume").token(&Token::operator(app.now()).sign());
    resume.json(&json!({ "reason": "it was looked at" })).send().await.is(200);
}

/// What is at rest asks nobody: the sweep asks it.
#[tokio::test]
async fn a_restored_database_learns_what_ended_since_it_was_saved() {
    let app = TestApp::new();
    let (live, removed) = (app.signed_up("fc-live").await, app.provisioned("fc-gone").await);
    minutes_pass(&app, &[], 2).await;
    let saved = app.db().saved();
    live.connects_make().await.is(200);
    live.waits().await;
    let delete = app.ask(Method::DELETE, &format!("/api/v1/admin/tenants/{}", removed.id));
    let delete = delete.token(&Token::operator(app.now()).sign()).json(&json!({ "reason": "they left" }));
    delete.send().await.is(202);
    removed.waits().await;
    minutes_pass(&app, &[], 5).await;
    app.db().becomes(&saved);
    removed.gets("/whoami").send().await.is(200);
    minutes_pass(&app, &[], 2).await;
    assert_eq!(app.get("/health/ready").send().await.is(200)["provisioning"], "paused");
    resumes(&app).await;
    minutes_pass(&app, &[live.clone(), removed.clone()], 5).await;
    assert_eq!((live.ended().await.as_str(), &live.row()["status"]), ("completed", &json!("active")));
    assert_eq!((&removed.row()["undo_state"], &removed.row()["slug"]), (&json!("undone"), &Value::Null));
    removed.gets("/whoami").send().await.fails(403, "FORBIDDEN");
    assert_eq!(app.db().number("select count(*) from comparisons"), 0, "it is over");
    let owners = app.db().rows("select tenant_id from auth_users");
    assert_eq!(owners, [json!({ "tenant_id": live.id })]);
}

/// A name and an address are not kept for ever.
#[tokio::test]
async fn thirty_days_after_a_removal_its_object_stores_nothing() {
    let app = TestApp::new();
    let (gone, live) = (app.provisioned("fc-gone").await, app.provisioned("fc-live").await);
    let delete = app.ask(Method::DELETE, &format!("/api/v1/admin/tenants/{}", gone.id));
    let delete = delete.token(&Token::operator(app.now()).sign()).json(&json!({ "reason": "they left" }));
    delete.send().await.is(202);
    gone.waits().await;
    app.passes(29 * 24 * 3600);
    tenantry::app::sweep::run(&app.app).await;
    assert!(app.outside().objects().checkpoint(&gone.id).is_some());
    app.passes(24 * 3600 + 60);
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(app.outside().objects().checkpoint(&gone.id), None);
    assert!(app.outside().objects().checkpoint(&live.id).is_some());
    assert_eq!(gone.row()["forget_at"], Value::Null);
}
