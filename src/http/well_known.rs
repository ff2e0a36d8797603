//! What is asked for at addresses that everybody knows, and that are no routes of the API: `robots.txt`, `security.txt`, and where the
//! signup has been before.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Method, StatusCode, Uri, header};

use crate::domain::{Config, Timestamp};

use super::{error::ApiError, router::RouteName};

/// Where older pages and mails lead people who want to sign up.
const ENTRANCES: [&str; 2] = ["/signup", "/onboarding"];
/// Crawlers have no business at the API, nor where people sign in.
const CLOSED: [&str; 7] = ["/api/", "/auth/", "/health", "/internal/", "/magic/", "/proof/", "/public/"];
/// For so many days `security.txt` is said to be true. The standard wants less than a year.
const TRUE_FOR_DAYS: i64 = 180;

/// The answer, if the address is one of these.
pub(super) fn answer(config: &Config, now: Timestamp, method: &Method, uri: &Uri) -> Option<Response> {
    let path = uri.path();
    let (name, answer) = match path {
        "/robots.txt" => ("/robots.txt", text(robots(config))),
        "/.well-known/security.txt" | "/security.txt" => {
            ("/.well-known/security.txt", text(security(config.support_address()?.as_str(), now)))
        }
        _ => {
            let asked = path.strip_suffix('/').unwrap_or(path);
            let entrance = ENTRANCES.into_iter().find(|entrance| entrance.eq_ignore_ascii_case(asked))?;
            (entrance, to_the_signup(uri.query()))
        }
    };
    let mut answer = match *method {
        Method::GET | Method::HEAD => answer,
        _ => {
            let mut refusal = ApiError::method_not_allowed().into_response();
            refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET,HEAD"));
            refusal
        }
    };
    answer.extensions_mut().insert(RouteName(name.to_owned()));
    Some(answer)
}

fn text(text: String) -> Response {
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// Only the real thing is for crawlers.
fn robots(config: &Config) -> String {
    let closed = if config.is_production() { &CLOSED[..] } else { &["/"] };
    let lines: String = closed.iter().map(|path| format!("Disallow: {path}\n")).collect();
    format!("User-agent: *\n{lines}")
}

/// RFC 9116.
fn security(contact: &str, now: Timestamp) -> String {
    const DAY: i64 = 24 * 3600;
    let expires = Timestamp::from_seconds((now.seconds().div_euclid(DAY) + TRUE_FOR_DAYS) * DAY);
    format!("Contact: mailto:{contact}\nExpires: {}\nPreferred-Languages: en, de\n", expires.rfc3339())
}

/// What the address says beyond its path, a promo code perhaps, goes along. The browser adds what stands behind `#`.
fn to_the_signup(query: Option<&str>) -> Response {
    let place = query.map_or_else(|| "/".to_owned(), |query| format!("/?{query}"));
    let mut answer = (StatusCode::FOUND, Body::empty()).into_response();
    if let Ok(place) = HeaderValue::from_str(&place) {
        answer.headers_mut().insert(header::LOCATION, place);
    }
    answer
}
