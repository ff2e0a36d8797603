//! What a tenant may change in a minute: every route that changes something has a limit, and nobody but the tenant uses it
//! up.

use std::collections::BTreeSet;

use tenantry::{
    domain::{Audience, Permission},
    http::router::{ROUTES, Route},
    ports::{Limit, LogLine},
};

use super::stage;
use crate::support::{Answer, TestTenant, Token, example, good_tokens};

/// Routes by which a tenant's own people change something.
fn changing() -> impl Iterator<Item = &'static Route> {
    let of_tenants = |route: &&Route| {
        matches!(
            route.permission,
            Permission::AnyToken
                | Permission::TenantAdmin
                | Permission::SigningUp
                | Permission::SameTenant
                | Permission::SameTenantOrPlatform
                | Permission::TenantReader
        )
    };
    ROUTES.iter().filter(of_tenants).filter(|route| route.method != "GET")
}

async fn sends(route: &Route, tenant: &TestTenant, token: &Token) -> Answer {
    example(route, tenant).ask().token(&token.sign()).send().await
}

fn tenants_token(tenant: &TestTenant) -> Token {
    Token::tenant(&tenant.id, tenant.now()).with("jti", serde_json::Value::Null)
}

#[test]
fn the_routes_that_a_tenant_changes_something_by_are_found() {
    let paths: BTreeSet<&str> = changing().map(|route| route.path).collect();
    for path in [
        "/api/v1/tenants/me",
        "/api/v1/tenants/{id}/provision/retry",
        "/api/v1/tenants/{id}/webhook/test",
        "/auth/logout",
        "/public/signup/starter/make",
    ] {
        assert!(paths.contains(path), "{path}");
    }
}

#[tokio::test]
async fn every_changing_route_of_a_tenant_is_limited() {
    for route in changing() {
        let (tenant, _) = stage(route).await;
        tenant.outside().limits(Limit::Tenant, 1);
        let token = tenants_token(&tenant);
        // One within the limit, and one more of those whom the database admits.
        for _ in 0..2 {
            sends(route, &tenant, &token).await;
            let of_club = |line: &LogLine| line.fields["limit"] == "club";
            assert!(!tenant.log_of("rate_limited").iter().any(of_club), "{route:?}");
        }
        let before = tenant.db().contents();
        let (told, sent) = (tenant.outside().objects().told(), tenant.outside().upstreams().sent().len());
        // Whichever of its tokens a tenant comes with.
        for token in [token, tenants_token(&tenant).with("jti", "another").with("sub", "user_2")] {
            let refused = sends(route, &tenant, &token).await;
            refused.fails(429, "RATE_LIMITED");
            assert_eq!(refused.header("retry-after"), "60", "{route:?}");
        }
        tenant.db().is_still(&before);
        assert_eq!(tenant.outside().objects().told(), told, "{route:?}");
        assert_eq!(tenant.outside().upstreams().sent().len(), sent, "{route:?}");
        assert_eq!(tenant.log_of("rate_limited").last().unwrap().fields["limit"], "club", "{route:?}");
    }
}

#[tokio::test]
async fn the_routes_share_what_a_tenant_may_change() {
    let (tenant, _) = stage(changing().next().unwrap()).await;
    tenant.outside().limits(Limit::Tenant, 1);
    let routes: Vec<&Route> = changing().filter(|route| route.permission != Permission::AnyToken).collect();
    let mut refused = 0;
    for route in &routes {
        let answer = sends(route, &tenant, &tenants_token(&tenant)).await;
        refused += usize::from(answer.status == 429);
    }
    assert_eq!(refused, routes.len() - 2);
    // Whatever else was done in the tenant's name, its people can end their sign-ins.
    tenant.post("/auth/logout").token(&Token::tenant(&tenant.id, tenant.now()).sign()).send().await.is(200);
}

#[tokio::test]
async fn what_only_reads_is_not_limited() {
    for route in ROUTES.iter().filter(|route| route.method == "GET") {
        let (tenant, example) = stage(route).await;
        tenant.outside().limits(Limit::Tenant, 0);
        let answer = example.succeeds(route, &tenant).await;
        assert_eq!(answer.status, example.status, "{route:?}");
    }
}

#[tokio::test]
async fn operators_and_machines_are_not_stopped_by_a_tenants_limit() {
    for route in ROUTES.iter().filter(|route| route.method != "GET") {
        let (tenant, _) = stage(route).await;
        tenant.outside().limits(Limit::Tenant, 0);
        for (audience, token) in good_tokens(route, &tenant) {
            let (tenant, _) = stage(route).await;
            tenant.outside().limits(Limit::Tenant, 0);
            let answer = sends(route, &tenant, &token).await;
            assert_eq!(answer.status == 429, audience == Audience::Tenant, "{route:?} {}", answer.text);
        }
    }
}

#[tokio::test]
async fn one_tenant_uses_up_nothing_of_anothers() {
    let (tenant, _) = stage(changing().next().unwrap()).await;
    let other = tenant.signed_up("fc-other").await;
    tenant.outside().limits(Limit::Tenant, 1);
    let route = changing().find(|route| route.path == "/public/signup/brand").unwrap();
    for _ in 0..5 {
        sends(route, &tenant, &tenants_token(&tenant)).await;
    }
    sends(route, &tenant, &tenants_token(&tenant)).await.fails(429, "RATE_LIMITED");
    sends(route, &other, &tenants_token(&other)).await.is(200);
}

/// Whoever holds a token that was revoked, or one of another tenant, knows the tenant's name and must not stop its owner by
/// it.
#[tokio::test]
async fn a_token_that_admits_nobody_uses_up_nothing_of_the_tenants() {
    for route in changing() {
        let (tenant, _) = stage(route).await;
        tenant.outside().limits(Limit::Tenant, 1);
        let now = tenant.now();
        tenant
            .db()
            .execute("insert into revoked_tokens values ('stolen', null, 'stolen', 0, 9000000000)", ());
        let stolen = Token::tenant(&tenant.id, now).with("jti", "stolen");
        let expired = Token::tenant(&tenant.id, now).with("exp", now - 600);
        let forged = Token::tenant(&tenant.id, now).under("another-secret-of-more-than-32-bytes");
        for _ in 0..5 {
            sends(route, &tenant, &stolen).await.refuses(403, "FORBIDDEN", "token_revoked");
            assert_eq!(sends(route, &tenant, &expired).await.status, 401);
            assert_eq!(sends(route, &tenant, &forged).await.status, 401);
        }
        let answer = sends(route, &tenant, &tenants_token(&tenant)).await;
        assert_ne!(answer.status, 429, "{route:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn without_the_store_nobody_goes_beyond_the_limit() {
    let (tenant, _) = stage(changing().next().unwrap()).await;
    tenant.outside().limits(Limit::Tenant, 0);
    tenant.db().goes_down();
    let route = changing().next().unwrap();
    sends(route, &tenant, &tenants_token(&tenant)).await.fails(503, "STORE_UNAVAILABLE");
}
