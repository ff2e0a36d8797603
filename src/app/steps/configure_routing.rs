//! The tenant's address: a DNS record of its own, or none, as the service is configured.

use crate::{
    app::{App, upstream::cloudflare},
    db::Statement,
    domain::{Config, Step, Timestamp, Upstream, config::SubdomainMode},
    ports::Ports,
    store,
    workflow::{Outcome, Product, Record, Run},
};

use super::{Action, Found, Performed};

pub(super) struct ConfigureRouting;

impl Action for ConfigureRouting {
    fn upstream(config: &Config) -> Option<(Upstream, u32)> {
        match config.subdomain_mode {
            SubdomainMode::Record => Some((Upstream::Cloudflare, cloudflare::CALLS)),
            SubdomainMode::Wildcard | SubdomainMode::None => None,
        }
    }

    /// What was made there is removed there, whatever is configured by then.
    fn undo_upstream(config: &Config, run: &Run) -> Option<(Upstream, u32)> {
        match run.artifact(Step::ConfigureRouting) {
            Some(_) => Some((Upstream::Cloudflare, cloudflare::CALLS)),
            None => Self::upstream(config),
        }
    }

    async fn run<P: Ports>(app: &App<P>, run: &Run, _found: Found) -> Performed {
        Ok(match app.config().subdomain_mode {
            SubdomainMode::None => Outcome::Done(Some(Product::NoRoute)),
            SubdomainMode::Wildcard => Outcome::Done(None),
            SubdomainMode::Record => cloudflare::create(app, &run.subject).await,
        })
    }

    async fn undo<P: Ports>(app: &App<P>, run: &Run) -> Performed {
        let made = run.artifact(Step::ConfigureRouting);
        Ok(cloudflare::remove(app, &run.subject, made).await)
    }

    fn rows(run: &Run, record: &Record, now: Timestamp) -> Vec<Statement> {
        if record.no_route {
            return Vec::new();
        }
        vec![store::tenants::set_route_ready(&run.subject.tenant, now)]
    }

    fn undo_rows(run: &Run, now: Timestamp) -> Vec<Statement> {
        vec![store::undo::remove_route(&run.subject.tenant, now)]
    }
}
