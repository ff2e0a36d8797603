//! `/api/v1/admin/tenants` and `/api/v1/admin/tenant/webhook`: the register of tenants, for operators.

use axum::extract::RawQuery;
use http::StatusCode;
use serde::Serialize;

use crate::{
    app::{
        self,
        admin_tenants::{ChangeError, CorrectionError},
        signups::SignupError,
    },
    domain::{
        Email, FieldErrors, Plan, RunId, TenantId, TenantStatus, UndoStatus, WebhookSecret, WebhookUrl,
        field_errors::InvalidValue, webhook::AllowedHosts,
    },
    http::{
        answer::{Data, Json, data},
        auth::{Authenticated, PlatformAdmin},
        body::{Fields, OptionalFields, body},
        context::Context,
        error::ApiError,
        routes::{
            bgops::sagas::ReasonRequest, public::signups::name_the_host,
            tenants::webhooks::WebhookUpdateResult,
        },
    },
    ports::{Level, LogLine, Ports},
    store::{
        admin_tenants::{self, Change, TenantDetails},
        vouching::Said,
    },
};

use super::tokens::Reason;

/// `GET /api/v1/admin/tenants/{id}`
#[worker::send]
pub async fn get<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
) -> Result<Json<Data<TenantDetails>>, ApiError> {
    let found = caller.ask(admin_tenants::by_id(caller.tenant()?)).await?;
    let details = found.ok_or_else(ApiError::tenant_not_found)?;
    Ok(data(details))
}

/// `PATCH /api/v1/admin/tenants/{id}`
#[worker::send]
pub async fn change<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    context: Context,
    fields: Fields,
) -> Result<Json<Data<TenantDetails>>, ApiError> {
    let body = fields.read(UpdateTenantRequest::read)?;
    let (app, claims, tenant, reason) = (&caller.app, &caller.claims, caller.tenant()?, body.reason.as_str());
    let said = Said { email: body.email.as_ref(), is_good: body.email_proven == Some(true) };
    let details = if said.email.is_some() || said.is_good {
        app::admin_tenants::change_email(app, claims, tenant, said, reason, context.caller()).await
    } else {
        let change = Change { status: body.status, plan: body.plan, comped: body.comped };
        app::admin_tenants::change(app, claims, tenant, change, reason, context.id.as_str()).await
    };
    let details = details.map_err(|error| not_changed(error, &caller))?;
    log_action(&caller, "tenant.update", tenant, None);
    Ok(data(details))
}

/// `DELETE /api/v1/admin/tenants/{id}`: done at once for the tenant's tokens, and followed by the rest: 202 until that is
/// done.
#[worker::send]
pub async fn remove<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    context: Context,
    RawQuery(query): RawQuery,
    OptionalFields(fields): OptionalFields,
) -> Result<(StatusCode, Json<Data<TenantRemoval>>), ApiError> {
    // Many clients send no body with a DELETE.
    let ReasonRequest { reason } =
        fields.or_from_query("reason", query.as_deref()).read(ReasonRequest::read)?;
    let tenant = caller.tenant()?;
    let removal = app::deprovisioning::start(
        &caller.app,
        &caller.claims,
        tenant,
        reason.as_str(),
        context.id.as_str(),
        context.caller(),
    )
    .await
    .map_err(|error| caller.refused(error))?
    .ok_or_else(ApiError::tenant_not_found)?;
    log_action(&caller, "tenant.deprovision", tenant, None);
    let status = if removal.status == UndoStatus::Undone { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, data(TenantRemoval { tenant_id: tenant.clone(), run_id: removal.run, undo: removal.status })))
}

/// `POST /api/v1/admin/tenant/webhook`
#[worker::send]
pub async fn correct_webhook<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    context: Context,
    fields: Fields,
) -> Result<Json<Data<WebhookCorrectionResult>>, ApiError> {
    let hosts = &caller.app.config().allowed_webhook_hosts;
    let body = fields.read(|fields| WebhookCorrectionRequest::read(fields, hosts)).map_err(name_the_host)?;
    let WebhookCorrectionRequest { tenant, make_webhook_url: url, webhook_secret: secret, reason } = body;
    let reason = reason.as_deref().unwrap_or("webhook corrected");
    let corrected = app::admin_tenants::correct_webhook(
        &caller.app,
        &caller.claims,
        &tenant,
        &url,
        secret.as_ref(),
        reason,
        context.caller(),
    )
    .await
    .map_err(|error| not_corrected(error, &caller))?;
    log_action(&caller, "tenant.webhook", &tenant, Some(&url));
    Ok(data(WebhookCorrectionResult {
        tenant,
        make_webhook_url: url.as_str().to_owned(),
        resumed: corrected.resumed.as_ref().is_some_and(|queued| queued.changed),
        run_id: corrected.resumed.and_then(|queued| queued.run),
        webhook: corrected.restored.map(WebhookUpdateResult::from),
    }))
}

fn log_action<P: Ports>(
    caller: &Authenticated<P, PlatformAdmin>,
    action: &str,
    tenant: &TenantId,
    url: Option<&WebhookUrl>,
) {
    let line = LogLine::new(Level::Warn, "operator_action").with("action", action);
    caller.app.log(line.with("tenantId", tenant.as_str()).with_some("host", url.map(WebhookUrl::host)));
}

