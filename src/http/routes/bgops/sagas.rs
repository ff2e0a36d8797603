//! `/api/v1/bgops`: what runs in the background, for operators: runs and their attempts.

use axum::extract::RawQuery;
use http::StatusCode;
use serde::Serialize;

use crate::{
    app::{
        self,
        run_actions::{Action, ActionError},
    },
    domain::{
        Plan, RunId, RunStatus, Step, TenantId, Timestamp, UndoStatus, Word, field_errors::InvalidValue,
    },
    http::{
        answer::{Data, Json, Page, Time, data, each, page},
        auth::{Authenticated, PathPart, PlatformAdmin},
        body::{Fields, body},
        context::Context,
        error::ApiError,
        page::{Query, cursor, paginate_by},
        routes::{admin::tokens::Reason, tenants::mails::Mail},
    },
    ports::{Level, LogLine, Ports},
    store::{
        mails,
        sagas::{self, AttemptRow, Filter, Saga, State, StepRow},
        undo::{self, RemovalRow},
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
    let now = caller.app.ports.now();
    let (runs, end) = caller.ask(sagas::list(&filter, now)).await?;
    let (read, runs) = (runs.len(), caller.app.readable(runs, "provision_runs"));
    let (rows, next) = paginate_by(read, runs, limit, |saga: &Saga| saga.id.to_string());
    // A page looks at so many runs and no more: the next goes on behind them, even if none of these was wanted.
    let next = next.or_else(|| end.map(|run| cursor(run.as_str())));
    Ok(page(rows, next, |saga| Run::of(saga, now)))
}

/// `GET /api/v1/bgops/sagas/{run}`
#[worker::send]
pub async fn get<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    PathPart(run): PathPart,
) -> Result<Json<Data<RunDetails>>, ApiError> {
    let run = parse_run(&run)?;
    let batch =
        (sagas::select(&run), undo::select(&run), sagas::select_steps(&run), mails::list_of_run(&run, MAILS));
    let (saga, made, steps, mails) = caller.ask(batch).await?;
    let saga = saga.ok_or_else(run_not_found)?;
    Ok(data(RunDetails {
        run: Run::of(saga, caller.app.ports.now()),
        steps: each(steps, RunStep::from),
        made: each(made, CreatedResource::from),
        mails: each(mails, Mail::from),
    }))
}

/// `GET /api/v1/bgops/sagas/{run}/history`
#[worker::send]
pub async fn history<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    PathPart(run): PathPart,
) -> Result<Json<Data<Vec<Attempt>>>, ApiError> {
    let run = parse_run(&run)?;
    let (saga, attempts) = caller.ask((sagas::select(&run), sagas::select_history(&run))).await?;
    saga.ok_or_else(run_not_found)?;
    Ok(data(each(attempts, Attempt::from)))
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

/// One provisioning run.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its id.
    pub run_id: RunId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// The plan that it provisions.
    pub plan: Plan,
    /// Where it stands.
    pub status: RunStatus,
    /// Whether it has not moved for longer than it should need.
    pub stuck: bool,
    /// The step it is at.
    pub step: Option<Step>,
    /// Why it failed: the code.
    pub reason: Option<String>,
    /// Why it failed: the message.
    pub error: Option<String>,
    /// How many changes were recorded.
    pub version: u64,
    /// When it was queued.
    pub started_at: Time,
    /// When it last changed.
    pub updated_at: Time,
    /// When it fails if it is not over by then.
    pub deadline_at: Time,
    /// When it had ended.
    pub completed_at: Option<Time>,
    /// How far undoing it is, once that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub undo: Option<RunUndo>,
}

/// How far undoing a run is.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunUndo {
    /// Where it stands.
    pub status: UndoStatus,
    /// The step that is undone.
    pub step: Option<Step>,
    /// What could not be removed: the code.
    pub reason: Option<String>,
    /// What could not be removed: the message.
    pub error: Option<String>,
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

/// One step of a run.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunStep {
    /// Which.
    pub name: Step,
    /// Where it stands.
    pub status: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was first tried.
    pub started_at: Option<Time>,
    /// When it was done.
    pub completed_at: Option<Time>,
    /// When it is tried again.
    pub retry_at: Option<Time>,
    /// What went wrong last: the code.
    pub error: Option<String>,
}

/// Something that a run made outside.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CreatedResource {
    /// The step that made it.
    pub step: Step,
    /// What it is, like `dns_record`.
    pub kind: String,
    /// The upstream's id for it.
    pub external_id: Option<String>,
    /// Whether the run made it, rather than found it.
    pub created_by_us: bool,
    /// Whether it is still there.
    pub status: String,
    /// How often removing it was tried.
    pub attempts: u32,
    /// When it was removed.
    pub removed_at: Option<Time>,
    /// What went wrong last: the code.
    pub error: Option<String>,
}

/// One attempt at one step.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The step.
    pub step: Step,
    /// Whether it was to undo the step.
    pub undo: bool,
    /// Which attempt it was, counted from 1.
    pub attempt: u32,
    /// What came of it.
    pub outcome: String,
    /// What went wrong: the code.
    pub error: Option<String>,
    /// The HTTP status that the upstream answered.
    pub upstream_status: Option<u16>,
    /// What the upstream said when it refused, shortened, and without addresses and keys.
    pub said: Option<String>,
    /// How long it took, milliseconds.
    pub ms: i64,
    /// When it began.
    pub started_at: Time,
    /// The request that queued it.
    pub request_id: Option<String>,
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

impl Run {
    fn of(saga: Saga, now: Timestamp) -> Self {
        Self {
            stuck: saga.is_stuck(now),
            run_id: saga.id,
            tenant_id: saga.tenant_id,
            plan: saga.plan,
            status: saga.status,
            step: saga.step,
            reason: saga.reason,
            error: saga.error,
            version: saga.version,
            started_at: Time::at(saga.started_at),
            updated_at: Time::at(saga.updated_at),
            deadline_at: Time::at(saga.deadline_at),
            completed_at: saga.completed_at.map(Time::at),
            undo: saga.undo_state.map(|status| RunUndo {
                status,
                step: saga.undo_step,
                reason: saga.undo_reason,
                error: saga.undo_error,
            }),
        }
    }
}

impl From<StepRow> for RunStep {
    fn from(row: StepRow) -> Self {
        Self {
            name: row.step,
            status: row.status,
            attempts: row.attempts,
            started_at: row.started_at.map(Time::at),
            completed_at: row.completed_at.map(Time::at),
            retry_at: row.retry_at.map(Time::at),
            error: row.error_code,
        }
    }
}

impl From<RemovalRow> for CreatedResource {
    fn from(row: RemovalRow) -> Self {
        Self {
            step: row.step,
            kind: row.kind,
            external_id: row.external_id,
            created_by_us: row.created_by_us,
            status: row.status,
            attempts: row.attempts,
            removed_at: row.removed_at.map(Time::at),
            error: row.error_code,
        }
    }
}

impl From<AttemptRow> for Attempt {
    fn from(row: AttemptRow) -> Self {
        Self {
            step: row.step,
            undo: row.undo,
            attempt: row.attempt,
            outcome: row.outcome,
            error: row.error,
            upstream_status: row.upstream_status,
            said: row.said,
            ms: row.ms,
            started_at: Time::at(row.started_at),
            request_id: row.request_id,
        }
    }
}
