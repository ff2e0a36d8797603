//! `/api/v1/admin/tenants` and `/api/v1/admin/tenant/webhook`: the register of clubs, for operators.

use axum::{Json, extract::RawQuery};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    app::{
        clubs::{ChangeError, CorrectionError},
        provisioning::Queued,
    },
    domain::{
        Issues, TenantId, TenantStatus, Timestamp, UndoStatus, WebhookSecret, WebhookUrl, issue::Problem,
        webhook,
    },
    ports::{Level, LogLine, Ports},
    store::register::{self, Change, Club, Details, Filter},
};

use super::{
    auth::{Caller, PlatformAdmin},
    body::Fields,
    context::Context,
    error::ApiError,
    page::{Query, cursor, cut, word},
    signup::name_the_host,
    tokens::reason,
};

/// The longest beginning of a name that is looked for.
const LONGEST_PREFIX: usize = 100;

/// `GET /api/v1/admin/tenants`
#[worker::send]
pub async fn list<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut query = Query::of(query.as_deref());
    let limit = query.limit();
    let filter = Filter {
        status: query.optional("status", word),
        plan: query.optional("plan", word),
        provision: query.optional("provision", word),
        prefix: query.optional("q", prefix),
        before: query.cursor(|text| text.parse().ok()),
        limit: limit + 1,
    };
    let filter = query.all(filter)?;
    let (rows, end) = register::read_page(caller.ask_all(register::list(&filter)).await?)?;
    let (rows, next) = cut(rows, limit, |club| club.id.to_string());
    // A page looks at so many clubs and no more: the next goes on behind them, even if none of these was wanted.
    let next = next.or_else(|| end.map(|tenant| cursor(tenant.as_str())));
    let data: Vec<Value> = rows.iter().map(club_json).collect();
    Ok(Json(json!({ "success": true, "data": data, "nextCursor": next })))
}

/// `GET /api/v1/admin/tenants/{id}`
#[worker::send]
pub async fn get<P: Ports>(caller: Caller<P, PlatformAdmin>) -> Result<Json<Value>, ApiError> {
    let found = register::read(caller.ask(register::select(caller.tenant()?)).await?)?;
    let details = found.ok_or_else(ApiError::tenant_not_found)?;
    Ok(Json(json!({ "success": true, "data": details_json(&details) })))
}

/// `PATCH /api/v1/admin/tenants/{id}`
#[worker::send]
pub async fn change<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    context: Context,
    mut fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let reason = fields.required_with("reason", reason);
    let change = Change {
        status: fields.change("status"),
        plan: fields.change("plan"),
        comped: fields.optional_flag("comped"),
    };
    if !["status", "plan", "comped"].iter().any(|name| fields.has(name)) {
        fields.refuse("status", Problem::new("nothing_to_change", "Send status, plan or comped."));
    }
    if change.status == Some(TenantStatus::Cancelled) {
        let message =
            "A club is cancelled by DELETE on this address, which also takes back what was made for it.";
        fields.refuse("status", Problem::new("use_delete", message));
    }
    let reason = fields.all(reason)?;
    let tenant = caller.tenant()?;
    let details = caller
        .app
        .change_club(&caller.claims, tenant, change, &reason, context.id.as_str())
        .await
        .map_err(|error| not_changed(error, &caller))?;
    log_action(&caller, "tenant.update", tenant, None);
    Ok(Json(json!({ "success": true, "data": details_json(&details) })))
}

/// `DELETE /api/v1/admin/tenants/{id}`: done at once for the club's tokens, and followed by the rest: 202 until that is done.
#[worker::send]
pub async fn remove<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    context: Context,
    mut fields: Fields,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let reason = fields.required_with("reason", reason);
    let reason = fields.all(reason)?;
    let tenant = caller.tenant()?;
    let removal = caller
        .app
        .deprovision(&caller.claims, tenant, &reason, context.id.as_str(), context.caller())
        .await
        .map_err(|error| caller.refused(error))?
        .ok_or_else(ApiError::tenant_not_found)?;
    log_action(&caller, "tenant.deprovision", tenant, None);
    let status = if removal.status == UndoStatus::Undone { StatusCode::OK } else { StatusCode::ACCEPTED };
    let data = json!({ "tenantId": tenant, "runId": removal.run, "undo": removal.status });
    Ok((status, Json(json!({ "success": true, "data": data }))))
}

/// `POST /api/v1/admin/tenant/webhook`
#[worker::send]
pub async fn correct_webhook<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    context: Context,
    mut fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let hosts = &caller.app.config().allowed_webhook_hosts;
    let tenant: Option<TenantId> = fields.required("tenant");
    let url = fields.required_with("make_webhook_url", |text| WebhookUrl::parse(&text, hosts));
    let secret: Option<WebhookSecret> = fields.optional("webhook_secret");
    let reason = fields.reason_or("webhook corrected");
    let (tenant, url) = fields.all(tenant.zip(url)).map_err(name_the_host)?;
    let resumed = caller
        .app
        .correct_webhook(&caller.claims, &tenant, &url, secret.as_ref(), &reason, context.caller())
        .await
        .map_err(|error| not_corrected(error, &caller))?;
    log_action(&caller, "tenant.webhook", &tenant, Some(&url));
    Ok(Json(json!({ "success": true, "data": {
        "tenant": tenant,
        "makeWebhookUrl": url.as_str(),
        "resumed": resumed.as_ref().is_some_and(|queued| queued.changed),
        "runId": resumed.as_ref().and_then(|queued: &Queued| queued.run.as_ref()),
    } })))
}

