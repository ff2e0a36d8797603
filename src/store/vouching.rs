//! What operators do about a tenant's address: they correct it, or say that it is good.

use crate::{
    db::{Query, Statement, Value},
    domain::{Email, MailId, TenantId},
    workflow::RequestOrigin,
};

use super::{audit::AuditContext, mails, proof};

/// What an operator says of an address.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// It is another one.
    pub email: Option<&'a Email>,
    /// It is good: nobody has to prove it.
    pub is_good: bool,
}

/// Corrects the address of a tenant, vouches for it, or both. What is to be done is decided, and written down, in the first
/// statement: the others are done if that is. Nothing is if another tenant has proven the address, or the tenant is gone. A proven
/// address is replaced only by one that is vouched for.
pub fn change(
    tenant: &TenantId,
    said: Said<'_>,
    mail: &MailId,
    caller: &RequestOrigin,
    audit_context: &AuditContext<'_>,
) -> Vec<Statement> {
    let mut statements = vec![decide(tenant, said, audit_context)];
    if let Some(email) = said.email {
        statements.extend(correct(tenant, email, audit_context));
    }
    if said.is_good {
        statements.extend(said.email.into_iter().flat_map(|email| replace(tenant, email, audit_context)));
        statements.extend(proof::vouch(tenant, &audit_context.id, audit_context.now));
        statements.push(mails::sign_in_of_vouched(
            tenant,
            mail,
            &audit_context.id,
            caller,
            audit_context.now,
        ));
    } else if said.email.is_some() {
        let again = mails::confirm_again(tenant, mail, said.email, caller, audit_context.now);
        statements.extend(again);
    }
    statements
}

fn decide(tenant: &TenantId, said: Said<'_>, audit_context: &AuditContext<'_>) -> Statement {
    let [id, actor, reason, request, now] = audit_context.params();
    Statement::new(
        "insert into audit_log (id, actor, reason, request_id, occurred_at, action, subject, data)
         select ?1, ?2, ?3, ?4, ?5, 'tenant.email', id, json_object(
           'corrected', json(iif(coalesce(?7 <> coalesce(unproven_email, email), 0), 'true', 'false')),
           'vouched', json(iif(?8, 'true', 'false')))
         from tenants
         where id = ?6 and status <> 'cancelled' and undo_state is null
           and not exists (select 1 from tenants other
             where other.email = coalesce(?7, tenants.unproven_email, tenants.email) and other.id <> ?6)
           and iif(unproven_email is null, ?8 and ?7 <> email, ?8 or ?7 <> unproven_email)",
        [
            id,
            actor,
            reason,
            request,
            now,
            tenant.as_str().into(),
            said.email.map(Email::as_str).into(),
            said.is_good.into(),
        ],
    )
}

fn correct(tenant: &TenantId, email: &Email, audit_context: &AuditContext<'_>) -> [Statement; 2] {
    [
        Statement::new(
            "update tenants set unproven_email = ?2, link_mailed_at = ?4, updated_at = ?4
             where id = ?1 and unproven_email is not null and exists (select 1 from audit_log where id = ?3)",
            params(tenant, email, audit_context),
        ),
        proof::forget_other(tenant, email, audit_context.now),
    ]
}

/// The owner's own address with it, and every token and link that the other one was given.
fn replace(tenant: &TenantId, email: &Email, audit_context: &AuditContext<'_>) -> [Statement; 2] {
    [
        Statement::new(
            "update tenants set email = ?2, email_proven_at = ?4, updated_at = ?4,
               tokens_valid_after = max(?4 + 1, tokens_valid_after + (tokens_valid_after >= ?4 + 1))
             where id = ?1 and unproven_email is null and exists (select 1 from audit_log where id = ?3)",
            params(tenant, email, audit_context),
        ),
        Statement::new(
            "update auth_users set email = ?2
             where id = (select owner_user_id from tenants where id = ?1 and email = ?2 and email_proven_at = ?4)
               and exists (select 1 from audit_log where id = ?3)",
            params(tenant, email, audit_context),
        ),
    ]
}

fn params(tenant: &TenantId, email: &Email, audit_context: &AuditContext<'_>) -> [Value; 4] {
    [
        tenant.as_str().into(),
        email.as_str().into(),
        audit_context.id.as_str().into(),
        audit_context.now.seconds().into(),
    ]
}

/// Whether another tenant has proven the address that was meant: another one's own, or the one that this one was to have.
pub fn is_taken(tenant: &TenantId, email: Option<&Email>) -> Query<Option<bool>> {
    Query::scalar(Statement::new(
        "select exists (select 1 from tenants other
           where other.email = coalesce(?2, tenants.unproven_email, tenants.email) and other.id <> ?1) as is_taken
         from tenants where id = ?1",
        [tenant.as_str().into(), email.map(Email::as_str).into()],
    ))
}
