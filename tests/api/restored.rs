//! A restored database, by no script of ours, or into another environment: the sweep notices before it wakes or sends
//! anything.

use serde_json::{Value, json};
use tenantry::workflow::witness::{self, Command, Reply, RestoreSign, SeenDatabase};

use crate::support::{Breaks, Manner, Reaction, TestApp, TestTenant, Token};

async fn sweep(app: &TestApp) -> Value {
    tenantry::app::sweep::run(&app.app).await;
    Value::Object(app.log_of("sweep").pop().unwrap().fields)
}

async fn sweeps_for(app: &TestApp, minutes: u32) {
    for _ in 0..minutes {
        sweep(app).await;
        app.passes(60);
    }
}

async fn is_paused(app: &TestApp) -> bool {
    app.get("/health/ready").send().await.is(200)["provisioning"] == "paused"
}

fn id_in(app: &TestApp) -> Option<i64> {
    app.db().rows("select value from feature_flags where name = 'database_id'").first()?["value"].as_i64()
}

/// When a sweep last did all of its work becomes so many seconds older.
fn goes_back(app: &TestApp, seconds: i64) {
    app.db().execute("update measures set value = value - ?1 where name = 'sweep_ended_at'", [seconds]);
}

/// A tenant whose first attempt at its webhook timed out, and whose alarm was lost; and an event of another that is
/// due.
async fn there_is_work(app: &TestApp) -> TestTenant {
    let tenant = app.queued("fc-work").await;
    app.outside().upstreams().next("make", [Reaction::TimesOut]);
    tenant.alarm_rings(&tenant.id).await;
    app.outside().objects().loses_the_alarm(&tenant.id);
    app.provisioned("fc-event").await;
    assert_eq!(app.db().number("select count(*) from webhook_deliveries where status = 'pending'"), 1);
    app.passes(120);
    tenant
}

fn reasons(app: &TestApp) -> Vec<Value> {
    app.db().rows("select actor, action, subject, reason, request_id from audit_log")
}

/// Noticed: paused, written down, told; nobody was woken, and nothing was sent.
async fn is_noticed(app: &TestApp, why: &str) {
    let (told, effects) = (app.outside().objects().told(), app.outside().upstreams().effects());
    let swept = sweep(app).await;
    assert_eq!((&swept["looked"], &swept["delivered"]), (&json!(0), &json!(0)));
    assert_eq!((app.outside().objects().told(), app.outside().upstreams().effects()), (told, effects));
    assert!(is_paused(app).await);
    let line = app.log_of("database_restored").pop().unwrap();
    assert_eq!(
        (&line.fields["level"], &line.fields["reason"], &line.fields["paused"]),
        (&json!("error"), &json!(why), &json!(true))
    );
    assert_eq!(
        reasons(app).pop().unwrap(),
        json!({
            "actor": "system", "action": "provisioning.pause", "subject": "provisioning", "reason": why,
            "request_id": swept["requestId"]
        })
    );
}

/// What was noticed is the truth from then on: it is not noticed again, and an operator's word resumes it.
async fn goes_on_when_resumed(app: &TestApp, tenant: &TestTenant) {
    let noticed = app.log_of("database_restored").len();
    for _ in 0..3 {
        app.passes(60);
        assert_eq!(sweep(app).await["looked"], 0);
    }
    assert_eq!(app.log_of("provisioning_paused").len(), 4);
    let token = Token::operator(app.now()).sign();
    let resume = app.post("/api/v1/bgops/provisioning/resume").token(&token);
    resume.json(&json!({ "reason": "checked" })).send().await.is(200);
    app.passes(60);
    let swept = sweep(app).await;
    assert_eq!((&swept["looked"], &swept["delivered"]), (&json!(1), &json!(1)));
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
    sweeps_for(app, 3).await;
    assert_eq!(app.log_of("database_restored").len(), noticed);
    assert!(!is_paused(app).await);
}

#[tokio::test]
async fn a_new_database_gets_its_id_and_is_not_paused() {
    let app = TestApp::new();
    let tenant = there_is_work(&app).await;
    assert_eq!(sweep(&app).await["looked"], 1);
    let id = id_in(&app).unwrap();
    assert_eq!(app.outside().witness().known(), Some(SeenDatabase { database: id, mark: None }));
    app.passes(60);
    sweep(&app).await;
    assert!(app.outside().witness().known().unwrap().mark.is_some(), "it was seen there");
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
    sweeps_for(&app, 5).await;
    assert_eq!((id_in(&app), is_paused(&app).await), (Some(id), false));
    assert!(app.log_of("database_restored").is_empty() && reasons(&app).is_empty());
}

