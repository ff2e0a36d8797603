//! Make: a club's own scenario behind a webhook. Its 200 means "queued", no more.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::{
    domain::{Secret, Timestamp, WebhookUrl},
    ports::{Call, Called},
    workflow::{Failure, FailureCode, Outcome},
};

use super::{hmac_sha256, unknown_status, webhook_key};

/// How long a webhook has to answer.
pub const TIME_LIMIT: Duration = Duration::from_secs(5);

/// A signed `webhook.ping`, by the Standard Webhooks specification. `at` is fixed by the caller, so that a repeat is the
/// same to the byte.
#[must_use]
pub fn ping(
    url: &WebhookUrl,
    secret: &Secret,
    id: &str,
    tenant: &str,
    at: Timestamp,
    traceparent: Option<String>,
) -> Call {
    let body = json!({ "type": "webhook.ping", "timestamp": at.rfc3339(), "data": { "tenantId": tenant } });
    Call { traceparent, ..message(url, secret, id, body.to_string(), at) }
}

/// A signed message, by the Standard Webhooks specification: the id stays the same for every attempt, `at` is the moment of
/// this one, because receivers refuse what is older than a few minutes.
#[must_use]
pub fn message(url: &WebhookUrl, secret: &Secret, id: &str, body: String, at: Timestamp) -> Call {
    let timestamp = at.seconds().to_string();
    let signature = hmac_sha256(&webhook_key(secret), format!("{id}.{timestamp}.{body}").as_bytes());
    Call {
        upstream: "make",
        method: "POST",
        url: url.as_str().to_owned(),
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", format!("v1,{}", STANDARD.encode(signature))),
            ("idempotency-key", id.to_owned()),
        ],
        body: Some(body),
        time_limit: TIME_LIMIT,
        follow: &[],
        traceparent: None,
    }
}

/// What the answer to a ping means. `strict` says whether a webhook may refuse pings (401, 403, 404, 405) and still
/// count as there.
#[must_use]
pub fn judge(called: &Called, strict: bool, now: Timestamp) -> Outcome {
    if let Some(fault) = unknown_status(called, now) {
        return Outcome::Unknown(fault);
    }
    match called.status {
        200..300 => Outcome::Done(None),
        401 | 403 | 404 | 405 if !strict => Outcome::Done(None),
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
pub enum Taken {
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
#[must_use]
pub fn judge_event(called: &Called, now: Timestamp) -> Taken {
    match (called.status, unknown_status(called, now)) {
        (200..300, _) => Taken::Delivered,
        (410, _) => Taken::Gone,
        (_, Some(fault)) => Taken::NotNow { error: fault.code.as_str(), retry_after: fault.retry_after },
        (_, None) => Taken::NotNow { error: "REJECTED", retry_after: None },
    }
}

fn refused(message: &str) -> Outcome {
    Outcome::Refused(Failure::new(FailureCode::WebhookRejected, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::webhook::AllowedHosts;

    fn called(status: u16) -> Called {
        Called { status, retry_after: None, body: String::new(), ms: 1 }
    }

    #[test]
    fn a_ping_is_signed_as_standard_webhooks_has_it() {
        let url =
            WebhookUrl::parse("https://hook.make.com/a", &AllowedHosts::parse("hook.make.com")).unwrap();
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let call = ping(&url, &secret, "msg_1", "tenant_a", Timestamp::from_seconds(1_614_265_330), None);
        let header = |name| call.headers.iter().find(|(n, _)| *n == name).unwrap().1.clone();
        assert_eq!(header("webhook-id"), "msg_1");
        assert_eq!(header("webhook-timestamp"), "1614265330");
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = format!("msg_1.1614265330.{}", call.body.unwrap());
        assert_eq!(
            header("webhook-signature"),
            format!("v1,{}", STANDARD.encode(hmac_sha256(&key, signed.as_bytes())))
        );
    }

    #[test]
    fn only_what_trying_again_can_change_is_unknown() {
        let judge = |status, strict| judge(&called(status), strict, Timestamp::from_seconds(0));
        for status in [200, 202, 204] {
            assert_eq!(judge(status, true), Outcome::Done(None), "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert!(matches!(judge(status, true), Outcome::Unknown(_)), "{status}");
        }
        for status in [301, 302, 400, 401, 403, 404, 405, 410, 422] {
            assert!(matches!(judge(status, true), Outcome::Refused(_)), "{status}");
        }
        for status in [401, 403, 404, 405] {
            assert_eq!(judge(status, false), Outcome::Done(None), "{status}");
        }
        assert!(matches!(judge(410, false), Outcome::Refused(_)));
    }
}
