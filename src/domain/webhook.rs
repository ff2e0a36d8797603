//! Where a tenant's webhook is.

use super::{field_errors::InvalidValue, standard::Address, text};

/// The hosts that Make shows people for their webhooks.
pub const MAKES_HOSTS: &str = "hook.make.com,hook.*.make.com,hook.*.make.celonis.com,hook.integromat.com";

/// The hosts a webhook may be on: names, in which a `*` stands for one label. Empty means none.
#[derive(Debug, Clone, Default)]
pub struct AllowedHosts(Vec<String>);

impl AllowedHosts {
    /// From the comma-separated configuration value.
    pub fn parse(list: &str) -> Self {
        Self(list.split(',').map(|h| h.trim().to_ascii_lowercase()).filter(|h| !h.is_empty()).collect())
    }

    /// Whether `host` (lower case, as the `url` crate gives it) is on the list.
    pub fn allows(&self, host: &str) -> bool {
        self.0.iter().any(|pattern| matches(pattern, host))
    }

    /// The first on the list that can't be meant: no name, or open to whoever registers one.
    pub fn nonsense(&self) -> Option<&str> {
        self.0.iter().map(String::as_str).find(|pattern| {
            let mut labels = pattern.rsplit('.');
            let ending = [labels.next(), labels.next()];
            let fixed = ending.iter().all(|label| label.is_some_and(is_label));
            !fixed || !labels.all(|label| label == "*" || is_label(label))
        })
    }
}

fn matches(pattern: &str, host: &str) -> bool {
    let (mut pattern, mut host) = (pattern.split('.'), host.split('.'));
    loop {
        match (pattern.next(), host.next()) {
            (None, None) => return true,
            (Some("*"), Some(label)) if is_label(label) => {}
            (Some(wanted), Some(label)) if wanted == label && is_label(label) => {}
            _ => return false,
        }
    }
}

/// Letters, digits and inner hyphens: what a label of a host's name is made of.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// The address of a webhook: `https`, no credentials, no port, a name on an allowed host, a path; ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(utoipa::ToSchema),
    schema(
        value_type = String,
        format = "uri",
        max_length = 2048,
        pattern = "^https://[^/?#\\\\]+/",
        example = "https://hook.eu2.make.com/abc123"
    )
)]
pub struct WebhookUrl(Address);

impl WebhookUrl {
    /// The one rule for every caller who brings one.
    pub fn parse(text: &str, allowed: &AllowedHosts) -> Result<Self, InvalidValue> {
        let text = text::read(text).map_err(|problem| invalid(&problem.message))?;
        // What can't be seen, or looks like something else, would become part of the address.
        if !text.is_ascii() {
            return Err(invalid("Enter the whole webhook address, in plain letters, digits and signs."));
        }
        let url = Self::stored(&text, allowed)?;
        if url.0.path.bytes().all(|b| b == b'/') {
            return Err(invalid("The address must not end after the host. Copy all of it."));
        }
        Ok(url)
    }

    /// One that is stored is read as it is, whatever rule came later. Whether its host is on the list is judged again.
    pub fn stored(text: &str, allowed: &AllowedHosts) -> Result<Self, InvalidValue> {
        let url = Self::well_formed(text)?;
        if !allowed.allows(&url.0.host) {
            return Err(refused("Webhooks on this host are not possible. Use the one that Make shows you."));
        }
        Ok(url)
    }

    /// The operators' own, on any host that has a name in the public DNS.
    pub fn on_any_host(text: &str) -> Result<Self, InvalidValue> {
        let url = Self::well_formed(text)?;
        let mut labels = url.0.host.rsplit('.');
        let is_local = matches!(labels.next(), None | Some("localhost"));
        if is_local || labels.next().is_none() || !url.0.host.split('.').all(is_label) {
            return Err(refused("The address must name a public host."));
        }
        Ok(url)
    }

    fn well_formed(text: &str) -> Result<Self, InvalidValue> {
        // The parser forgives backslashes, tabs and control characters; whoever typed them gets told instead.
        if text.len() > 2048
            || text.contains('\\')
            || text.chars().any(|c| c.is_control() || c.is_whitespace())
        {
            return Err(invalid("Enter the whole webhook address, without spaces."));
        }
        let url =
            Address::parse(text).ok_or_else(|| invalid("Enter the whole webhook address: https://…"))?;
        if url.scheme != "https" {
            return Err(refused("The address must start with https://."));
        }
        if url.has_credentials {
            return Err(refused("The address must not contain a user name or password."));
        }
        if url.names_port {
            return Err(refused("The address must not name a port."));
        }
        if !url.has_name() {
            return Err(refused("The address must name a host, not a number."));
        }
        Ok(Self(url))
    }

    /// As stored and called: serialised by the parser, so that nothing reads it differently.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// What a log may show.
    pub fn host(&self) -> &str {
        &self.0.host
    }
}

/// The host of a stored webhook: all of it that may be shown.
pub fn host_of(url: &str) -> Option<String> {
    Address::parse(url).map(|url| url.host).filter(|host| !host.is_empty())
}

fn refused(message: &str) -> InvalidValue {
    InvalidValue::new("host_not_allowed", message)
}

