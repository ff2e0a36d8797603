//! The club's name as people write it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::issue::Problem;

/// 1–100 characters, trimmed, none that controls text or turns its direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(utoipa::ToSchema),
    schema(min_length = 1, max_length = 100, example = "Riverside FC")
)]
#[serde(transparent)]
pub struct ClubName(String);

impl ClubName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ClubName {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self, Problem> {
        let name = text.trim();
        if name.is_empty() {
            return Err(Problem::required());
        }
        if name.chars().count() > 100 {
            return Err(Problem::new("too_long", "Use at most 100 characters."));
        }
        if name.chars().any(|c| c.is_control() || turns_direction(c)) {
            return Err(Problem::new(
                "invalid_characters",
                "Line breaks and control characters are not possible.",
            ));
        }
        Ok(Self(name.to_owned()))
    }
}

/// Whether what follows is shown in another order than it stands there: a name could show as another one.
const fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Display for ClubName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!(ClubName::try_from("ä".repeat(100)).is_ok());
        assert_eq!(ClubName::try_from("ä".repeat(101)).unwrap_err().code, "too_long");
    }

    #[test]
    fn blank_or_broken_names_are_refused() {
        assert_eq!(ClubName::try_from("  ".to_owned()).unwrap_err().code, "required");
        assert_eq!(ClubName::try_from("a\nb".to_owned()).unwrap_err().code, "invalid_characters");
        assert_eq!(ClubName::try_from("FC \u{202e}droN".to_owned()).unwrap_err().code, "invalid_characters");
        assert_eq!(ClubName::try_from("مكابي".to_owned()).unwrap().as_str(), "مكابي");
        assert_eq!(ClubName::try_from(" FC Nord ".to_owned()).unwrap().as_str(), "FC Nord");
    }
}
