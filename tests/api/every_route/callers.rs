//! Every kind of wrong caller, at every route that asks who is there.

use serde_json::{Value, json};
use tenantry::{
    domain::{Audience, Permission},
    http::router::Route,
};

use super::{guarded, stage};
use crate::support::{Example, TestApp, TestTenant, Token, example, good_tokens, tenant_for};

/// A secret that is none of ours.
const OTHER_SECRET: &str = "another-secret-of-more-than-32-bytes";

/// Sends the example under this header and asserts that nothing came of it but a line of the log. Answers the error.
async fn is_refused(
    tenant: &TestTenant,
    example: &Example,
    header: Option<&str>,
    what: &str,
) -> (u16, Value) {
    let (batches, lines) = (tenant.db().batches(), tenant.outside().log_length());
    let (told, sent) = (tenant.outside().objects().told(), tenant.outside().upstreams().sent().len());
    let ask = match header {
        Some(header) => example.ask().header("authorization", header),
        None => example.ask(),
    };
    let answer = ask.send().await;
    assert!([401, 403].contains(&answer.status.as_u16()), "{what}: {}", answer.text);
    assert_eq!(tenant.db().batches(), batches, "{what}: a token that says it all costs no round trip");
    assert_eq!(tenant.outside().objects().told(), told, "{what}");
    assert_eq!(tenant.outside().upstreams().sent().len(), sent, "{what}");
    let log = tenant.outside().log_from(lines);
    let words: Vec<&Value> = log.iter().map(|line| &line.fields["msg"]).collect();
    assert_eq!(words, ["authz_deny", "request"], "{what}: one line a refusal");
    let line = &log[0].fields;
    assert_eq!((&line["event"], &line["decision"]), (&json!("authz_deny"), &json!("deny")), "{what}");
    assert_eq!(line["requestId"], answer.header("x-request-id"), "{what}");
    assert_eq!(line["hasAuthHeader"], header.is_some(), "{what}");
    assert!(line["roles"].is_array(), "{what}");
    let error = answer.json()["error"].clone();
    if answer.status == 403 {
        assert_eq!(line["reason"], error["reason"], "{what}: the log says what the caller is told");
    }
    let challenge = match answer.status.as_u16() {
        401 if header.is_none() => "Bearer realm=\"tenantry\"",
        401 => "Bearer realm=\"tenantry\", error=\"invalid_token\"",
        403 => "Bearer realm=\"tenantry\", error=\"insufficient_scope\"",
        _ => "",
    };
    assert_eq!(answer.header("www-authenticate"), challenge, "{what}");
    (answer.status.as_u16(), error)
}

async fn is_unauthorized(tenant: &TestTenant, example: &Example, header: Option<&str>, what: &str) {
    let (status, error) = is_refused(tenant, example, header, what).await;
    let code = if header.is_none() { "UNAUTHORIZED" } else { "INVALID_TOKEN" };
    assert_eq!((status, &error["code"]), (401, &json!(code)), "{what}");
    assert_eq!(error.get("reason"), None, "{what}: a stranger is told nothing about a token");
}

async fn is_forbidden(tenant: &TestTenant, example: &Example, token: &Token, reason: &str, what: &str) {
    let header = format!("Bearer {}", token.sign());
    let (status, error) = is_refused(tenant, example, Some(&header), what).await;
    assert_eq!(
        (status, &error["code"], &error["reason"]),
        (403, &json!("FORBIDDEN"), &json!(reason)),
        "{what}"
    );
}

#[tokio::test]
async fn nobody_comes_in_without_a_token() {
    for route in guarded() {
        let (tenant, example) = stage(route).await;
        is_unauthorized(&tenant, &example, None, route.path).await;
        for header in [
            "Bearer",
            "Bearer ",
            "Bearer a",
            "Bearer a.b.c",
            "Bearer ..",
            "Bearer eyJhbGciOiJIUzI1NiJ9.e30",
            "Basic dXNlcjpwdw==",
            "nonsense",
            "Bearer a b",
        ] {
            is_unauthorized(&tenant, &example, Some(header), &format!("{} {header:?}", route.path)).await;
        }
    }
}

