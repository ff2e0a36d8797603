//! The cookie of the pages: a token of ours that scripts can't read.
//!
//! Its name makes browsers refuse it from any other host, those below and beside ours included, and over plain HTTP.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};

use crate::store::sessions::SESSION_SECONDS;

/// Its name.
pub const NAME: &str = "__Host-tenantry";

/// The values that a request has for it. More than one means that somebody else put one there.
pub fn sent(headers: &HeaderMap) -> Vec<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|value| value.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .filter(|(name, _)| name.trim_end() == NAME)
        .map(|(_, value)| value.trim())
        .collect()
}

/// Puts it on an answer, unless the answer has one already.
pub fn put(headers: &mut HeaderMap, token: &str) {
    set(headers, token, SESSION_SECONDS);
}

/// Has the browser forget it, and what else it keeps of us.
pub fn clear(mut response: Response) -> Response {
    let headers = response.headers_mut();
    set(headers, "", 0);
    headers.insert("clear-site-data", HeaderValue::from_static("\"cookies\", \"storage\""));
    response
}

fn set(headers: &mut HeaderMap, value: &str, seconds: i64) {
    let cookie = format!("{NAME}={value}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite=Strict");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        headers.entry(header::SET_COOKIE).or_insert(cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others_by_its_whole_name() {
        for (lines, expected) in [
            (&["__Host-tenantry=a.b.c"][..], &["a.b.c"][..]),
            (&["x=1; __Host-tenantry=a.b.c;y=2"], &["a.b.c"]),
            (&["x=1", "__Host-tenantry=a"], &["a"]),
            (&["__Host-tenantry=a; __Host-tenantry=b"], &["a", "b"]),
            (&["__Host-tenantry=a", "__Host-tenantry=a"], &["a", "a"]),
            (&["__Host-tenantry="], &[""]),
            (&["__host-tenantry=a; tenantry=b; __Host-tenantry2=c; x=__Host-tenantry=d"], &[]),
            (&["__Host-tenantry"], &[]),
            (&[], &[]),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::COOKIE, HeaderValue::from_str(line).unwrap());
            }
            assert_eq!(sent(&headers), expected, "{lines:?}");
        }
    }
}
