//! What happened to all tenants, in the order of commits: for the rest of the platform.

use serde::Serialize;
use serde_json::Value;

use crate::{
    db::{Json, Query, Statement, columns},
    domain::Time,
};

/// Where a reader of the feed stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    /// Behind which event; 0 at the beginning.
    pub seq: i64,
    /// The mark of that event.
    pub mark: String,
}

/// One thing that happened to a tenant.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlatformEvent {
    /// Its place.
    #[serde(skip)]
    pub seq: i64,
    /// What no other event at this place has.
    #[serde(skip)]
    pub mark: String,
    /// Its id, which webhooks get as `webhook-id`.
    pub id: String,
    /// What happened, like `tenant.provisioned`.
    pub r#type: String,
    /// To whom.
    #[cfg_attr(not(target_arch = "wasm32"), schema(value_type = crate::domain::TenantId))]
    pub tenant_id: String,
    /// When.
    pub occurred_at: Time,
    /// What there is to say of it.
    #[cfg_attr(not(target_arch = "wasm32"), schema(value_type = Value))]
    pub data: Json<Value>,
}

columns! { PlatformEvent: seq, mark, id, tenant_id, r#type, data, occurred_at }

/// Whether the feed has that place. After the database was put back to an earlier moment, places of later ones are not there, or
/// are others'.
pub fn has(position: &Position) -> Query<Option<u32>> {
    Query::scalar(Statement::new(
        "select 1 from event_feed where seq = ?1 and mark = ?2",
        [position.seq.into(), position.mark.as_str().into()],
    ))
}

/// The events behind `after`, oldest first.
pub fn list(after: i64, limit: u32) -> Query<Vec<PlatformEvent>> {
    Query::rows(Statement::new(
        "select f.seq, f.mark, e.id, e.tenant_id, e.type, e.data, e.occurred_at
         from event_feed f join domain_events e
           on e.tenant_id = f.tenant_id and e.occurred_at = f.occurred_at and e.id = f.event_id
         where f.seq > ?1 order by f.seq limit ?2",
        [after.into(), limit.into()],
    ))
}
