//! The mail that tells an owner that provisioning failed.

use serde_json::json;

use crate::{
    db::Statement,
    domain::{Step, Timestamp},
    workflow::{Run, report::ErrorSummary},
};

use super::TRIED_SECONDS;

/// The mail about a run that failed `at`, if the same batch lists it so: one for each run, however often it fails. None for what failed long ago: its owner was told then, and the mail service would not recognise a repeat.
pub fn setup_failed(
    run: &Run,
    why: &ErrorSummary,
    step: Option<Step>,
    at: Timestamp,
    now: Timestamp,
) -> Option<Statement> {
    if now.seconds() - at.seconds() >= TRIED_SECONDS {
        return None;
    }
    let id = format!("mail_{}_setup_failed", run.id.as_str().trim_start_matches("run_"));
    let data = json!({ "reason": why.code, "step": step });
    Some(Statement::new(
        "insert into mails (tenant_id, kind, key, id, data, origin, request_id, traceparent, next_at, created_at)
         select id, 'setup_failed', ?2 || '/setup_failed', ?3, ?4, coalesce(?5, link_origin), ?6, ?7, ?8, ?8
         from tenants where id = ?1 and status in ('trial', 'active') and undo_state is null and email is not null
           and exists (select 1 from provision_runs where id = ?2 and status = 'failed')
         on conflict do nothing",
        [
            run.subject.tenant.as_str().into(),
            run.id.as_str().into(),
            id.into(),
            data.to_string().into(),
            Some(run.caller.origin.as_str()).filter(|origin| !origin.is_empty()).into(),
            run.caller.request.as_deref().into(),
            run.caller.traceparent.as_deref().into(),
            at.seconds().into(),
        ],
    ))
}
