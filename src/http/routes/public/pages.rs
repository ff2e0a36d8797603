//! What the configuration adds to our pages: the widget, prices, and who answers for them. It stands in the pages themselves, so that it
//! is there without a script, and moves nothing when it comes. Where nothing is configured, the pages are the files as they are.

use maud::{Markup, html};

use crate::domain::Config;

use super::widget;

/// The pages that people open.
pub const PAGES: [&str; 6] = ["/", "/magic/", "/proof/", "/docs/", "/help/make/", "/help/make/de/"];

/// Where a page says who answers for it.
const FOOTER: &str = "<footer class=\"foot\"></footer>";
const STARTER: &str = " id=\"price-starter\"></span>";
const PRO: &str = " id=\"price-pro\"></span>";

/// Whether the configuration adds something to a page.
pub fn is_extended(config: &Config, path: &str) -> bool {
    let prices = &config.prices;
    let has_footer = config.answers_to().is_some()
        || [&config.legal.terms, &config.legal.privacy, &config.legal.imprint]
            .iter()
            .any(|link| link.is_some());
    let is_signup = path == "/";
    has_footer
        || is_signup && (prices.starter.is_some() || prices.pro.is_some() || config.widget_key().is_some())
}

/// The page with what the configuration adds; none if it is not the page that it should be.
pub fn page_with(html: &str, config: &Config, path: &str) -> Option<String> {
    let mut page = put(html, FOOTER, &footer(config, html.contains("<html lang=\"de\"")).into_string())?;
    if path == "/" {
        for (mark, price) in [(STARTER, &config.prices.starter), (PRO, &config.prices.pro)] {
            let price = price.as_deref().unwrap_or_default();
            page = put(
                &page,
                mark,
                &format!("{}{}</span>", mark.trim_end_matches("</span>"), html!((price)).into_string()),
            )?;
        }
        if let Some(key) = config.widget_key() {
            page = widget::page_with(&page, key)?;
        }
    }
    Some(page)
}

fn put(html: &str, mark: &str, text: &str) -> Option<String> {
    let (before, after) = html.split_once(mark)?;
    Some(format!("{before}{text}{after}"))
}

/// Who answers for the page. The labels have their keys, for a page that changes its language.
pub fn footer(config: &Config, is_german: bool) -> Markup {
    let legal = &config.legal;
    let links = [
        (&legal.terms, "page.terms", "Terms", "Bedingungen"),
        (&legal.privacy, "page.privacy", "Privacy", "Datenschutz"),
        (&legal.imprint, "page.imprint", "Imprint", "Impressum"),
    ];
    html! {
        footer class="foot" {
            @if let Some(support) = config.answers_to() {
                a href={ "mailto:" (encoded(support.as_str())) } { (support.as_str()) }
            }
            @for (link, key, english, german) in links {
                @if let Some(link) = link {
                    a href=(link) data-t=(key) { (if is_german { german } else { english }) }
                }
            }
        }
    }
}

/// An address within a link: some of its characters mean something there.
fn encoded(address: &str) -> String {
    address
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'@' | b'.' | b'-' | b'_' | b'+' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [&str; 6] = [
        include_str!("../../../../public/index.html"),
        include_str!("../../../../public/magic/index.html"),
        include_str!("../../../../public/proof/index.html"),
        include_str!("../../../../public/docs/index.html"),
        include_str!("../../../../public/help/make/index.html"),
        include_str!("../../../../public/help/make/de/index.html"),
    ];

    fn config(given: &[(&str, &str)]) -> Config {
        let value =
            |name: &str| given.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::read(value, false)
    }

    #[test]
    fn without_a_configuration_every_page_is_the_file_as_it_is() {
        let config = config(&[]);
        for (path, file) in PAGES.into_iter().zip(FILES) {
            assert!(!is_extended(&config, path), "{path}");
            assert_eq!(page_with(file, &config, path).as_deref(), Some(file), "{path}");
        }
    }

    #[test]
    fn every_page_says_who_answers_for_it() {
        let config = config(&[
            ("SUPPORT_EMAIL", "o'neill&co?x@example.org"),
            ("TERMS_URL", "https://example.org/terms?a=1&b=2"),
            ("IMPRINT_URL", "https://example.org/imprint"),
        ]);
        for (path, file) in PAGES.into_iter().zip(FILES) {
            assert!(is_extended(&config, path), "{path}");
            let page = page_with(file, &config, path).unwrap();
            let label = if path.ends_with("/de/") { "Impressum" } else { "Imprint" };
            let footer = page.split_once("<footer class=\"foot\">").unwrap().1;
            assert_eq!(
                footer.split_once("</footer>").unwrap().0,
                format!(
                    "<a href=\"mailto:o%27neill%26co%3Fx@example.org\">o'neill&amp;co?x@example.org</a>\
                     <a href=\"https://example.org/terms?a=1&amp;b=2\" data-t=\"page.terms\">{}</a>\
                     <a href=\"https://example.org/imprint\" data-t=\"page.imprint\">{label}</a>",
                    if path.ends_with("/de/") { "Bedingungen" } else { "Terms" },
                )
            );
        }
    }

    #[test]
    fn prices_stand_beside_their_plans_as_text() {
        let config = config(&[("PRICE_PRO", "19 € <a month>")]);
        assert!(is_extended(&config, "/") && !is_extended(&config, "/magic/"));
        let page = page_with(FILES[0], &config, "/").unwrap();
        assert!(
            page.contains("id=\"price-pro\">19 € &lt;a month&gt;</span>")
                && page.contains("id=\"price-starter\"></span>")
        );
    }
}
