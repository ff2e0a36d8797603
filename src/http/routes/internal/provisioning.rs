//! Queueing a tenant's provisioning.

use crate::{
    app::provisioning,
    domain::TenantId,
    http::{
        answer::{Data, Json},
        auth::{Authenticated, Service},
        body::{Fields, body},
        context::Context,
        error::ApiError,
        routes::tenants::provisioning::{QueuedRun, queued},
    },
    ports::Ports,
};

/// `POST /internal/provision/queue` and `/retry`
#[worker::send]
pub async fn queue<P: Ports>(
    caller: Authenticated<P, Service>,
    context: Context,
    fields: Fields,
) -> Result<Json<Data<QueuedRun>>, ApiError> {
    let ProvisionRequest { tenant_id: tenant } = fields.read(ProvisionRequest::read)?;
    provisioning::queue(&caller.app, &caller.claims, &tenant, context.caller())
        .await
        .map(queued)
        .map_err(|error| caller.not_queued(error))
}

body! {
    /// Whom to provision.
    pub struct ProvisionRequest {
        /// The tenant.
        pub tenant_id: TenantId = required("tenantId"),
    }
}
