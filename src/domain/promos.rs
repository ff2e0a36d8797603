//! Promo codes.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{field_errors::InvalidValue, text};

/// 4–20 of `A-Z0-9`; typed in any case, with spaces around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(utoipa::ToSchema),
    schema(pattern = "^[A-Z0-9]{4,20}$", example = "SPRING27")
)]
#[serde(transparent)]
pub struct PromoCode(String);

impl PromoCode {
    /// The code as stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PromoCode {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        let invalid = |message: &str| InvalidValue::new("invalid_promo_code", message);
        let code = text::read(&text).map_err(|problem| invalid(&problem.message))?.to_ascii_uppercase();
        if (4..=20).contains(&code.len())
            && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        {
            Ok(Self(code))
        } else {
            Err(invalid("A promo code has 4 to 20 letters and digits."))
        }
    }
}

impl fmt::Display for PromoCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a code can't be used now, in the order in which it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum PromoProblem {
    /// There is no such code.
    Unknown,
    /// It was switched off.
    Inactive,
    /// It can't be used yet.
    NotStarted,
    /// It can't be used any more.
    Expired,
    /// It is for other tenants.
    NotAllowed,
    /// It was used as often as it may be.
    Exhausted,
}

impl PromoProblem {
    /// The word in `error.reason`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// A message for people.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Unknown => "We don't know this promo code.",
            Self::Inactive => "This promo code is not in use any more.",
            Self::NotStarted => "This promo code can't be used yet.",
            Self::Expired => "This promo code has expired.",
            Self::NotAllowed => "This promo code is for another club.",
            Self::Exhausted => "This promo code has been used up.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_in_any_case() {
        assert_eq!(PromoCode::try_from(" spring26 ".to_owned()).unwrap().as_str(), "SPRING26");
        assert_eq!(PromoCode::try_from("\u{feff}SPRING26\u{200b}".to_owned()).unwrap().as_str(), "SPRING26");
        for text in ["", "ABC", "TOOLONGTOOLONGTOOLONG", "SPRING 26", "SPRÏNG"] {
            assert!(PromoCode::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }
}
