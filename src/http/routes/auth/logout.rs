//! `POST /auth/logout`: ending one's own sign-in, or all of the tenant's.

use axum::response::{IntoResponse, Response};

use crate::{
    app,
    domain::{FieldErrors, TenantId, field_errors::InvalidValue},
    http::{
        answer::done,
        auth::{AnyToken, Authenticated},
        body::{OptionalFields, body},
        context::Context,
        error::ApiError,
        session_cookie,
    },
    ports::{Level, LogLine, Ports},
};

/// `POST /auth/logout`
#[worker::send]
pub async fn logout<P: Ports>(
    caller: Authenticated<P, AnyToken>,
    context: Context,
    OptionalFields(fields): OptionalFields,
) -> Result<Response, ApiError> {
    let all = fields.read(LogoutRequest::read)?.all == Some(true);
    let scope = if all {
        end_all(&caller, &context).await?;
        "tenant"
    } else {
        end_own(&caller).await?;
        "token"
    };
    let line = LogLine::new(Level::Info, "token_revoked").with("scope", scope);
    caller.app.log(line.with_some("tenantId", caller.claims.tenant.as_ref().map(TenantId::as_str)));
    let answer = done().into_response();
    Ok(if caller.by_cookie { session_cookie::clear(answer) } else { answer })
}

async fn end_own<P: Ports>(caller: &Authenticated<P, AnyToken>) -> Result<(), ApiError> {
    let revoked = app::revocation::log_out(&caller.app, &caller.claims).await;
    if revoked.map_err(|error| caller.refused(error))? {
        Ok(())
    } else {
        Err(ApiError::malformed(
            "This token has no id (jti) by which it could be revoked. It ends by itself.",
        ))
    }
}

async fn end_all<P: Ports>(caller: &Authenticated<P, AnyToken>, context: &Context) -> Result<(), ApiError> {
    let Some(tenant) = &caller.claims.tenant else {
        let mut issues = FieldErrors::default();
        issues.push("all", InvalidValue::new("invalid_value", "Only a club has sign-ins that end together."));
        return Err(ApiError::validation(issues));
    };
    let ended = app::sessions::end_all(&caller.app, &caller.claims, tenant, &context.caller()).await;
    ended.map_err(|error| caller.refused(error))
}

body! {
    /// Which sign-ins to end.
    pub struct LogoutRequest {
        /// `true` ends every sign-in of the tenant, and revokes every token that it was given until now, the one from signing up
        /// included.
        pub all: Option<bool> = optional_flag("all"),
    }
}
