//! Stopping a run: in time, and when it had gone live already without anybody knowing.

use serde_json::{Value, json};
use tenantry::{
    domain::{Plan, RunStatus},
    workflow::Run,
};

use crate::support::{Answer, Breaks, Reaction, TestApp, TestTenant, Token};

async fn queued(app: &TestApp, is_pro: bool) -> TestTenant {
    app.queued_on(if is_pro { Plan::Pro } else { Plan::Starter }, "fc-nord").await
}

fn run(tenant: &TestTenant) -> Run {
    tenant.outside().objects().run(&tenant.id).unwrap()
}

async fn is_cancelled(tenant: &TestTenant) -> Answer {
    let path = format!("/api/v1/bgops/sagas/{}/cancel", run(tenant).id);
    let token = Token::operator(tenant.now()).sign();
    tenant.post(&path).token(&token).json(&json!({ "reason": "asked for it" })).send().await
}

fn audited(tenant: &TestTenant) -> Value {
    tenant.db().row("select action, data from audit_log")
}

/// Its object does not know that it is live: the answer of the batch that did it was lost, and D1 was not told of the end again.
async fn live_without_knowing(is_pro: bool) -> TestTenant {
    let other = TestApp::new();
    let tenant = queued(&other, is_pro).await;
    let before = other.db().batches();
    tenant.waits().await;
    let count = other.db().batches() - before;
    let app = TestApp::new();
    let tenant = queued(&app, is_pro).await;
    app.db().breaks(count - 1, Breaks::After);
    app.db().breaks(count, Breaks::Before);
    tenant.alarm_rings(&tenant.id).await;
    assert_eq!((run(&tenant).status(), &tenant.row()["status"]), (RunStatus::Processing, &json!("active")));
    tenant
}

#[tokio::test]
async fn a_cancel_that_comes_too_late_is_refused_and_the_object_learns_that_it_went_live() {
    for is_pro in [false, true] {
        let tenant = live_without_knowing(is_pro).await;
        is_cancelled(&tenant).await.fails(409, "RUN_STATE_CONFLICT");
        assert_eq!(audited(&tenant), json!({ "action": "saga.cancel", "data": r#"{"done":false}"# }));
        tenant.waits().await;
        assert_eq!(
            (run(&tenant).status(), run(&tenant).has_pending_projection()),
            (RunStatus::Completed, false)
        );
        assert_eq!(tenant.ended().await, "completed");
        let listed = tenant.db().row("select status, reason from provision_runs");
        assert_eq!(listed, json!({ "status": "completed", "reason": null }));
        let events = tenant.db().rows("select type from domain_events where type <> 'tenant.signed_up'");
        assert_eq!(events, [json!({ "type": "tenant.provisioned" })]);
        // As its object says it, too, while the database is away.
        tenant.db().goes_down();
        let told = tenantry::app::provisioning::degraded_status(&tenant.app, &tenant.id.parse().unwrap())
            .await
            .unwrap()
            .unwrap();
        assert_eq!((told.status, told.failure), (RunStatus::Completed, None));
    }
}

/// The answer about which run went live is lost as well: nobody is told what is not known.
#[tokio::test]
async fn whether_a_cancel_came_too_late_is_not_guessed() {
    let tenant = live_without_knowing(true).await;
    // The batch that lets the operator in, then the look.
    tenant.db().breaks(1, Breaks::Before);
    assert_eq!(is_cancelled(&tenant).await.status, 503);
    tenant.waits().await;
    assert_eq!((run(&tenant).status(), tenant.ended().await.as_str()), (RunStatus::Completed, "completed"));
}

#[tokio::test]
async fn a_cancel_in_time_is_an_end_like_any_other() {
    for is_pro in [false, true] {
        let app = TestApp::new();
        let tenant = queued(&app, is_pro).await;
        app.outside().upstreams().next(if is_pro { "apps_script" } else { "make" }, [Reaction::TimesOut]);
        tenant.alarm_rings(&tenant.id).await;
        let answer = is_cancelled(&tenant).await.is(200);
        assert_eq!(answer["data"]["status"], "failed");
        tenant.waits().await;
        assert_eq!(tenant.ended().await, "CANCELLED");
        assert_eq!(audited(&tenant), json!({ "action": "saga.cancel", "data": "{}" }));
        let lines = app.log_of("tenant_provision_failed");
        assert_eq!(lines.len(), 1, "it is logged once: {lines:?}");
        assert_eq!(
            (&lines[0].fields["error"], &lines[0].fields["tenantId"], &lines[0].fields["level"]),
            (&json!("CANCELLED"), &json!(tenant.id), &json!("error"))
        );
        assert_eq!(app.db().number("select count(*) from domain_events where type = 'tenant.failed'"), 1);
        is_cancelled(&tenant).await.fails(409, "RUN_STATE_CONFLICT");
        assert_eq!(app.log_of("tenant_provision_failed").len(), 1);
    }
}
