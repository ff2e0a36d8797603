//! Lifecycle events on their way to the tenants' webhooks: an outbox, filled in the batch that writes the event.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::{
    db::{DbError, Lossy, Query, Row, Statement, columns},
    domain::{TenantId, Timestamp, words},
};

use super::{audit::AuditContext, events::Cursor, webhooks::Connection};

/// For how long a settled delivery is kept.
pub const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

words! {
    /// Where a delivery stands.
    Status as "DeliveryStatus" {
        /// It is sent, or sent again.
        Pending = "pending",
        /// The webhook has it.
        Delivered = "delivered",
        /// It failed.
        Failed = "failed",
        /// There is nobody to send it to any more.
        Cancelled = "cancelled",
    }
}

/// Queues the announcement of an event that the same batch has just written, if the tenant has a webhook that is on. Written twice, it
/// is queued once: its key is that of the event. What is `seldom` is announced once an hour for each run, whoever found out.
pub fn announce(
    tenant: &TenantId,
    event: &str,
    kind: &str,
    data: &Value,
    at: Timestamp,
    traceparent: Option<&str>,
    seldom: bool,
) -> Statement {
    let mut known = Map::from_iter([("tenantId".to_owned(), json!(tenant))]);
    let fields = data.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    known.extend(fields.map(|(name, value)| (name.clone(), value.clone())));
    let body = json!({ "type": kind, "timestamp": at.rfc3339(), "data": known });
    Statement::new(
        "insert into webhook_deliveries (tenant_id, created_at, id, type, body, traceparent, next_at)
         select e.tenant_id, e.occurred_at, e.id, e.type, ?3, ?4, e.occurred_at
         from domain_events e join make_connections c on c.tenant_id = e.tenant_id
         where e.tenant_id = ?1 and e.id = ?2 and c.disabled_at is null
           and (?5 = 0 or not exists (select 1 from webhook_deliveries
             where tenant_id = ?1 and created_at > e.occurred_at - 3600 and type = e.type and id <> ?2
               and case when json_valid(body) then body ->> '$.data.runId' end is ?3 ->> '$.data.runId'))
         on conflict do nothing",
        [
            tenant.as_str().into(),
            event.into(),
            body.to_string().into(),
            traceparent.into(),
            u32::from(seldom).into(),
        ],
    )
}

/// Who a delivery is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// The webhook of the tenant that it tells of.
    Tenant,
    /// The platform's own webhook.
    Platform,
}

/// The same statement for the table of each receiver, whose name stands between the parts.
macro_rules! of_receiver {
    ($receiver:expr, $first:literal, $($rest:literal),+) => {
        match $receiver {
            Receiver::Tenant => concat!($first, $("webhook_deliveries", $rest),+),
            Receiver::Platform => concat!($first, $("platform_deliveries", $rest),+),
        }
    };
}

/// A delivery whose turn it is, held by whoever claimed it.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Whose.
    pub tenant_id: TenantId,
    /// When what it announces happened, Unix seconds.
    pub created_at: i64,
    /// Its id.
    pub id: String,
    /// What it announces.
    pub r#type: String,
    /// What is sent.
    pub body: String,
    /// The trace that it belongs to.
    pub traceparent: Option<String>,
    /// How often it was sent, or was about to be.
    pub attempts: u32,
    /// By which claim it is held.
    claim: u32,
    /// Whether the last of its attempts is this claim's own.
    pub is_begun: bool,
    /// Its place in the feed, if it is for the platform.
    pub seq: Option<i64>,
    /// The tenant's webhook, as JSON.
    connection: Option<String>,
}

columns! {
    Claimed: tenant_id, created_at, id, r#type, body, traceparent, attempts, claim, seq, connection; is_begun
}

impl Claimed {
    /// Who it is for.
    pub const fn receiver(&self) -> Receiver {
        if self.seq.is_some() { Receiver::Platform } else { Receiver::Tenant }
    }

    /// The run that it tells of, if it does.
    pub fn run(&self) -> Option<String> {
        let body: Value = serde_json::from_str(&self.body).ok()?;
        body.pointer("/data/runId")?.as_str().map(str::to_owned)
    }

    /// The tenant's webhook, unless it has none that is on.
    pub fn connection(&self) -> Result<Option<Connection>, DbError> {
        let Some(text) = &self.connection else { return Ok(None) };
        let connection: Connection = Row::read(text)?;
        Ok(Some(connection).filter(|connection| connection.disabled_at.is_none()))
    }
}

