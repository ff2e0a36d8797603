//! The log lines of a run: the names that operators filter by.

use crate::{
    domain::{Task, Timestamp},
    ports::{Level, LogLine, Ports},
    workflow::{Outcome, Run, Stage, advance::RunEvent},
};

use super::App;

/// The application at work on `run`: its fields are on every line, its trace on every call.
pub fn at_work_on<P: Ports>(app: &App<P>, run: &Run, task: Option<Task>) -> App<P> {
    let step = task.map(|task| ("step", task.step().as_str().to_owned()));
    let app = app.scoped(run.scope().into_iter().chain(step).collect());
    app.traced(run.caller.traceparent.as_deref())
}

/// Logs an event of a run.
pub fn log<P: Ports>(app: &App<P>, run: &Run, event: RunEvent<'_>) {
    let line = match event {
        RunEvent::Started => LogLine::new(Level::Info, "tenant_provision_start"),
        RunEvent::ProjectionFailed => LogLine::new(Level::Error, "tenant_provision_not_listed"),
        RunEvent::Orphaned => LogLine::new(Level::Error, "tenant_provision_orphaned"),
        RunEvent::Restored => LogLine::new(Level::Warn, "tenant_provision_listed_again"),
        RunEvent::Attempted(task, outcome) => attempted(run, task, outcome),
        RunEvent::Ended => ended(run, app.ports.now()),
    };
    at_work_on(app, run, None).log(line.with("plan", run.plan.as_str()));
}

fn attempted(run: &Run, task: Task, outcome: &Outcome) -> LogLine {
    let (level, word, error) = match outcome {
        Outcome::Done(_) => (Level::Info, "done", None),
        Outcome::Failed(failure) => (Level::Error, "refused", Some(failure.code.as_str())),
        Outcome::Unknown(fault) => (Level::Warn, "unknown", Some(fault.code.as_str())),
    };
    let msg = if task.is_undo() { "tenant_deprovision_step" } else { "tenant_provision_step" };
    LogLine::new(level, msg)
        .with("step", task.step().as_str())
        .with("attempt", run.attempts(task.step()))
        .with("outcome", word)
        .with_some("error", error)
}

fn ended(run: &Run, now: Timestamp) -> LogLine {
    let (line, took) = match (&run.undoing, &run.doing.stage) {
        (Some(undo), _) => {
            (undo_ended(undo.stage.failure().map(|f| f.code.as_str())), now.since(undo.queued_at))
        }
        (None, Stage::Failed { failure, .. }) => {
            let line = LogLine::new(Level::Error, "tenant_provision_failed");
            (line.with("error", failure.code.as_str()), run.took(now))
        }
        (None, _) => (LogLine::new(Level::Info, "tenant_provision_complete"), run.took(now)),
    };
    let step = run.track().stage.current();
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    line.with_some("step", step.map(|step| step.as_str())).with("ms", ms)
}

fn undo_ended(error: Option<&str>) -> LogLine {
    match error {
        Some(error) => LogLine::new(Level::Error, "tenant_deprovision_failed").with("error", error),
        None => LogLine::new(Level::Info, "tenant_deprovisioned"),
    }
}
