//! `GET /api/v1/tenants/{id}/events`: what happened to a tenant.

use axum::extract::RawQuery;

use crate::{
    http::{
        answer::{Json, Page, page},
        auth::{Authenticated, SameTenantOrPlatform},
        error::ApiError,
        page::{Query, paginate},
    },
    ports::Ports,
    store::{
        events::{self, TenantEvent},
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
    let (rows, next) = paginate(rows, limit, |event| format!("{} {}", event.occurred_at.seconds(), event.id));
    Ok(page(rows, next))
}
