//! Errors as callers see them: the single mapping to status and code.
//!
//! An [`ApiError`] carries a message for people and a cause for the log, in different fields. It travels to
//! [`super::serve`] inside the response, where it is logged once and rendered under the request's id.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;

use super::answer::False;
use crate::{
    app::{
        access::AccessError,
        magic_links::{LinkError, StartError},
        provisioning::QueueError,
        signups::SignupError,
    },
    db::DbError,
    domain::{Claims, Denial, FieldErrors, RequestId, field_errors::FieldError},
    ports::ObjectError,
};

/// A refusal or a failure, as it is answered.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The word for programs.
    pub code: &'static str,
    /// The sentence for people.
    pub message: String,
    /// Which of several reasons.
    pub reason: Option<&'static str>,
    /// What is wrong with the input, field by field.
    pub issues: Vec<FieldError>,
    /// How often the same may be tried again.
    pub tries_left: Option<u8>,
    /// In how many seconds trying again makes sense.
    pub retry_after: Option<u32>,
    /// What happened, for the log only.
    pub cause: Option<Box<str>>,
    /// Who was refused, for the log only.
    pub authz_denial: Option<Box<AuthzDenial>>,
}

/// What is said of bad input where its issues stand beside the fields.
pub const CHECK_INPUT: &str = "Please check what you entered.";

/// What is said before an address is proven.
const EMAIL_UNPROVEN: &str = "Confirm your e-mail address first: we have mailed you a code.";

/// It was not done.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ErrorResponse {
    /// It was not done.
    pub success: False,
    /// Why.
    pub error: ErrorDetails,
}

/// Why something was not done.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ErrorDetails {
    /// The word for programs.
    pub code: &'static str,
    /// The sentence for people.
    pub message: String,
    /// The request: operators find what happened under it.
    pub request_id: RequestId,
    /// Which of several reasons, where the code has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub reason: Option<&'static str>,
    /// How many more codes may be tried, where one was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false, maximum = 4))]
    pub tries_left: Option<u8>,
    /// Everything that is wrong with the input, field by field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<FieldError>,
}

/// Who was refused: the fields of the log's `authz_deny`.
#[derive(Debug, Clone, Default)]
pub struct AuthzDenial {
    /// Why.
    pub reason: String,
    /// What the token said, where there was one that could be read.
    pub claims: Option<Claims>,
    /// The tenant that was asked for.
    pub requested: Option<String>,
    /// Whether there was an `Authorization` header.
    pub has_auth_header: bool,
}

