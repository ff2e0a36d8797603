//! The `Idempotency-Key` of a request: its text, however a client writes it.

use http::HeaderMap;

use crate::domain::{FieldErrors, field_errors::InvalidValue};

use super::error::ApiError;

/// The longest key.
const LONGEST: usize = 255;

/// The key that came with a request. Newer clients send it as a quoted string (RFC 9651), older ones as it is: both mean the same.
pub fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str().map(text) {
        Ok(key) if !key.is_empty() && key.len() <= LONGEST => Ok(Some(key)),
        _ => {
            let mut issues = FieldErrors::default();
            let problem = InvalidValue::new("invalid_key", "Use 1 to 255 printable characters.");
            issues.push("Idempotency-Key", problem);
            Err(ApiError::validation(issues))
        }
    }
}

/// What stands between quotes, or else the whole. Parameters behind a quoted string are none of it.
fn text(written: &str) -> String {
    let written = written.trim();
    written.strip_prefix('"').and_then(quoted).unwrap_or_else(|| written.to_owned())
}

/// A quoted string up to its closing quote, behind which only parameters may follow.
fn quoted(behind_quote: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = behind_quote.chars();
    loop {
        match rest.next()? {
            '"' => break,
            '\\' => text.push(rest.next().filter(|escaped| matches!(escaped, '"' | '\\'))?),
            other => text.push(other),
        }
    }
    let behind = rest.as_str().trim_start();
    (behind.is_empty() || behind.starts_with(';')).then_some(text)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("idempotency-key", HeaderValue::from_str(value).unwrap());
        key(&headers).ok().map(Option::unwrap)
    }

    #[test]
    fn quoted_or_bare_is_one_key() {
        for value in ["8e03-a", "\"8e03-a\"", "  8e03-a ", " \"8e03-a\" ", "\"8e03-a\";v=1", "\"8e03-a\" ; v"]
        {
            assert_eq!(read(value).as_deref(), Some("8e03-a"), "{value}");
        }
        assert_eq!(read("\"a \\\"b\\\" \\\\\"").as_deref(), Some("a \"b\" \\"));
        assert_eq!(read("\"\\\"\"").as_deref(), Some("\""));
    }

    #[test]
    fn what_is_no_quoted_string_is_the_key_as_it_is() {
        for value in ["\"", "\"a", "a\"", "a\"b\"", "\"a\"b", "\"a\" \"b\"", "\"a\\b\"", "\"a\\\"", "'a'"] {
            assert_eq!(read(value).as_deref(), Some(value), "{value}");
        }
    }

    #[test]
    fn the_key_itself_is_measured() {
        let longest = "k".repeat(LONGEST);
        assert_eq!(read(&format!("\"{longest}\"")), Some(longest.clone()));
        for value in ["", "\"\"", "\"\";v=1", &format!("{longest}k"), &format!("\"{longest}k\"")] {
            assert_eq!(read(value), None, "{value}");
        }
    }
}
