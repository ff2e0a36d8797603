//! `/api/v1/bgops/idempotency`: the idempotency keys that callers used, for operators.

use axum::extract::RawQuery;

use crate::{
    http::{
        answer::{Data, Json, Page, data, page},
        auth::{Authenticated, PathPart, PlatformAdmin},
        error::ApiError,
        page::{Query, paginate},
    },
    ports::Ports,
    store::idempotency_keys::{self, IdempotencyKey},
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
    let (rows, next) = paginate(rows, limit, |key| format!("{} {}", key.expires_at.seconds(), key.key));
    Ok(page(rows, next))
}

/// `GET /api/v1/bgops/idempotency/{key}`
#[worker::send]
pub async fn get<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    PathPart(key): PathPart,
) -> Result<Json<Data<IdempotencyKey>>, ApiError> {
    caller.ask(idempotency_keys::by_id(&key)).await?.map(data).ok_or_else(ApiError::not_found)
}
