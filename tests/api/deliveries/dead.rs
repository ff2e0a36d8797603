//! Webhooks that stay dead are switched off, with a word to their owners; and those of tenants that have gone are
//! forgotten.

use serde_json::{Value, json};
use tenantry::{db::Db, ports::Clock, store};

use super::{connection, delivers, delivery, events, provisioned, waits_for_the_next_attempt};
use crate::support::{Reaction, RecordedCall, TestApp, Token, WEBHOOK_SECRET};

const DAY: i64 = 24 * 3600;

/// The notices that owners got.
fn notices(app: &TestApp) -> Vec<RecordedCall> {
    let mails = app.outside().upstreams().sent_to("resend");
    mails.into_iter().filter(|mail| mail.key().starts_with("webhook_disabled/")).collect()
}

fn count(app: &TestApp, of: &str) -> i64 {
    app.db().number(&format!("select count(*) from {of}"))
}

/// The webhook is off for this reason, its owner was told, and so were the tenant's events.
async fn is_off(app: &TestApp, reason: &str) {
    let now = app.now();
    app.outside().finishes_deferred_work().await;
    let row = connection(app);
    assert_eq!((&row["disabled_at"], &row["disabled_reason"]), (&json!(now), &json!(reason)));
    let event = app.db().row("select * from domain_events where type = 'webhook.disabled'");
    assert_eq!(event["data"], json!({ "reason": reason }).to_string());
    assert_eq!(event["tenant_id"], row["tenant_id"]);
    let notices = notices(app);
    assert_eq!(notices.len(), 1);
    let mail = notices[0].json();
    assert_eq!(mail["to"], json!(["owner@fc-nord.example"]));
    assert_eq!(mail["subject"], "The webhook of FC fc-nord is switched off");
    let text = mail["text"].as_str().unwrap();
    assert!(text.contains("hook.eu2.make.com") && !text.contains("hook.eu2.make.com/"), "{text}");
    assert!(!text.contains("#token="), "{text}");
    let line = app.log_of("webhook_disabled").pop().unwrap();
    assert_eq!((&line.fields["reason"], &line.fields["tenantId"]), (&json!(reason), &row["tenant_id"]));
}

#[tokio::test]
async fn a_webhook_that_is_gone_is_switched_off_at_once() {
    let app = TestApp::new();
    provisioned(&app).await;
    app.outside().upstreams().always("make", Reaction::Answers(410, ""));
    delivers(&app).await;
    is_off(&app, "gone").await;
    let row = delivery(&app);
    assert_eq!(
        (&row["status"], &row["last_error"], &row["last_status"]),
        (&json!("failed"), &json!("GONE"), &json!(410))
    );
    assert!(notices(&app)[0].json()["text"].as_str().unwrap().contains("nothing is there any more"));
}

/// Its owner is at the page, and was told there.
#[tokio::test]
async fn a_webhook_that_is_still_being_set_up_is_not_switched_off() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
    tenant.waits().await;
    delivers(&app).await;
    let row = delivery(&app);
    assert_eq!((&row["status"], &row["last_error"]), (&json!("failed"), &json!("GONE")));
    assert_eq!(connection(&app)["disabled_at"], Value::Null);
    assert!(notices(&app).is_empty());
}

#[tokio::test]
async fn a_webhook_that_failed_for_a_whole_schedule_is_switched_off() {
    let app = TestApp::new();
    provisioned(&app).await;
    let since = tenantry::domain::Timestamp::from_seconds(app.now()).rfc3339();
    app.outside().upstreams().always("make", Reaction::TimesOut);
    delivers(&app).await;
    while delivery(&app)["status"] == "pending" {
        assert_eq!(connection(&app)["disabled_at"], Value::Null);
        waits_for_the_next_attempt(&app);
        delivers(&app).await;
    }
    assert_eq!(events(&app).len(), 8);
    is_off(&app, "failing").await;
    let text = notices(&app)[0].json()["text"].clone();
    assert!(since.starts_with("2027-01-15"), "{since}");
    assert!(text.as_str().unwrap().contains("Has taken nothing since: 15 January 2027"), "{text}");
}

#[tokio::test]
async fn a_webhook_that_failed_for_five_days_is_switched_off() {
    for (days, off) in [(5 * DAY, true), (5 * DAY - 1, false)] {
        let app = TestApp::new();
        provisioned(&app).await;
        app.db().execute("update make_connections set failing_since = ?1", [app.now() - days]);
        app.outside().upstreams().next("make", [Reaction::Answers(500, "")]);
        delivers(&app).await;
        assert_eq!(connection(&app)["disabled_at"].is_i64(), off);
        if off {
            is_off(&app, "failing").await;
        }
    }
}

