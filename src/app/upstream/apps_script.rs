//! Google Apps Script: the web app that makes a pro club's spreadsheet.
//!
//! It can't read headers, so the signature travels in the query string, over the raw body. It answers by a redirect to
//! another host that has to be followed. Its errors are 200: `ok:false`, or a page of HTML.
//!
//! What it promises about removing: what was made under a provisioning key is removed by that key, or by its id, if it is
//! the tenant's own. From then on the key is spent: a request to make something under it that is still on its way is
//! refused (`DEPROVISIONED`) and brings nothing back.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::App,
    domain::{Secret, Step, Timestamp, Upstream, text},
    ports::{Call, Called, Ports},
    workflow::{Artifact, Failure, FailureCode, Fault, FaultCode, Outcome, Product, Subject, policy::policy},
};

use super::{hex, hmac_sha256, malformed, said, unknown_status};

/// Where Apps Script's own redirect leads.
const ANSWERS_FROM: &[&str] = &["script.googleusercontent.com"];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    ok: bool,
    spreadsheet_id: Option<String>,
    spreadsheet_url: Option<String>,
    exists: Option<bool>,
    removed: Option<bool>,
}

/// The keys of a removal.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'a> {
    /// Under which the spreadsheet was asked for, and by which it is known when the answer was lost.
    pub provision: &'a str,
    /// Under which every attempt at the removal is recognised.
    pub removal: &'a str,
}

/// Text as a spreadsheet is to show it: what could be read as a formula goes with the apostrophe before it that says that it is text,
/// and that is not part of it.
fn literal(text: &str) -> String {
    let is_formula = text.chars().find(|c| !text::is_blank(*c)).is_some_and(|first| {
        matches!(
            first,
            '=' | '+'
                | '-'
                | '@'
                | '\''
                | '\u{2212}'
                | '\u{fe63}'
                | '\u{fe62}'
                | '\u{fe66}'
                | '\u{fe6b}'
                | '＝'
                | '＋'
                | '－'
                | '＠'
                | '＇'
                | '\u{2795}'
                | '\u{2796}'
        )
    });
    let is_controlled = text.starts_with(|c: char| c.is_control());
    if is_formula || is_controlled { format!("'{text}") } else { text.to_owned() }
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
        "teamName": literal(subject.name.as_str()),
        "slug": literal(subject.slug.as_str()),
        "email": literal(subject.email.as_str()),
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

/// Asks for what [`provision`] made to be removed: by its key, and by its id where that is known.
#[must_use]
pub fn deprovision(
    url: &str,
    secret: &Secret,
    subject: &Subject,
    spreadsheet: Option<&str>,
    keys: Keys<'_>,
    traceparent: Option<String>,
) -> Call {
    let mut body = json!({
        "action": "deprovision",
        "tenantId": subject.tenant,
        "provisionKey": keys.provision,
        "idempotencyKey": keys.removal,
    });
    if let (Some(id), Some(fields)) = (spreadsheet, body.as_object_mut()) {
        fields.insert("spreadsheetId".to_owned(), id.into());
    }
    signed(url, secret, &body, Step::CreateSpreadsheet, traceparent)
}

/// Removes the tenant's spreadsheet, and looks whether it is gone. Done means that it is.
pub async fn remove<P: Ports>(
    app: &App<P>,
    subject: &Subject,
    spreadsheet: Option<&str>,
    keys: Keys<'_>,
    traceparent: Option<String>,
) -> Outcome {
    let (config, now) = (app.config(), || app.ports.now());
    let url = &config.gas_webapp_url;
    let Some(secret) = &config.gas_hmac_secret else { return misconfigured() };
    let call = deprovision(url, secret, subject, spreadsheet, keys, traceparent.clone());
    let told = match app.call(call).await {
        Ok(called) => judge_deprovision(&called, now()).map_err(|outcome| outcome.answered(called.status)),
        Err(error) => Err(Outcome::Unknown(error.into())),
    };
    let removed = match told {
        Ok(removed) => removed,
        Err(outcome) => return outcome,
    };
    // Nothing was ever made under the key, and now nothing will be: there is nothing to look for.
    let Some(id) = spreadsheet.or(removed.as_deref()) else { return Outcome::Done(None) };
    let key = format!("{}/verify", keys.removal);
    match app.call(verify(url, secret, subject, id, &key, traceparent)).await {
        Ok(called) => judge_gone(&called, now()).answered(called.status),
        Err(error) => Outcome::Unknown(error.into()),
    }
}

fn signed(url: &str, secret: &Secret, body: &Value, step: Step, traceparent: Option<String>) -> Call {
    let body = body.to_string();
    let signature = hex(&hmac_sha256(secret.expose().as_bytes(), body.as_bytes()));
    let separator = if url.contains('?') { '&' } else { '?' };
    Call {
        upstream: Upstream::AppsScript.as_str(),
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
            Outcome::Done(Some(Product::Made(Artifact::Spreadsheet { id, url })))
        }
        Ok(Answer { ok: true, .. }) => Outcome::Unknown(malformed(called)),
        Ok(_) => {
            let message =
                "Google refused to make the club's spreadsheet. We have been told and look into it.";
            let failure = Failure::new(FailureCode::SpreadsheetRejected, message);
            Outcome::Refused(failure.with_said(said(called)))
        }
    }
}

