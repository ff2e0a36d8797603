//! Handles a command to a run: the same code in the object and in every test.

use std::time::Duration;

use crate::domain::{RunId, RunStatus, Timestamp};

use super::{Command, Next, Reply, Report, RequestOrigin, Run};

/// Random ids for a new run, or for a run that is queued again.
#[derive(Debug, Clone)]
pub struct NewIds {
    /// The run's id.
    pub run: RunId,
    /// The welcome mail's link's own id.
    pub link_id: String,
}

/// What to do with the alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmAction {
    /// Leave it as it is.
    Keep,
    /// Set it for now if it is unset, or overdue by a minute: then it was lost.
    SetIfUnset,
    /// Now.
    SetNow,
}

/// An alarm that is overdue by this much does not ring any more.
pub const OVERDUE: Duration = Duration::from_secs(60);

impl AlarmAction {
    /// Whether the alarm is set anew, where `set_for` is when it rings.
    pub fn is_due(self, set_for: Option<Timestamp>, now: Timestamp) -> bool {
        match self {
            Self::Keep => false,
            Self::SetIfUnset => set_for.is_none_or(|at| now.since(at) >= OVERDUE),
            Self::SetNow => true,
        }
    }
}

/// The effects of a command.
#[derive(Debug, Clone)]
pub struct Effects {
    /// The run to write down, if it changed.
    pub save: Option<Run>,
    /// What to do with the alarm.
    pub alarm: AlarmAction,
    /// Whether the run, or undoing it, ended with it: that is worth a line in the log.
    pub ended: bool,
    /// Whether everything that is stored is deleted.
    pub forget: bool,
    /// What to answer.
    pub reply: Reply,
}

/// Applies `command` to `known`, the stored run.
pub fn handle(known: Option<Run>, command: Command, fresh: NewIds, now: Timestamp) -> Effects {
    let Some(run) = known else { return handle_without_run(command, fresh, now) };
    match command {
        Command::Ping => nothing(Reply::Pong),
        Command::Queue { run: Some(seen), .. }
        | Command::CancelRun { run: seen }
        | Command::SkipStep { run: seen, .. }
            if seen != run.id =>
        {
            unchanged(&run)
        }
        Command::Undo { caller, projected_version, .. } => undo(run, projected_version, caller, now),
        Command::Queue { caller, projected_version, .. } => {
            queue(run, projected_version, fresh.link_id, caller, now)
        }
        Command::Wake { projected_version, resume, .. } => {
            wake(run, projected_version, resume, fresh.link_id, now)
        }
        Command::Report | Command::Reset { .. } => unchanged(&run),
        Command::Cancel | Command::CancelRun { .. } => changed(run, |run| run.cancel(now)),
        Command::Skip => changed(run, |run| run.skip(None, fresh.link_id, now)),
        Command::SkipStep { step, .. } => changed(run, |run| run.skip(Some(step), fresh.link_id, now)),
        Command::GoOn { .. } => changed(run, |run| run.go_on_now(now)),
        Command::Compare { projected_version } => compare(run, projected_version, now),
        Command::Forget if run.is_undone() => Effects { forget: true, ..nothing(Reply::NoRun) },
        // D1 has it as undone; its object may not have heard of that yet.
        Command::Forget => woken(&run, now),
    }
}