fn not_changed<P: Ports>(error: ChangeError, caller: &Authenticated<P, PlatformAdmin>) -> ApiError {
    match error {
        ChangeError::NotFound => ApiError::tenant_not_found(),
        ChangeError::Cancelled => ApiError::tenant_cancelled(),
        ChangeError::EmailExists => SignupError::EmailExists.into(),
        ChangeError::EmailProven => ApiError::new(
            StatusCode::CONFLICT,
            "EMAIL_PROVEN",
            "This club's address is confirmed. To replace it, vouch for the other one: send emailProven: true. Nothing was changed.",
        ),
        ChangeError::PlanLocked => ApiError::new(
            StatusCode::CONFLICT,
            "PLAN_LOCKED",
            "The plan can't be changed once provisioning has begun. Nothing was changed.",
        ),
        ChangeError::Access(error) => caller.refused(error),
    }
}

fn not_corrected<P: Ports>(error: CorrectionError, caller: &Authenticated<P, PlatformAdmin>) -> ApiError {
    match error {
        CorrectionError::NotFound => ApiError::tenant_not_found(),
        CorrectionError::Cancelled => ApiError::tenant_cancelled(),
        CorrectionError::Suspended => ApiError::tenant_suspended(),
        CorrectionError::PlanMismatch => ApiError::new(
            StatusCode::CONFLICT,
            "PLAN_MISMATCH",
            "A club of the pro plan has no webhook. Nothing was changed.",
        ),
        CorrectionError::NoSecret => {
            let mut issues = FieldErrors::default();
            let message = "No secret is stored for this club yet: send the one that its scenario checks.";
            issues.push("webhook_secret", InvalidValue::new("required", message));
            ApiError::validation(issues)
        }
        CorrectionError::Queue(error) => caller.not_queued(error),
    }
}

body! {
    /// What an operator changes about a tenant: at least one of `status`, `plan` and `comped`; or the address, by `email`, `emailProven` or
    /// both.
    pub struct UpdateTenantRequest {
        /// Why; it is written down.
        pub reason: Reason = required("reason"),
        /// Where it stands from now on. A tenant is cancelled by `DELETE`.
        #[schema(value_type = Option<TenantStatusChange>)]
        pub status: Option<TenantStatus> = change("status"),
        /// Its plan, as long as provisioning has not begun.
        pub plan: Option<Plan> = change("plan"),
        /// Whether it pays nothing.
        pub comped: Option<bool> = optional_flag("comped"),
        /// Its owner's address as it should have been. It has to be proven, unless `emailProven` says that it is good.
        pub email: Option<Email> = change("email"),
        /// `true`: its address is good, and need not be proven.
        pub email_proven: Option<bool> = optional_flag("emailProven"),
    }
    check |fields| {
        let others = ["status", "plan", "comped"].iter().any(|name| fields.has(name));
        let address = ["email", "emailProven"].iter().any(|name| fields.has(name));
        if others && address {
            fields.refuse("email", InvalidValue::new("ambiguous", "Change the address in a request of its own."));
        }
        if !(others || address) {
            let message = "Send status, plan, comped, email or emailProven.";
            fields.refuse("status", InvalidValue::new("nothing_to_change", message));
        }
        if email_proven == Some(false) {
            let message = "An address that is proven stays so.";
            fields.refuse("emailProven", InvalidValue::new("invalid_value", message));
        }
        if status == Some(TenantStatus::Cancelled) {
            let message =
                "A club is cancelled by DELETE on this address, which also takes back what was made for it.";
            fields.refuse("status", InvalidValue::new("use_delete", message));
        }
    }
}

/// Where an operator may put a tenant.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum TenantStatusChange {
    /// Trying it out.
    Trial,
    /// Live.
    Active,
    /// Stopped: its tokens open nothing.
    Suspended,
}

body! {
    /// The webhook that a starter tenant should have had.
    pub struct WebhookCorrectionRequest(hosts: &AllowedHosts) {
        /// The tenant.
        pub tenant: TenantId = required("tenant"),
        /// Where its webhook is.
        pub make_webhook_url: WebhookUrl =
            required_with("make_webhook_url", |text| WebhookUrl::parse(&text, hosts)),
        /// What signs what is sent there; the stored one stays where this is left out.
        #[schema(
            value_type = Option<String>,
            max_length = 200,
            pattern = "^([!-~][ -~]{14,}[!-~])?$",
            example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        )]
        pub webhook_secret: Option<WebhookSecret> = optional("webhook_secret"),
        /// Why; it is written down.
        #[schema(max_length = 500, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
        pub reason: Option<String> = optional_reason("reason"),
    }
}

/// A tenant on its way out.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TenantRemoval {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The run that is undone; `null` while it could not be reached.
    pub run_id: Option<RunId>,
    /// Where that stands.
    pub undo: UndoStatus,
}

/// A webhook that an operator corrected.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct WebhookCorrectionResult {
    /// The tenant.
    pub tenant: TenantId,
    /// Where its webhook is now.
    pub make_webhook_url: String,
    /// Whether a run that had failed on it goes on.
    pub resumed: bool,
    /// That run.
    pub run_id: Option<RunId>,
    /// There when the tenant is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub webhook: Option<WebhookUpdateResult>,
}
