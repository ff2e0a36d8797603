//! `GET /api/v1/tenants/{id}/events`: what happened to a club.

use axum::{Json, extract::RawQuery};
use serde_json::{Value, json};

use crate::{
    domain::Timestamp,
    ports::Ports,
    store::{
        events::{self, Event, Mark},
        tenants,
    },
};

use super::{
    auth::{Caller, SameTenantOrPlatform},
    error::ApiError,
    page::{Query, cut},
};

/// `GET /api/v1/tenants/{id}/events`
#[worker::send]
pub async fn list<P: Ports>(
    caller: Caller<P, SameTenantOrPlatform>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut query = Query::of(query.as_deref());
    let limit = query.limit();
    let before = query.cursor(|text| {
        let (occurred_at, id) = text.split_once(' ')?;
        Some(Mark { occurred_at: occurred_at.parse().ok()?, id: id.to_owned() })
    });
    let before = query.all(before)?;
    let tenant = caller.tenant()?;
    let statements = vec![tenants::select(tenant), events::list(tenant, before.as_ref(), limit + 1)];
    let mut answers = caller.ask_all(statements).await?;
    let rows: Vec<Event> = answers.pop().unwrap_or_default().rows()?;
    tenants::read(answers.pop().unwrap_or_default())?.ok_or_else(ApiError::tenant_not_found)?;
    let (rows, next) = cut(rows, limit, |event| format!("{} {}", event.occurred_at, event.id));
    let data: Vec<Value> = rows.iter().map(event_json).collect();
    Ok(Json(json!({ "success": true, "data": data, "nextCursor": next })))
}

fn event_json(event: &Event) -> Value {
    json!({
        "id": event.id,
        "type": event.r#type,
        "occurredAt": Timestamp::from_seconds(event.occurred_at).rfc3339(),
        "data": serde_json::from_str::<Value>(&event.data).unwrap_or_default(),
    })
}
