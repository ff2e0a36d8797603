//! Stopping a run: in time, and when it had gone live already without anybody knowing.

use serde_json::{Value, json};
use tenantry::{
    domain::{Plan, RunStatus},
    workflow::Run,
};

use crate::support::{Answer, Breaks, Club, Reaction, TestApp, Token};

async fn queued(app: &TestApp, is_pro: bool) -> Club {
    app.queued_on(if is_pro { Plan::Pro } else { Plan::Starter }, "fc-nord").await
}

fn run(club: &Club) -> Run {
    club.outside().objects().run(&club.id).unwrap()
}

async fn is_cancelled(club: &Club) -> Answer {
    let path = format!("/api/v1/bgops/sagas/{}/cancel", run(club).id);
    let token = Token::operator(club.now()).sign();
    club.post(&path).token(&token).json(&json!({ "reason": "asked for it" })).send().await
}

fn audited(club: &Club) -> Value {
    club.db().row("select action, data from audit_log")
}

/// Its object does not know that it is live: the answer of the batch that did it was lost, and D1 was not told of the end again.
async fn live_without_knowing(is_pro: bool) -> Club {
    let other = TestApp::new();
    let club = queued(&other, is_pro).await;
    let before = other.db().batches();
    club.waits().await;
    let count = other.db().batches() - before;
    let app = TestApp::new();
    let club = queued(&app, is_pro).await;
    app.db().breaks(count - 1, Breaks::After);
    app.db().breaks(count, Breaks::Before);
    club.alarm_rings(&club.id).await;
    assert_eq!((run(&club).status(), &club.row()["status"]), (RunStatus::Processing, &json!("active")));
    club
}

#[tokio::test]
async fn a_cancel_that_comes_too_late_is_refused_and_the_object_learns_that_it_went_live() {
    for is_pro in [false, true] {
        let club = live_without_knowing(is_pro).await;
        is_cancelled(&club).await.fails(409, "RUN_STATE_CONFLICT");
        assert_eq!(audited(&club), json!({ "action": "saga.cancel", "data": r#"{"done":false}"# }));
        club.waits().await;
        assert_eq!((run(&club).status(), run(&club).has_pending_projection()), (RunStatus::Completed, false));
        assert_eq!(club.ended().await, "completed");
        let listed = club.db().row("select status, reason from provision_runs");
        assert_eq!(listed, json!({ "status": "completed", "reason": null }));
        let events = club.db().rows("select type from domain_events where type <> 'tenant.signed_up'");
        assert_eq!(events, [json!({ "type": "tenant.provisioned" })]);
        // As its object says it, too, while the database is away.
        club.db().goes_down();
        let told = club.app.degraded_status(&club.id.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!((told.status, told.failure), (RunStatus::Completed, None));
    }
}

/// The answer about which run went live is lost as well: nobody is told what is not known.
#[tokio::test]
async fn whether_a_cancel_came_too_late_is_not_guessed() {
    let club = live_without_knowing(true).await;
    // The batch that lets the operator in, then the look.
    club.db().breaks(1, Breaks::Before);
    assert_eq!(is_cancelled(&club).await.status, 503);
    club.waits().await;
    assert_eq!((run(&club).status(), club.ended().await.as_str()), (RunStatus::Completed, "completed"));
}

#[tokio::test]
async fn a_cancel_in_time_is_an_end_like_any_other() {
    for is_pro in [false, true] {
        let app = TestApp::new();
        let club = queued(&app, is_pro).await;
        app.outside().upstreams().next(if is_pro { "apps_script" } else { "make" }, [Reaction::TimesOut]);
        club.alarm_rings(&club.id).await;
        let answer = is_cancelled(&club).await.is(200);
        assert_eq!(answer["data"]["status"], "failed");
        club.waits().await;
        assert_eq!(club.ended().await, "CANCELLED");
        assert_eq!(audited(&club), json!({ "action": "saga.cancel", "data": "{}" }));
        let lines = app.log_of("tenant_provision_failed");
        assert_eq!(lines.len(), 1, "it is logged once: {lines:?}");
        assert_eq!(
            (&lines[0].fields["error"], &lines[0].fields["tenantId"], &lines[0].fields["level"]),
            (&json!("CANCELLED"), &json!(club.id), &json!("error"))
        );
        assert_eq!(app.db().number("select count(*) from domain_events where type = 'tenant.failed'"), 1);
        is_cancelled(&club).await.fails(409, "RUN_STATE_CONFLICT");
        assert_eq!(app.log_of("tenant_provision_failed").len(), 1);
    }
}
