//! Steps: each has a file that says what it asks, does, undoes, and which rows it leaves in D1.
//!
//! Every attempt may be performed again after any interruption. Statements are idempotent: they say what shall be, not what
//! to add. Outbound calls carry the run's idempotency key for the step. A removal finds nothing left to do then.
//!
//! What a step does in D1 alone is its rows, and they are written with the run's next listing: several such steps are one batch.
//!
//! A new step is a file here, a row in `of_step`, and a row in [`Step::spec`].

mod activate;
mod configure_routing;
mod create_owner;
mod create_spreadsheet;
mod seed_defaults;
mod send_welcome_email;
mod validate_webhook;
mod verify_spreadsheet;

use crate::{
    db::{Db, DbError, Statement, Then},
    domain::{Config, Step, Task, Timestamp, Upstream},
    ports::Ports,
    store::{self, tenants::Colors, webhooks::Connection},
    workflow::{
        self, Artifact, Asked, FailureCode, Outcome, PermanentError, Permit, ProjectionResult, Record, Run,
        TransientError, TransientErrorCode,
        policy::{Compensation, compensation, is_last},
    },
};

use super::{App, breakers, projection, run_admission::RunAdmission};

/// Ends a step early: with what went wrong, as an outcome.
type Performed = Result<Outcome, Outcome>;

/// What an attempt read in D1 along with its permit.
#[derive(Debug, Default)]
pub enum Found {
    /// Nothing: its step reads nothing.
    #[default]
    Nothing,
    /// The tenant's webhook.
    Webhook(Result<Option<Connection>, DbError>),
    /// The tenant's colours.
    Colors(Result<Option<Colors>, DbError>),
}

/// What a step does. It asks nobody, leaves nothing and writes nothing, unless it says so.
trait Action {
    /// The upstream that doing it asks as the service is configured, and how often in one attempt; none for what is done in D1.
    fn upstream(_config: &Config) -> Option<(Upstream, u32)> {
        None
    }

    /// The upstream that undoing it asks.
    fn undo_upstream(_config: &Config, _run: &Run) -> Option<(Upstream, u32)> {
        None
    }

    /// What doing it reads in D1, if it asks outside: asked for with the permit.
    fn reads(_run: &Run) -> Option<Then<Found>> {
        None
    }

    /// Performs one attempt at it. Nothing is left to do for what its rows do.
    async fn run<P: Ports>(_app: &App<P>, _run: &Run, _found: Found) -> Performed {
        Ok(Outcome::Done(None))
    }

    /// Performs one attempt at removing what it left outside. Done means that it is gone. Never called for a step that leaves
    /// nothing. A step that leaves something must say how it is removed or which rows change; otherwise it has not removed
    /// it.
    async fn undo<P: Ports>(app: &App<P>, run: &Run) -> Performed {
        let is_inside = !Self::undo_rows(run, app.ports.now()).is_empty();
        if is_inside { Ok(Outcome::Done(None)) } else { Ok(misconfigured()) }
    }

    /// The rows that it writes, once it is done as `record` says; once more if D1 was restored to before it.
    fn rows(_run: &Run, _record: &Record, _now: Timestamp) -> Vec<Statement> {
        Vec::new()
    }

    /// The rows that undoing it changes.
    fn undo_rows(_run: &Run, _now: Timestamp) -> Vec<Statement> {
        Vec::new()
    }
}

/// The table of actions: `$body` with the step's [`Action`] as `$action`, or `$other` for a step of another version.
macro_rules! of_step {
    ($step:expr, $action:ident => $body:expr, other => $other:expr) => {
        of_step!(@table $step, $action, $body, $other,
            SeedDefaults = seed_defaults::SeedDefaults,
            ConfigureRouting = configure_routing::ConfigureRouting,
            ValidateWebhook = validate_webhook::ValidateWebhook,
            CreateSpreadsheet = create_spreadsheet::CreateSpreadsheet,
            VerifySpreadsheet = verify_spreadsheet::VerifySpreadsheet,
            CreateOwner = create_owner::CreateOwner,
            SendWelcomeEmail = send_welcome_email::SendWelcomeEmail,
            Activate = activate::Activate,
        )
    };
    (@table $step:expr, $action:ident, $body:expr, $other:expr, $($name:ident = $type:ty,)+) => {
        match $step {
            $(Step::$name => {
                type $action = $type;
                $body
            })+
            Step::Other(_) => $other,
        }
    };
}

/// The upstream that doing `step` asks as the service is configured.
pub(super) fn upstream(config: &Config, step: Step) -> Option<(Upstream, u32)> {
    of_step!(step, A => A::upstream(config), other => None)
}

fn undo_upstream(config: &Config, run: &Run, step: Step) -> Option<(Upstream, u32)> {
    of_step!(step, A => A::undo_upstream(config, run), other => None)
}

/// What doing `step` reads in D1.
fn reads(run: &Run, step: Step) -> Option<Then<Found>> {
    of_step!(step, A => A::reads(run), other => None)
}

/// The rows beside the run's own that its step writes.
pub(super) fn rows(run: &Run, record: &Record, now: Timestamp) -> Vec<Statement> {
    of_step!(record.step, A => A::rows(run, record, now), other => Vec::new())
}

/// The rows beside the run's own that undoing `step` changes.
pub(super) fn undo_rows(run: &Run, step: Step, now: Timestamp) -> Vec<Statement> {
    of_step!(step, A => A::undo_rows(run, now), other => Vec::new())
}

