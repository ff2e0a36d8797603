//! `/api/v1/bgops/upstreams`: the other sides as their breakers see them, for operators.

use axum::Json;
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    app::breakers::CloseError,
    domain::{Timestamp, Upstream},
    ports::{Level, LogLine, Ports},
    workflow::breaker::{Breaker, State, limits},
};

use super::{
    auth::{Caller, PathPart, PlatformAdmin},
    body::Fields,
    context::Context,
    error::ApiError,
    tokens::reason,
};

/// `GET /api/v1/bgops/upstreams`
#[worker::send]
pub async fn list<P: Ports>(caller: Caller<P, PlatformAdmin>) -> Result<Json<Value>, ApiError> {
    // Nothing but whether the caller may: the breakers are no rows.
    caller.ask_all(Vec::new()).await?;
    let now = caller.app.ports.now();
    let breakers = caller.app.breakers().await;
    let data: Vec<Value> =
        breakers.iter().map(|(upstream, breaker)| upstream_json(*upstream, breaker.as_ref(), now)).collect();
    Ok(Json(json!({ "success": true, "data": data })))
}

/// `POST /api/v1/bgops/upstreams/{name}/close`
#[worker::send]
pub async fn close<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    context: Context,
    PathPart(name): PathPart,
    mut fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let reason = fields.required_with("reason", reason);
    let reason = fields.all(reason)?;
    let upstream = Upstream::named(&name).ok_or_else(not_found)?;
    let changed = caller
        .app
        .close_breaker(&caller.claims, upstream, &reason, context.id.as_str())
        .await
        .map_err(|error| not_closed(error, &caller))?;
    caller.app.log(
        LogLine::new(Level::Warn, "operator_action")
            .with("action", "upstream.close")
            .with("upstream", upstream.as_str()),
    );
    Ok(Json(
        json!({ "success": true, "data": { "upstream": upstream, "state": "closed", "changed": changed } }),
    ))
}

fn upstream_json(upstream: Upstream, breaker: Option<&Breaker>, now: Timestamp) -> Value {
    let budget = limits(upstream).budget.map(|budget| {
        json!({
            "used": breaker.map(|breaker| breaker.used(&budget, now)),
            "calls": budget.calls,
            "windowSeconds": budget.window.as_secs(),
        })
    });
    let (state, since) = match breaker.map(|breaker| &breaker.state) {
        None => ("unknown", None),
        Some(State::Closed { failures }) => ("closed", failures.first().map(|failed| failed.at)),
        Some(State::Open { outage, .. }) => ("open", Some(outage.since)),
        Some(State::HalfOpen { outage, .. }) => ("half_open", Some(outage.since)),
    };
    json!({
        "upstream": upstream,
        "state": state,
        "failures": breaker.map(Breaker::failures),
        "since": since.map(Timestamp::rfc3339),
        "nextProbeAt": breaker.and_then(Breaker::next_probe_at).map(Timestamp::rfc3339),
        "budget": budget,
    })
}

fn not_closed<P: Ports>(error: CloseError, caller: &Caller<P, PlatformAdmin>) -> ApiError {
    match error {
        CloseError::Denied(denial) => ApiError::forbidden(denial, &caller.claims, None),
        CloseError::Db(error) => error.into(),
        CloseError::Object(cause) => ApiError {
            retry_after: Some(5),
            cause: Some(cause.to_string().into()),
            ..ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "BREAKER_UNAVAILABLE",
                "The breaker does not answer; until it does, it stops nothing. Please try again in a moment.",
            )
        },
    }
}

fn not_found() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "UPSTREAM_NOT_FOUND", "There is no such upstream.")
}
