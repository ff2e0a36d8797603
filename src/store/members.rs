//! The people of a tenant, and who of them owns it. There is always an owner: one guarded statement decides about each change, and
//! everything else in its batch follows from the event that it writes.
//!
//! The first owner's address is the tenant's own, which is unique among tenants: it moves with them. Before a tenant is set up its first
//! owner has no row here; whatever changes something writes it first.

use crate::{
    db::{Query, Statement, Value, columns},
    domain::{Email, TeamRole, TenantId, Timestamp, UserId},
};

/// Somebody who was removed stays so, whatever their tokens say: they are refused until then.
const FOREVER: i64 = 1 << 52;
/// More people than this are not listed.
const MOST: u32 = 500;

/// Somebody who belongs to a tenant.
#[derive(Debug, Clone)]
pub struct Member {
    /// Who.
    pub user_id: UserId,
    /// Where they get mail.
    pub email: Email,
    /// How they are called.
    pub name: Option<String>,
    /// What they may do, as JSON.
    pub roles: String,
    /// Whether their address is the tenant's own.
    pub is_primary: bool,
    /// Since when, Unix seconds.
    pub joined_at: i64,
    /// When they last signed in, Unix seconds.
    pub signed_in_at: Option<i64>,
}

columns! { Member: user_id, email, name, roles, is_primary, joined_at, signed_in_at }

/// The people of a tenant, the eldest first; or this one of them.
pub fn list(tenant: &TenantId, user: Option<&str>) -> Query<Vec<Member>> {
    Query::rows(Statement::new(
        "select u.id as user_id, u.email, u.name, u.roles, u.id = t.owner_user_id as is_primary, u.created_at as joined_at,
           u.signed_in_at
         from tenants t join auth_users u on u.tenant_id = t.id where t.id = ?1 and (?2 is null or u.id = ?2)
         union all
         select t.owner_user_id, t.email, null, '[\"tenant_admin\",\"owner\"]', 1, t.created_at,
           (select max(created_at) from sessions where tenant_id = t.id and user_id = t.owner_user_id)
         from tenants t
         where t.id = ?1 and t.email is not null and (?2 is null or t.owner_user_id = ?2)
           and not exists (select 1 from auth_users where id = t.owner_user_id)
         order by joined_at, user_id limit ?3",
        [tenant.as_str().into(), user.into(), MOST.into()],
    ))
}

/// Writes the first owner down, who has no row before the tenant is set up.
pub fn write_owner(tenant: &TenantId) -> Statement {
    Statement::new(
        "insert into auth_users (id, tenant_id, email, roles, created_at)
         select owner_user_id, id, email, '[\"tenant_admin\",\"owner\"]', created_at from tenants
         where id = ?1 and email is not null and status in ('trial', 'active') on conflict do nothing",
        [tenant.as_str().into()],
    )
}

/// A change that somebody wants about one of a tenant's people.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// In which tenant.
    pub tenant: &'a TenantId,
    /// Whom it is about.
    pub user: &'a str,
    /// Who wants it.
    pub by: &'a str,
    /// The id of the event.
    pub event: &'a str,
    /// When.
    pub now: Timestamp,
}

impl Wanted<'_> {
    fn params(&self) -> [Value; 4] {
        [self.tenant.as_str().into(), self.user.into(), self.event.into(), self.now.seconds().into()]
    }
}

/// Whether somebody may stop being an owner: there is another one, and if the tenant's own address was theirs, another one whose
/// address is not another tenant's own.
macro_rules! may_stop {
    ($statement:literal) => {
        concat!(
            $statement,
            "and (instr(u.roles, '\"owner\"') = 0
               or exists (select 1 from tenants t join auth_users o on o.tenant_id = t.id
                 where t.id = ?1 and o.id <> ?2 and instr(o.roles, '\"owner\"') > 0
                   and (t.owner_user_id <> ?2
                     or not exists (select 1 from tenants x where x.email = o.email and x.id <> ?1))))"
        )
    };
}

/// Removes somebody, unless no owner would be left. Their tokens and sign-ins end with it.
pub fn remove(wanted: &Wanted<'_>) -> Vec<Statement> {
    let [tenant, user, event, now] = wanted.params();
    let decide = Statement::new(
        may_stop!(
            "insert into domain_events (tenant_id, occurred_at, id, type, data)
             select u.tenant_id, ?4, ?3, 'member.removed', json_object('user', u.id, 'by', ?5)
             from auth_users u where u.id = ?2 and u.tenant_id = ?1 "
        ),
        [tenant, user, event, now, wanted.by.into()],
    );
    let follow = [
        "delete from auth_users where id = ?2 and tenant_id = ?1
           and exists (select 1 from domain_events where tenant_id = ?1 and occurred_at = ?4 and id = ?3)",
        "update sessions set ended_at = ?4 where tenant_id = ?1 and user_id = ?2 and ended_at is null
           and exists (select 1 from domain_events where tenant_id = ?1 and occurred_at = ?4 and id = ?3)",
        "delete from ownership_transfers where tenant_id = ?1 and ?2 in (from_user, to_user)
           and exists (select 1 from domain_events where tenant_id = ?1 and occurred_at = ?4 and id = ?3)",
    ];
    let cut_off = Statement::new(
        "insert into user_cutoffs (user_id, tokens_valid_after, updated_at)
         select ?2, ?5, ?4 from domain_events where tenant_id = ?1 and occurred_at = ?4 and id = ?3
         on conflict (user_id) do update set tokens_valid_after = excluded.tokens_valid_after, updated_at = excluded.updated_at",
        {
            let [tenant, user, event, now] = wanted.params();
            [tenant, user, event, now, FOREVER.into()]
        },
    );
    let mut statements = vec![write_owner(wanted.tenant), decide];
    statements.extend(follow.map(|sql| Statement::new(sql, wanted.params())));
    statements.push(cut_off);
    statements.extend(succeed(wanted));
    statements
}

