//! Resend: mail. It needs a `User-Agent`, and recognises an `Idempotency-Key` for a day if the body is the same to the
//! byte.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::{
    app::mail::Addressed,
    domain::{Secret, Timestamp, Upstream},
    ports::{OutboundRequest, OutboundResponse},
    workflow::{FailureCode, Outcome, PermanentError},
};

use super::{malformed, unknown_status};

/// How long it has to answer.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Sends a mail.
pub fn send(api_key: &Secret, from: &str, mail: &Addressed, key: &str) -> OutboundRequest {
    let mut body = json!({
        "from": from,
        "to": [mail.to.as_str()],
        "subject": mail.message.subject,
        "html": mail.message.html,
        "text": mail.message.text,
    });
    if let (Some(reply_to), Some(body)) = (&mail.reply_to, body.as_object_mut()) {
        body.insert("reply_to".to_owned(), json!([reply_to.as_str()]));
    }
    OutboundRequest {
        upstream: Upstream::Resend.as_str(),
        method: "POST",
        url: "https://api.resend.com/emails".to_owned(),
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("authorization", format!("Bearer {}", api_key.expose())),
            ("idempotency-key", key.to_owned()),
        ],
        body: Some(body.to_string()),
        time_limit: TIME_LIMIT,
        follow: &[],
        traceparent: None,
    }
}

/// What Resend calls a problem that is ours, whatever the status: the mail may be taken once it is mended.
const OURS: [&str; 6] = [
    "invalid_access",
    "invalid_api_key",
    "invalid_from_address",
    "missing_api_key",
    "restricted_api_key",
    "security_error",
];
/// What it says of others, as `validation_error`: a key that it does not know, a sender that is no address.
const ABOUT_US: [&str; 2] = ["API key", "`from`"];

/// What the answer means: a mail was taken, is refused for good, or may be taken later. What is refused because of us, our key,
/// our address, our domain, is a matter of configuration: the mail may be taken once that is mended.
pub fn classify(response: &OutboundResponse, now: Timestamp) -> Outcome {
    #[derive(Deserialize)]
    struct SendResponse {
        id: String,
    }
    #[derive(Deserialize)]
    struct ErrorBody {
        name: String,
        #[serde(default)]
        message: String,
    }
    // A quota that is used up is a 429 like one that is asked too fast: the mail has time.
    if let Some(fault) = unknown_status(response, now) {
        return Outcome::Unknown(fault);
    }
    let problem = serde_json::from_str::<ErrorBody>(&response.body).ok();
    let is_ours = problem.as_ref().is_some_and(|problem| {
        OURS.contains(&problem.name.as_str()) || ABOUT_US.iter().any(|words| problem.message.contains(words))
    });
    match (response.status, problem.as_ref().map(|problem| problem.name.as_str())) {
        (200..300, _) => match serde_json::from_str::<SendResponse>(&response.body) {
            Ok(sent) if !sent.id.is_empty() => Outcome::Done(None),
            // An error object with a good status is not a mail.
            _ => Outcome::Unknown(malformed(response)),
        },
        // A mail under this key was taken before, with another body: with an older link, or before a change of keys.
        (409, Some("invalid_idempotent_request")) => Outcome::Done(None),
        // The attempt before this one is still at work there.
        (409, _) => Outcome::Unknown(malformed(response)),
        (400 | 422, _) if is_ours => Outcome::Failed(misconfigured()),
        (400 | 422, _) => Outcome::Failed(PermanentError::new(
            FailureCode::EmailRejected,
            format!("The mail could not be sent (status {}).", response.status),
        )),
        _ => Outcome::Failed(misconfigured()),
    }
}