/// What is wrong with a token that was a good one.
fn spoiled(good: &Token, audience: Audience, now: i64) -> Vec<(&'static str, String)> {
    let with = |claim: &str, value: Value| good.clone().with(claim, value).sign();
    let skew = if audience == Audience::Service { 10 } else { 300 };
    let signed = good.sign();
    let (head, signature) = signed.rsplit_once('.').unwrap();
    let mut spoiled = vec![
        ("expired", good.clone().with("iat", now - 400 - skew).with("exp", now - skew).sign()),
        ("without an end", with("exp", Value::Null)),
        ("with an end that is no number", with("exp", json!("never"))),
        ("not yet valid", with("nbf", json!(now + skew + 1))),
        (
            "issued in the future",
            good.clone().with("iat", now + skew + 1).with("exp", now + skew + 100).sign(),
        ),
        ("of another issuer", with("iss", json!("evil.example"))),
        ("of no issuer", with("iss", Value::Null)),
        ("under another secret", good.clone().under(OTHER_SECRET).sign()),
        ("under an empty secret", good.clone().under("").sign()),
        ("of a tenant that can't be", with("tenantId", json!("' or 1=1"))),
        ("without a signature", format!("{head}.")),
        ("with somebody else's claims", format!("{}.{signature}", good.clone().with("sub", "x").unsigned())),
        ("by no algorithm", format!("{}.", good.clone().with_header("alg", "none").unsigned())),
        ("by no algorithm, signed", good.clone().with_header("alg", "none").sign()),
        ("by another algorithm", good.clone().with_header("alg", "HS512").sign()),
        ("by an asymmetric algorithm", good.clone().with_header("alg", "RS256").sign()),
        ("with an extension", good.clone().with_header("crit", json!(["exp"])).sign()),
        ("with an extension that is null", good.clone().with_header("crit", json!([])).sign()),
        ("with padding", format!("{signed}=")),
        ("with something after it", format!("{signed}.")),
        ("larger than 8 KiB", with("pad", json!("x".repeat(8 * 1024)))),
    ];
    if audience == Audience::Service {
        spoiled.push(("of a service, without its beginning", with("iat", Value::Null)));
        spoiled.push(("of a service, for longer than 5 minutes", with("exp", json!(now + 301))));
    }
    if audience == Audience::PlatformAdmin {
        spoiled.push(("of an operator, without its beginning", with("iat", Value::Null)));
        spoiled.push(("of an operator, for longer than 7 days", with("exp", json!(now + 7 * 24 * 3600 + 1))));
    }
    spoiled
}

#[tokio::test]
async fn no_spoiled_token_opens_anything() {
    for route in guarded() {
        let (tenant, example) = stage(route).await;
        for (audience, good) in good_tokens(route, &tenant) {
            for (what, token) in spoiled(&good, audience, tenant.now()) {
                let what = format!("{} {audience:?} {what}", route.path);
                is_unauthorized(&tenant, &example, Some(&format!("Bearer {token}")), &what).await;
            }
        }
    }
}

#[tokio::test]
async fn a_leak_is_answered_by_an_instant_before_which_nothing_counts() {
    for route in guarded() {
        let app = TestApp::new();
        let tenant = tenant_for(&app, route).await;
        let example = example(route, &tenant);
        for (audience, good) in good_tokens(route, &tenant) {
            let cut_off = (tenant.now() + 1).to_string();
            let after = tenant.with_app(app.redeployed_with(&[("JWT_NOT_BEFORE", &cut_off)]));
            let example = example.by(&after);
            let header = format!("Bearer {}", good.sign());
            is_unauthorized(&after, &example, Some(&header), &format!("{} {audience:?}", route.path)).await;
        }
    }
}

