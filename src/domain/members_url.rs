//! Where a tenant's own members go: a page of the tenant's, which its page at its own address leads to.

use super::{field_errors::InvalidValue, standard::Address, text};

/// The longest address, in characters.
const LONGEST: usize = 2000;

/// `https`, a name in the public DNS, no credentials; as its parser writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(utoipa::ToSchema),
    schema(value_type = String, format = "uri", max_length = 2000, pattern = "^https://", example = "https://members.example.org/")
)]
pub struct MembersUrl(String);

impl MembersUrl {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for MembersUrl {
    type Error = InvalidValue;

    fn try_from(typed: String) -> Result<Self, InvalidValue> {
        let typed = text::line(&typed, LONGEST)?;
        // The parser forgives them; whoever typed them gets told instead.
        if typed.contains('\\') || typed.contains(char::is_whitespace) {
            return Err(invalid("Enter the whole address, without spaces."));
        }
        let (page, place) =
            typed.split_once('#').map_or((typed.as_str(), None), |(page, place)| (page, Some(place)));
        let url = Address::parse(page).ok_or_else(|| invalid("Enter the whole address: https://…"))?;
        if url.scheme != "https" {
            return Err(invalid("The address must start with https://."));
        }
        if url.has_credentials {
            return Err(invalid("The address must not contain a user name or password."));
        }
        if !url.has_public_name() {
            return Err(invalid("The address must name a website that everybody can open."));
        }
        let place = place.map(|place| format!("#{}", plain(place))).unwrap_or_default();
        let url = format!("{}{place}", url.text);
        if url.len() > LONGEST {
            return Err(InvalidValue::new("too_long", format!("Use at most {LONGEST} characters.")));
        }
        Ok(Self(url))
    }
}

/// What stands behind `#`, as a URL has it.
fn plain(place: &str) -> String {
    let mut plain = String::with_capacity(place.len());
    for byte in place.bytes() {
        if byte.is_ascii_graphic() && !b"\"<>`".contains(&byte) {
            plain.push(char::from(byte));
        } else {
            plain.push_str(&format!("%{byte:02X}"));
        }
    }
    plain
}

fn invalid(message: &str) -> InvalidValue {
    InvalidValue::new("invalid_url", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, &'static str> {
        MembersUrl::try_from(text.to_owned()).map(|url| url.0).map_err(|problem| problem.code)
    }

    #[test]
    fn a_page_that_everybody_can_open_is_kept_as_its_parser_writes_it() {
        for (text, kept) in [
            ("https://members.example.org", "https://members.example.org/"),
            (" https://Members.Example.org/a?b=c \u{200b}", "https://members.example.org/a?b=c"),
            ("https://example.org:8443/x", "https://example.org:8443/x"),
            ("https://example.org/app/#/login", "https://example.org/app/#/login"),
            ("https://example.org/#ü\"<x>", "https://example.org/#%C3%BC%22%3Cx%3E"),
            ("https://müller.de/ä", "https://xn--mller-kva.de/%C3%A4"),
            ("HTTPS://example.org", "https://example.org/"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(kept), "{text}");
            assert_eq!(read(kept).as_deref(), Ok(kept), "{kept}");
        }
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        for (text, code) in [
            ("", "required"),
            (" \u{200b}", "required"),
            ("http://example.org/", "invalid_url"),
            ("javascript:alert(1)", "invalid_url"),
            ("data:text/html,x", "invalid_url"),
            ("//example.org/", "invalid_url"),
            ("example.org", "invalid_url"),
            ("https://", "invalid_url"),
            ("https://ann@example.org/", "invalid_url"),
            ("https://ann:secret@example.org/", "invalid_url"),
            ("https://example.org\\@evil.example/", "invalid_url"),
            ("https://example.org/a b", "invalid_url"),
            ("https://127.0.0.1/", "invalid_url"),
            ("https://2130706433/", "invalid_url"),
            ("https://[::1]/", "invalid_url"),
            ("https://localhost/", "invalid_url"),
            ("https://a.localhost/", "invalid_url"),
            ("https://intranet/", "invalid_url"),
            ("https://example.org./", "invalid_url"),
            ("https://exa_mple.org/", "invalid_url"),
            ("https://example.org/\u{202e}x", "invalid_characters"),
            ("https://example.org/\nx", "invalid_characters"),
        ] {
            assert_eq!(read(text), Err(code), "{text:?}");
        }
        assert_eq!(read(&format!("https://example.org/{}", "a".repeat(1981))), Err("too_long"));
        assert_eq!(
            read(&format!("https://example.org/{}", "ä".repeat(700))),
            Err("too_long"),
            "as it is stored"
        );
        assert!(read(&format!("https://example.org/{}", "a".repeat(1980))).is_ok());
    }
}
