//! Revoking tokens: one, a tenant's, or all.

use crate::{
    db::Statement,
    domain::{TenantId, Timestamp, UserId},
};

use super::signups::KEY_SECONDS;

/// The longest life of any token: what a revocation without an end is remembered for.
const LONGEST_LIFE_SECONDS: i64 = 366 * 24 * 3600;
/// The greatest skew that a token may use after its end.
const SKEW_SECONDS: i64 = 300;

/// Whose a revoked token is, as far as anybody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenOwner<'a> {
    /// A tenant's.
    Tenant(&'a TenantId),
    /// No tenant's: an operator's, or a machine's.
    NoTenants,
    /// Some tenant's, perhaps: until more is known it counts as every tenant's that there is.
    Unknown,
}

impl TokenOwner<'_> {
    fn stored(&self) -> Option<&str> {
        match self {
            Self::Tenant(tenant) => Some(tenant.as_str()),
            Self::NoTenants => Some(""),
            Self::Unknown => None,
        }
    }
}

/// Revokes one token, and remembers it until `until`, Unix seconds. It is remembered at least as long as a signup can be
/// replayed: no replay returns a token afterwards.
pub fn revoke(jti: &str, whose: TokenOwner<'_>, until: i64, reason: &str, now: Timestamp) -> Statement {
    let until = until.saturating_add(SKEW_SECONDS).max(now.seconds().saturating_add(KEY_SECONDS));
    Statement::new(
        "insert into revoked_tokens (jti, tenant_id, reason, revoked_at, expires_at) values (?1, ?2, ?3, ?4, ?5)
         on conflict (jti) do update set expires_at = max(expires_at, excluded.expires_at)",
        [
            jti.into(),
            whose.stored().into(),
            reason.into(),
            now.seconds().into(),
            until.clamp(0, 1 << 52).into(),
        ],
    )
}

/// How long to remember a revocation of a token whose end somebody told: at least as long as any token lives, for they may
/// be wrong, and a revocation that is forgotten brings the token back.
pub fn remembered_until(told: Option<i64>, now: Timestamp) -> i64 {
    told.unwrap_or(0).max(now.seconds().saturating_add(LONGEST_LIFE_SECONDS))
}

/// Revokes every token that a tenant was issued up to now. Those issued in the next second and later work: a second is
/// as exactly as a token says when it was issued. Where one was revoked in this very second, tokens issued since then say the
/// next: revoking again goes a second further.
pub fn revoke_tenant(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set tokens_valid_after = (
           select max(?2, cut_off + (cut_off >= ?2)) from (select max(tokens_valid_after, coalesce(
             (select value from feature_flags where name = 'tokens_valid_after' and enabled = 1), 0)) as cut_off))
         where id = ?1",
        [tenant.as_str().into(), (now.seconds() + 1).into()],
    )
}

/// Revokes every token that this person was issued up to now, if there is such a person: the owner of a tenant, or one of its people.
/// Where that was done in this very second, it goes a second further, as for a tenant.
pub fn revoke_user(user: &UserId, now: Timestamp) -> Statement {
    Statement::new(
        "insert into user_cutoffs (user_id, tokens_valid_after, updated_at)
         select ?1, ?2, ?3 where exists (select 1 from tenants where owner_user_id = ?1)
           or exists (select 1 from auth_users where id = ?1)
         on conflict (user_id) do update set
           tokens_valid_after = max(tokens_valid_after + (tokens_valid_after >= excluded.tokens_valid_after),
             excluded.tokens_valid_after), updated_at = excluded.updated_at",
        [user.as_str().into(), (now.seconds() + 1).into(), now.seconds().into()],
    )
}

/// Revokes every token that anybody was issued up to now.
pub fn revoke_all(now: Timestamp) -> Statement {
    Statement::new(
        "insert into feature_flags (name, enabled, value, updated_at) values ('tokens_valid_after', 1, ?1, ?2)
         on conflict (name) do update set enabled = 1,
           value = max(coalesce(value, 0) + (enabled = 1 and coalesce(value, 0) >= excluded.value), excluded.value),
           updated_at = excluded.updated_at",
        [(now.seconds() + 1).into(), now.seconds().into()],
    )
}
