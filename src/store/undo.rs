//! Undoing in D1: the request, what each step made and what became of it, and the release of a tenant's slug.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    db::{Query, Statement, columns},
    domain::{RunId, Step, TenantId, Time, Timestamp, UndoStatus},
    workflow::{Artifact, Record, Run, Stage, Track, outcome::ArtifactRow, policy::KEPT_AFTER_REMOVAL},
};

use super::signups::KEY_SECONDS;

/// Requests removal of a tenant and revokes its tokens. It is stored before the command is sent, so that the request
/// can't be lost. An unproven one lapses with the next sweep: nothing was made for it.
pub fn request_deprovision(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set undo_state = 'undoing', undo_updated_at = ?2, swept_at = ?2 + 60, status = 'cancelled',
           tokens_valid_after = max(tokens_valid_after, ?2 + 1), updated_at = ?2,
           lapses_at = iif(unproven_email is not null and provision_run_id is null, ?2, lapses_at)
         where id = ?1 and coalesce(undo_state, 'compensation_failed') = 'compensation_failed'",
        [tenant.as_str().into(), now.seconds().into()],
    )
}

/// As [`request_deprovision`], for the tenant of a run that never went live.
pub fn request_deprovision_of_run(run: &RunId, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set undo_state = 'undoing', undo_updated_at = ?2, swept_at = ?2 + 60, status = 'cancelled',
           tokens_valid_after = max(tokens_valid_after, ?2 + 1), updated_at = ?2
         where id = (select tenant_id from provision_runs where id = ?1 and status <> 'completed')
           and provisioned_at is null and undo_state is null",
        [run.as_str().into(), now.seconds().into()],
    )
}

/// Notes that what could not be removed is wanted to be; or that it is left, and the rest is removed: `skipped` made it.
pub fn request_removal_retry(run: &RunId, skipped: Option<Step>, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set undo_state = 'undoing', undo_updated_at = ?2, swept_at = ?2 + 60
         where id = (select tenant_id from provision_runs where id = ?1 and (?3 is null or undo_step = ?3 and undo_step <> 'seed_defaults'))
           and undo_state = 'compensation_failed'",
        [run.as_str().into(), now.seconds().into(), skipped.map(Step::as_str).into()],
    )
}

/// Notes that a tenant is removed whose name D1 has let go of, and that no object knows: nothing is left to remove.
pub fn close(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set undo_state = 'undone', undo_updated_at = ?2, status = 'cancelled'
         where id = ?1 and slug is null and undo_state = 'undoing'",
        [tenant.as_str().into(), now.seconds().into()],
    )
}

/// Lists what a run made, and where undoing it stands, after the run itself was projected. A run that went live before its
/// object heard of it stays projected as that.
pub fn projection(run: &Run, now: Timestamp) -> Vec<Statement> {
    let mut statements: Vec<Statement> = insert_artifact(run).into_iter().collect();
    if let (Some(undo), Some(status)) = (&run.undoing, run.undo_status()) {
        statements.push(update_run(run, undo, status, now));
        statements.extend(upsert_removals(run, undo, status));
    }
    statements
}

fn version(run: &Run) -> i64 {
    i64::try_from(run.version).unwrap_or(i64::MAX)
}

fn update_run(run: &Run, undo: &Track, status: UndoStatus, now: Timestamp) -> Statement {
    Statement::new(
        "update provision_runs set undo_state = ?2, undo_step = ?3, undo_reason = ?4, undo_error = ?5, version = ?6,
           updated_at = ?7
         where id = ?1 and version <= ?6 and coalesce(undo_state, '') <> 'undone'",
        [
            run.id.as_str().into(),
            status.as_str().into(),
            undo.stage.current().map(Step::as_str).into(),
            undo.stage.failure().map(|failure| failure.code.as_str()).into(),
            undo.stage.failure().map(|failure| failure.message.as_str()).into(),
            version(run).into(),
            now.seconds().into(),
        ],
    )
}

