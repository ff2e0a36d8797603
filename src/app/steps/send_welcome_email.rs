//! A mail with a link to sign in. It is stored, and leaves when the run rests, or with the sweep: whatever becomes of it holds no
//! tenant up.

use crate::{
    app::projection::is_news,
    db::Statement,
    domain::{Step, Task, Timestamp},
    store,
    workflow::{Record, Run},
};

use super::Action;

pub(super) struct SendWelcomeEmail;

impl Action for SendWelcomeEmail {
    fn rows(run: &Run, record: &Record, now: Timestamp) -> Vec<Statement> {
        if is_news(run, Task::Do(Step::SendWelcomeEmail)) {
            return vec![store::mails::welcome(run, now)];
        }
        let wanted_again = |at| store::mails::welcome_restored(run, at, now);
        record.done_at.and_then(wanted_again).into_iter().collect()
    }
}
