//! Changing who belongs to a tenant, and what they may do there.

use crate::{
    db::{DbError, Statement},
    domain::{Claims, TeamRole, TenantId, id},
    ports::{Level, LogLine, Ports},
    store::{
        self,
        members::{Member, Outcome, Wanted},
    },
};

use super::{App, access, access::AccessError};

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// There is no such person in the tenant.
    #[error("not found")]
    NotFound,
    /// Nobody would own the tenant any more.
    #[error("last owner")]
    LastOwner,
    /// The tenant's own address would become that of the other owner, and is another tenant's own.
    #[error("email exists")]
    EmailExists,
    /// The token does not admit its holder to this, or the database did not answer.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl From<DbError> for MemberError {
    fn from(error: DbError) -> Self {
        Self::Access(error.into())
    }
}

/// Somebody who acts for themselves, or an owner who acts on others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum As {
    Owner,
    Oneself,
}

/// The id of an event that is about to be written.
pub(super) fn event_id<P: Ports>(app: &App<P>) -> String {
    format!("evt_{}", id::token_id(app.ports.now(), app.ports.random()))
}

/// Whoever acts, by their token.
pub(super) fn actor(claims: &Claims) -> &str {
    claims.sub.as_deref().filter(|sub| !sub.is_empty()).unwrap_or("unknown")
}

/// An owner removes one of the tenant's people: their tokens end at once.
pub async fn remove<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    user: &str,
) -> Result<(), MemberError> {
    end(app, claims, As::Owner, tenant, user).await
}

/// Somebody leaves the tenant.
pub async fn leave<P: Ports>(app: &App<P>, claims: &Claims, tenant: &TenantId) -> Result<(), MemberError> {
    let user = claims.sub.as_deref().unwrap_or_default();
    end(app, claims, As::Oneself, tenant, user).await
}

async fn end<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    who: As,
    tenant: &TenantId,
    user: &str,
) -> Result<(), MemberError> {
    let event = event_id(app);
    let wanted = Wanted { tenant, user, by: actor(claims), event: &event, now: app.ports.now() };
    // Whether it is one of the tenant's people is asked before it is none.
    let known = store::members::list(tenant, Some(user));
    let batch = (known, store::members::remove(&wanted), store::members::outcome(&wanted));
    let (known, _, outcome) = ask(app, claims, who, batch).await?;
    if known.is_empty() {
        return Err(MemberError::NotFound);
    }
    judge(outcome)?;
    log(app, tenant, "member.removed");
    Ok(())
}

/// The log hears of a change, but not of whom: the event says that.
pub(super) fn log<P: Ports>(app: &App<P>, tenant: &TenantId, event: &'static str) {
    let line = LogLine::new(Level::Info, "team_changed").with("tenantId", tenant.as_str());
    app.log(line.with("type", event));
}

async fn ask<P: Ports, A>(
    app: &App<P>,
    claims: &Claims,
    who: As,
    batch: impl crate::db::Batch<Answer = A>,
) -> Result<A, AccessError> {
    match who {
        As::Owner => access::as_owner(app, claims, batch).await,
        As::Oneself => access::on_behalf_of(app, claims, batch).await,
    }
}

/// An owner changes what one of the tenant's people may do. Answers the person as they are now.
pub async fn change_role<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    user: &str,
    role: TeamRole,
) -> Result<Member, MemberError> {
    let event = event_id(app);
    let wanted = Wanted { tenant, user, by: actor(claims), event: &event, now: app.ports.now() };
    let change: Vec<Statement> = store::members::change_role(&wanted, role);
    let batch = (change, store::members::outcome(&wanted), store::members::list(tenant, Some(user)));
    let (_, outcome, member) = access::as_owner(app, claims, batch).await?;
    let member = member.into_iter().next().ok_or(MemberError::NotFound)?;
    // Whoever is that already stays it.
    if outcome.done || member.roles != role.roles() {
        judge(outcome)?;
        log(app, tenant, "member.role_changed");
    }
    Ok(member)
}

fn judge(outcome: Outcome) -> Result<(), MemberError> {
    match outcome {
        Outcome { done: true, .. } => Ok(()),
        Outcome { is_member: false, .. } => Err(MemberError::NotFound),
        Outcome { is_owner: true, has_other_owner: true, .. } => Err(MemberError::EmailExists),
        _ => Err(MemberError::LastOwner),
    }
}
