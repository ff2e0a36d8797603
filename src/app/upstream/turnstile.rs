//! Cloudflare Turnstile: whether a person sent a form. A token is good once.

use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{
    domain::{Secret, Timestamp},
    ports::{OutboundRequest, OutboundResponse},
};

/// What the widget on the page says that its tokens are for; `public/js/human.js` says the same.
const ACTION: &str = "signup";
/// How long a token is good, as Turnstile has it.
const LIFE: Duration = Duration::from_secs(300);
/// How far Turnstile's clock may be ahead of ours.
const SKEW: Duration = Duration::from_secs(60);
/// Refusals that say nothing about the token.
const OURS: [&str; 3] = ["missing-input-secret", "invalid-input-secret", "internal-error"];

/// Asks whether a token is good. Under the same `key` Turnstile gives the same answer again, spent or not: a repeat of the same
/// request is recognised, and nothing else is.
pub fn verify(secret: &Secret, token: &str, client: &str, key: &str) -> OutboundRequest {
    let hash: [u8; 32] = Sha256::digest(key).into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(hash.split_at(16).0);
    let key = uuid::Builder::from_random_bytes(bytes).into_uuid().to_string();
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("secret", secret.expose())
        .append_pair("response", token)
        .append_pair("remoteip", client)
        .append_pair("idempotency_key", &key)
        .finish();
    OutboundRequest {
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

/// What an answer says of whoever sent a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnstileResult {
    /// A person did, on a page of ours, just now.
    Person,
    /// Nothing says that a person did. Another token may be better.
    Nobody(&'static str),
    /// Turnstile said nothing about the token: it is not well, or knows our secret no more.
    Silent(&'static str),
}

/// What the answer means. A good token may still be another page's, another form's, or an old one.
pub fn classify(response: &OutboundResponse, hosts: &[String], now: Timestamp) -> TurnstileResult {
    #[derive(Deserialize)]
    struct Answer {
        success: bool,
        hostname: Option<String>,
        action: Option<String>,
        challenge_ts: Option<String>,
        #[serde(rename = "error-codes", default)]
        error_codes: Vec<String>,
    }
    let Some(answer) = serde_json::from_str::<Answer>(&response.body).ok().filter(|_| response.status == 200)
    else {
        return TurnstileResult::Silent("no_answer");
    };
    if !answer.success {
        let ours = answer.error_codes.iter().find_map(|code| OURS.into_iter().find(|known| known == code));
        return ours.map_or(TurnstileResult::Nobody("refused"), TurnstileResult::Silent);
    }
    let host = answer.hostname.unwrap_or_default();
    if !hosts.iter().any(|known| known.eq_ignore_ascii_case(&host)) {
        return TurnstileResult::Nobody("hostname");
    }
    if answer.action.as_deref() != Some(ACTION) {
        return TurnstileResult::Nobody("action");
    }
    match answer.challenge_ts.map(Timestamp::try_from) {
        Some(Ok(at)) if now.since(at) <= LIFE && at.since(now) <= SKEW => TurnstileResult::Person,
        _ => TurnstileResult::Nobody("age"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_500);

    fn classified(status: u16, body: &str) -> TurnstileResult {
        let hosts = ["clubs.example".to_owned(), "localhost".to_owned()];
        classify(&OutboundResponse { status, retry_after: None, body: body.to_owned(), ms: 1 }, &hosts, NOW)
    }

    fn with(name: &str, value: Value) -> TurnstileResult {
        let mut answer = json!({
            "success": true, "hostname": "clubs.example", "action": "signup", "challenge_ts": NOW.rfc3339(),
            "error-codes": [], "cdata": "", "metadata": { "interactive": false },
        });
        answer[name] = value;
        classified(200, &answer.to_string())
    }

    #[test]
    fn a_person_on_our_page_just_now_is_one() {
        assert_eq!(with("cdata", json!("whatever")), TurnstileResult::Person);
        assert_eq!(with("hostname", json!("LocalHost")), TurnstileResult::Person);
    }

    #[test]
    fn a_token_of_another_page_is_none_of_ours() {
        for host in [
            json!("evil.example"),
            json!("clubs.example.evil.example"),
            json!("fc.clubs.example"),
            json!(""),
            json!(null),
        ] {
            assert_eq!(with("hostname", host.clone()), TurnstileResult::Nobody("hostname"), "{host}");
        }
    }

    #[test]
    fn a_token_of_another_form_is_none_of_this_one() {
        for action in [json!("login"), json!("Signup"), json!(""), json!(null)] {
            assert_eq!(with("action", action.clone()), TurnstileResult::Nobody("action"), "{action}");
        }
    }

    #[test]
    fn an_old_token_and_one_of_tomorrow_are_none() {
        let at = |seconds: i64| json!(Timestamp::from_millis(NOW.millis() + seconds * 1000).rfc3339());
        for seconds in [0, -299, -300, 59] {
            assert_eq!(with("challenge_ts", at(seconds)), TurnstileResult::Person, "{seconds}");
        }
        for time in [at(-301), at(-86_400), at(61), json!("yesterday"), json!(""), json!(null)] {
            assert_eq!(with("challenge_ts", time.clone()), TurnstileResult::Nobody("age"), "{time}");
        }
    }

    #[test]
    fn what_is_wrong_on_our_side_or_theirs_is_nobodys_fault() {
        let refused =
            |code: &str| classified(200, &json!({ "success": false, "error-codes": [code] }).to_string());
        for code in ["missing-input-secret", "invalid-input-secret", "internal-error"] {
            assert_eq!(refused(code), TurnstileResult::Silent(code));
        }
        for code in
            ["invalid-input-response", "missing-input-response", "timeout-or-duplicate", "bad-request", "new"]
        {
            assert_eq!(refused(code), TurnstileResult::Nobody("refused"), "{code}");
        }
        assert_eq!(classified(200, r#"{"success":false}"#), TurnstileResult::Nobody("refused"));
    }

    #[test]
    fn only_turnstiles_own_word_counts() {
        for (status, body) in
            [(500, r#"{"success":true}"#), (200, "<html>"), (200, "{}"), (200, r#"{"success":"yes"}"#)]
        {
            assert_eq!(classified(status, body), TurnstileResult::Silent("no_answer"), "{status} {body}");
        }
    }
}
