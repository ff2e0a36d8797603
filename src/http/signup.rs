//! The public signup: start, look-ups, and the steps of the form that follow.

use axum::{
    Json,
    extract::RawQuery,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::{
    app::{
        App, digest,
        signup::{Granted, Request},
    },
    domain::{
        HexColor, Issues, PromoCode, Slug, WebhookSecret, WebhookUrl, issue::Problem, promo::PromoProblem,
    },
    ports::{Level, Limit, LogLine, Ports},
    store,
};

use super::{
    auth::{Caller, TenantAdmin},
    body::{Fields, OptionalFields},
    context::Context,
    error::ApiError,
    provisioning::queued,
};

/// The longest `Idempotency-Key`.
const LONGEST_KEY: usize = 255;

/// `POST /public/signup/start`
#[worker::send]
pub async fn start<P: Ports>(
    app: App<P>,
    context: Context,
    headers: HeaderMap,
    fields: Result<Fields, ApiError>,
) -> Result<Response, ApiError> {
    let key = read_key(&headers);
    let request = fields.and_then(|fields| read_start(fields, key?));
    let granted = grant(&app, &context, request).await?;
    Ok(Json(started(&granted)).into_response())
}

/// Signs a club up, within the limits, and tells the log how it ended: a refusal for whatever reason, too.
pub(super) async fn grant<P: Ports>(
    app: &App<P>,
    context: &Context,
    request: Result<Request, ApiError>,
) -> Result<Granted, ApiError> {
    let granted = match request {
        Ok(request) => sign_up(app, context, &request).await,
        Err(error) => Err(error),
    };
    app.log(match &granted {
        Ok(granted) => LogLine::new(Level::Info, "signup_completed")
            .with("tenantId", granted.tenant.id.as_str())
            .with("contactEmail", granted.tenant.email.masked())
            .with("plan", granted.tenant.plan.as_str())
            .with("replayed", granted.replayed),
        Err(error) => LogLine::new(Level::Info, "signup_rejected").with("code", error.code),
    });
    granted
}

async fn sign_up<P: Ports>(app: &App<P>, context: &Context, request: &Request) -> Result<Granted, ApiError> {
    limit_start(app, context, request).await?;
    app.log(LogLine::new(Level::Info, "signup_started").with("plan", request.plan.as_str()));
    app.sign_up(request, &context.origin, &context.client).await.map_err(ApiError::from)
}

async fn limit_start<P: Ports>(app: &App<P>, context: &Context, request: &Request) -> Result<(), ApiError> {
    let address = digest(&[request.email.as_str()]);
    let (client, address) =
        futures_util::join!(app.allows(Limit::Start, &context.client), app.allows(Limit::Address, &address));
    if client && address { Ok(()) } else { Err(ApiError::rate_limited()) }
}

pub(super) fn read_start(mut fields: Fields, key: Option<String>) -> Result<Request, ApiError> {
    let name = fields.required("clubName");
    let slug = fields.required("clubSlug");
    let email = fields.required("email");
    let plan = fields.required("plan");
    let promo = fields.optional("promoCode");
    let turnstile = fields.optional_text("turnstileToken");
    let read = name.zip(slug).zip(email).zip(plan);
    let (((name, slug), email), plan) = fields.all(read)?;
    Ok(Request { name, slug, email, plan, promo, key, turnstile })
}

fn read_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= LONGEST_KEY => Ok(Some(key.to_owned())),
        _ => {
            let mut issues = Issues::default();
            issues.push("Idempotency-Key", Problem::new("invalid_key", "Use 1 to 255 printable characters."));
            Err(ApiError::validation(issues))
        }
    }
}

fn started(granted: &Granted) -> Value {
    let tenant = &granted.tenant;
    let mut answer = json!({
        "success": true,
        "tenantId": tenant.id,
        "tenant": {
            "id": tenant.id,
            "slug": tenant.slug,
            "name": tenant.name,
            "email": tenant.email,
            "plan": tenant.plan,
            "status": tenant.status,
            "comped": tenant.comped,
            "trialEndsAt": tenant.trial_ends_at,
        },
        "discount": tenant.discount,
    });
    if let Some(fields) = answer.as_object_mut() {
        if let Some(token) = &granted.token {
            fields.insert("jwt".to_owned(), token.as_str().into());
        }
        if granted.replayed {
            fields.insert("replayed".to_owned(), true.into());
        }
    }
    answer
}

/// `GET /public/signup/availability?slug=`
#[worker::send]
pub async fn availability<P: Ports>(
    app: App<P>,
    context: Context,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    limit_lookup(&app, &context).await?;
    let text = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "slug")
        .map(|(_, value)| value.into_owned());
    let Some(text) = text else {
        let mut issues = Issues::default();
        issues.push("slug", Problem::required());
        return Err(ApiError::validation(issues));
    };
    let slug = match Slug::try_from(text.clone()) {
        Ok(slug) => slug,
        Err(problem) => return Ok(Json(unavailable(&app, &text, problem.code, &[]))),
    };
    let alternatives = slug.alternatives();
    let taken = store::tenants::taken_slugs(app.ports.db(), &slug, &alternatives).await?;
    if taken.iter().any(|t| t == slug.as_str()) {
        let free: Vec<_> =
            alternatives.iter().map(Slug::as_str).filter(|s| !taken.iter().any(|t| t == s)).take(3).collect();
        return Ok(Json(unavailable(&app, slug.as_str(), "taken", &free)));
    }
    let address = app.config().club_address(slug.as_str());
    Ok(Json(json!({ "success": true, "data": { "slug": slug, "available": true, "address": address } })))
}