#[tokio::test]
async fn a_database_that_is_put_back_by_minutes_is_noticed() {
    let app = TestApp::new();
    sweeps_for(&app, 5).await;
    let tenant = there_is_work(&app).await;
    // The witness saw the mark of the sweep before the last.
    goes_back(&app, 60 + 121);
    is_noticed(&app, RestoreSign::Earlier.as_str()).await;
    goes_on_when_resumed(&app, &tenant).await;
}

/// Two sweeps may overlap, and the slower one ends with an older mark.
#[tokio::test]
async fn two_minutes_are_no_sign() {
    let app = TestApp::new();
    sweeps_for(&app, 5).await;
    goes_back(&app, 60 + 120);
    sweep(&app).await;
    assert!(!is_paused(&app).await);
}

/// "Production's backup in preview": its tenants are at work, its events wait to be sent, and it is newer than anything preview
/// saw.
#[tokio::test]
async fn anothers_database_is_noticed_and_wakes_and_mails_nobody() {
    let app = TestApp::new();
    sweeps_for(&app, 3).await;
    let tenant = there_is_work(&app).await;
    app.outside().witness().handle(&Command::Adopt { database: 7, mark: Some(0) }).unwrap();
    let id = id_in(&app);
    is_noticed(&app, RestoreSign::Another.as_str()).await;
    assert_ne!(id_in(&app), id, "it is another's no more: the next backup is noticed, too");
    goes_on_when_resumed(&app, &tenant).await;
}

#[tokio::test]
async fn a_database_from_before_it_had_an_id_is_noticed() {
    let app = TestApp::new();
    sweeps_for(&app, 3).await;
    let tenant = there_is_work(&app).await;
    app.db().execute("delete from feature_flags", ());
    is_noticed(&app, RestoreSign::Nameless.as_str()).await;
    goes_on_when_resumed(&app, &tenant).await;
}

/// The objects are gone, as in another account, and the database is there.
#[tokio::test]
async fn a_database_beside_new_objects_is_noticed() {
    let app = TestApp::new();
    sweeps_for(&app, 3).await;
    let tenant = there_is_work(&app).await;
    app.outside().witness().forgets();
    is_noticed(&app, RestoreSign::Unknown.as_str()).await;
    goes_on_when_resumed(&app, &tenant).await;
}

#[tokio::test]
async fn a_witness_that_does_not_answer_stops_nothing() {
    for manner in [Manner::Gone, Manner::Mute] {
        let app = TestApp::new();
        there_is_work(&app).await;
        app.outside().witness().becomes(manner);
        let swept = sweep(&app).await;
        assert_eq!((&swept["looked"], &swept["delivered"]), (&json!(1), &json!(1)));
        assert_eq!(app.log_of("witness_unavailable").pop().unwrap().fields["level"], "error");
        app.outside().witness().becomes(Manner::Obedient);
        app.passes(60);
        sweeps_for(&app, 3).await;
        assert!(!is_paused(&app).await, "what it did not hear, or was not heard of, is no sign: {manner:?}");
    }
}

/// Nothing may leave as long as it is not written down that nothing shall.
#[tokio::test]
async fn a_pause_that_cannot_be_written_down_is_tried_again_and_nobody_is_woken_before() {
    for breaks in [Breaks::Before, Breaks::After] {
        let app = TestApp::new();
        sweeps_for(&app, 3).await;
        let tenant = there_is_work(&app).await;
        goes_back(&app, 3600);
        app.db().breaks(1, breaks);
        let told = app.outside().objects().told();
        let swept = sweep(&app).await;
        assert_eq!((&swept["looked"], &swept["level"]), (&json!(0), &json!("error")));
        assert_eq!(app.outside().objects().told(), told);
        app.passes(60);
        // The second time it is another's, if the first did arrive.
        sweep(&app).await;
        assert!(is_paused(&app).await && !app.log_of("database_restored").is_empty());
        assert_eq!(app.outside().objects().told(), told + 1, "it was asked whether it is ready");
        assert_eq!(tenant.ended().await, "processing");
    }
}

/// A sweep that began before and ends after must not leave its mark in what was restored.
#[tokio::test]
async fn a_database_that_is_put_back_while_a_sweep_is_at_work_is_noticed() {
    let app = TestApp::new();
    sweeps_for(&app, 5).await;
    let mark = app.db().number("select value from measures where name = 'sweep_ended_at'");
    let work = async {
        crate::support::turns(3).await;
        goes_back(&app, 3600);
    };
    futures_util::join!(tenantry::app::sweep::run(&app.app), work);
    assert_eq!(app.db().number("select value from measures where name = 'sweep_ended_at'"), mark - 3600);
    sweep(&app).await;
    assert!(is_paused(&app).await);
}

