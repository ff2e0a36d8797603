//! `/api/v1/bgops`: what runs in the background, for operators: runs and their attempts.

use axum::extract::RawQuery;
use http::StatusCode;
use serde::Serialize;

use crate::{
    app::{
        self,
        run_actions::{Action, ActionError},
    },
    domain::{Plan, RunId, RunStatus, Step, UndoStatus, Word, field_errors::InvalidValue},
    http::{
        answer::{Data, Json, Page, data, page},
        auth::{Authenticated, PathPart, PlatformAdmin},
        body::{Fields, body},
        context::Context,
        error::ApiError,
        page::{Query, cursor, paginate_by},
        routes::admin::tokens::Reason,
    },
    ports::{Level, LogLine, Ports},
    store::{
        mails::{self, Mail},
        sagas::{self, Attempt, Filter, Run, RunStep, State},
        undo::{self, CreatedResource},
    },
};

/// How many mails are shown beside a run.
const MAILS: u32 = 20;

/// `GET /api/v1/bgops/sagas`
#[worker::send]
pub async fn list<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page<Run>>, ApiError> {
    let mut query = Query::of(query.as_deref());
    let limit = query.limit();
    let filter = Filter {
        status: query.optional("status", State::named),
        stuck: query.optional("stuck", |text| text.parse().ok()).unwrap_or(false),
        step: query.optional("step", Step::named),
        plan: query.optional("plan", Plan::named),
        reason: query.optional("reason", failure),
        tenant: query.optional("tenant", |text| text.parse().ok()),
        before: query.cursor(|text| text.parse().ok()),
        limit: limit + 1,
    };
    let filter = query.all(filter)?;
    let (runs, end) = caller.ask(sagas::list(&filter, caller.app.ports.now())).await?;
    let (read, runs) = (runs.len(), caller.app.readable(runs, "provision_runs"));
    let (rows, next) = paginate_by(read, runs, limit, |run: &Run| run.run_id.to_string());
    // A page looks at so many runs and no more: the next goes on behind them, even if none of these was wanted.
    let next = next.or_else(|| end.map(|run| cursor(run.as_str())));
    Ok(page(rows, next))
}

/// `GET /api/v1/bgops/sagas/{run}`
#[worker::send]
pub async fn get<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    PathPart(run): PathPart,
) -> Result<Json<Data<RunDetails>>, ApiError> {
    let run = parse_run(&run)?;
    let found = sagas::select(&run, caller.app.ports.now());
    let batch = (found, undo::select(&run), sagas::select_steps(&run), mails::list_of_run(&run, MAILS));
    let (run, made, steps, mails) = caller.ask(batch).await?;
    Ok(data(RunDetails { run: run.ok_or_else(run_not_found)?, steps, made, mails }))
}

/// `GET /api/v1/bgops/sagas/{run}/history`
#[worker::send]
pub async fn history<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    PathPart(run): PathPart,
) -> Result<Json<Data<Vec<Attempt>>>, ApiError> {
    let run = parse_run(&run)?;
    let found = sagas::select(&run, caller.app.ports.now());
    let (found, attempts) = caller.ask((found, sagas::select_history(&run))).await?;
    found.ok_or_else(run_not_found)?;
    Ok(data(attempts))
}

/// `POST /api/v1/bgops/sagas/{run}/retry`
#[worker::send]
pub async fn retry<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    context: Context,
    PathPart(run): PathPart,
    fields: Fields,
) -> Result<Json<Data<RunActionResult>>, ApiError> {
    apply(&caller, &context, &run, Action::Retry, fields).await
}

/// `POST /api/v1/bgops/sagas/{run}/cancel`
#[worker::send]
pub async fn cancel<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    context: Context,
    PathPart(run): PathPart,
    fields: Fields,
) -> Result<Json<Data<RunActionResult>>, ApiError> {
    let body = fields.read(CancelRunRequest::read)?;
    let action = if body.undo == Some(true) { Action::Undo } else { Action::Cancel };
    act_for(&caller, &context, &run, action, &body.reason).await
}

/// `POST /api/v1/bgops/sagas/{run}/skip-step`
#[worker::send]
pub async fn skip_step<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    context: Context,
    PathPart(run): PathPart,
    fields: Fields,
) -> Result<Json<Data<RunActionResult>>, ApiError> {
    let SkipStepRequest { step, reason } = fields.read(SkipStepRequest::read)?;
    act_for(&caller, &context, &run, Action::SkipStep(step), &reason).await
}

