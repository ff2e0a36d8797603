//! Provisioning: where it stands, and starting it.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::{
    app::{
        self,
        access::AccessError,
        digest,
        provisioning::{Queued, poll_again_in},
        webhooks::Restored,
    },
    db::DbError,
    domain::{Audience, Plan, RunId, RunStatus, Step, StepStatus, TenantId, Timestamp},
    http::{
        answer::{Data, Json, Time, True, data},
        auth::{Authenticated, SameTenant, TenantReader},
        body::OptionalFields,
        context::Context,
        error::ApiError,
    },
    ports::{Level, LogLine, Ports},
    store::runs::{RunView, untried},
    workflow::{ErrorSummary, Report, StepReport},
};

use super::webhooks::WebhookUpdateResult;

/// `GET /api/v1/tenants/{id}/provision-status`
#[worker::send]
pub async fn status<P: Ports>(
    caller: Authenticated<P, TenantReader>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let tenant = caller.tenant()?;
    let now = caller.app.ports.now();
    match app::provisioning::status(&caller.app, &caller.claims, tenant).await {
        Ok(Some(run_view)) => Ok(answer(&view(&run_view), run_view.report.as_ref(), now, &headers)),
        Ok(None) => Err(ApiError::tenant_not_found()),
        Err(AccessError::Db(error @ DbError::Unavailable(_))) => {
            degraded(&caller, tenant, error, &headers).await
        }
        Err(error) => Err(caller.refused(error)),
    }
}

/// While the database is down, the object answers the tenant's own token: it can't be revoked meanwhile, but it shows
/// nothing more than how far the tenant is.
async fn degraded<P: Ports>(
    caller: &Authenticated<P, TenantReader>,
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
    match app::provisioning::degraded_status(&caller.app, tenant).await {
        Ok(Some(report)) => {
            let run_view = RunView {
                plan: report.plan,
                status: report.status,
                updated_at: None,
                completed_at: report
                    .ended_at
                    .filter(|_| report.status == RunStatus::Completed)
                    .map(Timestamp::seconds),
                report: Some(report),
                waits_for_proof: false,
                failure: None,
            };
            let mut view = view(&run_view);
            view.data.degraded = Some(True);
            Ok(answer(&view, run_view.report.as_ref(), caller.app.ports.now(), headers))
        }
        Ok(None) | Err(_) => Err(error.into()),
    }
}

fn answer(
    view: &ProvisionStatusResponse,
    report: Option<&Report>,
    now: Timestamp,
    headers: &HeaderMap,
) -> Response {
    let body = serde_json::to_string(view).unwrap_or_default();
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
    if view.status == RunStatus::Processing {
        answer.insert(header::RETRY_AFTER, HeaderValue::from(poll_again_in(report, now).as_secs()));
    }
    response
}

/// The shape that callers rely on.
fn view(run_view: &RunView) -> ProvisionStatusResponse {
    let report = run_view.report.as_ref();
    let completed = run_view.status == RunStatus::Completed;
    let steps = report.map_or_else(|| untried(run_view.plan), |report| report.steps.clone());
    let finished = steps.iter().filter(|step| step.completed_at.is_some()).count();
    let progress = if completed { 100 } else { finished * 100 / steps.len().max(1) };
    let current = if completed { None } else { report.and_then(|r| r.step) };
    let failure = report.map_or(run_view.failure.as_ref(), |report| report.failure.as_ref());
    let failure = failure.filter(|_| run_view.status == RunStatus::Failed);
    let unproven = run_view.waits_for_proof.then_some((
        "EMAIL_UNPROVEN",
        "Confirm your e-mail address first: we have mailed you a code. Everything else is ready.",
    ));
    ProvisionStatusResponse {
        success: True,
        status: run_view.status,
        data: ProvisionProgress {
            status: run_view.status,
            plan: run_view.plan,
            progress,
            step: current,
            current_step: current,
            checkpoints: steps.iter().map(|step| (step.name.as_str(), Checkpoint::of(step))).collect(),
            steps: steps.iter().map(ProvisionStep::of).collect(),
            reason: failure.map(|f| f.code.clone()).or_else(|| unproven.map(|(code, _)| code.to_owned())),
            error: failure
                .map(|f| f.message.clone())
                .or_else(|| unproven.map(|(_, message)| message.to_owned())),
            resume_at: report
                .filter(|_| run_view.status == RunStatus::Failed)
                .and_then(|r| r.resume_at)
                .map(Time::from),
            updated_at: run_view.updated_at.map(Time::at),
            started_at: report.map(|r| r.started_at.into()),
            completed_at: run_view.completed_at.filter(|_| completed).map(Time::at),
            run_id: report.map(|r| r.run.clone()),
            warnings: report.map_or_else(Vec::new, |r| r.warnings.clone()),
            degraded: None,
        },
    }
}

/// `POST /api/v1/tenants/{id}/provision/retry`
#[worker::send]
pub async fn retry<P: Ports>(
    caller: Authenticated<P, SameTenant>,
    context: Context,
    _: OptionalFields,
) -> Result<Json<Data<QueuedRun>>, ApiError> {
    app::provisioning::retry(&caller.app, &caller.claims, caller.tenant()?, context.caller())
        .await
        .map(queued)
        .map_err(|error| caller.not_queued(error))
}