fn log_action<P: Ports>(
    caller: &Caller<P, PlatformAdmin>,
    action: &str,
    tenant: &TenantId,
    url: Option<&WebhookUrl>,
) {
    let line = LogLine::new(Level::Warn, "operator_action").with("action", action);
    caller.app.log(line.with("tenantId", tenant.as_str()).with_some("host", url.map(WebhookUrl::host)));
}

fn not_changed<P: Ports>(error: ChangeError, caller: &Caller<P, PlatformAdmin>) -> ApiError {
    match error {
        ChangeError::NotFound => ApiError::tenant_not_found(),
        ChangeError::Cancelled => cancelled(),
        ChangeError::PlanLocked => ApiError::new(
            StatusCode::CONFLICT,
            "PLAN_LOCKED",
            "The plan can't be changed once provisioning has begun. Nothing was changed.",
        ),
        ChangeError::Access(error) => caller.refused(error),
    }
}

fn not_corrected<P: Ports>(error: CorrectionError, caller: &Caller<P, PlatformAdmin>) -> ApiError {
    match error {
        CorrectionError::NotFound => ApiError::tenant_not_found(),
        CorrectionError::Cancelled => cancelled(),
        CorrectionError::PlanMismatch => ApiError::new(
            StatusCode::CONFLICT,
            "PLAN_MISMATCH",
            "A club of the pro plan has no webhook. Nothing was changed.",
        ),
        CorrectionError::NoSecret => {
            let mut issues = Issues::default();
            let message = "No secret is stored for this club yet: send the one that its scenario checks.";
            issues.push("webhook_secret", Problem::new("required", message));
            ApiError::validation(issues)
        }
        CorrectionError::Queue(error) => caller.not_queued(error),
    }
}

fn cancelled() -> ApiError {
    ApiError::new(
        StatusCode::CONFLICT,
        "TENANT_CANCELLED",
        "This club was cancelled. Nothing of it can be changed any more.",
    )
}

/// The beginning of a name, as somebody typed it.
fn prefix(text: &str) -> Option<String> {
    let text = text.trim();
    (1..=LONGEST_PREFIX).contains(&text.chars().count()).then(|| text.to_owned())
}

pub(super) fn club_json(club: &Club) -> Value {
    json!({
        "id": club.id,
        "slug": club.slug,
        "name": club.name,
        "email": club.email,
        "plan": club.plan,
        "status": club.status,
        "comped": club.comped,
        "trialEndsAt": club.trial_ends_at,
        "createdAt": at(club.created_at),
        "provisioning": provisioning_json(club),
    })
}

fn provisioning_json(club: &Club) -> Value {
    json!({
        "status": club.provision,
        "reason": club.provision_reason,
        "runId": club.provision_run_id,
        "provisionedAt": club.provisioned_at.map(at),
    })
}

pub(super) fn brand_json(club: &Club) -> Value {
    json!({ "primaryColor": club.primary_color, "secondaryColor": club.secondary_color })
}

fn details_json(details: &Details) -> Value {
    let Details { club, more } = details;
    let mut json = club_json(club);
    let webhook = more
        .webhook_url
        .as_deref()
        .map(|url| json!({ "host": webhook::host_of(url), "validatedAt": more.validated_at.map(at) }));
    let spreadsheet = more
        .spreadsheet_url
        .as_deref()
        .map(|url| json!({ "url": url, "verifiedAt": more.verified_at.map(at) }));
    let fields_of_more = [
        ("updatedAt", at(more.updated_at).into()),
        ("promoCode", json!(more.promo_code_used)),
        ("routeReady", more.route_ready.into()),
        ("brand", brand_json(club)),
        ("webhook", webhook.unwrap_or_default()),
        ("spreadsheet", spreadsheet.unwrap_or_default()),
        (
            "counts",
            json!({
                "runs": more.runs, "attempts": more.attempts, "events": more.events,
                "audited": more.audited,
            }),
        ),
    ];
    if let Some(fields) = json.as_object_mut() {
        fields.extend(fields_of_more.map(|(name, value)| (name.to_owned(), value)));
        if let Some(run) = fields.get_mut("provisioning").and_then(Value::as_object_mut) {
            run.insert("step".to_owned(), json!(more.step));
            run.insert("error".to_owned(), json!(more.error));
            run.insert("startedAt".to_owned(), json!(more.started_at.map(at)));
            run.insert("endedAt".to_owned(), json!(more.ended_at.map(at)));
        }
    }
    json
}

fn at(seconds: i64) -> String {
    Timestamp::from_seconds(seconds).rfc3339()
}
