//! Google's own APIs, with a service account: a token for a signed assertion, then the Sheets API.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::json;

use crate::{
    app::App,
    domain::{Secret, Step, Timestamp, Upstream},
    ports::{Clock, CryptoError, OutboundRequest, OutboundResponse, Ports, Vault},
    workflow::{FailureCode, Outcome, PermanentError, TransientError, TransientErrorCode, policy::policy},
};

use super::{apps_script::missing, malformed, said, unknown_status};

const SCOPE: &str = "https://www.googleapis.com/auth/spreadsheets.readonly";
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";

/// A service account's key, as Google hands it out.
#[derive(Debug, Deserialize)]
struct AccountFile {
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
}

/// A service account.
#[derive(Debug)]
pub struct Account {
    email: String,
    key: Secret,
    key_id: Option<String>,
}

impl Account {
    /// Reads a key file.
    pub fn parse(file: &Secret) -> Result<Self, PermanentError> {
        let file: AccountFile = serde_json::from_str(file.expose()).map_err(|_| misconfigured())?;
        Ok(Self { email: file.client_email, key: Secret::new(file.private_key), key_id: file.private_key_id })
    }
}

fn misconfigured() -> PermanentError {
    PermanentError::new(
        FailureCode::Misconfigured,
        "Our access to Google is not set up correctly. We have been told and look into it.",
    )
}

/// Reads a spreadsheet back through the Sheets API.
pub async fn verify<P: Ports>(app: &App<P>, account: &Account, spreadsheet: &str) -> Outcome {
    let token = match token(app, account).await {
        Ok(token) => token,
        Err(outcome) => return outcome,
    };
    let call = sheet_call(&token, spreadsheet, half_of_the_step());
    match app.call(call).await {
        Ok(response) => classify_sheet(&response, spreadsheet, app.ports.now()).answered(response.status),
        Err(error) => Outcome::Unknown(error.into()),
    }
}

/// How long each of the two calls of an attempt may take.
fn half_of_the_step() -> Duration {
    policy(Step::VerifySpreadsheet).time_limit / 2
}

/// Reads a spreadsheet: its id and its title.
pub(super) fn sheet_call(token: &Secret, spreadsheet: &str, time_limit: Duration) -> OutboundRequest {
    OutboundRequest {
        upstream: Upstream::Google.as_str(),
        method: "GET",
        url: format!(
            "https://sheets.googleapis.com/v4/spreadsheets/{}?fields=spreadsheetId,properties.title",
            // An id that Apps Script made up must not become a path of its own.
            spreadsheet.replace(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'), "")
        ),
        headers: vec![("authorization", format!("Bearer {}", token.expose()))],
        body: None,
        time_limit,
        follow: &[],
        traceparent: None,
    }
}

async fn token<P: Ports>(app: &App<P>, account: &Account) -> Result<Secret, Outcome> {
    let call = token_call(app, account, half_of_the_step()).await;
    let call = call.map_err(|_| Outcome::Failed(misconfigured()))?;
    let response = app.call(call).await.map_err(|error| Outcome::Unknown(error.into()))?;
    read_token(&response, app.ports.now()).map_err(|outcome| outcome.answered(response.status))
}

/// Asks for a token that reads spreadsheets.
pub(super) async fn token_call<P: Ports>(
    app: &App<P>,
    account: &Account,
    time_limit: Duration,
) -> Result<OutboundRequest, CryptoError> {
    let assertion = assertion(&app.ports, account).await?;
    Ok(OutboundRequest {
        upstream: Upstream::Google.as_str(),
        method: "POST",
        url: TOKEN_URL.to_owned(),
        headers: vec![("content-type", "application/x-www-form-urlencoded".to_owned())],
        body: Some(format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}"
        )),
        time_limit,
        follow: &[],
        traceparent: None,
    })
}

