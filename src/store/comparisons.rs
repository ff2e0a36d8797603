//! Comparing a restored database with what the objects know: how far that is, and who is next.

use serde::Deserialize;

use crate::{
    db::{Lossy, Query, Statement, columns},
    domain::{TenantId, Timestamp},
};

/// How often everybody is compared at most: what differs still is an operator's business.
const PASSES: u32 = 5;

/// How far a comparison is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Comparison {
    /// The last tenant that was compared.
    pub cursor: String,
    /// How many differed in this pass.
    pub differing: u32,
    /// Which pass it is, counted from one.
    pub passes: u32,
}

/// One tenant to compare.
#[derive(Debug, Clone)]
pub struct Compared {
    /// Its id.
    pub id: TenantId,
    /// Which version of its run D1 shows; 0 if none.
    pub version: u64,
}

columns! { Compared: id, version }

/// Begins to compare everybody.
pub fn begin() -> Statement {
    Statement::new(
        "insert into comparisons (id, cursor, differing, passes) values (1, '', 0, 1)
         on conflict (id) do update set cursor = '', differing = 0, passes = 1",
        [],
    )
}

/// The next to compare.
pub fn next(after: &str, limit: u32) -> Query<Lossy<Compared>> {
    Query::lossy(Statement::new(
        "select t.id, coalesce(r.version, 0) as version
         from tenants t left join provision_runs r on r.id = t.provision_run_id
         where t.id > ?1 order by t.id limit ?2",
        [after.into(), limit.into()],
    ))
}

/// Notes how far it is.
pub fn goes_on(comparison: &Comparison) -> Statement {
    Statement::new(
        "update comparisons set cursor = ?1, differing = ?2 where id = 1",
        [comparison.cursor.as_str().into(), comparison.differing.into()],
    )
}

/// Everybody was compared: once more, if somebody differed; else it has ended.
pub fn ends_pass(comparison: &Comparison) -> [Statement; 2] {
    [
        Statement::new(
            "update comparisons set cursor = '', differing = 0, passes = passes + 1
             where id = 1 and ?1 > 0 and passes < ?2",
            [comparison.differing.into(), PASSES.into()],
        ),
        Statement::new(
            "delete from comparisons where id = 1 and (?1 = 0 or passes > ?2) and cursor <> ''",
            [comparison.differing.into(), (PASSES - 1).into()],
        ),
    ]
}

/// Tenants that were removed so long ago that their objects delete what they store.
pub fn forgettable(now: Timestamp, limit: u32) -> Query<Lossy<Compared>> {
    Query::lossy(Statement::new(
        "select id, 0 as version from tenants where forget_at <= ?1 order by forget_at limit ?2",
        [now.seconds().into(), limit.into()],
    ))
}

/// Notes that a tenant's object stores nothing any more; or that it is to be told again, `again_at`.
pub fn forgot(tenant: &TenantId, again_at: Option<Timestamp>) -> Statement {
    Statement::new(
        "update tenants set forget_at = ?2 where id = ?1",
        [tenant.as_str().into(), again_at.map(Timestamp::seconds).into()],
    )
}
