//! `GET /api/v1/tenants/{id}/provision-status`

mod degraded;

use serde_json::{Value, json};
use tenantry::domain::{Plan, Step};

use crate::support::{Reaction, TestApp, TestTenant, Token, keys};

const DATA: [&str; 16] = [
    "checkpoints",
    "completedAt",
    "currentStep",
    "error",
    "plan",
    "progress",
    "reason",
    "resumeAt",
    "runId",
    "startedAt",
    "status",
    "step",
    "steps",
    "updatedAt",
    "warnings",
    "",
];

/// Asserts what holds for the shape in every state, and answers `data`.
fn data(body: &Value) -> Value {
    assert_eq!(keys(body), ["data", "status", "success"]);
    let data = &body["data"];
    let known: Vec<&str> = DATA.into_iter().filter(|key| !key.is_empty()).collect();
    assert_eq!(keys(data), known);
    assert_eq!((&body["status"], &data["step"]), (&data["status"], &data["currentStep"]));
    let steps = data["steps"].as_array().unwrap();
    assert_eq!(data["checkpoints"].as_object().unwrap().len(), steps.len());
    for step in steps {
        assert_eq!(
            keys(step),
            ["attempts", "completedAt", "error", "name", "retryAt", "startedAt", "status"]
        );
        let checkpoint = &data["checkpoints"][step["name"].as_str().unwrap()];
        let same = json!({ "status": step["status"], "attempts": step["attempts"], "error": step["error"] });
        assert_eq!(*checkpoint, same);
    }
    data.clone()
}

