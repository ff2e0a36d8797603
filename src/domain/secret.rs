//! Secrets: values that must not be printed, serialised or compared byte by byte.

use std::fmt;

use subtle::ConstantTimeEq;

/// Text that never shows itself: redacted `Debug`, no `Display`, no `Serialize`, constant-time comparison.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps text.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself: for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Length in bytes.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is empty.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".to_owned())), "[redacted]");
    }

    #[test]
    fn equal_text_is_equal() {
        assert!(Secret::new("a".to_owned()) == Secret::new("a".to_owned()));
        assert!(Secret::new("a".to_owned()) != Secret::new("b".to_owned()));
        assert!(Secret::new("a".to_owned()) != Secret::new("ab".to_owned()));
    }
}
