//! Making a tenant by hand: an operator does for somebody what the public form does.

use crate::{
    db::DbError,
    domain::{Claims, Email, Language, MailId, Plan, Slug, TenantId, TenantName, UserId},
    ports::Ports,
    store::{
        admin_tenants::TenantDetails,
        new_tenants::{self, NewTenant, Outcome},
    },
    workflow::RequestOrigin,
};

use super::{
    App,
    access::{self, AccessError},
    digest, mails,
    signups::SignupError,
};

/// What an operator wants.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The tenant's name.
    pub name: TenantName,
    /// Its name in addresses.
    pub slug: Slug,
    /// Its owner's address.
    pub email: Email,
    /// The plan.
    pub plan: Plan,
    /// The language of its mails.
    pub language: Language,
    /// Whether it pays nothing.
    pub comped: bool,
    /// Why.
    pub reason: String,
    /// The `Idempotency-Key` that came with it.
    pub key: Option<String>,
}

impl Wanted {
    /// No signup has the same: whoever fills the public form in alike gets nothing that an operator made.
    fn fingerprint(&self) -> String {
        digest(&[
            "tenant_create",
            self.name.as_str(),
            self.slug.as_str(),
            self.email.as_str(),
            self.plan.as_str(),
            if self.comped { "comped" } else { "" },
            &self.reason,
        ])
    }
}

/// A tenant that an operator made.
#[derive(Debug, Clone)]
pub struct Made {
    /// The tenant as it is now.
    pub details: TenantDetails,
    /// Whether the same request made it before.
    pub replayed: bool,
}

/// Why a tenant was not made.
#[derive(Debug, thiserror::Error)]
pub enum NewTenantError {
    /// For what keeps a signup from being granted.
    #[error(transparent)]
    Refused(#[from] SignupError),
    /// The token does not admit its holder any more, or the database did not answer.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl From<DbError> for NewTenantError {
    fn from(error: DbError) -> Self {
        Self::Access(error.into())
    }
}

/// Makes a tenant, and mails its owner a link: all of it or nothing, and the same once more for the same key. The switch that
/// stops signups does not stop it.
pub async fn create<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    wanted: &Wanted,
    caller: &RequestOrigin,
) -> Result<Made, NewTenantError> {
    // Asked before anything is written: a service that can't sign must not burn names.
    app.settings.keys.can_sign().map_err(SignupError::from)?;
    let request = caller.request.as_deref().unwrap_or_default();
    let audit_context = access::audit_context(app, claims, &wanted.reason, request);
    let now = audit_context.now;
    let new = NewTenant {
        id: TenantId::new(now, app.ports.random()),
        owner: UserId::new(now, app.ports.random()),
        name: wanted.name.clone(),
        slug: wanted.slug.clone(),
        email: wanted.email.clone(),
        plan: wanted.plan,
        language: wanted.language,
        comped: wanted.comped,
        fingerprint: wanted.fingerprint(),
        key: wanted.key.as_deref().map(|key| digest(&["tenant_create", audit_context.actor, key])),
        mail: MailId::new(now, app.ports.random()),
        now,
    };
    let batch = new_tenants::create(&new, caller, &audit_context);
    let (inserted, _, facts, tenant) = access::on_behalf_of(app, claims, batch).await?;
    match Outcome::of(&new, inserted.has_changed(), &facts, tenant)? {
        Outcome::Created(details) => {
            mails::send_later(app, &new.id);
            Ok(Made { details: *details, replayed: false })
        }
        Outcome::Replayed(details) => Ok(Made { details: *details, replayed: true }),
        Outcome::Removed => Err(SignupError::Removed.into()),
        Outcome::KeyReused => Err(SignupError::KeyReused.into()),
        Outcome::SlugTaken => Err(SignupError::SlugTaken.into()),
        Outcome::EmailExists => Err(SignupError::EmailExists.into()),
    }
}
