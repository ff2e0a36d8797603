//! `/auth/magic`: asking for a link by mail, and exchanging it.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header::USER_AGENT};
use serde::Serialize;

use crate::{
    app::{self, App, magic_links::Shown, sessions::Arrival},
    domain::{Email, Plan, Slug, TenantId, TenantName, field_errors::InvalidValue, text},
    http::{
        answer::{Json, True, done},
        body::{Fields, body},
        context::Context,
        error::ApiError,
        same_origin, session_cookie,
    },
    ports::{Limit, Ports},
    store::magic_links::Whose,
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

/// `POST /auth/magic/verify`: a link for a token, or for a cookie of the pages, once.
#[worker::send]
pub async fn verify<P: Ports>(
    app: App<P>,
    context: Context,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, ApiError> {
    let body = fields.read(MagicLinkVerifyRequest::read)?;
    context.limited(&app, Limit::Lookup).await?;
    let arrival = arrival(&app, &context, &headers, body.session == Some(true))?;
    let whose = body.email.map(Whose::Email).or(body.slug.map(Whose::Slug));
    let shown = match (body.token, body.code.zip(whose)) {
        (None, Some((code, whose))) => Shown::Code(whose, code),
        (token, _) => Shown::Link(token.unwrap_or_default()),
    };
    let verified = app::magic_links::verify(&app, &shown, &arrival).await;
    let (signed_in, jwt) = verified.map_err(|error| match shown {
        Shown::Link(_) => error.into(),
        Shown::Code(..) => ApiError::of_code(error),
    })?;
    Ok(signed_in_answer(&arrival, jwt, |jwt| SignInResponse {
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

/// How somebody who signs in came. A cookie is put on our own page's browser alone: no other site signs people in to what is not theirs.
pub fn arrival<'a, P: Ports>(
    app: &App<P>,
    context: &Context,
    headers: &'a HeaderMap,
    is_cookie: bool,
) -> Result<Arrival<'a>, ApiError> {
    let own = same_origin::console_origin(app.config(), &context.origin);
    if is_cookie && own.is_none_or(|own| same_origin::is_cross_site(headers, &own)) {
        return Err(ApiError::foreign_cookie());
    }
    let user_agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    Ok(Arrival { user_agent, is_cookie, caller: context.caller() })
}

/// The answer to somebody who signed in: with the token, or with a cookie in its place.
pub fn signed_in_answer<T: Serialize>(
    arrival: &Arrival<'_>,
    token: String,
    answer: impl FnOnce(Option<String>) -> T,
) -> Response {
    if !arrival.is_cookie {
        return Json(answer(Some(token))).into_response();
    }
    let mut response = Json(answer(None)).into_response();
    session_cookie::put(response.headers_mut(), &token);
    response
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
    /// What was mailed: the link's token, or the code beside it with whose it is.
    pub struct MagicLinkVerifyRequest {
        /// What stands behind `#token=` in the mailed link.
        #[schema(pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
        pub token: Option<String> = unless_empty("token", Ok),
        /// The six digits in the latest mail, in place of the link. Blanks and hyphens among them are none of them.
        #[schema(pattern = r"^\s*([0-9][\s-]*){6}$", example = "123456")]
        pub code: Option<String> = unless_empty("code", six_digits),
        /// With a code: the address that it was mailed to.
        #[schema(value_type = Option<String>, example = "owner@riverside.example")]
        pub email: Option<Email> = optional("email"),
        /// With a code: the tenant's name in addresses, in place of the address.
        #[schema(max_length = 63, pattern = "^([A-Za-z0-9-]{3,63})?$", example = "riverside")]
        pub slug: Option<String> = unless_empty("slug", slug),
        /// `true` sets a cookie for our own pages, which scripts can't read, in place of answering a `jwt`.
        pub session: Option<bool> = optional_flag("session"),
    }
    check |fields| {
        match (fields.lacks("token"), fields.lacks("code")) {
            (true, true) => fields.refuse("token", InvalidValue::required()),
            (false, false) => {
                fields.refuse("code", InvalidValue::new("ambiguous", "Send the link's token, or the code."));
            }
            (true, false) if fields.lacks("email") == fields.lacks("slug") => {
                let message = "Send the address that the code was mailed to, or the club's slug.";
                fields.refuse("email", InvalidValue::new(if fields.lacks("email") { "required" } else { "ambiguous" }, message));
            }
            _ => {}
        }
    }
}

/// A code as people type and paste it.
fn six_digits(given: String) -> Result<String, InvalidValue> {
    let code: String = text::read(&given)?.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    if code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(code)
    } else {
        Err(InvalidValue::new("invalid_value", "A code has six digits."))
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
    /// A tenant admin's token, good for 7 days. Left out where a cookie was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub jwt: Option<String>,
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