impl ApiError {
    /// An error with its word and sentence.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            reason: None,
            issues: Vec::new(),
            tries_left: None,
            retry_after: None,
            cause: None,
            authz_denial: None,
        }
    }

    /// Something that must not happen.
    pub fn internal(cause: impl Into<String>) -> Self {
        let message = "Something went wrong on our side. Please try again.";
        Self {
            cause: Some(cause.into().into()),
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", message)
        }
    }

    /// Bad input, field by field. The message has the first issue's words: many clients show nothing else.
    pub fn validation(issues: FieldErrors) -> Self {
        let issues = issues.into_vec();
        let message = match issues.first() {
            Some(first) => format!("Please check {}: {}", first.path.join("."), first.message),
            None => CHECK_INPUT.to_owned(),
        };
        Self { issues, ..Self::new(StatusCode::BAD_REQUEST, "VALIDATION", message) }
    }

    /// Bad input as a whole.
    pub fn malformed(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "VALIDATION", message)
    }

    /// There is nothing at this address.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing at this address.")
    }

    /// There is no such tenant.
    pub fn tenant_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "TENANT_NOT_FOUND", "There is no such tenant.")
    }

    /// There is no such person.
    pub fn user_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "USER_NOT_FOUND", "There is no such person.")
    }

    /// The tenant is suspended.
    pub fn tenant_suspended() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "TENANT_SUSPENDED",
            "This club is suspended: it is not set up until that is lifted. Nothing was changed.",
        )
    }

    /// The tenant is gone.
    pub fn tenant_cancelled() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "TENANT_CANCELLED",
            "This club was cancelled. Nothing of it can be changed any more.",
        )
    }

    /// There is something at this address, but not for this method.
    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "METHOD_NOT_ALLOWED",
            "This method is not possible here. See the Allow header.",
        )
    }

    /// The body is too large.
    pub fn payload_too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", "Send at most 16 KiB.")
    }

    /// The body is of another type.
    pub fn unsupported_media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UNSUPPORTED_MEDIA_TYPE",
            "Send JSON, with Content-Type: application/json.",
        )
    }

    /// Too much in too short a time.
    pub fn rate_limited() -> Self {
        let message = "That was a lot in a short time. Please wait a minute and try again.";
        Self { retry_after: Some(60), ..Self::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", message) }
    }

    /// No token.
    pub fn unauthorized() -> Self {
        let authz_denial = AuthzDenial { reason: "no_token".to_owned(), ..AuthzDenial::default() };
        Self {
            authz_denial: Some(Box::new(authz_denial)),
            ..Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "Sign in first.")
        }
    }

    /// A token that is none of ours, or not any more.
    pub fn invalid_token(reason: &str) -> Self {
        let authz_denial =
            AuthzDenial { reason: reason.to_owned(), has_auth_header: true, ..AuthzDenial::default() };
        Self {
            authz_denial: Some(Box::new(authz_denial)),
            ..Self::new(
                StatusCode::UNAUTHORIZED,
                "INVALID_TOKEN",
                "Your sign-in has expired or is not valid. Please sign in again.",
            )
        }
    }

    /// A valid token that may not do this.
    pub fn forbidden(denial: Denial, claims: &Claims, requested: Option<&str>) -> Self {
        let authz_denial = AuthzDenial {
            reason: denial.to_string(),
            claims: Some(claims.clone()),
            requested: requested.map(str::to_owned),
            has_auth_header: true,
        };
        let reason = match denial {
            Denial::RoleMismatch => "role_mismatch",
            Denial::TenantMismatch => "tenant_mismatch",
            Denial::UnexpectedAudience => "unexpected \"aud\" claim value",
            Denial::TokenRevoked => "token_revoked",
            Denial::EmailUnproven => "email_unproven",
        };
        let (code, message) = match denial {
            Denial::EmailUnproven => ("EMAIL_UNPROVEN", EMAIL_UNPROVEN),
            _ => ("FORBIDDEN", "This sign-in may not do that."),
        };
        Self {
            reason: Some(reason),
            authz_denial: Some(Box::new(authz_denial)),
            ..Self::new(StatusCode::FORBIDDEN, code, message)
        }
    }

    /// Nobody has proven the tenant's address yet.
    pub fn email_unproven() -> Self {
        Self {
            reason: Some("email_unproven"),
            ..Self::new(StatusCode::FORBIDDEN, "EMAIL_UNPROVEN", EMAIL_UNPROVEN)
        }
    }

    /// Two credentials, of which none says that the other does not count.
    pub fn ambiguous_credentials() -> Self {
        let message = "This request has two sign-ins: a cookie and a token, or two cookies. Send one.";
        Self::new(StatusCode::BAD_REQUEST, "AMBIGUOUS_CREDENTIALS", message)
    }

    /// The same, of something that came without an `Authorization` header.
    pub fn without_auth_header(mut self) -> Self {
        if let Some(denial) = &mut self.authz_denial {
            denial.has_auth_header = false;
        }
        self
    }

    /// Another site's page had a browser send our cookie.
    pub fn foreign_cookie() -> Self {
        let denial = AuthzDenial { reason: "cross_site".to_owned(), ..AuthzDenial::default() };
        let message = "This was sent from another website, so nothing was done. Sign in on our own page.";
        Self { message: message.to_owned(), authz_denial: Some(Box::new(denial)), ..Self::cross_site() }
    }

    /// Another site's page sent it.
    pub fn cross_site() -> Self {
        let message =
            "This form was sent from another website, so nothing was done. Fill it in on our own page.";
        Self { reason: Some("cross_site"), ..Self::new(StatusCode::FORBIDDEN, "FORBIDDEN", message) }
    }

    /// The database did not answer.
    pub fn store_unavailable(cause: &DbError) -> Self {
        let message = "We can't reach our records right now. Nothing is lost; please try again in a moment.";
        Self {
            retry_after: Some(5),
            cause: Some(cause.to_string().into()),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "STORE_UNAVAILABLE", message)
        }
    }

    /// The object did not answer.
    pub fn provisioner_unavailable(cause: &ObjectError) -> Self {
        let message =
            "Your club is stored, but setting it up could not be started. Please try again in a moment.";
        Self {
            retry_after: Some(5),
            cause: Some(cause.to_string().into()),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "PROVISIONER_UNAVAILABLE", message)
        }
    }

    /// The object did not answer an operator.
    pub fn object_unavailable(cause: &ObjectError) -> Self {
        let message = "The run does not answer. Whether it was done is unknown; doing it again is safe.";
        Self { message: message.to_owned(), ..Self::provisioner_unavailable(cause) }
    }

    /// The error as it is answered.
    pub fn body(&self, id: &RequestId) -> ErrorResponse {
        ErrorResponse {
            success: False,
            error: ErrorDetails {
                code: self.code,
                message: self.message.clone(),
                request_id: id.clone(),
                reason: self.reason,
                tries_left: self.tries_left,
                issues: self.issues.clone(),
            },
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(_) => Self::store_unavailable(&error),
            DbError::Constraint(_) | DbError::Corrupt(_) | DbError::Aborted => {
                Self::internal(error.to_string())
            }
        }
    }
}

