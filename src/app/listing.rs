//! Telling D1 where a run stands, with the rows that its steps left there.

use crate::{
    db::{Db, DbError, Query, Statement},
    domain::{Task, Timestamp},
    store,
    workflow::{Listing, Run},
};

use super::steps;

/// Writes what D1 doesn't list yet of a run, and says what it listed before. See [`store::runs::list`].
pub async fn list(db: &impl Db, run: &Run, now: Timestamp) -> Listing {
    store::runs::list(db, run, rows(run, now), now).await
}

/// What [`list`] asks, for a batch that does more.
///
/// # Errors
///
/// When the run can't be written as rows.
pub fn listing(run: &Run, now: Timestamp) -> Result<(Query<Listing>, Vec<Statement>), DbError> {
    store::runs::listing(run, rows(run, now), now)
}

/// The rows beside the listing that the run's steps leave, or remove, and that D1 was not told of yet: what is done is known by the
/// checkpoint, and is not done again because D1 was away. Where D1 has to be told everything, it may have been put back.
fn rows(run: &Run, now: Timestamp) -> Vec<Statement> {
    let is_all = run.listed_version == 0;
    if let Some(undo) = &run.undo {
        let removed = undo.removals.iter().filter(|removal| removal.done_at.is_some() && !removal.left);
        return removed
            .filter(|removal| is_all || is_news(run, Task::Undo(removal.step)))
            .flat_map(|removal| steps::undo_rows(run, removal.step, now))
            .collect();
    }
    let done = run.records.iter().filter(|record| record.done_at.is_some() && !record.skipped);
    done.filter(|record| record.warning.is_none())
        .filter(|record| is_all || is_news(run, Task::Do(record.step)))
        .flat_map(|record| steps::rows(run, record, now))
        .collect()
}

/// Whether D1 was not told yet that this was done.
pub(super) fn is_news(run: &Run, task: Task) -> bool {
    run.unlisted.iter().any(|attempt| {
        attempt.step == task.step() && attempt.undo == task.is_undo() && attempt.outcome == "done"
    })
}
