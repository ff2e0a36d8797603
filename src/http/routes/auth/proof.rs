//! `/auth/proof`: showing that one reads the mail of an address, and having another one sent there.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use crate::{
    app::{self, App, access::AccessError, magic_links::LinkError, proof::ProofError, signups::SignupError},
    domain::{ProofCode, TenantId, field_errors::InvalidValue},
    http::{
        answer::{True, done},
        auth::{Authenticated, RequiredPermission, SigningUp},
        body::{Fields, OptionalFields, body},
        context::Context,
        error::ApiError,
        routes::{
            auth::magic_links::{arrival, signed_in_answer},
            public::signups::SignedUpTenant,
        },
    },
    ports::{Limit, Ports},
    store::proof::Proven,
};

/// `POST /auth/proof`: a code, by whoever holds the signup's token, or a link, by whoever has it.
#[worker::send]
pub async fn prove<P: Ports>(
    app: App<P>,
    caller: Result<Authenticated<P, SigningUp>, ApiError>,
    context: Context,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, ApiError> {
    let ProofRequest { code, token, session } = fields.read(ProofRequest::read)?;
    let arrival = arrival(&app, &context, &headers, session == Some(true))?;
    let confirmed = if let Some(code) = code {
        let caller = caller?;
        app::proof::by_code(&app, &caller.claims, caller.tenant()?, &code, &arrival)
            .await
            .map_err(|error| caller.not_proven(error))?
    } else {
        context.limited(&app, Limit::Lookup).await?;
        app::proof::by_link(&app, &token.unwrap_or_default(), &arrival).await?
    };
    let (tenant_id, tenant) = (confirmed.tenant.id.clone(), signed_up(confirmed.tenant));
    let tenant = tenant.ok_or_else(ApiError::tenant_not_found)?;
    let answer = |jwt| ProofResponse { success: True, tenant_id, tenant, jwt, email_proven: True };
    Ok(signed_in_answer(&arrival, confirmed.token, answer))
}

/// `POST /auth/proof/send`
#[worker::send]
pub async fn send<P: Ports>(
    caller: Authenticated<P, SigningUp>,
    context: Context,
    _: OptionalFields,
) -> Result<Response, ApiError> {
    app::proof::send_again(&caller.app, &caller.claims, caller.tenant()?, &context.caller())
        .await
        .map_err(|error| caller.not_proven(error))?;
    Ok((StatusCode::ACCEPTED, done()).into_response())
}

fn signed_up(tenant: Proven) -> Option<SignedUpTenant> {
    Some(SignedUpTenant {
        id: tenant.id,
        slug: tenant.slug?,
        name: tenant.name,
        email: tenant.email?,
        plan: tenant.plan,
        status: tenant.status,
        comped: tenant.comped,
        trial_ends_at: tenant.trial_ends_at,
    })
}

impl<P: Ports, G: RequiredPermission> Authenticated<P, G> {
    /// Why an address was not proven, or corrected, on the caller's behalf.
    pub fn not_proven(&self, error: ProofError) -> ApiError {
        match error {
            ProofError::Access(error) => self.refused(error),
            error => error.into(),
        }
    }
}

impl From<ProofError> for ApiError {
    fn from(error: ProofError) -> Self {
        let code = |reason, message: String| Self {
            reason: Some(reason),
            ..Self::new(StatusCode::BAD_REQUEST, "INVALID_CODE", message)
        };
        let conflict = |code, message: &str| Self::new(StatusCode::CONFLICT, code, message);
        let later = |seconds| Self { retry_after: Some(seconds), ..Self::rate_limited() };
        match error {
            ProofError::WrongCode(left) => {
                let times = if left == 1 { "once".to_owned() } else { format!("{left} times") };
                let message = format!("This is not the code. You can try {times} more.");
                Self { tries_left: u8::try_from(left).ok(), ..code("wrong_code", message) }
            }
            ProofError::BurntCode => code(
                "burnt_code",
                "Too many wrong codes were tried. Please have another one sent.".to_owned(),
            ),
            ProofError::ExpiredCode => code(
                "expired_code",
                "This code does not count any more. Please have another one sent.".to_owned(),
            ),
            ProofError::InvalidLink => LinkError::Invalid.into(),
            ProofError::EmailExists => SignupError::EmailExists.into(),
            ProofError::AlreadyProven => {
                conflict("EMAIL_PROVEN", "This e-mail address is confirmed already. Nothing was changed.")
            }
            ProofError::NotFound => Self::tenant_not_found(),
            ProofError::TooSoon(seconds) => later(seconds),
            ProofError::TooOften => later(3600),
            ProofError::NoSigningKey(cause) => Self::internal(cause.to_string()),
            ProofError::Access(AccessError::Db(cause)) => cause.into(),
            ProofError::Access(AccessError::Denied(denial)) => Self::internal(denial.to_string()),
        }
    }
}

body! {
    /// What proves an address: the code from the mail, or what its link has.
    pub struct ProofRequest {
        /// The code, with the token of the signup as `Authorization`. Blanks and hyphens in it are nothing.
        pub code: Option<ProofCode> = unless_empty("code", ProofCode::try_from),
        /// What stands behind `#token=` in the mailed link.
        #[schema(min_length = 1, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
        pub token: Option<String> = unless_empty("token", Ok),
        /// `true` sets a cookie for our own pages, which scripts can't read, in place of answering a `jwt`.
        pub session: Option<bool> = optional_flag("session"),
    }
    check |fields| {
        match (fields.lacks("code"), fields.lacks("token")) {
            (false, false) => {
                fields.refuse("code", InvalidValue::new("ambiguous", "Send either code or token."));
            }
            (true, true) => fields.refuse("code", InvalidValue::required()),
            _ => {}
        }
    }
}

/// An address that is proven.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProofResponse {
    /// It was done.
    pub success: True,
    /// The tenant.
    pub tenant_id: TenantId,
    /// What is stored of it.
    pub tenant: SignedUpTenant,
    /// A tenant admin's token, good for a year. Those from before are not good any more. Left out where a cookie was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub jwt: Option<String>,
    /// The address is proven.
    pub email_proven: True,
}
