//! Provisioning runs as operators see them: listed, one, and every attempt.

use serde::Serialize;

use crate::{
    db::{Lossy, Query, Statement, Value, columns},
    domain::{Plan, RunId, RunStatus, Step, TenantId, Time, Timestamp, UndoStatus},
};

use super::tenants::Tenant;

/// A run that has not moved for this long is stuck.
const STUCK_SECONDS: i64 = 5 * 60;

/// Where a run, or undoing it, stands: one word for operators to filter by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Of the run.
    Run(RunStatus),
    /// Of undoing it.
    Undo(UndoStatus),
}

impl State {
    /// The one with this word.
    pub fn named(word: &str) -> Option<Self> {
        RunStatus::named(word).map(Self::Run).or_else(|| UndoStatus::named(word).map(Self::Undo))
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Run(status) => status.as_str(),
            Self::Undo(status) => status.as_str(),
        }
    }
}

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this state.
    pub status: Option<State>,
    /// At work, but not moving.
    pub stuck: bool,
    /// At this step.
    pub step: Option<Step>,
    /// Of this plan.
    pub plan: Option<Plan>,
    /// Given up for this: the word, of the run or of undoing it.
    pub reason: Option<String>,
    /// Of this tenant.
    pub tenant: Option<TenantId>,
    /// Older than this one.
    pub before: Option<RunId>,
    /// At most this many.
    pub limit: u32,
}

/// One provisioning run.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its id.
    pub run_id: RunId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// The plan that it provisions.
    pub plan: Plan,
    /// Where it stands.
    pub status: RunStatus,
    /// Whether it has not moved for longer than it should need.
    pub stuck: bool,
    /// The step it is at.
    pub step: Option<Step>,
    /// Why it failed: the code.
    pub reason: Option<String>,
    /// Why it failed: the message.
    pub error: Option<String>,
    /// How many changes were recorded.
    pub version: u64,
    /// When it was queued.
    pub started_at: Time,
    /// When it last changed.
    pub updated_at: Time,
    /// When it fails if it is not over by then.
    pub deadline_at: Time,
    /// When it had ended.
    pub completed_at: Option<Time>,
    /// How far undoing it is, once that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub undo: Option<RunUndo>,
}

columns! {
    Run: [undo] run_id = "id", tenant_id, plan, status, stuck, step, reason, error, version, started_at, updated_at, deadline_at,
        completed_at
}

/// How far undoing a run is.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunUndo {
    /// Where it stands.
    pub status: UndoStatus,
    /// The step that is undone.
    pub step: Option<Step>,
    /// What could not be removed: the code.
    pub reason: Option<String>,
    /// What could not be removed: the message.
    pub error: Option<String>,
}

columns! {
    Option<RunUndo>: status = "undo_state", step = "undo_step", reason = "undo_reason", error = "undo_error"
}

/// Selects a [`Run`], and what follows. One at work that has not moved since `$quiet_since` is stuck.
macro_rules! run {
    ($quiet_since:literal, $rest:expr) => {
        concat!(
            "select undo_state, undo_step, undo_reason, undo_error, id, tenant_id, plan, status,
               coalesce(undo_state = 'undoing', status = 'processing') and updated_at <= ",
            $quiet_since,
            " as stuck,
               step, reason, error, version, started_at, updated_at, deadline_at, completed_at ",
            $rest
        )
    };
}

/// How many runs one page looks at: filters without an index of their own cost no more than this, however many runs there
/// are.
const WINDOW: u32 = 500;

