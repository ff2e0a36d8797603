//! Proving an address: whether it has to be, and the code that proves it.

use super::{field_errors::InvalidValue, text};

/// How many mails may go to unproven addresses within an hour, where nothing is configured.
pub const MAILS_PER_HOUR: u32 = 1000;
/// The largest number of them that is not a typing error.
pub const MOST_MAILS_PER_HOUR: u32 = 1_000_000;

/// Whether addresses have to be proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailProof {
    /// Nothing that costs, or outlives a day, is done for an address before somebody has shown that they read its mail.
    Required,
    /// Whoever signs up is believed: for closed installations.
    Off,
}

impl EmailProof {
    /// The one with this word.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "required" => Some(Self::Required),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}

/// A code that was mailed to an address: six digits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(utoipa::ToSchema),
    schema(pattern = "^ *([0-9][ -]*){6}$", max_length = 64, example = "271828")
)]
pub struct ProofCode(String);

/// How many codes there are.
const CODES: u64 = 1_000_000;

impl ProofCode {
    /// The code that a number makes.
    pub fn of(number: u64) -> Self {
        Self(format!("{:06}", number % CODES))
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ProofCode {
    type Error = InvalidValue;

    /// Codes are read aloud, typed in groups, and pasted with what stands around them.
    fn try_from(given: String) -> Result<Self, InvalidValue> {
        let text = text::read(&given)?;
        let code: String = text.chars().filter(|c| !(text::is_blank(*c) || *c == '-')).collect();
        if code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(code))
        } else {
            Err(InvalidValue::new("invalid_code", "The code has six digits."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_write_it() {
        let code = |text: &str| ProofCode::try_from(text.to_owned()).ok();
        for text in ["271828", " 271828 ", "271 828", "271-828", "2 7 1 8 2 8", "\u{feff}271828\u{200b}"] {
            assert_eq!(code(text).as_ref().map(ProofCode::as_str), Some("271828"), "{text:?}");
        }
        for text in ["", "27182", "2718281", "27182a", "٢٧١٨٢٨", "２７１８２８", "-", "271.828"] {
            assert_eq!(code(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_number_makes_a_code() {
        assert_eq!(ProofCode::of(7).as_str(), "000007");
        assert_eq!(ProofCode::of(u64::MAX).as_str(), "551615");
    }
}
