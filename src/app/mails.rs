//! Sending the mails that wait: each arrives once, under one key, within what the mail service allows, for up to a day.
//!
//! Each attempt sends the same bytes, so that the mail service recognises a repeat. The text comes from the tenant's row; the
//! link from its id and the time of issue. A link that grew old is renewed under the same key: if an earlier mail was taken
//! after all, the mail service says so, and that one's link is good for its own day.

use std::{cell::Cell, time::Duration};

use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::{
    db::{Db, DbError},
    domain::{RunStatus, TenantId, TenantStatus, Timestamp, Upstream, config::EmailProvider},
    ports::{Level, LogLine, Ports},
    store::mails::{self, Attempted, Claimed, Kind, Leave, Status},
    workflow::{FailureCode, Outcome, TransientError, TransientErrorCode, breaker::Requester},
};

use super::{
    App, breakers, deliveries,
    letters::{Enclosed, Letter, Unwritten, letter},
    mail::Addressed,
    upstream::resend,
};

/// How long to wait after each attempt that failed; after the last of these as long again, until the mail fails.
const SCHEDULE: [Duration; 6] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(30 * 60),
];
/// The longest that the mail service may ask us to wait: asking once an hour costs nobody anything.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// How long to wait for somebody to mend the configuration, or to let a tenant in again.
const MENDING: Duration = Duration::from_secs(15 * 60);
/// How many mails are claimed at once, and for how long: longer than they take if each waits its full ten seconds.
const BATCH: u32 = 20;
const LEASE: Duration = Duration::from_secs(120);
/// How many are at it at the same time: see the webhooks' deliveries.
const AT_ONCE: usize = 4;
/// For how long one sweep claims, and for how long it waits for the mail service's budget.
const SWEEPS_FOR: Duration = Duration::from_secs(45);
/// For how long a mail is tried beside what wanted it: somebody may wait at their inbox, and the platform grants thirty seconds
/// after an answer.
const LINGERS_FOR: Duration = Duration::from_secs(20);

/// When an attempt that failed is followed by another, if it is: the last one is made when its day is over. `random` spreads what
/// failed together.
pub fn again_at(
    attempts: u32,
    asked: Duration,
    expires_at: Timestamp,
    random: u32,
    now: Timestamp,
) -> Option<Timestamp> {
    if now >= expires_at {
        return None;
    }
    let last = SCHEDULE.len() - 1;
    let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(last).min(last);
    let pause = SCHEDULE.get(index).copied().unwrap_or(LONGEST_WAIT).max(asked.min(LONGEST_WAIT));
    // Up to a tenth more.
    let spread = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX) / 10;
    let later = pause + Duration::from_millis(spread * u64::from(random) / u64::from(u32::MAX));
    Some(now.after(later).min(expires_at))
}

/// How a claim ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The mail service has it.
    Sent,
    /// It is over, or somebody else's.
    Over,
    /// It is tried again.
    Later(Timestamp),
    /// The mail service is not to be asked before this.
    Held(Timestamp),
}

/// Why a mail did not leave after all.
#[derive(Debug, Clone, Copy)]
enum Kept {
    /// Somebody else has it.
    Lost,
    /// Its mailbox has had enough of them.
    MailboxFull,
    /// All unproven addresses together have, until then.
    BudgetSpent(Timestamp),
}

/// Sends what is due, as much as the mail service takes in a bounded time, what waited longest first. Answers how many were
/// sent.
pub async fn send_due<P: Ports>(app: &App<P>) -> Result<usize, DbError> {
    let until = app.ports.now().after(SWEEPS_FOR);
    let mut sent = 0;
    loop {
        let due = claim(app, None).await?;
        let ends = send_claimed(app, &due, until).await;
        sent += ends.iter().filter(|end| **end == Ended::Sent).count();
        let is_all = due.len() < BATCH as usize;
        let held_until = ends.iter().filter_map(|end| match end {
            Ended::Held(at) => Some(*at),
            Ended::Sent | Ended::Later(_) | Ended::Over => None,
        });
        match held_until.min() {
            // Whoever asks once more before that would be told the same.
            Some(at) if at < until => app.ports.sleep(at.since(app.ports.now())).await,
            None if !is_all && app.ports.now() < until => {}
            _ => return Ok(sent),
        }
    }
}