impl From<SignupError> for ApiError {
    fn from(error: SignupError) -> Self {
        let conflict = |code, message: &str| Self::new(StatusCode::CONFLICT, code, message);
        match error {
            SignupError::SlugTaken => {
                conflict("SLUG_TAKEN", "Another club already has this address. Please choose another.")
            }
            SignupError::EmailExists => conflict(
                "EMAIL_EXISTS",
                "A club is already signed up with this e-mail address. Sign in, or use another address.",
            ),
            SignupError::Promo(problem) => Self {
                reason: Some(problem.as_str()),
                ..Self::new(StatusCode::BAD_REQUEST, "INVALID_PROMO", problem.message())
            },
            SignupError::AlreadySignedUp => conflict(
                "ALREADY_SIGNED_UP",
                "This club is signed up already. We have mailed you a link to sign in with.",
            ),
            SignupError::Removed => Self::new(
                StatusCode::GONE,
                "TENANT_CANCELLED",
                "The club of this signup was removed. To set it up anew, send the form with a new Idempotency-Key.",
            ),
            SignupError::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "IDEMPOTENCY_KEY_REUSED",
                "This Idempotency-Key was used for another request.",
            ),
            SignupError::InProgress => Self {
                retry_after: Some(2),
                ..conflict("IDEMPOTENCY_IN_PROGRESS", "The same request is at work. Please wait a moment.")
            },
            SignupError::Disabled => Self {
                retry_after: Some(3600),
                ..Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "SIGNUPS_DISABLED",
                    "New clubs can't sign up right now. Please come back in an hour; what you entered is not lost.",
                )
            },
            SignupError::Turnstile(_) => Self {
                cause: Some(error.to_string().into()),
                ..Self::new(
                    StatusCode::FORBIDDEN,
                    "TURNSTILE_FAILED",
                    "We could not see that a person sent this. Please tick the box once more.",
                )
            },
            SignupError::TurnstileUnavailable(_) => Self {
                retry_after: Some(5),
                cause: Some(error.to_string().into()),
                ..Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "TURNSTILE_UNAVAILABLE",
                    "We could not check that a person sent this. Please try again in a moment.",
                )
            },
            SignupError::NoSigningKey(cause) => Self::internal(cause.to_string()),
            SignupError::Db(cause) => cause.into(),
        }
    }
}

impl ApiError {
    /// Why something was not done on behalf of `claims`.
    pub fn of_access(error: AccessError, claims: &Claims, requested: Option<&str>) -> Self {
        match error {
            AccessError::Denied(denial) => Self::forbidden(denial, claims, requested),
            AccessError::Db(error) => error.into(),
        }
    }

    /// Why provisioning was not queued on behalf of `claims`.
    pub fn of_queue(error: QueueError, claims: &Claims, requested: Option<&str>) -> Self {
        let conflict = |code, message: &str| Self::new(StatusCode::CONFLICT, code, message);
        match error {
            QueueError::NotFound => Self::tenant_not_found(),
            QueueError::PlanMismatch => {
                conflict("PLAN_MISMATCH", "Your club has another plan. Reload the page to go on with it.")
            }
            QueueError::NotRetryable => {
                conflict("NOT_RETRYABLE", "There is nothing to try again: setting up has not failed.")
            }
            QueueError::Suspended => Self::tenant_suspended(),
            QueueError::Cancelled => Self::tenant_cancelled(),
            QueueError::TooOften => Self {
                message:
                    "The webhook was stored very often today. Please wait until tomorrow, or ask our support."
                        .to_owned(),
                retry_after: Some(3600),
                ..Self::rate_limited()
            },
            QueueError::Denied(denial) => Self::forbidden(denial, claims, requested),
            QueueError::Db(error) => error.into(),
            QueueError::Object(cause) => Self::provisioner_unavailable(&cause),
            QueueError::Crypto(cause) => Self::internal(cause.to_string()),
        }
    }
}

impl From<StartError> for ApiError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::NoSigningKey(cause) => Self::internal(cause.to_string()),
            StartError::Db(cause) => cause.into(),
        }
    }
}

impl From<LinkError> for ApiError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Invalid => Self {
                message: "This link has been used or has expired. Ask for a new one.".to_owned(),
                ..Self::invalid_token("invalid_link")
            },
            LinkError::NoSigningKey(cause) => Self::internal(cause.to_string()),
            LinkError::Db(cause) => cause.into(),
        }
    }
}

impl ApiError {
    /// Why a code was not exchanged: the same for every reason.
    pub fn of_code(error: LinkError) -> Self {
        let message = "This code is not right, or was used, or is too old. Try again, or ask for a new one.";
        match error {
            LinkError::Invalid => Self { message: message.to_owned(), ..Self::invalid_token("invalid_code") },
            error => error.into(),
        }
    }
}
