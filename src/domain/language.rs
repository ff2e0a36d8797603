//! The languages that people read.

use serde::{Deserialize, Serialize};

use super::field_errors::InvalidValue;

/// A language of our mails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English: also for whoever reads none of ours.
    #[default]
    En,
    /// German.
    De,
}

impl Language {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::En, Self::De];

    /// The language as stored and answered.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }

    /// The one with this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.as_str() == word)
    }

    /// The one that is stored: a word of another version reads as English, and so does none.
    pub fn stored(word: Option<&str>) -> Self {
        word.and_then(Self::named).unwrap_or_default()
    }

    /// The one that a browser asks for by `Accept-Language`: of those that we have, the one that it prefers.
    pub fn accepted(header: &str) -> Self {
        let wishes = header.split(',').filter_map(|wish| {
            let mut parts = wish.split(';').map(str::trim);
            let tag = parts.next()?.to_ascii_lowercase();
            let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1000), thousandths)?;
            let language = Self::named(tag.split('-').next()?)?;
            (quality > 0).then_some((quality, language))
        });
        // Of equal wishes the first one counts.
        let best = wishes.fold(None, |best: Option<(u32, Self)>, wish| match best {
            Some(best) if best.0 >= wish.0 => Some(best),
            _ => Some(wish),
        });
        best.map_or_else(Self::default, |(_, language)| language)
    }

    /// The one of two texts that is in this language.
    pub const fn pick<T: Copy>(self, english: T, german: T) -> T {
        match self {
            Self::En => english,
            Self::De => german,
        }
    }
}

/// A weight as HTTP has it, from 0 to 1 with up to three digits, in thousandths.
fn thousandths(weight: &str) -> Option<u32> {
    let (whole, part) = weight.split_once('.').unwrap_or((weight, ""));
    let is_weight = matches!(whole, "0" | "1") && part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit());
    is_weight.then(|| format!("{whole}{part:0<3}").parse().ok()).flatten().filter(|weight| *weight <= 1000)
}

impl TryFrom<String> for Language {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        Self::named(&text).ok_or_else(|| InvalidValue::new("invalid_language", "Choose \"en\" or \"de\"."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_the_language_that_it_prefers() {
        for (header, language) in [
            ("", Language::En),
            ("de", Language::De),
            ("DE-at", Language::De),
            ("de-DE,de;q=0.9,en;q=0.8", Language::De),
            ("en-GB,en;q=0.9,de;q=0.8", Language::En),
            ("fr,it;q=0.9,de;q=0.5,en;q=0.4", Language::De),
            ("fr", Language::En),
            ("*", Language::En),
            ("en;q=0.2, de;q=0.7", Language::De),
            ("de;q=0, fr", Language::En),
            ("de;q=much", Language::En),
            ("de;q=-1", Language::En),
            ("de;q=1.5,en", Language::En),
            ("de;q=0.001", Language::De),
            ("den", Language::En),
            (";;,,;q=1", Language::En),
        ] {
            assert_eq!(Language::accepted(header), language, "{header}");
        }
    }

    #[test]
    fn a_word_of_another_version_reads_as_english() {
        assert_eq!(Language::stored(Some("de")), Language::De);
        for word in [None, Some("fr"), Some("")] {
            assert_eq!(Language::stored(word), Language::En);
        }
    }
}
