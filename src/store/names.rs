//! Clubs' names as they are searched: folded by whoever writes them, or later, where an older version wrote them.

use serde::Deserialize;
use serde_json::json;

use crate::{
    db::{Answer, DbError, Statement},
    domain::text,
};

/// How many names are folded at once.
const BATCH: u32 = 500;

/// Selects names that nobody folded, for [`fold`].
#[must_use]
pub fn unfolded() -> Statement {
    Statement::new(
        "select id, name from tenants where name_folded is null order by id limit ?1",
        [BATCH.into()],
    )
}

/// Folds the names in the answer to [`unfolded`], but for those that were changed since; nothing where there are none.
///
/// # Errors
///
/// When a row is not what the schema promises.
pub fn fold(answer: Answer) -> Result<Option<Statement>, DbError> {
    #[derive(Deserialize)]
    struct Row {
        id: String,
        name: String,
    }
    let rows: Vec<Row> = answer.rows()?;
    if rows.is_empty() {
        return Ok(None);
    }
    let names: Vec<_> = rows.iter().map(|row| json!([row.id, row.name, text::folded(&row.name)])).collect();
    Ok(Some(Statement::new(
        "update tenants set name_folded = wanted.value ->> 2 from json_each(?1) as wanted
         where tenants.id = wanted.value ->> 0 and tenants.name = wanted.value ->> 1 and tenants.name_folded is null",
        [json!(names).to_string().into()],
    )))
}
