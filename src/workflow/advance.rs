//! Does one step after another, recording before and after, until there is nothing to do now.
//!
//! The contract with a step: it may be performed again after any interruption, always under the same idempotency key,
//! and it must be recognised by that key outside. The contract with the world: `save` is durable before the next effect
//! leaves; `load` sees every save.

use std::time::Duration;

use crate::domain::{Step, Task, Timestamp};

use super::{Fault, FaultCode, Next, Outcome, Run, policy::KEPT_AFTER_REMOVAL};

/// How many turns one alarm takes at the most: many times what a run needs from its beginning to its end.
const MOST_TURNS: u32 = 100;
/// How long until a run that is removed, of a tenant that D1 does not know, tries again to tell D1.
const ORPHAN_REST: Duration = Duration::from_secs(24 * 3600);
/// How long until it is looked again whether D1 knows a tenant, where it could not be said.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

/// When to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// At this moment.
    At(Timestamp),
    /// At this moment, to look whether D1 still knows the tenant: nothing is left to do.
    Look(Timestamp),
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
    /// D1 does not know the tenant.
    Orphaned,
    /// D1 knew less than it had been told: it was put back.
    PutBack,
}

/// How telling D1 went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// It is written.
    Written {
        /// Whether D1 had the run as completed before.
        was_completed: bool,
    },
    /// Nothing is written: D1 knows less than it was told once. It was put back.
    PutBack,
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
    /// How telling D1 went, if it was told in that batch.
    pub listing: Option<Listing>,
    /// What the attempt reads in D1.
    pub found: F,
}

