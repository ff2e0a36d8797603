//! `/api/v1/bgops/upstreams`: the upstreams as their breakers see them, for operators.

use http::StatusCode;
use serde::Serialize;

use crate::{
    app::{
        self,
        breakers::{BreakerAction, BreakerActionError},
    },
    domain::{Timestamp, Upstream, config::Budgets},
    http::{
        answer::{Data, Json, Time, data},
        auth::{Authenticated, PathPart, PlatformAdmin},
        body::Fields,
        context::Context,
        error::ApiError,
    },
    ports::{Level, LogLine, Ports},
    workflow::breaker::{Breaker, State, limits},
};

use super::sagas::ReasonRequest;

/// `GET /api/v1/bgops/upstreams`
#[worker::send]
pub async fn list<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
) -> Result<Json<Data<Vec<UpstreamState>>>, ApiError> {
    // Nothing but whether the caller may: the breakers are no rows.
    caller.ask(Vec::new()).await?;
    let (now, budgets) = (caller.app.ports.now(), caller.app.config().budgets);
    let breakers = app::breakers::all(&caller.app).await;
    let states = breakers.iter().map(|(upstream, breaker)| state(*upstream, breaker.as_ref(), budgets, now));
    Ok(data(states.collect()))
}

/// `POST /api/v1/bgops/upstreams/{name}/open`
#[worker::send]
pub async fn open<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    context: Context,
    name: PathPart,
    fields: Fields,
) -> Result<Json<Data<BreakerActionResult>>, ApiError> {
    apply(&caller, &context, &name, fields, BreakerAction::Open).await
}

/// `POST /api/v1/bgops/upstreams/{name}/close`
#[worker::send]
pub async fn close<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    context: Context,
    name: PathPart,
    fields: Fields,
) -> Result<Json<Data<BreakerActionResult>>, ApiError> {
    apply(&caller, &context, &name, fields, BreakerAction::Close).await
}

async fn apply<P: Ports>(
    caller: &Authenticated<P, PlatformAdmin>,
    context: &Context,
    PathPart(name): &PathPart,
    fields: Fields,
    wanted: BreakerAction,
) -> Result<Json<Data<BreakerActionResult>>, ApiError> {
    let ReasonRequest { reason } = fields.read(ReasonRequest::read)?;
    let upstream = Upstream::named(name).ok_or_else(not_found)?;
    let changed = app::breakers::set(
        &caller.app,
        &caller.claims,
        upstream,
        wanted,
        reason.as_str(),
        context.id.as_str(),
    )
    .await
    .map_err(|error| action_failed(error, caller))?;
    caller.app.log(
        LogLine::new(Level::Warn, "operator_action")
            .with("action", wanted.action())
            .with("upstream", upstream.as_str()),
    );
    let state = match wanted {
        BreakerAction::Open => BreakerState::Open,
        BreakerAction::Close => BreakerState::Closed,
    };
    Ok(data(BreakerActionResult { upstream, state, changed }))
}

/// One of the upstreams, as its breaker sees it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct UpstreamState {
    /// Which.
    pub upstream: Upstream,
    /// How its breaker stands.
    pub state: BreakerState,
    /// How many calls failed in a row; `null` when the breaker does not answer.
    pub failures: Option<u32>,
    /// Since when it has failed.
    pub since: Option<Time>,
    /// Whether an operator opened the breaker: no call goes out until somebody closes it.
    pub held_open: bool,
    /// When one run may ask it again, while the breaker is open and nobody holds it open.
    pub next_probe_at: Option<Time>,
    /// When the breaker was last closed after it had been open.
    pub closed_at: Option<Time>,
    /// How many calls it takes within a while, where that is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub budget: Option<CallBudget>,
    /// How many calls it takes at once, where that is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub at_once: Option<ConcurrencyLimit>,
}

/// How a breaker stands.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Calls go out.
    Closed,
    /// Calls wait.
    Open,
    /// One call at a time goes out.
    HalfOpen,
    /// It does not answer, and stops nothing.
    Unknown,
}

/// How many calls an upstream takes within a while.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CallBudget {
    /// How many of them were used; `null` when the breaker does not answer.
    pub used: Option<u32>,
    /// How many there are.
    pub calls: u32,
    /// Within how many seconds.
    pub window_seconds: u64,
}

/// How many calls an upstream takes at once.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
pub struct ConcurrencyLimit {
    /// How many are out; `null` when the breaker does not answer.
    pub used: Option<u32>,
    /// How many there may be.
    pub calls: u32,
}

/// A breaker that an operator opened or closed.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct BreakerActionResult {
    /// Whose.
    pub upstream: Upstream,
    /// How it stands now.
    pub state: BreakerState,
    /// Whether it stood otherwise before.
    pub changed: bool,
}

fn state(upstream: Upstream, breaker: Option<&Breaker>, budgets: Budgets, now: Timestamp) -> UpstreamState {
    let limits = limits(upstream, budgets);
    let budget = limits.budget.map(|budget| CallBudget {
        used: breaker.map(|breaker| breaker.used(&budget, now)),
        calls: budget.calls,
        window_seconds: budget.window.as_secs(),
    });
    let at_once = limits.at_once.map(|at_once| ConcurrencyLimit {
        used: breaker.map(|breaker| breaker.asking(now)),
        calls: at_once.calls,
    });
    let (state, since) = match breaker.map(|breaker| &breaker.state) {
        None => (BreakerState::Unknown, None),
        Some(State::Closed { failures }) => (BreakerState::Closed, failures.first().map(|failed| failed.at)),
        Some(State::Open { outage, .. }) => (BreakerState::Open, Some(outage.since)),
        Some(State::HalfOpen { outage, .. }) => (BreakerState::HalfOpen, Some(outage.since)),
    };
    UpstreamState {
        upstream,
        state,
        failures: breaker.map(Breaker::failures),
        since: since.map(Time::from),
        held_open: breaker.is_some_and(Breaker::is_held_open),
        next_probe_at: breaker.and_then(Breaker::next_probe_at).map(Time::from),
        closed_at: breaker.and_then(Breaker::closed_at).map(Time::from),
        budget,
        at_once,
    }
}

fn action_failed<P: Ports>(error: BreakerActionError, caller: &Authenticated<P, PlatformAdmin>) -> ApiError {
    match error {
        BreakerActionError::Access(error) => caller.refused(error),
        BreakerActionError::Object(cause) => ApiError {
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
