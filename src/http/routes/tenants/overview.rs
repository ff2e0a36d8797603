//! `/api/v1/tenants/{id}/overview`: a tenant at a glance, in the names that older consoles read.

use serde::Serialize;

use crate::{
    domain::{Plan, TenantId, TenantStatus},
    http::{
        answer::{Data, Json, Time, data},
        auth::{Authenticated, SameTenantOrPlatform},
        error::ApiError,
    },
    ports::Ports,
    store::profile,
};

/// `GET /api/v1/tenants/{id}/overview`
#[worker::send]
pub async fn get<P: Ports>(
    caller: Authenticated<P, SameTenantOrPlatform>,
) -> Result<Json<Data<TenantOverview>>, ApiError> {
    let found = caller.ask(profile::overview(caller.tenant()?)).await?;
    let overview = found.ok_or_else(ApiError::tenant_not_found)?;
    Ok(data(TenantOverview {
        id: overview.id,
        slug: overview.slug,
        name: overview.name,
        plan: overview.plan,
        status: overview.status,
        route_ready: u8::from(overview.route_ready),
        provisioned_at: overview.provisioned_at.map(Time::at),
        posts_count: overview.posts,
        webhooks_validated: overview.webhooks_validated,
    }))
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
