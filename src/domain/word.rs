//! Words of a vocabulary: an open enum, whose unknown words are kept as they are.
//!
//! A stored word is read by the version before the one that added it: after a rollback, and while a deployment is under way.
//! It must not make a run or a row unreadable there, and it must be written back unchanged.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Mutex, PoisonError},
};

/// How many unknown words are kept apart, and how long one may be. They come from our own stores, a handful at most. The
/// bounds guard against a corrupt store, because words are kept for the life of the process.
const KEPT: usize = 256;
const LONGEST: usize = 64;
/// Stands for the words beyond those bounds.
const UNKNOWN: &str = "unknown";

static WORDS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// A word that this version doesn't know.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(&'static str);

impl Word {
    /// The word `text`, kept once for the whole process.
    pub fn of(text: &str) -> Self {
        let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = words.get(text) {
            return Self(known);
        }
        if text.len() > LONGEST || words.len() >= KEPT {
            return Self(UNKNOWN);
        }
        let kept: &'static str = Box::leak(text.into());
        words.insert(kept);
        Self(kept)
    }

    /// The word as text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

/// An open enum: each of its words, and `Other` for the words of another version. It is stored, sent and answered as the word
/// itself. What callers send is read by `named`, which knows no other words. The document lists the words with their meanings.
macro_rules! words {
    (
        $(#[doc = $doc:literal])+
        $(#[derive($($derived:ident),+)])?
        $name:ident $(as $schema:literal)? {
            $($(#[doc = $meaning:literal])+ $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $(#[derive($($derived),+)])?
        pub enum $name {
            $($(#[doc = $meaning])+ $variant,)+
            /// A word of another version.
            Other($crate::domain::Word),
        }

        impl $name {
            /// Every one that this version knows.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// The word as stored and answered.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word.as_str(),
                }
            }

            /// The one with this word, if this version knows it.
            pub fn named(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.as_str() == word)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Ok(Self::named(&word).unwrap_or_else(|| Self::Other($crate::domain::Word::of(&word))))
            }
        }

        #[cfg(not(target_arch = "wasm32"))]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::schema::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .description(Some(
                        concat!(
                            $($doc, "\n",)+
                            $("\n- `", $word, "`:", $($meaning,)+)+
                        )
                        .trim()
                        .replace("\n ", "\n"),
                    ))
                    .enum_values(Some([$($word),+]))
                    .into()
            }
        }

        #[cfg(not(target_arch = "wasm32"))]
        impl utoipa::ToSchema for $name {
            $(fn name() -> std::borrow::Cow<'static, str> {
                $schema.into()
            })?
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Step;

    #[test]
    fn a_word_is_kept_once_and_not_without_bound() {
        assert_eq!(Word::of("of_tomorrow"), Word::of("of_tomorrow"));
        assert_eq!(Word::of("of_tomorrow").as_str(), "of_tomorrow");
        assert_eq!(Word::of(&"x".repeat(LONGEST + 1)).as_str(), UNKNOWN);
    }

    #[test]
    fn what_another_version_wrote_is_read_and_written_back() {
        let step: Step = serde_json::from_str(r#""register_domain""#).unwrap();
        assert_eq!(step, Step::Other(Word::of("register_domain")));
        assert_eq!(step.as_str(), "register_domain");
        assert_eq!(serde_json::to_string(&step).unwrap(), r#""register_domain""#);
        assert_eq!(serde_json::from_value::<Step>("register_domain".into()).unwrap(), step);
        assert!(serde_json::from_str::<Step>("7").is_err());
    }

    #[test]
    fn callers_are_held_to_the_words_that_are_known() {
        assert_eq!(Step::named("activate"), Some(Step::Activate));
        assert_eq!(Step::named("register_domain"), None);
    }
}
