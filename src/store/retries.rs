//! Trying many failed runs, or removals, again at once, those that failed first first.

use serde_json::json;

use crate::{
    db::{DbError, FromRow, Query, Row, Statement, Value},
    domain::{Plan, RunId, Step, Timestamp, field_errors::InvalidValue},
};

use super::{audit::AuditContext, tenants::Tenant};

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema), schema(as = FailedRunStatus))]
pub enum Failed {
    /// Setting a tenant up.
    #[cfg_attr(not(target_arch = "wasm32"), schema(rename = "failed"))]
    Run,
    /// Removing it.
    #[cfg_attr(not(target_arch = "wasm32"), schema(rename = "compensation_failed"))]
    Removal,
}

impl TryFrom<String> for Failed {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        let problem = || InvalidValue::new("invalid_value", "Use failed or compensation_failed.");
        [Self::Run, Self::Removal].into_iter().find(|failed| failed.as_str() == text).ok_or_else(problem)
    }
}

impl Failed {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "failed",
            Self::Removal => "compensation_failed",
        }
    }
}

/// Which are tried again.
#[derive(Debug, Clone)]
pub struct Filter {
    /// What failed.
    pub status: Failed,
    /// Those that failed at this step.
    pub step: Option<Step>,
    /// Those that failed for this reason.
    pub reason: Option<String>,
    /// Those of this plan.
    pub plan: Option<Plan>,
    /// At most this many.
    pub limit: u32,
}

/// How many one look goes through, however many there are: what stands behind them has its turn when these were tried again.
const WINDOW: u32 = 1000;

/// Tenants whose run failed and can be tried again, as an index finds them.
macro_rules! runs {
    ($more:literal) => {
        concat!(
            "with matching as (
               select tenant, id, at from
                 (select id as tenant, provision_run_id as run, provision_updated_at as at from tenants
                  where provision_state = 'failed' and provisioned_at is null and undo_state is null
                    and status in ('trial', 'active')",
            $more,
            "     order by provision_updated_at limit ?5)
                 join provision_runs on id = run
               where status = 'failed' and ?1 is ?1 and (?2 is null or step = ?2) and (?3 is null or plan = ?3)
               order by at, id)"
        )
    };
}

/// Tenants that could not be removed, as an index finds them.
macro_rules! removals {
    () => {
        "with matching as (
           select t.id as tenant, run as id, at from
             (select id as run, tenant_id, updated_at as at, undo_step, undo_reason, plan as run_plan from provision_runs
              where undo_state = 'compensation_failed' order by id limit ?5)
             join tenants t on t.id = tenant_id
           where t.undo_state = 'compensation_failed' and t.provision_run_id = run and (?1 is null or undo_reason = ?1)
             and (?2 is null or undo_step = ?2) and (?3 is null or run_plan = ?3)
           order by at, run)"
    };
}

/// The same of the text behind each walk.
macro_rules! each {
    ($filter:expr, $rest:literal) => {
        match ($filter.status, &$filter.reason) {
            (Failed::Run, Some(_)) => concat!(runs!(" and provision_reason = ?1"), $rest),
            (Failed::Run, None) => concat!(runs!(""), $rest),
            (Failed::Removal, _) => concat!(removals!(), $rest),
        }
    };
}

fn params(filter: &Filter) -> [Value; 5] {
    [
        filter.reason.as_deref().into(),
        filter.step.map(Step::as_str).into(),
        filter.plan.map(Plan::as_str).into(),
        filter.limit.into(),
        WINDOW.into(),
    ]
}

/// What matches.
#[derive(Debug, Clone)]
pub struct Matching {
    /// How many.
    pub matched: u32,
    /// Which are tried again, those that failed first first.
    pub runs: Vec<RunId>,
}

impl FromRow for Matching {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DbError> {
        let (matched, runs): (_, String) = (row.get("matched")?, row.get("runs")?);
        let runs = serde_json::from_str(&runs).map_err(|error| DbError::Corrupt(error.to_string()))?;
        Ok(Self { matched, runs })
    }
}

/// How many match, and which of them are first.
pub fn select(filter: &Filter) -> Query<Matching> {
    let text = each!(
        filter,
        " select (select count(*) from matching) as matched,
            (select json_group_array(id) from (select id from matching limit ?4)) as runs"
    );
    Query::one(Statement::new(text, params(filter)))
}

/// Writes down who wants which of them tried again: one entry for all. If none matches, none.
pub fn audit(filter: &Filter, audit_context: &AuditContext<'_>, action: &str) -> Statement {
    let text = each!(
        filter,
        " insert into audit_log (id, actor, reason, request_id, occurred_at, action, subject, data)
          select ?6, ?7, ?8, ?9, ?10, ?11, 'sagas', json_set(?12, '$.runs', json(runs))
          from (select json_group_array(id) as runs, count(*) as many from (select id from matching limit ?4))
          where many > 0"
    );
    let wanted = json!({
        "status": filter.status.as_str(), "step": filter.step, "reason": filter.reason, "plan": filter.plan,
    });
    let audit_context = audit_context.params().into_iter().chain([action.into(), wanted.to_string().into()]);
    Statement { sql: text, params: params(filter).into_iter().chain(audit_context).collect() }
}

/// Notes that they are wanted again, as for one of them, and answers their tenants.
pub fn request_retries(filter: &Filter, now: Timestamp) -> Query<Vec<Tenant>> {
    let text = match filter.status {
        Failed::Run => each!(
            filter,
            " update tenants set provision_state = 'processing', provision_reason = null, provision_updated_at = ?6,
                swept_at = ?6 + 60
              where id in (select tenant from matching limit ?4)
              returning id, slug, name, email, plan, status, owner_user_id, provision_state, provisioned_at,
                provision_run_id, provision_updated_at, undo_state, undo_updated_at,
                (select version from provision_runs where id = provision_run_id) as run_version, null as run_updated_at"
        ),
        Failed::Removal => each!(
            filter,
            " update tenants set undo_state = 'undoing', undo_updated_at = ?6, swept_at = ?6 + 60
              where id in (select tenant from matching limit ?4)
              returning id, slug, name, email, plan, status, owner_user_id, provision_state, provisioned_at,
                provision_run_id, provision_updated_at, undo_state, undo_updated_at,
                (select version from provision_runs where id = provision_run_id) as run_version, null as run_updated_at"
        ),
    };
    let now: Value = now.seconds().into();
    Query::rows(Statement { sql: text, params: params(filter).into_iter().chain([now]).collect() })
}