fn invalid(message: &str) -> InvalidValue {
    InvalidValue::new("invalid_url", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<WebhookUrl, InvalidValue> {
        WebhookUrl::parse(text, &AllowedHosts::parse(MAKES_HOSTS))
    }

    #[test]
    fn a_make_address_is_accepted_and_stored_serialised() {
        assert_eq!(
            parse("https://HOOK.eu2.Make.com/abc#x").unwrap().as_str(),
            "https://hook.eu2.make.com/abc"
        );
        assert_eq!(
            parse("\u{feff}https://hook.make.com/a\u{200b} ").unwrap().as_str(),
            "https://hook.make.com/a"
        );
        assert_eq!(parse("https://hook.make.com:443/a").unwrap().as_str(), "https://hook.make.com/a");
    }

    #[test]
    fn every_known_way_around_is_refused() {
        for text in [
            "http://hook.make.com/a",
            "https://evilmake.com/a",
            "https://make.com.evil.com/a",
            "https://hook.make.com.evil.com/a",
            "https://make.com/a",
            "https://.make.com/a",
            "https://hook.make.com./a",
            "https://hook.make.com:8443/a",
            "https://user@hook.make.com/a",
            "https://user:pw@hook.make.com/a",
            "https://hook.make.com@evil.com/a",
            "https://evil.com\\@hook.make.com/a",
            "https:\\\\hook.make.com/a",
            "https://evil.com#@hook.make.com",
            "https://evil.com/?https://hook.make.com",
            "https://127.0.0.1/a",
            "https://2130706433/a",
            "https://0177.0.0.1/a",
            "https://0x7f.1/a",
            "https://127.1/a",
            "https://１２７.0.0.1/a",
            "https://hook.ｍake.com/a",
            "https://hook。make.com/a",
            "https://ho\u{ad}ok.make.com/a",
            "https://[::1]/a",
            "https://[::ffff:127.0.0.1]/a",
            "https://localhost/a",
            "javascript:alert(1)",
            "//hook.make.com/a",
            "hook.make.com/a",
            "https://hook.make.com/a b",
            "https://hook.make.com/\r\nX: y",
            "https://hook.make.com",
            "https://hook.make.com/",
            "https://hook.make.com//",
            "https://hook.make.com/./",
            "https://hook.make.com/a/..",
            "https://hook.make.com/%2e%2e",
            "https://hook.make.com/?a=b",
            "https://hook.make.com/#a",
            "https://hook.make.com/ä",
            "https://hook.eu2.make.com/ａ",
            "https://hook_.eu2.make.com/a",
            "https://hook.e_u2.make.com/a",
            "https://hook.-eu2.make.com/a",
            "https://hook.eu2-.make.com/a",
            "https://hook..make.com/a",
            "https://hook.a.b.make.com/a",
            "https://www.make.com/a",
            "https://eu2.make.com/a",
            "https://hook.make.celonis.com/a",
            "https://hook.eu1.integromat.com/a",
            "",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_empty_list_allows_nothing() {
        assert!(WebhookUrl::parse("https://hook.make.com/a", &AllowedHosts::parse(" , ")).is_err());
    }

    #[test]
    fn makes_own_hosts_are_the_default() {
        for host in [
            "hook.make.com",
            "hook.eu1.make.com",
            "hook.us2.make.com",
            "hook.eu1.make.celonis.com",
            "hook.integromat.com",
        ] {
            assert!(parse(&format!("https://{host}/a")).is_ok(), "{host}");
        }
    }

    #[test]
    fn a_star_stands_for_one_label() {
        let allows = |pattern: &str, host: &str| AllowedHosts::parse(pattern).allows(host);
        assert!(allows("*.example.com", "a.example.com") && allows("A.*.Example.com", "a.b.example.com"));
        for (pattern, host) in [
            ("*.example.com", "example.com"),
            ("*.example.com", "a.b.example.com"),
            ("*.example.com", ".example.com"),
            ("*.example.com", "aexample.com"),
            ("a*.example.com", "ab.example.com"),
            ("a.*.example.com", "a.example.com"),
            ("*.*.example.com", "a.example.com"),
            ("*", "example.com"),
        ] {
            assert!(!allows(pattern, host), "{pattern} {host}");
        }
    }

    #[test]
    fn a_list_that_cannot_be_meant_is_told() {
        let nonsense = |list: &str| AllowedHosts::parse(list).nonsense().map(str::to_owned);
        for list in [MAKES_HOSTS, "", "hooks.example.com", "*.example.com", "a.*.*.example.com"] {
            assert_eq!(nonsense(list), None, "{list}");
        }
        for one in [
            "*",
            "*.com",
            "a.*",
            "hook*.make.com",
            "https://hook.make.com",
            "hook.make.com/a",
            "hook.make.com:443",
            "localhost",
            "hook_.make.com",
            "hook..make.com",
            "bücher.example",
        ] {
            assert_eq!(nonsense(&format!("hook.make.com,{one}")), Some(one.to_owned()));
        }
    }

    /// It was stored when that was possible, and its tenant lives on it.
    #[test]
    fn what_is_stored_is_read_as_it_is() {
        let allowed = AllowedHosts::parse(MAKES_HOSTS);
        for text in ["https://hook.make.com/", "https://hook.make.com/?a=b", "https://hook.make.com/ä"] {
            assert!(parse(text).is_err() && WebhookUrl::stored(text, &allowed).is_ok(), "{text}");
        }
        for text in ["https://evil.com/a", "http://hook.make.com/a"] {
            assert!(WebhookUrl::stored(text, &allowed).is_err(), "{text}");
        }
    }
}
