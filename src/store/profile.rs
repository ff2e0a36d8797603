//! A tenant as its own people see and change it.

use serde::Serialize;

use crate::{
    db::{Query, Statement, columns},
    domain::{HexColor, Plan, TenantId, TenantName, TenantStatus, Time, Timestamp, text},
};

use super::admin_tenants::{Tenant, tenant};

/// A tenant, and what its own people see beside what the list shows.
#[derive(Debug, Clone)]
pub struct Profile {
    /// What the list shows of it.
    pub tenant: Tenant,
    /// Its colours.
    pub primary_color: Option<String>,
    /// Its colours.
    pub secondary_color: Option<String>,
    /// Where its webhook is; none while the tenant has none.
    pub webhook_url: Option<String>,
    /// When it last took a test, Unix seconds.
    pub validated_at: Option<i64>,
    /// Since when every delivery has failed.
    pub failing_since: Option<i64>,
    /// Since when nothing is sent there any more.
    pub disabled_at: Option<i64>,
    /// Why not.
    pub disabled_reason: Option<String>,
}

columns! {
    Profile: [tenant] primary_color, secondary_color, webhook_url, validated_at, failing_since, disabled_at,
        disabled_reason
}

/// One tenant.
pub fn by_id(tenant: &TenantId) -> Query<Option<Profile>> {
    Query::optional(Statement::new(
        tenant!(
            "iif(t.undo_state is null, coalesce(b.primary_color, '#1f4e79'), b.primary_color) as primary_color,
           iif(t.undo_state is null, coalesce(b.secondary_color, '#f4b942'), b.secondary_color) as secondary_color,
           m.webhook_url, m.validated_at,
           m.failing_since, m.disabled_at, m.disabled_reason
         from tenants t left join tenant_brand b on b.tenant_id = t.id
           left join make_connections m on m.tenant_id = t.id where t.id = ?1"
        ),
        [tenant.as_str().into()],
    ))
}

/// What a tenant changes about itself; what is none stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Its name.
    pub name: Option<TenantName>,
    /// Its colours.
    pub primary: Option<HexColor>,
    /// Its colours.
    pub secondary: Option<HexColor>,
}

/// Changes a tenant.
pub fn change(tenant: &TenantId, change: &Change, now: Timestamp) -> Vec<Statement> {
    let mut statements = Vec::new();
    if let Some(name) = &change.name {
        statements.push(Statement::new(
            "update tenants set name = ?2, name_folded = ?4, updated_at = ?3 where id = ?1",
            [
                tenant.as_str().into(),
                name.as_str().into(),
                now.seconds().into(),
                text::folded(name.as_str()).into(),
            ],
        ));
    }
    if change.primary.is_some() || change.secondary.is_some() {
        statements.push(Statement::new(
            "insert into tenant_brand (tenant_id, primary_color, secondary_color, updated_at)
             select id, coalesce(?2, '#1f4e79'), coalesce(?3, '#f4b942'), ?4 from tenants where id = ?1
             on conflict (tenant_id) do update set primary_color = coalesce(?2, primary_color),
               secondary_color = coalesce(?3, secondary_color), updated_at = excluded.updated_at",
            [
                tenant.as_str().into(),
                change.primary.as_ref().map(HexColor::as_str).into(),
                change.secondary.as_ref().map(HexColor::as_str).into(),
                now.seconds().into(),
            ],
        ));
    }
    statements
}

/// A tenant at a glance.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
pub struct TenantOverview {
    /// Its id.
    pub id: TenantId,
    /// Its name in addresses; `null` once released.
    pub slug: Option<String>,
    /// Its name.
    pub name: String,
    /// Its plan.
    pub plan: Plan,
    /// Where it stands.
    pub status: TenantStatus,
    /// 1 if it can be reached at its address, else 0.
    #[cfg_attr(not(target_arch = "wasm32"), schema(maximum = 1))]
    pub route_ready: u8,
    /// When it went live.
    pub provisioned_at: Option<Time>,
    /// How many posts were made for it.
    pub posts_count: u32,
    /// How many of its webhooks took a test: 0 or 1.
    pub webhooks_validated: u32,
}

columns! {
    TenantOverview: id, slug, name, plan, status, route_ready, provisioned_at, posts_count, webhooks_validated
}

/// One tenant at a glance. The only posts are those that provisioning makes, and their ids are known.
pub fn overview(tenant: &TenantId) -> Query<Option<TenantOverview>> {
    Query::optional(Statement::new(
        "select id, slug, name, plan, status, route_ready, provisioned_at,
           (select count(*) from feed_posts where id = 'post_welcome_' || tenants.id) as posts_count,
           (select count(validated_at) from make_connections where tenant_id = tenants.id) as webhooks_validated
         from tenants where id = ?1",
        [tenant.as_str().into()],
    ))
}
