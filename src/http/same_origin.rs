//! Where a browser's request comes from: a form of any other site may post to us, with whatever the browser adds to it.

use http::{HeaderMap, header::ORIGIN};

use crate::domain::Config;

/// Whether a browser says that another site sent this; `own` is the origin that was asked. Sites on the same domain are others, too.
/// What sends neither header is no browser that could be made to send it.
pub fn is_cross_site(headers: &HeaderMap, own: &str) -> bool {
    match (headers.get("sec-fetch-site"), headers.get(ORIGIN)) {
        // `none` is the person alone: no page caused it.
        (Some(site), _) => site != "same-origin" && site != "none",
        (None, Some(origin)) => origin != own,
        (None, None) => false,
    }
}

/// Whether a browser says that our own page sent this; `own` is that page's origin. For a cookie nothing less will do: neither a
/// person who typed the address, nor a browser that is silent.
pub fn is_own(headers: &HeaderMap, own: &str) -> bool {
    match (headers.get("sec-fetch-site"), headers.get(ORIGIN)) {
        (Some(site), None) => site == "same-origin",
        // A page without a referrer may send no origin, either.
        (Some(site), Some(origin)) => site == "same-origin" && (origin == own || origin == "null"),
        (None, Some(origin)) => origin == own,
        (None, None) => false,
    }
}

/// Whether a browser says where this comes from.
pub fn is_told(headers: &HeaderMap) -> bool {
    headers.contains_key("sec-fetch-site") || headers.contains_key(ORIGIN)
}

/// The one origin at which a sign-in by cookie counts, if that is where we were `asked`: that of the console. Clients write the `Host` of a request, and a tenant's own
/// host leads here, too; so where the console is configured, what was `asked` decides nothing. It does in development only.
pub fn console_origin(config: &Config, asked: &str) -> Option<String> {
    let asked = origin_of(asked)?;
    let is_console =
        config.admin_console_url.is_empty() || origin_of(&config.admin_console_url).as_ref() == Some(&asked);
    is_console.then_some(asked)
}

/// The origin of a URL as browsers write it.
fn origin_of(url: &str) -> Option<String> {
    let url: http::Uri = url.parse().ok()?;
    let (scheme, host) = (url.scheme_str()?, url.host()?.to_ascii_lowercase());
    let port = url.port_u16().filter(|port| *port != if scheme == "http" { 80 } else { 443 });
    Some(port.map_or_else(|| format!("{scheme}://{host}"), |port| format!("{scheme}://{host}:{port}")))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn judged(site: &str, origin: &str) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in [("sec-fetch-site", site), ("origin", origin)] {
            if !value.is_empty() {
                headers.insert(name, HeaderValue::from_str(value).unwrap());
            }
        }
        is_cross_site(&headers, "https://clubs.example")
    }

    #[test]
    fn our_own_pages_and_whoever_is_no_browser_are_not_another_site() {
        for (site, origin) in [
            ("same-origin", "https://clubs.example"),
            ("same-origin", "null"),
            ("same-origin", ""),
            ("none", ""),
            ("", "https://clubs.example"),
            ("", ""),
        ] {
            assert!(!judged(site, origin), "{site} {origin}");
        }
    }

    #[test]
    fn everybody_else_is() {
        for (site, origin) in [
            ("cross-site", "https://evil.example"),
            ("cross-site", "https://clubs.example"),
            ("same-site", "https://fc-nord.clubs.example"),
            ("Same-Origin", ""),
            ("same-origin, cross-site", ""),
            ("", "null"),
            ("", "https://evil.example"),
            ("", "http://clubs.example"),
            ("", "https://clubs.example.evil.example"),
            ("", "https://clubs.example:8443"),
            ("", "https://fc-nord.clubs.example"),
        ] {
            assert!(judged(site, origin), "{site} {origin}");
        }
    }

    #[test]
    fn a_cookie_is_sent_by_our_own_page_alone() {
        const OWN: &str = "https://clubs.example";
        for (site, origin, is_ours) in [
            ("same-origin", OWN, true),
            ("same-origin", "", true),
            ("", OWN, true),
            ("same-origin", "null", true),
            ("same-origin", "https://fc-nord.clubs.example", false),
            ("same-site", OWN, false),
            ("cross-site", OWN, false),
            ("none", "", false),
            ("none", OWN, false),
            ("Same-Origin", "", false),
            ("", "null", false),
            ("", "https://clubs.example:444", false),
            ("", "", false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [("sec-fetch-site", site), ("origin", origin)] {
                if !value.is_empty() {
                    headers.insert(name, HeaderValue::from_str(value).unwrap());
                }
            }
            assert_eq!(is_own(&headers, OWN), is_ours, "{site} {origin}");
        }
    }

    #[test]
    fn a_cookie_counts_at_the_console_alone() {
        let origin = |console: &str, asked: &str| {
            let mut config = Config::read(|_| None, false);
            console.clone_into(&mut config.admin_console_url);
            console_origin(&config, asked)
        };
        for (console, asked, counts_at) in [
            ("https://Syston.app:443/console/", "https://syston.app", Some("https://syston.app")),
            ("https://syston.app", "https://SYSTON.app:443", Some("https://syston.app")),
            ("http://localhost:8787", "http://localhost:8787", Some("http://localhost:8787")),
            ("", "http://127.0.0.1:8787", Some("http://127.0.0.1:8787")),
            ("", "http://[::1]:80", Some("http://[::1]")),
            ("https://syston.app", "https://fc-nord.syston.app", None),
            ("https://syston.app", "http://syston.app", None),
            ("https://syston.app", "https://syston.app:8443", None),
            ("https://syston.app", "https://tenantry.example.workers.dev", None),
            ("nonsense", "https://syston.app", None),
            ("", "nonsense", None),
        ] {
            assert_eq!(origin(console, asked).as_deref(), counts_at, "{console} {asked}");
        }
    }
}
