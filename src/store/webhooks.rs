//! What connects a tenant to external services: its webhook, its spreadsheet. The one source of truth for both.

use serde::Deserialize;

use crate::{
    db::{Query, Statement, columns},
    domain::{MailId, TenantId, Timestamp, WebhookUrl},
    workflow::{RequestOrigin, Webhook},
};

use super::audit::AuditContext;

/// A tenant's webhook as stored.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Where it is.
    pub webhook_url: String,
    /// Its secret, sealed: sealed anew each time that a webhook is stored, it says which one this is.
    pub webhook_secret: String,
    /// Since when every delivery has failed, Unix seconds.
    pub failing_since: Option<i64>,
    /// Since when nothing is sent there any more.
    pub disabled_at: Option<i64>,
    /// Why not.
    pub disabled_reason: Option<String>,
    /// The secrets that it replaced while the tenant was live, as JSON: see [`Self::previous`].
    previous_secrets: Option<String>,
}

columns! {
    Connection:
        webhook_url, webhook_secret, failing_since, disabled_at, disabled_reason, previous_secrets
}

/// A secret that was replaced, and signs for a while yet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Previous {
    /// The secret, sealed.
    pub secret: String,
    /// Until when it signs, Unix seconds.
    pub until: i64,
}

impl Connection {
    /// The secrets that sign beside its own, the last one first. What can't be read signs nothing, and holds nothing up.
    pub fn previous(&self, now: Timestamp) -> Vec<Previous> {
        let text = self.previous_secrets.as_deref().unwrap_or("[]");
        let mut previous: Vec<Previous> = serde_json::from_str(text).unwrap_or_default();
        previous.retain(|previous| previous.until > now.seconds());
        previous.reverse();
        previous
    }
}

/// For how long a secret that was replaced goes on to sign, in seconds.
pub const OVERLAP: i64 = 24 * 3600;
/// How many secrets a live tenant may replace in that time.
pub const MOST_REPLACED: u32 = 10;

/// Stores the webhook of a starter tenant that is not stopped. Without a secret the stored one stays, and nothing is stored where
/// there is none. If the tenant is live, the secret that is replaced goes on to sign for a day.
pub fn set_webhook(tenant: &TenantId, url: &WebhookUrl, sealed: Option<&str>, now: Timestamp) -> Statement {
    Statement::new(
        "insert into make_connections (tenant_id, webhook_url, webhook_secret, updated_at, previous_secrets, previous_until)
         select t.id, ?2, coalesce(?3, m.webhook_secret), ?4,
           case when ?3 is null then m.previous_secrets
             when t.provisioned_at is not null and m.webhook_secret is not null then
               (select json_group_array(json(value)) from
                 (select value from json_each(coalesce(m.previous_secrets, '[]'))
                  where iif(type = 'object', value ->> 'until', 0) > ?4
                  union all select json_object('secret', m.webhook_secret, 'until', cast(?4 + ?5 as integer)))) end,
           case when ?3 is null then m.previous_until
             when t.provisioned_at is not null and m.webhook_secret is not null then ?4 + ?5 end
         from tenants t left join make_connections m on m.tenant_id = t.id
         where t.id = ?1 and t.plan = 'starter' and t.status in ('trial', 'active')
           and coalesce(?3, m.webhook_secret) is not null
           and (?3 is null or ?6 > (select count(*) from json_each(coalesce(m.previous_secrets, '[]'))
             where iif(type = 'object', value ->> 'until', 0) > ?4))
         on conflict (tenant_id) do update set webhook_url = excluded.webhook_url,
           webhook_secret = excluded.webhook_secret, validated_at = null, failing_since = null, disabled_at = null,
           disabled_reason = null, updated_at = excluded.updated_at, previous_secrets = excluded.previous_secrets,
           previous_until = excluded.previous_until",
        [
            tenant.as_str().into(),
            url.as_str().into(),
            sealed.into(),
            now.seconds().into(),
            OVERLAP.into(),
            MOST_REPLACED.into(),
        ],
    )
}

