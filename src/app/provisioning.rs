//! Starting a tenant's provisioning, and saying where it stands.

use std::time::Duration;

use crate::{
    db::{Batch, DbError},
    domain::{Claims, Denial, Plan, RunId, RunStatus, TenantId, TenantStatus, Timestamp},
    ports::{CryptoError, Level, LogLine, ObjectError, Ports},
    store::{self, runs::RunView, tenants::Tenant},
    workflow::{Command, Reply, Report, RequestOrigin},
};

use super::{App, access, access::AccessError};

/// Why provisioning could not be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// There is no such tenant.
    #[error("tenant not found")]
    NotFound,
    /// The tenant has another plan.
    #[error("plan mismatch")]
    PlanMismatch,
    /// The tenant has no failed run to try again.
    #[error("not retryable")]
    NotRetryable,
    /// The tenant is suspended: it is not set up.
    #[error("suspended")]
    Suspended,
    /// The tenant is gone.
    #[error("cancelled")]
    Cancelled,
    /// A live tenant's webhook was stored too often within a day.
    #[error("too often")]
    TooOften,
    /// The token does not admit its holder any more.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The object did not answer. The wish is stored: it is not lost.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The secret could not be sealed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl From<AccessError> for QueueError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Denied(denial) => Self::Denied(denial),
            AccessError::Db(error) => Self::Db(error),
        }
    }
}

/// What queueing did.
#[derive(Debug, Clone)]
pub struct Queued {
    /// The run; none for a tenant that was completed by hand.
    pub run: Option<RunId>,
    /// Where provisioning stands.
    pub status: RunStatus,
    /// Whether anything was started.
    pub changed: bool,
}

/// Queues a pro tenant's provisioning.
pub async fn confirm_pro<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    caller: RequestOrigin,
) -> Result<Queued, QueueError> {
    queue_after(app, claims, tenant, Some(Plan::Pro), [], caller).await.map(|(queued, _)| queued)
}

/// Queues a tenant's provisioning on behalf of an internal service.
pub async fn queue<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    caller: RequestOrigin,
) -> Result<Queued, QueueError> {
    queue_after(app, claims, tenant, None, [], caller).await.map(|(queued, _)| queued)
}

/// Queues a tenant's own failed provisioning again.
pub async fn retry<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    caller: RequestOrigin,
) -> Result<Queued, QueueError> {
    let now = app.ports.now();
    let batch = (store::tenants::request_retry(tenant, now), store::tenants::by_id(tenant));
    let (_, tenant) = access::on_behalf_of(app, claims, batch).await?;
    let tenant = tenant.ok_or(QueueError::NotFound)?;
    match tenant.provisioning() {
        RunStatus::Processing => send_command(app, &tenant, caller).await,
        // A stopped tenant's own token is refused before it comes here.
        _ => Err(QueueError::NotRetryable),
    }
}

/// Queues a tenant's provisioning after `first`, whose answer it gives back.
pub(super) async fn queue_after<P: Ports, B: Batch>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    plan: Option<Plan>,
    first: B,
    caller: RequestOrigin,
) -> Result<(Queued, B::Answer), QueueError> {
    let want = store::tenants::mark_queued(tenant, plan, &caller.origin, app.ports.now());
    let batch = (first, want, store::tenants::by_id(tenant));
    let (first, want, tenant) = access::on_behalf_of(app, claims, batch).await?;
    Ok((queue_in_object(app, tenant, plan, want.has_changed(), caller).await?, first))
}

/// Tells the object, after the wish was stored. Nobody tells it before the tenant's address is proven: the proof does.
async fn queue_in_object<P: Ports>(
    app: &App<P>,
    tenant: Option<Tenant>,
    plan: Option<Plan>,
    is_new: bool,
    caller: RequestOrigin,
) -> Result<Queued, QueueError> {
    let tenant = tenant.filter(|tenant| tenant.undo_state.is_none()).ok_or(QueueError::NotFound)?;
    if plan.is_some_and(|plan| plan != tenant.plan) {
        return Err(QueueError::PlanMismatch);
    }
    if tenant.is_unproven() {
        return Ok(Queued { run: None, status: RunStatus::Pending, changed: is_new });
    }
    if tenant.provisioning() == RunStatus::Completed {
        return Ok(Queued { run: tenant.run().cloned(), status: RunStatus::Completed, changed: false });
    }
    send_command(app, &tenant, caller).await
}

pub(super) async fn send_command<P: Ports>(
    app: &App<P>,
    tenant: &Tenant,
    caller: RequestOrigin,
) -> Result<Queued, QueueError> {
    // Its wish was not stored, either.
    match tenant.status {
        TenantStatus::Suspended => return Err(QueueError::Suspended),
        TenantStatus::Cancelled if tenant.undo_state.is_none() => return Err(QueueError::Cancelled),
        _ => {}
    }
    // A tenant that is being removed is not there any more for whoever wants to set it up.
    let subject = tenant.subject().filter(|_| tenant.undo_state.is_none()).ok_or(QueueError::NotFound)?;
    let id = subject.tenant.clone();
    let command = Command::Queue {
        subject,
        plan: tenant.plan,
        caller,
        run: None,
        projected_version: Some(tenant.projected_version()).filter(|version| *version > 0),
    };
    match app.ports.send_command(&id, &command).await? {
        Reply::Run { report, changed } => {
            app.log(
                LogLine::new(Level::Info, "tenant_provision_queued")
                    .with("tenantId", id.as_str())
                    .with("runId", report.run.as_str())
                    .with("changed", changed),
            );
            Ok(Queued { run: Some(report.run), status: report.status, changed })
        }
        other => Err(ObjectError(format!("queue answered {}", other.word())).into()),
    }
}

/// Where a tenant's provisioning stands, as D1 shows it.
pub async fn status<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
) -> Result<Option<RunView>, AccessError> {
    access::progress(app, claims, store::runs::select(tenant)).await
}

/// Where a tenant's provisioning stands, as its object says: the answer while the database is down.
pub async fn degraded_status<P: Ports>(
    app: &App<P>,
    tenant: &TenantId,
) -> Result<Option<Report>, ObjectError> {
    match app.ports.send_command(tenant, &Command::Report).await? {
        Reply::Run { report, .. } => Ok(Some(report)),
        _ => Ok(None),
    }
}

/// How long a client should wait before it asks again: until the next attempt, but not for ever.
pub fn poll_again_in(report: Option<&Report>, now: Timestamp) -> Duration {
    let due = report
        .and_then(|r| r.steps.iter().find_map(|s| s.retry_at))
        .map_or(Duration::ZERO, |at| at.since(now));
    Duration::from_secs(due.as_secs().clamp(1, 30))
}
