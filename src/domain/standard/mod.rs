//! What standards say of text, of the names of hosts and of URLs.
//!
//! The runtime knows all of it, and its tables would be a fifth of the Worker: there it is asked. On the host crates know it. Both give
//! the same answers; `tests/e2e/standards.test.mjs` holds them against each other.

#[cfg_attr(target_arch = "wasm32", path = "runtime.rs")]
#[cfg_attr(not(target_arch = "wasm32"), path = "crates.rs")]
mod by;

pub(crate) use by::{is_accent, is_assigned, is_joiner, is_mark, nfc, nfkd};

/// An absolute URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// All of it, as it is called, without a fragment.
    pub text: String,
    /// The scheme: `https`.
    pub scheme: String,
    /// The host, in lower case and as DNS has it; empty if there is none.
    pub host: String,
    /// The path.
    pub path: String,
    /// Whether it names a port that is not the scheme's own.
    pub names_port: bool,
    /// Whether it names a user or a password.
    pub has_credentials: bool,
}

impl Address {
    /// Reads a URL.
    pub fn parse(text: &str) -> Option<Self> {
        by::address(text, None)
    }

    /// The URL that `reference` means on a page at this one.
    pub fn join(&self, reference: &str) -> Option<Self> {
        by::address(reference, Some(&self.text))
    }

    /// Whether the host is a name, and no address.
    pub fn has_name(&self) -> bool {
        !self.host.is_empty()
            && !self.host.starts_with('[')
            && self.host.parse::<std::net::Ipv4Addr>().is_err()
    }
}

/// A domain as DNS has it: in lower case, with A-labels for what is not ASCII.
pub(crate) fn domain_in_dns(domain: &str) -> Option<String> {
    // What has a meaning in a URL is no part of a name.
    let may_name = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if !domain.chars().all(may_name) {
        return None;
    }
    let ascii = by::to_ascii(domain)?;
    (ascii.len() <= 253 && ascii.split('.').all(is_label)).then_some(ascii)
}

/// Letters, digits and inner hyphens, and no hyphen at an end of what an A-label stands for.
fn is_label(label: &str) -> bool {
    let at_an_end = |label: &str| label.starts_with('-') || label.ends_with('-');
    let meant = label.strip_prefix("xn--").map(idna::punycode::decode_to_string);
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !at_an_end(label)
        && meant.is_none_or(|meant| meant.is_some_and(|meant| !meant.is_empty() && !at_an_end(&meant)))
}
