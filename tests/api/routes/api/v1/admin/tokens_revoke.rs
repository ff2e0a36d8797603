//! `POST /api/v1/admin/tokens/revoke`

use serde_json::{Value, json};

use crate::support::{Answer, TestApp, Token};

async fn revoke(app: &TestApp, body: Value) -> Answer {
    let token = Token::operator(app.now()).sign();
    app.post("/api/v1/admin/tokens/revoke").token(&token).json(&body).send().await
}

#[tokio::test]
async fn one_token_is_revoked_and_no_other() {
    let app = TestApp::new();
    let (tenant, other) = (app.signed_up("fc-nord").await, app.signed_up("fc-sued").await);
    let claims = Token::read(&tenant.jwt);
    let body = json!({ "jti": claims["jti"], "exp": claims["exp"], "reason": "lost phone" });
    let answer = revoke(&app, body).await.is(200);
    assert_eq!(answer, json!({ "success": true, "data": { "scope": "token" } }));
    tenant.gets("/whoami").send().await.refuses(403, "FORBIDDEN", "token_revoked");
    other.gets("/whoami").send().await.is(200);
    let fresh = Token::tenant(&tenant.id, app.now()).sign();
    app.get("/whoami").token(&fresh).send().await.is(200);
    let line = app.log_of("token_revoked").pop().unwrap();
    assert_eq!((&line.fields["scope"], &line.fields["level"]), (&json!("token"), &json!("warn")));
}

#[tokio::test]
async fn a_tenants_tokens_are_revoked_and_those_issued_later_work() {
    let app = TestApp::new();
    let (tenant, other) = (app.signed_up("fc-nord").await, app.signed_up("fc-sued").await);
    revoke(&app, json!({ "tenantId": tenant.id, "reason": "left the board" })).await.is(200);
    tenant.gets("/whoami").send().await.refuses(403, "FORBIDDEN", "token_revoked");
    tenant.connects_make().await.refuses(403, "FORBIDDEN", "token_revoked");
    other.gets("/whoami").send().await.is(200);
    app.passes(1);
    let fresh = Token::tenant(&tenant.id, app.now()).sign();
    app.get("/whoami").token(&fresh).send().await.is(200);
}

#[tokio::test]
async fn a_tenants_tokens_without_an_id_or_a_beginning_are_revoked_with_it() {
    let app = TestApp::new();
    let tenant = app.signed_up_unasked("fc-nord").await;
    let (own, nothing) = (Token::tenant(&tenant.id, app.now()), Value::Null);
    let tokens =
        [own.clone().with("jti", nothing.clone()), own.with("iat", nothing).with("exp", app.now() + 60)];
    for token in &tokens {
        app.get("/whoami").token(&token.sign()).send().await.is(200);
    }
    revoke(&app, json!({ "tenantId": tenant.id, "reason": "left the board" })).await.is(200);
    for token in &tokens {
        app.get("/whoami").token(&token.sign()).send().await.refuses(403, "FORBIDDEN", "token_revoked");
    }
}

#[tokio::test]
async fn a_link_asked_for_after_a_revocation_leads_back_in() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    revoke(&app, json!({ "tenantId": tenant.id, "reason": "left the board" })).await.is(200);
    let email = json!({ "email": "owner@fc-nord.example" });
    app.post("/auth/magic/start").json(&email).send().await;
    app.outside().finishes_deferred_work().await;
    let link = app.outside().upstreams().sent_to("resend").pop().unwrap().link();
    let token = link.rsplit_once("#token=").unwrap().1;
    let opened = app.post("/auth/magic/verify").json(&json!({ "token": token })).send().await.is(200);
    app.get("/whoami").token(opened["jwt"].as_str().unwrap()).send().await.is(200);
}

#[tokio::test]
async fn everybodys_tokens_are_revoked_the_operators_own_included() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    revoke(&app, json!({ "all": true, "reason": "leak" })).await.is(200);
    tenant.gets("/whoami").send().await.refuses(403, "FORBIDDEN", "token_revoked");
    let operator = Token::operator(app.now());
    app.get("/whoami").token(&operator.sign()).send().await.refuses(403, "FORBIDDEN", "token_revoked");
    app.passes(1);
    app.get("/whoami").token(&Token::operator(app.now()).sign()).send().await.is(200);
}

#[tokio::test]
async fn a_signup_right_after_everybody_was_cut_off_works() {
    let app = TestApp::new();
    revoke(&app, json!({ "all": true, "reason": "leak" })).await.is(200);
    let tenant = app.signed_up("fc-nord").await;
    tenant.gets("/whoami").send().await.is(200);
}

#[tokio::test]
async fn it_is_written_down_who_did_it_and_why() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let answer = revoke(&app, json!({ "tenantId": tenant.id, "reason": "  left the board " })).await;
    let row = app.db().row("select * from audit_log");
    assert!(row["id"].as_str().unwrap().starts_with("aud_"));
    assert_eq!(
        (&row["actor"], &row["action"], &row["subject"]),
        (&json!("ops"), &json!("tokens.revoke"), &json!(tenant.id))
    );
    assert_eq!((&row["reason"], &row["occurred_at"]), (&json!("left the board"), &json!(app.now())));
    assert_eq!(row["request_id"], answer.header("x-request-id"));
}

