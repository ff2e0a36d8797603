//! What a command does to a run: the same in the object and in every test.

use crate::domain::{RunId, RunStatus, Timestamp};

use super::{Caller, Command, Next, Reply, Report, Run, Stage};

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
        (Command::Undo { subject, plan, caller }, None) => {
            // Nothing was ever begun; the run is there to say who undid what, and when.
            let mut run = Run::queued(fresh.run, plan, subject, fresh.link_id, Caller::default(), now);
            run.begin_undo(caller, now);
            started(run)
        }
        (_, None) => nothing(Reply::NoRun),
        (Command::Undo { caller, .. }, Some(run)) => undo(run, caller, now),
        (Command::Queue { caller, .. }, Some(run)) => requeue(run, fresh.link_id, caller, now),
        (Command::Wake { wanted_at, .. }, Some(run)) => wake(run, wanted_at, fresh.link_id, now),
        (Command::Report, Some(run)) => nothing(Reply::Run { report: Report::of(&run), changed: false }),
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
fn undo(mut run: Run, caller: Caller, now: Timestamp) -> Obeyed {
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

/// Whatever is left to do is done. D1 wakes whom it lists as at work. A run that failed, and is listed so, was wanted again
/// since, and the wish never arrived. If it failed after it was last wanted, D1 is behind: what the sweep read was old when it
/// came here, or the database was put back. Then nothing is begun, whoever stopped the run, and the failure is listed again.
fn wake(mut run: Run, wanted_at: Option<Timestamp>, link_id: String, now: Timestamp) -> Obeyed {
    let Stage::Failed { at, .. } = run.stage else { return woken(&run, now) };
    if run.is_unlisted() || run.undo.is_some() {
        return woken(&run, now);
    }
    // A second is as exactly as D1 knows it.
    if wanted_at.is_none_or(|wanted_at| wanted_at.seconds() >= at.seconds()) {
        return requeue(run, link_id, Caller::default(), now);
    }
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
