//! What was sent to a tenant's webhook: looked up, and sent again.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, RawPathParams, RawQuery};
use http::{StatusCode, request::Parts};
use serde::Serialize;

use crate::{
    app::{self, deliveries::ATTEMPTS},
    http::{
        answer::{Data, Json, Time, True, data, each},
        auth::{Authenticated, SameTenantOrPlatform},
        body::OptionalFields,
        context::Context,
        error::ApiError,
        page::{Query, paginate},
        routes::admin::promos::OptionalReasonRequest,
    },
    ports::Ports,
    store::{
        deliveries::{self, Delivery, Status},
        tenants,
        webhooks::{self, Connection},
    },
};

/// `GET /api/v1/tenants/{id}/webhook/deliveries`
#[worker::send]
pub async fn list<P: Ports>(
    caller: Authenticated<P, SameTenantOrPlatform>,
    RawQuery(query): RawQuery,
) -> Result<Json<WebhookDeliveryPage>, ApiError> {
    let mut query = Query::of(query.as_deref());
    let limit = query.limit();
    let before = query.mark();
    let before = query.all(before)?;
    let tenant = caller.tenant()?;
    let page = deliveries::list(tenant, before.as_ref(), limit + 1);
    let (known, webhook, rows) =
        caller.ask((tenants::by_id(tenant), webhooks::webhook(tenant), page)).await?;
    known.ok_or_else(ApiError::tenant_not_found)?;
    let (rows, next) = paginate(rows, limit, |delivery| format!("{} {}", delivery.created_at, delivery.id));
    Ok(Json(WebhookDeliveryPage {
        success: True,
        data: each(rows, WebhookDelivery::from),
        next_cursor: next,
        webhook: webhook.map(WebhookHealth::from),
    }))
}

/// `POST /api/v1/tenants/{id}/webhook/deliveries/{delivery}/redeliver`
#[worker::send]
pub async fn redeliver<P: Ports>(
    caller: Authenticated<P, SameTenantOrPlatform>,
    context: Context,
    DeliveryPart(delivery): DeliveryPart,
    OptionalFields(fields): OptionalFields,
) -> Result<Json<Data<WebhookDelivery>>, ApiError> {
    let (app, tenant) = (&caller.app, caller.tenant()?);
    let body = fields.read(OptionalReasonRequest::read)?;
    let reason = body.reason.as_deref().unwrap_or("delivery sent again");
    let batch = (
        caller
            .audited(reason, &context)
            .map(|audit_context| deliveries::audit_redelivery(tenant, &delivery, &audit_context)),
        tenants::by_id(tenant),
        deliveries::redeliver(tenant, &delivery, ATTEMPTS, app.ports.now()),
        deliveries::by_id(tenant, &delivery),
        webhooks::webhook(tenant),
    );
    let (_, known, _, found, webhook) = caller.ask(batch).await?;
    known.ok_or_else(ApiError::tenant_not_found)?;
    let found = found.ok_or_else(delivery_not_found)?;
    if webhook.is_none_or(|webhook| webhook.disabled_at.is_some()) {
        return Err(no_webhook());
    }
    app::deliveries::send_later(app, tenant);
    Ok(data(found.into()))
}

/// The delivery that the path names. What can't be decoded is empty, and names none.
#[derive(Debug)]
pub struct DeliveryPart(pub String);

impl<S: Send + Sync> FromRequestParts<S> for DeliveryPart {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let named = |params: &RawPathParams| {
            params.iter().find(|(name, _)| *name == "delivery").map(|(_, value)| value.to_owned())
        };
        Ok(Self(params.ok().as_ref().and_then(named).unwrap_or_default()))
    }
}

/// One page of what a tenant's webhook was sent, newest first, and how the webhook is doing.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct WebhookDeliveryPage {
    /// It was done.
    pub success: True,
    /// What is on the page.
    pub data: Vec<WebhookDelivery>,
    /// Where the next page begins: the `cursor` to ask for; `null` on the last one.
    pub next_cursor: Option<String>,
    /// How the webhook is doing; left out while the tenant has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub webhook: Option<WebhookHealth>,
}

/// One event on its way to a tenant's webhook.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct WebhookDelivery {
    /// Its id, which the webhook gets as `webhook-id`.
    pub id: String,
    /// What it announces, like `tenant.provisioned`.
    pub r#type: String,
    /// Where it stands.
    pub status: Status,
    /// How often it was tried.
    pub attempts: u32,
    /// The HTTP status of the last answer; `null` when there was none.
    pub last_status: Option<u16>,
    /// What went wrong last: the code.
    pub last_error: Option<String>,
    /// When it is tried next; `null` when it has ended.
    pub next_attempt_at: Option<Time>,
    /// When it was announced.
    pub created_at: Time,
    /// When it had ended.
    pub settled_at: Option<Time>,
}

impl From<Delivery> for WebhookDelivery {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            r#type: delivery.r#type,
            status: delivery.status,
            attempts: delivery.attempts,
            last_status: delivery.last_status,
            last_error: delivery.last_error,
            next_attempt_at: delivery.next_at.map(Time::at),
            created_at: Time::at(delivery.created_at),
            settled_at: delivery.settled_at.map(Time::at),
        }
    }
}

/// How a webhook is doing; never where it is.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct WebhookHealth {
    /// Since when it has taken nothing.
    pub failing_since: Option<Time>,
    /// When it was switched off.
    pub disabled_at: Option<Time>,
    /// Why it was switched off.
    pub disabled_reason: Option<String>,
}

impl From<Connection> for WebhookHealth {
    fn from(webhook: Connection) -> Self {
        Self {
            failing_since: webhook.failing_since.map(Time::at),
            disabled_at: webhook.disabled_at.map(Time::at),
            disabled_reason: webhook.disabled_reason,
        }
    }
}

/// There is no such delivery.
pub fn delivery_not_found() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "DELIVERY_NOT_FOUND", "There is no such delivery.")
}

fn no_webhook() -> ApiError {
    let message = "This club has no webhook, or one that is switched off. Store it again, or send it a test.";
    ApiError::new(StatusCode::CONFLICT, "NO_WEBHOOK", message)
}