/// The runs that are at work, as two indexes find them: no more of each than `$most`.
macro_rules! at_work {
    ($most:literal) => {
        concat!(
            "id in (
               select id from (select id from provision_runs where status = 'processing' and id < ?3
                 order by id desc limit ",
            $most,
            ") union
               select id from (select id from provision_runs where undo_state = 'undoing' and id < ?3
                 order by id desc limit ",
            $most,
            "))"
        )
    };
}

/// Selects each [`Run`] of a page, from runs that `$where` walks an index for.
macro_rules! page {
    ($where:expr) => {
        run!(
            "?4",
            concat!(
                "from (select * from provision_runs where ",
                $where,
                " and id < ?3 order by id desc limit ?8)
                 where (?10 = 0 or stuck)
                   and (?5 is null or step = ?5 or undo_step = ?5) and (?6 is null or plan = ?6)
                   and (?1 is null or tenant_id = ?1) and (?2 is null or status = ?2 or undo_state = ?2)
                   and (?9 is null or reason = ?9 or undo_reason = ?9)
                 order by id desc limit ?7"
            )
        )
    };
}

/// The last run of the window that [`page`] looks at, if it is full.
macro_rules! window_end {
    ($where:expr) => {
        concat!(
            "select id from provision_runs where ",
            $where,
            " and id < ?3 and ?1 is ?1 and ?2 is ?2 order by id desc limit 1 offset ?4"
        )
    };
}

/// Lists runs, newest first, and says where the window of this page ends: the last run that was looked at if there may be more
/// behind it.
pub fn list(filter: &Filter, now: Timestamp) -> (Query<Lossy<Run>>, Query<Option<RunId>>) {
    let status = filter.status;
    // Five texts and not one: each walks the index that fits, and never the table.
    let (page, end) = match (&filter.tenant, status) {
        (Some(_), _) => (page!("tenant_id = ?1"), window_end!("tenant_id = ?1")),
        (None, None) if filter.stuck => (page!(at_work!("?8")), window_end!(at_work!("?4 + 1"))),
        (None, Some(State::Run(_))) => (page!("status = ?2"), window_end!("status = ?2")),
        (None, Some(State::Undo(_))) => (page!("undo_state = ?2"), window_end!("undo_state = ?2")),
        (None, None) => (page!("id > ''"), window_end!("id > ''")),
    };
    let tenant = || filter.tenant.as_ref().map(TenantId::as_str).into();
    let status = || status.map(State::as_str).into();
    // After every id there is.
    let before = || filter.before.as_ref().map_or("run_~", RunId::as_str).into();
    let rest = [
        quiet_since(now),
        filter.step.map(Step::as_str).into(),
        filter.plan.map(Plan::as_str).into(),
        filter.limit.into(),
        WINDOW.into(),
        filter.reason.as_deref().into(),
        filter.stuck.into(),
    ];
    let [quiet, step, plan, limit, window, reason, stuck] = rest;
    let page =
        Statement::new(page, [tenant(), status(), before(), quiet, step, plan, limit, window, reason, stuck]);
    let end = Statement::new(end, [tenant(), status(), before(), (WINDOW - 1).into()]);
    (Query::lossy(page), Query::scalar(end))
}

/// The moment since which a run that is stuck has not moved.
fn quiet_since(now: Timestamp) -> Value {
    (now.seconds() - STUCK_SECONDS).into()
}

/// One run.
pub fn select(run: &RunId, now: Timestamp) -> Query<Option<Run>> {
    let sql = run!("?2", "from provision_runs where id = ?1");
    Query::optional(Statement::new(sql, [run.as_str().into(), quiet_since(now)]))
}

/// The tenant of a run.
pub fn tenant_of(run: &RunId) -> Query<Option<Tenant>> {
    Query::optional(Statement::new(
        "select t.id, t.slug, t.name, t.email, t.plan, t.status, t.owner_user_id, t.provision_state, t.provisioned_at,
           t.provision_run_id, t.provision_updated_at, t.undo_state, t.undo_updated_at, r.version as run_version,
           null as run_updated_at
         from provision_runs r join tenants t on t.id = r.tenant_id where r.id = ?1",
        [run.as_str().into()],
    ))
}

/// Notes that a failed run is wanted to go on; behind the step at which it failed, if that is to be left out: `skipped`.
pub fn request_retry(run: &RunId, skipped: Option<Step>, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set provision_state = 'processing', provision_reason = null, provision_updated_at = ?2,
           swept_at = ?2 + 60
         where id = (select tenant_id from provision_runs
                     where id = ?1 and status = 'failed' and (?3 is null or step = ?3 and step <> 'activate'))
           and provision_state = 'failed' and provisioned_at is null and undo_state is null
           and status in ('trial', 'active')",
        [run.as_str().into(), now.seconds().into(), skipped.map(Step::as_str).into()],
    )
}

/// One step of a run.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunStep {
    /// Which.
    pub name: Step,
    /// Where it stands.
    pub status: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was first tried.
    pub started_at: Option<Time>,
    /// When it was done.
    pub completed_at: Option<Time>,
    /// When it is tried again.
    pub retry_at: Option<Time>,
    /// What went wrong last: the code.
    pub error: Option<String>,
}

columns! {
    RunStep: name = "step", status, attempts, started_at, completed_at, retry_at, error = "error_code"
}

/// The steps of a run that were tried, in order.
pub fn select_steps(run: &RunId) -> Query<Vec<RunStep>> {
    Query::rows(Statement::new(
        "select step, status, attempts, started_at, completed_at, retry_at, error_code
         from provision_steps where run_id = ?1 order by position",
        [run.as_str().into()],
    ))
}

/// One attempt at one step.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The step.
    pub step: Step,
    /// Whether it was to undo the step.
    pub undo: bool,
    /// Which attempt it was, counted from 1.
    pub attempt: u32,
    /// What came of it.
    pub outcome: String,
    /// What went wrong: the code.
    pub error: Option<String>,
    /// The HTTP status that the upstream answered.
    pub upstream_status: Option<u16>,
    /// What the upstream said when it refused, shortened, and without addresses and keys.
    pub said: Option<String>,
    /// How long it took, milliseconds.
    pub ms: i64,
    /// When it began.
    pub started_at: Time,
    /// The request that queued it.
    pub request_id: Option<String>,
}

columns! {
    Attempt: step, undo, attempt, outcome, error, upstream_status, ms, started_at, request_id, said
}

/// Every attempt of a run, oldest first.
pub fn select_history(run: &RunId) -> Query<Vec<Attempt>> {
    Query::rows(Statement::new(
        "select h.step, h.undo, h.attempt, h.outcome, h.error, h.upstream_status, h.ms, h.started_at, h.request_id,
           h.said
         from provision_history h left join provision_steps s on s.run_id = h.run_id and s.step = h.step
         where h.run_id = ?1 order by h.started_at, h.undo, iif(h.undo, -s.position, s.position), h.attempt",
        [run.as_str().into()],
    ))
}