/// What queueing did, and that it did nothing if so.
pub(in crate::http) fn queued(done: Queued) -> Json<Data<QueuedRun>> {
    let message = match (done.changed, done.status) {
        (true, RunStatus::Pending) => {
            "This is stored. Setting up starts as soon as the e-mail address is confirmed."
        }
        (false, RunStatus::Pending) => {
            "Setting up starts as soon as the e-mail address is confirmed; nothing was changed."
        }
        (true, _) => "Provisioning has started.",
        (false, RunStatus::Completed) => "Provisioning is already completed; nothing was changed.",
        (false, _) => "Provisioning is already under way; nothing was changed.",
    };
    data(QueuedRun { run_id: done.run, status: done.status, changed: done.changed, message, webhook: None })
}

/// What storing a webhook did: it queued the tenant's run, or the tenant is live and has another webhook.
pub(in crate::http) fn connected((done, restored): (Queued, Option<Restored>)) -> Json<Data<QueuedRun>> {
    let Some(restored) = restored else { return queued(done) };
    let message = match (restored.changed, restored.tried.delivered, restored.previous_until) {
        (false, true, _) => "This webhook was stored already and took a test; nothing was changed.",
        (false, false, _) => "This webhook was stored already, and did not take a test; nothing was changed.",
        (true, true, None) => "The webhook is stored and took a test. Events go there from now on.",
        (true, true, Some(_)) => {
            "The webhook is stored and took a test. Events go there from now on, signed for 24 hours by the earlier secret, too."
        }
        (true, false, _) => "The webhook is stored: events go there from now on. But it did not take a test.",
    };
    data(QueuedRun {
        run_id: done.run,
        status: done.status,
        changed: restored.changed,
        message,
        webhook: Some(restored.into()),
    })
}

/// What queueing did.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct QueuedRun {
    /// The run; `null` for a tenant that went live without one.
    pub run_id: Option<RunId>,
    /// Where it stands.
    pub status: RunStatus,
    /// Whether this request did anything.
    pub changed: bool,
    /// The same as a message for people.
    pub message: &'static str,
    /// There when a live tenant stored its webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub webhook: Option<WebhookUpdateResult>,
}

/// How far a tenant's provisioning is.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProvisionStatusResponse {
    /// It was done.
    pub success: True,
    /// Where it stands.
    pub status: RunStatus,
    /// All there is to say of it.
    pub data: ProvisionProgress,
}

/// How far a tenant's provisioning is, in full.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProvisionProgress {
    /// Where it stands.
    pub status: RunStatus,
    /// The tenant's plan.
    pub plan: Plan,
    /// How much of it is done, percent.
    #[cfg_attr(not(target_arch = "wasm32"), schema(maximum = 100))]
    pub progress: usize,
    /// The step it is at.
    pub step: Option<Step>,
    /// The same as `step`.
    pub current_step: Option<Step>,
    /// Each step by its name.
    pub checkpoints: BTreeMap<&'static str, Checkpoint>,
    /// Its steps, in order.
    pub steps: Vec<ProvisionStep>,
    /// Why it failed, or why a wish to set it up waits: the code.
    pub reason: Option<String>,
    /// The same as a message.
    pub error: Option<String>,
    /// When the service goes on by itself with what failed for an outage: sooner if the outage is known to be over, later while
    /// it is known to last. `null` if nothing goes on unless it is asked for.
    pub resume_at: Option<Time>,
    /// When it last changed.
    pub updated_at: Option<Time>,
    /// When it was queued.
    pub started_at: Option<Time>,
    /// When the tenant went live.
    pub completed_at: Option<Time>,
    /// The run.
    pub run_id: Option<RunId>,
    /// What was left undone without failing.
    pub warnings: Vec<ErrorSummary>,
    /// There while the database is down: this is what the run itself knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub degraded: Option<True>,
}

/// One step, by its name.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// Where it stands.
    pub status: StepStatus,
    /// How often it was tried.
    pub attempts: u32,
    /// What went wrong last.
    pub error: Option<ErrorSummary>,
}

/// One step.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProvisionStep {
    /// Which.
    pub name: Step,
    /// Where it stands.
    pub status: StepStatus,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was first tried.
    pub started_at: Option<Time>,
    /// When it was done.
    pub completed_at: Option<Time>,
    /// When it is tried again.
    pub retry_at: Option<Time>,
    /// What went wrong last.
    pub error: Option<ErrorSummary>,
}

impl Checkpoint {
    fn of(step: &StepReport) -> Self {
        Self { status: step.status, attempts: step.attempts, error: step.error.clone() }
    }
}

impl ProvisionStep {
    fn of(step: &StepReport) -> Self {
        Self {
            name: step.name,
            status: step.status,
            attempts: step.attempts,
            started_at: step.started_at.map(Time::from),
            completed_at: step.completed_at.filter(|_| step.status == StepStatus::Completed).map(Time::from),
            retry_at: step.retry_at.map(Time::from),
            error: step.error.clone(),
        }
    }
}