/// Sends what a tenant has due, without anybody waiting for it. What fails is tried again for a while, and then the sweep's.
pub fn send_later<P: Ports>(app: &App<P>, tenant: &TenantId) {
    let (owned, tenant) = (app.clone(), tenant.clone());
    app.ports.defer(async move { send_or_log(&owned, &tenant).await });
}

/// Sends what a run left for others: its events to the webhook, which has five seconds, then its mails.
pub fn send_after_deliveries<P: Ports>(app: &App<P>, tenant: &TenantId) {
    let (owned, tenant) = (app.clone(), tenant.clone());
    app.ports.defer(async move {
        deliveries::send_or_log(&owned, &tenant).await;
        send_or_log(&owned, &tenant).await;
    });
}

async fn send_or_log<P: Ports>(app: &App<P>, tenant: &TenantId) {
    if let Err(error) = send(app, tenant).await {
        let line = LogLine::new(Level::Warn, "mail_not_begun");
        app.log(line.with("tenantId", tenant.as_str()).with("error", error.to_string()));
    }
}

async fn send<P: Ports>(app: &App<P>, tenant: &TenantId) -> Result<(), DbError> {
    let until = app.ports.now().after(LINGERS_FOR);
    loop {
        let due = claim(app, Some(tenant)).await?;
        let ends = send_claimed(app, &due, until).await;
        let next = ends.into_iter().filter_map(|end| match end {
            Ended::Later(at) | Ended::Held(at) => Some(at),
            Ended::Sent | Ended::Over => None,
        });
        match next.min() {
            Some(at) if at < until => app.ports.sleep(at.since(app.ports.now())).await,
            _ => return Ok(()),
        }
    }
}

async fn claim<P: Ports>(app: &App<P>, tenant: Option<&TenantId>) -> Result<Vec<Claimed>, DbError> {
    let now = app.ports.now();
    app.ports.db().ask(mails::claim(tenant, now, now.after(LEASE), BATCH)).await
}

async fn send_claimed<P: Ports>(app: &App<P>, due: &[Claimed], until: Timestamp) -> Vec<Ended> {
    stream::iter(due).map(|mail| attempt(app, mail, until)).buffer_unordered(AT_ONCE).collect().await
}

/// One attempt at one mail. Whatever can't be written down is repeated when the claim ends, under the same key.
async fn attempt<P: Ports>(app: &App<P>, mail: &Claimed, until: Timestamp) -> Ended {
    let scope: Vec<(&'static str, Value)> = vec![
        ("tenantId", mail.tenant_id.as_str().into()),
        ("mailId", mail.id.as_str().into()),
        ("kind", mail.kind.as_str().into()),
    ];
    let request = mail.request_id.as_deref().map(|request| ("requestId", request.into()));
    let trace = mail.traceparent.as_deref().and_then(|parent| parent.split('-').nth(1));
    let trace = trace.map(|trace| ("traceId", trace.into()));
    let app = app.scoped(scope.into_iter().chain(request).chain(trace).collect());
    let app = &app.traced(mail.traceparent.as_deref());
    attempt_and_settle(app, mail, until).await.unwrap_or_else(|error| {
        app.log(LogLine::new(Level::Error, "mail_not_settled").with("error", error.to_string()));
        Ended::Over
    })
}

