//! Our pages, as the configuration has them: at which hosts they are, whether they show Turnstile's widget, and what plans cost.

use super::{Config, text, webhook};

/// What the plans cost, in the operator's own words, of those that are configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prices {
    /// `PRICE_STARTER`
    pub starter: Option<String>,
    /// `PRICE_PRO`
    pub pro: Option<String>,
}

/// A price has the length of a label.
const LONGEST_PRICE: usize = 60;

impl Prices {
    /// Reads them through `get`. What is no label is a problem, and is shown to nobody.
    pub fn read(get: impl Fn(&str) -> Option<String>, problems: &mut Vec<String>) -> Self {
        let mut price = |name: &str| {
            let price = text::line(&get(name)?, LONGEST_PRICE).ok();
            if price.is_none() {
                problems.push(format!("{name} is no line of up to {LONGEST_PRICE} characters"));
            }
            price
        };
        Self { starter: price("PRICE_STARTER"), pro: price("PRICE_PRO") }
    }
}

impl Config {
    /// The key of the widget on the page, if there is one and its tokens are looked at.
    pub fn widget_key(&self) -> Option<&str> {
        self.turnstile_secret.as_ref()?;
        self.turnstile_site_key.as_deref().filter(|key| is_site_key(key))
    }

    /// The hosts of our pages: that of the console, and of every other page that may call us from a browser. Where nobody says what
    /// the console is, in development only, it is at the origin that was asked.
    pub fn page_hosts(&self, origin: &str) -> Vec<String> {
        let console = Some(self.admin_console_url.as_str()).filter(|url| !url.is_empty()).unwrap_or(origin);
        let pages = self.cors_allowed.iter().map(String::as_str).filter(|page| !page.contains('*'));
        pages.chain([console]).filter_map(webhook::host_of).collect()
    }
}

/// Whether it can be a widget's key: nothing in it means anything to a page.
pub(super) fn is_site_key(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_pages_are_where_the_configuration_says() {
        let hosts = |console: &str, allowed: &str| {
            let get = |name: &str| match name {
                "ADMIN_CONSOLE_URL" => Some(console.to_owned()),
                "CORS_ALLOWED" => Some(allowed.to_owned()),
                _ => None,
            };
            Config::read(get, false).page_hosts("https://asked.example:8443")
        };
        assert_eq!(hosts("https://syston.app", "https://*.syston.app"), ["syston.app"]);
        assert_eq!(hosts("https://syston.app/", "https://app.example:444"), ["app.example", "syston.app"]);
        assert_eq!(hosts("", ""), ["asked.example"]);
    }
}
