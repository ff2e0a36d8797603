//! The mail that asks whoever reads an unproven address to show it: wanted by a signup, and once more by whoever asks for it.

use crate::{
    db::{Answer, Db, DbError, Query, Statement, columns},
    domain::{Email, MailId, TenantId, Timestamp},
    store::proof::{CODE_SECONDS, Hashes},
    workflow::RequestOrigin,
};

use super::{Claimed, Kind, PAUSE_SECONDS, supersede};

/// Whoever signed up may have another one after this.
pub const PROOF_PAUSE_SECONDS: i64 = 30;
/// How many of them a tenant may have before it lapses, one more for each correction of its address.
const PER_TENANT: u32 = 10;
/// How many a mailbox gets in a day, whoever names it.
const PER_MAILBOX: u32 = 10;
/// For how long mails to a mailbox are counted, and to all of them.
const MAILBOX_SECONDS: i64 = 24 * 3600;
const ALL_SECONDS: i64 = 3600;

fn key_of(id: &MailId) -> String {
    format!("proof/{}", id.as_str())
}

/// The first of them, for a tenant that signs up in the same batch.
pub fn confirm_address(tenant: &TenantId, id: &MailId, caller: &RequestOrigin, now: Timestamp) -> Statement {
    Statement::new(
        "insert into mails (tenant_id, kind, key, id, origin, request_id, traceparent, next_at, created_at)
         select id, 'confirm_address', ?2, ?3, ?4, ?5, ?6, ?7, ?7 from tenants where id = ?1 and unproven_email is not null",
        [
            tenant.as_str().into(),
            key_of(id).into(),
            id.as_str().into(),
            caller.origin.as_str().into(),
            caller.request.as_deref().into(),
            caller.traceparent.as_deref().into(),
            now.seconds().into(),
        ],
    )
}

/// Another one, in place of those that still wait, after a pause. With an `address`, only if that is the tenant's own since this
/// very moment: then there is no pause.
pub fn confirm_again(
    tenant: &TenantId,
    id: &MailId,
    address: Option<&Email>,
    caller: &RequestOrigin,
    now: Timestamp,
) -> [Statement; 3] {
    let key = key_of(id);
    [
        Statement::new(
            "insert into mails (tenant_id, kind, key, id, origin, request_id, traceparent, next_at, created_at)
             select id, 'confirm_address', ?2, ?3, ?4, ?5, ?6, ?7, ?7 from tenants
             where id = ?1 and unproven_email is not null and status in ('trial', 'active') and undo_state is null
               and iif(?8 is null, link_mailed_at <= ?7 - ?9, unproven_email = ?8 and link_mailed_at = ?7)
               and (select count(*) from mails where tenant_id = ?1 and kind = 'confirm_address') < ?10 + email_corrections",
            [
                tenant.as_str().into(),
                key.as_str().into(),
                id.as_str().into(),
                caller.origin.as_str().into(),
                caller.request.as_deref().into(),
                caller.traceparent.as_deref().into(),
                now.seconds().into(),
                address.map(Email::as_str).into(),
                PROOF_PAUSE_SECONDS.into(),
                PER_TENANT.into(),
            ],
        ),
        Statement::new(
            "update tenants set link_mailed_at = ?3
             where id = ?1 and exists (select 1 from mails where tenant_id = ?1 and kind = 'confirm_address' and key = ?2)",
            [tenant.as_str().into(), key.as_str().into(), now.seconds().into()],
        ),
        supersede(tenant, Kind::ConfirmAddress, &key, now),
    ]
}

