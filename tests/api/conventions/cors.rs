//! Cross-origin access.

use http::Method;
use tenantry::http::router::ROUTES;

use crate::support::{Answer, TestApp, signup};

const LISTED: &str = "https://app.example.com";

fn is_open_to(answer: &Answer, origin: &str) {
    assert_eq!(answer.header("access-control-allow-origin"), origin);
    assert_eq!(answer.header("access-control-expose-headers"), "X-Request-Id, Retry-After, ETag");
    let is_exact = origin == LISTED;
    assert_eq!(answer.header("access-control-allow-credentials"), if is_exact { "true" } else { "" });
}

fn is_closed(answer: &Answer) {
    let opened: Vec<_> =
        answer.headers.keys().filter(|name| name.as_str().starts_with("access-control-")).collect();
    assert_eq!(opened, [""; 0], "no header for a stranger");
}

#[tokio::test]
async fn an_origin_on_the_list_may_read() {
    let app = TestApp::new();
    for origin in [LISTED, "https://a.clubs.example", "https://a.b.clubs.example"] {
        is_open_to(&app.get("/health").header("origin", origin).send().await, origin);
    }
}

#[tokio::test]
async fn an_origin_that_is_not_may_not() {
    let app = TestApp::new();
    for origin in [
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.example",
        "https://evilapp.example.com",
        "https://clubs.example",
        "https://evilclubs.example",
        "http://a.clubs.example",
        "https://a.clubs.example.evil.example",
        "null",
        "*",
    ] {
        is_closed(&app.get("/health").header("origin", origin).send().await);
    }
    is_closed(&app.get("/health").send().await);
}

#[tokio::test]
async fn an_empty_list_opens_nothing() {
    let app = TestApp::with(&[("CORS_ALLOWED", "")]);
    for origin in [LISTED, "null", ""] {
        is_closed(&app.get("/health").header("origin", origin).send().await);
    }
}

/// A page must be able to read why it was refused, or people see "network error".
#[tokio::test]
async fn an_error_can_be_read_too() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    app.outside().limits(tenantry::ports::Limit::Start, 0);
    let from = |ask: crate::support::AdmissionRequest| ask.header("origin", LISTED).send();
    let mut answers = vec![
        from(app.get("/nothing")).await,
        from(app.post("/health")).await,
        from(app.get("/whoami")).await,
        from(tenant.gets("/api/v1/tenants/tenant_other/provision-status")).await,
        from(app.post("/public/signup/start").body("{}")).await,
        from(app.post("/public/signup/start").json(&serde_json::json!({}))).await,
        from(app.post("/public/signup/start").json(&signup("fc-sued"))).await,
    ];
    app.db().goes_down();
    answers.push(from(tenant.gets("/whoami")).await);
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses, [404, 405, 401, 403, 415, 400, 429, 503]);
    for answer in &answers {
        is_open_to(answer, LISTED);
    }
}

#[tokio::test]
async fn a_browser_may_ask_before_every_route() {
    let app = TestApp::new();
    for route in ROUTES {
        let ask = app
            .ask(Method::OPTIONS, &route.path.replace("{id}", "tenant_1"))
            .header("origin", LISTED)
            .header("access-control-request-method", route.method)
            .header("access-control-request-headers", "authorization,content-type,idempotency-key");
        let answer = ask.send().await;
        assert_eq!(answer.status, 204, "{}", route.path);
        is_open_to(&answer, LISTED);
        let methods = answer.header("access-control-allow-methods");
        assert!(methods.split(", ").any(|method| method == route.method), "{methods}");
        let headers = answer.header("access-control-allow-headers");
        assert_eq!(
            headers,
            "Authorization, Content-Type, Idempotency-Key, If-None-Match, traceparent, tracestate, X-Tenant, X-Tenant-Id"
        );
        assert_eq!(answer.header("access-control-max-age"), "7200");
    }
    assert_eq!(app.db().batches(), 0, "asking costs nothing");
}

#[tokio::test]
async fn a_strangers_question_opens_nothing() {
    let app = TestApp::new();
    let ask = app.ask(Method::OPTIONS, "/whoami").header("origin", "https://evil.example");
    let answer = ask.header("access-control-request-method", "GET").send().await;
    assert_eq!(answer.status, 204);
    is_closed(&answer);
}

#[tokio::test]
async fn options_that_ask_nothing_are_a_method_like_any_other() {
    let app = TestApp::new();
    app.ask(Method::OPTIONS, "/whoami").send().await.fails(405, "METHOD_NOT_ALLOWED");
    app.ask(Method::OPTIONS, "/whoami")
        .header("origin", LISTED)
        .send()
        .await
        .fails(405, "METHOD_NOT_ALLOWED");
}
