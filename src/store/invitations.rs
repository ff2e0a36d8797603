//! Invitations into a tenant, and who it is offered to.

use crate::{
    db::{Query, Statement, columns},
    domain::{Email, InvitationId, MailId, TeamRole, TenantId, TenantName, Timestamp, UserId},
    workflow::RequestOrigin,
};

/// An invitation as the tenant's people see it.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Who is invited.
    pub email: Email,
    /// As what.
    pub role: TeamRole,
    /// What the inviter says.
    pub message: Option<String>,
    /// `open`, `used` or `revoked`.
    pub state: String,
    /// Who invites.
    pub inviter_id: Option<UserId>,
    /// Where they get mail, if they are still there.
    pub inviter_email: Option<Email>,
    /// When it is too late, Unix seconds.
    pub expires_at: i64,
    /// When it was made, Unix seconds.
    pub created_at: i64,
    /// How often it was mailed.
    pub mails: u32,
}

columns! {
    Invitation: id, email, role, message, state, inviter_id, inviter_email, expires_at, created_at, mails
}

/// The open invitations of a tenant, the latest first.
pub fn list(tenant: &TenantId) -> Query<Vec<Invitation>> {
    Query::rows(Statement::new(
        "select i.id, i.email, i.role, i.message, i.state, u.id as inviter_id, u.email as inviter_email, i.expires_at, i.created_at,
           i.mails
         from invitations i left join auth_users u on u.id = i.invited_by and u.tenant_id = i.tenant_id
         where i.tenant_id = ?1 and i.state = 'open' order by i.id desc",
        [tenant.as_str().into()],
    ))
}

/// Whom a tenant is offered to.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// Who offers it.
    pub from_user: UserId,
    /// Who is to have it.
    pub to_user: UserId,
    /// Where they get mail.
    pub email: Email,
    /// When it is too late, Unix seconds.
    pub expires_at: i64,
}

columns! { Transfer: from_user, to_user, email, expires_at }

/// Whom a tenant is offered to now, if to anybody.
pub fn transfer(tenant: &TenantId, now: Timestamp) -> Query<Option<Transfer>> {
    Query::optional(Statement::new(
        "select o.from_user, o.to_user, u.email, o.expires_at
         from ownership_transfers o join auth_users u on u.id = o.to_user and u.tenant_id = o.tenant_id
         where o.tenant_id = ?1 and o.expires_at > ?2",
        [tenant.as_str().into(), now.seconds().into()],
    ))
}

/// An invitation lives a week.
pub const LIFE_SECONDS: i64 = 7 * 24 * 3600;
/// So many may be open in one tenant.
pub const MOST_OPEN: u32 = 20;
/// An address is mailed one every five minutes, and five in a day; a tenant mails fifty in a day: see `may_mail`.
pub const PAUSE_SECONDS: i64 = 5 * 60;
const DAY_SECONDS: i64 = 24 * 3600;
/// What became of an invitation is known for as long as this after its end.
const KEPT_SECONDS: i64 = 30 * 24 * 3600;

/// A mail that is wanted with an invitation in it.
#[derive(Debug, Clone)]
pub struct Mailed<'a> {
    /// Of which tenant.
    pub tenant: &'a TenantId,
    /// The mail's id.
    pub mail: &'a MailId,
    /// The request.
    pub caller: &'a RequestOrigin,
    /// When.
    pub now: Timestamp,
}

/// Somebody who is invited.
#[derive(Debug, Clone)]
pub struct NewInvitation<'a> {
    /// Its id, if there is none for the address yet.
    pub id: &'a InvitationId,
    /// Who.
    pub email: &'a Email,
    /// As what.
    pub role: TeamRole,
    /// What the inviter says.
    pub message: Option<&'a str>,
    /// Who invites.
    pub by: &'a str,
    /// The id of the event.
    pub event: &'a str,
}