/// `POST /api/v1/bgops/sagas/{run}/reset`
#[worker::send]
pub async fn reset<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    context: Context,
    PathPart(run): PathPart,
    fields: Fields,
) -> Result<Json<Data<RunActionResult>>, ApiError> {
    apply(&caller, &context, &run, Action::Reset, fields).await
}

async fn apply<P: Ports>(
    caller: &Authenticated<P, PlatformAdmin>,
    context: &Context,
    run: &str,
    action: Action,
    fields: Fields,
) -> Result<Json<Data<RunActionResult>>, ApiError> {
    let ReasonRequest { reason } = fields.read(ReasonRequest::read)?;
    act_for(caller, context, run, action, &reason).await
}

async fn act_for<P: Ports>(
    caller: &Authenticated<P, PlatformAdmin>,
    context: &Context,
    run: &str,
    action: Action,
    reason: &Reason,
) -> Result<Json<Data<RunActionResult>>, ApiError> {
    let run = parse_run(run)?;
    let report = app::run_actions::act(
        &caller.app,
        &caller.claims,
        &run,
        action,
        reason.as_str(),
        context.id.as_str(),
        context.caller(),
    )
    .await
    .map_err(|error| not_done(error, caller))?;
    caller.app.log(
        LogLine::new(Level::Warn, "operator_action")
            .with("action", action.as_str())
            .with("runId", run.as_str()),
    );
    Ok(data(RunActionResult {
        run_id: report.run,
        status: report.status,
        step: report.step,
        undo: report.undo,
    }))
}

fn not_done<P: Ports>(error: ActionError, caller: &Authenticated<P, PlatformAdmin>) -> ApiError {
    match error {
        ActionError::NotFound => run_not_found(),
        ActionError::Conflict => ApiError::new(
            StatusCode::CONFLICT,
            "RUN_STATE_CONFLICT",
            "The run is not in a state in which that can be done. Nothing was changed.",
        ),
        ActionError::Unreadable => ApiError::new(
            StatusCode::CONFLICT,
            "CHECKPOINT_UNREADABLE",
            "This version can't read what the run stored, so nothing was changed. Deploy the version that wrote it, or reset the run.",
        ),
        ActionError::Suspended => ApiError::tenant_suspended(),
        ActionError::Cancelled => ApiError::tenant_cancelled(),
        ActionError::Access(error) => caller.refused(error),
        ActionError::Object(cause) => ApiError::object_unavailable(&cause),
    }
}

/// The word for a failure. One that nothing ever failed for matches nothing: words come and go with the versions.
pub(in crate::http) fn failure(text: &str) -> Option<String> {
    let is_word = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    is_word.then(|| text.to_owned())
}

/// The word of any step: a run that another version began may have failed at one that this version does not know.
fn any_step(text: String) -> Result<Step, InvalidValue> {
    let is_word = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let unknown = || Step::Other(Word::of(&text));
    if is_word {
        return Ok(Step::named(&text).unwrap_or_else(unknown));
    }
    Err(InvalidValue::new(
        "invalid_value",
        "Use the word of the step at which the run failed, like validate_webhook.",
    ))
}

fn parse_run(text: &str) -> Result<RunId, ApiError> {
    text.parse().map_err(|_| run_not_found())
}

fn run_not_found() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "RUN_NOT_FOUND", "There is no such run.")
}

body! {
    /// Why an operator does something; it is written down.
    pub struct ReasonRequest {
        /// Why.
        pub reason: Reason = required("reason"),
    }
}

body! {
    /// Which step is left out, and why; it is written down.
    pub struct SkipStepRequest {
        /// The step, or the removal, at which the run failed. At any other nothing is done.
        pub step: Step = required_with("step", any_step),
        /// Why.
        pub reason: Reason = required("reason"),
    }
}

body! {
    /// Why a run is cancelled; it is written down.
    pub struct CancelRunRequest {
        /// `true` also removes what the run made.
        pub undo: Option<bool> = optional_flag("undo"),
        /// Why.
        pub reason: Reason = required("reason"),
    }
}

/// One run, its steps, and what it made.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunDetails {
    /// The run.
    #[serde(flatten)]
    pub run: Run,
    /// Its steps that were tried, in order.
    pub steps: Vec<RunStep>,
    /// What it made outside, and whether that was removed.
    pub made: Vec<CreatedResource>,
    /// The mails to its tenant, welcome mails first, the newest of each kind first.
    pub mails: Vec<Mail>,
}

/// A run that an operator did something to.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunActionResult {
    /// Its id.
    pub run_id: RunId,
    /// Where it stands now.
    pub status: RunStatus,
    /// The step it is at.
    pub step: Option<Step>,
    /// Where undoing it stands, once that was asked for.
    pub undo: Option<UndoStatus>,
}
