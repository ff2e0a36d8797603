//! `/api/v1/tenants/{id}/members`: the people of a tenant.

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use serde::Serialize;

use crate::{
    app::{self, members::MemberError},
    domain::{Email, InvitationId, TeamRole, Timestamp, UserId},
    http::{
        answer::{Json, SuccessResponse, Time, True, done, each},
        auth::{Authenticated, RequiredPermission, SameTenant},
        body::{Fields, OptionalFields, body},
        error::ApiError,
        session_cookie,
    },
    ports::Ports,
    store::{invitations, members},
};

/// `GET /api/v1/tenants/{id}/members`
#[worker::send]
pub async fn list<P: Ports>(caller: Authenticated<P, SameTenant>) -> Result<Json<TeamResponse>, ApiError> {
    let (tenant, now) = (caller.tenant()?, caller.app.ports.now());
    let batch = (members::list(tenant, None), invitations::list(tenant), invitations::transfer(tenant, now));
    let (people, invited, transfer) = caller.ask(batch).await?;
    let own = caller.claims.sub.as_deref();
    Ok(Json(TeamResponse {
        success: True,
        members: each(people, |row| Member::of(row, own)),
        invitations: each(invited, |row| Invitation::of(row, now)),
        transfer: transfer.map(|row| Transfer::of(row, own)),
    }))
}

/// `PATCH /api/v1/tenants/{id}/members/{user}`
#[worker::send]
pub async fn change<P: Ports>(
    caller: Authenticated<P, SameTenant>,
    LastPart(user): LastPart,
    fields: Fields,
) -> Result<Json<MemberResponse>, ApiError> {
    let body = fields.read(MemberRolesRequest::read)?;
    let role = TeamRole::highest(&body.roles);
    let changed = app::members::change_role(&caller.app, &caller.claims, caller.tenant()?, &user, role).await;
    let member = changed.map_err(|error| caller.member_refused(error))?;
    let own = caller.claims.sub.as_deref();
    Ok(Json(MemberResponse { success: True, member: Member::of(member, own) }))
}

/// `DELETE /api/v1/tenants/{id}/members/{user}`
#[worker::send]
pub async fn remove<P: Ports>(
    caller: Authenticated<P, SameTenant>,
    LastPart(user): LastPart,
) -> Result<Json<SuccessResponse>, ApiError> {
    let removed = app::members::remove(&caller.app, &caller.claims, caller.tenant()?, &user).await;
    removed.map_err(|error| caller.member_refused(error))?;
    Ok(done())
}

/// `POST /api/v1/tenants/{id}/members/me/leave`
#[worker::send]
pub async fn leave<P: Ports>(
    caller: Authenticated<P, SameTenant>,
    _: OptionalFields,
) -> Result<Response, ApiError> {
    let left = app::members::leave(&caller.app, &caller.claims, caller.tenant()?).await;
    left.map_err(|error| caller.member_refused(error))?;
    let answer = done().into_response();
    Ok(if caller.by_cookie { session_cookie::clear(answer) } else { answer })
}

/// What stands last in the path. What can't be decoded is empty, and names nothing that there is.
#[derive(Debug)]
pub struct LastPart(pub String);

impl<S: Send + Sync> FromRequestParts<S> for LastPart {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let last = params.ok().and_then(|params| params.iter().last().map(|(_, value)| value.to_owned()));
        Ok(Self(last.unwrap_or_default()))
    }
}

impl<P: Ports, G: RequiredPermission> Authenticated<P, G> {
    /// Why a tenant's people were not changed on the caller's behalf.
    pub fn member_refused(&self, error: MemberError) -> ApiError {
        let conflict = |code, message: &str| ApiError::new(StatusCode::CONFLICT, code, message);
        match error {
            MemberError::NotFound => ApiError::member_not_found(),
            MemberError::LastOwner => conflict(
                "LAST_OWNER",
                "The club would have no owner any more. Make somebody else an owner first.",
            ),
            MemberError::EmailExists => conflict(
                "EMAIL_EXISTS",
                "The club's address would become that of another owner, and it is another club's already.",
            ),
            MemberError::Access(error) => self.refused(error),
        }
    }
}

body! {
    /// What somebody may do from now on.
    pub struct MemberRolesRequest {
        /// `owner` for an owner, `tenant_admin` alone for an admin.
        #[schema(value_type = Vec<TeamRole>, min_items = 1, max_items = 2)]
        pub roles: Vec<TeamRole> = required_list("roles", 2),
    }
}

