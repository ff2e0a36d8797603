//! Lifecycle events on their way to the tenants' webhooks: sent once if all goes well, and under one id however often if
//! not.

mod claims;
mod dead;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tenantry::{
    app::{deliveries::SCHEDULE, projection},
    db::Db,
    domain::{Plan, Step},
    ports::Clock,
    store,
    workflow::Webhook,
};

use crate::support::{Breaks, Reaction, RecordedCall, TestApp, TestTenant, WEBHOOK_SECRET, keys};

/// What is due is delivered, as the sweep does it; answers how many were.
async fn delivers(app: &TestApp) -> usize {
    tenantry::app::deliveries::send_due(&app.app).await.unwrap()
}

/// The one delivery there is.
fn delivery(app: &TestApp) -> Value {
    let rows = app.db().rows("select * from webhook_deliveries");
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.into_iter().next().unwrap()
}

fn connection(app: &TestApp) -> Value {
    app.db().row("select * from make_connections")
}

/// What webhooks were sent, but for pings.
fn events(app: &TestApp) -> Vec<RecordedCall> {
    let sent = app.outside().upstreams().sent_to("make");
    sent.into_iter().filter(|sent| sent.header("webhook-id").starts_with("evt_")).collect()
}

/// Time passes until the delivery is due again.
fn waits_for_the_next_attempt(app: &TestApp) -> i64 {
    let seconds = delivery(app)["next_at"].as_i64().unwrap() - app.now();
    app.passes(u64::try_from(seconds).unwrap());
    seconds
}

/// A tenant that was just provisioned, before anybody delivered its event.
async fn provisioned(app: &TestApp) -> TestTenant {
    app.provisioned("fc-nord").await
}

#[tokio::test]
async fn the_end_of_a_run_is_announced_signed_and_once() {
    let app = TestApp::new();
    let tenant = provisioned(&app).await;
    assert_eq!((delivers(&app).await, delivers(&app).await), (1, 0));
    let [event] = events(&app).try_into().unwrap();
    let known = app.db().row("select * from domain_events where type = 'tenant.provisioned'");
    assert_eq!(event.header("webhook-id"), known["id"]);
    assert_eq!(event.header("webhook-timestamp"), app.now().to_string());
    assert!(event.is_signed_with(WEBHOOK_SECRET));
    assert_eq!(event.call.url, "https://hook.eu2.make.com/fc-nord");
    assert_eq!(event.call.time_limit.as_secs(), 5);
    let run = app.outside().objects().run(&tenant.id).unwrap().id;
    let body = event.json();
    assert_eq!(keys(&body), ["data", "timestamp", "type"]);
    assert_eq!(body["type"], "tenant.provisioned");
    assert!(body["timestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(body["data"], json!({ "tenantId": tenant.id, "runId": run, "plan": "starter" }));
    let row = delivery(&app);
    assert_eq!((&row["status"], &row["attempts"]), (&json!("delivered"), &json!(1)));
    assert_eq!((&row["last_status"], &row["last_error"]), (&json!(200), &Value::Null));
    assert_eq!(row["body"].as_str(), event.call.body.as_deref());
}

#[tokio::test]
async fn the_object_delivers_right_after_the_run() {
    let app = TestApp::new();
    let tenant = provisioned(&app).await;
    let other = app.provisioned("fc-sued").await;
    assert!(events(&app).is_empty(), "no alarm waits for a webhook");
    tenantry::app::deliveries::send_later(&app.app, &tenant.id.parse().unwrap());
    app.outside().finishes_deferred_work().await;
    assert_eq!(events(&app).len(), 2, "each its own club's: {} {}", tenant.id, other.id);
    assert_eq!(delivers(&app).await, 0);
}

#[tokio::test]
async fn a_tenants_own_are_its_own() {
    let app = TestApp::new();
    let tenant = provisioned(&app).await;
    app.provisioned("fc-sued").await;
    let id = tenant.id.parse().unwrap();
    assert_eq!(tenantry::app::deliveries::send(&app.app, &id).await, Ok(1));
    assert_eq!(events(&app)[0].json()["data"]["tenantId"], tenant.id);
}

#[tokio::test]
async fn a_failed_run_is_announced_with_its_reason() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    app.outside().upstreams().next("make", [Reaction::Answers(400, "")]);
    tenant.waits().await;
    assert_eq!(delivers(&app).await, 1);
    let body = events(&app).pop().unwrap().json();
    assert_eq!(body["type"], "tenant.failed");
    assert_eq!(body["data"]["reason"], "WEBHOOK_REJECTED");
    assert_eq!(body["data"]["step"], "validate_webhook");
    tenant.retries().await.is(200);
    tenant.waits().await;
    delivers(&app).await;
    assert_eq!(events(&app).pop().unwrap().json()["type"], "tenant.provisioned");
}

/// Whoever presses "try again" every minute is told of it once an hour; each failure is an event all the same.
#[tokio::test]
async fn a_run_that_fails_again_and_again_is_announced_once_an_hour() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    let failures = || {
        let announced =
            app.db().number("select count(*) from webhook_deliveries where type = 'tenant.failed'");
        (announced, app.db().number("select count(*) from domain_events where type = 'tenant.failed'"))
    };
    let fails = async || {
        app.outside().upstreams().next("make", [Reaction::Answers(400, "")]);
        tenant.waits().await;
    };
    fails().await;
    let begun = app.now();
    assert_eq!(failures(), (1, 1));
    for n in 2..5 {
        app.passes(60);
        tenant.retries().await.is(200);
        fails().await;
        assert_eq!(failures(), (1, n));
    }
    app.passes(u64::try_from(begun + 3601 - app.now()).unwrap());
    tenant.retries().await.is(200);
    fails().await;
    assert_eq!(failures(), (2, 5));
    tenant.retries().await.is(200);
    tenant.waits().await;
    let provisioned = "select count(*) from webhook_deliveries where type = 'tenant.provisioned'";
    assert_eq!(app.db().number(provisioned), 1, "that is told at once");
}

