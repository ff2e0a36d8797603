//! `/api/v1/tenants/{id}/ownership/transfer`: handing a tenant on to another of its people.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;

use crate::{
    app::ownership::{self, TransferError},
    domain::UserId,
    http::{
        answer::{Json, SuccessResponse, True, done},
        auth::{Authenticated, PlatformAdmin, RequiredPermission, SameTenant},
        body::{Fields, OptionalFields, body},
        context::Context,
        error::ApiError,
        routes::{admin::tokens::Reason, tenants::members::Transfer},
    },
    ports::Ports,
};

/// `POST /api/v1/tenants/{id}/ownership/transfer`
#[worker::send]
pub async fn offer<P: Ports>(
    caller: Authenticated<P, SameTenant>,
    context: Context,
    fields: Fields,
) -> Result<Response, ApiError> {
    let body = fields.read(OwnershipOfferRequest::read)?;
    let (app, tenant, user) = (&caller.app, caller.tenant()?, body.user_id.as_str());
    let offered = ownership::offer(app, &caller.claims, tenant, user, &context.caller()).await;
    let row = offered.map_err(|error| caller.not_transferred(error))?;
    let transfer = Transfer::of(row, caller.claims.sub.as_deref());
    Ok((StatusCode::CREATED, Json(OwnershipOfferResponse { success: True, transfer })).into_response())
}

/// `DELETE /api/v1/tenants/{id}/ownership/transfer`
#[worker::send]
pub async fn withdraw<P: Ports>(
    caller: Authenticated<P, SameTenant>,
) -> Result<Json<SuccessResponse>, ApiError> {
    let withdrawn = ownership::withdraw(&caller.app, &caller.claims, caller.tenant()?).await;
    withdrawn.map_err(|error| caller.not_transferred(error))?;
    Ok(done())
}

/// `POST /api/v1/tenants/{id}/ownership/transfer/accept`
#[worker::send]
pub async fn accept<P: Ports>(
    caller: Authenticated<P, SameTenant>,
    _: OptionalFields,
) -> Result<Json<SuccessResponse>, ApiError> {
    let accepted = ownership::accept(&caller.app, &caller.claims, caller.tenant()?).await;
    accepted.map_err(|error| caller.not_transferred(error))?;
    Ok(done())
}

/// `POST /api/v1/admin/tenants/{id}/ownership`
#[worker::send]
pub async fn force<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    context: Context,
    fields: Fields,
) -> Result<Json<SuccessResponse>, ApiError> {
    let body = fields.read(OwnershipRequest::read)?;
    let (app, tenant, user) = (&caller.app, caller.tenant()?, body.user_id.as_str());
    let reason: String = body.reason.into();
    let forced = ownership::force(app, &caller.claims, tenant, user, &reason, context.id.as_str()).await;
    forced.map_err(|error| caller.not_transferred(error))?;
    Ok(done())
}

impl<P: Ports, G: RequiredPermission> Authenticated<P, G> {
    fn not_transferred(&self, error: TransferError) -> ApiError {
        let conflict = |code, message: &str| ApiError::new(StatusCode::CONFLICT, code, message);
        match error {
            TransferError::NoMember => ApiError::member_not_found(),
            TransferError::NoTenant => ApiError::tenant_not_found(),
            TransferError::NotOffered => ApiError::new(
                StatusCode::NOT_FOUND,
                "TRANSFER_NOT_FOUND",
                "This club is not offered to you, or not any more.",
            ),
            TransferError::Pending => conflict(
                "TRANSFER_PENDING",
                "This club is offered to somebody already. Take that back first.",
            ),
            TransferError::AlreadyOwner => {
                conflict("ALREADY_OWNER", "This person owns the club already. Nothing was changed.")
            }
            TransferError::Expired => {
                conflict("TRANSFER_EXPIRED", "This came too late. Ask the owner to offer the club again.")
            }
            TransferError::EmailExists => conflict(
                "EMAIL_EXISTS",
                "The club's address would become this person's, and it is another club's already.",
            ),
            TransferError::Access(error) => self.refused(error),
        }
    }
}

body! {
    /// Who is to own the tenant.
    pub struct OwnershipOfferRequest {
        /// One of its people.
        pub user_id: UserId = required("userId"),
    }
}

body! {
    /// Who owns the tenant from now on, and why.
    pub struct OwnershipRequest {
        /// One of its people.
        pub user_id: UserId = required("userId"),
        /// Why.
        pub reason: Reason = required("reason"),
    }
}

/// An offer that was made.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
pub struct OwnershipOfferResponse {
    /// It was done.
    pub success: True,
    /// As it is now.
    pub transfer: Transfer,
}
