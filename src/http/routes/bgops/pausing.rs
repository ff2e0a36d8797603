//! `/api/v1/bgops/provisioning`: pausing provisioning whole, and resuming it.

use serde::Serialize;

use crate::{
    app::{
        self,
        pausing::{PAUSE, RESUME},
    },
    http::{
        answer::{Data, Json, data},
        auth::{Authenticated, PlatformAdmin},
        body::Fields,
        context::Context,
        error::ApiError,
        routes::health::Provisioning,
    },
    ports::{Level, LogLine, Ports},
};

use super::sagas::ReasonRequest;

/// `POST /api/v1/bgops/provisioning/pause`
#[worker::send]
pub async fn pause<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    context: Context,
    fields: Fields,
) -> Result<Json<Data<ProvisioningSwitchResult>>, ApiError> {
    switch(&caller, &context, fields, Provisioning::Paused).await
}

/// `POST /api/v1/bgops/provisioning/resume`
#[worker::send]
pub async fn resume<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    context: Context,
    fields: Fields,
) -> Result<Json<Data<ProvisioningSwitchResult>>, ApiError> {
    switch(&caller, &context, fields, Provisioning::On).await
}

async fn switch<P: Ports>(
    caller: &Authenticated<P, PlatformAdmin>,
    context: &Context,
    fields: Fields,
    provisioning: Provisioning,
) -> Result<Json<Data<ProvisioningSwitchResult>>, ApiError> {
    let ReasonRequest { reason } = fields.read(ReasonRequest::read)?;
    let (app, claims, request) = (&caller.app, &caller.claims, context.id.as_str());
    let (action, changed) = match provisioning {
        Provisioning::Paused => (PAUSE, app::pausing::pause(app, claims, reason.as_str(), request).await),
        Provisioning::On => (RESUME, app::pausing::resume(app, claims, reason.as_str(), request).await),
    };
    let changed = changed.map_err(|error| caller.refused(error))?;
    app.log(LogLine::new(Level::Warn, "operator_action").with("action", action));
    Ok(data(ProvisioningSwitchResult { provisioning, changed }))
}

/// Provisioning, paused or resumed.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProvisioningSwitchResult {
    /// How it stands now.
    pub provisioning: Provisioning,
    /// Whether this request changed that.
    pub changed: bool,
}
