//! `POST /internal/provision/queue` and `/internal/provision/retry`

use serde_json::{Value, json};

use crate::support::{Answer, Reaction, TestApp, TestTenant, Token};

const PATHS: [&str; 2] = ["/internal/provision/queue", "/internal/provision/retry"];

async fn post(app: &TestApp, path: &str, body: &Value) -> Answer {
    app.post(path).token(&Token::service(app.now()).sign()).json(body).send().await
}

async fn queue(tenant: &TestTenant, path: &str) -> Answer {
    post(tenant, path, &json!({ "tenantId": tenant.id })).await
}

#[tokio::test]
async fn a_machine_queues_a_tenant() {
    for path in PATHS {
        let app = TestApp::new();
        let tenant = app.signed_up_pro("fc-nord").await;
        let body = queue(&tenant, path).await.is(200);
        let run = app.outside().objects().run(&tenant.id).unwrap();
        let data = json!({
            "runId": run.id.as_str(), "status": "processing", "changed": true, "message": "Provisioning has started."
        });
        assert_eq!(body, json!({ "success": true, "data": data }));
        tenant.waits().await;
        assert_eq!(tenant.ended().await, "completed");
    }
}

/// The runbook's own snippet: no `jti`, no `kid`, the secret's bytes as configured.
#[tokio::test]
async fn the_runbooks_token_is_good() {
    let app = TestApp::new();
    let tenant = app.signed_up_pro("fc-nord").await;
    let token = Token::service(app.now()).sign();
    assert_eq!(Token::read(&token).get("jti"), None);
    let ask = app.post("/internal/provision/queue").token(&token).json(&json!({ "tenantId": tenant.id }));
    ask.send().await.is(200);
    let grant = app.log_of("authz_grant").pop().unwrap();
    assert_eq!((&grant.fields["sub"], &grant.fields["decision"]), (&json!("service"), &json!("grant")));
}

#[tokio::test]
async fn a_tenant_that_never_was_is_not_found() {
    for path in PATHS {
        let app = TestApp::new();
        post(&app, path, &json!({ "tenantId": "tenant_123" })).await.fails(404, "TENANT_NOT_FOUND");
        assert_eq!(app.outside().objects().told(), 0);
    }
}

#[tokio::test]
async fn the_tenant_must_be_named() {
    let app = TestApp::new();
    for (body, code) in [
        (json!({}), "required"),
        (json!({ "tenantId": null }), "required"),
        (json!({ "tenantId": 7 }), "invalid_type"),
        (json!({ "tenantId": "fc-nord" }), "invalid_id"),
        (json!({ "tenantId": "tenant_' or 1=1" }), "invalid_id"),
        (json!({ "tenantId": format!("tenant_{}", "a".repeat(100)) }), "invalid_id"),
    ] {
        let complaints = post(&app, PATHS[0], &body).await.complains_about();
        assert_eq!(complaints, [("tenantId".to_owned(), code.to_owned())], "{body}");
    }
}

#[tokio::test]
async fn queueing_is_idempotent_while_a_run_is_at_work_and_after_it() {
    let app = TestApp::new();
    let tenant = app.signed_up_pro("fc-nord").await;
    let first = queue(&tenant, PATHS[0]).await.is(200)["data"]["runId"].clone();
    let again = queue(&tenant, PATHS[1]).await.is(200)["data"].clone();
    assert_eq!((&again["runId"], &again["changed"]), (&first, &json!(false)));
    tenant.waits().await;
    let after = queue(&tenant, PATHS[0]).await.is(200)["data"].clone();
    assert_eq!(
        (&after["runId"], &after["status"], &after["changed"]),
        (&first, &json!("completed"), &json!(false))
    );
    assert_eq!(app.db().number("select count(*) from provision_runs"), 1);
    app.outside().finishes_deferred_work().await;
    assert_eq!(app.outside().upstreams().sent_to("resend").len(), 1, "no second welcome");
}

#[tokio::test]
async fn a_failed_run_goes_on_at_the_step_that_failed() {
    for path in PATHS {
        let app = TestApp::new();
        let tenant = app.signed_up_pro("fc-nord").await;
        app.outside()
            .upstreams()
            .next("apps_script", [Reaction::Answers(200, r#"{"ok":false,"error":"quota"}"#)]);
        let first = queue(&tenant, path).await.is(200)["data"]["runId"].clone();
        tenant.waits().await;
        assert_eq!(tenant.ended().await, "SPREADSHEET_REJECTED");
        let again = queue(&tenant, path).await.is(200)["data"].clone();
        assert_eq!(
            (&again["runId"], &again["status"], &again["changed"]),
            (&first, &json!("processing"), &json!(true))
        );
        tenant.waits().await;
        assert_eq!(tenant.ended().await, "completed");
        let attempts =
            app.db().rows("select step, count(*) as n from provision_history group by step having n > 1");
        assert_eq!(attempts, [json!({ "step": "create_spreadsheet", "n": 2 })]);
    }
}

/// The manual fix of the runbook: the operator's word counts.
#[tokio::test]
async fn a_tenant_completed_by_hand_is_not_provisioned_again() {
    let app = TestApp::new();
    let tenant = app.signed_up_pro("fc-nord").await;
    app.db()
        .execute("UPDATE tenants SET status='active', provisioned_at=unixepoch() WHERE id=?1", [&tenant.id]);
    let data = queue(&tenant, PATHS[0]).await.is(200)["data"].clone();
    assert_eq!(
        (&data["status"], &data["changed"], &data["runId"]),
        (&json!("completed"), &json!(false), &Value::Null)
    );
    assert_eq!(app.outside().objects().told(), 0);
}

#[tokio::test]
async fn a_starter_tenant_without_a_webhook_fails_with_a_reason_to_act_on() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    queue(&tenant, PATHS[0]).await.is(200);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "WEBHOOK_MISSING");
    tenant.connects_make().await.is(200);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}

#[tokio::test]
async fn a_run_whose_alarm_was_lost_is_woken() {
    let app = TestApp::new();
    let tenant = app.signed_up_pro("fc-nord").await;
    queue(&tenant, PATHS[0]).await.is(200);
    app.outside().objects().loses_the_alarm(&tenant.id);
    assert_eq!(queue(&tenant, PATHS[0]).await.is(200)["data"]["changed"], false);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}
