//! `POST /api/v1/bgops/sagas/retry`: many runs are tried again at once, after an outage.

use serde::Serialize;

use crate::{
    domain::{Plan, RunId, Step, issue::Problem},
    ports::Ports,
    store::retries::{Failed, Filter},
};

use super::{
    answer::{Data, Json, data},
    auth::{Caller, PlatformAdmin},
    bgops::failure,
    body::Fields,
    context::Context,
    error::ApiError,
    tokens::reason,
};

/// How many are tried again if nobody says.
const USUAL: u32 = 50;

/// `POST /api/v1/bgops/sagas/retry`
#[worker::send]
pub async fn retry<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    context: Context,
    mut fields: Fields,
) -> Result<Json<Data<RetryRunsResult>>, ApiError> {
    let status = fields.required::<Failed>("status");
    let why = fields.required_with("why", reason);
    let step = fields.optional::<Step>("step");
    let reason = fields.optional::<FailureWord>("reason").map(|reason| reason.0);
    let plan = fields.optional::<Plan>("plan");
    let limit = fields.optional_within("limit", 1..=100).unwrap_or(USUAL);
    let dry_run = fields.is_true("dryRun");
    let (status, why) = fields.all(status.zip(why))?;
    let filter = Filter { status, step, reason, plan, limit };
    let retried = match dry_run {
        true => caller.app.would_retry(&caller.claims, &filter).await,
        false => caller.app.retry_many(&caller.claims, &filter, &why, context.caller()).await,
    };
    let retried = retried.map_err(|error| caller.refused(error))?;
    let many = u32::try_from(retried.runs.len()).unwrap_or(u32::MAX);
    Ok(data(RetryRunsResult {
        matched: retried.matched,
        remaining: retried.matched.saturating_sub(many),
        retried: retried.runs,
        dry_run,
    }))
}

/// The word for a failure.
struct FailureWord(String);

impl TryFrom<String> for FailureWord {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self, Problem> {
        let problem =
            || Problem::new("invalid_value", "Use the word of a failure, as a run's reason has it.");
        failure(&text).map(Self).ok_or_else(problem)
    }
}

/// Which runs are tried again, and why; it is written down.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct RetryRunsRequest {
    /// What failed: setting up, or removing.
    #[schema(value_type = FailedRunStatus)]
    pub status: String,
    /// Those that failed at this step.
    #[schema(value_type = Option<Step>)]
    pub step: Option<String>,
    /// Those that failed for this reason.
    #[schema(max_length = 64, pattern = "^[A-Z_]*$")]
    pub reason: Option<String>,
    /// Those of this plan.
    pub plan: Option<Plan>,
    /// At most this many; 50 if nothing is said.
    #[schema(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
    /// Why they are tried again.
    #[schema(value_type = crate::http::tokens::Reason)]
    pub why: String,
    /// `true` changes nothing, and says what would be done.
    pub dry_run: Option<bool>,
}

/// What failed.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum FailedRunStatus {
    /// Setting a club up.
    Failed,
    /// Removing it.
    CompensationFailed,
}

/// What one press did.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RetryRunsResult {
    /// How many matched, as far as one look goes: a thousand.
    pub matched: u32,
    /// Which are tried again, those that failed first first.
    pub retried: Vec<RunId>,
    /// How many of those that matched are left for the next press.
    pub remaining: u32,
    /// Whether nothing was changed.
    pub dry_run: bool,
}