/// Whether one more mail may go to an address: none did for a while, and not too many in a day, neither there nor from the tenant. `?1` is
/// the tenant, `?2` the moment.
macro_rules! may_mail {
    ($before:literal, $email:literal) => {
        concat!(
            $before,
            "and not exists (select 1 from invitations p where p.tenant_id = ?1 and p.email = ",
            $email,
            " and p.mailed_at > ?2 - 300)
             and (select count(*) from invitations p join mails m on m.tenant_id = p.tenant_id and m.kind = 'invitation'
                 and m.key >= 'invite/' || p.id || '/' and m.key < 'invite/' || p.id || '0'
               where p.tenant_id = ?1 and p.email = ",
            $email,
            " and m.created_at > ?2 - 86400) < 5
             and (select count(*) from mails m where m.tenant_id = ?1 and m.kind = 'invitation' and m.created_at > ?2 - 86400) < 50
             and exists (select 1 from tenants t where t.id = ?1 and t.status in ('trial', 'active') and t.undo_state is null)
             and not exists (select 1 from auth_users u where u.tenant_id = ?1 and u.email = ",
            $email,
            ")"
        )
    };
}

/// Invites somebody, or mails an open invitation once more. The last statement but one has changed something if a mail is on its way.
pub fn invite(new: &NewInvitation<'_>, mailed: &Mailed<'_>) -> (Vec<Statement>, Statement, Statement) {
    let (tenant, now) = (mailed.tenant.as_str(), mailed.now.seconds());
    let again = Statement::new(
        may_mail!(
            "update invitations set version = version + 1, mails = mails + 1, mailed_at = ?2, expires_at = ?2 + ?4
             where tenant_id = ?1 and email = ?3 and state = 'open' ",
            "?3"
        ),
        [tenant.into(), now.into(), new.email.as_str().into(), LIFE_SECONDS.into()],
    );
    let insert = Statement::new(
        may_mail!(
            "insert into invitations (id, tenant_id, email, role, message, invited_by, expires_at, mailed_at, created_at)
             select ?5, ?1, ?3, ?6, ?7, ?8, ?2 + ?4, ?2, ?2
             where not exists (select 1 from invitations where tenant_id = ?1 and email = ?3 and state = 'open')
               and (select count(*) from invitations where tenant_id = ?1 and state = 'open' and expires_at > ?2) < ?9 ",
            "?3"
        ),
        [
            tenant.into(),
            now.into(),
            new.email.as_str().into(),
            LIFE_SECONDS.into(),
            new.id.as_str().into(),
            new.role.as_str().into(),
            new.message.into(),
            new.by.into(),
            MOST_OPEN.into(),
        ],
    );
    let event = Statement::new(
        "insert into domain_events (tenant_id, occurred_at, id, type, data)
         select tenant_id, created_at, ?2, 'member.invited', json_object('invitation', id, 'role', role, 'by', invited_by)
         from invitations where id = ?1",
        [new.id.as_str().into(), new.event.into()],
    );
    (
        vec![super::members::write_owner(mailed.tenant), again, insert],
        queue(mailed, Which::Email(new.email)),
        event,
    )
}

/// Mails an open invitation once more: links of before are superseded.
pub fn resend(id: &InvitationId, mailed: &Mailed<'_>) -> (Statement, Statement) {
    let again = Statement::new(
        may_mail!(
            "update invitations set version = version + 1, mails = mails + 1, mailed_at = ?2, expires_at = ?2 + ?4
             where tenant_id = ?1 and id = ?3 and state = 'open' ",
            "invitations.email"
        ),
        [
            mailed.tenant.as_str().into(),
            mailed.now.seconds().into(),
            id.as_str().into(),
            LIFE_SECONDS.into(),
        ],
    );
    (again, queue(mailed, Which::Id(id)))
}

#[derive(Debug, Clone, Copy)]
enum Which<'a> {
    Email(&'a Email),
    Id(&'a InvitationId),
}

/// The mail of an invitation that was mailed in this moment: one for each version.
fn queue(mailed: &Mailed<'_>, which: Which<'_>) -> Statement {
    let (email, id) = match which {
        Which::Email(email) => (Some(email.as_str()), None),
        Which::Id(id) => (None, Some(id.as_str())),
    };
    Statement::new(
        "insert into mails (tenant_id, kind, key, id, data, origin, request_id, traceparent, next_at, created_at)
         select tenant_id, 'invitation', 'invite/' || id || '/' || version, ?4,
           json_object('invitation', id, 'version', version), ?5, ?6, ?7, ?2, ?2
         from invitations
         where id = coalesce(?3, (select id from invitations where tenant_id = ?1 and email = ?8 and state = 'open'))
           and tenant_id = ?1 and state = 'open' and mailed_at = ?2 on conflict do nothing",
        [
            mailed.tenant.as_str().into(),
            mailed.now.seconds().into(),
            id.into(),
            mailed.mail.as_str().into(),
            mailed.caller.origin.as_str().into(),
            mailed.caller.request.as_deref().into(),
            mailed.caller.traceparent.as_deref().into(),
            email.into(),
        ],
    )
}

/// What stands against a mail to somebody who is invited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obstacle {
    /// The address belongs to one of the tenant's people.
    pub is_member: bool,
    /// How many invitations are open.
    pub open: u32,
    /// When the address was last mailed one, Unix seconds.
    pub mailed_at: i64,
}

columns! { Obstacle: is_member, open, mailed_at }

/// What stands against a mail to this address, or to that of this invitation.
pub fn obstacle(
    tenant: &TenantId,
    email: Option<&Email>,
    id: Option<&InvitationId>,
    now: Timestamp,
) -> Query<Obstacle> {
    Query::one(Statement::new(
        "select exists (select 1 from auth_users where tenant_id = ?1 and email = the_wanted.email) as is_member,
           (select count(*) from invitations where tenant_id = ?1 and state = 'open' and expires_at > ?4) as open,
           coalesce((select max(mailed_at) from invitations where tenant_id = ?1 and email = the_wanted.email), 0) as mailed_at
         from (select coalesce(?2, (select email from invitations where id = ?3 and tenant_id = ?1)) as email) the_wanted",
        [
            tenant.as_str().into(),
            email.map(Email::as_str).into(),
            id.map(InvitationId::as_str).into(),
            now.seconds().into(),
        ],
    ))
}

/// One invitation of a tenant: the open one for this address, or this one.
pub fn find(
    tenant: &TenantId,
    email: Option<&Email>,
    id: Option<&InvitationId>,
) -> Query<Option<Invitation>> {
    Query::optional(Statement::new(
        "select i.id, i.email, i.role, i.message, i.state, u.id as inviter_id, u.email as inviter_email, i.expires_at, i.created_at,
           i.mails
         from invitations i left join auth_users u on u.id = i.invited_by and u.tenant_id = i.tenant_id
         where i.id = coalesce(?3, (select id from invitations where tenant_id = ?1 and email = ?2 and state = 'open'))
           and i.tenant_id = ?1",
        [tenant.as_str().into(), email.map(Email::as_str).into(), id.map(InvitationId::as_str).into()],
    ))
}

/// Takes an invitation back that nobody has accepted.
pub fn revoke(tenant: &TenantId, id: &InvitationId, now: Timestamp) -> Statement {
    Statement::new(
        "update invitations set state = 'revoked', settled_at = ?3 where id = ?2 and tenant_id = ?1 and state = 'open'",
        [tenant.as_str().into(), id.as_str().into(), now.seconds().into()],
    )
}

/// What the holder of a link is told.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Into which tenant.
    pub tenant_id: TenantId,
    /// Its name.
    pub name: TenantName,
    /// Whether it can be entered.
    pub is_enabled: bool,
    /// Its colours.
    pub primary_color: Option<String>,
    /// Its colours.
    pub secondary_color: Option<String>,
    /// Who is invited.
    pub email: Email,
    /// As what.
    pub role: TeamRole,
    /// `open`, `used` or `revoked`.
    pub state: String,
    /// Whether a later mail has taken the place of this link's.
    pub is_superseded: bool,
    /// When it is too late, Unix seconds.
    pub expires_at: i64,
    /// How the inviter is called.
    pub inviter_name: Option<String>,
    /// Where they get mail.
    pub inviter_email: Option<Email>,
}

columns! {
    Seen: tenant_id, name, is_enabled, primary_color, secondary_color, email, role, state, is_superseded, expires_at, inviter_name,
        inviter_email
}

/// What became of the invitation that a link, by its hash, was mailed with.
pub fn see(hash: &str) -> Query<Option<Seen>> {
    Query::optional(Statement::new(
        "select t.id as tenant_id, t.name, t.status in ('trial', 'active') and t.undo_state is null as is_enabled, b.primary_color,
           b.secondary_color, i.email, i.role, i.state, l.version < i.version as is_superseded, i.expires_at,
           u.name as inviter_name, u.email as inviter_email
         from invitation_links l join invitations i on i.id = l.invitation_id join tenants t on t.id = i.tenant_id
           left join tenant_brand b on b.tenant_id = t.id
           left join auth_users u on u.id = i.invited_by and u.tenant_id = t.id
         where l.hash = ?1",
        [hash.into()],
    ))
}

/// Accepts the invitation that a link, by its hash, was mailed with: of any number of attempts one makes `user` a person of the tenant.
pub fn accept(hash: &str, user: &UserId, name: Option<&str>, event: &str, now: Timestamp) -> [Statement; 3] {
    let accept = Statement::new(
        "update invitations set state = 'used', accepted_by = ?2, settled_at = ?3
         where id = (select invitation_id from invitation_links where hash = ?1)
           and version = (select version from invitation_links where hash = ?1)
           and state = 'open' and expires_at > ?3
           and exists (select 1 from tenants t
             where t.id = invitations.tenant_id and t.status in ('trial', 'active') and t.undo_state is null)
           and not exists (select 1 from auth_users u
             where u.tenant_id = invitations.tenant_id and u.email = invitations.email)",
        [hash.into(), user.as_str().into(), now.seconds().into()],
    );
    let join = Statement::new(
        "insert into auth_users (id, tenant_id, email, roles, created_at, name, signed_in_at)
         select ?2, tenant_id, email, iif(role = 'owner', '[\"tenant_admin\",\"owner\"]', '[\"tenant_admin\"]'), ?3, ?4, ?3
         from invitations
         where id = (select invitation_id from invitation_links where hash = ?1) and state = 'used' and accepted_by = ?2",
        [hash.into(), user.as_str().into(), now.seconds().into(), name.into()],
    );
    let event = Statement::new(
        "insert into domain_events (tenant_id, occurred_at, id, type, data)
         select tenant_id, settled_at, ?3, 'member.joined', json_object('user', accepted_by, 'role', role, 'invitation', id)
         from invitations
         where id = (select invitation_id from invitation_links where hash = ?1) and state = 'used' and accepted_by = ?2",
        [hash.into(), user.as_str().into(), event.into()],
    );
    [accept, join, event]
}

/// The holder of a link that came too late would like another one: the owner is mailed once a day.
pub fn ask_again(hash: &str, mail: &MailId, caller: &RequestOrigin, now: Timestamp) -> [Statement; 2] {
    let asked = Statement::new(
        "update invitations set asked_at = ?2
         where id = (select invitation_id from invitation_links where hash = ?1) and state = 'open' and asked_at <= ?2 - ?3
           and (expires_at <= ?2 or version > (select version from invitation_links where hash = ?1))",
        [hash.into(), now.seconds().into(), DAY_SECONDS.into()],
    );
    let mail = Statement::new(
        "insert into mails (tenant_id, kind, key, id, data, origin, request_id, traceparent, next_at, created_at)
         select i.tenant_id, 'invitation_asked', 'asked/' || i.id || '/' || ?2, ?3, json_object('invitation', i.id), ?4, ?5, ?6, ?2, ?2
         from invitations i join tenants t on t.id = i.tenant_id
         where i.id = (select invitation_id from invitation_links where hash = ?1) and i.state = 'open' and i.asked_at = ?2
           and t.email is not null and t.status in ('trial', 'active') on conflict do nothing",
        [
            hash.into(),
            now.seconds().into(),
            mail.as_str().into(),
            caller.origin.as_str().into(),
            caller.request.as_deref().into(),
            caller.traceparent.as_deref().into(),
        ],
    );
    [asked, mail]
}

/// Forgets those that ended long ago, a bounded number at a time.
pub fn prune(now: Timestamp, limit: i64) -> [Statement; 2] {
    let params = || [(now.seconds() - KEPT_SECONDS).into(), limit.into()];
    [
        Statement::new(
            "delete from invitation_links where invitation_id in
               (select id from invitations where expires_at <= ?1 order by expires_at, id limit ?2)",
            params(),
        ),
        Statement::new(
            "delete from invitations where id in
               (select id from invitations where expires_at <= ?1 order by expires_at, id limit ?2)",
            params(),
        ),
    ]
}
