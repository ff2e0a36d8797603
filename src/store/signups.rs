//! Signing up: one batch that does all of it or nothing, and says which.

use crate::{
    db::{Db, DbError, Query, Statement, Value, columns},
    domain::{
        Email, Language, MailId, Plan, PromoCode, Slug, TenantId, TenantName, TenantStatus, Timestamp,
        UserId, promos::PromoProblem, text,
    },
    workflow::RequestOrigin,
};

use super::{mails, proof::LAPSE_SECONDS};

/// A trial lasts fourteen days.
pub(super) const TRIAL_SECONDS: i64 = 14 * 24 * 3600;
/// An idempotency key is remembered for a day.
pub(super) const KEY_SECONDS: i64 = 24 * 3600;
/// A claim of a key ends after this, whatever became of its request.
const LEASE_SECONDS: i64 = 30;

/// What somebody asked for, and the ids it gets if it is granted.
#[derive(Debug, Clone)]
pub struct Signup {
    /// The new tenant's id.
    pub tenant: TenantId,
    /// The owner-to-be's id.
    pub owner: UserId,
    /// The tenant's name.
    pub name: TenantName,
    /// Its name in addresses.
    pub slug: Slug,
    /// Where its owner gets mail.
    pub email: Email,
    /// The plan that was chosen.
    pub plan: Plan,
    /// The language of its mails.
    pub language: Language,
    /// A promo code.
    pub promo: Option<PromoCode>,
    /// SHA-256 of the request.
    pub fingerprint: String,
    /// The stored form of the idempotency key that came with it.
    pub key: Option<String>,
    /// The mail by which its address is to be proven; none if nobody asks for that.
    pub proof: Option<MailId>,
    /// The request that it came with.
    pub caller: RequestOrigin,
    /// Who holds the key while this is at work; the same for the claim of it and the insert.
    pub lease: String,
    /// Now.
    pub now: Timestamp,
}

impl Signup {
    /// What makes it the same request when it is sent again.
    pub fn request_key(&self) -> String {
        format!("{} {}", self.key.as_deref().unwrap_or_default(), self.fingerprint)
    }
}

/// A tenant as its signup is answered.
#[derive(Debug, Clone)]
pub struct SignedUp {
    /// Its id.
    pub id: TenantId,
    /// Its name in addresses.
    pub slug: Slug,
    /// Its name.
    pub name: TenantName,
    /// Its owner's address.
    pub email: Email,
    /// Whether that is proven, or nobody asked.
    pub email_proven: bool,
    /// Whether it was proven since.
    pub has_proven: bool,
    /// The plan that was stored.
    pub plan: Plan,
    /// Where it stands.
    pub status: TenantStatus,
    /// Whether it pays nothing.
    pub comped: bool,
    /// When its trial ends, Unix seconds.
    pub trial_ends_at: i64,
    /// The owner-to-be.
    pub owner_user_id: UserId,
    /// The discount that was granted.
    pub discount: u8,
    /// When its first token says that it was issued, Unix seconds.
    pub first_token_at: i64,
    /// Tokens issued before this are refused, Unix seconds.
    pub tokens_valid_after: i64,
    /// Whether a token of it was revoked by its id.
    pub revoked: bool,
}

columns! {
    SignedUp: id, slug, name, email, email_proven, has_proven, plan, status, comped, trial_ends_at, owner_user_id, discount, first_token_at,
        tokens_valid_after, revoked
}

impl SignedUp {
    /// Whether a repeat of the signup may still be answered a token: none that is younger than a revocation of the tenant,
    /// none for one whose address was proven since, and none for a tenant that is stopped. `not_before` is the configuration's own cut-off, Unix seconds.
    pub fn admits_a_repeat(&self, not_before: i64) -> bool {
        !self.revoked
            && !self.has_proven
            && self.tokens_valid_after.max(not_before) <= self.first_token_at
            && matches!(self.status, TenantStatus::Trial | TenantStatus::Active)
    }
}

/// How a signup ended.
#[derive(Debug)]
pub enum SignupOutcome {
    /// The tenant is new.
    Created(SignedUp),
    /// The same request under the same key was granted before.
    ReplayedWithKey(SignedUp),
    /// The same request was granted before, and nobody showed a key.
    ReplayedWithoutKey(SignedUp),
    /// The same request was granted before, and its tenant was removed since.
    Removed,
    /// The key was used for another request.
    KeyReused,
    /// A request under this key is at work.
    InProgress,
    /// Signups are switched off.
    Disabled,
    /// The code can't be used.
    Promo(PromoProblem),
    /// Another tenant has the name.
    SlugTaken,
    /// Another tenant has the address.
    EmailExists,
}

