//! Proving an address: the first proof of it wins, and everything that follows from that is one batch.

use crate::{
    db::{Query, Statement, Value, columns},
    domain::{Email, Plan, Slug, TenantId, TenantName, TenantStatus, Timestamp, UserId},
};

/// An unproven tenant lapses three days after its signup.
pub const LAPSE_SECONDS: i64 = 72 * 3600;
/// A code lives for half an hour.
pub const CODE_SECONDS: i64 = 30 * 60;
/// A link lives for a day.
pub const PROOF_LINK_SECONDS: i64 = 24 * 3600;
/// So many wrong codes burn one.
const TRIES: u32 = 5;
/// So often an address may be corrected by whoever signed up. Whether an address is somebody's is told no more often than that.
const CORRECTIONS: u32 = 5;
/// How many unproven tenants lapse with a proof, at most: whoever is left can't prove the address any more, and lapses in time.
const LAPSE_WITH_PROOF: u32 = 200;

/// What is stored of a code and its link, and of the mailbox that they were sent to.
#[derive(Debug, Clone)]
pub struct Hashes {
    /// Of the link's secret.
    pub link: String,
    /// Of the code.
    pub code: String,
    /// When they were issued.
    pub issued_at: Timestamp,
    /// Of the mailbox.
    pub mailbox: String,
}

/// What somebody shows.
#[derive(Debug, Clone)]
pub enum Shown {
    /// A code: its hash.
    Code(String),
    /// A link: its secret's hash.
    Link(String),
}

/// The tenant whose address was to be proven, as it is then.
#[derive(Debug, Clone)]
pub struct Proven {
    /// Its id.
    pub id: TenantId,
    /// Its name in addresses; none once released.
    pub slug: Option<Slug>,
    /// Its name.
    pub name: TenantName,
    /// Its owner's address; none once released.
    pub email: Option<Email>,
    /// Whether that is still unproven.
    pub is_unproven: bool,
    /// Its plan.
    pub plan: Plan,
    /// Where it stands.
    pub status: TenantStatus,
    /// Whether it pays nothing.
    pub comped: bool,
    /// When its trial ends, Unix seconds.
    pub trial_ends_at: i64,
    /// Its owner-to-be.
    pub owner_user_id: UserId,
    /// Tokens issued before this are refused, Unix seconds.
    pub tokens_valid_after: i64,
    /// Whether its wish to be set up has to be told to its object.
    pub is_wanted: bool,
    /// Whether what was shown is one of those that were mailed, and still counts.
    pub is_shown: bool,
    /// How many wrong codes may still be tried; none if no code is alive.
    pub tries_left: Option<u32>,
    /// Whether another tenant has proven the same address.
    pub is_taken: bool,
}

columns! {
    Proven: id, slug, name, email, is_unproven, plan, status, comped, trial_ends_at, owner_user_id, tokens_valid_after,
        is_wanted, is_shown, tries_left, is_taken
}

/// Promotes the address of the tenant `?1`, now `?2`, if `$shown`. The tenant's older tokens end: those of its signup as they are, others
/// by the moment of issue. That moment is the proof's own unless tokens were revoked before: see [`super::access::auth_guard`]. A
/// remembered wish is stored as if it came now.
macro_rules! promote {
    ($shown:literal) => {
        concat!(
            "update tenants set email = unproven_email, unproven_email = null, email_proven_at = ?2, lapses_at = null,
               link_mailed_at = 0, updated_at = ?2,
               tokens_valid_after = iif(tokens_valid_after = 0, ?2, max(tokens_valid_after, ?2 + 1)),
               provision_state = iif(provision_wanted_at is null, provision_state, 'processing'),
               provision_updated_at = iif(provision_wanted_at is null, provision_updated_at, ?2),
               swept_at = iif(provision_wanted_at is null, swept_at, ?2 + 60)
             where id = ?1 and unproven_email is not null and undo_state is null
               and not exists (select 1 from tenants other where other.email = tenants.unproven_email) and ",
            $shown
        )
    };
}

/// Proves the address of a tenant by what is shown, and all that follows from it. Of any number of attempts one has changed
/// something in the first statement.
pub fn prove(
    tenant: &TenantId,
    shown: &Shown,
    now: Timestamp,
) -> (Statement, Vec<Statement>, Query<Option<Proven>>) {
    let id = || Value::from(tenant.as_str());
    let (promote, miscount) = match shown {
        Shown::Code(code) => {
            let params =
                || [id(), now.seconds().into(), code.as_str().into(), CODE_SECONDS.into(), TRIES.into()];
            let promote = Statement::new(
                promote!(
                    "status in ('trial', 'active') and exists (select 1 from email_proofs
                       where tenant_id = ?1 and code = ?3 and issued_at > ?2 - ?4 and tries < ?5)"
                ),
                params(),
            );
            let miscount = Statement::new(
                "update email_proofs set tries = tries + 1
                 where tenant_id = ?1 and issued_at > ?2 - ?4 and tries < ?5
                   and exists (select 1 from tenants where id = ?1 and unproven_email is not null)
                   and not exists (select 1 from email_proofs
                     where tenant_id = ?1 and code = ?3 and issued_at > ?2 - ?4 and tries < ?5)",
                params(),
            );
            (promote, Some(miscount))
        }
        Shown::Link(link) => {
            let promote = Statement::new(
                promote!(
                    "status in ('trial', 'active') and exists (select 1 from email_proofs
                       where tenant_id = ?1 and link = ?3 and issued_at > ?2 - ?4)"
                ),
                [id(), now.seconds().into(), link.as_str().into(), PROOF_LINK_SECONDS.into()],
            );
            (promote, None)
        }
    };
    let rest = miscount.into_iter().chain(follow(tenant, now)).collect();
    (promote, rest, select(tenant, Some(shown), now))
}

