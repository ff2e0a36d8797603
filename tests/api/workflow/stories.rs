//! Promises that something small once broke unseen, each told as a story: what a schedule of the simulation showed, and what no
//! test noticed.

use std::time::Duration;

use serde_json::{Value, json};
use tenantry::{
    app::projection,
    domain::{Plan, RunStatus, Step, StepStatus, Task, Upstream, config::Budgets},
    ports::Clock,
    workflow::{
        Command, ProjectionResult, Report, RequestOrigin, Run, TransientError, TransientErrorCode,
        breaker::limits,
        policy::{Compensation, RUN_LIMIT, compensation},
    },
};

use crate::support::{Breaks, Manner, RECORDS, Reaction, TestApp, TestTenant, Token};

use super::{
    every_step,
    run_harness::{Attempt, RunHarness, asks_outside, caller, queue, undo, wake},
};

fn every_removal() -> impl Iterator<Item = (Plan, Step)> {
    every_step().filter(|(_, step)| compensation(*step) != Compensation::None)
}

fn completed(plan: Plan) -> RunHarness {
    let harness = RunHarness::queued(plan);
    harness.runs_to_the_end();
    assert_eq!(harness.ended(), "completed");
    harness
}

/// The upstream is not asked.
fn rests() -> Attempt {
    let rest = Some(Duration::from_secs(5));
    Attempt::Unknown(TransientError {
        retry_after: rest,
        ..TransientError::new(TransientErrorCode::CircuitOpen)
    })
}

fn timeout() -> Attempt {
    Attempt::Unknown(TransientError::new(TransientErrorCode::Timeout))
}

#[test]
fn a_removal_that_is_tried_again_after_hours_has_fresh_time() {
    for (plan, step) in every_removal() {
        for is_left in [false, true] {
            if is_left && compensation(step) == Compensation::SlugAndEmail {
                continue;
            }
            let harness = completed(plan);
            harness.next_removal(step, [Attempt::Refused]);
            harness.is_undone();
            harness.runs_to_the_end();
            harness.passes(3 * RUN_LIMIT);
            if is_left {
                harness.is_skipped(step)
            } else {
                harness.is_undone()
            };
            harness.runs_to_the_end();
            assert_eq!(harness.was_undone(), "undone", "{step:?} {is_left}");
        }
    }
}

#[test]
fn waiting_for_a_breaker_costs_a_removal_none_of_its_attempts() {
    for (plan, step) in every_removal() {
        let harness = completed(plan);
        harness.next_removal(step, std::iter::repeat_n(rests(), 40));
        harness.is_undone();
        harness.runs_to_the_end();
        assert_eq!(harness.was_undone(), "undone", "{step:?}");
        let undo = harness.run().undoing.unwrap();
        assert_eq!((undo.attempts(step), undo.attempts_since_queued(step)), (41, 1), "{step:?}");
    }
}

/// How many projection there are before the one that tells how the first attempt at `step` went, if that was not done: one before
/// each attempt that asks outside.
fn listings_before(plan: Plan, step: Step) -> usize {
    let begun = Step::of(plan).iter().position(|other| *other == step).unwrap();
    Step::of(plan)[..=begun].iter().filter(|step| asks_outside(Task::Do(**step))).count()
}

#[test]
fn a_listing_that_was_overtaken_does_not_count_as_listed() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.next(step, [timeout()]);
        harness.is_told_while_listed(listings_before(plan, step), harness.cancel());
        harness.rings();
        assert_eq!(harness.ended(), "CANCELLED", "{step:?}");
        assert_eq!(harness.projected.borrow().as_ref().unwrap().status(), RunStatus::Failed, "{step:?}");
        harness.loses_its_alarm();
        harness.is_as_promised();
    }
}