/// RFC 7523: who we are, signed with RS256.
async fn assertion(ports: &(impl Clock + Vault), account: &Account) -> Result<String, CryptoError> {
    let now = ports.now().seconds();
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": account.key_id });
    let claims =
        json!({ "iss": account.email, "scope": SCOPE, "aud": TOKEN_URL, "iat": now, "exp": now + 3600 });
    let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&header), encode(&claims));
    let signature = ports.sign_rs256(&account.key, signed.as_bytes()).await?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// What Google answers by 403, or to who asks for a token, and means to pass: a quota of a minute or of a day, or a trouble of
/// its own.
const PASSING: [&str; 9] = [
    "RESOURCE_EXHAUSTED",
    "UNAVAILABLE",
    "dailyLimitExceeded",
    "internal_failure",
    "quotaExceeded",
    "rateLimitExceeded",
    "rate_limit_exceeded",
    "temporarily_unavailable",
    "userRateLimitExceeded",
];

/// Whether an answer names a reason that passes: as `error` (OAuth), or as `error.status` or one of `error.errors[].reason`.
pub(super) fn will_pass(response: &OutboundResponse) -> bool {
    let answer: serde_json::Value = serde_json::from_str(&response.body).unwrap_or_default();
    let error = answer.get("error");
    let reasons = error.and_then(|error| error.get("errors")).and_then(|errors| errors.as_array());
    let reasons = reasons.into_iter().flatten().filter_map(|one| one.get("reason"));
    let named = error.into_iter().chain(error.and_then(|error| error.get("status"))).chain(reasons);
    named.filter_map(|name| name.as_str()).any(|name| PASSING.contains(&name))
}

pub(super) fn rate_limited(response: &OutboundResponse) -> TransientError {
    let fault = TransientError::new(TransientErrorCode::RateLimited);
    TransientError { status: Some(response.status), ..fault }
}

fn passing(response: &OutboundResponse) -> Outcome {
    Outcome::Unknown(rate_limited(response))
}

pub(super) fn read_token(response: &OutboundResponse, now: Timestamp) -> Result<Secret, Outcome> {
    #[derive(Deserialize)]
    struct Answer {
        access_token: String,
    }
    if let Some(fault) = unknown_status(response, now) {
        return Err(Outcome::Unknown(fault));
    }
    match response.status {
        200 => serde_json::from_str(&response.body)
            .map(|answer: Answer| Secret::new(answer.access_token))
            .map_err(|_| Outcome::Unknown(malformed(response))),
        400..500 if will_pass(response) => Err(passing(response)),
        _ => Err(Outcome::Failed(misconfigured().with_said(said(response)))),
    }
}

