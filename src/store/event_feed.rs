//! What happened to all tenants, in the order of commits: for the rest of the platform.

use crate::db::{Query, Statement, columns};

/// Where a reader of the feed stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    /// Behind which event; 0 at the beginning.
    pub seq: i64,
    /// The mark of that event.
    pub mark: String,
}

/// One event.
#[derive(Debug, Clone)]
pub struct FeedEvent {
    /// Its place.
    pub seq: i64,
    /// What no other event at this place has.
    pub mark: String,
    /// Its id.
    pub id: String,
    /// To whom it happened.
    pub tenant_id: String,
    /// What happened.
    pub r#type: String,
    /// More about it, as JSON.
    pub data: String,
    /// When, Unix seconds.
    pub occurred_at: i64,
}

columns! { FeedEvent: seq, mark, id, tenant_id, r#type, data, occurred_at }

/// Whether the feed has that place. After the database was put back to an earlier moment, places of later ones are not there, or
/// are others'.
pub fn has(position: &Position) -> Query<Option<u32>> {
    Query::scalar(Statement::new(
        "select 1 from event_feed where seq = ?1 and mark = ?2",
        [position.seq.into(), position.mark.as_str().into()],
    ))
}

/// The events behind `after`, oldest first.
pub fn list(after: i64, limit: u32) -> Query<Vec<FeedEvent>> {
    Query::rows(Statement::new(
        "select f.seq, f.mark, e.id, e.tenant_id, e.type, e.data, e.occurred_at
         from event_feed f join domain_events e
           on e.tenant_id = f.tenant_id and e.occurred_at = f.occurred_at and e.id = f.event_id
         where f.seq > ?1 order by f.seq limit ?2",
        [after.into(), limit.into()],
    ))
}
