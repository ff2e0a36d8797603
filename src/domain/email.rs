//! Electronic mail addresses.

use std::fmt;

use email_address::{EmailAddress, Options};
use serde::{Deserialize, Serialize};

use super::issue::Problem;

/// A syntactically valid address, stored normalised: trimmed and in lower case, so that one mailbox is one
/// owner whatever the keyboard made of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(utoipa::ToSchema),
    schema(format = "email", max_length = 254, example = "ann@example.org")
)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a log may show: the first character and the domain.
    #[must_use]
    pub fn masked(&self) -> String {
        let (local, domain) = self.0.rsplit_once('@').unwrap_or(("", ""));
        let first: String = local.chars().take(1).collect();
        format!("{first}***@{domain}")
    }
}

impl TryFrom<String> for Email {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self, Problem> {
        let invalid = || Problem::new("invalid_email", "Enter an address like name@example.org.");
        let normalised = text.trim().to_lowercase();
        if normalised.len() > 254 || !normalised.is_ascii() {
            return Err(invalid());
        }
        // No quoted local parts, address literals or display names: no club has one, and mail providers refuse them.
        let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
        match EmailAddress::parse_with_options(&normalised, options) {
            Ok(address) if !address.local_part().starts_with('"') => Ok(Self(normalised)),
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(text: &str) -> Result<Email, Problem> {
        Email::try_from(text.to_owned())
    }

    #[test]
    fn one_mailbox_is_one_address() {
        assert_eq!(email(" Ann@Example.ORG ").unwrap().as_str(), "ann@example.org");
        assert_eq!(email("ann+club@example.co.uk").unwrap().as_str(), "ann+club@example.co.uk");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "ann",
            "@example.org",
            "ann@",
            "ann@localhost",
            "ann@@example.org",
            "ann@exam ple.org",
            "Ann <ann@example.org>",
            "ann@[127.0.0.1]",
            "\"a b\"@example.org",
            "ann@example..org",
            "ann@example.org\r\nBcc: all@example.org",
            "änn@example.org",
        ] {
            assert!(email(text).is_err(), "{text:?}");
        }
        assert!(email(&format!("{}@example.org", "a".repeat(250))).is_err());
    }

    #[test]
    fn a_log_shows_no_full_address() {
        assert_eq!(email("ann@example.org").unwrap().masked(), "a***@example.org");
    }
}
