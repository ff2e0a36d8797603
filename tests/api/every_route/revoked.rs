//! Tokens that were good once: revoked by themselves, with their tenant, or with everybody's.

use tenantry::{domain::Audience, http::router::Route};

use super::{guarded, stage};
use crate::support::{TestTenant, Token, good_tokens};

/// What makes a token useless: put into force, and taken back.
struct Cause {
    what: &'static str,
    begins: Box<dyn Fn(&TestTenant)>,
    ends: Box<dyn Fn(&TestTenant)>,
}

fn cause(
    what: &'static str,
    begins: impl Fn(&TestTenant) + 'static,
    ends: impl Fn(&TestTenant) + 'static,
) -> Cause {
    Cause { what, begins: Box::new(begins), ends: Box::new(ends) }
}

fn causes(audience: Audience) -> Vec<Cause> {
    let mut causes = vec![
        cause(
            "revoked by its id",
            |tenant| {
                for jti in ["jti-tenant", "jti-operator", "jti-service"] {
                    tenant.db().execute(
                        "insert into revoked_tokens values (?1, null, 'lost', 0, 9000000000)",
                        [jti],
                    );
                }
            },
            |tenant| {
                tenant.db().execute("delete from revoked_tokens", ());
            },
        ),
        cause(
            "cut off with everybody's",
            |tenant| {
                let cut_off = tenant.now() + 1;
                tenant
                    .db()
                    .execute("insert into feature_flags values ('tokens_valid_after', 1, ?1, 0)", [cut_off]);
            },
            |tenant| {
                tenant.db().execute("delete from feature_flags", ());
            },
        ),
    ];
    if audience == Audience::Tenant {
        causes.push(cause(
            "cut off with its club's",
            |tenant| tenant.becomes("tokens_valid_after", tenant.now() + 1),
            |tenant| tenant.becomes("tokens_valid_after", 0),
        ));
        for status in ["suspended", "cancelled"] {
            causes.push(cause(
                "of a stopped club",
                move |tenant| tenant.becomes("status", status),
                |tenant| tenant.becomes("status", "trial"),
            ));
        }
    }
    causes
}