/// Whoever set it: somebody asks, or the sweep comes by, when the time is up.
#[test]
fn an_alarm_beyond_the_deadline_is_pulled_forward() {
    for (plan, step) in every_step() {
        for is_removal in [false, true] {
            if is_removal && compensation(step) == Compensation::None {
                continue;
            }
            let commands = [
                queue(plan, RequestOrigin::default()),
                wake(plan, None, false),
                undo(plan, RequestOrigin::default(), None),
                Command::Compare { projected_version: 100 },
            ];
            for command in commands {
                let harness = RunHarness::queued(plan);
                if is_removal {
                    harness.runs_to_the_end();
                    harness.is_undone();
                    harness.next_removal(step, [timeout()]);
                } else {
                    harness.next(step, [timeout()]);
                }
                harness.rings();
                harness.passes(RUN_LIMIT);
                harness.alarm_is_set_for(harness.clock().after(RUN_LIMIT));
                harness.is_told(command.clone());
                assert_eq!(harness.alarm(), Some(harness.clock()), "{step:?} {is_removal} {command:?}");
                harness.runs_to_the_end();
            }
        }
    }
}

/// Before its time an alarm is left as it is set.
#[test]
fn an_alarm_before_the_deadline_is_left() {
    let harness = RunHarness::queued(Plan::Pro);
    harness.next(Step::CreateSpreadsheet, [timeout()]);
    harness.rings();
    let alarm = harness.alarm();
    harness.is_told(wake(Plan::Pro, None, false));
    assert_eq!(harness.alarm(), alarm);
}

#[test]
fn whoever_wants_it_again_does_not_change_where_its_mail_leads() {
    let elsewhere = || RequestOrigin {
        origin: "https://other.example.com".to_owned(),
        request: Some("req_2".to_owned()),
        traceparent: None,
    };
    for (plan, step) in every_step() {
        for again in [queue(plan, elsewhere()), undo(plan, elsewhere(), None)] {
            let harness = RunHarness::queued(plan);
            harness.next(step, [Attempt::Refused]);
            harness.runs_to_the_end();
            harness.is_told(again);
            let now = harness.run().caller;
            assert_eq!((now.origin, now.request), (caller().origin, Some("req_2".to_owned())), "{step:?}");
        }
    }
}

/// D1 knows the wish, and neither the object's answer nor its alarm is left.
#[test]
fn a_step_that_was_left_out_while_d1_was_away_is_left_out_although_the_alarm_is_lost() {
    for (plan, step) in every_step().filter(|(_, step)| *step != Step::Activate) {
        let harness = RunHarness::queued(plan);
        harness.next(step, [Attempt::Refused]);
        harness.runs_to_the_end();
        let projected = harness.run().version;
        harness.listing_fails.set(3);
        harness.is_skipped(step);
        harness.loses_its_alarm();
        harness.passes(Duration::from_secs(61));
        harness.is_told(wake(plan, Some(projected), false));
        harness.runs_to_the_end();
        assert_eq!((harness.ended().as_str(), harness.attempts_at(step)), ("completed", 1), "{step:?}");
        let told = Report::of(harness.projected.borrow().as_ref().unwrap());
        let told = told.steps.iter().find(|told| told.name == step).map(|told| told.status);
        assert_eq!(told, Some(StepStatus::Skipped), "{step:?}");
    }
}

/// Its tenant asks once more while D1 is told of the failure: it goes on in the same alarm, and an alarm that is lost then
/// loses nothing.
#[test]
fn a_run_that_is_wanted_again_while_its_failure_is_listed_goes_on_at_once() {
    for (plan, step) in every_step() {
        let harness = RunHarness::queued(plan);
        harness.next(step, [Attempt::Refused]);
        harness.is_told_while_listed(listings_before(plan, step), queue(plan, RequestOrigin::default()));
        harness.rings();
        assert!(
            harness.clock().since(super::run_harness::START) < Duration::from_secs(1),
            "{step:?}: in the same alarm"
        );
        assert_eq!(harness.ended(), "completed", "{step:?}");
        harness.is_as_promised();
        assert_eq!((harness.run().doing.times_queued, harness.attempts_at(step)), (2, 2), "{step:?}");
    }
}

fn run(tenant: &TestTenant) -> Run {
    tenant.outside().objects().run(&tenant.id).unwrap()
}

async fn pro(app: &TestApp) -> TestTenant {
    app.queued_pro("fc-nord").await
}

