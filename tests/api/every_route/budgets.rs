//! How many round trips a request costs: what a user waits for.

use tenantry::{
    domain::Upstream,
    http::router::{ROUTES, Route},
};

use super::stage;
use crate::support::{TestApp, signup};

/// D1 batches, calls to objects and outside calls before the answer. One batch is what a route may cost that is not named
/// here.
fn budget(route: &Route) -> (usize, usize, usize) {
    match route.path {
        "/api/v1/admin/tenants/{id}" if route.method == "DELETE" => (1, 1, 0),
        "/health" | "/health/live" | "/healthz" => (0, 0, 0),
        "/health/ready" | "/readyz" => (1, 1, 0),
        "/public/signup/starter/make"
        | "/public/signup/pro/confirm"
        | "/api/v1/tenants/{id}/provision/retry"
        | "/api/v1/bgops/sagas/{run}/retry"
        | "/api/v1/bgops/sagas/{run}/skip-step"
        | "/internal/provision/queue"
        | "/internal/provision/retry" => (1, 1, 0),
        // Whether it was too late is asked afterwards; the object asks what D1 shows.
        "/api/v1/bgops/sagas/{run}/cancel" | "/api/v1/bgops/sagas/{run}/reset" => (2, 1, 0),
        "/api/v1/tenants/{id}/webhook/test" => (1, 0, 1),
        "/api/v1/bgops/upstreams/{name}/open" | "/api/v1/bgops/upstreams/{name}/close" => (1, 1, 0),
        // One breaker for each, all at once.
        "/api/v1/bgops/upstreams" | "/metrics" => (1, Upstream::ALL.len(), 0),
        _ => (1, 0, 0),
    }
}

#[tokio::test]
async fn no_route_costs_more_than_its_budget() {
    for route in ROUTES {
        let (tenant, example) = stage(route).await;
        let count = || {
            let outside = tenant.outside();
            let told = outside.objects().told() + outside.breakers().told();
            (tenant.db().batches(), told, outside.upstreams().sent().len())
        };
        let before = count();
        example.succeeds(route, &tenant).await;
        let after = count();
        let spent = (after.0 - before.0, after.1 - before.1, after.2 - before.2);
        assert_eq!(spent, budget(route), "{}", route.path);
    }
}

#[tokio::test]
async fn a_signup_is_one_batch_however_it_ends() {
    let app = TestApp::new();
    app.has_promo("SPRING", 10, &[]);
    let mut form = signup("fc-nord");
    form["promoCode"] = "SPRING".into();
    let mut taken = signup("fc-nord");
    taken["email"] = "other@example.org".into();
    for (form, key) in [(&form, "a"), (&form, "a"), (&form, "b"), (&taken, "a"), (&taken, "c")] {
        let before = app.db().batches();
        app.post("/public/signup/start").header("idempotency-key", key).json(form).send().await;
        assert_eq!(app.db().batches(), before + 1);
    }
    let before = app.db().batches();
    app.signs_up(&form).await.is(409);
    assert_eq!(app.db().batches(), before + 2, "a replay without a key asks for a link like anybody else");
}
