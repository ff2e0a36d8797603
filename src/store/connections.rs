//! What connects a club to the outside: its webhook, its spreadsheet. The one source of truth for both.

use serde::Deserialize;

use crate::{
    db::{Answer, Db, DbError, Statement},
    domain::{TenantId, Timestamp, WebhookUrl},
};

/// A club's webhook as stored.
#[derive(Debug, Clone, Deserialize)]
pub struct Connection {
    /// Where it is.
    pub webhook_url: String,
    /// Its secret, sealed.
    pub webhook_secret: String,
}

/// Stores the webhook of a starter club.
#[must_use]
pub fn set_webhook(tenant: &TenantId, url: &WebhookUrl, sealed: &str, now: Timestamp) -> Statement {
    Statement::new(
        "insert into make_connections (tenant_id, webhook_url, webhook_secret, updated_at)
         select id, ?2, ?3, ?4 from tenants where id = ?1 and plan = 'starter'
         on conflict (tenant_id) do update set webhook_url = excluded.webhook_url,
           webhook_secret = excluded.webhook_secret, validated_at = null, updated_at = excluded.updated_at",
        [tenant.as_str().into(), url.as_str().into(), sealed.into(), now.seconds().into()],
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