async fn list(tenant: &TestTenant, run: &Run) -> ProjectionResult {
    projection::project(tenant.db(), run, tenant.outside().now()).await
}

async fn operator_posts(tenant: &TestTenant, path: &str, body: &Value) -> crate::support::Answer {
    tenant.post(path).token(&Token::operator(tenant.now()).sign()).json(body).send().await
}

async fn is_removed_by_an_operator(tenant: &TestTenant) {
    let token = Token::operator(tenant.now()).sign();
    let ask = tenant.ask(http::Method::DELETE, &format!("/api/v1/admin/tenants/{}", tenant.id)).token(&token);
    ask.json(&json!({ "reason": "it closed" })).send().await.is(202);
}

fn projected(tenant: &TestTenant) -> [Vec<Value>; 3] {
    ["provision_steps", "provision_runs", "provision_undo"]
        .map(|table| tenant.db().rows(&format!("select * from {table}")))
}

/// A batch that comes late tells of steps as they were.
#[tokio::test]
async fn the_steps_of_an_older_listing_never_overwrite_newer_ones() {
    let app = TestApp::new();
    let tenant = pro(&app).await;
    app.outside().upstreams().next("apps_script", vec![Reaction::TimesOut; 3]);
    tenant.alarm_rings(&tenant.id).await;
    let late = run(&tenant);
    tenant.alarm_rings(&tenant.id).await;
    let before = projected(&tenant);
    assert!(matches!(list(&tenant, &late).await, ProjectionResult::Written { .. }));
    assert_eq!(projected(&tenant), before);
    let attempts = app.db().row("select attempts from provision_steps where step = 'create_spreadsheet'");
    assert_eq!(attempts, json!({ "attempts": 2 }));
}

/// A row written is time that D1 takes for nobody else.
#[tokio::test]
async fn a_step_or_a_removal_that_stands_as_it_is_listed_is_not_written_again() {
    let app = TestApp::new();
    let tenant = pro(&app).await;
    let is_listed_anew = async || {
        let told = Run { version: run(&tenant).version + 1, ..run(&tenant) };
        app.db().records();
        assert!(matches!(list(&tenant, &told).await, ProjectionResult::Written { .. }));
        app.db().records().iter().map(|call| call.rows).sum::<u64>()
    };
    app.outside().upstreams().next("apps_script", [Reaction::TimesOut]);
    tenant.alarm_rings(&tenant.id).await;
    assert_eq!(app.db().number("select count(*) from provision_steps"), 3);
    assert_eq!(is_listed_anew().await, 1, "the run's own row");
    tenant.waits().await;
    is_removed_by_an_operator(&tenant).await;
    app.outside().upstreams().next("apps_script", [Reaction::TimesOut]);
    tenant.alarm_rings(&tenant.id).await;
    assert_eq!(app.db().number("select count(*) from provision_undo where status <> 'held'"), 2);
    assert_eq!(is_listed_anew().await, 1, "the run's own row");
}

#[tokio::test]
async fn what_is_listed_of_a_removal_never_goes_back() {
    let app = TestApp::new();
    let tenant = pro(&app).await;
    tenant.waits().await;
    is_removed_by_an_operator(&tenant).await;
    app.outside().upstreams().next("apps_script", vec![Reaction::TimesOut; 3]);
    tenant.alarm_rings(&tenant.id).await;
    let late = run(&tenant);
    tenant.alarm_rings(&tenant.id).await;
    let before = projected(&tenant);
    assert!(matches!(list(&tenant, &late).await, ProjectionResult::Written { .. }));
    assert_eq!(projected(&tenant), before);
    tenant.waits().await;
    assert_eq!(tenant.row()["undo_state"], "undone");
}

/// An attempt that may ask three times takes three of what Cloudflare allows.
#[tokio::test]
async fn cloudflares_budget_counts_an_attempts_calls() {
    let app = TestApp::with(&RECORDS);
    let tenant = app.queued("fc-nord").await;
    tenant.waits().await;
    let budget = limits(Upstream::Cloudflare, Budgets::default()).budget.unwrap();
    let breaker = app.outside().breakers().of(Upstream::Cloudflare);
    assert_eq!(breaker.used(&budget, app.outside().now()), 3);
}

