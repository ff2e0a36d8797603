//! `/api/v1/bgops/idempotency`: the idempotency keys that callers used, for operators.

use axum::extract::RawQuery;
use serde::Serialize;

use crate::{
    domain::TenantId,
    http::{
        answer::{Data, Json, Page, Time, data, page},
        auth::{Authenticated, PathPart, PlatformAdmin},
        error::ApiError,
        page::{Query, paginate},
    },
    ports::Ports,
    store::idempotency_keys::{self, Key},
};

/// `GET /api/v1/bgops/idempotency`
#[worker::send]
pub async fn list<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page<IdempotencyKey>>, ApiError> {
    let mut query = Query::of(query.as_deref());
    let limit = query.limit();
    let before = query.mark();
    let before = query.all(before)?;
    let before = before.as_ref().map(|mark| (mark.occurred_at, mark.id.as_str()));
    let rows = caller.ask(idempotency_keys::list(before, limit + 1)).await?;
    let (rows, next) = paginate(rows, limit, |key| format!("{} {}", key.expires_at, key.id));
    Ok(page(rows, next, IdempotencyKey::from))
}

/// `GET /api/v1/bgops/idempotency/{key}`
#[worker::send]
pub async fn get<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    PathPart(key): PathPart,
) -> Result<Json<Data<IdempotencyKey>>, ApiError> {
    let found = caller.ask(idempotency_keys::by_id(&key)).await?.ok_or_else(ApiError::not_found)?;
    Ok(data(found.into()))
}

/// An idempotency key; never what a caller sent, nor what it was answered.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct IdempotencyKey {
    /// A digest of the caller's key.
    pub key: String,
    /// What it guards.
    pub operation: String,
    /// The tenant that came of it; `null` while it is at work, and once the tenant was removed.
    pub tenant_id: Option<TenantId>,
    /// Whether the operation is over.
    pub status: String,
    /// When it was first used.
    pub created_at: Time,
    /// When it is forgotten.
    pub expires_at: Time,
}

impl From<Key> for IdempotencyKey {
    fn from(key: Key) -> Self {
        Self {
            key: key.id,
            operation: key.operation,
            tenant_id: key.tenant_id,
            status: key.status,
            created_at: Time::at(key.created_at),
            expires_at: Time::at(key.expires_at),
        }
    }
}
