//! Idempotency keys as operators see them: never the key that a caller sent, never a token.

use serde::Deserialize;

use crate::{db::Statement, domain::TenantId};

/// One key.
#[derive(Debug, Clone, Deserialize)]
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

/// Lists keys, those that live longest first. Read with [`crate::db::Answer::rows`].
#[must_use]
pub fn list(before: Option<(i64, &str)>, limit: u32) -> Statement {
    Statement::new(
        "select id, operation, tenant_id, status, created_at, expires_at from idempotency_keys
         where (expires_at, id) < (?1, ?2) order by expires_at desc, id desc limit ?3",
        [before.map_or(1 << 52, |b| b.0).into(), before.map_or("", |b| b.1).into(), limit.into()],
    )
}

/// Selects one key. Read with [`crate::db::Answer::first`].
#[must_use]
pub fn select(id: &str) -> Statement {
    Statement::new(
        "select id, operation, tenant_id, status, created_at, expires_at from idempotency_keys where id = ?1",
        [id.into()],
    )
}
