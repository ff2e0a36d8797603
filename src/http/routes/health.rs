//! `/health` and its kin.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;

use crate::{
    app::{App, health},
    http::answer::{Json, Time, True},
    ports::Ports,
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

/// `GET /health/ready`: everything that a request may need.
#[worker::send]
pub async fn ready<P: Ports>(app: App<P>) -> Response {
    let readiness = health::readiness(&app).await;
    let (status, checked) = checked(&readiness.checks, Well::Ready);
    let switches = readiness.switches;
    let ready = ReadinessResponse {
        checked,
        provisioning: switches.map(|s| if s.paused { Provisioning::Paused } else { Provisioning::On }),
        signups: switches.map(|s| if s.closed { Signups::Closed } else { Signups::Open }),
    };
    (status, Json(ready)).into_response()
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
