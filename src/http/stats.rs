//! `GET /api/v1/admin/stats`: how many clubs there are, how many sign up, how provisioning goes.

use axum::Json;
use serde_json::{Value, json};

use crate::{
    app::stats::Summary,
    domain::{Plan, Timestamp},
    ports::Ports,
    store::rollups::{self, Clubs, Counts, DAY, HOUR, Signups, Trouble},
};

use super::{
    auth::{Caller, PlatformAdmin},
    error::ApiError,
};

/// `GET /api/v1/admin/stats`
#[worker::send]
pub async fn get<P: Ports>(caller: Caller<P, PlatformAdmin>) -> Result<Json<Value>, ApiError> {
    let now = caller.app.ports.now();
    let counts = rollups::read(caller.ask_all(rollups::select(now).into()).await?)?;
    Ok(Json(json!({ "success": true, "data": {
        "generatedAt": now.rfc3339(),
        "tenants": tenants(&counts.clubs),
        "signups": signups(&counts.signups, now),
        "provisioning": provisioning(&counts, now)?,
    } })))
}

fn tenants(clubs: &[Clubs]) -> Value {
    let statuses = |plan: Option<Plan>| {
        let sum = |count: fn(&Clubs) -> i64| {
            clubs.iter().filter(|c| plan.is_none_or(|plan| plan == c.plan)).map(count).sum::<i64>()
        };
        json!({
            "trial": sum(|c| c.trial),
            "active": sum(|c| c.active),
            "suspended": sum(|c| c.suspended),
            "cancelled": sum(|c| c.cancelled),
        })
    };
    json!({
        "total": clubs.iter().map(|c| c.trial + c.active + c.suspended + c.cancelled).sum::<i64>(),
        "byStatus": statuses(None),
        "byPlan": { "starter": statuses(Some(Plan::Starter)), "pro": statuses(Some(Plan::Pro)) },
    })
}

/// The last 24 hours and 30 days, this hour and this day included, those without a signup too.
fn signups(signups: &[Signups], now: Timestamp) -> Value {
    let count = |from: i64, to: i64| {
        let within = signups.iter().filter(|row| (from..to).contains(&row.hour));
        within.map(|row| row.signups).sum::<i64>()
    };
    let entry = |hour: i64, hours: i64| {
        let at = Timestamp::from_seconds(hour * HOUR).rfc3339();
        json!({ "at": at, "count": count(hour, hour + hours) })
    };
    let (hours_a_day, hour, day) =
        (DAY / HOUR, now.seconds().div_euclid(HOUR), now.seconds().div_euclid(DAY));
    let per_hour: Vec<Value> = (hour - 23..=hour).map(|hour| entry(hour, 1)).collect();
    let per_day: Vec<Value> = (day - 29..=day).map(|day| entry(day * hours_a_day, hours_a_day)).collect();
    json!({
        "last24Hours": count(hour - 23, hour + 1),
        "last30Days": count((day - 29) * hours_a_day, hour + 1),
        "perHour": per_hour,
        "perDay": per_day,
    })
}

fn provisioning(counts: &Counts, now: Timestamp) -> Result<Value, ApiError> {
    let since = now.seconds().div_euclid(DAY) - 29;
    let summary = |oldest: i64, plan: Option<Plan>| {
        let wanted = counts.runs.iter().filter(|row| row.day >= oldest);
        Summary::of(wanted.filter(|row| plan.is_none_or(|plan| plan == row.plan)))
            .map(|sum| summary_json(&sum))
    };
    Ok(json!({
        "total": summary(0, None)?,
        "last30Days": summary(since, None)?,
        "byPlan": { "starter": summary(since, Some(Plan::Starter))?, "pro": summary(since, Some(Plan::Pro))? },
        "failures": counts.failures,
        "troubles": counts.troubles.iter().map(trouble_json).collect::<Vec<_>>(),
    }))
}

fn summary_json(summary: &Summary) -> Value {
    json!({
        "processing": summary.processing,
        "completed": summary.completed,
        "failed": summary.failed,
        "successRatio": summary.success_ratio(),
        "durationMs": { "p50": summary.quantile_ms(50), "p95": summary.quantile_ms(95) },
    })
}

fn trouble_json(trouble: &Trouble) -> Value {
    json!({ "step": trouble.step, "outcome": trouble.outcome, "attempts": trouble.attempts })
}
