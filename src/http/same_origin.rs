//! Where a browser's request comes from: a form of any other site may post to us, with whatever the browser adds to it.

use http::{HeaderMap, header::ORIGIN};

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
}
