//! What operators do to runs: each with a reason, written down in the same batch that lets them in.

use crate::{
    db::{Db, DbError},
    domain::{Claims, RunId, RunStatus, Step, TenantStatus, UndoStatus},
    ports::{ObjectError, Ports},
    store::{self, tenants::Tenant},
    workflow::{Command, Reply, Report, RequestOrigin},
};

use super::{App, access, access::AccessError};

/// What to do to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(prefix = "saga.", serialize_all = "snake_case")]
pub enum Action {
    /// Resume it, or undoing it, where that failed.
    Retry,
    /// Stop it.
    Cancel,
    /// Stop it, and remove what it made.
    Undo,
    /// Leave out this step, or this removal, at which it failed.
    SkipStep(Step),
    /// Forget what its object stores and can't read, and go on from what D1 shows.
    Reset,
}

impl Action {
    /// The word in the audit log.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Why nothing was done to a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// There is no such run.
    #[error("run not found")]
    NotFound,
    /// It is not in a state in which that can be done.
    #[error("conflict")]
    Conflict,
    /// This version can't read what its object stores.
    #[error("unreadable")]
    Unreadable,
    /// Its tenant is suspended: it is not set up.
    #[error("suspended")]
    Suspended,
    /// Its tenant is gone.
    #[error("cancelled")]
    Cancelled,
    /// The token does not admit its holder any more, or the database did not answer.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The object did not answer: whether it was done is unknown, and doing it again is safe.
    #[error(transparent)]
    Object(#[from] ObjectError),
}

impl ActionError {
    /// Whether it is known that nothing was done.
    const fn is_refusal(&self) -> bool {
        match self {
            Self::NotFound | Self::Conflict | Self::Unreadable | Self::Suspended | Self::Cancelled => true,
            Self::Access(_) | Self::Object(_) => false,
        }
    }
}

impl From<DbError> for ActionError {
    fn from(error: DbError) -> Self {
        Self::Access(error.into())
    }
}

/// Does something to a run, for a reason.
pub async fn act<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    run: &RunId,
    action: Action,
    reason: &str,
    request: &str,
    caller: RequestOrigin,
) -> Result<Report, ActionError> {
    let now = app.ports.now();
    let audit_context = access::audit_context(app, claims, reason, request);
    let mut statements = vec![store::audit::write(&audit_context, action.as_str(), run.as_str())];
    // As for a tenant's own retry: stored first, so that the sweep finds it should the object not hear of it.
    statements.extend(match action {
        Action::Retry => {
            vec![
                store::sagas::request_retry(run, None, now),
                store::undo::request_removal_retry(run, None, now),
            ]
        }
        Action::SkipStep(step) => vec![
            store::sagas::request_retry(run, Some(step), now),
            store::undo::request_removal_retry(run, Some(step), now),
        ],
        Action::Undo => vec![store::undo::request_deprovision_of_run(run, now)],
        Action::Cancel | Action::Reset => Vec::new(),
    });
    let (_, tenant) = access::on_behalf_of(app, claims, (statements, store::sagas::tenant_of(run))).await?;
    let tenant = tenant.ok_or(ActionError::NotFound)?;
    let acted = send_command(app, run, action, &tenant, caller).await;
    if acted.as_ref().is_err_and(ActionError::is_refusal) {
        // An entry that can't be corrected says no more than that somebody wanted it.
        let _ = app.ports.db().query(store::audit::not_done(&audit_context.id)).await;
    }
    acted
}

async fn send_command<P: Ports>(
    app: &App<P>,
    run: &RunId,
    action: Action,
    tenant: &Tenant,
    caller: RequestOrigin,
) -> Result<Report, ActionError> {
    let command = command(run, action, tenant, caller)?;
    match app.ports.send_command(tenant.id(), &command).await? {
        Reply::Run { report, changed: true } if report.run == *run => {
            if action == Action::Cancel && went_live(app, run).await? {
                return Err(ActionError::Conflict);
            }
            Ok(report)
        }
        Reply::Run { .. } => Err(ActionError::Conflict),
        Reply::Unreadable => Err(ActionError::Unreadable),
        Reply::NoRun | Reply::Pong => Err(ActionError::NotFound),
    }
}

/// Whether a run went live before its object heard of it: then it was too late to stop it. The object learns that when it
/// tells D1 how it ended.
async fn went_live<P: Ports>(app: &App<P>, run: &RunId) -> Result<bool, ActionError> {
    let found = app.ports.db().ask(store::sagas::select(run, app.ports.now())).await?;
    Ok(found.is_some_and(|run| run.status == RunStatus::Completed))
}

/// What the object is told. A run that is being undone is only undone, and one that went live is not undone by its run:
/// that removes a tenant at work, and goes by the tenant's own name.
fn command(
    run: &RunId,
    action: Action,
    tenant: &Tenant,
    caller: RequestOrigin,
) -> Result<Command, ActionError> {
    let (plan, seen) = (tenant.plan, run.clone());
    if let (Action::Retry | Action::SkipStep(_), None) = (action, tenant.undo_state) {
        match tenant.status {
            TenantStatus::Suspended | TenantStatus::Other(_) => return Err(ActionError::Suspended),
            TenantStatus::Cancelled => return Err(ActionError::Cancelled),
            TenantStatus::Trial | TenantStatus::Active => {}
        }
    }
    match (action, tenant.undo_state) {
        (Action::SkipStep(step), _) => Ok(Command::SkipStep { run: seen, step }),
        (Action::Cancel, _) => Ok(Command::CancelRun { run: seen }),
        (Action::Reset, _) => Ok(Command::Reset { run: seen }),
        (Action::Retry, None) => Ok(Command::Queue {
            subject: tenant.subject().ok_or(ActionError::Conflict)?,
            plan,
            caller,
            run: Some(seen),
            projected_version: Some(tenant.projected_version()),
        }),
        (Action::Retry | Action::Undo, Some(UndoStatus::Undoing)) => Ok(Command::Undo {
            subject: tenant.subject(),
            plan,
            caller,
            projected_version: Some(tenant.projected_version()),
            run: Some(seen),
        }),
        (Action::Retry | Action::Undo, _) => Err(ActionError::Conflict),
    }
}
