//! Provisioning: where it stands, and starting it.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::{
    app::{
        access::AccessError,
        digest,
        provisioning::{Queued, poll_again_in},
    },
    db::DbError,
    domain::{Audience, RunStatus, StepStatus, TenantId, Timestamp},
    ports::{Level, LogLine, Ports},
    store::runs::{Listed, untried},
    workflow::{Report, StepReport},
};

use super::{
    auth::{Caller, SameTenant, Service, TenantReader},
    body::{Fields, OptionalFields},
    context::Context,
    error::ApiError,
};

/// `GET /api/v1/tenants/{id}/provision-status`
#[worker::send]
pub async fn status<P: Ports>(
    caller: Caller<P, TenantReader>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let tenant = caller.tenant()?;
    let now = caller.app.ports.now();
    match caller.app.provision_status(&caller.claims, tenant).await {
        Ok(Some(listed)) => Ok(answer(&view(&listed), listed.report.as_ref(), now, &headers)),
        Ok(None) => Err(ApiError::tenant_not_found()),
        Err(AccessError::Db(error @ DbError::Unavailable(_))) => {
            degraded(&caller, tenant, error, &headers).await
        }
        Err(error) => Err(caller.refused(error)),
    }
}

/// While the database is down, the object answers the club's own token: it can't be revoked meanwhile, but it shows
/// nothing more than how far the club is.
async fn degraded<P: Ports>(
    caller: &Caller<P, TenantReader>,
    tenant: &TenantId,
    error: DbError,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    if caller.claims.audience != Some(Audience::Tenant) {
        return Err(error.into());
    }
    caller.app.log(
        LogLine::new(Level::Warn, "provision_status_degraded")
            .with("tenantId", tenant.as_str())
            .with("error", error.to_string()),
    );
    match caller.app.degraded_status(tenant).await {
        Ok(Some(report)) => {
            let listed = Listed {
                plan: report.plan,
                status: report.status,
                updated_at: None,
                completed_at: report
                    .ended_at
                    .filter(|_| report.status == RunStatus::Completed)
                    .map(Timestamp::seconds),
                report: Some(report),
            };
            let mut view = view(&listed);
            if let Some(data) = view.get_mut("data").and_then(Value::as_object_mut) {
                data.insert("degraded".to_owned(), true.into());
            }
            Ok(answer(&view, listed.report.as_ref(), caller.app.ports.now(), headers))
        }
        Ok(None) | Err(_) => Err(error.into()),
    }
}

fn answer(view: &Value, report: Option<&Report>, now: Timestamp, headers: &HeaderMap) -> Response {
    let body = view.to_string();
    let etag = format!("\"{}\"", digest(&[&body]));
    let known = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).is_some_and(|known| {
        known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag || tag.trim() == "*")
    });
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    let answer = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        answer.insert(header::ETAG, etag);
    }
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if view.get("status") == Some(&json!(RunStatus::Processing)) {
        answer.insert(header::RETRY_AFTER, HeaderValue::from(poll_again_in(report, now).as_secs()));
    }
    response
}

/// The shape that callers rely on.
fn view(listed: &Listed) -> Value {
    let report = listed.report.as_ref();
    let completed = listed.status == RunStatus::Completed;
    let steps = report.map_or_else(|| untried(listed.plan), |report| report.steps.clone());
    let finished = steps.iter().filter(|step| step.completed_at.is_some()).count();
    let progress = if completed { 100 } else { finished * 100 / steps.len().max(1) };
    let current = if completed { None } else { report.and_then(|r| r.step) };
    let failure = report.and_then(|r| r.failure.as_ref()).filter(|_| listed.status == RunStatus::Failed);
    let checkpoints: Map<String, Value> = steps.iter().map(checkpoint).collect();
    let at = |seconds: Option<i64>| seconds.map(|s| Timestamp::from_seconds(s).rfc3339());
    json!({
        "success": true,
        "status": listed.status,
        "data": {
            "status": listed.status,
            "plan": listed.plan,
            "progress": progress,
            "step": current,
            "currentStep": current,
            "checkpoints": checkpoints,
            "steps": steps.iter().map(step).collect::<Vec<_>>(),
            "reason": failure.map(|f| &f.code),
            "error": failure.map(|f| &f.message),
            "updatedAt": at(listed.updated_at),
            "startedAt": report.map(|r| r.started_at.rfc3339()),
            "completedAt": at(listed.completed_at.filter(|_| completed)),
            "runId": report.map(|r| &r.run),
            "warnings": report.map_or_else(Vec::new, |r| r.warnings.clone()),
        }
    })
}

fn step(step: &StepReport) -> Value {
    let at = |moment: Option<Timestamp>| moment.map(Timestamp::rfc3339);
    json!({
        "name": step.name,
        "status": step.status,
        "attempts": step.attempts,
        "startedAt": at(step.started_at),
        "completedAt": at(step.completed_at.filter(|_| step.status == StepStatus::Completed)),
        "retryAt": at(step.retry_at),
        "error": step.error,
    })
}

fn checkpoint(step: &StepReport) -> (String, Value) {
    let value = json!({ "status": step.status, "attempts": step.attempts, "error": step.error });
    (step.name.as_str().to_owned(), value)
}

/// `POST /internal/provision/queue` and `/retry`
#[worker::send]
pub async fn queue<P: Ports>(
    caller: Caller<P, Service>,
    context: Context,
    mut fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let tenant: Option<TenantId> = fields.required("tenantId");
    let tenant = fields.all(tenant)?;
    caller
        .app
        .queue_provisioning(&caller.claims, &tenant, context.caller())
        .await
        .map(|done| queued(&done))
        .map_err(|error| caller.not_queued(error))
}

/// `POST /api/v1/tenants/{id}/provision/retry`
#[worker::send]
pub async fn retry<P: Ports>(
    caller: Caller<P, SameTenant>,
    context: Context,
    _: OptionalFields,
) -> Result<Json<Value>, ApiError> {
    caller
        .app
        .retry_own(&caller.claims, caller.tenant()?, context.caller())
        .await
        .map(|done| queued(&done))
        .map_err(|error| caller.not_queued(error))
}

/// What queueing did, and that it did nothing if so.
pub(super) fn queued(done: &Queued) -> Json<Value> {
    let message = match (done.changed, done.status) {
        (true, _) => "Provisioning has started.",
        (false, RunStatus::Completed) => "Provisioning is already completed; nothing was changed.",
        (false, _) => "Provisioning is already under way; nothing was changed.",
    };
    Json(json!({
        "success": true,
        "data": { "runId": done.run, "status": done.status, "changed": done.changed, "message": message }
    }))
}
