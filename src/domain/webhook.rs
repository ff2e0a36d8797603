//! A club's webhook: where it is, and the secret that signs what is sent there.

use url::{Host, Url};

use super::{Secret, issue::Problem};

/// The hosts a webhook may be on: exact names, or `*.suffix` on a label boundary. Empty means none.
#[derive(Debug, Clone, Default)]
pub struct AllowedHosts(Vec<String>);

impl AllowedHosts {
    /// From the comma-separated configuration value.
    #[must_use]
    pub fn parse(list: &str) -> Self {
        Self(list.split(',').map(|h| h.trim().to_ascii_lowercase()).filter(|h| !h.is_empty()).collect())
    }

    /// Whether `host` (lower case, as the `url` crate gives it) is on the list.
    #[must_use]
    pub fn allows(&self, host: &str) -> bool {
        self.0.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(suffix) => {
                host.strip_suffix(suffix).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            None => host == pattern,
        })
    }
}

/// `https`, no credentials, port 443, a name and not an address, on an allowed host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookUrl(Url);

impl WebhookUrl {
    /// The one rule for every caller.
    ///
    /// # Errors
    ///
    /// `invalid_url` when it is no URL, `host_not_allowed` when it is one where no webhook may be.
    pub fn parse(text: &str, allowed: &AllowedHosts) -> Result<Self, Problem> {
        let invalid = |message: &str| Problem::new("invalid_url", message);
        let refused = |message: &str| Problem::new("host_not_allowed", message);
        // The parser forgives backslashes, tabs and control characters; whoever typed them gets told instead.
        if text.len() > 2048
            || text.contains('\\')
            || text.chars().any(|c| c.is_control() || c.is_whitespace())
        {
            return Err(invalid("Enter the whole webhook address, without spaces."));
        }
        let url = Url::parse(text).map_err(|_| invalid("Enter the whole webhook address: https://…"))?;
        if url.scheme() != "https" {
            return Err(refused("The address must start with https://."));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("The address must not contain a user name or password."));
        }
        if url.port().is_some() {
            return Err(refused("The address must not name a port."));
        }
        let Some(Host::Domain(host)) = url.host() else {
            return Err(refused("The address must name a host, not a number."));
        };
        if !allowed.allows(host) {
            return Err(refused("Webhooks on this host are not possible. Use the one that Make shows you."));
        }
        let mut url = url;
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// As stored and called: serialised by the parser, so that nothing reads it differently.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// What a log may show.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }
}

/// The host of a stored webhook: all of it that may be shown.
#[must_use]
pub fn host_of(url: &str) -> Option<String> {
    Url::parse(url).ok()?.host_str().map(str::to_owned)
}

/// The secret that signs what is sent to the webhook: 16–200 printable characters.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookSecret(Secret);

impl WebhookSecret {
    /// The secret itself.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.0
    }
}

impl TryFrom<String> for WebhookSecret {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self, Problem> {
        if text.len() < 16 {
            return Err(Problem::new("too_short", "Use at least 16 characters."));
        }
        if text.len() > 200 {
            return Err(Problem::new("too_long", "Use at most 200 characters."));
        }
        if text.chars().any(char::is_control) {
            return Err(Problem::new(
                "invalid_characters",
                "Line breaks and control characters are not possible.",
            ));
        }
        Ok(Self(Secret::new(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<WebhookUrl, Problem> {
        WebhookUrl::parse(text, &AllowedHosts::parse("hook.make.com, *.make.com"))
    }

    #[test]
    fn a_make_address_is_accepted_and_stored_serialised() {
        assert_eq!(
            parse("https://HOOK.eu2.Make.com/abc#x").unwrap().as_str(),
            "https://hook.eu2.make.com/abc"
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
            "https://[::1]/a",
            "https://[::ffff:127.0.0.1]/a",
            "https://localhost/a",
            "javascript:alert(1)",
            "//hook.make.com/a",
            "hook.make.com/a",
            "https://hook.make.com/a b",
            "https://hook.make.com/\r\nX: y",
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
    fn a_secret_has_sixteen_characters() {
        assert_eq!(WebhookSecret::try_from("a".repeat(15)).unwrap_err().code, "too_short");
        assert!(WebhookSecret::try_from("a".repeat(16)).is_ok());
    }
}
