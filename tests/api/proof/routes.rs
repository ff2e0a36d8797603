//! Every route that tenants use, with every kind of token that a signup and its proof leave.

use serde_json::json;
use tenantry::{
    domain::Permission,
    http::router::{ROUTES, Route},
};

use super::mailed;
use crate::support::{Answer, TestApp, TestTenant, Token, example, signup};

/// The routes that tenants use.
fn of_tenants() -> impl Iterator<Item = &'static Route> {
    use Permission::{AnyToken, SameTenant, SameTenantOrPlatform, SigningUp, TenantAdmin, TenantReader};
    ROUTES.iter().filter(|route| {
        matches!(
            route.permission,
            AnyToken | SameTenant | SameTenantOrPlatform | SigningUp | TenantAdmin | TenantReader
        )
    })
}

/// Before its address is proven, a tenant gets this far and no further: a new route is for proven ones unless it is named here.
const BEFORE_PROOF: [(&str, &str); 11] = [
    ("POST", "/public/signup/brand"),
    ("POST", "/public/signup/starter/make"),
    ("POST", "/public/signup/pro/confirm"),
    ("PATCH", "/public/signup/email"),
    ("GET", "/whoami"),
    ("GET", "/api/v1/admin/whoami"),
    ("POST", "/auth/proof/send"),
    ("POST", "/auth/logout"),
    ("GET", "/api/v1/tenants/{id}/provision-status"),
    ("GET", "/api/v1/tenants/me"),
    ("PATCH", "/api/v1/tenants/me"),
];

const PROGRESS: &str = "/api/v1/tenants/{id}/provision-status";

async fn signed_up(route: &Route) -> (TestTenant, String) {
    let app = TestApp::new();
    let mut form = signup("fc-fitting");
    if route.path == "/public/signup/pro/confirm" {
        form["plan"] = "pro".into();
    }
    let answer =
        app.post("/public/signup/start").header("idempotency-key", "k").json(&form).send().await.is(200);
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    let (code, _) = mailed(&app).await;
    app.passes(30);
    (app.tenant_with(text("tenantId"), "fc-fitting", text("jwt")), code)
}

async fn asks(route: &Route, tenant: &TestTenant, token: &str) -> Answer {
    example(route, tenant).ask().token(token).send().await
}

async fn proves(tenant: &TestTenant, code: &str) -> TestTenant {
    let proven = tenant.shows(code).await.is(200);
    tenant.with_token_of(&proven)
}

#[tokio::test]
async fn before_the_proof_only_what_is_named_here_is_open() {
    for route in of_tenants() {
        let (tenant, _) = signed_up(route).await;
        let before = tenant.outside().upstreams().sent().len();
        let answer = asks(route, &tenant, &tenant.jwt).await;
        if BEFORE_PROOF.contains(&(route.method, route.path)) {
            assert!(answer.status.is_success(), "{route:?}: {}", answer.text);
        } else {
            answer.refuses(403, "EMAIL_UNPROVEN", "email_unproven");
            assert_eq!(tenant.log_of("authz_deny").last().unwrap().fields["reason"], "email_unproven");
        }
        assert_eq!(tenant.outside().upstreams().sent().len(), before, "{route:?} reaches outside");
        assert_eq!(tenant.outside().objects().told(), 0, "{route:?} starts something");
    }
}

#[tokio::test]
async fn no_unproven_token_is_an_operators_or_a_machines() {
    for permission in [Permission::PlatformAdmin, Permission::Service] {
        let route = ROUTES.iter().find(|route| route.permission == permission).unwrap();
        let (tenant, _) = signed_up(route).await;
        let answer = asks(route, &tenant, &tenant.jwt).await;
        answer.refuses(403, "FORBIDDEN", "unexpected \"aud\" claim value");
    }
}

#[tokio::test]
async fn the_proof_ends_every_earlier_token_but_for_watching() {
    for route in of_tenants() {
        let (tenant, code) = signed_up(route).await;
        let by_hand = Token::tenant(&tenant.id, tenant.now() - 1).sign();
        let proven = proves(&tenant, &code).await;
        let answer = asks(route, &proven, &tenant.jwt).await;
        if route.path == PROGRESS {
            answer.is(200);
        } else {
            answer.refuses(403, "FORBIDDEN", "token_revoked");
        }
        asks(route, &proven, &by_hand).await.refuses(403, "FORBIDDEN", "token_revoked");
    }
}

#[tokio::test]
async fn a_revocation_ends_watching_too_be_it_before_the_proof_or_after() {
    for route in of_tenants() {
        let (tenant, _) = signed_up(route).await;
        revokes(&tenant).await;
        asks(route, &tenant, &tenant.jwt).await.refuses(403, "FORBIDDEN", "token_revoked");
    }
    let route = ROUTES.iter().find(|route| route.path == PROGRESS).unwrap();
    // Before: the link still proves, and the token that was revoked stays so.
    let (tenant, _) = signed_up(route).await;
    revokes(&tenant).await;
    tenant.passes(2);
    let ask = tenant.post("/auth/magic/start").json(&json!({ "email": "owner@fc-fitting.example" }));
    tenant.passes(300);
    ask.send().await.is(202);
    let (_, link) = mailed(&tenant).await;
    super::opens(&tenant, &link).await.is(200);
    asks(route, &tenant, &tenant.jwt).await.refuses(403, "FORBIDDEN", "token_revoked");
    // After, in the same second and later.
    for seconds in [0, 5] {
        let (tenant, code) = signed_up(route).await;
        let proven = proves(&tenant, &code).await;
        tenant.passes(seconds);
        revokes(&proven).await;
        asks(route, &proven, &tenant.jwt).await.refuses(403, "FORBIDDEN", "token_revoked");
        asks(route, &proven, &proven.jwt).await.refuses(403, "FORBIDDEN", "token_revoked");
    }
}

async fn revokes(tenant: &TestTenant) {
    let body = json!({ "tenantId": tenant.id, "reason": "a phone was lost" });
    let token = Token::operator(tenant.now()).sign();
    tenant.post("/api/v1/admin/tokens/revoke").token(&token).json(&body).send().await.is(200);
}

async fn repeats(tenant: &TestTenant) -> Answer {
    let ask = tenant.post("/public/signup/start").header("idempotency-key", "k");
    ask.json(&signup("fc-fitting")).send().await
}

#[tokio::test]
async fn a_repeat_answers_the_token_of_a_signup_until_the_proof_and_none_after_it() {
    let route = ROUTES.iter().find(|route| route.path == PROGRESS).unwrap();
    let (tenant, code) = signed_up(route).await;
    let repeat = repeats(&tenant).await.is(200);
    assert_eq!((&repeat["replayed"], &repeat["emailProven"]), (&json!(true), &json!(false)));
    assert_eq!(Token::read(repeat["jwt"].as_str().unwrap())["unproven"], true);
    proves(&tenant, &code).await;
    repeats(&tenant).await.fails(409, "ALREADY_SIGNED_UP");
    // Nor after a revocation.
    let (tenant, _) = signed_up(route).await;
    tenant.passes(1);
    revokes(&tenant).await;
    repeats(&tenant).await.fails(409, "ALREADY_SIGNED_UP");
}