/// Notes that a secret, sealed as it was before, is still the tenant's own: it was not replaced.
pub fn keep_secret(tenant: &TenantId, sealed: &str) -> Statement {
    Statement::new(
        "update make_connections set previous_secrets =
           (select json_group_array(json(value)) from json_each(previous_secrets)
            where iif(type = 'object', value ->> 'secret', '') <> ?2)
         where tenant_id = ?1 and previous_secrets is not null",
        [tenant.as_str().into(), sealed.into()],
    )
}

/// Writes down that an operator stores the webhook of a tenant, where [`set_webhook`] will.
pub fn audit_webhook(
    tenant: &TenantId,
    url: &WebhookUrl,
    new_secret: bool,
    audit_context: &AuditContext<'_>,
) -> Statement {
    let [id, actor, reason, request, now] = audit_context.params();
    Statement::new(
        "insert into audit_log (id, actor, reason, request_id, occurred_at, action, subject, data)
         select ?1, ?2, ?3, ?4, ?5, 'tenant.webhook', t.id,
           json_object('host', ?7, 'newSecret', json(iif(?8, 'true', 'false')), 'runId', t.provision_run_id)
         from tenants t left join make_connections m on m.tenant_id = t.id
         where t.id = ?6 and t.plan = 'starter' and t.status in ('trial', 'active')
           and (?8 or m.webhook_secret is not null)
           and (not ?8 or ?9 > (select count(*) from json_each(coalesce(m.previous_secrets, '[]'))
             where iif(type = 'object', value ->> 'until', 0) > ?5))",
        [
            id,
            actor,
            reason,
            request,
            now,
            tenant.as_str().into(),
            url.host().into(),
            new_secret.into(),
            MOST_REPLACED.into(),
        ],
    )
}

/// Tells a live tenant that its events go elsewhere from now on, where [`set_webhook`] will see to that: before it, in its batch.
pub fn tell_changed(
    tenant: &TenantId,
    url: &WebhookUrl,
    new_secret: bool,
    mail: &MailId,
    caller: &RequestOrigin,
    now: Timestamp,
) -> [Statement; 2] {
    let event = super::notices::event_of_mail(mail);
    let written = Statement::new(
        "insert into domain_events (tenant_id, occurred_at, id, type, data)
         select t.id, ?6, ?5, 'webhook.changed', json_object('host', ?3)
         from tenants t join make_connections m on m.tenant_id = t.id
         where t.id = ?1 and t.plan = 'starter' and t.status in ('trial', 'active') and t.provisioned_at is not null
           and m.webhook_url <> ?2
           and (not ?4 or ?7 > (select count(*) from json_each(coalesce(m.previous_secrets, '[]'))
             where iif(type = 'object', value ->> 'until', 0) > ?6))",
        [
            tenant.as_str().into(),
            url.as_str().into(),
            url.host().into(),
            new_secret.into(),
            event.as_str().into(),
            now.seconds().into(),
            MOST_REPLACED.into(),
        ],
    );
    [written, super::notices::mailed(&event, &event, mail, caller, now)]
}

/// Removes the secrets that sign no more, a bounded number at a time.
pub fn forget_previous(now: Timestamp, limit: i64) -> Statement {
    Statement::new(
        "update make_connections set previous_secrets = null, previous_until = null where tenant_id in
           (select tenant_id from make_connections where previous_until <= ?1 order by previous_until limit ?2)",
        [now.seconds().into(), limit.into()],
    )
}

/// A tenant's webhook.
pub fn webhook(tenant: &TenantId) -> Query<Option<Connection>> {
    Query::optional(Statement::new(
        "select webhook_url, webhook_secret, failing_since, disabled_at, disabled_reason, previous_secrets
         from make_connections where tenant_id = ?1",
        [tenant.as_str().into()],
    ))
}

/// Notes that this very webhook took a ping: one that was switched off is on again.
pub fn set_validated(tenant: &TenantId, webhook: &Webhook, now: Timestamp) -> Statement {
    Statement::new(
        "update make_connections set validated_at = ?2, failing_since = null, disabled_at = null, disabled_reason = null
         where tenant_id = ?1 and webhook_url = ?3 and webhook_secret = ?4",
        [
            tenant.as_str().into(),
            now.seconds().into(),
            webhook.url.as_str().into(),
            webhook.secret.as_str().into(),
        ],
    )
}

