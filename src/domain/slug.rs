//! The club's name in addresses.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::issue::Problem;

/// Names that the service, mail or DNS need for themselves, in order.
const RESERVED: &[&str] = &[
    "about",
    "abuse",
    "account",
    "admin",
    "administrator",
    "api",
    "app",
    "assets",
    "auth",
    "autoconfig",
    "autodiscover",
    "billing",
    "blog",
    "cdn",
    "dashboard",
    "dev",
    "docs",
    "domain",
    "email",
    "ftp",
    "graphql",
    "health",
    "healthz",
    "help",
    "host",
    "hostmaster",
    "imap",
    "internal",
    "localhost",
    "login",
    "logout",
    "magic",
    "mail",
    "metrics",
    "mx",
    "ns",
    "ns1",
    "ns2",
    "oauth",
    "openapi",
    "ops",
    "pop",
    "postmaster",
    "preview",
    "production",
    "public",
    "readyz",
    "register",
    "root",
    "sandbox",
    "security",
    "signin",
    "signup",
    "smtp",
    "ssl",
    "staging",
    "static",
    "status",
    "support",
    "system",
    "test",
    "webhook",
    "webhooks",
    "webmaster",
    "whoami",
    "www",
];

/// 3–63 of `a-z0-9-`, no hyphen at either end, not punycode, not reserved: a DNS label of the club's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(utoipa::ToSchema),
    schema(min_length = 3, max_length = 63, pattern = "^[a-z0-9][a-z0-9-]*[a-z0-9]$", example = "riverside")
)]
#[serde(transparent)]
pub struct Slug(String);

impl Slug {
    /// The slug as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Other slugs close to this one, for somebody whose first choice is gone.
    #[must_use]
    pub fn alternatives(&self) -> Vec<Self> {
        ["club", "2", "team", "sc", "3"]
            .iter()
            .filter_map(|suffix| {
                let room = 63 - suffix.len() - 1;
                let stem: String = self.0.chars().take(room).collect();
                Self::try_from(format!("{}-{suffix}", stem.trim_end_matches('-'))).ok()
            })
            .collect()
    }
}

impl TryFrom<String> for Slug {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self, Problem> {
        if !(3..=63).contains(&text.len()) {
            return Err(Problem::new("invalid_length", "Use 3 to 63 characters."));
        }
        if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return Err(Problem::new(
                "invalid_characters",
                "Use lower-case letters a–z, digits and hyphens only.",
            ));
        }
        if text.starts_with('-') || text.ends_with('-') {
            return Err(Problem::new("invalid_hyphen", "A hyphen can't be the first or the last character."));
        }
        if text.starts_with("xn--") {
            return Err(Problem::new("punycode", "Names that start with xn-- are not possible."));
        }
        if RESERVED.contains(&text.as_str()) {
            return Err(Problem::new("reserved", "This name is reserved. Please choose another."));
        }
        Ok(Self(text))
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> &'static str {
        Slug::try_from(text.to_owned()).expect_err(text).code
    }

    #[test]
    fn every_rule_has_its_word() {
        assert_eq!(refusal("ab"), "invalid_length");
        assert_eq!(refusal(&"a".repeat(64)), "invalid_length");
        assert_eq!(refusal("Riverside"), "invalid_characters");
        assert_eq!(refusal("river side"), "invalid_characters");
        assert_eq!(refusal("fußball"), "invalid_characters");
        assert_eq!(refusal("---"), "invalid_hyphen");
        assert_eq!(refusal("abc-"), "invalid_hyphen");
        assert_eq!(refusal("xn--80ak6aa92e"), "punycode");
        for word in ["www", "signup", "admin", "health", "metrics", "ops", "internal"] {
            assert_eq!(refusal(word), "reserved", "{word}");
        }
    }

    #[test]
    fn the_longest_and_shortest_are_accepted() {
        for text in ["abc".to_owned(), "1fc".to_owned(), "a".repeat(63)] {
            assert_eq!(Slug::try_from(text.clone()).unwrap().as_str(), text);
        }
    }

    #[test]
    fn alternatives_are_slugs_and_differ() {
        let slug = Slug::try_from("a".repeat(63)).unwrap();
        let others = slug.alternatives();
        assert_eq!(others.len(), 5);
        assert!(others.iter().all(|o| *o != slug && o.as_str().len() <= 63));
    }
}
