//! A database that is restored to any earlier moment, while a run or a removal is at any later one: with objects that know more
//! than it does, and with none at all.
//!
//! A moment is whenever the run waits for anything: a round trip, a call, an alarm. There are too many pairs of an earlier and a
//! later one for each day: [`pairs`] says which are played.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

use http::Method;
use serde_json::{Value, json};
use tenantry::{
    domain::Plan,
    workflow::{Stage, witness::Command},
};

use crate::support::{RECORDS, Reaction, Saved, TestApp, TestTenant, Token, at_each_poll};

/// What becomes of the object when the database is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Object {
    /// It goes on in the middle of its work, and hears of nothing.
    GoesOn,
    /// Its process dies; nobody does anything until the sweep has noticed.
    Dies,
    /// It is gone, with all that it stored.
    IsGone,
}

const PLANS: [Plan; 2] = [Plan::Starter, Plan::Pro];

/// A tenant whose run was queued, at a service that knows its database.
async fn queued(plan: Plan) -> TestTenant {
    let app = TestApp::with(&RECORDS);
    tenantry::app::sweep::run(&app.app).await;
    let tenant = app.queued_on(plan, "fc-nord").await;
    // Each step that asks outside waits once, so that there are moments between alarms, too.
    app.outside().upstreams().next("cloudflare", [Reaction::TimesOut]);
    app.outside().upstreams().next("make", [Reaction::TimesOut]);
    let sheets = [Reaction::TimesOut, Reaction::Healthy, Reaction::TimesOut];
    app.outside().upstreams().next("apps_script", sheets);
    tenant
}

/// A tenant that is live, and was mailed.
async fn live(plan: Plan) -> TestTenant {
    let tenant = queued(plan).await;
    tenant.waits().await;
    tenant.mails_leave().await;
    is_live(&tenant, plan, "undisturbed").await;
    tenant
}

async fn is_removed_by_an_operator(tenant: &TestTenant) {
    let token = Token::operator(tenant.now()).sign();
    let ask = tenant.ask(Method::DELETE, &format!("/api/v1/admin/tenants/{}", tenant.id)).token(&token);
    let answer = ask.json(&json!({ "reason": "it closed" })).send().await;
    assert!([200, 202].contains(&answer.status.as_u16()), "{}", answer.text);
}

/// Which pairs of an earlier moment and a later one are played: each `step`-th, and of a process that goes on all that are next
/// to one another; `RESTORE_STEP=1` plays all.
fn pairs(moments: usize, object: Object, step: usize) -> Vec<(usize, usize)> {
    let step = std::env::var("RESTORE_STEP").map_or(step, |step| step.parse().unwrap());
    let all = (0..moments).flat_map(|later| (0..=later).map(move |earlier| (earlier, later)));
    all.filter(|(earlier, later)| {
        (earlier * 7 + later) % step == 0 || object == Object::GoesOn && earlier + 1 == *later
    })
    .collect()
}

/// The sweep notices, and provisioning is paused; an operator looks at it and resumes it; then everything goes on by itself.
async fn recovers(tenant: &TestTenant, what: &str) {
    let app = &**tenant;
    // More than two minutes would be noticed by the mark alone.
    app.outside().witness().handle(&Command::Adopt { database: 7, mark: Some(0) }).unwrap();
    app.passes(61);
    tenantry::app::sweep::run(&app.app).await;
    let done = app.outside().upstreams().effects();
    for _ in 0..3 {
        app.alarm_rings(&tenant.id).await;
    }
    assert_eq!(app.outside().upstreams().effects(), done, "{what}: it is paused");
    let resume = app.post("/api/v1/bgops/provisioning/resume").token(&Token::operator(app.now()).sign());
    resume.json(&json!({ "reason": "looked at it" })).send().await.is(200);
    goes_on_by_itself(tenant).await;
}

/// Alarms ring and the sweep comes by, until nobody has anything to do any more.
async fn goes_on_by_itself(tenant: &TestTenant) {
    for sweeps in 0.. {
        assert!(sweeps < 20, "it never rests");
        tenant.passes(61);
        tenantry::app::sweep::run(&tenant.app).await;
        let looked = tenant.log_of("sweep").pop().unwrap().fields["looked"] == 0;
        let is_compared = count(tenant, "comparisons") == 0;
        if looked && is_compared && tenant.outside().objects().alarm(&tenant.id).is_none() {
            break;
        }
        tenant.waits().await;
    }
    tenant.mails_leave().await;
}

