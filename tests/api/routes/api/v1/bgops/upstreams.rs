//! `GET /api/v1/bgops/upstreams`, `POST /{name}/open` and `POST /{name}/close`

use serde_json::{Value, json};
use tenantry::{
    domain::Upstream,
    ports::Objects,
    workflow::breaker::{BreakerCommand, HealthSignal, Request, RequesterId},
};

use crate::support::{Answer, Manner, TestApp, Token};

const PATH: &str = "/api/v1/bgops/upstreams";

async fn list(app: &TestApp) -> Answer {
    app.get(PATH).token(&Token::operator(app.now()).sign()).send().await
}

async fn moves(app: &TestApp, name: &str, how: &str, body: Value) -> Answer {
    let token = Token::operator(app.now()).sign();
    app.post(&format!("{PATH}/{name}/{how}")).token(&token).json(&body).send().await
}

async fn close(app: &TestApp, name: &str, body: Value) -> Answer {
    moves(app, name, "close", body).await
}

async fn open(app: &TestApp, name: &str, body: Value) -> Answer {
    moves(app, name, "open", body).await
}

/// So many runs failed.
async fn fails(app: &TestApp, upstream: Upstream, times: usize) {
    for n in 0..times {
        let verdict = HealthSignal::Failed { retry_after: None, own: false };
        let command =
            BreakerCommand::Report { run: RequesterId::of(&format!("run_{n}")), verdict, watched: true };
        app.outside().send_breaker_command(&Request { upstream, command }).await.unwrap();
    }
}

async fn asks(app: &TestApp, upstream: Upstream, cost: u32) {
    let command =
        BreakerCommand::Admit { run: RequesterId::of("run_asks"), cost, tenant: None, has_failed: false };
    app.outside().send_breaker_command(&Request { upstream, command }).await.unwrap();
}

#[tokio::test]
async fn every_upstream_is_shown_as_its_breaker_sees_it() {
    let app = TestApp::new();
    let quiet = |name: &str| {
        json!({
            "upstream": name, "state": "closed", "failures": 0, "since": null, "heldOpen": false,
            "nextProbeAt": null, "closedAt": null
        })
    };
    fails(&app, Upstream::Make, 2).await;
    fails(&app, Upstream::AppsScript, 10).await;
    fails(&app, Upstream::Resend, 10).await;
    asks(&app, Upstream::Cloudflare, 3).await;
    app.passes(31);
    asks(&app, Upstream::Resend, 1).await;
    let body = list(&app).await.is(200);
    let since = "2027-01-15T08:00:12.345Z";
    let (mut make, mut script, mut resend) = (quiet("make"), quiet("apps_script"), quiet("resend"));
    let mut cloudflare = quiet("cloudflare");
    (make["failures"], make["since"]) = (json!(2), json!(since));
    (script["state"], script["failures"], script["since"]) = (json!("open"), json!(10), json!(since));
    script["nextProbeAt"] = json!("2027-01-15T08:00:42.345Z");
    (resend["state"], resend["failures"], resend["since"]) = (json!("half_open"), json!(10), json!(since));
    script["atOnce"] = json!({ "used": 0, "calls": 25 });
    resend["budget"] = json!({ "used": 1, "calls": 2, "windowSeconds": 1 });
    cloudflare["budget"] = json!({ "used": 3, "calls": 1200, "windowSeconds": 300 });
    let data = [make, script, quiet("google"), resend, cloudflare];
    assert_eq!(body, json!({ "success": true, "data": data }));
}

#[tokio::test]
async fn a_breaker_that_does_not_answer_is_shown_as_unknown() {
    let app = TestApp::new();
    app.outside().breakers().become_(Manner::Gone);
    let data = list(&app).await.is(200)["data"].clone();
    assert_eq!(data.as_array().unwrap().len(), Upstream::ALL.len());
    for one in data.as_array().unwrap() {
        assert_eq!((&one["state"], &one["failures"]), (&json!("unknown"), &Value::Null));
    }
    assert_eq!(data[4]["budget"], json!({ "used": null, "calls": 1200, "windowSeconds": 300 }));
    assert_eq!(data[1]["atOnce"], json!({ "used": null, "calls": 25 }));
}

#[tokio::test]
async fn budgets_are_shown_as_they_are_configured() {
    let app = TestApp::with(&[("RESEND_CALLS_PER_SECOND", "10"), ("APPS_SCRIPT_AT_ONCE", "30")]);
    asks(&app, Upstream::AppsScript, 1).await;
    let data = list(&app).await.is(200)["data"].clone();
    assert_eq!(data[1]["atOnce"], json!({ "used": 1, "calls": 30 }));
    assert_eq!(data[3]["budget"], json!({ "used": 0, "calls": 10, "windowSeconds": 1 }));
}

#[tokio::test]
async fn without_a_database_nobody_is_let_in() {
    let app = TestApp::new();
    app.db().goes_down();
    list(&app).await.fails(503, "STORE_UNAVAILABLE");
    for how in ["open", "close"] {
        moves(&app, "make", how, json!({ "reason": "it is back" })).await.fails(503, "STORE_UNAVAILABLE");
    }
    assert_eq!(app.outside().breakers().told(), 0);
}

#[tokio::test]
async fn an_open_breaker_does_not_make_the_service_unready() {
    let app = TestApp::new();
    fails(&app, Upstream::AppsScript, 10).await;
    app.get("/health/ready").send().await.is(200);
}

