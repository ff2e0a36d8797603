//! `GET /api/v1/admin/audit`: who did what to whom, why, and in which request.

use axum::extract::RawQuery;
use serde::Serialize;
use serde_json::Value;

use crate::{
    http::{
        answer::{Json, Page, Time, page},
        auth::{Authenticated, PlatformAdmin},
        error::ApiError,
        page::{Query, cursor, paginate},
    },
    ports::Ports,
    store::audit::{self, Entry, Filter},
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
    Ok(page(rows, next, AuditEntry::from))
}

fn name(text: &str) -> Option<String> {
    (text.len() <= LONGEST_NAME).then(|| text.to_owned())
}

/// One thing that an operator did.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Its id.
    #[cfg_attr(not(target_arch = "wasm32"), schema(pattern = "^aud_"))]
    pub id: String,
    /// When.
    pub occurred_at: Time,
    /// Who: the token's `sub`.
    pub actor: String,
    /// What was done, like `tenant.update`.
    pub action: String,
    /// To whom or what: a tenant, a run, a code, a token.
    pub subject: String,
    /// Why, in the operator's words.
    pub reason: String,
    /// The request that did it.
    pub request_id: String,
    /// What was there before and after, as far as there is something to say.
    pub data: Value,
}

impl From<Entry> for AuditEntry {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id,
            occurred_at: Time::at(entry.occurred_at),
            actor: entry.actor,
            action: entry.action,
            subject: entry.subject,
            reason: entry.reason,
            request_id: entry.request_id,
            data: serde_json::from_str(&entry.data).unwrap_or_default(),
        }
    }
}