/// The people of a tenant, and who may become one of them.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
pub struct TeamResponse {
    /// It was done.
    pub success: True,
    /// Its people, the eldest first.
    pub members: Vec<Member>,
    /// Who is invited, the latest first.
    pub invitations: Vec<Invitation>,
    /// Whom the tenant is offered to; left out where to nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub transfer: Option<Transfer>,
}

/// One of a tenant's people.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
pub struct MemberResponse {
    /// It was done.
    pub success: True,
    /// As they are now.
    pub member: Member,
}

/// Somebody who belongs to a tenant.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema), schema(as = TeamMember))]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Who.
    pub user_id: UserId,
    /// Where they get mail.
    pub email: Email,
    /// How they are called.
    pub name: Option<String>,
    /// What they may do: `tenant_admin`, and `owner` for an owner.
    pub roles: Vec<String>,
    /// Always `active`.
    pub status: MemberStatus,
    /// Whether their address is the tenant's own.
    pub primary: bool,
    /// Whether it is whoever asks.
    #[serde(rename = "self")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(rename = "self"))]
    pub is_self: bool,
    /// Since when.
    pub joined_at: Time,
    /// When they last signed in.
    pub last_sign_in_at: Option<Time>,
}

/// Whether somebody belongs to a tenant yet.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum MemberStatus {
    /// They do.
    Active,
}

impl Member {
    /// As `own` sees it.
    pub fn of(row: members::Member, own: Option<&str>) -> Self {
        Self {
            is_self: own == Some(row.user_id.as_str()),
            user_id: row.user_id,
            email: row.email,
            name: row.name,
            roles: serde_json::from_str(&row.roles).unwrap_or_default(),
            status: MemberStatus::Active,
            primary: row.is_primary,
            joined_at: Time::at(row.joined_at),
            last_sign_in_at: row.signed_in_at.map(Time::at),
        }
    }
}

/// Somebody who may become one of a tenant's people.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Who is invited.
    pub email: Email,
    /// As what.
    pub role: TeamRole,
    /// Where it stands.
    pub state: InvitationState,
    /// What the inviter says.
    pub message: Option<String>,
    /// Who invites; left out once they are gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub invited_by: Option<Inviter>,
    /// When it is too late.
    pub expires_at: Time,
    /// When it was made.
    pub created_at: Time,
    /// How often it was mailed.
    pub mails: u32,
}

/// Who invites.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Inviter {
    /// Who.
    pub user_id: UserId,
    /// Where they get mail.
    pub email: Email,
}

/// Where an invitation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum InvitationState {
    /// It can be accepted.
    Open,
    /// It is too late. Another mail opens it again.
    Expired,
    /// A later mail took the place of this one's.
    Superseded,
    /// It was taken back.
    Revoked,
    /// Somebody has accepted it.
    Used,
}

impl InvitationState {
    /// What is stored, and when it is too late.
    pub fn of(stored: &str, expires_at: i64, now: Timestamp) -> Self {
        match stored {
            "used" => Self::Used,
            "open" if expires_at > now.seconds() => Self::Open,
            "open" => Self::Expired,
            _ => Self::Revoked,
        }
    }
}

impl Invitation {
    /// As it is now.
    pub fn of(row: invitations::Invitation, now: Timestamp) -> Self {
        let inviter = row.inviter_id.zip(row.inviter_email);
        Self {
            id: row.id,
            email: row.email,
            role: row.role,
            state: InvitationState::of(&row.state, row.expires_at, now),
            message: row.message,
            invited_by: inviter.map(|(user_id, email)| Inviter { user_id, email }),
            expires_at: Time::at(row.expires_at),
            created_at: Time::at(row.created_at),
            mails: row.mails,
        }
    }
}

/// Whom a tenant is offered to.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema), schema(as = OwnershipTransfer))]
#[serde(rename_all = "camelCase")]
pub struct Transfer {
    /// Who is to have it.
    pub user_id: UserId,
    /// Where they get mail.
    pub email: Email,
    /// When it is too late.
    pub expires_at: Time,
    /// Whether it is offered to whoever asks.
    pub to_me: bool,
    /// Whether whoever asks offers it.
    pub by_me: bool,
}

impl Transfer {
    /// As `own` sees it.
    pub fn of(row: invitations::Transfer, own: Option<&str>) -> Self {
        Self {
            to_me: own == Some(row.to_user.as_str()),
            by_me: own == Some(row.from_user.as_str()),
            user_id: row.to_user,
            email: row.email,
            expires_at: Time::at(row.expires_at),
        }
    }
}
