//! `GET /health`, `/health/live`, `/health/ready`, `/health/startup`, and their short names.

mod upstreams;

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use tenantry::{
    domain::{TenantId, Timestamp},
    ports::{Clock, Limit},
};

use crate::support::{Manner, TestApp};

#[tokio::test]
async fn health_says_what_runs_where_and_touches_nothing() {
    let app = TestApp::new();
    app.db().goes_down();
    let body = app.get("/health").send().await.is(200);
    assert_eq!(
        body,
        json!({
            "ok": true, "status": "ok", "version": "1.2.3", "environment": "development",
            "timestamp": "2027-01-15T08:00:12.345Z"
        })
    );
    assert_eq!((app.db().batches(), app.outside().objects().told()), (0, 0));
}

#[tokio::test]
async fn without_a_version_of_the_app_the_apis_counts() {
    let app = TestApp::with(&[("APP_VERSION", ""), ("API_VERSION", "v1")]);
    assert_eq!(app.get("/health").send().await.is(200)["version"], "v1");
}

#[tokio::test]
async fn live_is_constant() {
    let app = TestApp::with(&[("JWT_SECRET", "")]);
    app.db().goes_down();
    for path in ["/health/live", "/healthz"] {
        assert_eq!(app.get(path).send().await.is(200), json!({ "ok": true, "status": "ok" }));
    }
}

#[tokio::test]
async fn ready_asks_everything_that_a_request_may_need() {
    let app = TestApp::new();
    for path in ["/health/ready", "/readyz"] {
        let checks = json!({ "database": { "ok": true }, "provisioner": { "ok": true }, "configuration": { "ok": true } });
        assert_eq!(
            app.get(path).send().await.is(200),
            json!({ "ok": true, "status": "ready", "checks": checks, "provisioning": "on", "signups": "open" })
        );
    }
}

