//! What the sweep removes: whatever expired, a bounded number at a time.

use crate::{
    db::{Answer, Db, DbError, Statement},
    domain::Timestamp,
};

use super::deliveries::Receiver;

/// How many rows of a kind one sweep removes.
const BATCH: i64 = 200;

/// What one sweep removed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pruned {
    /// How many rows had expired.
    pub rows: u64,
    /// How many tenants lapsed.
    pub lapsed: u64,
}

/// Removes what expired, and keeps the roll-ups short. Answers how much. `mark` is there if the rest of the sweep was
/// done, and is what it saw at its beginning: then this is its end, and monitoring sees when that was. A new database gets its
/// `name`; names that nobody folded are folded by `fold`. `lapse` is first.
pub async fn prune(
    db: &impl Db,
    now: Timestamp,
    mark: Option<Option<i64>>,
    name: Option<i64>,
    fold: Option<Statement>,
    lapse: Vec<Statement>,
) -> Result<Pruned, DbError> {
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
        super::sessions::prune(now, BATCH),
        super::deliveries::prune(Receiver::Tenant, now, BATCH),
        super::deliveries::prune(Receiver::Platform, now, BATCH),
        super::mails::prune(now, BATCH),
        super::mails::prune_counts(now, BATCH),
        Statement::new(
            "delete from email_proofs where (tenant_id, link) in
               (select tenant_id, link from email_proofs where issued_at <= ?1 - ?3 order by issued_at limit ?2)",
            [now.seconds().into(), BATCH.into(), super::proof::PROOF_LINK_SECONDS.into()],
        ),
        super::webhooks::forget_previous(now, BATCH),
    ];
    let fold = (fold, super::rollups::fold(now));
    let mark = mark.map(|seen| super::metrics::swept(seen, now));
    let name = name.map(|name| super::flags::name(name, now));
    let (lapsed, removed, ..) = db.ask((lapse, expired, fold, mark, name)).await?;
    Ok(Pruned {
        rows: removed.iter().map(|answer| answer.changes).sum(),
        lapsed: lapsed.first().map_or(0, |written: &Answer| written.changes),
    })
}
