//! `POST /api/v1/admin/tenant/webhook`

use serde_json::{Value, json};

use super::{audited, post};
use crate::support::{Answer, Manner, Reaction, TestApp, TestTenant, Token, WEBHOOK_SECRET};

const CORRECT: &str = "https://hook.us1.make.com/correct-url";

async fn correct(app: &TestApp, body: Value) -> Answer {
    post(app, "/tenant/webhook", body).await
}

/// As the operators' runbook prints it: without a secret, and without a reason.
async fn as_printed(tenant: &TestTenant) -> Answer {
    correct(tenant, json!({ "tenant": tenant.id, "make_webhook_url": CORRECT })).await
}

async fn failed(app: &TestApp) -> TestTenant {
    let tenant = app.signed_up("fc-nord").await;
    tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "WEBHOOK_REJECTED");
    tenant
}

fn stored(app: &TestApp) -> Value {
    app.db().row("select webhook_url, webhook_secret, validated_at from make_connections")
}

#[tokio::test]
async fn a_run_that_failed_on_its_webhook_resumes_with_the_correct_one() {
    let app = TestApp::new();
    let tenant = failed(&app).await;
    let run = tenant.outside().objects().run(&tenant.id).unwrap().id;
    let secret = stored(&app)["webhook_secret"].clone();
    let answer = as_printed(&tenant).await.is(200);
    assert_eq!(
        answer,
        json!({ "success": true, "data": {
            "tenant": tenant.id, "makeWebhookUrl": CORRECT, "resumed": true, "runId": run.as_str()
        } })
    );
    assert_eq!(
        stored(&app),
        json!({ "webhook_url": CORRECT, "webhook_secret": secret, "validated_at": null })
    );
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
    let ping = app.outside().upstreams().sent_to("make").pop().unwrap();
    assert_eq!(ping.call.url, CORRECT);
    assert!(ping.is_signed_with(WEBHOOK_SECRET), "the stored secret stays");
}

#[tokio::test]
async fn every_failure_of_the_webhook_is_resumed_and_no_other() {
    for (word, resumes) in [
        ("WEBHOOK_MISSING", true),
        ("WEBHOOK_REJECTED", true),
        ("UPSTREAM_UNAVAILABLE", true),
        ("CANCELLED", true),
        ("DEADLINE_EXCEEDED", true),
        ("MISCONFIGURED", false),
    ] {
        let app = TestApp::new();
        let tenant = failed(&app).await;
        tenant.becomes("provision_reason", word);
        assert_eq!(as_printed(&tenant).await.is(200)["data"]["resumed"], resumes, "{word}");
        assert_eq!(tenant.row()["provision_state"], if resumes { "processing" } else { "failed" }, "{word}");
    }
    let app = TestApp::new();
    let tenant = failed(&app).await;
    app.db().execute("update provision_runs set step = 'create_owner'", ());
    tenant.becomes("provision_reason", "UPSTREAM_UNAVAILABLE");
    assert_eq!(as_printed(&tenant).await.is(200)["data"]["resumed"], false, "at another step");
}

#[tokio::test]
async fn an_upstream_that_was_down_too_long_is_tried_at_the_new_address() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    app.outside().upstreams().always("make", Reaction::Breaks);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "UPSTREAM_UNAVAILABLE");
    app.outside().upstreams().always("make", Reaction::Healthy);
    assert_eq!(as_printed(&tenant).await.is(200)["data"]["resumed"], true);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}

