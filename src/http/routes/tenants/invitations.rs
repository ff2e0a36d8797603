//! `/api/v1/tenants/{id}/invitations`: inviting somebody into a tenant.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;

use crate::{
    app::{
        access::AccessError,
        invitations::{self, InvitationError, Request},
    },
    domain::{Email, InvitationId, TeamRole},
    http::{
        answer::{Json, True},
        auth::{Authenticated, RequiredPermission, SameTenant},
        body::{Fields, OptionalFields, body},
        context::Context,
        error::ApiError,
        routes::tenants::members::{Invitation, LastPart},
    },
    ports::Ports,
};

/// `POST /api/v1/tenants/{id}/invitations`
#[worker::send]
pub async fn invite<P: Ports>(
    caller: Authenticated<P, SameTenant>,
    context: Context,
    fields: Fields,
) -> Result<Response, ApiError> {
    let body = fields.read(InvitationRequest::read)?;
    let request = Request { email: body.email, role: body.role, message: body.message };
    let (app, tenant) = (&caller.app, caller.tenant()?);
    let invited = invitations::invite(app, &caller.claims, tenant, &request, &context.caller()).await;
    let (invitation, is_new) = invited.map_err(|error| caller.not_invited(error))?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, answer(&caller, invitation)).into_response())
}

/// `POST /api/v1/tenants/{id}/invitations/{invitation}/resend`
#[worker::send]
pub async fn resend<P: Ports>(
    caller: Authenticated<P, SameTenant>,
    LastPart(id): LastPart,
    context: Context,
    _: OptionalFields,
) -> Result<Json<InvitationResponse>, ApiError> {
    let id = named(&id)?;
    let (app, tenant) = (&caller.app, caller.tenant()?);
    let resent = invitations::resend(app, &caller.claims, tenant, &id, &context.caller()).await;
    Ok(answer(&caller, resent.map_err(|error| caller.not_invited(error))?))
}

/// `DELETE /api/v1/tenants/{id}/invitations/{invitation}`
#[worker::send]
pub async fn revoke<P: Ports>(
    caller: Authenticated<P, SameTenant>,
    LastPart(id): LastPart,
) -> Result<Json<InvitationResponse>, ApiError> {
    let id = named(&id)?;
    let revoked = invitations::revoke(&caller.app, &caller.claims, caller.tenant()?, &id).await;
    Ok(answer(&caller, revoked.map_err(|error| caller.not_invited(error))?))
}

/// What is no id names none, but whoever asks is judged all the same.
fn named(text: &str) -> Result<InvitationId, ApiError> {
    text.parse().map_err(|_| InvitationError::NotFound.into())
}

fn answer<P: Ports>(
    caller: &Authenticated<P, SameTenant>,
    row: crate::store::invitations::Invitation,
) -> Json<InvitationResponse> {
    let invitation = Invitation::of(row, caller.app.ports.now());
    Json(InvitationResponse { success: True, invitation })
}

impl<P: Ports, G: RequiredPermission> Authenticated<P, G> {
    /// Why somebody was not invited on the caller's behalf.
    pub fn not_invited(&self, error: InvitationError) -> ApiError {
        match error {
            InvitationError::Access(error) => self.refused(error),
            error => error.into(),
        }
    }
}

impl From<InvitationError> for ApiError {
    fn from(error: InvitationError) -> Self {
        let conflict = |code, message: &str| Self::new(StatusCode::CONFLICT, code, message);
        match error {
            InvitationError::NotFound => {
                Self::new(StatusCode::NOT_FOUND, "INVITATION_NOT_FOUND", "This club has no such invitation.")
            }
            InvitationError::Unknown => Self::new(
                StatusCode::NOT_FOUND,
                "INVITATION_UNKNOWN",
                "This is no invitation of ours. Open the link in the mail once more.",
            ),
            InvitationError::AlreadyMember => {
                conflict("ALREADY_MEMBER", "This person belongs to the club already, and can sign in.")
            }
            InvitationError::TooMany => conflict(
                "TOO_MANY_INVITATIONS",
                "Twenty invitations are open already. Take one back, or wait until one is accepted.",
            ),
            InvitationError::TooSoon(seconds) => Self {
                message: "An invitation was mailed there a moment ago. Please wait before another one."
                    .to_owned(),
                retry_after: Some(seconds),
                ..Self::rate_limited()
            },
            InvitationError::Open => {
                conflict("INVITATION_OPEN", "This invitation is open. It can be accepted.")
            }
            InvitationError::Used => {
                conflict("INVITATION_USED", "This invitation was accepted already. Sign in by a mailed link.")
            }
            InvitationError::Expired => {
                conflict("INVITATION_EXPIRED", "This invitation came too late. Ask for a new one.")
            }
            InvitationError::Revoked => conflict("INVITATION_REVOKED", "This invitation was taken back."),
            InvitationError::Superseded => conflict(
                "INVITATION_SUPERSEDED",
                "A later mail has taken the place of this one. Open the link in the latest.",
            ),
            InvitationError::Suspended => conflict(
                "TENANT_SUSPENDED",
                "This club is suspended: nobody can join it until that is lifted.",
            ),
            InvitationError::NoSigningKey(cause) => Self::internal(cause.to_string()),
            InvitationError::Access(AccessError::Db(cause)) => cause.into(),
            InvitationError::Access(AccessError::Denied(denial)) => Self::internal(denial.to_string()),
        }
    }
}

body! {
    /// Somebody who is to be invited.
    pub struct InvitationRequest {
        /// Where the invitation is mailed.
        pub email: Email = required("email"),
        /// As what: only owners invite owners.
        pub role: TeamRole = required("role"),
        /// A line of the inviter's own in the mail.
        #[schema(max_length = 300)]
        pub message: Option<String> = optional_text_within("message", 300),
    }
}

/// An invitation.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
pub struct InvitationResponse {
    /// It was done.
    pub success: True,
    /// As it is now.
    pub invitation: Invitation,
}
