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
            "website": "https://fc-nord.clubs.example/", "language": "en", "membersUrl": null,
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
    let webhook = |health: &str, validated: &Value, failing: Value, disabled: Value, reason: Value| {
        json!({
            "host": "hook.eu2.make.com", "health": health, "validatedAt": validated, "failingSince": failing,
            "disabledAt": disabled, "disabledReason": reason, "previousSecretUntil": null,
            "lastTest": { "at": validated, "ok": true, "status": null },
        })
    };
    let mut untested = webhook("untested", &Value::Null, Value::Null, Value::Null, Value::Null);
    untested.as_object_mut().unwrap().remove("lastTest");
    assert_eq!(profile(&tenant).await["webhook"], untested);
    tenant.waits().await;
    let validated = profile(&tenant).await["webhook"]["validatedAt"].clone();
    assert!(validated.is_string());
    assert_eq!(profile(&tenant).await["webhook"]["health"], "working");
    app.db().execute("update make_connections set failing_since = 1800000000", ());
    assert_eq!(profile(&tenant).await["webhook"]["health"], "failing");
    app.db().execute(
        "update make_connections set failing_since = 1800000000, disabled_at = 1800000060, disabled_reason = 'failing'",
        (),
    );
    let (failing, disabled) = (json!("2027-01-15T08:00:00.000Z"), json!("2027-01-15T08:01:00.000Z"));
    let expected = webhook("disabled", &validated, failing, disabled, json!("failing"));
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
async fn a_tenant_sees_its_spreadsheet_and_until_when_an_earlier_secret_signs() {
    let app = TestApp::new();
    let pro = app.queued_pro("fc-pro").await;
    assert_eq!(profile(&pro).await.get("spreadsheet"), None);
    pro.waits().await;
    let spreadsheet = profile(&pro).await["spreadsheet"].clone();
    assert!(spreadsheet["url"].as_str().unwrap().starts_with("https://docs.google.com/"), "{spreadsheet}");
    assert!(spreadsheet["verifiedAt"].is_string());
    let starter = app.provisioned("fc-nord").await;
    starter.connects_make().await.is(200);
    assert_eq!(profile(&starter).await["webhook"]["previousSecretUntil"], Value::Null, "it is the same");
    let body = json!({ "webhookUrl": "https://hook.us1.make.com/another", "webhookSecret": "another-secret-of-mine" });
    starter.posts("/public/signup/starter/make", &body).await.is(200);
    assert!(profile(&starter).await["webhook"]["previousSecretUntil"].is_string());
    app.passes(24 * 3600);
    assert_eq!(profile(&starter).await["webhook"]["previousSecretUntil"], Value::Null);
}

#[tokio::test]
async fn a_tenant_whose_kind_has_no_address_on_the_web_has_no_page() {
    let app = TestApp::with(&[("SUBDOMAIN_MODE", "none")]);
    let tenant = app.signed_up("fc-nord").await;
    assert_eq!(profile(&tenant).await["website"], Value::Null);
}

#[tokio::test]
async fn a_tenant_changes_its_language_and_where_its_members_go() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let other = app.signed_up("fc-sued").await;
    let page = " https://Members.example.org/start#/home ";
    let data = patch(&tenant, json!({ "language": "de", "membersUrl": page })).await.is(200)["data"].clone();
    let kept = "https://members.example.org/start#/home";
    assert_eq!((&data["language"], &data["membersUrl"]), (&json!("de"), &json!(kept)));
    let data = patch(&tenant, json!({ "language": "en" })).await.is(200)["data"].clone();
    assert_eq!((&data["language"], &data["membersUrl"]), (&json!("en"), &json!(kept)), "each alone");
    let data = patch(&tenant, json!({ "membersUrl": null })).await.is(200)["data"].clone();
    assert_eq!((&data["language"], &data["membersUrl"]), (&json!("en"), &Value::Null));
    let brand = json!({ "primaryColor": "#ABCDEF" });
    let data = patch(&tenant, json!({ "brand": brand })).await.is(200)["data"].clone();
    assert_eq!(data["brand"], json!({ "primaryColor": "#abcdef", "secondaryColor": "#f4b942" }));
    assert_eq!(data, profile(&tenant).await);
    assert_eq!(profile(&other).await["brand"]["primaryColor"], "#1f4e79", "nobody else changed");
}

#[tokio::test]
async fn what_is_different_after_a_change_is_an_event() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let told = || {
        let sql = "select data from domain_events where type = 'tenant.updated' order by id";
        let rows = app.db().rows(sql);
        rows.iter().map(|row| row["data"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for body in [
        json!({ "name": "FC fc-nord", "language": "en", "membersUrl": null }),
        json!({ "brand": { "primaryColor": "#1F4E79", "secondaryColor": "#f4b942" } }),
    ] {
        patch(&tenant, body.clone()).await.is(200);
        assert!(told().is_empty(), "as it was: {body}");
    }
    for (body, fields) in [
        (json!({ "name": "FC Nord", "language": "en" }), "[\"name\"]"),
        (json!({ "name": "FC Nord", "secondaryColor": "#000000" }), "[\"brand\"]"),
        (
            json!({ "name": "FC", "brand": { "primaryColor": "#000000" }, "language": "de", "membersUrl": "https://example.org/" }),
            "[\"name\",\"brand\",\"language\",\"membersUrl\"]",
        ),
        (json!({ "membersUrl": null }), "[\"membersUrl\"]"),
    ] {
        app.passes(1);
        let before = told().len();
        patch(&tenant, body.clone()).await.is(200);
        assert_eq!(told()[before..], [format!("{{\"fields\":{fields}}}")], "{body}");
    }
    let events = tenant.gets(&format!("/api/v1/tenants/{}/events", tenant.id)).send().await.is(200);
    assert_eq!(events["data"][0]["type"], "tenant.updated");
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
        (json!({ "brand": "red" }), one("brand", "invalid_type")),
        (json!({ "brand": null }), one("name", "nothing_to_change")),
        (json!({ "brand": {} }), one("brand.primaryColor", "nothing_to_change")),
        (json!({ "brand": { "secondaryColor": "red" } }), one("brand.secondaryColor", "invalid_color")),
        (
            json!({ "brand": { "primaryColor": "#000000" }, "secondaryColor": "#000000" }),
            one("secondaryColor", "ambiguous"),
        ),
        (json!({ "language": "fr" }), one("language", "invalid_language")),
        (json!({ "membersUrl": "" }), one("membersUrl", "required")),
        (json!({ "membersUrl": 7 }), one("membersUrl", "invalid_type")),
        (json!({ "membersUrl": "http://example.org/" }), one("membersUrl", "invalid_url")),
        (json!({ "membersUrl": "javascript:alert(1)" }), one("membersUrl", "invalid_url")),
        (json!({ "membersUrl": "https://ann:secret@example.org/" }), one("membersUrl", "invalid_url")),
        (json!({ "membersUrl": "https://localhost/" }), one("membersUrl", "invalid_url")),
        (
            json!({ "membersUrl": format!("https://example.org/{}", "a".repeat(1981)) }),
            one("membersUrl", "too_long"),
        ),
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
