//! `GET /api/v1/admin/stats`

use serde_json::{Value, json};
use tenantry::{ports::Objects, workflow::Command};

use super::get;
use crate::support::{Reaction, TestApp, Token, keys, signup};

async fn stats(app: &TestApp) -> Value {
    get(app, "/stats").await.is(200)["data"].clone()
}

#[tokio::test]
async fn of_nothing_there_is_nothing_to_tell() {
    let app = TestApp::new();
    let data = stats(&app).await;
    assert_eq!(keys(&data), ["generatedAt", "provisioning", "signups", "tenants"]);
    let none = json!({ "trial": 0, "active": 0, "suspended": 0, "cancelled": 0 });
    assert_eq!(
        data["tenants"],
        json!({ "total": 0, "byStatus": none, "byPlan": { "starter": none, "pro": none } })
    );
    let signups = &data["signups"];
    assert_eq!((&signups["last24Hours"], &signups["last30Days"]), (&json!(0), &json!(0)));
    assert_eq!(signups["perHour"].as_array().unwrap().len(), 24);
    assert_eq!(signups["perDay"].as_array().unwrap().len(), 30);
    let nothing = json!({
        "processing": 0, "completed": 0, "failed": 0, "successRatio": null,
        "durationMs": { "p50": null, "p95": null },
    });
    assert_eq!(
        data["provisioning"],
        json!({
            "total": nothing, "last30Days": nothing, "byPlan": { "starter": nothing, "pro": nothing },
            "failures": 0, "troubles": [],
        })
    );
}

#[tokio::test]
async fn tenants_are_counted_by_plan_and_status_whoever_changes_them() {
    let app = TestApp::new();
    app.provisioned("fc-one").await;
    let stopped = app.signed_up("fc-two").await;
    let pro = app.signed_up_pro("fc-three").await;
    stopped.becomes("status", "suspended");
    // What an operator types, to the letter.
    let by_hand =
        format!("UPDATE tenants SET status='active', provisioned_at=unixepoch() WHERE id='{}'", pro.id);
    app.db().execute(&by_hand, ());
    assert_eq!(
        stats(&app).await["tenants"],
        json!({
            "total": 3,
            "byStatus": { "trial": 0, "active": 2, "suspended": 1, "cancelled": 0 },
            "byPlan": {
                "starter": { "trial": 0, "active": 1, "suspended": 1, "cancelled": 0 },
                "pro": { "trial": 0, "active": 1, "suspended": 0, "cancelled": 0 },
            },
        })
    );
}

#[tokio::test]
async fn signups_are_counted_when_they_were_granted_and_denials_never() {
    let app = TestApp::new();
    app.signed_up("fc-one").await;
    app.signs_up(&signup("fc-one")).await.fails(409, "ALREADY_SIGNED_UP");
    let mut taken = signup("fc-one");
    taken["email"] = "other@example.org".into();
    app.signs_up(&taken).await.fails(409, "SLUG_TAKEN");
    app.signs_up(&json!({})).await.fails(400, "VALIDATION");
    app.passes(3600);
    app.signed_up("fc-two").await;
    app.signed_up("fc-three").await;
    let signups = stats(&app).await["signups"].clone();
    let hours = signups["perHour"].as_array().unwrap();
    assert_eq!(hours[23], json!({ "at": "2027-01-15T09:00:00.000Z", "count": 2 }));
    assert_eq!(hours[22], json!({ "at": "2027-01-15T08:00:00.000Z", "count": 1 }));
    assert_eq!(hours[0], json!({ "at": "2027-01-14T10:00:00.000Z", "count": 0 }));
    let days = signups["perDay"].as_array().unwrap();
    assert_eq!(days[29], json!({ "at": "2027-01-15T00:00:00.000Z", "count": 3 }));
    assert_eq!(days[0], json!({ "at": "2026-12-17T00:00:00.000Z", "count": 0 }));
    assert_eq!((&signups["last24Hours"], &signups["last30Days"]), (&json!(3), &json!(3)));
    app.passes(23 * 3600);
    let signups = stats(&app).await["signups"].clone();
    assert_eq!((&signups["last24Hours"], &signups["last30Days"]), (&json!(2), &json!(3)));
    assert_eq!(signups["perDay"][28]["count"], 3);
    app.passes(29 * 24 * 3600);
    assert_eq!(stats(&app).await["signups"]["last30Days"], 0);
}

