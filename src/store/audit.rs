//! Who did what to whom, why, and in which request.

use serde::Serialize;

use crate::{
    db::{Json, Query, Statement, Value, columns},
    domain::{Time, Timestamp},
};

/// Who does what, when and why, for the audit log.
#[derive(Debug, Clone)]
pub struct AuditContext<'a> {
    /// The entry's id.
    pub id: String,
    /// Who.
    pub actor: &'a str,
    /// Why.
    pub reason: &'a str,
    /// In which request.
    pub request: &'a str,
    /// When.
    pub now: Timestamp,
}

impl AuditContext<'_> {
    /// The first five parameters of a statement that writes it down: id, actor, reason, request, time.
    pub fn params(&self) -> [Value; 5] {
        [
            self.id.as_str().into(),
            self.actor.into(),
            self.reason.into(),
            self.request.into(),
            self.now.seconds().into(),
        ]
    }
}

/// Writes down who did what, why. What is done to a tenant or a run that is not there is not done.
pub fn write(audit_context: &AuditContext<'_>, action: &str, subject: &str) -> Statement {
    let [id, actor, reason, request, now] = audit_context.params();
    Statement::new(
        "insert into audit_log (id, actor, reason, request_id, occurred_at, action, subject)
         select ?1, ?2, ?3, ?4, ?5, ?6, ?7
         where (?7 not glob 'tenant_*' or exists (select 1 from tenants where id = ?7))
           and (?7 not glob 'run_*' or exists (select 1 from provision_runs where id = ?7))",
        [id, actor, reason, request, now, action.into(), subject.into()],
    )
}

/// Notes that what was written down was not done after all: only the run's own object knows whether it can be.
pub fn not_done(id: &str) -> Statement {
    Statement::new(
        "update audit_log set data = json_object('done', json('false')) where id = ?1",
        [id.into()],
    )
}

/// Which entries to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this person.
    pub actor: Option<String>,
    /// Of this kind.
    pub action: Option<String>,
    /// About this.
    pub subject: Option<String>,
    /// Older than this one.
    pub before: Option<String>,
    /// At most this many.
    pub limit: u32,
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
    #[cfg_attr(not(target_arch = "wasm32"), schema(value_type = serde_json::Value))]
    pub data: Json<serde_json::Value>,
}

columns! { AuditEntry: id, actor, action, subject, reason, request_id, data, occurred_at }

/// How many entries one page looks at, however many there are.
const WINDOW: u32 = 500;

/// The columns of an [`AuditEntry`], from entries that `$where` walks an index for.
macro_rules! page {
    ($where:literal) => {
        concat!(
            "select id, actor, action, subject, reason, request_id, data, occurred_at
             from (select * from audit_log where ",
            $where,
            " and id < ?4 order by id desc limit ?5)
             where (?1 is null or subject = ?1) and (?2 is null or actor = ?2) and (?3 is null or action = ?3)
             order by id desc limit ?6"
        )
    };
}

/// The last entry of the window that [`page`] looks at, if it is full.
macro_rules! window_end {
    ($where:literal) => {
        concat!(
            "select id from audit_log where ",
            $where,
            " and id < ?3 and ?1 is ?1 and ?2 is ?2 order by id desc limit 1 offset ?4"
        )
    };
}

/// Lists entries, newest first, and the last one that was looked at if there may be more behind it.
pub fn list(filter: &Filter) -> (Query<Vec<AuditEntry>>, Query<Option<String>>) {
    // Three texts and not one: each walks the index that fits, and never the table.
    let (page, end) = match (&filter.subject, &filter.actor) {
        (Some(_), _) => (page!("subject = ?1"), window_end!("subject = ?1")),
        (None, Some(_)) => (page!("actor = ?2"), window_end!("actor = ?2")),
        (None, None) => (page!("id > ''"), window_end!("id > ''")),
    };
    let text = |value: &Option<String>| Value::from(value.as_deref());
    // After every id there is.
    let before = || Value::from(filter.before.as_deref().unwrap_or("aud_~"));
    (
        Query::rows(Statement::new(
            page,
            [
                text(&filter.subject),
                text(&filter.actor),
                text(&filter.action),
                before(),
                WINDOW.into(),
                filter.limit.into(),
            ],
        )),
        Query::scalar(Statement::new(
            end,
            [text(&filter.subject), text(&filter.actor), before(), (WINDOW - 1).into()],
        )),
    )
}
