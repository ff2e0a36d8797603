//! What stops a run or a removal while it is at work: its tenant is suspended, provisioning is paused. Nothing more leaves than
//! what had left already.

use std::{collections::BTreeSet, ops::ControlFlow, time::Duration};

use serde_json::{Value, json};
use tenantry::{
    domain::{Plan, Step},
    ports::{Clock, Objects},
    workflow::{Command, Reply, Run, policy::KEPT_AFTER_REMOVAL},
};

use crate::support::{Answer, RECORDS, Reaction, RecordedCall, TestApp, TestTenant, Token, at_each_poll};

const PLANS: [Plan; 2] = [Plan::Starter, Plan::Pro];

async fn queued(plan: Plan) -> TestTenant {
    let app = TestApp::with(&RECORDS);
    let tenant = app.queued_on(plan, "fc-nord").await;
    // Each step that asks outside waits once, so that there are moments between alarms, too.
    app.outside().upstreams().next("cloudflare", [Reaction::TimesOut]);
    app.outside().upstreams().next("make", [Reaction::TimesOut]);
    let sheets = [Reaction::TimesOut, Reaction::Healthy, Reaction::TimesOut];
    app.outside().upstreams().next("apps_script", sheets);
    tenant
}

async fn removing(plan: Plan) -> TestTenant {
    let tenant = queued(plan).await;
    tenant.waits().await;
    is_removed_by_an_operator(&tenant).await;
    for upstream in ["cloudflare", "apps_script"] {
        tenant.outside().upstreams().next(upstream, [Reaction::TimesOut]);
    }
    tenant
}

async fn is_removed_by_an_operator(tenant: &TestTenant) {
    let token = Token::operator(tenant.now()).sign();
    let ask = tenant.ask(http::Method::DELETE, &format!("/api/v1/admin/tenants/{}", tenant.id)).token(&token);
    ask.json(&json!({ "reason": "it closed" })).send().await.is(202);
}

async fn operator_posts(tenant: &TestTenant, path: &str) -> Answer {
    let token = Token::operator(tenant.now()).sign();
    tenant.post(path).token(&token).json(&json!({ "reason": "test" })).send().await
}

fn run(tenant: &TestTenant) -> Run {
    tenant.outside().objects().run(&tenant.id).unwrap()
}

/// To whom calls left since the `from`-th. That it was stopped is an event like any other, and leaves for its webhook.
fn called_since(tenant: &TestTenant, from: usize) -> BTreeSet<&'static str> {
    let sent = tenant.outside().upstreams().sent();
    let is_event = |sent: &RecordedCall| sent.call.upstream == "make" && sent.key().starts_with("evt_");
    sent.iter().skip(from).filter(|sent| !is_event(sent)).map(|sent| sent.call.upstream).collect()
}

/// Whom the attempt asks that is out now.
fn upstream_for(run: &Run) -> BTreeSet<&'static str> {
    let asked = run.running().and_then(|(task, _)| match task.step() {
        Step::ConfigureRouting => Some("cloudflare"),
        Step::ValidateWebhook => Some("make"),
        Step::CreateSpreadsheet | Step::VerifySpreadsheet => Some("apps_script"),
        _ => None,
    });
    asked.into_iter().collect()
}

