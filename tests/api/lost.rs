//! Lost alarms by the thousand, and objects that don't answer: what the sweep does about them, and in which time.

use serde_json::json;

use crate::{
    support::TestApp,
    sweep::{lost, sweep},
};

/// So many tenants that were queued, and whose objects never heard of it or lost their alarms.
fn are_lost(app: &TestApp, count: u32) {
    let numbers =
        format!("with recursive n(i) as (select 1 union all select i + 1 from n where i < {count})");
    app.db().execute(
        &format!(
            "insert into tenants (id, slug, name, email, plan, trial_ends_at, owner_user_id, signup_fingerprint,
               created_at, updated_at, provision_state, provision_updated_at)
             {numbers} select 'tenant_' || i, 'lost-' || i, 'FC', 'owner@lost-' || i || '.example', 'starter', 0,
               'user_' || i, 'f' || i, 0, 0, 'processing', ?1 from n"
        ),
        [app.now()],
    );
}

/// After a mass loss of alarms nobody waits until the half hour of its run has ended, slow objects among them or not.
#[tokio::test]
async fn five_thousand_lost_alarms_are_found_within_ten_minutes_although_objects_among_them_are_slow() {
    let app = TestApp::new();
    are_lost(&app, 5000);
    let is_slow = |n: u32| n.is_multiple_of(20);
    for n in (1..=5000).filter(|n| is_slow(*n)) {
        app.outside().objects().becomes_slow(&format!("tenant_{n}"));
    }
    app.passes(61);
    let begun_at = app.now();
    let is_awake = |n: u32| app.outside().objects().alarm(&format!("tenant_{n}")).is_some();
    for minute in 1..=10 {
        let told = app.outside().objects().told();
        sweep(&app).await;
        assert!(app.outside().objects().told() - told <= 600, "no more subrequests than the platform lets");
        let end = begun_at + minute * 60;
        assert!(app.now() <= end, "a sweep is over before the next: {}", app.now() - end);
        app.passes(u64::try_from(end - app.now()).unwrap());
    }
    let asleep: Vec<u32> = (1..=5000).filter(|n| !is_slow(*n) && !is_awake(*n)).collect();
    assert!(asleep.is_empty(), "{} sleep on: {:?}…", asleep.len(), &asleep[..10.min(asleep.len())]);
    // Those that were slow were not forgotten, once the others have moved.
    app.db().execute("update tenants set provision_state = 'completed' where unreachable_since is null", ());
    for n in (1..=5000).filter(|n| is_slow(*n)) {
        app.outside().objects().becomes_fast(&format!("tenant_{n}"));
    }
    sweep(&app).await;
    assert!((1..=5000).all(is_awake));
}

/// A sweep ends in time although every object hangs, and the next goes on behind the last that was claimed.
#[tokio::test]
async fn objects_that_all_hang_end_a_sweep_in_time_and_each_has_its_turn() {
    let app = TestApp::new();
    are_lost(&app, 200);
    for n in 1..=200 {
        app.outside().objects().becomes_slow(&format!("tenant_{n}"));
    }
    app.passes(61);
    let mut looked = 0;
    while looked < 200 {
        let before = app.now();
        let swept = sweep(&app).await["looked"].as_i64().unwrap();
        assert!(swept >= 48 && app.now() - before <= 60, "{swept} in {} s", app.now() - before);
        let unseen = app.db().number("select count(*) from tenants where unreachable_since is null");
        looked += swept;
        assert_eq!(unseen, (200 - looked).max(0), "nobody twice before everybody once");
        app.passes(1);
    }
}

/// A removal whose name was let go of in a database that knew of no removal: its object knows for whom it is.
#[tokio::test]
async fn what_has_no_name_any_more_is_removed_all_the_same() {
    for forgets in [false, true] {
        let app = TestApp::new();
        let tenant = app.provisioned("fc-nord").await;
        for (column, value) in [("slug", None), ("undo_state", Some("undoing"))] {
            tenant.becomes(column, value);
        }
        tenant.becomes("undo_updated_at", app.now());
        if forgets {
            app.outside().objects().forgets(&tenant.id);
        }
        app.passes(61);
        sweep(&app).await;
        tenant.waits().await;
        assert_eq!(tenant.row()["undo_state"], "undone", "{forgets}");
    }
}

