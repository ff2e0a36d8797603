//! `GET /metrics`: how the service is, for Prometheus.
//!
//! Requests appear some seconds after they were answered: isolates share no memory, and a row for each would double what most
//! cost, so each isolate adds its own up first. What one had not written down when the platform ended it is missing.
//!
//! No label names a tenant: there are as many series with a million of them as with none.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

use crate::{
    app::{self, App, stats::Summary},
    db::DbError,
    domain::{Plan, Step, Timestamp, Upstream},
    http::{
        auth::Scraper,
        error::ApiError,
        exposition::{self, Exposition},
        router::ROUTES,
    },
    ports::Ports,
    store::{
        health::NEWEST_MIGRATION,
        metrics::{self, Deliveries, Events, Mails, Measures, Moments, Removals},
        request_metrics::RequestCount,
        rollups::{BOUNDS, StepFailureCount, TenantCounts},
    },
    workflow::breaker::{Breaker, State},
};

/// `GET /metrics`
///
/// An operator is admitted by the database, and without it by nobody, as everywhere. Monitoring is admitted by what it holds, and
/// needs an answer most while the database gives none: it is told so, and whatever else is known. What is not known is not there.
#[worker::send]
pub async fn get<P: Ports>(scraper: Scraper<P>) -> Result<Response, ApiError> {
    let (app, measures) = match scraper {
        Scraper::Monitoring(app) => {
            let measures = app::metrics::measures(&app).await;
            (app, measures)
        }
        Scraper::Operator(caller) => {
            let measures = caller.ask(metrics::select()).await?;
            (caller.app, Some(Measures::of(measures)))
        }
    };
    let breakers = app::breakers::all(&app).await;
    let mut text = Exposition::default();
    build(&mut text, &app, measures.is_some());
    if let Some(measures) = &measures {
        stored(&mut text, measures, app.ports.now())?;
    }
    breaking(&mut text, &breakers);
    Ok(([(CONTENT_TYPE, exposition::CONTENT_TYPE)], text.into_text()).into_response())
}

fn build<P: Ports>(text: &mut Exposition, app: &App<P>, store_is_up: bool) {
    let config = app.config();
    text.gauge("tenantry_build_info", "Always 1: its labels say what runs, and where.")
        .sample(&[("version", &config.version), ("environment", &config.environment)], 1);
    text.gauge("tenantry_schema_needed_version", "The migration that this version needs, by its number.")
        .sample(&[], number(NEWEST_MIGRATION));
    text.gauge(
        "tenantry_store_up",
        "Whether the database answered; if it did not, whatever it knows is missing here.",
    )
    .sample(&[], i64::from(store_is_up));
}

