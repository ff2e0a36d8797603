//! The sweep, once a minute: the second net under the alarms, events on their way to webhooks, mails on
//! theirs to owners, and what expired goes.

use std::{cell::RefCell, time::Duration};

use futures_util::{StreamExt, stream};

use crate::{
    db::{Db, DbError, Statement},
    domain::{RequestId, RunId, TenantId, Timestamp, id},
    ports::{Level, LogLine, Ports},
    store::{self, flags::SweepState, overdue::Overdue, tenants::Tenant},
    workflow::{Command, Reply, RequestOrigin},
};

use super::{App, deliveries, deprovisioning, mails, recovery, witness};

/// Provisioning that has not moved for this long is looked at.
const STALE_AFTER: Duration = Duration::from_secs(60);
/// Provisioning that has not moved for this long is worth an operator's look.
const STUCK: Duration = Duration::from_secs(5 * 60);
/// How many tenants are claimed at once. Whoever is claimed is woken, so that the next sweep goes on behind the last one.
const CLAIM: u32 = 24;
/// How many one sweep wakes at most, and when it claims no more: the next one begins after a minute.
const MOST: usize = 600;
const CLAIMS_FOR: Duration = Duration::from_secs(40);
/// How many are woken at the same time: the platform queues what goes beyond six open connections.
const AT_ONCE: usize = 6;
/// How many runs one sweep gives up: each is a round trip.
const FAILED: usize = 50;

/// What a sweep found when it began.
struct Begun {
    /// What it saw of the database.
    sweep_state: SweepState,
    /// The first tenants that have not moved.
    first: Vec<Tenant>,
    /// What folds the names that nobody folded.
    fold: Statement,
    /// The id to give a new database.
    name: Option<i64>,
    /// Whether nobody is woken.
    is_paused: bool,
    /// Whether nothing is sent, either.
    is_held: bool,
}

/// A tenant that was woken, and whether its object answered where it stands.
struct Woken {
    tenant: TenantId,
    answered: bool,
}

/// Wakes what stalled, delivers what is due, and removes what expired. It costs the same however many tenants there are.
pub async fn run<P: Ports>(app: &App<P>) {
    let now = app.ports.now();
    // Nobody asked for it: its lines are found by an id of its own.
    let request = RequestId::new(now, app.ports.random());
    let app = &app.scoped(vec![("requestId", request.as_str())]);
    let (looked, delivered, mailed, begun) = match begin(app, &request, now).await {
        Ok(begun) => {
            // None waits for another: an object, a webhook or a mail service that hangs holds up its own kind only.
            let (looked, delivered, mailed, recovered) = futures_util::join!(
                wake_stalled(app, &begun, now),
                deliver_unless_held(app, &begun),
                mail_unless_held(app, &begun),
                recover_unless_paused(app, &begun, now)
            );
            (looked.and_then(|looked| recovered.map(|()| looked)), delivered, mailed, Some(begun))
        }
        Err(error) => (Err(error), Ok(0), Ok(0), None),
    };
    let well = looked.is_ok() && delivered.is_ok() && mailed.is_ok();
    let fold = begun.as_ref().map(|begun| begun.fold.clone());
    let mark = begun.as_ref().filter(|_| well).map(|begun| begun.sweep_state.mark);
    let name = begun.as_ref().and_then(|begun| begun.name);
    // A database that was put back may say of a tenant that its address is not proven yet.
    let lapses = begun.as_ref().is_some_and(|begun| !(begun.is_held || begun.is_paused));
    let audit = format!("aud_{}", id::token_id(now, app.ports.random()));
    let lapse = if lapses { store::lapse::lapse(&audit, &request, now) } else { Vec::new() };
    let pruned = store::sweep::prune(app.ports.db(), app.ports.now(), mark, name, fold, lapse).await;
    let errors =
        [looked.as_ref().err(), delivered.as_ref().err(), mailed.as_ref().err(), pruned.as_ref().err()];
    let error = errors.into_iter().flatten().next().map(ToString::to_string);
    let level = if error.is_some() { Level::Error } else { Level::Info };
    app.log(
        LogLine::new(level, "sweep")
            .with("looked", looked.unwrap_or(0))
            .with("delivered", delivered.unwrap_or(0))
            .with("mailed", mailed.unwrap_or(0))
            .with("pruned", pruned.as_ref().map_or(0, |pruned| pruned.rows))
            .with("lapsed", pruned.as_ref().map_or(0, |pruned| pruned.lapsed))
            .with_some("error", error),
    );
}

/// Reads the sweep's state, claims the first stalled tenants and asks the witness, before anything is woken or sent: one
/// round trip and one call to an object.
async fn begin<P: Ports>(app: &App<P>, id: &RequestId, now: Timestamp) -> Result<Begun, DbError> {
    let batch = (
        store::names::unfolded(store::names::BY_SWEEP),
        store::flags::sweep_state(),
        store::tenants::claim_stalled(now.before(STALE_AFTER), CLAIM, now),
    );
    let (unfolded, sweep_state, first) = app.ports.db().ask(batch).await?;
    let first = app.readable(first, "tenants");
    let fold = store::names::fold(&unfolded);
    let witnessed = witness::ask(app, &sweep_state, id, now).await?;
    let is_paused = sweep_state.paused || witnessed.paused;
    if is_paused {
        app.log(LogLine::new(Level::Warn, "provisioning_paused"));
    }
    let is_held = sweep_state.held || witnessed.paused;
    Ok(Begun { sweep_state, first, fold, name: witnessed.name, is_paused, is_held })
}

