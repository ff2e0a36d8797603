//! Mails on their way to the tenants' owners: an outbox, filled in the batch of whatever wants them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    db::{Db, DbError, Query, Row, Statement, columns},
    domain::{
        Email, HexColor, Language, MailId, RunId, RunStatus, Slug, TenantId, TenantName, TenantStatus, Time,
        Timestamp,
    },
    workflow::RequestOrigin,
};

use super::{magic_links::NewLink, webhooks::Connection};

mod proof;
mod setup_failed;
mod welcome;
pub use proof::{
    CODE_YOUNG_SECONDS, Leave, PROOF_PAUSE_SECONDS, ProofBlocker, begin_proof, confirm_address,
    confirm_again, proof_obstacle, prune_counts, sign_in_of_vouched,
};
pub use setup_failed::setup_failed;
pub use welcome::{
    WelcomeBlocker, audit_welcome, obstacle, warning, welcome, welcome_again, welcome_restored,
};

/// For how long the mail service remembers a key: from then on a repeat could be a second mail.
const REMEMBERED_SECONDS: i64 = 24 * 3600;
/// For how long a mail is tried: a little less.
const TRIED_SECONDS: i64 = REMEMBERED_SECONDS - 30 * 60;
/// A mail that has waited for this long is late.
const LATE_SECONDS: i64 = 10 * 60;
/// For how long a settled mail is kept.
const KEPT_SECONDS: i64 = 30 * 24 * 3600;
/// A mail is sent on request at most every five minutes.
pub const PAUSE_SECONDS: i64 = 5 * 60;

/// What a mail is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It greets a new tenant.
    Welcome,
    /// It asks whoever reads an address to show it.
    ConfirmAddress,
    /// It signs an owner in.
    SignIn,
    /// It tells an owner that provisioning failed.
    SetupFailed,
    /// It tells an owner that nothing is sent to their webhook any more.
    WebhookDisabled,
    /// It tells an owner of something that only they, or their people, should have done.
    SecurityNotice,
}

impl Kind {
    /// Each of them.
    pub const ALL: [Self; 6] = [
        Self::Welcome,
        Self::ConfirmAddress,
        Self::SignIn,
        Self::SetupFailed,
        Self::WebhookDisabled,
        Self::SecurityNotice,
    ];

    /// The word as stored and answered.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::ConfirmAddress => "confirm_address",
            Self::SignIn => "sign_in",
            Self::SetupFailed => "setup_failed",
            Self::WebhookDisabled => "webhook_disabled",
            Self::SecurityNotice => "security_notice",
        }
    }

    /// The one with this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Where a mail stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema), schema(as = MailStatus))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is sent, or sent again.
    Pending,
    /// The mail service has it.
    Sent,
    /// It failed.
    Failed,
    /// Nobody wants it any more: its tenant is gone, or it asked for another.
    Cancelled,
}