/// The number that a migration's name begins with.
fn number(migration: &str) -> i64 {
    migration.split('_').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn stored(text: &mut Exposition, measures: &Measures, now: Timestamp) -> Result<(), DbError> {
    requests(text, &measures.requests);
    tenants(text, &measures.tenants, &measures.moments);
    removals(text, &measures.removals);
    runs(text, measures)?;
    troubles(text, &measures.troubles);
    events(text, &measures.events);
    deliveries(text, &measures.deliveries, &measures.moments, now);
    mails(text, &measures.mails, &measures.moments, now);
    moments(text, &measures.moments, now);
    Ok(())
}

/// As with [`troubles`], each route is there from the beginning.
fn requests(text: &mut Exposition, requests: &[RequestCount]) {
    let never =
        ROUTES.iter().flat_map(|route| [2, 3, 4, 5].map(|class| ((route.path, route.method, class), 0)));
    let mut counts: BTreeMap<(&str, &str, u8), i64> = never.collect();
    counts.extend(
        requests.iter().map(|row| ((row.route.as_str(), row.method.as_str(), row.class), row.requests)),
    );
    let mut family = text.counter(
        "tenantry_http_requests_total",
        "Requests that were answered, by the pattern of their route, their method and the class of their status.",
    );
    for ((route, method, class), count) in counts {
        family.sample(&[("route", route), ("method", method), ("status", &format!("{class}xx"))], count);
    }
}

fn tenants(text: &mut Exposition, tenants: &[TenantCounts], moments: &Moments) {
    let statuses = |row: &TenantCounts| [row.trial, row.active, row.suspended, row.cancelled];
    let mut family = text.gauge("tenantry_tenants", "Tenants, by plan and status.");
    for plan in [Plan::Starter, Plan::Pro] {
        let counts = tenants.iter().find(|row| row.plan == plan).map_or([0; 4], statuses);
        for (status, count) in ["trial", "active", "suspended", "cancelled"].into_iter().zip(counts) {
            family.sample(&[("plan", plan.as_str()), ("status", status)], count);
        }
    }
    let there: i64 = tenants.iter().flat_map(statuses).sum();
    text.counter("tenantry_signups_total", "Signups that were granted.").sample(&[], there + moments.deleted);
}

fn removals(text: &mut Exposition, removals: &Removals) {
    text.gauge("tenantry_removals", "Tenants that were wanted to be removed, by how far that is.")
        .sample(&[("state", "undoing")], removals.undoing)
        .sample(&[("state", "undone")], removals.undone)
        .sample(&[("state", "compensation_failed")], removals.compensation_failed);
}

fn runs(text: &mut Exposition, measures: &Measures) -> Result<(), DbError> {
    let sum = |plan: Plan| Summary::of(measures.runs.iter().filter(|row| row.plan == plan));
    let plans = [(Plan::Starter, sum(Plan::Starter)?), (Plan::Pro, sum(Plan::Pro)?)];
    let mut family =
        text.gauge("tenantry_provisioning_runs", "Provisioning runs, by plan and where they stand.");
    for (plan, runs) in &plans {
        for (status, count) in
            [("processing", runs.processing), ("completed", runs.completed), ("failed", runs.failed)]
        {
            family.sample(&[("plan", plan.as_str()), ("status", status)], count);
        }
    }
    let mut family = text.histogram(
        "tenantry_provisioning_duration_seconds",
        "How long runs took that completed, from their queueing on, in whole seconds.",
    );
    for (plan, runs) in &plans {
        family.distribution(&[("plan", plan.as_str())], &BOUNDS, &runs.took, runs.took_sum);
    }
    let failures = measures.events.iter().filter(|row| row.r#type == "tenant.failed").map(|row| row.events);
    text.counter(
        "tenantry_provisioning_failures_total",
        "How often a run was given up; one that is tried again can be given up again.",
    )
    .sample(&[], failures.sum());
    Ok(())
}

/// Each step is there from the beginning: a number that appears with its first trouble would hide that one.
fn troubles(text: &mut Exposition, troubles: &[StepFailureCount]) {
    let never =
        Step::ALL.iter().flat_map(|step| ["refused", "unknown"].map(|outcome| ((step.as_str(), outcome), 0)));
    let mut counts: BTreeMap<(&str, &str), i64> = never.collect();
    counts.extend(troubles.iter().map(|row| ((row.step.as_str(), row.outcome.as_str()), row.attempts)));
    let mut family = text.counter(
        "tenantry_step_troubles_total",
        "Attempts at a step, or at undoing it, that were refused or ended nobody knows how. Those that were done are not counted.",
    );
    for ((step, outcome), attempts) in counts {
        family.sample(&[("step", step), ("outcome", outcome)], attempts);
    }
}

fn events(text: &mut Exposition, events: &[Events]) {
    let mut family = text.counter(
        "tenantry_domain_events_total",
        "What happened to tenants, but for signups and completed runs, which are counted above.",
    );
    for row in events {
        family.sample(&[("type", &row.r#type)], row.events);
    }
}

fn deliveries(text: &mut Exposition, deliveries: &Deliveries, moments: &Moments, now: Timestamp) {
    text.gauge("tenantry_webhook_deliveries_pending", "Deliveries to tenants' webhooks that wait.")
        .sample(&[], deliveries.pending);
    text.counter(
        "tenantry_webhook_deliveries_settled_total",
        "How often a delivery was settled, by how it ended.",
    )
    .sample(&[("outcome", "delivered")], deliveries.delivered)
    .sample(&[("outcome", "failed")], deliveries.failed)
    .sample(&[("outcome", "cancelled")], deliveries.cancelled);
    text.gauge(
        "tenantry_webhook_deliveries_overdue_seconds",
        "How long the delivery is overdue that was due first; 0 if none is.",
    )
    .sample(&[], age(moments.due_at, now));
    text.gauge(
        "tenantry_platform_webhook_failing_seconds",
        "For how long the platform's own webhook has taken nothing; 0 while it takes what it is sent.",
    )
    .sample(&[], age(moments.platform_failing_since, now));
    text.gauge(
        "tenantry_platform_deliveries_overdue_seconds",
        "How long the delivery to the platform's own webhook is overdue that was due first; 0 if none is.",
    )
    .sample(&[], age(moments.platform_due_at, now));
}

fn mails(text: &mut Exposition, mails: &Mails, moments: &Moments, now: Timestamp) {
    text.gauge("tenantry_mails_pending", "Mails to tenants' owners that wait.").sample(&[], mails.pending);
    text.gauge("tenantry_mails_late", "Those of them that have waited for more than ten minutes.")
        .sample(&[], mails.late);
    text.counter("tenantry_mails_settled_total", "How often a mail was settled, by how it ended.")
        .sample(&[("outcome", "sent")], mails.sent)
        .sample(&[("outcome", "failed")], mails.failed)
        .sample(&[("outcome", "cancelled")], mails.cancelled);
    text.gauge(
        "tenantry_mails_overdue_seconds",
        "How long the mail is overdue that was due first; 0 if none is.",
    )
    .sample(&[], age(moments.mail_due_at, now));
}

fn moments(text: &mut Exposition, moments: &Moments, now: Timestamp) {
    text.gauge(
        "tenantry_unmoved_seconds",
        "For how long the work has not moved, as listed, that has not moved for longest; 0 if none is at work.",
    )
    .sample(&[("work", "provisioning")], age(moments.provisioning_since, now))
    .sample(&[("work", "removal")], age(moments.removing_since, now));
    text.gauge("tenantry_provisioning_paused", "1 while provisioning is paused whole, else 0.")
        .sample(&[], moments.paused);
    if let Some(swept_at) = moments.swept_at {
        text.gauge(
            "tenantry_sweep_last_success_timestamp_seconds",
            "When the sweep last did all of its work; it is due every minute.",
        )
        .sample(&[], swept_at);
    }
    if let Some(migration) = &moments.migration {
        text.gauge("tenantry_schema_version", "The newest migration that was applied, by its number.")
            .sample(&[], number(migration));
    }
}

/// How long ago, in seconds; what lies ahead is no time ago.
fn age(since: Option<i64>, now: Timestamp) -> i64 {
    since.map_or(0, |since| (now.seconds() - since).max(0))
}

/// A breaker that does not answer is unknown, and how often its upstream failed is not there.
fn breaking(text: &mut Exposition, breakers: &[(Upstream, Option<Breaker>)]) {
    let mut family = text.gauge(
        "tenantry_breaker_state",
        "1 for the state that an upstream's breaker is in, 0 for the others.",
    );
    for (upstream, breaker) in breakers {
        let current = match breaker.as_ref().map(|breaker| &breaker.state) {
            None => "unknown",
            Some(State::Closed { .. }) => "closed",
            Some(State::Open { .. }) => "open",
            Some(State::HalfOpen { .. }) => "half_open",
        };
        for state in ["closed", "open", "half_open", "unknown"] {
            let is = i64::from(state == current);
            family.sample(&[("upstream", upstream.as_str()), ("state", state)], is);
        }
    }
    let mut family =
        text.gauge("tenantry_breaker_failures", "Failures in a row, as an upstream's breaker counts them.");
    for (upstream, breaker) in breakers {
        if let Some(breaker) = breaker {
            family.sample(&[("upstream", upstream.as_str())], breaker.failures().into());
        }
    }
}
