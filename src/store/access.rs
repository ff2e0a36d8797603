//! Whether a verified token still admits its holder: the first statement of every authenticated batch.
//!
//! It aborts the batch if not, and a batch is one transaction. Whatever follows, read or write, is done for admitted
//! callers or not at all. No other statement needs a guard.

use crate::{db::Statement, domain::Claims};

/// What a token is to admit its holder to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Whatever its permissions are.
    Any,
    /// To see how far its tenant is. The token of a signup admits to this to its end, even after its tenant's address was proven and
    /// it admits to nothing else: whoever signed up elsewhere than they proved the address watches it go on.
    Progress,
}

/// Aborts the batch if the token is revoked, was issued before a cut-off, came of a sign-in that was ended, or belongs to a tenant
/// that is stopped or gone. Tokens from before the proof of an address end with it. The proof's own cut-off is the moment of the
/// proof, as long as nothing was revoked before it or since.
pub fn auth_guard(claims: &Claims, purpose: Purpose) -> Statement {
    // What is raised depends on a row, or SQLite would compute it once, ahead, and raise always.
    Statement::new(
        "select case when
             exists (select 1 from revoked_tokens where jti = ?1)
             or coalesce((select value from feature_flags where name = 'tokens_valid_after' and enabled = 1), 0) > ?3
             or (coalesce(t.tokens_valid_after, 0) > ?3 and not (?5 and t.tokens_valid_after is t.email_proven_at))
             or (?4 and not ?5 and t.unproven_email is null)
             or coalesce((select tokens_valid_after from user_cutoffs where user_id = ?6), 0) > ?3
             or (?7 is not null
               and not exists (select 1 from sessions where id = ?7 and tenant_id = ?2 and ended_at is null))
             or (?2 is not null and coalesce(t.status, 'cancelled') not in ('trial', 'active'))
           then json('refused ' || one) end
         from (select 1 as one) left join tenants t on t.id = ?2",
        [
            claims.jti.as_deref().into(),
            claims.tenant.as_ref().map(|t| t.as_str()).into(),
            claims.iat.unwrap_or(0).into(),
            claims.unproven.into(),
            (claims.unproven && purpose == Purpose::Progress).into(),
            claims.sub.as_deref().into(),
            claims.session.as_ref().map(|session| session.as_str()).into(),
        ],
    )
}
