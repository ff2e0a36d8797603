//! A row, read column by column.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error, IntoDeserializer, MapAccess, Visitor, value::Error as ValueError},
    forward_to_deserialize_any,
};

use super::{DbError, parse};

/// What is read from a row.
pub trait FromRow: Sized {
    /// Reads the columns in the order in which they were selected.
    fn from_row(row: &mut Row<'_>) -> Result<Self, DbError>;
}

/// Reads a type from the columns that are named as its fields, or as it is said behind `=`, in the order in which they are
/// selected. What stands in brackets reads its own columns before them; what stands behind a semicolon is in no column. An
/// `Option` of a type is none where its first column is null.
macro_rules! columns {
    (Option<$type:ident>: $first:ident $(= $first_column:literal)?, $($field:ident $(= $column:literal)?),+) => {
        impl $crate::db::FromRow for Option<$type> {
            fn from_row(row: &mut $crate::db::Row<'_>) -> Result<Self, $crate::db::DbError> {
                let first: Option<_> = row.get($crate::db::columns!(@ $first $($first_column)?))?;
                $(let $field = row.get($crate::db::columns!(@ $field $($column)?))?;)+
                Ok(first.map(|$first| $type { $first, $($field),+ }))
            }
        }
    };
    ($type:ident: $([$($part:ident),+])? $($field:ident $(= $column:literal)?),* $(; $other:ident)*) => {
        impl $crate::db::FromRow for $type {
            fn from_row(row: &mut $crate::db::Row<'_>) -> Result<Self, $crate::db::DbError> {
                Ok(Self {
                    $($($part: $crate::db::FromRow::from_row(row)?,)+)?
                    $($field: row.get($crate::db::columns!(@ $field $($column)?))?,)*
                    $($other: Default::default(),)*
                })
            }
        }
    };
    (@ $field:ident) => { stringify!($field) };
    (@ $field:ident $column:literal) => { $column };
}
pub(crate) use columns;

/// What a column has as a text of JSON, answered as JSON. Without a text, or without JSON in it, it is the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Json<T>(pub T);

impl<'de, T: DeserializeOwned + Default> Deserialize<'de> for Json<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        Ok(Self(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()))
    }
}

/// A cursor over a row's columns: the next one is read, and must have the name that is asked for.
#[derive(Debug)]
pub struct Row<'a>(std::vec::IntoIter<(&'a str, Cell)>);

/// What stands in a column.
#[derive(Debug)]
enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
}

impl<'a> Row<'a> {
    /// Reads a `T` from a row as the database answered it: a JSON object, its fields in the order of the columns.
    pub fn read<T: FromRow>(row: &'a str) -> Result<T, DbError> {
        T::from_row(&mut parse::<Self>(row)?)
    }

    /// Reads each row of a JSON array of them.
    pub fn read_all<T: FromRow>(rows: &'a str) -> Result<Vec<T>, DbError> {
        parse::<Vec<Self>>(rows)?.into_iter().map(|mut row| T::from_row(&mut row)).collect()
    }

    /// Reads the only column of a row, whatever it is called.
    pub(super) fn read_scalar<T: DeserializeOwned>(row: &'a str) -> Result<T, DbError> {
        let (name, cell) = parse::<Self>(row)?.0.next().ok_or_else(|| lies("", format_args!("missing")))?;
        cell.read(name)
    }

    /// The text in the column of this name, wherever it stands.
    pub(super) fn find(row: &'a str, name: &str) -> Option<String> {
        match parse::<Self>(row).ok()?.0.find(|(column, _)| *column == name)?.1 {
            Cell::Text(text) => Some(text),
            Cell::Null | Cell::Integer(_) | Cell::Real(_) => None,
        }
    }

    /// The next column, which is called so; a raw identifier is called as it reads.
    fn next(&mut self, name: &'static str) -> Result<(&'static str, Cell), DbError> {
        let name = name.strip_prefix("r#").unwrap_or(name);
        match self.0.next() {
            Some((found, cell)) if found == name => Ok((name, cell)),
            Some((found, _)) => Err(lies(name, format_args!("`{found}` is in its place"))),
            None => Err(lies(name, format_args!("missing"))),
        }
    }

    /// What stands in the next column, as what it stands for; what is stored is trusted.
    pub fn get<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<T, DbError> {
        let (name, cell) = self.next(name)?;
        cell.read(name)
    }
}

fn lies(name: &str, how: fmt::Arguments<'_>) -> DbError {
    DbError::Corrupt(format!("column `{name}`: {how}"))
}

impl Cell {
    fn read<T: DeserializeOwned>(self, name: &str) -> Result<T, DbError> {
        T::deserialize(self).map_err(|error| lies(name, format_args!("{error}")))
    }
}