/// Nor does another address make it news, whichever way the tenant goes about it.
#[tokio::test]
async fn a_run_that_fails_again_at_another_webhook_is_announced_once_an_hour() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    for n in 0..20 {
        tenant.connects(&format!("https://hook.eu2.make.com/gone/{n}")).await.is(200);
        tenant.waits().await;
        tenant.retries().await.is(200);
        tenant.waits().await;
        app.passes(1);
    }
    assert_eq!(app.db().number("select count(*) from domain_events where type = 'tenant.failed'"), 40);
    assert_eq!(app.db().number("select count(*) from webhook_deliveries where type = 'tenant.failed'"), 1);
}

/// The sweep, which gives a run up whose object is silent, announces it under an id of its own.
#[tokio::test]
async fn a_run_that_the_sweep_gives_up_is_announced_once_an_hour_too() {
    let announced = async |minutes: u64| {
        let app = TestApp::new();
        let tenant = app.queued("fc-nord").await;
        app.outside().upstreams().next("make", [Reaction::Answers(400, "")]);
        tenant.waits().await;
        let overdue = store::overdue::Overdue {
            id: tenant.id.parse().unwrap(),
            plan: Plan::Starter,
            run: Some(tenant.row()["provision_run_id"].as_str().unwrap().parse().unwrap()),
            step: Some(Step::ValidateWebhook),
        };
        app.passes(minutes * 60);
        let now = app.outside().now();
        tenant.becomes("provision_state", "processing");
        tenant.becomes("unreachable_since", 0);
        app.db().batch(store::overdue::fail(&overdue, "evt_sweep", now)).await.unwrap();
        assert_eq!(app.db().number("select count(*) from domain_events where type = 'tenant.failed'"), 2);
        app.db().number("select count(*) from webhook_deliveries where type = 'tenant.failed'")
    };
    assert_eq!((announced(30).await, announced(61).await), (1, 2));
}

#[tokio::test]
async fn without_a_webhook_that_is_on_nothing_is_announced() {
    let app = TestApp::new();
    let pro = app.queued_pro("fc-pro").await;
    pro.waits().await;
    let off = app.queued("fc-off").await;
    app.db().execute("update make_connections set disabled_at = 1, disabled_reason = 'gone'", ());
    app.outside().upstreams().next("make", [Reaction::TimesOut, Reaction::TimesOut]);
    app.passes(3600);
    off.waits().await;
    assert_eq!(off.ended().await, "DEADLINE_EXCEEDED");
    assert_eq!(app.db().number("select count(*) from webhook_deliveries"), 0);
}

#[tokio::test]
async fn a_replay_adds_nothing() {
    let app = TestApp::new();
    let tenant = provisioned(&app).await;
    for _ in 0..2 {
        let before = app.db().contents();
        let run = app.outside().objects().run(&tenant.id).unwrap();
        let listed = projection::project(app.db(), &run, app.outside().now()).await;
        assert!(matches!(listed, tenantry::workflow::ProjectionResult::Written { .. }));
        assert_eq!(app.db().contents()["webhook_deliveries"], before["webhook_deliveries"]);
        delivers(&app).await;
    }
    assert_eq!(events(&app).len(), 1);
}

