//! D1's stand-in: SQLite in memory with the real migrations, D1's habits, and faults on demand.
//!
//! Its habits: a batch is one transaction, numbers are bound as floats, foreign keys are on, and its limits on statements
//! hold. A constraint names its `table.column`; any other error is "unavailable".

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use rusqlite::{
    Connection, Params, StatementStatus, backup::Backup, functions::FunctionFlags, limits::Limit,
    types::ValueRef,
};
use serde_json::{Value as Json, json, value::RawValue};
use tenantry::db::{Answer, Db, DbError, Statement, Value};

/// How a batch fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaks {
    /// Nothing of it was done.
    Before,
    /// All of it was done, but the answer was lost.
    After,
    /// In its statement of this number, counted from zero: nothing of it stays.
    Within(usize),
}

/// What running statements cost, as SQLite counts it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Rows that were passed by a scan of a whole table.
    pub scanned: i64,
    /// Instructions of the virtual machine.
    pub instructions: i64,
}

/// One call to what is outside of the application: to which station, and how many rows it changed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// `d1`, `object`, `breaker`, or an upstream.
    pub to: &'static str,
    /// Rows that were changed, by triggers too.
    pub rows: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Up,
    Down,
    /// It never answers.
    Silent,
}

struct Inner {
    connection: Connection,
    mood: Mood,
    batches: usize,
    breaks: BTreeMap<usize, Breaks>,
    seen: BTreeMap<&'static str, Vec<Value>>,
    costs: BTreeMap<&'static str, Cost>,
    recording: Option<Vec<Recorded>>,
}

/// The database of one test.
#[derive(Clone)]
pub struct Database(Arc<Mutex<Inner>>);

/// A database as it was at one moment.
pub struct Saved(Connection);

