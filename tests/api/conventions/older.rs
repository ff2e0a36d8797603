//! Clients that were written for the service before this one, and are right or do no harm.

use serde_json::json;

use crate::support::{TestApp, Token, signup};

#[tokio::test]
async fn blanks_around_a_token_are_none_of_it() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    for [before, after] in [["Bearer ", ""], ["bearer   ", ""], ["Bearer\t", " "], ["  BEARER  ", "  "]] {
        let header = format!("{before}{}{after}", tenant.jwt);
        app.get("/whoami").header("authorization", &header).send().await.is(200);
    }
    for header in ["Bearer", "Bearer ", "Bearer   ", "Token x", &format!("Bearer{}", tenant.jwt), &tenant.jwt]
    {
        app.get("/whoami").header("authorization", header).send().await.fails(401, "INVALID_TOKEN");
    }
    let monitored = TestApp::with(&[("METRICS_TOKEN", "a-token-of-monitoring")]);
    let ask = monitored.get("/metrics").header("authorization", "Bearer  a-token-of-monitoring ");
    assert_eq!(ask.send().await.status, 200);
}

#[tokio::test]
async fn a_token_may_name_several_audiences_and_have_fractions_of_seconds() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    app.passes(1);
    #[expect(clippy::cast_precision_loss, reason = "seconds of this century are exact")]
    let now = app.now() as f64;
    let token = Token::tenant(&tenant.id, app.now())
        .with("aud", json!(["https://elsewhere.example", "syston-mobile"]))
        .with("iat", now - 0.25)
        .with("exp", now + 600.75);
    let seen = app.get("/whoami").token(&token.sign()).send().await.is(200);
    assert_eq!(seen["data"]["aud"], "https://elsewhere.example syston-mobile");
    tenant
        .get(&format!("/api/v1/tenants/{}/provision-status", tenant.id))
        .token(&token.sign())
        .send()
        .await
        .is(200);
    let both = Token::tenant(&tenant.id, app.now()).with("aud", json!(["syston-mobile", "syston-admin"]));
    let refused = app.get("/whoami").token(&both.sign()).send().await;
    refused.refuses(403, "FORBIDDEN", "unexpected \"aud\" claim value");
}

/// A revocation counts for tokens of the second that it happened in, fractions or not.
#[tokio::test]
async fn a_fraction_does_not_outlive_a_revocation() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    #[expect(clippy::cast_precision_loss, reason = "seconds of this century are exact")]
    let token =
        Token::tenant(&tenant.id, app.now()).with("iat", app.now() as f64 + 0.9).with("jti", "other").sign();
    app.get("/whoami").token(&token).send().await.is(200);
    let operator = Token::operator(app.now()).sign();
    let body = json!({ "tenantId": tenant.id, "reason": "lost" });
    app.post("/api/v1/admin/tokens/revoke").token(&operator).json(&body).send().await.is(200);
    app.get("/whoami").token(&token).send().await.refuses(403, "FORBIDDEN", "token_revoked");
}

#[tokio::test]
async fn a_list_is_not_asked_for_by_offset() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    let operator = Token::operator(app.now()).sign();
    let lists = [
        "/api/v1/admin/tenants".to_owned(),
        "/api/v1/admin/promo-codes".to_owned(),
        "/api/v1/admin/audit".to_owned(),
        "/api/v1/bgops/sagas".to_owned(),
        "/api/v1/bgops/idempotency".to_owned(),
        format!("/api/v1/tenants/{}/events", tenant.id),
        format!("/api/v1/tenants/{}/webhook/deliveries", tenant.id),
    ];
    for list in lists {
        for (query, name) in [("limit=50&offset=50", "offset"), ("offset=0", "offset"), ("page=2", "page")] {
            let answer = app.get(&format!("{list}?{query}")).token(&operator).send().await;
            let told = answer.complains_about();
            assert_eq!(told, [(name.to_owned(), "unknown_parameter".to_owned())], "{list}?{query}");
        }
        app.get(&format!("{list}?limit=50&offset=")).token(&operator).send().await.is(200);
    }
}

#[tokio::test]
async fn a_message_says_what_is_wrong_with_the_first_field() {
    let app = TestApp::new();
    let mut form = signup("fc-nord");
    form["email"] = "nobody".into();
    form["plan"] = "gold".into();
    let error = app.signs_up(&form).await.fails(400, "VALIDATION");
    let first = &error["issues"][0];
    let expected = format!("Please check email: {}", first["message"].as_str().unwrap());
    assert_eq!(error["message"], expected);
    let error = app.signs_up(&json!({})).await.fails(400, "VALIDATION");
    assert_eq!(error["message"], "Please check clubName: This is required.");
}

#[tokio::test]
async fn who_was_let_in_or_not_is_logged_with_the_route() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let path = format!("/api/v1/tenants/{}/webhook/test", tenant.id);
    app.post(&path).send().await.fails(401, "UNAUTHORIZED");
    app.get("/api/v1/admin/stats").token(&Token::operator(app.now()).sign()).send().await.is(200);
    let (deny, grant) = (app.log_of("authz_deny").pop().unwrap(), app.log_of("authz_grant").pop().unwrap());
    let place =
        |line: &tenantry::ports::LogLine| (line.fields["route"].clone(), line.fields["method"].clone());
    assert_eq!(place(&deny), (json!("/api/v1/tenants/{id}/webhook/test"), json!("POST")));
    assert_eq!(place(&grant), (json!("/api/v1/admin/stats"), json!("GET")));
}

#[tokio::test]
async fn a_form_of_another_site_is_no_matter_of_tokens() {
    let app = TestApp::new();
    let ask = app.post("/public/signup/form").header("sec-fetch-site", "cross-site");
    let refused = ask.header("content-type", "application/x-www-form-urlencoded").body("").send().await;
    assert_eq!((refused.status.as_u16(), refused.header("www-authenticate")), (403, ""));
}
