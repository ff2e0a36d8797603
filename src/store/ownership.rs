//! Handing a tenant on: one owner offers it, another of its people accepts, and one batch makes the one what the other was.

use crate::{
    db::{Query, Statement, Value, columns},
    domain::{MailId, TenantId, Timestamp},
    workflow::RequestOrigin,
};

use super::{audit::AuditContext, members};

/// An offer lives three days.
pub const OFFER_SECONDS: i64 = 72 * 3600;

/// An offer that somebody is about to make.
#[derive(Debug, Clone)]
pub struct Offer<'a> {
    /// Of which tenant.
    pub tenant: &'a TenantId,
    /// Who offers it.
    pub from: &'a str,
    /// To whom.
    pub to: &'a str,
    /// The mail's id.
    pub mail: &'a MailId,
    /// The request.
    pub caller: &'a RequestOrigin,
    /// When.
    pub now: Timestamp,
}

/// Offers a tenant to one of its people who is no owner, and mails them, unless it is offered to somebody already.
pub fn offer(offer: &Offer<'_>) -> [Statement; 4] {
    let (tenant, now) = (offer.tenant.as_str(), offer.now.seconds());
    [
        members::write_owner(offer.tenant),
        Statement::new(
            "delete from ownership_transfers where tenant_id = ?1 and expires_at <= ?2",
            [tenant.into(), now.into()],
        ),
        Statement::new(
            "insert into ownership_transfers (tenant_id, from_user, to_user, created_at, expires_at)
             select u.tenant_id, ?3, u.id, ?2, ?2 + ?5 from auth_users u
             where u.id = ?4 and u.tenant_id = ?1 and instr(u.roles, '\"owner\"') = 0 on conflict do nothing",
            [tenant.into(), now.into(), offer.from.into(), offer.to.into(), OFFER_SECONDS.into()],
        ),
        Statement::new(
            "insert into mails (tenant_id, kind, key, id, data, origin, request_id, traceparent, next_at, created_at)
             select tenant_id, 'ownership_offer', 'ownership/' || to_user || '/' || created_at, ?4,
               json_object('user', to_user, 'until', expires_at), ?5, ?6, ?7, ?2, ?2
             from ownership_transfers where tenant_id = ?1 and to_user = ?3 and created_at = ?2 on conflict do nothing",
            [
                tenant.into(),
                now.into(),
                offer.to.into(),
                offer.mail.as_str().into(),
                offer.caller.origin.as_str().into(),
                offer.caller.request.as_deref().into(),
                offer.caller.traceparent.as_deref().into(),
            ],
        ),
    ]
}

/// Why a tenant is not handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether the event of this change was written.
    pub done: bool,
    /// Whether the person is one of the tenant's.
    pub is_member: bool,
    /// Whether they own it.
    pub is_owner: bool,
    /// Whether it is offered to somebody, too late or not.
    pub is_offered: bool,
    /// Whether it is offered to this person, too late or not.
    pub is_theirs: bool,
    /// Whether it is too late.
    pub is_over: bool,
}

columns! { Standing: done, is_member, is_owner, is_offered, is_theirs, is_over }

/// How it stands with handing a tenant on to somebody.
pub fn standing(tenant: &TenantId, user: &str, event: &str, now: Timestamp) -> Query<Standing> {
    Query::one(Statement::new(
        "select exists (select 1 from domain_events where tenant_id = ?1 and occurred_at = ?4 and id = ?3) as done,
           exists (select 1 from auth_users where id = ?2 and tenant_id = ?1) as is_member,
           exists (select 1 from auth_users where id = ?2 and tenant_id = ?1 and instr(roles, '\"owner\"') > 0) as is_owner,
           exists (select 1 from ownership_transfers where tenant_id = ?1) as is_offered,
           exists (select 1 from ownership_transfers where tenant_id = ?1 and to_user = ?2) as is_theirs,
           exists (select 1 from ownership_transfers where tenant_id = ?1 and expires_at <= ?4) as is_over",
        params(tenant, user, event, now),
    ))
}

fn params(tenant: &TenantId, user: &str, event: &str, now: Timestamp) -> [Value; 4] {
    [tenant.as_str().into(), user.into(), event.into(), now.seconds().into()]
}

/// Takes an offer back, or declines it: whoever made it, whoever was made it, and every owner.
pub fn withdraw(tenant: &TenantId, by: &str) -> Statement {
    Statement::new(
        "delete from ownership_transfers where tenant_id = ?1 and (?2 in (from_user, to_user)
           or exists (select 1 from tenants where id = ?1 and owner_user_id = ?2)
           or exists (select 1 from auth_users where id = ?2 and tenant_id = ?1 and instr(roles, '\"owner\"') > 0))",
        [tenant.as_str().into(), by.into()],
    )
}

