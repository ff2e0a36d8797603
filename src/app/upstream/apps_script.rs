//! Google Apps Script: the web app that makes a pro tenant's spreadsheet.
//!
//! It can't read headers, so the signature travels in the query string, over the raw body. It answers by a redirect to
//! another host that has to be followed. Its errors are 200: `ok:false`, or a page of HTML.
//!
//! What it promises about removing: what was made under a provisioning key is removed by that key, or by its id, if it is
//! the tenant's own. From then on the key is spent: a request to make something under it that is still on its way is
//! refused (`DEPROVISIONED`) and brings nothing back.
//!
//! The script and the protocol in full: `integrations/apps-script`.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::App,
    domain::{Secret, Step, Timestamp, Upstream, text},
    ports::{OutboundRequest, OutboundResponse, Ports},
    store,
    workflow::{
        Artifact, FailureCode, Outcome, PermanentError, Product, Subject, TransientError, TransientErrorCode,
        policy::policy,
    },
};

use super::{hex, hmac_sha256, malformed, said, unknown_status};

/// Where Apps Script's own redirect leads.
const ANSWERS_FROM: &[&str] = &["script.googleusercontent.com"];

/// How long it has to say which one it is: a script that nobody called for a while needs seconds to begin.
const VERSION_TIME_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    ok: bool,
    spreadsheet_id: Option<String>,
    spreadsheet_url: Option<String>,
    exists: Option<bool>,
    removed: Option<bool>,
    /// With a refusal: in how many seconds it may be no longer one.
    retry_after: Option<u64>,
}

/// What the spreadsheet is to show of the tenant, beside its name and e-mail address.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// Its address on the web, if it has one.
    pub address: Option<String>,
    /// Its colours.
    pub colors: Option<store::tenants::Colors>,
}

/// The keys of a removal.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'a> {
    /// Under which the spreadsheet was asked for, and by which it is known when the answer was lost.
    pub provision: &'a str,
    /// Under which every attempt at the removal is recognised.
    pub removal: &'a str,
}

/// Text as a spreadsheet is to show it: what could be read as a formula gets a leading apostrophe. The apostrophe marks text
/// and is not part of it.
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
pub fn provision(url: &str, secret: &Secret, subject: &Subject, look: &Look, key: &str) -> OutboundRequest {
    let mut body = json!({
        "action": "provision",
        "tenantId": subject.tenant,
        "teamName": literal(subject.name.as_str()),
        "slug": literal(subject.slug.as_str()),
        "email": literal(subject.email.as_str()),
        "idempotencyKey": key,
    });
    if let Some(fields) = body.as_object_mut() {
        let colors = look.colors.as_ref();
        let more = [
            ("address", look.address.as_deref()),
            ("primaryColor", colors.map(|colors| colors.primary_color.as_str())),
            ("secondaryColor", colors.map(|colors| colors.secondary_color.as_str())),
        ];
        fields.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))));
    }
    signed(url, secret, &body, Step::CreateSpreadsheet)
}

/// Asks which script is deployed: it changes nothing.
pub fn version(url: &str, secret: &Secret) -> OutboundRequest {
    let call = signed(url, secret, &json!({ "action": "version" }), Step::VerifySpreadsheet);
    OutboundRequest { time_limit: VERSION_TIME_LIMIT, ..call }
}

/// Asks whether the spreadsheet is there.
pub fn verify(
    url: &str,
    secret: &Secret,
    subject: &Subject,
    spreadsheet: &str,
    key: &str,
) -> OutboundRequest {
    let body = json!({
        "action": "verify",
        "tenantId": subject.tenant,
        "spreadsheetId": spreadsheet,
        "idempotencyKey": key,
    });
    signed(url, secret, &body, Step::VerifySpreadsheet)
}

/// Asks for what [`provision`] made to be removed: by its key, and by its id where that is known.
pub fn deprovision(
    url: &str,
    secret: &Secret,
    subject: &Subject,
    spreadsheet: Option<&str>,
    keys: Keys<'_>,
) -> OutboundRequest {
    let mut body = json!({
        "action": "deprovision",
        "tenantId": subject.tenant,
        "provisionKey": keys.provision,
        "idempotencyKey": keys.removal,
    });
    if let (Some(id), Some(fields)) = (spreadsheet, body.as_object_mut()) {
        fields.insert("spreadsheetId".to_owned(), id.into());
    }
    signed(url, secret, &body, Step::CreateSpreadsheet)
}

