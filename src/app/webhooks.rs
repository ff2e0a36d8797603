//! Trying a club's webhook out.

use crate::{
    db::{Db, DbError},
    domain::{Claims, Secret, TenantId, WebhookUrl, id},
    ports::{CryptoError, Ports},
    store::{self, audit::Act},
    workflow::{Caller, Outcome},
};

use super::{App, access::AccessError, upstream::make};

/// How a try ended.
#[derive(Debug, Clone)]
pub struct Tried {
    /// Whether the webhook took the ping.
    pub delivered: bool,
    /// The status that came back.
    pub status: Option<u16>,
    /// How long it took.
    pub ms: Option<u64>,
    /// Why it counts as not delivered, for people.
    pub reason: Option<String>,
}

/// Why nothing was tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TryError {
    /// There is no such club.
    #[error("tenant not found")]
    NotFound,
    /// The club has no webhook, or one that is not allowed any more.
    #[error("no webhook")]
    NoWebhook,
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

impl<P: Ports> App<P> {
    /// Sends a signed `webhook.ping` to `webhook`, or else to the one that is stored, and answers what came back. A stored one
    /// that was switched off may be tried, too, and is on again if it takes the ping: written down if `act` says who did it.
    ///
    /// # Errors
    ///
    /// When there is nothing to try, or the caller may not.
    pub async fn try_webhook(
        &self,
        claims: &Claims,
        tenant: &TenantId,
        webhook: Option<(WebhookUrl, Secret)>,
        act: Option<&Act<'_>>,
        caller: Caller,
    ) -> Result<Tried, TryError> {
        let statements = vec![store::tenants::select(tenant), store::connections::select_webhook(tenant)];
        let mut answers = self.on_behalf_of(claims, statements).await?;
        let answer = answers.pop().unwrap_or_default();
        store::tenants::read(answers.pop().unwrap_or_default())?.ok_or(TryError::NotFound)?;
        let stored = store::connections::read_webhook(answer)?.filter(|_| webhook.is_none());
        let (url, secret) = match webhook {
            Some(webhook) => webhook,
            None => {
                let stored = stored.as_ref().ok_or(TryError::NoWebhook)?;
                let url = WebhookUrl::parse(&stored.webhook_url, &self.config().allowed_webhook_hosts);
                let secret = self.ports.open(&stored.webhook_secret, tenant.as_str()).await?;
                (url.map_err(|_| TryError::NoWebhook)?, secret)
            }
        };
        let now = self.ports.now();
        let id = format!("msg_{}", id::token_id(now, self.ports.random()));
        let call = make::ping(&url, &secret, &id, tenant.as_str(), now, caller.traceparent);
        let called = self.call(call).await;
        let taken = called.as_ref().is_ok_and(|called| (200..300).contains(&called.status));
        if let Some(stored) =
            stored.filter(|stored| taken && stored.failing_since.or(stored.disabled_at).is_some())
        {
            // It works again: one that was switched off is on from now on.
            let audit = act.map(|act| store::connections::audit_working(tenant, &stored, act));
            let working = store::connections::set_working(tenant, &stored);
            self.ports.db().batch(audit.into_iter().chain([working]).collect()).await?;
        }
        Ok(match called {
            Err(error) => {
                let reason = match error {
                    crate::ports::CallError::Timeout => "The webhook did not answer in time.",
                    crate::ports::CallError::Connection => "The webhook could not be reached.",
                };
                Tried { delivered: false, status: None, ms: None, reason: Some(reason.to_owned()) }
            }
            Ok(called) => {
                let reason = match make::judge(&called, self.config().make_validate_strict, now) {
                    Outcome::Done(_) => None,
                    Outcome::Refused(failure) => Some(failure.message),
                    Outcome::Unknown(fault) => Some(fault.code.message().to_owned()),
                };
                Tried {
                    delivered: reason.is_none(),
                    status: Some(called.status),
                    ms: Some(called.ms),
                    reason,
                }
            }
        })
    }
}
