//! `POST /api/v1/bgops/sagas/retry`: one press after an outage.

use serde_json::{Value, json};

use crate::support::{Answer, Manner, Reaction, TestApp, TestTenant, Token};

const PATH: &str = "/api/v1/bgops/sagas/retry";

async fn press(app: &TestApp, body: Value) -> Answer {
    app.post(PATH).token(&Token::operator(app.now()).sign()).json(&body).send().await
}

/// What a press that is granted says.
async fn pressed(app: &TestApp, body: Value) -> Value {
    press(app, body).await.is(200)["data"].clone()
}

/// Many tenants whose webhooks were gone, each a minute after the one before, and one whose set-up stopped elsewhere.
async fn after_an_outage(app: &TestApp, count: usize) -> Vec<TestTenant> {
    let mut tenants = Vec::new();
    for n in 0..count {
        let tenant = app.signed_up(&format!("fc-{n:03}")).await;
        tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
        tenant.waits().await;
        app.passes(60);
        tenants.push(tenant);
    }
    app.db().execute("update make_connections set webhook_url = 'https://hook.eu2.make.com/better'", ());
    tenants
}

fn run_of(tenant: &TestTenant) -> Value {
    json!(tenant.outside().objects().run(&tenant.id).unwrap().id)
}

fn runs_of(tenants: &[TestTenant]) -> Vec<Value> {
    tenants.iter().map(run_of).collect()
}

#[tokio::test]
async fn those_that_failed_first_go_on_first_and_the_next_press_takes_the_rest() {
    let app = TestApp::new();
    let tenants = after_an_outage(&app, 5).await;
    let body = json!({ "status": "failed", "reason": "WEBHOOK_REJECTED", "limit": 3, "why": "Make is back" });
    let data = pressed(&app, body.clone()).await;
    let expected =
        json!({ "matched": 5, "retried": runs_of(&tenants[..3]), "remaining": 2, "dryRun": false });
    assert_eq!(data, expected);
    let data = pressed(&app, body.clone()).await;
    let expected =
        json!({ "matched": 2, "retried": runs_of(&tenants[3..]), "remaining": 0, "dryRun": false });
    assert_eq!(data, expected);
    for tenant in &tenants {
        tenant.waits().await;
        assert_eq!(tenant.ended().await, "completed");
    }
    let data = pressed(&app, body).await;
    assert_eq!(data, json!({ "matched": 0, "retried": [], "remaining": 0, "dryRun": false }));
}

#[tokio::test]
async fn one_press_is_one_entry_in_the_audit_log_and_none_if_it_did_nothing() {
    let app = TestApp::new();
    let tenants = after_an_outage(&app, 3).await;
    let body = json!({
        "status": "failed", "reason": "WEBHOOK_REJECTED", "plan": "starter", "step": "validate_webhook",
        "why": "Make is back"
    });
    let answer = press(&app, body.clone()).await;
    answer.is(200);
    press(&app, body).await.is(200);
    let rows = app.db().rows("select actor, action, subject, reason, request_id, data from audit_log");
    assert_eq!(rows.len(), 1);
    let data: Value = serde_json::from_str(rows[0]["data"].as_str().unwrap()).unwrap();
    assert_eq!(
        data,
        json!({
            "status": "failed", "step": "validate_webhook", "reason": "WEBHOOK_REJECTED", "plan": "starter",
            "runs": runs_of(&tenants)
        })
    );
    assert_eq!(
        (
            &rows[0]["actor"],
            &rows[0]["action"],
            &rows[0]["subject"],
            &rows[0]["reason"],
            &rows[0]["request_id"]
        ),
        (
            &json!("ops"),
            &json!("saga.retry_many"),
            &json!("sagas"),
            &json!("Make is back"),
            &json!(answer.header("x-request-id"))
        )
    );
    let lines = app.log_of("operator_action");
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0].fields["runs"], &lines[0].fields["told"]), (&json!(3), &json!(3)));
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_done_and_changes_nothing() {
    let app = TestApp::new();
    let tenants = after_an_outage(&app, 3).await;
    let (before, told) = (app.db().contents(), app.outside().objects().told());
    let body = json!({ "status": "failed", "limit": 2, "why": "only looking", "dryRun": true });
    let data = pressed(&app, body).await;
    let expected = json!({ "matched": 3, "retried": runs_of(&tenants[..2]), "remaining": 1, "dryRun": true });
    assert_eq!(data, expected);
    app.db().is_still(&before);
    assert_eq!(app.outside().objects().told(), told);
}

