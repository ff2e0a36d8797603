//! `POST /api/v1/tenants/{id}/webhook/test`

use serde_json::{Value, json};

use crate::support::{Answer, Reaction, TestApp, TestTenant, Token, WEBHOOK_SECRET};

async fn test(tenant: &TestTenant, body: Option<Value>) -> Answer {
    let ask = tenant.post(&format!("/api/v1/tenants/{}/webhook/test", tenant.id)).token(&tenant.jwt);
    match body {
        Some(body) => ask.json(&body).send().await,
        None => ask.send().await,
    }
}

const NEW_SECRET: &str = "another-secret-of-mine";

fn named(url: &str) -> Value {
    json!({ "webhookUrl": url, "webhookSecret": NEW_SECRET })
}

#[tokio::test]
async fn the_stored_webhook_is_tried_with_a_secret_before_that_is_stored() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    let before = app.db().contents();
    let answer = test(&tenant, Some(named("https://hook.eu2.make.com/fc-nord"))).await.is(200);
    let data = json!({ "delivered": true, "status": 200, "ms": answer["data"]["ms"], "reason": null });
    assert_eq!(answer, json!({ "success": true, "data": data }));
    assert!(answer["data"]["ms"].is_u64());
    let ping = app.outside().upstreams().sent_to("make").pop().unwrap();
    assert_eq!(ping.call.url, "https://hook.eu2.make.com/fc-nord");
    assert!(ping.is_signed_with(NEW_SECRET) && ping.signatures() == 1);
    assert_eq!(ping.json()["type"], "webhook.ping");
    assert_eq!(ping.json()["data"], json!({ "tenantId": tenant.id }));
    app.db().is_still(&before);
}

/// Whoever signs up has shown nothing: a test is no means to call other people's scenarios.
#[tokio::test]
async fn a_tenant_tries_no_webhook_but_its_own() {
    let app = TestApp::new();
    let (new, queued, live) =
        (app.signed_up("fc-new").await, app.queued("fc-queued").await, app.provisioned("fc-live").await);
    let sent = app.outside().upstreams().sent().len();
    let before = app.db().contents();
    for tenant in [&new, &queued, &live] {
        for url in [
            "https://hook.eu2.make.com/somebody-else",
            "https://hook.eu1.make.com/fc-live",
            "https://hook.eu2.make.com/fc-live/",
            "https://hook.eu2.make.com/FC-LIVE",
            "https://hook.eu2.make.com/fc-live?x=1",
            "https://hook.integromat.com/fc-live",
        ] {
            test(tenant, Some(named(url))).await.fails(409, "WEBHOOK_NOT_STORED");
        }
    }
    test(&live, Some(named("https://hook.eu2.make.com/fc-queued"))).await.fails(409, "WEBHOOK_NOT_STORED");
    assert_eq!(app.outside().upstreams().sent().len(), sent);
    app.db().is_still(&before);
}

#[tokio::test]
async fn an_operator_tries_any_webhook_on_the_list() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let path = format!("/api/v1/tenants/{}/webhook/test", tenant.id);
    let token = Token::operator(app.now()).sign();
    let tries = |url: &str| app.post(&path).token(&token).json(&named(url)).send();
    let answer = tries("https://hook.eu2.make.com/new").await;
    assert_eq!(answer.is(200)["data"]["delivered"], true);
    let ping = app.outside().upstreams().sent_to("make").pop().unwrap();
    assert!(ping.call.url.ends_with("/new") && ping.is_signed_with(NEW_SECRET));
    tries("https://evil.example/a").await.fails(400, "INVALID_WEBHOOK_HOST");
}