/// Being paused or closed is meant: nobody must be called for it.
#[tokio::test]
async fn ready_says_how_operators_set_the_switches() {
    let app = TestApp::new();
    for (name, field, word) in
        [("provisioning_enabled", "provisioning", "paused"), ("signup_enabled", "signups", "closed")]
    {
        app.db().execute("insert into feature_flags values (?1, 0, null, 0)", [name]);
        let body = app.get("/health/ready").send().await.is(200);
        assert_eq!((&body["status"], &body[field]), (&json!("ready"), &json!(word)));
    }
    app.db().goes_down();
    let body = app.get("/health/ready").send().await.is(503);
    assert_eq!((&body["provisioning"], &body["signups"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn ready_writes_a_row_of_its_own_as_well_as_it_reads() {
    let app = TestApp::new();
    let row = || app.db().rows("select value from measures where name = 'readiness_asked_at'");
    assert_eq!(row(), Vec::<Value>::new());
    for _ in 0..2 {
        app.get("/health/ready").send().await.is(200);
        assert_eq!(row(), [json!({ "value": 1_800_000_012 })]);
    }
    app.passes(1);
    app.get("/readyz").send().await.is(200);
    assert_eq!(row(), [json!({ "value": 1_800_000_013 })]);
}

#[tokio::test]
async fn it_is_not_ready_with_a_database_that_can_only_be_read() {
    let app = TestApp::new();
    let trigger = "create trigger full before insert on measures begin select raise(abort, 'disk full'); end";
    app.db().execute(trigger, ());
    assert_eq!(not_ready(&app, "/health/ready").await, told("database", "can be read, but not written"));
}

/// The one thing that is wrong, if the service is not ready for that alone.
async fn not_ready(app: &TestApp, path: &str) -> (String, String) {
    let body = app.get(path).send().await.is(503);
    assert_eq!((&body["ok"], &body["status"]), (&json!(false), &json!("unavailable")));
    let checks = body["checks"].as_object().unwrap();
    let wrong: Vec<(&String, &Value)> = checks.iter().filter(|(_, check)| check["ok"] != true).collect();
    assert_eq!(wrong.len(), 1, "{body}");
    (wrong[0].0.clone(), wrong[0].1["problem"].as_str().unwrap().to_owned())
}

fn told(check: &str, problem: &str) -> (String, String) {
    (check.to_owned(), problem.to_owned())
}

#[tokio::test]
async fn it_is_not_ready_with_the_database_down() {
    let app = TestApp::new();
    app.db().goes_down();
    assert_eq!(not_ready(&app, "/health/ready").await, told("database", "does not answer"));
}

#[tokio::test]
async fn it_does_not_wait_for_ever_for_a_silent_database() {
    let app = TestApp::new();
    app.db().falls_silent();
    assert_eq!(not_ready(&app, "/health/ready").await, told("database", "does not answer in time"));
    assert_eq!(not_ready(&app, "/health/startup").await, told("schema", "does not answer in time"));
}

#[tokio::test]
async fn checks_that_do_not_answer_share_one_time_limit() {
    let app = TestApp::new();
    app.db().falls_silent();
    app.outside().objects().becomes_slow(TenantId::new(Timestamp::from_millis(0), [0; 10]).as_str());
    let before = app.outside().now();
    let body = app.get("/health/ready").send().await.is(503);
    for check in ["database", "provisioner"] {
        assert_eq!(body["checks"][check]["problem"], "does not answer in time");
    }
    assert_eq!(app.outside().now(), before.after(Duration::from_secs(2)));
}

#[tokio::test]
async fn it_is_not_ready_without_its_objects() {
    let app = TestApp::new();
    app.outside().objects().become_(Manner::Gone);
    assert_eq!(not_ready(&app, "/health/ready").await, told("provisioner", "does not answer"));
}

#[tokio::test]
async fn it_is_neither_ready_nor_started_with_a_configuration_that_does_not_hold() {
    for (name, value, problem) in [
        ("JWT_SECRET", "short", "JWT_SECRET is shorter than 32 bytes"),
        ("JWT_SECRET", "", "JWT_SECRET is missing"),
        ("DATA_KEY", "", "DATA_KEY is missing"),
        ("GAS_HMAC_SECRET", "", "GAS_HMAC_SECRET is missing"),
        ("RESEND_API_KEY", "", "RESEND_API_KEY is missing"),
        ("ENVIRONMENT", "preview", "ADMIN_CONSOLE_URL is missing"),
        ("ENVIRONMENT", "production", "ADMIN_CONSOLE_URL is missing; EGRESS must not be bound in production"),
    ] {
        let app = TestApp::with(&[(name, value)]);
        for path in ["/health/ready", "/health/startup"] {
            assert_eq!(not_ready(&app, path).await, told("configuration", problem));
        }
    }
}

#[tokio::test]
async fn production_does_not_log_its_mails() {
    let app = TestApp::with(&[("ENVIRONMENT", "production"), ("EMAIL_PROVIDER", "log")]);
    let body = app.get("/health/ready").send().await.is(503);
    assert!(body["checks"]["configuration"]["problem"].as_str().unwrap().contains("EMAIL_PROVIDER=log"));
}

/// Nobody could prove an address.
#[tokio::test]
async fn mails_that_are_only_logged_need_no_proof() {
    let logged = ("EMAIL_PROVIDER", "log");
    let body = TestApp::with(&[logged]).get("/health/ready").send().await.is(503);
    let problem = &body["checks"]["configuration"]["problem"];
    assert_eq!(problem, "EMAIL_PROVIDER=log sends no code: it needs EMAIL_PROOF=off");
    TestApp::with(&[logged, ("EMAIL_PROOF", "off")]).get("/health/ready").send().await.is(200);
}

#[tokio::test]
async fn started_means_that_the_schema_is_the_one_this_version_needs() {
    let app = TestApp::new();
    let body = app.get("/health/startup").send().await.is(200);
    let checks = json!({ "schema": { "ok": true }, "configuration": { "ok": true } });
    assert_eq!(body, json!({ "ok": true, "status": "ok", "checks": checks }));
    app.db().execute("delete from d1_migrations where id = (select max(id) from d1_migrations)", ());
    let (check, problem) = not_ready(&app, "/health/startup").await;
    assert_eq!(check, "schema");
    assert!(problem.ends_with(" is not applied"), "{problem}");
    app.db().execute("drop table d1_migrations", ());
    assert_eq!(not_ready(&app, "/health/startup").await, told("schema", "can't be read"));
}

#[tokio::test]
async fn no_check_shows_a_secret() {
    let app = TestApp::with(&[("JWT_SECRET", "a-short-secret"), ("JWT_SECRET_NEXT", "another-short-one")]);
    let text = app.get("/health/ready").send().await.text;
    assert!(!text.contains("a-short-secret") && !text.contains("another-short-one"), "{text}");
}

#[test]
fn every_limiter_that_is_bound_is_one_that_must_be() {
    let toml = include_str!("../../../wrangler.toml");
    let bound: BTreeSet<&str> =
        toml.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).collect();
    let bound: BTreeSet<&str> = bound.into_iter().filter(|name| name.starts_with("LIMIT_")).collect();
    assert_eq!(bound, Limit::ALL.iter().map(|limit| limit.binding()).collect());
}