#[derive(Debug)]
struct Facts {
    disabled: bool,
    key_fingerprint: Option<String>,
    key_status: Option<String>,
    key_tenant: Option<TenantId>,
    key_tenant_status: Option<TenantStatus>,
    slug_owner: Option<TenantId>,
    slug_fingerprint: Option<String>,
    slug_status: Option<TenantStatus>,
    email_owner: Option<TenantId>,
    promo_problem: Option<PromoProblem>,
}

columns! {
    Facts: disabled, key_fingerprint, key_status, key_tenant, key_tenant_status, slug_owner, slug_fingerprint,
        slug_status, email_owner, promo_problem
}

/// Who holds a key.
#[derive(Debug)]
struct Held {
    status: String,
    lease: Option<String>,
}

columns! { Held: status, lease }

/// What is known of an idempotency key before anything is done for its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Nobody else has it now.
    Ours,
    /// It was used: the signup itself says how it ended.
    Used,
    /// Another request holds it.
    Held,
}

/// Claims the request's key for as long as a check that can't be repeated may take: a claim ends by itself, so a crash
/// locks nothing.
pub async fn claim(db: &impl Db, signup: &Signup) -> Result<Claim, DbError> {
    let Some(key) = signup.key.as_deref() else { return Ok(Claim::Ours) };
    let claim = Statement::new(
        "insert into idempotency_keys (id, operation, fingerprint, status, created_at, expires_at, lease)
         values (?1, 'signup_start', ?2, 'in_progress', ?3, ?3 + ?4, ?5)
         on conflict (id) do update set fingerprint = excluded.fingerprint, tenant_id = null, status = excluded.status,
           created_at = excluded.created_at, expires_at = excluded.expires_at, lease = excluded.lease
         where expires_at <= ?3",
        [
            key.into(),
            signup.fingerprint.as_str().into(),
            signup.now.seconds().into(),
            LEASE_SECONDS.into(),
            signup.lease.as_str().into(),
        ],
    );
    let holder = Statement::new("select status, lease from idempotency_keys where id = ?1", [key.into()]);
    let (_, held) = db.ask((claim, Query::<Option<Held>>::optional(holder))).await?;
    Ok(match held {
        Some(held) if held.status == "completed" => Claim::Used,
        Some(held) if held.lease.as_deref() != Some(signup.lease.as_str()) => Claim::Held,
        _ => Claim::Ours,
    })
}

/// Gives a claim back, so that the same request can be sent again at once.
pub async fn release(db: &impl Db, signup: &Signup) -> Result<(), DbError> {
    let statement = Statement::new(
        "delete from idempotency_keys where id = ?1 and lease = ?2",
        [signup.key.as_deref().into(), signup.lease.as_str().into()],
    );
    db.query(statement).await.map(|_| ())
}

/// Signs up. One round trip, one transaction; of any number of racing signups for one name, address or last use of a
/// code, one wins.
pub async fn insert(db: &impl Db, signup: &Signup) -> Result<SignupOutcome, DbError> {
    let (inserted, _, facts, tenant) = db.ask(batch(signup)).await?;
    match (inserted.has_changed(), tenant) {
        (true, Some(tenant)) => Ok(SignupOutcome::Created(tenant)),
        (true, None) => Err(DbError::Corrupt("a signup left no trace".to_owned())),
        (false, tenant) => decide(signup, facts, tenant),
    }
}

/// What stood in the way.
fn decide(signup: &Signup, facts: Facts, tenant: Option<SignedUp>) -> Result<SignupOutcome, DbError> {
    let known = |tenant: Option<SignedUp>| tenant.ok_or_else(|| DbError::Corrupt("no tenant row".to_owned()));
    if let Some(fingerprint) = facts.key_fingerprint {
        return match (fingerprint == signup.fingerprint, facts.key_status.as_deref(), facts.key_tenant) {
            (false, ..) => Ok(SignupOutcome::KeyReused),
            (true, Some("completed"), Some(_))
                if facts.key_tenant_status != Some(TenantStatus::Cancelled) =>
            {
                Ok(SignupOutcome::ReplayedWithKey(known(tenant)?))
            }
            // What is completed and nobody's was let go of.
            (true, Some("completed"), _) => Ok(SignupOutcome::Removed),
            (true, ..) => Ok(SignupOutcome::InProgress),
        };
    }
    if facts.disabled {
        return Ok(SignupOutcome::Disabled);
    }
    if facts.slug_owner.is_some() {
        // A known key always belongs to the request it came with; without one, knowing a tenant's name and address must
        // not be a way in.
        return match (facts.slug_fingerprint.as_ref() == Some(&signup.fingerprint), &signup.key) {
            (true, None) if facts.slug_status == Some(TenantStatus::Cancelled) => Ok(SignupOutcome::Removed),
            (true, None) => Ok(SignupOutcome::ReplayedWithoutKey(known(tenant)?)),
            _ => Ok(SignupOutcome::SlugTaken),
        };
    }
    // Whether an address is known is told last, to whoever would have got a tenant otherwise: asking costs a signup.
    match (facts.promo_problem, facts.email_owner) {
        (Some(problem), _) => Ok(SignupOutcome::Promo(problem)),
        (None, Some(_)) => Ok(SignupOutcome::EmailExists),
        (None, None) => Err(DbError::Corrupt("a signup was refused for no reason".to_owned())),
    }
}