impl<F: Default> From<Permit> for Asked<F> {
    fn from(permit: Permit) -> Self {
        Self { permit, listing: None, found: F::default() }
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
pub trait World {
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
    /// Whether an attempt at this asks outside. What is done inside writes its rows with the run's next listing.
    fn asks_outside(&self, run: &Run, task: Task) -> bool;
    /// Performs one attempt at doing or undoing a step.
    async fn perform(&self, run: &Run, task: Task, found: Self::Found) -> Performed;
    /// Deletes the checkpoint, and everything else that is stored.
    async fn forget(&self) -> Result<(), Self::Error>;
    /// Whether an attempt at this may begin. `lists` says whether D1 is told of the run in the same batch.
    async fn permit(&self, run: &Run, task: Task, lists: bool) -> Asked<Self::Found>;
    /// Writes the listing in D1.
    async fn list(&self, run: &Run) -> Listing;
    /// Tells the log.
    fn tell(&self, run: &Run, moment: Moment<'_>);
}

/// Does all that can be done now, and says when to come back.
///
/// # Errors
///
/// When the checkpoint can't be read or written: nothing was lost, and coming back later goes on from it.
pub async fn advance<W: World>(world: &W) -> Result<Wake, W::Error> {
    let (mut is_first, mut turns) = (true, 0);
    // Re-read after every wait: commands may have changed the run meanwhile.
    while let Some(mut run) = world.load()? {
        match run.next(world.now()) {
            _ if run.waits_for_its_tenant() => {
                if let Told::NotNow(until) = list(world, &run).await? {
                    return abandon(world, until);
                }
            }
            Next::Begin(task) => attempt(world, task, std::mem::take(&mut is_first)).await?,
            Next::Recover(task) => {
                let outcome = Outcome::Unknown(Fault::new(FaultCode::Interrupted));
                settle(world, run, task, &outcome)?;
            }
            Next::Expire => {
                run.expire(world.now());
                world.save(&run)?;
                world.tell(&run, Moment::Ended);
            }
            Next::Sleep(until) => match list(world, &run).await? {
                Told::Now => return Ok(Wake::At(until)),
                Told::NotNow(retry_at) => return Ok(Wake::At(until.min(retry_at))),
                Told::Overtaken => {}
            },
            Next::Rest => match list(world, &run).await? {
                Told::Now => {
                    if let Some(wake) = look(world, &run).await? {
                        return Ok(wake);
                    }
                }
                Told::NotNow(retry_at) => return rest_of_orphan(world, &run, retry_at).await,
                Told::Overtaken => {}
            },
        }
        turns += 1;
        if turns >= MOST_TURNS {
            // Whatever keeps changing it: the platform must see an end of the alarm.
            return Ok(Wake::At(world.now().after(Duration::from_secs(1))));
        }
    }
    Ok(Wake::Never)
}

/// Whether D1 knows of a run as it is now.
enum Told {
    /// It does.
    Now,
    /// The run changed meanwhile, or everything has to be told again.
    Overtaken,
    /// It could not be told; the next try is due then.
    NotNow(Timestamp),
}

/// D1 still does not know the tenant. After a long while what was made for it is removed.
fn abandon<W: World>(world: &W, until: Timestamp) -> Result<Wake, W::Error> {
    let Some(mut run) = world.load()? else { return Ok(Wake::Never) };
    if !run.is_abandoned(world.now()) {
        return Ok(Wake::At(until));
    }
    let caller = run.caller.clone();
    run.begin_undo(caller, world.now());
    world.save(&run)?;
    // The next alarm begins with it: this one has told D1, in vain, already.
    Ok(Wake::At(world.now()))
}

/// An ended run that D1 can't be told of. One whose tenant D1 does not know is kept as long as a removed tenant's, and then
/// forgotten: it holds a name and an address. Nobody can press anything for it: what could not be removed is tried again each day.
async fn rest_of_orphan<W: World>(world: &W, run: &Run, retry_at: Timestamp) -> Result<Wake, W::Error> {
    let (Some(since), Some(undo)) = (run.orphaned_since, &run.undo) else { return Ok(Wake::At(retry_at)) };
    let now = world.now();
    if now >= since.after(KEPT_AFTER_REMOVAL) {
        world.forget().await?;
        return Ok(Wake::Never);
    }
    let again_at = match undo.failed_at() {
        Some(failed_at) => failed_at.after(ORPHAN_REST),
        None => now.after(ORPHAN_REST),
    };
    if now >= again_at
        && let Some(mut run) = world.load()?
    {
        let caller = run.caller.clone();
        run.begin_undo(caller, now);
        world.save(&run)?;
        return Ok(Wake::At(now));
    }
    Ok(Wake::At(again_at))
}

/// Looks whether D1 still knows the tenant of a run that is over, and answers when to look again. A database that was put back to
/// before the signup names nobody whose object could be asked.
async fn look<W: World>(world: &W, run: &Run) -> Result<Option<Wake>, W::Error> {
    let now = world.now();
    if run.is_due_a_look(now) {
        match world.permit(run, Task::Do(Step::SeedDefaults), false).await.permit {
            Permit::Granted | Permit::Stopped => {}
            Permit::Paused | Permit::Unavailable => return Ok(Some(Wake::Look(now.after(LOOK_AGAIN)))),
            Permit::TenantUnknown => {
                let Some(mut run) = world.load()? else { return Ok(None) };
                run.orphan(now);
                run.list_again();
                world.save(&run)?;
                world.tell(&run, Moment::Orphaned);
                return Ok(None);
            }
        }
    }
    Ok(Some(run.next_look(now).map_or(Wake::Never, Wake::Look)))
}

/// The permit is asked for when the alarm begins its work, and before whatever asks outside: then D1 is told first, so that it knows
/// what was begun, and under which keys, whatever becomes of the object.
async fn attempt<W: World>(world: &W, task: Task, is_first: bool) -> Result<(), W::Error> {
    let Some(run) = world.load()? else { return Ok(()) };
    let asks_outside = world.asks_outside(&run, task);
    let asked = if is_first || asks_outside {
        world.permit(&run, task, asks_outside && run.is_unlisted()).await
    } else {
        Permit::Granted.into()
    };
    if let Some(listing) = asked.listing {
        note(world, &run, listing)?;
        if listing == Listing::PutBack {
            return Ok(());
        }
    }
    // Somebody may have changed the run while that was asked.
    let Some(mut run) = world.load()?.filter(|run| run.next(world.now()) == Next::Begin(task)) else {
        return Ok(());
    };
    match asked.permit {
        Permit::Granted => return perform(world, run, task, asked.found).await,
        Permit::Paused => run.pause(task, world.now()),
        // What is removed is removed from whoever it was made for.
        Permit::Stopped | Permit::TenantUnknown if task.is_undo() => {
            return perform(world, run, task, asked.found).await;
        }
        Permit::Stopped => {
            run.stop("This club is suspended, so setting it up was stopped.", world.now());
        }
        Permit::TenantUnknown => {
            run.orphan(world.now());
            world.tell(&run, Moment::Orphaned);
        }
        Permit::Unavailable => run.postpone(task, world.now(), world.random()),
    }
    world.save(&run)?;
    if run.is_over() {
        world.tell(&run, Moment::Ended);
    }
    Ok(())
}

/// D1 is told of how it ended before the next attempt that asks outside, or when there is nothing more to do now.
async fn perform<W: World>(world: &W, mut run: Run, task: Task, found: W::Found) -> Result<(), W::Error> {
    let number = run.begin(task, world.now());
    world.save(&run)?;
    if task == Task::Do(Step::SeedDefaults) && number == 1 {
        world.tell(&run, Moment::Started);
    }
    let Performed { outcome, told } = world.perform(&run, task, found).await;
    let Some(current) = world.load()? else { return Ok(()) };
    // Overtaken while it was away: what it did is recognised by its key when the step is done again, or undone.
    if current.running().is_none_or(|(running, _)| running != task) {
        return Ok(());
    }
    match told.filter(|_| current == run) {
        Some(told) => {
            let mut settled = Run::clone(&told);
            settled.listed(&told, false, world.now());
            settled_as(world, &settled, task, &outcome)
        }
        None => settle(world, current, task, &outcome),
    }
}

fn settle<W: World>(world: &W, mut run: Run, task: Task, outcome: &Outcome) -> Result<(), W::Error> {
    run.settle(outcome.clone(), world.now(), world.random());
    settled_as(world, &run, task, outcome)
}

fn settled_as<W: World>(world: &W, run: &Run, task: Task, outcome: &Outcome) -> Result<(), W::Error> {
    world.save(run)?;
    world.tell(run, Moment::Attempted(task, outcome));
    if run.is_over() {
        world.tell(run, Moment::Ended);
    }
    Ok(())
}

/// Tells D1 what it doesn't list yet. A listing that can't be written holds up nothing.
async fn list<W: World>(world: &W, run: &Run) -> Result<Told, W::Error> {
    if !run.is_unlisted() && run.orphaned_since.is_none() {
        return Ok(Told::Now);
    }
    let listing = world.list(run).await;
    note(world, run, listing)
}

/// Records how telling D1 of the run went.
fn note<W: World>(world: &W, run: &Run, listing: Listing) -> Result<Told, W::Error> {
    let Some(mut current) = world.load()? else { return Ok(Told::Now) };
    let (told, moment) = match listing {
        Listing::Written { was_completed } => {
            let went_live = current.listed(run, was_completed, world.now());
            let told = if current.is_unlisted() { Told::Overtaken } else { Told::Now };
            (told, went_live.then_some(Moment::Ended))
        }
        Listing::PutBack => {
            current.list_again();
            (Told::Overtaken, Some(Moment::PutBack))
        }
        Listing::Unavailable => {
            (Told::NotNow(current.not_listed(world.now(), world.random())), Some(Moment::NotListed))
        }
        Listing::TenantUnknown => {
            current.orphan(world.now());
            (Told::NotNow(current.not_listed(world.now(), world.random())), Some(Moment::Orphaned))
        }
    };
    world.save(&current)?;
    if let Some(moment) = moment {
        world.tell(&current, moment);
    }
    Ok(told)
}
