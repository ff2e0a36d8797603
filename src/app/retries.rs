//! One press after an outage: many failed runs, or removals, are tried again, for one reason.

use std::time::Duration;

use futures_util::{StreamExt, stream};

use crate::{
    domain::Claims,
    ports::{Level, LogLine, Ports},
    store::{
        self,
        retries::{Failed, Filter, Matching},
        tenants::Tenant,
    },
    workflow::{Command, RequestOrigin},
};

use super::{App, access, access::AccessError};

/// The word in the audit log.
pub const RETRY_MANY: &str = "saga.retry_many";
/// How many objects are told at the same time: the platform queues what goes beyond six open connections.
const AT_ONCE: usize = 6;
/// For how long the operator waits. Whoever was not told by then is found by the sweep.
const TELLS_FOR: Duration = Duration::from_secs(20);

/// What [`start`] would do.
pub async fn preview<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    filter: &Filter,
) -> Result<Matching, AccessError> {
    access::on_behalf_of(app, claims, store::retries::select(filter)).await
}

/// Tries all that match again, as far as the limit goes. The request is stored for all of them or for none. Their objects are
/// told concurrently; the sweep finds those that were not reached.
pub async fn start<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    filter: &Filter,
    why: &str,
    caller: RequestOrigin,
) -> Result<Matching, AccessError> {
    let audit_context =
        access::audit_context(app, claims, why, caller.request.as_deref().unwrap_or_default());
    let batch = (
        store::retries::select(filter),
        store::retries::audit(filter, &audit_context, RETRY_MANY),
        store::retries::request_retries(filter, audit_context.now),
    );
    let (matching, _, tenants) = access::on_behalf_of(app, claims, batch).await?;
    let told = send_commands(app, filter.status, tenants, &caller).await;
    if !matching.runs.is_empty() {
        app.log(
            LogLine::new(Level::Warn, "operator_action")
                .with("action", RETRY_MANY)
                .with("runs", matching.runs.len())
                .with("told", told),
        );
    }
    Ok(matching)
}

/// Answers how many were told.
async fn send_commands<P: Ports>(
    app: &App<P>,
    status: Failed,
    tenants: Vec<Tenant>,
    caller: &RequestOrigin,
) -> usize {
    let begun_at = app.ports.now();
    let tell = async |tenant: Tenant| {
        if app.ports.now().since(begun_at) >= TELLS_FOR {
            return false;
        }
        let (plan, caller) = (tenant.plan, caller.clone());
        let command = match (status, tenant.subject()) {
            (Failed::Run, None) => return false,
            (Failed::Run, Some(subject)) => Command::Queue {
                subject,
                plan,
                caller,
                run: tenant.run().cloned(),
                projected_version: Some(tenant.projected_version()),
            },
            (Failed::Removal, subject) => Command::Undo {
                subject,
                plan,
                caller,
                projected_version: Some(tenant.projected_version()),
                run: tenant.run().cloned(),
            },
        };
        app.ports.send_command(tenant.id(), &command).await.is_ok()
    };
    let told = stream::iter(tenants).map(tell).buffer_unordered(AT_ONCE);
    told.filter(|told| std::future::ready(*told)).count().await
}