#[tokio::test]
async fn an_operator_closes_a_breaker_and_it_is_written_down() {
    let app = TestApp::new();
    fails(&app, Upstream::AppsScript, 10).await;
    let answer = close(&app, "apps_script", json!({ "reason": "Google says it is back" })).await;
    let data = json!({ "upstream": "apps_script", "state": "closed", "changed": true });
    assert_eq!(answer.is(200), json!({ "success": true, "data": data }));
    let shown = list(&app).await.is(200)["data"][1].clone();
    assert_eq!((&shown["state"], &shown["closedAt"]), (&json!("closed"), &json!("2027-01-15T08:00:12.345Z")));
    let row = app.db().row("select actor, action, subject, reason, request_id, occurred_at from audit_log");
    assert_eq!(
        row,
        json!({
            "actor": "ops", "action": "upstream.close", "subject": "upstream_apps_script",
            "reason": "Google says it is back", "request_id": answer.header("x-request-id"), "occurred_at": app.now()
        })
    );
    let line = app.log_of("operator_action").pop().unwrap();
    assert_eq!(
        (&line.fields["action"], &line.fields["upstream"]),
        (&json!("upstream.close"), &json!("apps_script"))
    );
    assert_eq!(app.log_of("circuit_closed")[0].fields["upstream"], "apps_script");
}

#[tokio::test]
async fn an_operator_opens_a_breaker_until_somebody_closes_it() {
    let app = TestApp::new();
    let reason = json!({ "reason": "maintenance until noon" });
    let answer = open(&app, "apps_script", reason.clone()).await;
    let data = json!({ "upstream": "apps_script", "state": "open", "changed": true });
    assert_eq!(answer.is(200), json!({ "success": true, "data": data }));
    let audited = app.db().row("select actor, action, subject, reason, request_id from audit_log");
    assert_eq!(
        audited,
        json!({
            "actor": "ops", "action": "upstream.open", "subject": "upstream_apps_script",
            "reason": "maintenance until noon", "request_id": answer.header("x-request-id")
        })
    );
    let line = app.log_of("operator_action").pop().unwrap();
    assert_eq!(
        (&line.fields["action"], &line.fields["upstream"]),
        (&json!("upstream.open"), &json!("apps_script"))
    );
    assert_eq!(app.log_of("circuit_opened")[0].fields["heldOpen"], true);
    app.passes(3600);
    asks(&app, Upstream::AppsScript, 1).await;
    let shown = list(&app).await.is(200)["data"][1].clone();
    assert_eq!(
        (&shown["state"], &shown["heldOpen"], &shown["nextProbeAt"], &shown["since"]),
        (&json!("open"), &json!(true), &Value::Null, &json!("2027-01-15T08:00:12.345Z"))
    );
    assert_eq!(open(&app, "apps_script", reason.clone()).await.is(200)["data"]["changed"], false);
    assert_eq!(close(&app, "apps_script", reason).await.is(200)["data"]["changed"], true);
    let shown = list(&app).await.is(200)["data"][1].clone();
    assert_eq!((&shown["state"], &shown["heldOpen"]), (&json!("closed"), &json!(false)));
}

#[tokio::test]
async fn closing_a_closed_one_changes_nothing_but_forgets_what_it_counted() {
    let app = TestApp::new();
    fails(&app, Upstream::Make, 9).await;
    let data = close(&app, "make", json!({ "reason": "to be sure" })).await.is(200)["data"].clone();
    assert_eq!(data["changed"], false);
    assert_eq!(app.outside().breakers().of(Upstream::Make).failures(), 0);
    assert!(app.log_of("circuit_closed").is_empty());
}

#[tokio::test]
async fn closing_gives_no_budget_back() {
    let app = TestApp::new();
    asks(&app, Upstream::Cloudflare, 7).await;
    close(&app, "cloudflare", json!({ "reason": "to be sure" })).await.is(200);
    assert_eq!(list(&app).await.is(200)["data"][4]["budget"]["used"], 7);
}

#[tokio::test]
async fn a_reason_must_be_given() {
    let app = TestApp::new();
    for (body, code) in [
        (json!({}), "required"),
        (json!({ "reason": "  " }), "required"),
        (json!({ "reason": 7 }), "invalid_type"),
        (json!({ "reason": "x".repeat(501) }), "too_long"),
    ] {
        for how in ["open", "close"] {
            let complaints = moves(&app, "make", how, body.clone()).await.complains_about();
            assert_eq!(complaints, [("reason".to_owned(), code.to_owned())]);
        }
    }
    assert_eq!(app.db().number("select count(*) from audit_log"), 0);
}

#[tokio::test]
async fn an_upstream_that_there_is_not_is_not_found_and_nothing_is_written_down() {
    let app = TestApp::new();
    for name in ["never", "MAKE", "%ff", "google_token"] {
        for how in ["open", "close"] {
            moves(&app, name, how, json!({ "reason": "typo" })).await.fails(404, "UPSTREAM_NOT_FOUND");
        }
    }
    assert_eq!(app.db().number("select count(*) from audit_log"), 0);
    assert_eq!(app.outside().breakers().told(), 0);
}

#[tokio::test]
async fn a_breaker_that_does_not_answer_is_told_and_asking_again_is_safe() {
    let app = TestApp::new();
    fails(&app, Upstream::Make, 10).await;
    app.outside().breakers().become_(Manner::Mute);
    let answer = close(&app, "make", json!({ "reason": "it is back" })).await;
    answer.fails(503, "BREAKER_UNAVAILABLE");
    assert_eq!(answer.header("retry-after"), "5");
    app.outside().breakers().become_(Manner::Obedient);
    let data = close(&app, "make", json!({ "reason": "it is back" })).await.is(200)["data"].clone();
    assert_eq!(data["changed"], false, "it was closed the first time");
    app.outside().breakers().become_(Manner::Gone);
    open(&app, "make", json!({ "reason": "maintenance" })).await.fails(503, "BREAKER_UNAVAILABLE");
}
