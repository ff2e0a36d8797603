//! Does one step after another, recording before and after, until there is nothing to do now.
//!
//! The contract with a step: it may be performed again after any interruption, always under the same idempotency key,
//! and it must be recognised by that key outside. The contract with the world: `save` is durable before the next effect
//! leaves; `load` sees every save.

use std::time::Duration;

use crate::domain::{Step, Task, Timestamp};

use super::{Next, Outcome, Run, TransientError, TransientErrorCode, policy::KEPT_AFTER_REMOVAL};

/// How many turns one alarm takes at the most: many times what a run needs from its beginning to its end.
const MAX_TURNS: u32 = 100;
/// How long until the removal of an unknown tenant is tried again.
const ORPHAN_RETRY_INTERVAL: Duration = Duration::from_secs(24 * 3600);
/// How long until the check is repeated when D1 could not answer it.
const CHECK_RETRY_INTERVAL: Duration = Duration::from_secs(3600);

/// When to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// At this moment.
    At(Timestamp),
    /// At this moment, to look whether D1 still knows the tenant: nothing is left to do.
    CheckTenant(Timestamp),
    /// Never: nothing is left to do.
    Never,
}

/// An event of a run that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEvent<'a> {
    /// A run's first step begins.
    Started,
    /// An attempt at doing or undoing a step ended.
    Attempted(Task, &'a Outcome),
    /// A run ended, or its undoing did.
    Ended,
    /// The projection could not be written.
    ProjectionFailed,
    /// D1 does not know the tenant.
    Orphaned,
    /// D1 showed less than had been projected: it was restored.
    Restored,
}

/// How writing the projection went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProjectionResult {
    /// It is written.
    Written {
        /// Whether D1 had the run as completed before.
        was_completed: bool,
    },
    /// Nothing is written: D1 shows an older version than was projected before. It was restored.
    Restored,
    /// D1 did not answer.
    Unavailable,
    /// D1 does not know the tenant.
    TenantUnknown,
}

/// Whether an attempt may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// It may.
    Granted,
    /// Provisioning is paused.
    Paused,
    /// The tenant is suspended, or it is to be removed.
    Stopped,
    /// D1 does not know the tenant.
    TenantUnknown,
    /// Nobody could say.
    Unavailable,
}

/// What D1 said before an attempt, in one batch.
#[derive(Debug)]
pub struct Asked<F> {
    /// Whether the attempt may begin.
    pub permit: Permit,
    /// How updating D1 went, if it was told in that batch.
    pub projection: Option<ProjectionResult>,
    /// What the attempt reads in D1.
    pub found: F,
}

impl<F: Default> From<Permit> for Asked<F> {
    fn from(permit: Permit) -> Self {
        Self { permit, projection: None, found: F::default() }
    }
}

/// How an attempt went.
#[derive(Debug)]
pub struct Performed {
    /// How it ended.
    pub outcome: Outcome,
    /// The run as D1 was told of it in the batch that did the work: the attempt is settled there.
    pub told: Option<Box<Run>>,
}

impl From<Outcome> for Performed {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, told: None }
    }
}

/// What a run lives in: a Durable Object, or a simulation.
#[expect(async_fn_in_trait, reason = "one thread per isolate: no future of ours crosses threads")]
pub trait RunContext {
    /// Why the checkpoint could not be read or written.
    type Error;
    /// What an attempt reads in D1 along with its permit.
    type Found: Default;

