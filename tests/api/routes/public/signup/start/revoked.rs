//! A signup that is repeated after tokens of its tenant were revoked: no repeat brings back what a revocation took.

use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, TestTenant, Token, signup};

/// Where nobody asks for a proof, a repeat is answered what the signup was.
fn believing() -> TestApp {
    TestApp::with(&[("EMAIL_PROOF", "off")])
}

async fn repeats(app: &TestApp, key: &str, slug: &str) -> Answer {
    app.post("/public/signup/start").header("idempotency-key", key).json(&signup(slug)).send().await
}

async fn operator_revokes(app: &TestApp, what: Value) {
    // Its own token is among all that are revoked.
    let token = Token::operator(app.now()).sign();
    app.post("/api/v1/admin/tokens/revoke").token(&token).json(&what).send().await.is(200);
}

async fn logs_out(app: &TestApp, token: &str) {
    app.post("/auth/logout").token(token).send().await.is(200);
}

fn jti(token: &str) -> Value {
    Token::read(token)["jti"].clone()
}

/// The token of a link that is mailed to the tenant's owner now.
async fn comes_by_mail(tenant: &TestTenant) -> String {
    let ask = json!({ "email": format!("owner@{}.example", tenant.slug) });
    tenant.post("/auth/magic/start").json(&ask).send().await;
    tenant.outside().finishes_deferred_work().await;
    signs_in(tenant).await
}

/// Opens the last link that was mailed.
async fn signs_in(tenant: &TestTenant) -> String {
    let link = tenant.outside().upstreams().sent_to("resend").pop().unwrap().link();
    let token = link.rsplit_once("#token=").unwrap().1.to_owned();
    let opened = tenant.post("/auth/magic/verify").json(&json!({ "token": token })).send().await.is(200);
    opened["jwt"].as_str().unwrap().to_owned()
}

const WAYS: [&str; 9] = [
    "its token logs out",
    "its token is revoked by its id",
    "the token of a repeat is revoked by its id",
    "the token of a link logs out",
    "the token of a link is revoked by its id",
    "a token that somebody made by hand is revoked by its id",
    "a token that somebody made by hand, and that soon ends, logs out",
    "its tokens are revoked",
    "all tokens are revoked",
];

