//! The mail with a link that signs somebody in.

use crate::{
    db::{Db, DbError, Query, Statement},
    domain::{Email, MailId, TenantId, Timestamp},
    workflow::RequestOrigin,
};

use super::{PAUSE_SECONDS, proof};

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
        "insert into mails (tenant_id, kind, key, id, data, origin, request_id, traceparent, next_at, created_at)
         select id, 'sign_in', ?1, ?2, json_object('chooses', ?8 is null), ?3, ?4, ?5, ?6, ?6
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
    // Whoever owns no tenant with this address may still belong to one.
    let insert_member = Statement::new(
        "insert into mails (tenant_id, kind, key, id, data, origin, request_id, traceparent, next_at, created_at)
         select u.tenant_id, 'sign_in', ?1, ?2, json_object('user', u.id, 'chooses', ?8 is null), ?3, ?4, ?5, ?6, ?6
         from auth_users u join tenants t on t.id = u.tenant_id
         where u.email = ?7 and (?8 is null or ?8 in (t.id, t.slug)) and u.id <> t.owner_user_id
           and instr(u.roles, '\"tenant_admin\"') > 0 and t.status in ('trial', 'active') and t.undo_state is null
           and not exists (select 1 from auth_users p where p.email = ?7 and p.link_mailed_at > ?6 - ?9)
           and not exists (select 1 from tenants p where p.email = ?7 and p.status in ('trial', 'active')
             and (?8 is null or ?8 in (p.id, p.slug)))
         order by u.created_at, u.id limit 1",
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
    let mark_member = Statement::new(
        "update auth_users set link_mailed_at = ?2
         where id = (select data ->> 'user' from mails where id = ?1 and kind = 'sign_in')",
        [id.as_str().into(), now.seconds().into()],
    );
    // Whoever asks again, because nothing came, shall not get all of them at once when it does.
    let supersede = Statement::new(
        "update mails set status = 'cancelled', next_at = null, late = 0, last_error = 'SUPERSEDED', settled_at = ?3
         where tenant_id = (select tenant_id from mails where id = ?1 and kind = 'sign_in')
           and kind = 'sign_in' and status = 'pending' and coalesce(data ->> 'user', '') = coalesce(
             (select data ->> 'user' from mails where id = ?1 and kind = 'sign_in'), '') and key in (
             select key from mails where tenant_id = (select tenant_id from mails where id = ?1 and kind = 'sign_in')
               and kind = 'sign_in' and key < ?2
             order by key desc limit 10)",
        [id.as_str().into(), key.into(), now.seconds().into()],
    );
    let mark = Statement::new(
        "update tenants set link_mailed_at = iif(
           (select data ->> 'user' from mails where id = ?1 and kind = 'sign_in') is null, ?2, link_mailed_at)
         where id = (select tenant_id from mails where id = ?1 and kind = 'sign_in') returning id",
        [id.as_str().into(), now.seconds().into()],
    );
    let unproven = proof::confirm_by_address(email, tenant, id, caller, now);
    let batch = ([insert, insert_member, supersede, mark_member], Query::scalar(mark), unproven);
    db.ask(batch).await.map(|(_, known, (_, unproven))| known.or(unproven))
}
