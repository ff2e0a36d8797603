//! What is sent to the platform's own webhook: everything in the feed, from where it was sent the feed before.

use serde::Serialize;

use crate::{
    db::{Query, Statement, columns},
    domain::{Time, Timestamp},
};

use super::{audit::AuditContext, deliveries::Status};

/// How many events before its first one it is sent, and how old one of these may be, in seconds.
const EARLIER: u32 = 100;
const EARLIER_SECONDS: i64 = 24 * 3600;
/// How many events become deliveries at once.
const AT_ONCE: u32 = 100;

/// Makes deliveries of what the feed has, in the batch that claims them. A webhook that is there for the first time begins a little
/// before: what happened while it was set up is not lost. One that was away for a while goes on where it was.
pub fn fill(now: Timestamp) -> [Statement; 3] {
    let now = now.seconds();
    [
        Statement::new(
            "insert into platform_webhook (id, seq)
             select 1, coalesce(
               (select min(seq) - 1 from event_feed
                where seq > (select max(seq) from event_feed) - ?1 and occurred_at > ?2),
               (select max(seq) from event_feed), 0)
             where not exists (select 1 from platform_webhook where id = 1)",
            [EARLIER.into(), (now - EARLIER_SECONDS).into()],
        ),
        Statement::new(
            "insert into platform_deliveries (seq, tenant_id, created_at, id, type, body, next_at)
             select f.seq, e.tenant_id, e.occurred_at, e.id, e.type,
               json_object('type', e.type,
                 'timestamp', strftime('%Y-%m-%dT%H:%M:%S.000Z', e.occurred_at, 'unixepoch'),
                 'data', json_patch(json_object('tenantId', e.tenant_id), e.data)), ?1
             from event_feed f join domain_events e
               on e.tenant_id = f.tenant_id and e.occurred_at = f.occurred_at and e.id = f.event_id
             where f.seq > (select seq from platform_webhook where id = 1) order by f.seq limit ?2
             on conflict do nothing",
            [now.into(), AT_ONCE.into()],
        ),
        Statement::new(
            "update platform_webhook set seq = (select max(seq) from platform_deliveries)
             where id = 1 and seq < (select max(seq) from platform_deliveries)",
            [],
        ),
    ]
}

/// It has taken something.
pub fn set_working() -> Statement {
    Statement::new(
        "update platform_webhook set failing_since = null where id = 1 and failing_since is not null",
        [],
    )
}

/// It has not taken something.
pub fn set_failing(now: Timestamp) -> Statement {
    Statement::new(
        "update platform_webhook set failing_since = ?1 where id = 1 and failing_since is null",
        [now.seconds().into()],
    )
}

/// Since when it has taken nothing.
pub fn failing_since() -> Query<Option<Option<Time>>> {
    Query::scalar(Statement::new("select failing_since from platform_webhook where id = 1", []))
}

/// One event on its way to the platform's webhook.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlatformWebhookDelivery {
    /// Its place in the feed.
    #[serde(skip)]
    pub seq: i64,
    /// Its id, which the webhook gets as `webhook-id`.
    pub id: String,
    /// The tenant that it tells of.
    #[cfg_attr(not(target_arch = "wasm32"), schema(value_type = crate::domain::TenantId))]
    pub tenant_id: String,
    /// What it announces, like `tenant.provisioned`.
    pub r#type: String,
    /// Where it stands.
    pub status: Status,
    /// How often it was tried.
    pub attempts: u32,
    /// The HTTP status of the last answer; `null` when there was none.
    pub last_status: Option<u16>,
    /// What went wrong last: the code.
    pub last_error: Option<String>,
    /// When it is tried next; `null` when it has ended.
    pub next_attempt_at: Option<Time>,
    /// When it happened.
    pub created_at: Time,
    /// When it had ended.
    pub settled_at: Option<Time>,
}

columns! {
    PlatformWebhookDelivery:
        seq, id, tenant_id, r#type, status, attempts, last_status, last_error, next_attempt_at = "next_at", created_at,
        settled_at
}

/// Lists the deliveries, newest first, from `before` on.
pub fn list(before: Option<i64>, limit: u32) -> Query<Vec<PlatformWebhookDelivery>> {
    Query::rows(Statement::new(
        "select seq, id, tenant_id, type, status, attempts, last_status, last_error, next_at, created_at, settled_at
         from platform_deliveries where seq < ?1 order by seq desc limit ?2",
        [before.unwrap_or(1 << 52).into(), limit.into()],
    ))
}

/// One delivery.
pub fn by_id(id: &str) -> Query<Option<PlatformWebhookDelivery>> {
    Query::optional(Statement::new(
        "select seq, id, tenant_id, type, status, attempts, last_status, last_error, next_at, created_at, settled_at
         from platform_deliveries where id = ?1",
        [id.into()],
    ))
}

/// Makes a delivery due now, as [`redeliver`](super::deliveries::redeliver) does.
pub fn redeliver(id: &str, most: u32, now: Timestamp) -> Statement {
    Statement::new(
        "update platform_deliveries set status = 'pending', next_at = ?2, settled_at = null, claim = claim + 1,
           attempts = iif(status = 'pending' and attempts < ?3, attempts, 0)
         where id = ?1",
        [id.into(), now.seconds().into(), most.into()],
    )
}

/// Writes down that an operator sends a delivery again, if there is one.
pub fn audit_redelivery(delivery: &str, audit_context: &AuditContext<'_>) -> Statement {
    let [id, actor, reason, request, now] = audit_context.params();
    Statement::new(
        "insert into audit_log (id, actor, reason, request_id, occurred_at, action, subject, data)
         select ?1, ?2, ?3, ?4, ?5, 'platform_webhook.redeliver', tenant_id, json_object('delivery', id)
         from platform_deliveries where id = ?6",
        [id, actor, reason, request, now, delivery.into()],
    )
}