#[tokio::test]
async fn what_it_may_take_later_is_told_from_what_it_refused() {
    for (reaction, later) in [
        (Reaction::Healthy, false),
        (Reaction::Answers(400, "Bad request"), false),
        (Reaction::Answers(404, ""), false),
        (Reaction::Answers(410, ""), false),
        (Reaction::Answers(302, ""), false),
        (Reaction::Answers(400, "Queue is full."), true),
        (Reaction::Answers(413, ""), true),
        (Reaction::Answers(423, ""), true),
        (Reaction::Answers(429, ""), true),
        (Reaction::Answers(503, ""), true),
        (Reaction::AsksToWait(403, "30"), true),
        (Reaction::AsksToWait(410, "30"), false),
        (Reaction::TimesOut, true),
        (Reaction::Breaks, true),
    ] {
        let app = TestApp::new();
        let tenant = app.queued("fc-nord").await;
        app.outside().upstreams().always("make", reaction.clone());
        let data = test(&tenant, None).await.is(200)["data"].clone();
        let expected = if later { json!(true) } else { Value::Null };
        assert_eq!(
            (&data["tryAgain"], &data["delivered"]),
            (&expected, &json!(reaction == Reaction::Healthy)),
            "{reaction:?}"
        );
    }
}

#[tokio::test]
async fn without_one_the_stored_webhook_is_tried() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    assert_eq!(test(&tenant, None).await.is(200)["data"]["delivered"], true);
    let ping = app.outside().upstreams().sent_to("make").pop().unwrap();
    assert_eq!(ping.call.url, "https://hook.eu2.make.com/fc-nord");
    assert!(ping.is_signed_with(WEBHOOK_SECRET));
}

#[tokio::test]
async fn every_try_is_a_message_of_its_own() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    test(&tenant, None).await.is(200);
    test(&tenant, None).await.is(200);
    let ids: std::collections::BTreeSet<String> =
        app.outside().upstreams().sent_to("make").iter().map(crate::support::RecordedCall::key).collect();
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
        let tenant = app.queued("fc-nord").await;
        app.outside().upstreams().always("make", reaction.clone());
        let answer = test(&tenant, None).await;
        let data = answer.is(200)["data"].clone();
        assert_eq!((&data["delivered"], &data["status"]), (&json!(false), &status), "{reaction:?}");
        assert!(data["reason"].as_str().unwrap().ends_with('.'), "{reaction:?}");
        assert!(!answer.text.contains("who-is-this"));
    }
}

#[tokio::test]
async fn without_any_webhook_there_is_nothing_to_try() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    test(&tenant, None).await.fails(409, "NO_WEBHOOK");
    test(&tenant, Some(json!({}))).await.fails(409, "NO_WEBHOOK");
    assert!(app.outside().upstreams().sent().is_empty());
}

#[tokio::test]
async fn the_one_rule_for_webhooks_holds_here_too() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let evil = json!({ "webhookUrl": "https://169.254.169.254/latest", "webhookSecret": WEBHOOK_SECRET });
    test(&tenant, Some(evil)).await.fails(400, "INVALID_WEBHOOK_HOST");
    let half = test(&tenant, Some(json!({ "webhookUrl": "https://hook.eu2.make.com/a" }))).await;
    assert_eq!(half.complains_about(), [("webhookSecret".to_owned(), "required".to_owned())]);
    assert!(app.outside().upstreams().sent().is_empty());
}

#[tokio::test]
async fn an_operator_tries_a_tenants_webhook() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    let path = format!("/api/v1/tenants/{}/webhook/test", tenant.id);
    let answer = app.post(&path).token(&Token::operator(app.now()).sign()).send().await;
    assert_eq!(answer.is(200)["data"]["delivered"], true);
}

#[tokio::test]
async fn an_operators_test_that_switches_a_webhook_on_is_written_down() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let path = format!("/api/v1/tenants/{}/webhook/test", tenant.id);
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
    test(&tenant, None).await.is(200);
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
    let entry = |reason: &str| json!({ "actor": "ops", "action": "webhook.enable", "subject": tenant.id, "reason": reason });
    assert_eq!(written, [entry("Make is back"), entry("webhook tried")]);
    assert_eq!(
        app.db().rows("select 1 from make_connections where disabled_at is not null"),
        Vec::<Value>::new()
    );
}