impl Status {
    /// The word as stored and answered.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The mails that still wait, of this kind, but for the one that was written last: that one is instead of them.
fn supersede(tenant: &TenantId, kind: Kind, key: &str, now: Timestamp) -> Statement {
    Statement::new(
        "update mails set status = 'cancelled', next_at = null, late = 0, last_error = 'SUPERSEDED', settled_at = ?4
         where tenant_id = ?1 and kind = ?2 and status = 'pending' and key in (
           select key from mails where tenant_id = ?1 and kind = ?2 and key < ?3
             and exists (select 1 from mails where tenant_id = ?1 and kind = ?2 and key = ?3)
           order by key desc limit 10)",
        [tenant.as_str().into(), kind.as_str().into(), key.into(), now.seconds().into()],
    )
}

/// The mail with a link for the owner of this address, or of the tenant with this slug where no address is given, and who that is:
/// nobody for an unknown address, for another tenant than asked for (by its id, or its slug), or within the pause after the last link. An address that is not proven gets what
/// proves it. One batch, whatever the answer.
pub async fn sign_in(
    db: &impl Db,
    email: Option<&Email>,
    tenant: Option<&str>,
    id: &MailId,
    caller: &RequestOrigin,
    now: Timestamp,
) -> Result<Option<TenantId>, DbError> {
    let key = format!("link/{}", id.as_str());
    let insert = Statement::new(
        "insert into mails (tenant_id, kind, key, id, origin, request_id, traceparent, next_at, created_at)
         select id, 'sign_in', ?1, ?2, ?3, ?4, ?5, ?6, ?6
         from tenants
         where email = coalesce(?7, (select email from tenants where slug = ?8)) and (?8 is null or ?8 in (id, slug))
           and status in ('trial', 'active') and link_mailed_at <= ?6 - ?9",
        [
            key.as_str().into(),
            id.as_str().into(),
            caller.origin.as_str().into(),
            caller.request.as_deref().into(),
            caller.traceparent.as_deref().into(),
            now.seconds().into(),
            email.map(Email::as_str).into(),
            tenant.into(),
            PAUSE_SECONDS.into(),
        ],
    );
    // Whoever asks again, because nothing came, shall not get all of them at once when it does.
    let supersede = Statement::new(
        "update mails set status = 'cancelled', next_at = null, late = 0, last_error = 'SUPERSEDED', settled_at = ?3
         where tenant_id = (select tenant_id from mails where id = ?1 and kind = 'sign_in')
           and kind = 'sign_in' and status = 'pending' and key in (
             select key from mails where tenant_id = (select tenant_id from mails where id = ?1 and kind = 'sign_in')
               and kind = 'sign_in' and key < ?2
             order by key desc limit 10)",
        [id.as_str().into(), key.into(), now.seconds().into()],
    );
    let mark = Statement::new(
        "update tenants set link_mailed_at = ?2
         where id = (select tenant_id from mails where id = ?1 and kind = 'sign_in') returning id",
        [id.as_str().into(), now.seconds().into()],
    );
    let unproven = proof::confirm_by_address(email, tenant, id, caller, now);
    let batch = ([insert, supersede], Query::scalar(mark), unproven);
    db.ask(batch).await.map(|(_, known, (_, unproven))| known.or(unproven))
}

/// The notice that this webhook is switched off, if the same batch has just done that. `since` is the day from which on it took
/// nothing; none if nothing is there any more.
pub fn webhook_disabled(
    tenant: &TenantId,
    connection: &Connection,
    id: &MailId,
    host: &str,
    since: Option<&str>,
    now: Timestamp,
) -> Statement {
    let data = json!({ "host": host, "since": since });
    Statement::new(
        "insert into mails (tenant_id, kind, key, id, data, next_at, created_at)
         select tenant_id, 'webhook_disabled', 'webhook_disabled/' || tenant_id || '/' || disabled_at, ?3, ?4, ?5, ?5
         from make_connections where tenant_id = ?1 and webhook_secret = ?2 and disabled_at = ?5
           and exists (select 1 from tenants where id = ?1 and status <> 'cancelled') on conflict do nothing",
        [
            tenant.as_str().into(),
            connection.webhook_secret.as_str().into(),
            id.as_str().into(),
            data.to_string().into(),
            now.seconds().into(),
        ],
    )
}

/// A mail whose turn it is, held by whoever claimed it.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Whose.
    pub tenant_id: TenantId,
    /// What it is for: a word that a later version may know better.
    pub kind: String,
    /// Under which it is recognised.
    pub key: String,
    /// Its id.
    pub id: MailId,
    /// What it says beyond what the tenant's row says, as JSON.
    data: String,
    /// Where its link leads if nothing else is configured.
    pub origin: Option<String>,
    /// When its link was issued, Unix seconds.
    pub link_issued_at: Option<i64>,
    /// The request that it began with.
    pub request_id: Option<String>,
    /// The trace that it belongs to.
    pub traceparent: Option<String>,
    /// How often it left.
    pub attempts: u32,
    /// How often it was claimed, this time included.
    claims: u32,
    /// When it was wanted, Unix seconds.
    pub created_at: i64,
    /// The tenant, as JSON.
    addressee: Option<String>,
}

columns! {
    Claimed: tenant_id, kind, key, id, data, origin, link_issued_at, request_id, traceparent, attempts, claims,
        created_at, addressee
}

/// The tenant that a mail is for, as it is now.
#[derive(Debug, Clone)]
pub struct Addressee {
    /// Its name in addresses.
    pub slug: Option<Slug>,
    /// Its name.
    pub name: TenantName,
    /// Where its owner gets mail.
    pub email: Option<Email>,
    /// The same before it is proven.
    pub unproven_email: Option<Email>,
    /// Where it stands.
    pub status: TenantStatus,
    /// Links that were issued before this open nothing, Unix seconds.
    pub cutoff: i64,
    /// The language of its mails, a word that a later version may know better; English where there is none.
    language: Option<String>,
    /// Its first colour.
    pub color: Option<HexColor>,
    /// Whether it pays nothing.
    pub comped: bool,
    /// When its trial ends, Unix seconds.
    pub trial_ends_at: i64,
    /// Where its provisioning stands.
    pub provision_state: RunStatus,
    /// Where its spreadsheet opens, if it has one.
    pub spreadsheet_url: Option<String>,
}

