//! D1 as a [`Db`]: one batch, one round trip, one JSON text back.

use std::time::Duration;

use futures_util::{FutureExt, pin_mut, select};
use js_sys::{Array, Function, JSON, Reflect};
use serde::Deserialize;
use serde_json::value::RawValue;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::{D1Database, Delay, send::SendWrapper};

use super::told;
use crate::db::{Answer, Db, DbError, Statement, Value};

/// How long a batch may take.
const TIME_LIMIT: Duration = Duration::from_secs(5);

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
        let prepared =
            statements.into_iter().map(|s| prepare(database, s)).collect::<Result<Array, DbError>>()?;
        // Through the binding's own `batch`: the `worker` crate's decodes row by row, and each row is a crossing.
        let target: &JsValue = database.as_ref();
        let batch: Function =
            Reflect::get(target, &"batch".into()).map_err(broken)?.dyn_into().map_err(broken)?;
        let promise = batch.call1(target, &prepared).map_err(broken)?;
        let answered = within(JsFuture::from(js_sys::Promise::resolve(&promise))).await?;
        let text: String = JSON::stringify(&answered).map_err(broken)?.into();
        let rows: Vec<Row> = serde_json::from_str(&text).map_err(|e| DbError::Corrupt(e.to_string()))?;
        Ok(rows.into_iter().map(|row| Answer { rows: row.results, changes: row.meta.changes }).collect())
    }
}

/// A database that does not say no but nothing is as far away as one that is gone.
async fn within(answer: JsFuture) -> Result<JsValue, DbError> {
    let answer = answer.fuse();
    let limit = Delay::from(TIME_LIMIT).fuse();
    pin_mut!(answer, limit);
    select! {
        answered = answer => answered.map_err(broken),
        () = limit => Err(DbError::Unavailable("no answer in time".to_owned())),
    }
}

fn prepare(database: &D1Database, statement: Statement) -> Result<JsValue, DbError> {
    let params: Vec<JsValue> = statement.params.iter().map(bound).collect::<Result<_, _>>()?;
    let prepared = database.prepare(statement.sql);
    let prepared = if params.is_empty() {
        prepared
    } else {
        prepared.bind(&params).map_err(|e| DbError::Unavailable(told(&e)))?
    };
    Ok(prepared.inner().into())
}

/// D1 binds every number as a float: an integer that a float can't hold would be stored as another one.
fn bound(value: &Value) -> Result<JsValue, DbError> {
    const EXACT: i64 = 1 << 53;
    match value {
        Value::Null => Ok(JsValue::NULL),
        Value::Text(text) => Ok(JsValue::from_str(text)),
        Value::Integer(number) if (-EXACT..=EXACT).contains(number) =>
        {
            #[expect(clippy::cast_precision_loss, reason = "the range was checked")]
            Ok(JsValue::from_f64(*number as f64))
        }
        Value::Integer(number) => Err(DbError::Corrupt(format!("{number} does not fit a float"))),
    }
}

/// D1 says what SQLite said in the message or its cause.
fn broken(error: JsValue) -> DbError {
    let text = |value: &JsValue| value.dyn_ref::<js_sys::Error>().map(|e| String::from(e.message()));
    let message = text(&error).unwrap_or_else(|| "D1 threw what is no error".to_owned());
    let cause = error.dyn_ref::<js_sys::Error>().and_then(|e| text(&e.cause())).unwrap_or_default();
    DbError::of(format!("{message} {cause}"))
}