#[tokio::test]
async fn a_run_that_was_out_of_time_or_stopped_at_its_webhook_resumes() {
    for is_stopped in [false, true] {
        let app = TestApp::new();
        let tenant = app.queued("fc-nord").await;
        app.outside().upstreams().always("make", Reaction::AsksToWait(503, "600"));
        while app.outside().upstreams().sent_to("make").is_empty() {
            tenant.alarm_rings(&tenant.id).await;
        }
        if is_stopped {
            let run = tenant.outside().objects().run(&tenant.id).unwrap().id;
            let token = Token::operator(app.now()).sign();
            let cancel = app.post(&format!("/api/v1/bgops/sagas/{run}/cancel")).token(&token);
            cancel.json(&json!({ "reason": "test" })).send().await.is(200);
        } else {
            app.passes(1801);
        }
        tenant.waits().await;
        assert_eq!(tenant.ended().await, if is_stopped { "CANCELLED" } else { "DEADLINE_EXCEEDED" });
        app.outside().upstreams().always("make", Reaction::Healthy);
        assert_eq!(as_printed(&tenant).await.is(200)["data"]["resumed"], true);
        tenant.waits().await;
        assert_eq!(tenant.ended().await, "completed");
    }
}

#[tokio::test]
async fn a_new_secret_is_stored_sealed_and_signs_from_then_on() {
    let app = TestApp::new();
    let tenant = failed(&app).await;
    let secret = "another-secret-of-the-club";
    let body = json!({ "tenant": tenant.id, "make_webhook_url": CORRECT, "webhook_secret": secret });
    let answer = correct(&app, body).await;
    answer.is(200);
    assert!(!answer.text.contains(secret) && !stored(&app).to_string().contains(secret));
    tenant.waits().await;
    assert!(app.outside().upstreams().sent_to("make").pop().unwrap().is_signed_with(secret));
}

#[tokio::test]
async fn without_any_secret_it_says_which_field_is_missing() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let before = app.db().contents();
    let complaints = as_printed(&tenant).await.complains_about();
    assert_eq!(complaints, [("webhook_secret".to_owned(), "required".to_owned())]);
    app.db().is_still(&before);
}

#[tokio::test]
async fn a_tenant_that_is_not_set_up_yet_is_not_started() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let body = json!({ "tenant": tenant.id, "make_webhook_url": CORRECT, "webhook_secret": WEBHOOK_SECRET });
    let data = correct(&app, body).await.is(200)["data"].clone();
    assert_eq!((&data["resumed"], &data["runId"]), (&json!(false), &Value::Null));
    assert_eq!(stored(&app)["webhook_url"], CORRECT);
    assert!(tenant.outside().objects().run(&tenant.id).is_none());
}

#[tokio::test]
async fn a_tenant_that_is_live_gets_its_webhook_and_nothing_runs_again() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let told = tenant.outside().objects().told();
    assert_eq!(as_printed(&tenant).await.is(200)["data"]["resumed"], false);
    assert_eq!(stored(&app)["webhook_url"], CORRECT);
    assert_eq!(tenant.outside().objects().told(), told);
    assert_eq!(tenant.ended().await, "completed");
}

#[tokio::test]
async fn what_cannot_have_a_webhook_gets_none() {
    let app = TestApp::new();
    let pro = app.signed_up_pro("fc-pro").await;
    let gone = app.provisioned("fc-gone").await;
    gone.becomes("status", "cancelled");
    let before = app.db().contents();
    let ask = async |tenant: &str| {
        let body = json!({ "tenant": tenant, "make_webhook_url": CORRECT, "webhook_secret": WEBHOOK_SECRET });
        correct(&app, body).await
    };
    ask(&pro.id).await.fails(409, "PLAN_MISMATCH");
    ask(&gone.id).await.fails(409, "TENANT_CANCELLED");
    ask("tenant_never").await.fails(404, "TENANT_NOT_FOUND");
    app.db().is_still(&before);
}