columns! {
    Addressee: slug, name, email, unproven_email, status, cutoff, language, color, comped, trial_ends_at, provision_state,
        spreadsheet_url
}

impl Addressee {
    /// The language of its mails.
    pub fn language(&self) -> Language {
        Language::stored(self.language.as_deref())
    }
}

impl Claimed {
    /// The tenant that it is for.
    pub fn addressee(&self) -> Result<Option<Addressee>, DbError> {
        self.addressee.as_deref().map(Row::read).transpose()
    }

    /// What it says beyond what the tenant's row says.
    pub fn data(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_default()
    }

    /// Whether it signs the owner in to a tenant that an operator has just made.
    pub fn is_about_new_tenant(&self) -> bool {
        self.data().get("created") == Some(&Value::Bool(true))
    }

    /// Its deadline.
    pub const fn expires_at(&self) -> Timestamp {
        Timestamp::from_seconds(self.created_at + TRIED_SECONDS)
    }

    /// From when on the mail service may not recognise a repeat any more.
    pub const fn forgotten_at(&self) -> Timestamp {
        Timestamp::from_seconds(self.created_at + REMEMBERED_SECONDS)
    }
}

/// The tenant beside what was claimed. All in one statement, so that no two can claim the same.
macro_rules! claim {
    ($which:literal) => {
        concat!(
            "update mails set claims = claims + 1, next_at = ?2, last_error = null
             where (tenant_id, kind, key) in
               (select tenant_id, kind, key from mails where ",
            $which,
            " order by next_at limit ?3)
             returning tenant_id, kind, key, id, data, origin, link_issued_at, request_id, traceparent, attempts, claims,
               created_at,
               (select json_object('slug', slug, 'name', name, 'email', email, 'unproven_email', unproven_email,
                  'status', status, 'cutoff',
                  max(tokens_valid_after, coalesce(
                    (select value from feature_flags where name = 'tokens_valid_after' and enabled = 1), 0), coalesce(
                    (select tokens_valid_after from user_cutoffs where user_id = owner_user_id), 0)),
                  'language', language, 'color', (select primary_color from tenant_brand where tenant_id = tenants.id),
                  'comped', comped, 'trial_ends_at', trial_ends_at, 'provision_state', provision_state, 'spreadsheet_url',
                  (select spreadsheet_url from pro_automation where tenant_id = tenants.id))
                from tenants where id = mails.tenant_id) as addressee"
        )
    };
}

/// Claims the mails that are due, of one tenant or of all, the longest waiting first. Of one tenant, also those that waited
/// for the mail service to recover. Until `lease` nobody else gets them; who does not come back by then has lost them.
pub fn claim(tenant: Option<&TenantId>, now: Timestamp, lease: Timestamp, limit: u32) -> Query<Vec<Claimed>> {
    let (now, lease) = (now.seconds().into(), lease.seconds().into());
    Query::rows(match tenant {
        None => Statement::new(claim!("status = 'pending' and next_at <= ?1"), [now, lease, limit.into()]),
        // The plus keeps it off the index of everybody's.
        Some(tenant) => Statement::new(
            claim!(
                "tenant_id = ?4 and +status = 'pending' and (next_at <= ?1 or last_error = 'CIRCUIT_OPEN')"
            ),
            [now, lease, limit.into(), tenant.as_str().into()],
        ),
    })
}

/// Counts an attempt that is about to leave, and remembers its link. Answers whether it may: not if somebody else has claimed it
/// since, or if its tenant was stopped.
pub async fn begin(db: &impl Db, mail: &Claimed, link: Option<&NewLink>) -> Result<bool, DbError> {
    let issued_at = link.map(|link| link.issued_at.seconds());
    let attempt = Statement::new(
        "update mails set attempts = attempts + 1, link_issued_at = coalesce(?5, link_issued_at)
         where tenant_id = ?1 and kind = ?2 and key = ?3 and claims = ?4 and status = 'pending'
           and exists (select 1 from tenants where id = ?1 and status in ('trial', 'active') and undo_state is null)",
        [
            mail.tenant_id.as_str().into(),
            mail.kind.as_str().into(),
            mail.key.as_str().into(),
            mail.claims.into(),
            issued_at.into(),
        ],
    );
    let link = link.map(|link| link.insert(&mail.tenant_id));
    db.ask((attempt, link)).await.map(|(begun, _)| begun.has_changed())
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// Where the mail stands now.
    pub status: Status,
    /// When it is tried again, if it is.
    pub next_at: Option<Timestamp>,
    /// The HTTP status, if there was one.
    pub answered: Option<u16>,
    /// What went wrong, in a word.
    pub error: Option<&'static str>,
}

/// Writes down how an attempt ended, unless somebody else has claimed it since; and with it what follows from that: a tenant
/// whose welcome mail was sent, or an event of one whose mail failed.
pub fn settle(mail: &Claimed, attempted: &Attempted, now: Timestamp) -> Vec<Statement> {
    let is_pending = attempted.status == Status::Pending;
    let settled_at = (!is_pending).then_some(now.seconds());
    let late = is_pending && now.seconds() - mail.created_at >= LATE_SECONDS;
    let mut statements = vec![Statement::new(
        "update mails set status = ?5, next_at = ?6, last_status = ?7, last_error = ?8, settled_at = ?9, late = ?10
         where tenant_id = ?1 and kind = ?2 and key = ?3 and claims = ?4 and status = 'pending'",
        [
            mail.tenant_id.as_str().into(),
            mail.kind.as_str().into(),
            mail.key.as_str().into(),
            mail.claims.into(),
            attempted.status.as_str().into(),
            attempted.next_at.map(Timestamp::seconds).into(),
            attempted.answered.map(u32::from).into(),
            attempted.error.into(),
            settled_at.into(),
            late.into(),
        ],
    )];
    match attempted.status {
        Status::Sent if mail.kind == Kind::Welcome.as_str() => {
            statements.push(super::tenants::set_welcome_sent(&mail.tenant_id, now));
        }
        Status::Failed => statements.push(fail(mail)),
        Status::Pending | Status::Sent | Status::Cancelled => {}
    }
    statements
}

/// A mail that failed is an event of its tenant, under an id that a repeat repeats.
fn fail(mail: &Claimed) -> Statement {
    Statement::new(
        "insert into domain_events (tenant_id, occurred_at, id, type, data)
         select tenant_id, settled_at, 'evt_' || substr(id, 6) || '_mail_failed', 'mail.failed',
           json_object('kind', kind, 'reason', last_error)
         from mails where tenant_id = ?1 and kind = ?2 and key = ?3 and status = 'failed' on conflict do nothing",
        [mail.tenant_id.as_str().into(), mail.kind.as_str().into(), mail.key.as_str().into()],
    )
}

/// Cancels what waits for a tenant that is cancelled.
pub fn cancel(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "update mails set status = 'cancelled', next_at = null, late = 0, last_error = 'TENANT_CANCELLED', settled_at = ?2
         where tenant_id = ?1 and status = 'pending'
           and exists (select 1 from tenants where id = ?1 and status = 'cancelled')",
        [tenant.as_str().into(), now.seconds().into()],
    )
}

