//! The platform's own webhook: it is sent everything that happens, at least once, under the ids of the feed, and whatever it does holds up
//! no tenant.

use std::collections::BTreeSet;

use futures_util::future::{Either, select};
use serde_json::{Value, json};
use tenantry::app::deliveries::{SCHEDULE, send_due, send_later};

use crate::support::{
    Breaks, PLATFORM_SECRET, PLATFORM_WEBHOOK, Reaction, RecordedCall, TestApp, Token, keys, turns,
};

fn with_webhook() -> TestApp {
    TestApp::with(&PLATFORM_WEBHOOK)
}

async fn delivers(app: &TestApp) -> usize {
    send_due(&app.app).await.unwrap()
}

fn sent(app: &TestApp) -> Vec<RecordedCall> {
    app.outside().upstreams().sent_to("platform")
}

fn ids(sent: &[RecordedCall]) -> Vec<String> {
    sent.iter().map(RecordedCall::key).collect()
}

fn rows(app: &TestApp) -> Vec<Value> {
    app.db().rows("select * from platform_deliveries order by seq")
}

fn failing_since(app: &TestApp) -> Value {
    app.db().row("select failing_since from platform_webhook")["failing_since"].clone()
}

fn feed(app: &TestApp) -> Vec<String> {
    let rows = app.db().rows("select event_id from event_feed order by seq");
    rows.iter().map(|row| row["event_id"].as_str().unwrap().to_owned()).collect()
}

/// Time passes until the first delivery that waits is due; answers how long.
fn waits_for_the_next_attempt(app: &TestApp) -> u64 {
    let due = app.db().number("select min(next_at) from platform_deliveries where status = 'pending'");
    let seconds = u64::try_from(due - app.now()).unwrap();
    app.passes(seconds);
    seconds
}

#[tokio::test]
async fn it_is_sent_what_happens_signed_and_once() {
    let app = with_webhook();
    let tenant = app.provisioned("fc-nord").await;
    app.outside().upstreams().always("make", Reaction::Answers(500, ""));
    assert_eq!(delivers(&app).await, 2);
    assert_eq!(delivers(&app).await, 0);
    let [signed_up, provisioned] = sent(&app).try_into().unwrap();
    assert_eq!([signed_up.key(), provisioned.key()].to_vec(), feed(&app));
    for call in [&signed_up, &provisioned] {
        assert!(call.is_signed_with(PLATFORM_SECRET));
        assert_eq!(call.signatures(), 1);
        assert_eq!(call.header("webhook-id"), call.key());
        assert_eq!(call.header("webhook-timestamp"), app.now().to_string());
        assert_eq!(
            (call.call.url.as_str(), call.call.time_limit.as_secs()),
            ("https://hooks.example.com/tenantry", 5)
        );
        assert!(call.call.follow.is_empty(), "no redirect is followed");
        assert_eq!(keys(&call.json()), ["data", "timestamp", "type"]);
        assert_eq!(call.json()["data"]["tenantId"], tenant.id);
    }
    let run = app.outside().objects().run(&tenant.id).unwrap().id;
    let body = provisioned.json();
    assert_eq!(body["type"], "tenant.provisioned");
    assert_eq!(body["data"], json!({ "tenantId": tenant.id, "runId": run, "plan": "starter" }));
    let occurred_at = app.db().number("select occurred_at from event_feed where seq = 2");
    assert_eq!(
        body["timestamp"],
        tenantry::domain::Timestamp::from_seconds(occurred_at).rfc3339(),
        "to the second, as the feed has it"
    );
    for row in rows(&app) {
        assert_eq!((&row["status"], &row["attempts"]), (&json!("delivered"), &json!(1)));
        assert_eq!((&row["last_status"], &row["last_error"]), (&json!(204), &Value::Null));
    }
}

/// Pro clubs have no webhook of their own: the platform hears of them all the same.
#[tokio::test]
async fn every_plan_and_every_kind_of_event_is_told() {
    let app = with_webhook();
    crate::plans::everything_happens(&app).await;
    app.outside().upstreams().always("platform", Reaction::Healthy);
    for _ in 0..10 {
        app.passes(24 * 3600);
        delivers(&app).await;
    }
    let kinds: BTreeSet<String> =
        sent(&app).iter().map(|sent| sent.json()["type"].as_str().unwrap().to_owned()).collect();
    let all = [
        "mail.failed",
        "session.all_ended",
        "session.ended",
        "session.started",
        "tenant.deprovisioned",
        "tenant.failed",
        "tenant.provisioned",
        "tenant.signed_up",
        "webhook.changed",
        "webhook.disabled",
    ];
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), all);
    assert_eq!(
        ids(&sent(&app)).into_iter().collect::<BTreeSet<_>>(),
        feed(&app).into_iter().collect::<BTreeSet<_>>()
    );
}

