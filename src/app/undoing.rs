//! Undoing a step: what each left in D1 and outside is removed, and confirmed before it counts.
//!
//! Every removal may be performed again after any interruption, and finds nothing left to do then.

use crate::{
    domain::Step,
    ports::Ports,
    store,
    workflow::{Artifact, FailureCode, Outcome, Run},
};

use super::{
    App,
    steps::{Performed, of_a_newer_version},
    upstream::{apps_script, cloudflare},
};

impl<P: Ports> App<P> {
    /// Performs one attempt at undoing `step` of `run`.
    pub(super) async fn undo(&self, run: &Run, step: Step) -> Performed {
        if let Some(Artifact::Other(_)) = run.artifact(step) {
            return Ok(made_by_a_newer_version());
        }
        match step {
            Step::SeedDefaults => self.let_go(run).await,
            Step::ConfigureRouting => self.remove_route(run).await,
            Step::CreateSpreadsheet => self.remove_spreadsheet(run).await,
            Step::CreateOwner => self.write(vec![store::undo::remove_owner(run)]).await,
            Step::ValidateWebhook | Step::VerifySpreadsheet | Step::SendWelcomeEmail | Step::Activate => {
                Ok(Outcome::Done(None))
            }
            Step::Other(_) => Ok(made_by_a_newer_version()),
        }
    }

    async fn remove_route(&self, run: &Run) -> Performed {
        let made = run.artifact(Step::ConfigureRouting);
        Ok(cloudflare::remove(self, &run.subject, made, run.caller.traceparent.clone()).await)
    }

    /// Without an id, the answer to making it was lost: the script finds it by the key under which it was asked for.
    async fn remove_spreadsheet(&self, run: &Run) -> Performed {
        let known = match run.artifact(Step::CreateSpreadsheet) {
            Some(Artifact::Spreadsheet { id, .. }) => Some(id.as_str()),
            _ => None,
        };
        let provision = run.idempotency_key(Step::CreateSpreadsheet);
        let removal = run.undo_key(Step::CreateSpreadsheet);
        let keys = apps_script::Keys { provision: &provision, removal: &removal };
        Ok(apps_script::remove(self, &run.subject, known, keys, run.caller.traceparent.clone()).await)
    }

    /// Letting the name go and the listing's "undone" are one batch: nobody gets the name while anything is left behind it.
    async fn let_go(&self, run: &Run) -> Performed {
        let now = self.ports.now();
        let mut undone = run.clone();
        undone.settle(Outcome::Done(None), now, 0);
        let mut statements = store::undo::let_go(&run.subject.tenant, now);
        statements.extend(store::runs::listing(&undone, now)?);
        // Its webhook hears of it first, if it is there.
        statements.push(store::connections::forget_cancelled(&run.subject.tenant));
        match self.write(statements).await {
            // D1 does not know the tenant: nobody holds a name.
            Err(Outcome::Refused(failure)) if failure.code == FailureCode::TenantGone => {
                Ok(Outcome::Done(None))
            }
            written => written,
        }
    }
}

/// It is never told as removed: it may still be there.
fn made_by_a_newer_version() -> Outcome {
    of_a_newer_version("This was made by a newer version of the service.")
}
