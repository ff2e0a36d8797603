//! What happened to a tenant, as its own people may read it.

use serde::Serialize;
use serde_json::Value;

use crate::{
    db::{Json, Query, Statement, columns},
    domain::{TenantId, Time},
};

/// Where a page of events ends: when, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// When, Unix seconds.
    pub occurred_at: i64,
    /// Which.
    pub id: String,
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
    #[cfg_attr(not(target_arch = "wasm32"), schema(value_type = Value))]
    pub data: Json<Value>,
}

columns! { TenantEvent: id, r#type, data, occurred_at }

/// Lists a tenant's events, newest first, from `before` on.
pub fn list(tenant: &TenantId, before: Option<&Cursor>, limit: u32) -> Query<Vec<TenantEvent>> {
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