#[tokio::test]
async fn without_one_nothing_is_made_and_nothing_is_sent() {
    for wrong in [
        vec![],
        vec![("PLATFORM_WEBHOOK_URL", "https://hooks.example.com/tenantry")],
        vec![("PLATFORM_WEBHOOK_SECRET", PLATFORM_SECRET)],
        vec![PLATFORM_WEBHOOK[0], ("PLATFORM_WEBHOOK_SECRET", "short")],
        vec![("PLATFORM_WEBHOOK_URL", "http://hooks.example.com/a"), PLATFORM_WEBHOOK[1]],
        vec![("PLATFORM_WEBHOOK_URL", "https://127.0.0.1/a"), PLATFORM_WEBHOOK[1]],
    ] {
        let app = TestApp::with(&wrong);
        app.provisioned("fc-nord").await;
        assert_eq!(delivers(&app).await, 1, "the tenant's own");
        assert!(rows(&app).is_empty() && sent(&app).is_empty(), "{wrong:?}");
        assert_eq!(app.db().number("select count(*) from platform_webhook"), 0);
        let ready = app.get("/health/ready").send().await.json();
        assert_eq!(ready["checks"]["configuration"]["ok"], wrong.is_empty(), "{wrong:?}: {ready}");
        assert!(!ready.to_string().contains(PLATFORM_SECRET));
    }
}

#[tokio::test]
async fn the_object_sends_it_right_after_the_run() {
    let app = with_webhook();
    let tenant = app.provisioned("fc-nord").await;
    assert!(sent(&app).is_empty(), "no alarm waits for a webhook");
    send_later(&app.app, &tenant.id.parse().unwrap());
    app.outside().finishes_deferred_work().await;
    assert_eq!(ids(&sent(&app)), feed(&app));
}

/// What becomes a delivery does so in the round trip that claims.
#[tokio::test]
async fn it_costs_no_round_trip_where_nothing_happened() {
    let app = with_webhook();
    app.provisioned("fc-nord").await;
    delivers(&app).await;
    let before = app.db().batches();
    delivers(&app).await;
    assert_eq!(app.db().batches(), before + 1);
}

#[tokio::test]
async fn both_secrets_sign_while_one_replaces_the_other() {
    let app = TestApp::with(&[
        PLATFORM_WEBHOOK[0],
        ("PLATFORM_WEBHOOK_SECRET", "the-next-secret-of-the-platform"),
        ("PLATFORM_WEBHOOK_SECRET_PREVIOUS", PLATFORM_SECRET),
    ]);
    app.signed_up("fc-nord").await;
    delivers(&app).await;
    let [call] = sent(&app).try_into().unwrap();
    assert!(call.is_signed_with("the-next-secret-of-the-platform") && call.is_signed_with(PLATFORM_SECRET));
    assert_eq!(call.signatures(), 2);
}

/// Each kind of failure: at least once, under the same id and with the same body, and what came back is never kept.
#[tokio::test]
async fn whatever_it_answers_it_is_sent_the_same_again() {
    for (reaction, status, error) in [
        (Reaction::Answers(500, "who-is-this"), json!(500), "SERVER_ERROR"),
        (Reaction::Answers(503, "who-is-this"), json!(503), "SERVER_ERROR"),
        (Reaction::Answers(400, "who-is-this"), json!(400), "REJECTED"),
        (Reaction::Answers(401, "who-is-this"), json!(401), "REJECTED"),
        (Reaction::Answers(404, "who-is-this"), json!(404), "REJECTED"),
        (Reaction::Answers(410, "who-is-this"), json!(410), "GONE"),
        (Reaction::Answers(301, "who-is-this"), json!(301), "REJECTED"),
        (Reaction::Answers(307, "who-is-this"), json!(307), "REJECTED"),
        (Reaction::AsksToWait(429, "1"), json!(429), "RATE_LIMITED"),
        (Reaction::TimesOut, Value::Null, "TIMEOUT"),
        (Reaction::Breaks, Value::Null, "CONNECTION"),
        (Reaction::LosesTheAnswer, Value::Null, "CONNECTION"),
    ] {
        let app = with_webhook();
        app.signed_up("fc-nord").await;
        app.outside().upstreams().next("platform", [reaction.clone()]);
        assert_eq!(delivers(&app).await, 0, "{reaction:?}");
        let [row] = rows(&app).try_into().unwrap();
        assert_eq!(
            (&row["status"], &row["attempts"], &row["last_status"], &row["last_error"]),
            (&json!("pending"), &json!(1), &status, &json!(error)),
            "{reaction:?}"
        );
        assert_eq!(failing_since(&app), app.now());
        assert!(!serde_json::to_string(&app.db().contents()).unwrap().contains("who-is-this"));
        assert!((5..=6).contains(&waits_for_the_next_attempt(&app)), "{reaction:?}");
        assert_eq!(delivers(&app).await, 1, "{reaction:?}");
        assert_eq!(failing_since(&app), Value::Null);
        let [first, second] = sent(&app).try_into().unwrap();
        assert_eq!((first.key(), &first.call.body), (second.key(), &second.call.body));
        assert!(first.is_signed_with(PLATFORM_SECRET) && second.is_signed_with(PLATFORM_SECRET));
        assert_ne!(first.header("webhook-timestamp"), second.header("webhook-timestamp"));
    }
}

