//! `POST /public/signup/pro/confirm`

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn provisioning_is_queued_without_a_body() {
    let app = TestApp::new();
    let club = app.signed_up_pro("fc-nord").await;
    let body = club.confirms_pro().await.is(200);
    let run = app.outside().objects().run(&club.id).unwrap();
    let data = json!({
        "runId": run.id.as_str(), "status": "processing", "changed": true, "message": "Provisioning has started."
    });
    assert_eq!(body, json!({ "success": true, "data": data }));
}

#[tokio::test]
async fn an_empty_body_is_none() {
    let app = TestApp::new();
    let club = app.signed_up_pro("fc-nord").await;
    for body in ["", "{}", "{\"anything\":1}"] {
        let ask = club
            .post("/public/signup/pro/confirm")
            .token(&club.jwt)
            .header("content-type", "application/json");
        ask.body(body).send().await.is(200);
    }
}

#[tokio::test]
async fn a_starter_club_has_nothing_to_confirm() {
    let app = TestApp::new();
    let club = app.signed_up("fc-nord").await;
    let before = app.db().contents();
    club.confirms_pro().await.fails(409, "PLAN_MISMATCH");
    app.db().is_still(&before);
    assert_eq!(app.outside().objects().told(), 0);
}

#[tokio::test]
async fn a_code_that_gave_the_plan_counts() {
    let app = TestApp::new();
    app.has_promo("GOPRO", 0, &[("plan", json!("pro"))]);
    let mut form = crate::support::signup("fc-nord");
    form["promoCode"] = "GOPRO".into();
    let club = app.signed_up_with(&form).await;
    club.connects_make().await.fails(409, "PLAN_MISMATCH");
    club.confirms_pro().await.is(200);
    club.waits().await;
    assert_eq!(club.ended().await, "completed");
}

#[tokio::test]
async fn confirming_twice_is_confirming_once() {
    let app = TestApp::new();
    let club = app.signed_up_pro("fc-nord").await;
    let first = club.confirms_pro().await.is(200)["data"]["runId"].clone();
    let again = club.confirms_pro().await.is(200)["data"].clone();
    assert_eq!(
        (&again["runId"], &again["changed"], &again["status"]),
        (&first, &json!(false), &json!("processing"))
    );
    assert_eq!(again["message"], "Provisioning is already under way; nothing was changed.");
    club.waits().await;
    let after = club.confirms_pro().await.is(200)["data"].clone();
    assert_eq!(
        (&after["runId"], &after["changed"], &after["status"]),
        (&first, &json!(false), &json!("completed"))
    );
    assert_eq!(after["message"], "Provisioning is already completed; nothing was changed.");
}
