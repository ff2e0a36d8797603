//! `/api/v1/admin/promo-codes`: promo codes, for operators.

use axum::extract::RawQuery;
use http::StatusCode;
use serde::Serialize;

use crate::{
    app,
    domain::{Plan, PromoCode, Slug, Timestamp, field_errors::InvalidValue, text},
    http::{
        answer::{Data, Json, Page, data, page},
        auth::{Authenticated, PathPart, PlatformAdmin},
        body::{Fields, OptionalFields, body},
        context::Context,
        error::ApiError,
        page::{Query, paginate},
    },
    ports::{Level, LogLine, Ports},
    store::promos::{self, NewPromo, Promo},
};

/// The most uses a code may have.
pub(super) const MOST_USES: u32 = 1_000_000_000;
/// The most tenants a code may name.
pub(super) const MOST_SLUGS: usize = 100;

/// `GET /api/v1/admin/promo-codes`
#[worker::send]
pub async fn list<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page<Promo>>, ApiError> {
    let mut query = Query::of(query.as_deref());
    let limit = query.limit();
    let after = query.cursor(|text| PromoCode::try_from(text.to_owned()).ok());
    let after = query.all(after)?;
    let rows = caller.ask(promos::list(after.as_ref(), limit + 1)).await?;
    let (rows, next) = paginate(rows, limit, |promo| promo.code.to_string());
    Ok(page(rows, next))
}

/// `POST /api/v1/admin/promo-codes`
#[worker::send]
pub async fn create<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    context: Context,
    fields: Fields,
) -> Result<Json<Data<Promo>>, ApiError> {
    let now = caller.app.ports.now();
    let body = fields.read(|fields| CreatePromoCodeRequest::read(fields, now))?;
    let reason = body.reason.as_deref().unwrap_or("promo code created");
    let promo = NewPromo {
        code: body.code,
        discount_percent: body.discount_percent,
        max_uses: body.max_uses,
        starts_at: body.starts_at,
        valid_until: body.valid_until,
        plan: body.plan,
        lifetime: body.lifetime.unwrap_or(false),
        slugs: body.tenant_slugs,
        notes: body.notes,
    };
    let made = app::promos::create(&caller.app, &caller.claims, &promo, reason, context.id.as_str())
        .await
        .map_err(|error| caller.refused(error))?
        .ok_or_else(|| {
            ApiError::new(StatusCode::CONFLICT, "PROMO_EXISTS", "There is a promo code of this name already.")
        })?;
    log_action(&caller, "promo.create", &made);
    Ok(data(made))
}

/// `POST /api/v1/admin/promo-codes/{code}/deactivate`
#[worker::send]
pub async fn deactivate<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    context: Context,
    PathPart(code): PathPart,
    OptionalFields(fields): OptionalFields,
) -> Result<Json<Data<DeactivatedPromo>>, ApiError> {
    let body = fields.read(OptionalReasonRequest::read)?;
    let reason = body.reason.as_deref().unwrap_or("promo code deactivated");
    let code = PromoCode::try_from(code).map_err(|_| unknown())?;
    let (promo, was_on) =
        app::promos::deactivate(&caller.app, &caller.claims, &code, reason, context.id.as_str())
            .await
            .map_err(|error| caller.refused(error))?
            .ok_or_else(unknown)?;
    if was_on {
        log_action(&caller, "promo.deactivate", &promo);
    }
    Ok(data(DeactivatedPromo { promo, changed: was_on }))
}

pub(super) fn unknown() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "PROMO_NOT_FOUND", "There is no such promo code.")
}

pub(super) fn log_action<P: Ports>(caller: &Authenticated<P, PlatformAdmin>, action: &str, promo: &Promo) {
    let line = LogLine::new(Level::Warn, "operator_action").with("action", action);
    caller.app.log(line.with("promoCode", promo.code.as_str()));
}

/// A code can be used until a moment that lies ahead, and after the code can first be used.
pub(super) fn lies_ahead(
    until: Timestamp,
    starts_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Timestamp, InvalidValue> {
    if until > starts_at.unwrap_or(now).max(now) {
        return Ok(until);
    }
    Err(InvalidValue::new("too_early", "This must lie ahead, and after the code can first be used."))
}

/// A code is typed in any case, but made in one: what an operator sees is what is stored.
fn exact_code(text: String) -> Result<PromoCode, InvalidValue> {
    let code = PromoCode::try_from(text.clone())?;
    if code.as_str() == text {
        Ok(code)
    } else if text::read(&text).is_ok_and(|text| text == code.as_str()) {
        Err(InvalidValue::new(
            "invalid_promo_code",
            "There are blanks or invisible characters around this code.",
        ))
    } else {
        Err(InvalidValue::new("invalid_promo_code", "A promo code has 4 to 20 of A–Z and 0–9."))
    }
}

body! {
    /// A promo code to make.
    pub struct CreatePromoCodeRequest(now: Timestamp) {
        /// Why; it is written down.
        #[schema(max_length = 500, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
        pub reason: Option<String> = optional_reason("reason"),
        /// The code.
        pub code: PromoCode = required_with("code", exact_code),
        /// How much it takes off, percent.
        #[schema(maximum = 100)]
        pub discount_percent: u32 = required_within("discountPercent", 0..=100),
        /// From when on it can be used; any offset.
        #[schema(value_type = Option<String>, format = DateTime)]
        pub starts_at: Option<Timestamp> = change("startsAt"),
        /// Until when it can be used: ahead, and after `startsAt`.
        #[schema(value_type = Option<String>, format = DateTime)]
        pub valid_until: Option<Timestamp> =
            change_with("validUntil", |until| lies_ahead(until, starts_at, now)),
        /// For operators.
        #[schema(max_length = 500, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
        pub notes: Option<String> = optional_text_within("notes", 500),
        /// How often it can be used; without end where this is left out.
        #[schema(minimum = 1, maximum = 1_000_000_000)]
        pub max_uses: Option<u32> = optional_within("maxUses", 1..=MOST_USES),
        /// The plan that it gives, whatever was asked for.
        pub plan: Option<Plan> = change("plan"),
        /// Whether the discount never ends.
        pub lifetime: Option<bool> = optional_flag("lifetime"),
        /// The tenants that may use it; any, where this is left out.
        #[schema(min_items = 1, max_items = 100)]
        pub tenant_slugs: Option<Vec<Slug>> = optional_list("tenantSlugs", MOST_SLUGS),
    }
}

body! {
    /// Why, where there is something to say; it is written down.
    pub struct OptionalReasonRequest {
        /// Why.
        #[schema(max_length = 500, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
        pub reason: Option<String> = optional_reason("reason"),
    }
}

/// A promo code that was switched off.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeactivatedPromo {
    /// The code.
    #[serde(flatten)]
    pub promo: Promo,
    /// Whether this request did it.
    pub changed: bool,
}
