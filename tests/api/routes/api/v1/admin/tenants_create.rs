//! `POST /api/v1/admin/tenants`

use serde_json::{Value, json};

use super::{audited, get, post};
use crate::support::{Answer, TestApp, Token, signup};

fn wanted() -> Value {
    json!({
        "name": "FC Nord", "slug": "fc-nord", "email": " Owner@FC-Nord.example ", "plan": "starter",
        "reason": "asked by telephone",
    })
}

fn with(field: &str, value: impl Into<Value>) -> Value {
    let mut body = wanted();
    body[field] = value.into();
    body
}

async fn under_key(app: &TestApp, key: &str, body: &Value) -> Answer {
    let ask = app.post("/api/v1/admin/tenants").header("idempotency-key", key);
    ask.token(&Token::operator(app.now()).sign()).json(body).send().await
}

fn mails(app: &TestApp) -> usize {
    app.outside().upstreams().sent_to("resend").len()
}

#[tokio::test]
async fn a_tenant_is_made_as_by_the_form_and_its_owner_goes_on_from_a_mailed_link() {
    let app = TestApp::new();
    let answer = post(&app, "/tenants", wanted()).await;
    let body = answer.is(200);
    assert!(!answer.text.contains("jwt") && !answer.text.contains("eyJ"), "no token: {}", answer.text);
    let made = &body["data"];
    let known =
        ["slug", "name", "email", "plan", "status", "comped", "trialEndsAt"].map(|field| made[field].clone());
    let trial_ends_at = app.now() + 14 * 24 * 3600;
    assert_eq!(
        json!(known),
        json!(["fc-nord", "FC Nord", "owner@fc-nord.example", "starter", "trial", false, trial_ends_at])
    );
    assert_eq!((&made["provisioning"]["status"], made.get("replayed")), (&json!("pending"), None));
    let id = made["id"].as_str().unwrap();
    assert_eq!(get(&app, &format!("/tenants/{id}")).await.is(200)["data"], *made);
    assert_eq!(get(&app, "/tenants?q=fc-nord").await.is(200)["data"][0]["id"], id);
    let event = app.db().row("select type, data from domain_events");
    assert_eq!(
        event,
        json!({ "type": "tenant.signed_up", "data": r#"{"plan":"starter","slug":"fc-nord","by":"operator"}"# })
    );
    app.outside().finishes_deferred_work().await;
    let mail = app.outside().upstreams().sent_to("resend").pop().unwrap();
    let sent = mail.json();
    assert_eq!(sent["to"], json!(["owner@fc-nord.example"]));
    assert_eq!(sent["subject"], "FC Nord is waiting for you");
    assert!(sent["text"].as_str().unwrap().contains("We have created FC Nord for you."), "{sent}");
    let link = mail.link();
    let token = link.rsplit_once("#token=").unwrap().1;
    let signed_in = app.post("/auth/magic/verify").json(&json!({ "token": token })).send().await.is(200);
    let jwt = signed_in["jwt"].as_str().unwrap();
    assert_eq!(app.get("/api/v1/tenants/me").token(jwt).send().await.is(200)["data"]["slug"], "fc-nord");
    let colours = json!({ "primaryColor": "#102030", "secondaryColor": "#405060" });
    app.post("/public/signup/brand").token(jwt).json(&colours).send().await.is(200);
}

#[tokio::test]
async fn who_made_it_and_why_is_written_down_once() {
    let app = TestApp::new();
    let mut body = with("comped", true);
    body["plan"] = "pro".into();
    let answer = under_key(&app, "a", &body).await;
    let id = answer.is(200)["data"]["id"].clone();
    assert_eq!(answer.is(200)["data"]["comped"], true);
    assert_eq!(under_key(&app, "a", &body).await.is(200)["data"]["replayed"], true);
    post(&app, "/tenants", body).await.fails(409, "SLUG_TAKEN");
    assert_eq!(
        audited(&app),
        [json!({
            "actor": "ops", "action": "tenant.create", "subject": id, "reason": "asked by telephone",
            "request_id": answer.header("x-request-id"), "occurred_at": app.now(),
            "data": r#"{"slug":"fc-nord","plan":"pro","comped":true}"#,
        })]
    );
    let line = &app.log_of("operator_action")[0].fields;
    assert_eq!((&line["action"], &line["tenantId"]), (&json!("tenant.create"), &id));
}

#[tokio::test]
async fn the_switch_that_stops_signups_does_not_stop_it() {
    let app = TestApp::new();
    app.db().execute("insert into feature_flags values ('signup_enabled', 0, null, 0)", ());
    app.signs_up(&signup("fc-sued")).await.fails(503, "SIGNUPS_DISABLED");
    post(&app, "/tenants", wanted()).await.is(200);
}

#[tokio::test]
async fn of_any_number_with_one_name_or_address_one_is_made_and_the_others_leave_nothing() {
    let app = TestApp::new();
    app.signed_up("fc-west").await;
    let before = app.db().contents();
    post(&app, "/tenants", with("slug", "fc-west")).await.fails(409, "SLUG_TAKEN");
    post(&app, "/tenants", with("email", "OWNER@fc-west.example")).await.fails(409, "EMAIL_EXISTS");
    app.db().is_still(&before);
    let (filled_in, body) = (signup("fc-nord"), wanted());
    let (one, form, other) =
        tokio::join!(post(&app, "/tenants", wanted()), app.signs_up(&filled_in), under_key(&app, "a", &body));
    let made = [&one, &form, &other].into_iter().filter(|answer| answer.status == 200).count();
    assert_eq!(made, 1, "{} {} {}", one.text, form.text, other.text);
    assert_eq!(app.db().number("select count(*) from tenants"), 2);
}

/// Nor does anybody get in by filling the form in alike.
#[tokio::test]
async fn the_same_form_is_no_repeat_of_what_an_operator_made() {
    let app = TestApp::new();
    post(&app, "/tenants", with("name", "FC fc-nord")).await.is(200);
    app.signs_up(&signup("fc-nord")).await.fails(409, "SLUG_TAKEN");
}

#[tokio::test]
async fn a_repeat_under_its_key_answers_the_same_tenant_and_mails_nothing() {
    let app = TestApp::new();
    let made = under_key(&app, "a", &wanted()).await.is(200)["data"].clone();
    app.outside().finishes_deferred_work().await;
    let again = under_key(&app, "a", &wanted()).await.is(200)["data"].clone();
    app.outside().finishes_deferred_work().await;
    assert_eq!((&again["id"], &again["replayed"], mails(&app)), (&made["id"], &json!(true), 1));
    for (field, value) in [
        ("slug", json!("fc-sued")),
        ("email", json!("other@example.org")),
        ("plan", json!("pro")),
        ("comped", json!(true)),
        ("name", json!("FC Sued")),
        ("reason", json!("another")),
    ] {
        under_key(&app, "a", &with(field, value)).await.fails(422, "IDEMPOTENCY_KEY_REUSED");
    }
    let another = Token::operator(app.now()).with("sub", "another").sign();
    let ask = app.post("/api/v1/admin/tenants").header("idempotency-key", "a").token(&another);
    ask.json(&wanted()).send().await.fails(409, "SLUG_TAKEN");
    let public = app.post("/public/signup/start").header("idempotency-key", "a").json(&signup("fc-ost"));
    public.send().await.is(200);
    app.db().execute("update tenants set status = 'cancelled' where slug = 'fc-nord'", ());
    under_key(&app, "a", &wanted()).await.fails(410, "TENANT_CANCELLED");
    app.passes(25 * 3600);
    under_key(&app, "a", &wanted()).await.fails(409, "SLUG_TAKEN");
}

#[tokio::test]
async fn what_is_wrong_is_told_as_to_whoever_signs_up() {
    let app = TestApp::new();
    let before = app.db().contents();
    for (field, value, code) in [
        ("name", json!(null), "required"),
        ("name", json!("\u{200b}"), "required"),
        ("slug", json!(null), "required"),
        ("slug", json!("admin"), "reserved"),
        ("slug", json!("FC Nord"), "invalid_characters"),
        ("email", json!(null), "required"),
        ("email", json!("nobody"), "invalid_email"),
        ("plan", json!(null), "required"),
        ("plan", json!("gold"), "invalid_plan"),
        ("comped", json!("yes"), "invalid_type"),
        ("reason", json!(null), "required"),
        ("reason", json!(" "), "required"),
    ] {
        let answer = post(&app, "/tenants", with(field, value.clone())).await;
        assert_eq!(answer.complains_about(), [(field.to_owned(), code.to_owned())], "{field}: {value}");
    }
    let key = "x".repeat(256);
    assert_eq!(under_key(&app, &key, &wanted()).await.complains_about()[0].0, "Idempotency-Key");
    assert_eq!(post(&app, "/tenants", json!({})).await.complains_about().len(), 5);
    app.db().is_still(&before);
}

#[tokio::test]
async fn a_new_tenant_is_counted_like_any_other() {
    let app = TestApp::new();
    post(&app, "/tenants", wanted()).await.is(200);
    let counted = |stats: &Value| stats["data"]["tenants"].clone();
    let at_once = counted(&get(&app, "/stats").await.is(200));
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(counted(&get(&app, "/stats").await.is(200)), at_once);
    assert_ne!(at_once, counted(&get(&TestApp::new(), "/stats").await.is(200)));
}

#[tokio::test]
async fn whoever_asks_for_a_link_within_minutes_gets_no_second_mail() {
    let app = TestApp::new();
    post(&app, "/tenants", wanted()).await.is(200);
    app.outside().finishes_deferred_work().await;
    let ask = || app.post("/auth/magic/start").json(&json!({ "email": "owner@fc-nord.example" })).send();
    ask().await.is(202);
    app.outside().finishes_deferred_work().await;
    assert_eq!(mails(&app), 1);
    app.passes(301);
    ask().await.is(202);
    app.outside().finishes_deferred_work().await;
    assert_eq!(mails(&app), 2);
}
