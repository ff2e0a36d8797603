//! Mailed links: stored as hashes, good once.

use crate::{
    db::{Db, DbError, Query, Statement, columns},
    domain::{Email, Plan, Slug, TenantId, TenantName, Timestamp, UserId},
};

/// A mailed link lives a day.
pub const LINK_SECONDS: i64 = 24 * 3600;

/// Remembers a link that is about to be mailed.
pub fn insert(tenant: &TenantId, hash: &str, issued_at: Timestamp) -> Statement {
    Statement::new(
        "insert into magic_links (id, tenant_id, created_at, expires_at)
         select ?1, id, ?3, ?4 from tenants where id = ?2 on conflict do nothing",
        [
            hash.into(),
            tenant.as_str().into(),
            issued_at.seconds().into(),
            (issued_at.seconds() + LINK_SECONDS).into(),
        ],
    )
}

/// The tenant that a link signs in to, and whom.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The tenant.
    pub id: TenantId,
    /// Its name.
    pub name: TenantName,
    /// Where its owner gets mail.
    pub email: Email,
    /// Its owner.
    pub owner_user_id: UserId,
    /// Its name in addresses.
    pub slug: Option<Slug>,
    /// Its plan.
    pub plan: Plan,
    /// Whether it pays nothing.
    pub comped: bool,
    /// When its trial ends, Unix seconds.
    pub trial_ends_at: i64,
    /// Tokens issued before this are refused, Unix seconds.
    pub tokens_valid_after: i64,
}

columns! {
    SignedIn: id, name, email, owner_user_id, slug, plan, comped, trial_ends_at, tokens_valid_after
}

/// Spends a link: of any number of attempts one gets the owner. A link of a stopped tenant, one issued before the
/// tenant's cut-off, or one that was revoked by its id, opens nothing.
pub async fn consume(
    db: &impl Db,
    hash: &str,
    jti: &str,
    now: Timestamp,
) -> Result<Option<SignedIn>, DbError> {
    let consume = Statement::new(
        "update magic_links set consumed_at = ?2
         where id = ?1 and consumed_at is null and expires_at > ?2
           and exists (select 1 from tenants t where t.id = tenant_id and t.status in ('trial', 'active')
                       and t.tokens_valid_after <= magic_links.created_at)
           and not exists (select 1 from feature_flags
                           where name = 'tokens_valid_after' and enabled = 1 and value > magic_links.created_at)
           and not exists (select 1 from revoked_tokens where jti = ?3)
         returning tenant_id",
        [hash.into(), now.seconds().into(), jti.into()],
    );
    let owner = Statement::new(
        "select t.id, t.name, t.email, t.owner_user_id, t.slug, t.plan, t.comped, t.trial_ends_at, max(t.tokens_valid_after, coalesce(
           (select value from feature_flags where name = 'tokens_valid_after' and enabled = 1), 0)) as tokens_valid_after
         from magic_links l join tenants t on t.id = l.tenant_id where l.id = ?1 and t.email is not null",
        [hash.into()],
    );
    let (spent, owner) = db.ask((Query::<Option<TenantId>>::scalar(consume), Query::optional(owner))).await?;
    Ok(owner.filter(|_| spent.is_some()))
}
