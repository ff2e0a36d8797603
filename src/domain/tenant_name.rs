//! The tenant's name as people write it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{field_errors::InvalidValue, text};

/// The longest name, in characters.
const LONGEST: usize = 100;

/// 1–100 characters, of which something can be seen, and none that controls text or turns its direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(utoipa::ToSchema),
    schema(as = TenantName, min_length = 1, max_length = 100, example = "Riverside FC")
)]
#[serde(transparent)]
pub struct TenantName(String);

impl TenantName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TenantName {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text::line(&text, LONGEST).map(Self)
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!(TenantName::try_from("ä".repeat(100)).is_ok());
        assert_eq!(TenantName::try_from("ä".repeat(101)).unwrap_err().code, "too_long");
        assert!(
            TenantName::try_from("a\u{308}".repeat(100)).is_ok(),
            "one letter, however it is taken apart"
        );
        assert!(TenantName::try_from("🏟".repeat(100)).is_ok());
    }

    #[test]
    fn blank_or_broken_names_are_refused() {
        for blank in ["  ", "\u{200b}\u{feff}", "\u{3164}", "\u{ad}", "\u{fe0f}", "\u{301}"] {
            assert_eq!(TenantName::try_from(blank.to_owned()).unwrap_err().code, "required", "{blank:?}");
        }
        assert_eq!(TenantName::try_from("a\nb".to_owned()).unwrap_err().code, "invalid_characters");
        assert_eq!(
            TenantName::try_from("FC \u{202e}droN".to_owned()).unwrap_err().code,
            "invalid_characters"
        );
        assert_eq!(TenantName::try_from("مكابي".to_owned()).unwrap().as_str(), "مكابي");
        assert_eq!(TenantName::try_from(" FC Nord ".to_owned()).unwrap().as_str(), "FC Nord");
    }
}
