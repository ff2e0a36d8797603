//! `/auth/magic`: asking for a link by mail, and exchanging it.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;

use crate::{
    app::{self, App},
    domain::{Email, Plan, Slug, TenantId, TenantName, field_errors::InvalidValue, text},
    http::{
        answer::{Json, True, done},
        body::{Fields, body},
        context::Context,
        error::ApiError,
    },
    ports::{Limit, Ports},
};

/// `POST /auth/magic/start`: the same answer for a known and an unknown address.
#[worker::send]
pub async fn start<P: Ports>(app: App<P>, context: Context, fields: Fields) -> Result<Response, ApiError> {
    let MagicLinkRequest { email, tenant_id, tenant_slug } = fields.read(MagicLinkRequest::read)?;
    let tenant = tenant_id.or(tenant_slug);
    // By the client alone: whoever keeps asking for somebody's address must not keep its owner out.
    context.limited(&app, Limit::Magic).await?;
    app::magic_links::start(&app, email.as_ref(), tenant.as_deref(), &context.caller()).await?;
    Ok((StatusCode::ACCEPTED, done()).into_response())
}

/// `POST /auth/magic/verify`: a link for a token, once.
#[worker::send]
pub async fn verify<P: Ports>(
    app: App<P>,
    context: Context,
    fields: Fields,
) -> Result<Json<SignInResponse>, ApiError> {
    let MagicLinkVerifyRequest { token } = fields.read(MagicLinkVerifyRequest::read)?;
    context.limited(&app, Limit::Lookup).await?;
    let (signed_in, jwt) = app::magic_links::verify(&app, &token).await?;
    Ok(Json(SignInResponse {
        success: True,
        tenant_id: signed_in.id.clone(),
        tenant: TenantSummary {
            id: signed_in.id,
            slug: signed_in.slug,
            name: signed_in.name,
            email: signed_in.email,
            plan: signed_in.plan,
            comped: signed_in.comped,
            trial_ends_at: signed_in.trial_ends_at,
        },
        jwt,
    }))
}

body! {
    /// Whom to mail a link: an address, a tenant's slug, or both.
    pub struct MagicLinkRequest {
        /// The owner's address. Without it the link goes to the owner of the tenant that is named by its slug.
        pub email: Option<Email> = unless_empty("email", Email::try_from),
        /// The tenant that is meant, where a client knows it, by its id or its slug: if it is not the address's own, no link is mailed.
        #[schema(
            max_length = 64,
            pattern = "^(tenant_[A-Za-z0-9_-]+|[A-Za-z0-9-]{3,63})?$",
            example = "tenant_01a3185c80397978a1c17e7efb610b25"
        )]
        pub tenant_id: Option<String> = unless_empty("tenantId", id_or_slug),
        /// The same by its slug alone.
        #[schema(max_length = 63, pattern = "^([A-Za-z0-9-]{3,63})?$", example = "riverside")]
        pub tenant_slug: Option<String> = unless_empty("tenantSlug", slug),
    }
    check |fields| {
        if !fields.says("email") && !fields.says("tenantSlug") {
            fields.refuse("email", InvalidValue::required());
        }
    }
}

body! {
    /// A link to exchange.
    pub struct MagicLinkVerifyRequest {
        /// What stands behind `#token=` in the mailed link.
        #[schema(min_length = 1, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
        pub token: String = required_with("token", not_empty),
    }
}

/// A tenant as clients name it.
fn id_or_slug(given: String) -> Result<String, InvalidValue> {
    match TenantId::try_from(given.clone()) {
        Ok(id) => Ok(id.as_str().to_owned()),
        Err(problem) => slug(given).map_err(|_| problem),
    }
}

/// A slug that a tenant may have, under whatever rule it was stored.
fn slug(given: String) -> Result<String, InvalidValue> {
    let slug = text::read(&given)?.to_ascii_lowercase();
    let is_one =
        (3..=63).contains(&slug.len()) && slug.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if is_one {
        Ok(slug)
    } else {
        Err(InvalidValue::new("invalid_slug", "This is no tenant's name in addresses."))
    }
}

fn not_empty(text: String) -> Result<String, InvalidValue> {
    if text.is_empty() { Err(InvalidValue::required()) } else { Ok(text) }
}

/// Somebody who came in by a link.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SignInResponse {
    /// It was done.
    pub success: True,
    /// The tenant.
    pub tenant_id: TenantId,
    /// Enough for a page on another device to go on where the first left off.
    pub tenant: TenantSummary,
    /// A tenant admin's token, good for 7 days.
    pub jwt: String,
}

/// A tenant as whoever came in by a link gets to know it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TenantSummary {
    /// Its id.
    pub id: TenantId,
    /// Its name in addresses.
    pub slug: Option<Slug>,
    /// Its name.
    pub name: TenantName,
    /// Its owner's address.
    pub email: Email,
    /// Its plan.
    pub plan: Plan,
    /// Whether it pays nothing.
    pub comped: bool,
    /// When its trial ends, Unix seconds.
    pub trial_ends_at: i64,
}