impl<'de> Deserializer<'de> for Cell {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Integer(number) => visitor.visit_i64(number),
            Self::Real(number) => visitor.visit_f64(number),
            Self::Text(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self {
            Self::Null => visitor.visit_none(),
            cell => visitor.visit_some(cell),
        }
    }

    /// `SQLite` has 0 and 1.
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self {
            Self::Integer(number) => visitor.visit_bool(number != 0),
            cell => cell.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self {
            Self::Text(word) => word.into_deserializer().deserialize_enum(name, variants, visitor),
            cell => cell.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
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
                i64::try_from(number).map(Cell::Integer).map_err(E::custom)
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Cell, E> {
                Ok(Cell::Real(number))
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
    use super::*;

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Plan {
        Pro,
    }

    #[derive(Debug, PartialEq, Eq)]
    struct Sample {
        r#type: String,
        plan: Option<Plan>,
        many: u8,
        ends_at: Option<i64>,
        is_on: bool,
        kept: bool,
    }

    columns! { Sample: r#type, plan, many, ends_at = "ends", is_on; kept }

    #[derive(Debug, PartialEq, Eq)]
    struct Whole {
        id: u8,
        part: Option<Part>,
    }

    #[derive(Debug, PartialEq, Eq)]
    struct Part {
        status: String,
        error: Option<String>,
    }

    columns! { Whole: [part] id }
    columns! { Option<Part>: status = "part_status", error }

    fn read(text: &str) -> Result<Sample, DbError> {
        Row::read(text)
    }

    #[test]
    fn a_row_is_read_column_by_column() {
        let full = Sample {
            r#type: "a \"b\"".to_owned(),
            plan: Some(Plan::Pro),
            many: 255,
            ends_at: Some(-1),
            is_on: true,
            kept: false,
        };
        let text = r#"{"type":"a \"b\"","plan":"pro","many":255,"ends":-1,"is_on":1}"#;
        assert_eq!(read(text).as_ref(), Ok(&full));
        let empty = r#"{"type":"","plan":null,"many":0,"ends":null,"is_on":0}"#;
        let nothing =
            Sample { r#type: String::new(), plan: None, many: 0, ends_at: None, is_on: false, kept: false };
        assert_eq!(read(empty).as_ref(), Ok(&nothing));
        assert_eq!(Row::read_all(&format!("[{text},{empty}]")), Ok(vec![full, nothing]));
        assert_eq!(Row::read_scalar(r#"{"count(*)":2}"#), Ok(2), "an only column may be called anything");
    }

    #[test]
    fn a_part_is_there_if_its_first_column_is() {
        let part = Part { status: "on".to_owned(), error: Some("x".to_owned()) };
        for (text, part) in [
            (r#"{"part_status":"on","error":"x","id":1}"#, Some(part)),
            (r#"{"part_status":null,"error":"x","id":1}"#, None),
        ] {
            assert_eq!(Row::read(text), Ok(Whole { id: 1, part }));
        }
        let Err(DbError::Corrupt(error)) = Row::read::<Whole>(r#"{"status":"on","error":"x","id":1}"#) else {
            panic!("a column of another name was read")
        };
        assert!(error.starts_with("column `part_status`: "), "{error}");
    }

    #[test]
    fn json_in_a_column_is_answered_as_json() {
        for (text, answered) in
            [(r#"{"many":"[1,2]"}"#, "[1,2]"), (r#"{"many":null}"#, "null"), (r#"{"many":"[1,"}"#, "null")]
        {
            let read: Json<Option<Vec<u8>>> = Row::read_scalar(text).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), answered);
        }
    }

    #[test]
    fn the_error_names_the_column_that_lies() {
        for (column, text) in [
            ("type", r#"{"type":null,"plan":null,"many":0,"ends":null,"is_on":0}"#),
            ("type", r#"{"type":1,"plan":null,"many":0,"ends":null,"is_on":0}"#),
            ("many", r#"{"type":"","plan":null,"many":256,"ends":null,"is_on":0}"#),
            ("many", r#"{"type":"","plan":null,"many":1.5,"ends":null,"is_on":0}"#),
            ("plan", r#"{"type":"","many":0,"plan":null,"ends":null,"is_on":0}"#),
            ("plan", r#"{"type":"","plan":1,"many":0,"ends":null,"is_on":0}"#),
            ("ends", r#"{"type":"","plan":null,"many":0,"ends":"x","is_on":0}"#),
            ("is_on", r#"{"type":"","plan":null,"many":0,"ends":null,"is_on":null}"#),
            ("is_on", r#"{"type":"","plan":null,"many":0,"ends":null}"#),
        ] {
            let Err(DbError::Corrupt(error)) = read(text) else { panic!("{text} was read") };
            assert!(error.starts_with(&format!("column `{column}`: ")), "{error}");
        }
    }
}
