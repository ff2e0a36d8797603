//! The breakers in the midst of provisioning: what many tenants' runs do when an upstream is dead, and what one's do.

use std::time::Duration;

use serde_json::json;
use tenantry::{
    domain::{RunStatus, Timestamp, Upstream},
    ports::Clock,
    workflow::breaker::State,
};

use crate::support::{Manner, Reaction, TestApp, TestTenant};

pub(super) async fn many(app: &TestApp, count: usize) -> Vec<TestTenant> {
    let mut tenants = Vec::new();
    for n in 0..count {
        tenants.push(app.queued_pro(&format!("fc-{n:03}")).await);
    }
    tenants
}

pub(super) fn state(app: &TestApp, upstream: Upstream) -> State {
    app.outside().breakers().of(upstream).state
}

pub(super) fn is_open(app: &TestApp, upstream: Upstream) -> bool {
    !matches!(state(app, upstream), State::Closed { .. })
}

pub(super) fn calls(app: &TestApp) -> usize {
    app.outside().upstreams().sent_to("apps_script").len()
}

/// The alarms of all of them and of the breakers ring, each when it is due, until `end` or until there is none.
pub(super) async fn time_goes_on(tenants: &[TestTenant], end: Option<Timestamp>) {
    loop {
        let alarm = |tenant: &TestTenant| {
            tenant.outside().objects().alarm(&tenant.id).map(|at| (at, tenant.id.clone()))
        };
        let next = tenants.iter().filter_map(alarm).min();
        let at = next.as_ref().map(|(at, _)| *at);
        let before = [at, end].into_iter().flatten().min();
        if tenants[0].breaker_rings_before(before.unwrap_or(tenants[0].outside().now())).await {
            continue;
        }
        let Some((at, id)) = next else { return };
        if end.is_some_and(|end| at > end) {
            return;
        }
        tenants[0].alarm_rings(&id).await;
    }
}

pub(super) fn after(app: &TestApp, seconds: i64) -> Option<Timestamp> {
    Some(Timestamp::from_seconds(app.now() + seconds))
}

/// Three tenants' runs fail against Apps Script until its breaker is open.
pub(super) async fn opened(app: &TestApp) -> Vec<TestTenant> {
    let tenants = many(app, 3).await;
    app.outside().upstreams().always("apps_script", Reaction::TimesOut);
    time_goes_on(&tenants, after(app, 15)).await;
    assert!(is_open(app, Upstream::AppsScript));
    assert_eq!(calls(app), 10);
    tenants
}

#[tokio::test]
async fn a_fourth_tenants_run_waits_without_a_call_and_completes_when_the_other_side_is_back() {
    let app = TestApp::new();
    let mut tenants = opened(&app).await;
    let fourth = app.queued_pro("fc-fourth").await;
    fourth.alarm_rings(&fourth.id).await;
    assert_eq!(calls(&app), 10, "no call left");
    let run = app.outside().objects().run(&fourth.id).unwrap();
    assert_eq!(run.status(), RunStatus::Processing);
    let status = fourth.sees_status().await.is(200);
    let step = status["data"]["steps"][2].clone();
    assert_eq!((&step["name"], &step["attempts"]), (&json!("create_spreadsheet"), &json!(1)));
    assert_eq!(step["error"]["code"], "CIRCUIT_OPEN");
    assert!(step["error"]["message"].as_str().unwrap().starts_with("The other side needs a rest"));
    let projected = app.db().row(&format!(
        "select outcome, error, upstream_status from provision_history
         where run_id = '{}' and step = 'create_spreadsheet'",
        run.id
    ));
    assert_eq!(projected, json!({ "outcome": "unknown", "error": "CIRCUIT_OPEN", "upstream_status": null }));
    app.outside().upstreams().always("apps_script", Reaction::Healthy);
    tenants.push(fourth);
    time_goes_on(&tenants, None).await;
    for tenant in &tenants {
        assert_eq!(tenant.ended().await, "completed");
    }
    assert_eq!(state(&app, Upstream::AppsScript), State::default());
    let moves: Vec<String> =
        app.log_words().into_iter().filter(|word| word.starts_with("circuit_")).collect();
    // One is woken to go and see, and the others when it has ended.
    let expected = ["circuit_opened", "circuit_woke", "circuit_half_open", "circuit_closed", "circuit_woke"];
    assert_eq!(moves, expected);
}

