//! `POST /api/v1/tenants/{id}/provision/retry`

use serde_json::json;

use crate::support::{Reaction, TestApp};

#[tokio::test]
async fn a_club_tries_its_own_failed_run_again() {
    let app = TestApp::new();
    let club = app.signed_up_pro("fc-nord").await;
    app.outside().upstreams().next("apps_script", [Reaction::Answers(200, r#"{"ok":false}"#)]);
    let first = club.confirms_pro().await.is(200)["data"]["runId"].clone();
    club.waits().await;
    assert_eq!(club.ended().await, "SPREADSHEET_REJECTED");
    let body = club.retries().await.is(200);
    let data = json!({
        "runId": first, "status": "processing", "changed": true, "message": "Provisioning has started."
    });
    assert_eq!(body, json!({ "success": true, "data": data }));
    assert_eq!(club.ended().await, "processing");
    club.waits().await;
    assert_eq!(club.ended().await, "completed");
}

#[tokio::test]
async fn there_is_nothing_to_try_again_for_a_club_that_was_never_queued() {
    let app = TestApp::new();
    let club = app.signed_up("fc-nord").await;
    let before = app.db().contents();
    club.retries().await.fails(409, "NOT_RETRYABLE");
    app.db().is_still(&before);
    assert!(app.outside().objects().run(&club.id).is_none());
}

#[tokio::test]
async fn there_is_nothing_to_try_again_for_a_completed_club() {
    let app = TestApp::new();
    let club = app.provisioned("fc-nord").await;
    let before = app.db().contents();
    club.retries().await.fails(409, "NOT_RETRYABLE");
    app.db().is_still(&before);
}

#[tokio::test]
async fn a_run_at_work_is_left_alone() {
    let app = TestApp::new();
    let club = app.queued("fc-nord").await;
    let answer = club.retries().await;
    assert_eq!(answer.is(200)["data"]["changed"], false);
    club.waits().await;
    assert_eq!(app.outside().upstreams().sent_to("make").len(), 1);
}
