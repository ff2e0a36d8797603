//! Use cases: what touches more than one store or port. No HTTP answers, no SQL.

pub mod access;
pub mod links;
pub mod mail;
pub mod operators;
pub mod provisioning;
pub mod readiness;
pub mod revocation;
pub mod signup;
pub mod steps;
pub mod sweep;
pub mod tokens;
pub mod upstream;
pub mod webhooks;

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::{domain::Config, ports::Ports};

/// The application: what it was configured to be, and what it needs from outside.
#[derive(Debug, Clone)]
pub struct App<P> {
    /// The outside.
    pub ports: P,
    /// The configuration, and the keys made from it.
    pub settings: Arc<Settings>,
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
    #[must_use]
    pub fn new(config: Config) -> Self {
        let keys = tokens::Keys::of(&config);
        Self { config, keys }
    }
}

impl<P: Ports> App<P> {
    /// The application with these ports and settings.
    #[must_use]
    pub const fn new(ports: P, settings: Arc<Settings>) -> Self {
        Self { ports, settings }
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.settings.config
    }
}

/// SHA-256 over `parts`, each with its length so that no two lists hash alike; base64url.
#[must_use]
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