/// The same for whoever names the address of an unproven tenant, at most every five minutes: of several, the last one that signed up.
/// The last statement answers whose it is. One that is proven has nothing left to show.
pub fn confirm_by_address(
    address: Option<&Email>,
    tenant: Option<&str>,
    id: &MailId,
    caller: &RequestOrigin,
    now: Timestamp,
) -> ([Statement; 2], Query<Option<TenantId>>) {
    let key = key_of(id);
    let statements = [
        Statement::new(
            "insert into mails (tenant_id, kind, key, id, origin, request_id, traceparent, next_at, created_at)
             select id, 'confirm_address', ?1, ?2, ?3, ?4, ?5, ?6, ?6 from tenants
             where id = (select id from tenants
                 where unproven_email = coalesce(?7, (select unproven_email from tenants where slug = ?8))
                   and (?8 is null or ?8 in (id, slug)) and status in ('trial', 'active')
                 order by id desc limit 1)
               and not exists (select 1 from tenants other where other.email = tenants.unproven_email) and undo_state is null and link_mailed_at <= ?6 - ?9
               and (select count(*) from mails m where m.tenant_id = tenants.id and m.kind = 'confirm_address')
                 < ?10 + email_corrections",
            [
                key.as_str().into(),
                id.as_str().into(),
                caller.origin.as_str().into(),
                caller.request.as_deref().into(),
                caller.traceparent.as_deref().into(),
                now.seconds().into(),
                address.map(Email::as_str).into(),
                tenant.into(),
                PAUSE_SECONDS.into(),
                PER_TENANT.into(),
            ],
        ),
        Statement::new(
            "update mails set status = 'cancelled', next_at = null, late = 0, last_error = 'SUPERSEDED', settled_at = ?3
             where tenant_id = (select tenant_id from mails where id = ?1 and kind = 'confirm_address')
               and kind = 'confirm_address' and status = 'pending' and key in (
                 select key from mails
                 where tenant_id = (select tenant_id from mails where id = ?1 and kind = 'confirm_address')
                   and kind = 'confirm_address' and key < ?2 order by key desc limit 10)",
            [id.as_str().into(), key.into(), now.seconds().into()],
        ),
    ];
    let mark = Query::scalar(Statement::new(
        "update tenants set link_mailed_at = ?2
         where id = (select tenant_id from mails where id = ?1 and kind = 'confirm_address') returning id",
        [id.as_str().into(), now.seconds().into()],
    ));
    (statements, mark)
}

/// A link for the owner of an address that an operator vouched for, as this entry of the audit log has it.
pub fn sign_in_of_vouched(
    tenant: &TenantId,
    id: &MailId,
    audit: &str,
    caller: &RequestOrigin,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "insert into mails (tenant_id, kind, key, id, origin, request_id, traceparent, next_at, created_at)
         select id, 'sign_in', 'link/' || ?2, ?2, ?3, ?4, ?5, ?6, ?6 from tenants
         where id = ?1 and email is not null and status in ('trial', 'active')
           and exists (select 1 from audit_log where id = ?7)",
        [
            tenant.as_str().into(),
            id.as_str().into(),
            caller.origin.as_str().into(),
            caller.request.as_deref().into(),
            caller.traceparent.as_deref().into(),
            now.seconds().into(),
            audit.into(),
        ],
    )
}

/// Why there is no other mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProofBlocker {
    /// Whether there is anything to prove.
    pub is_unproven: bool,
    /// When the last one was wanted, Unix seconds.
    pub link_mailed_at: i64,
}

columns! { ProofBlocker: is_unproven, link_mailed_at }

/// What may stand against another mail.
pub fn proof_obstacle(tenant: &TenantId) -> Query<Option<ProofBlocker>> {
    Query::optional(Statement::new(
        "select unproven_email is not null as is_unproven, link_mailed_at from tenants where id = ?1",
        [tenant.as_str().into()],
    ))
}

/// Whether a mail to an unproven address may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// It may, and is counted.
    Granted,
    /// Somebody else has claimed it since, or the address is another one, or proven, or nobody's.
    Lost,
    /// Its mailbox has had as many as it gets.
    MailboxFull,
    /// All unproven addresses together have: it may leave then.
    BudgetSpent(Timestamp),
}

impl Leave {
    /// As other mails leave: nobody counts them.
    pub const fn granted_if(is_granted: bool) -> Self {
        if is_granted { Self::Granted } else { Self::Lost }
    }
}

#[derive(Debug)]
struct Counted {
    in_mailbox: u32,
    in_all: u32,
    all_since: Option<i64>,
}

columns! { Counted: in_mailbox, in_all, all_since }

