//! Google Apps Script: the web app that makes a pro club's spreadsheet.
//!
//! It can't read headers, so the signature travels in the query string, over the raw body. It answers by a redirect to
//! another host that has to be followed. Its errors are 200: `ok:false`, or a page of HTML.

use serde::Deserialize;
use serde_json::json;

use crate::{
    domain::{Secret, Step, Timestamp},
    ports::{Call, Called},
    workflow::{Artifact, Failure, FailureCode, Fault, Outcome, Subject, policy::policy},
};

use super::{hex, hmac_sha256, malformed, unknown_status};

/// Where Apps Script's own redirect leads.
const ANSWERS_FROM: &[&str] = &["script.googleusercontent.com"];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    ok: bool,
    spreadsheet_id: Option<String>,
    spreadsheet_url: Option<String>,
    exists: Option<bool>,
}

/// Asks for a spreadsheet. Under the same key the same one is answered.
#[must_use]
pub fn provision(
    url: &str,
    secret: &Secret,
    subject: &Subject,
    key: &str,
    traceparent: Option<String>,
) -> Call {
    let body = json!({
        "action": "provision",
        "tenantId": subject.tenant,
        "teamName": subject.name,
        "slug": subject.slug,
        "email": subject.email,
        "idempotencyKey": key,
    });
    signed(url, secret, &body, Step::CreateSpreadsheet, traceparent)
}

/// Asks whether the spreadsheet is there.
#[must_use]
pub fn verify(
    url: &str,
    secret: &Secret,
    subject: &Subject,
    spreadsheet: &str,
    key: &str,
    traceparent: Option<String>,
) -> Call {
    let body = json!({
        "action": "verify",
        "tenantId": subject.tenant,
        "spreadsheetId": spreadsheet,
        "idempotencyKey": key,
    });
    signed(url, secret, &body, Step::VerifySpreadsheet, traceparent)
}

fn signed(
    url: &str,
    secret: &Secret,
    body: &serde_json::Value,
    step: Step,
    traceparent: Option<String>,
) -> Call {
    let body = body.to_string();
    let signature = hex(&hmac_sha256(secret.expose().as_bytes(), body.as_bytes()));
    let separator = if url.contains('?') { '&' } else { '?' };
    Call {
        upstream: "apps_script",
        method: "POST",
        url: format!("{url}{separator}signature={signature}"),
        headers: vec![("content-type", "application/json".to_owned())],
        body: Some(body),
        time_limit: policy(step).time_limit,
        follow: ANSWERS_FROM,
        traceparent,
    }
}

/// What the answer to [`provision`] means.
#[must_use]
pub fn judge_provision(called: &Called, now: Timestamp) -> Outcome {
    match read(called, now) {
        Err(outcome) => outcome,
        Ok(Answer { ok: true, spreadsheet_id: Some(id), spreadsheet_url, .. }) if !id.is_empty() => {
            let url =
                spreadsheet_url.unwrap_or_else(|| format!("https://docs.google.com/spreadsheets/d/{id}"));
            Outcome::Done(Some(Artifact::Spreadsheet { id, url }))
        }
        Ok(Answer { ok: true, .. }) => Outcome::Unknown(malformed(called)),
        Ok(Answer { ok: false, .. }) => Outcome::Refused(Failure::new(
            FailureCode::SpreadsheetRejected,
            "Google refused to make the club's spreadsheet. We have been told and look into it.",
        )),
    }
}

/// What the answer to [`verify`] means.
#[must_use]
pub fn judge_verify(called: &Called, now: Timestamp) -> Outcome {
    match read(called, now) {
        Err(outcome) => outcome,
        Ok(Answer { ok: true, exists: Some(true), .. }) => Outcome::Done(None),
        Ok(Answer { ok: true, exists: None, .. }) => Outcome::Unknown(malformed(called)),
        Ok(_) => missing(),
    }
}

/// The spreadsheet is not there.
#[must_use]
pub fn missing() -> Outcome {
    Outcome::Refused(Failure::new(
        FailureCode::SpreadsheetMissing,
        "The club's spreadsheet was made but can't be found. We have been told and look into it.",
    ))
}

fn read(called: &Called, now: Timestamp) -> Result<Answer, Outcome> {
    if let Some(fault) = unknown_status(called, now) {
        return Err(Outcome::Unknown(fault));
    }
    match called.status {
        // HTML with status 200 is Apps Script's way of saying that something broke: nobody knows what was done.
        200 => serde_json::from_str(&called.body).map_err(|_| Outcome::Unknown(malformed(called))),
        // A redirect that was not followed leads away from Apps Script: to a sign-in page, for one.
        300..=399 => Err(Outcome::Unknown(Fault { status: Some(called.status), ..malformed(called) })),
        status => Err(Outcome::Refused(Failure::new(
            FailureCode::SpreadsheetRejected,
            format!(
                "Google does not answer at the address we have for it (status {status}). We have been told and look into it."
            ),
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::FaultCode;

    const NOW: Timestamp = Timestamp::from_seconds(0);

    fn called(status: u16, body: &str) -> Called {
        Called { status, retry_after: None, body: body.to_owned(), ms: 1 }
    }

    #[test]
    fn two_hundred_is_not_success() {
        let refused = judge_provision(&called(200, r#"{"ok":false,"error":"quota"}"#), NOW);
        assert!(matches!(refused, Outcome::Refused(Failure { code: FailureCode::SpreadsheetRejected, .. })));
        for body in [
            "<html>Service error</html>",
            "",
            "{",
            "null",
            r#"{"ok":true}"#,
            r#"{"ok":true,"spreadsheetId":""}"#,
        ] {
            let outcome = judge_provision(&called(200, body), NOW);
            assert!(matches!(outcome, Outcome::Unknown(Fault { code: FaultCode::Malformed, .. })), "{body}");
        }
    }

    #[test]
    fn a_spreadsheet_is_remembered() {
        let done = judge_provision(
            &called(200, r#"{"ok":true,"spreadsheetId":"s1","spreadsheetUrl":"https://x/s1"}"#),
            NOW,
        );
        assert_eq!(
            done,
            Outcome::Done(Some(Artifact::Spreadsheet {
                id: "s1".to_owned(),
                url: "https://x/s1".to_owned()
            }))
        );
    }

    #[test]
    fn verified_means_seen() {
        assert_eq!(judge_verify(&called(200, r#"{"ok":true,"exists":true}"#), NOW), Outcome::Done(None));
        for body in [r#"{"ok":true,"exists":false}"#, r#"{"ok":false}"#] {
            assert!(matches!(judge_verify(&called(200, body), NOW), Outcome::Refused(_)), "{body}");
        }
        assert!(matches!(judge_verify(&called(200, r#"{"ok":true}"#), NOW), Outcome::Unknown(_)));
        assert!(matches!(judge_verify(&called(503, ""), NOW), Outcome::Unknown(_)));
    }

    #[test]
    fn an_error_of_the_message_itself_is_not_tried_again() {
        assert!(matches!(judge_provision(&called(404, ""), NOW), Outcome::Refused(_)));
        assert!(matches!(judge_provision(&called(302, ""), NOW), Outcome::Unknown(_)));
    }
}
