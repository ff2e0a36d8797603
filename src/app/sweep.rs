//! The sweep, once a minute: the second net under the alarms, events on their way to webhooks, mails on
//! theirs to owners, and what expired goes.

use std::time::Duration;

use crate::{
    db::DbError,
    domain::{RequestId, RunId, Timestamp},
    ports::{Level, LogLine, ObjectError, Ports},
    store::{self, tenants::Tenant},
    workflow::{Caller, Command},
};

use super::App;

/// Provisioning that has not moved for this long is looked at.
const QUIET: Duration = Duration::from_secs(60);
/// Provisioning that has not moved for this long is worth an operator's look.
const STUCK: Duration = Duration::from_secs(5 * 60);
/// How many tenants one sweep looks at.
const BATCH: u32 = 25;

impl<P: Ports> App<P> {
    /// Wakes what has not moved, delivers what is due, and removes what expired. It costs the same however many tenants there are.
    pub async fn sweep(&self) {
        let now = self.ports.now();
        // Nobody asked for it: its lines are found by an id of its own.
        let id = RequestId::new(now, self.ports.random());
        let app = self.scoped(vec![("requestId", id.as_str())]);
        // None waits for another: an object, a webhook or a mail service that hangs holds up its own kind only.
        let (unmoved, delivered, mailed) =
            futures_util::join!(app.wake_unmoved(now), app.deliver_due(), app.deliver_mails_due());
        let well = unmoved.is_ok() && delivered.is_ok() && mailed.is_ok();
        let pruned = store::sweep::prune(self.ports.db(), self.ports.now(), well).await;
        let errors =
            [unmoved.as_ref().err(), delivered.as_ref().err(), mailed.as_ref().err(), pruned.as_ref().err()];
        let error = errors.into_iter().flatten().next().map(ToString::to_string);
        let level = if error.is_some() { Level::Error } else { Level::Info };
        app.log(
            LogLine::new(level, "sweep")
                .with("looked", unmoved.unwrap_or(0))
                .with("delivered", delivered.unwrap_or(0))
                .with("mailed", mailed.unwrap_or(0))
                .with("pruned", pruned.unwrap_or(0))
                .with_some("error", error),
        );
    }

    async fn wake_unmoved(&self, now: Timestamp) -> Result<usize, DbError> {
        let unmoved = store::tenants::unmoved(self.ports.db(), now.before(QUIET), BATCH, now).await?;
        let unmoved: Vec<Tenant> = self.readable(unmoved, "tenants");
        for tenant in &unmoved {
            self.wake(tenant).await;
        }
        Ok(unmoved.len())
    }

    /// Wakes a tenant's object: it goes on if its alarm was lost, and starts if it was never told.
    async fn wake(&self, tenant: &Tenant) {
        let answer = match wish(tenant) {
            Some(command) => self.ports.tell_object(tenant.id(), &command).await,
            None => Err(ObjectError("the tenant has no name any more".to_owned())),
        };
        let quiet = self.ports.now().since(tenant.moved_at());
        if quiet >= STUCK {
            self.log(
                LogLine::new(Level::Error, "tenant_provision_stuck")
                    .with("tenantId", tenant.id().as_str())
                    .with_some("runId", tenant.run().map(RunId::as_str))
                    .with("undo", tenant.undo_state.is_some())
                    .with("seconds", quiet.as_secs())
                    .with_some("error", answer.err().map(|error| error.to_string())),
            );
        }
    }
}

/// What a tenant's object is told. A removal goes on for whoever it was made: the object knows.
fn wish(tenant: &Tenant) -> Option<Command> {
    let (subject, plan, listed_version) = (tenant.subject(), tenant.plan, Some(tenant.listed_version()));
    match tenant.undo_state {
        None => Some(Command::Wake { subject: subject?, plan, listed_version, resume: false }),
        Some(_) => Some(Command::Undo {
            subject,
            plan,
            caller: Caller::default(),
            listed_version,
            run: tenant.run().cloned(),
        }),
    }
}
