//! `GET /api/v1/admin/stats`: how many tenants there are, how many sign up, how provisioning goes.

use serde::Serialize;

use crate::{
    app::stats::Summary,
    domain::{Plan, Timestamp},
    http::{
        answer::{Data, Json, Time, data},
        auth::{Authenticated, PlatformAdmin},
        error::ApiError,
    },
    ports::Ports,
    store::rollups::{self, Counts, DAY, HOUR, Signups, StepFailureCount, TenantCounts},
};

/// `GET /api/v1/admin/stats`
#[worker::send]
pub async fn get<P: Ports>(caller: Authenticated<P, PlatformAdmin>) -> Result<Json<Data<Stats>>, ApiError> {
    let now = caller.app.ports.now();
    let counts = Counts::of(caller.ask(rollups::select(now)).await?);
    Ok(data(Stats {
        generated_at: now.into(),
        tenants: tenants(&counts.tenants),
        signups: signups(&counts.signups, now),
        provisioning: provisioning(counts, now)?,
    }))
}

fn tenants(tenants: &[TenantCounts]) -> TenantStats {
    let statuses = |plan: Option<Plan>| {
        let sum = |count: fn(&TenantCounts) -> i64| {
            tenants.iter().filter(|c| plan.is_none_or(|plan| plan == c.plan)).map(count).sum::<i64>()
        };
        StatusCounts {
            trial: sum(|c| c.trial),
            active: sum(|c| c.active),
            suspended: sum(|c| c.suspended),
            cancelled: sum(|c| c.cancelled),
        }
    };
    TenantStats {
        total: tenants.iter().map(|c| c.trial + c.active + c.suspended + c.cancelled).sum::<i64>(),
        by_status: statuses(None),
        by_plan: StatusCountsByPlan {
            starter: statuses(Some(Plan::Starter)),
            pro: statuses(Some(Plan::Pro)),
        },
    }
}

/// The last 24 hours and 30 days, this hour and this day included, those without a signup too.
fn signups(signups: &[Signups], now: Timestamp) -> SignupStats {
    let count = |from: i64, to: i64| {
        let within = signups.iter().filter(|row| (from..to).contains(&row.hour));
        within.map(|row| row.signups).sum::<i64>()
    };
    let entry =
        |hour: i64, hours: i64| SignupCount { at: Time::at(hour * HOUR), count: count(hour, hour + hours) };
    let (hours_a_day, hour, day) =
        (DAY / HOUR, now.seconds().div_euclid(HOUR), now.seconds().div_euclid(DAY));
    SignupStats {
        last_24_hours: count(hour - 23, hour + 1),
        last_30_days: count((day - 29) * hours_a_day, hour + 1),
        per_hour: (hour - 23..=hour).map(|hour| entry(hour, 1)).collect(),
        per_day: (day - 29..=day).map(|day| entry(day * hours_a_day, hours_a_day)).collect(),
    }
}

fn provisioning(counts: Counts, now: Timestamp) -> Result<ProvisioningStats, ApiError> {
    let since = now.seconds().div_euclid(DAY) - 29;
    let summary = |oldest: i64, plan: Option<Plan>| {
        let wanted = counts.runs.iter().filter(|row| row.day >= oldest);
        Summary::of(wanted.filter(|row| plan.is_none_or(|plan| plan == row.plan))).map(RunStats::of)
    };
    Ok(ProvisioningStats {
        total: summary(0, None)?,
        last_30_days: summary(since, None)?,
        by_plan: RunStatsByPlan {
            starter: summary(since, Some(Plan::Starter))?,
            pro: summary(since, Some(Plan::Pro))?,
        },
        failures: counts.failures,
        troubles: counts.troubles,
    })
}

/// How many tenants there are, how many sign up, how provisioning goes.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// When it was counted.
    pub generated_at: Time,
    /// How many tenants there are.
    pub tenants: TenantStats,
    /// How many sign up.
    pub signups: SignupStats,
    /// How provisioning goes.
    pub provisioning: ProvisioningStats,
}

/// How many tenants there are.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TenantStats {
    /// All of them.
    pub total: i64,
    /// By where they stand.
    pub by_status: StatusCounts,
    /// By plan, and where they stand.
    pub by_plan: StatusCountsByPlan,
}

/// How many tenants stand where.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct StatusCounts {
    /// Trying it out.
    pub trial: i64,
    /// Live.
    pub active: i64,
    /// Stopped.
    pub suspended: i64,
    /// Gone.
    pub cancelled: i64,
}

/// How many tenants of which plan stand where.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct StatusCountsByPlan {
    /// Of the starter plan.
    pub starter: StatusCounts,
    /// Of the pro plan.
    pub pro: StatusCounts,
}

/// How many tenants sign up.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SignupStats {
    /// In the last 24 hours, this one included.
    #[serde(rename = "last24Hours")]
    pub last_24_hours: i64,
    /// In the last 30 days, this one included.
    #[serde(rename = "last30Days")]
    pub last_30_days: i64,
    /// Hour by hour, oldest first.
    pub per_hour: Vec<SignupCount>,
    /// Day by day, oldest first.
    pub per_day: Vec<SignupCount>,
}

/// How many tenants signed up within an hour or a day.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SignupCount {
    /// When it began.
    pub at: Time,
    /// How many.
    pub count: i64,
}

/// How provisioning goes.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProvisioningStats {
    /// All runs there were.
    pub total: RunStats,
    /// Those queued in the last 30 days, this one included.
    #[serde(rename = "last30Days")]
    pub last_30_days: RunStats,
    /// The same by plan.
    pub by_plan: RunStatsByPlan,
    /// How often a run failed; one that is tried again can fail again.
    pub failures: i64,
    /// What attempts came to, other than being done.
    pub troubles: Vec<StepFailureCount>,
}

/// How runs went.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunStats {
    /// Not over yet.
    pub processing: i64,
    /// Done.
    pub completed: i64,
    /// Failed.
    pub failed: i64,
    /// How many of those that are over were done, 0 to 1; `null` while none is over.
    pub success_ratio: Option<f64>,
    /// How long those that were done took, without their waits for a person: failed until they were wanted again, or paused.
    pub duration_ms: DurationPercentiles,
}

/// How runs of which plan went.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunStatsByPlan {
    /// Of the starter plan.
    pub starter: RunStats,
    /// Of the pro plan.
    pub pro: RunStats,
}

/// How long runs took, milliseconds; `null` while none was done.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DurationPercentiles {
    /// Half of them took no longer.
    pub p50: Option<i64>,
    /// 95 of 100 took no longer.
    pub p95: Option<i64>,
}

impl RunStats {
    fn of(summary: Summary) -> Self {
        Self {
            processing: summary.processing,
            completed: summary.completed,
            failed: summary.failed,
            success_ratio: summary.success_ratio(),
            duration_ms: DurationPercentiles { p50: summary.quantile_ms(50), p95: summary.quantile_ms(95) },
        }
    }
}