#[tokio::test]
async fn only_what_matches_goes_on() {
    let app = TestApp::new();
    let tenants = after_an_outage(&app, 3).await;
    app.db().execute("update tenants set provision_reason = 'DEADLINE_EXCEEDED' where slug = 'fc-000'", ());
    app.db().execute("update provision_runs set step = 'activate' where tenant_id = ?1", [&tenants[1].id]);
    app.db().execute("update provision_runs set plan = 'pro' where tenant_id = ?1", [&tenants[2].id]);
    for (filter, expected) in [
        (json!({ "reason": "DEADLINE_EXCEEDED" }), vec![0]),
        (json!({ "reason": "WEBHOOK_REJECTED" }), vec![1, 2]),
        (json!({ "step": "activate" }), vec![1]),
        (json!({ "plan": "pro" }), vec![2]),
        (json!({ "plan": "pro", "step": "activate" }), vec![]),
        (json!({ "reason": "NEVER_HEARD_OF" }), vec![]),
        (json!({ "reason": "", "step": null }), vec![0, 1, 2]),
    ] {
        let mut body = json!({ "status": "failed", "why": "test", "dryRun": true });
        body.as_object_mut().unwrap().extend(filter.as_object().unwrap().clone());
        let expected: Vec<Value> = expected.into_iter().map(|n: usize| run_of(&tenants[n])).collect();
        assert_eq!(pressed(&app, body).await["retried"], json!(expected), "{filter}");
    }
}

/// The tenant is stopped, was completed by hand, or is being removed: its run is nobody's to try again.
#[tokio::test]
async fn whoever_is_not_to_be_set_up_is_left_out() {
    let app = TestApp::new();
    let tenants = after_an_outage(&app, 5).await;
    tenants[0].becomes("status", "suspended");
    tenants[1].becomes("status", "cancelled");
    tenants[2].becomes("provisioned_at", 1);
    tenants[3].becomes("undo_state", "undoing");
    let data = pressed(&app, json!({ "status": "failed", "why": "test" })).await;
    assert_eq!((&data["matched"], &data["retried"]), (&json!(1), &json!([run_of(&tenants[4])])));
    for tenant in &tenants[..4] {
        assert_eq!(tenant.row()["provision_state"], "failed");
    }
}

#[tokio::test]
async fn whoever_could_not_be_told_is_found_by_the_sweep() {
    let app = TestApp::new();
    let tenants = after_an_outage(&app, 3).await;
    app.outside().objects().become_(Manner::Gone);
    let data = pressed(&app, json!({ "status": "failed", "why": "Make is back" })).await;
    assert_eq!(data["retried"].as_array().unwrap().len(), 3);
    assert_eq!(app.log_of("operator_action").pop().unwrap().fields["told"], 0);
    app.outside().objects().become_(Manner::Obedient);
    app.passes(61);
    tenantry::app::sweep::run(&app.app).await;
    for tenant in &tenants {
        tenant.waits().await;
        assert_eq!(tenant.ended().await, "completed");
    }
}

/// A hundred objects that hang don't keep an operator waiting for a minute and a half.
#[tokio::test]
async fn objects_that_hang_keep_nobody_waiting() {
    let app = TestApp::new();
    let tenants = after_an_outage(&app, 40).await;
    for tenant in &tenants {
        app.outside().objects().becomes_slow(&tenant.id);
    }
    let before = app.now();
    pressed(&app, json!({ "status": "failed", "why": "Make is back", "limit": 40 })).await;
    assert!(app.now() - before <= 25, "{}", app.now() - before);
}