fn unavailable<P: Ports>(app: &App<P>, slug: &str, reason: &str, suggestions: &[&str]) -> Value {
    let address = app.config().club_address(slug);
    let data = json!({
        "slug": slug, "available": false, "address": address, "reason": reason, "suggestions": suggestions
    });
    json!({ "success": true, "data": data })
}

/// `POST /public/signup/verify-promo`
#[worker::send]
pub async fn verify_promo<P: Ports>(
    app: App<P>,
    context: Context,
    mut fields: Fields,
) -> Result<Json<Value>, ApiError> {
    limit_lookup(&app, &context).await?;
    let name = if fields.has("promoCode") || !fields.has("code") { "promoCode" } else { "code" };
    // A code that can't exist is as unknown as one that doesn't.
    let code = fields.required_with(name, |text| Ok(PromoCode::try_from(text).ok()));
    let slug: Option<Slug> = fields.optional("tenantSlug");
    let code = fields.all(code)?;
    let refuse = |problem: PromoProblem| Err(crate::app::signup::SignupError::Promo(problem).into());
    let Some(code) = code else { return refuse(PromoProblem::Unknown) };
    let promo = store::promos::by_code(app.ports.db(), &code, slug.as_ref(), app.ports.now()).await?;
    let Some(promo) = promo else { return refuse(PromoProblem::Unknown) };
    if let Some(problem) = promo.problem {
        return refuse(problem);
    }
    Ok(Json(json!({
        "success": true,
        "data": {
            "code": code,
            "discountPercent": promo.discount_percent,
            "appliedPlan": promo.plan,
            "lifetime": promo.lifetime,
            "usesRemaining": promo.uses_remaining,
        }
    })))
}

async fn limit_lookup<P: Ports>(app: &App<P>, context: &Context) -> Result<(), ApiError> {
    if app.allows(Limit::Lookup, &context.client).await { Ok(()) } else { Err(ApiError::rate_limited()) }
}

/// `POST /public/signup/brand`
#[worker::send]
pub async fn brand<P: Ports>(
    caller: Caller<P, TenantAdmin>,
    mut fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let primary: Option<HexColor> = fields.required("primaryColor");
    let secondary: Option<HexColor> = fields.required("secondaryColor");
    let (primary, secondary) = fields.all(primary.zip(secondary))?;
    let app = &caller.app;
    let write = store::tenants::set_brand(caller.tenant()?, &primary, &secondary, app.ports.now());
    app.on_behalf_of(&caller.claims, vec![write]).await.map_err(|error| caller.refused(error))?;
    Ok(Json(json!({ "success": true })))
}

/// `POST /public/signup/starter/make`
#[worker::send]
pub async fn starter_make<P: Ports>(
    caller: Caller<P, TenantAdmin>,
    context: Context,
    mut fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let (url, secret) = read_webhook(&caller, &mut fields);
    let (url, secret) = fields.all(url.zip(secret)).map_err(name_the_host)?;
    let app = &caller.app;
    app.connect_make(&caller.claims, caller.tenant()?, &url, &secret, context.caller())
        .await
        .map(|done| queued(&done))
        .map_err(|error| caller.not_queued(error))
}

/// The webhook in a body, by the one rule.
pub(super) fn read_webhook<P: Ports, G: super::auth::Grade>(
    caller: &Caller<P, G>,
    fields: &mut Fields,
) -> (Option<WebhookUrl>, Option<WebhookSecret>) {
    let hosts = &caller.app.config().allowed_webhook_hosts;
    let url = fields.required_with("webhookUrl", |text| WebhookUrl::parse(&text, hosts));
    (url, fields.required("webhookSecret"))
}

/// An address where no webhook may be has a code of its own, if it is all that is wrong.
pub(super) fn name_the_host(error: ApiError) -> ApiError {
    match error.issues.as_slice() {
        [only] if only.code == "host_not_allowed" => {
            let message = only.message.clone();
            ApiError {
                issues: error.issues,
                ..ApiError::new(StatusCode::BAD_REQUEST, "INVALID_WEBHOOK_HOST", message)
            }
        }
        _ => error,
    }
}

/// `POST /public/signup/pro/confirm`
#[worker::send]
pub async fn pro_confirm<P: Ports>(
    caller: Caller<P, TenantAdmin>,
    context: Context,
    _: OptionalFields,
) -> Result<Json<Value>, ApiError> {
    caller
        .app
        .confirm_pro(&caller.claims, caller.tenant()?, context.caller())
        .await
        .map(|done| queued(&done))
        .map_err(|error| caller.not_queued(error))
}
