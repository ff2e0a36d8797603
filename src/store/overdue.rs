//! Runs past their deadline whose object can't say so: D1 gives them up by itself, so that the tenant is told.
//!
//! The version that is listed stays as it is: an object that recovers lists what it knows over it.

use serde_json::json;

use crate::{
    db::{Query, Statement, columns},
    domain::{Plan, RunId, Step, TenantId, Timestamp},
    workflow::{FailureCode, PermanentError},
};

use super::deliveries;

/// How long an object must not have answered.
const SILENT_SECONDS: i64 = 10 * 60;
/// How long a run's deadline must be over.
const OVERDUE_SECONDS: i64 = 5 * 60;
/// How long a run may take that was never listed, and of which only the wish is known.
const LIFE_SECONDS: i64 = 30 * 60;

/// What the tenant is told.
pub(super) const MESSAGE: &str =
    "Setting up took too long and was stopped. It can be started again and goes on where it stopped.";

/// A run that must fail.
#[derive(Debug, Clone)]
pub struct Overdue {
    /// Whose.
    pub id: TenantId,
    /// Its plan.
    pub plan: Plan,
    /// The run, if it was ever listed.
    pub run: Option<RunId>,
    /// The step it was at.
    pub step: Option<Step>,
}

columns! { Overdue: id, plan, run, step }

/// A tenant whose object did not answer.
#[derive(Debug, Clone)]
pub struct Silent {
    /// What would fail.
    pub overdue: Overdue,
    /// Whether it must be.
    pub is_overdue: bool,
}

columns! { Silent: [overdue] is_overdue }

fn list(tenants: &[&TenantId]) -> String {
    json!(tenants).to_string()
}

/// Notes that these tenants' objects did not answer, and says whose run must fail for it.
pub fn silent(tenants: &[&TenantId], now: Timestamp) -> Query<Vec<Silent>> {
    Query::rows(Statement::new(
        "update tenants set unreachable_since = iif(
             unreachable_since >= max(coalesce(provision_updated_at, 0),
               coalesce((select r.updated_at from provision_runs r where r.id = provision_run_id), 0)),
             unreachable_since, ?2)
         where id in (select value from json_each(?1))
         returning id, plan, provision_run_id as run,
           (select r.step from provision_runs r where r.id = provision_run_id) as step,
           provision_state = 'processing' and provisioned_at is null and undo_state is null
             and unreachable_since <= ?2 - ?3
             and coalesce((select r.deadline_at from provision_runs r where r.id = provision_run_id),
               provision_updated_at + ?5) <= ?2 - ?4 as is_overdue",
        [
            list(tenants).into(),
            now.seconds().into(),
            SILENT_SECONDS.into(),
            OVERDUE_SECONDS.into(),
            LIFE_SECONDS.into(),
        ],
    ))
}

/// Notes that these tenants' objects answered.
pub fn heard(tenants: &[&TenantId]) -> Statement {
    Statement::new(
        "update tenants set unreachable_since = null
         where id in (select value from json_each(?1)) and unreachable_since is not null",
        [list(tenants).into()],
    )
}

/// Gives a run up, and announces it under `event`, unless it moved meanwhile.
pub fn fail(overdue: &Overdue, event: &str, now: Timestamp) -> Vec<Statement> {
    let failure = PermanentError::new(FailureCode::DeadlineExceeded, MESSAGE);
    let (tenant, kind) = (overdue.id.as_str(), "tenant.failed");
    let data = json!({
        "runId": overdue.run, "plan": overdue.plan, "reason": failure.code.as_str(), "step": overdue.step,
    });
    vec![
        Statement::new(
            "insert into domain_events (tenant_id, occurred_at, id, type, data)
             select id, ?2, ?3, ?4, ?5 from tenants
             where id = ?1 and provision_state = 'processing' and provisioned_at is null and undo_state is null
               and unreachable_since <= ?2 - ?6",
            [
                tenant.into(),
                now.seconds().into(),
                event.into(),
                kind.into(),
                data.to_string().into(),
                SILENT_SECONDS.into(),
            ],
        ),
        deliveries::announce(&overdue.id, event, kind, &data, now, None, true),
        Statement::new(
            "update provision_runs set status = 'failed', reason = ?2, error = ?3, completed_at = ?4, updated_at = ?4
             where id = (select provision_run_id from tenants t join domain_events e on e.tenant_id = t.id
                         where t.id = ?1 and e.occurred_at = ?4 and e.id = ?5)
               and status = 'processing'",
            [
                tenant.into(),
                failure.code.as_str().into(),
                failure.message.into(),
                now.seconds().into(),
                event.into(),
            ],
        ),
        Statement::new(
            "update tenants set provision_state = 'failed', provision_reason = ?2, provision_updated_at = ?3,
               unreachable_since = null
             where id = ?1 and exists (select 1 from domain_events where tenant_id = ?1 and occurred_at = ?3 and id = ?4)",
            [tenant.into(), failure.code.as_str().into(), now.seconds().into(), event.into()],
        ),
    ]
}
