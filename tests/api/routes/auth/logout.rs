//! `POST /auth/logout`

use serde_json::{Value, json};

use crate::support::{TestApp, Token};

#[tokio::test]
async fn a_token_ends_with_the_sign_in_and_no_other_does() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let elsewhere = Token::tenant(&tenant.id, app.now()).sign();
    let answer = app.post("/auth/logout").token(&tenant.jwt).send().await;
    assert_eq!(answer.is(200), json!({ "success": true }));
    tenant.gets("/whoami").send().await.refuses(403, "FORBIDDEN", "token_revoked");
    app.get("/whoami").token(&elsewhere).send().await.is(200);
    let row = app.db().row("select * from revoked_tokens");
    let claims = Token::read(&tenant.jwt);
    assert_eq!(
        (&row["jti"], &row["tenant_id"], &row["reason"]),
        (&claims["jti"], &json!(tenant.id), &json!("logout"))
    );
    assert!(row["expires_at"].as_i64() >= claims["exp"].as_i64());
    assert_eq!(app.log_of("token_revoked").len(), 1);
}

#[tokio::test]
async fn operators_and_machines_may_log_out_too() {
    let app = TestApp::new();
    for token in [Token::operator(app.now()), Token::service(app.now()).with("jti", "jti-service")] {
        app.post("/auth/logout").token(&token.sign()).send().await.is(200);
        app.get("/whoami").token(&token.sign()).send().await.refuses(403, "FORBIDDEN", "token_revoked");
    }
}

#[tokio::test]
async fn a_token_without_an_id_cannot_be_told_from_others() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let token = Token::tenant(&tenant.id, app.now()).with("jti", Value::Null).sign();
    let before = app.db().contents();
    app.post("/auth/logout").token(&token).send().await.fails(400, "VALIDATION");
    app.db().is_still(&before);
}

/// A token whose id is empty is one without an id: revoking it must not revoke every other such token.
#[tokio::test]
async fn an_empty_id_is_none() {
    let app = TestApp::new();
    let (tenant, other) = (app.signed_up("fc-nord").await, app.signed_up("fc-sued").await);
    let empty = |id: &str| Token::tenant(id, app.now()).with("jti", "").sign();
    app.post("/auth/logout").token(&empty(&tenant.id)).send().await;
    app.get("/whoami").token(&empty(&other.id)).send().await.is(200);
}

/// Whoever made the token wrote that there is no id: to revoke it would revoke all that say so.
#[tokio::test]
async fn an_id_that_tells_no_token_from_others_is_none() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    for jti in ["null", "undefined", "None", " "] {
        let token = Token::tenant(&tenant.id, app.now()).with("jti", jti).sign();
        app.post("/auth/logout").token(&token).send().await.fails(400, "VALIDATION");
        app.get("/whoami").token(&token).send().await.is(200);
    }
    assert_eq!(app.db().number("select count(*) from revoked_tokens"), 0);
}
