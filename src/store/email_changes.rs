//! People change their own address: the new one shows itself by a link, and the old one gets a way back.
//!
//! The first statement of a confirmation, or of a way back, decides. What follows from it in the same batch is done by its `mark`.

use crate::{
    db::{Query, Statement, Value, columns},
    domain::{Email, EmailChangeId, MailId, TenantId, TenantStatus, Timestamp},
    workflow::RequestOrigin,
};

use super::notices::event_of_mail;

/// A link to a new address lives a day.
pub const LINK_SECONDS: i64 = 24 * 3600;
/// A way back is open for a week.
pub const UNDO_SECONDS: i64 = 7 * 24 * 3600;
/// Whoever mistyped may ask again after this.
pub const PAUSE_SECONDS: i64 = 60;
/// How many changes one person wants in a day, and a whole tenant.
const PER_PERSON: u32 = 5;
const PER_TENANT: u32 = 20;
const DAY_SECONDS: i64 = 24 * 3600;
/// For how long they are kept: whoever was robbed of an address asks by then.
const KEPT_SECONDS: i64 = 30 * 24 * 3600;

/// A change as the mails about it know it.
#[derive(Debug, Clone)]
pub struct EmailChange {
    /// Its id.
    pub id: EmailChangeId,
    /// Where it stands.
    pub state: String,
    /// What the address is to be.
    pub email: Email,
    /// What it was before.
    pub previous_email: Option<Email>,
    /// What the way back replaced.
    pub replaced_email: Option<Email>,
}

columns! { EmailChange: id, state, email, previous_email, replaced_email }

/// Somebody wants another address.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Its id.
    pub id: &'a EmailChangeId,
    /// Whose tenant.
    pub tenant: &'a TenantId,
    /// Who.
    pub user: &'a str,
    /// Which address.
    pub email: &'a Email,
    /// When.
    pub now: Timestamp,
}

/// Whoever wants another address, as they are.
#[derive(Debug, Clone)]
pub struct Wisher {
    /// Their address.
    pub email: Option<Email>,
    /// When they wanted another one last, Unix seconds.
    pub last_at: Option<i64>,
}

columns! { Wisher: email, last_at }

/// Writes the wish down, and has a link mailed to the new address. It takes the place of an earlier wish. Nothing is asked about other
/// tenants' addresses, or other people's: nothing can be learnt here. The first statement says whether it was done.
pub fn want(
    wish: &Wish<'_>,
    mail: &MailId,
    caller: &RequestOrigin,
) -> ([Statement; 3], Query<Option<Wisher>>) {
    let Wish { id, tenant, user, email, now } = *wish;
    let write = Statement::new(
        "insert into email_changes (id, tenant_id, user_id, email, created_at, expires_at)
         select ?3, t.id, ?2, ?4, ?5, ?5 + ?6
         from tenants t left join auth_users u on u.id = ?2 and u.tenant_id = t.id
         where t.id = ?1 and t.unproven_email is null and t.undo_state is null
           and (t.owner_user_id = ?2 or u.id is not null) and iif(t.owner_user_id = ?2, t.email, u.email) is not ?4 collate nocase
           and (select count(*) from email_changes where tenant_id = ?1 and user_id = ?2 and created_at > ?5 - ?8) < ?9
           and (select count(*) from email_changes where tenant_id = ?1 and created_at > ?5 - ?8) < ?10
           and not exists (select 1 from email_changes where tenant_id = ?1 and user_id = ?2 and created_at > ?5 - ?7)",
        [
            tenant.as_str().into(),
            user.into(),
            id.as_str().into(),
            email.as_str().into(),
            now.seconds().into(),
            LINK_SECONDS.into(),
            PAUSE_SECONDS.into(),
            DAY_SECONDS.into(),
            PER_PERSON.into(),
            PER_TENANT.into(),
        ],
    );
    let supersede = Statement::new(
        "update email_changes set state = 'superseded'
         where tenant_id = ?1 and user_id = ?2 and state = 'open' and id <> ?3
           and exists (select 1 from email_changes where id = ?3)",
        [tenant.as_str().into(), user.into(), id.as_str().into()],
    );
    let mailed = Statement::new(
        "insert into mails (tenant_id, kind, key, id, data, origin, request_id, traceparent, next_at, created_at)
         select tenant_id, 'change_email', 'email_change/' || id, ?2, json_object('change', id), ?3, ?4, ?5, ?6, ?6
         from email_changes where id = ?1",
        mail_params(id, mail, caller, now),
    );
    let wisher = Query::optional(Statement::new(
        "select iif(t.owner_user_id = ?2, t.email, u.email) as email,
           (select max(created_at) from email_changes where tenant_id = ?1 and user_id = ?2) as last_at
         from tenants t left join auth_users u on u.id = ?2 and u.tenant_id = t.id
         where t.id = ?1 and (t.owner_user_id = ?2 or u.id is not null)",
        [tenant.as_str().into(), user.into()],
    ));
    ([write, supersede, mailed], wisher)
}

