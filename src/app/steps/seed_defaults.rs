//! Default brand and welcome content. Undone last, it lets go of the club's name and address.

use crate::{
    app::{App, listing::listing},
    db::{Db, Statement},
    domain::Timestamp,
    ports::Ports,
    store,
    workflow::{FailureCode, Outcome, Record, Run},
};

use super::{Action, Performed, tenant_gone};

pub(super) struct SeedDefaults;

impl Action for SeedDefaults {
    async fn run<P: Ports>(app: &App<P>, run: &Run) -> Performed {
        let tenant = &run.subject.tenant;
        let seed = store::tenants::seed(tenant, &run.subject.name, app.ports.now());
        let (_, known) = app.ports.db().ask((seed, store::tenants::by_id(tenant))).await?;
        match known {
            Some(_) => Ok(Outcome::Done(None)),
            None => Ok(Outcome::Refused(tenant_gone())),
        }
    }

    /// Letting the name go and the listing's "undone" are one batch: nobody gets the name while anything is left behind it.
    async fn undo<P: Ports>(app: &App<P>, run: &Run) -> Performed {
        let now = app.ports.now();
        let mut undone = run.clone();
        undone.settle(Outcome::Done(None), now, 0);
        let mut statements = Self::undo_rows(run, now);
        statements.extend(listing(&undone, now)?);
        // Its webhook hears of it first, if it is there.
        statements.push(store::connections::forget_cancelled(&run.subject.tenant));
        match app.write(statements).await {
            // D1 does not know the tenant: nobody holds a name.
            Err(Outcome::Refused(failure)) if failure.code == FailureCode::TenantGone => {
                Ok(Outcome::Done(None))
            }
            written => written,
        }
    }

    fn rows(run: &Run, _record: &Record, now: Timestamp) -> Vec<Statement> {
        store::tenants::seed(&run.subject.tenant, &run.subject.name, now)
    }

    fn undo_rows(run: &Run, now: Timestamp) -> Vec<Statement> {
        store::undo::let_go(&run.subject.tenant, now)
    }
}
