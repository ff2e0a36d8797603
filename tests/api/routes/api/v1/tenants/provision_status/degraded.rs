//! The status while the database is down: from the object, for the tenant's own token, and for nobody else.

use serde_json::{Value, json};

use crate::support::{Manner, Reaction, TestApp, Token, keys};

#[tokio::test]
async fn a_tenant_still_sees_how_far_it_is() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let healthy = tenant.sees_status().await.is(200);
    app.db().goes_down();
    let answer = tenant.sees_status().await;
    let body = answer.is(200);
    assert_eq!(body["data"]["degraded"], true);
    assert_eq!(keys(&body), ["data", "status", "success"]);
    for field in ["status", "plan", "progress", "step", "currentStep", "reason", "error", "runId", "warnings"]
    {
        assert_eq!(body["data"][field], healthy["data"][field], "{field}");
    }
    assert_eq!((&body["status"], &body["data"]["updatedAt"]), (&json!("completed"), &Value::Null));
    assert!(!answer.header("etag").is_empty());
    let line = app.log_of("provision_status_degraded").pop().unwrap();
    assert_eq!((&line.fields["level"], &line.fields["tenantId"]), (&json!("warn"), &json!(tenant.id)));
    assert_eq!(line.fields["requestId"], answer.header("x-request-id"));
}

#[tokio::test]
async fn every_state_of_a_run_can_be_told() {
    for (reaction, status, reason) in [
        (Reaction::TimesOut, "processing", Value::Null),
        (Reaction::Answers(410, ""), "failed", json!("WEBHOOK_REJECTED")),
        (Reaction::Healthy, "completed", Value::Null),
    ] {
        let app = TestApp::new();
        let tenant = app.queued("fc-nord").await;
        app.outside().upstreams().always("make", reaction);
        app.alarm_rings(&tenant.id).await;
        app.db().goes_down();
        let answer = tenant.sees_status().await;
        let data = answer.is(200)["data"].clone();
        assert_eq!((&data["status"], &data["reason"]), (&json!(status), &reason));
        assert_eq!(!answer.header("retry-after").is_empty(), status == "processing");
    }
}

#[tokio::test]
async fn nobody_but_the_tenant_itself_is_answered() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let other = app.signed_up("fc-sued").await;
    app.db().goes_down();
    let told = app.outside().objects().told();
    for token in [Token::operator(app.now()), Token::service(app.now())] {
        let answer = app.get(&tenant.status_path()).token(&token.sign()).send().await;
        answer.fails(503, "STORE_UNAVAILABLE");
    }
    other.gets(&tenant.status_path()).send().await.refuses(403, "FORBIDDEN", "tenant_mismatch");
    for token in [
        Token::tenant(&tenant.id, app.now()).under("another-secret-of-more-than-32-bytes"),
        Token::tenant(&tenant.id, app.now()).with("exp", app.now() - 301),
    ] {
        app.get(&tenant.status_path()).token(&token.sign()).send().await.fails(401, "INVALID_TOKEN");
    }
    assert_eq!(app.outside().objects().told(), told, "the object is not even asked");
}

#[tokio::test]
async fn what_the_object_cannot_say_is_not_made_up() {
    let app = TestApp::new();
    let never = app.signed_up("fc-nord").await;
    let tenant = app.provisioned("fc-sued").await;
    app.db().goes_down();
    never.sees_status().await.fails(503, "STORE_UNAVAILABLE");
    app.outside().objects().become_(Manner::Gone);
    let answer = tenant.sees_status().await;
    answer.fails(503, "STORE_UNAVAILABLE");
    assert_eq!(answer.header("retry-after"), "5");
}

#[tokio::test]
async fn a_database_that_is_there_again_is_asked_again() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    app.db().goes_down();
    let degraded = tenant.sees_status().await.header("etag").to_owned();
    app.db().comes_up();
    let answer = tenant.gets(&tenant.status_path()).header("if-none-match", &degraded).send().await;
    assert_eq!(answer.is(200)["data"].get("degraded"), None);
}
