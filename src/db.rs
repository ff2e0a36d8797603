//! The narrow waist to a SQL database: statements in, rows out, errors as decisions.

mod batch;
mod row;

use serde::Deserialize;
use serde_json::value::RawValue;

pub(crate) use self::row::columns;
pub use self::{
    batch::{Answers, Batch, Lossy, Query, Then, Unreadable},
    row::{FromRow, Json, Row},
};

/// A value bound to a statement. D1 takes these and no others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `null`
    Null,
    /// An integer; bound as a float by D1, so limited to ±2⁵³.
    Integer(i64),
    /// Text.
    Text(String),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Integer(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One SQL statement and what is bound to it.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The text, with `?1`, `?2`, … for the parameters.
    pub sql: &'static str,
    /// The parameters, in order.
    pub params: Vec<Value>,
}

impl Statement {
    /// A statement with its parameters.
    pub fn new<const N: usize>(sql: &'static str, params: [Value; N]) -> Self {
        Self { sql, params: params.into() }
    }
}

/// What one statement answered.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The rows, each a JSON object by column name: read once, straight into what is wanted.
    pub rows: Vec<Box<RawValue>>,
    /// How many rows it changed.
    pub changes: u64,
}

impl Answer {
    /// Whether it changed anything.
    pub const fn has_changed(&self) -> bool {
        self.changes > 0
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, DbError> {
    serde_json::from_str(json).map_err(|e| DbError::Corrupt(e.to_string()))
}

/// What can go wrong. The texts are for the log; a caller sees none of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DbError {
    /// A constraint refused the batch; nothing of it was done.
    #[error("constraint: {0}")]
    Constraint(String),
    /// A statement raised: `ABORT_MARKER` says how. Nothing of the batch was done.
    #[error("raised")]
    Aborted,
    /// The database could not be reached, or did not answer: whether the batch was done is unknown.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// A row is not what the schema promises.
    #[error("corrupt row: {0}")]
    Corrupt(String),
}

/// SQLite's message when `json()` is given no JSON. A guard statement aborts its batch with it: `raise()` works in
/// triggers only.
const ABORT_MARKER: &str = "malformed JSON";

impl DbError {
    /// Whether a row refers to one that is not there.
    pub fn is_about_a_missing_row(&self) -> bool {
        matches!(self, Self::Constraint(message) if message.contains("FOREIGN KEY"))
    }

    /// What an error of SQLite's means, by its message: it names a violated constraint by `table.column`. Whatever else
    /// goes wrong, the store can't be used now.
    pub fn of(message: String) -> Self {
        if message.contains(ABORT_MARKER) {
            Self::Aborted
        } else if message.contains("constraint failed") {
            Self::Constraint(message)
        } else {
            Self::Unavailable(message)
        }
    }
}

/// A SQL database. A batch is one round trip and one transaction: all of it, or nothing.
#[expect(async_fn_in_trait, reason = "one thread per isolate: no future of ours crosses threads")]
pub trait Db {
    /// Runs the statements in order and answers each.
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Answer>, DbError>;

    /// Runs a batch whose parts know how their answers are read.
    async fn ask<B: Batch>(&self, batch: B) -> Result<B::Answer, DbError> {
        let (statements, read) = batch.split();
        read(&mut Answers::from(self.batch(statements).await?))
    }

    /// Runs one statement.
    async fn query(&self, statement: Statement) -> Result<Answer, DbError> {
        self.ask(statement).await
    }
}