async fn revokes(tenant: &TestTenant, way: &str) {
    let by_id = |token: &str| json!({ "jti": jti(token), "reason": "lost" });
    let made = Token::tenant(&tenant.id, tenant.now());
    match way {
        "its token logs out" => logs_out(tenant, &tenant.jwt).await,
        "its token is revoked by its id" => operator_revokes(tenant, by_id(&tenant.jwt)).await,
        "the token of a repeat is revoked by its id" => {
            let repeat = repeats(tenant, "key-1", &tenant.slug).await.is(200);
            operator_revokes(tenant, by_id(repeat["jwt"].as_str().unwrap())).await;
        }
        "the token of a link logs out" => logs_out(tenant, &comes_by_mail(tenant).await).await,
        "the token of a link is revoked by its id" => {
            operator_revokes(tenant, by_id(&comes_by_mail(tenant).await)).await;
        }
        "a token that somebody made by hand is revoked by its id" => {
            operator_revokes(tenant, by_id(&made.sign())).await;
        }
        "a token that somebody made by hand, and that soon ends, logs out" => {
            logs_out(tenant, &made.with("exp", tenant.now() + 60).sign()).await;
        }
        "its tokens are revoked" => {
            operator_revokes(tenant, json!({ "tenantId": tenant.id, "reason": "lost" })).await;
        }
        "all tokens are revoked" => operator_revokes(tenant, json!({ "all": true, "reason": "lost" })).await,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn no_repeat_answers_a_token_after_a_revocation() {
    for way in WAYS {
        let app = believing();
        let tenant = app.signed_up_with_key("fc-nord", "key-1").await;
        revokes(&tenant, way).await;
        // At once, and after the sweep forgot what it may forget.
        for wait in [0, 1, 3600] {
            app.passes(wait);
            tenantry::app::sweep::run(&app.app).await;
            let before = app.outside().upstreams().sent_to("resend").len();
            repeats(&app, "key-1", "fc-nord").await.fails(409, "ALREADY_SIGNED_UP");
            app.outside().finishes_deferred_work().await;
            let mailed = app.outside().upstreams().sent_to("resend").len() - before;
            // A link that was mailed within the last minutes is not mailed again.
            assert!(mailed == 1 || (wait < 300 && mailed == 0), "{way}: {mailed} mails after {wait} s");
        }
        app.get("/whoami").token(&signs_in(&tenant).await).send().await.is(200);
        assert_eq!(app.db().number("select count(*) from tenants"), 1);
    }
}

#[tokio::test]
async fn a_cut_off_by_configuration_counts_as_a_revocation() {
    let app = believing();
    app.signed_up_with_key("fc-nord", "key-1").await;
    app.passes(60);
    let cut_off = app.now().to_string();
    let stricter = app.redeployed_with(&[("JWT_NOT_BEFORE", &cut_off)]);
    repeats(&stricter, "key-1", "fc-nord").await.fails(409, "ALREADY_SIGNED_UP");
    let earlier = (app.now() - 60).to_string();
    let as_before = app.redeployed_with(&[("JWT_NOT_BEFORE", &earlier)]);
    assert!(repeats(&as_before, "key-1", "fc-nord").await.is(200)["jwt"].is_string());
}

#[tokio::test]
async fn a_revocation_elsewhere_takes_nothing_from_a_repeat() {
    let app = believing();
    let tenant = app.signed_up_with_key("fc-nord", "key-1").await;
    let other = app.signed_up_with_key("fc-sued", "key-2").await;
    operator_revokes(&app, json!({ "jti": jti(&other.jwt), "reason": "lost" })).await;
    operator_revokes(&app, json!({ "tenantId": other.id, "reason": "lost" })).await;
    logs_out(&app, &comes_by_mail(&other).await).await;
    for token in
        [Token::operator(app.now()).with("jti", "ops-2"), Token::service(app.now()).with("jti", "s-2")]
    {
        logs_out(&app, &token.sign()).await;
    }
    let again = repeats(&app, "key-1", "fc-nord").await.is(200);
    app.get("/whoami").token(again["jwt"].as_str().unwrap()).send().await.is(200);
    assert_eq!(Token::read(again["jwt"].as_str().unwrap())["tenantId"], json!(tenant.id));
    // Whose the lost token was, nobody knows; those who signed up since had none.
    operator_revokes(&app, json!({ "jti": "made-by-hand", "reason": "lost" })).await;
    repeats(&app, "key-1", "fc-nord").await.fails(409, "ALREADY_SIGNED_UP");
    app.passes(1);
    app.signed_up_with_key("fc-west", "key-3").await;
    assert!(repeats(&app, "key-3", "fc-west").await.is(200)["jwt"].is_string());
}

#[tokio::test]
async fn a_repeat_of_a_stopped_tenant_answers_no_token() {
    let app = believing();
    let tenant = app.signed_up_with_key("fc-nord", "key-1").await;
    tenant.becomes("status", "suspended");
    repeats(&app, "key-1", "fc-nord").await.fails(409, "ALREADY_SIGNED_UP");
    app.outside().finishes_deferred_work().await;
    assert!(app.outside().upstreams().sent().is_empty(), "the link would open nothing");
    tenant.becomes("status", "active");
    assert!(repeats(&app, "key-1", "fc-nord").await.is(200)["jwt"].is_string(), "nothing was revoked");
}

#[tokio::test]
async fn a_tenant_that_is_being_removed_is_answered_to_nobody() {
    let app = believing();
    let tenant = app.signed_up_with_key("fc-nord", "key-1").await;
    let token = Token::operator(app.now()).sign();
    let ask = app.ask(Method::DELETE, &format!("/api/v1/admin/tenants/{}", tenant.id));
    ask.token(&token).json(&json!({ "reason": "left" })).send().await.is(202);
    repeats(&app, "key-1", "fc-nord").await.fails(410, "TENANT_CANCELLED");
    app.signs_up(&signup("fc-nord")).await.fails(410, "TENANT_CANCELLED");
    repeats(&app, "key-2", "fc-nord").await.fails(409, "SLUG_TAKEN");
    let form = "clubName=FC+fc-nord&clubSlug=fc-nord&email=owner%40fc-nord.example&plan=starter";
    let ask = app.post("/public/signup/form").header("content-type", "application/x-www-form-urlencoded");
    let page = ask.body(form).send().await;
    assert_eq!((page.status.as_u16(), page.is_page()), (410, true));
    let mut other = signup("fc-nord");
    other["email"] = "other@example.org".into();
    let ask = app.post("/public/signup/start").header("idempotency-key", "key-1");
    ask.json(&other).send().await.fails(422, "IDEMPOTENCY_KEY_REUSED");
    app.outside().finishes_deferred_work().await;
    assert!(app.outside().upstreams().sent_to("resend").is_empty());
    assert_eq!(app.db().number("select count(*) from tenants"), 1);
}

/// A token says no more exactly than to the second when it was issued.
#[tokio::test]
async fn a_second_revocation_within_the_same_second_counts() {
    for what in ["tenant", "all"] {
        let app = believing();
        let tenant = app.signed_up("fc-nord").await;
        let target = match what {
            "tenant" => json!({ "tenantId": tenant.id, "reason": "lost" }),
            _ => json!({ "all": true, "reason": "lost" }),
        };
        // An operator whose own token is not among them.
        let operator = Token::operator(app.now() + 10).sign();
        for round in 0..3 {
            let ask = app.post("/api/v1/admin/tokens/revoke").token(&operator).json(&target);
            ask.send().await.is(200);
            let cut_off = app.db().number(
                "select max(t.tokens_valid_after, coalesce((select value from feature_flags), 0)) from tenants t",
            );
            assert_eq!(cut_off, app.now() + 1 + round, "{what}");
            let issued = Token::tenant(&tenant.id, cut_off).sign();
            app.get("/whoami").token(&issued).send().await.is(200);
        }
        for issued in 0..3 {
            let token = Token::tenant(&tenant.id, app.now() + issued).sign();
            app.get("/whoami").token(&token).send().await.refuses(403, "FORBIDDEN", "token_revoked");
        }
    }
}

/// Whoever signs up after everybody's tokens were revoked, in the same second, too, has a token that was not.
#[tokio::test]
async fn a_signup_right_behind_a_revocation_of_all_is_repeated_with_a_token_until_the_next() {
    for next in ["tenant", "all"] {
        let app = believing();
        operator_revokes(&app, json!({ "all": true, "reason": "lost" })).await;
        app.signed_up_with_key("fc-nord", "key-1").await;
        for wait in [0, 1, 60] {
            app.passes(wait);
            let again = repeats(&app, "key-1", "fc-nord").await.is(200);
            app.get("/whoami").token(again["jwt"].as_str().unwrap()).send().await.is(200);
        }
        let app = believing();
        operator_revokes(&app, json!({ "all": true, "reason": "lost" })).await;
        let tenant = app.signed_up_with_key("fc-nord", "key-1").await;
        let target = match next {
            "tenant" => json!({ "tenantId": tenant.id, "reason": "lost" }),
            _ => json!({ "all": true, "reason": "lost" }),
        };
        let operator = Token::operator(app.now() + 10).sign();
        app.post("/api/v1/admin/tokens/revoke").token(&operator).json(&target).send().await.is(200);
        repeats(&app, "key-1", "fc-nord").await.fails(409, "ALREADY_SIGNED_UP");
    }
}