/// How many batches an undisturbed run makes: the last goes live.
async fn batches(is_pro: bool) -> usize {
    let app = TestApp::new();
    let tenant = if is_pro { pro(&app).await } else { app.queued("fc-nord").await };
    let before = app.db().batches();
    tenant.waits().await;
    app.db().batches() - before
}

#[tokio::test]
async fn going_live_cannot_be_left_out_and_that_it_was_wanted_is_not_stored() {
    let app = TestApp::new();
    let count = batches(true).await;
    let tenant = pro(&app).await;
    app.db().breaks(count - 1, Breaks::Before);
    tenant.alarm_rings(&tenant.id).await;
    let sagas = format!("/api/v1/bgops/sagas/{}", run(&tenant).id);
    operator_posts(&tenant, &format!("{sagas}/cancel"), &json!({ "reason": "test" })).await.is(200);
    tenant.waits().await;
    let row = app.db().row("select status, step, reason from provision_runs");
    assert_eq!(row, json!({ "status": "failed", "step": "activate", "reason": "CANCELLED" }));
    let before = tenant.row();
    let body = json!({ "reason": "test", "step": "activate" });
    operator_posts(&tenant, &format!("{sagas}/skip-step"), &body).await.fails(409, "RUN_STATE_CONFLICT");
    assert_eq!(tenant.row(), before);
    app.passes(61);
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(app.outside().objects().alarm(&tenant.id), None);
    assert_eq!(tenant.ended().await, "CANCELLED");
}

#[tokio::test]
async fn a_tenants_name_cannot_be_left_out_and_that_it_was_wanted_is_not_stored() {
    let app = TestApp::new();
    let tenant = pro(&app).await;
    tenant.waits().await;
    is_removed_by_an_operator(&tenant).await;
    let failed =
        json!({ "step": "seed_defaults", "failure": { "code": "MISCONFIGURED", "message": "No." }, "at": 1 });
    app.outside()
        .objects()
        .another_version_writes(&tenant.id, |run| run["undo"]["stage"] = json!({ "failed": failed }));
    app.outside().objects().loses_the_alarm(&tenant.id);
    tenant.becomes("undo_state", "compensation_failed");
    app.db().execute(
        "update provision_runs set undo_state = 'compensation_failed', undo_step = 'seed_defaults'",
        (),
    );
    let (before, skip) = (tenant.row(), format!("/api/v1/bgops/sagas/{}/skip-step", run(&tenant).id));
    let body = json!({ "reason": "test", "step": "seed_defaults" });
    operator_posts(&tenant, &skip, &body).await.fails(409, "RUN_STATE_CONFLICT");
    assert_eq!((tenant.row(), app.outside().objects().alarm(&tenant.id)), (before, None));
}

/// D1 was told in the same batch: the tenant is live, whatever its object thinks, and is removed like any other.
#[tokio::test]
async fn a_tenant_that_went_live_without_its_object_knowing_is_live_and_is_removed() {
    for is_pro in [false, true] {
        let app = TestApp::new();
        let count = batches(is_pro).await;
        let tenant = if is_pro { pro(&app).await } else { app.queued("fc-nord").await };
        app.db().breaks(count - 2, Breaks::After);
        app.db().breaks(count - 1, Breaks::Before);
        tenant.alarm_rings(&tenant.id).await;
        app.outside().objects().loses_the_alarm(&tenant.id);
        assert_eq!(run(&tenant).status(), RunStatus::Processing);
        for _ in 0..5 {
            app.passes(61);
            tenantry::app::sweep::run(&app.app).await;
            tenant.waits().await;
        }
        assert_eq!((tenant.ended().await.as_str(), &tenant.row()["status"]), ("completed", &json!("active")));
        assert_eq!(
            app.db().number("select count(*) from domain_events where type = 'tenant.provisioned'"),
            1
        );
        is_removed_by_an_operator(&tenant).await;
        tenant.waits().await;
        assert_eq!(tenant.row()["undo_state"], "undone");
        assert!(app.outside().upstreams().sheets().is_empty());
    }
}

