//! The tenants that one person belongs to, and going from one to another.

use axum::response::Response;
use http::HeaderMap;
use serde::Serialize;

use crate::{
    app,
    domain::{Denial, Slug, TenantId, TenantName, TenantStatus},
    http::{
        answer::{Json, True, each},
        auth::{Authenticated, TenantAdmin},
        body::{Fields, body},
        context::Context,
        error::ApiError,
        routes::auth::magic_links::{arrival, welcomed},
    },
    ports::Ports,
    store::{magic_links::Choice, memberships},
};

/// `GET /api/v1/tenants/me/memberships`
#[worker::send]
pub async fn list<P: Ports>(
    caller: Authenticated<P, TenantAdmin>,
) -> Result<Json<MembershipsResponse>, ApiError> {
    let rows = caller.ask(memberships::list(&caller.claims)).await?;
    let own = caller.claims.tenant.as_ref();
    let memberships = each(rows, |row| Membership::of(row, own));
    Ok(Json(MembershipsResponse { success: True, memberships }))
}

/// `POST /auth/switch`
#[worker::send]
pub async fn switch<P: Ports>(
    caller: Authenticated<P, TenantAdmin>,
    context: Context,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, ApiError> {
    let body = fields.read(SwitchRequest::read)?;
    let arrival = arrival(&caller.app, &context, &headers, body.session == Some(true))?;
    let switched = app::sessions::switch(&caller.app, &caller.claims, &body.tenant_id, &arrival).await;
    let signed_in = switched.map_err(|error| caller.refused(error))?;
    let denied =
        || ApiError::forbidden(Denial::TenantMismatch, &caller.claims, Some(body.tenant_id.as_str()));
    Ok(welcomed(&arrival, signed_in.ok_or_else(denied)?))
}

body! {
    /// Where to go.
    pub struct SwitchRequest {
        /// A tenant that the person belongs to.
        pub tenant_id: TenantId = required("tenantId"),
        /// `true` sets a cookie for our own pages, which scripts can't read, in place of answering a `jwt`.
        pub session: Option<bool> = optional_flag("session"),
    }
}

/// The tenants that a person belongs to.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
pub struct MembershipsResponse {
    /// It was done.
    pub success: True,
    /// Each of them, by name.
    pub memberships: Vec<Membership>,
}

/// A tenant that a person belongs to.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Membership {
    /// Which.
    pub tenant_id: TenantId,
    /// Its name in addresses.
    pub slug: Option<Slug>,
    /// Its name.
    pub name: TenantName,
    /// Where it stands.
    pub status: TenantStatus,
    /// What the person may do there.
    pub roles: Vec<String>,
    /// Whether it is the one whose token asks.
    pub current: bool,
}

impl Membership {
    fn of(row: Choice, own: Option<&TenantId>) -> Self {
        Self {
            current: own == Some(&row.tenant_id),
            tenant_id: row.tenant_id,
            slug: row.slug,
            name: row.name,
            status: row.status,
            roles: serde_json::from_str(&row.roles).unwrap_or_default(),
        }
    }
}
