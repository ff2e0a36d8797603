//! Six digits in a mail, beside its link.
//!
//! Each mail has a code of its own, which five wrong ones burn. Of one mailbox ten wrong ones a day are looked at, however many mails
//! it gets: whoever guesses without a pause finds one of a million in a day with odds of 1 : 100,000, in a year with 1 : 270. The links
//! in the mails go on to work, so that nobody locks an owner out by guessing.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::domain::{Config, MailId, Secret, Timestamp};

use super::upstream::hmac_sha256;

/// The code in a mail: the same for the same mail and moment. None without a secret.
pub fn code(config: &Config, mail: &MailId, issued_at: Timestamp) -> Option<String> {
    let message = format!("magic-code\n{}\n{}", mail.as_str(), issued_at.seconds());
    let mac = hmac_sha256(config.jwt_secret.as_ref()?.expose().as_bytes(), message.as_bytes());
    let number = mac.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    Some(format!("{:06}", number % 1_000_000))
}

/// What is stored of a code: nobody who reads it can try out all of them without the key.
pub fn stored(config: &Config, code: &str) -> Option<String> {
    config.jwt_secret.as_ref().map(|secret| hash(secret, code))
}

/// What may be stored of a code: under whichever secret is good now.
pub fn stored_under_any(config: &Config, code: &str) -> Vec<String> {
    let previous = config.jwt_secrets_previous.iter().map(|previous| &previous.secret);
    let secrets = [&config.jwt_secret, &config.jwt_secret_next].into_iter().flatten().chain(previous);
    secrets.map(|secret| hash(secret, code)).collect()
}

fn hash(secret: &Secret, code: &str) -> String {
    URL_SAFE_NO_PAD.encode(hmac_sha256(secret.expose().as_bytes(), format!("code\n{code}").as_bytes()))
}