/// Removes the tenant's spreadsheet, and looks whether it is gone. Done means that it is.
pub async fn remove<P: Ports>(
    app: &App<P>,
    subject: &Subject,
    spreadsheet: Option<&str>,
    keys: Keys<'_>,
) -> Outcome {
    let (config, now) = (app.config(), || app.ports.now());
    let url = &config.gas_webapp_url;
    let Some(secret) = &config.gas_hmac_secret else { return misconfigured() };
    let call = deprovision(url, secret, subject, spreadsheet, keys);
    let told = match app.call(call).await {
        Ok(response) => {
            classify_deprovision(&response, now()).map_err(|outcome| outcome.answered(response.status))
        }
        Err(error) => Err(Outcome::Unknown(error.into())),
    };
    let removed = match told {
        Ok(removed) => removed,
        Err(outcome) => return outcome,
    };
    // Nothing was ever made under the key, and now nothing will be: there is nothing to look for.
    let Some(id) = spreadsheet.or(removed.as_deref()) else { return Outcome::Done(None) };
    let key = format!("{}/verify", keys.removal);
    match app.call(verify(url, secret, subject, id, &key)).await {
        Ok(response) => classify_gone(&response, now()).answered(response.status),
        Err(error) => Outcome::Unknown(error.into()),
    }
}

fn signed(url: &str, secret: &Secret, body: &Value, step: Step) -> OutboundRequest {
    let body = ascii(&body.to_string());
    let signature = hex(&hmac_sha256(secret.expose().as_bytes(), body.as_bytes()));
    let separator = if url.contains('?') { '&' } else { '?' };
    OutboundRequest {
        upstream: Upstream::AppsScript.as_str(),
        method: "POST",
        url: format!("{url}{separator}signature={signature}"),
        headers: vec![("content-type", "application/json".to_owned())],
        body: Some(body),
        time_limit: policy(step).time_limit,
        follow: ANSWERS_FROM,
        traceparent: None,
    }
}

/// The same JSON without a character that is not ASCII. Apps Script decodes the body before the script sees it, and what was signed
/// are its bytes: these are the same in every encoding.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            text.push(character);
        } else {
            let units = character
                .encode_utf16(&mut [0; 2])
                .iter()
                .map(|unit| format!("\\u{unit:04x}"))
                .collect::<String>();
            text.push_str(&units);
        }
    }
    text
}

/// What the answer to [`provision`] means.
pub fn classify_provision(response: &OutboundResponse, now: Timestamp) -> Outcome {
    match read(response, now) {
        Err(outcome) => outcome,
        Ok(Answer { ok: true, spreadsheet_id: Some(id), spreadsheet_url, .. }) if !id.is_empty() => {
            let url =
                spreadsheet_url.unwrap_or_else(|| format!("https://docs.google.com/spreadsheets/d/{id}"));
            Outcome::Done(Some(Product::Created(Artifact::Spreadsheet { id, url })))
        }
        Ok(Answer { ok: true, .. }) => Outcome::Unknown(malformed(response)),
        Ok(_) => {
            let message =
                "Google refused to make the club's spreadsheet. We have been told and look into it.";
            let failure = PermanentError::new(FailureCode::SpreadsheetRejected, message);
            Outcome::Failed(failure.with_said(said(response)))
        }
    }
}

/// What the answer to [`verify`] means.
pub fn classify_verify(response: &OutboundResponse, now: Timestamp) -> Outcome {
    match read(response, now) {
        Err(outcome) => outcome,
        Ok(Answer { ok: true, exists: Some(true), .. }) => Outcome::Done(None),
        Ok(Answer { ok: true, exists: None, .. }) => Outcome::Unknown(malformed(response)),
        Ok(_) => match missing() {
            Outcome::Failed(failure) => Outcome::Failed(failure.with_said(said(response))),
            outcome => outcome,
        },
    }
}