impl Database {
    /// A database with every migration applied.
    pub fn migrated() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        connection.set_prepared_statement_cache_capacity(256);
        is_repeatable(&connection);
        connection
            .execute_batch(
                "create table d1_migrations (id integer primary key, name text unique, applied_at text)",
            )
            .unwrap();
        for path in migrations() {
            connection.execute_batch(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap();
            connection.execute("insert into d1_migrations (name) values (?1)", [name]).unwrap();
        }
        put_limits(&connection);
        Self(Arc::new(Mutex::new(Inner {
            connection,
            mood: Mood::Up,
            batches: 0,
            breaks: BTreeMap::new(),
            seen: BTreeMap::new(),
            costs: BTreeMap::new(),
            recording: None,
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// From now on nothing is answered but "unavailable".
    pub fn goes_down(&self) {
        self.inner().mood = Mood::Down;
    }

    /// From now on nothing is answered at all.
    pub fn falls_silent(&self) {
        self.inner().mood = Mood::Silent;
    }

    /// As it should be, again.
    pub fn comes_up(&self) {
        let mut inner = self.inner();
        inner.mood = Mood::Up;
        inner.breaks.clear();
    }

    /// As it is at this moment.
    pub fn saved(&self) -> Saved {
        let mut saved = Connection::open_in_memory().unwrap();
        copy(&self.inner().connection, &mut saved);
        Saved(saved)
    }

    /// It is restored to that moment, or forward.
    pub fn becomes(&self, saved: &Saved) {
        copy(&saved.0, &mut self.inner().connection);
    }

    /// The `nth` batch from now, counted from zero, fails.
    pub fn breaks(&self, nth: usize, how: Breaks) {
        let mut inner = self.inner();
        let at = inner.batches + nth;
        inner.breaks.insert(at, how);
    }

    /// How many batches there were.
    pub fn batches(&self) -> usize {
        self.inner().batches
    }

    /// From now on every call to external services is recorded; answers those recorded so far.
    pub fn records(&self) -> Vec<Recorded> {
        self.inner().recording.replace(Vec::new()).unwrap_or_default()
    }

    /// A call to this station, if calls are recorded.
    pub fn record(&self, to: &'static str, rows: u64) {
        self.inner().record(to, rows);
    }

    /// Every statement there was, with parameters it once had.
    pub fn seen(&self) -> BTreeMap<&'static str, Vec<Value>> {
        self.inner().seen.clone()
    }

    /// What every statement cost since the costs were last taken.
    pub fn take_costs(&self) -> BTreeMap<&'static str, Cost> {
        std::mem::take(&mut self.inner().costs)
    }

    /// How SQLite would run `sql`: one line a step.
    pub fn plan(&self, sql: &str) -> Vec<String> {
        let inner = self.inner();
        let mut statement = inner.connection.prepare(&format!("explain query plan {sql}")).unwrap();
        // A plan does not depend on what is bound.
        let mut rows = statement.raw_query();
        let mut plan = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            plan.push(row.get(3).unwrap());
        }
        plan
    }

    /// Does something that no code of ours does: what an operator types, or time and accidents do.
    pub fn execute(&self, sql: &str, params: impl Params) -> usize {
        self.inner().connection.execute(sql, params).unwrap()
    }

    /// The rows that an operator would see.
    pub fn rows(&self, sql: &str) -> Vec<Json> {
        let inner = self.inner();
        let mut statement = inner.connection.prepare(sql).unwrap();
        let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        let mut rows = statement.query([]).unwrap();
        let mut all = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            all.push(serde_json::from_str(object(&names, row).get()).unwrap());
        }
        all
    }

    /// The first row that an operator would see.
    pub fn row(&self, sql: &str) -> Json {
        self.rows(sql).into_iter().next().unwrap_or_else(|| panic!("no row: {sql}"))
    }

    /// The number that an operator would see.
    pub fn number(&self, sql: &str) -> i64 {
        self.inner().connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Asserts that nothing was written since `before`.
    #[track_caller]
    pub fn is_still(&self, before: &BTreeMap<String, Vec<Json>>) {
        let now = self.contents();
        for (table, rows) in before {
            assert_eq!(&now[table], rows, "in {table}");
        }
    }

    /// Everything in every table: two moments with the same contents are the same to the row.
    pub fn contents(&self) -> BTreeMap<String, Vec<Json>> {
        let tables = self.rows("select name from sqlite_master where type = 'table' order by name");
        tables
            .iter()
            .map(|table| table["name"].as_str().unwrap())
            .map(|name| (name.to_owned(), self.rows(&format!("select * from {name}"))))
            .collect()
    }
}

impl Inner {
    fn record(&mut self, to: &'static str, rows: u64) {
        if let Some(recording) = &mut self.recording {
            recording.push(Recorded { to, rows });
        }
    }
}

fn copy(from: &Connection, to: &mut Connection) {
    Backup::new(from, to).unwrap().run_to_completion(i32::MAX, std::time::Duration::ZERO, None).unwrap();
}

impl Db for Database {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Answer>, DbError> {
        // A round trip: others get their turn meanwhile.
        super::turns(1).await;
        if self.inner().mood == Mood::Silent {
            std::future::pending::<()>().await;
        }
        let mut inner = self.inner();
        let number = inner.batches;
        inner.batches += 1;
        let breaks = inner.breaks.remove(&number);
        if inner.mood == Mood::Down || breaks == Some(Breaks::Before) {
            return Err(lost());
        }
        inner.connection.execute_batch("begin immediate").unwrap();
        match run_all(&mut inner, &statements, breaks) {
            Ok(answers) => {
                inner.connection.execute_batch("commit").map_err(|e| broken(&e))?;
                inner.record("d1", answers.iter().map(|answer| answer.changes).sum());
                if breaks == Some(Breaks::After) { Err(lost()) } else { Ok(answers) }
            }
            Err(error) => {
                inner.connection.execute_batch("rollback").unwrap();
                Err(error)
            }
        }
    }
}

fn run_all(
    inner: &mut Inner,
    statements: &[Statement],
    breaks: Option<Breaks>,
) -> Result<Vec<Answer>, DbError> {
    let mut answers = Vec::new();
    for (number, statement) in statements.iter().enumerate() {
        if breaks == Some(Breaks::Within(number)) {
            return Err(lost());
        }
        inner.seen.entry(statement.sql).or_insert_with(|| statement.params.clone());
        let (answer, cost) = run(&inner.connection, statement).map_err(|e| broken(&e))?;
        let sum = inner.costs.entry(statement.sql).or_default();
        sum.scanned += cost.scanned;
        sum.instructions += cost.instructions;
        answers.push(answer);
    }
    Ok(answers)
}

fn run(connection: &Connection, statement: &Statement) -> rusqlite::Result<(Answer, Cost)> {
    let before = connection.total_changes();
    let mut prepared = connection.prepare_cached(statement.sql)?;
    assert_eq!(prepared.parameter_count(), statement.params.len(), "parameters of: {}", statement.sql);
    for (index, value) in statement.params.iter().enumerate() {
        match value {
            Value::Null => prepared.raw_bind_parameter(index + 1, rusqlite::types::Null)?,
            Value::Integer(number) => prepared.raw_bind_parameter(index + 1, as_float(*number))?,
            Value::Text(text) => prepared.raw_bind_parameter(index + 1, text)?,
        }
    }
    let names: Vec<String> = prepared.column_names().into_iter().map(str::to_owned).collect();
    let distinct: BTreeSet<&String> = names.iter().collect();
    assert_eq!(distinct.len(), names.len(), "two columns of one name are one field: {}", statement.sql);
    let mut rows = Vec::new();
    let mut cursor = prepared.raw_query();
    while let Some(row) = cursor.next()? {
        rows.push(object(&names, row));
    }
    drop(cursor);
    let cost = Cost {
        scanned: i64::from(prepared.reset_status(StatementStatus::FullscanStep)),
        instructions: i64::from(prepared.reset_status(StatementStatus::VmStep)),
    };
    Ok((Answer { rows, changes: connection.total_changes() - before }, cost))
}

/// D1 binds every number as a float.
#[expect(clippy::cast_precision_loss, reason = "asserted to be exact")]
fn as_float(number: i64) -> f64 {
    assert!(number.unsigned_abs() <= 1 << 53, "{number} does not fit a float");
    number as f64
}

/// A row as D1 answers it: an object, its fields in the order of the columns.
fn object(names: &[String], row: &rusqlite::Row<'_>) -> Box<RawValue> {
    let field =
        |(index, name): (usize, &String)| format!("{}:{}", json!(name), as_json(row.get_ref(index).unwrap()));
    let fields: Vec<String> = names.iter().enumerate().map(field).collect();
    RawValue::from_string(format!("{{{}}}", fields.join(","))).unwrap()
}

/// What a row's value is once it went through JavaScript: whole numbers lose the trace of having been floats.
fn as_json(value: ValueRef<'_>) -> Json {
    match value {
        ValueRef::Null => Json::Null,
        ValueRef::Integer(number) => json!(number),
        #[expect(clippy::cast_possible_truncation, reason = "it has no fraction and is not large")]
        ValueRef::Real(number) if number.fract() == 0.0 && number.abs() < 1e15 => json!(number as i64),
        ValueRef::Real(number) => json!(number),
        ValueRef::Text(text) => json!(std::str::from_utf8(text).unwrap()),
        ValueRef::Blob(_) => panic!("no column of ours is a blob"),
    }
}

fn lost() -> DbError {
    DbError::Unavailable("D1_ERROR: Network connection lost.".to_owned())
}

fn broken(error: &rusqlite::Error) -> DbError {
    DbError::of(format!("D1_ERROR: {error}"))
}

/// The limits that D1 sets on a statement.
fn put_limits(connection: &Connection) {
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
        (Limit::SQLITE_LIMIT_COLUMN, 100),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 5),
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
    ] {
        connection.set_limit(limit, value).unwrap();
    }
}

/// What SQLite makes by chance is other each time, and the same in each run of a test.
fn is_repeatable(connection: &Connection) {
    let count = AtomicU64::new(0);
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
    connection
        .create_scalar_function("randomblob", 1, flags, move |_| {
            Ok(count.fetch_add(1, Ordering::Relaxed).to_be_bytes().to_vec())
        })
        .unwrap();
}

fn migrations() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths
}
