//! `POST /api/v1/bgops/sagas/{run}/retry`, `/cancel`, `/skip-step` and `/reset`

use serde_json::{Value, json};

use crate::support::{Answer, Manner, Reaction, TestApp, TestTenant, Token};

const ACTIONS: [&str; 4] = ["retry", "cancel", "skip-step", "reset"];

fn run_of(tenant: &TestTenant) -> String {
    tenant.outside().objects().run(&tenant.id).unwrap().id.as_str().to_owned()
}

async fn post(app: &TestApp, run: &str, action: &str, body: Value) -> Answer {
    let token = Token::operator(app.now()).sign();
    app.post(&format!("/api/v1/bgops/sagas/{run}/{action}")).token(&token).json(&body).send().await
}

async fn act(tenant: &TestTenant, action: &str) -> Answer {
    post(tenant, &run_of(tenant), action, body_of(action, "the club asked")).await
}

/// What each of them is sent.
fn body_of(action: &str, reason: impl Into<Value>) -> Value {
    let mut body = json!({ "reason": reason.into() });
    if action == "skip-step" {
        body["step"] = "validate_webhook".into();
    }
    body
}

async fn failed(app: &TestApp) -> TestTenant {
    let tenant = app.signed_up("fc-nord").await;
    tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
    tenant.waits().await;
    tenant
}

async fn waiting(app: &TestApp) -> TestTenant {
    let tenant = app.queued("fc-nord").await;
    app.outside().upstreams().next("make", [Reaction::TimesOut]);
    tenant.alarm_rings(&tenant.id).await;
    tenant
}

#[tokio::test]
async fn a_failed_run_is_tried_again() {
    let app = TestApp::new();
    let tenant = failed(&app).await;
    app.db().execute("update make_connections set webhook_url = 'https://hook.eu2.make.com/better'", ());
    let body = act(&tenant, "retry").await.is(200);
    let data =
        json!({ "runId": run_of(&tenant), "status": "processing", "step": "validate_webhook", "undo": null });
    assert_eq!(body, json!({ "success": true, "data": data }));
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}

#[tokio::test]
async fn a_run_at_work_is_stopped_and_can_be_tried_again() {
    let app = TestApp::new();
    let tenant = waiting(&app).await;
    let data = act(&tenant, "cancel").await.is(200)["data"].clone();
    assert_eq!((&data["status"], &data["step"]), (&json!("failed"), &json!("validate_webhook")));
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "CANCELLED");
    assert_eq!(app.outside().upstreams().sent_to("make").len(), 1, "nothing more was tried");
    assert_eq!(tenant.row()["status"], "trial");
    tenant.connects_make().await.is(200);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}

#[tokio::test]
async fn a_step_that_failed_is_left_out_and_the_run_goes_on_behind_it() {
    let app = TestApp::new();
    let tenant = failed(&app).await;
    let data = act(&tenant, "skip-step").await.is(200)["data"].clone();
    assert_eq!((&data["status"], &data["step"]), (&json!("processing"), &json!("create_owner")));
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
    let steps = tenant.sees_status().await.is(200)["data"]["steps"].clone();
    assert_eq!((&steps[2]["status"], &steps[2]["completedAt"]), (&json!("skipped"), &Value::Null));
    assert_eq!(app.outside().upstreams().sent_to("make").len(), 1);
}

