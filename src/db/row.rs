//! A row, read column by column.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeOwned, Error, MapAccess, Visitor,
        value::{Error as ValueError, StringDeserializer},
    },
};

use super::DbError;

/// What is read from a row.
pub trait FromRow: Sized {
    /// Reads the columns in the order in which they were selected.
    ///
    /// # Errors
    ///
    /// [`DbError::Corrupt`], with its name, when a column is not what the schema promises.
    fn from_row(row: &mut Row<'_>) -> Result<Self, DbError>;
}

/// A cursor over a row's columns: the next one is read, and must have the name that is asked for.
#[derive(Debug)]
pub struct Row<'a>(std::vec::IntoIter<(&'a str, Cell)>);

#[derive(Debug)]
enum Cell {
    Null,
    Integer(i64),
    Text(String),
    /// What no column of ours holds.
    Other,
}

impl<'a> Row<'a> {
    /// Reads a `T` from a row as the database answered it: a JSON object, its fields in the order of the columns.
    ///
    /// # Errors
    ///
    /// [`DbError::Corrupt`] when the row is no `T`.
    pub fn read<T: FromRow>(row: &'a str) -> Result<T, DbError> {
        let mut row: Self = serde_json::from_str(row).map_err(|e| DbError::Corrupt(e.to_string()))?;
        T::from_row(&mut row)
    }

    fn next(&mut self, name: &'static str) -> Result<Cell, DbError> {
        match self.0.next() {
            Some((found, cell)) if found == name => Ok(cell),
            Some((found, _)) => Err(lies(name, format_args!("`{found}` is in its place"))),
            None => Err(lies(name, format_args!("missing"))),
        }
    }

    /// A text, as what it stands for; what is stored is trusted.
    ///
    /// # Errors
    ///
    /// [`DbError::Corrupt`] when it is none.
    pub fn text<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<T, DbError> {
        self.text_or_null(name)?.ok_or_else(|| lies(name, format_args!("null")))
    }

    /// A text, if there is one.
    ///
    /// # Errors
    ///
    /// [`DbError::Corrupt`] when it is something else.
    pub fn text_or_null<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<Option<T>, DbError> {
        match self.next(name)? {
            Cell::Null => Ok(None),
            Cell::Text(text) => T::deserialize(StringDeserializer::<ValueError>::new(text))
                .map(Some)
                .map_err(|error| lies(name, format_args!("{error}"))),
            Cell::Integer(_) | Cell::Other => Err(lies(name, format_args!("no text"))),
        }
    }

    /// A whole number that fits.
    ///
    /// # Errors
    ///
    /// [`DbError::Corrupt`] when it is none.
    pub fn integer<T: TryFrom<i64>>(&mut self, name: &'static str) -> Result<T, DbError> {
        self.integer_or_null(name)?.ok_or_else(|| lies(name, format_args!("null")))
    }

    /// A whole number that fits, if there is one.
    ///
    /// # Errors
    ///
    /// [`DbError::Corrupt`] when it is something else.
    pub fn integer_or_null<T: TryFrom<i64>>(&mut self, name: &'static str) -> Result<Option<T>, DbError> {
        match self.next(name)? {
            Cell::Null => Ok(None),
            Cell::Integer(number) => {
                T::try_from(number).map(Some).map_err(|_| lies(name, format_args!("{number} does not fit")))
            }
            Cell::Text(_) | Cell::Other => Err(lies(name, format_args!("no whole number"))),
        }
    }

    /// A boolean: `SQLite` has 0 and 1.
    ///
    /// # Errors
    ///
    /// [`DbError::Corrupt`] when it is no number.
    pub fn flag(&mut self, name: &'static str) -> Result<bool, DbError> {
        self.integer::<i64>(name).map(|number| number != 0)
    }
}

fn lies(name: &str, how: fmt::Arguments<'_>) -> DbError {
    DbError::Corrupt(format!("column `{name}`: {how}"))
}

impl<'de: 'a, 'a> Deserialize<'de> for Row<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Columns;

        impl<'de> Visitor<'de> for Columns {
            type Value = Vec<(&'de str, Cell)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut columns = Vec::with_capacity(16);
                while let Some(column) = map.next_entry()? {
                    columns.push(column);
                }
                Ok(columns)
            }
        }

        deserializer.deserialize_map(Columns).map(|columns| Self(columns.into_iter()))
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Value;

        impl Visitor<'_> for Value {
            type Value = Cell;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E: Error>(self) -> Result<Cell, E> {
                Ok(Cell::Null)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Cell, E> {
                Ok(Cell::Integer(number))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Cell, E> {
                Ok(i64::try_from(number).map_or(Cell::Other, Cell::Integer))
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Cell, E> {
                Ok(Cell::Other)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Cell, E> {
                Ok(Cell::Text(text.to_owned()))
            }
        }

        deserializer.deserialize_any(Value)
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::Plan;

    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    struct Sample(String, Option<Plan>, u8, Option<i64>, bool);

    impl FromRow for Sample {
        fn from_row(row: &mut Row<'_>) -> Result<Self, DbError> {
            Ok(Self(
                row.text("what")?,
                row.text_or_null("plan")?,
                row.integer("many")?,
                row.integer_or_null("ends_at")?,
                row.flag("is_on")?,
            ))
        }
    }

    fn read(text: &str) -> Result<Sample, DbError> {
        Row::read(text)
    }

    #[test]
    fn a_row_is_read_column_by_column() {
        assert_eq!(
            read(r#"{"what":"a \"b\"","plan":"pro","many":255,"ends_at":-1,"is_on":1}"#),
            Ok(Sample("a \"b\"".to_owned(), Some(Plan::Pro), 255, Some(-1), true))
        );
        assert_eq!(
            read(r#"{"what":"","plan":null,"many":0,"ends_at":null,"is_on":0}"#),
            Ok(Sample(String::new(), None, 0, None, false))
        );
    }

    #[test]
    fn the_error_names_the_column_that_lies() {
        for (column, text) in [
            ("what", r#"{"what":null,"plan":null,"many":0,"ends_at":null,"is_on":0}"#),
            ("what", r#"{"what":1,"plan":null,"many":0,"ends_at":null,"is_on":0}"#),
            ("many", r#"{"what":"","plan":null,"many":256,"ends_at":null,"is_on":0}"#),
            ("many", r#"{"what":"","plan":null,"many":1.5,"ends_at":null,"is_on":0}"#),
            ("plan", r#"{"what":"","many":0,"plan":null,"ends_at":null,"is_on":0}"#),
            ("ends_at", r#"{"what":"","plan":null,"many":0,"ends_at":"x","is_on":0}"#),
            ("is_on", r#"{"what":"","plan":null,"many":0,"ends_at":null}"#),
        ] {
            let Err(DbError::Corrupt(error)) = read(text) else { panic!("{text} was read") };
            assert!(error.starts_with(&format!("column `{column}`: ")), "{error}");
        }
    }
}