/// The last of them tells D1.
async fn batches_of_a_refusal() -> usize {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
    let before = app.db().batches();
    tenant.alarm_rings(&tenant.id).await;
    app.db().batches() - before
}

/// D1 was told of the failure, and its answer lost; meanwhile the tenant wants it again, and its object does not hear of
/// that.
#[tokio::test]
async fn a_failure_that_is_told_again_takes_back_no_wish_that_came_since() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
    let count = batches_of_a_refusal().await;
    app.db().breaks(count - 1, Breaks::After);
    tenant.alarm_rings(&tenant.id).await;
    assert!(run(&tenant).has_pending_projection() && tenant.ended().await == "WEBHOOK_REJECTED");
    app.outside().objects().become_(Manner::Gone);
    tenant.connects_make().await.fails(503, "PROVISIONER_UNAVAILABLE");
    app.outside().objects().become_(Manner::Obedient);
    assert!(tenant.alarm_rings(&tenant.id).await, "it tells D1 again");
    assert_eq!(tenant.ended().await, "processing", "the wish stands");
    app.passes(61);
    tenantry::app::sweep::run(&app.app).await;
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
    assert_eq!(app.db().number("select count(*) from domain_events where type = 'tenant.failed'"), 1);
}

/// A command to skip the step that D1 shows as failed is not one about the step that failed since.
#[tokio::test]
async fn a_step_is_left_out_once_however_often_that_is_pressed() {
    let app = TestApp::new();
    let tenant = pro(&app).await;
    let refused = r#"{"ok":false,"error":"quota"}"#;
    app.outside().upstreams().next("apps_script", [Reaction::Answers(200, refused)]);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "SPREADSHEET_REJECTED");
    let skip = format!("/api/v1/bgops/sagas/{}/skip-step", run(&tenant).id);
    let body = json!({ "reason": "it is there", "step": "create_spreadsheet" });
    operator_posts(&tenant, &skip, &body).await.is(200);
    operator_posts(&tenant, &skip, &body).await.fails(409, "RUN_STATE_CONFLICT");
    tenant.waits().await;
    // There is none to verify.
    assert_eq!(tenant.ended().await, "SPREADSHEET_MISSING");
    operator_posts(&tenant, &skip, &body).await.fails(409, "RUN_STATE_CONFLICT");
    let skipped = app.db().rows("select step from provision_steps where status = 'skipped'");
    assert_eq!(skipped, [json!({ "step": "create_spreadsheet" })]);
    let audited = app.db().rows("select data from audit_log where action = 'saga.skip_step'");
    assert_eq!(audited.iter().filter(|entry| entry["data"] == r#"{"done":false}"#).count(), 2, "{audited:?}");
}

#[tokio::test]
async fn a_removal_is_left_out_once_however_often_that_is_pressed() {
    let app = TestApp::with(&RECORDS);
    let tenant = pro(&app).await;
    tenant.waits().await;
    is_removed_by_an_operator(&tenant).await;
    app.outside().upstreams().next("apps_script", [Reaction::Answers(404, "")]);
    tenant.waits().await;
    assert_eq!(run(&tenant).failed_at(), Some(Step::CreateSpreadsheet));
    let skip = format!("/api/v1/bgops/sagas/{}/skip-step", run(&tenant).id);
    let body = json!({ "reason": "it is another's", "step": "create_spreadsheet" });
    operator_posts(&tenant, &skip, &body).await.is(200);
    let refused = r#"{"success":false,"errors":[{"code":10000,"message":"…"}],"result":null}"#;
    app.outside().upstreams().next("cloudflare", [Reaction::Answers(403, refused)]);
    tenant.waits().await;
    assert_eq!(run(&tenant).failed_at(), Some(Step::ConfigureRouting));
    operator_posts(&tenant, &skip, &body).await.fails(409, "RUN_STATE_CONFLICT");
    is_removed_by_an_operator(&tenant).await;
    tenant.waits().await;
    assert_eq!(tenant.row()["undo_state"], "undone");
    assert_eq!(app.outside().upstreams().dns(|dns| dns.records().len()), 0, "nothing else was left");
}
