//! The tenant's name in addresses.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{field_errors::InvalidValue, text};

/// Names that the service, mail, certificates, DNS or proxies need for themselves, or that could be taken for its operators':
/// one a line, in order, without hyphens. They are the union of the lists of reserved-slugs, reserved-usernames,
/// The-Big-Username-Blocklist and Zulip. Added are names that prove control of certificates and mail (the CA/Browser Forum's
/// baseline, RFC 2142). So are names that programs look up by themselves (wpad, autodiscover, mta-sts and their like), and
/// our own.
const RESERVED: &str = include_str!("reserved.txt");

/// Names of machines, which are numbered: one a line, in order.
const NUMBERED: &str = include_str!("numbered.txt");

/// Whether a name is kept for the service, however it is hyphenated or numbered.
fn is_reserved(slug: &str) -> bool {
    let name = slug.replace('-', "");
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem.len() < name.len() && NUMBERED.lines().any(|word| word == stem))
        || RESERVED.lines().any(|word| word == name)
}

/// 3–63 of `a-z0-9-`, no hyphen at either end nor in the third and fourth place together, not reserved: a DNS label of the tenant's
/// own.
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
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Slugs close to `text`, for somebody whose first choice is gone or reserved.
    pub fn close_to(text: &str) -> Vec<Self> {
        ["club", "2", "team", "sc", "3"]
            .iter()
            .filter_map(|suffix| {
                let room = 63 - suffix.len() - 1;
                let stem: String = text.chars().take(room).collect();
                Self::try_from(format!("{}-{suffix}", stem.trim_end_matches('-'))).ok()
            })
            .collect()
    }
}

impl TryFrom<String> for Slug {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        let text = text::read(&text)?;
        if !(3..=63).contains(&text.len()) {
            return Err(InvalidValue::new("invalid_length", "Use 3 to 63 characters."));
        }
        if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return Err(InvalidValue::new(
                "invalid_characters",
                "Use lower-case letters a–z, digits and hyphens only.",
            ));
        }
        if text.starts_with('-') || text.ends_with('-') {
            return Err(InvalidValue::new(
                "invalid_hyphen",
                "A hyphen can't be the first or the last character.",
            ));
        }
        if text.starts_with("xn--") {
            return Err(InvalidValue::new("punycode", "Names that start with xn-- are not possible."));
        }
        if text.get(2..4) == Some("--") {
            let message = "The third and the fourth character can't both be hyphens.";
            return Err(InvalidValue::new("invalid_hyphen", message));
        }
        if is_reserved(&text) {
            return Err(InvalidValue::new("reserved", "This name is reserved. Please choose another."));
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
        assert_eq!(refusal("ab--cd"), "invalid_hyphen");
        assert_eq!(refusal("bq--1k2n4h4b"), "invalid_hyphen");
        assert_eq!(Slug::try_from("abc--d".to_owned()).unwrap().as_str(), "abc--d");
        assert_eq!(Slug::try_from("\u{feff}fc-nord \u{200b}".to_owned()).unwrap().as_str(), "fc-nord");
        assert_eq!(refusal("fc\u{2028}nord"), "invalid_characters");
    }

    #[test]
    fn what_mail_proxies_certificates_and_we_need_is_reserved() {
        let words = "www signup admin health metrics ops internal administrator webmaster hostmaster postmaster ssladmin \
                     sslwebmaster ssladministrator sysadmin root abuse noc security info wpad isatap autodiscover \
                     autoconfig mta-sts lyncdiscover smtp imap pop3 webmail dkim dmarc mailer-daemon no-reply noreply \
                     well-known acme localhost localdomain broadcasthost ns1 ns42 mx10 www3 mail2 web-master \
                     post-master tenantry syston syston-app tenant-ry whoami billing login account support cpanel";
        for word in words.split_whitespace() {
            assert_eq!(refusal(word), "reserved", "{word}");
        }
        for name in
            ["fc-nord", "riverside", "rovers", "sv-1860", "tus-admin", "wpad-fc", "1860", "united", "mailand"]
        {
            assert!(Slug::try_from(name.to_owned()).is_ok(), "{name}");
        }
    }

    #[test]
    fn the_list_is_in_order_and_says_nothing_twice() {
        let words: Vec<&str> = RESERVED.lines().collect();
        assert!(words.is_sorted_by(|one, next| one < next) && words.len() > 1000);
        assert!(
            words
                .iter()
                .all(|word| word.len() > 2
                    && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
        );
    }

    #[test]
    fn who_wanted_a_reserved_name_gets_others() {
        for word in ["admin", "mail", "www", "wpad"] {
            let others = Slug::close_to(word);
            assert!(
                others.len() > 2 && others.iter().all(|other| other.as_str().starts_with(word)),
                "{word}: {others:?}"
            );
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
        let others = Slug::close_to(slug.as_str());
        assert_eq!(others.len(), 5);
        assert!(others.iter().all(|o| *o != slug && o.as_str().len() <= 63));
    }
}