/// Whom a route refuses although the token is good, and why.
fn misplaced(route: &Route, tenant: &TestTenant, other: &str) -> Vec<(&'static str, Token, &'static str)> {
    const AUD: &str = "unexpected \"aud\" claim value";
    use Permission::{
        AnyToken, Anyone, Monitoring, PlatformAdmin, PlatformReader, SameTenant, SameTenantOrPlatform,
        Service, SigningUp, TenantAdmin, TenantReader,
    };
    let now = tenant.now();
    let (own, operator, service) =
        (Token::tenant(&tenant.id, now), Token::operator(now), Token::service(now));
    let mut all = vec![
        ("a link's token", Token::link(&tenant.id, now), AUD),
        ("a link's token with every role", Token::link(&tenant.id, now).with("roles", all_roles()), AUD),
        ("a foreign audience", own.clone().with("aud", "other").with("roles", all_roles()), AUD),
        ("no audience", own.clone().with("aud", Value::Null), AUD),
    ];
    let (takes_tenants, takes_operators, takes_services) = match route.permission {
        Anyone | AnyToken => return all,
        TenantAdmin | SigningUp | SameTenant => (true, false, false),
        SameTenantOrPlatform => (true, true, false),
        TenantReader => (true, true, true),
        Service => (false, false, true),
        PlatformReader => (false, true, true),
        PlatformAdmin | Monitoring => (false, true, false),
    };
    let no_roles = |token: &Token| token.clone().with("roles", json!([]));
    if takes_tenants {
        let others: &[&str] = &["admin", "service", "member", "TENANT_ADMIN", "tenant_admin,owner"];
        all.push(("a club's token without a role", no_roles(&own), "role_mismatch"));
        all.push((
            "a club's token with other roles",
            own.clone().with("roles", json!(others)),
            "role_mismatch",
        ));
        all.push((
            "a club's token without a club",
            own.clone().with("tenantId", Value::Null),
            "tenant_mismatch",
        ));
        if route.path.contains("{id}") {
            all.push(("another club's token", Token::tenant(other, now), "tenant_mismatch"));
        }
    } else {
        all.push(("a club's token with every role", own.clone().with("roles", all_roles()), AUD));
    }
    if takes_operators {
        all.push(("an operator's token without a role", no_roles(&operator), "role_mismatch"));
        let roles = json!(["tenant_admin", "owner", "service", "Admin"]);
        all.push(("an operator's token with other roles", operator.with("roles", roles), "role_mismatch"));
    } else {
        all.push(("an operator's token with every role", operator.with("roles", all_roles()), AUD));
    }
    if takes_services {
        all.push(("a machine's token without a role", no_roles(&service), "role_mismatch"));
        let roles = json!(["tenant_admin", "owner", "admin"]);
        all.push(("a machine's token with other roles", service.with("roles", roles), "role_mismatch"));
    } else {
        all.push(("a machine's token with every role", service.with("roles", all_roles()), AUD));
    }
    all
}

fn all_roles() -> Value {
    json!(["tenant_admin", "owner", "admin", "service"])
}

#[tokio::test]
async fn a_good_token_in_the_wrong_place_is_told_why() {
    for route in guarded() {
        let (tenant, example) = stage(route).await;
        let other = tenant.signed_up("fc-other").await;
        for (what, token, reason) in misplaced(route, &tenant, &other.id) {
            is_forbidden(&tenant, &example, &token, reason, &format!("{} {what}", route.path)).await;
        }
    }
}

/// A tenant learns nothing about what exists: another tenant and one that never was are refused alike.
#[tokio::test]
async fn another_tenant_and_one_that_never_was_are_refused_alike() {
    let of_tenants =
        |route: &&Route| route.path.contains("{id}") && route.permission != Permission::PlatformAdmin;
    for route in guarded().filter(of_tenants) {
        let (tenant, _) = stage(route).await;
        let other = tenant.signed_up("fc-other").await;
        let reason = match route.permission {
            Permission::PlatformAdmin => "unexpected \"aud\" claim value",
            _ => "tenant_mismatch",
        };
        for id in
            [other.id.as_str(), "tenant_never", "nonsense", "%ff", "tenant_%00", "..%2f", &"x".repeat(500)]
        {
            let path = route.path.replace("{id}", id);
            let ask = tenant.ask(route.method.parse().unwrap(), &path).token(&tenant.jwt);
            ask.send().await.refuses(403, "FORBIDDEN", reason);
        }
    }
}

#[tokio::test]
async fn to_the_platforms_own_people_a_tenant_that_never_was_is_not_found() {
    for route in guarded().filter(|route| route.path.contains("{id}")) {
        let (tenant, example) = stage(route).await;
        for (_, token) in
            good_tokens(route, &tenant).into_iter().filter(|(audience, _)| *audience != Audience::Tenant)
        {
            for id in ["tenant_never", "nonsense", "%ff"] {
                let path = route.path.replace("{id}", id);
                let ask = example.ask().to(&path).token(&token.sign());
                let answer = ask.send().await;
                assert_eq!(answer.status, 404, "{} {id}: {}", route.path, answer.text);
                answer.fails(404, "TENANT_NOT_FOUND");
            }
        }
    }
}
