//! `/health` and its kin.

use std::collections::BTreeMap;

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use serde::Serialize;

use crate::{
    app::{
        App, health,
        upstream::checks::{CheckCode, UpstreamCheck, check_upstreams},
    },
    domain::{FieldErrors, Upstream, field_errors::InvalidValue},
    http::{
        answer::{Json, Time, True},
        auth::{Authenticated, PlatformAdmin},
        context::Context,
        error::ApiError,
    },
    ports::Ports,
    store::webhooks,
};

/// `GET /health`: touches nothing.
pub async fn health<P: Ports>(app: App<P>) -> Response {
    Json(HealthResponse {
        ok: True,
        status: Well::Ok,
        version: app.config().version.clone(),
        environment: app.config().environment.clone(),
        timestamp: app.ports.now().into(),
    })
    .into_response()
}

/// `GET /health/live`: constant.
pub async fn live() -> Response {
    Json(LivenessResponse { ok: True, status: Well::Ok }).into_response()
}

/// `GET /health/ready`: everything that a request may need; for operators who ask for it, the upstreams too.
#[worker::send]
pub async fn ready<P: Ports>(app: App<P>, context: Context, depth: Depth<P>) -> Result<Response, ApiError> {
    let upstreams = match depth {
        Depth::Shallow => None,
        Depth::Deep(caller) => match caller.ask(webhooks::newest_spreadsheet()).await {
            Ok(spreadsheet) => {
                let app = app.traced(context.traceparent.as_deref());
                Some(check_upstreams(&app, spreadsheet.as_deref()).await)
            }
            // Nobody says whether the token still counts. What is wrong is in the report.
            Err(error) if error.status.is_server_error() => None,
            Err(error) => return Err(error),
        },
    };
    let readiness = health::readiness(&app).await;
    let (mut status, mut checked) = checked(&readiness.checks, Well::Ready);
    if upstreams.iter().flatten().any(|check| !check.code.is_ok()) {
        status = StatusCode::SERVICE_UNAVAILABLE;
        checked = HealthReport { ok: false, status: Well::Unavailable, ..checked };
    }
    let switches = readiness.switches;
    let ready = ReadinessResponse {
        checked,
        provisioning: switches.map(|s| if s.paused { Provisioning::Paused } else { Provisioning::On }),
        signups: switches.map(|s| if s.closed { Signups::Closed } else { Signups::Open }),
        upstreams: upstreams.map(|checks| checks.into_iter().map(UpstreamHealth::from).collect()),
    };
    Ok((status, Json(ready)).into_response())
}

/// How much somebody wants to know, and may.
#[derive(Debug, Clone)]
pub enum Depth<P> {
    /// What every request needs.
    Shallow,
    /// The upstreams too: for operators, because it asks them with the service's own secrets.
    Deep(Box<Authenticated<P, PlatformAdmin>>),
}

impl<P: Ports, S: Send + Sync> FromRequestParts<S> for Depth<P> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let mut asked = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "deep");
        match (asked.next(), asked.next()) {
            (None, _) => Ok(Self::Shallow),
            (Some((_, value)), None) if value == "1" => {
                Ok(Self::Deep(Box::new(Authenticated::from_request_parts(parts, state).await?)))
            }
            _ => {
                let mut issues = FieldErrors::default();
                issues.push("deep", InvalidValue::new("invalid_value", "Ask with deep=1, or without it."));
                Err(ApiError::validation(issues))
            }
        }
    }
}

/// `GET /health/startup`: the schema and the configuration.
#[worker::send]
pub async fn startup<P: Ports>(app: App<P>) -> Response {
    let (status, checked) = checked(&health::startup(&app).await, Well::Ok);
    (status, Json(checked)).into_response()
}

fn checked(checks: &[health::Check], well: Well) -> (StatusCode, HealthReport) {
    let ok = checks.iter().all(|check| check.problem.is_none());
    let told = checks.iter().map(|check| {
        (check.name, HealthCheck { ok: check.problem.is_none(), problem: check.problem.clone() })
    });
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if ok { well } else { Well::Unavailable };
    (status, HealthReport { ok, status: word, checks: told.collect() })
}

/// It answers.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct LivenessResponse {
    /// It is up.
    pub ok: True,
    /// `ok`
    pub status: Well,
}

/// What answers.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HealthResponse {
    /// It is up.
    pub ok: True,
    /// `ok`
    pub status: Well,
    /// The version that was deployed.
    pub version: String,
    /// Which environment this is.
    pub environment: String,
    /// When it answered.
    pub timestamp: Time,
}

/// What was checked.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HealthReport {
    /// Whether all is well.
    pub ok: bool,
    /// The same in a word.
    pub status: Well,
    /// Each check by its name.
    pub checks: BTreeMap<&'static str, HealthCheck>,
}

/// What was checked, and how operators set the switches.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ReadinessResponse {
    /// What was checked.
    #[serde(flatten)]
    pub checked: HealthReport,
    /// Whether tenants are set up and removed; missing while the database does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub provisioning: Option<Provisioning>,
    /// Whether new tenants may sign up; missing while the database does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub signups: Option<Signups>,
    /// The upstreams, for operators who ask with `deep=1`; missing while the database can't say whether they may.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub upstreams: Option<Vec<UpstreamHealth>>,
}

/// One upstream, asked in a way that changes nothing.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
pub struct UpstreamHealth {
    /// Which.
    pub name: Upstream,
    /// Whether nothing has to be done.
    pub ok: bool,
    /// What came of it.
    pub code: CheckCode,
    /// The same in a sentence, with what to do.
    pub message: String,
}

impl From<UpstreamCheck> for UpstreamHealth {
    fn from(check: UpstreamCheck) -> Self {
        Self { name: check.upstream, ok: check.code.is_ok(), code: check.code, message: check.message }
    }
}

/// Whether tenants are set up and removed.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema), schema(as = ProvisioningSwitch))]
#[serde(rename_all = "lowercase")]
pub enum Provisioning {
    /// They are.
    On,
    /// They wait until an operator resumes it.
    Paused,
}

/// Whether new tenants may sign up.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema), schema(as = SignupSwitch))]
#[serde(rename_all = "lowercase")]
pub enum Signups {
    /// They may.
    Open,
    /// They may not.
    Closed,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HealthCheck {
    /// Whether it is well.
    pub ok: bool,
    /// What is not, where something isn't.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub problem: Option<String>,
}

/// How it is, in a word.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema), schema(as = HealthStatus))]
#[serde(rename_all = "lowercase")]
pub enum Well {
    /// Up.
    Ok,
    /// Ready for requests.
    Ready,
    /// Not ready.
    Unavailable,
}
