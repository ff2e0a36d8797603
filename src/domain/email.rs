//! Electronic mail addresses.

use std::fmt;

use email_address::{EmailAddress, Options};
use serde::{Deserialize, Serialize};

use super::{field_errors::InvalidValue, standard::domain_in_dns, text};

/// The longest address that mail servers take.
const LONGEST: usize = 254;

/// A syntactically valid address, stored normalised: trimmed, lower case, its domain as DNS has it. So one mailbox is one owner.
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
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The mailbox as most mail servers have it: what stands behind a plus is for its owner's own order.
    pub fn mailbox(&self) -> String {
        let (local, domain) = self.0.rsplit_once('@').unwrap_or(("", ""));
        let mailbox = local.split_once('+').map_or(local, |(mailbox, _)| mailbox);
        format!("{}@{domain}", if mailbox.is_empty() { local } else { mailbox })
    }

    /// What a log may show: the first character and the domain.
    pub fn masked(&self) -> String {
        let (local, domain) = self.0.rsplit_once('@').unwrap_or(("", ""));
        let first: String = local.chars().take(1).collect();
        format!("{first}***@{domain}")
    }
}

impl TryFrom<String> for Email {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        let invalid = |message: &str| InvalidValue::new("invalid_email", message);
        let shape = || invalid("Enter an address like name@example.org.");
        let text = text::read(&text).map_err(|problem| invalid(&problem.message))?;
        let (local, domain) = text.rsplit_once('@').ok_or_else(shape)?;
        if let Some(hidden) = text.chars().find(|c| text::is_blank(*c)) {
            let code = u32::from(hidden);
            return Err(invalid(&format!(
                "There is a blank or an invisible character in this address (U+{code:04X})."
            )));
        }
        if !local.is_ascii() {
            return Err(invalid("Before the @ an address can have a–z, digits and signs only."));
        }
        let domain =
            in_dns(domain).ok_or_else(|| invalid("What follows the @ is no domain that can get mail."))?;
        let address = format!("{}@{domain}", local.to_ascii_lowercase());
        if address.len() > LONGEST {
            return Err(invalid("This address is too long."));
        }
        // No quoted local parts, address literals or display names: no tenant has one, and mail providers refuse them.
        let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
        match EmailAddress::parse_with_options(&address, options) {
            Ok(parsed) if !parsed.local_part().starts_with('"') => Ok(Self(address)),
            _ => Err(shape()),
        }
    }
}

/// A domain as DNS has it, if it can get mail: with names of its own script as A-labels, and below a top-level domain, which has
/// letters only.
fn in_dns(domain: &str) -> Option<String> {
    let ascii = domain_in_dns(domain)?;
    let (_, top) = ascii.rsplit_once('.')?;
    let is_top = top.starts_with("xn--") || (top.len() > 1 && top.bytes().all(|b| b.is_ascii_lowercase()));
    is_top.then_some(ascii)
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(text: &str) -> Result<Email, InvalidValue> {
        Email::try_from(text.to_owned())
    }

    #[test]
    fn one_mailbox_is_one_address() {
        assert_eq!(email(" Ann@Example.ORG ").unwrap().as_str(), "ann@example.org");
        assert_eq!(email("ann+club@example.co.uk").unwrap().as_str(), "ann+club@example.co.uk");
        assert_eq!(email("\u{feff}ann@example.org\u{200b}").unwrap().as_str(), "ann@example.org");
    }

    #[test]
    fn a_domain_of_any_script_is_stored_as_dns_has_it() {
        for text in [
            "ann@müller.de",
            "ann@mu\u{308}ller.de",
            "Ann@MÜLLER.de",
            "ann@xn--mller-kva.de",
            "ann@müller．de",
        ] {
            assert_eq!(email(text).unwrap().as_str(), "ann@xn--mller-kva.de", "{text}");
        }
        assert_eq!(email("ann@пример.рф").unwrap().as_str(), "ann@xn--e1afmkfd.xn--p1ai");
        assert_eq!(email("ann@例え。テスト").unwrap().as_str(), "ann@xn--r8jz45g.xn--zckzah");
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
            "ann@example.123",
            "ann@127.0.0.1",
            "ann@127.1",
            "ann@0x7f.1",
            "ann@example.o",
            "ann@example.c0m",
            "ann@example.org.",
            "ann@.example.org",
            "ann@-example.org",
            "ann@example-.org",
            "ann@exam_ple.org",
            "ann@example,org",
            "ann@xn--.org",
            "ann@xn--a.org",
            "ann@exam\u{200b}ple.org",
            "a\u{a0}nn@example.org",
            "ann@exam\u{2028}ple.org",
            "ann@☃\u{fffd}.org",
            ".ann@example.org",
            "ann.@example.org",
            "a..nn@example.org",
            "(ann)@example.org",
            "ann@example.org, bob@example.org",
            "\u{200b}",
        ] {
            assert!(email(text).is_err(), "{text:?}");
        }
        for (local, domain) in [
            ("a".repeat(65), "example.org".to_owned()),
            ("a".to_owned(), format!("{}.org", "a".repeat(64))),
            ("a".to_owned(), format!("{}org", "a.".repeat(126))),
            ("a".repeat(64), format!("{}org", format!("{}.", "a".repeat(63)).repeat(3))),
            ("a".to_owned(), format!("{}.org", "ü".repeat(60))),
        ] {
            assert!(email(&format!("{local}@{domain}")).is_err(), "{local}@{domain}");
        }
        assert!(email(&format!("{}@{}.org", "a".repeat(64), "a".repeat(63))).is_ok());
    }

    #[test]
    fn what_nobody_sees_in_an_address_is_named() {
        assert!(email("ann@exam\u{200b}ple.org").unwrap_err().message.contains("U+200B"));
        assert!(email("ann@exam\u{202e}ple.org").unwrap_err().message.contains("U+202E"));
    }

    #[test]
    fn a_mailbox_has_many_addresses_by_a_plus_and_none_by_a_dot() {
        let mailbox = |text: &str| email(text).unwrap().mailbox();
        assert_eq!(mailbox("Ann+club+a@example.org"), "ann@example.org");
        assert_eq!(mailbox("a.nn@example.org"), "a.nn@example.org");
        assert_eq!(mailbox("+a@example.org"), "+a@example.org");
    }

    #[test]
    fn a_log_shows_no_full_address() {
        assert_eq!(email("ann@example.org").unwrap().masked(), "a***@example.org");
    }
}
