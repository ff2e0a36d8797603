//! Cross-origin access: exact origins, or `https://*.example.com` on a label boundary. Never `*`.

use http::{HeaderMap, HeaderValue, Method, header};

/// Whether `origin` is on the list.
pub fn allows(allowed: &[String], origin: &str) -> bool {
    allowed.iter().any(|pattern| match pattern.split_once("*.") {
        Some((scheme, suffix)) => {
            origin.strip_prefix(scheme).and_then(|host| host.strip_suffix(suffix)).is_some_and(|labels| {
                labels.len() > 1
                    && labels.ends_with('.')
                    && labels.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
            })
        }
        None => pattern == origin,
    })
}

/// Whether this asks what may be asked.
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Puts the headers for an allowed origin on an answer.
pub fn apply(allowed: &[String], origin: Option<&HeaderValue>, preflight: bool, answer: &mut HeaderMap) {
    answer.append(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = origin else { return };
    let Some(name) = origin.to_str().ok().filter(|name| allows(allowed, name)) else { return };
    let is_exact = allowed.iter().any(|listed| listed == name);
    answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    let mut set = |name, value| {
        answer.insert(name, HeaderValue::from_static(value));
    };
    set(header::ACCESS_CONTROL_EXPOSE_HEADERS, "X-Request-Id, Retry-After, ETag");
    // Old clients ask for it, and without it their browser shows them nothing. No cookie of another origin counts for anything. Under
    // a pattern live hosts of tenants, and those are not trusted that far.
    if is_exact {
        set(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    if preflight {
        set(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, PATCH, DELETE");
        set(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Authorization, Content-Type, Idempotency-Key, If-None-Match, traceparent, tracestate, X-Tenant, X-Tenant-Id",
        );
        set(header::ACCESS_CONTROL_MAX_AGE, "7200");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_match_exactly_or_on_a_label_boundary() {
        let allowed = ["https://app.example.com".to_owned(), "https://*.clubs.example".to_owned()];
        for origin in ["https://app.example.com", "https://a.clubs.example", "https://a.b.clubs.example"] {
            assert!(allows(&allowed, origin), "{origin}");
        }
        for origin in [
            "https://example.com",
            "http://app.example.com",
            "https://app.example.com.evil.com",
            "https://clubs.example",
            "https://.clubs.example",
            "https://evilclubs.example",
            "http://a.clubs.example",
            "null",
            "",
            "https://evil.com/.clubs.example",
            "https://evil.com?.clubs.example",
            "https://a.clubs.example:8443",
        ] {
            assert!(!allows(&allowed, origin), "{origin}");
        }
    }
}
