//! Resend: mail. It needs a `User-Agent`, and recognises an `Idempotency-Key` for a day if the body is the same to the
//! byte.

use serde::Deserialize;
use serde_json::json;

use crate::{
    app::mail::Mail,
    domain::{Secret, Step, Timestamp},
    ports::{Call, Called},
    workflow::{Failure, FailureCode, Outcome, policy::policy},
};

use super::{malformed, unknown_status};

/// Sends a mail.
#[must_use]
pub fn send(api_key: &Secret, from: &str, mail: &Mail, key: &str, traceparent: Option<String>) -> Call {
    let body = json!({
        "from": from,
        "to": [mail.to.as_str()],
        "subject": mail.subject,
        "html": mail.html,
        "text": mail.text,
    });
    Call {
        upstream: "resend",
        method: "POST",
        url: "https://api.resend.com/emails".to_owned(),
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("authorization", format!("Bearer {}", api_key.expose())),
            ("idempotency-key", key.to_owned()),
        ],
        body: Some(body.to_string()),
        time_limit: policy(Step::SendWelcomeEmail).time_limit,
        follow: &[],
        traceparent,
    }
}

/// What the answer means.
#[must_use]
pub fn judge(called: &Called, now: Timestamp) -> Outcome {
    #[derive(Deserialize)]
    struct Sent {
        id: String,
    }
    #[derive(Deserialize)]
    struct Problem {
        name: String,
    }
    if let Some(fault) = unknown_status(called, now) {
        return Outcome::Unknown(fault);
    }
    match called.status {
        200..300 => match serde_json::from_str::<Sent>(&called.body) {
            Ok(sent) if !sent.id.is_empty() => Outcome::Done(None),
            // An error object with a good status is not a mail.
            _ => Outcome::Unknown(malformed(called)),
        },
        409 => match serde_json::from_str::<Problem>(&called.body).map(|p| p.name).as_deref() {
            // A mail under this key was taken before, with another body: after a change of keys, say.
            Ok("invalid_idempotent_request") => Outcome::Done(None),
            // The attempt before this one is still at work there.
            _ => Outcome::Unknown(malformed(called)),
        },
        status => Outcome::Refused(Failure::new(
            FailureCode::EmailRejected,
            format!("The mail could not be sent (status {status})."),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str) -> Outcome {
        judge(&Called { status, retry_after: None, body: body.to_owned(), ms: 1 }, Timestamp::from_seconds(0))
    }

    #[test]
    fn sent_means_that_there_is_an_id() {
        assert_eq!(judged(200, r#"{"id":"m1"}"#), Outcome::Done(None));
        for body in [r#"{"name":"validation_error"}"#, "", "<html>", r#"{"id":""}"#] {
            assert!(matches!(judged(200, body), Outcome::Unknown(_)), "{body}");
        }
    }

    #[test]
    fn a_mail_that_was_taken_before_is_sent() {
        assert_eq!(judged(409, r#"{"name":"invalid_idempotent_request"}"#), Outcome::Done(None));
        assert!(matches!(judged(409, r#"{"name":"concurrent_idempotent_requests"}"#), Outcome::Unknown(_)));
    }

    #[test]
    fn a_refusal_is_not_tried_again() {
        for status in [400, 401, 403, 422] {
            assert!(matches!(judged(status, "{}"), Outcome::Refused(_)), "{status}");
        }
        assert!(matches!(judged(429, "{}"), Outcome::Unknown(_)));
    }
}