impl From<DbError> for Outcome {
    fn from(error: DbError) -> Self {
        match error {
            // Raised: it was restored, and is told everything before it is asked again.
            DbError::Unavailable(_) | DbError::Aborted => {
                Self::Unknown(TransientError::new(TransientErrorCode::StoreUnavailable))
            }
            error if error.is_about_a_missing_row() => Self::Failed(tenant_gone()),
            // It did answer: waiting for it to come back would be in vain.
            DbError::Constraint(_) | DbError::Corrupt(_) => {
                Self::Unknown(TransientError::new(TransientErrorCode::Malformed))
            }
        }
    }
}

fn tenant_gone() -> PermanentError {
    PermanentError::new(FailureCode::TenantGone, "This club does not exist any more.")
}

/// Whether an attempt at `task` of `run` asks outside.
pub fn asks_outside<P: Ports>(app: &App<P>, run: &Run, task: Task) -> bool {
    upstream_for(app, run, task).is_some()
}

/// Whether an attempt at `task` of `run` may begin, and what it reads; D1 is told of the run first if it `lists`. One batch.
pub async fn permit<P: Ports>(app: &App<P>, run: &Run, task: Task, lists: bool) -> Asked<Found> {
    match ask(app, run, task, lists).await {
        Ok(asked) => asked,
        Err(DbError::Aborted) => {
            Asked { projection: Some(ProjectionResult::Restored), ..Permit::Unavailable.into() }
        }
        Err(error) if error.is_about_a_missing_row() => Permit::TenantUnknown.into(),
        Err(_) => Permit::Unavailable.into(),
    }
}

async fn ask<P: Ports>(app: &App<P>, run: &Run, task: Task, lists: bool) -> Result<Asked<Found>, DbError> {
    let projection = lists.then(|| projection::projection(run, app.ports.now())).transpose()?;
    let reads = match task {
        Task::Do(step) if asks_outside(app, run, task) => reads(run, step),
        Task::Do(_) | Task::Undo(_) => None,
    };
    let run_admission = store::flags::run_admission(&run.subject.tenant);
    let (standing, listed, found) = app.ports.db().ask((run_admission, projection, reads)).await?;
    let permit = match RunAdmission::from(standing) {
        RunAdmission::Open => Permit::Granted,
        RunAdmission::Paused => Permit::Paused,
        RunAdmission::Suspended | RunAdmission::Removed => Permit::Stopped,
        RunAdmission::Unknown => Permit::TenantUnknown,
    };
    let projection = listed.map(|(projection, _)| projection);
    let found = found.unwrap_or_default();
    Ok(Asked { permit, projection, found })
}

/// Performs one attempt at `task` of `run`, unless the upstream is to be left alone.
pub async fn perform<P: Ports>(app: &App<P>, run: &Run, task: Task, found: Found) -> workflow::Performed {
    if is_last(task) {
        return end(app, run, task).await;
    }
    let attempt = attempt(app, run, task, found);
    match upstream_for(app, run, task) {
        Some((upstream, calls)) => {
            breakers::attempt(app, upstream, calls, run.requester(task), attempt).await.into()
        }
        None => attempt.await.into(),
    }
}

/// The listing with its end, and the rows that belong to it, are one batch.
async fn end<P: Ports>(app: &App<P>, run: &Run, task: Task) -> workflow::Performed {
    let now = app.ports.now();
    let mut ended = run.clone();
    ended.settle(Outcome::Done(None), now, 0);
    let written = match projection::projection(&ended, now) {
        Ok(batch) => app.ports.db().ask(batch).await,
        Err(error) => Err(error),
    };
    match written {
        Ok(_) => workflow::Performed { outcome: Outcome::Done(None), told: Some(ended.into()) },
        // D1 does not know the tenant: nobody holds a name.
        Err(error) if task.is_undo() && error.is_about_a_missing_row() => Outcome::Done(None).into(),
        Err(error) => Outcome::from(error).into(),
    }
}

/// The upstream that `task` asks as the service is configured, and how often in one attempt; none for what is done inside.
fn upstream_for<P: Ports>(app: &App<P>, run: &Run, task: Task) -> Option<(Upstream, u32)> {
    match task {
        Task::Do(step) => upstream(app.config(), step),
        Task::Undo(step) => undo_upstream(app.config(), run, step),
    }
}

async fn attempt<P: Ports>(app: &App<P>, run: &Run, task: Task, found: Found) -> Outcome {
    let performed = match task {
        Task::Do(step) => do_step(app, run, step, found).await,
        Task::Undo(step) => undo_step(app, run, step).await,
    };
    performed.unwrap_or_else(|outcome| outcome)
}

async fn do_step<P: Ports>(app: &App<P>, run: &Run, step: Step, found: Found) -> Performed {
    of_step!(step, A => A::run(app, run, found).await, other => {
        Ok(of_a_newer_version("This step belongs to a newer version of the service."))
    })
}

async fn undo_step<P: Ports>(app: &App<P>, run: &Run, step: Step) -> Performed {
    if let Some(Artifact::Other(_)) = run.artifact(step) {
        return Ok(made_by_a_newer_version());
    }
    if compensation(step) == Compensation::None {
        return Ok(Outcome::Done(None));
    }
    of_step!(step, A => A::undo(app, run).await, other => Ok(made_by_a_newer_version()))
}

/// What a newer version did or began is not this one's to go on with: it does not know what that is.
fn of_a_newer_version(what: &str) -> Outcome {
    let message = format!("{what} Deploy that version and try again, or leave it.");
    Outcome::Failed(PermanentError::new(FailureCode::Misconfigured, message))
}

fn misconfigured() -> Outcome {
    let message = "The service is not set up for this step. We have been told and look into it.";
    Outcome::Failed(PermanentError::new(FailureCode::Misconfigured, message))
}

/// It is never told as removed: it may still be there.
fn made_by_a_newer_version() -> Outcome {
    of_a_newer_version("This was made by a newer version of the service.")
}
