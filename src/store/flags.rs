//! The switches that operators throw: rows of `feature_flags`. One that has no row is as if it never was thrown.

use crate::{
    db::{Query, Statement, columns},
    domain::{TenantId, TenantStatus, Timestamp},
};

/// Whether a tenant's run may do anything outside: what D1 says of the pause and of the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantStanding {
    /// Whether provisioning is paused whole.
    pub paused: bool,
    /// How the tenant is; none for one that is not there.
    pub status: Option<TenantStatus>,
}

columns! { TenantStanding: paused, status }

/// Whether a tenant's run may do anything outside.
pub fn run_admission(tenant: &TenantId) -> Query<TenantStanding> {
    Query::one(Statement::new(
        "select exists (select 1 from feature_flags where name = 'provisioning_enabled' and enabled = 0) as paused,
           (select status from tenants where id = ?1) as status",
        [tenant.as_str().into()],
    ))
}

/// The switches, as operators and monitoring are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switches {
    /// Whether provisioning is paused whole.
    pub paused: bool,
    /// Whether nobody new may sign up.
    pub closed: bool,
}

columns! { Switches: paused, closed }

/// How the switches stand.
pub fn switches() -> Query<Switches> {
    Query::one(Statement::new(
        "select exists (select 1 from feature_flags where name = 'provisioning_enabled' and enabled = 0) as paused,
           exists (select 1 from feature_flags where name = 'signup_enabled' and enabled = 0) as closed",
        [],
    ))
}

/// Pauses provisioning whole. A pause that is there already stays as it is, and so does what it holds back.
pub fn pause(scope: PauseScope, now: Timestamp) -> Statement {
    Statement::new(
        "insert into feature_flags (name, enabled, value, updated_at) values ('provisioning_enabled', 0, ?1, ?2)
         on conflict (name) do update set enabled = 0, value = excluded.value, updated_at = excluded.updated_at
         where feature_flags.enabled = 1 or excluded.value = 1 and feature_flags.value is not 1",
        [matches!(scope, PauseScope::Everything).into(), now.seconds().into()],
    )
}

/// Ends a pause.
pub fn resume(now: Timestamp) -> Statement {
    Statement::new(
        "update feature_flags set enabled = 1, value = null, updated_at = ?1
         where name = 'provisioning_enabled' and enabled = 0",
        [now.seconds().into()],
    )
}

/// What a pause holds back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseScope {
    /// Runs and removals. Events and mails go out.
    Provisioning,
    /// Whatever the sweep would send, too: the database may be another's, or from before it was sent.
    Everything,
}

/// What a sweep sees of the database when it begins.
#[derive(Debug, Clone)]
pub struct SweepState {
    /// Whether provisioning is paused whole.
    pub paused: bool,
    /// Whether the pause holds back whatever the sweep would send, too.
    pub held: bool,
    /// The database's own id, once it has one.
    pub database: Option<i64>,
    /// When a sweep last did all of its work, Unix seconds.
    pub mark: Option<i64>,
    /// Whether some runs failed for an outage, and may go on.
    pub resumable: bool,
    /// When the object of a removed tenant is first to delete what it stores, Unix seconds.
    pub forget_at: Option<i64>,
    /// How far comparing the database with the objects is, as JSON, if that goes on.
    pub comparison: Option<String>,
    /// When somebody last said that the database is restored and shall not be paused for it, Unix seconds.
    pub announced_at: Option<i64>,
}

columns! { SweepState: paused, held, database, mark, resumable, forget_at, comparison, announced_at }

/// What a sweep sees of the database.
pub fn sweep_state() -> Query<SweepState> {
    Query::one(Statement::new(
        "select exists (select 1 from feature_flags where name = 'provisioning_enabled' and enabled = 0) as paused,
           exists (select 1 from feature_flags where name = 'provisioning_enabled' and enabled = 0 and value = 1) as held,
           (select value from feature_flags where name = 'database_id') as database,
           (select value from measures where name = 'sweep_ended_at') as mark,
           exists (select 1 from tenants where resume_at > 0) as resumable,
           (select min(forget_at) from tenants where forget_at > 0) as forget_at,
           (select json_object('cursor', cursor, 'differing', differing, 'passes', passes)
            from comparisons where id = 1) as comparison,
           (select value from feature_flags where name = 'restore_announced') as announced_at",
        [],
    ))
}

/// Gives a new database its id. One that has one keeps it.
pub fn name(database: i64, now: Timestamp) -> Statement {
    Statement::new(
        "insert into feature_flags (name, enabled, value, updated_at) values ('database_id', 1, ?1, ?2)
         on conflict (name) do nothing",
        [database.into(), now.seconds().into()],
    )
}

/// Gives a restored database an id of its own, so that the next restore is noticed too. The announcement counts for this
/// restore.
pub fn rename(database: i64, now: Timestamp) -> Vec<Statement> {
    vec![
        Statement::new(
            "insert into feature_flags (name, enabled, value, updated_at) values ('database_id', 1, ?1, ?2)
             on conflict (name) do update set value = excluded.value, updated_at = excluded.updated_at",
            [database.into(), now.seconds().into()],
        ),
        Statement::new("delete from feature_flags where name = 'restore_announced'", []),
    ]
}
