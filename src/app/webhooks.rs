//! A tenant's webhook: storing another one, trying it out, and what signs what is sent there.

use crate::{
    db::{Db, DbError},
    domain::{
        Claims, MailId, Plan, RunStatus, Secret, TenantId, WebhookSecret, WebhookUrl, claims::Audience, id,
    },
    ports::{Clock, CryptoError, Level, LogLine, OutboundError, Ports, Vault},
    store::{
        self,
        audit::AuditContext,
        webhooks::{Connection, Previous},
    },
    workflow::{Outcome, RequestOrigin, Webhook},
};

use super::{
    App, access,
    access::AccessError,
    mails, provisioning,
    provisioning::{QueueError, Queued},
    upstream::make,
};

/// How a try ended.
#[derive(Debug, Clone)]
pub struct Tried {
    /// Whether the webhook took the ping.
    pub delivered: bool,
    /// Whether it may take it later: nothing was refused.
    pub try_again: bool,
    /// The status that came back.
    pub status: Option<u16>,
    /// How long it took.
    pub ms: Option<u64>,
    /// Why it counts as not delivered, for people.
    pub reason: Option<String>,
}

/// Another webhook, stored for a tenant that is live.
#[derive(Debug, Clone)]
pub struct Restored {
    /// Where it is.
    pub host: String,
    /// Whether it is another one than before, or on again.
    pub changed: bool,
    /// Until when an earlier secret signs beside its own, Unix seconds.
    pub previous_until: Option<i64>,
    /// How it took a ping.
    pub tried: Tried,
}

/// Why nothing was tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TryError {
    /// There is no such tenant.
    #[error("tenant not found")]
    NotFound,
    /// Nobody has proven the tenant's address yet.
    #[error("email unproven")]
    Unproven,
    /// The tenant has no webhook, or one that is not allowed any more.
    #[error("no webhook")]
    NoWebhook,
    /// It is not the one that is stored for the tenant.
    #[error("webhook not stored")]
    NotStored,
    /// The stored secret does not open: the service's key for it is wrong.
    #[error(transparent)]
    Sealed(#[from] CryptoError),
    /// The token does not admit its holder any more, or the database did not answer.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl From<DbError> for TryError {
    fn from(error: DbError) -> Self {
        Self::Access(error.into())
    }
}

/// What signs what is sent to a webhook now.
pub(super) struct Signing {
    /// Its own secret, then those that it replaced.
    pub secrets: Vec<Secret>,
    /// Until when one of those that it replaced signs, if they differ from its own.
    pub until: Option<i64>,
}

/// The secrets that sign what is sent to a tenant's webhook now. An earlier one that does not open signs nothing.
pub(super) async fn signing(
    ports: &(impl Clock + Vault),
    tenant: &TenantId,
    webhook: &Connection,
) -> Result<Signing, CryptoError> {
    let own = ports.open(&webhook.webhook_secret, tenant.as_str()).await?;
    let mut signing = Signing { secrets: vec![own], until: None };
    for Previous { secret, until } in webhook.previous(ports.now()) {
        let Ok(secret) = ports.open(&secret, tenant.as_str()).await else { continue };
        if !signing.secrets.contains(&secret) {
            signing.until = signing.until.max(Some(until));
            signing.secrets.push(secret);
        }
    }
    Ok(signing)
}

/// Stores a starter tenant's webhook, and queues its provisioning; if the tenant is live, pings it.
pub async fn connect<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    url: &WebhookUrl,
    secret: &WebhookSecret,
    caller: RequestOrigin,
) -> Result<(Queued, Option<Restored>), QueueError> {
    let sealed = app.ports.seal(secret.secret(), tenant.as_str()).await?;
    let (now, mail) = (app.ports.now(), MailId::new(app.ports.now(), app.ports.random()));
    let store = (
        store::webhooks::webhook(tenant),
        store::webhooks::tell_changed(tenant, url, true, &mail, &caller, now),
        store::webhooks::set_webhook(tenant, url, Some(&sealed), now),
        store::webhooks::webhook(tenant),
    );
    let (queued, (before, _, stored, after)) =
        provisioning::queue_after(app, claims, tenant, Some(Plan::Starter), store, caller.clone()).await?;
    if queued.status != RunStatus::Completed {
        return Ok((queued, None));
    }
    let wanted = (url, Some(secret.secret()));
    let storing = Storing { before, is_stored: stored.has_changed(), after };
    let restored = announce(app, tenant, storing, wanted, caller).await?;
    Ok((Queued { changed: restored.changed, ..queued }, Some(restored)))
}

