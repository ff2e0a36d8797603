//! The other sides: what we send them, and what their answers mean. Each answer is one of three: done, refused, unknown.

pub mod apps_script;
pub mod cloudflare;
pub mod google;
pub mod make;
pub mod resend;
pub mod turnstile;

use std::time::Duration;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::{
    domain::{Secret, Timestamp},
    ports::{CallError, Called},
    workflow::{Fault, FaultCode},
};

/// HMAC-SHA-256 of `message` under `key`.
pub(super) fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length, so this can't fail; an empty signature would be refused by every receiver.
    Hmac::<Sha256>::new_from_slice(key)
        .map(|mac| mac.chain_update(message).finalize().into_bytes().to_vec())
        .unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        Self::new(match error {
            CallError::Timeout => FaultCode::Timeout,
            CallError::Connection => FaultCode::Connection,
        })
    }
}

/// What a status says that no upstream means differently: `None` for those that each must judge.
fn unknown_status(called: &Called, now: Timestamp) -> Option<Fault> {
    let code = match called.status {
        408 | 425 => FaultCode::Timeout,
        429 => FaultCode::RateLimited,
        500.. => FaultCode::ServerError,
        _ => return None,
    };
    let retry_after = called.retry_after.as_deref().and_then(|value| retry_after(value, now));
    Some(Fault { code, status: Some(called.status), retry_after })
}

fn malformed(called: &Called) -> Fault {
    Fault { code: FaultCode::Malformed, status: Some(called.status), retry_after: None }
}

/// `Retry-After`: seconds, or an HTTP date.
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    Some(Timestamp::from_millis(date.timestamp_millis()).since(now))
}

/// Standard Webhooks: the key is the secret's bytes, or what follows `whsec_` in base64.
fn webhook_key(secret: &Secret) -> Vec<u8> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let text = secret.expose();
    text.strip_prefix("whsec_")
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .unwrap_or_else(|| text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_792_584_000);

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after(" 7 ", NOW), Some(Duration::from_secs(7)));
        assert_eq!(
            retry_after("Wed, 21 Oct 2026 08:00:30 GMT", Timestamp::from_seconds(1_792_569_600)),
            Some(Duration::from_secs(30))
        );
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT", NOW), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", NOW), None);
        assert_eq!(retry_after("-1", NOW), None);
    }

    #[test]
    fn the_hmac_is_that_of_rfc_4231() {
        let mac = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex(&mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
