//! `POST /public/signup/pro/confirm`

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn provisioning_is_queued_without_a_body() {
    let app = TestApp::new();
    let tenant = app.signed_up_pro("fc-nord").await;
    let body = tenant.confirms_pro().await.is(200);
    let run = app.outside().objects().run(&tenant.id).unwrap();
    let data = json!({
        "runId": run.id.as_str(), "status": "processing", "changed": true, "message": "Provisioning has started."
    });
    assert_eq!(body, json!({ "success": true, "data": data }));
}

#[tokio::test]
async fn an_empty_body_is_none() {
    let app = TestApp::new();
    let tenant = app.signed_up_pro("fc-nord").await;
    for body in ["", "{}", "{\"anything\":1}"] {
        let ask = tenant
            .post("/public/signup/pro/confirm")
            .token(&tenant.jwt)
            .header("content-type", "application/json");
        ask.body(body).send().await.is(200);
    }
}

#[tokio::test]
async fn a_starter_tenant_has_nothing_to_confirm() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let before = app.db().contents();
    tenant.confirms_pro().await.fails(409, "PLAN_MISMATCH");
    app.db().is_still(&before);
    assert_eq!(app.outside().objects().told(), 0);
}

#[tokio::test]
async fn a_code_that_gave_the_plan_counts() {
    let app = TestApp::new();
    app.has_promo("GOPRO", 0, &[("plan", json!("pro"))]);
    let mut form = crate::support::signup("fc-nord");
    form["promoCode"] = "GOPRO".into();
    let tenant = app.signed_up_with(&form).await;
    tenant.connects_make().await.fails(409, "PLAN_MISMATCH");
    tenant.confirms_pro().await.is(200);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}

#[tokio::test]
async fn confirming_twice_is_confirming_once() {
    let app = TestApp::new();
    let tenant = app.signed_up_pro("fc-nord").await;
    let first = tenant.confirms_pro().await.is(200)["data"]["runId"].clone();
    let again = tenant.confirms_pro().await.is(200)["data"].clone();
    assert_eq!(
        (&again["runId"], &again["changed"], &again["status"]),
        (&first, &json!(false), &json!("processing"))
    );
    assert_eq!(again["message"], "Provisioning is already under way; nothing was changed.");
    tenant.waits().await;
    let after = tenant.confirms_pro().await.is(200)["data"].clone();
    assert_eq!(
        (&after["runId"], &after["changed"], &after["status"]),
        (&first, &json!(false), &json!("completed"))
    );
    assert_eq!(after["message"], "Provisioning is already completed; nothing was changed.");
}
