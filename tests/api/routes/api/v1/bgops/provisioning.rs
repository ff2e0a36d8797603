//! `POST /api/v1/bgops/provisioning/pause` and `/resume`

use serde_json::{Value, json};

use crate::support::{Answer, TestApp, Token};

async fn switch(app: &TestApp, to: &str, body: Value) -> Answer {
    let token = Token::operator(app.now()).sign();
    app.post(&format!("/api/v1/bgops/provisioning/{to}")).token(&token).json(&body).send().await
}

async fn says(app: &TestApp) -> Value {
    app.get("/health/ready").send().await.is(200)["provisioning"].clone()
}

#[tokio::test]
async fn an_operator_pauses_provisioning_and_resumes_it_and_both_are_written_down() {
    let app = TestApp::new();
    for (to, action, word) in
        [("pause", "provisioning.pause", "paused"), ("resume", "provisioning.resume", "on")]
    {
        let answer = switch(&app, to, json!({ "reason": "the database is put back" })).await;
        let data = json!({ "provisioning": word, "changed": true });
        assert_eq!(answer.is(200), json!({ "success": true, "data": data }));
        assert_eq!(says(&app).await, word);
        let sql = format!(
            "select actor, subject, reason, request_id, occurred_at from audit_log where action = '{action}'"
        );
        let expected = json!({
            "actor": "ops", "subject": "provisioning", "reason": "the database is put back",
            "request_id": answer.header("x-request-id"), "occurred_at": app.now()
        });
        assert_eq!(app.db().row(&sql), expected);
        assert_eq!(app.log_of("operator_action").pop().unwrap().fields["action"], action);
        let again = switch(&app, to, json!({ "reason": "to be sure" })).await.is(200);
        assert_eq!(again["data"], json!({ "provisioning": word, "changed": false }));
    }
}

#[tokio::test]
async fn a_reason_must_be_given() {
    let app = TestApp::new();
    for to in ["pause", "resume"] {
        for (body, code) in [(json!({}), "required"), (json!({ "reason": "x".repeat(501) }), "too_long")] {
            let complaints = switch(&app, to, body).await.complains_about();
            assert_eq!(complaints, [("reason".to_owned(), code.to_owned())]);
        }
    }
    assert_eq!(app.db().number("select count(*) from audit_log"), 0);
    assert_eq!(says(&app).await, "on");
}

#[tokio::test]
async fn without_the_database_nothing_is_switched_and_nobody_is_told_that_it_was() {
    let app = TestApp::new();
    app.db().goes_down();
    for to in ["pause", "resume"] {
        switch(&app, to, json!({ "reason": "test" })).await.fails(503, "STORE_UNAVAILABLE");
    }
}

/// What is queued while provisioning is paused is accepted: it waits, and nobody is sent away.
#[tokio::test]
async fn a_tenant_that_is_queued_meanwhile_waits() {
    let app = TestApp::new();
    switch(&app, "pause", json!({ "reason": "maintenance" })).await.is(200);
    let tenant = app.queued("fc-nord").await;
    assert_eq!(tenant.ended().await, "processing");
}
