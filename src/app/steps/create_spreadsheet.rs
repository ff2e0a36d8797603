//! The tenant's spreadsheet, made by Apps Script.

use crate::{
    app::{App, upstream::apps_script},
    db::{DbError, Statement, Then},
    domain::{Config, Step, Timestamp, Upstream},
    ports::Ports,
    store,
    workflow::{Artifact, Outcome, Record, Run},
};

use super::{Action, Found, Performed, misconfigured};

pub(super) struct CreateSpreadsheet;

impl Action for CreateSpreadsheet {
    fn upstream(_config: &Config) -> Option<(Upstream, u32)> {
        Some((Upstream::AppsScript, 1))
    }

    /// It is looked for when it was removed.
    fn undo_upstream(_config: &Config, _run: &Run) -> Option<(Upstream, u32)> {
        Some((Upstream::AppsScript, 2))
    }

    fn reads(run: &Run) -> Option<Then<Found>> {
        Some(store::tenants::colors(&run.subject.tenant).then(Found::Colors))
    }

    async fn run<P: Ports>(app: &App<P>, run: &Run, found: Found) -> Performed {
        let Found::Colors(colors) = found else {
            return Err(DbError::Corrupt("the colours were not read".to_owned()).into());
        };
        let config = app.config();
        let address = config.web_address(run.subject.slug.as_str()).map(|host| format!("https://{host}"));
        let look = apps_script::Look { address, colors: colors? };
        let secret = config.gas_hmac_secret.as_ref().ok_or_else(misconfigured)?;
        let key = run.idempotency_key(Step::CreateSpreadsheet);
        let call = apps_script::provision(&config.gas_webapp_url, secret, &run.subject, &look, &key);
        let response = app.call(call).await.map_err(|error| Outcome::Unknown(error.into()))?;
        Ok(apps_script::classify_provision(&response, app.ports.now()).answered(response.status))
    }

    /// Without an id, the answer to making it was lost: the script finds it by the key under which it was asked for.
    async fn undo<P: Ports>(app: &App<P>, run: &Run) -> Performed {
        let known = match run.artifact(Step::CreateSpreadsheet) {
            Some(Artifact::Spreadsheet { id, .. }) => Some(id.as_str()),
            _ => None,
        };
        let provision = run.idempotency_key(Step::CreateSpreadsheet);
        let removal = run.undo_key(Step::CreateSpreadsheet);
        let keys = apps_script::Keys { provision: &provision, removal: &removal };
        Ok(apps_script::remove(app, &run.subject, known, keys).await)
    }

    fn rows(run: &Run, record: &Record, now: Timestamp) -> Vec<Statement> {
        match &record.artifact {
            Some(Artifact::Spreadsheet { id, url }) => {
                vec![store::webhooks::set_spreadsheet(&run.subject.tenant, id, url, now)]
            }
            _ => Vec::new(),
        }
    }

    fn undo_rows(run: &Run, _now: Timestamp) -> Vec<Statement> {
        vec![store::undo::remove_spreadsheet(&run.subject.tenant)]
    }
}
