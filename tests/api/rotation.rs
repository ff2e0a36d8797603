//! A secret that a rotation replaced: it admits tenants with the tokens that they hold, and nobody else.

use base64::Engine;
use serde_json::Value;

use crate::support::{SECRETS, TestApp, Token, signup};

const NEW: &str = "the-new-secret-of-more-than-32-bytes";
const YEAR: i64 = 365 * 24 * 3600;

fn rotated(app: &TestApp, rotated_at: &str) -> TestApp {
    app.redeployed_with(&[
        ("JWT_SECRET", NEW),
        ("JWT_SECRET_PREVIOUS", SECRETS[0]),
        ("JWT_ROTATED_AT", rotated_at),
    ])
}

async fn opens(app: &TestApp, token: &Token) -> bool {
    let answer = app.get("/whoami").token(&token.sign()).send().await;
    if answer.status != 200 {
        answer.fails(401, "INVALID_TOKEN");
    }
    answer.status == 200
}

#[tokio::test]
async fn a_previous_secret_admits_tenants_with_tokens_from_before_the_rotation_only() {
    let app = TestApp::new();
    let tenant = app.signed_up_unasked("fc-nord").await;
    let now = app.now();
    let after = rotated(&app, &now.to_string());
    let tenant = |iat: i64| Token::tenant(&tenant.id, iat).with("exp", iat + YEAR);
    assert!(opens(&after, &tenant(now - 1)).await, "a tenant's, from before");
    assert!(
        opens(&after, &tenant(now - 1).with_header("kid", "no-key-of-ours")).await,
        "whatever key it names"
    );
    for (what, token) in [
        ("issued in that second", tenant(now)),
        ("issued later", tenant(now + 60)),
        ("not saying when", tenant(now - 1).with("iat", Value::Null)),
        ("outliving what was issued before", tenant(now - 1).with("exp", now + YEAR + 1)),
        ("an operator's", Token::operator(now - 1)),
        ("a machine's", Token::service(now - 1)),
        ("for nobody we know", tenant(now - 1).with("aud", "someone-else")),
    ] {
        assert!(!opens(&after, &token).await, "{what}");
        let by_the_new_one = after.get("/whoami").token(&token.under(NEW).sign()).send().await;
        let expected = if what == "for nobody we know" { 403 } else { 200 };
        assert_eq!(by_the_new_one.status, expected, "{what}: {}", by_the_new_one.text);
    }
}

/// Nothing was issued before a moment that nobody names.
#[tokio::test]
async fn without_its_moment_a_previous_secret_admits_nobody_and_the_service_is_not_ready() {
    let app = TestApp::new();
    let tenant = app.signed_up_unasked("fc-nord").await;
    let token = Token::tenant(&tenant.id, app.now() - 60);
    for (rotated_at, problem) in [
        ("", "JWT_ROTATED_AT is missing"),
        ("soon", "JWT_ROTATED_AT must be Unix seconds"),
        ("1800000000000", "JWT_ROTATED_AT must be Unix seconds"),
        ("-1", "JWT_ROTATED_AT must be Unix seconds"),
    ] {
        let after = rotated(&app, rotated_at);
        assert!(!opens(&after, &token).await, "{rotated_at:?}");
        for path in ["/health/ready", "/health/startup"] {
            let answer = after.get(path).send().await.is(503);
            assert_eq!(answer["checks"]["configuration"]["problem"], problem, "{path} {rotated_at:?}");
        }
    }
}

/// The service before this one decoded its secret, and its tokens say little: neither who, nor which key, nor an id.
#[tokio::test]
async fn tokens_of_a_service_that_decoded_its_secret_live_for_their_year() {
    let app = TestApp::new();
    let tenant = app.signed_up_unasked("fc-nord").await;
    let now = app.now();
    // What `SECRETS[0]` is as base64: the tokens below are signed by the bytes.
    let decoded = format!("base64:{}", base64::engine::general_purpose::STANDARD.encode(SECRETS[0]));
    let moved = app.redeployed_with(&[
        ("JWT_SECRET", NEW),
        ("JWT_SECRET_PREVIOUS", &decoded),
        ("JWT_ROTATED_AT", &now.to_string()),
    ]);
    let older = |iat: i64| {
        Token::tenant(&tenant.id, iat)
            .with("exp", iat + YEAR)
            .with("sub", Value::Null)
            .with("jti", Value::Null)
            .with("tenantId", Value::Null)
            .with("tenant_id", tenant.id.as_str())
    };
    let token = older(now - 1);
    assert!(opens(&moved, &token).await);
    moved.get("/api/v1/tenants/me").token(&token.sign()).send().await.is(200);
    assert!(!opens(&moved, &older(now)).await, "it mints nothing new");
    assert!(!opens(&moved, &Token::operator(now - 1)).await, "tenants only");
    app.passes(u64::try_from(YEAR).unwrap() - 60);
    assert!(opens(&moved, &token).await, "for its whole year");
    app.passes(600);
    assert!(!opens(&moved, &token).await, "and no longer");
}

