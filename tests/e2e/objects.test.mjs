// What only the real objects can show: their alarms, and the fate of a run whose object can't read, lost or deleted its state.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { clubForm, until } from "./harness.mjs";
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

/** A pro club with its spreadsheet made, and minutes to wait until it is looked at. */
async function waiting() {
  const club = await h.signup({ plan: "pro" });
  await script({ host: SCRIPT, bodyIncludes: club.tenantId, skip: 1, headers: { "retry-after": "300" } });
  await h.confirm(club);
  const { runId } = await until(async () => {
    const { data } = (await h.status(club)).body;
    return data.steps?.some(({ name, retryAt }) => name === "verify_spreadsheet" && retryAt !== null) && data;
  });
  return { ...club, runId };
}

/** Ended as if nothing had happened, without a second spreadsheet. */
async function assertWent(club) {
  const { status, data } = await settled(club);
  assert.equal(status, "completed", JSON.stringify(data));
  assert.equal(data.runId, club.runId);
  await assertDoneOnce(club, data);
}

/** As if the run had not moved for two minutes. */
const age = (club) => h.sql("update tenants set provision_updated_at = provision_updated_at - 120, swept_at = 0 where id = ?", club.tenantId);

test("an alarm whose moment has passed when it is set is set for a moment to come, and rings", async () => {
  const begin = async () => {
    const club = await h.signup({ plan: "pro" });
    await script({ host: SCRIPT, bodyIncludes: club.tenantId });
    return club;
  };
  const undisturbed = await begin();
  await h.confirm(undisturbed);
  await settled(undisturbed);
  const { moments, between } = await h.moments(undisturbed.tenantId);
  const failed = moments.indexOf(`after ${SCRIPT}`);
  const listing = between.find((at) => at > failed && moments[at].startsWith("before batch"));
  assert.ok(listing !== undefined, moments.join("\n"));

  // The listing of a step that waits two seconds takes longer than that.
  const club = await begin();
  await h.strike(club.tenantId, listing, "slow");
  await h.confirm(club);
  const { status, data } = await settled(club);
  assert.equal(status, "completed", JSON.stringify(data));
  await assertDoneOnce(club, data);
  const set = await h.alarms(club.tenantId);
  assert.ok(set.every((ms) => ms > 0), `never due at once: ${set}`);
  assert.ok(set.some((ms, nth) => nth > 0 && ms < 100), `its moment had passed: ${set}`);
});

describe("a checkpoint that can't be read", () => {
  let club;

  test("is told by the log with its club, and by each command; nothing is changed", async () => {
    club = await waiting();
    const before = await h.dump();
    await h.operate(club.tenantId, { sql: `update checkpoint set run = json_set(run, '$.stage', json('{"parked":{}}'))` });
    await evict(club);
    h.clearLogs();
    const commands = { retry: {}, cancel: {}, "skip-step": { step: "verify_spreadsheet" } };
    for (const [command, more] of Object.entries(commands)) {
      const { status, body } = await act(club.runId, command, more);
      assert.deepEqual([status, body.error?.code], [409, "CHECKPOINT_UNREADABLE"], command);
    }
    assert.notEqual(await h.storage(club.tenantId), null);
    const lines = h.logs().filter(({ msg }) => msg === "provision_checkpoint_failed");
    assert.equal(lines.length, Object.keys(commands).length);
    for (const { level, tenantId, runId, unreadable } of lines) {
      assert.deepEqual([level, tenantId, runId, unreadable], ["error", club.tenantId, club.runId, true]);
    }
    const after = await h.dump();
    for (const table of ["tenants", "provision_runs", "provision_steps", "domain_events"]) assert.deepEqual(after[table], before[table], table);
  });

  test("is begun anew by a reset, from what the database lists", async () => {
    const { status, body } = await act(club.runId, "reset");
    assert.deepEqual([status, body.data?.status], [200, "processing"], JSON.stringify(body));
    await assertWent(club);
    const again = await act(club.runId, "reset");
    assert.deepEqual([again.status, again.body.error?.code], [409, "RUN_STATE_CONFLICT"], "what can be read is not reset");
  });
});

test("an object that lost its run takes it over from the database when the sweep comes by", async () => {
  const club = await waiting();
  await h.operate(club.tenantId, { clear: true });
  await evict(club);
  await age(club);
  await h.sweep();
  const lost = await h.storage(club.tenantId);
  assert.ok(lost.tables.includes("checkpoint") && lost.alarm !== null, JSON.stringify(lost));
  await assertWent(club);
  assert.equal((await operator("DELETE", `/api/v1/admin/tenants/${club.tenantId}`, { reason: "left" })).status, 202);
  assert.equal(await removed(club), "undone");
  const { spreadsheets } = await h.sandbox("/__sandbox/spreadsheets");
  assert.deepEqual(spreadsheets.filter(({ tenantId }) => tenantId === club.tenantId), [], "it knew what to remove");
});

test("long after a removal the object stores nothing, and has no alarm; a run can begin in it all the same", async () => {
  const club = await h.signup({ plan: "pro" });
  await h.confirm(club);
  assert.equal((await settled(club)).status, "completed");
  assert.equal((await operator("DELETE", `/api/v1/admin/tenants/${club.tenantId}`, { reason: "left" })).status, 202);
  assert.equal(await removed(club), "undone");

  const isDue = "update tenants set forget_at = unixepoch() - 1 where id = ? returning slug";
  const forgetAt = async () => (await h.sql("select forget_at from tenants where id = ?", club.tenantId))[0].forget_at;
  const days = ((await until(forgetAt)) - Date.now() / 1000) / 86400;
  assert.ok(days > 29.9 && days <= 30, `${days} days`);
  await h.sql(isDue, club.tenantId);
  await h.sweep();
  assert.equal(await forgetAt(), null);

  // The very object that deleted it, before anybody ended it.
  const { clubSlug, email } = clubForm();
  await h.sql(
    `update tenants set slug = ?, email = ?, status = 'trial', provision_state = 'pending', provision_run_id = null, provisioned_at = null,
       undo_state = null
     where id = ?`,
    ...[clubSlug, email, club.tenantId],
  );
  const { status, body } = await queue(club);
  assert.deepEqual([status, body.data?.status], [200, "processing"], JSON.stringify(body));
  await until(async () => (await h.sql("select status from provision_runs where id = ?", body.data.runId))[0]?.status === "completed");
  assert.deepEqual((await effectsUnder(`${body.data.runId}/create_spreadsheet`)).map(({ count }) => count), [1]);

  // Once more, and what is left is looked at.
  assert.equal((await operator("DELETE", `/api/v1/admin/tenants/${club.tenantId}`, { reason: "left" })).status, 202);
  assert.equal(await removed(club), "undone");
  await until(forgetAt);
  await h.sql(isDue, club.tenantId);
  await h.sweep();
  assert.equal(await forgetAt(), null);
  await h.operate(club.tenantId);
  await evict(club);
  await h.sql(isDue, club.tenantId);
  await h.sweep();
  assert.deepEqual(await h.storage(club.tenantId), { tables: [], rows: [], alarm: null });
});