async fn deliver_unless_held<P: Ports>(app: &App<P>, begun: &Begun) -> Result<usize, DbError> {
    if begun.is_held { Ok(0) } else { deliveries::send_due(app).await }
}

async fn recover_unless_paused<P: Ports>(app: &App<P>, begun: &Begun, now: Timestamp) -> Result<(), DbError> {
    if begun.is_paused { Ok(()) } else { recovery::run(app, &begun.sweep_state, now).await }
}

async fn mail_unless_held<P: Ports>(app: &App<P>, begun: &Begun) -> Result<usize, DbError> {
    if begun.is_held { Ok(0) } else { mails::send_due(app).await }
}

/// Answers how many were woken.
async fn wake_stalled<P: Ports>(app: &App<P>, begun: &Begun, now: Timestamp) -> Result<usize, DbError> {
    if begun.is_paused {
        return Ok(0);
    }
    let first = begun.first.clone();
    let failed = RefCell::new(None);
    let claims = stream::unfold(Some((Some(first), 0)), async |next| {
        let (first, before) = next?;
        let claimed = match first {
            Some(first) => first,
            None => claim_stalled(app, now).await.map_err(|error| failed.replace(Some(error))).ok()?,
        };
        let count = before + claimed.len();
        let is_last =
            claimed.len() < CLAIM as usize || count >= MOST || app.ports.now().since(now) >= CLAIMS_FOR;
        Some((stream::iter(claimed), (!is_last).then_some((None, count))))
    });
    let woken = claims.flatten().map(async |tenant| wake(app, &tenant).await).buffer_unordered(AT_ONCE);
    let woken: Vec<Woken> = woken.collect().await;
    note(app, &woken).await?;
    failed.into_inner().map_or(Ok(woken.len()), Err)
}

async fn claim_stalled<P: Ports>(app: &App<P>, now: Timestamp) -> Result<Vec<Tenant>, DbError> {
    let claim = store::tenants::claim_stalled(now.before(STALE_AFTER), CLAIM, now);
    Ok(app.readable(app.ports.db().ask(claim).await?, "tenants"))
}

/// Wakes a tenant's object: it goes on if its alarm was lost, and starts if it was never told.
async fn wake<P: Ports>(app: &App<P>, tenant: &Tenant) -> Woken {
    let command = wish(tenant);
    let error = match &command {
        // Nobody can be told: that is somebody's business at once.
        None => Some("its name or address was released".to_owned()),
        Some(command) => match app.ports.send_command(tenant.id(), command).await {
            Ok(Reply::Run { .. }) => None,
            Ok(Reply::NoRun) => deprovisioning::close(app, tenant).await.err().map(|error| error.to_string()),
            Ok(other) => Some(format!("its object answered {}", other.word())),
            Err(error) => Some(error.to_string()),
        },
    };
    let quiet = app.ports.now().since(tenant.last_progress_at());
    let answered = error.is_none();
    if quiet >= STUCK || command.is_none() {
        app.log(
            LogLine::new(Level::Error, "tenant_provision_stuck")
                .with("tenantId", tenant.id().as_str())
                .with_some("runId", tenant.run().map(RunId::as_str))
                .with("undo", tenant.undo_state.is_some())
                .with("seconds", quiet.as_secs())
                .with_some("error", error),
        );
    }
    Woken { tenant: tenant.id().clone(), answered }
}

/// Writes down whose object did not answer, and gives up what is past its deadline when its object can't say so.
async fn note<P: Ports>(app: &App<P>, woken: &[Woken]) -> Result<(), DbError> {
    let ids = |answered: bool| -> Vec<&TenantId> {
        woken.iter().filter(|woken| woken.answered == answered).map(|woken| &woken.tenant).collect()
    };
    let (heard, silent, now) = (ids(true), ids(false), app.ports.now());
    if woken.is_empty() {
        return Ok(());
    }
    let noted = (store::overdue::heard(&heard), store::overdue::silent(&silent, now));
    let (_, silent) = app.ports.db().ask(noted).await?;
    for silent in silent.iter().filter(|silent| silent.is_overdue).take(FAILED) {
        fail(app, &silent.overdue).await?;
    }
    Ok(())
}

async fn fail<P: Ports>(app: &App<P>, overdue: &Overdue) -> Result<(), DbError> {
    let now = app.ports.now();
    let event = format!("evt_{}", id::token_id(now, app.ports.random()));
    let answers = app.ports.db().batch(store::overdue::fail(overdue, &event, now)).await?;
    if answers.first().is_some_and(|event| event.changes > 0) {
        app.log(
            LogLine::new(Level::Error, "tenant_provision_failed")
                .with("tenantId", overdue.id.as_str())
                .with_some("runId", overdue.run.as_ref().map(RunId::as_str))
                .with("plan", overdue.plan.as_str())
                .with_some("step", overdue.step.map(|step| step.as_str()))
                .with("error", "DEADLINE_EXCEEDED"),
        );
    }
    Ok(())
}

/// What a tenant's object is told. A removal goes on for whoever it was made: the object knows.
fn wish(tenant: &Tenant) -> Option<Command> {
    let (subject, plan, projected_version) =
        (tenant.subject(), tenant.plan, Some(tenant.projected_version()));
    match tenant.undo_state {
        None => Some(Command::Wake { subject: subject?, plan, projected_version, resume: false }),
        Some(_) => Some(Command::Undo {
            subject,
            plan,
            caller: RequestOrigin::default(),
            projected_version,
            run: tenant.run().cloned(),
        }),
    }
}