#[tokio::test]
async fn a_secret_that_is_to_be_decoded_and_cannot_be_is_named() {
    let app = TestApp::new();
    for (secret, problem) in [
        ("base64:what is this?!", "is not base64 behind base64:"),
        ("Base64:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "is not base64 behind base64:"),
        ("base64:c2hvcnQ=", "is shorter than 32 bytes"),
    ] {
        for name in ["JWT_SECRET", "JWT_SECRET_NEXT", "JWT_SECRET_PREVIOUS"] {
            let after = app.redeployed_with(&[("JWT_ROTATED_AT", "1800000000"), (name, secret)]);
            let answer = after.get("/health/ready").send().await.is(503);
            let told = answer["checks"]["configuration"]["problem"].as_str().unwrap();
            assert_eq!(told, format!("{name} {problem}"), "{secret}");
            assert!(!told.contains(secret));
        }
    }
}

#[tokio::test]
async fn a_decoded_secret_signs_what_the_same_bytes_verify() {
    let decoded = format!("base64:{}", base64::engine::general_purpose::STANDARD.encode(NEW));
    let app = TestApp::with(&[("JWT_SECRET", &decoded)]);
    let tenant = app.signed_up("fc-nord").await;
    let as_text = app.redeployed_with(&[("JWT_SECRET", NEW)]);
    as_text.get("/whoami").token(&tenant.jwt).send().await.is(200);
    assert!(opens(&app, &Token::tenant(&tenant.id, app.now()).under(NEW)).await);
}

#[tokio::test]
async fn links_that_are_on_their_way_survive_a_rotation() {
    let app = TestApp::new();
    let tenant = app.signed_up_unasked("fc-nord").await;
    app.signs_up(&signup("fc-nord")).await.fails(409, "ALREADY_SIGNED_UP");
    app.outside().finishes_deferred_work().await;
    let link = app.outside().upstreams().sent_to("resend").pop().unwrap().link();
    let token = link.rsplit_once("#token=").unwrap().1.to_owned();
    app.passes(1);
    let after = rotated(&app, &app.now().to_string());
    let opened = after.post("/auth/magic/verify").json(&serde_json::json!({ "token": token })).send().await;
    assert_eq!(opened.is(200)["tenantId"], tenant.id.as_str());
    let stale = rotated(&app, &(app.now() - 1).to_string());
    stale
        .post("/auth/magic/verify")
        .json(&serde_json::json!({ "token": token }))
        .send()
        .await
        .fails(401, "INVALID_TOKEN");
}

/// The runbook rotates every quarter, and a tenant's token lives for a year.
#[tokio::test]
async fn a_year_of_quarterly_rotations_signs_no_tenant_out() {
    const QUARTER: u64 = 91 * 24 * 3600;
    let secrets: Vec<String> =
        (0..6).map(|n| format!("the secret of quarter {n}, as long as one has to be")).collect();
    let app = TestApp::new();
    let mut variables: Vec<(String, String)> = Vec::new();
    let mut tokens = Vec::new();
    for (n, secret) in secrets.iter().enumerate() {
        let changes: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (&**name, &**value)).collect();
        let deployment = app.redeployed_with(&[&changes[..], &[("JWT_SECRET", secret)]].concat());
        let tenant = deployment.signed_up(&format!("fc-{n}")).await;
        tokens.push((app.now() + YEAR, tenant.jwt.clone()));
        for (ends, token) in &tokens {
            let answer = deployment.get("/whoami").token(token).send().await;
            let expected = if app.now() < ends + 300 { 200 } else { 401 };
            assert_eq!(answer.status, expected, "in quarter {n}: {}", answer.text);
        }
        assert_eq!(
            deployment.get("/health/startup").send().await.json()["checks"]["configuration"]["ok"],
            true
        );
        let behind = if n == 0 { String::new() } else { format!("_{}", n + 1) };
        app.passes(QUARTER);
        variables.push((format!("JWT_SECRET_PREVIOUS{behind}"), secret.clone()));
        variables.push((format!("JWT_ROTATED_AT{behind}"), app.now().to_string()));
    }
    assert_eq!(tokens.len(), 6);
}

/// Each secret is good for what was signed before its own end, not before the last.
#[tokio::test]
async fn an_older_secret_mints_nothing_of_a_later_quarter() {
    const OLDEST: &str = "the oldest secret of more than 32 bytes";
    let app = TestApp::new();
    let tenant = app.signed_up_unasked("fc-nord").await;
    let now = app.now();
    let after = app.redeployed_with(&[
        ("JWT_SECRET", NEW),
        ("JWT_SECRET_PREVIOUS", OLDEST),
        ("JWT_ROTATED_AT", &(now - 1000).to_string()),
        ("JWT_SECRET_PREVIOUS_2", SECRETS[0]),
        ("JWT_ROTATED_AT_2", &now.to_string()),
    ]);
    let at = |iat: i64| Token::tenant(&tenant.id, iat);
    assert!(opens(&after, &at(now - 1001).under(OLDEST)).await);
    assert!(!opens(&after, &at(now - 500).under(OLDEST)).await);
    assert!(opens(&after, &at(now - 500)).await);
}