#[tokio::test]
async fn nothing_is_written_down_that_was_not_done() {
    let app = TestApp::new();
    let before = app.db().contents();
    let answer = revoke(&app, json!({ "tenantId": "tenant_never", "reason": "typo" })).await;
    answer.fails(404, "TENANT_NOT_FOUND");
    app.db().is_still(&before);
}

#[tokio::test]
async fn one_thing_is_revoked_at_a_time_and_for_a_reason() {
    let app = TestApp::new();
    let one = |field: &str, code: &str| vec![(field.to_owned(), code.to_owned())];
    for (body, complaints) in [
        (json!({ "jti": "a" }), one("reason", "required")),
        (json!({ "jti": "a", "reason": "  " }), one("reason", "required")),
        (json!({ "jti": "a", "reason": "x".repeat(501) }), one("reason", "too_long")),
        (json!({ "reason": "lost" }), one("jti", "ambiguous")),
        (json!({ "jti": "a", "tenantId": "tenant_1", "reason": "lost" }), one("jti", "ambiguous")),
        (json!({ "jti": "a", "all": true, "reason": "lost" }), one("jti", "ambiguous")),
        (json!({ "all": false, "reason": "lost" }), one("jti", "ambiguous")),
        (json!({ "all": "true", "reason": "lost" }), one("all", "invalid_type")),
        (json!({ "jti": "x".repeat(201), "reason": "lost" }), one("jti", "ambiguous")),
        (json!({ "jti": "a", "exp": "soon", "reason": "lost" }), one("exp", "invalid_type")),
        (json!({ "tenantId": "fc-nord", "reason": "lost" }), one("tenantId", "invalid_id")),
    ] {
        assert_eq!(revoke(&app, body.clone()).await.complains_about(), complaints, "{body}");
    }
    assert_eq!(app.db().number("select count(*) from revoked_tokens"), 0);
}

#[tokio::test]
async fn an_id_that_is_no_text_revokes_nothing_else_instead() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let before = app.db().contents();
    let answer = revoke(&app, json!({ "jti": 7, "tenantId": tenant.id, "reason": "lost" })).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    app.db().is_still(&before);
}

/// What a script says where it found nothing is no token's id: revoking it would be told as done, and nothing was.
#[tokio::test]
async fn what_is_no_id_is_refused_and_not_told_as_revoked() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    for nothing in [
        "null",
        "Null",
        "undefined",
        "None",
        "nil",
        "NaN",
        "true",
        "false",
        "{}",
        "[object Object]",
        " ",
        "-",
        "\"null\"",
        "null\n",
        "$JTI",
        "<jti>",
        "…",
        "a b",
        &tenant.jwt,
    ] {
        let answer = revoke(&app, json!({ "jti": nothing, "reason": "lost" })).await;
        assert_eq!(answer.complains_about(), [("jti".to_owned(), "invalid_jti".to_owned())], "{nothing:?}");
    }
    for nothing in [json!(null), json!("")] {
        revoke(&app, json!({ "jti": nothing, "reason": "lost" })).await.complains_about();
    }
    assert_eq!(app.db().number("select count(*) from revoked_tokens"), 0);
    assert_eq!(app.db().number("select count(*) from audit_log"), 0);
}

/// Rows that a looser rule let in stay in force.
#[tokio::test]
async fn an_id_that_was_revoked_under_a_looser_rule_stays_revoked() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    for jti in ["null", "a b", "\u{e9}"] {
        app.db().execute("insert into revoked_tokens values (?1, null, '', 0, 9000000000)", [jti]);
        let token = Token::tenant(&tenant.id, app.now()).with("jti", jti).sign();
        app.get("/whoami").token(&token).send().await.refuses(403, "FORBIDDEN", "token_revoked");
    }
}

#[tokio::test]
async fn the_id_of_a_tenants_token_says_whose_it_is() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let jti = Token::read(&tenant.jwt)["jti"].clone();
    assert!(jti.as_str().unwrap().starts_with(&format!("{}.", tenant.id)), "{jti}");
    revoke(&app, json!({ "jti": jti, "reason": "lost" })).await.is(200);
    assert_eq!(app.db().row("select tenant_id from revoked_tokens")["tenant_id"], tenant.id.as_str());
}

/// An end that was typed wrong must not end the revocation before the token.
#[tokio::test]
async fn a_revocation_outlives_every_token_whatever_end_was_told() {
    let app = TestApp::new();
    let end = || app.db().number("select expires_at from revoked_tokens");
    let longest = app.now() + 365 * 24 * 3600;
    for exp in [json!(null), json!(0), json!(-5), json!(app.now() + 10), json!(i64::MAX)] {
        revoke(&app, json!({ "jti": "a", "exp": exp, "reason": "lost" })).await.is(200);
        assert!(end() > longest, "{exp}");
    }
    assert!(end() >= 1 << 52, "and the later end counts");
}
