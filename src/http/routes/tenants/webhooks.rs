//! Trying a tenant's webhook out, and what is said of one that was stored.

use http::StatusCode;
use serde::Serialize;

use crate::{
    app::{
        self,
        webhooks::{Restored, Tried, TryError},
    },
    domain::{WebhookSecret, WebhookUrl, webhook::AllowedHosts},
    http::{
        answer::{Data, Json, Time, True, data},
        auth::{Authenticated, SameTenantOrPlatform},
        body::{OptionalFields, body},
        context::Context,
        error::ApiError,
        routes::public::signups::name_the_host,
    },
    ports::Ports,
};

/// `POST /api/v1/tenants/{id}/webhook/test`
#[worker::send]
pub async fn test<P: Ports>(
    caller: Authenticated<P, SameTenantOrPlatform>,
    context: Context,
    OptionalFields(fields): OptionalFields,
) -> Result<Json<Data<WebhookTestResult>>, ApiError> {
    let tenant = caller.tenant()?;
    let hosts = &caller.app.config().allowed_webhook_hosts;
    let body = fields.read(|fields| WebhookTestRequest::read(fields, hosts)).map_err(name_the_host)?;
    let webhook =
        body.webhook_url.zip(body.webhook_secret).map(|(url, secret)| (url, secret.secret().clone()));
    let audit_context = caller.audited(body.reason.as_deref().unwrap_or("webhook tried"), &context);
    let tried = app::webhooks::try_out(&caller.app, &caller.claims, tenant, webhook, audit_context.as_ref(), context.caller())
        .await
        .map_err(|error| match error {
            TryError::NotFound => ApiError::tenant_not_found(),
            TryError::Unproven => ApiError::email_unproven(),
            TryError::NoWebhook => {
                ApiError::new(StatusCode::CONFLICT, "NO_WEBHOOK", "No webhook is stored for this club yet.")
            }
            TryError::NotStored => ApiError::new(
                StatusCode::CONFLICT,
                "WEBHOOK_NOT_STORED",
                "Only the webhook that is stored for this club can be tested. Store this one: that sends it a test, too.",
            ),
            TryError::Sealed(cause) => ApiError::internal(cause.to_string()),
            TryError::Access(error) => caller.refused(error),
        })?;
    Ok(data(tried.into()))
}

body! {
    /// What to try: both fields, or none. A tenant tries its stored webhook; with another secret, if it names one. Operators try
    /// any.
    pub struct WebhookTestRequest(hosts: &AllowedHosts) {
        /// Why, if an operator's test may switch the webhook on; it is written down.
        #[schema(max_length = 500, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
        pub reason: Option<String> = optional_reason("reason"),
        /// Where it is.
        pub webhook_url: Option<WebhookUrl> =
            together_with("webhookUrl", "webhookSecret", |text| WebhookUrl::parse(&text, hosts)),
        /// What signs what is sent there.
        pub webhook_secret: Option<WebhookSecret> =
            together_with("webhookSecret", "webhookUrl", WebhookSecret::try_from),
    }
}

/// What came of a test.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct WebhookTestResult {
    /// Whether the webhook answered by 2xx.
    pub delivered: bool,
    /// The HTTP status that it answered; `null` when it did not answer.
    pub status: Option<u16>,
    /// How long that took, milliseconds.
    pub ms: Option<u64>,
    /// What went wrong, in a message for people; `null` when nothing did.
    pub reason: Option<String>,
    /// There when nothing was refused: the webhook may take it later, as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub try_again: Option<True>,
}

impl From<Tried> for WebhookTestResult {
    fn from(tried: Tried) -> Self {
        Self {
            delivered: tried.delivered,
            status: tried.status,
            ms: tried.ms,
            reason: tried.reason,
            try_again: tried.try_again.then_some(True),
        }
    }
}

/// A webhook that was stored for a tenant that is live.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct WebhookUpdateResult {
    /// Its host.
    pub host: String,
    /// Whether it is another one than before, or on again.
    pub changed: bool,
    /// Until when an earlier secret signs what it is sent, too; `null` if none does.
    pub previous_secret_until: Option<Time>,
    /// How it took a test.
    pub test: WebhookTestResult,
}

impl From<Restored> for WebhookUpdateResult {
    fn from(restored: Restored) -> Self {
        Self {
            host: restored.host,
            changed: restored.changed,
            previous_secret_until: restored.previous_until.map(Time::at),
            test: restored.tried.into(),
        }
    }
}
