//! Use cases: what touches more than one store or port. No HTTP answers, no SQL.

pub mod access;
pub mod admin_tenants;
pub mod breakers;
pub mod codes;
pub mod deliveries;
pub mod deprovisioning;
pub mod health;
mod letters;
pub mod limits;
pub mod magic_links;
pub mod mail;
pub mod mails;
pub mod metrics;
pub mod new_tenants;
pub mod pausing;
pub mod projection;
pub mod promos;
pub mod proof;
pub mod provisioning;
pub mod recovery;
pub mod retries;
pub mod revocation;
pub mod run_actions;
pub mod run_admission;
pub mod run_log;
pub mod sessions;
pub mod signups;
pub mod stats;
pub mod steps;
pub mod sweep;
pub mod tokens;
pub mod upstream;
pub mod webhooks;
pub mod witness;

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    db::Lossy,
    domain::{Config, Upstream, platform_webhook, webhook},
    ports::{Level, LogLine, OutboundError, OutboundRequest, OutboundResponse, Ports},
};

/// The application: what it was configured to be, and what it needs from outside.
#[derive(Debug, Clone)]
pub struct App<P> {
    /// External services.
    pub ports: P,
    /// The configuration, and the keys made from it.
    pub settings: Arc<Settings>,
    /// What it works on now: fields of every line that it logs.
    scope: Arc<Vec<(&'static str, Value)>>,
    /// The trace that its calls belong to, as [`OutboundRequest::traceparent`] has it.
    trace: Option<Arc<str>>,
}

/// What is made once from the configuration.
#[derive(Debug)]
pub struct Settings {
    /// The configuration.
    pub config: Config,
    /// The keys that tokens are signed and verified with.
    pub keys: tokens::Keys,
}

impl Settings {
    /// Makes the keys.
    pub fn new(config: Config) -> Self {
        let keys = tokens::Keys::of(&config);
        Self { config, keys }
    }
}

impl<P: Ports> App<P> {
    /// The application with these ports and settings.
    pub fn new(ports: P, settings: Arc<Settings>) -> Self {
        Self { ports, settings, scope: Arc::default(), trace: None }
    }

    /// The same application at work on something, or on a part of it: `fields`, too, are on every line that it logs.
    pub fn scoped<V: Into<Value>>(&self, fields: Vec<(&'static str, V)>) -> Self {
        let fields = fields.into_iter().map(|(name, value)| (name, value.into()));
        let scope = self.scope.iter().cloned().chain(fields).collect();
        Self { scope: Arc::new(scope), ..self.clone() }
    }

    /// The same application at work on what belongs to this trace, or to none.
    pub fn traced(&self, traceparent: Option<&str>) -> Self {
        Self { trace: traceparent.map(Arc::from), ..self.clone() }
    }

    /// Logs.
    pub fn log(&self, line: LogLine) {
        let scoped = self.scope.iter().fold(line, |line, (name, value)| line.with(name, value.clone()));
        self.ports.log(scoped);
    }

    /// The rows of `table` that can be read, each on its own; the others are logged with their tenant.
    pub fn readable<T>(&self, rows: Lossy<T>, table: &'static str) -> Vec<T> {
        rows.into_iter()
            .filter_map(|row| {
                let unreadable = match row {
                    Ok(row) => return Some(row),
                    Err(unreadable) => unreadable,
                };
                let tenant = unreadable.tenant.or(unreadable.id.filter(|_| table == "tenants"));
                let line = LogLine::new(Level::Error, "row_unreadable").with("table", table);
                self.log(line.with_some("tenantId", tenant).with("error", unreadable.error.to_string()));
                None
            })
            .collect()
    }

    /// Calls external services, as a part of the trace, and logs it: the host, never the path.
    pub async fn call(&self, call: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let is_webhook =
            call.upstream == Upstream::Make.as_str() || call.upstream == platform_webhook::UPSTREAM;
        let msg = if is_webhook { "webhook_delivery" } else { "upstream_call" };
        let host = webhook::host_of(&call.url);
        let (upstream, since) = (call.upstream, self.ports.now());
        let call = OutboundRequest { traceparent: self.trace.as_deref().map(str::to_owned), ..call };
        let result = self.ports.call(call).await;
        let waited = u64::try_from(self.ports.now().since(since).as_millis()).unwrap_or(u64::MAX);
        let ms = result.as_ref().map_or(waited, |response| response.ms);
        let well = result.as_ref().is_ok_and(|response| response.status < 500);
        self.log(
            LogLine::new(if well { Level::Info } else { Level::Warn }, msg)
                .with("upstream", upstream)
                .with_some("host", host)
                .with_some("status", result.as_ref().ok().map(|response| response.status))
                .with_some("error", result.as_ref().err().map(ToString::to_string))
                .with("ms", ms),
        );
        result
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.settings.config
    }
}

/// SHA-256 over `parts`, each with its length so that no two lists hash alike; base64url.
pub fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_keeps_its_parts_apart() {
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
        assert_eq!(digest(&["ab"]).len(), 43);
    }
}
