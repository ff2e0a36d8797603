//! Tenants whose address nobody has proven in time go, with everything that hangs on them.

use crate::{
    db::{Statement, Value},
    domain::{RequestId, Timestamp},
};

/// How many lapse in one sweep at most: the next one begins after a minute.
const MOST: u32 = 50;

/// A statement about the tenants that lapse, which stand at its end. One that has a run is none, whatever a restored database says of its
/// address: something was made for it. The plus keeps it off the index of addresses.
macro_rules! of_lapsed {
    ($statement:literal) => {
        concat!(
            $statement,
            "(select id from tenants where lapses_at <= ?1 and +email is null and provision_run_id is null and provisioned_at is null
              order by lapses_at, id limit ?2)"
        )
    };
}

/// Removes the tenants that lapse, and writes down which: the first statement says how many. Their keys stay for their time, used and
/// nobody's, so that a repeat does not sign up anew by itself. Their places in the feed stay, with ids alone:
/// some reader may have stopped at one.
pub fn lapse(audit: &str, sweep: &RequestId, now: Timestamp) -> Vec<Statement> {
    let params = || [Value::from(now.seconds()), MOST.into()];
    let written = Statement::new(
        of_lapsed!(
            "insert into audit_log (id, actor, action, subject, reason, request_id, occurred_at, data)
             select ?3 || '_' || substr(id, 8), 'system', 'tenant.lapse', id, 'nobody proved its address', ?4, ?1,
               json_object('slug', slug, 'plan', plan)
             from tenants where id in "
        ),
        [now.seconds().into(), MOST.into(), audit.into(), sweep.as_str().into()],
    );
    let rest = [
        of_lapsed!("update idempotency_keys set tenant_id = null where tenant_id in "),
        of_lapsed!("delete from promo_redemptions where tenant_id in "),
        of_lapsed!("delete from tenant_brand where tenant_id in "),
        of_lapsed!("delete from make_connections where tenant_id in "),
        of_lapsed!("delete from pro_automation where tenant_id in "),
        of_lapsed!("delete from webhook_deliveries where tenant_id in "),
        of_lapsed!("delete from mails where tenant_id in "),
        of_lapsed!("delete from magic_links where tenant_id in "),
        of_lapsed!("delete from email_proofs where tenant_id in "),
        of_lapsed!("delete from sessions where tenant_id in "),
        of_lapsed!("delete from auth_users where tenant_id in "),
        of_lapsed!("delete from feed_posts where tenant_id in "),
        of_lapsed!("delete from domain_events where tenant_id in "),
        of_lapsed!("delete from tenants where id in "),
    ];
    [written].into_iter().chain(rest.map(|sql| Statement::new(sql, params()))).collect()
}