#[tokio::test]
async fn what_a_run_is_not_in_a_state_for_is_not_done() {
    let app = TestApp::new();
    let (failed, completed) = (failed(&app).await, app.provisioned("fc-sued").await);
    for (tenant, action) in
        [(&failed, "cancel"), (&completed, "cancel"), (&completed, "retry"), (&completed, "skip-step")]
    {
        let before = tenant.outside().objects().run(&tenant.id);
        act(tenant, action).await.fails(409, "RUN_STATE_CONFLICT");
        assert_eq!(tenant.outside().objects().run(&tenant.id), before, "{action}");
    }
    act(&failed, "retry").await.is(200);
    let token = Token::operator(app.now()).sign();
    let audit = app.get("/api/v1/admin/audit").token(&token).send().await.is(200)["data"].clone();
    let entries = audit.as_array().unwrap().iter();
    let mut told: Vec<String> =
        entries.map(|entry| format!("{} {}", entry["action"], entry["data"]).replace('"', "")).collect();
    told.sort();
    // It does not say of anything that it was done which was not.
    let not_done =
        ["saga.cancel", "saga.cancel", "saga.retry"].map(|action| format!("{action} {{done:false}}"));
    assert_eq!(told[..3], not_done);
    assert_eq!(told[3..], ["saga.retry {}", "saga.skip_step {done:false}"]);
    let app = TestApp::new();
    let waiting = waiting(&app).await;
    act(&waiting, "skip-step").await.fails(409, "RUN_STATE_CONFLICT");
    act(&waiting, "retry").await.fails(409, "RUN_STATE_CONFLICT");
}

#[tokio::test]
async fn a_run_that_never_was_is_not_found_and_nothing_is_written_down() {
    let app = TestApp::new();
    let before = app.db().contents();
    for action in ACTIONS {
        for run in ["run_never", "nonsense"] {
            post(&app, run, action, body_of(action, "typo")).await.fails(404, "RUN_NOT_FOUND");
        }
    }
    app.db().is_still(&before);
}

#[tokio::test]
async fn a_reason_must_be_given() {
    let app = TestApp::new();
    let tenant = failed(&app).await;
    for action in ACTIONS {
        for (reason, code) in [
            (Value::Null, "required"),
            (json!("  "), "required"),
            (json!(7), "invalid_type"),
            (json!("x".repeat(501)), "too_long"),
        ] {
            let body = body_of(action, reason);
            let complaints = post(&app, &run_of(&tenant), action, body).await.complains_about();
            assert_eq!(complaints, [("reason".to_owned(), code.to_owned())]);
        }
    }
    assert_eq!(app.db().number("select count(*) from audit_log"), 0);
}

#[tokio::test]
async fn it_is_written_down_who_did_what_and_why() {
    for (action, word) in
        [("retry", "saga.retry"), ("cancel", "saga.cancel"), ("skip-step", "saga.skip_step")]
    {
        let app = TestApp::new();
        let tenant = if action == "cancel" { waiting(&app).await } else { failed(&app).await };
        let answer = act(&tenant, action).await;
        answer.is(200);
        let row =
            app.db().row("select actor, action, subject, reason, request_id, occurred_at from audit_log");
        assert_eq!(
            row,
            json!({
                "actor": "ops", "action": word, "subject": run_of(&tenant), "reason": "the club asked",
                "request_id": answer.header("x-request-id"), "occurred_at": app.now()
            })
        );
        let line = app.log_of("operator_action").pop().unwrap();
        assert_eq!((&line.fields["action"], &line.fields["runId"]), (&json!(word), &json!(run_of(&tenant))));
    }
}

/// The sweep looks at what D1 knows to be at work.
#[tokio::test]
async fn what_an_operator_started_is_found_although_its_alarm_was_lost() {
    for action in ["retry", "skip-step"] {
        let app = TestApp::new();
        let tenant = failed(&app).await;
        act(&tenant, action).await.is(200);
        app.outside().objects().loses_the_alarm(&tenant.id);
        app.passes(61);
        tenantry::app::sweep::run(&app.app).await;
        assert!(app.outside().objects().alarm(&tenant.id).is_some(), "{action}");
    }
}

#[tokio::test]
async fn an_object_that_does_not_answer_is_told_and_asking_again_is_safe() {
    let app = TestApp::new();
    let tenant = waiting(&app).await;
    app.outside().objects().become_(Manner::Mute);
    let answer = act(&tenant, "cancel").await;
    answer.fails(503, "PROVISIONER_UNAVAILABLE");
    app.outside().objects().become_(Manner::Obedient);
    act(&tenant, "cancel").await.fails(409, "RUN_STATE_CONFLICT");
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "CANCELLED");
}
