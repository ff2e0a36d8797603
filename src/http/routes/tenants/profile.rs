//! `/api/v1/tenants/me`: a tenant as its own people see and change it.

use serde::Serialize;

use crate::{
    domain::{HexColor, TenantName, field_errors::InvalidValue, webhook::host_of},
    http::{
        answer::{Data, Json, Time, data},
        auth::{Authenticated, SigningUp},
        body::{Fields, body},
        error::ApiError,
    },
    ports::Ports,
    store::{
        admin_tenants::{Brand, Tenant},
        profile::{self, Change, Profile},
    },
};

use super::deliveries::WebhookHealth;

/// What a tenant may change about itself.
const CHANGEABLE: [&str; 3] = ["name", "primaryColor", "secondaryColor"];

/// `GET /api/v1/tenants/me`
#[worker::send]
pub async fn get<P: Ports>(
    caller: Authenticated<P, SigningUp>,
) -> Result<Json<Data<TenantProfile>>, ApiError> {
    let found = caller.ask(profile::by_id(caller.tenant()?)).await?;
    answer(&caller, found)
}

/// `PATCH /api/v1/tenants/me`
#[worker::send]
pub async fn change<P: Ports>(
    caller: Authenticated<P, SigningUp>,
    fields: Fields,
) -> Result<Json<Data<TenantProfile>>, ApiError> {
    let body = fields.read(UpdateProfileRequest::read)?;
    let change = Change { name: body.name, primary: body.primary_color, secondary: body.secondary_color };
    let tenant = caller.tenant()?;
    let batch = (profile::change(tenant, &change, caller.app.ports.now()), profile::by_id(tenant));
    let (_, found) = caller.ask(batch).await?;
    answer(&caller, found)
}

fn answer<P: Ports>(
    caller: &Authenticated<P, SigningUp>,
    found: Option<Profile>,
) -> Result<Json<Data<TenantProfile>>, ApiError> {
    let profile = found.ok_or_else(ApiError::tenant_not_found)?;
    let address = profile.tenant.facts.slug.as_deref().map(|slug| caller.app.config().tenant_address(slug));
    let health = WebhookHealth {
        failing_since: profile.failing_since.map(Time::at),
        disabled_at: profile.disabled_at.map(Time::at),
        disabled_reason: profile.disabled_reason,
    };
    let validated_at = profile.validated_at.map(Time::at);
    Ok(data(TenantProfile {
        brand: Brand { primary_color: profile.primary_color, secondary_color: profile.secondary_color },
        tenant: profile.tenant,
        address,
        webhook: profile.webhook_url.map(|url| TenantWebhook { host: host_of(&url), validated_at, health }),
    }))
}

body! {
    /// What a tenant changes about itself: at least one of these.
    pub struct UpdateProfileRequest {
        /// Its name.
        pub name: Option<TenantName> = change("name"),
        /// Its first colour.
        pub primary_color: Option<HexColor> = change("primaryColor"),
        /// Its second colour.
        pub secondary_color: Option<HexColor> = change("secondaryColor"),
    }
    check |fields| {
        if !CHANGEABLE.iter().any(|name| fields.has(name)) {
            let message = "Send name, primaryColor or secondaryColor.";
            fields.refuse("name", InvalidValue::new("nothing_to_change", message));
        }
    }
}

/// A tenant as its own people see it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TenantProfile {
    /// The tenant.
    #[serde(flatten)]
    pub tenant: Tenant,
    /// The tenant's own address.
    pub address: Option<String>,
    /// Its colours.
    pub brand: Brand,
    /// Its webhook; left out while it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub webhook: Option<TenantWebhook>,
}

/// A tenant's webhook as its own people see it: where it is, but for what only its scenario knows, and how it is doing.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TenantWebhook {
    /// Its host.
    pub host: Option<String>,
    /// When it last took a test, since it was stored.
    pub validated_at: Option<Time>,
    /// How it is doing.
    #[serde(flatten)]
    pub health: WebhookHealth,
}