#[tokio::test]
async fn of_many_who_deliver_at_once_one_sends() {
    let app = TestApp::new();
    for n in 0..30 {
        app.provisioned(&format!("fc-{n:03}")).await;
    }
    let delivered: usize = join_all((0..5).map(|_| delivers(&app))).await.into_iter().sum();
    assert_eq!((delivered, events(&app).len()), (30, 30));
    assert_eq!(app.db().number("select count(*) from webhook_deliveries where status = 'delivered'"), 30);
}

/// Stopped while it went live, and wanted again by somebody who did not know.
#[tokio::test]
async fn a_run_that_completes_again_is_announced_once() {
    let app = TestApp::new();
    let tenant = provisioned(&app).await;
    delivers(&app).await;
    let mut run = app.outside().objects().run(&tenant.id).unwrap();
    run.doing.times_queued += 1;
    run.version += 1;
    let listed = projection::project(app.db(), &run, app.outside().now()).await;
    assert!(matches!(listed, tenantry::workflow::ProjectionResult::Written { .. }));
    assert_eq!(delivers(&app).await, 0);
    let told = app.db().number("select count(*) from domain_events where type = 'tenant.provisioned'");
    assert_eq!((told, events(&app).len()), (1, 1));
}

#[tokio::test]
async fn a_ping_that_another_webhook_took_says_nothing_of_this_one() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.connects_make().await.is(200);
    let id = tenant.id.parse().unwrap();
    let stored = async || {
        let stored = app.db().ask(store::webhooks::webhook(&id)).await.unwrap().unwrap();
        Webhook { url: stored.webhook_url, secret: stored.webhook_secret }
    };
    let pinged = stored().await;
    tenant.connects("https://hook.eu1.make.com/another").await.is(200);
    let now = app.outside().now();
    app.db().batch(vec![store::webhooks::set_validated(&id, &pinged, now)]).await.unwrap();
    assert_eq!(connection(&app)["validated_at"], Value::Null);
    let current = stored().await;
    app.db().batch(vec![store::webhooks::set_validated(&id, &current, now)]).await.unwrap();
    assert_eq!(connection(&app)["validated_at"], now.seconds());
}

/// So many more deliveries are due to a tenant.
fn has_due(app: &TestApp, tenant: &TestTenant, count: u32) {
    let numbers =
        format!("with recursive n(i) as (select 1 union all select i + 1 from n where i < {count})");
    let insert = "insert into webhook_deliveries (tenant_id, created_at, id, type, body, next_at)";
    let due = format!("{numbers} {insert} select ?1, ?2, 'evt_' || i, 'test', '{{}}', ?2 from n");
    app.db().execute(&due, rusqlite::params![tenant.id, app.now()]);
}

#[tokio::test]
async fn one_sweep_sends_a_bounded_number_those_that_waited_longest_first() {
    let app = TestApp::new();
    let first = provisioned(&app).await;
    app.passes(60);
    has_due(&app, &first, 204);
    assert_eq!(delivers(&app).await, 200);
    assert_eq!(events(&app)[0].json()["data"]["tenantId"], first.id);
    assert_eq!(delivers(&app).await, 5);
}

#[tokio::test]
async fn a_sweep_that_takes_long_claims_no_more() {
    let app = TestApp::new();
    let tenant = provisioned(&app).await;
    app.outside().upstreams().always("make", Reaction::Hangs);
    has_due(&app, &tenant, 100);
    assert_eq!(delivers(&app).await, 0);
    let tried = app.db().number("select count(*) from webhook_deliveries where attempts > 0");
    assert_eq!(tried, 20, "of 101");
}

