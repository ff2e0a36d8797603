//! Ending sign-ins: one's own, and an operator's revocations.

use axum::Json;
use serde_json::{Value, json};

use crate::{
    app::revocation::Target,
    domain::{Issues, TenantId, issue::Problem},
    ports::{Level, LogLine, Ports},
};

use super::{
    auth::{AnyToken, Caller, PlatformAdmin},
    body::{Fields, OptionalFields},
    context::Context,
    error::ApiError,
};

/// `POST /auth/logout`
#[worker::send]
pub async fn logout<P: Ports>(
    caller: Caller<P, AnyToken>,
    _: OptionalFields,
) -> Result<Json<Value>, ApiError> {
    let revoked = caller.app.log_out(&caller.claims).await.map_err(|error| caller.refused(error))?;
    if !revoked {
        return Err(ApiError::malformed(
            "This token has no id (jti) by which it could be revoked. It ends by itself.",
        ));
    }
    let line = LogLine::new(Level::Info, "token_revoked").with("scope", "token");
    caller.app.log(line.with_some("tenantId", caller.claims.tenant.as_ref().map(TenantId::as_str)));
    Ok(Json(json!({ "success": true })))
}

/// `POST /api/v1/admin/tokens/revoke`
#[worker::send]
pub async fn revoke<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    context: Context,
    mut fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let reason = fields.required_with("reason", reason);
    let jti = fields.optional_text("jti");
    let exp = fields.optional_integer("exp");
    let tenant: Option<TenantId> = fields.optional("tenantId");
    let all = fields.is_true("all");
    let reason = fields.all(reason)?;
    let target = match (jti, tenant, all) {
        (Some(jti), None, false) if jti.len() <= 200 => Target::Token { jti, exp },
        (None, Some(tenant), false) => Target::Tenant(tenant),
        (None, None, true) => Target::All,
        _ => {
            let mut issues = Issues::default();
            issues.push("jti", Problem::new("ambiguous", "Name one of jti, tenantId, or all: true."));
            return Err(ApiError::validation(issues));
        }
    };
    let revoked = caller
        .app
        .revoke(&caller.claims, &target, &reason, context.id.as_str())
        .await
        .map_err(|error| caller.refused(error))?;
    if !revoked {
        return Err(ApiError::tenant_not_found());
    }
    let (scope, tenant) = match &target {
        Target::Token { .. } => ("token", None),
        Target::Tenant(tenant) => ("tenant", Some(tenant.as_str())),
        Target::All => ("all", None),
    };
    let line = LogLine::new(Level::Warn, "token_revoked").with("scope", scope);
    caller.app.log(line.with_some("tenantId", tenant));
    Ok(Json(json!({ "success": true, "data": { "scope": scope } })))
}

/// Why an operator does something: whoever reads the audit log later needs more than a word.
pub(super) fn reason(text: String) -> Result<String, Problem> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(Problem::required()),
        1..=500 => Ok(text.to_owned()),
        _ => Err(Problem::new("too_long", "Use at most 500 characters.")),
    }
}