#[tokio::test]
async fn the_address_keeps_the_one_rule() {
    let app = TestApp::new();
    let tenant = failed(&app).await;
    let before = app.db().contents();
    for url in ["https://evil.example/a", "http://hook.make.com/a", "https://127.0.0.1/a"] {
        let body = json!({ "tenant": tenant.id, "make_webhook_url": url });
        correct(&app, body).await.fails(400, "INVALID_WEBHOOK_HOST");
    }
    let one = |field: &str, code: &str| vec![(field.to_owned(), code.to_owned())];
    for (body, complaints) in [
        (json!({ "tenant": tenant.id }), one("make_webhook_url", "required")),
        (
            json!({ "tenant": tenant.id, "make_webhook_url": "nonsense" }),
            one("make_webhook_url", "invalid_url"),
        ),
        (json!({ "make_webhook_url": CORRECT }), one("tenant", "required")),
        (json!({ "tenant": "fc-nord", "make_webhook_url": CORRECT }), one("tenant", "invalid_id")),
        (
            json!({ "tenant": tenant.id, "make_webhook_url": CORRECT, "webhook_secret": "short" }),
            one("webhook_secret", "too_short"),
        ),
        (
            json!({ "tenant": tenant.id, "make_webhook_url": CORRECT, "reason": 7 }),
            one("reason", "invalid_type"),
        ),
        (
            json!({ "tenant": tenant.id, "make_webhook_url": CORRECT, "reason": "x".repeat(501) }),
            one("reason", "too_long"),
        ),
    ] {
        assert_eq!(correct(&app, body.clone()).await.complains_about(), complaints, "{body}");
    }
    app.db().is_still(&before);
}

#[tokio::test]
async fn it_is_written_down_and_logged_by_its_host_alone() {
    let app = TestApp::new();
    let tenant = failed(&app).await;
    let run = tenant.outside().objects().run(&tenant.id).unwrap().id;
    let answer = as_printed(&tenant).await;
    let reason = json!({ "tenant": tenant.id, "make_webhook_url": CORRECT, "reason": "the club called" });
    correct(&app, reason).await.is(200);
    let mut rows = audited(&app);
    // Both are of the same moment.
    rows.sort_by_key(|row| std::cmp::Reverse(row["reason"].to_string()));
    let data = json!({ "host": "hook.us1.make.com", "newSecret": false, "runId": run.as_str() });
    assert_eq!(
        rows[0],
        json!({
            "actor": "ops", "action": "tenant.webhook", "subject": tenant.id, "reason": "webhook corrected",
            "request_id": answer.header("x-request-id"), "data": data.to_string(), "occurred_at": app.now()
        })
    );
    assert_eq!((rows.len(), &rows[1]["reason"]), (2, &json!("the club called")));
    let line = app.log_of("operator_action").pop().unwrap();
    assert_eq!(line.fields["host"], "hook.us1.make.com");
    for line in app.outside().log_lines() {
        assert!(!format!("{line:?}").contains("correct-url"), "{line:?}");
    }
}

/// The wish is stored before the object is told.
#[tokio::test]
async fn an_object_that_does_not_answer_is_found_by_the_sweep() {
    let app = TestApp::new();
    let tenant = failed(&app).await;
    app.outside().objects().become_(Manner::Gone);
    as_printed(&tenant).await.fails(503, "PROVISIONER_UNAVAILABLE");
    app.outside().objects().become_(Manner::Obedient);
    app.passes(61);
    tenantry::app::sweep::run(&app.app).await;
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}

#[tokio::test]
async fn correcting_it_again_when_the_object_did_not_answer_is_safe() {
    let app = TestApp::new();
    let tenant = failed(&app).await;
    app.outside().objects().become_(Manner::Gone);
    as_printed(&tenant).await.fails(503, "PROVISIONER_UNAVAILABLE");
    app.outside().objects().become_(Manner::Obedient);
    assert_eq!(as_printed(&tenant).await.is(200)["data"]["resumed"], true);
    assert_eq!(as_printed(&tenant).await.is(200)["data"]["resumed"], false, "it is at work already");
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}

#[tokio::test]
async fn it_costs_one_batch_and_one_word_to_the_object() {
    let app = TestApp::new();
    let tenant = failed(&app).await;
    let before = (app.db().batches(), app.outside().objects().told());
    as_printed(&tenant).await.is(200);
    assert_eq!((app.db().batches(), app.outside().objects().told()), (before.0 + 1, before.1 + 1));
}