/// What the answer to [`deprovision`] means: the spreadsheet that it was about, if there ever was one.
pub fn classify_deprovision(response: &OutboundResponse, now: Timestamp) -> Result<Option<String>, Outcome> {
    match read(response, now) {
        Err(Outcome::Failed(failure)) => Err(kept(failure.message)),
        Err(outcome) => Err(outcome),
        Ok(Answer { ok: true, spreadsheet_id: Some(id), removed: Some(_), .. }) if !id.is_empty() => {
            Ok(Some(id))
        }
        Ok(Answer { ok: true, spreadsheet_id: None, removed: Some(false), .. }) => Ok(None),
        // Something was removed, and nobody can look whether it is gone.
        Ok(Answer { ok: true, .. }) => Err(Outcome::Unknown(malformed(response))),
        Ok(_) => {
            let message =
                "Google refused to remove the club's spreadsheet. We have been told and look into it.";
            let failure = PermanentError::new(FailureCode::CompensationRefused, message);
            Err(Outcome::Failed(failure.with_said(said(response))))
        }
    }
}

/// What the answer to [`verify`] means for a spreadsheet that was removed.
pub fn classify_gone(response: &OutboundResponse, now: Timestamp) -> Outcome {
    match read(response, now) {
        Err(Outcome::Failed(failure)) => kept(failure.message),
        Err(outcome) => outcome,
        Ok(Answer { ok: true, exists: Some(false), .. }) => Outcome::Done(None),
        Ok(Answer { ok: true, exists: Some(true), .. }) => {
            Outcome::Unknown(TransientError::new(TransientErrorCode::Contradiction))
        }
        // A refusal to look is no proof.
        Ok(_) => Outcome::Unknown(malformed(response)),
    }
}

fn kept(message: impl Into<String>) -> Outcome {
    Outcome::Failed(PermanentError::new(FailureCode::CompensationRefused, message))
}

fn misconfigured() -> Outcome {
    let message = "Our access to Google is not set up correctly. We have been told and look into it.";
    Outcome::Failed(PermanentError::new(FailureCode::Misconfigured, message))
}

/// The spreadsheet is not there.
pub fn missing() -> Outcome {
    Outcome::Failed(PermanentError::new(
        FailureCode::SpreadsheetMissing,
        "The club's spreadsheet was made but can't be found. We have been told and look into it.",
    ))
}

