//! The club goes live.

use crate::{
    app::{App, listing::listing},
    db::Statement,
    domain::Timestamp,
    ports::Ports,
    store,
    workflow::{Outcome, Record, Run},
};

use super::{Action, Performed};

pub(super) struct Activate;

impl Action for Activate {
    /// Going live and the listing's "completed" are one batch: nobody sees one without the other.
    async fn run<P: Ports>(app: &App<P>, run: &Run) -> Performed {
        let now = app.ports.now();
        let mut completed = run.clone();
        completed.settle(Outcome::Done(None), now, 0);
        app.write(listing(&completed, now)?).await
    }

    fn rows(run: &Run, _record: &Record, now: Timestamp) -> Vec<Statement> {
        vec![store::tenants::activate(&run.subject.tenant, run.live_at.unwrap_or(now))]
    }
}
