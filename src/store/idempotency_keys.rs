//! Idempotency keys as operators see them: never the key that a caller sent, never a token.

use crate::{
    db::{Query, Statement, columns},
    domain::TenantId,
};

/// One key.
#[derive(Debug, Clone)]
pub struct Key {
    /// The stored form of it.
    pub id: String,
    /// What it was sent with.
    pub operation: String,
    /// Whom it made.
    pub tenant_id: Option<TenantId>,
    /// `in_progress` or `completed`.
    pub status: String,
    /// When it was first seen, Unix seconds.
    pub created_at: i64,
    /// When it is forgotten.
    pub expires_at: i64,
}

columns! { Key: id, operation, tenant_id, status, created_at, expires_at }

/// Lists keys, those that live longest first.
pub fn list(before: Option<(i64, &str)>, limit: u32) -> Query<Vec<Key>> {
    Query::rows(Statement::new(
        "select id, operation, tenant_id, status, created_at, expires_at from idempotency_keys
         where (expires_at, id) < (?1, ?2) order by expires_at desc, id desc limit ?3",
        [before.map_or(1 << 52, |b| b.0).into(), before.map_or("", |b| b.1).into(), limit.into()],
    ))
}

/// One key.
pub fn by_id(id: &str) -> Query<Option<Key>> {
    Query::optional(Statement::new(
        "select id, operation, tenant_id, status, created_at, expires_at from idempotency_keys where id = ?1",
        [id.into()],
    ))
}
