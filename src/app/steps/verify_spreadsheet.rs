//! The spreadsheet read back: through Google's own API where there is a key for it, else by the script that made it.

use crate::{
    app::{
        App,
        upstream::{apps_script, google},
    },
    db::Statement,
    domain::{Config, Step, Timestamp, Upstream},
    ports::Ports,
    store,
    workflow::{Artifact, Outcome, Record, Run},
};

use super::{Action, Found, Performed, misconfigured, of_a_newer_version};

pub(super) struct VerifySpreadsheet;

impl Action for VerifySpreadsheet {
    fn upstream(config: &Config) -> Option<(Upstream, u32)> {
        Some(match config.google_service_account_key {
            // A token, then the spreadsheet.
            Some(_) => (Upstream::Google, 2),
            None => (Upstream::AppsScript, 1),
        })
    }

    async fn run<P: Ports>(app: &App<P>, run: &Run, _found: Found) -> Performed {
        let id = match run.artifact(Step::CreateSpreadsheet) {
            Some(Artifact::Spreadsheet { id, .. }) => id,
            Some(Artifact::Other(_)) => {
                return Ok(of_a_newer_version("The spreadsheet was made by a newer version of the service."));
            }
            _ => return Ok(apps_script::missing()),
        };
        let config = app.config();
        Ok(match &config.google_service_account_key {
            Some(file) => {
                let account = google::Account::parse(file).map_err(Outcome::Failed)?;
                google::verify(app, &account, id).await
            }
            None => {
                let secret = config.gas_hmac_secret.as_ref().ok_or_else(misconfigured)?;
                let key = run.idempotency_key(Step::VerifySpreadsheet);
                let call = apps_script::verify(&config.gas_webapp_url, secret, &run.subject, id, &key);
                let response = app.call(call).await.map_err(|error| Outcome::Unknown(error.into()))?;
                apps_script::classify_verify(&response, app.ports.now()).answered(response.status)
            }
        })
    }

    fn rows(run: &Run, _record: &Record, now: Timestamp) -> Vec<Statement> {
        vec![store::webhooks::set_spreadsheet_verified(&run.subject.tenant, now)]
    }
}
