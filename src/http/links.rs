//! `/auth/magic`: asking for a link by mail, and exchanging it.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    app::{App, digest},
    domain::{Email, TenantId, issue::Problem},
    ports::{Limit, Ports},
};

use super::{body::Fields, context::Context, error::ApiError};

/// `POST /auth/magic/start`: the same answer for a known and an unknown address.
#[worker::send]
pub async fn start<P: Ports>(
    app: App<P>,
    context: Context,
    mut fields: Fields,
) -> Result<Response, ApiError> {
    let email: Option<Email> = fields.required("email");
    let tenant: Option<TenantId> = fields.optional("tenantId");
    let email = fields.all(email)?;
    let address = digest(&[email.as_str()]);
    let (client, address) =
        futures_util::join!(app.allows(Limit::Magic, &context.client), app.allows(Limit::Magic, &address));
    if !(client && address) {
        return Err(ApiError::rate_limited());
    }
    app.start_link(&email, tenant.as_ref(), &context.origin).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "success": true }))).into_response())
}

/// `POST /auth/magic/verify`: a link for a token, once.
#[worker::send]
pub async fn verify<P: Ports>(
    app: App<P>,
    context: Context,
    mut fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let token = fields
        .required_with("token", |text| if text.is_empty() { Err(Problem::required()) } else { Ok(text) });
    let token = fields.all(token)?;
    if !app.allows(Limit::Lookup, &context.client).await {
        return Err(ApiError::rate_limited());
    }
    let (signed_in, jwt) = app.verify_link(&token).await?;
    let owner = &signed_in.owner;
    Ok(Json(json!({
        "success": true,
        "tenantId": owner.id,
        // Enough for a page on another device to go on where the first left off.
        "tenant": {
            "id": owner.id,
            "slug": signed_in.slug,
            "name": owner.name,
            "email": owner.email,
            "plan": signed_in.plan,
            "comped": signed_in.comped,
            "trialEndsAt": signed_in.trial_ends_at,
        },
        "jwt": jwt,
    })))
}
