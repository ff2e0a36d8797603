//! Mailed links: stored as hashes, good once.

use crate::{
    db::{Db, DbError, Query, Statement, columns},
    domain::{Email, Plan, Slug, TenantId, TenantName, Timestamp, UserId},
};

use super::sessions::NewSession;

/// A mailed link lives a day.
pub const LINK_SECONDS: i64 = 24 * 3600;

/// How many wrong codes burn a mail's code.
pub const CODE_TRIES: u32 = 5;
/// How many wrong codes are looked at for one tenant, over the day that its links live.
pub const MAILBOX_TRIES: u32 = 10;

/// A link that is about to be mailed.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// What is stored of its id.
    pub hash: String,
    /// When it is issued.
    pub issued_at: Timestamp,
    /// What is stored of the code beside it, if there is one.
    pub code_hash: Option<String>,
}

impl NewLink {
    /// Remembers it.
    pub fn insert(&self, tenant: &TenantId) -> Statement {
        Statement::new(
            "insert into magic_links (id, tenant_id, created_at, expires_at, code_hash)
             select ?1, id, ?3, ?4, ?5 from tenants where id = ?2 on conflict do nothing",
            [
                self.hash.as_str().into(),
                tenant.as_str().into(),
                self.issued_at.seconds().into(),
                (self.issued_at.seconds() + LINK_SECONDS).into(),
                self.code_hash.as_deref().into(),
            ],
        )
    }
}

/// Spends a link that was revoked by its id, and the code beside it.
pub fn revoke(hash: &str, now: Timestamp) -> Statement {
    Statement::new(
        "update magic_links set consumed_at = ?2 where id = ?1 and consumed_at is null",
        [hash.into(), now.seconds().into()],
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
    /// When its token says that it was issued, Unix seconds: not before any cut-off.
    pub issued_at: i64,
}

columns! {
    SignedIn: id, name, email, owner_user_id, slug, plan, comped, trial_ends_at, issued_at
}

/// Signs in by what `consume` spends, if it does: of any number of attempts one gets the owner.
pub async fn sign_in(
    db: &impl Db,
    consume: Statement,
    session: &NewSession,
    told: Vec<Statement>,
) -> Result<Option<SignedIn>, DbError> {
    let mut statements = vec![consume, session.by_link()];
    statements.extend(told);
    db.ask((statements, signed_in(session))).await.map(|(_, owner)| owner)
}

/// Spends a link on a sign-in. A link of a stopped tenant, one issued before a cut-off, or one that was revoked by its id, opens nothing.
pub fn consume(tenant: &TenantId, hash: &str, jti: &str, session: &NewSession) -> Statement {
    Statement::new(
        "update magic_links set consumed_at = ?2, session_id = ?4
         where id = ?1 and tenant_id = ?5 and consumed_at is null and expires_at > ?2
           and exists (select 1 from tenants t where t.id = tenant_id and t.status in ('trial', 'active')
                       and max(t.tokens_valid_after, coalesce(
                         (select tokens_valid_after from user_cutoffs where user_id = t.owner_user_id), 0)) <= magic_links.created_at)
           and not exists (select 1 from feature_flags
                           where name = 'tokens_valid_after' and enabled = 1 and value > magic_links.created_at)
           and not exists (select 1 from revoked_tokens where jti = ?3)",
        [
            hash.into(),
            session.now.seconds().into(),
            jti.into(),
            session.id.as_str().into(),
            tenant.as_str().into(),
        ],
    )
}

/// Spends a link on a sign-in by the code beside it: that of the latest mail. `whose` is an address or a slug. A wrong code is counted;
/// so many burn the code, and so many of one tenant every code of that day. `hashes` are what may be stored of the code.
pub fn consume_by_code(whose: &Whose, hashes: &[String], session: &NewSession) -> Statement {
    let (email, slug) = match whose {
        Whose::Email(email) => (Some(email.as_str()), None),
        Whose::Slug(slug) => (None, Some(slug.as_str())),
    };
    Statement::new(
        "update magic_links set
           code_tries = code_tries + (code_hash not in (select value from json_each(?3))),
           consumed_at = iif(code_hash in (select value from json_each(?3)), ?4, null),
           session_id = iif(code_hash in (select value from json_each(?3)), ?5, null)
         where id = (select l.id from tenants t join magic_links l on l.tenant_id = t.id
             where t.id = coalesce((select id from tenants where email = ?1), (select id from tenants where slug = ?2))
               and t.status in ('trial', 'active') and l.code_hash is not null
               and l.created_at >= max(t.tokens_valid_after,
                 coalesce((select value from feature_flags where name = 'tokens_valid_after' and enabled = 1), 0),
                 coalesce((select tokens_valid_after from user_cutoffs where user_id = t.owner_user_id), 0))
             order by l.created_at desc, l.consumed_at is null desc, l.id desc limit 1)
           and consumed_at is null and expires_at > ?4 and code_tries < ?6
           and ?7 > (select coalesce(sum(tried.code_tries), 0) from magic_links tried
             where tried.tenant_id = magic_links.tenant_id and tried.code_tries > 0 and tried.expires_at > ?4)",
        [
            email.into(),
            slug.into(),
            serde_json::json!(hashes).to_string().into(),
            session.now.seconds().into(),
            session.id.as_str().into(),
            CODE_TRIES.into(),
            MAILBOX_TRIES.into(),
        ],
    )
}

/// Whose code was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// The owner's with this address.
    Email(Email),
    /// The owner's of the tenant with this name in addresses.
    Slug(String),
}

/// Whom a sign-in that has just spent a link signed in.
fn signed_in(session: &NewSession) -> Query<Option<SignedIn>> {
    Query::optional(Statement::new(
        "select t.id, t.name, t.email, t.owner_user_id, t.slug, t.plan, t.comped, t.trial_ends_at, s.created_at as issued_at
         from sessions s join tenants t on t.id = s.tenant_id where s.id = ?1 and t.email is not null",
        [session.id.as_str().into()],
    ))
}