/// Somebody wants to be set up whom nobody can name: that is an operator's business.
#[tokio::test]
async fn what_cannot_be_told_is_told_to_operators_at_once() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    tenant.becomes("slug", None::<String>);
    app.passes(61);
    sweep(&app).await;
    let line = app.log_of("tenant_provision_stuck").pop().unwrap();
    assert_eq!((&line.fields["tenantId"], &line.fields["undo"]), (&json!(tenant.id), &json!(false)));
    assert!(line.fields["error"].is_string());
}

/// What it was about to say is known to nobody but its object, which does not answer: the tenant is told all the same.
#[tokio::test]
async fn a_run_past_its_deadline_whose_object_cannot_say_so_is_given_up() {
    let app = TestApp::new();
    let tenant = lost(&app, "fc-nord").await;
    let run = app.outside().objects().run(&tenant.id).unwrap();
    app.outside().objects().becomes_slow(&tenant.id);
    let (version, began_at) = (app.db().number("select version from provision_runs"), app.now());
    let mut given_up_at = None;
    for _ in 0..45 {
        app.passes(55);
        sweep(&app).await;
        if given_up_at.is_none() && tenant.ended().await != "processing" {
            given_up_at = Some(app.now() - began_at);
        }
    }
    let minutes = given_up_at.unwrap() / 60;
    assert!((34..=37).contains(&minutes), "{minutes}");
    assert_eq!(tenant.ended().await, "DEADLINE_EXCEEDED");
    let failed = app.log_of("tenant_provision_failed");
    assert_eq!(failed.len(), 1);
    assert_eq!(
        (&failed[0].fields["tenantId"], &failed[0].fields["runId"], &failed[0].fields["step"]),
        (&json!(tenant.id), &json!(run.id), &json!("validate_webhook"))
    );
    let events = "select count(*) from domain_events e join webhook_deliveries d on d.id = e.id
       where e.type = 'tenant.failed' and e.data like '%DEADLINE_EXCEEDED%'";
    assert_eq!(app.db().number(events), 1);
    assert_eq!(app.db().number("select version from provision_runs"), version);
    // An object that recovers knows better.
    app.outside().objects().becomes_fast(&tenant.id);
    tenant.retries().await.is(200);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "DEADLINE_EXCEEDED");
    tenant.retries().await.is(200);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}

/// The object was away, its alarm was not: what it lists wins.
#[tokio::test]
async fn a_run_that_was_given_up_and_ends_all_the_same_is_listed_as_it_ended() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    app.outside().objects().becomes_slow(&tenant.id);
    for _ in 0..40 {
        app.passes(60);
        sweep(&app).await;
    }
    assert_eq!(tenant.ended().await, "DEADLINE_EXCEEDED");
    // As if its time had not been over.
    app.db().execute("update provision_runs set deadline_at = deadline_at + 7200", ());
    app.outside().objects().has_time(&tenant.id);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
    assert_eq!(tenant.row()["status"], "active");
}

/// The wish is all there is, and nobody can be reached: no run that never was is waited for, either.
#[tokio::test]
async fn a_wish_whose_object_never_answers_is_given_up_in_the_end() {
    let app = TestApp::new();
    are_lost(&app, 1);
    app.outside().objects().becomes_slow("tenant_1");
    // It takes five seconds not to answer.
    for _ in 0..34 {
        app.passes(55);
        sweep(&app).await;
    }
    let state = "select provision_state from tenants";
    assert_eq!(app.db().row(state)["provision_state"], "processing");
    for _ in 0..3 {
        app.passes(55);
        sweep(&app).await;
    }
    assert_eq!(app.db().row(state)["provision_state"], "failed");
    assert_eq!(app.log_of("tenant_provision_failed").len(), 1);
}

/// One lost answer is no outage, however late the run is. Neither is one that was lost before the run last moved.
#[tokio::test]
async fn an_object_that_answers_in_between_is_waited_for() {
    let app = TestApp::new();
    let tenant = lost(&app, "fc-nord").await;
    for minute in 0..60 {
        app.passes(60);
        if minute % 9 == 0 {
            app.outside().objects().becomes_fast(&tenant.id);
        } else {
            app.outside().objects().becomes_slow(&tenant.id);
        }
        sweep(&app).await;
        app.outside().objects().loses_the_alarm(&tenant.id);
    }
    assert_eq!(tenant.ended().await, "processing");
    assert!(app.log_of("tenant_provision_failed").is_empty());
}