/// The tenant, what belongs to it, what stood in the way, and the tenant as it is then.
fn batch(signup: &Signup) -> (Statement, Vec<Statement>, Query<Facts>, Query<Option<SignedUp>>) {
    let mut rest = vec![insert_event(signup)];
    rest.extend(
        signup
            .proof
            .as_ref()
            .map(|mail| mails::confirm_address(&signup.tenant, mail, &signup.caller, signup.now)),
    );
    if signup.key.is_some() {
        rest.push(insert_key(signup));
    }
    if signup.promo.is_some() {
        rest.push(count_promo(signup));
        rest.push(insert_redemption(signup));
    }
    (insert_tenant(signup), rest, facts(signup), select_tenant(signup))
}

/// What stands against this signup, if it was not granted.
fn facts(signup: &Signup) -> Query<Facts> {
    Query::one(Statement::new(
        "select
           exists (select 1 from feature_flags where name = 'signup_enabled' and enabled = 0) as disabled,
           k.fingerprint as key_fingerprint, k.status as key_status, k.tenant_id as key_tenant,
           (select status from tenants where id = k.tenant_id) as key_tenant_status,
           s.id as slug_owner, s.signup_fingerprint as slug_fingerprint, s.status as slug_status,
           (select id from tenants where email = ?3) as email_owner,
           case
             when ?4 is null then null
             when p.code is null then 'unknown'
             when p.active = 0 then 'inactive'
             when p.starts_at > ?5 then 'not_started'
             when p.valid_until <= ?5 then 'expired'
             when p.tenant_slugs is not null
               and not exists (select 1 from json_each(p.tenant_slugs) where value = ?2) then 'not_allowed'
             when p.uses >= p.max_uses then 'exhausted'
           end as promo_problem
         from (select 1)
           left join idempotency_keys k on k.id = ?1 and k.expires_at > ?5 and coalesce(k.lease, '') <> ?6
           left join tenants s on s.slug = ?2
           left join promo_codes p on p.code = ?4",
        [
            signup.key.as_deref().into(),
            signup.slug.as_str().into(),
            signup.email.as_str().into(),
            signup.promo.as_ref().map(PromoCode::as_str).into(),
            signup.now.seconds().into(),
            signup.lease.as_str().into(),
        ],
    ))
}

/// The unique indexes decide; the rest of the condition is what they can't know. The sweep counts the tenant: see
/// `migrations/0019_signups_counted.sql`.
fn insert_tenant(signup: &Signup) -> Statement {
    Statement::new(
        "insert into tenants (id, slug, name, email, plan, comped, trial_ends_at, promo_code_used, owner_user_id,
           signup_fingerprint, created_at, updated_at, name_folded, counted, unproven_email, lapses_at, link_mailed_at, language)
         select ?1, ?2, ?3, iif(?14 is null, ?4, null), coalesce(p.plan, ?5), coalesce(p.lifetime = 1 and p.discount_percent = 100, 0),
           ?6, p.code, ?8, ?9, ?10, ?10, ?13, 0, iif(?14 is null, null, ?4), ?14, iif(?14 is null, 0, ?10), ?15
         from (select 1) left join promo_codes p on p.code = ?7
         where not exists (select 1 from feature_flags where name = 'signup_enabled' and enabled = 0)
           and not exists (select 1 from tenants where email = ?4)
           and not exists (select 1 from idempotency_keys where id = ?11 and expires_at > ?10 and coalesce(lease, '') <> ?12)
           and (?7 is null or (
             p.active = 1
             and coalesce(p.starts_at <= ?10, 1) and coalesce(p.valid_until > ?10, 1)
             and (p.tenant_slugs is null or exists (select 1 from json_each(p.tenant_slugs) where value = ?2))
             and coalesce(p.uses < p.max_uses, 1)))
         on conflict do nothing",
        [
            signup.tenant.as_str().into(),
            signup.slug.as_str().into(),
            signup.name.as_str().into(),
            signup.email.as_str().into(),
            signup.plan.as_str().into(),
            (signup.now.seconds() + TRIAL_SECONDS).into(),
            signup.promo.as_ref().map(PromoCode::as_str).into(),
            signup.owner.as_str().into(),
            signup.fingerprint.as_str().into(),
            signup.now.seconds().into(),
            signup.key.as_deref().into(),
            signup.lease.as_str().into(),
            text::folded(signup.name.as_str()).into(),
            signup.proof.as_ref().map(|_| signup.now.seconds() + LAPSE_SECONDS).into(),
            signup.language.as_str().into(),
        ],
    )
}

