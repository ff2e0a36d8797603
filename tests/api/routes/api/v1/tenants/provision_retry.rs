//! `POST /api/v1/tenants/{id}/provision/retry`

use serde_json::json;

use crate::support::{Reaction, TestApp};

#[tokio::test]
async fn a_tenant_tries_its_own_failed_run_again() {
    let app = TestApp::new();
    let tenant = app.signed_up_pro("fc-nord").await;
    app.outside().upstreams().next("apps_script", [Reaction::Answers(200, r#"{"ok":false}"#)]);
    let first = tenant.confirms_pro().await.is(200)["data"]["runId"].clone();
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "SPREADSHEET_REJECTED");
    let body = tenant.retries().await.is(200);
    let data = json!({
        "runId": first, "status": "processing", "changed": true, "message": "Provisioning has started."
    });
    assert_eq!(body, json!({ "success": true, "data": data }));
    assert_eq!(tenant.ended().await, "processing");
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}

#[tokio::test]
async fn there_is_nothing_to_try_again_for_a_tenant_that_was_never_queued() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let before = app.db().contents();
    tenant.retries().await.fails(409, "NOT_RETRYABLE");
    app.db().is_still(&before);
    assert!(app.outside().objects().run(&tenant.id).is_none());
}

#[tokio::test]
async fn there_is_nothing_to_try_again_for_a_completed_tenant() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let before = app.db().contents();
    tenant.retries().await.fails(409, "NOT_RETRYABLE");
    app.db().is_still(&before);
}

#[tokio::test]
async fn a_run_at_work_is_left_alone() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    let answer = tenant.retries().await;
    assert_eq!(answer.is(200)["data"]["changed"], false);
    tenant.waits().await;
    assert_eq!(app.outside().upstreams().sent_to("make").len(), 1);
}