    /// The clock.
    fn now(&self) -> Timestamp;
    /// Randomness for jitter.
    fn random(&self) -> u32;
    /// The checkpoint.
    fn load(&self) -> Result<Option<Run>, Self::Error>;
    /// Writes the checkpoint.
    fn save(&self, run: &Run) -> Result<(), Self::Error>;
    /// Whether an attempt at this asks outside. What is done inside writes its rows with the run's next projection.
    fn asks_outside(&self, run: &Run, task: Task) -> bool;
    /// Performs one attempt at doing or undoing a step.
    async fn perform(&self, run: &Run, task: Task, found: Self::Found) -> Performed;
    /// Deletes the checkpoint, and everything else that is stored.
    async fn forget(&self) -> Result<(), Self::Error>;
    /// Whether an attempt at this may begin. `lists` says whether D1 is told of the run in the same batch.
    async fn permit(&self, run: &Run, task: Task, lists: bool) -> Asked<Self::Found>;
    /// Writes the projection in D1.
    async fn project(&self, run: &Run) -> ProjectionResult;
    /// Logs.
    fn log_event(&self, run: &Run, event: RunEvent<'_>);
}

/// Does all that can be done now, and says when to come back.
pub async fn advance<W: RunContext>(context: &W) -> Result<Wake, W::Error> {
    let (mut is_first, mut turns) = (true, 0);
    // Re-read after every wait: commands may have changed the run meanwhile.
    while let Some(mut run) = context.load()? {
        match run.next(context.now()) {
            _ if run.waits_for_its_tenant() => {
                if let ProjectionState::RetryAt(until) = project(context, &run).await? {
                    return abandon(context, until);
                }
            }
            Next::Begin(task) => attempt(context, task, std::mem::take(&mut is_first)).await?,
            Next::Recover(task) => {
                let outcome = Outcome::Unknown(TransientError::new(TransientErrorCode::Interrupted));
                settle(context, run, task, &outcome)?;
            }
            Next::Expire => {
                run.expire(context.now());
                context.save(&run)?;
                context.log_event(&run, RunEvent::Ended);
            }
            Next::Sleep(until) => match project(context, &run).await? {
                ProjectionState::Current => return Ok(Wake::At(until)),
                ProjectionState::RetryAt(retry_at) => return Ok(Wake::At(until.min(retry_at))),
                ProjectionState::Outdated => {}
            },
            Next::Idle => match project(context, &run).await? {
                ProjectionState::Current => {
                    if let Some(wake) = check_tenant(context, &run).await? {
                        return Ok(wake);
                    }
                }
                ProjectionState::RetryAt(retry_at) => return retry_orphan(context, &run, retry_at).await,
                ProjectionState::Outdated => {}
            },
        }
        turns += 1;
        if turns >= MAX_TURNS {
            // Whatever keeps changing it: the platform must see an end of the alarm.
            return Ok(Wake::At(context.now().after(Duration::from_secs(1))));
        }
    }
    Ok(Wake::Never)
}

/// Whether D1 shows a run as it is now.
enum ProjectionState {
    /// It does.
    Current,
    /// The run changed meanwhile, or has to be reprojected whole.
    Outdated,
    /// The write failed; the next try is due then.
    RetryAt(Timestamp),
}

/// D1 still does not know the tenant. After a long while what was made for it is removed.
fn abandon<W: RunContext>(context: &W, until: Timestamp) -> Result<Wake, W::Error> {
    let Some(mut run) = context.load()? else { return Ok(Wake::Never) };
    if !run.is_abandoned(context.now()) {
        return Ok(Wake::At(until));
    }
    let caller = run.caller.clone();
    run.begin_undo(caller, context.now());
    context.save(&run)?;
    // The next alarm begins with it: this one has told D1, in vain, already.
    Ok(Wake::At(context.now()))
}

/// An ended run that can't be projected. If D1 does not know its tenant, the checkpoint is kept as long as a removed tenant's,
/// then deleted: it holds a name and an address. No operator can act on it, so a failed removal is tried again each day.
async fn retry_orphan<W: RunContext>(context: &W, run: &Run, retry_at: Timestamp) -> Result<Wake, W::Error> {
    let (Some(since), Some(undo)) = (run.orphaned_since, &run.undoing) else { return Ok(Wake::At(retry_at)) };
    let now = context.now();
    if now >= since.after(KEPT_AFTER_REMOVAL) {
        context.forget().await?;
        return Ok(Wake::Never);
    }
    let again_at = match undo.stage.failed_at() {
        Some(failed_at) => failed_at.after(ORPHAN_RETRY_INTERVAL),
        None => now.after(ORPHAN_RETRY_INTERVAL),
    };
    if now >= again_at
        && let Some(mut run) = context.load()?
    {
        let caller = run.caller.clone();
        run.begin_undo(caller, now);
        context.save(&run)?;
        return Ok(Wake::At(now));
    }
    Ok(Wake::At(again_at))
}

/// Checks that D1 still knows the tenant of an ended run, and returns when to check again. The object has to ask: a database
/// restored to before the signup does not name it.
async fn check_tenant<W: RunContext>(context: &W, run: &Run) -> Result<Option<Wake>, W::Error> {
    let now = context.now();
    if run.is_tenant_check_due(now) {
        match context.permit(run, Task::Do(Step::SeedDefaults), false).await.permit {
            Permit::Granted | Permit::Stopped => {}
            Permit::Paused | Permit::Unavailable => {
                return Ok(Some(Wake::CheckTenant(now.after(CHECK_RETRY_INTERVAL))));
            }
            Permit::TenantUnknown => {
                let Some(mut run) = context.load()? else { return Ok(None) };
                run.orphan(now);
                run.reproject();
                context.save(&run)?;
                context.log_event(&run, RunEvent::Orphaned);
                return Ok(None);
            }
        }
    }
    Ok(Some(run.next_tenant_check(now).map_or(Wake::Never, Wake::CheckTenant)))
}

/// The permit is asked for when the alarm begins its work, and before whatever asks outside: then D1 is updated first, so that it
/// knows what was begun, and under which keys, whatever becomes of the object.
async fn attempt<W: RunContext>(context: &W, task: Task, is_first: bool) -> Result<(), W::Error> {
    let Some(run) = context.load()? else { return Ok(()) };
    let asks_outside = context.asks_outside(&run, task);
    let asked = if is_first || asks_outside {
        context.permit(&run, task, asks_outside && run.has_pending_projection()).await
    } else {
        Permit::Granted.into()
    };
    if let Some(projection) = asked.projection {
        note(context, &run, projection)?;
        if projection == ProjectionResult::Restored {
            return Ok(());
        }
    }
    // Somebody may have changed the run while that was asked.
    let Some(mut run) = context.load()?.filter(|run| run.next(context.now()) == Next::Begin(task)) else {
        return Ok(());
    };
    match asked.permit {
        Permit::Granted => return perform(context, run, task, asked.found).await,
        Permit::Paused => run.pause(task, context.now()),
        // What is removed is removed from whoever it was made for.
        Permit::Stopped | Permit::TenantUnknown if task.is_undo() => {
            return perform(context, run, task, asked.found).await;
        }
        Permit::Stopped => {
            run.stop("This club is suspended, so setting it up was stopped.", context.now());
        }
        Permit::TenantUnknown => {
            run.orphan(context.now());
            context.log_event(&run, RunEvent::Orphaned);
        }
        Permit::Unavailable => run.postpone(task, context.now(), context.random()),
    }
    context.save(&run)?;
    if run.has_ended() {
        context.log_event(&run, RunEvent::Ended);
    }
    Ok(())
}

/// D1 is told of how it ended before the next attempt that asks outside, or when there is nothing more to do now.
async fn perform<W: RunContext>(
    context: &W,
    mut run: Run,
    task: Task,
    found: W::Found,
) -> Result<(), W::Error> {
    let number = run.begin(task, context.now());
    context.save(&run)?;
    if task == Task::Do(Step::SeedDefaults) && number == 1 {
        context.log_event(&run, RunEvent::Started);
    }
    let Performed { outcome, told } = context.perform(&run, task, found).await;
    let Some(current) = context.load()? else { return Ok(()) };
    // Overtaken while it was away: what it did is recognised by its key when the step is done again, or undone.
    if current.running().is_none_or(|(running, _)| running != task) {
        return Ok(());
    }
    match told.filter(|_| current == run) {
        Some(told) => {
            let mut settled = Run::clone(&told);
            settled.projected(&told, false, context.now());
            settled_as(context, &settled, task, &outcome)
        }
        None => settle(context, current, task, &outcome),
    }
}

fn settle<W: RunContext>(context: &W, mut run: Run, task: Task, outcome: &Outcome) -> Result<(), W::Error> {
    run.settle(outcome.clone(), context.now(), context.random());
    settled_as(context, &run, task, outcome)
}

fn settled_as<W: RunContext>(context: &W, run: &Run, task: Task, outcome: &Outcome) -> Result<(), W::Error> {
    context.save(run)?;
    context.log_event(run, RunEvent::Attempted(task, outcome));
    if run.has_ended() {
        context.log_event(run, RunEvent::Ended);
    }
    Ok(())
}

/// Projects what D1 does not show yet. A projection that fails holds up nothing.
async fn project<W: RunContext>(context: &W, run: &Run) -> Result<ProjectionState, W::Error> {
    if !run.has_pending_projection() && run.orphaned_since.is_none() {
        return Ok(ProjectionState::Current);
    }
    let projection = context.project(run).await;
    note(context, run, projection)
}

/// Records how telling D1 of the run went.
fn note<W: RunContext>(
    context: &W,
    run: &Run,
    projection: ProjectionResult,
) -> Result<ProjectionState, W::Error> {
    let Some(mut current) = context.load()? else { return Ok(ProjectionState::Current) };
    let (told, event) = match projection {
        ProjectionResult::Written { was_completed } => {
            let went_live = current.projected(run, was_completed, context.now());
            let told = if current.has_pending_projection() {
                ProjectionState::Outdated
            } else {
                ProjectionState::Current
            };
            (told, went_live.then_some(RunEvent::Ended))
        }
        ProjectionResult::Restored => {
            current.reproject();
            (ProjectionState::Outdated, Some(RunEvent::Restored))
        }
        ProjectionResult::Unavailable => (
            ProjectionState::RetryAt(current.projection_failed(context.now(), context.random())),
            Some(RunEvent::ProjectionFailed),
        ),
        ProjectionResult::TenantUnknown => {
            current.orphan(context.now());
            (
                ProjectionState::RetryAt(current.projection_failed(context.now(), context.random())),
                Some(RunEvent::Orphaned),
            )
        }
    };
    context.save(&current)?;
    if let Some(event) = event {
        context.log_event(&current, event);
    }
    Ok(told)
}
