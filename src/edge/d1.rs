//! D1 as a [`Db`]: one batch, one round trip, one JSON text there and one back.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::{D1Database, send::SendWrapper};

use super::boundary;
use crate::db::{Answer, Db, DbError, Statement, Value};

/// How long a batch may take, in milliseconds.
const TIME_LIMIT: u32 = 5_000;

/// The database behind the `DB` binding; none if it is not bound.
#[derive(Debug)]
pub(super) struct D1(SendWrapper<Option<D1Database>>);

impl D1 {
    pub(super) fn new(binding: Option<D1Database>) -> Self {
        Self(SendWrapper::new(binding))
    }
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    results: Vec<Box<RawValue>>,
    meta: Meta,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    changes: u64,
}

impl Db for D1 {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Answer>, DbError> {
        let database = self.0.as_ref().ok_or_else(|| DbError::Unavailable("DB is not bound".to_owned()))?;
        // Through the binding's own `batch`: the `worker` crate's decodes row by row, and each row is a crossing.
        let promise = boundary::batch(database.as_ref(), &written(&statements)?, TIME_LIMIT);
        let answered = JsFuture::from(promise).await.map_err(broken)?;
        // A database that does not say no but nothing is as far away as one that is gone.
        let text =
            answered.as_string().ok_or_else(|| DbError::Unavailable("no answer in time".to_owned()))?;
        let rows: Vec<Row> = serde_json::from_str(&text).map_err(|e| DbError::Corrupt(e.to_string()))?;
        Ok(rows.into_iter().map(|row| Answer { rows: row.results, changes: row.meta.changes }).collect())
    }
}

/// Statements as `boundary.js` reads them.
fn written(statements: &[Statement]) -> Result<String, DbError> {
    let each = statements.iter().map(|statement| {
        let params = statement.params.iter().map(bound).collect::<Result<Vec<_>, _>>()?;
        Ok((statement.sql, params))
    });
    let each = each.collect::<Result<Vec<_>, DbError>>()?;
    serde_json::to_string(&each).map_err(|e| DbError::Corrupt(e.to_string()))
}

/// A value that D1 takes as it is.
struct Bound<'a>(&'a Value);

impl Serialize for Bound<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Integer(number) => serializer.serialize_i64(*number),
        }
    }
}

/// D1 binds every number as a float: an integer that a float can't hold would be stored as another one.
fn bound(value: &Value) -> Result<Bound<'_>, DbError> {
    const EXACT: i64 = 1 << 53;
    match value {
        Value::Integer(number) if !(-EXACT..=EXACT).contains(number) => {
            Err(DbError::Corrupt(format!("{number} does not fit a float")))
        }
        _ => Ok(Bound(value)),
    }
}

/// D1 says what SQLite said in the message or its cause.
fn broken(error: JsValue) -> DbError {
    let text = |value: &JsValue| value.dyn_ref::<js_sys::Error>().map(|e| String::from(e.message()));
    let message = text(&error).unwrap_or_else(|| "D1 threw what is no error".to_owned());
    let cause = error.dyn_ref::<js_sys::Error>().and_then(|e| text(&e.cause())).unwrap_or_default();
    DbError::of(format!("{message} {cause}"))
}
