//! Pages of lists: `limit` from 1 to 100, and a `cursor` that only this service reads.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    domain::{FieldErrors, field_errors::InvalidValue, text},
    store::{event_feed::Position, events::Cursor},
};

use super::error::ApiError;

const DEFAULT_LIMIT: u32 = 50;
const LARGEST_LIMIT: u32 = 100;
/// No row of ours is of a later moment, Unix seconds; and D1 can bind no number that is much larger.
const LATEST: i64 = 1 << 52;

/// The query of a list: what it names, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Query {
    pairs: Vec<(String, String)>,
    issues: FieldErrors,
}

impl Query {
    /// Reads a query string.
    pub fn of(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
        Self { pairs, issues: FieldErrors::default() }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// A value that may be absent, read by `parse`.
    pub fn optional<T>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = self.get(name)?;
        // Values are pasted, too.
        let read = text::read(value).ok().and_then(|value| parse(&value));
        if read.is_none() {
            self.issues.push(name, InvalidValue::new("invalid_value", "This value is not possible here."));
        }
        read
    }

    /// `limit`. Whoever asks for another page in a way that is none here would get the first one again and again: that is refused.
    pub fn limit(&mut self) -> u32 {
        self.limit_beside("Pages follow one another: send the nextCursor of an answer as cursor.", "after")
    }

    /// As [`limit`](Self::limit), for what is read by `after`.
    pub fn limit_of_feed(&mut self) -> u32 {
        self.limit_beside("Send the nextCursor of an answer as after.", "cursor")
    }

    fn limit_beside(&mut self, message: &'static str, other: &'static str) -> u32 {
        for name in ["offset", "page", "skip", other] {
            if self.get(name).is_some() {
                self.issues.push(name, InvalidValue::new("unknown_parameter", message));
            }
        }
        let in_range = |text: &str| text.parse().ok().filter(|n| (1..=LARGEST_LIMIT).contains(n));
        self.optional("limit", in_range).unwrap_or(DEFAULT_LIMIT)
    }

    /// `cursor`, as whatever was put into it.
    pub fn cursor<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.opaque("cursor", parse)
    }

    /// `after`, as the place and the mark that were put into it; without it, the beginning.
    pub fn position(&mut self) -> Position {
        let position = self.opaque("after", |text| {
            let (seq, mark) = text.split_once(' ')?;
            let seq = seq.parse().ok().filter(|seq| (0..=LATEST).contains(seq))?;
            Some(Position { seq, mark: mark.to_owned() })
        });
        position.unwrap_or_default()
    }

    fn opaque<T>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.optional(name, |text| {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
            parse(std::str::from_utf8(&bytes).ok()?)
        })
    }

    /// `cursor`, as the moment and the id that were put into it.
    pub fn mark(&mut self) -> Option<Cursor> {
        self.cursor(|text| {
            let (occurred_at, id) = text.split_once(' ')?;
            let occurred_at = occurred_at.parse().ok().filter(|at| (0..=LATEST).contains(at))?;
            Some(Cursor { occurred_at, id: id.to_owned() })
        })
    }

    /// What was read, if all was good.
    pub fn all<T>(self, read: T) -> Result<T, ApiError> {
        if self.issues.is_empty() { Ok(read) } else { Err(ApiError::validation(self.issues)) }
    }
}

/// A cursor that goes on behind `mark`.
pub fn cursor(mark: &str) -> String {
    URL_SAFE_NO_PAD.encode(mark)
}

/// Cuts `rows`, of which one more than `limit` was asked for, to a page, and says where the next begins.
pub fn paginate<T>(rows: Vec<T>, limit: u32, mark: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    paginate_by(rows.len(), rows, limit, mark)
}

/// As [`paginate`], where only some of the rows that were `read` could be: no other is hidden behind one that can't.
pub fn paginate_by<T>(
    read: usize,
    mut rows: Vec<T>,
    limit: u32,
    mark: impl Fn(&T) -> String,
) -> (Vec<T>, Option<String>) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if read <= limit {
        return (rows, None);
    }
    rows.truncate(limit);
    let next = rows.last().map(|row| cursor(&mark(row)));
    (rows, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_from_one_to_a_hundred() {
        for (query, limit) in [("", 50), ("limit=1", 1), ("limit=100", 100), ("limit=", 50)] {
            let mut query = Query::of(Some(query));
            assert_eq!(query.limit(), limit);
            assert!(query.all(()).is_ok());
        }
        for query in
            ["limit=abc", "limit=-1", "limit=0", "limit=101", "limit=1.5", "limit=99999999999999999999"]
        {
            let mut query = Query::of(Some(query));
            query.limit();
            assert!(query.all(()).is_err());
        }
    }

    #[test]
    fn another_way_to_ask_for_a_page_is_told() {
        for text in ["offset=50", "limit=10&offset=0", "page=2", "skip=x", "after=x"] {
            let mut query = Query::of(Some(text));
            query.limit();
            assert!(query.all(()).is_err(), "{text}");
        }
        for text in ["offset=50", "page=2", "cursor=x"] {
            let mut query = Query::of(Some(text));
            query.limit_of_feed();
            assert!(query.all(()).is_err(), "{text}");
        }
        let mut query = Query::of(Some("offset=&pages=2"));
        query.limit();
        assert!(query.all(()).is_ok());
    }

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let (page, next) = paginate(vec![3, 2, 1], 2, ToString::to_string);
        assert_eq!(page, [3, 2]);
        let mut query = Query::of(Some(&format!("cursor={}", next.unwrap())));
        assert_eq!(query.cursor(|text| text.parse().ok()), Some(2));
        assert_eq!(paginate(vec![2, 1], 2, ToString::to_string).1, None);
    }

    #[test]
    fn a_cursor_that_is_none_of_ours_is_told() {
        for text in ["cursor=%00", "cursor=!!", "cursor=eHg"] {
            let mut query = Query::of(Some(text));
            assert_eq!(query.cursor(|text| text.parse::<u8>().ok()), None);
            assert!(query.all(()).is_err(), "{text}");
        }
    }
}
