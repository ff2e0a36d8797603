//! Default brand and welcome content. Undone last, it lets go of the tenant's name and address.

use crate::{
    db::Statement,
    domain::Timestamp,
    store,
    workflow::{Record, Run},
};

use super::Action;

pub(super) struct SeedDefaults;

/// Letting the name go and the listing's "undone" are one batch: nobody gets the name while anything is left behind it.
impl Action for SeedDefaults {
    fn rows(run: &Run, _record: &Record, now: Timestamp) -> Vec<Statement> {
        store::tenants::seed(&run.subject.tenant, &run.subject.name, now)
    }

    fn undo_rows(run: &Run, now: Timestamp) -> Vec<Statement> {
        store::undo::release_slug(&run.subject.tenant, now)
    }
}
