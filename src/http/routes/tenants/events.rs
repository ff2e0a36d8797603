//! `GET /api/v1/tenants/{id}/events`: what happened to a tenant.

use axum::extract::RawQuery;
use serde::Serialize;
use serde_json::Value;

use crate::{
    http::{
        answer::{Json, Page, Time, page},
        auth::{Authenticated, SameTenantOrPlatform},
        error::ApiError,
        page::{Query, paginate},
    },
    ports::Ports,
    store::{
        events::{self, Event},
        tenants,
    },
};

/// `GET /api/v1/tenants/{id}/events`
#[worker::send]
pub async fn list<P: Ports>(
    caller: Authenticated<P, SameTenantOrPlatform>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page<TenantEvent>>, ApiError> {
    let mut query = Query::of(query.as_deref());
    let limit = query.limit();
    let before = query.mark();
    let before = query.all(before)?;
    let tenant = caller.tenant()?;
    let (known, rows) =
        caller.ask((tenants::by_id(tenant), events::list(tenant, before.as_ref(), limit + 1))).await?;
    known.ok_or_else(ApiError::tenant_not_found)?;
    let (rows, next) = paginate(rows, limit, |event| format!("{} {}", event.occurred_at, event.id));
    Ok(page(rows, next, TenantEvent::from))
}

/// One thing that happened to a tenant.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TenantEvent {
    /// Its id, which its webhook gets as `webhook-id` where it is announced.
    pub id: String,
    /// What happened, like `tenant.provisioned`.
    pub r#type: String,
    /// When.
    pub occurred_at: Time,
    /// What there is to say of it.
    pub data: Value,
}

impl From<Event> for TenantEvent {
    fn from(event: Event) -> Self {
        Self {
            id: event.id,
            r#type: event.r#type,
            occurred_at: Time::at(event.occurred_at),
            data: serde_json::from_str(&event.data).unwrap_or_default(),
        }
    }
}
