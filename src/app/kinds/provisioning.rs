//! Setting a tenant up, and removing it: its steps are in [`steps`].

use crate::{
    app::{App, projection, steps, steps::Found},
    db::DbError,
    domain::Task,
    ports::Ports,
    store::{recovery, recovery::DnsContext},
    workflow::{self, Asked, Command, Kind, NewIds, ProjectionResult, Run},
};

use super::Behaviour;

/// Setting a tenant up, and removing it.
pub(super) struct Provisioning;

impl Behaviour for Provisioning {
    const KIND: Kind = Kind::PROVISIONING;

    fn asks_outside<P: Ports>(app: &App<P>, run: &Run, task: Task) -> bool {
        steps::asks_outside(app, run, task)
    }

    async fn permit<P: Ports>(app: &App<P>, run: &Run, task: Task, lists: bool) -> Asked<Found> {
        steps::permit(app, run, task, lists).await
    }

    async fn perform<P: Ports>(app: &App<P>, run: &Run, task: Task, found: Found) -> workflow::Performed {
        steps::perform(app, run, task, found).await
    }

    async fn project<P: Ports>(app: &App<P>, run: &Run) -> ProjectionResult {
        projection::project(app.ports.db(), run, app.ports.now()).await
    }

    async fn take_over<P: Ports>(
        app: &App<P>,
        command: &Command,
        dns_context: &DnsContext,
        fresh: &NewIds,
    ) -> Result<Option<Run>, DbError> {
        recovery::take_over(app.ports.db(), command, dns_context, fresh, app.ports.now()).await
    }
}