/// Somebody accepts the tenant that they are offered: they own it, and whoever offered it is an admin from then on.
pub fn accept(tenant: &TenantId, user: &str, event: &str, now: Timestamp) -> Vec<Statement> {
    let decide = Statement::new(
        "insert into domain_events (tenant_id, occurred_at, id, type, data)
         select o.tenant_id, ?4, ?3, 'ownership.transferred', json_object('from', o.from_user, 'user', o.to_user, 'by', ?2)
         from ownership_transfers o join tenants t on t.id = o.tenant_id
           join auth_users f on f.id = o.from_user and f.tenant_id = o.tenant_id and instr(f.roles, '\"owner\"') > 0
           join auth_users u on u.id = o.to_user and u.tenant_id = o.tenant_id
         where o.tenant_id = ?1 and o.to_user = ?2 and o.expires_at > ?4
           and (t.owner_user_id <> o.from_user
             or not exists (select 1 from tenants x where x.email = u.email and x.id <> ?1))",
        params(tenant, user, event, now),
    );
    let mut statements = vec![decide];
    statements.extend(swap(tenant, event, now));
    statements
}

/// An operator hands a tenant on, whoever owned it until then: it is written down why. The first owner is an admin from then on.
pub fn force(tenant: &TenantId, user: &str, event: &str, audit_context: &AuditContext<'_>) -> Vec<Statement> {
    let now = audit_context.now;
    let [id, actor, reason, request, at] = audit_context.params();
    let decide = Statement::new(
        "insert into domain_events (tenant_id, occurred_at, id, type, data)
         select t.id, ?4, ?3, 'ownership.transferred', json_object('from', t.owner_user_id, 'user', u.id, 'by', 'operator')
         from tenants t join auth_users u on u.tenant_id = t.id
         where t.id = ?1 and u.id = ?2 and t.status <> 'cancelled' and t.undo_state is null and t.owner_user_id <> u.id
           and not exists (select 1 from tenants x where x.email = u.email and x.id <> ?1)",
        params(tenant, user, event, now),
    );
    let audit = Statement::new(
        "insert into audit_log (id, actor, reason, request_id, occurred_at, action, subject, data)
         select ?1, ?2, ?3, ?4, ?5, 'tenant.ownership', tenant_id, data
         from domain_events where tenant_id = ?6 and occurred_at = ?5 and id = ?7",
        [id, actor, reason, request, at, tenant.as_str().into(), event.into()],
    );
    let mut statements = vec![members::write_owner(tenant), decide, audit];
    statements.extend(swap(tenant, event, now));
    statements
}

/// Both change in one batch, if the event was written: there is never no owner.
fn swap(tenant: &TenantId, event: &str, now: Timestamp) -> Vec<Statement> {
    let params = || [Value::from(tenant.as_str()), event.into(), now.seconds().into()];
    [
        "update auth_users set roles = '[\"tenant_admin\",\"owner\"]'
         where tenant_id = ?1 and id = (select data ->> 'user' from domain_events
           where tenant_id = ?1 and occurred_at = ?3 and id = ?2)",
        "update auth_users set roles = '[\"tenant_admin\"]'
         where tenant_id = ?1 and id = (select data ->> 'from' from domain_events
           where tenant_id = ?1 and occurred_at = ?3 and id = ?2)",
        "update magic_links set consumed_at = ?3 where tenant_id = ?1 and user_id is null and consumed_at is null
           and exists (select 1 from tenants t join domain_events e on e.tenant_id = t.id
             where t.id = ?1 and e.occurred_at = ?3 and e.id = ?2 and t.owner_user_id = e.data ->> 'from')",
        "update tenants set (owner_user_id, email, email_proven_at, updated_at) = (
           select u.id, u.email, ?3, ?3 from domain_events e join auth_users u on u.id = e.data ->> 'user'
           where e.tenant_id = ?1 and e.occurred_at = ?3 and e.id = ?2)
         where id = ?1 and owner_user_id = (select data ->> 'from' from domain_events
           where tenant_id = ?1 and occurred_at = ?3 and id = ?2)",
        "delete from ownership_transfers where tenant_id = ?1
           and exists (select 1 from domain_events where tenant_id = ?1 and occurred_at = ?3 and id = ?2)",
    ]
    .map(|sql| Statement::new(sql, params()))
    .into()
}