#[tokio::test]
async fn one_that_asks_for_time_gets_it() {
    let app = with_webhook();
    app.signed_up("fc-nord").await;
    for (asked, expected) in [("600", 600..=660), ("999999", 43_200..=47_520), ("1", 1800..=1980)] {
        app.outside().upstreams().next("platform", [Reaction::AsksToWait(429, asked)]);
        delivers(&app).await;
        let waited = waits_for_the_next_attempt(&app);
        assert!(expected.contains(&waited), "{asked}: {waited}");
    }
}

/// The schedule is that of the tenants' webhooks. It is never switched off: what happens later is sent as if nothing had been.
#[tokio::test]
async fn one_that_stays_down_for_a_month_is_not_switched_off() {
    let app = with_webhook();
    app.signed_up("fc-nord").await;
    app.outside().upstreams().always("platform", Reaction::Answers(410, ""));
    delivers(&app).await;
    let since = app.now();
    for pause in SCHEDULE {
        let waited = waits_for_the_next_attempt(&app);
        assert!((pause.as_secs()..=pause.as_secs() * 11 / 10).contains(&waited), "{pause:?}: {waited}");
        delivers(&app).await;
    }
    let [row] = rows(&app).try_into().unwrap();
    assert_eq!((&row["status"], &row["attempts"]), (&json!("failed"), &json!(8)));
    app.passes(20 * 24 * 3600);
    app.signed_up("fc-sued").await;
    delivers(&app).await;
    assert_eq!((failing_since(&app), sent(&app).len()), (json!(since), 9));
    assert!(app.log_of("webhook_disabled").is_empty());
    assert_eq!(app.db().number("select count(*) from mails where kind = 'webhook_disabled'"), 0);
    app.outside().upstreams().always("platform", Reaction::Healthy);
    waits_for_the_next_attempt(&app);
    assert_eq!((delivers(&app).await, failing_since(&app)), (1, Value::Null));
}

/// The runtime is ended between sending and writing down: it is sent again, under its id.
#[tokio::test]
async fn a_kill_between_sending_and_recording_sends_it_again() {
    let app = with_webhook();
    app.signed_up("fc-nord").await;
    app.outside().upstreams().always("platform", Reaction::Kills);
    let sweep = std::pin::pin!(send_due(&app.app));
    assert!(matches!(select(sweep, turns(1000)).await, Either::Right(_)));
    app.outside().upstreams().always("platform", Reaction::Healthy);
    assert_eq!(delivers(&app).await, 0, "it is still held");
    app.passes(120);
    assert_eq!(delivers(&app).await, 1);
    let [first, second] = sent(&app).try_into().unwrap();
    assert_eq!((first.key(), &first.call.body), (second.key(), &second.call.body));
}

/// Each round trip breaks, before and after it was done: nothing is lost, and nothing is sent twice but what was not recorded.
#[tokio::test]
async fn no_round_trip_that_breaks_loses_an_event() {
    for nth in 0..4 {
        for how in [Breaks::Before, Breaks::After] {
            let app = with_webhook();
            app.signed_up("fc-nord").await;
            app.db().breaks(nth, how);
            let _ = send_due(&app.app).await;
            for _ in 0..3 {
                app.passes(121);
                let _ = send_due(&app.app).await;
            }
            let arrived: BTreeSet<String> = ids(&sent(&app)).into_iter().collect();
            assert_eq!(arrived, feed(&app).into_iter().collect(), "{nth} {how:?}");
            assert_eq!(rows(&app)[0]["status"], "delivered", "{nth} {how:?}");
            assert!(sent(&app).len() <= 2, "{nth} {how:?}");
        }
    }
}

/// Two that sweep at once send each event once.
#[tokio::test]
async fn two_sweeps_at_once_send_each_event_once() {
    let app = with_webhook();
    for n in 0..30 {
        app.signed_up(&format!("fc-{n:03}")).await;
    }
    let (first, second) = futures_util::join!(delivers(&app), delivers(&app));
    assert_eq!(first + second, 30);
    let sent = ids(&sent(&app));
    assert_eq!((sent.len(), sent.into_iter().collect::<BTreeSet<_>>().len()), (30, 30));
}

