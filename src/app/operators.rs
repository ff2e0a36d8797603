//! What operators do to runs: each with a reason, written down in the same batch that lets them in.

use crate::{
    db::{Db, DbError},
    domain::{Claims, RunId, Step, TenantStatus, UndoStatus},
    ports::{ObjectError, Ports},
    store::{self, tenants::Tenant},
    workflow::{Caller, Command, Reply, Report},
};

use super::{App, access::AccessError};

/// What to do to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Resume it, or undoing it, where that failed.
    Retry,
    /// Stop it.
    Cancel,
    /// Stop it, and remove what it made.
    Undo,
    /// Leave out the step, or the removal, at which it failed.
    SkipStep,
}

impl Action {
    /// The word in the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "saga.retry",
            Self::Cancel => "saga.cancel",
            Self::Undo => "saga.undo",
            Self::SkipStep => "saga.skip_step",
        }
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
    /// Its club is suspended: it is not set up.
    #[error("suspended")]
    Suspended,
    /// Its club is gone.
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
            Self::NotFound | Self::Conflict | Self::Suspended | Self::Cancelled => true,
            Self::Access(_) | Self::Object(_) => false,
        }
    }
}

impl From<DbError> for ActionError {
    fn from(error: DbError) -> Self {
        Self::Access(error.into())
    }
}

impl<P: Ports> App<P> {
    /// Does something to a run, for a reason.
    ///
    /// # Errors
    ///
    /// See [`ActionError`].
    pub async fn act_on_run(
        &self,
        claims: &Claims,
        run: &RunId,
        action: Action,
        reason: &str,
        request: &str,
        caller: Caller,
    ) -> Result<Report, ActionError> {
        let now = self.ports.now();
        let act = self.act(claims, reason, request);
        let mut statements = vec![store::audit::write(&act, action.as_str(), run.as_str())];
        // As for a club's own retry: stored first, so that the sweep finds it should the object not hear of it.
        statements.extend(match action {
            Action::Retry => {
                vec![store::sagas::want_another_try(run, None, now), store::undo::want_again(run, None, now)]
            }
            Action::SkipStep => vec![
                store::sagas::want_another_try(run, Some(Step::Activate), now),
                store::undo::want_again(run, Some(Step::SeedDefaults), now),
            ],
            Action::Undo => vec![store::undo::want_of_run(run, now)],
            Action::Cancel => Vec::new(),
        });
        statements.push(store::sagas::select_tenant(run));
        let mut answers = self.on_behalf_of(claims, statements).await?;
        let tenant = store::tenants::read(answers.pop().unwrap_or_default())?.ok_or(ActionError::NotFound)?;
        let acted = self.tell_of_run(run, action, &tenant, caller).await;
        if acted.as_ref().is_err_and(ActionError::is_refusal) {
            // An entry that can't be corrected says no more than that somebody wanted it.
            let _ = self.ports.db().query(store::audit::not_done(&act.id)).await;
        }
        acted
    }

    async fn tell_of_run(
        &self,
        run: &RunId,
        action: Action,
        tenant: &Tenant,
        caller: Caller,
    ) -> Result<Report, ActionError> {
        let command = command(action, tenant, caller)?;
        match self.ports.tell_object(tenant.id(), &command).await? {
            Reply::Run { report, changed: true } if report.run == *run => Ok(report),
            Reply::Run { .. } => Err(ActionError::Conflict),
            _ => Err(ActionError::NotFound),
        }
    }
}

/// What the object is told. A run that is being undone is only undone, and one that went live is not undone by its run:
/// that removes a club at work, and goes by the club's own name.
fn command(action: Action, tenant: &Tenant, caller: Caller) -> Result<Command, ActionError> {
    let plan = tenant.plan;
    if let (Action::Retry | Action::SkipStep, None) = (action, tenant.undo_state) {
        match tenant.status {
            TenantStatus::Suspended => return Err(ActionError::Suspended),
            TenantStatus::Cancelled => return Err(ActionError::Cancelled),
            TenantStatus::Trial | TenantStatus::Active => {}
        }
    }
    let subject = || tenant.subject().ok_or(ActionError::Conflict);
    match (action, tenant.undo_state) {
        (Action::SkipStep, _) => Ok(Command::Skip),
        (Action::Cancel, _) => Ok(Command::Cancel),
        (Action::Retry, None) => Ok(Command::Queue { subject: subject()?, plan, caller }),
        (Action::Retry | Action::Undo, Some(UndoStatus::Undoing)) => {
            Ok(Command::Undo { subject: subject()?, plan, caller, listed_version: None })
        }
        (Action::Retry | Action::Undo, _) => Err(ActionError::Conflict),
    }
}