/// What the answer to [`verify`] means.
#[must_use]
pub fn judge_verify(called: &Called, now: Timestamp) -> Outcome {
    match read(called, now) {
        Err(outcome) => outcome,
        Ok(Answer { ok: true, exists: Some(true), .. }) => Outcome::Done(None),
        Ok(Answer { ok: true, exists: None, .. }) => Outcome::Unknown(malformed(called)),
        Ok(_) => match missing() {
            Outcome::Refused(failure) => Outcome::Refused(failure.with_said(said(called))),
            outcome => outcome,
        },
    }
}

/// What the answer to [`deprovision`] means: the spreadsheet that it was about, if there ever was one.
///
/// # Errors
///
/// When it was refused, or nobody knows.
pub fn judge_deprovision(called: &Called, now: Timestamp) -> Result<Option<String>, Outcome> {
    match read(called, now) {
        Err(Outcome::Refused(failure)) => Err(kept(failure.message)),
        Err(outcome) => Err(outcome),
        Ok(Answer { ok: true, spreadsheet_id: Some(id), removed: Some(_), .. }) if !id.is_empty() => {
            Ok(Some(id))
        }
        Ok(Answer { ok: true, spreadsheet_id: None, removed: Some(false), .. }) => Ok(None),
        // Something was removed, and nobody can look whether it is gone.
        Ok(Answer { ok: true, .. }) => Err(Outcome::Unknown(malformed(called))),
        Ok(_) => {
            let message =
                "Google refused to remove the club's spreadsheet. We have been told and look into it.";
            let failure = Failure::new(FailureCode::CompensationRefused, message);
            Err(Outcome::Refused(failure.with_said(said(called))))
        }
    }
}

/// What the answer to [`verify`] means for a spreadsheet that was removed.
#[must_use]
pub fn judge_gone(called: &Called, now: Timestamp) -> Outcome {
    match read(called, now) {
        Err(Outcome::Refused(failure)) => kept(failure.message),
        Err(outcome) => outcome,
        Ok(Answer { ok: true, exists: Some(false), .. }) => Outcome::Done(None),
        Ok(Answer { ok: true, exists: Some(true), .. }) => {
            Outcome::Unknown(Fault::new(FaultCode::Contradiction))
        }
        // A refusal to look is no proof.
        Ok(_) => Outcome::Unknown(malformed(called)),
    }
}

fn kept(message: impl Into<String>) -> Outcome {
    Outcome::Refused(Failure::new(FailureCode::CompensationRefused, message))
}

fn misconfigured() -> Outcome {
    let message = "Our access to Google is not set up correctly. We have been told and look into it.";
    Outcome::Refused(Failure::new(FailureCode::Misconfigured, message))
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
        200 => serde_json::from_str(called.body.trim_start_matches('\u{feff}'))
            .map_err(|_| Outcome::Unknown(malformed(called))),
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
            Outcome::Done(Some(Product::Made(Artifact::Spreadsheet {
                id: "s1".to_owned(),
                url: "https://x/s1".to_owned()
            })))
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
    fn a_removal_names_what_it_was_about() {
        let about = |body: &str| judge_deprovision(&called(200, body), NOW);
        assert_eq!(about(r#"{"ok":true,"removed":true,"spreadsheetId":"s1"}"#), Ok(Some("s1".to_owned())));
        assert_eq!(about(r#"{"ok":true,"removed":false,"spreadsheetId":"s1"}"#), Ok(Some("s1".to_owned())));
        assert_eq!(about(r#"{"ok":true,"removed":false}"#), Ok(None));
        for body in [
            r#"{"ok":true,"removed":true}"#,
            r#"{"ok":true,"removed":true,"spreadsheetId":""}"#,
            r#"{"ok":true}"#,
            "<html>",
            "",
        ] {
            assert!(matches!(about(body), Err(Outcome::Unknown(_))), "{body}");
        }
        for (status, body) in [(200, r#"{"ok":false,"code":"FOREIGN"}"#), (404, "")] {
            let refused = judge_deprovision(&called(status, body), NOW);
            assert!(
                matches!(
                    refused,
                    Err(Outcome::Refused(Failure { code: FailureCode::CompensationRefused, .. }))
                ),
                "{body}"
            );
        }
    }

    #[test]
    fn gone_means_looked_for() {
        let looked = |status, body: &str| judge_gone(&called(status, body), NOW);
        assert_eq!(looked(200, r#"{"ok":true,"exists":false}"#), Outcome::Done(None));
        assert_eq!(
            looked(200, r#"{"ok":true,"exists":true}"#),
            Outcome::Unknown(Fault::new(FaultCode::Contradiction))
        );
        for (status, body) in [(200, r#"{"ok":true}"#), (200, r#"{"ok":false}"#), (200, "<html>"), (503, "")]
        {
            assert!(matches!(looked(status, body), Outcome::Unknown(_)), "{status} {body}");
        }
        assert!(matches!(looked(404, ""), Outcome::Refused(_)));
    }

    #[test]
    fn an_error_of_the_message_itself_is_not_tried_again() {
        assert!(matches!(judge_provision(&called(404, ""), NOW), Outcome::Refused(_)));
        assert!(matches!(judge_provision(&called(302, ""), NOW), Outcome::Unknown(_)));
    }
}