/// Changes what somebody may do, unless no owner would be left.
pub fn change_role(wanted: &Wanted<'_>, role: TeamRole) -> Vec<Statement> {
    let params = || {
        let [tenant, user, event, now] = wanted.params();
        [tenant, user, event, now, role.roles().into(), role.as_str().into(), wanted.by.into()]
    };
    let mut statements = vec![write_owner(wanted.tenant)];
    statements.push(match role {
        TeamRole::Owner => Statement::new(
            "insert into domain_events (tenant_id, occurred_at, id, type, data)
             select u.tenant_id, ?4, ?3, 'member.role_changed', json_object('user', u.id, 'role', ?6, 'by', ?7)
             from auth_users u where u.id = ?2 and u.tenant_id = ?1 and u.roles <> ?5",
            params(),
        ),
        TeamRole::TenantAdmin | TeamRole::Other(_) => Statement::new(
            may_stop!(
                "insert into domain_events (tenant_id, occurred_at, id, type, data)
                 select u.tenant_id, ?4, ?3, 'member.role_changed', json_object('user', u.id, 'role', ?6, 'by', ?7)
                 from auth_users u where u.id = ?2 and u.tenant_id = ?1 and u.roles <> ?5 "
            ),
            params(),
        ),
    });
    let [tenant, user, event, now] = wanted.params();
    statements.push(Statement::new(
        "update auth_users set roles = ?5 where id = ?2 and tenant_id = ?1
           and exists (select 1 from domain_events where tenant_id = ?1 and occurred_at = ?4 and id = ?3)",
        [tenant, user, event, now, role.roles().into()],
    ));
    // Whoever became an owner is not offered the tenant any more, and whoever is none can't offer it.
    statements.push(Statement::new(
        "delete from ownership_transfers where tenant_id = ?1 and ?2 in (from_user, to_user)
           and exists (select 1 from domain_events where tenant_id = ?1 and occurred_at = ?4 and id = ?3)",
        wanted.params(),
    ));
    statements.extend(succeed(wanted));
    statements
}

/// If the event was about the first owner, who is none any more: the eldest other owner takes their place, and the tenant's address is
/// theirs. Links that were mailed to the old address open nothing.
pub(super) fn succeed(wanted: &Wanted<'_>) -> [Statement; 2] {
    let links = Statement::new(
        "update magic_links set consumed_at = ?4 where tenant_id = ?1 and user_id is null and consumed_at is null
           and exists (select 1 from domain_events where tenant_id = ?1 and occurred_at = ?4 and id = ?3)
           and exists (select 1 from tenants where id = ?1 and owner_user_id = ?2)
           and not exists (select 1 from auth_users where id = ?2 and instr(roles, '\"owner\"') > 0)",
        wanted.params(),
    );
    let move_on = Statement::new(
        "update tenants set (owner_user_id, email, email_proven_at, updated_at) = (
           select o.id, o.email, ?4, ?4 from auth_users o
           where o.tenant_id = ?1 and o.id <> ?2 and instr(o.roles, '\"owner\"') > 0
             and not exists (select 1 from tenants x where x.email = o.email and x.id <> ?1)
           order by o.created_at, o.id limit 1)
         where id = ?1 and owner_user_id = ?2
           and exists (select 1 from domain_events where tenant_id = ?1 and occurred_at = ?4 and id = ?3)
           and not exists (select 1 from auth_users where id = ?2 and instr(roles, '\"owner\"') > 0)",
        wanted.params(),
    );
    [links, move_on]
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it was done.
    pub done: bool,
    /// Whether it is about one of the tenant's people, as they are now.
    pub is_member: bool,
    /// Whether the tenant has another owner.
    pub has_other_owner: bool,
    /// Whether the person is one now.
    pub is_owner: bool,
}

columns! { Outcome: done, is_member, has_other_owner, is_owner }

/// What became of a change, after it was wanted.
pub fn outcome(wanted: &Wanted<'_>) -> Query<Outcome> {
    Query::one(Statement::new(
        "select exists (select 1 from domain_events where tenant_id = ?1 and occurred_at = ?4 and id = ?3) as done,
           exists (select 1 from auth_users where id = ?2 and tenant_id = ?1) as is_member,
           exists (select 1 from auth_users where tenant_id = ?1 and id <> ?2 and instr(roles, '\"owner\"') > 0)
             as has_other_owner,
           exists (select 1 from auth_users where id = ?2 and tenant_id = ?1 and instr(roles, '\"owner\"') > 0) as is_owner",
        wanted.params(),
    ))
}
