//! `/api/v1/bgops`: what runs in the background, for operators: runs, their attempts, idempotency keys.

use axum::{Json, extract::RawQuery};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    app::operators::{Action, ActionError},
    domain::{RunId, Timestamp},
    ports::{Level, LogLine, Ports},
    store::{
        keys::{self, Key},
        sagas::{self, AttemptRow, Filter, Saga, StepRow},
        undo::{self, RemovalRow},
    },
};

use super::{
    auth::{Caller, PathPart, PlatformAdmin},
    body::Fields,
    context::Context,
    error::ApiError,
    page::{Query, cursor, cut, word},
    tokens::reason,
};

/// `GET /api/v1/bgops/sagas`
#[worker::send]
pub async fn list<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut query = Query::of(query.as_deref());
    let limit = query.limit();
    let filter = Filter {
        status: query.optional("status", word),
        stuck: query.optional("stuck", |text| text.parse().ok()).unwrap_or(false),
        step: query.optional("step", word),
        plan: query.optional("plan", word),
        tenant: query.optional("tenant", |text| text.parse().ok()),
        before: query.cursor(|text| text.parse().ok()),
        limit: limit + 1,
    };
    let filter = query.all(filter)?;
    let now = caller.app.ports.now();
    let mut answers = caller.ask_all(sagas::list(&filter, now).into()).await?;
    let end = answers.pop().unwrap_or_default();
    let (rows, end) = sagas::read_page(answers.pop().unwrap_or_default(), end)?;
    let (rows, next) = cut(rows, limit, |saga| saga.id.to_string());
    // A page looks at so many runs and no more: the next goes on behind them, even if none of these was wanted.
    let next = next.or_else(|| end.map(|run| cursor(run.as_str())));
    let data: Vec<Value> = rows.iter().map(|saga| saga_json(saga, now)).collect();
    Ok(Json(json!({ "success": true, "data": data, "nextCursor": next })))
}

/// `GET /api/v1/bgops/sagas/{run}`
#[worker::send]
pub async fn get<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    PathPart(run): PathPart,
) -> Result<Json<Value>, ApiError> {
    let run = parse_run(&run)?;
    let statements = vec![sagas::select(&run), undo::select(&run), sagas::select_steps(&run)];
    let mut answers = caller.ask_all(statements).await?;
    let steps: Vec<StepRow> = answers.pop().unwrap_or_default().rows()?;
    let made: Vec<RemovalRow> = answers.pop().unwrap_or_default().rows()?;
    let saga = sagas::read(answers.pop().unwrap_or_default())?.ok_or_else(run_not_found)?;
    let mut data = saga_json(&saga, caller.app.ports.now());
    if let Some(fields) = data.as_object_mut() {
        fields.insert("steps".to_owned(), steps.iter().map(step_json).collect());
        fields.insert("made".to_owned(), made.iter().map(removal_json).collect());
    }
    Ok(Json(json!({ "success": true, "data": data })))
}

/// `GET /api/v1/bgops/sagas/{run}/history`
#[worker::send]
pub async fn history<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    PathPart(run): PathPart,
) -> Result<Json<Value>, ApiError> {
    let run = parse_run(&run)?;
    let mut answers = caller.ask_all(vec![sagas::select(&run), sagas::select_history(&run)]).await?;
    let attempts: Vec<AttemptRow> = answers.pop().unwrap_or_default().rows()?;
    sagas::read(answers.pop().unwrap_or_default())?.ok_or_else(run_not_found)?;
    let data: Vec<Value> = attempts.iter().map(attempt_json).collect();
    Ok(Json(json!({ "success": true, "data": data })))
}

/// `POST /api/v1/bgops/sagas/{run}/retry`
#[worker::send]
pub async fn retry<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    context: Context,
    PathPart(run): PathPart,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    act(&caller, &context, &run, Action::Retry, fields).await
}

/// `POST /api/v1/bgops/sagas/{run}/cancel`
#[worker::send]
pub async fn cancel<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    context: Context,
    PathPart(run): PathPart,
    mut fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let action = if fields.is_true("undo") { Action::Undo } else { Action::Cancel };
    act(&caller, &context, &run, action, fields).await
}

/// `POST /api/v1/bgops/sagas/{run}/skip-step`
#[worker::send]
pub async fn skip_step<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    context: Context,
    PathPart(run): PathPart,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    act(&caller, &context, &run, Action::SkipStep, fields).await
}

