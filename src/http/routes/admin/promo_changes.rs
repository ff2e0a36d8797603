//! `PATCH /api/v1/admin/promo-codes/{code}`: changing a promo code.

use http::StatusCode;

use crate::{
    app::promos::{self, Changed},
    domain::{FieldErrors, Plan, PromoCode, Slug, Timestamp, field_errors::InvalidValue},
    http::{
        answer::{Data, Json, data},
        auth::{Authenticated, PathPart, PlatformAdmin},
        body::{Fields, body},
        context::Context,
        error::ApiError,
    },
    ports::Ports,
    store::promos::{Promo, PromoChange, PromoRefusal},
};

use super::promos::{MOST_SLUGS, MOST_USES, lies_ahead, log_action, unknown};

/// The fields of which one must say something, or else one of [`MAY_BE_EMPTIED`] be there.
const CHANGES: [&str; 3] = ["discountPercent", "lifetime", "active"];
/// The fields that `null` empties.
const MAY_BE_EMPTIED: [&str; 6] = ["plan", "startsAt", "validUntil", "maxUses", "tenantSlugs", "notes"];

/// `PATCH /api/v1/admin/promo-codes/{code}`
#[worker::send]
pub async fn change<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    context: Context,
    PathPart(code): PathPart,
    fields: Fields,
) -> Result<Json<Data<Promo>>, ApiError> {
    let now = caller.app.ports.now();
    let body = fields.read(|fields| UpdatePromoCodeRequest::read(fields, now))?;
    let reason = body.reason.as_deref().unwrap_or("promo code changed");
    let code = PromoCode::try_from(code).map_err(|_| unknown())?;
    let change = PromoChange {
        discount_percent: body.discount_percent,
        lifetime: body.lifetime,
        active: body.active,
        plan: body.plan,
        max_uses: body.max_uses,
        starts_at: body.starts_at,
        valid_until: body.valid_until,
        slugs: body.tenant_slugs,
        notes: body.notes,
    };
    let request = context.id.as_str();
    let changed = promos::change(&caller.app, &caller.claims, &code, &change, reason, request).await;
    match changed.map_err(|error| caller.refused(error))? {
        Changed::Unknown => Err(unknown()),
        Changed::Refused(refusal) => Err(refused(refusal)),
        Changed::Done(promo, has_changed) => {
            if has_changed {
                log_action(&caller, "promo.update", &promo);
            }
            Ok(data(promo))
        }
    }
}

fn refused(refusal: PromoRefusal) -> ApiError {
    match refusal {
        PromoRefusal::Used => ApiError::new(
            StatusCode::CONFLICT,
            "PROMO_USED",
            "What a code gives can't be changed once it was used: make another. Nothing was changed.",
        ),
        PromoRefusal::UsedMoreOften(uses) => ApiError::new(
            StatusCode::CONFLICT,
            "PROMO_USED",
            format!("This code was used {uses} times already: allow at least as many. Nothing was changed."),
        ),
        PromoRefusal::EndsBeforeItStarts => {
            let mut issues = FieldErrors::default();
            let message = "The code must end after it can first be used.";
            issues.push("validUntil", InvalidValue::new("too_early", message));
            ApiError::validation(issues)
        }
    }
}

body! {
    /// What an operator changes about a promo code: at least one field besides `reason`. `null` empties what may be empty.
    pub struct UpdatePromoCodeRequest(now: Timestamp) {
        /// Why; it is written down.
        #[schema(max_length = 500, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
        pub reason: Option<String> = optional_reason("reason"),
        /// How much it takes off, percent; as long as nobody used it.
        #[schema(maximum = 100)]
        pub discount_percent: Option<u32> = optional_within("discountPercent", 0..=100),
        /// The plan that it gives; as long as nobody used it.
        #[schema(value_type = Option<Plan>)]
        pub plan: Option<Option<Plan>> = or_null("plan", |body, name| body.change(name)),
        /// Whether the discount never ends; as long as nobody used it.
        pub lifetime: Option<bool> = optional_flag("lifetime"),
        /// Whether it is switched on.
        pub active: Option<bool> = optional_flag("active"),
        /// From when on it can be used; any offset.
        #[schema(value_type = Option<String>, format = DateTime)]
        pub starts_at: Option<Option<Timestamp>> = or_null("startsAt", |body, name| body.change(name)),
        /// Until when it can be used: ahead, and after `startsAt`.
        #[schema(value_type = Option<String>, format = DateTime)]
        pub valid_until: Option<Option<Timestamp>> = or_null("validUntil", |body, name| {
            body.change_with(name, |until| lies_ahead(until, starts_at.flatten(), now))
        }),
        /// How often it can be used: no less often than it was.
        #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000_000)]
        pub max_uses: Option<Option<u32>> =
            or_null("maxUses", |body, name| body.optional_within(name, 1..=MOST_USES)),
        /// The tenants that may use it; any, where it is emptied.
        #[schema(value_type = Option<Vec<Slug>>, min_items = 1, max_items = 100)]
        pub tenant_slugs: Option<Option<Vec<Slug>>> =
            or_null("tenantSlugs", |body, name| body.optional_list(name, MOST_SLUGS)),
        /// For operators.
        #[schema(value_type = Option<String>, max_length = 500, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
        pub notes: Option<Option<String>> =
            or_null("notes", |body, name| body.optional_text_within(name, 500)),
    }
    check |fields| {
        let changes = CHANGES.iter().any(|name| fields.has(name));
        if !changes && !MAY_BE_EMPTIED.iter().any(|name| fields.names(name)) {
            fields.refuse("active", InvalidValue::new("nothing_to_change", "Send what is to be changed."));
        }
    }
}
