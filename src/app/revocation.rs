//! Revoking tokens, and ending a sign-in.

use crate::{
    domain::{Claims, TenantId, token_id},
    ports::Ports,
    store::{self, tokens::TokenOwner},
};

use super::{App, access, access::AccessError};

/// Which tokens an operator revokes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One.
    Token {
        /// Its id.
        jti: String,
        /// When it ends as far as the operator knows, Unix seconds.
        exp: Option<i64>,
    },
    /// Every one that a tenant was issued up to now.
    Tenant(TenantId),
    /// Every one that anybody was issued up to now.
    All,
}

impl Target {
    fn subject(&self) -> String {
        match self {
            Self::Token { jti, .. } => format!("token:{jti}"),
            Self::Tenant(tenant) => tenant.to_string(),
            Self::All => "all".to_owned(),
        }
    }
}

/// Revokes tokens on behalf of an operator, and writes down who did it, and why. Answers whether there was anything
/// to revoke: there is not for a tenant that does not exist.
pub async fn revoke<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    target: &Target,
    reason: &str,
    request: &str,
) -> Result<bool, AccessError> {
    let now = app.ports.now();
    let revocation = match target {
        Target::Token { jti, exp } => {
            let until = store::tokens::remembered_until(*exp, now);
            let tenant = token_id::tenant_of(jti);
            let whose = tenant.as_ref().map_or(TokenOwner::Unknown, TokenOwner::Tenant);
            store::tokens::revoke(jti, whose, until, reason, now)
        }
        Target::Tenant(tenant) => store::tokens::revoke_tenant(tenant, now),
        Target::All => store::tokens::revoke_all(now),
    };
    let audit_context = access::audit_context(app, claims, reason, request);
    let audit = store::audit::write(&audit_context, "tokens.revoke", &target.subject());
    let [revoked, _] = access::on_behalf_of(app, claims, [revocation, audit]).await?;
    Ok(revoked.has_changed())
}

/// Revokes the caller's own token. One without an id can't be told from others, and is left to its end: `false`.
pub async fn log_out<P: Ports>(app: &App<P>, claims: &Claims) -> Result<bool, AccessError> {
    let Some(jti) = claims.jti.as_deref().filter(|jti| token_id::tells_apart(jti)) else {
        return Ok(false);
    };
    let now = app.ports.now();
    let whose = claims.tenant.as_ref().map_or(TokenOwner::NoTenants, TokenOwner::Tenant);
    let revocation = store::tokens::revoke(jti, whose, claims.exp, "logout", now);
    access::on_behalf_of(app, claims, revocation).await.map(|_| true)
}
