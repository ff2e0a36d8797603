//! What is counted as it happens, by triggers, and signups by the sweep, within a minute: the same to read however many
//! tenants there are. Signups that the sweep has not come to are counted by whoever asks.
//!
//! Hours and days are those since 1970, UTC. See `migrations/0007_admin.sql` for what each row says, and
//! `0019_signups_counted.sql` for which signups are counted.

use serde::Serialize;

use crate::{
    db::{Batch, DbError, Query, Statement, columns},
    domain::{Plan, Timestamp},
};

/// Seconds in an hour.
pub const HOUR: i64 = 3600;
/// Seconds in a day.
pub const DAY: i64 = 24 * HOUR;
/// For how many days there is a row of its own; what is older is added up.
const DAYS_KEPT: i64 = 31;

/// How many signups one sweep counts at most: the next one begins after a minute.
const COUNTED: i64 = 20_000;

/// The upper ends of the buckets of [`Runs::took`], in seconds; the last has none.
pub const BOUNDS: [i64; 11] = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800];

/// How many tenants of a plan there are, by status.
#[derive(Debug, Clone)]
pub struct TenantCounts {
    /// Their plan.
    pub plan: Plan,
    /// Signed up.
    pub trial: i64,
    /// Live.
    pub active: i64,
    /// Stopped.
    pub suspended: i64,
    /// Gone.
    pub cancelled: i64,
}

columns! { TenantCounts: plan, trial, active, suspended, cancelled }

/// How many tenants signed up in an hour.
#[derive(Debug, Clone)]
pub struct Signups {
    /// Which hour.
    pub hour: i64,
    /// How many.
    pub signups: i64,
}

columns! { Signups: hour, signups }

/// The runs of a plan that were queued on a day.
#[derive(Debug, Clone)]
pub struct Runs {
    /// Which day; 0 for all that are too old for a row of their own.
    pub day: i64,
    /// Their plan.
    pub plan: Plan,
    /// At work now.
    pub processing: i64,
    /// Completed.
    pub completed: i64,
    /// Failed, and not tried again since.
    pub failed: i64,
    /// How many completed within each of [`BOUNDS`] but not the one before, and how many took longer: a JSON array.
    took: String,
    /// How long they took together, in seconds.
    pub took_sum: i64,
}

columns! { Runs: day, plan, processing, completed, failed, took_sum, took }

impl Runs {
    /// How many completed within each of [`BOUNDS`] but not the one before, and how many took longer.
    pub fn took(&self) -> Result<[i64; BOUNDS.len() + 1], DbError> {
        serde_json::from_str(&self.took).map_err(|e| DbError::Corrupt(e.to_string()))
    }
}

/// What attempts at a step came to, other than being done.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct StepFailureCount {
    /// The step.
    pub step: String,
    /// What they came to.
    pub outcome: String,
    /// How many.
    pub attempts: i64,
}

columns! { StepFailureCount: step, outcome, attempts }

/// Everything that is counted.
#[derive(Debug, Clone)]
pub struct Counts {
    /// The tenants.
    pub tenants: Vec<TenantCounts>,
    /// The hours of the last thirty days in which any signed up.
    pub signups: Vec<Signups>,
    /// The days on which runs were queued.
    pub runs: Vec<Runs>,
    /// The attempts that were not done.
    pub troubles: Vec<StepFailureCount>,
    /// How often a run failed: one that is tried again can fail again.
    pub failures: i64,
}

/// What counts everything.
type Counting = (
    Query<Vec<TenantCounts>>,
    Query<Vec<Signups>>,
    Query<Vec<Runs>>,
    Query<Vec<StepFailureCount>>,
    Query<Option<i64>>,
);

impl Counts {
    /// What [`select`] was answered.
    pub fn of((tenants, signups, runs, troubles, failures): <Counting as Batch>::Answer) -> Self {
        Self { tenants, signups, runs, troubles, failures: failures.unwrap_or(0) }
    }
}

/// Everything that is counted: read by [`Counts::of`].
pub fn select(now: Timestamp) -> Counting {
    let failures = Statement::new("select events from event_counts where type = 'tenant.failed'", []);
    (tenants(), signups(now), runs(), troubles(), Query::scalar(failures))
}

/// How many tenants there are.
pub fn tenants() -> Query<Vec<TenantCounts>> {
    Query::rows(Statement::new(
        "select plan, sum(trial) as trial, sum(active) as active, sum(suspended) as suspended, sum(cancelled) as cancelled
         from (select plan, trial, active, suspended, cancelled from tenant_counts where plan > ''
           union all
           select plan, status = 'trial', status = 'active', status = 'suspended', status = 'cancelled' from tenants
           where id > coalesce((select through from signups_counted where id = 1), '') and counted = 0)
         group by plan",
        [],
    ))
}

