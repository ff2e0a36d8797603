//! What the sweep removes: whatever expired, a bounded number at a time.

use crate::{
    db::{Db, DbError, Statement},
    domain::Timestamp,
};

use super::deliveries::Receiver;

/// How many rows of a kind one sweep removes.
const BATCH: i64 = 200;

/// Removes what expired, and keeps the roll-ups short. Answers how many rows. `mark` is there if the rest of the sweep was
/// done, and is what it saw at its beginning: then this is its end, and monitoring sees when that was. A new database gets its
/// `name`; names that nobody folded are folded by `fold`.
pub async fn prune(
    db: &impl Db,
    now: Timestamp,
    mark: Option<Option<i64>>,
    name: Option<i64>,
    fold: Option<Statement>,
) -> Result<u64, DbError> {
    let params = || [now.seconds().into(), BATCH.into()];
    let expired = [
        Statement::new(
            "delete from idempotency_keys where id in
               (select id from idempotency_keys where expires_at <= ?1 order by expires_at limit ?2)",
            params(),
        ),
        Statement::new(
            "delete from magic_links where id in
               (select id from magic_links where expires_at <= ?1 order by expires_at limit ?2)",
            params(),
        ),
        Statement::new(
            "delete from revoked_tokens where jti in
               (select jti from revoked_tokens where expires_at <= ?1 order by expires_at limit ?2)",
            params(),
        ),
        super::deliveries::prune(Receiver::Tenant, now, BATCH),
        super::deliveries::prune(Receiver::Platform, now, BATCH),
        super::mails::prune(now, BATCH),
        super::webhooks::forget_previous(now, BATCH),
    ];
    let fold = (fold, super::rollups::fold(now));
    let mark = mark.map(|seen| super::metrics::swept(seen, now));
    let name = name.map(|name| super::flags::name(name, now));
    let (removed, ..) = db.ask((expired, fold, mark, name)).await?;
    Ok(removed.iter().map(|answer| answer.changes).sum())
}