/// The tenant that was made, or the one that this request made before.
fn select_tenant(signup: &Signup) -> Query<Option<SignedUp>> {
    Query::optional(Statement::new(
        "select t.id, t.slug, t.name, coalesce(t.email, t.unproven_email) as email, t.unproven_email is null as email_proven,
           t.email_proven_at is not null as has_proven, t.plan, t.status, t.comped, t.trial_ends_at, t.owner_user_id,
           coalesce(r.discount_percent, 0) as discount,
           coalesce((select created_at from idempotency_keys where id = ?1 and tenant_id = t.id), t.created_at) as first_token_at,
           max(t.tokens_valid_after, coalesce(
             (select value from feature_flags where name = 'tokens_valid_after' and enabled = 1), 0), coalesce(
             (select tokens_valid_after from user_cutoffs where user_id = t.owner_user_id), 0)) as tokens_valid_after,
           exists (select 1 from revoked_tokens where tenant_id = t.id)
             or exists (select 1 from revoked_tokens where tenant_id is null and revoked_at >= t.created_at) as revoked
         from tenants t left join promo_redemptions r on r.code = t.promo_code_used and r.tenant_id = t.id
         where t.slug is not null and coalesce(t.email, t.unproven_email) is not null and t.id = coalesce(
           (select tenant_id from idempotency_keys where id = ?1 and fingerprint = ?2 and expires_at > ?5),
           (select id from tenants where slug = ?3 and signup_fingerprint = ?2),
           ?4)",
        [
            signup.key.as_deref().into(),
            signup.fingerprint.as_str().into(),
            signup.slug.as_str().into(),
            signup.tenant.as_str().into(),
            signup.now.seconds().into(),
        ],
    ))
}

/// Its moment is the first token's, which is ahead of a cut-off in this very second: a cut-off beyond it came later.
fn insert_key(signup: &Signup) -> Statement {
    Statement::new(
        "insert into idempotency_keys (id, operation, fingerprint, tenant_id, status, created_at, expires_at)
         select ?1, 'signup_start', ?2, id, 'completed', max(?3, coalesce(
           (select value from feature_flags where name = 'tokens_valid_after' and enabled = 1), 0)), ?3 + ?4
         from tenants where id = ?5
         on conflict (id) do update set operation = excluded.operation, fingerprint = excluded.fingerprint,
           tenant_id = excluded.tenant_id, status = excluded.status, created_at = excluded.created_at,
           expires_at = excluded.expires_at, lease = null",
        [
            signup.key.as_deref().into(),
            signup.fingerprint.as_str().into(),
            signup.now.seconds().into(),
            KEY_SECONDS.into(),
            signup.tenant.as_str().into(),
        ],
    )
}

fn insert_event(signup: &Signup) -> Statement {
    Statement::new(
        "insert into domain_events (tenant_id, occurred_at, id, type, data)
         select id, created_at, 'evt_' || substr(id, 8) || '_signed_up', 'tenant.signed_up',
           json_object('plan', plan, 'slug', slug)
         from tenants where id = ?1",
        [signup.tenant.as_str().into()],
    )
}

/// The table's own `check` holds the cap should the condition of the insert ever be wrong.
fn count_promo(signup: &Signup) -> Statement {
    Statement::new(
        "update promo_codes set uses = uses + 1 where code = ?1 and exists (select 1 from tenants where id = ?2)",
        promo_params(signup),
    )
}

fn insert_redemption(signup: &Signup) -> Statement {
    Statement::new(
        "insert into promo_redemptions (code, tenant_id, discount_percent, redeemed_at)
         select p.code, t.id, p.discount_percent, t.created_at
         from tenants t join promo_codes p on p.code = ?1 where t.id = ?2",
        promo_params(signup),
    )
}

fn promo_params(signup: &Signup) -> [Value; 2] {
    [signup.promo.as_ref().map(PromoCode::as_str).into(), signup.tenant.as_str().into()]
}
