//! Performing a step: what each does in D1 and outside.
//!
//! Every one may be performed again after any interruption. Inside, that is safe because the statements say what shall
//! be, not what to add; outside, because the call carries the run's key for the step.

use crate::{
    db::{Db, DbError, Statement},
    domain::{Step, Task, Upstream, WebhookUrl, config::SubdomainMode},
    ports::Ports,
    store,
    workflow::{Artifact, Failure, FailureCode, Fault, FaultCode, Outcome, Permit, Product, Run, Webhook},
};

use super::{
    App,
    gate::Gate,
    upstream::{apps_script, cloudflare, google, make},
};

/// Ends a step early: with what went wrong, as an outcome.
pub(super) type Performed = Result<Outcome, Outcome>;

impl From<DbError> for Outcome {
    fn from(error: DbError) -> Self {
        match error {
            // Raised: it was put back, and is told everything before it is asked again.
            DbError::Unavailable(_) | DbError::Raised => {
                Self::Unknown(Fault::new(FaultCode::StoreUnavailable))
            }
            error if error.is_about_a_missing_row() => Self::Refused(tenant_gone()),
            // It did answer: waiting for it to come back would be in vain.
            DbError::Constraint(_) | DbError::Corrupt(_) => Self::Unknown(Fault::new(FaultCode::Malformed)),
        }
    }
}

fn tenant_gone() -> Failure {
    Failure::new(FailureCode::TenantGone, "This club does not exist any more.")
}

impl<P: Ports> App<P> {
    /// Whether an attempt at `task` of `run` may begin. It is asked when an alarm begins its work, and before whatever asks outside.
    pub async fn permit(&self, run: &Run, task: Task, is_first: bool) -> Permit {
        if !is_first && self.asked_by(run, task).is_none() {
            return Permit::Granted;
        }
        match self.gate(&run.subject.tenant).await {
            Ok(Gate::Open) => Permit::Granted,
            Ok(Gate::Paused) => Permit::Paused,
            Ok(Gate::Suspended | Gate::Removed) => Permit::Stopped,
            Ok(Gate::Unknown) => Permit::TenantUnknown,
            Err(_) => Permit::Unavailable,
        }
    }

    /// Performs one attempt at `task` of `run`, unless the other side is to be left alone.
    pub async fn perform(&self, run: &Run, task: Task) -> Outcome {
        match self.asked_by(run, task) {
            Some((upstream, calls)) => {
                self.through(upstream, calls, run.asker(task), self.attempt(run, task)).await
            }
            None => self.attempt(run, task).await,
        }
    }

    /// The other side that `task` asks as it is configured, and how often in one attempt; none for what is done inside.
    fn asked_by(&self, run: &Run, task: Task) -> Option<(Upstream, u32)> {
        let config = self.config();
        match (task, task.step()) {
            // What was made there is removed there, whatever is configured by then.
            (Task::Undo(_), Step::ConfigureRouting) if run.artifact(Step::ConfigureRouting).is_some() => {
                Some((Upstream::Cloudflare, cloudflare::CALLS))
            }
            (_, Step::ConfigureRouting) => match config.subdomain_mode {
                SubdomainMode::Record => Some((Upstream::Cloudflare, cloudflare::CALLS)),
                SubdomainMode::Wildcard | SubdomainMode::None => None,
            },
            (Task::Do(_), Step::ValidateWebhook) => Some((Upstream::Make, 1)),
            (Task::Do(_), Step::CreateSpreadsheet) => Some((Upstream::AppsScript, 1)),
            // It is looked for when it was removed.
            (Task::Undo(_), Step::CreateSpreadsheet) => Some((Upstream::AppsScript, 2)),
            (Task::Do(_), Step::VerifySpreadsheet) => match config.google_service_account_key {
                // A token, then the spreadsheet.
                Some(_) => Some((Upstream::Google, 2)),
                None => Some((Upstream::AppsScript, 1)),
            },
            (Task::Undo(_), Step::ValidateWebhook | Step::VerifySpreadsheet)
            | (
                _,
                Step::SeedDefaults
                | Step::CreateOwner
                | Step::SendWelcomeEmail
                | Step::Activate
                | Step::Other(_),
            ) => None,
        }
    }

    async fn attempt(&self, run: &Run, task: Task) -> Outcome {
        let performed = match task {
            Task::Do(step) => self.do_step(run, step).await,
            Task::Undo(step) => self.undo(run, step).await,
        };
        performed.unwrap_or_else(|outcome| outcome)
    }

    async fn do_step(&self, run: &Run, step: Step) -> Performed {
        match step {
            Step::SeedDefaults => self.seed_defaults(run).await,
            Step::ConfigureRouting => self.configure_routing(run).await,
            Step::ValidateWebhook => self.validate_webhook(run).await,
            Step::CreateSpreadsheet => self.create_spreadsheet(run).await,
            Step::VerifySpreadsheet => self.verify_spreadsheet(run).await,
            Step::CreateOwner => {
                self.write(vec![store::tenants::insert_owner(&run.subject, self.ports.now())]).await
            }
            Step::SendWelcomeEmail => self.send_welcome_email(run).await,
            Step::Activate => self.activate(run).await,
            Step::Other(_) => Ok(of_a_newer_version("This step belongs to a newer version of the service.")),
        }
    }

