//! The public signup: start, look-ups, and the steps of the form that follow.

use axum::extract::RawQuery;
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use crate::{
    app::{
        self, App,
        signups::{Granted, Request},
    },
    db::Db,
    domain::{
        Email, FieldErrors, HexColor, Plan, PromoCode, Slug, TenantId, TenantName, TenantStatus,
        WebhookSecret, WebhookUrl, field_errors::InvalidValue, promos::PromoProblem, text,
        webhook::AllowedHosts,
    },
    http::{
        answer::{Data, Json, SuccessResponse, True, data, done},
        auth::{Authenticated, SigningUp},
        body::{Fields, OptionalFields, body},
        context::Context,
        error::ApiError,
        idempotency,
        routes::tenants::provisioning::{QueuedRun, connected, queued},
    },
    ports::{Level, Limit, LogLine, Ports},
    store,
};

/// `POST /public/signup/start`
#[worker::send]
pub async fn start<P: Ports>(
    app: App<P>,
    context: Context,
    headers: HeaderMap,
    fields: Result<Fields, ApiError>,
) -> Result<Json<SignupResponse>, ApiError> {
    let key = idempotency::key(&headers);
    let request = fields.and_then(|fields| read_start(fields, key?));
    let granted = grant(&app, &context, request).await?;
    Ok(Json(started(granted)))
}

/// Signs a tenant up, within the limits, and logs it how it ended: a refusal for whatever reason, too.
pub(in crate::http) async fn grant<P: Ports>(
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
    context.limited(app, Limit::Start).await?;
    app.log(LogLine::new(Level::Info, "signup_started").with("plan", request.plan.as_str()));
    app::signups::start(app, request, &context.caller(), &context.client).await.map_err(ApiError::from)
}

pub(in crate::http) fn read_start(fields: Fields, key: Option<String>) -> Result<Request, ApiError> {
    let body = fields.read(SignupRequest::read)?;
    Ok(Request {
        name: body.club_name,
        slug: body.club_slug,
        email: body.email,
        plan: body.plan,
        promo: body.promo_code,
        key,
        turnstile: body.turnstile_token,
    })
}

fn started(granted: Granted) -> SignupResponse {
    let tenant = granted.tenant;
    let email_proven = tenant.email_proven;
    SignupResponse {
        success: True,
        tenant_id: tenant.id.clone(),
        tenant: SignedUpTenant {
            id: tenant.id,
            slug: tenant.slug,
            name: tenant.name,
            email: tenant.email,
            plan: tenant.plan,
            status: tenant.status,
            comped: tenant.comped,
            trial_ends_at: tenant.trial_ends_at,
        },
        discount: tenant.discount,
        jwt: granted.token,
        email_proven,
        replayed: granted.replayed.then_some(True),
    }
}

/// `GET /public/signup/availability?slug=`
#[worker::send]
pub async fn availability<P: Ports>(
    app: App<P>,
    context: Context,
    RawQuery(query): RawQuery,
) -> Result<Json<Data<SlugAvailability>>, ApiError> {
    context.limited(&app, Limit::Lookup).await?;
    let text = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "slug")
        .map(|(_, value)| value.into_owned());
    let Some(text) = text else {
        let mut issues = FieldErrors::default();
        issues.push("slug", InvalidValue::required());
        return Err(ApiError::validation(issues));
    };
    // What nobody sees around it was not meant.
    let text = text::read(&text).unwrap_or(text);
    let slug = match Slug::try_from(text.clone()) {
        Ok(slug) => slug,
        Err(problem) => {
            // Whether they are free is asked when one is chosen.
            let others = if problem.code == "reserved" { Slug::close_to(&text) } else { Vec::new() };
            let others = others.into_iter().take(3).collect();
            return Ok(data(unavailable(&app, text, problem.code, others)));
        }
    };
    let alternatives = Slug::close_to(slug.as_str());
    let taken = app.ports.db().ask(store::tenants::taken_slugs(&slug, &alternatives)).await?;
    if taken.iter().any(|t| t == slug.as_str()) {
        let is_free = |slug: &Slug| !taken.iter().any(|t| t == slug.as_str());
        let free = alternatives.into_iter().filter(is_free).take(3).collect();
        return Ok(data(unavailable(&app, slug.to_string(), "taken", free)));
    }
    let address = app.config().tenant_address(slug.as_str());
    Ok(data(SlugAvailability {
        slug: slug.to_string(),
        available: true,
        address,
        reason: None,
        suggestions: None,
    }))
}

