//! `/api/v1/tenants/{id}/overview`: a tenant at a glance, in the names that older consoles read.

use crate::{
    http::{
        answer::{Data, Json, data},
        auth::{Authenticated, SameTenantOrPlatform},
        error::ApiError,
    },
    ports::Ports,
    store::profile::{self, TenantOverview},
};

/// `GET /api/v1/tenants/{id}/overview`
#[worker::send]
pub async fn get<P: Ports>(
    caller: Authenticated<P, SameTenantOrPlatform>,
) -> Result<Json<Data<TenantOverview>>, ApiError> {
    let found = caller.ask(profile::overview(caller.tenant()?)).await?;
    found.map(data).ok_or_else(ApiError::tenant_not_found)
}
