//! `POST /api/v1/admin/tenants`: a tenant by hand.

use http::HeaderMap;
use serde::Serialize;

use crate::{
    app::new_tenants::{self, NewTenantError, Wanted},
    domain::{Email, Language, Plan, Slug, TenantName},
    http::{
        answer::{Data, Json, True, data},
        auth::{Authenticated, PlatformAdmin},
        body::{Fields, body},
        context::Context,
        error::ApiError,
        idempotency,
    },
    ports::{Level, LogLine, Ports},
    store::admin_tenants::TenantDetails,
};

use super::tokens::Reason;

/// `POST /api/v1/admin/tenants`
#[worker::send]
pub async fn create<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    context: Context,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Json<Data<CreatedTenant>>, ApiError> {
    let body = fields.read(CreateTenantRequest::read)?;
    let wanted = Wanted {
        name: body.name,
        slug: body.slug,
        email: body.email,
        plan: body.plan,
        language: body.language.unwrap_or_default(),
        comped: body.comped.unwrap_or(false),
        reason: body.reason.into(),
        key: idempotency::key(&headers)?,
    };
    let made = new_tenants::create(&caller.app, &caller.claims, &wanted, &context.caller()).await.map_err(
        |error| match error {
            NewTenantError::Refused(error) => error.into(),
            NewTenantError::Access(error) => caller.refused(error),
        },
    )?;
    let line = LogLine::new(Level::Warn, "operator_action").with("action", "tenant.create");
    let line = line.with("tenantId", made.details.facts.id.as_str());
    caller.app.log(line.with("replayed", made.replayed));
    let replayed = made.replayed.then_some(True);
    Ok(data(CreatedTenant { tenant: made.details, replayed }))
}

body! {
    /// A tenant to make by hand. Its owner is mailed a link.
    pub struct CreateTenantRequest {
        /// Why; it is written down.
        pub reason: Reason = required("reason"),
        /// The tenant's name.
        pub name: TenantName = required("name"),
        /// Its name in addresses: not reserved (`www`, `api`, `admin` …), and not `xn--…`.
        pub slug: Slug = required("slug"),
        /// The owner's address, one tenant each.
        pub email: Email = required("email"),
        /// Its plan.
        pub plan: Plan = required("plan"),
        /// The language of its mails; English where this is left out.
        #[schema(value_type = Option<Language>, example = "de")]
        pub language: Option<Language> = optional("language"),
        /// Whether it pays nothing; it pays where this is left out.
        pub comped: Option<bool> = optional_flag("comped"),
    }
}

/// A tenant that an operator made.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CreatedTenant {
    /// The tenant as it is now.
    #[serde(flatten)]
    pub tenant: TenantDetails,
    /// There when the same request made it before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub replayed: Option<True>,
}
