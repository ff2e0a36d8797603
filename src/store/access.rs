//! Whether a verified token still admits its holder: the first statement of every authenticated batch.

use serde::Deserialize;

use crate::{
    db::{Answer, DbError, Statement},
    domain::{Claims, Denial, TenantStatus},
};

use super::flag;

/// What the database knows against a token.
#[derive(Debug, Deserialize)]
struct Row {
    #[serde(deserialize_with = "flag")]
    revoked: bool,
    valid_after: i64,
    status: Option<TenantStatus>,
}

/// Asks what the database knows against the token.
#[must_use]
pub fn statement(claims: &Claims) -> Statement {
    Statement::new(
        "select
           exists (select 1 from revoked_tokens where jti = ?1) as revoked,
           max(coalesce(t.tokens_valid_after, 0),
               coalesce((select value from feature_flags where name = 'tokens_valid_after' and enabled = 1), 0)
           ) as valid_after,
           t.status as status
         from (select 1) left join tenants t on t.id = ?2",
        [claims.jti.as_deref().into(), claims.tenant.as_ref().map(|t| t.as_str()).into()],
    )
}

/// Reads the answer to [`statement`].
///
/// # Errors
///
/// The outer error when the answer can't be read; the inner one when the token admits nobody any more: revoked,
/// issued before a cut-off, or of a tenant that is stopped or gone.
pub fn verdict(claims: &Claims, answer: Answer) -> Result<Result<(), Denial>, DbError> {
    let row: Row = answer.first()?.ok_or_else(|| DbError::Corrupt("no access row".to_owned()))?;
    let cut_off = claims.iat.unwrap_or(0) < row.valid_after;
    let stopped = claims.tenant.is_some() && !row.status.is_some_and(TenantStatus::lets_in);
    Ok(if row.revoked || cut_off || stopped { Err(Denial::TokenRevoked) } else { Ok(()) })
}

/// The guard that goes into every authenticated write, as SQL over `tenants t`: the write does nothing where
/// [`verdict`] refuses. `?1` is the tenant, `?2` the token's `jti`, `?3` its `iat`.
macro_rules! admitted {
    () => {
        "t.id = ?1 and t.status in ('trial', 'active') and t.tokens_valid_after <= ?3
         and not exists (select 1 from revoked_tokens where jti = ?2)
         and not exists (select 1 from feature_flags
                         where name = 'tokens_valid_after' and enabled = 1 and value > ?3)"
    };
}
pub(crate) use admitted;
