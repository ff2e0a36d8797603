//! Turnstile's widget on the page: the page says under which key, and its policy lets the widget's script and frame in. Where it is
//! not switched on, the page is the file as it is, and its policy lets nobody else in.

/// Where the widget's script and frame come from.
const ORIGIN: &str = "https://challenges.cloudflare.com";
/// The page's first words, which the key is added to.
const MARK: &str = "data-page=\"signup\"";
const SCRIPTS: &str = "script-src 'self'";

/// The page with the widget's key; none if it is not the page that it should be.
pub fn page_with(html: &str, site_key: &str) -> Option<String> {
    let (before, after) = html.split_once(MARK)?;
    Some(format!("{before}{MARK} data-turnstile=\"{site_key}\"{after}"))
}

/// The page's policy with room for the widget; none if it has no place for scripts.
pub fn policy_with(policy: &str) -> Option<String> {
    let (before, after) = policy.split_once(SCRIPTS)?;
    Some(format!("{before}{SCRIPTS} {ORIGIN}{after}; frame-src {ORIGIN}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../../public/index.html");
    const HEADERS: &str = include_str!("../../../../public/_headers");

    #[test]
    fn the_page_names_the_key_and_is_otherwise_the_same() {
        let with = page_with(PAGE, "1x00AA").unwrap();
        assert!(with.starts_with(
            "<!doctype html>\n<html lang=\"en\" data-page=\"signup\" data-turnstile=\"1x00AA\">\n"
        ));
        assert_eq!(with.replace(" data-turnstile=\"1x00AA\"", ""), PAGE);
        assert!(!PAGE.contains("data-turnstile=") && page_with("<html>", "1x00AA").is_none());
    }

    #[test]
    fn the_policy_lets_the_widget_in_and_nobody_else() {
        let policy =
            HEADERS.lines().find_map(|line| line.trim().strip_prefix("Content-Security-Policy: ")).unwrap();
        assert!(!policy.contains("cloudflare") && !policy.contains("frame-src"));
        let with = policy_with(policy).unwrap();
        assert!(with.contains("script-src 'self' https://challenges.cloudflare.com;"), "{with}");
        assert!(with.ends_with("; frame-src https://challenges.cloudflare.com"), "{with}");
        assert!(
            with.contains("default-src 'none'") && !with.contains("unsafe") && !with.contains('*'),
            "{with}"
        );
        assert!(policy_with("default-src 'none'").is_none());
    }
}
