//! Idempotency keys as operators see them: never the key that a caller sent, never a token.

use serde::Serialize;

use crate::{
    db::{Query, Statement, columns},
    domain::{TenantId, Time},
};

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

columns! { IdempotencyKey: key = "id", operation, tenant_id, status, created_at, expires_at }

/// Lists keys, those that live longest first.
pub fn list(before: Option<(i64, &str)>, limit: u32) -> Query<Vec<IdempotencyKey>> {
    Query::rows(Statement::new(
        "select id, operation, tenant_id, status, created_at, expires_at from idempotency_keys
         where (expires_at, id) < (?1, ?2) order by expires_at desc, id desc limit ?3",
        [before.map_or(1 << 52, |b| b.0).into(), before.map_or("", |b| b.1).into(), limit.into()],
    ))
}

/// One key.
pub fn by_id(id: &str) -> Query<Option<IdempotencyKey>> {
    Query::optional(Statement::new(
        "select id, operation, tenant_id, status, created_at, expires_at from idempotency_keys where id = ?1",
        [id.into()],
    ))
}