fn mail_params(id: &EmailChangeId, mail: &MailId, caller: &RequestOrigin, now: Timestamp) -> [Value; 6] {
    [
        id.as_str().into(),
        mail.as_str().into(),
        caller.origin.as_str().into(),
        caller.request.as_deref().into(),
        caller.traceparent.as_deref().into(),
        now.seconds().into(),
    ]
}

/// Remembers the link that is about to be mailed to a new address, which lives from then on.
pub fn remember_link(id: &EmailChangeId, link: &str, now: Timestamp) -> Statement {
    Statement::new(
        "update email_changes set link = ?2, expires_at = max(expires_at, ?3) where id = ?1 and state = 'open'",
        [id.as_str().into(), link.into(), (now.seconds() + LINK_SECONDS).into()],
    )
}

/// Remembers the way back that is about to be mailed to the previous address.
pub fn remember_undo(id: &EmailChangeId, link: &str, now: Timestamp) -> Statement {
    Statement::new(
        "update email_changes set undo_link = ?2, undo_expires_at = max(undo_expires_at, ?3)
         where id = ?1 and state = 'confirmed'",
        [id.as_str().into(), link.into(), (now.seconds() + UNDO_SECONDS).into()],
    )
}

/// What somebody shows who wants a change confirmed, or undone.
#[derive(Debug, Clone)]
pub struct ShownLink {
    /// Of which change.
    pub id: EmailChangeId,
    /// What is stored of the link.
    pub hash: String,
}

/// What became of it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Whose.
    pub tenant_id: TenantId,
    /// What the address was to be.
    pub email: Option<Email>,
    /// Where the change stands.
    pub state: String,
    /// Whether this request has done it.
    pub is_done: bool,
    /// Whether the link is young enough.
    pub is_young: bool,
    /// Whether there is still such a person.
    pub is_person: bool,
    /// Whether somebody else has the address.
    pub is_taken: bool,
    /// Where the tenant stands.
    pub status: TenantStatus,
}

columns! { Outcome: tenant_id, email, state, is_done, is_young, is_person, is_taken, status }

