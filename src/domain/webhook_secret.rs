//! The secret that signs what is sent to a tenant's webhook: one that every receiver reads as we do.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};

use super::{Secret, field_errors::InvalidValue};

/// What Standard Webhooks puts before a key in base64.
const PREFIX: &str = "whsec_";
/// The least that Standard Webhooks allows a key to have, in bytes.
const SHORTEST_KEY: usize = 24;
/// Base64 as it comes: padded or not, and whatever the last bits are that no byte needs.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The secret of a webhook: at least 16 printable ASCII characters, without blanks at the ends. Or, as in Standard Webhooks,
/// `whsec_` and at least 24 bytes in base64, padded or not.
// Base64 is kept as the one spelling that all readers read alike.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(utoipa::ToSchema),
    schema(
        value_type = String,
        min_length = 16,
        max_length = 200,
        pattern = "^[!-~]([ -~]*[!-~])?$",
        example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    )
)]
pub struct WebhookSecret(Secret);

impl WebhookSecret {
    /// The secret itself.
    pub const fn secret(&self) -> &Secret {
        &self.0
    }
}

impl TryFrom<String> for WebhookSecret {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        if text.trim() != text {
            return Err(InvalidValue::new("surrounding_space", "Remove the blanks at the ends."));
        }
        if !text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
            return Err(InvalidValue::new(
                "invalid_characters",
                "Use plain letters, digits and signs: no accents, and nothing that can't be seen.",
            ));
        }
        if text.len() > 200 {
            return Err(InvalidValue::new("too_long", "Use at most 200 characters."));
        }
        match text.strip_prefix(PREFIX) {
            Some(encoded) => of_key(encoded),
            None if text.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX)) => {
                Err(InvalidValue::new("invalid_prefix", "Write whsec_ in small letters."))
            }
            None if text.len() < 16 => Err(InvalidValue::new("too_short", "Use at least 16 characters.")),
            None => Ok(Self(Secret::new(text))),
        }
    }
}

fn of_key(encoded: &str) -> Result<WebhookSecret, InvalidValue> {
    let key = LENIENT.decode(encoded).map_err(|_| {
        InvalidValue::new("invalid_base64", "What follows whsec_ must be base64. Copy all of it.")
    })?;
    if key.len() < SHORTEST_KEY {
        let message = "What follows whsec_ must be base64 of at least 24 bytes. Copy all of it.";
        return Err(InvalidValue::new("too_short", message));
    }
    Ok(WebhookSecret(Secret::new(format!("{PREFIX}{}", STANDARD.encode(key)))))
}

/// The keys by which a stored secret signs: the one that receivers read, and, where a secret was stored before its spelling
/// was checked, also the one that it has always signed by.
pub fn keys(secret: &Secret) -> Vec<Vec<u8>> {
    let text = secret.expose();
    let itself = || text.as_bytes().to_vec();
    let Some(encoded) = text.strip_prefix(PREFIX) else { return vec![itself()] };
    match (STANDARD.decode(encoded), LENIENT.decode(encoded)) {
        (Ok(key), _) => vec![key],
        (Err(_), Ok(key)) => vec![key, itself()],
        (Err(_), Err(_)) => vec![itself()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(text: &str) -> Result<String, &'static str> {
        WebhookSecret::try_from(text.to_owned())
            .map(|secret| secret.secret().expose().to_owned())
            .map_err(|problem| problem.code)
    }

    #[test]
    fn plain_text_is_itself() {
        for text in [
            "0123456789abcdef",
            "a secret of my own",
            "whsec-0123456789",
            "~!@#$%^&*()_+{}|",
            "wh_0123456789abcd",
        ] {
            assert_eq!(stored(text).as_deref(), Ok(text));
            assert_eq!(keys(&Secret::new(text.to_owned())), [text.as_bytes()]);
        }
        assert!(stored(&"a".repeat(200)).is_ok());
    }

    #[test]
    fn base64_is_kept_in_one_spelling_padded_or_not() {
        for (text, kept) in [
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            ("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="),
            ("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="),
            ("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            // Whoever decodes leniently has the same bytes.
            ("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="),
        ] {
            assert_eq!(stored(text).as_deref(), Ok(kept), "{text}");
            assert_eq!(keys(&Secret::new(kept.to_owned())).len(), 1, "{kept}");
        }
    }

    #[test]
    fn what_receivers_would_read_otherwise_is_refused() {
        for (text, code) in [
            ("", "too_short"),
            ("short", "too_short"),
            ("0123456789abcde", "too_short"),
            (" 0123456789abcdef", "surrounding_space"),
            ("0123456789abcdef ", "surrounding_space"),
            ("0123456789abcdef\n", "surrounding_space"),
            ("\u{a0}0123456789abcdef", "surrounding_space"),
            ("\u{3000}0123456789abcdef", "surrounding_space"),
            ("                    ", "surrounding_space"),
            ("\u{feff}0123456789abcdef", "invalid_characters"),
            ("0123456789abcdef\u{200b}", "invalid_characters"),
            ("01234567\t89abcdef", "invalid_characters"),
            ("01234567\r\n89abcdef", "invalid_characters"),
            ("01234567\u{7f}89abcdef", "invalid_characters"),
            ("ein schlu\u{308}ssel von uns", "invalid_characters"),
            ("ein schl\u{fc}ssel von uns", "invalid_characters"),
            ("whsec_", "too_short"),
            ("whsec_c2hvcnQ=", "too_short"),
            ("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "too_short"),
            ("whsec_not base64 at all, and long", "invalid_base64"),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaL!Sw", "invalid_base64"),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaL-_w", "invalid_base64"),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw=", "invalid_base64"),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwA", "invalid_base64"),
            ("whsec_ MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "invalid_base64"),
            ("whsec_whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "invalid_base64"),
            ("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "invalid_prefix"),
        ] {
            assert_eq!(stored(text), Err(code), "{text:?}");
        }
        assert_eq!(stored(&"a".repeat(201)), Err("too_long"));
    }

    /// They were let in, once, and their tenants are live.
    #[test]
    fn what_was_stored_before_signs_as_it_did_and_as_receivers_read_it() {
        let keys = |text: &str| keys(&Secret::new(text.to_owned()));
        assert_eq!(keys("whsec_c2hvcnQ="), [b"short"], "too short for the door, and read alike by everybody");
        assert_eq!(keys("whsec_c2hvcnQ"), [b"short".to_vec(), b"whsec_c2hvcnQ".to_vec()]);
        assert_eq!(keys("whsec_no base64"), [b"whsec_no base64"]);
        assert_eq!(keys(" blanks around "), [b" blanks around "]);
        assert_eq!(keys("schl\u{fc}ssel"), ["schl\u{fc}ssel".as_bytes()]);
    }
}
