//! Delivering lifecycle events to the tenants' webhooks and to the platform's own: at least once, each under one id, for about a day. A
//! tenant's webhook that stays dead is switched off, and its owner told. The platform's never is.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use crate::{
    db::{Db, DbError, Statement},
    domain::{
        MailId, RunStatus, Secret, TenantId, Timestamp, Upstream, WebhookUrl, platform_webhook, webhook,
    },
    ports::{Level, LogLine, Ports},
    store::{
        deliveries::{self, Attempted, Claimed, Receiver, Status},
        mails, platform_webhook as platform,
        tenants::{self, Tenant},
        webhooks::{self, Connection},
    },
    workflow::{TransientError, TransientErrorCode},
};

use super::{
    App,
    upstream::make::{self, DeliveryResult},
};

/// How long to wait after each attempt that failed; after the last one it fails. The sweep comes by once a minute, so that
/// nothing is waited for more exactly than that.
pub const SCHEDULE: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(5 * 3600),
    Duration::from_secs(10 * 3600),
    Duration::from_secs(10 * 3600),
];
/// The longest that a webhook may ask us to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(12 * 3600);
/// A webhook that has done nothing but fail for this long is switched off.
const DEAD_AFTER: Duration = Duration::from_secs(5 * 24 * 3600);
/// One at which a whole schedule failed is switched off sooner, if it failed throughout.
const DEAD_WHEN_GIVEN_UP_AFTER: Duration = Duration::from_secs(24 * 3600);
/// How many deliveries are claimed at once, and for how long: longer than they take if each waits its full five seconds.
const BATCH: u32 = 20;
const LEASE: Duration = Duration::from_secs(120);
/// How often a delivery is sent, if nobody takes it.
pub const ATTEMPTS: u32 = 8;
const _: () = assert!(ATTEMPTS as usize == SCHEDULE.len() + 1, "a pause between any two");
/// How often one sweep claims, while there is more, and when it claims no more. The platform lets one invocation call out a
/// thousand times, the database included.
const ROUNDS: usize = 10;
const CLAIMS_FOR: Duration = Duration::from_secs(30);
/// How many are sent at the same time. The platform queues what goes beyond six open connections, and the wait in its queue
/// would count as the webhook's.
const AT_ONCE: usize = 4;
/// Likewise, to the platform's webhook: one that hangs holds up nobody else's.
const AT_ONCE_TO_PLATFORM: usize = 2;

/// When an attempt that failed is followed by another, if it is. `random` spreads what failed together.
pub fn again_at(attempt: u32, asked: Option<Duration>, random: u32, now: Timestamp) -> Option<Timestamp> {
    let index = usize::try_from(attempt).ok()?.checked_sub(1)?;
    let pause = *SCHEDULE.get(index)?;
    let pause = pause.max(asked.unwrap_or_default().min(LONGEST_WAIT));
    // Up to a tenth more.
    let spread = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX) / 10;
    Some(now.after(pause + Duration::from_millis(spread * u64::from(random) / u64::from(u32::MAX))))
}

