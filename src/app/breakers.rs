//! The breakers, one for each upstream: asked before an attempt leaves, told when it ended badly, shown to operators, opened and
//! closed by them. One that does not answer stops nothing.

use std::time::Duration;

use futures_util::future::join_all;

use crate::{
    domain::{Claims, TenantId, Timestamp, Upstream},
    ports::{Clock, Level, LogLine, ObjectError, Ports, Random},
    store,
    workflow::{
        self, Outcome, TransientError, TransientErrorCode,
        breaker::{
            Admission, Breaker, BreakerCommand, HealthSignal, Reply, Request, Requester, RequesterId,
            Transition,
        },
    },
};

use super::{App, access, access::AccessError};

/// Max backoff while the circuit is open, before up to 50 % jitter; it stays under the 5-minute stuck threshold.
const MAX_BACKOFF: Duration = Duration::from_secs(180);

/// What an operator may do to a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(prefix = "upstream.", serialize_all = "snake_case")]
pub enum BreakerAction {
    /// Let nobody through until it is closed.
    Open,
    /// Let everybody through.
    Close,
}

/// What is soon enough to wait for: a budget that refills is no outage, and nobody has to hear of it.
const SOON: Duration = Duration::from_secs(3);
/// How often an attempt waits so before it leaves its place to others.
const SHORT_WAITS: u32 = 3;

/// Why a breaker was not moved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BreakerActionError {
    /// The token does not admit its holder any more, or the database did not answer.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The breaker did not answer: whether it was moved is unknown, and moving it again is safe.
    #[error(transparent)]
    Object(#[from] ObjectError),
}

/// Does `work`, an attempt of `requester` that asks `upstream` up to `calls` times, if its breaker lets it through.
pub async fn attempt<P: Ports>(
    app: &App<P>,
    upstream: Upstream,
    calls: u32,
    requester: Requester<'_>,
    work: impl Future<Output = Outcome>,
) -> Outcome {
    let mut waits = 0;
    let watched = loop {
        match admission(app, upstream, calls, requester).await {
            Admission::Go { watched } => break watched,
            Admission::Wait { until } => {
                let wait = until.since(app.ports.now());
                if wait > SOON || waits == SHORT_WAITS {
                    return Outcome::Unknown(backoff(&app.ports, until));
                }
                app.ports.sleep(wait).await;
                waits += 1;
            }
        }
    };
    let outcome = work.await;
    let verdict = HealthSignal::of(upstream, &outcome);
    if watched || matches!(verdict, HealthSignal::Failed { .. }) {
        // Whoever could not be told hears of the next one.
        let report = BreakerCommand::Report { run: RequesterId::of(requester.id), verdict, watched };
        let _ = send_command(app, upstream, report).await;
    }
    outcome
}

async fn admission<P: Ports>(
    app: &App<P>,
    upstream: Upstream,
    cost: u32,
    requester: Requester<'_>,
) -> Admission {
    let command = BreakerCommand::Admit {
        run: RequesterId::of(requester.id),
        cost,
        tenant: requester.tenant.cloned(),
        has_failed: requester.has_failed,
    };
    let told = send_command(app, upstream, command).await;
    told.ok().and_then(|reply| reply.admission).unwrap_or(Admission::Go { watched: false })
}

/// The backoff with jitter: those who wait for the same moment come back one after the other.
fn backoff(ports: &(impl Clock + Random), until: Timestamp) -> TransientError {
    let wait = until.since(ports.now()).min(MAX_BACKOFF);
    let spread = u64::try_from(wait.as_millis() / 2).unwrap_or(0) + 1000;
    let later = Duration::from_millis(u64::from(u32::from_le_bytes(ports.random())) % spread);
    TransientError { retry_after: Some(wait + later), ..TransientError::new(TransientErrorCode::CircuitOpen) }
}

async fn send_command<P: Ports>(
    app: &App<P>,
    upstream: Upstream,
    command: BreakerCommand,
) -> Result<Reply, ObjectError> {
    let told = app.ports.send_breaker_command(&Request { upstream, command }).await;
    match &told {
        Ok(Reply { transition: Some(transition), breaker, .. }) => {
            app.log(line(upstream, *transition, breaker))
        }
        Ok(_) => {}
        Err(error) => {
            let line = LogLine::new(Level::Error, "circuit_unavailable");
            app.log(line.with("upstream", upstream.as_str()).with("error", error.to_string()));
        }
    }
    told
}

/// Every breaker as it stands; none for one that does not answer.
pub async fn all<P: Ports>(app: &App<P>) -> Vec<(Upstream, Option<Breaker>)> {
    join_all(Upstream::ALL.map(async |upstream| {
        let told = send_command(app, upstream, BreakerCommand::Get).await;
        (upstream, told.ok().map(|reply| reply.breaker))
    }))
    .await
}

/// Opens or closes a breaker, for a reason. Answers whether that changed anything.
pub async fn set<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    upstream: Upstream,
    wanted: BreakerAction,
    reason: &str,
    request: &str,
) -> Result<bool, BreakerActionError> {
    let subject = format!("upstream_{}", upstream.as_str());
    let audit =
        store::audit::write(&access::audit_context(app, claims, reason, request), wanted.action(), &subject);
    access::on_behalf_of(app, claims, audit).await?;
    let command = match wanted {
        BreakerAction::Open => BreakerCommand::Open,
        BreakerAction::Close => BreakerCommand::Close,
    };
    Ok(send_command(app, upstream, command).await?.transition.is_some())
}

/// Tells those who waited for `upstream` to go on. Who is not reached comes by its own clock.
pub async fn go_on<P: Ports>(app: &App<P>, upstream: Upstream, tenants: &[TenantId]) {
    let command = workflow::Command::GoOn { upstream };
    let told = join_all(tenants.iter().map(|tenant| app.ports.send_command(tenant, &command))).await;
    let reached = told.iter().filter(|told| told.is_ok()).count();
    app.log(
        LogLine::new(Level::Info, "circuit_woke")
            .with("upstream", upstream.as_str())
            .with("tenants", tenants.len())
            .with("reached", reached),
    );
}

impl BreakerAction {
    /// The word in the audit.
    pub fn action(self) -> &'static str {
        self.into()
    }
}

fn line(upstream: Upstream, transition: Transition, breaker: &Breaker) -> LogLine {
    let (level, msg) = match transition {
        Transition::Opened => (Level::Warn, "circuit_opened"),
        Transition::HalfOpened => (Level::Info, "circuit_half_open"),
        Transition::Closed => (Level::Info, "circuit_closed"),
    };
    LogLine::new(level, msg)
        .with("upstream", upstream.as_str())
        .with("failures", breaker.failures())
        .with_some("nextProbeAt", breaker.next_probe_at().map(Timestamp::rfc3339))
        .with_some("heldOpen", breaker.is_held_open().then_some(true))
}
