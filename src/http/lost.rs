//! The page for people at an address where there is nothing: it leads on. Programs get JSON.

use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, Method, header};
use maud::{DOCTYPE, html};

use crate::domain::Config;

use super::routes::public::pages;

/// What the page may do: nothing but show itself.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Where programs ask: no page there, whoever asks.
const OF_PROGRAMS: [&str; 8] =
    ["/api", "/auth", "/health", "/internal", "/metrics", "/public", "/readyz", "/whoami"];

/// The language, the title, what is said, and what leads on.
type Words = (&'static str, &'static str, &'static str, [(&'static str, &'static str); 3]);

const ENGLISH: Words = (
    "en",
    "There is nothing here",
    "The address may be mistyped, or what was here is gone.",
    [("/", "Set up your club"), ("/magic/", "Sign in to your club"), ("/docs/", "For developers")],
);
const GERMAN: Words = (
    "de",
    "Hier ist nichts",
    "Vielleicht hat die Adresse einen Tippfehler, oder was hier war, gibt es nicht mehr.",
    [("/", "Verein einrichten"), ("/magic/", "Beim Verein anmelden"), ("/docs/", "Für Entwickler")],
);

/// Whether a person asks for this in a browser.
pub fn is_asked(method: &Method, path: &str, headers: &HeaderMap) -> bool {
    let is_of_programs = OF_PROGRAMS.iter().any(|prefix| {
        path.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || *prefix == "/health")
    });
    matches!(*method, Method::GET | Method::HEAD)
        && !is_of_programs
        && ranges(headers, header::ACCEPT).any(|(range, weight)| range == "text/html" && weight > 0.0)
}

/// Puts the page in place of the answer's body; the status stays.
pub fn show(config: &Config, headers: &HeaderMap, answer: &mut Response) {
    let (language, title, text, links) = if is_german(headers) { GERMAN } else { ENGLISH };
    let html = html! {
        (DOCTYPE)
        html lang=(language) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · Tenantry" }
                link rel="icon" href="/favicon.svg";
                link rel="stylesheet" href="/css/page.css";
            }
            body {
                main id="main" class="narrow" {
                    div class="sheet" {
                        h1 { (title) }
                        p { (text) }
                        ul {
                            @for (to, name) in links {
                                li { a href=(to) { (name) } }
                            }
                        }
                    }
                }
                (pages::footer(config, language == "de"))
            }
        }
    };
    let parts = answer.headers_mut();
    parts.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    parts.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    *answer.body_mut() = Body::from(html.into_string());
}

/// Whether German is wanted more than English; the first of two that are wanted alike.
fn is_german(headers: &HeaderMap) -> bool {
    let mut best = ("en", 0.0);
    for (range, weight) in ranges(headers, header::ACCEPT_LANGUAGE) {
        let language = range.split('-').next().unwrap_or_default();
        for known in ["de", "en"] {
            if language == known && weight > best.1 {
                best = (known, weight);
            }
        }
    }
    best.0 == "de"
}

/// What a header of ranges lists, in lower case, each with its weight.
fn ranges(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = (String, f32)> {
    let lists = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(|one| {
        let mut parts = one.split(';').map(str::trim);
        let range = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        (range, weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0)))
    })
}