/// How an attempt at a delivery went.
enum SendResult {
    /// The webhook answered.
    Answered(u16, DeliveryResult),
    /// It did not.
    Unanswered(TransientErrorCode),
    /// Nothing was sent, through no fault of the webhook's.
    Held(&'static str),
}

/// What was claimed together.
struct Due {
    tenants: Vec<Claimed>,
    platform: Vec<Claimed>,
}

/// Delivers what is due, a bounded number in a bounded time, what waited longest first. Answers how many were delivered.
pub async fn send_due<P: Ports>(app: &App<P>) -> Result<usize, DbError> {
    let begun_at = app.ports.now();
    let mut delivered = 0;
    for _ in 0..ROUNDS {
        let due = claim(app, None).await?;
        let is_all = due.tenants.len().max(due.platform.len()) < BATCH as usize;
        delivered += send_claimed(app, due).await;
        if is_all || app.ports.now().since(begun_at) >= CLAIMS_FOR {
            break;
        }
    }
    Ok(delivered)
}

/// Delivers what a tenant has due, and what the platform's webhook has. Answers how many were delivered.
pub async fn send<P: Ports>(app: &App<P>, tenant: &TenantId) -> Result<usize, DbError> {
    Ok(send_claimed(app, claim(app, Some(tenant)).await?).await)
}

/// One round trip, also for what the platform's webhook is sent: it becomes deliveries here.
async fn claim<P: Ports>(app: &App<P>, tenant: Option<&TenantId>) -> Result<Due, DbError> {
    let now = app.ports.now();
    let lease = now.after(LEASE);
    let to_platform = app
        .config()
        .platform_webhook
        .is_some()
        .then(|| (platform::fill(now), deliveries::claim_of_platform(now, lease, BATCH)));
    let (tenants, platform) =
        app.ports.db().ask((deliveries::claim(tenant, now, lease, BATCH), to_platform)).await?;
    let tenants = app.readable(tenants, "webhook_deliveries");
    let due = platform.map(|(_, due)| due).unwrap_or_default();
    let mut platform = app.readable(due, "platform_deliveries");
    platform.sort_unstable_by_key(|delivery| delivery.seq);
    Ok(Due { tenants, platform })
}

/// Answers how many were delivered.
async fn send_claimed<P: Ports>(app: &App<P>, due: Due) -> usize {
    let (to_tenants, to_platform) = futures_util::join!(
        send_in_turn(app, due.tenants, AT_ONCE),
        send_in_turn(app, due.platform, AT_ONCE_TO_PLATFORM)
    );
    to_tenants + to_platform
}

async fn send_in_turn<P: Ports>(app: &App<P>, mut due: Vec<Claimed>, at_once: usize) -> usize {
    let mut delivered = 0;
    while !due.is_empty() {
        let next = due.drain(..at_once.min(due.len())).collect();
        let begun = begin(app, next).await;
        let ends = join_all(begun.iter().map(|delivery| attempt(app, delivery))).await;
        delivered += ends.into_iter().filter(|delivered| *delivered).count();
    }
    delivered
}

/// Counts the attempts before they are made, in one round trip. A delivery that kills its sender is still retried by the
/// schedule. Answers those that are still ours.
async fn begin<P: Ports>(app: &App<P>, mut deliveries: Vec<Claimed>) -> Vec<Claimed> {
    let (now, lease) = (app.ports.now(), app.ports.now().after(LEASE));
    let begin = |delivery: &Claimed| {
        let random = u32::from_le_bytes(app.ports.random());
        let next_at = again_at(delivery.attempts + 1, None, random, now).filter(|at| *at > lease);
        deliveries::begin(delivery, next_at)
    };
    let statements: Vec<Statement> = deliveries.iter().filter(|one| is_to_be_sent(one)).map(begin).collect();
    if statements.is_empty() {
        return deliveries;
    }
    let answers = app.ports.db().batch(statements).await.unwrap_or_else(|error| {
        let line = LogLine::new(Level::Warn, "webhook_delivery_not_begun");
        app.log(line.with("error", error.to_string()));
        Vec::new()
    });
    let mut begun = answers.into_iter().map(|answer| answer.changes > 0);
    deliveries.retain_mut(|delivery| {
        if !is_to_be_sent(delivery) {
            return true;
        }
        delivery.is_begun = begun.next().unwrap_or(false);
        delivery.attempts += 1;
        delivery.is_begun
    });
    deliveries
}

/// Delivers what a tenant has due, without anybody waiting for it. What fails is the sweep's.
pub fn send_later<P: Ports>(app: &App<P>, tenant: &TenantId) {
    let (owned, tenant) = (app.clone(), tenant.clone());
    app.ports.defer(async move { send_or_log(&owned, &tenant).await });
}

pub(super) async fn send_or_log<P: Ports>(app: &App<P>, tenant: &TenantId) {
    if let Err(error) = send(app, tenant).await {
        let line = LogLine::new(Level::Warn, "webhook_delivery_not_begun");
        app.log(line.with("tenantId", tenant.as_str()).with("error", error.to_string()));
    }
}

/// One attempt at one delivery. Whatever can't be written down is repeated later, under the same id.
async fn attempt<P: Ports>(app: &App<P>, delivery: &Claimed) -> bool {
    let scope: Vec<(&'static str, Value)> = vec![
        ("tenantId", delivery.tenant_id.as_str().into()),
        ("deliveryId", delivery.id.as_str().into()),
        ("eventType", delivery.r#type.as_str().into()),
        ("attempt", delivery.attempts.into()),
    ];
    let run = delivery.run().map(|run| ("runId", run.into()));
    let trace = delivery.traceparent.as_deref().and_then(|parent| parent.split('-').nth(1));
    let trace = trace.map(|trace| ("traceId", trace.into()));
    let app = app.scoped(scope.into_iter().chain(run).chain(trace).collect());
    let app = &app.traced(delivery.traceparent.as_deref());
    attempt_and_settle(app, delivery).await.unwrap_or_else(|error| {
        let line = LogLine::new(Level::Error, "webhook_delivery_not_settled");
        app.log(line.with("error", error.to_string()));
        false
    })
}

async fn attempt_and_settle<P: Ports>(app: &App<P>, delivery: &Claimed) -> Result<bool, DbError> {
    if !delivery.is_begun && delivery.attempts >= ATTEMPTS {
        // The last attempt was cut off before its end could be written down.
        let lost = settled(Status::Failed, None, Some(TransientErrorCode::Interrupted.as_str()));
        return settle(app, delivery, &lost, Vec::new()).await.map(|()| false);
    }
    match delivery.receiver() {
        Receiver::Tenant => send_to_tenant(app, delivery).await,
        Receiver::Platform => send_to_platform(app, delivery).await,
    }
}

async fn send_to_tenant<P: Ports>(app: &App<P>, delivery: &Claimed) -> Result<bool, DbError> {
    let connection = match delivery.connection() {
        Ok(Some(connection)) => connection,
        Ok(None) => {
            let nobody = settled(Status::Cancelled, None, Some("NO_WEBHOOK"));
            return settle(app, delivery, &nobody, Vec::new()).await.map(|()| false);
        }
        Err(error) => {
            let line = LogLine::new(Level::Error, "row_unreadable").with("table", "make_connections");
            app.log(line.with("error", error.to_string()));
            let held = not_now(app, delivery, None, "MISCONFIGURED", None);
            return settle(app, delivery, &held, Vec::new()).await.map(|()| false);
        }
    };
    let sent = send_to_connection(app, delivery, &connection).await;
    let delivered = matches!(sent, SendResult::Answered(_, DeliveryResult::Delivered));
    match sent {
        SendResult::Answered(status, DeliveryResult::Delivered) => {
            let working = webhooks::set_working(&delivery.tenant_id, &connection);
            settle(app, delivery, &settled(Status::Delivered, Some(status), None), vec![working]).await
        }
        SendResult::Answered(status, DeliveryResult::Gone) => {
            is_gone(app, delivery, &connection, status).await
        }
        SendResult::Answered(status, DeliveryResult::NotNow { error, retry_after }) => {
            let failed = not_now(app, delivery, Some(status), error, retry_after);
            fails(app, delivery, &connection, failed).await
        }
        SendResult::Unanswered(fault) => {
            let failed = not_now(app, delivery, None, fault.as_str(), None);
            fails(app, delivery, &connection, failed).await
        }
        SendResult::Held(error) => {
            settle(app, delivery, &not_now(app, delivery, None, error, None), Vec::new()).await
        }
    }
    .map(|()| delivered)
}

/// Nobody but the operators can mend it, and switching it off would lose what they want to hear: whatever it answers, the event is
/// tried again.
async fn send_to_platform<P: Ports>(app: &App<P>, delivery: &Claimed) -> Result<bool, DbError> {
    let sent = match &app.config().platform_webhook {
        Some(webhook) => {
            send_event(app, delivery, platform_webhook::UPSTREAM, &webhook.url, &webhook.secrets).await
        }
        None => SendResult::Held("MISCONFIGURED"),
    };
    let (failed, failing) = match sent {
        SendResult::Answered(status, DeliveryResult::Delivered) => {
            let arrived = settled(Status::Delivered, Some(status), None);
            return settle(app, delivery, &arrived, vec![platform::set_working()]).await.map(|()| true);
        }
        SendResult::Answered(status, DeliveryResult::Gone) => {
            (not_now(app, delivery, Some(status), "GONE", None), true)
        }
        SendResult::Answered(status, DeliveryResult::NotNow { error, retry_after }) => {
            (not_now(app, delivery, Some(status), error, retry_after), true)
        }
        SendResult::Unanswered(fault) => (not_now(app, delivery, None, fault.as_str(), None), true),
        SendResult::Held(error) => (not_now(app, delivery, None, error, None), false),
    };
    let failing = failing.then(|| platform::set_failing(app.ports.now()));
    settle(app, delivery, &failed, failing.into_iter().collect()).await.map(|()| false)
}

async fn send_to_connection<P: Ports>(
    app: &App<P>,
    delivery: &Claimed,
    connection: &Connection,
) -> SendResult {
    // Judged again: the list of hosts may have changed since it was stored.
    let Ok(url) = WebhookUrl::stored(&connection.webhook_url, &app.config().allowed_webhook_hosts) else {
        return SendResult::Held("HOST_NOT_ALLOWED");
    };
    let Ok(signing) = super::webhooks::signing(&app.ports, &delivery.tenant_id, connection).await else {
        return SendResult::Held("MISCONFIGURED");
    };
    send_event(app, delivery, Upstream::Make.as_str(), &url, &signing.secrets).await
}

async fn send_event<P: Ports>(
    app: &App<P>,
    delivery: &Claimed,
    upstream: &'static str,
    url: &WebhookUrl,
    secrets: &[Secret],
) -> SendResult {
    let body = delivery.body.clone();
    let message = make::message(upstream, url, secrets, &delivery.id, body, app.ports.now());
    match app.call(message).await {
        Ok(response) => {
            SendResult::Answered(response.status, make::classify_event(&response, app.ports.now()))
        }
        Err(error) => SendResult::Unanswered(TransientError::from(error).code),
    }
}

/// What becomes of a delivery that failed: another attempt, or the end.
fn not_now<P: Ports>(
    app: &App<P>,
    delivery: &Claimed,
    answered: Option<u16>,
    error: &'static str,
    asked: Option<Duration>,
) -> Attempted {
    let random = u32::from_le_bytes(app.ports.random());
    let next_at = again_at(delivery.attempts, asked, random, app.ports.now());
    let status = if next_at.is_some() { Status::Pending } else { Status::Failed };
    Attempted { status, next_at, answered, error: Some(error) }
}

/// Nothing is there any more, and the webhook is switched off at once. Only a tenant that is still being set up is
/// spared: its owner is told on the page, and corrects it there.
async fn is_gone<P: Ports>(
    app: &App<P>,
    delivery: &Claimed,
    connection: &Connection,
    status: u16,
) -> Result<(), DbError> {
    let tenant = tenant_of(app, delivery).await?;
    if tenant.as_ref().is_some_and(|tenant| tenant.provisioning() != RunStatus::Completed) {
        let gone = settled(Status::Failed, Some(status), Some("GONE"));
        return settle(app, delivery, &gone, Vec::new()).await;
    }
    let gone = settled(Status::Failed, Some(status), Some("GONE"));
    disable(app, delivery, connection, "gone", gone).await
}

/// The webhook failed: it is failing from now on, if it was not before, and is switched off when it has been for long.
async fn fails<P: Ports>(
    app: &App<P>,
    delivery: &Claimed,
    connection: &Connection,
    failed: Attempted,
) -> Result<(), DbError> {
    let now = app.ports.now();
    let since = connection.failing_since.map(Timestamp::from_seconds);
    let failing_for = since.map_or(Duration::ZERO, |since| now.since(since));
    let given_up = failed.status == Status::Failed;
    if failing_for >= DEAD_AFTER || (given_up && failing_for >= DEAD_WHEN_GIVEN_UP_AFTER) {
        return disable(app, delivery, connection, "failing", failed).await;
    }
    let failing = webhooks::set_failing(&delivery.tenant_id, connection, now);
    settle(app, delivery, &failed, vec![failing]).await
}

/// Switches the webhook off, and tells its owner: the mail is stored with it, so that nobody's webhook goes silent without a
/// word.
async fn disable<P: Ports>(
    app: &App<P>,
    delivery: &Claimed,
    connection: &Connection,
    reason: &'static str,
    ended: Attempted,
) -> Result<(), DbError> {
    let now = app.ports.now();
    let tenant = &delivery.tenant_id;
    let ended = Attempted { status: Status::Failed, next_at: None, ..ended };
    let mut statements = Vec::from(webhooks::disable(tenant, connection, reason, now));
    statements.push(notice(app, tenant, connection, reason, now));
    settle(app, delivery, &ended, statements).await?;
    super::mails::send_later(app, tenant);
    app.log(LogLine::new(Level::Warn, "webhook_disabled").with("reason", reason));
    Ok(())
}

fn notice<P: Ports>(
    app: &App<P>,
    tenant: &TenantId,
    connection: &Connection,
    reason: &str,
    now: Timestamp,
) -> Statement {
    let since = connection.failing_since.map(|since| Timestamp::from_seconds(since).rfc3339());
    let since = since.as_deref().and_then(|since| since.get(..10)).filter(|_| reason == "failing");
    let host = webhook::host_of(&connection.webhook_url).unwrap_or_default();
    let id = MailId::new(now, app.ports.random());
    mails::webhook_disabled(tenant, connection, &id, &host, since, now)
}

async fn tenant_of<P: Ports>(app: &App<P>, delivery: &Claimed) -> Result<Option<Tenant>, DbError> {
    app.ports.db().ask(tenants::by_id(&delivery.tenant_id)).await
}

async fn settle<P: Ports>(
    app: &App<P>,
    delivery: &Claimed,
    attempted: &Attempted,
    more: Vec<Statement>,
) -> Result<(), DbError> {
    let mut statements = vec![deliveries::settle(delivery, attempted, app.ports.now())];
    statements.extend(more);
    if attempted.status != Status::Pending && delivery.receiver() == Receiver::Tenant {
        statements.push(webhooks::forget_cancelled(&delivery.tenant_id));
    }
    app.ports.db().batch(statements).await.map(|_| ())
}

/// Unless all its attempts are used up, or there is nobody to send it to.
fn is_to_be_sent(delivery: &Claimed) -> bool {
    let has_receiver = match delivery.receiver() {
        Receiver::Tenant => !matches!(delivery.connection(), Ok(None)),
        Receiver::Platform => true,
    };
    delivery.attempts < ATTEMPTS && has_receiver
}

const fn settled(status: Status, answered: Option<u16>, error: Option<&'static str>) -> Attempted {
    Attempted { status, next_at: None, answered, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_792_584_000);

    fn pause(attempt: u32, asked: Option<u64>, random: u32) -> Option<u64> {
        again_at(attempt, asked.map(Duration::from_secs), random, NOW).map(|at| at.since(NOW).as_secs())
    }

    #[test]
    fn eight_attempts_in_a_little_more_than_a_day() {
        let pauses: Vec<Option<u64>> = (1..=9).map(|attempt| pause(attempt, None, 0)).collect();
        let seconds = [5, 300, 1800, 7200, 18_000, 36_000, 36_000];
        assert_eq!(pauses[..7], seconds.map(Some));
        assert_eq!(pauses[7..], [None, None]);
        assert_eq!(pause(0, None, 0), None);
        assert!(SCHEDULE.iter().sum::<Duration>() > DEAD_WHEN_GIVEN_UP_AFTER);
    }

    #[test]
    fn what_failed_together_is_spread_by_a_tenth() {
        assert_eq!(pause(2, None, u32::MAX), Some(330));
        assert!((300..330).contains(&pause(2, None, u32::MAX / 2).unwrap()));
    }

    #[test]
    fn a_webhook_may_ask_for_more_time_but_not_for_any() {
        assert_eq!(pause(1, Some(600), 0), Some(600));
        assert_eq!(pause(3, Some(600), 0), Some(1800), "never sooner than planned");
        assert_eq!(pause(1, Some(1_000_000), 0), Some(12 * 3600));
        assert_eq!(pause(8, Some(600), 0), None, "nor longer than the schedule");
    }
}