async fn attempt_and_settle<P: Ports>(
    app: &App<P>,
    mail: &Claimed,
    until: Timestamp,
) -> Result<Ended, DbError> {
    let now = app.ports.now();
    let addressee = match mail.addressee() {
        Ok(addressee) => addressee.filter(|tenant| tenant.status != TenantStatus::Cancelled),
        Err(error) => {
            app.log(LogLine::new(Level::Error, "mail_unreadable").with("error", error.to_string()));
            return hold(app, mail, now.after(MENDING), "UNREADABLE").await;
        }
    };
    let Some(addressee) = addressee else {
        return end(app, mail, Status::Cancelled, None, "TENANT_CANCELLED").await;
    };
    if !addressee.status.is_enabled() {
        return hold(app, mail, now.after(MENDING), "TENANT_SUSPENDED").await;
    }
    if mail.kind == Kind::SetupFailed.as_str() {
        match addressee.provision_state {
            RunStatus::Completed => return end(app, mail, Status::Cancelled, None, "SUPERSEDED").await,
            // It is tried again: what becomes of that decides.
            RunStatus::Pending | RunStatus::Processing => {
                return hold(app, mail, now.after(MENDING), "PROVISIONING").await;
            }
            RunStatus::Failed | RunStatus::Other(_) => {}
        }
    }
    if mail.attempts > 0 && now >= mail.forgotten_at() {
        return end(app, mail, Status::Failed, None, TransientErrorCode::Interrupted.as_str()).await;
    }
    if mail.kind == Kind::ConfirmAddress.as_str() && addressee.unproven_email.is_none() {
        return end(app, mail, Status::Cancelled, None, "EMAIL_PROVEN").await;
    }
    match letter(app, mail, &addressee) {
        Ok(letter) => send_letter(app, mail, &letter, until).await,
        Err(Unwritten(code)) => {
            app.log(LogLine::new(Level::Error, "mail_misconfigured").with("error", code.as_str()));
            hold(app, mail, now.after(MENDING), code.as_str()).await
        }
    }
}

/// Sends it as soon as the mail service may be asked, if that is before `until`.
async fn send_letter<P: Ports>(
    app: &App<P>,
    mail: &Claimed,
    letter: &Letter,
    until: Timestamp,
) -> Result<Ended, DbError> {
    loop {
        let kept = Cell::new(None);
        let outcome = through_breaker(app, mail, attempt_letter(app, mail, letter, &kept)).await;
        match kept.get() {
            None => {}
            Some(Kept::Lost) => return Ok(Ended::Over),
            Some(Kept::MailboxFull) => {
                return end(app, mail, Status::Cancelled, None, "MAILBOX_LIMIT").await;
            }
            Some(Kept::BudgetSpent(at)) => {
                app.log(LogLine::new(Level::Error, "proof_budget_spent").with("until", at.rfc3339()));
                return hold(app, mail, at, "PROOF_BUDGET").await;
            }
        }
        let Outcome::Unknown(TransientError { code: TransientErrorCode::CircuitOpen, retry_after, .. }) =
            outcome
        else {
            return settle(app, mail, outcome).await;
        };
        let at = app.ports.now().after(retry_after.unwrap_or_default());
        if at >= until {
            let ended = hold(app, mail, at, TransientErrorCode::CircuitOpen.as_str()).await?;
            return Ok(if ended == Ended::Over { ended } else { Ended::Held(at) });
        }
        app.ports.sleep(retry_after.unwrap_or_default()).await;
    }
}

async fn through_breaker<P: Ports>(
    app: &App<P>,
    mail: &Claimed,
    work: impl Future<Output = Outcome>,
) -> Outcome {
    if app.config().email_provider == EmailProvider::Log {
        return work.await;
    }
    let requester =
        Requester { id: mail.id.as_str(), tenant: Some(&mail.tenant_id), has_failed: mail.attempts > 0 };
    breakers::attempt(app, Upstream::Resend, 1, requester, work).await
}

/// One attempt: counted just before it leaves, and not made if somebody else has the mail by then.
async fn attempt_letter<P: Ports>(
    app: &App<P>,
    mail: &Claimed,
    letter: &Letter,
    kept: &Cell<Option<Kept>>,
) -> Outcome {
    let db = app.ports.db();
    let begun = match &letter.enclosed {
        Enclosed::Nothing => mails::begin(db, mail, None).await.map(Leave::granted_if),
        Enclosed::Link(link) => mails::begin(db, mail, Some(link)).await.map(Leave::granted_if),
        Enclosed::Proof(hashes) => {
            let budget = app.config().proof_mails_per_hour;
            mails::begin_proof(db, mail, &letter.mail.to, hashes, budget, app.ports.now()).await
        }
    };
    match begun {
        Ok(Leave::Granted) => send_mail(app, &letter.mail, &mail.key).await,
        Ok(refused) => {
            kept.set(Some(match refused {
                Leave::MailboxFull => Kept::MailboxFull,
                Leave::BudgetSpent(at) => Kept::BudgetSpent(at),
                Leave::Granted | Leave::Lost => Kept::Lost,
            }));
            Outcome::Unknown(TransientError::new(TransientErrorCode::Interrupted))
        }
        Err(error) => error.into(),
    }
}

