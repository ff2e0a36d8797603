//! The Apps Script: asked for its version, signed as every call to it is.

use serde_json::Value;

use crate::{
    app::upstream::apps_script,
    ports::{OutboundResponse, Ports},
    workflow::{TransientError, TransientErrorCode},
};

use super::{CheckCode, Checker, Verdict};

/// The protocol that this version speaks with the script.
const PROTOCOL: u64 = 1;

pub(super) async fn check<P: Ports>(checker: Checker<'_, P>) -> Verdict {
    let config = checker.app.config();
    if config.gas_webapp_url.is_empty() {
        return Verdict::not_configured("GAS_WEBAPP_URL");
    }
    let Some(secret) = &config.gas_hmac_secret else { return Verdict::not_configured("GAS_HMAC_SECRET") };
    let call = apps_script::version(&config.gas_webapp_url, secret);
    Verdict::of(checker.ask(call).await.map(|response| judge(&checker, &response)))
}

fn judge<P: Ports>(checker: &Checker<'_, P>, response: &OutboundResponse) -> Verdict {
    match response.status {
        200 => {}
        // A redirect that was not followed leads to a sign-in page.
        300..=399 | 401 | 403 => return not_public(),
        404 | 410 => {
            let message = "No script is deployed at GAS_WEBAPP_URL: copy the address of the web app, which ends in /exec.";
            return Verdict::new(CheckCode::NotFound, message);
        }
        _ => return checker.malformed(response),
    }
    let body = response.body.trim_start_matches('\u{feff}').trim_start();
    let answer: Value = serde_json::from_str(body).unwrap_or_default();
    match answer.get("ok").and_then(Value::as_bool) {
        Some(true) => version(&answer),
        // A script can't set a status: this is its 429.
        Some(false) if answer.get("retryAfter").is_some_and(Value::is_u64) => {
            checker.unknown(&TransientError::new(TransientErrorCode::RateLimited))
        }
        Some(false) => refusal(&answer),
        None if ["accounts.google.com", "ServiceLogin"].iter().any(|sign| body.contains(sign)) => {
            not_public()
        }
        None if body.starts_with('<') => {
            let message = "The script ends with an error: look at Executions in the Apps Script editor, then deploy a new version.";
            Verdict::new(CheckCode::ScriptFailed, message)
        }
        None => checker.malformed(response),
    }
}

fn not_public() -> Verdict {
    let message =
        "The script asks for a sign-in: deploy it as a web app that runs as you, with access for \"Anyone\".";
    Verdict::new(CheckCode::NotPublic, message)
}

fn version(answer: &Value) -> Verdict {
    let is_version = |text: &&str| {
        (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    let shown = answer.get("version").and_then(Value::as_str).filter(is_version).unwrap_or("unknown");
    match answer.get("protocol").and_then(Value::as_u64) {
        Some(PROTOCOL) => match problem(answer) {
            Some(word) => Verdict::new(
                CheckCode::NotConfigured,
                format!("The script is not set up ({word}): run setUp in its editor, or see its page."),
            ),
            None => Verdict::new(CheckCode::Ok, format!("The script answers, version {shown}.")),
        },
        Some(other) => Verdict::new(
            CheckCode::WrongVersion,
            format!("The script speaks protocol {other}, not {PROTOCOL}: deploy this release's script."),
        ),
        None => without_version(),
    }
}

/// The first of what the script itself says that it lacks.
fn problem(answer: &Value) -> Option<&str> {
    let first = answer.get("problems")?.as_array()?.first()?;
    Some(first.as_str().filter(is_word).unwrap_or("no reason"))
}

/// One that took the signature, and is not the script that comes with this service.
fn without_version() -> Verdict {
    let message = "The script takes the secret and names no version: deploy this release's script to have all of it checked.";
    Verdict::new(CheckCode::PartlyChecked, message)
}

fn refusal(answer: &Value) -> Verdict {
    let words = || ["code", "error"].into_iter().filter_map(|name| answer.get(name)?.as_str());
    let says = |sign: &str| words().any(|word| word.to_ascii_uppercase().contains(sign));
    if ["SIGNATURE", "SECRET", "UNAUTHORI", "FORBIDDEN"].into_iter().any(says) {
        let message = "The script has another secret: set GAS_HMAC_SECRET here and in its properties to the same value.";
        return Verdict::new(CheckCode::WrongSecret, message);
    }
    if says("ACTION") {
        return without_version();
    }
    let word = words().find(is_word).unwrap_or("no reason");
    let message =
        format!("The script refuses ({word}): look at its properties, and at Executions in its editor.");
    Verdict::new(CheckCode::Refused, message)
}

/// A word, and never a text: whoever wrote the script may have put anything into it.
fn is_word(word: &&str) -> bool {
    (2..=40).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}
