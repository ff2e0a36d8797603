//! Trying a club's webhook out, before or after it is stored.

use axum::Json;
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    app::webhooks::TryError,
    ports::{Limit, Ports},
};

use super::{
    auth::{Caller, SameTenantOrPlatform},
    body::OptionalFields,
    context::Context,
    error::ApiError,
    signup::{name_the_host, read_webhook},
};

/// `POST /api/v1/tenants/{id}/webhook/test`
#[worker::send]
pub async fn test<P: Ports>(
    caller: Caller<P, SameTenantOrPlatform>,
    context: Context,
    OptionalFields(mut fields): OptionalFields,
) -> Result<Json<Value>, ApiError> {
    let tenant = caller.tenant()?;
    let webhook = if fields.has("webhookUrl") || fields.has("webhookSecret") {
        let (url, secret) = read_webhook(&caller, &mut fields);
        let (url, secret) = fields.all(url.zip(secret)).map_err(name_the_host)?;
        Some((url, secret.secret().clone()))
    } else {
        None
    };
    let app = &caller.app;
    if !app.allows(Limit::Lookup, tenant.as_str()).await {
        return Err(ApiError::rate_limited());
    }
    let tried = app.try_webhook(&caller.claims, tenant, webhook, context.caller()).await.map_err(
        |error| match error {
            TryError::NotFound => ApiError::tenant_not_found(),
            TryError::NoWebhook => {
                ApiError::new(StatusCode::CONFLICT, "NO_WEBHOOK", "No webhook is stored for this club yet.")
            }
            TryError::Sealed(cause) => ApiError::internal(cause.to_string()),
            TryError::Access(error) => caller.refused(error),
        },
    )?;
    Ok(Json(json!({
        "success": true,
        "data": { "delivered": tried.delivered, "status": tried.status, "ms": tried.ms, "reason": tried.reason }
    })))
}
