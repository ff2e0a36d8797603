//! Whether a tenant's run may go on: asked before it does anything outside.

use crate::{
    db::{Db, DbError},
    domain::{TenantId, TenantStatus},
    ports::Ports,
    store,
};

use super::App;

/// Whether a tenant's run may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    Open,
    /// Provisioning is paused whole: runs wait, whoever they are for, and removals too.
    Paused,
    /// The tenant is suspended.
    Suspended,
    /// The tenant was removed, or is being removed: nothing more is made for it.
    Removed,
    /// D1 knows no such tenant.
    Unknown,
}

impl<P: Ports> App<P> {
    /// Whether this tenant's run may go on: one query.
    ///
    /// # Errors
    ///
    /// When the database doesn't answer.
    pub async fn gate(&self, tenant: &TenantId) -> Result<Gate, DbError> {
        let standing = self.ports.db().ask(store::flags::gate(tenant)).await?;
        Ok(match standing.status {
            // A pause ends, and what else there is to say is said then.
            _ if standing.paused => Gate::Paused,
            Some(TenantStatus::Trial | TenantStatus::Active) => Gate::Open,
            // A later version's word: whoever it lets in, the access check here does not.
            Some(TenantStatus::Suspended | TenantStatus::Other(_)) => Gate::Suspended,
            Some(TenantStatus::Cancelled) => Gate::Removed,
            None => Gate::Unknown,
        })
    }
}