#[tokio::test]
async fn what_happens_to_a_breaker_is_told_on_whose_behalf_it_was_asked() {
    let app = TestApp::new();
    let tenants = opened(&app).await;
    let line = app.log_of("circuit_opened").pop().unwrap();
    assert_eq!((&line.fields["level"], &line.fields["upstream"]), (&json!("warn"), &json!("apps_script")));
    assert_eq!((&line.fields["failures"], &line.fields["step"]), (&json!(10), &json!("create_spreadsheet")));
    assert!(tenants.iter().any(|tenant| line.fields["tenantId"] == tenant.id.as_str()));
    assert!(line.fields["requestId"].is_string() && line.fields["nextProbeAt"].is_string());
    time_goes_on(&tenants, after(&app, 60)).await;
    assert_eq!(app.log_of("circuit_half_open")[0].fields["level"], "info");
}

#[tokio::test]
async fn a_dead_other_side_is_hardly_asked_by_however_many_runs() {
    let app = TestApp::new();
    let tenants = many(&app, 40).await;
    app.outside().upstreams().always("apps_script", Reaction::Answers(503, ""));
    let began = Timestamp::from_seconds(app.now());
    time_goes_on(&tenants, after(&app, 20 * 60)).await;
    // Those that open it, and one at 30, 60, 120, … seconds.
    assert!((12..=18).contains(&calls(&app)), "{} calls", calls(&app));
    let later = app.outside().now().after(Duration::from_secs(300));
    let alarms = tenants.iter().filter_map(|tenant| app.outside().objects().alarm(&tenant.id));
    assert!(alarms.max().unwrap() < later, "nobody waits for so long that it counts as stuck");
    app.outside().upstreams().always("apps_script", Reaction::Healthy);
    time_goes_on(&tenants, None).await;
    for tenant in &tenants {
        assert_eq!(tenant.ended().await, "completed");
    }
    // They come back one after the other, not at once: each makes two calls, which take no time here.
    let mut busiest = std::collections::BTreeMap::new();
    for sent in app.outside().upstreams().sent_to("apps_script") {
        if sent.json()["action"] == "provision" && sent.at.since(began).as_secs() > 60 {
            *busiest.entry(sent.at.seconds()).or_insert(0) += 1;
        }
    }
    assert!(busiest.values().all(|calls| *calls <= 26), "{busiest:?}");
}

#[tokio::test]
async fn one_tenants_dead_scenario_stops_no_other() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    app.outside().upstreams().always("make", Reaction::Breaks);
    for _ in 0..2 {
        tenant.waits().await;
        assert_eq!(tenant.ended().await, "UPSTREAM_UNAVAILABLE");
        tenant.retries().await;
    }
    assert!(app.outside().upstreams().sent_to("make").len() > 20);
    assert!(!is_open(&app, Upstream::Make));
    app.outside().upstreams().always("make", Reaction::Healthy);
    let other = app.provisioned("fc-sued").await;
    assert_eq!(other.ended().await, "completed");
    let attempts = app.db().number(&format!(
        "select count(*) from provision_history h join provision_runs r on r.id = h.run_id
         where r.tenant_id = '{}' and h.step = 'validate_webhook'",
        other.id
    ));
    assert_eq!(attempts, 1);
}

#[tokio::test]
async fn an_upstream_that_is_dead_stops_no_step_of_another() {
    let app = TestApp::new();
    opened(&app).await;
    assert_eq!(app.provisioned("fc-starter").await.ended().await, "completed");
}

