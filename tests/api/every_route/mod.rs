//! What holds for every route there is: the tests walk the route table, so a new route is covered without a new test.

mod budgets;
mod callers;
mod cookies;
mod foreign_forms;
mod limits;
mod revoked;
mod table;

use tenantry::{
    domain::{Permission, RequestKey},
    http::router::{ROUTES, Route},
};

use crate::support::{Example, TestApp, TestTenant, example, tenant_for};

/// A route with all that its example needs, and a world of its own.
pub async fn stage(route: &Route) -> (TestTenant, Example) {
    let app = TestApp::new();
    let tenant = tenant_for(&app, route).await;
    let example = example(route, &tenant);
    (tenant, example)
}

/// The routes that ask who is there.
fn guarded() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| route.permission != Permission::Anyone)
}

#[tokio::test]
async fn every_route_has_an_example_that_succeeds() {
    for route in ROUTES {
        let (tenant, example) = stage(route).await;
        let answer = example.succeeds(route, &tenant).await;
        assert_eq!(answer.status, example.status, "{route:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn every_answer_is_counted_once_by_its_pattern() {
    for route in ROUTES {
        let (tenant, example) = stage(route).await;
        tenant.outside().take_counted();
        let answer = example.succeeds(route, &tenant).await;
        let counted = tenant.outside().take_counted();
        assert_eq!(counted, [RequestKey::new(route.path, route.method, answer.status.as_u16())], "{route:?}");
    }
}

#[tokio::test]
async fn whoever_may_come_is_let_in() {
    for route in guarded() {
        let (tenant, _) = stage(route).await;
        for (audience, token) in crate::support::good_tokens(route, &tenant) {
            let (tenant, example) = stage(route).await;
            let answer =
                example.ask().token(&token.with("tenantId", own(audience, &tenant)).sign()).send().await;
            assert_eq!(answer.status, example.status, "{route:?} {audience:?}: {}", answer.text);
        }
    }
}

fn own(audience: tenantry::domain::Audience, tenant: &TestTenant) -> serde_json::Value {
    match audience {
        tenantry::domain::Audience::Tenant => tenant.id.clone().into(),
        _ => serde_json::Value::Null,
    }
}

#[tokio::test]
async fn a_token_that_nobody_asked_for_changes_nothing() {
    for route in ROUTES.iter().filter(|route| route.permission == Permission::Anyone) {
        let (_, example) = stage(route).await;
        let answer = example.ask().header("authorization", "Bearer nonsense").send().await;
        assert_eq!(answer.status, example.status, "{route:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn no_header_is_believed_as_identity() {
    for route in guarded() {
        let (tenant, example) = stage(route).await;
        let ask = [
            "x-internal-request",
            "x-tenant-id",
            "x-user-id",
            "x-roles",
            "cf-access-jwt-assertion",
            "cookie",
        ]
        .into_iter()
        .fold(example.ask(), |ask, name| ask.header(name, &tenant.id));
        ask.send().await.fails(401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn without_the_store_nobody_is_let_in_and_nothing_is_made_up() {
    for route in ROUTES {
        let (tenant, example) = stage(route).await;
        let before = tenant.db().batches();
        example.succeeds(route, &tenant).await;
        if tenant.db().batches() == before || route.path.starts_with("/health") || route.path == "/readyz" {
            continue;
        }
        let (tenant, example) = stage(route).await;
        tenant.db().goes_down();
        let answer = example.succeeds(route, &tenant).await;
        if answer.is_page() {
            assert_eq!(answer.status, 503, "{route:?}");
            continue;
        }
        answer.fails(503, "STORE_UNAVAILABLE");
        assert_eq!(answer.header("retry-after"), "5", "{route:?}");
        assert_eq!(tenant.log_of("request").last().unwrap().fields["level"], "error");
    }
}

#[tokio::test]
async fn a_head_that_fails_has_no_body_either() {
    let app = TestApp::new();
    for path in ["/nothing", "/whoami", "/public/signup/start", "/public/signup/availability"] {
        let answer = app.ask(http::Method::HEAD, path).send().await;
        assert!(answer.status.is_client_error() && answer.text.is_empty(), "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_head_is_a_get_without_its_body() {
    for route in ROUTES.iter().filter(|route| route.method == "GET") {
        let (tenant, example) = stage(route).await;
        let got = example.succeeds(route, &tenant).await;
        let token =
            crate::support::good_tokens(route, &tenant).into_iter().next().map(|(_, token)| token.sign());
        let head = example.ask().method(http::Method::HEAD).maybe_token(token.as_deref()).send().await;
        assert_eq!((head.status, head.text.as_str()), (got.status, ""), "{route:?}");
        assert_eq!(head.header("content-type"), got.header("content-type"), "{route:?}");
    }
}
