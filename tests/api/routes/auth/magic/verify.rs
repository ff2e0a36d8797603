//! `POST /auth/magic/verify`

use futures_util::future::join_all;
use serde_json::json;
use tenantry::ports::Limit;

use crate::support::{Answer, Breaks, TestApp, TestTenant, Token, keys};

/// A link as it was mailed to the tenant's owner.
async fn link(tenant: &TestTenant) -> String {
    let email = tenant.row()["email"].clone();
    tenant.post("/auth/magic/start").json(&json!({ "email": email })).send().await;
    tenant.outside().finishes_deferred_work().await;
    let mails = tenant.outside().upstreams().sent_to("resend");
    let mail = mails.iter().rfind(|mail| mail.json()["text"].as_str().unwrap().contains("#token=")).unwrap();
    mail.link().rsplit_once("#token=").unwrap().1.to_owned()
}

async fn open(app: &TestApp, token: &str) -> Answer {
    app.post("/auth/magic/verify").json(&json!({ "token": token })).send().await
}

fn is_no_link(answer: &Answer) {
    let error = answer.fails(401, "INVALID_TOKEN");
    assert_eq!(error["message"], "This link has been used or has expired. Ask for a new one.");
    assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"tenantry\", error=\"invalid_token\"");
}

#[tokio::test]
async fn a_link_is_exchanged_for_a_week_as_the_tenants_admin() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let token = link(&tenant).await;
    app.passes(3600);
    let body = open(&app, &token).await.is(200);
    assert_eq!(keys(&body), ["jwt", "success", "tenant", "tenantId"]);
    let expected = json!({
        "id": tenant.id, "slug": "fc-nord", "name": "FC fc-nord", "email": "owner@fc-nord.example", "plan": "starter",
        "comped": false, "trialEndsAt": tenant.row()["trial_ends_at"],
    });
    assert_eq!(body["tenant"], expected);
    assert_eq!(body["tenantId"], tenant.id.as_str());
    let claims = Token::read(body["jwt"].as_str().unwrap());
    assert_eq!(
        (&claims["aud"], &claims["roles"]),
        (&json!("syston-mobile"), &json!(["tenant_admin", "owner"]))
    );
    assert_eq!((&claims["tenantId"], &claims["exp"]), (&json!(tenant.id), &json!(app.now() + 7 * 24 * 3600)));
    assert_eq!(claims["sub"], Token::read(&tenant.jwt)["sub"], "the same person as at signup");
    app.get("/whoami").token(body["jwt"].as_str().unwrap()).send().await.is(200);
}

#[tokio::test]
async fn a_link_works_once() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let token = link(&tenant).await;
    open(&app, &token).await.is(200);
    is_no_link(&open(&app, &token).await);
}

#[tokio::test]
async fn of_twenty_who_open_a_link_at_once_one_gets_in() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let token = link(&tenant).await;
    let answers = join_all((0..20).map(|_| open(&app, &token))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 401).count(), 19);
}

#[tokio::test]
async fn a_link_lives_a_day() {
    for (age, lives) in [(24 * 3600 - 1, true), (24 * 3600, false)] {
        let app = TestApp::new();
        let tenant = app.signed_up("fc-nord").await;
        let token = link(&tenant).await;
        app.passes(age);
        let answer = open(&app, &token).await;
        if lives {
            answer.is(200);
        } else {
            is_no_link(&answer);
        }
    }
}

#[tokio::test]
async fn a_second_link_does_not_spend_the_first() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let first = link(&tenant).await;
    app.passes(300);
    let second = link(&tenant).await;
    open(&app, &second).await.is(200);
    open(&app, &first).await.is(200);
}

#[tokio::test]
async fn only_a_link_is_a_link() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    link(&tenant).await;
    let now = app.now();
    for token in [
        tenant.jwt.clone(),
        Token::operator(now).sign(),
        Token::service(now).sign(),
        Token::link(&tenant.id, now).sign(),
        Token::link(&tenant.id, now).under("another-secret-of-more-than-32-bytes").sign(),
        Token::link(&tenant.id, now).with("jti", serde_json::Value::Null).sign(),
        Token::link(&tenant.id, now).with("tenantId", serde_json::Value::Null).sign(),
        "nonsense".to_owned(),
        "x".repeat(9000),
    ] {
        is_no_link(&open(&app, &token).await);
    }
    assert_eq!(app.db().number("select count(*) from magic_links where consumed_at is not null"), 0);
}