    pub(super) async fn write(&self, statements: Vec<Statement>) -> Performed {
        self.ports.db().batch(statements).await?;
        Ok(Outcome::Done(None))
    }

    async fn seed_defaults(&self, run: &Run) -> Performed {
        let tenant = &run.subject.tenant;
        let mut statements = store::tenants::seed(tenant, &run.subject.name, self.ports.now());
        statements.push(store::tenants::select(tenant));
        let answer = self.ports.db().batch(statements).await?.pop().unwrap_or_default();
        match store::tenants::read(answer)? {
            Some(_) => Ok(Outcome::Done(None)),
            None => Ok(Outcome::Refused(tenant_gone())),
        }
    }

    async fn configure_routing(&self, run: &Run) -> Performed {
        Ok(match self.config().subdomain_mode {
            SubdomainMode::None => Outcome::Done(Some(Product::NoRoute)),
            SubdomainMode::Wildcard => Outcome::Done(None),
            SubdomainMode::Record => {
                cloudflare::create(self, &run.subject, run.caller.traceparent.clone()).await
            }
        })
    }

    async fn validate_webhook(&self, run: &Run) -> Performed {
        let tenant = &run.subject.tenant;
        let stored = store::connections::webhook(self.ports.db(), tenant).await?.ok_or_else(|| {
            Outcome::Refused(Failure::new(
                FailureCode::WebhookMissing,
                "No webhook is stored for this club yet.",
            ))
        })?;
        // Judged again: the list of hosts may have changed since it was stored.
        let url =
            WebhookUrl::stored(&stored.webhook_url, &self.config().allowed_webhook_hosts).map_err(|_| {
                let message = "Webhooks on this host are not possible. Use the one that Make shows you.";
                Outcome::Refused(Failure::new(FailureCode::WebhookRejected, message))
            })?;
        let signing = self.signing(tenant, &stored).await.map_err(|_| misconfigured())?;
        let key = run.idempotency_key(Step::ValidateWebhook);
        let now = self.ports.now();
        let trace = run.caller.traceparent.clone();
        let call = make::ping(&url, &signing.secrets, &key, tenant.as_str(), now, trace);
        let called = self.call(call).await.map_err(|error| Outcome::Unknown(error.into()))?;
        let outcome = make::judge(&called, self.config().make_validate_strict, self.ports.now());
        Ok(match outcome {
            Outcome::Done(_) => Outcome::Done(Some(Product::Pinged(Webhook {
                url: stored.webhook_url,
                secret: stored.webhook_secret,
            }))),
            other => other.answered(called.status),
        })
    }

    async fn create_spreadsheet(&self, run: &Run) -> Performed {
        let config = self.config();
        let secret = config.gas_hmac_secret.as_ref().ok_or_else(misconfigured)?;
        let key = run.idempotency_key(Step::CreateSpreadsheet);
        let call = apps_script::provision(
            &config.gas_webapp_url,
            secret,
            &run.subject,
            &key,
            run.caller.traceparent.clone(),
        );
        let called = self.call(call).await.map_err(|error| Outcome::Unknown(error.into()))?;
        Ok(apps_script::judge_provision(&called, self.ports.now()).answered(called.status))
    }

    async fn verify_spreadsheet(&self, run: &Run) -> Performed {
        let id = match run.artifact(Step::CreateSpreadsheet) {
            Some(Artifact::Spreadsheet { id, .. }) => id,
            Some(Artifact::Other(_)) => {
                return Ok(of_a_newer_version("The spreadsheet was made by a newer version of the service."));
            }
            _ => return Ok(apps_script::missing()),
        };
        let config = self.config();
        Ok(match &config.google_service_account_key {
            Some(file) => {
                let account = google::Account::parse(file).map_err(Outcome::Refused)?;
                google::verify(self, &account, id, run.caller.traceparent.clone()).await
            }
            None => {
                let secret = config.gas_hmac_secret.as_ref().ok_or_else(misconfigured)?;
                let key = run.idempotency_key(Step::VerifySpreadsheet);
                let call = apps_script::verify(
                    &config.gas_webapp_url,
                    secret,
                    &run.subject,
                    id,
                    &key,
                    run.caller.traceparent.clone(),
                );
                let called = self.call(call).await.map_err(|error| Outcome::Unknown(error.into()))?;
                apps_script::judge_verify(&called, self.ports.now()).answered(called.status)
            }
        })
    }

    /// The mail is stored, and leaves when the run rests, or with the sweep: whatever becomes of it holds no club up.
    async fn send_welcome_email(&self, run: &Run) -> Performed {
        self.write(vec![store::mails::welcome(run, self.ports.now())]).await
    }

    /// Going live and the listing's "completed" are one batch: nobody sees one without the other.
    async fn activate(&self, run: &Run) -> Performed {
        let now = self.ports.now();
        let mut completed = run.clone();
        completed.settle(Outcome::Done(None), now, 0);
        self.write(store::runs::listing(&completed, now)?).await
    }
}

/// What a newer version did or began is not this one's to go on with: it does not know what that is.
pub(super) fn of_a_newer_version(what: &str) -> Outcome {
    let message = format!("{what} Deploy that version and try again, or leave it.");
    Outcome::Refused(Failure::new(FailureCode::Misconfigured, message))
}

fn misconfigured() -> Outcome {
    let message = "The service is not set up for this step. We have been told and look into it.";
    Outcome::Refused(Failure::new(FailureCode::Misconfigured, message))
}
