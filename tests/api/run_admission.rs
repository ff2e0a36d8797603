//! Whether a tenant's run may go on, as it is asked before anything is done outside.

use tenantry::{
    app::{
        run_admission::RunAdmission,
        steps::{self, Found},
    },
    db::{Db, DbError},
    domain::{Step, Task},
    store,
    workflow::{Outcome, Permit, ProjectionResult, TransientError, TransientErrorCode},
};

use crate::support::{TestApp, TestTenant};

async fn gate_of(tenant: &TestTenant) -> RunAdmission {
    tenant.db().ask(store::flags::run_admission(&tenant.id.parse().unwrap())).await.unwrap().into()
}

fn switches(app: &TestApp, enabled: u32) {
    app.db().execute(
        "insert into feature_flags values ('provisioning_enabled', ?1, null, 0)
         on conflict (name) do update set enabled = excluded.enabled",
        [enabled],
    );
}

#[tokio::test]
async fn the_gate_stands_as_the_tenant_does() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    for (status, run_admission) in [
        ("trial", RunAdmission::Open),
        ("active", RunAdmission::Open),
        ("suspended", RunAdmission::Suspended),
        ("cancelled", RunAdmission::Removed),
    ] {
        tenant.becomes("status", status);
        assert_eq!(gate_of(&tenant).await, run_admission, "{status}");
    }
    assert_eq!(gate_of(&tenant.never()).await, RunAdmission::Unknown);
}

#[tokio::test]
async fn while_provisioning_is_paused_the_gate_is_closed_for_everybody() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    switches(&app, 0);
    for status in ["trial", "suspended", "cancelled"] {
        tenant.becomes("status", status);
        assert_eq!(gate_of(&tenant).await, RunAdmission::Paused, "{status}");
    }
    assert_eq!(gate_of(&tenant.never()).await, RunAdmission::Paused);
    tenant.becomes("status", "active");
    switches(&app, 1);
    assert_eq!(gate_of(&tenant).await, RunAdmission::Open);
}

/// What an attempt needs of D1 is one batch: whether it may begin, the listing, what it reads.
#[tokio::test]
async fn before_an_attempt_d1_is_asked_once_and_nothing_is_guessed_without_it() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.connects_make().await.is(200);
    let run = app.outside().objects().run(&tenant.id).unwrap();
    let task = Task::Do(Step::ValidateWebhook);
    let before = app.db().batches();
    let asked = steps::permit(&app.app, &run, task, true).await;
    assert_eq!(app.db().batches() - before, 1);
    assert_eq!(asked.permit, Permit::Granted);
    assert_eq!(asked.projection, Some(ProjectionResult::Written { was_completed: false }));
    assert!(matches!(asked.found, Found::Webhook(Ok(Some(_)))));
    app.db().goes_down();
    let asked = steps::permit(&app.app, &run, task, true).await;
    assert_eq!((asked.permit, asked.projection), (Permit::Unavailable, None));
}

/// A missing or unreadable answer says nothing about what is stored.
#[tokio::test]
async fn what_an_attempt_could_not_read_is_never_taken_for_missing() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.connects_make().await.is(200);
    let run = app.outside().objects().run(&tenant.id).unwrap();
    let task = Task::Do(Step::ValidateWebhook);
    app.db().execute("alter table make_connections rename column failing_since to failing", ());
    app.db().execute("alter table make_connections add column failing_since text default 'yesterday'", ());
    let asked = steps::permit(&app.app, &run, task, false).await;
    assert_eq!(asked.permit, Permit::Granted);
    assert!(matches!(asked.found, Found::Webhook(Err(DbError::Corrupt(_)))));
    for found in [asked.found, Found::Nothing] {
        let what = format!("{found:?}");
        let outcome = steps::perform(&app.app, &run, task, found).await.outcome;
        assert_eq!(outcome, Outcome::Unknown(TransientError::new(TransientErrorCode::Malformed)), "{what}");
    }
}
