//! Mails to a tenant's owner, and sending the welcome mail once more.

use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::{
    app,
    domain::{Audience, MailId, field_errors::InvalidValue},
    http::{
        answer::data,
        auth::{Authenticated, SameTenantOrPlatform},
        body::{OptionalFields, body},
        context::Context,
        error::ApiError,
    },
    ports::Ports,
    store::mails::{self, PAUSE_SECONDS, WelcomeBlocker},
};

/// `POST /api/v1/tenants/{id}/welcome/resend`: a new mail with a new link, in place of one that still waits.
#[worker::send]
pub async fn resend_welcome<P: Ports>(
    caller: Authenticated<P, SameTenantOrPlatform>,
    context: Context,
    OptionalFields(fields): OptionalFields,
) -> Result<Response, ApiError> {
    let (app, tenant) = (&caller.app, caller.tenant()?);
    let by_operator = caller.claims.audience == Some(Audience::PlatformAdmin);
    let body = fields.read(|fields| WelcomeMailRequest::read(fields, by_operator))?;
    let reason = body.reason.as_deref().unwrap_or("welcome mail sent again");
    let now = app.ports.now();
    let id = MailId::new(now, app.ports.random());
    let batch = (
        mails::obstacle(tenant),
        mails::welcome_again(tenant, &id, &context.caller(), now),
        caller
            .audited(reason, &context)
            .map(|audit_context| mails::audit_welcome(tenant, &id, &audit_context)),
    );
    let (obstacle, (_, mail), _) = caller.ask(batch).await?;
    let obstacle = obstacle.ok_or_else(ApiError::tenant_not_found)?;
    let mail = mail.ok_or_else(|| not_sent(&obstacle, now.seconds()))?;
    app::mails::send_later(app, tenant);
    Ok((StatusCode::ACCEPTED, data(mail)).into_response())
}

fn not_sent(obstacle: &WelcomeBlocker, now: i64) -> ApiError {
    if !obstacle.has_something {
        let message = "There is no welcome mail to send again: the club is not set up yet, or was stopped.";
        return ApiError::new(StatusCode::CONFLICT, "NOTHING_TO_RESEND", message);
    }
    let wait = obstacle.link_mailed_at + PAUSE_SECONDS - now;
    let message = "A mail with a link was sent a moment ago. Look for it, or try again in five minutes.";
    ApiError {
        message: message.to_owned(),
        retry_after: Some(u32::try_from(wait.max(1)).unwrap_or(u32::MAX)),
        ..ApiError::rate_limited()
    }
}

body! {
    /// Why an operator sends the welcome mail once more; tenants themselves say nothing.
    pub struct WelcomeMailRequest(by_operator: bool) {
        /// Why: operators must say so, and it is written down.
        #[schema(value_type = Option<crate::http::routes::admin::tokens::Reason>)]
        pub reason: Option<String> = optional_reason("reason"),
    }
    check |fields| {
        // Tenants need not say why; what they say must be a text all the same.
        if by_operator && fields.lacks("reason") {
            fields.refuse("reason", InvalidValue::required());
        }
    }
}
