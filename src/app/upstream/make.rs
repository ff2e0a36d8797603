//! Make: a tenant's own scenario behind a webhook. Its 200 means "queued", no more.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::{
    domain::{Secret, Timestamp, Upstream, WebhookUrl, webhook_secret},
    ports::{OutboundRequest, OutboundResponse},
    workflow::{FailureCode, Outcome, PermanentError, TransientError, TransientErrorCode},
};

use super::{hmac_sha256, unknown_status};

/// How long a webhook has to answer.
pub const TIME_LIMIT: Duration = Duration::from_secs(5);

/// A signed `webhook.ping`, by the Standard Webhooks specification. `at` is fixed by the caller, so that a repeat is the
/// same to the byte.
pub fn ping(url: &WebhookUrl, secrets: &[Secret], id: &str, tenant: &str, at: Timestamp) -> OutboundRequest {
    let body = json!({ "type": "webhook.ping", "timestamp": at.rfc3339(), "data": { "tenantId": tenant } });
    message(Upstream::Make.as_str(), url, secrets, id, body.to_string(), at)
}

/// A signed message, as Standard Webhooks specifies. The id is the same for every attempt. `at` is the time of this
/// attempt: receivers refuse what is older than a few minutes. Each of `secrets` signs it, the first one first.
pub fn message(
    upstream: &'static str,
    url: &WebhookUrl,
    secrets: &[Secret],
    id: &str,
    body: String,
    at: Timestamp,
) -> OutboundRequest {
    let timestamp = at.seconds().to_string();
    let signatures = signatures(secrets, &format!("{id}.{timestamp}.{body}"));
    OutboundRequest {
        upstream,
        method: "POST",
        url: url.as_str().to_owned(),
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", signatures),
            ("idempotency-key", id.to_owned()),
        ],
        body: Some(body),
        time_limit: TIME_LIMIT,
        follow: &[],
        traceparent: None,
    }
}

/// One signature for each key, separated by spaces: a receiver takes it if one of them is right.
fn signatures(secrets: &[Secret], signed: &str) -> String {
    let mut signatures: Vec<String> = Vec::new();
    for key in secrets.iter().flat_map(webhook_secret::keys) {
        let signature = format!("v1,{}", STANDARD.encode(hmac_sha256(&key, signed.as_bytes())));
        if !signatures.contains(&signature) {
            signatures.push(signature);
        }
    }
    signatures.join(" ")
}

/// Whether there was no room for it: a message of ours has a few hundred bytes, so that there is none for anything.
fn is_full(response: &OutboundResponse) -> bool {
    match response.status {
        413 => true,
        // What Make answers as long as more messages wait for a scenario than its owner's plan allows.
        400 => response.body.to_ascii_lowercase().contains("queue is full"),
        _ => false,
    }
}

/// What an answer says if it is no refusal, but says nothing of an arrival, either.
fn not_now(response: &OutboundResponse, now: Timestamp) -> Option<TransientError> {
    let full = || TransientError {
        status: Some(response.status),
        ..TransientError::new(TransientErrorCode::RateLimited)
    };
    unknown_status(response, now).or_else(|| is_full(response).then(full))
}

/// What the answer to a ping means. `strict` says whether a webhook may refuse pings (401, 403, 404, 405) and still
/// count as there.
pub fn classify(response: &OutboundResponse, strict: bool, now: Timestamp) -> Outcome {
    match response.status {
        200..300 => return Outcome::Done(None),
        401 | 403 | 404 | 405 if !strict => return Outcome::Done(None),
        _ => {}
    }
    if let Some(fault) = not_now(response, now) {
        return Outcome::Unknown(fault);
    }
    match response.status {
        300..=399 => refused("The webhook answers with a redirect. Enter the address that Make shows you."),
        404 | 410 => refused(
            "Make says that nothing listens on this webhook. Check the address, and switch the scenario on.",
        ),
        status => refused(&format!(
            "The webhook refused our ping (status {status}). Check the address and the scenario in Make."
        )),
    }
}

/// How a webhook took an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryResult {
    /// It has it.
    Delivered,
    /// Nothing is there any more, and never will be: as the specification has 410.
    Gone,
    /// Not now, whatever the reason: whoever runs it may mend it.
    NotNow {
        /// Why, in a word.
        error: &'static str,
        /// How long it asked us to wait.
        retry_after: Option<Duration>,
    },
}

/// What the answer to an event means. Unlike a ping's, a refusal is tried again: the event is not the webhook's to judge.
pub fn classify_event(response: &OutboundResponse, now: Timestamp) -> DeliveryResult {
    match (response.status, not_now(response, now)) {
        (200..300, _) => DeliveryResult::Delivered,
        (410, _) => DeliveryResult::Gone,
        (_, Some(fault)) => {
            DeliveryResult::NotNow { error: fault.code.as_str(), retry_after: fault.retry_after }
        }
        (_, None) => DeliveryResult::NotNow { error: "REJECTED", retry_after: None },
    }
}