/// How many tenants signed up in each of the last thirty days' hours.
fn signups(now: Timestamp) -> Query<Vec<Signups>> {
    let since = now.seconds().div_euclid(DAY) * (DAY / HOUR) - 29 * (DAY / HOUR);
    Query::rows(Statement::new(
        "select hour, sum(signups) as signups
         from (select hour, signups from signup_counts where hour >= ?1
           union all
           select created_at / 3600, 1 from tenants
           where id > coalesce((select through from signups_counted where id = 1), '') and counted = 0
             and created_at >= ?1 * 3600)
         group by hour order by hour",
        [since.into()],
    ))
}

/// How runs went, by plan and day.
pub fn runs() -> Query<Vec<Runs>> {
    Query::rows(Statement::new(
        "select day, plan, processing, completed, failed, took_sum, json_array(took_1, took_2, took_5,
           took_10, took_20, took_30, took_60, took_120, took_300, took_600, took_1800, took_longer) as took
         from run_counts where day >= 0",
        [],
    ))
}

/// The attempts that were not done.
pub fn troubles() -> Query<Vec<StepFailureCount>> {
    Query::rows(Statement::new(
        "select step, outcome, attempts from step_troubles where step > '' order by step, outcome",
        [],
    ))
}

/// Counts the signups since the last sweep, and keeps the roll-ups short: hours that nobody looks at any more go, and days are added up under day 0.
pub fn fold(now: Timestamp) -> [Statement; 6] {
    let oldest = now.seconds().div_euclid(DAY) - DAYS_KEPT;
    [
        Statement::new(
            "insert into tenant_counts
             select plan, sum(status = 'trial'), sum(status = 'active'), sum(status = 'suspended'), sum(status = 'cancelled')
             from tenants
             where id > coalesce((select through from signups_counted where id = 1), '') and id <= (select max(id) from (select id from tenants
               where id > coalesce((select through from signups_counted where id = 1), '') order by id limit ?1)) and counted = 0
             group by plan
             on conflict (plan) do update set trial = trial + excluded.trial, active = active + excluded.active,
               suspended = suspended + excluded.suspended, cancelled = cancelled + excluded.cancelled",
            [COUNTED.into()],
        ),
        Statement::new(
            "insert into signup_counts (hour, signups)
             select created_at / 3600, count(*) from tenants
             where id > coalesce((select through from signups_counted where id = 1), '') and id <= (select max(id) from (select id from tenants
               where id > coalesce((select through from signups_counted where id = 1), '') order by id limit ?1)) and counted = 0
             group by 1
             on conflict (hour) do update set signups = signups + excluded.signups",
            [COUNTED.into()],
        ),
        Statement::new(
            "insert into signups_counted (id, through)
             select 1, max(id) from (select id from tenants
               where id > coalesce((select through from signups_counted where id = 1), '') order by id limit ?1)
             having max(id) is not null
             on conflict (id) do update set through = excluded.through",
            [COUNTED.into()],
        ),
        Statement::new("delete from signup_counts where hour < ?1", [(oldest * (DAY / HOUR)).into()]),
        Statement::new(
            "insert into run_counts
             select 0, plan, sum(processing), sum(completed), sum(failed), sum(took_1), sum(took_2),
               sum(took_5), sum(took_10), sum(took_20), sum(took_30), sum(took_60), sum(took_120), sum(took_300),
               sum(took_600), sum(took_1800), sum(took_longer), sum(took_sum)
             from run_counts where day > 0 and day < ?1 group by plan
             on conflict (day, plan) do update set processing = processing + excluded.processing,
               completed = completed + excluded.completed, failed = failed + excluded.failed,
               took_1 = took_1 + excluded.took_1,
               took_2 = took_2 + excluded.took_2, took_5 = took_5 + excluded.took_5,
               took_10 = took_10 + excluded.took_10, took_20 = took_20 + excluded.took_20,
               took_30 = took_30 + excluded.took_30, took_60 = took_60 + excluded.took_60,
               took_120 = took_120 + excluded.took_120, took_300 = took_300 + excluded.took_300,
               took_600 = took_600 + excluded.took_600, took_1800 = took_1800 + excluded.took_1800,
               took_longer = took_longer + excluded.took_longer, took_sum = took_sum + excluded.took_sum",
            [oldest.into()],
        ),
        Statement::new("delete from run_counts where day > 0 and day < ?1", [oldest.into()]),
    ]
}
