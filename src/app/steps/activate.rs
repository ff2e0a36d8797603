//! The tenant goes live.

use crate::{
    db::Statement,
    domain::Timestamp,
    store,
    workflow::{Record, Run},
};

use super::Action;

pub(super) struct Activate;

/// Going live and the listing's "completed" are one batch: nobody sees one without the other.
impl Action for Activate {
    fn rows(run: &Run, _record: &Record, now: Timestamp) -> Vec<Statement> {
        vec![store::tenants::activate(&run.subject.tenant, run.doing.finishing_at.unwrap_or(now))]
    }
}