/// Where D1 shows a run, it was taken over before: there really is none.
fn handle_without_run(command: Command, fresh: NewIds, now: Timestamp) -> Effects {
    match command {
        Command::Ping => nothing(Reply::Pong),
        Command::Queue { subject, plan, caller, .. } => {
            started(Run::queued(fresh.run, plan, subject, fresh.link_id, caller, now))
        }
        Command::Wake { subject, plan, .. } => {
            started(Run::queued(fresh.run, plan, subject, fresh.link_id, RequestOrigin::default(), now))
        }
        Command::Undo { subject: Some(subject), plan, caller, .. } => {
            // Nothing was ever begun; the run is there to say who undid what, and when.
            let mut run = Run::queued(fresh.run, plan, subject, fresh.link_id, RequestOrigin::default(), now);
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
        Command::Forget => Effects { forget: true, ..nothing(Reply::NoRun) },
    }
}

/// Applies `command` to a run that D1 shows, and that this object had lost or can't read: the run is adopted.
pub fn handle_after_loss(mut found: Run, command: Command, fresh: NewIds, now: Timestamp) -> Effects {
    found.found_again(now);
    if matches!(command, Command::Reset { .. }) {
        return started(found);
    }
    let effects = handle(Some(found.clone()), command, fresh, now);
    Effects { save: Some(effects.save.unwrap_or(found)), alarm: AlarmAction::SetNow, ..effects }
}

fn nothing(reply: Reply) -> Effects {
    Effects { save: None, alarm: AlarmAction::Keep, ended: false, forget: false, reply }
}

fn unchanged(run: &Run) -> Effects {
    nothing(Reply::Run { report: Report::of(run), changed: false })
}

fn started(run: Run) -> Effects {
    let reply = Reply::Run { report: Report::of(&run), changed: true };
    Effects { save: Some(run), alarm: AlarmAction::SetNow, ..nothing(reply) }
}

/// Resumes a failed run; one at work is woken in case its alarm was lost; a completed one rests.
/// D1 wanted a run that it did not know to have failed: it is about to hear of that, which would undo what is begun now.
fn queue(
    run: Run,
    projected_version: Option<u64>,
    link_id: String,
    caller: RequestOrigin,
    now: Timestamp,
) -> Effects {
    if run.status() == RunStatus::Failed && is_behind(&run, projected_version) {
        return woken(&run, now);
    }
    requeue(run, link_id, caller, now)
}

fn requeue(mut run: Run, link_id: String, caller: RequestOrigin, now: Timestamp) -> Effects {
    if run.undoing.is_some() {
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
fn undo(mut run: Run, projected_version: Option<u64>, caller: RequestOrigin, now: Timestamp) -> Effects {
    let has_undo_ended = run.undoing.as_ref().is_some_and(|undo| undo.stage.ended_at().is_some());
    let has_ended = has_undo_ended && !run.has_pending_projection();
    let is_under_way = run.undoing.is_some() && !has_undo_ended;
    // D1 wanted it without knowing of the end that it is about to hear of.
    let is_ending = has_undo_ended && run.has_pending_projection();
    if is_ending && is_behind(&run, projected_version) {
        return woken(&run, now);
    }
    if has_ended && is_behind(&run, projected_version)
        || is_under_way && was_restored(&run, projected_version)
    {
        return reprojected(run);
    }
    if run.begin_undo(caller, now) { started(run) } else { woken(&run, now) }
}

/// Nothing changes; if anything is left to do, the alarm is set. One that is set for later than the deadline, or is late,
/// rings now.
fn woken(run: &Run, now: Timestamp) -> Effects {
    let alarm = match run.next(now) {
        Next::Expire => AlarmAction::SetNow,
        Next::Idle if !run.has_pending_projection() => AlarmAction::Keep,
        _ => AlarmAction::SetIfUnset,
    };
    Effects { alarm, ..unchanged(run) }
}

/// Does whatever is left. D1 wakes whom it shows as at work. A failed run was requested again and the command never arrived.
/// Or it failed in an outage that may have ended.
fn wake(
    mut run: Run,
    projected_version: Option<u64>,
    resume: bool,
    link_id: String,
    now: Timestamp,
) -> Effects {
    if was_restored(&run, projected_version) {
        return reprojected(run);
    }
    let has_ended = matches!(run.status(), RunStatus::Failed | RunStatus::Completed);
    if !has_ended || run.undoing.is_some() || run.has_pending_projection() {
        return woken(&run, now);
    }
    if is_behind(&run, projected_version) {
        return reprojected(run);
    }
    if resume && run.status() == RunStatus::Failed {
        run.resume(link_id, now);
        return started(run);
    }
    requeue(run, link_id, RequestOrigin::default(), now)
}

/// Begins nothing; reprojects the run if D1 shows less than was projected.
fn compare(run: Run, projected_version: u64, now: Timestamp) -> Effects {
    if was_restored(&run, Some(projected_version)) {
        return reprojected(run);
    }
    woken(&run, now)
}

/// Whether D1 shows less than was projected before, whatever the run is doing.
fn was_restored(run: &Run, projected_version: Option<u64>) -> bool {
    projected_version.is_some_and(|projected| projected < run.projected_version)
}

/// Whether D1 did not know the run's end when it sent the command: the sweep read an older row, or the database was restored.
fn is_behind(run: &Run, projected_version: Option<u64>) -> bool {
    projected_version.is_some_and(|projected| projected < run.version)
}

/// Begins nothing and reprojects the run. D1's answer to that is certain; the version in a command may be old.
fn reprojected(mut run: Run) -> Effects {
    run.version += 1;
    let reply = Reply::Run { report: Report::of(&run), changed: false };
    Effects { save: Some(run), alarm: AlarmAction::SetNow, ..nothing(reply) }
}

fn changed(mut run: Run, change: impl FnOnce(&mut Run) -> bool) -> Effects {
    let had_ended = run.has_ended();
    if change(&mut run) {
        return Effects { ended: run.has_ended() && !had_ended, ..started(run) };
    }
    unchanged(&run)
}
