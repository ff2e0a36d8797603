//! The switches that operators throw: rows of `feature_flags`. One that has no row is as if it never was thrown.

use serde::Deserialize;

use crate::{
    db::{Answer, DbError, Statement},
    domain::{TenantId, TenantStatus},
};

/// Whether a tenant's run may do anything outside: what D1 says of the pause and of the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether provisioning is paused whole.
    pub paused: bool,
    /// How the tenant is; none for one that is not there.
    pub status: Option<TenantStatus>,
}

/// Selects whether a tenant's run may do anything outside, for [`read_gate`].
#[must_use]
pub fn gate(tenant: &TenantId) -> Statement {
    Statement::new(
        "select exists (select 1 from feature_flags where name = 'provisioning_enabled' and enabled = 0) as paused,
           (select status from tenants where id = ?1) as status",
        [tenant.as_str().into()],
    )
}

/// Reads the answer to [`gate`].
///
/// # Errors
///
/// When the row is not what the schema promises.
pub fn read_gate(answer: Answer) -> Result<Standing, DbError> {
    #[derive(Deserialize)]
    struct Row {
        #[serde(deserialize_with = "super::flag")]
        paused: bool,
        status: Option<TenantStatus>,
    }
    let row: Row = answer.first()?.ok_or_else(|| DbError::Corrupt("the gate answers no row".to_owned()))?;
    Ok(Standing { paused: row.paused, status: row.status })
}
