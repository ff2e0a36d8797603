//! Handing a tenant on to another of its people.

use crate::{
    db::DbError,
    domain::{Claims, MailId, TenantId},
    ports::Ports,
    store::{
        self,
        invitations::Transfer,
        ownership::{Offer, Standing},
    },
    workflow::RequestOrigin,
};

use super::{App, access, access::AccessError, mails, members};

/// Why a tenant was not handed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// Nobody of the tenant's is that.
    #[error("no such member")]
    NoMember,
    /// There is no such tenant.
    #[error("no such tenant")]
    NoTenant,
    /// The tenant is offered to nobody, or not to whoever asks.
    #[error("not offered")]
    NotOffered,
    /// It is offered to somebody already.
    #[error("pending")]
    Pending,
    /// The person owns it already.
    #[error("already owner")]
    AlreadyOwner,
    /// It is too late.
    #[error("expired")]
    Expired,
    /// The person's address is another tenant's own.
    #[error("email exists")]
    EmailExists,
    /// The token does not admit its holder to this, or the database did not answer.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl From<DbError> for TransferError {
    fn from(error: DbError) -> Self {
        Self::Access(error.into())
    }
}

/// An owner offers the tenant to one of its people.
pub async fn offer<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    user: &str,
    caller: &RequestOrigin,
) -> Result<Transfer, TransferError> {
    let now = app.ports.now();
    let mail = MailId::new(now, app.ports.random());
    let offer = Offer { tenant, from: members::actor(claims), to: user, mail: &mail, caller, now };
    let batch = (
        store::ownership::offer(&offer),
        store::invitations::transfer(tenant, now),
        store::ownership::standing(tenant, user, "", now),
    );
    let ([_, _, offered, _], transfer, standing) = access::as_owner(app, claims, batch).await?;
    match (standing, transfer) {
        (_, Some(transfer)) if offered.has_changed() => {
            mails::send_later(app, tenant);
            Ok(transfer)
        }
        (Standing { is_member: false, .. }, _) => Err(TransferError::NoMember),
        (Standing { is_owner: true, .. }, _) => Err(TransferError::AlreadyOwner),
        _ => Err(TransferError::Pending),
    }
}

/// Takes an offer back, or declines it.
pub async fn withdraw<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
) -> Result<(), TransferError> {
    let withdraw = store::ownership::withdraw(tenant, members::actor(claims));
    let withdrawn = access::on_behalf_of(app, claims, withdraw).await?;
    if withdrawn.has_changed() { Ok(()) } else { Err(TransferError::NotOffered) }
}

/// Whoever is offered the tenant accepts it.
pub async fn accept<P: Ports>(app: &App<P>, claims: &Claims, tenant: &TenantId) -> Result<(), TransferError> {
    let (now, event, user) = (app.ports.now(), members::event_id(app), members::actor(claims));
    let batch = (
        store::ownership::standing(tenant, user, "", now),
        store::ownership::accept(tenant, user, &event, now),
        store::ownership::standing(tenant, user, &event, now),
    );
    let (before, _, after) = access::on_behalf_of(app, claims, batch).await?;
    match before {
        _ if after.done => {
            members::log(app, tenant, "ownership.transferred");
            Ok(())
        }
        Standing { is_theirs: false, .. } => Err(TransferError::NotOffered),
        Standing { is_over: true, .. } => Err(TransferError::Expired),
        _ => Err(TransferError::EmailExists),
    }
}

/// An operator hands a tenant on whose owner is gone.
pub async fn force<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    user: &str,
    reason: &str,
    request: &str,
) -> Result<(), TransferError> {
    let event = members::event_id(app);
    let audit_context = access::audit_context(app, claims, reason, request);
    let batch = (
        store::ownership::force(tenant, user, &event, &audit_context),
        store::ownership::standing(tenant, user, &event, audit_context.now),
        store::tenants::by_id(tenant),
    );
    let (_, standing, known) = access::on_behalf_of(app, claims, batch).await?;
    known.ok_or(TransferError::NoTenant)?;
    match standing {
        Standing { done: true, .. } => {
            members::log(app, tenant, "ownership.transferred");
            Ok(())
        }
        Standing { is_member: false, .. } => Err(TransferError::NoMember),
        Standing { is_owner: true, .. } => Err(TransferError::AlreadyOwner),
        _ => Err(TransferError::EmailExists),
    }
}
