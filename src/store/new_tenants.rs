//! Tenants that operators make: one batch that does all of it or nothing, and says which.

use crate::{
    db::{DbError, Query, Statement, columns},
    domain::{
        Email, Language, MailId, Plan, Slug, TenantId, TenantName, TenantStatus, Timestamp, UserId, text,
    },
    workflow::RequestOrigin,
};

use super::{
    admin_tenants::{self, TenantDetails},
    audit::AuditContext,
    signups::{KEY_SECONDS, TRIAL_SECONDS},
};

/// A tenant as an operator wants it.
#[derive(Debug, Clone)]
pub struct NewTenant {
    /// Its id.
    pub id: TenantId,
    /// The owner-to-be's id.
    pub owner: UserId,
    /// Its name.
    pub name: TenantName,
    /// Its name in addresses.
    pub slug: Slug,
    /// Where its owner gets mail.
    pub email: Email,
    /// Its plan.
    pub plan: Plan,
    /// The language of its mails.
    pub language: Language,
    /// Whether it pays nothing.
    pub comped: bool,
    /// SHA-256 of the request.
    pub fingerprint: String,
    /// The stored form of the idempotency key that came with it.
    pub key: Option<String>,
    /// The mail with its owner's first link.
    pub mail: MailId,
    /// Now.
    pub now: Timestamp,
}

/// How it ended.
#[derive(Debug)]
pub enum Outcome {
    /// The tenant is new.
    Created(Box<TenantDetails>),
    /// The same request under the same key made it before.
    Replayed(Box<TenantDetails>),
    /// The same, and the tenant was removed since.
    Removed,
    /// The key was used for another request.
    KeyReused,
    /// Another tenant has the name.
    SlugTaken,
    /// Another tenant has the address.
    EmailExists,
}

/// What stood in the way, if the tenant was not made.
#[derive(Debug)]
pub struct Facts {
    key_fingerprint: Option<String>,
    slug_taken: bool,
    email_taken: bool,
}

columns! { Facts: key_fingerprint, slug_taken, email_taken }

/// What makes a tenant. Read by [`Outcome::of`].
type Making = (Statement, Vec<Statement>, Query<Facts>, Query<Option<TenantDetails>>);

/// The tenant, what belongs to it, what stood in the way, and the tenant as it is then.
pub fn create(new: &NewTenant, origin: &RequestOrigin, audit_context: &AuditContext<'_>) -> Making {
    let mut rest = vec![insert_event(new), insert_mail(new, origin), audit(new, audit_context)];
    if new.key.is_some() {
        rest.push(insert_key(new));
    }
    let made = admin_tenants::made_by(new.key.as_deref(), &new.fingerprint, &new.id, new.now);
    (insert(new), rest, facts(new), made)
}

impl Outcome {
    /// What [`create`] was answered.
    pub fn of(
        new: &NewTenant,
        is_inserted: bool,
        facts: &Facts,
        tenant: Option<TenantDetails>,
    ) -> Result<Self, DbError> {
        let tenant = tenant.map(Box::new);
        match (is_inserted, &facts.key_fingerprint, tenant) {
            (true, _, Some(tenant)) => Ok(Self::Created(tenant)),
            (true, _, None) => Err(DbError::Corrupt("a new tenant left no trace".to_owned())),
            (false, Some(fingerprint), _) if *fingerprint != new.fingerprint => Ok(Self::KeyReused),
            (false, Some(_), Some(tenant)) if tenant.facts.status != TenantStatus::Cancelled => {
                Ok(Self::Replayed(tenant))
            }
            // What is completed and nobody's was let go of.
            (false, Some(_), _) => Ok(Self::Removed),
            (false, None, _) if facts.slug_taken => Ok(Self::SlugTaken),
            (false, None, _) if facts.email_taken => Ok(Self::EmailExists),
            (false, None, _) => Err(DbError::Corrupt("a new tenant was refused for no reason".to_owned())),
        }
    }
}

