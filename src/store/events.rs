//! What happened to a tenant, as its own people may read it.

use crate::{
    db::{Query, Statement, columns},
    domain::TenantId,
};

/// Where a page of events ends: when, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// When, Unix seconds.
    pub occurred_at: i64,
    /// Which.
    pub id: String,
}

/// One event.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its id: the same for a replay.
    pub id: String,
    /// What happened.
    pub r#type: String,
    /// More about it, as JSON.
    pub data: String,
    /// When, Unix seconds.
    pub occurred_at: i64,
}

columns! { Event: id, r#type, data, occurred_at }

/// Lists a tenant's events, newest first, from `before` on.
pub fn list(tenant: &TenantId, before: Option<&Cursor>, limit: u32) -> Query<Vec<Event>> {
    Query::rows(Statement::new(
        "select id, type, data, occurred_at from domain_events
         where tenant_id = ?1 and (occurred_at, id) < (?2, ?3)
         order by occurred_at desc, id desc limit ?4",
        [
            tenant.as_str().into(),
            before.map_or(1 << 52, |mark| mark.occurred_at).into(),
            before.map_or("", |mark| mark.id.as_str()).into(),
            limit.into(),
        ],
    ))
}
