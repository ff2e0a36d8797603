//! `/api/v1/tenants/me`: a tenant as its own people see and change it.

use serde::Serialize;

use crate::{
    domain::{
        HexColor, Language, MembersUrl, TenantName, Timestamp, field_errors::InvalidValue, id,
        webhook::host_of, words,
    },
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
const CHANGEABLE: [&str; 5] = ["name", "brand", "primaryColor", "secondaryColor", "language"];

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
    let (primary, secondary) =
        body.brand.map_or((None, None), |brand| (brand.primary_color, brand.secondary_color));
    let change = Change {
        name: body.name,
        primary: primary.or(body.primary_color),
        secondary: secondary.or(body.secondary_color),
        language: body.language,
        members_url: body.members_url,
    };
    let (tenant, now) = (caller.tenant()?, caller.app.ports.now());
    let event = format!("evt_{}", id::token_id(now, caller.app.ports.random()));
    let batch = (profile::change(tenant, &change, &event, now), profile::by_id(tenant));
    let (_, found) = caller.ask(batch).await?;
    answer(&caller, found)
}

fn answer<P: Ports>(
    caller: &Authenticated<P, SigningUp>,
    found: Option<Profile>,
) -> Result<Json<Data<TenantProfile>>, ApiError> {
    let profile = found.ok_or_else(ApiError::tenant_not_found)?;
    let (config, now) = (caller.app.config(), caller.app.ports.now());
    let slug = profile.tenant.facts.slug.as_deref();
    let address = slug.map(|slug| config.tenant_address(slug));
    let website = slug.and_then(|slug| config.web_address(slug)).map(|host| format!("https://{host}/"));
    let webhook = webhook(&profile, now);
    let verified_at = profile.spreadsheet_verified_at.map(Time::at);
    Ok(data(TenantProfile {
        brand: Brand { primary_color: profile.primary_color, secondary_color: profile.secondary_color },
        language: Language::stored(profile.language.as_deref()),
        tenant: profile.tenant,
        address,
        website,
        members_url: profile.members_url,
        spreadsheet: profile.spreadsheet_url.map(|url| TenantSpreadsheet { url, verified_at }),
        webhook,
    }))
}

fn webhook(profile: &Profile, now: Timestamp) -> Option<TenantWebhook> {
    let url = profile.webhook_url.as_deref()?;
    let state = match (profile.disabled_at, profile.failing_since, profile.validated_at) {
        (Some(_), _, _) => WebhookState::Disabled,
        (None, Some(_), _) => WebhookState::Failing,
        (None, None, Some(_)) => WebhookState::Working,
        (None, None, None) => WebhookState::Untested,
    };
    Some(TenantWebhook {
        host: host_of(url),
        health: state,
        validated_at: profile.validated_at.map(Time::at),
        trouble: WebhookHealth {
            failing_since: profile.failing_since.map(Time::at),
            disabled_at: profile.disabled_at.map(Time::at),
            disabled_reason: profile.disabled_reason.clone(),
        },
        last_test: last_test(profile),
        previous_secret_until: profile.previous_until.filter(|until| *until > now.seconds()).map(Time::at),
    })
}

/// A test that it took while it was being set up left only when that was.
fn last_test(profile: &Profile) -> Option<LastWebhookTest> {
    let status = profile.last_test_status;
    match (profile.last_test_at, profile.validated_at) {
        (Some(at), validated) if validated.is_none_or(|validated| validated <= at) => {
            Some(LastWebhookTest { at: Time::at(at), ok: profile.last_test_ok.unwrap_or(false), status })
        }
        (_, validated) => validated.map(|at| LastWebhookTest { at: Time::at(at), ok: true, status: None }),
    }
}

body! {
    /// What a tenant changes about itself: at least one of these.
    pub struct UpdateProfileRequest {
        /// Its name.
        pub name: Option<TenantName> = change("name"),
        /// Its colours, or one of them.
        #[schema(nullable = false)]
        pub brand: Option<BrandChange> = optional_object("brand", BrandChange::read),
        /// Its first colour, as older clients send it.
        pub primary_color: Option<HexColor> = change("primaryColor"),
        /// Its second colour, as older clients send it.
        pub secondary_color: Option<HexColor> = change("secondaryColor"),
        /// The language of its mails, and of its page where a browser asks for none of ours.
        pub language: Option<Language> = change("language"),
        /// Where its members go: `https`, without a user name. `null` empties it.
        #[schema(value_type = Option<MembersUrl>)]
        pub members_url: Option<Option<MembersUrl>> = or_null("membersUrl", |body, name| body.change(name)),
    }
    check |fields| {
        if !CHANGEABLE.iter().any(|name| fields.has(name)) && !fields.names("membersUrl") {
            let message = "Send name, brand, language or membersUrl.";
            fields.refuse("name", InvalidValue::new("nothing_to_change", message));
        }
        for name in ["primaryColor", "secondaryColor"] {
            if fields.has("brand") && fields.has(name) {
                fields.refuse(name, InvalidValue::new("ambiguous", "Send the colours in brand alone."));
            }
        }
    }
}

body! {
    /// A tenant's colours: at least one of them.
    pub struct BrandChange {
        /// The first.
        pub primary_color: Option<HexColor> = change("primaryColor"),
        /// The second.
        pub secondary_color: Option<HexColor> = change("secondaryColor"),
    }
    check |fields| {
        if !fields.has("primaryColor") && !fields.has("secondaryColor") {
            let message = "Send primaryColor or secondaryColor.";
            fields.refuse("primaryColor", InvalidValue::new("nothing_to_change", message));
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
    /// Its page there; `null` where tenants have no address on the web.
    pub website: Option<String>,
    /// Its colours.
    pub brand: Brand,
    /// The language of its mails, and of its page where a browser asks for none of ours.
    pub language: Language,
    /// Where its members go: its page leads there. `null` while it goes nowhere.
    pub members_url: Option<String>,
    /// Its spreadsheet; left out while it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub spreadsheet: Option<TenantSpreadsheet>,
    /// Its webhook; left out while it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub webhook: Option<TenantWebhook>,
}

/// A tenant's spreadsheet.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TenantSpreadsheet {
    /// Where it is.
    pub url: String,
    /// When it was read back.
    pub verified_at: Option<Time>,
}

words! {
    /// How a webhook is doing, in a word.
    WebhookState {
        /// It took no test since it was stored.
        Untested = "untested",
        /// It took the last of what it was sent.
        Working = "working",
        /// It takes nothing at the moment, and is tried again.
        Failing = "failing",
        /// Nothing is sent there any more.
        Disabled = "disabled",
    }
}

/// A tenant's webhook as its own people see it: where it is, but for what only its scenario knows, and how it is doing.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TenantWebhook {
    /// Its host.
    pub host: Option<String>,
    /// How it is doing, in a word.
    pub health: WebhookState,
    /// When it last took a test, since it was stored.
    pub validated_at: Option<Time>,
    /// Since when it is doing badly.
    #[serde(flatten)]
    pub trouble: WebhookHealth,
    /// How it took its last test; left out if there was none since it was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub last_test: Option<LastWebhookTest>,
    /// Until when an earlier secret signs what it is sent, too; `null` if none does.
    pub previous_secret_until: Option<Time>,
}

/// How a webhook took a test.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
pub struct LastWebhookTest {
    /// When.
    pub at: Time,
    /// Whether it took it.
    pub ok: bool,
    /// The HTTP status that it answered; `null` when it did not answer, or nobody wrote it down.
    pub status: Option<u16>,
}
