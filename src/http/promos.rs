//! `/api/v1/admin/promo-codes`: promo codes, for operators.

use axum::{Json, extract::RawQuery};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    domain::{PromoCode, Timestamp, issue::Problem},
    ports::{Level, LogLine, Ports},
    store::promos::{self, NewPromo, PromoRow},
};

use super::{
    auth::{Caller, PathPart, PlatformAdmin},
    body::{Fields, OptionalFields},
    context::Context,
    error::ApiError,
    page::{Query, cut},
};

/// The most uses a code may have.
const MOST_USES: u32 = 1_000_000_000;
/// The most clubs a code may name.
const MOST_SLUGS: usize = 100;

/// `GET /api/v1/admin/promo-codes`
#[worker::send]
pub async fn list<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut query = Query::of(query.as_deref());
    let limit = query.limit();
    let after = query.cursor(|text| PromoCode::try_from(text.to_owned()).ok());
    let after = query.all(after)?;
    let rows: Vec<PromoRow> = caller.ask(promos::list(after.as_ref(), limit + 1)).await?.rows()?;
    let (rows, next) = cut(rows, limit, |promo| promo.code.to_string());
    let data: Vec<Value> = rows.iter().map(promo_json).collect();
    Ok(Json(json!({ "success": true, "data": data, "nextCursor": next })))
}

/// `POST /api/v1/admin/promo-codes`
#[worker::send]
pub async fn create<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    context: Context,
    mut fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let reason = fields.reason_or("promo code created");
    let promo = read(&mut fields, caller.app.ports.now());
    let promo = fields.all(promo)?;
    let made = caller
        .app
        .create_promo(&caller.claims, &promo, &reason, context.id.as_str())
        .await
        .map_err(|error| caller.refused(error))?
        .ok_or_else(|| {
            ApiError::new(StatusCode::CONFLICT, "PROMO_EXISTS", "There is a promo code of this name already.")
        })?;
    log_action(&caller, "promo.create", &made);
    Ok(Json(json!({ "success": true, "data": promo_json(&made) })))
}

/// `POST /api/v1/admin/promo-codes/{code}/deactivate`
#[worker::send]
pub async fn deactivate<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    context: Context,
    PathPart(code): PathPart,
    OptionalFields(mut fields): OptionalFields,
) -> Result<Json<Value>, ApiError> {
    let reason = fields.reason_or("promo code deactivated");
    fields.all(Some(()))?;
    let unknown = || ApiError::new(StatusCode::NOT_FOUND, "PROMO_NOT_FOUND", "There is no such promo code.");
    let code = PromoCode::try_from(code).map_err(|_| unknown())?;
    let (promo, was_on) = caller
        .app
        .deactivate_promo(&caller.claims, &code, &reason, context.id.as_str())
        .await
        .map_err(|error| caller.refused(error))?
        .ok_or_else(unknown)?;
    if was_on {
        log_action(&caller, "promo.deactivate", &promo);
    }
    let mut data = promo_json(&promo);
    if let Some(fields) = data.as_object_mut() {
        fields.insert("changed".to_owned(), was_on.into());
    }
    Ok(Json(json!({ "success": true, "data": data })))
}

fn log_action<P: Ports>(caller: &Caller<P, PlatformAdmin>, action: &str, promo: &PromoRow) {
    let line = LogLine::new(Level::Warn, "operator_action").with("action", action);
    caller.app.log(line.with("promoCode", promo.code.as_str()));
}

fn read(fields: &mut Fields, now: Timestamp) -> Option<NewPromo> {
    let code = fields.required_with("code", exact_code);
    if !fields.has("discountPercent") {
        fields.refuse("discountPercent", Problem::required());
    }
    let discount = fields.optional_within("discountPercent", 0..=100);
    let starts_at: Option<Timestamp> = fields.change("startsAt");
    let valid_until: Option<Timestamp> = fields.change("validUntil");
    if valid_until.is_some_and(|until| until <= starts_at.unwrap_or(now).max(now)) {
        let message = "This must lie ahead, and after the code can first be used.";
        fields.refuse("validUntil", Problem::new("too_early", message));
    }
    let notes = fields.optional_text("notes");
    if notes.as_ref().is_some_and(|notes| notes.chars().count() > 500) {
        fields.refuse("notes", Problem::new("too_long", "Use at most 500 characters."));
    }
    let max_uses = fields.optional_within("maxUses", 1..=MOST_USES);
    let plan = fields.change("plan");
    let lifetime = fields.optional_flag("lifetime").unwrap_or(false);
    let slugs = fields.optional_list("tenantSlugs", MOST_SLUGS);
    let (code, discount_percent) = code.zip(discount)?;
    Some(NewPromo { code, discount_percent, max_uses, starts_at, valid_until, plan, lifetime, slugs, notes })
}

/// A code is typed in any case, but made in one: what an operator sees is what is stored.
fn exact_code(text: String) -> Result<PromoCode, Problem> {
    let code = PromoCode::try_from(text.clone())?;
    if code.as_str() == text {
        Ok(code)
    } else {
        Err(Problem::new("invalid_promo_code", "A promo code has 4 to 20 of A–Z and 0–9."))
    }
}

fn promo_json(promo: &PromoRow) -> Value {
    let at = |seconds: i64| Timestamp::from_seconds(seconds).rfc3339();
    let slugs = promo.tenant_slugs.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    json!({
        "code": promo.code,
        "discountPercent": promo.discount_percent,
        "plan": promo.plan,
        "lifetime": promo.lifetime,
        "active": promo.active,
        "startsAt": promo.starts_at.map(at),
        "validUntil": promo.valid_until.map(at),
        "maxUses": promo.max_uses,
        "uses": promo.uses,
        "usesRemaining": promo.max_uses.map(|most| most.saturating_sub(promo.uses)),
        "tenantSlugs": slugs,
        "notes": promo.notes,
        "createdAt": at(promo.created_at),
    })
}
