//! `/api/v1/admin/tenants`: clubs, for operators.

use axum::Json;
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    domain::UndoStatus,
    ports::{Level, LogLine, Ports},
};

use super::{
    auth::{Caller, PathPart, PlatformAdmin},
    body::Fields,
    context::Context,
    error::ApiError,
    tokens::reason,
};

/// `DELETE /api/v1/admin/tenants/{id}`: done at once for the club's tokens, and followed by the rest: 202 until that is done.
#[worker::send]
pub async fn remove<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    context: Context,
    PathPart(tenant): PathPart,
    mut fields: Fields,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let reason = fields.required_with("reason", reason);
    let reason = fields.all(reason)?;
    let tenant = tenant.parse().map_err(|_| ApiError::tenant_not_found())?;
    let removal = caller
        .app
        .deprovision(&caller.claims, &tenant, &reason, context.id.as_str(), context.caller())
        .await
        .map_err(|error| caller.refused(error))?
        .ok_or_else(ApiError::tenant_not_found)?;
    caller.app.log(
        LogLine::new(Level::Warn, "operator_action")
            .with("action", "tenant.deprovision")
            .with("tenantId", tenant.as_str()),
    );
    let status = if removal.status == UndoStatus::Undone { StatusCode::OK } else { StatusCode::ACCEPTED };
    let data = json!({ "tenantId": tenant, "runId": removal.run, "undo": removal.status });
    Ok((status, Json(json!({ "success": true, "data": data }))))
}
