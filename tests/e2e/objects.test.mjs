// What only the real objects can show: their alarms, and the fate of a run whose object can't read, lost or deleted its state.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { tenantForm, until } from "./harness.mjs";
import { startInstrumented } from "./instrumented.mjs";
import { witness } from "./once.mjs";

const h = await startInstrumented();
after(() => h.close());
const { settled, removed, effectsUnder, assertDoneOnce } = witness(h);

const SCRIPT = "script.google.com";

const script = (fault) => h.sandbox("/__sandbox/faults", { method: "POST", body: { kind: "status", status: 503, times: 1, ...fault } });

const operator = (method, path, body) => h.api(method, path, { token: h.token(), body });

const act = (runId, action, more = {}) => operator("POST", `/api/v1/bgops/sagas/${runId}/${action}`, { reason: "as agreed", ...more });

const queue = ({ tenantId }) =>
  h.api("POST", "/internal/provision/queue", { token: h.token({ aud: "internal", roles: ["service"] }), body: { tenantId } });

/** Ends the idle object; it is begun anew by whoever asks it next. */
const evict = ({ tenantId }) => until(() => h.evict(tenantId).then(() => true, () => false), { every: 100, what: "an idle object" });

/** A pro tenant with its spreadsheet made, and minutes to wait until it is looked at. */
async function waiting() {
  const tenant = await h.signup({ plan: "pro" });
  await script({ host: SCRIPT, bodyIncludes: tenant.tenantId, skip: 1, headers: { "retry-after": "300" } });
  await h.confirm(tenant);
  const { runId } = await until(async () => {
    const { data } = (await h.status(tenant)).body;
    return data.steps?.some(({ name, retryAt }) => name === "verify_spreadsheet" && retryAt !== null) && data;
  });
  return { ...tenant, runId };
}

/** Ended as if nothing had happened, without a second spreadsheet. */
async function assertWent(tenant) {
  const { status, data } = await settled(tenant);
  assert.equal(status, "completed", JSON.stringify(data));
  assert.equal(data.runId, tenant.runId);
  await assertDoneOnce(tenant, data);
}

/** As if the run had not moved for two minutes. */
const age = (tenant) => h.sql("update tenants set provision_updated_at = provision_updated_at - 120, swept_at = 0 where id = ?", tenant.tenantId);

test("an alarm whose moment has passed when it is set is set for a moment to come, and rings", async () => {
  const begin = async () => {
    const tenant = await h.signup({ plan: "pro" });
    await script({ host: SCRIPT, bodyIncludes: tenant.tenantId });
    return tenant;
  };
  const undisturbed = await begin();
  await h.confirm(undisturbed);
  await settled(undisturbed);
  const { moments, between } = await h.moments(undisturbed.tenantId);
  const failed = moments.indexOf(`after ${SCRIPT}`);
  const listing = between.find((at) => at > failed && moments[at].startsWith("before batch"));
  assert.ok(listing !== undefined, moments.join("\n"));

  // The listing of a step that waits two seconds takes longer than that.
  const tenant = await begin();
  await h.strike(tenant.tenantId, listing, "slow");
  await h.confirm(tenant);
  const { status, data } = await settled(tenant);
  assert.equal(status, "completed", JSON.stringify(data));
  await assertDoneOnce(tenant, data);
  const set = await h.alarms(tenant.tenantId);
  assert.ok(set.every((ms) => ms > 0), `never due at once: ${set}`);
  assert.ok(set.some((ms, nth) => nth > 0 && ms < 100), `its moment had passed: ${set}`);
});

