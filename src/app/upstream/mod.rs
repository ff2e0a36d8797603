//! The upstreams: what we send them, and what their answers mean. Each answer is one of three: done, refused, unknown.

pub mod apps_script;
pub mod checks;
pub mod cloudflare;
pub mod google;
pub mod make;
pub mod resend;
mod status;
pub mod turnstile;

use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::{
    domain::text,
    ports::{OutboundError, OutboundResponse},
    workflow::{TransientError, TransientErrorCode},
};

use status::unknown_status;

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

impl From<OutboundError> for TransientError {
    fn from(error: OutboundError) -> Self {
        Self::new(match error {
            OutboundError::Timeout => TransientErrorCode::Timeout,
            OutboundError::Connection => TransientErrorCode::Connection,
        })
    }
}

fn malformed(response: &OutboundResponse) -> TransientError {
    TransientError { code: TransientErrorCode::Malformed, status: Some(response.status), retry_after: None }
}

/// What the upstream says of its refusal, in any of the shapes in which they do, short and safe to show.
fn said(response: &OutboundResponse) -> Option<String> {
    const WORDS: [&str; 5] = ["code", "status", "error", "error_description", "message"];
    let body: Value = serde_json::from_str(response.body.trim_start_matches('\u{feff}')).ok()?;
    let within = [body.get("error"), body.get("errors").and_then(|errors| errors.get(0))];
    let texts: Vec<&str> = [Some(&body)]
        .into_iter()
        .chain(within)
        .flatten()
        .flat_map(|object| WORDS.iter().filter_map(|word| object.get(word)?.as_str()))
        .collect();
    text::quoted(&texts.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_other_side_says_is_read_in_each_of_their_shapes() {
        for (body, expected) in [
            (r#"{"ok":false,"error":"Too many files.","code":"QUOTA"}"#, Some("QUOTA: Too many files.")),
            ("\u{feff}{\"ok\":false,\"message\":\"no\"}", Some("no")),
            (
                r#"{"error":{"code":403,"message":"Not you","status":"PERMISSION_DENIED"}}"#,
                Some("PERMISSION_DENIED: Not you"),
            ),
            (r#"{"error":"invalid_grant","error_description":"Bad key"}"#, Some("invalid_grant: Bad key")),
            (r#"{"success":false,"errors":[{"code":9109,"message":"Unauthorized"}]}"#, Some("Unauthorized")),
            (r#"{"ok":false,"error":"see https://x.example/?k=1 ann@example.org"}"#, Some("see … …")),
            (r#"{"ok":false}"#, None),
            (r#"{"ok":false,"error":{"message":7}}"#, None),
            ("<html>", None),
            ("", None),
        ] {
            let response = OutboundResponse { status: 200, retry_after: None, body: body.to_owned(), ms: 1 };
            assert_eq!(said(&response).as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn the_hmac_is_that_of_rfc_4231() {
        let mac = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex(&mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