/// Put back to its moment `earlier` when it is at `later`.
async fn is_put_back(tenant: &TestTenant, object: Object, (earlier, later): (usize, usize)) {
    let mut saved = None;
    at_each_poll(tenant.waits(), |moment| {
        // A moment written down at the next one is another.
        tenant.passes(1);
        if moment == earlier {
            saved = Some(tenant.db().saved());
        }
        if moment == later {
            tenant.db().becomes(saved.as_ref().unwrap());
            if object != Object::GoesOn {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    });
    match object {
        Object::GoesOn => {}
        Object::Dies => tenant.outside().objects().rings_again(&tenant.id, 2, &tenant.app),
        Object::IsGone => tenant.outside().objects().forgets(&tenant.id),
    }
}

fn count(tenant: &TestTenant, of: &str) -> i64 {
    tenant.db().number(&format!("select count(*) from {of}"))
}

/// Live with everything that belongs to it, made once outside, and known by D1 as by its object.
async fn is_live(tenant: &TestTenant, plan: Plan, what: &str) {
    assert_eq!(tenant.ended().await, "completed", "{what}");
    let row = tenant.row();
    assert_eq!(
        (&row["status"], &row["provision_state"], &row["route_ready"]),
        (&json!("active"), &json!("completed"), &json!(1)),
        "{what}"
    );
    assert!(row["provisioned_at"].is_i64() && row["owner_email_sent_at"].is_i64(), "{what}: {row}");
    for table in ["auth_users", "tenant_brand", "feed_posts"] {
        assert_eq!(count(tenant, table), 1, "{what}: {table}");
    }
    let steps = tenant.db().rows(
        "select step, status from provision_steps where run_id = (select provision_run_id from tenants)",
    );
    assert_eq!(steps.len(), if plan == Plan::Pro { 7 } else { 6 }, "{what}: {steps:?}");
    assert!(steps.iter().all(|step| step["status"] == "completed"), "{what}: {steps:?}");
    assert_eq!(count(tenant, "domain_events where type = 'tenant.provisioned'"), 1, "{what}");
    assert_eq!(count(tenant, "provision_runs where status = 'processing'"), 0, "{what}");
    let sheets = tenant.outside().upstreams().sheets();
    match plan {
        Plan::Starter => {
            assert_eq!(count(tenant, "make_connections where validated_at is not null"), 1, "{what}");
        }
        Plan::Pro => {
            let known =
                tenant.db().rows("select spreadsheet_id from pro_automation where verified_at is not null");
            assert_eq!(known, [json!({ "spreadsheet_id": sheets[0] })], "{what}");
        }
    }
    assert_eq!(sheets.len(), usize::from(plan == Plan::Pro), "{what}: {sheets:?}");
    assert_eq!(tenant.outside().upstreams().dns(|dns| dns.records().len()), 1, "{what}");
    assert_eq!(mailed(tenant), 1, "{what}");
    assert_eq!(count(tenant, "mails where kind = 'welcome' and status = 'sent'"), 1, "{what}");
    is_at_rest(tenant, what).await;
}

fn mailed(tenant: &TestTenant) -> usize {
    tenant
        .outside()
        .upstreams()
        .effects()
        .iter()
        .filter(|((to, key), _)| *to == "resend" && !key.ends_with("/setup_failed"))
        .map(|(_, times)| *times)
        .sum()
}

/// Nothing was done outside twice under one key, and nothing is left to do or to tell.
async fn is_at_rest(tenant: &TestTenant, what: &str) {
    for ((upstream, key), times) in tenant.outside().upstreams().effects() {
        // Make recognises no key.
        assert!(times == 1 || upstream == "make", "{what}: {key} was done {times} times by {upstream}");
    }
    for (key, bodies) in announced(tenant) {
        assert_eq!(bodies.len(), 1, "{what}: {key} was not the same each time: {bodies:?}");
    }
    assert_eq!(tenant.outside().objects().alarm(&tenant.id), None, "{what}");
    let run = tenant.outside().objects().run(&tenant.id);
    assert!(run.is_none_or(|run| !run.has_pending_projection() && run.has_ended()), "{what}");
    tenant.passes(61);
    tenantry::app::sweep::run(&tenant.app).await;
    let swept = tenant.log_of("sweep").pop().unwrap();
    assert_eq!((&swept.fields["looked"], &swept.fields["level"]), (&json!(0), &json!("info")), "{what}");
}

/// What the tenant's webhook was told, by the key under which its receiver recognises a repeat. A ping carries the moment of
/// its attempt.
fn announced(tenant: &TestTenant) -> BTreeMap<String, BTreeSet<String>> {
    let mut bodies = BTreeMap::<_, BTreeSet<_>>::new();
    for sent in tenant.outside().upstreams().sent_to("make") {
        if sent.json()["type"] != "webhook.ping" {
            bodies.entry(sent.key()).or_default().insert(sent.json().to_string());
        }
    }
    bodies
}

/// Gone, with everything that was made for it, and its token opens nothing.
async fn is_gone(tenant: &TestTenant, what: &str) {
    let row = tenant.row();
    assert_eq!(
        (&row["undo_state"], &row["status"], &row["slug"], &row["email"], &row["route_ready"]),
        (&json!("undone"), &json!("cancelled"), &Value::Null, &Value::Null, &json!(0)),
        "{what}"
    );
    let answer = tenant.gets("/whoami").send().await;
    assert!([401, 403].contains(&answer.status.as_u16()), "{what}: its token opens {}", answer.text);
    tenant.has_left_nothing(what);
    for table in ["auth_users", "tenant_brand", "feed_posts", "pro_automation", "make_connections"] {
        assert_eq!(count(tenant, table), 0, "{what}: {table}");
    }
    assert_eq!(count(tenant, "domain_events where type = 'tenant.deprovisioned'"), 1, "{what}");
    is_at_rest(tenant, what).await;
}

/// What it made is found by whoever removes it.
async fn is_removed_whole(tenant: &TestTenant, what: &str) {
    is_removed_by_an_operator(tenant).await;
    tenant.waits().await;
    tenant.passes(61);
    tenantry::app::sweep::run(&tenant.app).await;
    tenant.waits().await;
    tenantry::app::sweep::run(&tenant.app).await;
    is_gone(tenant, &format!("{what}, removed")).await;
}

/// How many moments an undisturbed run has.
async fn moments(plan: Plan) -> usize {
    let tenant = queued(plan).await;
    let moments = at_each_poll(tenant.waits(), |_| ControlFlow::Continue(()));
    assert!((20..60).contains(&moments), "{moments}");
    moments
}

async fn every_restore_of_a_run(object: Object, step: usize) {
    for plan in PLANS {
        for pair in pairs(moments(plan).await, object, step) {
            let tenant = queued(plan).await;
            is_put_back(&tenant, object, pair).await;
            let known = tenant.db().rows("select id from provision_runs");
            let what = format!("{plan:?} {pair:?} {object:?}");
            recovers(&tenant, &what).await;
            if object == Object::IsGone && known.is_empty() {
                // Nobody knew of the run any more: it is begun anew, under keys of its own.
                assert_eq!(tenant.ended().await, "completed", "{what}");
                continue;
            }
            is_live(&tenant, plan, &what).await;
            if object == Object::IsGone {
                assert_eq!(tenant.row()["provision_run_id"], known[0]["id"], "{what}");
            }
            is_removed_whole(&tenant, &what).await;
        }
    }
}

#[tokio::test]
async fn a_run_that_goes_on_in_a_database_that_is_put_back_completes_with_all_that_belongs_to_it() {
    every_restore_of_a_run(Object::GoesOn, 41).await;
}

#[tokio::test]
async fn a_run_that_died_before_its_database_was_put_back_completes_with_all_that_belongs_to_it() {
    every_restore_of_a_run(Object::Dies, 17).await;
}

#[tokio::test]
async fn a_run_whose_object_is_gone_goes_on_from_what_the_database_lists_under_the_same_keys() {
    every_restore_of_a_run(Object::IsGone, 17).await;
}

/// After it had completed, to any moment of its run.
#[tokio::test]
async fn a_tenant_that_is_live_is_live_again_whatever_its_database_was_put_back_to() {
    for plan in PLANS {
        for earlier in (0..moments(plan).await).step_by(4) {
            let tenant = queued(plan).await;
            let saved = saved_at(&tenant, earlier);
            tenant.waits().await;
            tenant.mails_leave().await;
            events_leave(&tenant, "tenant.provisioned").await;
            tenant.db().becomes(&saved);
            let what = format!("{plan:?} {earlier}");
            recovers(&tenant, &what).await;
            is_live(&tenant, plan, &what).await;
        }
    }
}

/// After it was gone, to any moment of its removal.
#[tokio::test]
async fn a_tenant_that_is_gone_is_gone_again_whatever_its_database_was_put_back_to() {
    for plan in PLANS {
        let tenant = removing(plan).await;
        let moments = at_each_poll(tenant.waits(), |_| ControlFlow::Continue(()));
        for earlier in (0..moments).step_by(4) {
            let tenant = removing(plan).await;
            let saved = saved_at(&tenant, earlier);
            tenant.waits().await;
            events_leave(&tenant, "tenant.deprovisioned").await;
            tenant.db().becomes(&saved);
            let what = format!("{plan:?} {earlier}");
            recovers(&tenant, &what).await;
            is_gone(&tenant, &what).await;
        }
    }
}

/// What happened is told to the tenant's webhook, if it has one.
async fn events_leave(tenant: &TestTenant, last: &str) {
    tenantry::app::sweep::run(&tenant.app).await;
    let told = tenant.outside().upstreams().sent_to("make");
    let has_webhook = told.iter().any(|sent| sent.json()["type"] == "webhook.ping");
    assert_eq!(told.iter().any(|sent| sent.json()["type"] == last), has_webhook);
}

/// A tenant that had completed when its database was restored to before its signup: nothing lists it any more.
#[tokio::test]
async fn what_was_made_for_a_tenant_that_a_database_does_not_know_is_removed_after_a_day() {
    for plan in PLANS {
        for (ends, looks) in [("completed", 0), ("completed", 3), ("COMPENSATION_REFUSED", 0)] {
            let app = TestApp::with(&RECORDS);
            tenantry::app::sweep::run(&app.app).await;
            let saved = app.db().saved();
            let tenant = app.queued_on(plan, "fc-nord").await;
            tenant.waits().await;
            if ends != "completed" {
                is_removed_by_an_operator(&tenant).await;
                tenant.outside().upstreams().always("cloudflare", Reaction::Answers(403, "{}"));
                tenant.waits().await;
                tenant.outside().upstreams().always("cloudflare", Reaction::Healthy);
            }
            for _ in 0..looks {
                tenant.looks().await;
            }
            tenant.db().becomes(&saved);
            let age =
                tenant.now() - tenant.outside().objects().run(&tenant.id).unwrap().doing.queued_at.seconds();
            tenant.looks().await;
            let what = format!("{plan:?} {ends} {looks}");
            let found = tenant.outside().objects().run(&tenant.id).unwrap().orphaned_since.unwrap();
            assert!(found.seconds() - tenant.now() <= (4 * age).max(3700), "{what}: {found:?}");
            tenant.waits().await;
            tenant.has_left_nothing(&what);
            assert!(tenant.now() - found.seconds() >= 24 * 3600, "{what}");
        }
    }
}

#[tokio::test]
async fn a_tenant_that_the_database_knows_is_looked_at_for_thirty_days_and_nothing_changes() {
    let tenant = live(Plan::Pro).await;
    let (effects, contents) = (tenant.outside().upstreams().effects(), tenant.db().contents());
    let run = tenant.outside().objects().run(&tenant.id).unwrap();
    let Stage::Completed { at } = run.doing.stage else { panic!("{run:?}") };
    let mut hours = Vec::new();
    while tenant.outside().objects().look(&tenant.id).is_some() {
        tenant.looks().await;
        hours.push((tenant.now() - at.seconds()) / 3600);
    }
    assert_eq!(hours, [1, 6, 24, 72, 168, 336, 720]);
    assert_eq!(tenant.outside().upstreams().effects(), effects);
    assert_eq!(tenant.outside().objects().run(&tenant.id).unwrap(), run);
    tenant.db().is_still(&contents);
}

/// Nobody could say whether D1 knows it: that is no evidence.
#[tokio::test]
async fn a_look_at_a_database_that_is_away_or_paused_is_repeated_an_hour_later() {
    let tenant = live(Plan::Starter).await;
    tenant.db().goes_down();
    tenant.looks().await;
    let next = tenant.outside().objects().look(&tenant.id).unwrap();
    assert_eq!(next.seconds() - tenant.now(), 3600);
    assert_eq!(tenant.outside().objects().run(&tenant.id).unwrap().orphaned_since, None);
    tenant.db().comes_up();
    tenant.looks().await;
    let next = tenant.outside().objects().look(&tenant.id).unwrap();
    assert!(next.seconds() - tenant.now() > 3600);
}

/// The database at a moment of a run, which goes on to its end.
fn saved_at(tenant: &TestTenant, moment: usize) -> Saved {
    let mut saved = None;
    at_each_poll(tenant.waits(), |now| {
        tenant.passes(1);
        if now == moment {
            saved = Some(tenant.db().saved());
        }
        ControlFlow::Continue(())
    });
    saved.unwrap()
}

/// A removal, put back to any of its own moments, to before it was wanted, and to any moment of the run.
async fn every_restore_of_a_removal(object: Object) {
    for plan in PLANS {
        let tenant = removing(plan).await;
        let moments = at_each_poll(tenant.waits(), |_| ControlFlow::Continue(()));
        assert!((8..60).contains(&moments), "{moments}");
        for pair in pairs(moments, object, 29) {
            let tenant = removing(plan).await;
            is_put_back(&tenant, object, pair).await;
            let what = format!("{plan:?} {pair:?} {object:?}");
            recovers(&tenant, &what).await;
            is_gone(&tenant, &what).await;
        }
    }
}

async fn removing(plan: Plan) -> TestTenant {
    let tenant = live(plan).await;
    is_removed_by_an_operator(&tenant).await;
    for upstream in ["cloudflare", "apps_script"] {
        tenant.outside().upstreams().next(upstream, [Reaction::TimesOut]);
    }
    tenant
}

#[tokio::test]
async fn a_removal_that_goes_on_in_a_database_that_is_put_back_removes_everything() {
    every_restore_of_a_removal(Object::GoesOn).await;
}

#[tokio::test]
async fn a_removal_that_died_before_its_database_was_put_back_removes_everything() {
    every_restore_of_a_removal(Object::Dies).await;
}

#[tokio::test]
async fn a_removal_whose_object_is_gone_goes_on_from_what_the_database_lists() {
    every_restore_of_a_removal(Object::IsGone).await;
}

/// The database has it as live, or as at work, with a token that opens it.
#[tokio::test]
async fn a_removal_goes_on_in_a_database_that_does_not_know_that_it_was_wanted() {
    for plan in PLANS {
        let (of_run, of_removal) = (moments(plan).await, {
            let tenant = removing(plan).await;
            at_each_poll(tenant.waits(), |_| ControlFlow::Continue(()))
        });
        for later in (0..=of_removal).step_by(5) {
            for earlier in (0..=of_run).step_by(7) {
                let tenant = queued(plan).await;
                let mut saved = (earlier < of_run).then(|| saved_at(&tenant, earlier));
                tenant.waits().await;
                tenant.mails_leave().await;
                let saved = saved.get_or_insert_with(|| tenant.db().saved());
                is_removed_by_an_operator(&tenant).await;
                at_each_poll(tenant.waits(), |moment| {
                    if moment == later { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                });
                tenant.db().becomes(saved);
                tenant.outside().objects().rings_again(&tenant.id, 2, &tenant.app);
                let what = format!("{plan:?} {earlier} {later}");
                recovers(&tenant, &what).await;
                is_gone(&tenant, &what).await;
            }
        }
    }
}

/// Nobody knows of the removal any more: the tenant is what the database says, until somebody wants it removed again.
#[tokio::test]
async fn a_tenant_whose_removal_nobody_knows_of_is_removed_when_that_is_wanted_again() {
    for plan in PLANS {
        for later in [0, 4, 8, 100] {
            let tenant = live(plan).await;
            let saved = tenant.db().saved();
            is_removed_by_an_operator(&tenant).await;
            at_each_poll(tenant.waits(), |moment| {
                if moment == later { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            tenant.db().becomes(&saved);
            tenant.outside().objects().forgets(&tenant.id);
            let what = format!("{plan:?} {later}");
            recovers(&tenant, &what).await;
            assert_eq!(tenant.ended().await, "completed", "{what}");
            is_removed_whole(&tenant, &what).await;
        }
    }
}

/// Nobody is served who is not there; what was made is removed after a day, and then what the object stores.
#[tokio::test]
async fn for_a_tenant_that_signed_up_after_the_database_was_saved_nothing_is_done_and_what_was_made_goes() {
    for plan in PLANS {
        for later in (0..moments(plan).await).step_by(3) {
            let tenant = before_its_signup(plan, later).await.0;
            let what = format!("{plan:?} {later}");
            // What is at rest asks nobody, and nobody can ask for whom it is.
            if tenant
                .outside()
                .objects()
                .run(&tenant.id)
                .is_some_and(|run| run.has_ended() && !run.has_pending_projection())
            {
                continue;
            }
            let done = made(&tenant);
            while_hours_pass(&tenant, 23).await;
            assert_eq!(made(&tenant), done, "{what}: for a day nothing happens");
            while_hours_pass(&tenant, 40).await;
            tenant.has_left_nothing(&what);
            assert_eq!(mailed(&tenant), 0, "{what}");
            while_hours_pass(&tenant, 31 * 24).await;
            assert_eq!(tenant.outside().objects().checkpoint(&tenant.id), None, "{what}");
            assert_eq!(tenant.outside().objects().alarm(&tenant.id), None, "{what}");
        }
    }
}

/// It was restored by mistake.
#[tokio::test]
async fn a_database_that_is_put_forward_again_within_a_day_has_lost_nobody() {
    for plan in PLANS {
        for later in (0..moments(plan).await).step_by(3) {
            let (tenant, forward) = before_its_signup(plan, later).await;
            let what = format!("{plan:?} {later}");
            while_hours_pass(&tenant, 20).await;
            tenant.db().becomes(&forward);
            recovers(&tenant, &what).await;
            // Its half hour was over meanwhile: it goes on by itself, or when its tenant asks.
            while_hours_pass(&tenant, 3).await;
            goes_on_by_itself(&tenant).await;
            is_live(&tenant, plan, &what).await;
        }
    }
}

/// Put back to before its signup when it is at `later`; and the database as it was then.
async fn before_its_signup(plan: Plan, later: usize) -> (TestTenant, Saved) {
    let app = TestApp::with(&RECORDS);
    tenantry::app::sweep::run(&app.app).await;
    let before = app.db().saved();
    let tenant = app.queued_on(plan, "fc-nord").await;
    at_each_poll(tenant.waits(), |moment| {
        if moment == later { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let forward = app.db().saved();
    app.db().becomes(&before);
    app.outside().objects().rings_again(&tenant.id, 2, &tenant.app);
    (tenant, forward)
}

/// What there is outside, and how often each thing was asked for.
fn made(tenant: &TestTenant) -> (usize, usize, usize) {
    let upstreams = tenant.outside().upstreams();
    (upstreams.sent().len(), upstreams.sheets().len(), upstreams.dns(|dns| dns.records().len()))
}

/// Alarms ring when they are due, and the sweep comes by now and then.
async fn while_hours_pass(tenant: &TestTenant, hours: i64) {
    let end = tenant.now() + hours * 3600;
    while let Some(at) = tenant.outside().objects().alarm(&tenant.id).filter(|at| at.seconds() < end) {
        tenant.outside().is_at(at);
        tenant.alarm_rings(&tenant.id).await;
    }
    tenant.passes(u64::try_from(end - tenant.now()).unwrap_or(0));
    tenantry::app::sweep::run(&tenant.app).await;
}
