//! What connects a club to the outside: its webhook, its spreadsheet. The one source of truth for both.

use serde::Deserialize;

use crate::{
    db::{Answer, Db, DbError, Statement},
    domain::{TenantId, Timestamp, WebhookUrl},
};

use super::audit::Act;

/// A club's webhook as stored.
#[derive(Debug, Clone, Deserialize)]
pub struct Connection {
    /// Where it is.
    pub webhook_url: String,
    /// Its secret, sealed.
    pub webhook_secret: String,
}

/// Stores the webhook of a starter club that is not cancelled. Without a secret the stored one stays, and nothing is stored where there is none.
#[must_use]
pub fn set_webhook(tenant: &TenantId, url: &WebhookUrl, sealed: Option<&str>, now: Timestamp) -> Statement {
    Statement::new(
        "insert into make_connections (tenant_id, webhook_url, webhook_secret, updated_at)
         select t.id, ?2, coalesce(?3, m.webhook_secret), ?4
         from tenants t left join make_connections m on m.tenant_id = t.id
         where t.id = ?1 and t.plan = 'starter' and t.status <> 'cancelled'
           and coalesce(?3, m.webhook_secret) is not null
         on conflict (tenant_id) do update set webhook_url = excluded.webhook_url,
           webhook_secret = excluded.webhook_secret, validated_at = null, updated_at = excluded.updated_at",
        [tenant.as_str().into(), url.as_str().into(), sealed.into(), now.seconds().into()],
    )
}

/// Writes down that an operator stores the webhook of a club, where [`set_webhook`] will.
#[must_use]
pub fn audit_webhook(tenant: &TenantId, url: &WebhookUrl, new_secret: bool, act: &Act<'_>) -> Statement {
    let [id, actor, reason, request, now] = act.params();
    Statement::new(
        "insert into audit_log (id, actor, reason, request_id, occurred_at, action, subject, data)
         select ?1, ?2, ?3, ?4, ?5, 'tenant.webhook', t.id,
           json_object('host', ?7, 'newSecret', json(iif(?8, 'true', 'false')), 'runId', t.provision_run_id)
         from tenants t left join make_connections m on m.tenant_id = t.id
         where t.id = ?6 and t.plan = 'starter' and t.status <> 'cancelled'
           and (?8 or m.webhook_secret is not null)",
        [id, actor, reason, request, now, tenant.as_str().into(), url.host().into(), new_secret.into()],
    )
}

/// A club's webhook.
///
/// # Errors
///
/// When the database doesn't answer.
pub async fn webhook(db: &impl Db, tenant: &TenantId) -> Result<Option<Connection>, DbError> {
    read_webhook(db.query(select_webhook(tenant)).await?)
}

/// Selects a club's webhook, for [`read_webhook`].
#[must_use]
pub fn select_webhook(tenant: &TenantId) -> Statement {
    Statement::new(
        "select webhook_url, webhook_secret from make_connections where tenant_id = ?1",
        [tenant.as_str().into()],
    )
}

/// Reads the answer to [`select_webhook`].
///
/// # Errors
///
/// When the row is not what the schema promises.
pub fn read_webhook(answer: Answer) -> Result<Option<Connection>, DbError> {
    answer.first()
}

/// Notes that the webhook took a ping.
#[must_use]
pub fn set_validated(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "update make_connections set validated_at = ?2 where tenant_id = ?1",
        [tenant.as_str().into(), now.seconds().into()],
    )
}

/// Notes the club's spreadsheet.
#[must_use]
pub fn set_spreadsheet(tenant: &TenantId, id: &str, url: &str, now: Timestamp) -> Statement {
    Statement::new(
        "insert into pro_automation (tenant_id, spreadsheet_id, spreadsheet_url, created_at)
         select id, ?2, ?3, ?4 from tenants where id = ?1
         on conflict (tenant_id) do update set spreadsheet_id = excluded.spreadsheet_id,
           spreadsheet_url = excluded.spreadsheet_url",
        [tenant.as_str().into(), id.into(), url.into(), now.seconds().into()],
    )
}

/// Notes that the spreadsheet was read back.
#[must_use]
pub fn set_spreadsheet_verified(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "update pro_automation set verified_at = ?2 where tenant_id = ?1",
        [tenant.as_str().into(), now.seconds().into()],
    )
}
