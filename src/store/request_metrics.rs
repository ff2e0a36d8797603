//! The requests that were answered, added up.

use serde_json::json;

use crate::{
    db::{Query, Statement, columns},
    domain::RequestKey,
};

/// How many requests were answered alike.
#[derive(Debug, Clone)]
pub struct RequestCount {
    /// The pattern of their route.
    pub route: String,
    /// Their method.
    pub method: String,
    /// Their statuses' first digit.
    pub class: u8,
    /// How many.
    pub requests: i64,
}

columns! { RequestCount: route, method, class, requests }

/// Adds to what was counted before.
pub fn add<'a>(counts: impl IntoIterator<Item = (&'a RequestKey, &'a u32)>) -> Statement {
    let rows = counts
        .into_iter()
        .map(|(served, requests)| json!([served.route, served.method, served.class, requests]));
    Statement::new(
        "insert into request_counts (route, method, class, requests)
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3 from json_each(?1) where true
         on conflict (route, method, class) do update set requests = requests + excluded.requests",
        [rows.collect::<serde_json::Value>().to_string().into()],
    )
}

/// All of them.
pub fn select() -> Query<Vec<RequestCount>> {
    Query::rows(Statement::new("select route, method, class, requests from request_counts", []))
}
