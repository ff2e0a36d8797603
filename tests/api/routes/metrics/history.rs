//! The numbers after histories that are known.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};
use tenantry::{
    domain::Upstream,
    ports::Objects,
    store::rollups::BOUNDS,
    workflow::breaker::{BreakerCommand, HealthSignal, Request, RequesterId},
};

use super::{monitored, scrape};
use crate::support::{Cost, Reaction, Scrape, TestApp, TestTenant, Token};

fn changed(expected: &[(&str, i64)]) -> BTreeMap<String, i64> {
    expected.iter().map(|(name, more)| (format!("tenantry_{name}"), *more)).collect()
}

/// A tenant whose webhook is gone: its run fails.
async fn failed(app: &TestApp, slug: &str) -> TestTenant {
    let tenant = app.signed_up(slug).await;
    tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
    tenant.waits().await;
    tenant
}

async fn operator(app: &TestApp, method: Method, path: &str) -> Value {
    let token = Token::operator(app.now()).sign();
    app.ask(method, path).token(&token).json(&json!({ "reason": "test" })).send().await.json()
}

#[tokio::test]
async fn a_signup_moves_these_numbers_and_no_others() {
    let app = monitored();
    let before = scrape(&app).await;
    app.signed_up("fc-nord").await;
    app.signed_up_pro("fc-sued").await;
    assert_eq!(
        before.until(&scrape(&app).await),
        changed(&[
            ("signups_total", 2),
            (r#"tenants{plan="starter",status="trial"}"#, 1),
            (r#"tenants{plan="pro",status="trial"}"#, 1),
        ])
    );
}

#[tokio::test]
async fn a_run_moves_these_numbers_and_no_others() {
    let app = monitored();
    let tenant = app.signed_up("fc-nord").await;
    let before = scrape(&app).await;
    app.outside().upstreams().next("make", [Reaction::Breaks]);
    tenant.connects_make().await.is(200);
    app.alarm_rings(&tenant.id).await;
    let trouble = r#"step_troubles_total{step="validate_webhook",outcome="unknown"}"#;
    let at_work = [
        (r#"provisioning_runs{plan="starter",status="processing"}"#, 1),
        (r#"breaker_failures{upstream="make"}"#, 1),
        (trouble, 1),
    ];
    assert_eq!(before.until(&scrape(&app).await), changed(&at_work));
    app.passes(8);
    assert_eq!(scrape(&app).await.of(r#"tenantry_unmoved_seconds{work="provisioning"}"#), 8);
    tenant.waits().await;
    let took = app.db().number("select completed_at - started_at from provision_runs");
    assert!((8..20).contains(&took), "{took}");
    let mut expected = vec![
        (r#"tenants{plan="starter",status="trial"}"#, -1),
        (r#"tenants{plan="starter",status="active"}"#, 1),
        (r#"provisioning_runs{plan="starter",status="completed"}"#, 1),
        (r#"provisioning_duration_seconds_count{plan="starter"}"#, 1),
        (r#"provisioning_duration_seconds_sum{plan="starter"}"#, took),
        ("webhook_deliveries_pending", 1),
        ("mails_pending", 1),
        (trouble, 1),
    ];
    let ends = BOUNDS.iter().filter(|end| **end >= took).map(ToString::to_string).chain(["+Inf".to_owned()]);
    let buckets: Vec<String> = ends
        .map(|le| format!("provisioning_duration_seconds_bucket{{plan=\"starter\",le=\"{le}\"}}"))
        .collect();
    expected.extend(buckets.iter().map(|name| (name.as_str(), 1)));
    assert_eq!(before.until(&scrape(&app).await), changed(&expected));
    tenantry::app::deliveries::send_due(&app.app).await.unwrap();
    let delivered = scrape(&app).await;
    assert_eq!(delivered.of("tenantry_webhook_deliveries_pending"), 0);
    assert_eq!(delivered.of(r#"tenantry_webhook_deliveries_settled_total{outcome="delivered"}"#), 1);
    tenantry::app::mails::send_due(&app.app).await.unwrap();
    let mailed = scrape(&app).await;
    assert_eq!((mailed.of("tenantry_mails_pending"), mailed.of("tenantry_mails_late")), (0, 0));
    assert_eq!(mailed.of(r#"tenantry_mails_settled_total{outcome="sent"}"#), 1);
}

#[tokio::test]
async fn a_mail_that_waits_for_long_is_late_until_it_is_over() {
    for (ends, outcome) in [(Reaction::Healthy, "sent"), (Reaction::Answers(422, "{}"), "failed")] {
        let app = monitored();
        app.provisioned("fc-nord").await;
        app.outside().upstreams().always("resend", Reaction::Answers(503, ""));
        app.outside().finishes_deferred_work().await;
        assert_eq!(scrape(&app).await.of("tenantry_mails_late"), 0);
        app.passes(700);
        let read = scrape(&app).await;
        assert!((500..700).contains(&read.of("tenantry_mails_overdue_seconds")));
        tenantry::app::mails::send_due(&app.app).await.unwrap();
        let read = scrape(&app).await;
        assert_eq!((read.of("tenantry_mails_late"), read.of("tenantry_mails_pending")), (1, 1));
        assert_eq!(read.of("tenantry_mails_overdue_seconds"), 0);
        app.outside().upstreams().always("resend", ends);
        app.passes(3600);
        tenantry::app::mails::send_due(&app.app).await.unwrap();
        let read = scrape(&app).await;
        assert_eq!((read.of("tenantry_mails_late"), read.of("tenantry_mails_pending")), (0, 0));
        let settled = format!("tenantry_mails_settled_total{{outcome=\"{outcome}\"}}");
        assert_eq!(read.of(&settled), 1);
    }
}

#[tokio::test]
async fn a_failure_counts_each_time_and_the_run_where_it_stands() {
    let app = monitored();
    let tenant = failed(&app, "fc-nord").await;
    tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
    tenant.waits().await;
    let read = scrape(&app).await;
    assert_eq!(read.of("tenantry_provisioning_failures_total"), 2);
    assert_eq!(read.of(r#"tenantry_provisioning_runs{plan="starter",status="failed"}"#), 1);
    let troubles =
        |read: &Scrape| read.of(r#"tenantry_step_troubles_total{step="validate_webhook",outcome="refused"}"#);
    assert_eq!(troubles(&read), 2);
    tenant.connects_make().await.is(200);
    tenant.waits().await;
    let after = scrape(&app).await;
    assert_eq!((after.of("tenantry_provisioning_failures_total"), troubles(&after)), (2, 2));
    assert_eq!(after.of(r#"tenantry_provisioning_runs{plan="starter",status="failed"}"#), 0);
    assert_eq!(after.of(r#"tenantry_provisioning_duration_seconds_count{plan="starter"}"#), 1);
    assert_eq!(after.of(r#"tenantry_domain_events_total{type="tenant.failed"}"#), 2);
}

/// A histogram of Prometheus': each bucket with those below it, the last with all.
#[track_caller]
fn is_cumulative(read: &Scrape, plan: &str) -> i64 {
    let name = "tenantry_provisioning_duration_seconds";
    let end = |sample: &str| sample.trim_end_matches("\"}").parse::<i64>().unwrap_or(i64::MAX);
    let mut buckets: Vec<(i64, i64)> = read
        .beginning(&format!("{name}_bucket{{plan=\"{plan}\",le=\""))
        .into_iter()
        .map(|(sample, count)| (end(sample), count))
        .collect();
    buckets.sort_unstable();
    assert_eq!(buckets.len(), 12);
    assert!(buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{buckets:?}");
    let count = read.of(&format!("{name}_count{{plan=\"{plan}\"}}"));
    assert_eq!(buckets.last(), Some(&(i64::MAX, count)));
    count
}

#[tokio::test]
async fn the_histogram_and_the_statistics_say_the_same() {
    let app = monitored();
    let mut took = 0;
    for (n, seconds) in [0, 1, 2, 7, 45, 1200, 1700].into_iter().enumerate() {
        let tenant = if n % 2 == 0 {
            app.signed_up(&format!("fc-{n}")).await
        } else {
            app.signed_up_pro(&format!("fc-{n}")).await
        };
        if n % 2 == 0 { tenant.connects_make().await } else { tenant.confirms_pro().await }.is(200);
        app.passes(seconds);
        tenant.waits().await;
        assert_eq!(tenant.ended().await, "completed", "{seconds}");
        took += i64::try_from(seconds).unwrap();
    }
    app.passes(40 * 24 * 3600);
    tenantry::app::sweep::run(&app.app).await;
    let read = scrape(&app).await;
    assert_eq!((is_cumulative(&read, "starter"), is_cumulative(&read, "pro")), (4, 3));
    let sum = |plan: &str| read.of(&format!("tenantry_provisioning_duration_seconds_sum{{plan=\"{plan}\"}}"));
    assert_eq!(sum("starter") + sum("pro"), took, "older ones are still there");
    let stats = operator(&app, Method::GET, "/api/v1/admin/stats").await["data"].clone();
    assert_eq!(stats["provisioning"]["total"]["completed"], 7);
    for (plan, status) in [("starter", "active"), ("pro", "active"), ("pro", "trial")] {
        let told = read.of(&format!("tenantry_tenants{{plan=\"{plan}\",status=\"{status}\"}}"));
        assert_eq!(stats["tenants"]["byPlan"][plan][status], told);
    }
    assert_eq!(stats["tenants"]["total"], read.of("tenantry_signups_total"));
}

#[tokio::test]
async fn a_removal_is_seen_where_it_stands() {
    let app = monitored();
    let tenant = app.queued_pro("fc-nord").await;
    tenant.waits().await;
    let removals = |read: &Scrape| {
        ["undoing", "undone", "compensation_failed"]
            .map(|state| read.of(&format!("tenantry_removals{{state=\"{state}\"}}")))
    };
    app.outside().upstreams().next("apps_script", [Reaction::Answers(200, r#"{"ok":false}"#)]);
    operator(&app, Method::DELETE, &format!("/api/v1/admin/tenants/{}", tenant.id)).await;
    app.passes(9);
    let read = scrape(&app).await;
    assert_eq!(removals(&read), [1, 0, 0]);
    assert_eq!(read.of(r#"tenantry_unmoved_seconds{work="removal"}"#), 9);
    assert_eq!(read.of(r#"tenantry_unmoved_seconds{work="provisioning"}"#), 0);
    tenant.waits().await;
    let read = scrape(&app).await;
    assert_eq!(removals(&read), [0, 0, 1]);
    assert_eq!(read.of(r#"tenantry_unmoved_seconds{work="removal"}"#), 0, "it is not at work");
    let run = app.outside().objects().run(&tenant.id).unwrap().id;
    operator(&app, Method::POST, &format!("/api/v1/bgops/sagas/{}/retry", run.as_str())).await;
    tenant.waits().await;
    let read = scrape(&app).await;
    assert_eq!(removals(&read), [0, 1, 0]);
    assert_eq!(read.of(r#"tenantry_domain_events_total{type="tenant.deprovisioned"}"#), 1);
    assert_eq!(read.of("tenantry_signups_total"), 1, "a signup that was");
}

/// Prometheus takes a counter that falls for one that began anew.
#[tokio::test]
async fn no_counter_falls_whatever_is_deleted() {
    let app = monitored();
    crate::plans::everything_happens(&app.redeployed_with(&[])).await;
    for n in 0..3 {
        app.signed_up(&format!("fc-{n:03}")).await;
    }
    let before = scrape(&app).await;
    app.db().execute(
        "delete from tenant_brand where tenant_id in (select id from tenants where slug like 'fc-00%')",
        (),
    );
    app.db().execute(
        "delete from domain_events where tenant_id in (select id from tenants where slug like 'fc-00%')",
        (),
    );
    assert_eq!(app.db().execute("delete from tenants where slug like 'fc-00%'", ()), 3);
    let settled = "select count(*) from webhook_deliveries where status <> 'pending'";
    let before_pruning = app.db().number(settled);
    app.passes(60 * 24 * 3600);
    for _ in 0..2 {
        tenantry::app::sweep::run(&app.app).await;
    }
    assert!(app.db().number(settled) < before_pruning);
    let after = scrape(&app).await;
    for (sample, value) in &before.samples {
        let family = sample.split('{').next().unwrap();
        let only_rises = ["_total", "_bucket", "_sum", "_count"].iter().any(|end| family.ends_with(end));
        assert!(!only_rises || after.samples[sample] >= *value, "{sample}");
    }
    assert_eq!(after.of("tenantry_signups_total"), before.of("tenantry_signups_total"));
    let tenants =
        |read: &Scrape| read.beginning("tenantry_tenants{").iter().map(|(_, count)| count).sum::<i64>();
    assert_eq!(tenants(&after), tenants(&before) - 3);
}

#[tokio::test]
async fn a_delivery_that_waits_is_not_overdue_before_its_time() {
    let app = monitored();
    app.provisioned("fc-nord").await;
    app.outside().upstreams().always("make", Reaction::Answers(500, ""));
    tenantry::app::deliveries::send_due(&app.app).await.unwrap();
    let seen = async || {
        let read = scrape(&app).await;
        (
            read.of("tenantry_webhook_deliveries_pending"),
            read.of("tenantry_webhook_deliveries_overdue_seconds"),
        )
    };
    assert_eq!(seen().await, (1, 0));
    app.passes(600);
    let (pending, overdue) = seen().await;
    assert!(pending == 1 && (590..=600).contains(&overdue), "{overdue}");
}

#[tokio::test]
async fn a_sweep_that_did_its_work_is_seen_and_no_other() {
    let app = monitored();
    tenantry::app::sweep::run(&app.app).await;
    let swept = async || scrape(&app).await.of("tenantry_sweep_last_success_timestamp_seconds");
    let first = app.now();
    assert_eq!(swept().await, first);
    app.passes(60);
    // Whichever of its three batches fails: those that wake and deliver, and the last.
    for nth in 0..3 {
        app.db().breaks(nth, crate::support::Breaks::Before);
        tenantry::app::sweep::run(&app.app).await;
        assert_eq!(swept().await, first, "batch {nth}");
    }
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(swept().await, app.now());
    assert_eq!(app.db().number("select count(*) from measures"), 1, "one row, however often");
}

#[tokio::test]
async fn a_tenant_that_was_completed_by_hand_is_not_unmoved() {
    let app = monitored();
    let tenant = app.queued("fc-nord").await;
    app.passes(4000);
    let stalled = async || scrape(&app).await.of(r#"tenantry_unmoved_seconds{work="provisioning"}"#);
    assert_eq!(stalled().await, 4000);
    tenant.becomes("provisioned_at", app.now());
    assert_eq!(stalled().await, 0);
}

#[tokio::test]
async fn a_breaker_is_seen_as_it_stands() {
    let app = monitored();
    for n in 0..10 {
        let command = BreakerCommand::Report {
            run: RequesterId::of(&format!("run_{n}")),
            verdict: HealthSignal::Failed { retry_after: None, own: false },
            watched: true,
        };
        app.outside().send_breaker_command(&Request { upstream: Upstream::Make, command }).await.unwrap();
    }
    let read = scrape(&app).await;
    assert_eq!(
        read.beginning(r#"tenantry_breaker_state{upstream="make","#),
        [
            (r#"state="closed"}"#, 0),
            (r#"state="half_open"}"#, 0),
            (r#"state="open"}"#, 1),
            (r#"state="unknown"}"#, 0)
        ]
    );
    assert_eq!(read.of(r#"tenantry_breaker_failures{upstream="make"}"#), 10);
    assert_eq!(read.of(r#"tenantry_breaker_state{upstream="resend",state="closed"}"#), 1);
    assert_eq!(read.of(r#"tenantry_breaker_failures{upstream="resend"}"#), 0);
}

/// `count` tenants at work, as many being removed, and a delivery of each.
async fn cost_with(count: u32) -> BTreeMap<&'static str, Cost> {
    let app = monitored();
    let numbers =
        format!("with recursive n(i) as (select 1 union all select i + 1 from n where i < {count})");
    for insert in [
        "insert into tenants (id, name, plan, trial_ends_at, owner_user_id, signup_fingerprint, created_at, updated_at,
           provision_state, provision_updated_at, undo_state, undo_updated_at)
         {n} select 'tenant_' || i, 'FC', 'starter', 0, '', '', 0, 0, 'processing', i, iif(i % 2, 'undoing', null), i from n",
        "insert into provision_runs (id, tenant_id, plan, status, version, started_at, deadline_at, updated_at)
         {n} select 'run_' || i, 'tenant_' || i, 'starter', iif(i % 3, 'processing', 'failed'), 1, 0, 0, 0 from n",
        "insert into domain_events {n} select 'tenant_' || i, i, 'evt_' || i, 'test', '{}' from n",
        "insert into webhook_deliveries (tenant_id, created_at, id, type, body, next_at)
         {n} select 'tenant_' || i, i, 'evt_' || i, 'test', '{}', i from n",
        "insert into mails (tenant_id, kind, key, id, next_at, created_at)
         {n} select 'tenant_' || i, 'welcome', i, 'mail_' || i, i, 0 from n",
    ] {
        app.db().execute(&insert.replace("{n}", &numbers), ());
    }
    app.db().execute("insert into signups_counted select 1, max(id) from tenants", ());
    app.db().take_costs();
    let read = scrape(&app).await;
    assert_eq!(read.of("tenantry_webhook_deliveries_pending"), i64::from(count));
    assert_eq!(read.of("tenantry_mails_pending"), i64::from(count));
    assert_eq!(read.of("tenantry_mails_overdue_seconds"), app.now() - 1);
    assert_eq!(read.of(r#"tenantry_unmoved_seconds{work="removal"}"#), app.now() - 1);
    assert_eq!(read.of(r#"tenantry_unmoved_seconds{work="provisioning"}"#), app.now() - 2);
    let costs = app.db().take_costs();
    assert_eq!(costs.len(), 9, "nobody has to be let in");
    costs
}

#[tokio::test]
async fn a_scrape_costs_the_same_however_much_there_is() {
    assert_eq!(cost_with(1_000).await, cost_with(100_000).await);
}
