//! `GET /api/v1/admin/audit`: who did what to whom, why, and in which request.

use axum::extract::RawQuery;

use crate::{
    http::{
        answer::{Json, Page, page},
        auth::{Authenticated, PlatformAdmin},
        error::ApiError,
        page::{Query, cursor, paginate},
    },
    ports::Ports,
    store::audit::{self, AuditEntry, Filter},
};

/// The longest name that is looked for.
const LONGEST_NAME: usize = 250;

/// `GET /api/v1/admin/audit`
#[worker::send]
pub async fn list<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page<AuditEntry>>, ApiError> {
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
    let (rows, end) = caller.ask(audit::list(&filter)).await?;
    let (rows, next) = paginate(rows, limit, |entry| entry.id.clone());
    // A page looks at so many entries and no more: the next goes on behind them, even if none of these was wanted.
    let next = next.or_else(|| end.map(|id| cursor(&id)));
    Ok(page(rows, next))
}

fn name(text: &str) -> Option<String> {
    (text.len() <= LONGEST_NAME).then(|| text.to_owned())
}
