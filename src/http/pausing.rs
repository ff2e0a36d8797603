//! `/api/v1/bgops/provisioning`: pausing provisioning whole, and resuming it.

use serde::Serialize;

use crate::{
    app::pausing::{PAUSE, RESUME},
    ports::{Level, LogLine, Ports},
};

use super::{
    answer::{Data, Json, data},
    auth::{Caller, PlatformAdmin},
    body::Fields,
    context::Context,
    error::ApiError,
    health::Provisioning,
    tokens::reason,
};

/// `POST /api/v1/bgops/provisioning/pause`
#[worker::send]
pub async fn pause<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    context: Context,
    mut fields: Fields,
) -> Result<Json<Data<ProvisioningSwitched>>, ApiError> {
    let reason = fields.required_with("reason", reason);
    let reason = fields.all(reason)?;
    let changed = caller
        .app
        .pause_provisioning(&caller.claims, &reason, context.id.as_str())
        .await
        .map_err(|error| caller.refused(error))?;
    caller.app.log(LogLine::new(Level::Warn, "operator_action").with("action", PAUSE));
    Ok(data(ProvisioningSwitched { provisioning: Provisioning::Paused, changed }))
}

/// `POST /api/v1/bgops/provisioning/resume`
#[worker::send]
pub async fn resume<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    context: Context,
    mut fields: Fields,
) -> Result<Json<Data<ProvisioningSwitched>>, ApiError> {
    let reason = fields.required_with("reason", reason);
    let reason = fields.all(reason)?;
    let changed = caller
        .app
        .resume_provisioning(&caller.claims, &reason, context.id.as_str())
        .await
        .map_err(|error| caller.refused(error))?;
    caller.app.log(LogLine::new(Level::Warn, "operator_action").with("action", RESUME));
    Ok(data(ProvisioningSwitched { provisioning: Provisioning::On, changed }))
}

/// Provisioning, paused or resumed.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProvisioningSwitched {
    /// How it stands now.
    pub provisioning: Provisioning,
    /// Whether this request changed that.
    pub changed: bool,
}
