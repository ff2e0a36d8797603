//! `POST /api/v1/tenants/{id}/webhook/test`

use serde_json::{Value, json};

use crate::support::{Answer, Club, Reaction, TestApp, Token, WEBHOOK_SECRET};

async fn test(club: &Club, body: Option<Value>) -> Answer {
    let ask = club.post(&format!("/api/v1/tenants/{}/webhook/test", club.id)).token(&club.jwt);
    match body {
        Some(body) => ask.json(&body).send().await,
        None => ask.send().await,
    }
}

#[tokio::test]
async fn a_webhook_is_tried_before_it_is_stored() {
    let app = TestApp::new();
    let club = app.signed_up("fc-nord").await;
    let before = app.db().contents();
    let body =
        json!({ "webhookUrl": "https://hook.eu2.make.com/new", "webhookSecret": "another-secret-of-mine" });
    let answer = test(&club, Some(body)).await.is(200);
    let data = json!({ "delivered": true, "status": 200, "ms": answer["data"]["ms"], "reason": null });
    assert_eq!(answer, json!({ "success": true, "data": data }));
    assert!(answer["data"]["ms"].is_u64());
    let ping = app.outside().upstreams().sent_to("make").pop().unwrap();
    assert_eq!(ping.call.url, "https://hook.eu2.make.com/new");
    assert!(ping.is_signed_with("another-secret-of-mine"));
    assert_eq!(ping.json()["type"], "webhook.ping");
    assert_eq!(ping.json()["data"], json!({ "tenantId": club.id }));
    app.db().is_still(&before);
}

#[tokio::test]
async fn without_one_the_stored_webhook_is_tried() {
    let app = TestApp::new();
    let club = app.queued("fc-nord").await;
    assert_eq!(test(&club, None).await.is(200)["data"]["delivered"], true);
    let ping = app.outside().upstreams().sent_to("make").pop().unwrap();
    assert_eq!(ping.call.url, "https://hook.eu2.make.com/fc-nord");
    assert!(ping.is_signed_with(WEBHOOK_SECRET));
}

#[tokio::test]
async fn every_try_is_a_message_of_its_own() {
    let app = TestApp::new();
    let club = app.queued("fc-nord").await;
    test(&club, None).await.is(200);
    test(&club, None).await.is(200);
    let ids: std::collections::BTreeSet<String> =
        app.outside().upstreams().sent_to("make").iter().map(crate::support::Sent::key).collect();
    assert_eq!(ids.len(), 2);
}

#[tokio::test]
async fn what_came_back_is_told_but_never_echoed() {
    for (reaction, status) in [
        (Reaction::Answers(404, "who-is-this"), json!(404)),
        (Reaction::Answers(410, "who-is-this"), json!(410)),
        (Reaction::Answers(302, "who-is-this"), json!(302)),
        (Reaction::Answers(500, "who-is-this"), json!(500)),
        (Reaction::AsksToWait(429, "60"), json!(429)),
        (Reaction::TimesOut, Value::Null),
        (Reaction::Breaks, Value::Null),
    ] {
        let app = TestApp::new();
        let club = app.queued("fc-nord").await;
        app.outside().upstreams().always("make", reaction.clone());
        let answer = test(&club, None).await;
        let data = answer.is(200)["data"].clone();
        assert_eq!((&data["delivered"], &data["status"]), (&json!(false), &status), "{reaction:?}");
        assert!(data["reason"].as_str().unwrap().ends_with('.'), "{reaction:?}");
        assert!(!answer.text.contains("who-is-this"));
    }
}

#[tokio::test]
async fn without_any_webhook_there_is_nothing_to_try() {
    let app = TestApp::new();
    let club = app.signed_up("fc-nord").await;
    test(&club, None).await.fails(409, "NO_WEBHOOK");
    test(&club, Some(json!({}))).await.fails(409, "NO_WEBHOOK");
    assert!(app.outside().upstreams().sent().is_empty());
}

#[tokio::test]
async fn the_one_rule_for_webhooks_holds_here_too() {
    let app = TestApp::new();
    let club = app.signed_up("fc-nord").await;
    let evil = json!({ "webhookUrl": "https://169.254.169.254/latest", "webhookSecret": WEBHOOK_SECRET });
    test(&club, Some(evil)).await.fails(400, "INVALID_WEBHOOK_HOST");
    let half = test(&club, Some(json!({ "webhookUrl": "https://hook.eu2.make.com/a" }))).await;
    assert_eq!(half.complains_about(), [("webhookSecret".to_owned(), "required".to_owned())]);
    assert!(app.outside().upstreams().sent().is_empty());
}

#[tokio::test]
async fn an_operator_tries_a_clubs_webhook() {
    let app = TestApp::new();
    let club = app.queued("fc-nord").await;
    let path = format!("/api/v1/tenants/{}/webhook/test", club.id);
    let answer = app.post(&path).token(&Token::operator(app.now()).sign()).send().await;
    assert_eq!(answer.is(200)["data"]["delivered"], true);
}

#[tokio::test]
async fn an_operators_test_that_switches_a_webhook_on_is_written_down() {
    let app = TestApp::new();
    let club = app.provisioned("fc-nord").await;
    let path = format!("/api/v1/tenants/{}/webhook/test", club.id);
    let operator = Token::operator(app.now()).sign();
    let off = || {
        app.db().execute(
            "update make_connections set failing_since = 1, disabled_at = 1, disabled_reason = 'gone'",
            (),
        )
    };
    let trial = || app.post(&path).token(&operator);
    trial().send().await.is(200);
    off();
    test(&club, None).await.is(200);
    assert!(
        app.db().rows("select * from audit_log").is_empty(),
        "nothing was switched on, or by the club itself"
    );
    off();
    trial().json(&json!({ "reason": "Make is back" })).send().await.is(200);
    off();
    app.passes(1);
    trial().send().await.is(200);
    let written = app.db().rows("select actor, action, subject, reason from audit_log order by id");
    let entry = |reason: &str| json!({ "actor": "ops", "action": "webhook.enable", "subject": club.id, "reason": reason });
    assert_eq!(written, [entry("Make is back"), entry("webhook tried")]);
    assert_eq!(
        app.db().rows("select 1 from make_connections where disabled_at is not null"),
        Vec::<Value>::new()
    );
}
