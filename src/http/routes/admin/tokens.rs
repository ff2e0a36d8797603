//! Operators' revocations.

use serde::Serialize;

use crate::{
    app::{self, revocation::Target},
    domain::{FieldErrors, TenantId, UserId, field_errors::InvalidValue, text, token_id},
    http::{
        answer::{Data, Json, data},
        auth::{Authenticated, PlatformAdmin},
        body::{Fields, body},
        context::Context,
        error::ApiError,
    },
    ports::{Level, LogLine, Ports},
};

/// `POST /api/v1/admin/tokens/revoke`
#[worker::send]
pub async fn revoke<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    context: Context,
    fields: Fields,
) -> Result<Json<Data<RevocationResult>>, ApiError> {
    let RevokeTokensRequest { reason, jti, exp, tenant_id, user_id, all } =
        fields.read(RevokeTokensRequest::read)?;
    let target = match (jti, tenant_id, user_id, all == Some(true)) {
        (Some(jti), None, None, false) if jti.len() <= 200 => Target::Token { jti, exp },
        (None, Some(tenant), None, false) => Target::Tenant(tenant),
        (None, None, Some(user), false) => Target::User(user),
        (None, None, None, true) => Target::All,
        _ => {
            let mut issues = FieldErrors::default();
            issues.push(
                "jti",
                InvalidValue::new("ambiguous", "Name one of jti, tenantId, userId, or all: true."),
            );
            return Err(ApiError::validation(issues));
        }
    };
    let revoked =
        app::revocation::revoke(&caller.app, &caller.claims, &target, reason.as_str(), context.id.as_str())
            .await
            .map_err(|error| caller.refused(error))?;
    if !revoked {
        return Err(match target {
            Target::User(_) => ApiError::user_not_found(),
            _ => ApiError::tenant_not_found(),
        });
    }
    let (scope, tenant, user) = match &target {
        Target::Token { .. } => (Scope::Token, None, None),
        Target::Tenant(tenant) => (Scope::Tenant, Some(tenant.as_str()), None),
        Target::User(user) => (Scope::User, None, Some(user.as_str())),
        Target::All => (Scope::All, None, None),
    };
    let line = LogLine::new(Level::Warn, "token_revoked").with("scope", scope.as_str());
    caller.app.log(line.with_some("tenantId", tenant).with_some("userId", user));
    Ok(data(RevocationResult { scope }))
}

body! {
    /// What to revoke: one token, those of one tenant or of one person, or all; exactly one of `jti`, `tenantId`, `userId` and `all`.
    pub struct RevokeTokensRequest {
        /// Why; it is written down.
        pub reason: Reason = required("reason"),
        /// The id of one token, as `/whoami` says it.
        #[schema(
            max_length = 200,
            pattern = "^[A-Za-z0-9._~:+/=@-]*$",
            example = "01a3185c80397978a1c17e7efb610b25"
        )]
        pub jti: Option<String> = unless_empty("jti", token_id::parse),
        /// When that token ends by itself, Unix seconds: until then its id is remembered.
        pub exp: Option<i64> = optional_integer("exp"),
        /// The tenant whose tokens, as issued until now, are revoked.
        #[schema(
            value_type = Option<String>,
            max_length = 64,
            pattern = "^(tenant_[A-Za-z0-9_-]+)?$",
            example = "tenant_01a3185c80397978a1c17e7efb610b25"
        )]
        pub tenant_id: Option<TenantId> = optional("tenantId"),
        /// The person whose tokens, as issued until now, are revoked: the `sub` that `/whoami` says.
        #[schema(
            value_type = Option<String>,
            max_length = 64,
            pattern = "^(user_[A-Za-z0-9_-]+)?$",
            example = "user_01a3185c80397978a1c17e7efb610b25"
        )]
        pub user_id: Option<UserId> = optional("userId"),
        /// `true` revokes every token issued until now.
        pub all: Option<bool> = optional_flag("all"),
    }
}

/// Why an operator does something, for whoever reads the audit log later.
#[derive(Debug)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(utoipa::ToSchema),
    schema(
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f\xad][^\x00-\x1f\x7f-\x9f]*$",
        example = "asked by the club"
    )
)]
pub struct Reason(String);

impl Reason {
    /// The reason as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Reason {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text::line(&text, 500).map(Self)
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.0
    }
}

/// What was revoked.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RevocationResult {
    /// How much.
    pub scope: Scope,
}

/// How much was revoked.
#[derive(Debug, Clone, Copy, Serialize, strum::IntoStaticStr)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema), schema(as = RevocationScope))]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "snake_case")]
pub enum Scope {
    /// One token.
    Token,
    /// Those of one tenant.
    Tenant,
    /// Those of one person.
    User,
    /// All of them.
    All,
}

impl Scope {
    fn as_str(self) -> &'static str {
        self.into()
    }
}
