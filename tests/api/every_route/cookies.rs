//! A sign-in by cookie at every route: it opens what is the tenant's own, for our own page, and nothing else.

use http::Method;
use tenantry::http::router::{ROUTES, Route};

use super::{guarded, stage};
use crate::support::{AdmissionRequest, Body, Token, good_tokens};

/// How a browser says where a request comes from, if another page than ours causes it, or nobody says.
const ELSEWHERE: [&[(&str, &str)]; 9] = [
    &[],
    &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
    &[("sec-fetch-site", "cross-site"), ("origin", "null")],
    // The host of a tenant is a sibling of ours.
    &[("sec-fetch-site", "same-site"), ("origin", "https://fc-nord.clubs.example")],
    &[("sec-fetch-site", "none")],
    &[("origin", "https://evil.example")],
    &[("origin", "null")],
    &[("origin", "https://api.example.com.evil.example")],
    &[("origin", "http://api.example.com")],
];

fn from(ask: AdmissionRequest, headers: &[(&'static str, &str)]) -> AdmissionRequest {
    headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value))
}

fn of_tenants(route: &&Route) -> bool {
    route.permission.admits_tenants()
}

/// Those of them that somebody who signed in has a use for: by then the address is proven.
fn of_signed_in(route: &&Route) -> bool {
    of_tenants(route) && !["/auth/proof/send", "/public/signup/email"].contains(&route.path)
}

