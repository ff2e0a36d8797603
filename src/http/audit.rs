//! `GET /api/v1/admin/audit`: who did what to whom, why, and in which request.

use axum::{Json, extract::RawQuery};
use serde_json::{Value, json};

use crate::{
    domain::Timestamp,
    ports::Ports,
    store::audit::{self, Entry, Filter},
};

use super::{
    auth::{Caller, PlatformAdmin},
    error::ApiError,
    page::{Query, cursor, cut},
};

/// The longest name that is looked for.
const LONGEST_NAME: usize = 250;

/// `GET /api/v1/admin/audit`
#[worker::send]
pub async fn list<P: Ports>(
    caller: Caller<P, PlatformAdmin>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut query = Query::of(query.as_deref());
    let limit = query.limit();
    let filter = Filter {
        actor: query.optional("actor", name),
        action: query.optional("action", name),
        subject: query.optional("subject", name),
        before: query.cursor(|text| text.starts_with("aud_").then(|| text.to_owned())),
        limit: limit + 1,
    };
    let filter = query.all(filter)?;
    let mut answers = caller.ask_all(audit::list(&filter).into()).await?;
    let end = answers.pop().unwrap_or_default();
    let (rows, end) = audit::read_page(answers.pop().unwrap_or_default(), end)?;
    let (rows, next) = cut(rows, limit, |entry| entry.id.clone());
    // A page looks at so many entries and no more: the next goes on behind them, even if none of these was wanted.
    let next = next.or_else(|| end.map(|id| cursor(&id)));
    let data: Vec<Value> = rows.iter().map(entry_json).collect();
    Ok(Json(json!({ "success": true, "data": data, "nextCursor": next })))
}

fn name(text: &str) -> Option<String> {
    (text.len() <= LONGEST_NAME).then(|| text.to_owned())
}

fn entry_json(entry: &Entry) -> Value {
    json!({
        "id": entry.id,
        "occurredAt": Timestamp::from_seconds(entry.occurred_at).rfc3339(),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "reason": entry.reason,
        "requestId": entry.request_id,
        "data": serde_json::from_str::<Value>(&entry.data).unwrap_or_default(),
    })
}
