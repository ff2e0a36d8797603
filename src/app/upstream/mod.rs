//! The other sides: what we send them, and what their answers mean. Each answer is one of three: done, refused, unknown.

pub mod apps_script;
pub mod cloudflare;
pub mod google;
pub mod make;
pub mod resend;
mod status;
pub mod turnstile;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::{
    ports::{CallError, Called},
    workflow::{Fault, FaultCode},
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

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        Self::new(match error {
            CallError::Timeout => FaultCode::Timeout,
            CallError::Connection => FaultCode::Connection,
        })
    }
}

fn malformed(called: &Called) -> Fault {
    Fault { code: FaultCode::Malformed, status: Some(called.status), retry_after: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hmac_is_that_of_rfc_4231() {
        let mac = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex(&mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
