//! The tenant's colours.

use serde::{Deserialize, Serialize};

use super::field_errors::InvalidValue;

/// `#RRGGBB`, stored in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(utoipa::ToSchema),
    schema(pattern = "^#[0-9a-fA-F]{6}$", example = "#1a2b3c")
)]
#[serde(transparent)]
pub struct HexColor(String);

impl HexColor {
    /// The colour as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HexColor {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        let digits = text.strip_prefix('#').unwrap_or_default();
        if digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidValue::new("invalid_color", "Enter a colour like #1a2b3c."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_hex_digits_after_a_hash() {
        assert_eq!(HexColor::try_from("#A1b2C3".to_owned()).unwrap().as_str(), "#a1b2c3");
        for text in ["", "#", "#fff", "a1b2c3", "#a1b2cg", "#a1b2c3 ", "red"] {
            assert!(HexColor::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }
}