/// Counts an attempt that is about to leave, against what its mailbox gets and all of them together, and remembers its code and
/// its link. A repeat of what left before is not counted again.
pub async fn begin_proof(
    db: &impl Db,
    mail: &Claimed,
    address: &Email,
    hashes: &Hashes,
    budget: u32,
    now: Timestamp,
) -> Result<Leave, DbError> {
    let is_first = mail.attempts == 0;
    let attempt = Statement::new(
        "update mails set attempts = attempts + 1, link_issued_at = ?5
         where tenant_id = ?1 and kind = ?2 and key = ?3 and claims = ?4 and status = 'pending'
           and exists (select 1 from tenants where id = ?1 and status in ('trial', 'active') and undo_state is null
             and unproven_email = ?6)
           and (?7 = 0 or (
             not exists (select 1 from proof_mails where mailbox = ?8 and since > ?9 - ?11 and mails >= ?12)
             and not exists (select 1 from proof_mails where mailbox = '' and since > ?9 - ?13 and mails >= ?10)))",
        [
            mail.tenant_id.as_str().into(),
            mail.kind.as_str().into(),
            mail.key.as_str().into(),
            mail.claims.into(),
            hashes.issued_at.seconds().into(),
            address.as_str().into(),
            is_first.into(),
            hashes.mailbox.as_str().into(),
            now.seconds().into(),
            budget.into(),
            MAILBOX_SECONDS.into(),
            PER_MAILBOX.into(),
            ALL_SECONDS.into(),
        ],
    );
    let count = is_first.then(|| {
        Statement::new(
            "insert into proof_mails (mailbox, since, mails)
             select w.value, ?5, 1 from json_each(json_array('', ?6)) w
             where exists (select 1 from mails
               where tenant_id = ?1 and kind = ?2 and key = ?3 and claims = ?4 and status = 'pending' and attempts = 1)
             on conflict (mailbox) do update set
               mails = iif(proof_mails.since > excluded.since - iif(proof_mails.mailbox = '', ?8, ?7), proof_mails.mails + 1, 1),
               since = iif(proof_mails.since > excluded.since - iif(proof_mails.mailbox = '', ?8, ?7), proof_mails.since,
                 excluded.since)",
            [
                mail.tenant_id.as_str().into(),
                mail.kind.as_str().into(),
                mail.key.as_str().into(),
                mail.claims.into(),
                now.seconds().into(),
                hashes.mailbox.as_str().into(),
                MAILBOX_SECONDS.into(),
                ALL_SECONDS.into(),
            ],
        )
    });
    let remember = Statement::new(
        "insert into email_proofs (tenant_id, link, code, issued_at)
         select tenant_id, ?5, ?6, ?7 from mails
         where tenant_id = ?1 and kind = ?2 and key = ?3 and claims = ?4 and status = 'pending' and attempts = ?8 + 1
         on conflict do nothing",
        [
            mail.tenant_id.as_str().into(),
            mail.kind.as_str().into(),
            mail.key.as_str().into(),
            mail.claims.into(),
            hashes.link.as_str().into(),
            hashes.code.as_str().into(),
            hashes.issued_at.seconds().into(),
            mail.attempts.into(),
        ],
    );
    let counted = Query::one(Statement::new(
        "select coalesce(m.mails, 0) as in_mailbox, coalesce(a.mails, 0) as in_all, a.since as all_since
         from (select 1) left join proof_mails m on m.mailbox = ?1 and m.since > ?2 - ?3
           left join proof_mails a on a.mailbox = '' and a.since > ?2 - ?4",
        [hashes.mailbox.as_str().into(), now.seconds().into(), MAILBOX_SECONDS.into(), ALL_SECONDS.into()],
    ));
    let (attempt, _, _, counted): (Answer, _, _, Counted) =
        db.ask((attempt, count, remember, counted)).await?;
    Ok(match counted {
        _ if attempt.has_changed() => Leave::Granted,
        Counted { in_mailbox, .. } if is_first && in_mailbox >= PER_MAILBOX => Leave::MailboxFull,
        Counted { in_all, all_since: Some(since), .. } if is_first && in_all >= budget => {
            Leave::BudgetSpent(Timestamp::from_seconds(since + ALL_SECONDS))
        }
        _ => Leave::Lost,
    })
}

/// Removes what was counted before.
pub fn prune_counts(now: Timestamp, limit: i64) -> Statement {
    Statement::new(
        "delete from proof_mails where mailbox in
           (select mailbox from proof_mails where since <= ?1 order by since limit ?2)",
        [(now.seconds() - MAILBOX_SECONDS).into(), limit.into()],
    )
}

/// What is mailed again to the same bytes is mailed for as long as this; then its code is a new one, with its whole life before it.
pub const CODE_YOUNG_SECONDS: i64 = CODE_SECONDS / 3;
