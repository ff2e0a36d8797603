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

use crate::support::{Club, RECORDS, Reaction, Saved, TestApp, Token, at_each_poll};

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
async fn queued(plan: Plan) -> Club {
    let app = TestApp::with(&RECORDS);
    app.app.sweep().await;
    let club = app.queued_on(plan, "fc-nord").await;
    // Each step that asks outside waits once, so that there are moments between alarms, too.
    app.outside().upstreams().next("cloudflare", [Reaction::TimesOut]);
    app.outside().upstreams().next("make", [Reaction::TimesOut]);
    let sheets = [Reaction::TimesOut, Reaction::Healthy, Reaction::TimesOut];
    app.outside().upstreams().next("apps_script", sheets);
    club
}

/// A tenant that is live, and was mailed.
async fn live(plan: Plan) -> Club {
    let club = queued(plan).await;
    club.waits().await;
    club.mails_leave().await;
    is_live(&club, plan, "undisturbed").await;
    club
}

async fn is_removed_by_an_operator(club: &Club) {
    let token = Token::operator(club.now()).sign();
    let ask = club.ask(Method::DELETE, &format!("/api/v1/admin/tenants/{}", club.id)).token(&token);
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
async fn recovers(club: &Club, what: &str) {
    let app = &**club;
    // More than two minutes would be noticed by the mark alone.
    app.outside().witness().handle(&Command::Adopt { database: 7, mark: Some(0) }).unwrap();
    app.passes(61);
    app.app.sweep().await;
    let done = app.outside().upstreams().effects();
    for _ in 0..3 {
        app.alarm_rings(&club.id).await;
    }
    assert_eq!(app.outside().upstreams().effects(), done, "{what}: it is paused");
    let resume = app.post("/api/v1/bgops/provisioning/resume").token(&Token::operator(app.now()).sign());
    resume.json(&json!({ "reason": "looked at it" })).send().await.is(200);
    goes_on_by_itself(club).await;
}

/// Alarms ring and the sweep comes by, until nobody has anything to do any more.
async fn goes_on_by_itself(club: &Club) {
    for sweeps in 0.. {
        assert!(sweeps < 20, "it never rests");
        club.passes(61);
        club.app.sweep().await;
        let looked = club.log_of("sweep").pop().unwrap().fields["looked"] == 0;
        let is_compared = count(club, "comparisons") == 0;
        if looked && is_compared && club.outside().objects().alarm(&club.id).is_none() {
            break;
        }
        club.waits().await;
    }
    club.mails_leave().await;
}

/// Put back to its moment `earlier` when it is at `later`.
async fn is_put_back(club: &Club, object: Object, (earlier, later): (usize, usize)) {
    let mut saved = None;
    at_each_poll(club.waits(), |moment| {
        // A moment written down at the next one is another.
        club.passes(1);
        if moment == earlier {
            saved = Some(club.db().saved());
        }
        if moment == later {
            club.db().becomes(saved.as_ref().unwrap());
            if object != Object::GoesOn {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    });
    match object {
        Object::GoesOn => {}
        Object::Dies => club.outside().objects().rings_again(&club.id, 2, &club.app),
        Object::IsGone => club.outside().objects().forgets(&club.id),
    }
}

fn count(club: &Club, of: &str) -> i64 {
    club.db().number(&format!("select count(*) from {of}"))
}

/// Live with everything that belongs to it, made once outside, and known by D1 as by its object.
async fn is_live(club: &Club, plan: Plan, what: &str) {
    assert_eq!(club.ended().await, "completed", "{what}");
    let row = club.row();
    assert_eq!(
        (&row["status"], &row["provision_state"], &row["route_ready"]),
        (&json!("active"), &json!("completed"), &json!(1)),
        "{what}"
    );
    assert!(row["provisioned_at"].is_i64() && row["owner_email_sent_at"].is_i64(), "{what}: {row}");
    for table in ["auth_users", "tenant_brand", "feed_posts"] {
        assert_eq!(count(club, table), 1, "{what}: {table}");
    }
    let steps = club.db().rows(
        "select step, status from provision_steps where run_id = (select provision_run_id from tenants)",
    );
    assert_eq!(steps.len(), if plan == Plan::Pro { 7 } else { 6 }, "{what}: {steps:?}");
    assert!(steps.iter().all(|step| step["status"] == "completed"), "{what}: {steps:?}");
    assert_eq!(count(club, "domain_events where type = 'tenant.provisioned'"), 1, "{what}");
    assert_eq!(count(club, "provision_runs where status = 'processing'"), 0, "{what}");
    let sheets = club.outside().upstreams().sheets();
    match plan {
        Plan::Starter => {
            assert_eq!(count(club, "make_connections where validated_at is not null"), 1, "{what}");
        }
        Plan::Pro => {
            let known =
                club.db().rows("select spreadsheet_id from pro_automation where verified_at is not null");
            assert_eq!(known, [json!({ "spreadsheet_id": sheets[0] })], "{what}");
        }
    }
    assert_eq!(sheets.len(), usize::from(plan == Plan::Pro), "{what}: {sheets:?}");
    assert_eq!(club.outside().upstreams().dns(|dns| dns.records().len()), 1, "{what}");
    assert_eq!(mailed(club), 1, "{what}");
    assert_eq!(count(club, "mails where kind = 'welcome' and status = 'sent'"), 1, "{what}");
    is_at_rest(club, what).await;
}

fn mailed(club: &Club) -> usize {
    club.outside()
        .upstreams()
        .effects()
        .iter()
        .filter(|((to, _), _)| *to == "resend")
        .map(|(_, times)| *times)
        .sum()
}

/// Nothing was done outside twice under one key, and nothing is left to do or to tell.
async fn is_at_rest(club: &Club, what: &str) {
    for ((upstream, key), times) in club.outside().upstreams().effects() {
        // Make recognises no key.
        assert!(times == 1 || upstream == "make", "{what}: {key} was done {times} times by {upstream}");
    }
    for (key, bodies) in announced(club) {
        assert_eq!(bodies.len(), 1, "{what}: {key} was not the same each time: {bodies:?}");
    }
    assert_eq!(club.outside().objects().alarm(&club.id), None, "{what}");
    let run = club.outside().objects().run(&club.id);
    assert!(run.is_none_or(|run| !run.has_pending_projection() && run.has_ended()), "{what}");
    club.passes(61);
    club.app.sweep().await;
    let swept = club.log_of("sweep").pop().unwrap();
    assert_eq!((&swept.fields["looked"], &swept.fields["level"]), (&json!(0), &json!("info")), "{what}");
}

/// What the tenant's webhook was told, by the key under which its receiver recognises a repeat. A ping carries the moment of
/// its attempt.
fn announced(club: &Club) -> BTreeMap<String, BTreeSet<String>> {
    let mut bodies = BTreeMap::<_, BTreeSet<_>>::new();
    for sent in club.outside().upstreams().sent_to("make") {
        if sent.json()["type"] != "webhook.ping" {
            bodies.entry(sent.key()).or_default().insert(sent.json().to_string());
        }
    }
    bodies
}

/// Gone, with everything that was made for it, and its token opens nothing.
async fn is_gone(club: &Club, what: &str) {
    let row = club.row();
    assert_eq!(
        (&row["undo_state"], &row["status"], &row["slug"], &row["email"], &row["route_ready"]),
        (&json!("undone"), &json!("cancelled"), &Value::Null, &Value::Null, &json!(0)),
        "{what}"
    );
    let answer = club.gets("/whoami").send().await;
    assert!([401, 403].contains(&answer.status.as_u16()), "{what}: its token opens {}", answer.text);
    club.has_left_nothing(what);
    for table in ["auth_users", "tenant_brand", "feed_posts", "pro_automation", "make_connections"] {
        assert_eq!(count(club, table), 0, "{what}: {table}");
    }
    assert_eq!(count(club, "domain_events where type = 'tenant.deprovisioned'"), 1, "{what}");
    is_at_rest(club, what).await;
}

/// What it made is found by whoever removes it.
async fn is_removed_whole(club: &Club, what: &str) {
    is_removed_by_an_operator(club).await;
    club.waits().await;
    club.passes(61);
    club.app.sweep().await;
    club.waits().await;
    club.app.sweep().await;
    is_gone(club, &format!("{what}, removed")).await;
}

/// How many moments an undisturbed run has.
async fn moments(plan: Plan) -> usize {
    let club = queued(plan).await;
    let moments = at_each_poll(club.waits(), |_| ControlFlow::Continue(()));
    assert!((20..60).contains(&moments), "{moments}");
    moments
}

async fn every_restore_of_a_run(object: Object, step: usize) {
    for plan in PLANS {
        for pair in pairs(moments(plan).await, object, step) {
            let club = queued(plan).await;
            is_put_back(&club, object, pair).await;
            let known = club.db().rows("select id from provision_runs");
            let what = format!("{plan:?} {pair:?} {object:?}");
            recovers(&club, &what).await;
            if object == Object::IsGone && known.is_empty() {
                // Nobody knew of the run any more: it is begun anew, under keys of its own.
                assert_eq!(club.ended().await, "completed", "{what}");
                continue;
            }
            is_live(&club, plan, &what).await;
            if object == Object::IsGone {
                assert_eq!(club.row()["provision_run_id"], known[0]["id"], "{what}");
            }
            is_removed_whole(&club, &what).await;
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
async fn a_club_that_is_live_is_live_again_whatever_its_database_was_put_back_to() {
    for plan in PLANS {
        for earlier in (0..moments(plan).await).step_by(4) {
            let club = queued(plan).await;
            let saved = saved_at(&club, earlier);
            club.waits().await;
            club.mails_leave().await;
            events_leave(&club, "tenant.provisioned").await;
            club.db().becomes(&saved);
            let what = format!("{plan:?} {earlier}");
            recovers(&club, &what).await;
            is_live(&club, plan, &what).await;
        }
    }
}

/// After it was gone, to any moment of its removal.
#[tokio::test]
async fn a_club_that_is_gone_is_gone_again_whatever_its_database_was_put_back_to() {
    for plan in PLANS {
        let club = removing(plan).await;
        let moments = at_each_poll(club.waits(), |_| ControlFlow::Continue(()));
        for earlier in (0..moments).step_by(4) {
            let club = removing(plan).await;
            let saved = saved_at(&club, earlier);
            club.waits().await;
            events_leave(&club, "tenant.deprovisioned").await;
            club.db().becomes(&saved);
            let what = format!("{plan:?} {earlier}");
            recovers(&club, &what).await;
            is_gone(&club, &what).await;
        }
    }
}

/// What happened is told to the tenant's webhook, if it has one.
async fn events_leave(club: &Club, last: &str) {
    club.app.sweep().await;
    let told = club.outside().upstreams().sent_to("make");
    let has_webhook = told.iter().any(|sent| sent.json()["type"] == "webhook.ping");
    assert_eq!(told.iter().any(|sent| sent.json()["type"] == last), has_webhook);
}

/// A tenant that had completed when its database was restored to before its signup: nothing lists it any more.
#[tokio::test]
async fn what_was_made_for_a_club_that_a_database_does_not_know_is_removed_after_a_day() {
    for plan in PLANS {
        for (ends, looks) in [("completed", 0), ("completed", 3), ("COMPENSATION_REFUSED", 0)] {
            let app = TestApp::with(&RECORDS);
            app.app.sweep().await;
            let saved = app.db().saved();
            let club = app.queued_on(plan, "fc-nord").await;
            club.waits().await;
            if ends != "completed" {
                is_removed_by_an_operator(&club).await;
                club.outside().upstreams().always("cloudflare", Reaction::Answers(403, "{}"));
                club.waits().await;
                club.outside().upstreams().always("cloudflare", Reaction::Healthy);
            }
            for _ in 0..looks {
                club.looks().await;
            }
            club.db().becomes(&saved);
            let age = club.now() - club.outside().objects().run(&club.id).unwrap().doing.queued_at.seconds();
            club.looks().await;
            let what = format!("{plan:?} {ends} {looks}");
            let found = club.outside().objects().run(&club.id).unwrap().orphaned_since.unwrap();
            assert!(found.seconds() - club.now() <= (4 * age).max(3700), "{what}: {found:?}");
            club.waits().await;
            club.has_left_nothing(&what);
            assert!(club.now() - found.seconds() >= 24 * 3600, "{what}");
        }
    }
}

#[tokio::test]
async fn a_club_that_the_database_knows_is_looked_at_for_thirty_days_and_nothing_changes() {
    let club = live(Plan::Pro).await;
    let (effects, contents) = (club.outside().upstreams().effects(), club.db().contents());
    let run = club.outside().objects().run(&club.id).unwrap();
    let Stage::Completed { at } = run.doing.stage else { panic!("{run:?}") };
    let mut hours = Vec::new();
    while club.outside().objects().look(&club.id).is_some() {
        club.looks().await;
        hours.push((club.now() - at.seconds()) / 3600);
    }
    assert_eq!(hours, [1, 6, 24, 72, 168, 336, 720]);
    assert_eq!(club.outside().upstreams().effects(), effects);
    assert_eq!(club.outside().objects().run(&club.id).unwrap(), run);
    club.db().is_still(&contents);
}

/// Nobody could say whether D1 knows it: that is no evidence.
#[tokio::test]
async fn a_look_at_a_database_that_is_away_or_paused_is_repeated_an_hour_later() {
    let club = live(Plan::Starter).await;
    club.db().goes_down();
    club.looks().await;
    let next = club.outside().objects().look(&club.id).unwrap();
    assert_eq!(next.seconds() - club.now(), 3600);
    assert_eq!(club.outside().objects().run(&club.id).unwrap().orphaned_since, None);
    club.db().comes_up();
    club.looks().await;
    let next = club.outside().objects().look(&club.id).unwrap();
    assert!(next.seconds() - club.now() > 3600);
}

/// The database at a moment of a run, which goes on to its end.
fn saved_at(club: &Club, moment: usize) -> Saved {
    let mut saved = None;
    at_each_poll(club.waits(), |now| {
        club.passes(1);
        if now == moment {
            saved = Some(club.db().saved());
        }
        ControlFlow::Continue(())
    });
    saved.unwrap()
}

/// A removal, put back to any of its own moments, to before it was wanted, and to any moment of the run.
async fn every_restore_of_a_removal(object: Object) {
    for plan in PLANS {
        let club = removing(plan).await;
        let moments = at_each_poll(club.waits(), |_| ControlFlow::Continue(()));
        assert!((8..60).contains(&moments), "{moments}");
        for pair in pairs(moments, object, 29) {
            let club = removing(plan).await;
            is_put_back(&club, object, pair).await;
            let what = format!("{plan:?} {pair:?} {object:?}");
            recovers(&club, &what).await;
            is_gone(&club, &what).await;
        }
    }
}

async fn removing(plan: Plan) -> Club {
    let club = live(plan).await;
    is_removed_by_an_operator(&club).await;
    for upstream in ["cloudflare", "apps_script"] {
        club.outside().upstreams().next(upstream, [Reaction::TimesOut]);
    }
    club
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
            let club = removing(plan).await;
            at_each_poll(club.waits(), |_| ControlFlow::Continue(()))
        });
        for later in (0..=of_removal).step_by(5) {
            for earlier in (0..=of_run).step_by(7) {
                let club = queued(plan).await;
                let mut saved = (earlier < of_run).then(|| saved_at(&club, earlier));
                club.waits().await;
                club.mails_leave().await;
                let saved = saved.get_or_insert_with(|| club.db().saved());
                is_removed_by_an_operator(&club).await;
                at_each_poll(club.waits(), |moment| {
                    if moment == later { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                });
                club.db().becomes(saved);
                club.outside().objects().rings_again(&club.id, 2, &club.app);
                let what = format!("{plan:?} {earlier} {later}");
                recovers(&club, &what).await;
                is_gone(&club, &what).await;
            }
        }
    }
}

/// Nobody knows of the removal any more: the tenant is what the database says, until somebody wants it removed again.
#[tokio::test]
async fn a_club_whose_removal_nobody_knows_of_is_removed_when_that_is_wanted_again() {
    for plan in PLANS {
        for later in [0, 4, 8, 100] {
            let club = live(plan).await;
            let saved = club.db().saved();
            is_removed_by_an_operator(&club).await;
            at_each_poll(club.waits(), |moment| {
                if moment == later { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            club.db().becomes(&saved);
            club.outside().objects().forgets(&club.id);
            let what = format!("{plan:?} {later}");
            recovers(&club, &what).await;
            assert_eq!(club.ended().await, "completed", "{what}");
            is_removed_whole(&club, &what).await;
        }
    }
}

/// Nobody is served who is not there; what was made is removed after a day, and then what the object stores.
#[tokio::test]
async fn for_a_club_that_signed_up_after_the_database_was_saved_nothing_is_done_and_what_was_made_goes() {
    for plan in PLANS {
        for later in (0..moments(plan).await).step_by(3) {
            let club = before_its_signup(plan, later).await.0;
            let what = format!("{plan:?} {later}");
            // What is at rest asks nobody, and nobody can ask for whom it is.
            if club
                .outside()
                .objects()
                .run(&club.id)
                .is_some_and(|run| run.has_ended() && !run.has_pending_projection())
            {
                continue;
            }
            let done = made(&club);
            while_hours_pass(&club, 23).await;
            assert_eq!(made(&club), done, "{what}: for a day nothing happens");
            while_hours_pass(&club, 40).await;
            club.has_left_nothing(&what);
            assert_eq!(mailed(&club), 0, "{what}");
            while_hours_pass(&club, 31 * 24).await;
            assert_eq!(club.outside().objects().checkpoint(&club.id), None, "{what}");
            assert_eq!(club.outside().objects().alarm(&club.id), None, "{what}");
        }
    }
}

/// It was restored by mistake.
#[tokio::test]
async fn a_database_that_is_put_forward_again_within_a_day_has_lost_nobody() {
    for plan in PLANS {
        for later in (0..moments(plan).await).step_by(3) {
            let (club, forward) = before_its_signup(plan, later).await;
            let what = format!("{plan:?} {later}");
            while_hours_pass(&club, 20).await;
            club.db().becomes(&forward);
            recovers(&club, &what).await;
            // Its half hour was over meanwhile: it goes on by itself, or when its tenant asks.
            while_hours_pass(&club, 3).await;
            goes_on_by_itself(&club).await;
            is_live(&club, plan, &what).await;
        }
    }
}

/// Put back to before its signup when it is at `later`; and the database as it was then.
async fn before_its_signup(plan: Plan, later: usize) -> (Club, Saved) {
    let app = TestApp::with(&RECORDS);
    app.app.sweep().await;
    let before = app.db().saved();
    let club = app.queued_on(plan, "fc-nord").await;
    at_each_poll(club.waits(), |moment| {
        if moment == later { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let forward = app.db().saved();
    app.db().becomes(&before);
    app.outside().objects().rings_again(&club.id, 2, &club.app);
    (club, forward)
}

/// What there is outside, and how often each thing was asked for.
fn made(club: &Club) -> (usize, usize, usize) {
    let upstreams = club.outside().upstreams();
    (upstreams.sent().len(), upstreams.sheets().len(), upstreams.dns(|dns| dns.records().len()))
}

/// Alarms ring when they are due, and the sweep comes by now and then.
async fn while_hours_pass(club: &Club, hours: i64) {
    let end = club.now() + hours * 3600;
    while let Some(at) = club.outside().objects().alarm(&club.id).filter(|at| at.seconds() < end) {
        club.outside().is_at(at);
        club.alarm_rings(&club.id).await;
    }
    club.passes(u64::try_from(end - club.now()).unwrap_or(0));
    club.app.sweep().await;
}
