//! What was sent to the platform's own webhook: looked up, and sent again.

use axum::extract::RawQuery;
use http::StatusCode;
use serde::Serialize;

use crate::{
    app::{self, deliveries::ATTEMPTS},
    domain::PlatformWebhook,
    http::{
        answer::{Data, Json, Time, True, data},
        auth::{Authenticated, PlatformAdmin},
        body::OptionalFields,
        context::Context,
        error::ApiError,
        page::{Query, paginate},
        routes::{
            admin::promos::OptionalReasonRequest,
            tenants::deliveries::{DeliveryPart, delivery_not_found},
        },
    },
    ports::Ports,
    store::platform_webhook::{self, PlatformWebhookDelivery},
};

/// `GET /api/v1/admin/webhook/deliveries`
#[worker::send]
pub async fn list<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    RawQuery(query): RawQuery,
) -> Result<Json<PlatformWebhookDeliveryPage>, ApiError> {
    let mut query = Query::of(query.as_deref());
    let limit = query.limit();
    let before = query.cursor(|text| text.parse().ok().filter(|seq| (0..=1_i64 << 52).contains(seq)));
    let before = query.all(before)?;
    let (failing_since, rows) =
        caller.ask((platform_webhook::failing_since(), platform_webhook::list(before, limit + 1))).await?;
    let (rows, next) = paginate(rows, limit, |delivery| delivery.seq.to_string());
    let configured = caller.app.config().platform_webhook.as_ref();
    Ok(Json(PlatformWebhookDeliveryPage {
        success: True,
        data: rows,
        next_cursor: next,
        webhook: configured.map(|webhook| PlatformWebhookHealth::of(webhook, failing_since.flatten())),
    }))
}

/// `POST /api/v1/admin/webhook/deliveries/{delivery}/redeliver`
#[worker::send]
pub async fn redeliver<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    context: Context,
    DeliveryPart(delivery): DeliveryPart,
    OptionalFields(fields): OptionalFields,
) -> Result<Json<Data<PlatformWebhookDelivery>>, ApiError> {
    let app = &caller.app;
    let body = fields.read(OptionalReasonRequest::read)?;
    let reason = body.reason.as_deref().unwrap_or("delivery sent again");
    // What is not sent anyway must not wait for a webhook that comes one day.
    let is_configured = app.config().platform_webhook.is_some();
    let again = is_configured.then(|| {
        (
            caller
                .audited(reason, &context)
                .map(|audit_context| platform_webhook::audit_redelivery(&delivery, &audit_context)),
            platform_webhook::redeliver(&delivery, ATTEMPTS, app.ports.now()),
        )
    });
    let (_, found) = caller.ask((again, platform_webhook::by_id(&delivery))).await?;
    let found = found.ok_or_else(delivery_not_found)?;
    if !is_configured {
        return Err(no_webhook());
    }
    // Whatever else is due to it goes with it; what can't, is the sweep's.
    if let Ok(tenant) = found.tenant_id.parse() {
        app::deliveries::send_later(app, &tenant);
    }
    Ok(data(found))
}

/// One page of what the platform's webhook was sent, newest first, and how the webhook is doing.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlatformWebhookDeliveryPage {
    /// It was done.
    pub success: True,
    /// What is on the page.
    pub data: Vec<PlatformWebhookDelivery>,
    /// Where the next page begins: the `cursor` to ask for; `null` on the last one.
    pub next_cursor: Option<String>,
    /// How the webhook is doing; left out while none is configured, or what is configured is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub webhook: Option<PlatformWebhookHealth>,
}

/// How the platform's webhook is doing.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlatformWebhookHealth {
    /// The host that it is on.
    pub host: String,
    /// Since when it has taken nothing.
    pub failing_since: Option<Time>,
}

impl PlatformWebhookHealth {
    fn of(webhook: &PlatformWebhook, failing_since: Option<Time>) -> Self {
        Self { host: webhook.url.host().to_owned(), failing_since }
    }
}

fn no_webhook() -> ApiError {
    let message = "No platform webhook is configured, or what is configured is wrong: see /health/ready.";
    ApiError::new(StatusCode::CONFLICT, "NO_WEBHOOK", message)
}