async fn act<P: Ports>(
    caller: &Caller<P, PlatformAdmin>,
    context: &Context,
    run: &str,
    action: Action,
    mut fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let reason = fields.required_with("reason", reason);
    let reason = fields.all(reason)?;
    let run = parse_run(run)?;
    let report = caller
        .app
        .act_on_run(&caller.claims, &run, action, &reason, context.id.as_str(), context.caller())
        .await
        .map_err(|error| not_done(error, caller))?;
    caller.app.log(
        LogLine::new(Level::Warn, "operator_action")
            .with("action", action.as_str())
            .with("runId", run.as_str()),
    );
    Ok(Json(
        json!({ "success": true, "data": { "runId": report.run, "status": report.status, "step": report.step, "undo": report.undo } }),
    ))
}

fn not_done<P: Ports>(error: ActionError, caller: &Caller<P, PlatformAdmin>) -> ApiError {
    match error {
        ActionError::NotFound => run_not_found(),
        ActionError::Conflict => ApiError::new(
            StatusCode::CONFLICT,
            "RUN_STATE_CONFLICT",
            "The run is not in a state in which that can be done. Nothing was changed.",
        ),
        ActionError::Denied(denial) => ApiError::forbidden(denial, &caller.claims, None),
        ActionError::Db(error) => error.into(),
        ActionError::Object(cause) => ApiError::provisioner_unavailable(&cause),
    }
}

/// `GET /api/v1/bgops/idempotency`
#[worker::send]
pub async fn keys<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut query = Query::of(query.as_deref());
    let limit = query.limit();
    let before = query.cursor(|text| {
        let (expires_at, id) = text.split_once(' ')?;
        Some((expires_at.parse().ok()?, id.to_owned()))
    });
    let before: Option<(i64, String)> = query.all(before)?;
    let before = before.as_ref().map(|(expires_at, id)| (*expires_at, id.as_str()));
    let rows: Vec<Key> = caller.ask(keys::list(before, limit + 1)).await?.rows()?;
    let (rows, next) = cut(rows, limit, |key| format!("{} {}", key.expires_at, key.id));
    let data: Vec<Value> = rows.iter().map(key_json).collect();
    Ok(Json(json!({ "success": true, "data": data, "nextCursor": next })))
}

/// `GET /api/v1/bgops/idempotency/{key}`
#[worker::send]
pub async fn key<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    PathPart(key): PathPart,
) -> Result<Json<Value>, ApiError> {
    let found: Option<Key> = caller.ask(keys::select(&key)).await?.first()?;
    let found = found.ok_or_else(ApiError::not_found)?;
    Ok(Json(json!({ "success": true, "data": key_json(&found) })))
}

fn saga_json(saga: &Saga, now: Timestamp) -> Value {
    json!({
        "runId": saga.id,
        "tenantId": saga.tenant_id,
        "plan": saga.plan,
        "status": saga.status,
        "stuck": saga.is_stuck(now),
        "step": saga.step,
        "reason": saga.reason,
        "error": saga.error,
        "version": saga.version,
        "startedAt": at(saga.started_at),
        "updatedAt": at(saga.updated_at),
        "deadlineAt": at(saga.deadline_at),
        "completedAt": saga.completed_at.map(at),
        "undo": saga.undo_state.map(|status| json!({
            "status": status,
            "step": saga.undo_step,
            "reason": saga.undo_reason,
            "error": saga.undo_error,
        })),
    })
}

fn removal_json(made: &RemovalRow) -> Value {
    json!({
        "step": made.step,
        "kind": made.kind,
        "externalId": made.external_id,
        "createdByUs": made.created_by_us,
        "status": made.status,
        "attempts": made.attempts,
        "removedAt": made.removed_at.map(at),
        "error": made.error_code,
    })
}

fn step_json(step: &StepRow) -> Value {
    json!({
        "name": step.step,
        "status": step.status,
        "attempts": step.attempts,
        "startedAt": step.started_at.map(at),
        "completedAt": step.completed_at.map(at),
        "retryAt": step.retry_at.map(at),
        "error": step.error_code,
    })
}

fn attempt_json(attempt: &AttemptRow) -> Value {
    json!({
        "step": attempt.step,
        "undo": attempt.undo,
        "attempt": attempt.attempt,
        "outcome": attempt.outcome,
        "error": attempt.error,
        "upstreamStatus": attempt.upstream_status,
        "ms": attempt.ms,
        "startedAt": at(attempt.started_at),
        "requestId": attempt.request_id,
    })
}

fn key_json(key: &Key) -> Value {
    json!({
        "key": key.id,
        "operation": key.operation,
        "tenantId": key.tenant_id,
        "status": key.status,
        "createdAt": at(key.created_at),
        "expiresAt": at(key.expires_at),
    })
}

fn at(seconds: i64) -> String {
    Timestamp::from_seconds(seconds).rfc3339()
}

fn parse_run(text: &str) -> Result<RunId, ApiError> {
    text.parse().map_err(|_| run_not_found())
}

fn run_not_found() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "RUN_NOT_FOUND", "There is no such run.")
}
