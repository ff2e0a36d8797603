//! The person who signed up becomes the owner.

use crate::{
    db::Statement,
    domain::Timestamp,
    store,
    workflow::{Record, Run},
};

use super::Action;

pub(super) struct CreateOwner;

impl Action for CreateOwner {
    fn rows(run: &Run, _record: &Record, now: Timestamp) -> Vec<Statement> {
        vec![store::tenants::insert_owner(&run.subject, now)]
    }

    fn undo_rows(run: &Run, _now: Timestamp) -> Vec<Statement> {
        vec![store::undo::remove_owner(run)]
    }
}
