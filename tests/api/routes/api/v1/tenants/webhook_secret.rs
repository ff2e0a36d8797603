//! `POST /api/v1/tenants/{id}/webhook/secret`, and how the last test of a webhook went.

use serde_json::{Value, json};
use tenantry::{domain::Secret, ports::Vault};

use crate::support::{Answer, Reaction, RecordedCall, TestApp, TestTenant, WEBHOOK_SECRET};

const DAY: u64 = 24 * 3600;

async fn replaces(tenant: &TestTenant) -> Answer {
    tenant.post(&format!("/api/v1/tenants/{}/webhook/secret", tenant.id)).token(&tenant.jwt).send().await
}

async fn secret_of(tenant: &TestTenant) -> String {
    replaces(tenant).await.is(200)["secret"].as_str().unwrap().to_owned()
}

async fn tested(tenant: &TestTenant) -> RecordedCall {
    let path = format!("/api/v1/tenants/{}/webhook/test", tenant.id);
    tenant.post(&path).token(&tenant.jwt).send().await.is(200);
    tenant.outside().finishes_deferred_work().await;
    tenant.outside().upstreams().sent_to("make").pop().unwrap()
}

async fn webhook(tenant: &TestTenant) -> Value {
    tenant.gets("/api/v1/tenants/me").send().await.is(200)["data"]["webhook"].clone()
}

#[tokio::test]
async fn a_new_secret_is_shown_once_and_the_earlier_one_signs_beside_it_for_a_day() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let answer = replaces(&tenant).await;
    let secret = answer.is(200)["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "32 bytes in base64");
    assert_eq!(answer.header("cache-control"), "no-store");
    let until = answer.is(200)["previousSecretUntil"].clone();
    assert_eq!(webhook(&tenant).await["previousSecretUntil"], until);
    let stored = app.db().row("select webhook_secret, webhook_url, validated_at from make_connections");
    let opened = app.app.ports.open(stored["webhook_secret"].as_str().unwrap(), &tenant.id).await;
    assert_eq!(opened.unwrap(), Secret::new(secret.clone()));
    assert!(stored["validated_at"].is_i64(), "it is where it was");
    let sent = tested(&tenant).await;
    assert!(sent.is_signed_with(&secret) && sent.is_signed_with(WEBHOOK_SECRET));
    assert_eq!(sent.signatures(), 2);
    let another = secret_of(&tenant).await;
    assert_ne!(another, secret);
    assert_eq!(tested(&tenant).await.signatures(), 3);
    app.passes(DAY);
    let sent = tested(&tenant).await;
    assert!(sent.is_signed_with(&another) && sent.signatures() == 1);
    assert_eq!(webhook(&tenant).await["previousSecretUntil"], Value::Null);
    let kept = app.db().contents();
    let said = format!("{kept:?} {:?}", app.outside().log_lines());
    for secret in [&secret, &another] {
        assert!(!said.contains(secret.as_str()), "it is nowhere but sealed");
    }
}

#[tokio::test]
async fn its_owner_is_told() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    tenant.mails_leave().await;
    app.passes(1);
    let secret = secret_of(&tenant).await;
    app.outside().finishes_deferred_work().await;
    let mail = app.outside().upstreams().sent_to("resend").pop().unwrap().json();
    assert_eq!(mail["subject"], "The webhook of FC fc-nord has a new secret");
    assert!(!mail.to_string().contains(&secret));
    let events = tenant.gets(&format!("/api/v1/tenants/{}/events", tenant.id)).send().await.is(200);
    let event = &events["data"][0];
    assert_eq!((&event["type"], &event["data"]), (&json!("webhook.secret_changed"), &json!({})));
}

#[tokio::test]
async fn there_is_none_to_replace_where_there_is_no_webhook_and_not_for_ever() {
    let app = TestApp::new();
    let (starter, pro) = (app.signed_up("fc-nord").await, app.signed_up_pro("fc-pro").await);
    let before = app.db().contents();
    for tenant in [&starter, &pro] {
        replaces(tenant).await.fails(409, "NO_WEBHOOK");
    }
    app.db().is_still(&before);
    let tenant = app.provisioned("fc-sued").await;
    for _ in 0..10 {
        replaces(&tenant).await.is(200);
        app.outside().finishes_deferred_work().await;
    }
    let before = app.db().contents();
    let refused = replaces(&tenant).await;
    refused.fails(429, "RATE_LIMITED");
    assert_eq!(refused.header("retry-after"), "3600");
    app.db().is_still(&before);
    app.passes(DAY);
    replaces(&tenant).await.is(200);
}

#[tokio::test]
async fn how_the_last_test_went_is_kept() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let validated = webhook(&tenant).await["validatedAt"].clone();
    assert_eq!(webhook(&tenant).await["lastTest"], json!({ "at": validated, "ok": true, "status": null }));
    for (reaction, ok, status) in [
        (Reaction::Answers(404, ""), false, json!(404)),
        (Reaction::TimesOut, false, Value::Null),
        (Reaction::Healthy, true, json!(200)),
    ] {
        app.passes(60);
        app.outside().upstreams().next("make", [reaction]);
        tested(&tenant).await;
        let last = webhook(&tenant).await["lastTest"].clone();
        assert_eq!((&last["ok"], &last["status"]), (&json!(ok), &status), "{last}");
    }
    let known = webhook(&tenant).await["lastTest"].clone();
    let named = json!({ "webhookUrl": "https://hook.eu2.make.com/fc-nord", "webhookSecret": "another-secret-of-mine" });
    app.outside().upstreams().next("make", [Reaction::Answers(404, "")]);
    tenant.posts(&format!("/api/v1/tenants/{}/webhook/test", tenant.id), &named).await;
    app.outside().finishes_deferred_work().await;
    assert_eq!(webhook(&tenant).await["lastTest"], known, "another secret is none of the stored one's");
    app.outside().upstreams().next("make", [Reaction::Answers(503, "")]);
    tenant.connects("https://hook.us1.make.com/another").await.is(200);
    let last = webhook(&tenant).await["lastTest"].clone();
    assert_eq!(
        (&last["ok"], &last["status"]),
        (&json!(false), &json!(503)),
        "the ping of who stores it counts"
    );
}