#[tokio::test]
async fn provisioning_is_summed_up_by_how_it_ended_and_how_long_it_took() {
    let app = TestApp::new();
    for n in 0..3 {
        app.provisioned(&format!("fc-{n:03}")).await;
    }
    let failed = app.signed_up("fc-failed").await;
    failed.connects("https://hook.eu2.make.com/gone").await.is(200);
    failed.waits().await;
    let waiting = app.queued_pro("fc-waiting").await;
    app.outside().upstreams().next("apps_script", [Reaction::TimesOut]);
    waiting.alarm_rings(&waiting.id).await;
    let data = stats(&app).await["provisioning"].clone();
    let recent = &data["last30Days"];
    assert_eq!(&data["total"], recent);
    assert_eq!(
        (&recent["processing"], &recent["completed"], &recent["failed"], &data["failures"]),
        (&json!(1), &json!(3), &json!(1), &json!(1))
    );
    assert_eq!(recent["successRatio"], 0.75);
    assert_eq!(recent["durationMs"], json!({ "p50": 500, "p95": 950 }), "within a second, all of them");
    assert_eq!(
        (&data["byPlan"]["pro"]["processing"], &data["byPlan"]["starter"]["failed"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        data["troubles"],
        json!([
            { "step": "create_spreadsheet", "outcome": "unknown", "attempts": 1 },
            { "step": "validate_webhook", "outcome": "refused", "attempts": 1 },
        ])
    );
}

#[tokio::test]
async fn a_run_that_is_tried_again_counts_for_where_it_stands_and_for_each_failure() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    for _ in 0..2 {
        tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
        tenant.waits().await;
    }
    app.passes(100);
    tenant.connects_make().await.is(200);
    tenant.waits().await;
    let data = stats(&app).await["provisioning"].clone();
    let recent = &data["last30Days"];
    assert_eq!(
        (&recent["processing"], &recent["completed"], &recent["failed"], &data["failures"]),
        (&json!(0), &json!(1), &json!(0), &json!(2))
    );
    assert_eq!(recent["successRatio"], 1.0);
    // What it waited for the tenant does not count.
    assert_eq!(recent["durationMs"]["p50"], 500);
    let line = app.log_of("tenant_provision_complete").pop().unwrap();
    assert!(line.fields["ms"].as_u64().unwrap() < 2000, "{line:?}");
}

#[tokio::test]
async fn a_pause_does_not_count_and_neither_does_a_wait_that_a_restored_database_forgot() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    let operator = Token::operator(app.now()).sign();
    let pauses = |what: &str| {
        app.post(&format!("/api/v1/bgops/provisioning/{what}"))
            .token(&operator)
            .json(&json!({ "reason": "maintenance" }))
            .send()
    };
    let before = app.db().saved();
    pauses("pause").await.is(200);
    for _ in 0..10 {
        app.alarm_rings(&tenant.id).await;
    }
    pauses("resume").await.is(200);
    tenant.waits().await;
    let durations = async |what: &str| {
        let data = stats(&app).await["provisioning"].clone();
        let recent = data["last30Days"].clone();
        assert_eq!(recent["completed"], 1, "{what}");
        recent["durationMs"]["p50"].as_i64().unwrap()
    };
    assert_eq!(durations("paused").await, 500);
    app.db().becomes(&before);
    tenant.outside().objects().rings_again(&tenant.id, 1, &app.app);
    let compare = Command::Compare { projected_version: 0 };
    app.outside().send_command(&tenant.id.parse().unwrap(), &compare).await.unwrap();
    tenant.waits().await;
    assert_eq!(durations("restored").await, 500);
}

#[tokio::test]
async fn what_is_older_than_a_month_counts_for_the_total_alone() {
    let app = TestApp::new();
    app.provisioned("fc-nord").await;
    app.passes(40 * 24 * 3600);
    let before = stats(&app).await["provisioning"].clone();
    assert_eq!((&before["total"]["completed"], &before["last30Days"]["completed"]), (&json!(1), &json!(0)));
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(stats(&app).await["provisioning"], before, "adding the days up changes nothing");
    assert_eq!(app.db().number("select day from run_counts"), 0);
    assert_eq!(app.db().number("select count(*) from signup_counts"), 0);
}
