//! What a tenant is told when somebody signs in, is signed out, or changes where its events go: an event of the tenant, and a mail
//! to its owner. Each is written in the batch of what it tells of, and only if that was done.

use serde_json::Value;

use crate::{
    db::Statement,
    domain::{MailId, SessionId, TenantId, Timestamp},
    workflow::RequestOrigin,
};

use super::sessions::{How, NewSession};

/// A mail about signing in is sent once an hour at most: whoever signs in often knows.
const SELDOM_SECONDS: i64 = 3600;

/// What a mail tells an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Somebody signed in.
    SignedIn {
        /// By a link or a code, in a word.
        how: String,
        /// By which browser, in a word.
        browser: String,
        /// On what, in a word.
        platform: String,
    },
    /// One of the sign-ins was ended.
    SessionEnded,
    /// All of them were ended.
    AllEnded,
    /// Events go to another webhook.
    WebhookChanged {
        /// Its host.
        host: String,
    },
}

impl Notice {
    /// What a mail's data say.
    pub fn of(data: &Value) -> Option<Self> {
        let text = |name: &str| data.get("data")?.get(name)?.as_str().map(str::to_owned);
        Some(match data.get("type")?.as_str()? {
            "session.started" => Self::SignedIn {
                how: text("how").unwrap_or_default(),
                browser: text("browser").unwrap_or_default(),
                platform: text("platform").unwrap_or_default(),
            },
            "session.ended" => Self::SessionEnded,
            "session.all_ended" => Self::AllEnded,
            "webhook.changed" => Self::WebhookChanged { host: text("host").unwrap_or_default() },
            _ => return None,
        })
    }
}

/// Tells of a sign-in that was just written down. Whoever has just proved an address gets no mail about it.
pub fn signed_in(session: &NewSession, mail: &MailId, caller: &RequestOrigin) -> Vec<Statement> {
    let event = event_of(&session.id, "started");
    let written = Statement::new(
        "insert into domain_events (tenant_id, occurred_at, id, type, data)
         select tenant_id, seen_at, ?2, 'session.started',
           json_object('session', id, 'how', how, 'browser', browser, 'platform', platform)
         from sessions where id = ?1",
        [session.id.as_str().into(), event.as_str().into()],
    );
    let hour = session.now.seconds() / SELDOM_SECONDS;
    let key = format!("session.started/{hour}");
    let mail = (session.how != How::Proof).then(|| mailed(&event, &key, mail, caller, session.now));
    [written].into_iter().chain(mail).collect()
}

/// Tells of a sign-in that was just ended; by `mail`, if there is one.
pub fn session_ended(
    tenant: &TenantId,
    session: &SessionId,
    mail: Option<&MailId>,
    caller: &RequestOrigin,
    now: Timestamp,
) -> Vec<Statement> {
    let event = event_of(session, "ended");
    let written = Statement::new(
        "insert into domain_events (tenant_id, occurred_at, id, type, data)
         select tenant_id, ended_at, ?3, 'session.ended',
           json_object('session', id, 'how', how, 'browser', browser, 'platform', platform)
         from sessions where id = ?2 and tenant_id = ?1 and ended_at = ?4 on conflict do nothing",
        [tenant.as_str().into(), session.as_str().into(), event.as_str().into(), now.seconds().into()],
    );
    let mail = mail.map(|mail| mailed(&event, &event, mail, caller, now));
    [written].into_iter().chain(mail).collect()
}

/// Tells that every sign-in of a tenant was ended.
pub fn all_ended(tenant: &TenantId, mail: &MailId, caller: &RequestOrigin, now: Timestamp) -> [Statement; 2] {
    let event = event_of_mail(mail);
    let written = Statement::new(
        "insert into domain_events (tenant_id, occurred_at, id, type, data)
         select id, ?3, ?2, 'session.all_ended', '{}' from tenants where id = ?1",
        [tenant.as_str().into(), event.as_str().into(), now.seconds().into()],
    );
    [written, mailed(&event, &event, mail, caller, now)]
}

/// The id of an event of a sign-in: a repeat repeats it.
fn event_of(session: &SessionId, what: &str) -> String {
    format!("evt_{}_{what}", session.as_str().trim_start_matches("session_"))
}

/// The id of an event that a mail tells of.
pub(super) fn event_of_mail(mail: &MailId) -> String {
    format!("evt_{}", mail.as_str().trim_start_matches("mail_"))
}

/// The mail about an event that was just written, unless there is one under this key.
pub(super) fn mailed(
    event: &str,
    key: &str,
    mail: &MailId,
    caller: &RequestOrigin,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "insert into mails (tenant_id, kind, key, id, data, origin, request_id, traceparent, next_at, created_at)
         select e.tenant_id, 'security_notice', ?2, ?3, json_object('type', e.type, 'data', json(e.data)), ?4, ?5, ?6, ?7, ?7
         from domain_events e join tenants t on t.id = e.tenant_id
         where e.id = ?1 and t.email is not null and t.status in ('trial', 'active') on conflict do nothing",
        [
            event.into(),
            key.into(),
            mail.as_str().into(),
            caller.origin.as_str().into(),
            caller.request.as_deref().into(),
            caller.traceparent.as_deref().into(),
            now.seconds().into(),
        ],
    )
}