/// A mail on its way to a tenant's owner; never to whom, nor what it says.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Mail {
    /// Its id.
    pub id: MailId,
    /// What it is for, like `welcome`.
    pub kind: String,
    /// Where it stands.
    pub status: Status,
    /// How often it was sent, or tried to be.
    pub attempts: u32,
    /// When it is tried next; `null` when it has ended.
    pub next_at: Option<Time>,
    /// The HTTP status of the mail service's last refusal; `null` when there was none.
    pub last_status: Option<u16>,
    /// What went wrong last: the code.
    pub last_error: Option<String>,
    /// When it was wanted.
    pub created_at: Time,
    /// When it had ended.
    pub settled_at: Option<Time>,
}

columns! { Mail: id, kind, status, attempts, next_at, last_status, last_error, created_at, settled_at }

/// Lists the mails of a run's tenant: the welcome mails first, the newest first of each kind.
pub fn list_of_run(run: &RunId, limit: u32) -> Query<Vec<Mail>> {
    Query::rows(Statement::new(
        "select id, kind, status, attempts, next_at, last_status, last_error, created_at, settled_at
         from mails where tenant_id = (select tenant_id from provision_runs where id = ?1)
         order by kind desc, key desc limit ?2",
        [run.as_str().into(), limit.into()],
    ))
}

/// Removes what has been over for long, a bounded number at a time.
pub fn prune(now: Timestamp, limit: i64) -> Statement {
    Statement::new(
        "delete from mails where (tenant_id, kind, key) in
           (select tenant_id, kind, key from mails where settled_at <= ?1 order by settled_at limit ?2)",
        [(now.seconds() - KEPT_SECONDS).into(), limit.into()],
    )
}