/// It hangs, or the tenant's own does: neither keeps the other waiting, nor is it held against the other.
#[tokio::test]
async fn neither_holds_up_the_other() {
    let app = with_webhook();
    app.provisioned("fc-nord").await;
    app.outside().upstreams().always("platform", Reaction::TimesOut);
    assert_eq!(delivers(&app).await, 1, "the tenant's own");
    assert_eq!(app.db().row("select * from make_connections")["failing_since"], Value::Null);
    assert_eq!(failing_since(&app), app.now());
    let app = with_webhook();
    app.provisioned("fc-nord").await;
    app.outside().upstreams().always("make", Reaction::TimesOut);
    assert_eq!(delivers(&app).await, 2, "the platform's");
    assert_eq!(failing_since(&app), Value::Null);
}

/// What happened while it was set up is told; what is a day old is not, and neither is more than a hundred.
#[tokio::test]
async fn it_begins_a_little_before_it_was_there() {
    let app = TestApp::new();
    app.signed_up("fc-old").await;
    app.passes(25 * 3600);
    app.signed_up("fc-young").await;
    let configured = app.redeployed_with(&PLATFORM_WEBHOOK);
    assert_eq!(delivers(&configured).await, 1);
    assert_eq!(ids(&sent(&app)), feed(&app)[1..]);
    let app = TestApp::new();
    let tenant = app.signed_up("fc-many").await;
    for n in 0..149 {
        app.db().execute(
            "insert into domain_events values (?1, ?2, ?3, 'test', '{}')",
            (&tenant.id, app.now(), format!("evt_{n}")),
        );
    }
    let configured = app.redeployed_with(&PLATFORM_WEBHOOK);
    assert_eq!(delivers(&configured).await, 100);
    let empty = with_webhook();
    assert_eq!(delivers(&empty).await, 0);
    empty.signed_up("fc-first").await;
    assert_eq!(delivers(&empty).await, 1);
}

/// It is not configured for a week, or the version before runs that long: it goes on where it was.
#[tokio::test]
async fn one_that_was_away_goes_on_where_it_was() {
    let app = with_webhook();
    app.signed_up("fc-nord").await;
    delivers(&app).await;
    let without = app.redeployed_with(&[]);
    for n in 0..150 {
        without.signed_up(&format!("fc-away-{n}")).await;
    }
    delivers(&without).await;
    app.passes(7 * 24 * 3600);
    let mut delivered = 0;
    for _ in 0..5 {
        delivered += delivers(&app).await;
    }
    assert_eq!((delivered, ids(&sent(&app))), (150, feed(&app)));
}

#[tokio::test]
async fn a_delivery_that_is_over_is_kept_for_thirty_days_and_not_made_again() {
    let app = with_webhook();
    app.signed_up("fc-nord").await;
    delivers(&app).await;
    app.passes(31 * 24 * 3600);
    for _ in 0..2 {
        tenantry::app::sweep::run(&app.app).await;
    }
    assert_eq!((rows(&app).len(), sent(&app).len()), (0, 1));
    app.signed_up("fc-sued").await;
    delivers(&app).await;
    assert_eq!(ids(&sent(&app)), feed(&app));
}

#[tokio::test]
async fn while_a_restored_database_is_looked_at_nothing_is_sent() {
    let app = with_webhook();
    tenantry::app::sweep::run(&app.app).await;
    app.signed_up("fc-nord").await;
    app.outside().witness().forgets();
    app.db().execute("update measures set value = value - 3600 where name = 'sweep_ended_at'", ());
    tenantry::app::sweep::run(&app.app).await;
    let ready = app.get("/health/ready").send().await.is(200);
    assert_eq!((ready["provisioning"].as_str(), sent(&app).len()), (Some("paused"), 0));
}

#[tokio::test]
async fn monitoring_sees_since_when_it_fails() {
    let app = with_webhook();
    let seen = async || {
        let answer = app.get("/metrics").token(&Token::operator(app.now()).sign()).send().await;
        let read = crate::support::Scrape::read(&answer.text);
        (
            read.of("tenantry_platform_webhook_failing_seconds"),
            read.of("tenantry_platform_deliveries_overdue_seconds"),
        )
    };
    assert_eq!(seen().await, (0, 0));
    app.signed_up("fc-nord").await;
    app.outside().upstreams().next("platform", [Reaction::Answers(500, "")]);
    delivers(&app).await;
    app.passes(600);
    let (failing, overdue) = seen().await;
    assert!(failing == 600 && (590..=600).contains(&overdue), "{failing} {overdue}");
    delivers(&app).await;
    assert_eq!(seen().await, (0, 0));
}
