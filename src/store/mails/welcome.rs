//! The mail that greets a tenant: wanted by its run, and once more by whoever asks for it.

use crate::{
    db::{Query, Statement, columns},
    domain::{MailId, Step, TenantId, Timestamp},
    store::audit::AuditContext,
    workflow::{FailureCode, RequestOrigin, Run, report::ErrorSummary},
};

use super::{Kind, Mail, PAUSE_SECONDS, TRIED_SECONDS, supersede};

/// The mail that greets the tenant of a run; wanted twice, it is there once. Its id is that of the run, and so is its key,
/// under which earlier versions sent it themselves. One that was sent already is not wanted again.
pub fn welcome(run: &Run, at: Timestamp) -> Statement {
    let id = format!("mail_{}", run.id.as_str().trim_start_matches("run_"));
    Statement::new(
        "insert into mails (tenant_id, kind, key, id, origin, request_id, traceparent, next_at, created_at)
         select id, 'welcome', ?2, ?3, coalesce(?4, link_origin), ?5, ?6, ?7, ?7
         from tenants where id = ?1 and status <> 'cancelled' and owner_email_sent_at is null on conflict do nothing",
        [
            run.subject.tenant.as_str().into(),
            run.idempotency_key(Step::SendWelcomeEmail).into(),
            id.into(),
            Some(run.caller.origin.as_str()).filter(|origin| !origin.is_empty()).into(),
            run.caller.request.as_deref().into(),
            run.caller.traceparent.as_deref().into(),
            at.seconds().into(),
        ],
    )
}

/// The same for a database that was restored to before the mail was wanted, at `at`: while the mail service recognises its key,
/// wanting it again loses nothing and sends nothing twice.
pub fn welcome_restored(run: &Run, at: Timestamp, now: Timestamp) -> Option<Statement> {
    (now.seconds() - at.seconds() < TRIED_SECONDS).then(|| welcome(run, at))
}

/// What a tenant is told whose welcome mail failed.
pub fn warning(error: &str) -> ErrorSummary {
    let refused = FailureCode::EmailRejected.as_str();
    let (code, message) = if error == refused {
        (refused, "The welcome mail could not be delivered. Ask for another one, or for a link to sign in.")
    } else {
        (
            FailureCode::UpstreamUnavailable.as_str(),
            "The welcome mail could not be sent for a day. Ask for another one, or for a link to sign in.",
        )
    };
    ErrorSummary { code: code.to_owned(), message: message.to_owned() }
}

/// The welcome mail once more, with a link of its own, in place of one that still waits: for a tenant that was to get one, and
/// was sent nothing within the pause. The last answer is none if there is nothing to send.
pub fn welcome_again(
    tenant: &TenantId,
    id: &MailId,
    caller: &RequestOrigin,
    now: Timestamp,
) -> ([Statement; 3], Query<Option<Mail>>) {
    let key = format!("welcome/{}", id.as_str());
    let wanted = [
        Statement::new(
            "insert into mails (tenant_id, kind, key, id, origin, request_id, traceparent, next_at, created_at)
             select id, 'welcome', ?2, ?3, coalesce(link_origin, ?4), ?5, ?6, ?7, ?7
             from tenants where id = ?1 and status in ('trial', 'active') and undo_state is null and link_mailed_at <= ?7 - ?8
               and (provisioned_at is not null
                 or exists (select 1 from mails where tenant_id = tenants.id and kind = 'welcome'))",
            [
                tenant.as_str().into(),
                key.as_str().into(),
                id.as_str().into(),
                caller.origin.as_str().into(),
                caller.request.as_deref().into(),
                caller.traceparent.as_deref().into(),
                now.seconds().into(),
                PAUSE_SECONDS.into(),
            ],
        ),
        Statement::new(
            "update tenants set link_mailed_at = ?3
             where id = ?1 and exists (select 1 from mails where tenant_id = ?1 and kind = 'welcome' and key = ?2)",
            [tenant.as_str().into(), key.as_str().into(), now.seconds().into()],
        ),
        supersede(tenant, Kind::Welcome, &key, now),
    ];
    let mail = Query::optional(Statement::new(
        "select id, kind, status, attempts, next_at, last_status, last_error, created_at, settled_at
         from mails where tenant_id = ?1 and kind = 'welcome' and key = ?2",
        [tenant.as_str().into(), key.into()],
    ));
    (wanted, mail)
}

/// Writes down that an operator sends the welcome mail once more, after [`welcome_again`] did.
pub fn audit_welcome(tenant: &TenantId, mail: &MailId, audit_context: &AuditContext<'_>) -> Statement {
    let [id, actor, reason, request, now] = audit_context.params();
    Statement::new(
        "insert into audit_log (id, actor, reason, request_id, occurred_at, action, subject, data)
         select ?1, ?2, ?3, ?4, ?5, 'mail.resend', tenant_id, json_object('mail', id)
         from mails where tenant_id = ?6 and kind = 'welcome' and key = 'welcome/' || ?7",
        [id, actor, reason, request, now, tenant.as_str().into(), mail.as_str().into()],
    )
}

/// Why the welcome mail is not sent once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WelcomeBlocker {
    /// Whether there is something to send.
    pub has_something: bool,
    /// When the tenant was last sent a link on request, Unix seconds.
    pub link_mailed_at: i64,
}

columns! { WelcomeBlocker: has_something, link_mailed_at }

/// What may stand against sending the welcome mail once more; nothing for a tenant that does not exist.
pub fn obstacle(tenant: &TenantId) -> Query<Option<WelcomeBlocker>> {
    Query::optional(Statement::new(
        "select status in ('trial', 'active') and undo_state is null and (provisioned_at is not null
             or exists (select 1 from mails where tenant_id = tenants.id and kind = 'welcome')) as has_something,
           link_mailed_at
         from tenants where id = ?1",
        [tenant.as_str().into()],
    ))
}