/// Lists where undoing a run stands with its tenant, before the run itself is projected: as there, what D1 was told before
/// changes nothing. A database that was restored to before the wish does not know that the tenant's tokens are dead.
pub fn update_tenant(run: &Run, now: Timestamp) -> Option<Statement> {
    let (undo, status) = run.undoing.as_ref().zip(run.undo_status())?;
    Some(Statement::new(
        "update tenants set undo_state = ?2, undo_updated_at = ?3, provision_run_id = coalesce(provision_run_id, ?4),
           status = 'cancelled', tokens_valid_after = max(tokens_valid_after, ?6 + 1), resume_at = null,
           forget_at = iif(?2 = 'undone', ?3 + ?7, null)
         where id = ?1 and (undo_state is null or undo_state not in ('undone', ?2))
           and not exists (select 1 from provision_runs where id = ?4 and version >= ?5)",
        [
            run.subject.tenant.as_str().into(),
            status.as_str().into(),
            now.seconds().into(),
            run.id.as_str().into(),
            version(run).into(),
            undo.queued_at.seconds().into(),
            i64::try_from(KEPT_AFTER_REMOVAL.as_secs()).unwrap_or(i64::MAX).into(),
        ],
    ))
}

/// What a step made. While the upstream's own id is not known, it is what such a step makes.
fn made(record: &Record) -> ArtifactRow<'_> {
    let unknown = ArtifactRow { kind: record.step.spec().makes, id: None, ours: true };
    record.artifact.as_ref().map_or(unknown, Artifact::row)
}

/// Writes down what steps made, the moment it is known.
fn insert_artifact(run: &Run) -> Option<Statement> {
    let fresh = run.doing.records.iter().filter(|record| {
        record.artifact.is_some() && run.pending_history.iter().any(|attempt| attempt.step == record.step)
    });
    let rows: Vec<Value> = fresh
        .map(|record| {
            let ArtifactRow { kind, id, ours } = made(record);
            json!([record.step.as_str(), kind, id, u32::from(ours)])
        })
        .collect();
    (!rows.is_empty()).then(|| {
        Statement::new(
            "insert into provision_undo (run_id, step, kind, external_id, created_by_us, status, attempts)
             select ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, 'held', 0 from json_each(?2)
             where exists (select 1 from provision_runs where id = ?1) on conflict do nothing",
            [run.id.as_str().into(), Value::from(rows).to_string().into()],
        )
    })
}

/// The removals that were begun, in one statement: one that stands as it is projected is not written. What was undone stays
/// projected as that: its object may not have heard of it.
fn upsert_removals(run: &Run, undo: &Track, status: UndoStatus) -> Option<Statement> {
    let begun = undo.records.iter().filter(|removal| removal.attempts > 0);
    let rows: Vec<Value> = begun.map(|removal| removal_row(run, undo, removal)).collect();
    (!rows.is_empty()).then(|| {
        Statement::new(
            "insert into provision_undo as listed (run_id, step, kind, external_id, created_by_us, status, attempts, started_at,
               removed_at, error_code, error)
             select ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
               value ->> 8, value ->> 9
             from json_each(?2)
             where exists (select 1 from provision_runs
               where id = ?1 and version = ?3 and (undo_state is not 'undone' or ?4 = 'undone'))
             on conflict (run_id, step) do update set status = excluded.status, attempts = excluded.attempts,
               started_at = excluded.started_at, removed_at = excluded.removed_at, error_code = excluded.error_code,
               error = excluded.error
             where (listed.status, listed.attempts, listed.started_at, listed.removed_at, listed.error_code, listed.error)
               is not (excluded.status, excluded.attempts, excluded.started_at, excluded.removed_at, excluded.error_code,
                 excluded.error)",
            [
                run.id.as_str().into(),
                Value::from(rows).to_string().into(),
                version(run).into(),
                status.as_str().into(),
            ],
        )
    })
}

