//! Does one step after another, recording before and after, until there is nothing to do now.
//!
//! The contract with a step: it may be performed again after any interruption, always under the same idempotency key,
//! and it must be recognised by that key outside. The contract with the world: `save` is durable before the next effect
//! leaves; `load` sees every save.

use std::time::Duration;

use crate::domain::{Step, Task, Timestamp};

use super::{Fault, FaultCode, Next, Outcome, Run};

/// How long to wait before telling D1 again what it could not be told.
const LISTING_RETRY: Duration = Duration::from_secs(10);

/// When to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// At this moment.
    At(Timestamp),
    /// Never: nothing is left to do.
    Never,
}

/// Something worth a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment<'a> {
    /// A run's first step begins.
    Started,
    /// An attempt at doing or undoing a step ended.
    Attempted(Task, &'a Outcome),
    /// A run ended, or its undoing did.
    Ended,
    /// D1 could not be told.
    NotListed,
}

/// What a run lives in: a Durable Object, or a simulation.
#[expect(async_fn_in_trait, reason = "one thread per isolate: no future of ours crosses threads")]
pub trait World {
    /// Why the checkpoint could not be read or written.
    type Error;

    /// The clock.
    fn now(&self) -> Timestamp;
    /// Randomness for jitter.
    fn random(&self) -> u32;
    /// The checkpoint.
    fn load(&self) -> Result<Option<Run>, Self::Error>;
    /// Writes the checkpoint.
    fn save(&self, run: &Run) -> Result<(), Self::Error>;
    /// Performs one attempt at doing or undoing a step.
    async fn perform(&self, run: &Run, task: Task) -> Outcome;
    /// Writes the listing in D1; answers whether it is written.
    async fn list(&self, run: &Run) -> bool;
    /// Tells the log.
    fn tell(&self, run: &Run, moment: Moment<'_>);
}

/// Does all that can be done now, and says when to come back.
///
/// # Errors
///
/// When the checkpoint can't be read or written: nothing was lost, and coming back later goes on from it.
pub async fn advance<W: World>(world: &W) -> Result<Wake, W::Error> {
    // Re-read after every wait: commands may have changed the run meanwhile.
    while let Some(mut run) = world.load()? {
        match run.next(world.now()) {
            Next::Begin(task) => attempt(world, run, task).await?,
            Next::Recover(task) => {
                let outcome = Outcome::Unknown(Fault::new(FaultCode::Interrupted));
                settle(world, run, task, outcome)?;
            }
            Next::Expire => {
                run.expire(world.now());
                world.save(&run)?;
                world.tell(&run, Moment::Ended);
            }
            Next::Sleep(until) => {
                let listed = list(world, &run).await?;
                return Ok(Wake::At(if listed {
                    until
                } else {
                    until.min(world.now().after(LISTING_RETRY))
                }));
            }
            Next::Rest => {
                let listed = list(world, &run).await?;
                return Ok(if listed { Wake::Never } else { Wake::At(world.now().after(LISTING_RETRY)) });
            }
        }
    }
    Ok(Wake::Never)
}

async fn attempt<W: World>(world: &W, mut run: Run, task: Task) -> Result<(), W::Error> {
    let number = run.begin(task, world.now());
    world.save(&run)?;
    if task == Task::Do(Step::SeedDefaults) && number == 1 {
        world.tell(&run, Moment::Started);
    }
    let outcome = world.perform(&run, task).await;
    let Some(mut run) = world.load()? else { return Ok(()) };
    // Overtaken while it was away: what it did is recognised by its key when the step is done again, or undone.
    if run.running().is_none_or(|(running, _)| running != task) {
        return Ok(());
    }
    run = settle(world, run, task, outcome)?;
    // The end is listed by the next turn of the loop, which also knows when to come back if that fails.
    if !run.is_over() && !run.is_waiting() {
        list(world, &run).await?;
    }
    Ok(())
}

fn settle<W: World>(world: &W, mut run: Run, task: Task, outcome: Outcome) -> Result<Run, W::Error> {
    let told = outcome.clone();
    run.settle(outcome, world.now(), world.random());
    world.save(&run)?;
    world.tell(&run, Moment::Attempted(task, &told));
    if run.is_over() {
        world.tell(&run, Moment::Ended);
    }
    Ok(run)
}

/// Tells D1 what it doesn't list yet. A listing that can't be written holds up nothing.
async fn list<W: World>(world: &W, run: &Run) -> Result<bool, W::Error> {
    if !run.is_unlisted() {
        return Ok(true);
    }
    if !world.list(run).await {
        world.tell(run, Moment::NotListed);
        return Ok(false);
    }
    if let Some(mut current) = world.load()? {
        current.listed(run.version, run.unlisted.len());
        world.save(&current)?;
        return Ok(!current.is_unlisted());
    }
    Ok(true)
}