/// The unique indexes decide, but about the key. The sweep counts the tenant: see `migrations/0019_signups_counted.sql`. The mail
/// that goes with it starts the pause between mails.
fn insert(new: &NewTenant) -> Statement {
    Statement::new(
        "insert into tenants (id, slug, name, email, plan, comped, trial_ends_at, owner_user_id, signup_fingerprint,
           created_at, updated_at, link_mailed_at, name_folded, counted, language)
         select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?10, ?11, 0, ?13
         where not exists (select 1 from idempotency_keys where id = ?12 and expires_at > ?10)
         on conflict do nothing",
        [
            new.id.as_str().into(),
            new.slug.as_str().into(),
            new.name.as_str().into(),
            new.email.as_str().into(),
            new.plan.as_str().into(),
            new.comped.into(),
            (new.now.seconds() + TRIAL_SECONDS).into(),
            new.owner.as_str().into(),
            new.fingerprint.as_str().into(),
            new.now.seconds().into(),
            text::folded(new.name.as_str()).into(),
            new.key.as_deref().into(),
            new.language.as_str().into(),
        ],
    )
}

fn facts(new: &NewTenant) -> Query<Facts> {
    Query::one(Statement::new(
        "select
           (select fingerprint from idempotency_keys where id = ?1 and expires_at > ?2) as key_fingerprint,
           exists (select 1 from tenants where slug = ?3) as slug_taken,
           exists (select 1 from tenants where email = ?4) as email_taken",
        [
            new.key.as_deref().into(),
            new.now.seconds().into(),
            new.slug.as_str().into(),
            new.email.as_str().into(),
        ],
    ))
}

fn insert_event(new: &NewTenant) -> Statement {
    Statement::new(
        "insert into domain_events (tenant_id, occurred_at, id, type, data)
         select id, created_at, 'evt_' || substr(id, 8) || '_signed_up', 'tenant.signed_up',
           json_object('plan', plan, 'slug', slug, 'by', 'operator')
         from tenants where id = ?1",
        [new.id.as_str().into()],
    )
}

/// It signs its owner in as any mailed link does. A version that does not know how it came about says no more than that.
fn insert_mail(new: &NewTenant, origin: &RequestOrigin) -> Statement {
    Statement::new(
        "insert into mails (tenant_id, kind, key, id, data, origin, request_id, traceparent, next_at, created_at)
         select id, 'sign_in', 'link/' || ?2, ?2, json_object('created', json('true')), ?3, ?4, ?5, ?6, ?6
         from tenants where id = ?1",
        [
            new.id.as_str().into(),
            new.mail.as_str().into(),
            origin.origin.as_str().into(),
            origin.request.as_deref().into(),
            origin.traceparent.as_deref().into(),
            new.now.seconds().into(),
        ],
    )
}

fn audit(new: &NewTenant, audit_context: &AuditContext<'_>) -> Statement {
    let [id, actor, reason, request, now] = audit_context.params();
    Statement::new(
        "insert into audit_log (id, actor, reason, request_id, occurred_at, action, subject, data)
         select ?1, ?2, ?3, ?4, ?5, 'tenant.create', id,
           json_object('slug', slug, 'plan', plan, 'comped', json(iif(comped, 'true', 'false')))
         from tenants where id = ?6",
        [id, actor, reason, request, now, new.id.as_str().into()],
    )
}

fn insert_key(new: &NewTenant) -> Statement {
    Statement::new(
        "insert into idempotency_keys (id, operation, fingerprint, tenant_id, status, created_at, expires_at)
         select ?1, 'tenant_create', ?2, id, 'completed', ?3, ?3 + ?4 from tenants where id = ?5
         on conflict (id) do update set operation = excluded.operation, fingerprint = excluded.fingerprint,
           tenant_id = excluded.tenant_id, status = excluded.status, created_at = excluded.created_at,
           expires_at = excluded.expires_at, lease = null",
        [
            new.key.as_deref().into(),
            new.fingerprint.as_str().into(),
            new.now.seconds().into(),
            KEY_SECONDS.into(),
            new.id.as_str().into(),
        ],
    )
}
