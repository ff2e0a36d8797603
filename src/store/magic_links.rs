//! Mailed links: stored as hashes, good once.

use crate::{
    db::{Query, Statement, Value, columns},
    domain::{Email, Plan, Slug, TenantId, TenantName, TenantStatus, Timestamp, UserId},
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
    /// Whom it signs in; none for the first owner.
    pub user: Option<String>,
    /// Whether it opens any tenant that its reader belongs to.
    pub chooses: bool,
}

impl NewLink {
    /// Remembers it.
    pub fn insert(&self, tenant: &TenantId) -> Statement {
        Statement::new(
            "insert into magic_links (id, tenant_id, created_at, expires_at, code_hash, user_id, chooses)
             select ?1, id, ?3, ?4, ?5, ?6, ?7 from tenants where id = ?2 on conflict do nothing",
            [
                self.hash.as_str().into(),
                tenant.as_str().into(),
                self.issued_at.seconds().into(),
                (self.issued_at.seconds() + LINK_SECONDS).into(),
                self.code_hash.as_deref().into(),
                self.user.as_deref().into(),
                self.chooses.into(),
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

/// The tenant that somebody signs in to, and who.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The tenant.
    pub id: TenantId,
    /// Its name.
    pub name: TenantName,
    /// Its own address: where its first owner gets mail.
    pub email: Email,
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
    /// Who.
    pub user_id: UserId,
    /// Where they get mail.
    pub user_email: Email,
    /// What they may do, as JSON.
    pub roles: String,
}

columns! {
    SignedIn: id, name, email, slug, plan, comped, trial_ends_at, issued_at, user_id, user_email, roles
}

/// One of several tenants that a person may sign in to.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Which.
    pub tenant_id: TenantId,
    /// Its name in addresses.
    pub slug: Option<Slug>,
    /// Its name.
    pub name: TenantName,
    /// Where it stands.
    pub status: TenantStatus,
    /// Who the person is there.
    pub user_id: UserId,
    /// What they may do there, as JSON.
    pub roles: String,
}

columns! { Choice: tenant_id, slug, name, status, user_id, roles }

/// What somebody shows to sign in.
#[derive(Debug, Clone)]
pub enum Given {
    /// A link: where it was made for, its hash, and its own id.
    Link(TenantId, String, String),
    /// The code of the latest mail, and whose: what may be stored of it.
    Code(Whose, Vec<String>),
}

/// Whose code was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// Somebody's with this address.
    Email(Email),
    /// The first owner's of the tenant with this name in addresses.
    Slug(String),
}

impl Given {
    /// `?1` to `?11` of `with_link!` and `link!`.
    fn params(&self, session: &NewSession, wanted: Option<&TenantId>) -> [Value; 11] {
        let (mut hash, mut email, mut slug, mut hashes, mut jti, mut home) =
            (None, None, None, None, None, None);
        match self {
            Self::Link(tenant, link, id) => {
                (home, hash, jti) = (Some(tenant.as_str()), Some(link.as_str()), Some(id.as_str()));
            }
            Self::Code(whose, stored) => {
                hashes = Some(serde_json::json!(stored).to_string());
                match whose {
                    Whose::Email(address) => email = Some(address.as_str()),
                    Whose::Slug(name) => slug = Some(name.as_str()),
                }
            }
        }
        [
            hash.into(),
            email.into(),
            slug.into(),
            session.now.seconds().into(),
            session.id.as_str().into(),
            wanted.map(TenantId::as_str).into(),
            hashes.into(),
            jti.into(),
            CODE_TRIES.into(),
            MAILBOX_TRIES.into(),
            home.into(),
        ]
    }
}

/// The link that is shown, or that of the latest mail with a code, to the first owner of a tenant or to another of its people.
macro_rules! link {
    () => {
        "coalesce(?1, (select id from (
             select * from (select l.id, l.created_at, l.consumed_at is null as is_open from tenants t join magic_links l on l.tenant_id = t.id
               where t.id = coalesce((select id from tenants where email = ?2), (select id from tenants where slug = ?3))
                 and l.code_hash is not null and coalesce(l.user_id, t.owner_user_id) = t.owner_user_id
               order by l.created_at desc, is_open desc, l.id desc limit 1)
             union all
             select * from (select l.id, l.created_at, l.consumed_at is null as is_open from auth_users u join magic_links l on l.user_id = u.id
               where u.email = ?2 and l.code_hash is not null order by l.created_at desc, is_open desc, l.id desc limit 1)
             order by created_at desc, is_open desc, id desc limit 1)))"
    };
}

/// How many wrong codes of `magic_links` as `l` were tried that day, whichever mail they were for.
macro_rules! tried {
    () => {
        "(select coalesce(sum(tried.code_tries), 0) from magic_links tried join tenants home on home.id = tried.tenant_id
            where tried.tenant_id = l.tenant_id and tried.code_tries > 0 and tried.expires_at > ?4
              and coalesce(tried.user_id, home.owner_user_id) = coalesce(l.user_id, home.owner_user_id))"
    };
}