/// Its moment of this number comes.
fn is_at(tenant: &TestTenant, moment: usize) -> bool {
    let mut has_come = false;
    at_each_poll(tenant.waits(), |now| {
        has_come = now == moment;
        if has_come { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    tenant.outside().objects().rings_again(&tenant.id, 2, &tenant.app);
    has_come
}

/// At every moment, while the process goes on.
#[tokio::test]
async fn a_tenant_that_is_suspended_at_work_stops_before_its_next_call() {
    for plan in PLANS {
        let mut ended = BTreeSet::new();
        for moment in 0.. {
            let tenant = queued(plan).await;
            let mut at = None;
            at_each_poll(tenant.waits(), |now| {
                if now == moment {
                    tenant.becomes("status", "suspended");
                    at = Some((tenant.outside().upstreams().sent().len(), upstream_for(&run(&tenant))));
                }
                ControlFlow::Continue(())
            });
            let Some((sent, asked)) = at else { break };
            let what = format!("{plan:?} {moment}");
            let called = called_since(&tenant, sent);
            assert!(called.is_subset(&asked), "{what}: {called:?}");
            let row = tenant.row();
            assert_eq!(row["status"], "suspended", "{what}");
            let reason = row["provision_reason"].as_str().unwrap_or("completed").to_owned();
            if reason == "CANCELLED" {
                let error = tenant.db().row("select error from provision_runs");
                assert_eq!(error["error"], "This club is suspended, so setting it up was stopped.", "{what}");
            }
            ended.insert(reason);
            // Nobody takes it up again, and it can be let go of.
            tenant.passes(3600);
            let sent = tenant.outside().upstreams().sent().len();
            tenantry::app::sweep::run(&tenant.app).await;
            tenant.waits().await;
            assert!(called_since(&tenant, sent).is_empty(), "{what}");
            is_removed_by_an_operator(&tenant).await;
            tenant.waits().await;
            assert_eq!(tenant.row()["undo_state"], "undone", "{what}");
            tenant.has_left_nothing(&what);
        }
        // Behind its last call nothing is left but what is inside.
        assert_eq!(ended, BTreeSet::from(["CANCELLED".to_owned(), "completed".to_owned()]), "{plan:?}");
    }
}

/// It goes on where it stopped, once it is admitted again and asks.
#[tokio::test]
async fn a_tenant_that_was_suspended_at_work_goes_on_when_it_is_active_again() {
    for plan in PLANS {
        for moment in (0..30).step_by(3) {
            let tenant = queued(plan).await;
            if !is_at(&tenant, moment) {
                break;
            }
            tenant.becomes("status", "suspended");
            tenant.waits().await;
            tenant.becomes("status", "trial");
            if tenant.ended().await != "completed" {
                tenant.retries().await.is(200);
            }
            tenant.waits().await;
            assert_eq!(tenant.ended().await, "completed", "{plan:?} {moment}");
            assert!(tenant.outside().upstreams().sheets().len() <= 1, "{plan:?} {moment}");
        }
    }
}

/// For forty minutes: longer than a run or a removal may take.
#[tokio::test]
async fn while_provisioning_is_paused_nothing_leaves_and_nothing_fails() {
    for plan in PLANS {
        for is_removal in [false, true] {
            for moment in (0..40).step_by(2) {
                let tenant = if is_removal { removing(plan).await } else { queued(plan).await };
                if !is_at(&tenant, moment) {
                    break;
                }
                let what = format!("{plan:?} {moment} {is_removal}");
                operator_posts(&tenant, "/api/v1/bgops/provisioning/pause").await.is(200);
                let (sent, end) = (tenant.outside().upstreams().sent().len(), tenant.now() + 40 * 60);
                while tenant.outside().objects().alarm(&tenant.id).is_some_and(|at| at.seconds() < end) {
                    tenant.alarm_rings(&tenant.id).await;
                }
                tenant.passes(u64::try_from(end - tenant.now()).unwrap());
                tenantry::app::sweep::run(&tenant.app).await;
                let called = called_since(&tenant, sent);
                assert!(called.iter().all(|upstream| *upstream == "resend"), "{what}: {called:?}");
                operator_posts(&tenant, "/api/v1/bgops/provisioning/resume").await.is(200);
                let resumed_at = tenant.outside().now();
                tenant.waits().await;
                is_done(&tenant, is_removal, &what).await;
                // Each call may wait for its second try.
                let took = tenant.outside().now().since(resumed_at);
                assert!(took < Duration::from_secs(60), "{what}: {took:?}");
            }
        }
    }
}

async fn is_done(tenant: &TestTenant, is_removal: bool, what: &str) {
    if is_removal {
        assert_eq!(tenant.row()["undo_state"], "undone", "{what}");
        tenant.has_left_nothing(what);
    } else {
        assert_eq!(tenant.ended().await, "completed", "{what}");
    }
    let failed = "select count(*) from domain_events where type = 'tenant.failed'";
    assert_eq!(tenant.db().number(failed), 0, "{what}");
}

/// What is wanted while it is paused waits, and begins when it is resumed.
#[tokio::test]
async fn what_is_wanted_during_a_pause_begins_after_it() {
    let app = TestApp::with(&RECORDS);
    let tenant = app.signed_up_pro("fc-nord").await;
    operator_posts(&tenant, "/api/v1/bgops/provisioning/pause").await.is(200);
    tenant.confirms_pro().await.is(200);
    for _ in 0..5 {
        tenant.alarm_rings(&tenant.id).await;
    }
    assert!(app.outside().upstreams().sent().is_empty());
    assert_eq!(tenant.ended().await, "processing");
    operator_posts(&tenant, "/api/v1/bgops/provisioning/resume").await.is(200);
    let resumed_at = app.outside().now();
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
    assert!(app.outside().now().since(resumed_at) < Duration::from_secs(60));
}

async fn is_told_to_forget(tenant: &TestTenant) -> Reply {
    tenant.outside().send_command(&tenant.id.parse().unwrap(), &Command::Forget).await.unwrap()
}

#[tokio::test]
async fn only_an_object_whose_run_was_undone_forgets() {
    for plan in PLANS {
        for is_removal in [false, true] {
            for moment in 0.. {
                let tenant = if is_removal { removing(plan).await } else { queued(plan).await };
                if !is_at(&tenant, moment) {
                    break;
                }
                let before = tenant.outside().objects().checkpoint(&tenant.id);
                let was_undone = run(&tenant).is_undone();
                let reply = is_told_to_forget(&tenant).await;
                assert_eq!(reply == Reply::NoRun, was_undone, "{plan:?} {moment}");
                assert_eq!(tenant.outside().objects().checkpoint(&tenant.id), before.filter(|_| !was_undone));
                tenant.waits().await;
                is_done(&tenant, is_removal, &format!("{plan:?} {moment}")).await;
            }
        }
        // One that failed, and one that is live.
        let tenant = queued(plan).await;
        tenant.becomes("status", "suspended");
        tenant.waits().await;
        let live = queued(plan).await;
        live.waits().await;
        for tenant in [tenant, live] {
            let before = tenant.outside().objects().checkpoint(&tenant.id);
            assert!(before.is_some() && is_told_to_forget(&tenant).await != Reply::NoRun);
            assert_eq!(tenant.outside().objects().checkpoint(&tenant.id), before);
        }
    }
}

#[tokio::test]
async fn thirty_days_after_a_removal_the_sweep_lets_its_object_forget() {
    let tenant = removing(Plan::Pro).await;
    tenant.waits().await;
    let kept = i64::try_from(KEPT_AFTER_REMOVAL.as_secs()).unwrap();
    let forget_at = tenant.row()["undo_updated_at"].as_i64().unwrap() + kept;
    assert_eq!(tenant.row()["forget_at"], json!(forget_at));
    tenant.passes(u64::try_from(forget_at - tenant.now() - 1).unwrap());
    tenantry::app::sweep::run(&tenant.app).await;
    let stored = tenant.outside().objects().checkpoint(&tenant.id).unwrap();
    assert!(stored.contains("owner@fc-nord.example"), "that is why");
    tenant.passes(1);
    tenantry::app::sweep::run(&tenant.app).await;
    assert_eq!(tenant.outside().objects().checkpoint(&tenant.id), None);
    assert_eq!((&tenant.row()["forget_at"], &tenant.row()["undo_state"]), (&Value::Null, &json!("undone")));
    // Wanted again, nothing comes back.
    is_removed_again(&tenant).await;
    assert_eq!(tenant.outside().objects().checkpoint(&tenant.id), None);
}

async fn is_removed_again(tenant: &TestTenant) {
    let token = Token::operator(tenant.now()).sign();
    let ask = tenant.ask(http::Method::DELETE, &format!("/api/v1/admin/tenants/{}", tenant.id)).token(&token);
    ask.json(&json!({ "reason": "twice" })).send().await.is(200);
}
