//! What is wrong with an input, field by field.

use serde::Serialize;

/// One thing wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema), schema(as = FieldError))]
pub struct FieldError {
    /// Where: the field's name, then deeper keys or indexes.
    pub path: Vec<&'static str>,
    /// A stable code for programs.
    pub code: &'static str,
    /// A message for people.
    pub message: String,
}

/// Everything wrong with one input: all failing fields are reported at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// Notes one more.
    pub fn push(&mut self, field: &'static str, problem: InvalidValue) {
        self.0.push(FieldError { path: vec![field], code: problem.code, message: problem.message });
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The issues as they are answered.
    pub fn into_vec(self) -> Vec<FieldError> {
        self.0
    }
}

/// Why a value was refused: what a parse answers, before it is known which field it came from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidValue {
    /// A stable code for programs.
    pub code: &'static str,
    /// A message for people, without the offending value.
    pub message: String,
}

impl InvalidValue {
    /// A problem with a code for programs and a message for people.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The field is absent.
    pub fn required() -> Self {
        Self::new("required", "This is required.")
    }

    /// The field has another JSON type.
    pub fn wrong_type(expected: &str) -> Self {
        Self::new("invalid_type", format!("This must be {expected}."))
    }
}
