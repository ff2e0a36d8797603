//! Sign-ins: each is a row that its tenant can see and end.

use serde::{Deserialize, Serialize};

use crate::{
    db::{Query, Statement, columns},
    domain::{
        Browser, SessionId, TenantId, Time, Timestamp,
        browser::{Family, Platform},
        words,
    },
};

use super::events::Cursor;

words! {
    /// How somebody signed in.
    How as "SignInMethod" {
        /// By a mailed link.
        Link = "link",
        /// By the code in the mail.
        Code = "code",
        /// By what proved the address.
        Proof = "proof",
    }
}

/// For how long a sign-in lasts that is not used.
pub const SESSION_SECONDS: i64 = 7 * 24 * 3600;
/// For how long one lasts at the most, used or not. A revocation is remembered for longer than that.
pub const LONGEST_SECONDS: i64 = 365 * 24 * 3600;
/// A sign-in that is used is renewed once a day.
pub const RENEWED_AFTER_SECONDS: i64 = 24 * 3600;
/// How far clocks may differ.
const SKEW_SECONDS: i64 = 300;

/// A sign-in that is about to be written down.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// How.
    pub how: How,
    /// Whether its token is a cookie of the pages.
    pub is_cookie: bool,
    /// By which browser.
    pub browser: Browser,
    /// When.
    pub now: Timestamp,
}

/// Its tokens say the second after a cut-off in this very second.
macro_rules! insert {
    ($from:literal) => {
        concat!(
            "insert into sessions (id, tenant_id, user_id, how, cookie, browser, platform, created_at, seen_at, expires_at)
             select ?1, id, owner_user_id, ?2, ?3, ?4, ?5, issued_at, ?6, issued_at + ?7
             from (select t.id, t.owner_user_id, max(?6, t.tokens_valid_after,
                 coalesce((select value from feature_flags where name = 'tokens_valid_after' and enabled = 1), 0),
                 coalesce((select tokens_valid_after from user_cutoffs where user_id = t.owner_user_id), 0)) as issued_at
               from ",
            $from,
            ")"
        )
    };
}

impl NewSession {
    /// Writes it down, if it has just spent a link.
    pub fn by_link(&self) -> Statement {
        self.insert(
            insert!("magic_links l join tenants t on t.id = l.tenant_id where l.session_id = ?1"),
            None,
        )
    }

    /// Writes it down, if this tenant's address has just been proven in the same batch: what proves it is not forgotten yet.
    pub fn by_proof(&self, tenant: &TenantId) -> Statement {
        self.insert(
            insert!(
                "tenants t where t.id = ?8 and t.email_proven_at = ?6
                   and exists (select 1 from email_proofs where tenant_id = t.id)"
            ),
            Some(tenant),
        )
    }

    fn insert(&self, sql: &'static str, tenant: Option<&TenantId>) -> Statement {
        let mut params = vec![
            self.id.as_str().into(),
            self.how.as_str().into(),
            self.is_cookie.into(),
            self.browser.family.as_str().into(),
            self.browser.platform.as_str().into(),
            self.now.seconds().into(),
            SESSION_SECONDS.into(),
        ];
        params.extend(tenant.map(|tenant| tenant.as_str().into()));
        Statement { sql, params }
    }
}

/// A sign-in of the tenant that still opens something.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whether it is the one that asks.
    pub current: bool,
    /// How somebody signed in.
    pub how: How,
    /// What it is held by.
    pub credential: Credential,
    /// By which browser, as far as it says.
    pub browser: Family,
    /// On what.
    pub platform: Platform,
    /// When.
    pub created_at: Time,
    /// When it was last used, to a day.
    pub last_seen_at: Time,
    /// When it ends by itself. A page's is moved on once a day while it is used, for a year at the most.
    pub expires_at: Time,
}

columns! {
    Session: id, current, how, credential, browser, platform, created_at, last_seen_at = "seen_at", expires_at
}

/// What a sign-in is held by.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema), schema(as = SessionCredential))]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// A cookie of the pages.
    Cookie,
    /// A token that was answered: an app's.
    Token,
}