#[tokio::test]
async fn whoever_announces_a_restore_is_not_paused_for_it() {
    let app = TestApp::new();
    sweeps_for(&app, 3).await;
    there_is_work(&app).await;
    goes_back(&app, 3600);
    let announce = "insert into feature_flags values ('restore_announced', 1, ?1, 0)";
    app.db().execute(announce, [app.now() - 599]);
    assert_eq!(sweep(&app).await["looked"], 1);
    assert!(!is_paused(&app).await && reasons(&app).is_empty());
    assert_eq!(app.log_of("database_restored").pop().unwrap().fields["paused"], false);
    app.passes(60);
    sweep(&app).await;
    assert_eq!(app.log_of("database_restored").len(), 1);
    // It was this one that was announced; and a word that is old announces nothing.
    goes_back(&app, 3600);
    app.db().execute(announce, [app.now() - 601]);
    sweep(&app).await;
    assert!(is_paused(&app).await);
}

/// An operator's own pause holds runs back, and nothing else.
#[tokio::test]
async fn while_an_operator_paused_provisioning_the_sweep_wakes_nobody_and_does_the_rest() {
    let app = TestApp::new();
    let tenant = there_is_work(&app).await;
    let token = Token::operator(app.now()).sign();
    let pause = app.post("/api/v1/bgops/provisioning/pause").token(&token);
    pause.json(&json!({ "reason": "maintenance" })).send().await.is(200);
    app.db().execute("insert into revoked_tokens values ('old', null, '', 0, 0)", ());
    let told = app.outside().objects().told();
    let swept = sweep(&app).await;
    assert_eq!(
        (&swept["looked"], &swept["delivered"], &swept["pruned"], &swept["level"]),
        (&json!(0), &json!(1), &json!(1), &json!("info"))
    );
    assert_eq!(app.outside().objects().told(), told);
    let line = app.log_of("provisioning_paused").pop().unwrap();
    assert_eq!((&line.fields["level"], &line.fields["requestId"]), (&json!("warn"), &swept["requestId"]));
    assert_eq!(tenant.row()["swept_at"].as_i64().map(|at| at < app.now()), Some(true), "it keeps its place");
}

/// Two machines' clocks may differ: the mark of the slower one is no sign.
#[tokio::test]
async fn the_mark_never_goes_back_by_itself() {
    let app = TestApp::new();
    sweeps_for(&app, 3).await;
    let ahead = app.now() + 600;
    app.db().execute("update measures set value = ?1 where name = 'sweep_ended_at'", [ahead]);
    sweeps_for(&app, 3).await;
    assert_eq!(app.db().number("select value from measures where name = 'sweep_ended_at'"), ahead);
    assert!(!is_paused(&app).await);
}

/// One call to the witness, and no round trip more than there would be.
#[tokio::test]
async fn looking_costs_one_call_and_no_round_trip() {
    let app = TestApp::new();
    sweeps_for(&app, 2).await;
    let (batches, told) = (app.db().batches(), app.outside().witness().told());
    sweep(&app).await;
    // What to wake and how the database looks, what to deliver, what expired.
    assert_eq!((app.db().batches() - batches, app.outside().witness().told() - told), (4, 1));
}

#[test]
fn what_the_witness_hears_remembers_and_says_is_read_by_other_versions() {
    let see = Command::See { database: None, mark: None, fresh: 7 };
    for (value, text) in [
        (serde_json::to_string(&see), r#"{"see":{"database":null,"mark":null,"fresh":7}}"#),
        (
            serde_json::to_string(&Command::Adopt { database: 7, mark: Some(9) }),
            r#"{"adopt":{"database":7,"mark":9}}"#,
        ),
        (serde_json::to_string(&SeenDatabase { database: 7, mark: Some(9) }), r#"{"database":7,"mark":9}"#),
        (serde_json::to_string(&SeenDatabase { database: 7, mark: None }), r#"{"database":7}"#),
        (serde_json::to_string(&Reply::Same), r#""same""#),
        (serde_json::to_string(&Reply::New { database: 7 }), r#"{"new":{"database":7}}"#),
        (
            serde_json::to_string(&Reply::Restored { sign: RestoreSign::Earlier }),
            r#"{"put_back":{"sign":"earlier"}}"#,
        ),
    ] {
        assert_eq!(value.unwrap(), text);
    }
    assert!(
        serde_json::from_str::<Command>(r#"{"upstream":"make","wish":"look"}"#).is_err(),
        "a breaker's command is none of the witness's: they share a class"
    );
    assert_eq!(witness::handle(None, &see).1, Reply::New { database: 7 });
}
