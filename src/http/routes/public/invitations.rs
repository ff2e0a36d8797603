//! `/public/invitations`: an invitation, for whoever holds its link.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use crate::{
    app::{
        App,
        invitations::{self, spoken},
    },
    domain::{TeamRole, TenantName},
    http::{
        answer::{Json, Time, True, done},
        body::{Fields, body},
        context::Context,
        error::ApiError,
        routes::{
            auth::magic_links::{arrival, welcomed},
            tenants::members::InvitationState,
        },
    },
    ports::{Limit, Ports},
    store::invitations::Seen,
};

/// `POST /public/invitations/look`
#[worker::send]
pub async fn look<P: Ports>(
    app: App<P>,
    context: Context,
    fields: Fields,
) -> Result<Json<InvitationLookResponse>, ApiError> {
    let body = fields.read(InvitationLinkRequest::read)?;
    context.limited(&app, Limit::Lookup).await?;
    let seen = invitations::look(&app, &body.token).await?;
    let state = match InvitationState::of(&seen.state, seen.expires_at, app.ports.now()) {
        InvitationState::Open | InvitationState::Expired if seen.is_superseded => InvitationState::Superseded,
        state => state,
    };
    Ok(Json(InvitationLookResponse::of(seen, state)))
}

/// `POST /public/invitations/accept`
#[worker::send]
pub async fn accept<P: Ports>(
    app: App<P>,
    context: Context,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, ApiError> {
    let body = fields.read(AcceptInvitationRequest::read)?;
    context.limited(&app, Limit::Lookup).await?;
    let arrival = arrival(&app, &context, &headers, body.session == Some(true))?;
    let signed_in = invitations::accept(&app, &body.token, body.name.as_deref(), &arrival).await?;
    Ok(welcomed(&arrival, signed_in))
}

/// `POST /public/invitations/ask-again`
#[worker::send]
pub async fn ask_again<P: Ports>(
    app: App<P>,
    context: Context,
    fields: Fields,
) -> Result<Response, ApiError> {
    let body = fields.read(InvitationLinkRequest::read)?;
    context.limited(&app, Limit::Magic).await?;
    invitations::ask_again(&app, &body.token, &context.caller()).await?;
    Ok((StatusCode::ACCEPTED, done()).into_response())
}

body! {
    /// What the link in an invitation's mail has.
    pub struct InvitationLinkRequest {
        /// What stands behind `#token=` in the mailed link.
        #[schema(min_length = 1, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
        pub token: String = required_with("token", Ok),
    }
}

body! {
    /// What the link in an invitation's mail has, and who accepts it.
    pub struct AcceptInvitationRequest {
        /// What stands behind `#token=` in the mailed link.
        #[schema(min_length = 1, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
        pub token: String = required_with("token", Ok),
        /// How whoever accepts it is called: the tenant's other people see it.
        #[schema(max_length = 100)]
        pub name: Option<String> = optional_text_within("name", 100),
        /// `true` sets a cookie for our own pages, which scripts can't read, in place of answering a `jwt`.
        pub session: Option<bool> = optional_flag("session"),
    }
}

/// An invitation, as whoever holds one of its links sees it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct InvitationLookResponse {
    /// It was done.
    pub success: True,
    /// Where it stands.
    pub state: InvitationState,
    /// Into which tenant.
    pub club_name: TenantName,
    /// Its colours.
    pub brand: InvitationBrand,
    /// As what.
    pub role: TeamRole,
    /// Who invites: never the whole address.
    pub inviter: Option<String>,
    /// Who is invited: never the whole address.
    pub email: String,
    /// When it is too late.
    pub expires_at: Time,
}

/// A tenant's colours.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct InvitationBrand {
    /// Of headings; `null` where none was chosen.
    pub primary_color: Option<String>,
    /// Of what stands out; `null` where none was chosen.
    pub secondary_color: Option<String>,
}

impl InvitationLookResponse {
    fn of(seen: Seen, state: InvitationState) -> Self {
        Self {
            success: True,
            state,
            inviter: spoken(seen.inviter_name.as_deref(), seen.inviter_email.as_ref()),
            club_name: seen.name,
            brand: InvitationBrand {
                primary_color: seen.primary_color,
                secondary_color: seen.secondary_color,
            },
            role: seen.role,
            email: seen.email.masked(),
            expires_at: Time::at(seen.expires_at),
        }
    }
}