fn read(response: &OutboundResponse, now: Timestamp) -> Result<Answer, Outcome> {
    if let Some(fault) = unknown_status(response, now) {
        return Err(Outcome::Unknown(fault));
    }
    match response.status {
        // HTML with status 200 is Apps Script's way of saying that something broke: nobody knows what was done.
        200 => match serde_json::from_str(response.body.trim_start_matches('\u{feff}')) {
            // A script can't set a status, nor a header: this is its 429. Whoever says when to come back does not refuse.
            Ok(Answer { ok: false, retry_after: Some(seconds), .. }) => {
                let retry_after = Some(Duration::from_secs(seconds));
                let code = TransientErrorCode::RateLimited;
                Err(Outcome::Unknown(TransientError { code, status: Some(response.status), retry_after }))
            }
            Ok(answer) => Ok(answer),
            Err(_) => Err(Outcome::Unknown(malformed(response))),
        },
        // A redirect that was not followed leads away from Apps Script: to a sign-in page, for one.
        300..=399 => {
            Err(Outcome::Unknown(TransientError { status: Some(response.status), ..malformed(response) }))
        }
        status => Err(Outcome::Failed(PermanentError::new(
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
    use crate::workflow::TransientErrorCode;

    const NOW: Timestamp = Timestamp::from_seconds(0);

    fn response(status: u16, body: &str) -> OutboundResponse {
        OutboundResponse { status, retry_after: None, body: body.to_owned(), ms: 1 }
    }

    #[test]
    fn two_hundred_is_not_success() {
        let refused = classify_provision(&response(200, r#"{"ok":false,"error":"quota"}"#), NOW);
        assert!(matches!(
            refused,
            Outcome::Failed(PermanentError { code: FailureCode::SpreadsheetRejected, .. })
        ));
        for body in [
            "<html>Service error</html>",
            "",
            "{",
            "null",
            r#"{"ok":true}"#,
            r#"{"ok":true,"spreadsheetId":""}"#,
        ] {
            let outcome = classify_provision(&response(200, body), NOW);
            assert!(
                matches!(
                    outcome,
                    Outcome::Unknown(TransientError { code: TransientErrorCode::Malformed, .. })
                ),
                "{body}"
            );
        }
    }

    #[test]
    fn a_spreadsheet_is_remembered() {
        let done = classify_provision(
            &response(200, r#"{"ok":true,"spreadsheetId":"s1","spreadsheetUrl":"https://x/s1"}"#),
            NOW,
        );
        assert_eq!(
            done,
            Outcome::Done(Some(Product::Created(Artifact::Spreadsheet {
                id: "s1".to_owned(),
                url: "https://x/s1".to_owned()
            })))
        );
    }

    #[test]
    fn verified_means_seen() {
        assert_eq!(classify_verify(&response(200, r#"{"ok":true,"exists":true}"#), NOW), Outcome::Done(None));
        for body in [r#"{"ok":true,"exists":false}"#, r#"{"ok":false}"#] {
            assert!(matches!(classify_verify(&response(200, body), NOW), Outcome::Failed(_)), "{body}");
        }
        assert!(matches!(classify_verify(&response(200, r#"{"ok":true}"#), NOW), Outcome::Unknown(_)));
        assert!(matches!(classify_verify(&response(503, ""), NOW), Outcome::Unknown(_)));
    }

    #[test]
    fn a_removal_names_what_it_was_about() {
        let about = |body: &str| classify_deprovision(&response(200, body), NOW);
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
            let refused = classify_deprovision(&response(status, body), NOW);
            assert!(
                matches!(
                    refused,
                    Err(Outcome::Failed(PermanentError { code: FailureCode::CompensationRefused, .. }))
                ),
                "{body}"
            );
        }
    }

    #[test]
    fn a_refusal_that_says_when_to_come_back_is_none() {
        let body = r#"{"ok":false,"code":"BUSY","error":"Another request is at work.","retryAfter":30}"#;
        let answer = response(200, body);
        let later = Outcome::Unknown(TransientError {
            code: TransientErrorCode::RateLimited,
            status: Some(200),
            retry_after: Some(Duration::from_secs(30)),
        });
        assert_eq!(classify_provision(&answer, NOW), later);
        assert_eq!(classify_verify(&answer, NOW), later);
        assert_eq!(classify_deprovision(&answer, NOW), Err(later.clone()));
        assert_eq!(classify_gone(&answer, NOW), later);
        let done = classify_verify(&response(200, r#"{"ok":true,"exists":true,"retryAfter":30}"#), NOW);
        assert_eq!(done, Outcome::Done(None));
        let wrong = classify_provision(&response(200, r#"{"ok":false,"retryAfter":"soon"}"#), NOW);
        assert!(matches!(
            wrong,
            Outcome::Unknown(TransientError { code: TransientErrorCode::Malformed, .. })
        ));
    }

    #[test]
    fn what_is_signed_is_ascii_and_the_same_json() {
        let told = json!({ "teamName": "Kölner \u{1f3d0} \"Süd\" \u{2028}", "slug": "a\\b" }).to_string();
        let sent = ascii(&told);
        assert!(sent.is_ascii());
        assert!(sent.contains(r"K\u00f6lner \ud83c\udfd0"), "{sent}");
        assert_eq!(
            serde_json::from_str::<Value>(&sent).unwrap(),
            serde_json::from_str::<Value>(&told).unwrap()
        );
    }

    #[test]
    fn gone_means_looked_for() {
        let looked = |status, body: &str| classify_gone(&response(status, body), NOW);
        assert_eq!(looked(200, r#"{"ok":true,"exists":false}"#), Outcome::Done(None));
        assert_eq!(
            looked(200, r#"{"ok":true,"exists":true}"#),
            Outcome::Unknown(TransientError::new(TransientErrorCode::Contradiction))
        );
        for (status, body) in [(200, r#"{"ok":true}"#), (200, r#"{"ok":false}"#), (200, "<html>"), (503, "")]
        {
            assert!(matches!(looked(status, body), Outcome::Unknown(_)), "{status} {body}");
        }
        assert!(matches!(looked(404, ""), Outcome::Failed(_)));
    }

    #[test]
    fn an_error_of_the_message_itself_is_not_tried_again() {
        assert!(matches!(classify_provision(&response(404, ""), NOW), Outcome::Failed(_)));
        assert!(matches!(classify_provision(&response(302, ""), NOW), Outcome::Unknown(_)));
    }
}
