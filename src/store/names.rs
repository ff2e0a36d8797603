//! Tenants' names as they are searched: folded by whoever writes them, or later, where an older version wrote them.

use serde_json::json;

use crate::{
    db::{Query, Statement, columns},
    domain::text,
};

/// How many names one sweep folds.
pub const BY_SWEEP: u32 = 50;
/// How many names one search folds, for which somebody waits.
pub const BY_SEARCH: u32 = 200;

/// Names that nobody folded, for [`fold`].
pub fn unfolded(most: u32) -> Query<Vec<Unfolded>> {
    Query::rows(Statement::new(
        "select id, name from tenants where name_folded is null order by id limit ?1",
        [most.into()],
    ))
}

/// A name that nobody folded.
#[derive(Debug, Clone)]
pub struct Unfolded {
    id: String,
    name: String,
}

columns! { Unfolded: id, name }

/// Folds the names that [`unfolded`] selected, but for those that were changed since.
pub fn fold(names: &[Unfolded]) -> Statement {
    let folded: Vec<_> = names.iter().map(|row| json!([row.id, row.name, text::folded(&row.name)])).collect();
    Statement::new(
        "update tenants set name_folded = wanted.value ->> 2 from json_each(?1) as wanted
         where tenants.id = wanted.value ->> 0 and +tenants.name = wanted.value ->> 1
           and +tenants.name_folded is null",
        [json!(folded).to_string().into()],
    )
}
