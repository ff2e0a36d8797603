//! Cloudflare Turnstile: whether a person sent a form. A token is good once.

use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{
    domain::Secret,
    ports::{Call, Called},
};

/// Asks whether a token is good. Under the same `key` Turnstile gives the same answer again, spent or not: a repeat of the same
/// request is recognised, and nothing else is.
#[must_use]
pub fn verify(secret: &Secret, token: &str, client: &str, key: &str) -> Call {
    let hash: [u8; 32] = Sha256::digest(key).into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(hash.split_at(16).0);
    let key = uuid::Builder::from_random_bytes(bytes).into_uuid().to_string();
    let body = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("secret", secret.expose())
        .append_pair("response", token)
        .append_pair("remoteip", client)
        .append_pair("idempotency_key", &key)
        .finish();
    Call {
        upstream: "turnstile",
        method: "POST",
        url: "https://challenges.cloudflare.com/turnstile/v0/siteverify".to_owned(),
        headers: vec![("content-type", "application/x-www-form-urlencoded".to_owned())],
        body: Some(body),
        time_limit: Duration::from_secs(5),
        follow: &[],
        traceparent: None,
    }
}

/// What is wrong with us, or with Turnstile: it says nothing about the token.
const NOT_THE_TOKENS: [&str; 4] =
    ["bad-request", "internal-error", "invalid-input-secret", "missing-input-secret"];

/// What the answer means; none when it says nothing about the token.
#[must_use]
pub fn judge(called: &Called) -> Option<bool> {
    #[derive(Deserialize)]
    struct Answer {
        success: bool,
        #[serde(default, rename = "error-codes")]
        errors: Vec<String>,
    }
    if called.status != 200 {
        return None;
    }
    let answer: Answer = serde_json::from_str(&called.body).ok()?;
    let says_nothing = answer.errors.iter().any(|error| NOT_THE_TOKENS.contains(&error.as_str()));
    (answer.success || !says_nothing).then_some(answer.success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_turnstiles_own_word_counts() {
        let judged =
            |status, body: &str| judge(&Called { status, retry_after: None, body: body.to_owned(), ms: 1 });
        assert_eq!(judged(200, r#"{"success":true}"#), Some(true));
        assert_eq!(judged(200, r#"{"success":false,"error-codes":["timeout-or-duplicate"]}"#), Some(false));
        for error in NOT_THE_TOKENS {
            let body = format!(r#"{{"success":false,"error-codes":["{error}"]}}"#);
            assert_eq!(judged(200, &body), None, "{error}");
        }
        for (status, body) in [(500, r#"{"success":true}"#), (200, "<html>"), (200, "{}")] {
            assert_eq!(judged(status, body), None, "{status} {body}");
        }
    }
}
