//! What a command does to a run: the same in the object and in every test.

use std::time::Duration;

use crate::domain::{RunId, RunStatus, Timestamp};

use super::{Caller, Command, Next, Reply, Report, Run, Undo};

/// What a new run, or a new round of one, is made of.
#[derive(Debug, Clone)]
pub struct Fresh {
    /// The run's id.
    pub run: RunId,
    /// The welcome mail's link's own id.
    pub link_id: String,
}

/// When the alarm must ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ring {
    /// As it is set.
    AsSet,
    /// Now, if it is not set, or is overdue by a minute: it was lost, or never rings.
    IfUnset,
    /// Now.
    Now,
}

/// An alarm that is overdue by this much does not ring any more.
pub const OVERDUE: Duration = Duration::from_secs(60);

impl Ring {
    /// Whether the alarm is set anew, where `set_for` is when it rings.
    #[must_use]
    pub fn sets(self, set_for: Option<Timestamp>, now: Timestamp) -> bool {
        match self {
            Self::AsSet => false,
            Self::IfUnset => set_for.is_none_or(|at| now.since(at) >= OVERDUE),
            Self::Now => true,
        }
    }
}

/// What a command came to.
#[derive(Debug, Clone)]
pub struct Obeyed {
    /// The run to write down, if it changed.
    pub save: Option<Run>,
    /// When the alarm must ring.
    pub ring: Ring,
    /// Whether the run, or undoing it, ended with it: that is worth a line in the log.
    pub ended: bool,
    /// Whether everything that is stored is deleted.
    pub forget: bool,
    /// What to answer.
    pub reply: Reply,
}

/// Does what `command` says to `known`, the run that is there.
#[must_use]
pub fn obey(known: Option<Run>, command: Command, fresh: Fresh, now: Timestamp) -> Obeyed {
    let Some(run) = known else { return obey_without_run(command, fresh, now) };
    match command {
        Command::Ping => nothing(Reply::Pong),
        Command::Queue { run: Some(seen), .. }
        | Command::CancelRun { run: seen }
        | Command::SkipStep { run: seen, .. }
            if seen != run.id =>
        {
            unchanged(&run)
        }
        Command::Undo { caller, listed_version, .. } => undo(run, listed_version, caller, now),
        Command::Queue { caller, listed_version, .. } => {
            queue(run, listed_version, fresh.link_id, caller, now)
        }
        Command::Wake { listed_version, resume, .. } => wake(run, listed_version, resume, fresh.link_id, now),
        Command::Report | Command::Reset { .. } => unchanged(&run),
        Command::Cancel | Command::CancelRun { .. } => changed(run, |run| run.cancel(now)),
        Command::Skip => changed(run, |run| run.skip(None, fresh.link_id, now)),
        Command::SkipStep { step, .. } => changed(run, |run| run.skip(Some(step), fresh.link_id, now)),
        Command::GoOn { .. } => changed(run, |run| run.go_on_now(now)),
        Command::Compare { listed_version } => compare(run, listed_version, now),
        Command::Forget if run.is_undone() => Obeyed { forget: true, ..nothing(Reply::NoRun) },
        // D1 has it as undone; its object may not have heard of that yet.
        Command::Forget => woken(&run, now),
    }
}

/// Where D1 lists a run, it was taken over before: there really is none.
fn obey_without_run(command: Command, fresh: Fresh, now: Timestamp) -> Obeyed {
    match command {
        Command::Ping => nothing(Reply::Pong),
        Command::Queue { subject, plan, caller, .. } => {
            started(Run::queued(fresh.run, plan, subject, fresh.link_id, caller, now))
        }
        Command::Wake { subject, plan, .. } => {
            started(Run::queued(fresh.run, plan, subject, fresh.link_id, Caller::default(), now))
        }
        Command::Undo { subject: Some(subject), plan, caller, .. } => {
            // Nothing was ever begun; the run is there to say who undid what, and when.
            let mut run = Run::queued(fresh.run, plan, subject, fresh.link_id, Caller::default(), now);
            run.begin_undo(caller, now);
            started(run)
        }
        Command::Undo { subject: None, .. }
        | Command::Report
        | Command::Compare { .. }
        | Command::Reset { .. }
        | Command::Cancel
        | Command::CancelRun { .. }
        | Command::Skip
        | Command::GoOn { .. }
        | Command::SkipStep { .. } => nothing(Reply::NoRun),
        Command::Forget => Obeyed { forget: true, ..nothing(Reply::NoRun) },
    }
}

/// Does what `command` says to a run that D1 lists, and that this object had lost or can't read: it is taken over.
#[must_use]
pub fn obey_after_loss(mut found: Run, command: Command, fresh: Fresh, now: Timestamp) -> Obeyed {
    found.found_again(now);
    if matches!(command, Command::Reset { .. }) {
        return started(found);
    }
    let obeyed = obey(Some(found.clone()), command, fresh, now);
    Obeyed { save: Some(obeyed.save.unwrap_or(found)), ring: Ring::Now, ..obeyed }
}