/// Notes that this very webhook took a delivery, or a ping after it was switched off.
pub fn set_working(tenant: &TenantId, connection: &Connection) -> Statement {
    Statement::new(
        "update make_connections set failing_since = null, disabled_at = null, disabled_reason = null
         where tenant_id = ?1 and webhook_secret = ?2 and (failing_since is not null or disabled_at is not null)",
        [tenant.as_str().into(), connection.webhook_secret.as_str().into()],
    )
}

/// Writes down that an operator's test switches this very webhook on, where [`set_working`] will.
pub fn audit_working(
    tenant: &TenantId,
    connection: &Connection,
    audit_context: &AuditContext<'_>,
) -> Statement {
    let [id, actor, reason, request, now] = audit_context.params();
    Statement::new(
        "insert into audit_log (id, actor, reason, request_id, occurred_at, action, subject)
         select ?1, ?2, ?3, ?4, ?5, 'webhook.enable', tenant_id
         from make_connections where tenant_id = ?6 and webhook_secret = ?7 and disabled_at is not null",
        [id, actor, reason, request, now, tenant.as_str().into(), connection.webhook_secret.as_str().into()],
    )
}

/// Notes that this very webhook failed, unless it was failing already.
pub fn set_failing(tenant: &TenantId, connection: &Connection, now: Timestamp) -> Statement {
    Statement::new(
        "update make_connections set failing_since = ?3
         where tenant_id = ?1 and webhook_secret = ?2 and failing_since is null",
        [tenant.as_str().into(), connection.webhook_secret.as_str().into(), now.seconds().into()],
    )
}

/// Switches this very webhook off: nothing more is sent there, what waited is cancelled, and the tenant's events tell of
/// it.
pub fn disable(tenant: &TenantId, connection: &Connection, reason: &str, now: Timestamp) -> [Statement; 3] {
    let id =
        format!("evt_{}_webhook_disabled_{}", tenant.as_str().trim_start_matches("tenant_"), now.seconds());
    [
        Statement::new(
            "update make_connections set disabled_at = ?3, disabled_reason = ?4
             where tenant_id = ?1 and webhook_secret = ?2 and disabled_at is null",
            [
                tenant.as_str().into(),
                connection.webhook_secret.as_str().into(),
                now.seconds().into(),
                reason.into(),
            ],
        ),
        Statement::new(
            "update webhook_deliveries set status = 'cancelled', next_at = null, settled_at = ?2
             where tenant_id = ?1 and status = 'pending'
               and exists (select 1 from make_connections where tenant_id = ?1 and disabled_at is not null)",
            [tenant.as_str().into(), now.seconds().into()],
        ),
        Statement::new(
            "insert into domain_events (tenant_id, occurred_at, id, type, data)
             select tenant_id, disabled_at, ?3, 'webhook.disabled', json_object('reason', disabled_reason)
             from make_connections where tenant_id = ?1 and disabled_at = ?2 on conflict do nothing",
            [tenant.as_str().into(), now.seconds().into(), id.into()],
        ),
    ]
}

/// Removes the webhook of a cancelled tenant once nothing waits to be sent there: its secret must not outlive it.
pub fn forget_cancelled(tenant: &TenantId) -> Statement {
    Statement::new(
        "delete from make_connections where tenant_id = ?1
           and exists (select 1 from tenants where id = ?1 and status = 'cancelled')
           and not exists (select 1 from webhook_deliveries where tenant_id = ?1 and status = 'pending')",
        [tenant.as_str().into()],
    )
}

/// Notes the tenant's spreadsheet.
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
pub fn set_spreadsheet_verified(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "update pro_automation set verified_at = ?2 where tenant_id = ?1",
        [tenant.as_str().into(), now.seconds().into()],
    )
}

/// A tenant's spreadsheet: that of the tenant that signed up last, of those that have one.
pub fn newest_spreadsheet() -> Query<Option<String>> {
    Query::scalar(Statement::new(
        "select spreadsheet_id from pro_automation
         where tenant_id = (select max(tenant_id) from pro_automation)",
        [],
    ))
}