/// It is not the mail, nor the mail service: it is us.
pub fn misconfigured() -> PermanentError {
    PermanentError::new(FailureCode::Misconfigured, "Mail is not set up. We have been told and look into it.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::TransientErrorCode;

    fn classified(status: u16, body: &str) -> Outcome {
        classify(
            &OutboundResponse { status, retry_after: None, body: body.to_owned(), ms: 1 },
            Timestamp::from_seconds(0),
        )
    }

    fn refused_as(status: u16, name: &str) -> Option<FailureCode> {
        match classified(status, &json!({ "statusCode": status, "name": name, "message": "…" }).to_string())
        {
            Outcome::Failed(failure) => Some(failure.code),
            Outcome::Done(_) | Outcome::Unknown(_) => None,
        }
    }

    #[test]
    fn sent_means_that_there_is_an_id() {
        assert_eq!(classified(200, r#"{"id":"m1"}"#), Outcome::Done(None));
        for body in [r#"{"name":"validation_error"}"#, "", "<html>", r#"{"id":""}"#] {
            assert!(matches!(classified(200, body), Outcome::Unknown(_)), "{body}");
        }
    }

    #[test]
    fn a_mail_that_was_taken_before_is_sent() {
        assert_eq!(classified(409, r#"{"name":"invalid_idempotent_request"}"#), Outcome::Done(None));
        assert!(matches!(
            classified(409, r#"{"name":"concurrent_idempotent_requests"}"#),
            Outcome::Unknown(_)
        ));
    }

    #[test]
    fn what_is_wrong_with_the_mail_is_refused_for_good() {
        for (status, name) in
            [(400, "validation_error"), (422, "validation_error"), (422, "missing_required_field"), (422, "")]
        {
            assert_eq!(refused_as(status, name), Some(FailureCode::EmailRejected), "{status} {name}");
        }
    }

    #[test]
    fn what_is_wrong_with_us_is_ours_to_mend() {
        for (status, name) in [
            (401, "missing_api_key"),
            (401, "restricted_api_key"),
            (403, "invalid_api_key"),
            (403, "validation_error"),
            (404, "not_found"),
            (422, "invalid_from_address"),
            (422, "invalid_access"),
            (400, "invalid_api_key"),
            (451, "security_error"),
        ] {
            assert_eq!(refused_as(status, name), Some(FailureCode::Misconfigured), "{status} {name}");
        }
        assert!(matches!(classified(403, "error code: 1010"), Outcome::Failed(_)), "the edge in front, too");
    }

    #[test]
    fn a_validation_error_about_us_is_ours_to_mend() {
        for (status, message, code) in [
            (400, "API key is invalid", FailureCode::Misconfigured),
            (
                422,
                "Invalid `from` field. The email address needs to follow the format.",
                FailureCode::Misconfigured,
            ),
            (
                422,
                "Invalid `to` field. The email address needs to follow the format.",
                FailureCode::EmailRejected,
            ),
        ] {
            let body = json!({ "statusCode": status, "name": "validation_error", "message": message });
            let Outcome::Failed(failure) = classified(status, &body.to_string()) else { panic!("{message}") };
            assert_eq!(failure.code, code, "{message}");
        }
    }

    /// One row a status, where the body says nothing more.
    #[test]
    fn every_status_has_its_meaning() {
        for status in 200..600 {
            let outcome = classified(status, "{}");
            let refused = match &outcome {
                Outcome::Failed(failure) => Some(failure.code),
                Outcome::Done(_) | Outcome::Unknown(_) => None,
            };
            let expected = match status {
                200..300 | 408 | 409 | 421 | 423 | 425 | 429 | 500.. => None,
                400 | 422 => Some(FailureCode::EmailRejected),
                _ => Some(FailureCode::Misconfigured),
            };
            assert_eq!(refused, expected, "{status}");
        }
    }

    #[test]
    fn a_quota_that_is_used_up_is_a_matter_of_time() {
        for name in ["rate_limit_exceeded", "daily_quota_exceeded", "monthly_quota_exceeded"] {
            let outcome = classified(429, &json!({ "statusCode": 429, "name": name }).to_string());
            let Outcome::Unknown(fault) = outcome else { panic!("{outcome:?}") };
            assert_eq!((fault.code, fault.status), (TransientErrorCode::RateLimited, Some(429)));
        }
    }
}
