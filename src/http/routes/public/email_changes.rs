//! `/public/email`: what a mailed link does about somebody's address.

use serde::Serialize;

use crate::{
    app::{self, App},
    domain::Email,
    http::{
        answer::{Json, True},
        body::{Fields, body},
        context::Context,
        error::ApiError,
    },
    ports::{Limit, Ports},
};

/// `POST /public/email/confirm`: by the link that was mailed to the new address, once.
#[worker::send]
pub async fn confirm<P: Ports>(
    app: App<P>,
    context: Context,
    fields: Fields,
) -> Result<Json<EmailChangedResponse>, ApiError> {
    let EmailLinkRequest { token } = fields.read(EmailLinkRequest::read)?;
    context.limited(&app, Limit::Lookup).await?;
    let email = app::email_changes::confirm(&app, &token, &context.caller()).await?;
    Ok(Json(EmailChangedResponse { success: True, email }))
}

/// `POST /public/email/undo`: by the link that was mailed to the earlier address, once.
#[worker::send]
pub async fn undo<P: Ports>(
    app: App<P>,
    context: Context,
    fields: Fields,
) -> Result<Json<EmailChangedResponse>, ApiError> {
    let EmailLinkRequest { token } = fields.read(EmailLinkRequest::read)?;
    context.limited(&app, Limit::Lookup).await?;
    let email = app::email_changes::undo(&app, &token, &context.caller()).await?;
    Ok(Json(EmailChangedResponse { success: True, email }))
}

body! {
    /// What a mailed link has.
    pub struct EmailLinkRequest {
        /// What stands behind `#token=`, or behind `#undo=`, in the mailed link.
        #[schema(min_length = 1, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
        pub token: String = required_with("token", Ok),
    }
}

/// The address that somebody has now.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
pub struct EmailChangedResponse {
    /// It was done.
    pub success: True,
    /// Their address from now on.
    pub email: Email,
}