fn nothing(reply: Reply) -> Obeyed {
    Obeyed { save: None, ring: Ring::AsSet, ended: false, forget: false, reply }
}

fn unchanged(run: &Run) -> Obeyed {
    nothing(Reply::Run { report: Report::of(run), changed: false })
}

fn started(run: Run) -> Obeyed {
    let reply = Reply::Run { report: Report::of(&run), changed: true };
    Obeyed { save: Some(run), ring: Ring::Now, ..nothing(reply) }
}

/// Resumes a failed run; one at work is woken in case its alarm was lost; a completed one rests.
/// D1 wanted a run that it did not know to have failed: it is about to hear of that, which would undo what is begun now.
fn queue(run: Run, listed_version: Option<u64>, link_id: String, caller: Caller, now: Timestamp) -> Obeyed {
    if run.status() == RunStatus::Failed && is_behind(&run, listed_version) {
        return woken(&run, now);
    }
    requeue(run, link_id, caller, now)
}

fn requeue(mut run: Run, link_id: String, caller: Caller, now: Timestamp) -> Obeyed {
    if run.undo.is_some() {
        return woken(&run, now);
    }
    match run.status() {
        RunStatus::Failed => {
            run.requeue(link_id, caller, now);
            started(run)
        }
        RunStatus::Pending | RunStatus::Processing | RunStatus::Completed | RunStatus::Other(_) => {
            woken(&run, now)
        }
    }
}

/// Begins to undo a run, or tries again; what is at work is woken in case its alarm was lost.
fn undo(mut run: Run, listed_version: Option<u64>, caller: Caller, now: Timestamp) -> Obeyed {
    let has_ended = run.undo.as_ref().is_some_and(Undo::is_over) && !run.is_unlisted();
    let is_under_way = run.undo.as_ref().is_some_and(|undo| !undo.is_over());
    // D1 wanted it without knowing of the end that it is about to hear of.
    let is_ending = run.undo.as_ref().is_some_and(Undo::is_over) && run.is_unlisted();
    if is_ending && is_behind(&run, listed_version) {
        return woken(&run, now);
    }
    if has_ended && is_behind(&run, listed_version) || is_under_way && was_put_back(&run, listed_version) {
        return listed_again(run);
    }
    if run.begin_undo(caller, now) { started(run) } else { woken(&run, now) }
}

/// Nothing changes; if anything is left to do, the alarm is set. One that is set for later than the deadline, or is late,
/// rings now.
fn woken(run: &Run, now: Timestamp) -> Obeyed {
    let ring = match run.next(now) {
        Next::Expire => Ring::Now,
        Next::Rest if !run.is_unlisted() => Ring::AsSet,
        _ => Ring::IfUnset,
    };
    Obeyed { ring, ..unchanged(run) }
}

/// Whatever is left to do is done. D1 wakes whom it lists as at work: a run that failed, and is listed so, was wanted again
/// since, and the wish never arrived; or it failed for an outage that may be over.
fn wake(mut run: Run, listed_version: Option<u64>, resume: bool, link_id: String, now: Timestamp) -> Obeyed {
    if was_put_back(&run, listed_version) {
        return listed_again(run);
    }
    let has_ended = matches!(run.status(), RunStatus::Failed | RunStatus::Completed);
    if !has_ended || run.undo.is_some() || run.is_unlisted() {
        return woken(&run, now);
    }
    if is_behind(&run, listed_version) {
        return listed_again(run);
    }
    if resume && run.status() == RunStatus::Failed {
        run.resume(link_id, now);
        return started(run);
    }
    requeue(run, link_id, Caller::default(), now)
}

/// Nothing is begun: D1 is told everything once more if it knows less than it was told.
fn compare(run: Run, listed_version: u64, now: Timestamp) -> Obeyed {
    if was_put_back(&run, Some(listed_version)) {
        return listed_again(run);
    }
    woken(&run, now)
}

/// Whether D1 lists less than it was told once, whatever the run is doing.
fn was_put_back(run: &Run, listed_version: Option<u64>) -> bool {
    listed_version.is_some_and(|listed| listed < run.listed_version)
}

/// Whether D1 did not know how the run ended when it said that it is wanted: what the sweep read was old when it came here, or
/// the database was put back.
fn is_behind(run: &Run, listed_version: Option<u64>) -> bool {
    listed_version.is_some_and(|listed| listed < run.version)
}

/// Nothing is begun: D1 is told once more. What it says then of what it knew is certain, where a command's word may be old.
fn listed_again(mut run: Run) -> Obeyed {
    run.version += 1;
    let reply = Reply::Run { report: Report::of(&run), changed: false };
    Obeyed { save: Some(run), ring: Ring::Now, ..nothing(reply) }
}

fn changed(mut run: Run, change: impl FnOnce(&mut Run) -> bool) -> Obeyed {
    let was_over = run.is_over();
    if change(&mut run) {
        return Obeyed { ended: run.is_over() && !was_over, ..started(run) };
    }
    unchanged(&run)
}
