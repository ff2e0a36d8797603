//! Whether a tenant's run may go on: asked before it does anything outside.

use crate::{domain::TenantStatus, store::flags::TenantStanding};

/// Whether a tenant's run may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunAdmission {
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

impl From<TenantStanding> for RunAdmission {
    fn from(standing: TenantStanding) -> Self {
        match standing.status {
            // A pause ends, and what else there is to say is said then.
            _ if standing.paused => Self::Paused,
            Some(TenantStatus::Trial | TenantStatus::Active) => Self::Open,
            // A later version's word: whoever it admits, the access check here does not.
            Some(TenantStatus::Suspended | TenantStatus::Other(_)) => Self::Suspended,
            Some(TenantStatus::Cancelled) => Self::Removed,
            None => Self::Unknown,
        }
    }
}
