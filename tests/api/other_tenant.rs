//! Two tabs, two tenants, and one cookie: a page says which tenant it shows, and nothing is done to another.

use http::Method;
use serde_json::json;

use crate::support::{TestApp, Token};

const SHOWN: &str = "tenantry-tenant";
const ME: &str = "/api/v1/tenants/me";

#[tokio::test]
async fn a_page_that_shows_one_tenant_does_nothing_to_another() {
    let app = TestApp::new();
    let (shown, other) = (app.signed_up("fc-nord").await, app.signed_up("fc-sued").await);
    let cookie = other.signs_in_by("").await;
    app.outside().finishes_deferred_work().await;
    let before = app.db().contents();
    let own = format!("/api/v1/tenants/{}/events", shown.id);
    for (method, path) in [
        (Method::GET, ME),
        (Method::PATCH, ME),
        (Method::GET, "/whoami"),
        (Method::POST, "/auth/logout"),
        (Method::POST, "/public/signup/brand"),
        // Which tenant it is comes before whether the route is its own.
        (Method::GET, own.as_str()),
    ] {
        for id in [shown.id.as_str(), "", "nonsense"] {
            let ask = other.browses(method.clone(), path, &cookie).header(SHOWN, id);
            let answer = ask.json(&json!({ "name": "FC Mixed" })).send().await;
            answer.fails(409, "OTHER_TENANT");
            assert_eq!(answer.header("set-cookie"), "", "{path}");
        }
    }
    app.db().is_still(&before);
}

#[tokio::test]
async fn its_own_tenant_costs_no_round_trip_more() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let cookie = tenant.signs_in_by("").await;
    let before = app.db().batches();
    let ask = tenant.browses(Method::GET, ME, &cookie).header(SHOWN, &tenant.id);
    assert_eq!(ask.send().await.is(200)["data"]["id"], tenant.id);
    assert_eq!(app.db().batches() - before, 1);
}

/// Whoever is not let in any more is told that, and not which tenant a dead sign-in was for.
#[tokio::test]
async fn a_sign_in_that_has_ended_is_refused_as_such() {
    let app = TestApp::new();
    let (shown, other) = (app.signed_up("fc-nord").await, app.signed_up("fc-sued").await);
    let cookie = other.signs_in_by("").await;
    app.db().execute("update sessions set ended_at = 1", ());
    let ask = other.browses(Method::GET, ME, &cookie).header(SHOWN, &shown.id);
    ask.send().await.refuses(403, "FORBIDDEN", "token_revoked");
}

/// An app brings the token that it means.
#[tokio::test]
async fn a_token_means_its_own_tenant_whatever_else_is_said() {
    let app = TestApp::new();
    let (shown, other) = (app.signed_up("fc-nord").await, app.signed_up("fc-sued").await);
    let me = app.get(ME).token(&other.jwt).header(SHOWN, &shown.id).send().await;
    assert_eq!(me.is(200)["data"]["id"], other.id);
    let operator = Token::operator(app.now()).sign();
    app.get("/api/v1/admin/stats").token(&operator).header(SHOWN, &shown.id).send().await.is(200);
}
