//! What was sent to a club's webhook: looked up, and sent again.

use std::convert::Infallible;

use axum::{
    Json,
    extract::{FromRequestParts, RawPathParams, RawQuery},
};
use http::{StatusCode, request::Parts};
use serde_json::{Value, json};

use crate::{
    domain::Timestamp,
    ports::{Limit, Ports},
    store::{
        connections::{self, Connection},
        deliveries::{self, Delivery},
        events::Mark,
        tenants,
    },
};

use super::{
    auth::{Caller, SameTenantOrPlatform},
    body::OptionalFields,
    error::ApiError,
    page::{Query, cut},
};

/// `GET /api/v1/tenants/{id}/webhook/deliveries`
#[worker::send]
pub async fn list<P: Ports>(
    caller: Caller<P, SameTenantOrPlatform>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut query = Query::of(query.as_deref());
    let limit = query.limit();
    let before = query.cursor(|text| {
        let (created_at, id) = text.split_once(' ')?;
        Some(Mark { occurred_at: created_at.parse().ok()?, id: id.to_owned() })
    });
    let before = query.all(before)?;
    let tenant = caller.tenant()?;
    let statements = vec![
        tenants::select(tenant),
        connections::select_webhook(tenant),
        deliveries::list(tenant, before.as_ref(), limit + 1),
    ];
    let mut answers = caller.ask_all(statements).await?;
    let rows: Vec<Delivery> = answers.pop().unwrap_or_default().rows()?;
    let webhook = connections::read_webhook(answers.pop().unwrap_or_default())?;
    tenants::read(answers.pop().unwrap_or_default())?.ok_or_else(ApiError::tenant_not_found)?;
    let (rows, next) = cut(rows, limit, |delivery| format!("{} {}", delivery.created_at, delivery.id));
    let data: Vec<Value> = rows.iter().map(delivery_json).collect();
    let webhook = webhook.as_ref().map(webhook_json);
    Ok(Json(json!({ "success": true, "data": data, "nextCursor": next, "webhook": webhook })))
}

/// `POST /api/v1/tenants/{id}/webhook/deliveries/{delivery}/redeliver`
#[worker::send]
pub async fn redeliver<P: Ports>(
    caller: Caller<P, SameTenantOrPlatform>,
    DeliveryPart(delivery): DeliveryPart,
    _: OptionalFields,
) -> Result<Json<Value>, ApiError> {
    let (app, tenant) = (&caller.app, caller.tenant()?);
    if !app.allows(Limit::Lookup, tenant.as_str()).await {
        return Err(ApiError::rate_limited());
    }
    let statements = vec![
        tenants::select(tenant),
        deliveries::redeliver(tenant, &delivery, app.ports.now()),
        deliveries::select(tenant, &delivery),
        connections::select_webhook(tenant),
    ];
    let mut answers = caller.ask_all(statements).await?;
    let webhook = connections::read_webhook(answers.pop().unwrap_or_default())?;
    let found = deliveries::read(answers.pop().unwrap_or_default())?;
    answers.pop();
    tenants::read(answers.pop().unwrap_or_default())?.ok_or_else(ApiError::tenant_not_found)?;
    let found = found.ok_or_else(delivery_not_found)?;
    if webhook.is_none_or(|webhook| webhook.disabled_at.is_some()) {
        return Err(no_webhook());
    }
    app.deliver_later(tenant);
    Ok(Json(json!({ "success": true, "data": delivery_json(&found) })))
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

fn delivery_json(delivery: &Delivery) -> Value {
    json!({
        "id": delivery.id,
        "type": delivery.r#type,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "lastStatus": delivery.last_status,
        "lastError": delivery.last_error,
        "nextAttemptAt": delivery.next_at.map(at),
        "createdAt": at(delivery.created_at),
        "settledAt": delivery.settled_at.map(at),
    })
}

/// How the webhook is doing; never where it is.
fn webhook_json(webhook: &Connection) -> Value {
    json!({
        "failingSince": webhook.failing_since.map(at),
        "disabledAt": webhook.disabled_at.map(at),
        "disabledReason": webhook.disabled_reason,
    })
}

fn at(seconds: i64) -> String {
    Timestamp::from_seconds(seconds).rfc3339()
}

fn delivery_not_found() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "DELIVERY_NOT_FOUND", "There is no such delivery.")
}

fn no_webhook() -> ApiError {
    let message = "This club has no webhook, or one that is switched off. Store it again, or send it a test.";
    ApiError::new(StatusCode::CONFLICT, "NO_WEBHOOK", message)
}