/// Pings the webhook that was just stored for a live tenant, and says what became of it. One that was stored before already,
/// the same secret with it, is no other one, however often it is stored.
pub(super) async fn announce<P: Ports>(
    app: &App<P>,
    tenant: &TenantId,
    storing: Storing,
    (wanted, secret): (&WebhookUrl, Option<&Secret>),
    caller: RequestOrigin,
) -> Result<Restored, QueueError> {
    let Storing { before, is_stored, after: Some(webhook) } = storing else {
        return Err(too_often(app));
    };
    if is_stored {
        mails::send_later(app, tenant);
    }
    let was = match &before {
        Some(before) => app.ports.open(&before.webhook_secret, tenant.as_str()).await.ok(),
        None => None,
    };
    let is_there = webhook.webhook_url == wanted.as_str() && secret.is_some() && secret == was.as_ref();
    if !(is_stored || is_there) {
        return Err(too_often(app));
    }
    let allowed = &app.config().allowed_webhook_hosts;
    let url = WebhookUrl::stored(&webhook.webhook_url, allowed)
        .map_err(|problem| DbError::Corrupt(problem.message))?;
    let Ok(signing) = signing(&app.ports, tenant, &webhook).await else {
        let reason =
            "The secret that is stored for it can't be read any more. Store it again, with a secret.";
        let tried = Tried {
            delivered: false,
            try_again: false,
            status: None,
            ms: None,
            reason: Some(reason.to_owned()),
        };
        return Ok(Restored { host: url.host().to_owned(), changed: true, previous_until: None, tried });
    };
    let same = before.filter(|before| {
        before.webhook_url == webhook.webhook_url && was.is_some() && was.as_ref() == signing.secrets.first()
    });
    let changed = same.as_ref().is_none_or(|same| same.disabled_at.is_some());
    if let Some(same) = same.filter(|_| is_stored) {
        // Sealed anew, its secret counted as one that was replaced.
        let kept = store::webhooks::keep_secret(tenant, &same.webhook_secret);
        app.ports.db().query(kept).await?;
    }
    let tried = ping(app, tenant, &url, &signing.secrets, caller).await;
    app.log(
        LogLine::new(Level::Info, "webhook_stored")
            .with("tenantId", tenant.as_str())
            .with("host", url.host())
            .with("changed", changed)
            .with("delivered", tried.delivered),
    );
    if tried.delivered {
        let pinged = Webhook { url: webhook.webhook_url, secret: webhook.webhook_secret };
        let validated = store::webhooks::set_validated(tenant, &pinged, app.ports.now());
        // It is stored and has answered, whether or not that can be written down now.
        if let Err(error) = app.ports.db().query(validated).await {
            let line = LogLine::new(Level::Warn, "webhook_validation_not_noted");
            app.log(line.with("tenantId", tenant.as_str()).with("error", error.to_string()));
        }
    }
    Ok(Restored { host: url.host().to_owned(), changed, previous_until: signing.until, tried })
}

fn too_often<P: Ports>(app: &App<P>) -> QueueError {
    app.log(LogLine::new(Level::Warn, "rate_limited").with("limit", "webhooks_stored"));
    QueueError::TooOften
}

/// Sends a signed `webhook.ping` to the stored webhook, and returns its answer. A webhook that the caller names is signed
/// with the secret of the request. A tenant may name its own alone: whose any other is, nobody has shown. A stored one that
/// was switched off may be tried, too, and is on again if it takes the ping: written down if `audit_context` says who did it.
pub async fn try_out<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    named: Option<(WebhookUrl, Secret)>,
    audit_context: Option<&AuditContext<'_>>,
    caller: RequestOrigin,
) -> Result<Tried, TryError> {
    let batch = (store::tenants::by_id(tenant), store::webhooks::webhook(tenant));
    let (known, stored) = access::on_behalf_of(app, claims, batch).await?;
    if known.ok_or(TryError::NotFound)?.is_unproven() {
        return Err(TryError::Unproven);
    }
    let may_try_any = claims.audience == Some(Audience::PlatformAdmin);
    let (url, secrets, stored) = match named {
        Some((url, _)) if !may_try_any && !is_at(stored.as_ref(), &url) => {
            return Err(TryError::NotStored);
        }
        Some((url, secret)) => (url, vec![secret], None),
        None => {
            let stored = stored.ok_or(TryError::NoWebhook)?;
            let url = WebhookUrl::stored(&stored.webhook_url, &app.config().allowed_webhook_hosts);
            let signing = signing(&app.ports, tenant, &stored).await?;
            (url.map_err(|_| TryError::NoWebhook)?, signing.secrets, Some(stored))
        }
    };
    let tried = ping(app, tenant, &url, &secrets, caller).await;
    let taken = tried.status.is_some_and(|status| (200..300).contains(&status));
    if let Some(stored) =
        stored.filter(|stored| taken && stored.failing_since.or(stored.disabled_at).is_some())
    {
        // It works again: one that was switched off is on from now on.
        let audit =
            audit_context.map(|audit_context| store::webhooks::audit_working(tenant, &stored, audit_context));
        let working = store::webhooks::set_working(tenant, &stored);
        app.ports.db().ask((audit, working)).await?;
    }
    Ok(tried)
}

async fn ping<P: Ports>(
    app: &App<P>,
    tenant: &TenantId,
    url: &WebhookUrl,
    secrets: &[Secret],
    caller: RequestOrigin,
) -> Tried {
    let now = app.ports.now();
    let id = format!("msg_{}", id::token_id(now, app.ports.random()));
    let call = make::ping(url, secrets, &id, tenant.as_str(), now);
    match app.traced(caller.traceparent.as_deref()).call(call).await {
        Err(error) => {
            let reason = match error {
                OutboundError::Timeout => "The webhook did not answer in time.",
                OutboundError::Connection => "The webhook could not be reached.",
            };
            let reason = Some(reason.to_owned());
            Tried { delivered: false, try_again: true, status: None, ms: None, reason }
        }
        Ok(response) => {
            let outcome = make::classify(&response, app.config().make_validate_strict, now);
            let try_again = matches!(outcome, Outcome::Unknown(_));
            let reason = match outcome {
                Outcome::Done(_) => None,
                Outcome::Failed(failure) => Some(failure.message),
                Outcome::Unknown(fault) => Some(fault.code.message().to_owned()),
            };
            Tried {
                delivered: reason.is_none(),
                try_again,
                status: Some(response.status),
                ms: Some(response.ms),
                reason,
            }
        }
    }
}

/// Whether this is where the stored webhook is.
fn is_at(stored: Option<&Connection>, url: &WebhookUrl) -> bool {
    stored.is_some_and(|stored| stored.webhook_url == url.as_str())
}

/// What storing a webhook found and left.
pub(super) struct Storing {
    pub before: Option<Connection>,
    pub is_stored: bool,
    pub after: Option<Connection>,
}