describe("a checkpoint that can't be read", () => {
  let tenant;

  test("is told by the log with its tenant, and by each command; nothing is changed", async () => {
    tenant = await waiting();
    const before = await h.dump();
    await h.operate(tenant.tenantId, { sql: `update checkpoint set run = json_set(run, '$.stage', json('{"parked":{}}'))` });
    await evict(tenant);
    h.clearLogs();
    const commands = { retry: {}, cancel: {}, "skip-step": { step: "verify_spreadsheet" } };
    for (const [command, more] of Object.entries(commands)) {
      const { status, body } = await act(tenant.runId, command, more);
      assert.deepEqual([status, body.error?.code], [409, "CHECKPOINT_UNREADABLE"], command);
    }
    assert.notEqual(await h.storage(tenant.tenantId), null);
    const lines = h.logs().filter(({ msg }) => msg === "provision_checkpoint_failed");
    assert.equal(lines.length, Object.keys(commands).length);
    for (const { level, tenantId, runId, unreadable } of lines) {
      assert.deepEqual([level, tenantId, runId, unreadable], ["error", tenant.tenantId, tenant.runId, true]);
    }
    const after = await h.dump();
    for (const table of ["tenants", "provision_runs", "provision_steps", "domain_events"]) assert.deepEqual(after[table], before[table], table);
  });

  test("is begun anew by a reset, from what the database lists", async () => {
    const { status, body } = await act(tenant.runId, "reset");
    assert.deepEqual([status, body.data?.status], [200, "processing"], JSON.stringify(body));
    await assertWent(tenant);
    const again = await act(tenant.runId, "reset");
    assert.deepEqual([again.status, again.body.error?.code], [409, "RUN_STATE_CONFLICT"], "what can be read is not reset");
  });
});

test("an object that lost its run takes it over from the database when the sweep comes by", async () => {
  const tenant = await waiting();
  await h.operate(tenant.tenantId, { clear: true });
  await evict(tenant);
  await age(tenant);
  await h.sweep();
  const lost = await h.storage(tenant.tenantId);
  assert.ok(lost.tables.includes("checkpoint") && lost.alarm !== null, JSON.stringify(lost));
  await assertWent(tenant);
  assert.equal((await operator("DELETE", `/api/v1/admin/tenants/${tenant.tenantId}`, { reason: "left" })).status, 202);
  assert.equal(await removed(tenant), "undone");
  const { spreadsheets } = await h.sandbox("/__sandbox/spreadsheets");
  assert.deepEqual(spreadsheets.filter(({ tenantId }) => tenantId === tenant.tenantId), [], "it knew what to remove");
});

test("long after a removal the object stores nothing, and has no alarm; a run can begin in it all the same", async () => {
  const tenant = await h.signup({ plan: "pro" });
  await h.confirm(tenant);
  assert.equal((await settled(tenant)).status, "completed");
  assert.equal((await operator("DELETE", `/api/v1/admin/tenants/${tenant.tenantId}`, { reason: "left" })).status, 202);
  assert.equal(await removed(tenant), "undone");

  const isDue = "update tenants set forget_at = unixepoch() - 1 where id = ? returning slug";
  const forgetAt = async () => (await h.sql("select forget_at from tenants where id = ?", tenant.tenantId))[0].forget_at;
  const days = ((await until(forgetAt)) - Date.now() / 1000) / 86400;
  assert.ok(days > 29.9 && days <= 30, `${days} days`);
  await h.sql(isDue, tenant.tenantId);
  await h.sweep();
  assert.equal(await forgetAt(), null);

  // The very object that deleted it, before anybody ended it.
  const { clubSlug, email } = tenantForm();
  await h.sql(
    `update tenants set slug = ?, email = ?, status = 'trial', provision_state = 'pending', provision_run_id = null, provisioned_at = null,
       undo_state = null
     where id = ?`,
    ...[clubSlug, email, tenant.tenantId],
  );
  const { status, body } = await queue(tenant);
  assert.deepEqual([status, body.data?.status], [200, "processing"], JSON.stringify(body));
  await until(async () => (await h.sql("select status from provision_runs where id = ?", body.data.runId))[0]?.status === "completed");
  assert.deepEqual((await effectsUnder(`${body.data.runId}/create_spreadsheet`)).map(({ count }) => count), [1]);

  // Once more, and what is left is looked at.
  assert.equal((await operator("DELETE", `/api/v1/admin/tenants/${tenant.tenantId}`, { reason: "left" })).status, 202);
  assert.equal(await removed(tenant), "undone");
  await until(forgetAt);
  await h.sql(isDue, tenant.tenantId);
  await h.sweep();
  assert.equal(await forgetAt(), null);
  await h.operate(tenant.tenantId);
  await evict(tenant);
  await h.sql(isDue, tenant.tenantId);
  await h.sweep();
  assert.deepEqual(await h.storage(tenant.tenantId), { tables: [], rows: [], alarm: null });
});