#[tokio::test]
async fn a_cookie_of_our_own_page_opens_what_is_the_tenants_own() {
    for route in guarded().filter(of_signed_in) {
        for ours in [("sec-fetch-site", "same-origin"), ("origin", "https://api.example.com")] {
            let (tenant, example) = stage(route).await;
            let cookie = tenant.signs_in_by("").await;
            let answer = from(example.ask().cookie(&cookie), &[ours]).send().await;
            assert_eq!(answer.status, example.status, "{route:?} {ours:?}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_cookie_never_counts_for_operators_machines_or_monitoring() {
    for route in guarded().filter(|route| !of_tenants(route)) {
        let (tenant, example) = stage(route).await;
        let cookie = tenant.signs_in_by("").await;
        let ask = || example.ask().by_our_page();
        ask().cookie(&cookie).send().await.fails(401, "UNAUTHORIZED");
        for (_, token) in good_tokens(route, &tenant) {
            ask().cookie(&token.sign()).send().await.fails(401, "UNAUTHORIZED");
        }
        // Nor does it stand in the way of their own tokens.
        let (_, token) = good_tokens(route, &tenant).remove(0);
        let answer = ask().cookie(&cookie).token(&token.sign()).send().await;
        assert_eq!(answer.status, example.status, "{route:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_cookie_that_another_page_causes_to_be_sent_does_nothing() {
    for route in guarded().filter(of_signed_in) {
        let (tenant, example) = stage(route).await;
        let cookie = tenant.signs_in_by("").await;
        tenant.outside().finishes_deferred_work().await;
        let before = tenant.db().contents();
        for headers in ELSEWHERE {
            let answer = from(example.ask().cookie(&cookie), headers).send().await;
            if route.method == "GET" {
                answer.fails(401, "UNAUTHORIZED");
            } else {
                answer.refuses(403, "FORBIDDEN", "cross_site");
                let line = tenant.log_of("authz_deny").pop().unwrap();
                assert_eq!(line.fields["reason"], "cross_site", "{route:?}");
            }
            assert_eq!(answer.header("set-cookie"), "", "{route:?}");
        }
        tenant.db().is_still(&before);
    }
}

/// What a form of another site can send, a cookie with it.
#[tokio::test]
async fn a_form_of_another_site_does_nothing_by_a_cookie_either() {
    const TYPES: [&str; 4] = [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/json",
    ];
    for route in guarded().filter(of_signed_in).filter(|route| route.method != "GET") {
        let (tenant, example) = stage(route).await;
        let cookie = tenant.signs_in_by("").await;
        tenant.outside().finishes_deferred_work().await;
        let before = tenant.db().contents();
        let text = match &example.body {
            Body::Json(value) | Body::OptionalJson(value) => value.to_string(),
            _ => String::new(),
        };
        for kind in TYPES {
            let ask = example.bare().body(text.clone()).header("content-type", kind).cookie(&cookie);
            let ask = from(ask, ELSEWHERE[1]);
            ask.send().await.refuses(403, "FORBIDDEN", "cross_site");
        }
        tenant.db().is_still(&before);
    }
}

#[tokio::test]
async fn what_comes_by_a_cookie_and_a_token_comes_by_neither() {
    for route in guarded().filter(of_signed_in) {
        let (tenant, example) = stage(route).await;
        let cookie = tenant.signs_in_by("").await;
        tenant.outside().finishes_deferred_work().await;
        let before = tenant.db().contents();
        for token in [&tenant.jwt, &cookie, "nonsense"] {
            for headers in [&[][..], &[("sec-fetch-site", "same-origin")]] {
                let answer = from(example.ask().cookie(&cookie).token(token), headers).send().await;
                answer.fails(400, "AMBIGUOUS_CREDENTIALS");
            }
        }
        // A second cookie of the same name: somebody else put one there.
        let twice = format!("__Host-tenantry={cookie}; __Host-tenantry={cookie}");
        let ask = example.ask().header("cookie", &twice).by_our_page();
        ask.send().await.fails(400, "AMBIGUOUS_CREDENTIALS");
        tenant.db().is_still(&before);
    }
}

/// An app on another origin brings its own token. What the browser adds of another sign-in does not stand in its way.
#[tokio::test]
async fn a_token_from_another_origin_is_no_less_good_for_a_cookie_beside_it() {
    for route in guarded().filter(of_signed_in) {
        let (tenant, example) = stage(route).await;
        let cookie = tenant.signs_in_by("").await;
        let own = Token::tenant(&tenant.id, tenant.now()).sign();
        let ask = example.ask().cookie(&cookie).token(&own);
        let ask = from(ask, &[("sec-fetch-site", "same-site"), ("origin", "https://app.example.com")]);
        let answer = ask.send().await;
        assert_eq!(answer.status, example.status, "{route:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_cookie_whose_sign_in_was_ended_opens_nothing() {
    for route in guarded().filter(of_signed_in) {
        let (tenant, example) = stage(route).await;
        let cookie = tenant.signs_in_by("").await;
        for end in ["update sessions set ended_at = 1", "delete from sessions"] {
            tenant.db().execute(end, ());
            let answer = example.ask().cookie(&cookie).by_our_page().send().await;
            answer.refuses(403, "FORBIDDEN", "token_revoked");
        }
    }
}

/// What reads changes nothing, or whatever makes a browser read would change it.
#[tokio::test]
async fn what_reads_changes_nothing() {
    for route in ROUTES.iter().filter(|route| route.method == "GET") {
        let (tenant, example) = stage(route).await;
        let cookie = tenant.signs_in_by("").await;
        tenant.outside().finishes_deferred_work().await;
        // Readiness is asked of the database by writing, at most once a second; and it is.
        example.succeeds(route, &tenant).await;
        let before = tenant.db().contents();
        let sent = tenant.outside().upstreams().sent().len();
        for method in [Method::GET, Method::HEAD] {
            let token = good_tokens(route, &tenant).into_iter().next().map(|(_, token)| token.sign());
            example.ask().method(method.clone()).maybe_token(token.as_deref()).send().await;
            example.ask().method(method).cookie(&cookie).by_our_page().send().await;
        }
        tenant.outside().finishes_deferred_work().await;
        tenant.db().is_still(&before);
        assert_eq!(tenant.outside().upstreams().sent().len(), sent, "{route:?}");
    }
}
