//! Updating D1 where a run stands, with the rows that its steps left there.

use crate::{
    db::{Db, DbError, Query, Statement},
    domain::{Task, Timestamp},
    store,
    workflow::{ProjectionResult, Run},
};

use super::steps;

/// Writes what D1 doesn't show yet of a run, and says what it listed before. See [`store::runs::project`].
pub async fn project(db: &impl Db, run: &Run, now: Timestamp) -> ProjectionResult {
    store::runs::project(db, run, rows(run, now), now).await
}

/// What [`project`] asks, for a batch that does more.
pub fn projection(run: &Run, now: Timestamp) -> Result<(Query<ProjectionResult>, Vec<Statement>), DbError> {
    store::runs::projection(run, rows(run, now), now)
}

/// The rows beside the projection that the run's steps leave, or remove, and that D1 was not told of yet: what is done is known by
/// the checkpoint, and is not done again because D1 was away. Where D1 has to be told everything, it may have been restored.
fn rows(run: &Run, now: Timestamp) -> Vec<Statement> {
    let is_all = run.projected_version == 0;
    if let Some(undo) = &run.undoing {
        let removed = undo.records.iter().filter(|removal| removal.done_at.is_some() && !removal.skipped);
        return removed
            .filter(|removal| is_all || is_news(run, Task::Undo(removal.step)))
            .flat_map(|removal| steps::undo_rows(run, removal.step, now))
            .collect();
    }
    let done = run.doing.records.iter().filter(|record| record.done_at.is_some() && !record.skipped);
    done.filter(|record| record.warning.is_none())
        .filter(|record| is_all || is_news(run, Task::Do(record.step)))
        .flat_map(|record| steps::rows(run, record, now))
        .collect()
}

/// Whether D1 was not told yet that this was done.
pub(super) fn is_news(run: &Run, task: Task) -> bool {
    run.pending_history.iter().any(|attempt| {
        attempt.step == task.step() && attempt.undo == task.is_undo() && attempt.outcome == "done"
    })
}