fn removal_row(run: &Run, undo: &Track, removal: &Record) -> Value {
    let record = run.doing.record(removal.step);
    let unknown = ArtifactRow { kind: "name", id: None, ours: true };
    let ArtifactRow { kind, id, ours } = record.map_or(unknown, made);
    let (status, error) = match &undo.stage {
        _ if removal.skipped => ("left", None),
        _ if removal.done_at.is_some() => ("removed", None),
        Stage::Failed { step, failure, .. } if *step == removal.step => {
            ("failed", Some((failure.code.as_str(), failure.message.as_str())))
        }
        Stage::Waiting { step, fault, .. } if *step == removal.step => {
            ("removing", Some((fault.code.as_str(), fault.code.message())))
        }
        _ => ("removing", None),
    };
    json!([
        removal.step.as_str(),
        kind,
        id,
        u32::from(ours),
        status,
        removal.attempts,
        removal.started_at.map(Timestamp::seconds),
        removal.done_at.map(Timestamp::seconds),
        error.map(|(code, _)| code),
        error.map(|(_, message)| message),
    ])
}

/// The tenant's owner goes.
pub fn remove_owner(run: &Run) -> Statement {
    Statement::new("delete from auth_users where id = ?1", [run.subject.owner.as_str().into()])
}

/// The tenant is not reachable at its address any more.
pub fn remove_route(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set route_ready = 0, updated_at = ?2 where id = ?1 and route_ready = 1",
        [tenant.as_str().into(), now.seconds().into()],
    )
}

/// Forgets the tenant's spreadsheet.
pub fn remove_spreadsheet(tenant: &TenantId) -> Statement {
    Statement::new("delete from pro_automation where tenant_id = ?1", [tenant.as_str().into()])
}

/// Lets go of the tenant: its content, its name and its address, which are free from then on. Its history stays: runs,
/// events, what was audited.
pub fn release_slug(tenant: &TenantId, now: Timestamp) -> Vec<Statement> {
    let by_id = |sql| Statement::new(sql, [tenant.as_str().into()]);
    vec![
        by_id("delete from feed_posts where id = 'post_welcome_' || ?1"),
        by_id("delete from tenant_brand where tenant_id = ?1"),
        by_id("delete from email_proofs where tenant_id = ?1"),
        // Those that no run made: a tenant that came from elsewhere has its people, too.
        by_id("delete from auth_users where id = (select owner_user_id from tenants where id = ?1)"),
        by_id("delete from auth_users where tenant_id = ?1 and roles <> '[\"tenant_admin\",\"owner\"]'"),
        super::mails::cancel(tenant, now),
        // Found by the index on its end, which is as far from its beginning as every key's. It stays, completed and nobody's:
        // the same request under the same key must not sign up anew by itself.
        Statement::new(
            "update idempotency_keys set tenant_id = null
             where expires_at = (select created_at + ?2 from tenants where id = ?1) and tenant_id = ?1",
            [tenant.as_str().into(), KEY_SECONDS.into()],
        ),
        Statement::new(
            "update tenants set slug = null, email = null, unproven_email = null, lapses_at = null, route_ready = 0,
               updated_at = ?2
             where id = ?1 and slug is not null",
            [tenant.as_str().into(), now.seconds().into()],
        ),
    ]
}

/// Something that a run made outside.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CreatedResource {
    /// The step that made it.
    pub step: Step,
    /// What it is, like `dns_record`.
    pub kind: String,
    /// The upstream's id for it.
    pub external_id: Option<String>,
    /// Whether the run made it, rather than found it.
    pub created_by_us: bool,
    /// Whether it is still there.
    pub status: String,
    /// How often removing it was tried.
    pub attempts: u32,
    /// When it was removed.
    pub removed_at: Option<Time>,
    /// What went wrong last: the code.
    pub error: Option<String>,
}

columns! {
    CreatedResource: step, kind, external_id, created_by_us, status, attempts, removed_at, error = "error_code"
}

/// What the steps of a run made.
pub fn select(run: &RunId) -> Query<Vec<CreatedResource>> {
    Query::rows(Statement::new(
        "select step, kind, external_id, created_by_us, status, attempts, removed_at, error_code
         from provision_undo where run_id = ?1 order by coalesce(started_at, 0), step",
        [run.as_str().into()],
    ))
}