/// All in one statement, so that no two can claim the same.
macro_rules! claim {
    ($table:literal, $which:literal, $order:literal, $columns:literal) => {
        concat!(
            "update ",
            $table,
            " set claim = claim + 1, next_at = ?2
             where (tenant_id, created_at, id) in
               (select tenant_id, created_at, id from ",
            $table,
            " where ",
            $which,
            " and next_at <= ?1 order by ",
            $order,
            " limit ?3)
             returning tenant_id, created_at, id, type, body, traceparent, attempts, claim, ",
            $columns
        )
    };
}

/// The tenant's webhook beside what was claimed.
macro_rules! claim_of_tenants {
    ($which:literal) => {
        claim!(
            "webhook_deliveries",
            $which,
            "next_at",
            "null as seq, (select json_object('webhook_url', webhook_url, 'webhook_secret', webhook_secret,
                'failing_since', failing_since, 'disabled_at', disabled_at, 'disabled_reason', disabled_reason,
                'previous_secrets', previous_secrets)
              from make_connections where tenant_id = webhook_deliveries.tenant_id) as connection"
        )
    };
}

/// Claims the deliveries that are due, of one tenant or of all, those first that have waited longest. Until `lease` nobody
/// else gets them; who does not come back by then has lost them, and nothing was counted: see
/// [`begin`].
pub fn claim(
    tenant: Option<&TenantId>,
    now: Timestamp,
    lease: Timestamp,
    limit: u32,
) -> Query<Lossy<Claimed>> {
    let (now, lease) = (now.seconds().into(), lease.seconds().into());
    Query::lossy(match tenant {
        None => Statement::new(claim_of_tenants!("status = 'pending'"), [now, lease, limit.into()]),
        // The plus keeps it off the index of everybody's.
        Some(tenant) => Statement::new(
            claim_of_tenants!("tenant_id = ?4 and +status = 'pending'"),
            [now, lease, limit.into(), tenant.as_str().into()],
        ),
    })
}

/// Claims what is due to the platform's own webhook, as [`claim()`] does.
pub fn claim_of_platform(now: Timestamp, lease: Timestamp, limit: u32) -> Query<Lossy<Claimed>> {
    Query::lossy(Statement::new(
        claim!("platform_deliveries", "status = 'pending'", "next_at, seq", "seq, null as connection"),
        [now.seconds().into(), lease.seconds().into(), limit.into()],
    ))
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// Where the delivery stands now.
    pub status: Status,
    /// When it is tried again, if it is.
    pub next_at: Option<Timestamp>,
    /// The HTTP status, if there was one.
    pub answered: Option<u16>,
    /// What went wrong, in a word.
    pub error: Option<&'static str>,
}

/// Counts an attempt that is about to be made, if the claim still holds. Nobody else makes another until `next_at`, or else
/// the end of the claim, even if this attempt's end is never reported.
pub fn begin(delivery: &Claimed, next_at: Option<Timestamp>) -> Statement {
    let tenant = delivery.tenant_id.as_str().into();
    let (created_at, id) = (delivery.created_at.into(), delivery.id.as_str().into());
    let (claim, attempts) = (delivery.claim.into(), delivery.attempts.into());
    // A version that knows no claims counts its attempts by them.
    match next_at {
        Some(at) => Statement::new(
            of_receiver!(
                delivery.receiver(),
                "update ",
                " set attempts = attempts + 1, next_at = ?6
             where tenant_id = ?1 and created_at = ?2 and id = ?3 and claim = ?4 and attempts = ?5 and status = 'pending'"
            ),
            [tenant, created_at, id, claim, attempts, at.seconds().into()],
        ),
        // What stands in an index costs to be written.
        None => Statement::new(
            of_receiver!(
                delivery.receiver(),
                "update ",
                " set attempts = attempts + 1
             where tenant_id = ?1 and created_at = ?2 and id = ?3 and claim = ?4 and attempts = ?5 and status = 'pending'"
            ),
            [tenant, created_at, id, claim, attempts],
        ),
    }
}

/// Writes down how an attempt ended, unless somebody else holds the delivery since. That it arrived is true whoever holds it.
pub fn settle(delivery: &Claimed, attempted: &Attempted, now: Timestamp) -> Statement {
    let settled_at = (attempted.status != Status::Pending).then_some(now.seconds());
    Statement::new(
        of_receiver!(
            delivery.receiver(),
            "update ",
            " set status = ?5, next_at = ?6, last_status = ?7, last_error = ?8, settled_at = ?9
         where tenant_id = ?1 and created_at = ?2 and id = ?3
           and ((claim = ?10 and attempts = ?4 and status = 'pending')
             or (?5 = 'delivered' and status in ('pending', 'failed')))"
        ),
        [
            delivery.tenant_id.as_str().into(),
            delivery.created_at.into(),
            delivery.id.as_str().into(),
            delivery.attempts.into(),
            attempted.status.as_str().into(),
            attempted.next_at.map(Timestamp::seconds).into(),
            attempted.answered.map(u32::from).into(),
            attempted.error.into(),
            settled_at.into(),
            delivery.claim.into(),
        ],
    )
}

