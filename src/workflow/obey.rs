//! What a command does to a run: the same in the object and in every test.

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
    /// Now, if it is not set: it was lost.
    IfUnset,
    /// Now.
    Now,
}

/// What a command came to.
#[derive(Debug, Clone)]
pub struct Obeyed {
    /// The run to write down, if it changed.
    pub save: Option<Run>,
    /// When the alarm must ring.
    pub ring: Ring,
    /// What to answer.
    pub reply: Reply,
}

/// Does what `command` says to `known`, the run that is there.
#[must_use]
pub fn obey(known: Option<Run>, command: Command, fresh: Fresh, now: Timestamp) -> Obeyed {
    match (command, known) {
        (Command::Ping, _) => nothing(Reply::Pong),
        (Command::Queue { subject, plan, caller }, None) => {
            started(Run::queued(fresh.run, plan, subject, fresh.link_id, caller, now))
        }
        (Command::Wake { subject, plan, .. }, None) => {
            started(Run::queued(fresh.run, plan, subject, fresh.link_id, Caller::default(), now))
        }
        (Command::Undo { subject, plan, caller, .. }, None) => {
            // Nothing was ever begun; the run is there to say who undid what, and when.
            let mut run = Run::queued(fresh.run, plan, subject, fresh.link_id, Caller::default(), now);
            run.begin_undo(caller, now);
            started(run)
        }
        (_, None) => nothing(Reply::NoRun),
        (Command::Undo { caller, listed_version, .. }, Some(run)) => undo(run, listed_version, caller, now),
        (Command::Queue { caller, .. }, Some(run)) => requeue(run, fresh.link_id, caller, now),
        (Command::Wake { listed_version, .. }, Some(run)) => wake(run, listed_version, fresh.link_id, now),
        (Command::Report, Some(run)) => nothing(Reply::Run { report: Report::of(&run), changed: false }),
        (Command::GoOn { .. }, Some(run)) => changed(run, |run| run.go_on_now(now)),
        (Command::Cancel, Some(run)) => changed(run, |run| run.cancel(now)),
        (Command::Skip, Some(run)) => changed(run, |run| run.skip(fresh.link_id, now)),
    }
}

fn nothing(reply: Reply) -> Obeyed {
    Obeyed { save: None, ring: Ring::AsSet, reply }
}

fn started(run: Run) -> Obeyed {
    let reply = Reply::Run { report: Report::of(&run), changed: true };
    Obeyed { save: Some(run), ring: Ring::Now, reply }
}

/// Resumes a failed run; one at work is woken in case its alarm was lost; a completed one rests.
fn requeue(mut run: Run, link_id: String, caller: Caller, now: Timestamp) -> Obeyed {
    if run.undo.is_some() {
        return woken(&run, now);
    }
    match run.status() {
        RunStatus::Failed => {
            run.requeue(link_id, caller, now);
            started(run)
        }
        RunStatus::Pending | RunStatus::Processing | RunStatus::Completed => woken(&run, now),
    }
}

/// Begins to undo a run, or tries again; what is at work is woken in case its alarm was lost.
fn undo(mut run: Run, listed_version: Option<u64>, caller: Caller, now: Timestamp) -> Obeyed {
    let has_ended = run.undo.as_ref().is_some_and(Undo::is_over) && !run.is_unlisted();
    if has_ended && is_behind(&run, listed_version) {
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
    Obeyed { ring, ..nothing(Reply::Run { report: Report::of(run), changed: false }) }
}

/// Whatever is left to do is done. D1 wakes whom it lists as at work: a run that failed, and is listed so, was wanted again
/// since, and the wish never arrived.
fn wake(run: Run, listed_version: Option<u64>, link_id: String, now: Timestamp) -> Obeyed {
    let has_ended = matches!(run.status(), RunStatus::Failed | RunStatus::Completed);
    if !has_ended || run.undo.is_some() || run.is_unlisted() {
        return woken(&run, now);
    }
    if is_behind(&run, listed_version) {
        return listed_again(run);
    }
    requeue(run, link_id, Caller::default(), now)
}

/// Whether D1 did not know how the run ended when it said that it is wanted: what the sweep read was old when it came here, or
/// the database was put back.
fn is_behind(run: &Run, listed_version: Option<u64>) -> bool {
    listed_version.is_some_and(|listed| listed < run.version)
}

/// Nothing is begun: D1 is told once more how the run ended.
fn listed_again(mut run: Run) -> Obeyed {
    run.list_again();
    let reply = Reply::Run { report: Report::of(&run), changed: false };
    Obeyed { save: Some(run), ring: Ring::Now, reply }
}

fn changed(mut run: Run, change: impl FnOnce(&mut Run) -> bool) -> Obeyed {
    if change(&mut run) {
        return started(run);
    }
    nothing(Reply::Run { report: Report::of(&run), changed: false })
}