async fn is_revoked(route: &Route, tenant: &TestTenant, token: &Token, what: &str) {
    let example = crate::support::example(route, tenant);
    let before = tenant.db().contents();
    let told = || tenant.outside().objects().told() + tenant.outside().breakers().told();
    let told_before = told();
    let sent = tenant.outside().upstreams().sent().len();
    let batches = tenant.db().batches();
    let answer = example.ask().token(&token.sign()).send().await;
    assert_eq!(answer.status, 403, "{} {what}: {}", route.path, answer.text);
    answer.refuses(403, "FORBIDDEN", "token_revoked");
    assert_eq!(
        tenant.db().batches(),
        batches + 1,
        "{} {what}: asked in the same round trip as the data",
        route.path
    );
    tenant.db().is_still(&before);
    assert_eq!(told(), told_before, "{} {what}", route.path);
    assert_eq!(tenant.outside().upstreams().sent().len(), sent, "{} {what}", route.path);
    assert_eq!(tenant.log_of("authz_deny").last().unwrap().fields["reason"], "token_revoked");
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_and_does_nothing() {
    for route in guarded() {
        let (tenant, _) = stage(route).await;
        for (audience, token) in good_tokens(route, &tenant) {
            for cause in causes(audience) {
                (cause.begins)(&tenant);
                is_revoked(route, &tenant, &token, cause.what).await;
                (cause.ends)(&tenant);
            }
        }
    }
}

/// What is wrong with a request besides its token.
const TROUBLES: [&str; 9] = [
    "another type",
    "no type",
    "no JSON",
    "no object",
    "too large",
    "no field",
    "wrong fields",
    "a wrong query",
    "a name that nothing has",
];

fn troubled(route: &Route, tenant: &TestTenant, trouble: &str) -> crate::support::AdmissionRequest {
    let example = crate::support::example(route, tenant);
    let json = |text: String| example.bare().header("content-type", "application/json").body(text);
    match trouble {
        "another type" => example.bare().header("content-type", "text/plain").body("{}"),
        "no type" => example.bare().body("{}"),
        "no JSON" => json("{".to_owned()),
        "no object" => json("[]".to_owned()),
        "too large" => json(format!("{{\"reason\":\"{}\"}}", "x".repeat(17_000))),
        "no field" => json("{}".to_owned()),
        "wrong fields" => {
            let names =
                ["reason", "jti", "all", "status", "step", "tenantId", "tenant", "name", "webhookUrl"];
            let fields: serde_json::Map<_, _> =
                names.map(|name| (name.to_owned(), 7.into())).into_iter().collect();
            json(serde_json::Value::Object(fields).to_string())
        }
        "a wrong query" => {
            let path = example.path().split('?').next().unwrap();
            example.ask().to(&format!("{path}?limit=abc&cursor=!&status=x&plan=x&stuck=x"))
        }
        _ => {
            let mut path = route.path.to_owned();
            for part in ["{run}", "{name}", "{code}", "{key}", "{delivery}"] {
                path = path.replace(part, "never%20was");
            }
            // A tenant's token must name its own tenant, or that is what is wrong with it.
            let own = matches!(route.permission, tenantry::domain::Permission::PlatformAdmin);
            example.ask().to(&path.replace("{id}", if own { "never%20was" } else { &tenant.id }))
        }
    }
}

#[tokio::test]
async fn a_revoked_token_is_refused_before_anything_else_that_is_wrong() {
    for route in guarded() {
        let (tenant, _) = stage(route).await;
        for (audience, token) in good_tokens(route, &tenant) {
            for cause in causes(audience) {
                (cause.begins)(&tenant);
                let before = tenant.db().contents();
                for trouble in TROUBLES {
                    let answer = troubled(route, &tenant, trouble).token(&token.sign()).send().await;
                    assert_eq!(answer.status, 403, "{route:?} {} {trouble}: {}", cause.what, answer.text);
                    answer.refuses(403, "FORBIDDEN", "token_revoked");
                    assert_eq!(tenant.log_of("authz_deny").last().unwrap().fields["reason"], "token_revoked");
                }
                tenant.db().is_still(&before);
                (cause.ends)(&tenant);
            }
        }
    }
}

#[tokio::test]
async fn a_revoked_token_is_refused_before_a_limit_is() {
    for route in guarded() {
        let (tenant, _) = stage(route).await;
        for (_, token) in good_tokens(route, &tenant) {
            for limit in [tenantry::ports::Limit::Lookup, tenantry::ports::Limit::Magic] {
                tenant.outside().limits(limit, 0);
            }
            tenant.db().execute(
                "insert into revoked_tokens values (?1, null, '', 0, 9000000000)",
                [Token::read(&token.sign())["jti"].as_str().unwrap()],
            );
            let example = crate::support::example(route, &tenant);
            let answer = example.ask().token(&token.sign()).send().await;
            answer.refuses(403, "FORBIDDEN", "token_revoked");
        }
    }
}

/// Whether it still admits its holder is unknown then, and what else is wrong is nobody's business.
#[tokio::test]
async fn without_the_store_nobody_hears_what_else_is_wrong() {
    for route in guarded() {
        let (tenant, _) = stage(route).await;
        let asked: Vec<_> = TROUBLES.map(|trouble| (trouble, troubled(route, &tenant, trouble))).into();
        tenant.db().goes_down();
        let (_, token) = good_tokens(route, &tenant).remove(0);
        for (trouble, ask) in asked {
            let answer = ask.token(&token.sign()).send().await;
            let degraded = route.path.ends_with("/provision-status") && answer.status == 200;
            assert!(degraded || answer.status == 503, "{route:?} {trouble}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn the_token_of_a_tenant_that_is_gone_opens_nothing() {
    for route in guarded() {
        let (tenant, _) = stage(route).await;
        let gone = tenant.never();
        for (audience, token) in good_tokens(route, &gone) {
            if audience == Audience::Tenant {
                is_revoked(route, &gone, &token, "gone").await;
            }
        }
    }
}

#[tokio::test]
async fn what_is_issued_after_a_cut_off_works() {
    for route in guarded() {
        let (tenant, _) = stage(route).await;
        for (audience, token) in good_tokens(route, &tenant) {
            let (tenant, example) = stage(route).await;
            let now = tenant.now();
            tenant.db().execute("insert into feature_flags values ('tokens_valid_after', 1, ?1, 0)", [now]);
            tenant.becomes("tokens_valid_after", now);
            let token =
                if audience == Audience::Tenant { token.with("tenantId", tenant.id.as_str()) } else { token };
            let answer = example.ask().token(&token.sign()).send().await;
            assert_eq!(answer.status, example.status, "{} {audience:?}: {}", route.path, answer.text);
        }
    }
}

#[tokio::test]
async fn a_cut_off_that_is_switched_off_cuts_nobody_off() {
    let (tenant, _) = stage(guarded().next().unwrap()).await;
    tenant.db().execute("insert into feature_flags values ('tokens_valid_after', 0, 9000000000, 0)", ());
    tenant.gets("/whoami").send().await.is(200);
}

/// The predecessor's revocation id was `undefined` for most tokens: revoking one revoked them all.
#[tokio::test]
async fn revoking_one_token_leaves_those_without_an_id_alone() {
    let (tenant, _) = stage(guarded().next().unwrap()).await;
    for jti in ["undefined", "null", ""] {
        tenant.db().execute("insert into revoked_tokens values (?1, null, 'lost', 0, 9000000000)", [jti]);
    }
    let token = Token::tenant(&tenant.id, tenant.now()).with("jti", serde_json::Value::Null);
    tenant.get("/whoami").token(&token.sign()).send().await.is(200);
}