/// Something else was delivered meanwhile: somebody is there.
#[tokio::test]
async fn a_schedule_that_failed_beside_a_success_switches_nothing_off() {
    let app = TestApp::new();
    provisioned(&app).await;
    app.db().execute("update webhook_deliveries set attempts = 7", ());
    app.db().execute("update make_connections set failing_since = ?1", [app.now() - DAY + 1]);
    app.outside().upstreams().next("make", [Reaction::Answers(400, "")]);
    delivers(&app).await;
    assert_eq!(delivery(&app)["status"], "failed");
    assert_eq!(connection(&app)["disabled_at"], Value::Null);
    assert!(notices(&app).is_empty());
}

#[tokio::test]
async fn one_success_makes_up_for_any_number_of_failures() {
    let app = TestApp::new();
    provisioned(&app).await;
    app.db().execute("update make_connections set failing_since = ?1", [app.now() - 20 * DAY]);
    assert_eq!(delivers(&app).await, 1);
    assert_eq!(
        (&connection(&app)["failing_since"], &connection(&app)["disabled_at"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn what_waited_for_a_webhook_that_is_off_is_cancelled() {
    let app = TestApp::new();
    let tenant = provisioned(&app).await;
    app.db().execute(
        "insert into webhook_deliveries (tenant_id, created_at, id, type, body, next_at)
         values (?1, 1, 'evt_waits', 'test', '{}', 1 << 40)",
        [&tenant.id],
    );
    app.outside().upstreams().always("make", Reaction::Answers(410, ""));
    delivers(&app).await;
    let row = app.db().row("select * from webhook_deliveries where id = 'evt_waits'");
    assert_eq!((&row["status"], &row["settled_at"]), (&json!("cancelled"), &json!(app.now())));
    assert_eq!(count(&app, "webhook_deliveries where status = 'pending'"), 0);
}

#[tokio::test]
async fn two_that_find_it_dead_tell_its_owner_once() {
    let app = TestApp::new();
    let tenant = provisioned(&app).await;
    app.db().execute(
        "insert into webhook_deliveries (tenant_id, created_at, id, type, body, next_at)
         values (?1, 1, 'evt_other', 'test', '{}', 1)",
        [&tenant.id],
    );
    app.outside().upstreams().always("make", Reaction::Answers(410, ""));
    delivers(&app).await;
    app.outside().finishes_deferred_work().await;
    assert_eq!(count(&app, "domain_events where type = 'webhook.disabled'"), 1);
    let mailed = app.outside().upstreams().effects();
    let told = mailed.iter().filter(|((_, key), _)| key.starts_with("webhook_disabled/"));
    assert_eq!(told.map(|(_, times)| times).sum::<usize>(), 1);
}

/// Nobody's webhook goes silent without a word, however long the mail service is away.
#[tokio::test]
async fn a_notice_that_cannot_be_sent_holds_nothing_up_and_arrives_later() {
    let app = TestApp::new();
    provisioned(&app).await;
    app.outside().finishes_deferred_work().await;
    app.db().execute("update webhook_deliveries set status = 'pending', next_at = 0, settled_at = null", ());
    app.outside().upstreams().always("make", Reaction::Answers(410, ""));
    app.outside().upstreams().always("resend", Reaction::Answers(500, ""));
    delivers(&app).await;
    assert_eq!(connection(&app)["disabled_at"], app.now());
    app.outside().finishes_deferred_work().await;
    app.passes(3 * 3600);
    app.outside().upstreams().always("resend", Reaction::Healthy);
    tenantry::app::sweep::run(&app.app).await;
    let told = app.outside().upstreams().effects();
    assert_eq!(told.iter().filter(|((_, key), _)| key.starts_with("webhook_disabled/")).count(), 1);
}

#[tokio::test]
async fn a_webhook_that_is_switched_off_twice_is_told_twice() {
    let app = TestApp::new();
    let tenant = provisioned(&app).await;
    for times in 1..=2 {
        app.passes(60);
        app.db()
            .execute("update webhook_deliveries set status = 'pending', next_at = 0, settled_at = null", ());
        app.outside().upstreams().next("make", [Reaction::Answers(410, "")]);
        delivers(&app).await;
        app.outside().finishes_deferred_work().await;
        assert_eq!(count(&app, "mails where kind = 'webhook_disabled' and status = 'sent'"), times);
        tenant
            .post(&format!("/api/v1/tenants/{}/webhook/test", tenant.id))
            .token(&tenant.jwt)
            .send()
            .await
            .is(200);
        assert_eq!(connection(&app)["disabled_at"], Value::Null);
    }
}

#[tokio::test]
async fn storing_a_webhook_again_switches_it_on() {
    let app = TestApp::new();
    let tenant = provisioned(&app).await;
    app.outside().upstreams().next("make", [Reaction::Answers(410, "")]);
    delivers(&app).await;
    is_off(&app, "gone").await;
    tenant.connects_make().await.is(200);
    let row = connection(&app);
    for column in ["failing_since", "disabled_at", "disabled_reason"] {
        assert_eq!(row[column], Value::Null, "{column}");
    }
}

#[tokio::test]
async fn a_test_that_is_taken_switches_it_on_and_no_other() {
    let app = TestApp::with(&[("MAKE_VALIDATE_STRICT", "false")]);
    let tenant = provisioned(&app).await;
    app.outside().upstreams().next("make", [Reaction::Answers(410, "")]);
    delivers(&app).await;
    let path = format!("/api/v1/tenants/{}/webhook/test", tenant.id);
    let other = json!({ "webhookUrl": "https://hook.eu2.make.com/other", "webhookSecret": WEBHOOK_SECRET });
    let operator = Token::operator(app.now()).sign();
    tenant.post(&path).token(&operator).json(&other).send().await.is(200);
    let by_another_secret = json!({ "webhookUrl": "https://hook.eu2.make.com/fc-nord", "webhookSecret": "another-secret-of-mine" });
    tenant.posts(&path, &by_another_secret).await.is(200);
    assert_eq!(connection(&app)["disabled_reason"], "gone");
    for refusal in [410, 404, 500] {
        app.outside().upstreams().next("make", [Reaction::Answers(refusal, "")]);
        tenant.post(&path).token(&tenant.jwt).send().await.is(200);
        assert_eq!(connection(&app)["disabled_reason"], "gone", "{refusal}");
    }
    assert_eq!(tenant.post(&path).token(&tenant.jwt).send().await.is(200)["data"]["delivered"], true);
    assert_eq!(
        (&connection(&app)["disabled_at"], &connection(&app)["disabled_reason"]),
        (&Value::Null, &Value::Null)
    );
}

/// The owner stored another one while this one was found dead.
#[tokio::test]
async fn a_webhook_that_was_replaced_meanwhile_is_left_alone() {
    let app = TestApp::new();
    let tenant = provisioned(&app).await;
    let id = tenant.id.parse().unwrap();
    let old = app.db().ask(store::webhooks::webhook(&id)).await.unwrap().unwrap();
    let new =
        json!({ "webhookUrl": "https://hook.eu2.make.com/new", "webhookSecret": "another-secret-of-mine" });
    tenant.posts("/public/signup/starter/make", &new).await.is(200);
    let before = app.db().contents();
    let now = app.outside().now();
    let mut late = store::webhooks::disable(&id, &old, "gone", now).to_vec();
    late.push(store::webhooks::set_failing(&id, &old, now));
    app.db().batch(late).await.unwrap();
    app.db().is_still(&before);
}

#[tokio::test]
async fn the_webhook_of_a_tenant_that_has_gone_is_forgotten_with_its_last_delivery() {
    for reaction in [Reaction::Healthy, Reaction::Answers(410, "")] {
        let app = TestApp::new();
        let tenant = provisioned(&app).await;
        tenant.becomes("status", "cancelled");
        tenant.becomes("email", rusqlite::types::Null);
        app.outside().upstreams().next("make", [Reaction::TimesOut, reaction]);
        delivers(&app).await;
        assert_eq!(count(&app, "make_connections"), 1, "something still waits to be sent there");
        waits_for_the_next_attempt(&app);
        delivers(&app).await;
        assert_eq!(count(&app, "make_connections"), 0);
        assert!(notices(&app).is_empty());
    }
}

#[tokio::test]
async fn as_long_as_one_delivery_waits_it_is_remembered() {
    let app = TestApp::new();
    let tenant = provisioned(&app).await;
    tenant.becomes("status", "cancelled");
    app.db().execute(
        "insert into webhook_deliveries (tenant_id, created_at, id, type, body, next_at)
         values (?1, 1, 'evt_last', 'tenant.deprovisioned', '{}', ?2)",
        (&tenant.id, app.now() + 60),
    );
    assert_eq!((delivers(&app).await, count(&app, "make_connections")), (1, 1));
    app.passes(60);
    assert_eq!((delivers(&app).await, count(&app, "make_connections")), (1, 0));
}

#[tokio::test]
async fn the_webhook_of_a_tenant_that_has_not_gone_is_never_forgotten() {
    let app = TestApp::new();
    let tenant = provisioned(&app).await;
    let forget = || store::webhooks::forget_cancelled(&tenant.id.parse().unwrap());
    for (status, left) in [("active", 1), ("suspended", 1), ("trial", 1), ("cancelled", 1)] {
        tenant.becomes("status", status);
        app.db().query(forget()).await.unwrap();
        assert_eq!(count(&app, "make_connections"), left, "{status}");
    }
    app.db().execute("delete from webhook_deliveries", ());
    app.db().query(forget()).await.unwrap();
    assert_eq!(count(&app, "make_connections"), 0, "nothing waits for it");
}

#[tokio::test]
async fn what_waits_for_a_webhook_that_is_not_there_any_more_is_cancelled() {
    let app = TestApp::new();
    provisioned(&app).await;
    app.db().execute("delete from make_connections", ());
    delivers(&app).await;
    let row = delivery(&app);
    assert_eq!((&row["status"], &row["last_error"]), (&json!("cancelled"), &json!("NO_WEBHOOK")));
    assert!(events(&app).is_empty());
}