/// What comes before `$statement`: `the_link` that was shown, if it still counts, with the address that it was mailed to; and
/// `the_person` who reads that address, in each of their tenants.
macro_rules! with_link {
    ($statement:literal) => {
        concat!(
            "with the_link as materialized (
               select l.id, l.tenant_id, l.created_at, l.chooses, iif(l.user_id is null, t.email, u.email) as address
               from magic_links l join tenants t on t.id = l.tenant_id
                 left join auth_users u on u.id = l.user_id and u.tenant_id = l.tenant_id
               where l.id = ",
            link!(),
            " and l.consumed_at is null and l.expires_at > ?4 and coalesce(?11, l.tenant_id) = l.tenant_id
                 and not exists (select 1 from feature_flags
                   where name = 'tokens_valid_after' and enabled = 1 and value > l.created_at)
                 and not exists (select 1 from revoked_tokens where jti = ?8)
                 and (?7 is null or l.code_hash in (select value from json_each(?7)) and l.code_tries < ?9 and ?10 > ",
            tried!(),
            ")),
             the_person as materialized (
               select u.tenant_id, u.id as user_id from the_link cross join auth_users u on u.email = the_link.address
                 join tenants t on t.id = u.tenant_id
               where instr(u.roles, '\"tenant_admin\"') > 0 and t.status in ('trial', 'active') and t.undo_state is null
               union
               select t.id, t.owner_user_id from the_link cross join tenants t on t.email = the_link.address
               where t.status in ('trial', 'active') and t.undo_state is null)
             ",
            $statement
        )
    };
}

/// Counts a wrong code: five burn the code, and ten of one mailbox every code of that day.
pub fn miscount(given: &Given, session: &NewSession) -> Option<Statement> {
    let Given::Code(..) = given else { return None };
    let [_, email, slug, now, _, _, hashes, _, tries, mailbox, _] = given.params(session, None);
    Some(Statement::new(
        concat!(
            "update magic_links as l set code_tries = code_tries + 1
             where l.id = ",
            link!(),
            " and l.consumed_at is null and l.expires_at > ?4 and l.code_tries < ?6
               and l.code_hash not in (select value from json_each(?5)) and ?7 > ",
            tried!()
        ),
        [Value::Null, email, slug, now, hashes, tries, mailbox],
    ))
}

/// Spends a link, or the code beside it, on a sign-in to the tenant that is wanted; without one, to the only one that it opens. A link of a
/// stopped tenant, one issued before a cut-off, or one that was revoked by its id, opens nothing. Of any number of attempts one does.
pub fn consume(given: &Given, wanted: Option<&TenantId>, session: &NewSession) -> Statement {
    Statement::new(
        with_link!(
            "update magic_links set consumed_at = ?4, session_id = ?5, tenant_id = the_target.tenant_id,
               user_id = the_target.user_id
             from (select the_link.id, the_person.tenant_id, the_person.user_id
               from the_link cross join the_person cross join tenants t on t.id = the_person.tenant_id
               where +the_person.tenant_id = case when the_link.chooses = 0 then the_link.tenant_id else coalesce(?6,
                   (select iif(count(*) = 1, min(tenant_id), null) from the_person)) end
                 and (the_link.chooses = 1 or coalesce(?6, the_link.tenant_id) = the_link.tenant_id)
                 and max(t.tokens_valid_after, coalesce((select tokens_valid_after from user_cutoffs
                   where user_id = the_person.user_id), 0)) <= the_link.created_at
               limit 1) the_target
             where magic_links.id = the_target.id "
        ),
        given.params(session, wanted),
    )
}

/// The tenants among which the holder of a link, or of the code beside it, has to choose; none once it is spent.
pub fn choices(given: &Given, session: &NewSession) -> Query<Vec<Choice>> {
    Query::rows(Statement::new(
        with_link!(
            "select t.id as tenant_id, t.slug, t.name, t.status, the_person.user_id,
               coalesce((select roles from auth_users where id = the_person.user_id), '[\"tenant_admin\",\"owner\"]') as roles
             from the_link cross join the_person cross join tenants t on t.id = the_person.tenant_id
             where the_link.chooses = 1 and ?5 <> '' and ?6 is null order by t.name, t.id "
        ),
        given.params(session, None),
    ))
}

/// Whom a sign-in that was just written down signed in.
pub fn signed_in(session: &NewSession) -> Query<Option<SignedIn>> {
    Query::optional(Statement::new(
        "select t.id, t.name, t.email, t.slug, t.plan, t.comped, t.trial_ends_at, s.created_at as issued_at, s.user_id,
           coalesce(u.email, t.email) as user_email, coalesce(u.roles, '[\"tenant_admin\",\"owner\"]') as roles
         from sessions s join tenants t on t.id = s.tenant_id left join auth_users u on u.id = s.user_id and u.tenant_id = t.id
         where s.id = ?1 and t.email is not null",
        [session.id.as_str().into()],
    ))
}