fn names(data: &Value, status: &str) -> Vec<String> {
    let steps = data["steps"].as_array().unwrap().iter();
    steps
        .filter(|step| step["status"] == status)
        .map(|step| step["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn before_anything_was_queued_it_is_pending() {
    let app = TestApp::new();
    for (tenant, plan) in
        [(app.signed_up("fc-nord").await, Plan::Starter), (app.signed_up_pro("fc-sued").await, Plan::Pro)]
    {
        let answer = tenant.sees_status().await;
        let data = data(&answer.is(200));
        assert_eq!((&data["status"], &data["progress"]), (&json!("pending"), &json!(0)));
        assert_eq!(names(&data, "pending").len(), Step::of(plan).len());
        for empty in ["step", "reason", "error", "startedAt", "completedAt", "runId", "updatedAt", "resumeAt"]
        {
            assert_eq!(data[empty], Value::Null, "{empty}");
        }
        assert_eq!((answer.header("retry-after"), answer.header("cache-control")), ("", "private, no-cache"));
    }
}

#[tokio::test]
async fn the_steps_are_those_of_the_plan_in_their_order() {
    let app = TestApp::new();
    for (tenant, plan) in
        [(app.signed_up("fc-nord").await, Plan::Starter), (app.signed_up_pro("fc-sued").await, Plan::Pro)]
    {
        let order: Vec<&str> = Step::of(plan).iter().map(|step| step.as_str()).collect();
        assert_eq!(names(&data(&tenant.sees_status().await.is(200)), "pending"), order);
    }
}

#[tokio::test]
async fn once_queued_it_is_processing_and_says_when_to_ask_again() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    let answer = tenant.sees_status().await;
    assert_eq!(data(&answer.is(200))["status"], "processing");
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn while_a_step_waits_it_says_for_what_and_until_when() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    app.outside().upstreams().always("make", Reaction::AsksToWait(503, "20"));
    app.alarm_rings(&tenant.id).await;
    let answer = tenant.sees_status().await;
    let data = data(&answer.is(200));
    assert_eq!((&data["status"], &data["step"]), (&json!("processing"), &json!("validate_webhook")));
    assert_eq!(data["progress"], 2 * 100 / 6);
    assert_eq!(names(&data, "completed"), ["seed_defaults", "configure_routing"]);
    let step = &data["steps"][2];
    assert_eq!((&step["status"], &step["attempts"]), (&json!("running"), &json!(1)));
    assert_eq!(step["retryAt"], "2027-01-15T08:00:32.000Z");
    assert_eq!(
        step["error"],
        json!({ "code": "SERVER_ERROR", "message": "The other side has a problem of its own." })
    );
    assert_eq!(answer.header("retry-after"), "19", "until the next attempt");
    app.outside().upstreams().always("make", Reaction::AsksToWait(503, "600"));
    app.alarm_rings(&tenant.id).await;
    assert_eq!(tenant.sees_status().await.header("retry-after"), "30", "but not for ever");
}

#[tokio::test]
async fn a_completed_run_says_when_and_how() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let answer = tenant.sees_status().await;
    let data = data(&answer.is(200));
    assert_eq!((&data["status"], &data["progress"]), (&json!("completed"), &json!(100)));
    assert_eq!((&data["step"], &data["reason"], &data["error"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!((&data["plan"], &data["warnings"]), (&json!("starter"), &json!([])));
    assert_eq!(data["startedAt"], "2027-01-15T08:00:12.000Z");
    assert_eq!(data["completedAt"], "2027-01-15T08:00:12.000Z");
    assert_eq!(data["runId"], app.outside().objects().run(&tenant.id).unwrap().id.as_str());
    assert_eq!(names(&data, "completed").len(), 6);
    for step in data["steps"].as_array().unwrap() {
        assert_eq!(
            (&step["attempts"], &step["error"], &step["retryAt"]),
            (&json!(1), &Value::Null, &Value::Null)
        );
        assert!(step["startedAt"].is_string() && step["completedAt"].is_string());
    }
    assert_eq!(answer.header("retry-after"), "");
    assert_eq!(tenant.row()["status"], "active");
}

#[tokio::test]
async fn a_failed_run_says_why_in_a_word_and_a_sentence() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
    tenant.waits().await;
    let answer = tenant.sees_status().await;
    let data = data(&answer.is(200));
    assert_eq!((&data["status"], &data["reason"]), (&json!("failed"), &json!("WEBHOOK_REJECTED")));
    let message =
        "Make says that nothing listens on this webhook. Check the address, and switch the scenario on.";
    assert_eq!(data["error"], message);
    assert_eq!((&data["step"], &data["progress"]), (&json!("validate_webhook"), &json!(33)));
    assert_eq!(names(&data, "failed"), ["validate_webhook"]);
    assert_eq!(names(&data, "pending"), ["create_owner", "send_welcome_email", "activate"]);
    assert_eq!(data["steps"][2]["error"], json!({ "code": "WEBHOOK_REJECTED", "message": message }));
    assert_eq!((answer.header("retry-after"), &data["completedAt"]), ("", &Value::Null));
    assert_eq!(data["resumeAt"], Value::Null, "nobody but the club can mend it");
}

async fn failed_for_an_outage(app: &TestApp) -> TestTenant {
    let tenant = app.queued("fc-nord").await;
    app.outside().upstreams().always("make", Reaction::Answers(503, ""));
    tenant.waits().await;
    tenant
}

/// Whoever sees the failure learns that nobody has to press anything; the object knows it too while the database is down.
#[tokio::test]
async fn a_run_that_an_outage_ended_says_when_the_service_goes_on_by_itself() {
    let app = TestApp::new();
    let tenant = failed_for_an_outage(&app).await;
    let told = data(&tenant.sees_status().await.is(200));
    assert_eq!((&told["status"], &told["reason"]), (&json!("failed"), &json!("UPSTREAM_UNAVAILABLE")));
    let at = app.outside().objects().run(&tenant.id).unwrap().resume_at().unwrap();
    let to_the_second = |told: &Value| told["resumeAt"].as_str().unwrap()[..19].to_owned();
    assert_eq!(to_the_second(&told), at.rfc3339()[..19]);
    app.db().goes_down();
    assert_eq!(to_the_second(&tenant.sees_status().await.is(200)["data"]), at.rfc3339()[..19]);
    app.db().comes_up();
    tenant.retries().await.is(200);
    assert_eq!(data(&tenant.sees_status().await.is(200))["resumeAt"], Value::Null, "it is at work");
}

/// What the sweep will not take up is not promised.
#[tokio::test]
async fn what_does_not_go_on_by_itself_promises_nothing() {
    for change in [
        "update tenants set resume_at = null",
        "update tenants set status = 'suspended'",
        "update tenants set undo_state = 'undoing'",
        "update tenants set status = 'active', provisioned_at = unixepoch()",
    ] {
        let app = TestApp::new();
        let tenant = failed_for_an_outage(&app).await;
        app.db().execute(change, ());
        let seen = app.get(&tenant.status_path()).token(&Token::operator(app.now()).sign()).send().await;
        assert_eq!(data(&seen.is(200))["resumeAt"], Value::Null, "{change}");
    }
}

#[tokio::test]
async fn a_welcome_mail_that_was_given_up_is_a_warning_until_another_is_on_its_way() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    app.outside().upstreams().next("resend", [Reaction::Answers(422, r#"{"name":"validation_error"}"#)]);
    assert_eq!(data(&tenant.sees_status().await.is(200))["warnings"], json!([]), "it may yet arrive");
    tenant.mails_leave().await;
    let told = data(&tenant.sees_status().await.is(200));
    assert_eq!((&told["status"], &told["progress"]), (&json!("completed"), &json!(100)));
    let message = "The welcome mail could not be delivered. Ask for another one, or for a link to sign in.";
    assert_eq!(told["warnings"], json!([{ "code": "EMAIL_REJECTED", "message": message }]));
    assert_eq!(names(&told, "completed").len(), 6);
    assert_eq!((&told["reason"], &told["error"]), (&Value::Null, &Value::Null));
    let path = format!("/api/v1/tenants/{}/welcome/resend", tenant.id);
    tenant.post(&path).token(&tenant.jwt).send().await.is(202);
    assert_eq!(data(&tenant.sees_status().await.is(200))["warnings"], json!([]));
    tenant.mails_leave().await;
    assert_eq!(data(&tenant.sees_status().await.is(200))["warnings"], json!([]));
}

#[tokio::test]
async fn a_welcome_mail_that_found_nobody_for_a_day_is_a_warning() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    app.outside().upstreams().always("resend", Reaction::TimesOut);
    tenant.mails_leave().await;
    let told = data(&tenant.sees_status().await.is(200));
    assert_eq!(told["warnings"][0]["code"], "UPSTREAM_UNAVAILABLE");
}

/// An older version left the warning with the run.
#[tokio::test]
async fn a_warning_of_an_older_version_is_told_still() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let warning = json!({ "code": "EMAIL_REJECTED", "message": "The mail could not be sent (status 422)." });
    app.db().execute("update provision_runs set warnings = ?1", [json!([warning]).to_string()]);
    assert_eq!(data(&tenant.sees_status().await.is(200))["warnings"], json!([warning]));
}

/// The runbook's manual fix, which the predecessor's status ignored.
#[tokio::test]
async fn what_an_operator_completed_by_hand_is_completed() {
    let app = TestApp::new();
    let failed = app.signed_up("fc-nord").await;
    failed.connects("https://hook.eu2.make.com/gone").await.is(200);
    failed.waits().await;
    let never = app.signed_up("fc-sued").await;
    for tenant in [&failed, &never] {
        app.db().execute(
            "UPDATE tenants SET status='active', provisioned_at=unixepoch() WHERE id=?1",
            [&tenant.id],
        );
        let data = data(&tenant.sees_status().await.is(200));
        assert_eq!((&data["status"], &data["progress"]), (&json!("completed"), &json!(100)));
        assert_eq!(
            (&data["reason"], &data["error"], &data["step"]),
            (&Value::Null, &Value::Null, &Value::Null)
        );
        assert!(data["completedAt"].is_string());
    }
}

#[tokio::test]
async fn progress_never_goes_back_while_a_run_goes_on() {
    let app = TestApp::new();
    let tenant = app.signed_up_pro("fc-nord").await;
    for upstream in ["apps_script", "resend"] {
        app.outside().upstreams().next(upstream, [Reaction::TimesOut, Reaction::Breaks]);
    }
    tenant.confirms_pro().await.is(200);
    let mut progress = 0;
    loop {
        let seen = tenant.sees_status().await.is(200)["data"]["progress"].as_i64().unwrap();
        assert!(seen >= progress, "{seen} after {progress}");
        progress = seen;
        if !app.alarm_rings(&tenant.id).await {
            break;
        }
    }
    assert_eq!(progress, 100);
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let first = tenant.sees_status().await;
    let etag = first.header("etag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 10, "{etag}");
    let ask = |known: &str| tenant.gets(&tenant.status_path()).header("if-none-match", known).send();
    for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
        let answer = ask(&known).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (304, ""), "{known}");
        assert_eq!(
            (answer.header("etag"), answer.header("cache-control")),
            (etag.as_str(), "private, no-cache")
        );
    }
    for known in ["\"other\"", "", &etag[1..]] {
        assert_eq!(ask(known).await.status, 200, "{known}");
    }
}

#[tokio::test]
async fn every_change_has_a_tag_of_its_own() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let mut tags = std::collections::BTreeSet::new();
    tags.insert(tenant.sees_status().await.header("etag").to_owned());
    app.outside().upstreams().next("make", [Reaction::TimesOut]);
    tenant.connects_make().await.is(200);
    tags.insert(tenant.sees_status().await.header("etag").to_owned());
    app.alarm_rings(&tenant.id).await;
    tags.insert(tenant.sees_status().await.header("etag").to_owned());
    tenant.waits().await;
    tags.insert(tenant.sees_status().await.header("etag").to_owned());
    assert_eq!(tags.len(), 4);
}

#[tokio::test]
async fn an_unchanged_answer_still_says_when_to_ask_again() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    let etag = tenant.sees_status().await.header("etag").to_owned();
    let answer = tenant.gets(&tenant.status_path()).header("if-none-match", &etag).send().await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (304, "1"));
}

#[tokio::test]
async fn operators_and_machines_see_every_tenant() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let own = tenant.sees_status().await.is(200);
    for token in [Token::operator(app.now()), Token::service(app.now())] {
        assert_eq!(app.get(&tenant.status_path()).token(&token.sign()).send().await.is(200), own);
    }
}

/// The predecessor logged a false denial for every ordinary poll.
#[tokio::test]
async fn an_ordinary_poll_is_one_line_in_the_log() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    let before = app.log_words().len();
    tenant.sees_status().await.is(200);
    assert_eq!(app.log_words().get(before..).unwrap(), ["request"]);
}