/// Sends a mail under a key by which a repeat is recognised.
async fn send_mail<P: Ports>(app: &App<P>, mail: &Addressed, key: &str) -> Outcome {
    let config = app.config();
    if config.email_provider == EmailProvider::Log {
        // Never the mail itself: it holds a live link.
        let line = LogLine::new(Level::Info, "email_logged").with("contactEmail", mail.to.masked());
        app.log(line.with("subject", mail.message.subject.as_str()));
        return Outcome::Done(None);
    }
    let Some(api_key) = &config.resend_api_key else { return Outcome::Failed(resend::misconfigured()) };
    let call = resend::send(api_key, &config.resend_from_email, mail, key);
    match app.call(call).await {
        Ok(response) => resend::classify(&response, app.ports.now()).answered(response.status),
        Err(error) => Outcome::Unknown(error.into()),
    }
}

async fn settle<P: Ports>(app: &App<P>, mail: &Claimed, outcome: Outcome) -> Result<Ended, DbError> {
    let (answered, asked, error) = match outcome {
        Outcome::Done(_) => {
            let sent = Attempted { status: Status::Sent, next_at: None, answered: None, error: None };
            write(app, mail, &sent).await?;
            app.log(LogLine::new(Level::Info, "mail_sent").with("attempt", mail.attempts + 1));
            return Ok(Ended::Sent);
        }
        Outcome::Failed(failure) if failure.code == FailureCode::Misconfigured => {
            app.log(LogLine::new(Level::Error, "mail_misconfigured").with_some("status", failure.status));
            (failure.status, MENDING, failure.code.as_str())
        }
        Outcome::Failed(failure) => {
            return end(app, mail, Status::Failed, failure.status, failure.code.as_str()).await;
        }
        Outcome::Unknown(fault) => (fault.status, fault.retry_after.unwrap_or_default(), fault.code.as_str()),
    };
    let (now, random) = (app.ports.now(), u32::from_le_bytes(app.ports.random()));
    match again_at(mail.attempts + 1, asked, mail.expires_at(), random, now) {
        Some(at) => {
            let later =
                Attempted { status: Status::Pending, next_at: Some(at), answered, error: Some(error) };
            write(app, mail, &later).await?;
            app.log(
                LogLine::new(Level::Warn, "mail_delayed")
                    .with("attempt", mail.attempts + 1)
                    .with("error", error)
                    .with("nextAt", at.rfc3339()),
            );
            Ok(Ended::Later(at))
        }
        None => end(app, mail, Status::Failed, answered, error).await,
    }
}

/// It did not leave: that is no attempt. One whose day is over is not held any longer.
async fn hold<P: Ports>(
    app: &App<P>,
    mail: &Claimed,
    at: Timestamp,
    error: &'static str,
) -> Result<Ended, DbError> {
    if app.ports.now() >= mail.expires_at() {
        let is_stopped = error == "TENANT_SUSPENDED";
        let status = if is_stopped { Status::Cancelled } else { Status::Failed };
        return end(app, mail, status, None, error).await;
    }
    let held = Attempted { status: Status::Pending, next_at: Some(at), answered: None, error: Some(error) };
    write(app, mail, &held).await?;
    Ok(Ended::Later(at))
}

async fn end<P: Ports>(
    app: &App<P>,
    mail: &Claimed,
    status: Status,
    answered: Option<u16>,
    error: &'static str,
) -> Result<Ended, DbError> {
    let over = Attempted { status, next_at: None, answered, error: Some(error) };
    write(app, mail, &over).await?;
    let (level, word) = match status {
        Status::Failed => (Level::Error, "mail_failed"),
        Status::Pending | Status::Sent | Status::Cancelled => (Level::Info, "mail_cancelled"),
    };
    app.log(LogLine::new(level, word).with("error", error).with_some("status", answered));
    Ok(Ended::Over)
}

async fn write<P: Ports>(app: &App<P>, mail: &Claimed, attempted: &Attempted) -> Result<(), DbError> {
    app.ports.db().batch(mails::settle(mail, attempted, app.ports.now())).await.map(|_| ())
}
