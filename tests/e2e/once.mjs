// What a run leaves behind that was disturbed on its way: everything, and each thing once.
//
//   const { settled, assertDoneOnce } = witness(h);
import assert from "node:assert/strict";
import { untimed } from "../client.mjs";
import { until } from "./harness.mjs";

/** The steps by which something is made outside, under the run's key. */
const OUTSIDE = {
  starter: ["validate_webhook", "send_welcome_email"],
  pro: ["create_spreadsheet", "send_welcome_email"],
};

export function witness(h) {
  let states;
  /** Where every tenant stands. Asked for all who wait: a hundred runs at once must not drown in each other's questions. */
  function ask() {
    states ??= h.sql("select id, provision_state, undo_state from tenants").then((rows) => {
      setTimeout(() => (states = undefined), 200);
      return new Map(rows.map(({ id, ...state }) => [id, state]));
    });
    return states;
  }

  /** Waits until the tenant's run is over; answers provision-status. */
  async function settled(tenant, { within = 60_000 } = {}) {
    states = undefined;
    const over = async () => ["completed", "failed"].includes((await ask()).get(tenant.tenantId)?.provision_state);
    await until(over, { within, every: 200, what: `the run of ${tenant.tenantId} to end` });
    return (await h.status(tenant)).body;
  }

  /** Waits until nothing of the tenant is being removed any more; answers how that ended. */
  async function removed(tenant, { within = 60_000 } = {}) {
    states = undefined;
    const over = async () => {
      const state = (await ask()).get(tenant.tenantId)?.undo_state;
      return ["undone", "compensation_failed"].includes(state) && state;
    };
    return until(over, { within, every: 200, what: `the removal of ${tenant.tenantId} to end` });
  }

  const requestsUnder = async (key) => (await h.sandbox(`/__sandbox/requests?key=${encodeURIComponent(key)}`)).requests;
  const effectsUnder = async (key) => (await h.sandbox(`/__sandbox/effects?key=${encodeURIComponent(key)}`)).effects;

  /**
   * Waits until what a tenant is mailed once it is live has left. A mail that was interrupted, or had to wait for the mail service, leaves with a sweep. That
   * sweep runs here as if the time had passed.
   */
  async function mailed(tenant) {
    const left = async () => {
      const [{ waiting }] = await h.sql("select count(*) as waiting from mails where tenant_id = ? and status = 'pending'", tenant.tenantId);
      if (waiting === 0) return true;
      await h.sql("update mails set next_at = unixepoch() where tenant_id = ? and status = 'pending'", tenant.tenantId);
      await h.sweep();
      return false;
    };
    // It leaves by itself, if nothing holds it up.
    await until(async () => (await h.sql("select id from mails where tenant_id = ? and status = 'sent' and kind = 'welcome'", tenant.tenantId)).length > 0, {
      within: 5000,
      every: 250,
    }).catch(() => undefined);
    await until(left, { within: 120_000, every: 2000, what: `the mails of ${tenant.tenantId} to leave` });
  }

  /** One run, one of each thing in D1, and one effect under each key. */
  async function assertDoneOnce(tenant, data) {
    await mailed(tenant);
    const [there] = await h.sql(
      `select status, provision_state, route_ready,
         (select count(*) from provision_runs where tenant_id = t.id) as runs,
         (select count(*) from auth_users where tenant_id = t.id) as owners,
         (select count(*) from feed_posts where tenant_id = t.id) as posts,
         (select count(*) from tenant_brand where tenant_id = t.id) as brands,
         (select group_concat(type) from (select type from domain_events where tenant_id = t.id order by type)) as events
       from tenants t where id = ?`,
      tenant.tenantId,
    );
    assert.deepEqual(there, {
      ...{ status: "active", provision_state: "completed", route_ready: 1, runs: 1, owners: 1, posts: 1, brands: 1 },
      events: "tenant.provisioned,tenant.signed_up",
    });
    assert.deepEqual(data.warnings, []);
    for (const step of OUTSIDE[tenant.plan]) await assertOneEffect(`${data.runId}/${step}`);
  }

  async function assertOneEffect(key) {
    const [effect, ...more] = await effectsUnder(key);
    assert.deepEqual(more, [], key);
    // Make recognises no keys, its receiver does: a ping whose answer was lost is sent again, the same to the byte.
    const most = effect.upstream === "make" ? 2 : 1;
    assert.ok(effect.count >= 1 && effect.count <= most, `${effect.count} under ${key}`);
    assertSame(await requestsUnder(key));
  }

  /** The attempts at a step, or at its undoing, oldest first. */
  const historyOf = (runId, task) =>
    h.sql(
      `select attempt, outcome, error, started_at as at from provision_history
       where run_id = ? and step = ? and undo = ? order by attempt`,
      runId,
      task.replace(/^undo_/, ""),
      Number(task.startsWith("undo_")),
    );

  return { settled, removed, requestsUnder, effectsUnder, historyOf, assertDoneOnce };
}

/**
 * A repeat is recognised by its key, and Resend also wants the same to the byte. What is signed carries the moment of its own attempt:
 * who verifies it refuses what is old.
 */
export function assertSame(requests) {
  const [first] = requests;
  for (const { at, url, body, headers, signature } of requests) {
    assert.deepEqual([url, untimed(body)], [first.url, untimed(first.body)]);
    for (const name of ["webhook-id", "idempotency-key"]) assert.equal(headers[name], first.headers[name], name);
    if (headers["webhook-id"] === undefined) continue;
    assert.notEqual(signature.valid, false);
    const age = Date.parse(at) / 1000 - Number(headers["webhook-timestamp"]);
    assert.ok(age > -2 && age < 5, `signed ${age} s before it came`);
  }
}
