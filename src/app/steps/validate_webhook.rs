//! A signed ping to the tenant's Make scenario.

use crate::{
    app::{App, upstream::make, webhooks},
    db::{DbError, Statement, Then},
    domain::{Config, Step, Timestamp, Upstream, WebhookUrl},
    ports::Ports,
    store,
    workflow::{FailureCode, Outcome, PermanentError, Product, Record, Run, Webhook},
};

use super::{Action, Found, Performed, misconfigured};

pub(super) struct ValidateWebhook;

impl Action for ValidateWebhook {
    fn upstream(_config: &Config) -> Option<(Upstream, u32)> {
        Some((Upstream::Make, 1))
    }

    fn reads(run: &Run) -> Option<Then<Found>> {
        Some(store::webhooks::webhook(&run.subject.tenant).then(Found::Webhook))
    }

    async fn run<P: Ports>(app: &App<P>, run: &Run, found: Found) -> Performed {
        let tenant = &run.subject.tenant;
        let Found::Webhook(found) = found else {
            return Err(DbError::Corrupt("the webhook was not read".to_owned()).into());
        };
        let stored = found?.ok_or_else(|| {
            Outcome::Failed(PermanentError::new(
                FailureCode::WebhookMissing,
                "No webhook is stored for this club yet.",
            ))
        })?;
        // Judged again: the list of hosts may have changed since it was stored.
        let url =
            WebhookUrl::stored(&stored.webhook_url, &app.config().allowed_webhook_hosts).map_err(|_| {
                let message = "Webhooks on this host are not possible. Use the one that Make shows you.";
                Outcome::Failed(PermanentError::new(FailureCode::WebhookRejected, message))
            })?;
        let signing = webhooks::signing(&app.ports, tenant, &stored).await.map_err(|_| misconfigured())?;
        let key = run.idempotency_key(Step::ValidateWebhook);
        let now = app.ports.now();
        let call = make::ping(&url, &signing.secrets, &key, tenant.as_str(), now);
        let response = app.call(call).await.map_err(|error| Outcome::Unknown(error.into()))?;
        let outcome = make::classify(&response, app.config().make_validate_strict, app.ports.now());
        Ok(match outcome {
            Outcome::Done(_) => Outcome::Done(Some(Product::Pinged(Webhook {
                url: stored.webhook_url,
                secret: stored.webhook_secret,
            }))),
            other => other.answered(response.status),
        })
    }

    fn rows(run: &Run, record: &Record, now: Timestamp) -> Vec<Statement> {
        let validated = |webhook| store::webhooks::set_validated(&run.subject.tenant, webhook, now);
        record.webhook.iter().map(validated).collect()
    }
}
