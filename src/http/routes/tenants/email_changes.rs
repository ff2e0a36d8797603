//! `/api/v1/tenants/{id}/members/me/email`: one's own address.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;

use crate::{
    app::{self, access::AccessError, email_changes::ChangeError},
    domain::Email,
    http::{
        answer::{Json, Time, True},
        auth::{Authenticated, SameTenant},
        body::{Fields, body},
        context::Context,
        error::ApiError,
    },
    ports::Ports,
};

/// `POST /api/v1/tenants/{id}/members/me/email`: the same answer for an address that somebody has, and one that nobody has.
#[worker::send]
pub async fn want<P: Ports>(
    caller: Authenticated<P, SameTenant>,
    context: Context,
    fields: Fields,
) -> Result<Response, ApiError> {
    let EmailChangeRequest { email } = fields.read(EmailChangeRequest::read)?;
    let (app, tenant) = (&caller.app, caller.tenant()?);
    let wanted = app::email_changes::want(app, &caller.claims, tenant, &email, &context.caller()).await;
    let expires_at = wanted.map_err(|error| match error {
        ChangeError::Access(error) => caller.refused(error),
        error => error.into(),
    })?;
    let pending = PendingEmail { email, expires_at: expires_at.into() };
    Ok((StatusCode::ACCEPTED, Json(EmailChangeResponse { success: True, pending })).into_response())
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        let conflict = |code, message: &str| Self::new(StatusCode::CONFLICT, code, message);
        let later = |seconds| Self { retry_after: Some(seconds), ..Self::rate_limited() };
        match error {
            ChangeError::Nobody => Self::user_not_found(),
            ChangeError::Unchanged => {
                conflict("EMAIL_UNCHANGED", "This is your e-mail address already. Nothing was changed.")
            }
            ChangeError::TooSoon(seconds) => later(seconds),
            ChangeError::TooOften => later(3600),
            ChangeError::Unknown => Self::new(
                StatusCode::NOT_FOUND,
                "EMAIL_CHANGE_UNKNOWN",
                "This link opens nothing. Open it as it stands in the mail.",
            ),
            ChangeError::Expired => {
                conflict("EMAIL_CHANGE_EXPIRED", "This link is too old. Nothing was changed.")
            }
            ChangeError::Superseded => conflict(
                "EMAIL_CHANGE_SUPERSEDED",
                "The address was changed otherwise since this link was mailed. Nothing was changed.",
            ),
            ChangeError::Used => {
                conflict("EMAIL_CHANGE_USED", "This link was used already. Nothing was changed again.")
            }
            ChangeError::EmailExists => conflict(
                "EMAIL_EXISTS",
                "Somebody else uses this e-mail address already. Nothing was changed; choose another one.",
            ),
            ChangeError::EarlierEmailExists => conflict(
                "EMAIL_EXISTS",
                "Your earlier e-mail address is in use elsewhere by now. Nothing was changed; please write to our support.",
            ),
            ChangeError::Suspended => Self::tenant_suspended(),
            ChangeError::NoSigningKey(cause) => Self::internal(cause.to_string()),
            ChangeError::Access(AccessError::Db(cause)) => cause.into(),
            ChangeError::Access(AccessError::Denied(denial)) => Self::internal(denial.to_string()),
        }
    }
}

body! {
    /// The address that somebody wants to have.
    pub struct EmailChangeRequest {
        /// The new address.
        pub email: Email = required("email"),
    }
}

/// An address that somebody is to have once it was confirmed.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
pub struct EmailChangeResponse {
    /// It was done.
    pub success: True,
    /// What waits for the link that was mailed.
    pub pending: PendingEmail,
}

/// An address that waits for its confirmation.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PendingEmail {
    /// The address.
    pub email: Email,
    /// Until then the link works at least: a day from when it is mailed.
    pub expires_at: Time,
}