fn unavailable<P: Ports>(
    app: &App<P>,
    slug: String,
    reason: &'static str,
    suggestions: Vec<Slug>,
) -> SlugAvailability {
    let address = app.config().tenant_address(&slug);
    SlugAvailability { slug, available: false, address, reason: Some(reason), suggestions: Some(suggestions) }
}

/// `POST /public/signup/verify-promo`
#[worker::send]
pub async fn verify_promo<P: Ports>(
    app: App<P>,
    context: Context,
    fields: Fields,
) -> Result<Json<PromoResponse>, ApiError> {
    context.limited(&app, Limit::Lookup).await?;
    let body = fields.read(PromoLookup::read)?;
    let slug = body.tenant_slug;
    // A code that can't exist is as unknown as one that doesn't.
    let code = body.promo_code.or(body.code).and_then(|text| PromoCode::try_from(text).ok());
    let refuse = |problem: PromoProblem| Err(app::signups::SignupError::Promo(problem).into());
    let Some(code) = code else { return refuse(PromoProblem::Unknown) };
    let promo = app.ports.db().ask(store::promos::by_code(&code, slug.as_ref(), app.ports.now())).await?;
    let Some(promo) = promo else { return refuse(PromoProblem::Unknown) };
    if let Some(problem) = promo.problem {
        return refuse(problem);
    }
    let offer = PromoOffer {
        code,
        discount_percent: promo.discount_percent,
        applied_plan: promo.plan,
        lifetime: promo.lifetime,
        uses_remaining: promo.uses_remaining,
    };
    let mirror = PromoMirror {
        code: offer.code.clone(),
        discount_percent: offer.discount_percent,
        plan: offer.applied_plan,
        lifetime: offer.lifetime,
        uses_remaining: offer.uses_remaining,
    };
    Ok(Json(PromoResponse { success: True, data: offer, promo: mirror }))
}

/// `POST /public/signup/brand`
#[worker::send]
pub async fn brand<P: Ports>(
    caller: Authenticated<P, SigningUp>,
    fields: Fields,
) -> Result<Json<SuccessResponse>, ApiError> {
    let body = fields.read(BrandRequest::read)?;
    let (app, tenant) = (&caller.app, caller.tenant()?);
    let write =
        store::tenants::set_brand(tenant, &body.primary_color, &body.secondary_color, app.ports.now());
    app::access::on_behalf_of(app, &caller.claims, write).await.map_err(|error| caller.refused(error))?;
    Ok(done())
}

/// `POST /public/signup/starter/make`
#[worker::send]
pub async fn starter_make<P: Ports>(
    caller: Authenticated<P, SigningUp>,
    context: Context,
    fields: Fields,
) -> Result<Json<Data<QueuedRun>>, ApiError> {
    let app = &caller.app;
    let hosts = &app.config().allowed_webhook_hosts;
    let body = fields.read(|fields| MakeWebhookRequest::read(fields, hosts)).map_err(name_the_host)?;
    let (url, secret) = (&body.webhook_url, &body.webhook_secret);
    app::webhooks::connect(app, &caller.claims, caller.tenant()?, url, secret, context.caller())
        .await
        .map(connected)
        .map_err(|error| caller.not_queued(error))
}

/// An address where no webhook may be has a code of its own, if it is all that is wrong.
pub(in crate::http) fn name_the_host(error: ApiError) -> ApiError {
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
    caller: Authenticated<P, SigningUp>,
    context: Context,
    _: OptionalFields,
) -> Result<Json<Data<QueuedRun>>, ApiError> {
    app::provisioning::confirm_pro(&caller.app, &caller.claims, caller.tenant()?, context.caller())
        .await
        .map(queued)
        .map_err(|error| caller.not_queued(error))
}

body! {
    /// A tenant to sign up.
    pub struct SignupRequest {
        /// The tenant's name.
        pub club_name: TenantName = required("clubName"),
        /// Its name in addresses: not reserved (`www`, `api`, `admin` …), and not `xn--…`.
        pub club_slug: Slug = required("clubSlug"),
        /// The owner's address, one tenant each.
        pub email: Email = required("email"),
        /// What to sign up for.
        pub plan: Plan = required("plan"),
        /// A promo code; empty is as good as none.
        #[schema(value_type = Option<String>, example = "SPRING27")]
        pub promo_code: Option<PromoCode> = optional("promoCode"),
        /// What Turnstile gave the page, where it is switched on.
        #[schema(pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
        pub turnstile_token: Option<String> = optional_text("turnstileToken"),
    }
}

