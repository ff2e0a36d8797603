//! `GET` and `PATCH /api/v1/tenants/me`

use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, TestTenant, WEBHOOK_SECRET};

const PATH: &str = "/api/v1/tenants/me";

async fn patch(tenant: &TestTenant, body: Value) -> Answer {
    tenant.ask(Method::PATCH, PATH).token(&tenant.jwt).json(&body).send().await
}

async fn profile(tenant: &TestTenant) -> Value {
    tenant.gets(PATH).send().await.is(200)["data"].clone()
}

#[tokio::test]
async fn a_tenant_sees_itself() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    assert_eq!(
        profile(&tenant).await,
        json!({
            "id": tenant.id, "slug": "fc-nord", "address": "fc-nord.clubs.example", "name": "FC fc-nord",
            "email": "owner@fc-nord.example", "emailProven": true, "plan": "starter", "status": "trial", "comped": false,
            "trialEndsAt": tenant.row()["trial_ends_at"], "createdAt": "2027-01-15T08:00:12.000Z",
            "brand": { "primaryColor": "#1f4e79", "secondaryColor": "#f4b942" },
            "provisioning": { "status": "pending", "reason": null, "runId": null, "provisionedAt": null },
        })
    );
    tenant.connects_make().await.is(200);
    tenant.waits().await;
    let answer = tenant.gets(PATH).send().await;
    let provisioning = answer.is(200)["data"]["provisioning"].clone();
    let run = tenant.outside().objects().run(&tenant.id).unwrap().id;
    assert_eq!(
        (&provisioning["status"], &provisioning["runId"]),
        (&json!("completed"), &json!(run.as_str()))
    );
    assert!(provisioning["provisionedAt"].is_string());
    for secret in ["make.com/", WEBHOOK_SECRET, "eyJ"] {
        assert!(!answer.text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_tenant_sees_how_its_webhook_is_doing_and_where_it_is_but_not_what_only_its_scenario_knows() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    let webhook = |validated: Value, failing: Value, disabled: Value, reason: Value| {
        json!({
            "host": "hook.eu2.make.com", "validatedAt": validated, "failingSince": failing, "disabledAt": disabled,
            "disabledReason": reason
        })
    };
    assert_eq!(
        profile(&tenant).await["webhook"],
        webhook(Value::Null, Value::Null, Value::Null, Value::Null)
    );
    tenant.waits().await;
    let validated = profile(&tenant).await["webhook"]["validatedAt"].clone();
    assert!(validated.is_string());
    app.db().execute(
        "update make_connections set failing_since = 1800000000, disabled_at = 1800000060, disabled_reason = 'failing'",
        (),
    );
    let (failing, disabled) = (json!("2027-01-15T08:00:00.000Z"), json!("2027-01-15T08:01:00.000Z"));
    let expected = webhook(validated, failing, disabled, json!("failing"));
    assert_eq!(profile(&tenant).await["webhook"], expected);
    assert_eq!(patch(&tenant, json!({ "name": "FC Nord" })).await.is(200)["data"]["webhook"], expected);
    let pro = app.queued_pro("fc-pro").await;
    assert_eq!(profile(&pro).await["webhook"], Value::Null);
}

#[tokio::test]
async fn a_tenant_changes_its_name_and_its_colours_each_alone() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let other = app.signed_up("fc-sued").await;
    let data = patch(&tenant, json!({ "name": "  FC Nord 1899 " })).await.is(200)["data"].clone();
    assert_eq!((&data["name"], &data["slug"]), (&json!("FC Nord 1899"), &json!("fc-nord")));
    assert_eq!(data["brand"], json!({ "primaryColor": "#1f4e79", "secondaryColor": "#f4b942" }));
    let data = patch(&tenant, json!({ "secondaryColor": "#ABCDEF" })).await.is(200)["data"].clone();
    assert_eq!(data["brand"], json!({ "primaryColor": "#1f4e79", "secondaryColor": "#abcdef" }));
    let data =
        patch(&tenant, json!({ "primaryColor": "#000000", "name": null })).await.is(200)["data"].clone();
    assert_eq!(data["brand"], json!({ "primaryColor": "#000000", "secondaryColor": "#abcdef" }));
    assert_eq!(data, profile(&tenant).await);
    assert_eq!(profile(&other).await["name"], "FC fc-sued", "nobody else changed");
}

#[tokio::test]
async fn two_changes_at_once_are_both_kept() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let (one, other) = tokio::join!(
        patch(&tenant, json!({ "primaryColor": "#000000" })),
        patch(&tenant, json!({ "secondaryColor": "#ffffff", "name": "Nord" })),
    );
    one.is(200);
    other.is(200);
    let data = profile(&tenant).await;
    assert_eq!(data["brand"], json!({ "primaryColor": "#000000", "secondaryColor": "#ffffff" }));
    assert_eq!(data["name"], "Nord");
}

#[tokio::test]
async fn what_is_wrong_with_a_change_is_told_and_nothing_is_changed() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let before = app.db().contents();
    let one = |field: &str, code: &str| vec![(field.to_owned(), code.to_owned())];
    for (body, complaints) in [
        (json!({}), one("name", "nothing_to_change")),
        (json!({ "name": null }), one("name", "nothing_to_change")),
        (json!({ "plan": "pro", "status": "active", "comped": true }), one("name", "nothing_to_change")),
        (json!({ "name": "" }), one("name", "required")),
        (json!({ "name": "x".repeat(101) }), one("name", "too_long")),
        (json!({ "name": 7 }), one("name", "invalid_type")),
        (json!({ "name": "Nord", "primaryColor": "red" }), one("primaryColor", "invalid_color")),
        (json!({ "secondaryColor": "" }), one("secondaryColor", "invalid_color")),
    ] {
        assert_eq!(patch(&tenant, body.clone()).await.complains_about(), complaints, "{body}");
    }
    let both = patch(&tenant, json!({ "name": " ", "primaryColor": "red" })).await.complains_about();
    assert_eq!(both.len(), 2, "all at once");
    app.db().is_still(&before);
}

#[tokio::test]
async fn a_suspended_tenant_sees_and_changes_nothing() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.becomes("status", "suspended");
    let before = app.db().contents();
    tenant.gets(PATH).send().await.refuses(403, "FORBIDDEN", "token_revoked");
    patch(&tenant, json!({ "name": "Nord" })).await.refuses(403, "FORBIDDEN", "token_revoked");
    app.db().is_still(&before);
}

#[tokio::test]
async fn a_change_before_the_welcome_is_in_the_welcome() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    patch(&tenant, json!({ "name": "FC Nord 1899" })).await.is(200);
    tenant.connects_make().await.is(200);
    tenant.waits().await;
    app.outside().finishes_deferred_work().await;
    let mail = app.outside().upstreams().sent_to("resend").pop().unwrap().json();
    assert!(mail["text"].as_str().unwrap().contains("FC Nord 1899"));
}