/// Whether an address is free for the person of the change `c` in the tenant `t`: nobody else in the tenant has it, and if the person's
/// own is where the tenant gets its mail, no other tenant.
macro_rules! is_free {
    ($address:literal) => {
        concat!(
            "not exists (select 1 from auth_users o
               where o.tenant_id = c.tenant_id and o.email = ",
            $address,
            " and o.id <> c.user_id)
             and not exists (select 1 from tenants o
               where o.email = ",
            $address,
            " and iif(o.id = c.tenant_id, o.owner_user_id <> c.user_id, t.owner_user_id = c.user_id))"
        )
    };
}

/// The change `c` with its tenant `t` and, unless that is the owner, its person `u`, if there still is one.
macro_rules! of_person {
    () => {
        "from tenants t left join auth_users u on u.id = c.user_id and u.tenant_id = t.id
         where t.id = c.tenant_id and t.undo_state is null and (t.owner_user_id = c.user_id or u.id is not null)"
    };
}

/// Confirms a change by the link to the new address, and all that follows. Of any number of attempts one has changed something in the
/// first statement.
pub fn confirm(
    shown: &ShownLink,
    notice: &MailId,
    caller: &RequestOrigin,
    now: Timestamp,
) -> (Statement, Vec<Statement>, Query<Option<Outcome>>) {
    let confirm = Statement::new(
        concat!(
            "update email_changes as c set state = 'confirmed', confirmed_at = ?4, undo_expires_at = ?4 + ?5, mark = ?3,
               previous_email = (select iif(t.owner_user_id = c.user_id, t.email, u.email) ",
            of_person!(),
            ")
             where c.id = ?1 and c.link = ?2 and c.state = 'open' and c.expires_at > ?4
               and exists (select 1 ",
            of_person!(),
            " and t.status in ('trial', 'active') and t.unproven_email is null and ",
            is_free!("c.email"),
            ")"
        ),
        [
            shown.id.as_str().into(),
            shown.hash.as_str().into(),
            notice.as_str().into(),
            now.seconds().into(),
            UNDO_SECONDS.into(),
        ],
    );
    let outcome = Query::optional(Statement::new(
        concat!(
            "select c.tenant_id, c.email, c.state, c.mark is ?3 as is_done, c.expires_at > ?4 as is_young,
               exists (select 1 ",
            of_person!(),
            ") as is_person, not (",
            is_free!("c.email"),
            ") as is_taken, t.status
             from email_changes c join tenants t on t.id = c.tenant_id where c.id = ?1 and c.link = ?2"
        ),
        outcome_params(shown, notice, now),
    ));
    (confirm, follow(&shown.id, notice, caller, now), outcome)
}

/// Puts the previous address back by the link that was mailed there, ends what was confirmed or wanted since, and everything that its
/// person holds: it may have been a thief. Of any number of attempts one has changed something in the first statement.
pub fn undo(
    shown: &ShownLink,
    notice: &MailId,
    caller: &RequestOrigin,
    now: Timestamp,
) -> (Statement, Vec<Statement>, Query<Option<Outcome>>) {
    let undo = Statement::new(
        concat!(
            "update email_changes as c set state = 'undone', undone_at = ?4, mark = ?3,
               replaced_email = (select iif(t.owner_user_id = c.user_id, t.email, u.email) ",
            of_person!(),
            ")
             where c.id = ?1 and c.undo_link = ?2 and c.state = 'confirmed' and c.undo_expires_at > ?4
               and exists (select 1 ",
            of_person!(),
            " and t.status <> 'cancelled' and ",
            is_free!("c.previous_email"),
            ")"
        ),
        outcome_params(shown, notice, now),
    );
    let mut follows = end_everything(&shown.id, notice, now);
    follows.extend(follow(&shown.id, notice, caller, now));
    let outcome = Query::optional(Statement::new(
        concat!(
            "select c.tenant_id, c.previous_email as email, c.state, c.mark is ?3 as is_done,
               c.undo_expires_at > ?4 as is_young, exists (select 1 ",
            of_person!(),
            ") as is_person, not (",
            is_free!("c.previous_email"),
            ") as is_taken, t.status
             from email_changes c join tenants t on t.id = c.tenant_id where c.id = ?1 and c.undo_link = ?2"
        ),
        outcome_params(shown, notice, now),
    ));
    (undo, follows, outcome)
}

fn outcome_params(shown: &ShownLink, notice: &MailId, now: Timestamp) -> [Value; 4] {
    [shown.id.as_str().into(), shown.hash.as_str().into(), notice.as_str().into(), now.seconds().into()]
}

/// Later changes, sessions and tokens of whoever's address was just put back.
fn end_everything(id: &EmailChangeId, mark: &MailId, now: Timestamp) -> Vec<Statement> {
    let params = || [Value::from(id.as_str()), mark.as_str().into()];
    let now = now.seconds();
    vec![
        Statement::new(
            "update email_changes set state = 'superseded'
             where tenant_id = (select tenant_id from email_changes where id = ?1 and mark = ?2)
               and user_id = (select user_id from email_changes where id = ?1)
               and id > ?1 and state in ('open', 'confirmed')",
            params(),
        ),
        // As `tokens::revoke_user` has it.
        Statement::new(
            "insert into user_cutoffs (user_id, tokens_valid_after, updated_at)
             select user_id, ?3, ?4 from email_changes where id = ?1 and mark = ?2
             on conflict (user_id) do update set
               tokens_valid_after = max(tokens_valid_after + (tokens_valid_after >= excluded.tokens_valid_after),
                 excluded.tokens_valid_after), updated_at = excluded.updated_at",
            [id.as_str().into(), mark.as_str().into(), (now + 1).into(), now.into()],
        ),
        Statement::new(
            "update sessions set ended_at = ?3
             where tenant_id = (select tenant_id from email_changes where id = ?1 and mark = ?2)
               and user_id = (select user_id from email_changes where id = ?1) and ended_at is null",
            [id.as_str().into(), mark.as_str().into(), now.into()],
        ),
    ]
}

/// What follows from a change of state that this `mark` has just made: the address moves, links that were mailed to the other one open
/// nothing any more, and the tenant and whoever reads the other address hear of it.
fn follow(id: &EmailChangeId, mark: &MailId, caller: &RequestOrigin, now: Timestamp) -> Vec<Statement> {
    let at = || [Value::from(id.as_str()), mark.as_str().into(), now.seconds().into()];
    let event = event_of_mail(mark);
    vec![
        Statement::new(
            "update tenants set link_mailed_at = 0, updated_at = ?3,
               email = (select iif(state = 'undone', previous_email, email) from email_changes where id = ?1)
             where id = (select tenant_id from email_changes where id = ?1 and mark = ?2)
               and owner_user_id = (select user_id from email_changes where id = ?1)",
            at(),
        ),
        Statement::new(
            "update auth_users set link_mailed_at = 0, email = (select iif(state = 'undone', previous_email, email) from email_changes where id = ?1)
             where id = (select user_id from email_changes where id = ?1 and mark = ?2)
               and tenant_id = (select tenant_id from email_changes where id = ?1)",
            [id.as_str().into(), mark.as_str().into()],
        ),
        Statement::new(
            "update magic_links set consumed_at = ?3
             where tenant_id = (select tenant_id from email_changes where id = ?1 and mark = ?2)
               and consumed_at is null
               and coalesce(user_id, (select owner_user_id from tenants where id = magic_links.tenant_id))
                 = (select user_id from email_changes where id = ?1)",
            at(),
        ),
        // Whoever is at such a mail has lost it: it leaves a second later, to where it belongs now, with a link of its own.
        Statement::new(
            "update mails set claims = claims + 1, next_at = ?3 + 1, link_issued_at = null
             where tenant_id = (select tenant_id from email_changes where id = ?1 and mark = ?2)
               and kind in ('welcome', 'sign_in', 'setup_failed') and +status = 'pending'
               and coalesce(data ->> 'user', (select owner_user_id from tenants where id = mails.tenant_id))
                 = (select user_id from email_changes where id = ?1)",
            at(),
        ),
        Statement::new(
            "insert into domain_events (tenant_id, occurred_at, id, type, data)
             select tenant_id, ?3, ?4, 'email.changed',
               json_object('userId', user_id, 'undone', json(iif(state = 'undone', 'true', 'false')))
             from email_changes where id = ?1 and mark = ?2",
            [
                id.as_str().into(),
                mark.as_str().into(),
                now.seconds().into(),
                event.into(),
            ],
        ),
        Statement::new(
            "insert into mails (tenant_id, kind, key, id, data, origin, request_id, traceparent, next_at, created_at)
             select tenant_id, 'email_changed', 'email_changed/' || id || iif(state = 'undone', '/undone', ''), ?2,
               json_object('change', id, 'undone', json(iif(state = 'undone', 'true', 'false'))), ?3, ?4, ?5, ?6, ?6
             from email_changes where id = ?1 and mark = ?2
               and iif(state = 'undone', replaced_email, previous_email) is not null",
            mail_params(id, mark, caller, now),
        ),
    ]
}

/// Ends what the owner of a tenant has wanted and confirmed: an operator has given the tenant another address, as this entry of the
/// audit log has it.
pub(super) fn end_all(tenant: &TenantId, audit: &str) -> Statement {
    Statement::new(
        "update email_changes set state = 'superseded'
         where tenant_id = ?1 and user_id = (select owner_user_id from tenants where id = ?1)
           and state in ('open', 'confirmed') and exists (select 1 from audit_log where id = ?2)",
        [tenant.as_str().into(), audit.into()],
    )
}

/// Removes what was wanted long ago, a bounded number at a time.
pub fn prune(now: Timestamp, limit: i64) -> Statement {
    Statement::new(
        "delete from email_changes where id in
           (select id from email_changes where created_at <= ?1 order by created_at limit ?2)",
        [(now.seconds() - KEPT_SECONDS).into(), limit.into()],
    )
}