body! {
    /// A promo code to look up: under `promoCode`, or under `code`.
    pub struct PromoLookup {
        /// The code, in any case.
        pub promo_code: Option<String> = text_or("promoCode", "code"),
        /// The same under its other name.
        pub code: Option<String> = text_instead_of("code", "promoCode"),
        /// The tenant that wants to use it; some codes are for certain tenants.
        #[schema(
            value_type = Option<String>,
            pattern = "^([a-z0-9][a-z0-9-]{1,61}[a-z0-9])?$",
            example = "riverside"
        )]
        pub tenant_slug: Option<Slug> = optional("tenantSlug"),
    }
}

body! {
    /// A tenant's colours.
    pub struct BrandRequest {
        /// The first.
        pub primary_color: HexColor = required("primaryColor"),
        /// The second.
        pub secondary_color: HexColor = required("secondaryColor"),
    }
}

body! {
    /// A tenant's Make webhook.
    pub struct MakeWebhookRequest(hosts: &AllowedHosts) {
        /// Where it is.
        pub webhook_url: WebhookUrl = required_with("webhookUrl", |text| WebhookUrl::parse(&text, hosts)),
        /// What signs what is sent there.
        pub webhook_secret: WebhookSecret = required("webhookSecret"),
    }
}

/// A tenant that signed up.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SignupResponse {
    /// It was done.
    pub success: True,
    /// The tenant.
    pub tenant_id: TenantId,
    /// What is stored of it.
    pub tenant: SignedUpTenant,
    /// The discount that was granted, percent.
    #[cfg_attr(not(target_arch = "wasm32"), schema(maximum = 100))]
    pub discount: u8,
    /// A tenant admin's token: good for a year, or for a day as long as the address is not proven.
    pub jwt: String,
    /// Whether the address is proven. If not, a code and a link were mailed there: `POST /auth/proof` takes them.
    pub email_proven: bool,
    /// There when the tenant had signed up before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub replayed: Option<True>,
}

/// A tenant as it signed up.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SignedUpTenant {
    /// Its id.
    pub id: TenantId,
    /// Its name in addresses.
    pub slug: Slug,
    /// Its name.
    pub name: TenantName,
    /// Its owner's address.
    pub email: Email,
    /// The plan that was stored: a promo code may have changed it.
    pub plan: Plan,
    /// Where it stands.
    pub status: TenantStatus,
    /// Whether it pays nothing.
    pub comped: bool,
    /// When its trial ends, Unix seconds.
    pub trial_ends_at: i64,
}

/// Whether a name is free.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SlugAvailability {
    /// The name that was asked for.
    pub slug: String,
    /// Whether it is free.
    pub available: bool,
    /// The address that a tenant of this name has.
    pub address: String,
    /// Why it is not: `taken`, or what is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub reason: Option<&'static str>,
    /// Names like it that are free, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub suggestions: Option<Vec<Slug>>,
}

/// A promo code that can be used.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
pub struct PromoResponse {
    /// It can be used.
    pub success: True,
    /// What it gives.
    pub data: PromoOffer,
    /// The same as older clients read it.
    pub promo: PromoMirror,
}

/// What a promo code gives, in the names that older clients know. Use `data`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
pub struct PromoMirror {
    /// The code.
    pub code: PromoCode,
    /// How much it takes off, percent.
    #[cfg_attr(not(target_arch = "wasm32"), schema(maximum = 100))]
    pub discount_percent: u8,
    /// The plan that it gives, whatever was asked for.
    pub plan: Option<Plan>,
    /// Whether the discount never ends.
    pub lifetime: bool,
    /// How often it still can be used.
    pub uses_remaining: Option<u32>,
}

/// What a promo code gives.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PromoOffer {
    /// The code.
    pub code: PromoCode,
    /// How much it takes off, percent.
    #[cfg_attr(not(target_arch = "wasm32"), schema(maximum = 100))]
    pub discount_percent: u8,
    /// The plan that it gives, whatever was asked for.
    pub applied_plan: Option<Plan>,
    /// Whether the discount never ends.
    pub lifetime: bool,
    /// How often it still can be used.
    pub uses_remaining: Option<u32>,
}
