//! `POST /api/v1/bgops/sagas/retry`: many runs are tried again at once, after an outage.

use serde::Serialize;

use crate::{
    app,
    domain::{Plan, RunId, Step, field_errors::InvalidValue},
    http::{
        answer::{Data, Json, data},
        auth::{Authenticated, PlatformAdmin},
        body::{Fields, body},
        context::Context,
        error::ApiError,
        routes::admin::tokens::Reason,
    },
    ports::Ports,
    store::retries::{Failed, Filter},
};

use super::sagas::failure;

/// How many are tried again if nobody says.
const USUAL: u32 = 50;

/// `POST /api/v1/bgops/sagas/retry`
#[worker::send]
pub async fn retry<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    context: Context,
    fields: Fields,
) -> Result<Json<Data<RetryRunsResult>>, ApiError> {
    let body = fields.read(RetryRunsRequest::read)?;
    let dry_run = body.dry_run.unwrap_or(false);
    let filter = Filter {
        status: body.status,
        step: body.step,
        reason: body.reason.map(|reason| reason.0),
        plan: body.plan,
        limit: body.limit.unwrap_or(USUAL),
    };
    let retried = match dry_run {
        true => app::retries::preview(&caller.app, &caller.claims, &filter).await,
        false => {
            app::retries::start(&caller.app, &caller.claims, &filter, body.why.as_str(), context.caller())
                .await
        }
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
#[derive(Debug)]
pub struct FailureWord(String);

impl TryFrom<String> for FailureWord {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        let problem =
            || InvalidValue::new("invalid_value", "Use the word of a failure, as a run's reason has it.");
        failure(&text).map(Self).ok_or_else(problem)
    }
}

body! {
    /// Which runs are tried again, and why; it is written down.
    pub struct RetryRunsRequest {
        /// What failed: setting up, or removing.
        pub status: Failed = required("status"),
        /// Why they are tried again.
        pub why: Reason = required("why"),
        /// Those that failed at this step.
        pub step: Option<Step> = optional("step"),
        /// Those that failed for this reason.
        #[schema(value_type = Option<String>, max_length = 64, pattern = "^[A-Z_]*$")]
        pub reason: Option<FailureWord> = optional("reason"),
        /// Those of this plan.
        pub plan: Option<Plan> = optional("plan"),
        /// At most this many; 50 if nothing is said.
        #[schema(minimum = 1, maximum = 100)]
        pub limit: Option<u32> = optional_within("limit", 1..=100),
        /// `true` changes nothing, and says what would be done.
        pub dry_run: Option<bool> = optional_flag("dryRun"),
    }
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