#[tokio::test]
async fn a_link_gives_the_owners_rights_whatever_it_claims() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let jti = Token::read(&link(&tenant).await)["jti"].clone();
    let claimed = Token::link(&tenant.id, app.now()).with("jti", jti).with("role", "admin");
    let body = open(&app, &claimed.with("roles", json!(["admin", "service"])).sign()).await.is(200);
    let claims = Token::read(body["jwt"].as_str().unwrap());
    assert_eq!(claims["roles"], json!(["tenant_admin", "owner"]));
    assert_eq!(claims["aud"], "syston-mobile");
}

#[tokio::test]
async fn an_id_that_was_mailed_opens_nothing_in_a_token_of_another_kind_time_or_tenant() {
    let app = TestApp::new();
    let (tenant, other) = (app.signed_up("fc-nord").await, app.signed_up("fc-sued").await);
    let (token, now) = (link(&tenant).await, app.now());
    let own = Token::link(&tenant.id, now).with("jti", Token::read(&token)["jti"].clone());
    for wrong in [
        own.clone().with("aud", "syston-mobile"),
        own.clone().with("iat", now - 90_000).with("exp", now - 3600),
        own.clone().with("exp", now + 25 * 3600),
        own.clone().with("iat", serde_json::Value::Null),
    ] {
        is_no_link(&open(&app, &wrong.sign()).await);
    }
    open(&app, &token).await.is(200);
    let foreign = Token::read(&link(&other).await)["jti"].clone();
    is_no_link(&open(&app, &own.with("jti", foreign).sign()).await);
}

#[tokio::test]
async fn a_link_of_a_tenant_that_was_stopped_or_cut_off_opens_nothing() {
    for (column, value) in
        [("status", "'suspended'"), ("status", "'cancelled'"), ("tokens_valid_after", "9000000000")]
    {
        let app = TestApp::new();
        let tenant = app.signed_up("fc-nord").await;
        let token = link(&tenant).await;
        app.db().execute(&format!("update tenants set {column} = {value}"), ());
        is_no_link(&open(&app, &token).await);
        assert_eq!(app.db().number("select count(*) from magic_links where consumed_at is not null"), 0);
    }
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let token = link(&tenant).await;
    app.db().execute("insert into feature_flags values ('tokens_valid_after', 1, 9000000000, 0)", ());
    is_no_link(&open(&app, &token).await);
}

#[tokio::test]
async fn a_link_is_not_spent_by_a_store_that_did_nothing() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let token = link(&tenant).await;
    app.db().breaks(0, Breaks::Before);
    open(&app, &token).await.fails(503, "STORE_UNAVAILABLE");
    open(&app, &token).await.is(200);
}

#[tokio::test]
async fn a_link_is_a_field_of_text() {
    let app = TestApp::new();
    for (body, code) in [
        (json!({}), "required"),
        (json!({ "token": "" }), "required"),
        (json!({ "token": 7 }), "invalid_type"),
    ] {
        let answer = app.post("/auth/magic/verify").json(&body).send().await;
        assert_eq!(answer.complains_about(), [("token".to_owned(), code.to_owned())]);
    }
}

#[tokio::test]
async fn guessing_is_put_off() {
    let app = TestApp::new();
    app.outside().limits(Limit::Lookup, 1);
    is_no_link(&open(&app, "nonsense").await);
    open(&app, "nonsense").await.fails(429, "RATE_LIMITED");
}

#[tokio::test]
async fn the_link_in_the_welcome_mail_opens_the_tenant() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    app.outside().finishes_deferred_work().await;
    let link = app.outside().upstreams().sent_to("resend").pop().unwrap().link();
    let token = link.rsplit_once("#token=").unwrap().1;
    assert_eq!(open(&app, token).await.is(200)["tenantId"], tenant.id.as_str());
    is_no_link(&open(&app, token).await);
}

#[tokio::test]
async fn a_link_that_was_revoked_by_its_id_opens_nothing() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let token = link(&tenant).await;
    let body = json!({ "jti": Token::read(&token)["jti"], "reason": "the mailbox is somebody else's" });
    let operator = Token::operator(app.now()).sign();
    app.post("/api/v1/admin/tokens/revoke").token(&operator).json(&body).send().await.is(200);
    is_no_link(&open(&app, &token).await);
}
