//! The breakers, one for each other side: asked before an attempt leaves, told when it ended badly, shown to operators, opened and
//! closed by them. One that does not answer stops nothing.

use std::time::Duration;

use futures_util::future::join_all;

use crate::{
    domain::{Claims, TenantId, Timestamp, Upstream},
    ports::{Level, LogLine, ObjectError, Ports},
    store,
    workflow::{
        self, Fault, FaultCode, Outcome,
        breaker::{Admission, Asker, AskerId, Breaker, Command, Moved, Reply, Verdict, Wish},
    },
};

use super::{App, access::AccessError};

/// The longest that a run rests before it asks again, half as much again for its place in the line: after five minutes
/// without a move it would count as stuck.
const LONGEST_REST: Duration = Duration::from_secs(180);

/// What an operator may do to a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(prefix = "upstream.", serialize_all = "snake_case")]
pub enum Move {
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
pub enum MoveError {
    /// The token does not admit its holder any more, or the database did not answer.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The breaker did not answer: whether it was moved is unknown, and moving it again is safe.
    #[error(transparent)]
    Object(#[from] ObjectError),
}

impl<P: Ports> App<P> {
    /// Does `work`, an attempt of `asker` that asks `upstream` up to `calls` times, if its breaker lets it through.
    pub async fn through(
        &self,
        upstream: Upstream,
        calls: u32,
        asker: Asker<'_>,
        work: impl Future<Output = Outcome>,
    ) -> Outcome {
        let mut waits = 0;
        let watched = loop {
            match self.admission(upstream, calls, asker).await {
                Admission::Go { watched } => break watched,
                Admission::Wait { until } => {
                    let wait = until.since(self.ports.now());
                    if wait > SOON || waits == SHORT_WAITS {
                        return Outcome::Unknown(self.rest(until));
                    }
                    self.ports.sleep(wait).await;
                    waits += 1;
                }
            }
        };
        let outcome = work.await;
        let verdict = Verdict::of(upstream, &outcome);
        if watched || matches!(verdict, Verdict::Failed { .. }) {
            // Whoever could not be told hears of the next one.
            let report = Wish::Report { run: AskerId::of(asker.id), verdict, watched };
            let _ = self.tell_breaker(upstream, report).await;
        }
        outcome
    }

    async fn admission(&self, upstream: Upstream, cost: u32, asker: Asker<'_>) -> Admission {
        let wish = Wish::Admit {
            run: AskerId::of(asker.id),
            cost,
            tenant: asker.tenant.cloned(),
            has_failed: asker.has_failed,
        };
        let told = self.tell_breaker(upstream, wish).await;
        told.ok().and_then(|reply| reply.admission).unwrap_or(Admission::Go { watched: false })
    }

    /// Those who wait for the same moment come back one after the other: the longer the wait, the more there are.
    fn rest(&self, until: Timestamp) -> Fault {
        let wait = until.since(self.ports.now()).min(LONGEST_REST);
        let spread = u64::try_from(wait.as_millis() / 2).unwrap_or(0) + 1000;
        let later = Duration::from_millis(u64::from(u32::from_le_bytes(self.ports.random())) % spread);
        Fault { retry_after: Some(wait + later), ..Fault::new(FaultCode::CircuitOpen) }
    }

    async fn tell_breaker(&self, upstream: Upstream, wish: Wish) -> Result<Reply, ObjectError> {
        let told = self.ports.tell_breaker(&Command { upstream, wish }).await;
        match &told {
            Ok(Reply { moved: Some(moved), breaker, .. }) => self.log(line(upstream, *moved, breaker)),
            Ok(_) => {}
            Err(error) => {
                let line = LogLine::new(Level::Error, "circuit_unavailable");
                self.log(line.with("upstream", upstream.as_str()).with("error", error.to_string()));
            }
        }
        told
    }

    /// Every breaker as it stands; none for one that does not answer.
    pub async fn breakers(&self) -> Vec<(Upstream, Option<Breaker>)> {
        join_all(Upstream::ALL.map(async |upstream| {
            let told = self.tell_breaker(upstream, Wish::Look).await;
            (upstream, told.ok().map(|reply| reply.breaker))
        }))
        .await
    }

    /// Opens or closes a breaker, for a reason. Answers whether that changed anything.
    ///
    /// # Errors
    ///
    /// See [`MoveError`].
    pub async fn move_breaker(
        &self,
        claims: &Claims,
        upstream: Upstream,
        wanted: Move,
        reason: &str,
        request: &str,
    ) -> Result<bool, MoveError> {
        let subject = format!("upstream_{}", upstream.as_str());
        let audit = store::audit::write(&self.act(claims, reason, request), wanted.action(), &subject);
        self.on_behalf_of(claims, audit).await?;
        let wish = match wanted {
            Move::Open => Wish::Open,
            Move::Close => Wish::Close,
        };
        Ok(self.tell_breaker(upstream, wish).await?.moved.is_some())
    }

    /// Tells those who waited for `upstream` to go on. Who is not reached comes by its own clock.
    pub async fn go_on(&self, upstream: Upstream, tenants: &[TenantId]) {
        let command = workflow::Command::GoOn { upstream };
        let told = join_all(tenants.iter().map(|tenant| self.ports.tell_object(tenant, &command))).await;
        let reached = told.iter().filter(|told| told.is_ok()).count();
        self.log(
            LogLine::new(Level::Info, "circuit_woke")
                .with("upstream", upstream.as_str())
                .with("tenants", tenants.len())
                .with("reached", reached),
        );
    }
}

impl Move {
    /// The word in the audit.
    #[must_use]
    pub fn action(self) -> &'static str {
        self.into()
    }
}

fn line(upstream: Upstream, moved: Moved, breaker: &Breaker) -> LogLine {
    let (level, msg) = match moved {
        Moved::Opened => (Level::Warn, "circuit_opened"),
        Moved::HalfOpened => (Level::Info, "circuit_half_open"),
        Moved::Closed => (Level::Info, "circuit_closed"),
    };
    LogLine::new(level, msg)
        .with("upstream", upstream.as_str())
        .with("failures", breaker.failures())
        .with_some("nextProbeAt", breaker.next_probe_at().map(Timestamp::rfc3339))
        .with_some("heldOpen", breaker.is_held_open().then_some(true))
}