#[tokio::test]
async fn whatever_goes_wrong_is_tried_again_under_the_same_id() {
    for (reaction, status, error) in [
        (Reaction::Answers(500, "who-is-this"), json!(500), "SERVER_ERROR"),
        (Reaction::Answers(400, "who-is-this"), json!(400), "REJECTED"),
        (Reaction::Answers(404, "who-is-this"), json!(404), "REJECTED"),
        (Reaction::Answers(302, "who-is-this"), json!(302), "REJECTED"),
        (Reaction::AsksToWait(429, "1"), json!(429), "RATE_LIMITED"),
        (Reaction::TimesOut, Value::Null, "TIMEOUT"),
        (Reaction::Breaks, Value::Null, "CONNECTION"),
        (Reaction::LosesTheAnswer, Value::Null, "CONNECTION"),
    ] {
        let app = TestApp::new();
        provisioned(&app).await;
        app.outside().upstreams().next("make", [reaction.clone()]);
        assert_eq!(delivers(&app).await, 0, "{reaction:?}");
        let row = delivery(&app);
        assert_eq!(
            (&row["status"], &row["last_status"], &row["last_error"]),
            (&json!("pending"), &status, &json!(error)),
            "{reaction:?}"
        );
        assert_eq!(connection(&app)["failing_since"], app.now());
        assert!(!serde_json::to_string(&app.db().contents()).unwrap().contains("who-is-this"));
        let waited = waits_for_the_next_attempt(&app);
        assert!((5..=6).contains(&waited), "{reaction:?}: {waited}");
        assert_eq!(delivers(&app).await, 1, "{reaction:?}");
        assert_eq!(connection(&app)["failing_since"], Value::Null, "{reaction:?}");
        let [first, second] = events(&app).try_into().unwrap();
        assert_eq!((first.key(), &first.call.body), (second.key(), &second.call.body));
        assert_ne!(first.header("webhook-timestamp"), second.header("webhook-timestamp"));
        assert!(first.is_signed_with(WEBHOOK_SECRET) && second.is_signed_with(WEBHOOK_SECRET));
    }
}

#[tokio::test]
async fn a_webhook_that_stays_down_is_tried_by_the_schedule() {
    let app = TestApp::new();
    provisioned(&app).await;
    app.outside().upstreams().always("make", Reaction::Answers(503, ""));
    delivers(&app).await;
    for pause in SCHEDULE {
        let waited = u64::try_from(waits_for_the_next_attempt(&app)).unwrap();
        assert!((pause.as_secs()..=pause.as_secs() * 11 / 10).contains(&waited), "{pause:?}: {waited}");
        delivers(&app).await;
    }
    let row = delivery(&app);
    assert_eq!((&row["status"], &row["attempts"]), (&json!("failed"), &json!(8)));
    assert_eq!(events(&app).len(), 8);
    app.passes(7 * 24 * 3600);
    delivers(&app).await;
    assert_eq!(events(&app).len(), 8);
}

#[tokio::test]
async fn a_webhook_that_asks_for_time_gets_it() {
    let app = TestApp::new();
    provisioned(&app).await;
    let waits = [("600", 600..=660), ("999999", 43_200..=47_520), ("1", 1800..=1980)];
    for (asked, expected) in waits {
        app.outside().upstreams().next("make", [Reaction::AsksToWait(503, asked)]);
        delivers(&app).await;
        let waited = waits_for_the_next_attempt(&app);
        assert!(expected.contains(&waited), "{asked}: {waited}");
    }
}

/// Whoever dies while it sends has the delivery until its claim ends; then somebody else sends it.
#[tokio::test]
async fn what_could_not_be_written_down_is_sent_again_when_the_claim_ends() {
    let app = TestApp::new();
    provisioned(&app).await;
    app.db().breaks(2, Breaks::Before);
    assert_eq!(delivers(&app).await, 0);
    assert_eq!(app.log_of("webhook_delivery_not_settled").len(), 1);
    app.passes(119);
    assert_eq!(delivers(&app).await, 0);
    app.passes(1);
    assert_eq!(delivers(&app).await, 1);
    let [first, second] = events(&app).try_into().unwrap();
    assert_eq!(first.key(), second.key());
}