/// The sign-ins of a tenant that still open something, the latest first. `not_before` is the configuration's own cut-off,
/// `own` is the one that asks.
pub fn list(
    tenant: &TenantId,
    before: Option<&Cursor>,
    limit: u32,
    not_before: i64,
    own: Option<&SessionId>,
    now: Timestamp,
) -> Query<Vec<Session>> {
    Query::rows(Statement::new(
        "select s.id, s.id is ?7 as current, s.how, iif(s.cookie, 'cookie', 'token') as credential, s.browser, s.platform,
           s.created_at, s.seen_at, s.expires_at
         from sessions s join tenants t on t.id = s.tenant_id
         where s.tenant_id = ?1 and s.ended_at is null and s.expires_at > ?5
           and s.created_at >= max(?6, t.tokens_valid_after,
             coalesce((select value from feature_flags where name = 'tokens_valid_after' and enabled = 1), 0),
             coalesce((select tokens_valid_after from user_cutoffs where user_id = s.user_id), 0))
           and not exists (select 1 from revoked_tokens where jti = s.tenant_id || '.' || substr(s.id, 9))
           and (s.created_at, s.id) < (?2, ?3)
         order by s.created_at desc, s.id desc limit ?4",
        [
            tenant.as_str().into(),
            before.map_or(1 << 52, |mark| mark.occurred_at).into(),
            before.map_or("", |mark| mark.id.as_str()).into(),
            limit.into(),
            now.seconds().into(),
            not_before.into(),
            own.map(SessionId::as_str).into(),
        ],
    ))
}

/// Ends a sign-in of this tenant, and revokes its tokens by their id: no repeat of the signup answers another one. Two
/// statements; the second says whether there was anything to end.
pub fn end(tenant: &TenantId, session: &SessionId, reason: &str, now: Timestamp) -> [Statement; 2] {
    let revoke = Statement::new(
        "insert into revoked_tokens (jti, tenant_id, reason, revoked_at, expires_at)
         select tenant_id || '.' || substr(id, 9), tenant_id, ?3, ?4, max(expires_at, ?4) + ?5
         from sessions where id = ?2 and tenant_id = ?1 and ended_at is null
         on conflict (jti) do nothing",
        [
            tenant.as_str().into(),
            session.as_str().into(),
            reason.into(),
            now.seconds().into(),
            (SESSION_SECONDS + SKEW_SECONDS).into(),
        ],
    );
    let end = Statement::new(
        "update sessions set ended_at = ?3 where id = ?2 and tenant_id = ?1 and ended_at is null and expires_at > ?3",
        [tenant.as_str().into(), session.as_str().into(), now.seconds().into()],
    );
    [revoke, end]
}

/// Ends every sign-in of this tenant. Its tokens are cut off besides: not every token has a row.
pub fn end_all(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "update sessions set ended_at = ?2 where tenant_id = ?1 and ended_at is null",
        [tenant.as_str().into(), now.seconds().into()],
    )
}

/// Notes that a sign-in is used, once a day, and lets that of a page last longer.
pub fn renew(session: &SessionId, now: Timestamp) -> Statement {
    Statement::new(
        "update sessions set seen_at = ?2,
           expires_at = iif(cookie, max(expires_at, min(?2 + ?3, created_at + ?4)), expires_at)
         where id = ?1 and ended_at is null and seen_at <= ?2 - ?5",
        [
            session.as_str().into(),
            now.seconds().into(),
            SESSION_SECONDS.into(),
            LONGEST_SECONDS.into(),
            RENEWED_AFTER_SECONDS.into(),
        ],
    )
}

/// Removes those that are over, a bounded number at a time.
pub fn prune(now: Timestamp, limit: i64) -> Statement {
    Statement::new(
        "delete from sessions where id in
           (select id from sessions where expires_at <= ?1 - ?3 order by expires_at limit ?2)",
        [now.seconds().into(), limit.into(), SKEW_SECONDS.into()],
    )
}