/// A delivery as its tenant sees it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its id: that of the event.
    pub id: String,
    /// What it announces.
    pub r#type: String,
    /// Where it stands.
    pub status: Status,
    /// How often it was tried.
    pub attempts: u32,
    /// What the webhook answered last.
    pub last_status: Option<u16>,
    /// What went wrong last, in a word.
    pub last_error: Option<String>,
    /// When it is tried next, Unix seconds.
    pub next_at: Option<i64>,
    /// When what it announces happened.
    pub created_at: i64,
    /// When it had ended.
    pub settled_at: Option<i64>,
}

columns! { Delivery: id, r#type, status, attempts, last_status, last_error, next_at, created_at, settled_at }

/// Lists a tenant's deliveries, newest first, from `before` on.
pub fn list(tenant: &TenantId, before: Option<&Cursor>, limit: u32) -> Query<Vec<Delivery>> {
    Query::rows(Statement::new(
        "select id, type, status, attempts, last_status, last_error, next_at, created_at, settled_at
         from webhook_deliveries where tenant_id = ?1 and (created_at, id) < (?2, ?3)
         order by created_at desc, id desc limit ?4",
        [
            tenant.as_str().into(),
            before.map_or(1 << 52, |mark| mark.occurred_at).into(),
            before.map_or("", |mark| mark.id.as_str()).into(),
            limit.into(),
        ],
    ))
}

/// Makes a delivery due now, if the tenant has a webhook that is on. A settled delivery, or one at its last of `most`
/// attempts, begins its schedule anew. The failure of an attempt in flight no longer counts.
pub fn redeliver(tenant: &TenantId, id: &str, most: u32, now: Timestamp) -> Statement {
    Statement::new(
        "update webhook_deliveries set status = 'pending', next_at = ?3, settled_at = null, claim = claim + 1,
           attempts = iif(status = 'pending' and attempts < ?4, attempts, 0)
         where tenant_id = ?1 and id = ?2
           and exists (select 1 from make_connections where tenant_id = ?1 and disabled_at is null)",
        [tenant.as_str().into(), id.into(), now.seconds().into(), most.into()],
    )
}

/// Writes down that an operator sends a delivery again, where [`redeliver`] will.
pub fn audit_redelivery(tenant: &TenantId, delivery: &str, audit_context: &AuditContext<'_>) -> Statement {
    let [id, actor, reason, request, now] = audit_context.params();
    Statement::new(
        "insert into audit_log (id, actor, reason, request_id, occurred_at, action, subject, data)
         select ?1, ?2, ?3, ?4, ?5, 'webhook.redeliver', ?6, json_object('delivery', id)
         from webhook_deliveries where tenant_id = ?6 and id = ?7
           and exists (select 1 from make_connections where tenant_id = ?6 and disabled_at is null)",
        [id, actor, reason, request, now, tenant.as_str().into(), delivery.into()],
    )
}

/// One delivery.
pub fn by_id(tenant: &TenantId, id: &str) -> Query<Option<Delivery>> {
    Query::optional(Statement::new(
        "select id, type, status, attempts, last_status, last_error, next_at, created_at, settled_at
         from webhook_deliveries where tenant_id = ?1 and id = ?2",
        [tenant.as_str().into(), id.into()],
    ))
}

/// Removes what has been over for long, a bounded number at a time.
pub fn prune(receiver: Receiver, now: Timestamp, limit: i64) -> Statement {
    Statement::new(
        of_receiver!(
            receiver,
            "delete from ",
            " where (tenant_id, created_at, id) in
           (select tenant_id, created_at, id from ",
            " where settled_at <= ?1
            order by settled_at limit ?2)"
        ),
        [now.before(KEPT).seconds().into(), limit.into()],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Value as Bound;

    #[test]
    fn an_announcement_says_what_is_known_and_whose_it_is() {
        let tenant = "tenant_1".parse().unwrap();
        let data = json!({ "runId": "run_1", "plan": "starter", "reason": null });
        let at = Timestamp::from_millis(1_763_683_200_007);
        let statement = announce(&tenant, "evt_1", "tenant.provisioned", &data, at, None, false);
        let body = r#"{"data":{"plan":"starter","runId":"run_1","tenantId":"tenant_1"},"timestamp":"2025-11-21T00:00:00.007Z","type":"tenant.provisioned"}"#;
        assert_eq!(statement.params.get(2), Some(&Bound::Text(body.to_owned())));
    }
}
