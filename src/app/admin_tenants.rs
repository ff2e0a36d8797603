//! What operators do to tenants: each for a reason, written down in the same batch that does it.

use crate::{
    db::{Answer, DbError},
    domain::{Claims, MailId, Plan, RunStatus, TenantId, TenantStatus, WebhookSecret, WebhookUrl},
    ports::Ports,
    store::{
        self,
        admin_tenants::{Change, TenantDetails},
        vouching::Said,
    },
    workflow::RequestOrigin,
};

use super::{
    App, access,
    access::AccessError,
    mails, proof, provisioning,
    provisioning::{QueueError, Queued},
    webhooks,
    webhooks::{Restored, Storing},
};

/// What correcting a webhook did.
#[derive(Debug, Clone, Default)]
pub struct Corrected {
    /// What resuming the tenant's run did; none when there was nothing to resume.
    pub resumed: Option<Queued>,
    /// What became of it, if the tenant is live.
    pub restored: Option<Restored>,
}

/// Why a tenant's webhook was not corrected, or its run not resumed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CorrectionError {
    /// There is no such tenant.
    #[error("tenant not found")]
    NotFound,
    /// Its plan has no webhook.
    #[error("plan mismatch")]
    PlanMismatch,
    /// It is gone.
    #[error("cancelled")]
    Cancelled,
    /// It is suspended.
    #[error("suspended")]
    Suspended,
    /// No secret was given, and none is stored.
    #[error("no secret")]
    NoSecret,
    /// The webhook could not be stored, or was stored and the object did not hear of it.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl From<DbError> for CorrectionError {
    fn from(error: DbError) -> Self {
        Self::Queue(error.into())
    }
}

/// Why a tenant was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// There is no such tenant.
    #[error("tenant not found")]
    NotFound,
    /// It is gone.
    #[error("cancelled")]
    Cancelled,
    /// Another tenant has proven the address.
    #[error("email exists")]
    EmailExists,
    /// Its address is proven: another one has to be vouched for.
    #[error("email proven")]
    EmailProven,
    /// The steps of its run depend on its plan.
    #[error("plan locked")]
    PlanLocked,
    /// The token does not admit its holder any more, or the database did not answer.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl From<DbError> for ChangeError {
    fn from(error: DbError) -> Self {
        Self::Access(error.into())
    }
}

/// Stores another webhook for a starter tenant, and resumes its run if it is the webhook that it failed on. Without
/// a secret the stored one stays. If the tenant is live, pings it.
pub async fn correct_webhook<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    url: &WebhookUrl,
    secret: Option<&WebhookSecret>,
    reason: &str,
    caller: RequestOrigin,
) -> Result<Corrected, CorrectionError> {
    let sealed = match secret {
        Some(secret) => {
            let sealed = app.ports.seal(secret.secret(), tenant.as_str()).await;
            Some(sealed.map_err(QueueError::from)?)
        }
        None => None,
    };
    let audit_context =
        access::audit_context(app, claims, reason, caller.request.as_deref().unwrap_or_default());
    let mail = MailId::new(audit_context.now, app.ports.random());
    let told =
        store::webhooks::tell_changed(tenant, url, sealed.is_some(), &mail, &caller, audit_context.now);
    let batch = (
        (store::webhooks::audit_webhook(tenant, url, sealed.is_some(), &audit_context), told),
        store::webhooks::webhook(tenant),
        store::webhooks::set_webhook(tenant, url, sealed.as_deref(), audit_context.now),
        store::webhooks::webhook(tenant),
        // As for a tenant's own retry: stored first, so that the sweep finds it should the object not hear of it.
        store::tenants::request_retry_after_webhook_fix(tenant, audit_context.now),
        store::admin_tenants::by_id(tenant),
        store::tenants::by_id(tenant),
    );
    let (_, before, stored, after, _, details, known) =
        access::on_behalf_of(app, claims, batch).await.map_err(QueueError::from)?;
    let storing = Storing { before, is_stored: stored.has_changed(), after };
    let (tenant, details) = known.zip(details).ok_or(CorrectionError::NotFound)?;
    match (details.facts.status, details.facts.plan, &details.webhook) {
        (TenantStatus::Cancelled, ..) => Err(CorrectionError::Cancelled),
        (TenantStatus::Suspended, ..) => Err(CorrectionError::Suspended),
        (_, Plan::Pro, _) => Err(CorrectionError::PlanMismatch),
        (_, Plan::Starter, None) => Err(CorrectionError::NoSecret),
        _ => match tenant.provisioning() {
            RunStatus::Processing => {
                let resumed = Some(provisioning::send_command(app, &tenant, caller).await?);
                Ok(Corrected { resumed, restored: None })
            }
            RunStatus::Completed => {
                let wanted = (url, secret.map(WebhookSecret::secret));
                let restored = Some(webhooks::announce(app, tenant.id(), storing, wanted, caller).await?);
                Ok(Corrected { resumed: None, restored })
            }
            _ => Ok(Corrected::default()),
        },
    }
}

/// Changes a tenant: where it stands, its plan, whether it pays. Answers the tenant as it is then.
pub async fn change<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    change: Change,
    reason: &str,
    request: &str,
) -> Result<TenantDetails, ChangeError> {
    let audit_context = access::audit_context(app, claims, reason, request);
    let batch =
        (store::admin_tenants::change(tenant, change, &audit_context), store::admin_tenants::by_id(tenant));
    let (_, details) = access::on_behalf_of(app, claims, batch).await?;
    let details = details.ok_or(ChangeError::NotFound)?;
    if details.facts.status == TenantStatus::Cancelled {
        return Err(ChangeError::Cancelled);
    }
    if change.plan.is_some_and(|plan| plan != details.facts.plan) {
        return Err(ChangeError::PlanLocked);
    }
    Ok(details)
}

/// Corrects a tenant's address, vouches for it, or both. A proven address that is replaced by another ends every token and link that
/// its owner was given. What waited for the proof starts. Answers the tenant as it is then.
pub async fn change_email<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    said: Said<'_>,
    reason: &str,
    caller: RequestOrigin,
) -> Result<TenantDetails, ChangeError> {
    let audit_context =
        access::audit_context(app, claims, reason, caller.request.as_deref().unwrap_or_default());
    let mail = MailId::new(audit_context.now, app.ports.random());
    let batch = (
        store::vouching::change(tenant, said, &mail, &caller, &audit_context),
        store::vouching::is_taken(tenant, said.email),
        store::admin_tenants::by_id(tenant),
        store::tenants::by_id(tenant),
    );
    let (changed, is_taken, details, row) = access::on_behalf_of(app, claims, batch).await?;
    let details = details.ok_or(ChangeError::NotFound)?;
    if changed.first().is_some_and(Answer::has_changed) {
        mails::send_later(app, tenant);
        proof::start_if_wanted(app, said.is_good, row, caller).await;
        return Ok(details);
    }
    let is_another = said.email.is_some_and(|email| details.facts.email.as_deref() != Some(email.as_str()));
    match &details.facts {
        tenant if tenant.status == TenantStatus::Cancelled => Err(ChangeError::Cancelled),
        _ if is_taken == Some(true) => Err(ChangeError::EmailExists),
        _ if is_another => Err(ChangeError::EmailProven),
        _ => Ok(details),
    }
}