/// A breaker is a help: without it everything goes on as if there were none.
#[tokio::test]
async fn a_breaker_that_does_not_answer_stops_nothing() {
    for manner in [Manner::Gone, Manner::Mute] {
        let app = TestApp::new();
        app.outside().breakers().become_(manner);
        let (starter, pro) = (app.queued("fc-nord").await, app.queued_pro("fc-sued").await);
        app.outside().upstreams().next("apps_script", [Reaction::TimesOut]);
        time_goes_on(&[starter.clone(), pro.clone()], None).await;
        assert_eq!((starter.ended().await.as_str(), pro.ended().await.as_str()), ("completed", "completed"));
        let lines = app.log_of("circuit_unavailable");
        // Before three steps, one of them twice, and after the attempt that failed.
        assert_eq!(lines.len(), 5, "{manner:?}");
        assert_eq!(
            (&lines[0].fields["level"], &lines[0].fields["error"]),
            (&json!("error"), &json!("object: no answer in time"))
        );
    }
}

#[tokio::test]
async fn a_run_that_nothing_happens_to_asks_before_each_outside_step_and_tells_only_who_counts_it() {
    let app = TestApp::new();
    app.provisioned("fc-nord").await;
    assert_eq!((app.outside().breakers().told(), app.outside().breakers().reports()), (1, 0));
    let tenant = app.queued_pro("fc-sued").await;
    tenant.waits().await;
    // Apps Script is asked by so many at once: each says when it asks no more.
    assert_eq!((app.outside().breakers().told(), app.outside().breakers().reports()), (5, 2));
}

#[tokio::test]
async fn once_something_failed_the_next_answer_is_told_and_nothing_is_counted_any_more() {
    let app = TestApp::new();
    let tenant = app.queued_pro("fc-nord").await;
    app.outside().upstreams().next("apps_script", [Reaction::Answers(500, "")]);
    tenant.alarm_rings(&tenant.id).await;
    assert_eq!(app.outside().breakers().of(Upstream::AppsScript).failures(), 1);
    tenant.waits().await;
    assert_eq!(app.outside().breakers().reports(), 3);
    assert_eq!(state(&app, Upstream::AppsScript), State::default());
}

#[tokio::test]
async fn what_is_our_own_fault_is_nobody_elses() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    app.outside().upstreams().next("make", [Reaction::Breaks]);
    tenant.alarm_rings(&tenant.id).await;
    let reports = app.outside().breakers().reports();
    app.db().goes_down();
    for _ in 0..3 {
        tenant.alarm_rings(&tenant.id).await;
    }
    assert_eq!(app.outside().breakers().of(Upstream::Make).failures(), 1);
    assert_eq!(app.outside().breakers().reports(), reports, "nobody was asked");
    app.db().comes_up();
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}

/// Mail fails no run, and holds none up; and it arrives when the mail service is back.
#[tokio::test]
async fn a_tenant_goes_live_although_the_mails_breaker_is_open() {
    let app = TestApp::new();
    app.outside().upstreams().always("resend", Reaction::Breaks);
    for n in 0..4 {
        let began = app.now();
        assert_eq!(app.provisioned(&format!("fc-{n}")).await.ended().await, "completed");
        assert!(app.now() - began < 5);
    }
    for pause in [70, 70, 330, 0] {
        tenantry::app::mails::send_due(&app.app).await.unwrap();
        app.passes(pause);
    }
    assert!(is_open(&app, Upstream::Resend));
    app.passes(3600);
    app.outside().upstreams().always("resend", Reaction::Healthy);
    app.mails_leave().await;
    let arrived = app.outside().upstreams().effects();
    assert_eq!(
        arrived.into_iter().filter(|((upstream, _), times)| *upstream == "resend" && *times == 1).count(),
        4
    );
}

#[tokio::test]
async fn with_a_service_account_it_is_google_that_is_watched() {
    let key = r#"{"client_email":"bot@project.iam","private_key":"a private key","private_key_id":"k1"}"#;
    let app = TestApp::with(&[("GOOGLE_SERVICE_ACCOUNT_KEY", key)]);
    app.outside().upstreams().next("google_token", [Reaction::Answers(503, "")]);
    let tenant = app.queued_pro("fc-nord").await;
    tenant.alarm_rings(&tenant.id).await;
    let failures = |upstream| app.outside().breakers().of(upstream).failures();
    assert_eq!((failures(Upstream::Google), failures(Upstream::AppsScript)), (1, 0));
}
