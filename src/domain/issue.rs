//! What is wrong with an input, field by field.

use serde::Serialize;

/// One thing wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema), schema(as = FieldError))]
pub struct Issue {
    /// Where: the field's name, then deeper keys or indexes.
    pub path: Vec<&'static str>,
    /// A stable word for programs.
    pub code: &'static str,
    /// A sentence for people.
    pub message: String,
}

/// Everything wrong with one input: all failing fields are reported at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Issues(Vec<Issue>);

impl Issues {
    /// Notes one more.
    pub fn push(&mut self, field: &'static str, problem: Problem) {
        self.0.push(Issue { path: vec![field], code: problem.code, message: problem.message });
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The issues as they are answered.
    #[must_use]
    pub fn into_vec(self) -> Vec<Issue> {
        self.0
    }
}

/// Why a value was refused: what a parse answers, before it is known which field it came from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// A stable word for programs.
    pub code: &'static str,
    /// A sentence for people, without the offending value.
    pub message: String,
}

impl Problem {
    /// A problem with a word for programs and a sentence for people.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The field is absent.
    #[must_use]
    pub fn required() -> Self {
        Self::new("required", "This is required.")
    }

    /// The field has another JSON type.
    #[must_use]
    pub fn wrong_type(expected: &str) -> Self {
        Self::new("invalid_type", format!("This must be {expected}."))
    }
}
