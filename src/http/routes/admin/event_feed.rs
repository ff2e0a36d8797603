//! `GET /api/v1/admin/events`: what happened to all tenants, for the rest of the platform.

use axum::extract::RawQuery;
use http::StatusCode;
use serde::Serialize;

use crate::{
    http::{
        answer::{Json, True},
        auth::{Authenticated, PlatformReader},
        error::ApiError,
        page::{Query, cursor},
    },
    ports::Ports,
    store::event_feed::{self, PlatformEvent, Position},
};

/// `GET /api/v1/admin/events`
#[worker::send]
pub async fn list<P: Ports>(
    caller: Authenticated<P, PlatformReader>,
    RawQuery(query): RawQuery,
) -> Result<Json<EventFeedPage>, ApiError> {
    let mut query = Query::of(query.as_deref());
    let limit = query.limit_of_feed();
    let after = query.position();
    let after = query.all(after)?;
    // The beginning is always there.
    let known = (after.seq > 0).then(|| event_feed::has(&after));
    let (known, mut events) = caller.ask((known, event_feed::list(after.seq, limit + 1))).await?;
    if known.is_some_and(|known| known.is_none()) {
        return Err(outdated());
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = events.len() > limit;
    events.truncate(limit);
    let last = events.last().map(|event| Position { seq: event.seq, mark: event.mark.clone() });
    let Position { seq, mark } = last.unwrap_or(after);
    Ok(Json(EventFeedPage {
        success: True,
        data: events,
        next_cursor: cursor(&format!("{seq} {mark}")),
        has_more,
    }))
}

/// What happened, oldest first.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct EventFeedPage {
    /// It was done.
    pub success: True,
    /// The events. None while nothing happened behind `after`.
    pub data: Vec<PlatformEvent>,
    /// What to send as `after` next time. It is always there: keep it once you have worked through `data`.
    pub next_cursor: String,
    /// Whether there are more already.
    pub has_more: bool,
}

fn outdated() -> ApiError {
    let message = "The database was put back to an earlier moment, and this cursor is of a later one. Read again from the \
                   beginning, without after; events that you know keep their ids.";
    ApiError::new(StatusCode::GONE, "CURSOR_OUTDATED", message)
}
