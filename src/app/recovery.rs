//! What the sweep brings back by itself: runs that failed for an outage, what a restored database does not know, and objects
//! that have stored a removed tenant's name for long enough.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::{Map, Value, json};

use crate::{
    db::{Db, DbError},
    domain::{Step, Timestamp},
    ports::{Level, LogLine, Ports},
    store::{
        comparisons::{self, Compared, Comparison},
        flags::SweepState,
        tenants::{self, Tenant},
    },
    workflow::{Command, Reply, breaker::Breaker},
};

use super::{App, breakers, steps};

/// How many runs one sweep resumes: an upstream that is just back is not met by everybody at once.
const RESUMED: u32 = 60;
/// How many tenants one sweep compares with their objects.
const COMPARED: u32 = 300;
/// How many objects one sweep lets forget.
const FORGOTTEN: u32 = 25;
/// How many objects are told something at the same time: the platform queues what goes beyond six open connections.
const AT_ONCE: usize = 6;
/// When an object that could not forget is told again.
const AGAIN: Duration = Duration::from_secs(24 * 3600);

/// Brings back what there is to bring back.
pub(super) async fn run<P: Ports>(
    app: &App<P>,
    sweep_state: &SweepState,
    now: Timestamp,
) -> Result<(), DbError> {
    if sweep_state.resumable {
        resume_failed(app, now).await?;
    }
    if let Some(text) = &sweep_state.comparison {
        let comparison = serde_json::from_str(text).map_err(|error| DbError::Corrupt(error.to_string()))?;
        compare(app, comparison).await?;
    }
    if sweep_state.forget_at.is_some_and(|at| at <= now.seconds()) {
        forget_removed(app, now).await?;
    }
    Ok(())
}

/// Resumes runs that failed for an outage, where nothing says that it goes on.
async fn resume_failed<P: Ports>(app: &App<P>, now: Timestamp) -> Result<(), DbError> {
    let breakers = breakers::all(app).await;
    let states: Map<String, Value> = Step::ALL
        .into_iter()
        .filter_map(|step| {
            let (upstream, _) = steps::upstream(app.config(), step)?;
            let breaker = breakers.iter().find(|(known, _)| *known == upstream)?.1.as_ref()?;
            Some((step.as_str().to_owned(), state(breaker, now)))
        })
        .collect();
    let claim = tenants::claim_resumable(&Value::Object(states).to_string(), RESUMED, now);
    let claimed = app.readable(app.ports.db().ask(claim).await?, "tenants");
    let tell = async |tenant: &Tenant| {
        let Some(subject) = tenant.subject() else { return };
        let projected_version = Some(tenant.projected_version());
        let command = Command::Wake { subject, plan: tenant.plan, projected_version, resume: true };
        let told = app.ports.send_command(tenant.id(), &command).await;
        // Whoever did not hear is woken by the next sweep: D1 has it as wanted.
        let line = LogLine::new(Level::Info, "tenant_provision_resumed");
        let line = line.with("tenantId", tenant.id().as_str());
        app.log(line.with_some("error", told.err().map(|error| error.to_string())));
    };
    stream::iter(&claimed).for_each_concurrent(AT_ONCE, tell).await;
    Ok(())
}

/// Compares the next tenants with what their objects know: one that knows more tells D1. It ends when nobody differs any more.
async fn compare<P: Ports>(app: &App<P>, mut comparison: Comparison) -> Result<(), DbError> {
    let next = app.ports.db().ask(comparisons::next(&comparison.cursor, COMPARED)).await?;
    let next = app.readable(next, "tenants");
    let Some(last) = next.last() else {
        if comparison.differing > 0 {
            let line = LogLine::new(Level::Warn, "database_differed");
            app.log(line.with("tenants", comparison.differing).with("pass", comparison.passes));
        }
        app.ports.db().batch(comparisons::ends_pass(&comparison).into()).await?;
        return Ok(());
    };
    comparison.cursor = last.id.as_str().to_owned();
    let differs = async |compared: &Compared| {
        let command = Command::Compare { projected_version: compared.version };
        match app.ports.send_command(&compared.id, &command).await {
            Ok(Reply::Run { report, .. }) => report.version > compared.version,
            Ok(_) => false,
            // It is asked again in the next pass.
            Err(_) => true,
        }
    };
    let differing = stream::iter(&next).map(differs).buffer_unordered(AT_ONCE);
    let count = differing.filter(|differs| std::future::ready(*differs)).count().await;
    comparison.differing += u32::try_from(count).unwrap_or(u32::MAX);
    app.ports.db().query(comparisons::goes_on(&comparison)).await.map(|_| ())
}

/// Lets the objects of tenants that were removed long ago delete what they store: a name and an address.
async fn forget_removed<P: Ports>(app: &App<P>, now: Timestamp) -> Result<(), DbError> {
    let due = app.ports.db().ask(comparisons::forgettable(now, FORGOTTEN)).await?;
    let due = app.readable(due, "tenants");
    let mut statements = Vec::new();
    for removed in &due {
        let has_forgotten = match app.ports.send_command(&removed.id, &Command::Forget).await {
            Ok(Reply::NoRun) => true,
            Ok(_) | Err(_) => false,
        };
        let again_at = (!has_forgotten).then(|| now.after(AGAIN));
        statements.push(comparisons::forgot(&removed.id, again_at));
    }
    if statements.is_empty() {
        return Ok(());
    }
    app.ports.db().batch(statements).await.map(|_| ())
}

/// Whether a breaker keeps everybody from asking, and since when it does not any more. One that waits for somebody to go and see
/// keeps nobody: where all failed, nobody else would.
fn state(breaker: &Breaker, now: Timestamp) -> Value {
    let is_open = breaker.is_held_open() || breaker.next_probe_at().is_some_and(|at| at > now);
    json!({ "open": u8::from(is_open), "closedAt": breaker.closed_at().map(Timestamp::seconds) })
}
