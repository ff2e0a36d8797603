//! A mail with a link to sign in. It is stored, and leaves when the run rests, or with the sweep: whatever becomes of it holds no
//! club up.

use crate::{
    app::App,
    db::Statement,
    domain::Timestamp,
    ports::Ports,
    store,
    workflow::{Record, Run},
};

use super::{Action, Performed};

pub(super) struct SendWelcomeEmail;

impl Action for SendWelcomeEmail {
    async fn run<P: Ports>(app: &App<P>, run: &Run) -> Performed {
        app.write(vec![store::mails::welcome(run, app.ports.now())]).await
    }

    fn rows(run: &Run, record: &Record, now: Timestamp) -> Vec<Statement> {
        let wanted_again = |at| store::mails::welcome_put_back(run, at, now);
        record.done_at.and_then(wanted_again).into_iter().collect()
    }
}
