//! The secrets that sign and verify tokens, as keys.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::Secret;

/// What stands before a secret whose key is what it decodes to.
const PREFIX: &str = "base64:";
/// The shortest key, in bytes: HS256's own block of entropy.
pub const SHORTEST_KEY: usize = 32;
/// As JavaScript's `atob` reads it: padded or not, and whatever the last bits are that no byte needs.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Why a secret is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// What stands behind the prefix can't be decoded.
    #[error("is not base64 behind base64:")]
    NotBase64,
    /// Somebody could guess it.
    #[error("is shorter than 32 bytes")]
    TooShort,
}

/// The key that a secret is: its own bytes, or what it decodes to where it begins with `base64:`. Services that decode their secrets
/// need the second.
pub fn key(secret: &Secret) -> Result<Vec<u8>, BadKey> {
    let text = secret.expose();
    let key = match text.get(..PREFIX.len()).filter(|start| start.eq_ignore_ascii_case(PREFIX)) {
        None => text.as_bytes().to_vec(),
        Some(PREFIX) => {
            let encoded: String =
                text.chars().skip(PREFIX.len()).filter(|c| !c.is_ascii_whitespace()).collect();
            BASE64.decode(encoded).map_err(|_| BadKey::NotBase64)?
        }
        // Nobody means the prefix as a part of the key.
        Some(_) => return Err(BadKey::NotBase64),
    };
    if key.len() < SHORTEST_KEY { Err(BadKey::TooShort) } else { Ok(key) }
}

/// A secret that a rotation replaced.
#[derive(Debug, Clone)]
pub struct PreviousSecret {
    /// It verifies tenants' tokens that were issued earlier.
    pub secret: Secret,
    /// When it was replaced, Unix seconds; none while nobody says so, and then it verifies nothing.
    pub rotated_at: Option<i64>,
}

/// How many secrets that were replaced may be accepted at the same time: one a quarter, for tokens that live a year, and to spare.
const PREVIOUS_SECRETS: u32 = 6;

/// The secrets that rotations replaced, and when.
pub(super) fn previous_secrets(
    secret: impl Fn(&str) -> Option<Secret>,
    text: impl Fn(&str) -> Option<String>,
    problems: &mut Vec<String>,
) -> Vec<PreviousSecret> {
    let mut previous = Vec::new();
    for number in 1..=PREVIOUS_SECRETS {
        let suffix = if number == 1 { String::new() } else { format!("_{number}") };
        let (name, when) = (format!("JWT_SECRET_PREVIOUS{suffix}"), format!("JWT_ROTATED_AT{suffix}"));
        let Some(secret) = secret(&name) else { continue };
        if let Err(problem) = key(&secret) {
            problems.push(format!("{name} {problem}"));
        }
        let rotated_at = text(&when);
        let moment = rotated_at.as_deref().and_then(|text| text.parse().ok());
        // Milliseconds would be a day that never comes.
        let moment = moment.filter(|moment| (0..=LATEST_SECOND).contains(moment));
        match (&rotated_at, moment) {
            (None, _) => problems.push(format!("{when} is missing")),
            (Some(_), None) => problems.push(format!("{when} must be Unix seconds")),
            (Some(_), Some(_)) => {}
        }
        previous.push(PreviousSecret { secret, rotated_at: moment });
    }
    previous
}

/// No moment of ours is later, in Unix seconds: the year 5138.
const LATEST_SECOND: i64 = 99_999_999_999;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<u8>, BadKey> {
        key(&Secret::new(text.to_owned()))
    }

    #[test]
    fn a_secret_is_its_own_bytes() {
        for text in [
            "0123456789abcdef0123456789abcdef",
            "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
            "xbase64:0123456789abcdef01234567",
        ] {
            assert_eq!(of(text), Ok(text.as_bytes().to_vec()), "{text}");
        }
        assert_eq!(of("0123456789abcdef0123456789abcde"), Err(BadKey::TooShort));
    }

    #[test]
    fn a_decoded_secret_is_what_another_service_decoded_it_to() {
        for text in [
            "base64:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
            "base64:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY",
            "base64: MDEyMzQ1Njc4OWFiY2Rl\nZjAxMjM0NTY3ODlhYmNkZWY=\n",
            "base64:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWZ",
        ] {
            assert_eq!(of(text), Ok(b"0123456789abcdef0123456789abcdef".to_vec()), "{text}");
        }
    }

    /// The service that decoded its secrets took what it could not decode as text: without the prefix it is read alike.
    #[test]
    fn what_is_not_base64_is_no_key() {
        for text in [
            "base64:not base64, and longer than 32 bytes!",
            "base64:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZ-_",
            "base64:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=x",
            "Base64:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        ] {
            assert_eq!(of(text), Err(BadKey::NotBase64), "{text}");
        }
        for text in ["base64:", "base64:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZQ=="] {
            assert_eq!(of(text), Err(BadKey::TooShort), "{text}");
        }
    }
}
