//! `/health` and its kin.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::{
    app::{App, readiness::Check},
    ports::Ports,
};

/// `GET /health`: touches nothing.
pub async fn health<P: Ports>(app: App<P>) -> Response {
    Json(json!({
        "ok": true,
        "status": "ok",
        "version": app.config().version,
        "environment": app.config().environment,
        "timestamp": app.ports.now().rfc3339(),
    }))
    .into_response()
}

/// `GET /health/live`: constant.
pub async fn live() -> Response {
    Json(json!({ "ok": true, "status": "ok" })).into_response()
}

/// `GET /health/ready`: everything that a request may need.
#[worker::send]
pub async fn ready<P: Ports>(app: App<P>) -> Response {
    answer(&app.readiness().await, "ready")
}

/// `GET /health/startup`: the schema and the configuration.
#[worker::send]
pub async fn startup<P: Ports>(app: App<P>) -> Response {
    answer(&app.startup().await, "ok")
}

fn answer(checks: &[Check], well: &str) -> Response {
    let ok = checks.iter().all(|check| check.problem.is_none());
    let told: Map<String, Value> = checks
        .iter()
        .map(|check| {
            let value = match &check.problem {
                None => json!({ "ok": true }),
                Some(problem) => json!({ "ok": false, "problem": problem }),
            };
            (check.name.to_owned(), value)
        })
        .collect();
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if ok { well } else { "unavailable" };
    (status, Json(json!({ "ok": ok, "status": word, "checks": told }))).into_response()
}