/// An operator says that the address is good, as this entry of the audit log has it: what a proof does, whatever was shown.
pub(super) fn vouch(tenant: &TenantId, audit: &str, now: Timestamp) -> Vec<Statement> {
    let promote = Statement::new(
        promote!("status <> 'cancelled' and exists (select 1 from audit_log where id = ?3)"),
        [tenant.as_str().into(), now.seconds().into(), audit.into()],
    );
    [promote].into_iter().chain(follow(tenant, now)).collect()
}

/// What follows from a proof at this moment: nothing if there was none.
fn follow(tenant: &TenantId, now: Timestamp) -> Vec<Statement> {
    vec![
        Statement::new(
            "delete from email_proofs
             where tenant_id = ?1 and exists (select 1 from tenants where id = ?1 and unproven_email is null)",
            [tenant.as_str().into()],
        ),
        // Their names and codes are free at once, and their tokens open nothing. The sweep removes what is left of them.
        Statement::new(
            "update tenants set status = 'cancelled', slug = null, lapses_at = ?2, updated_at = ?2
             where id in (select other.id from tenants t join tenants other on other.unproven_email = t.email
               where t.id = ?1 and t.email_proven_at = ?2 limit ?3)",
            [tenant.as_str().into(), now.seconds().into(), LAPSE_WITH_PROOF.into()],
        ),
    ]
}

/// The tenant as it is, and what became of what was shown.
pub fn select(tenant: &TenantId, shown: Option<&Shown>, now: Timestamp) -> Query<Option<Proven>> {
    let (code, link) = match shown {
        Some(Shown::Code(code)) => (Some(code.as_str()), None),
        Some(Shown::Link(link)) => (None, Some(link.as_str())),
        None => (None, None),
    };
    Query::optional(Statement::new(
        "select id, slug, name, coalesce(email, unproven_email) as email, unproven_email is not null as is_unproven, plan, status,
           comped, trial_ends_at, owner_user_id,
           max(tokens_valid_after, coalesce(
             (select value from feature_flags where name = 'tokens_valid_after' and enabled = 1), 0)) as tokens_valid_after,
           provision_state = 'processing' and provision_wanted_at is not null as is_wanted,
           exists (select 1 from email_proofs where tenant_id = ?1
             and (code = ?3 and issued_at > ?2 - ?5 and tries < ?7 or link = ?4 and issued_at > ?2 - ?6)) as is_shown,
           (select max(?7 - tries) from email_proofs where tenant_id = ?1 and issued_at > ?2 - ?5) as tries_left,
           exists (select 1 from tenants other where other.email = tenants.unproven_email) as is_taken
         from tenants where id = ?1",
        [
            tenant.as_str().into(),
            now.seconds().into(),
            code.into(),
            link.into(),
            CODE_SECONDS.into(),
            PROOF_LINK_SECONDS.into(),
            TRIES.into(),
        ],
    ))
}

/// How an address was corrected.
#[derive(Debug, Clone)]
pub struct Corrected {
    /// The tenant's name in addresses.
    pub email: Option<Email>,
    /// Whether that is still unproven.
    pub is_unproven: bool,
    /// Whether it was corrected too often.
    pub is_too_often: bool,
    /// Whether another tenant has proven the address that was wanted.
    pub is_taken: bool,
}

columns! { Corrected: email, is_unproven, is_too_often, is_taken }

/// Corrects the address of an unproven tenant, unless it is a proven one's; what was mailed to the other address proves nothing
/// any more. Each attempt counts.
pub fn correct(
    tenant: &TenantId,
    email: &Email,
    now: Timestamp,
) -> ([Statement; 3], Query<Option<Corrected>>) {
    let params =
        || [Value::from(tenant.as_str()), email.as_str().into(), CORRECTIONS.into(), now.seconds().into()];
    let statements = [
        Statement::new(
            "update tenants set email_corrections = email_corrections + 1
             where id = ?1 and unproven_email is not null and unproven_email <> ?2 and email_corrections <= ?3",
            [tenant.as_str().into(), email.as_str().into(), CORRECTIONS.into()],
        ),
        Statement::new(
            "update tenants set unproven_email = ?2, link_mailed_at = ?4, updated_at = ?4
             where id = ?1 and unproven_email is not null and unproven_email <> ?2 and email_corrections <= ?3
               and not exists (select 1 from tenants where email = ?2)",
            params(),
        ),
        forget_other(tenant, email, now),
    ];
    let corrected = Query::optional(Statement::new(
        "select coalesce(email, unproven_email) as email, unproven_email is not null as is_unproven,
           email_corrections > ?3 as is_too_often, exists (select 1 from tenants where email = ?2) as is_taken
         from tenants where id = ?1",
        [tenant.as_str().into(), email.as_str().into(), CORRECTIONS.into()],
    ));
    (statements, corrected)
}

/// What was mailed before the address was corrected, in this very moment, proves nothing.
pub(super) fn forget_other(tenant: &TenantId, email: &Email, now: Timestamp) -> Statement {
    Statement::new(
        "delete from email_proofs
         where tenant_id = ?1 and exists (select 1 from tenants where id = ?1 and unproven_email = ?2 and link_mailed_at = ?3)",
        [tenant.as_str().into(), email.as_str().into(), now.seconds().into()],
    )
}
