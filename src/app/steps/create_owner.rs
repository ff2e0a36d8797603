//! The person who signed up becomes the owner.

use crate::{
    app::App,
    db::Statement,
    domain::Timestamp,
    ports::Ports,
    store,
    workflow::{Record, Run},
};

use super::{Action, Performed};

pub(super) struct CreateOwner;

impl Action for CreateOwner {
    async fn run<P: Ports>(app: &App<P>, run: &Run) -> Performed {
        app.write(vec![store::tenants::insert_owner(&run.subject, app.ports.now())]).await
    }

    async fn undo<P: Ports>(app: &App<P>, run: &Run) -> Performed {
        app.write(Self::undo_rows(run, app.ports.now())).await
    }

    fn rows(run: &Run, _record: &Record, now: Timestamp) -> Vec<Statement> {
        vec![store::tenants::insert_owner(&run.subject, now)]
    }

    fn undo_rows(run: &Run, _now: Timestamp) -> Vec<Statement> {
        vec![store::undo::remove_owner(run)]
    }
}