fn classify_sheet(response: &OutboundResponse, spreadsheet: &str, now: Timestamp) -> Outcome {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        spreadsheet_id: String,
    }
    if let Some(fault) = unknown_status(response, now) {
        return Outcome::Unknown(fault);
    }
    match response.status {
        200 => match serde_json::from_str::<Answer>(&response.body) {
            Ok(answer) if answer.spreadsheet_id == spreadsheet => Outcome::Done(None),
            _ => Outcome::Unknown(malformed(response)),
        },
        404 => missing(),
        403 if will_pass(response) => passing(response),
        // Somebody else is at work on it, or the call failed there.
        409 | 499 => {
            let code = TransientErrorCode::ServerError;
            Outcome::Unknown(TransientError { code, status: Some(response.status), retry_after: None })
        }
        // A token that was good a moment ago: the next attempt gets a new one.
        401 => Outcome::Unknown(TransientError {
            code: TransientErrorCode::ServerError,
            status: Some(401),
            retry_after: None,
        }),
        _ => Outcome::Failed(misconfigured().with_said(said(response))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(0);

    fn response(status: u16, body: &str) -> OutboundResponse {
        OutboundResponse { status, retry_after: None, body: body.to_owned(), ms: 1 }
    }

    #[test]
    fn a_sheet_counts_when_google_shows_that_very_one() {
        assert_eq!(
            classify_sheet(&response(200, r#"{"spreadsheetId":"s1"}"#), "s1", NOW),
            Outcome::Done(None)
        );
        assert!(matches!(
            classify_sheet(&response(200, r#"{"spreadsheetId":"s2"}"#), "s1", NOW),
            Outcome::Unknown(_)
        ));
        assert!(matches!(classify_sheet(&response(200, "<html>"), "s1", NOW), Outcome::Unknown(_)));
    }

    #[test]
    fn a_missing_sheet_and_a_missing_permission_are_told_apart() {
        let code = |status| match classify_sheet(&response(status, ""), "s1", NOW) {
            Outcome::Failed(failure) => failure.code,
            other => panic!("{status}: {other:?}"),
        };
        assert_eq!(code(404), FailureCode::SpreadsheetMissing);
        assert_eq!(code(403), FailureCode::Misconfigured);
    }

    /// One row a status, where the body says nothing more.
    #[test]
    fn every_status_has_its_meaning() {
        for status in 200..600 {
            let refused = |outcome: &Outcome| match outcome {
                Outcome::Failed(failure) => Some(failure.code),
                Outcome::Done(_) | Outcome::Unknown(_) => None,
            };
            let expected = match status {
                200 | 401 | 408 | 409 | 421 | 423 | 425 | 429 | 499.. => None,
                404 => Some(FailureCode::SpreadsheetMissing),
                _ => Some(FailureCode::Misconfigured),
            };
            assert_eq!(refused(&classify_sheet(&response(status, "{}"), "s1", NOW)), expected, "{status}");
            let expected = match status {
                200 | 408 | 421 | 423 | 425 | 429 | 500.. => None,
                _ => Some(FailureCode::Misconfigured),
            };
            assert_eq!(
                read_token(&response(status, "{}"), NOW).err().as_ref().and_then(refused),
                expected,
                "{status}"
            );
        }
    }

    #[test]
    fn a_quota_is_a_matter_of_time_even_as_a_refusal() {
        for body in [
            r#"{"error":{"code":403,"status":"RESOURCE_EXHAUSTED"}}"#,
            r#"{"error":{"code":403,"errors":[{"reason":"userRateLimitExceeded"}]}}"#,
            r#"{"error":{"code":403,"errors":[{"reason":"forbidden"},{"reason":"rateLimitExceeded"}]}}"#,
        ] {
            assert!(matches!(classify_sheet(&response(403, body), "s1", NOW), Outcome::Unknown(_)), "{body}");
        }
        for body in [r#"{"error":"temporarily_unavailable"}"#, r#"{"error":"rate_limit_exceeded"}"#] {
            assert!(matches!(read_token(&response(403, body), NOW), Err(Outcome::Unknown(_))), "{body}");
        }
        for body in [
            r#"{"error":{"code":403,"status":"PERMISSION_DENIED","errors":[{"reason":"forbidden"}]}}"#,
            r#"{"error":{"code":403,"message":"rateLimitExceeded"}}"#,
            r#"{"error":["rateLimitExceeded"]}"#,
            "<html>",
            "",
        ] {
            assert!(matches!(classify_sheet(&response(403, body), "s1", NOW), Outcome::Failed(_)), "{body}");
        }
        assert!(matches!(
            read_token(&response(400, r#"{"error":"invalid_grant"}"#), NOW),
            Err(Outcome::Failed(_))
        ));
    }

    #[test]
    fn a_key_file_that_is_none_is_a_matter_of_configuration() {
        let error = Account::parse(&Secret::new("{}".to_owned())).unwrap_err();
        assert_eq!(error.code, FailureCode::Misconfigured);
        assert!(matches!(read_token(&response(400, ""), NOW), Err(Outcome::Failed(_))));
        assert!(matches!(read_token(&response(500, ""), NOW), Err(Outcome::Unknown(_))));
    }
}
