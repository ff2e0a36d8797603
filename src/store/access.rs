//! Whether a verified token still admits its holder: the first statement of every authenticated batch.
//!
//! It raises if not, and a batch is one transaction: whatever follows it, read or write, is done for those who are
//! admitted or not at all. No statement needs a guard of its own.

use crate::{db::Statement, domain::Claims};

/// Raises if the token admits nobody any more: revoked, issued before a cut-off, or of a tenant that is stopped or
/// gone.
#[must_use]
pub fn gate(claims: &Claims) -> Statement {
    // What is raised depends on a row, or SQLite would compute it once, ahead, and raise always.
    Statement::new(
        "select case when
             exists (select 1 from revoked_tokens where jti = ?1)
             or coalesce((select value from feature_flags where name = 'tokens_valid_after' and enabled = 1), 0) > ?3
             or coalesce(t.tokens_valid_after, 0) > ?3
             or (?2 is not null and coalesce(t.status, 'cancelled') not in ('trial', 'active'))
           then json('refused ' || one) end
         from (select 1 as one) left join tenants t on t.id = ?2",
        [
            claims.jti.as_deref().into(),
            claims.tenant.as_ref().map(|t| t.as_str()).into(),
            claims.iat.unwrap_or(0).into(),
        ],
    )
}
