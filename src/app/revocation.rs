//! Revoking tokens, and ending a sign-in.

use crate::{
    db::Answer,
    domain::{Claims, TenantId, UserId, token_id},
    ports::Ports,
    store::{self, tokens::TokenOwner},
};

use super::{App, access, access::AccessError, digest, sessions};

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
    /// Every one that a person was issued up to now.
    User(UserId),
    /// Every one that anybody was issued up to now.
    All,
}

impl Target {
    fn subject(&self) -> String {
        match self {
            Self::Token { jti, .. } => format!("token:{jti}"),
            Self::Tenant(tenant) => tenant.to_string(),
            Self::User(user) => user.to_string(),
            Self::All => "all".to_owned(),
        }
    }
}

/// Revokes tokens on behalf of an operator, and writes down who did it, and why. Answers whether there was anything
/// to revoke: there is not for a tenant, or a person, that does not exist.
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
        Target::User(user) => store::tokens::revoke_user(user, now),
        Target::All => store::tokens::revoke_all(now),
    };
    let audit_context = access::audit_context(app, claims, reason, request);
    let audit = store::audit::write(&audit_context, "tokens.revoke", &target.subject());
    // A link is known by its id, too. The code beside it ends with it.
    let mut batch = vec![revocation, audit];
    if let Target::Token { jti, .. } = target {
        batch.push(store::magic_links::revoke(&digest(&[jti]), now));
    }
    let answers = access::on_behalf_of(app, claims, batch).await?;
    Ok(answers.first().is_some_and(Answer::has_changed))
}

/// Revokes the caller's own token, and ends the sign-in that it came of. One without an id can't be told from others, and is left to its end: `false`.
pub async fn log_out<P: Ports>(app: &App<P>, claims: &Claims) -> Result<bool, AccessError> {
    let Some(jti) = claims.jti.as_deref().filter(|jti| token_id::tells_apart(jti)) else {
        return Ok(false);
    };
    let statements = sessions::log_out(claims, jti, app.ports.now());
    access::on_behalf_of(app, claims, statements).await.map(|_| true)
}