#[tokio::test]
async fn what_was_written_down_is_not_sent_again_though_the_answer_was_lost() {
    let app = TestApp::new();
    provisioned(&app).await;
    app.db().breaks(2, Breaks::After);
    delivers(&app).await;
    app.passes(600);
    assert_eq!((delivers(&app).await, events(&app).len()), (0, 1));
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_ends_by_itself() {
    let app = TestApp::new();
    provisioned(&app).await;
    app.db().breaks(0, Breaks::After);
    assert!(tenantry::app::deliveries::send_due(&app.app).await.is_err());
    app.passes(120);
    assert_eq!(delivers(&app).await, 1);
}

#[tokio::test]
async fn a_late_comer_settles_nothing() {
    let app = TestApp::new();
    provisioned(&app).await;
    let (now, soon) = (app.outside().now(), app.outside().now().after(std::time::Duration::from_secs(120)));
    let claimed = app.db().ask(store::deliveries::claim(None, now, soon, 9)).await.unwrap();
    let late = claimed.into_iter().next().unwrap().unwrap();
    app.passes(120);
    app.outside().upstreams().next("make", [Reaction::TimesOut]);
    delivers(&app).await;
    let before = app.db().contents();
    let failed = store::deliveries::Attempted {
        status: store::deliveries::Status::Failed,
        next_at: None,
        answered: None,
        error: Some("TIMEOUT"),
    };
    app.db().query(store::deliveries::settle(&late, &failed, now)).await.unwrap();
    app.db().is_still(&before);
}

/// It would be sent for ever otherwise.
#[tokio::test]
async fn a_delivery_that_is_cut_off_each_time_is_given_up() {
    let app = TestApp::new();
    provisioned(&app).await;
    app.db().execute("update webhook_deliveries set attempts = 8", ());
    delivers(&app).await;
    let row = delivery(&app);
    assert_eq!((&row["status"], &row["last_error"]), (&json!("failed"), &json!("INTERRUPTED")));
    assert!(events(&app).is_empty());
}

/// The list of hosts was changed, or a key lost: that is not the webhook's fault.
#[tokio::test]
async fn what_we_hold_back_is_not_held_against_the_webhook() {
    for broken in ["HOST_NOT_ALLOWED", "MISCONFIGURED"] {
        let app = TestApp::new();
        provisioned(&app).await;
        let mut deployed = app.clone();
        if broken == "HOST_NOT_ALLOWED" {
            deployed = app.redeployed_with(&[("ALLOWED_WEBHOOK_HOSTS", "hook.other.example")]);
        } else {
            app.db().execute("update make_connections set webhook_secret = 'v1.test.AAAA'", ());
        }
        delivers(&deployed).await;
        let row = delivery(&app);
        assert_eq!((&row["status"], &row["last_error"]), (&json!("pending"), &json!(broken)));
        assert_eq!(connection(&app)["failing_since"], Value::Null);
        assert!(events(&app).is_empty());
    }
}

#[tokio::test]
async fn the_log_tells_of_each_attempt_and_never_where_to() {
    let app = TestApp::new();
    let tenant = provisioned(&app).await;
    app.outside().upstreams().next("make", [Reaction::TimesOut]);
    delivers(&app).await;
    waits_for_the_next_attempt(&app);
    delivers(&app).await;
    // That no line holds the path or the secret is asserted for each that is written.
    let lines = app.log_of("webhook_delivery");
    let own: Vec<_> = lines.iter().filter(|line| line.fields.contains_key("eventType")).collect();
    assert_eq!(own.len(), 2);
    for (line, attempt) in own.iter().zip(1..) {
        assert_eq!(line.fields["eventType"], "tenant.provisioned");
        assert_eq!(line.fields["attempt"], attempt);
        assert_eq!(line.fields["tenantId"], tenant.id);
        assert_eq!(line.fields["host"], "hook.eu2.make.com");
        assert_eq!(line.fields["runId"], app.outside().objects().run(&tenant.id).unwrap().id.as_str());
        assert_eq!(line.fields["deliveryId"], delivery(&app)["id"]);
    }
    assert_eq!((&own[0].fields["error"], &own[1].fields["status"]), (&json!("timeout"), &json!(200)));
}

#[tokio::test]
async fn a_delivery_goes_on_with_the_trace_of_the_request_that_queued_the_run() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let webhook = json!({ "webhookUrl": "https://hook.eu2.make.com/a", "webhookSecret": WEBHOOK_SECRET });
    let ask = tenant.post("/public/signup/starter/make").token(&tenant.jwt).json(&webhook);
    ask.header("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01")).send().await.is(200);
    tenant.waits().await;
    delivers(&app).await;
    let sent = events(&app).pop().unwrap();
    assert!(sent.call.traceparent.unwrap().starts_with(&format!("00-{trace}-")));
    assert_eq!(app.log_of("webhook_delivery").pop().unwrap().fields["traceId"], trace);
}

#[tokio::test]
async fn no_secret_and_no_address_is_in_a_delivery() {
    let app = TestApp::new();
    provisioned(&app).await;
    delivers(&app).await;
    let text = delivery(&app).to_string();
    assert!(!text.contains(WEBHOOK_SECRET) && !text.contains("hook.eu2"), "{text}");
    assert!(!text.contains('@') && !text.contains("eyJ"), "{text}");
}

#[tokio::test]
async fn what_was_over_a_month_ago_goes() {
    let app = TestApp::new();
    provisioned(&app).await;
    delivers(&app).await;
    app.passes(30 * 24 * 3600 - 1);
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(delivery(&app)["status"], "delivered");
    app.passes(1);
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(app.db().number("select count(*) from webhook_deliveries"), 0);
}

#[tokio::test]
async fn the_sweep_delivers_and_says_how_many() {
    let app = TestApp::new();
    provisioned(&app).await;
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(app.log_of("sweep").pop().unwrap().fields["delivered"], 1);
    assert_eq!(delivery(&app)["settled_at"], app.now());
}