fn refused(message: &str) -> Outcome {
    Outcome::Failed(PermanentError::new(FailureCode::WebhookRejected, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::webhook::AllowedHosts;

    fn response(status: u16) -> OutboundResponse {
        OutboundResponse { status, retry_after: None, body: String::new(), ms: 1 }
    }

    const NOW: Timestamp = Timestamp::from_seconds(1_614_265_330);

    fn header(secrets: &[&str]) -> (OutboundRequest, String) {
        let url =
            WebhookUrl::parse("https://hook.make.com/a", &AllowedHosts::parse("hook.make.com")).unwrap();
        let secrets: Vec<Secret> = secrets.iter().map(|text| Secret::new((*text).to_owned())).collect();
        let call = ping(&url, &secrets, "msg_1", "tenant_a", NOW);
        let header = |name| call.headers.iter().find(|(n, _)| *n == name).unwrap().1.clone();
        assert_eq!(header("webhook-id"), "msg_1");
        assert_eq!(header("webhook-timestamp"), "1614265330");
        let signatures = header("webhook-signature");
        (call, signatures)
    }

    fn signature(call: &OutboundRequest, key: &[u8]) -> String {
        let signed = format!("msg_1.1614265330.{}", call.body.as_ref().unwrap());
        format!("v1,{}", STANDARD.encode(hmac_sha256(key, signed.as_bytes())))
    }

    #[test]
    fn a_ping_is_signed_as_standard_webhooks_has_it() {
        let (call, signatures) = header(&["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);
        assert_eq!(
            signatures,
            signature(&call, &STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap())
        );
    }

    #[test]
    fn each_key_signs_once_the_new_one_first() {
        let (call, signatures) = header(&["the new secret", "the old secret", "the new secret"]);
        assert_eq!(
            signatures,
            format!("{} {}", signature(&call, b"the new secret"), signature(&call, b"the old secret"))
        );
        let (call, signatures) = header(&["whsec_c2hvcnQ"]);
        assert_eq!(
            signatures,
            format!("{} {}", signature(&call, b"short"), signature(&call, b"whsec_c2hvcnQ")),
            "stored before its spelling was checked"
        );
    }

    /// One row a status: what a webhook means by it when it is pinged.
    #[test]
    fn every_answer_to_a_ping_has_its_meaning() {
        for status in 200..600 {
            let outcome = classify(&response(status), true, NOW);
            match status {
                200..300 => assert_eq!(outcome, Outcome::Done(None), "{status}"),
                408 | 413 | 421 | 423 | 425 | 429 | 500.. => {
                    let Outcome::Unknown(fault) = outcome else { panic!("{status}: {outcome:?}") };
                    assert_eq!(fault.status, Some(status));
                    assert_eq!(
                        fault.code == TransientErrorCode::RateLimited,
                        matches!(status, 413 | 429),
                        "{status}"
                    );
                }
                _ => assert!(matches!(outcome, Outcome::Failed(_)), "{status}"),
            }
            let lenient = classify(&response(status), false, NOW);
            match status {
                401 | 403 | 404 | 405 => assert_eq!(lenient, Outcome::Done(None), "{status}"),
                _ => assert_eq!(lenient, classify(&response(status), true, NOW), "{status}"),
            }
        }
    }

    #[test]
    fn a_queue_that_is_full_empties_itself() {
        for body in ["Queue is full.", "Queue is full", r#"{"message":"QUEUE IS FULL."}"#] {
            let response = OutboundResponse { body: body.to_owned(), ..response(400) };
            assert!(matches!(classify(&response, true, NOW), Outcome::Unknown(_)), "{body}");
            let error = TransientErrorCode::RateLimited.as_str();
            assert_eq!(
                classify_event(&response, NOW),
                DeliveryResult::NotNow { error, retry_after: None },
                "{body}"
            );
        }
        for body in ["", "Bad request", "Queue"] {
            let response = OutboundResponse { body: body.to_owned(), ..response(400) };
            assert!(matches!(classify(&response, true, NOW), Outcome::Failed(_)), "{body}");
        }
        let elsewhere = OutboundResponse { body: "Queue is full.".to_owned(), ..response(401) };
        assert!(matches!(classify(&elsewhere, true, NOW), Outcome::Failed(_)));
    }

    #[test]
    fn a_refusal_that_says_when_to_come_back_is_none_but_for_what_is_gone() {
        for status in 400..500 {
            let response = OutboundResponse { retry_after: Some("30".to_owned()), ..response(status) };
            assert_eq!(
                matches!(classify(&response, true, NOW), Outcome::Failed(_)),
                status == 410,
                "{status}"
            );
            match classify_event(&response, NOW) {
                DeliveryResult::Gone => assert_eq!(status, 410),
                taken => assert!(
                    matches!(taken, DeliveryResult::NotNow { retry_after: Some(_), .. }) && status != 410,
                    "{status}"
                ),
            }
        }
    }
}