#[tokio::test]
async fn what_could_not_be_removed_is_tried_again_too() {
    let app = TestApp::new();
    let tenant = app.queued_pro("fc-nord").await;
    tenant.waits().await;
    app.outside().upstreams().next("apps_script", [Reaction::Answers(200, r#"{"ok":false}"#)]);
    let token = Token::operator(app.now()).sign();
    let remove = app.ask(http::Method::DELETE, &format!("/api/v1/admin/tenants/{}", tenant.id));
    remove.token(&token).json(&json!({ "reason": "closed" })).send().await.is(202);
    tenant.waits().await;
    assert_eq!(tenant.row()["undo_state"], "compensation_failed");
    for (reason, matched) in [("WEBHOOK_REJECTED", 0), ("COMPENSATION_REFUSED", 1)] {
        let body =
            json!({ "status": "compensation_failed", "reason": reason, "why": "test", "dryRun": true });
        assert_eq!(pressed(&app, body).await["matched"], matched);
    }
    assert_eq!(pressed(&app, json!({ "status": "failed", "why": "test" })).await["matched"], 0);
    let body = json!({ "status": "compensation_failed", "step": "create_spreadsheet", "why": "it may now" });
    assert_eq!(pressed(&app, body).await["retried"], json!([run_of(&tenant)]));
    tenant.waits().await;
    assert_eq!(tenant.row()["undo_state"], "undone");
}

#[tokio::test]
async fn what_is_wrong_is_told_field_by_field() {
    let app = TestApp::new();
    for (body, field, code) in [
        (json!({ "why": "test" }), "status", "required"),
        (json!({ "status": "processing", "why": "test" }), "status", "invalid_value"),
        (json!({ "status": "failed" }), "why", "required"),
        (json!({ "status": "failed", "why": " " }), "why", "required"),
        (json!({ "status": "failed", "why": "x".repeat(501) }), "why", "too_long"),
        (json!({ "status": "failed", "why": "test", "step": "nothing" }), "step", "invalid_value"),
        (json!({ "status": "failed", "why": "test", "plan": "gold" }), "plan", "invalid_plan"),
        (json!({ "status": "failed", "why": "test", "reason": "a word" }), "reason", "invalid_value"),
        (json!({ "status": "failed", "why": "test", "limit": 0 }), "limit", "out_of_range"),
        (json!({ "status": "failed", "why": "test", "limit": 101 }), "limit", "out_of_range"),
        (json!({ "status": "failed", "why": "test", "dryRun": "yes" }), "dryRun", "invalid_type"),
    ] {
        let complaints = press(&app, body.clone()).await.complains_about();
        assert_eq!(complaints, [(field.to_owned(), code.to_owned())], "{body}");
    }
    assert_eq!(app.db().number("select count(*) from audit_log"), 0);
}

#[tokio::test]
async fn without_the_database_nothing_is_done_and_nobody_is_told_that_it_was() {
    let app = TestApp::new();
    after_an_outage(&app, 1).await;
    let told = app.outside().objects().told();
    app.db().goes_down();
    for dry_run in [true, false] {
        let body = json!({ "status": "failed", "why": "test", "dryRun": dry_run });
        press(&app, body).await.fails(503, "STORE_UNAVAILABLE");
    }
    assert_eq!(app.outside().objects().told(), told);
}

/// The walk ends at a thousand: the reason has an index of its own, so that old failures of other kinds hide nothing.
#[tokio::test]
async fn old_failures_of_another_kind_do_not_hide_those_of_the_outage() {
    let app = TestApp::new();
    app.db().execute(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1500)
         insert into tenants (id, name, plan, trial_ends_at, owner_user_id, signup_fingerprint, created_at, updated_at,
           provision_state, provision_reason, provision_updated_at, provision_run_id)
         select 'tenant_' || i, 'FC', 'starter', 0, 'user_' || i, '', 0, 0, 'failed', 'CANCELLED', i, 'run_' || i from n",
        (),
    );
    app.db().execute(
        "insert into provision_runs (id, tenant_id, plan, status, step, reason, version, started_at, deadline_at, updated_at)
         select provision_run_id, id, 'starter', 'failed', 'activate', 'CANCELLED', 1, 0, 0, 0 from tenants",
        (),
    );
    let tenants = after_an_outage(&app, 1).await;
    let body = json!({ "status": "failed", "reason": "WEBHOOK_REJECTED", "why": "test", "dryRun": true });
    assert_eq!(pressed(&app, body).await["retried"], json!(runs_of(&tenants)));
    let body = json!({ "status": "failed", "why": "test", "limit": 100, "dryRun": true });
    let data = pressed(&app, body).await;
    assert_eq!((&data["matched"], &data["remaining"]), (&json!(1000), &json!(900)));
}

#[tokio::test]
async fn the_run_of_an_object_that_forgot_it_goes_on_as_it_is_listed() {
    let app = TestApp::new();
    let tenant = after_an_outage(&app, 1).await.remove(0);
    let run = app.outside().objects().run(&tenant.id).unwrap();
    app.outside().objects().forgets(&tenant.id);
    pressed(&app, json!({ "status": "failed", "why": "Make is back" })).await;
    let taken_over = app.outside().objects().run(&tenant.id).unwrap();
    assert_eq!(taken_over.id, run.id);
    assert!(taken_over.version > run.version, "{} after {}", taken_over.version, run.version);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}
