// A tenant is removed. Its tokens are dead with the request. What was made for it is removed step by step, each confirmed before it counts.
// At the end its name and address are free. Each call of each removal is disturbed in every way there is. The removal ends undone all the
// same, and each external effect happens once. What is refused is seen, tried again, or left on an operator's word.
//
// A process that is killed in the middle of a removal: tests/crash/steps.test.mjs.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { assertTold, disturbancesOf, each } from "./disturbances.mjs";
import { makeWebhook, until } from "./harness.mjs";
import { startInstrumented } from "./instrumented.mjs";
import { witness } from "./once.mjs";

const ZONE = "0123456789abcdef0123456789abcdef";
const TOKEN = "end-to-end tests edit DNS with this";
const SCRIPT = "script.google.com";

const h = await startInstrumented({
  vars: { SUBDOMAIN_MODE: "record", CLOUDFLARE_ZONE_ID: ZONE },
  secrets: { CLOUDFLARE_API_TOKEN: TOKEN },
});
after(() => h.close());
const { settled, removed, effectsUnder, historyOf } = witness(h);

// So much goes wrong here at once that breakers would open: that is another test's.
await h.behave({ breaker: "failing" });

const newTenant = async (plan) => ({ ...(await h.signup({ plan })), webhook: makeWebhook() });

/** A tenant whose run has ended, with the id of its run. */
async function ended(plan, webhook) {
  const tenant = await newTenant(plan);
  await h.confirm(tenant, webhook ?? tenant.webhook);
  const { status, data } = await settled(tenant);
  return { ...tenant, status, runId: data.runId };
}

/** A tenant at work, with its DNS record. */
async function live(plan) {
  const tenant = await ended(plan);
  assert.equal(tenant.status, "completed");
  const [record] = await recordsOf(tenant);
  return { ...tenant, record };
}

const dashboard = async (method, rest = "", body) => {
  const headers = { authorization: `Bearer ${TOKEN}` };
  return (await h.sandbox(`https://api.cloudflare.com/client/v4/zones/${ZONE}/dns_records${rest}`, { method, headers, body })).result;
};

const recordsOf = (tenant) => dashboard("GET", `?name.exact=${tenant.clubSlug}.clubs.example`);

const sheetsOf = async (tenant) =>
  (await h.sandbox("/__sandbox/spreadsheets")).spreadsheets.filter(({ tenantId }) => tenantId === tenant.tenantId);

const operator = (method, path, body) => h.api(method, path, { token: h.token(), body });

const saga = async (tenant, rest = "") => (await operator("GET", `/api/v1/bgops/sagas/${tenant.runId}${rest}`)).body.data;

const act = (tenant, action, more = {}) => operator("POST", `/api/v1/bgops/sagas/${tenant.runId}/${action}`, { reason: "as agreed", ...more });

async function remove(tenant) {
  const { status, body } = await operator("DELETE", `/api/v1/admin/tenants/${tenant.tenantId}`, { reason: "left the league" });
  assert.equal(status, 202, JSON.stringify(body));
  assert.deepEqual(body.data, { tenantId: tenant.tenantId, runId: tenant.runId ?? body.data.runId, undo: "undoing" });
  await assertTokenIsDead(tenant);
  return body.data;
}

async function assertTokenIsDead(tenant) {
  const { status, body } = await h.api("GET", "/whoami", { token: tenant.jwt });
  assert.deepEqual([status, body.error?.code, body.error?.reason], [403, "FORBIDDEN", "token_revoked"]);
}

const signUpAs = (tenant, email = tenant.email) =>
  h.api("POST", "/public/signup/start", { body: { clubName: "Newcomers", clubSlug: tenant.clubSlug, email, plan: tenant.plan } });

const OWN_ROWS = ["auth_users", "make_connections", "pro_automation", "tenant_brand", "feed_posts", "idempotency_keys"];

/** Nothing is left of the tenant but its history; what was removed outside was removed once; its name and address are free. */
async function assertGone(tenant) {
  const counts = OWN_ROWS.map((table) => `(select count(*) from ${table} where tenant_id = t.id) as ${table}`).join(", ");
  const [row] = await h.sql(`select slug, email, status, undo_state, route_ready, ${counts} from tenants t where id = ?`, tenant.tenantId);
  const none = Object.fromEntries(OWN_ROWS.map((table) => [table, 0]));
  assert.deepEqual(row, { slug: null, email: null, status: "cancelled", undo_state: "undone", route_ready: 0, ...none });
  assert.deepEqual(await sheetsOf(tenant), []);
  const events = await h.sql("select type from domain_events where tenant_id = ? and type = 'tenant.deprovisioned'", tenant.tenantId);
  assert.equal(events.length, 1);
  if (tenant.record) {
    assert.deepEqual((await recordsOf(tenant)).filter(({ id }) => id === tenant.record.id), []);
    await assertOnce(tenant.record.id);
  }
  if (tenant.plan === "pro" && tenant.record) await assertOnce(`${tenant.runId}/undo_create_spreadsheet`);
  await assertTokenIsDead(tenant);
  const newcomer = await signUpAs(tenant);
  assert.equal(newcomer.status, 200, JSON.stringify(newcomer.body));
  assert.notEqual(newcomer.body.tenantId, tenant.tenantId);
  return newcomer.body;
}

async function assertOnce(key) {
  const effects = await effectsUnder(key);
  assert.deepEqual(effects.map(({ count }) => count), [1], key);
}

async function assertSagaUndone(tenant, left = []) {
  const { undo, made } = await saga(tenant);
  assert.deepEqual(undo, { status: "undone", step: null, reason: null, error: null });
  for (const { step, status } of made) assert.equal(status, left.includes(step) ? "left" : "removed", step);
  return made;
}

/** What removing a tenant calls, undisturbed. */
async function removals(plan) {
  const tenant = await live(plan);
  await remove(tenant);
  assert.equal(await removed(tenant), "undone");
  await assertGone(tenant);
  await assertSagaUndone(tenant);
  const { work } = await h.work(tenant.tenantId);
  return Object.entries(work).filter(([task]) => task.startsWith("undo_"));
}

const pro = await removals("pro");

test("a starter tenant leaves what every tenant leaves, and nothing that only a pro tenant does", async () => {
  const starter = await removals("starter");
  assert.deepEqual(starter, pro.filter(([task]) => task !== "undo_create_spreadsheet"));
});

test("each step of a plan that made something outside is undone, and the name at last; the rest goes with it", () => {
  const tasks = pro.map(([task]) => task);
  assert.deepEqual(tasks, ["undo_create_spreadsheet", "undo_configure_routing", "undo_seed_defaults"]);
  for (const [task, calls] of pro) assert.ok(calls.length > 0, task);
});

each(
  "a club is removed although",
  pro.flatMap(([task, calls]) => disturbancesOf(task, calls)),
  async (cell) => {
    const tenant = await live("pro");
    await h.disturb(tenant.tenantId, cell);
    await remove(tenant);
    assert.equal(await removed(tenant), "undone");
    const newcomer = await assertGone(tenant);
    await until(async () => (await h.work(tenant.tenantId)).disturbed, { what: "the disturbance", every: 250 });
    const attempts = await until(async () => {
      const attempts = await historyOf(tenant.runId, cell.task);
      return attempts.length >= 2 && attempts;
    });
    // Letting go of the name and writing so is one batch.
    assertTold(attempts, cell, cell.task === "undo_seed_defaults" && /after$/.test(cell.how));
    await assertSagaUndone(tenant);
    const [row] = await h.sql("select slug, unproven_email as email from tenants where id = ?", newcomer.tenantId);
    assert.deepEqual(row, { slug: tenant.clubSlug, email: tenant.email }, "who took the name keeps it");
  },
);

describe("what cannot be removed", { concurrency: true }, () => {
  const REFUSALS = {
    create_spreadsheet: { what: SCRIPT, status: 200, body: { ok: false, error: "Not today.", code: "QUOTA" } },
    configure_routing: {
      ...{ what: "api.cloudflare.com", nth: 1, status: 400 },
      body: { success: false, errors: [{ code: 1234, message: "Locked." }], result: null },
    },
  };

  for (const [step, { what, nth, ...refusal }] of Object.entries(REFUSALS)) {
    const refused = async () => {
      const tenant = await live("pro");
      await h.disturb(tenant.tenantId, { task: `undo_${step}`, what, nth, how: { kind: "status", ...refusal } });
      await remove(tenant);
      assert.equal(await removed(tenant), "compensation_failed");
      const { body } = await operator("GET", `/api/v1/bgops/sagas?status=compensation_failed&tenant=${tenant.tenantId}`);
      assert.deepEqual(body.data.map(({ runId }) => runId), [tenant.runId]);
      const { status, undo, made } = await saga(tenant);
      assert.deepEqual([status, undo.status, undo.step, undo.reason], ["completed", "compensation_failed", step, "COMPENSATION_REFUSED"]);
      assert.ok(undo.error.length > 20 && !/Not today|Locked|[<{]/.test(undo.error), `a sentence for people: ${undo.error}`);
      assert.equal(made.find((one) => one.step === step).status, "failed");
      const taken = await signUpAs(tenant, `other-${tenant.email}`);
      assert.deepEqual([taken.status, taken.body.error?.code], [409, "SLUG_TAKEN"], "its name is kept until it is gone");
      return tenant;
    };

    test(`by ${step} is seen, keeps the name, and is removed when it is tried again`, async () => {
      const tenant = await refused();
      assert.equal((await act(tenant, "retry")).status, 200);
      assert.equal(await removed(tenant), "undone");
      await assertGone(tenant);
      await assertSagaUndone(tenant);
      const attempts = (await historyOf(tenant.runId, `undo_${step}`)).map(({ outcome, error }) => [outcome, error]);
      assert.deepEqual(attempts, [
        ["refused", "COMPENSATION_REFUSED"],
        ["done", null],
      ]);
    });

    test(`by ${step} is left on an operator's word, and the rest goes`, async () => {
      const tenant = await refused();
      const other = step === "create_spreadsheet" ? "configure_routing" : "create_spreadsheet";
      assert.equal((await act(tenant, "skip-step", { step: other })).body.error?.code, "RUN_STATE_CONFLICT");
      // A second click leaves nothing more out.
      const clicks = await Promise.all([act(tenant, "skip-step", { step }), act(tenant, "skip-step", { step })]);
      assert.deepEqual(clicks.map(({ status }) => status).sort(), [200, 409]);
      assert.equal(await removed(tenant), "undone");
      await assertSagaUndone(tenant, [step]);
      assert.equal((await sheetsOf(tenant)).length, step === "create_spreadsheet" ? 1 : 0);
      assert.equal((await recordsOf(tenant)).length, step === "configure_routing" ? 1 : 0);
      assert.equal((await signUpAs(tenant)).status, 200);
      const again = await act(tenant, "retry");
      assert.deepEqual([again.status, again.body.error?.code], [409, "RUN_STATE_CONFLICT"], "it is over");
    });
  }

  test("because our own access is wrong, is said so", async () => {
    const tenant = await live("pro");
    const body = { success: false, errors: [{ code: 10000, message: "Authentication error" }], messages: [], result: null };
    await h.disturb(tenant.tenantId, { task: "undo_configure_routing", what: "api.cloudflare.com", nth: 1, how: { kind: "status", status: 403, body } });
    await remove(tenant);
    assert.equal(await removed(tenant), "compensation_failed");
    assert.equal((await saga(tenant)).undo.reason, "MISCONFIGURED");
    assert.equal((await operator("DELETE", `/api/v1/admin/tenants/${tenant.tenantId}`, { reason: "again" })).status, 202);
    assert.equal(await removed(tenant), "undone");
    await assertGone(tenant);
  });
});

describe("removed all the same is", { concurrency: true }, () => {
  test("a tenant that was never set up", async () => {
    const tenant = await newTenant("pro");
    await remove(tenant);
    assert.equal(await removed(tenant), "undone");
    await assertGone(tenant);
  });

  test("a tenant whose run failed, by its run, with what that made", async () => {
    const tenant = await ended("starter", { ...makeWebhook(), webhookUrl: "https://hook.eu2.make.com/gone" });
    assert.equal(tenant.status, "failed");
    [tenant.record] = await recordsOf(tenant);
    assert.equal((await act(tenant, "cancel")).body.error?.code, "RUN_STATE_CONFLICT");
    const { status, body } = await act(tenant, "cancel", { undo: true });
    assert.deepEqual([status, body.data?.undo], [200, "undoing"], JSON.stringify(body));
    await assertTokenIsDead(tenant);
    assert.equal(await removed(tenant), "undone");
    await assertGone(tenant);
    await assertSagaUndone(tenant);
  });

  test("a tenant while its spreadsheet is being made", async () => {
    const tenant = await newTenant("pro");
    await h.disturb(tenant.tenantId, { task: "create_spreadsheet", what: SCRIPT, how: { kind: "delay", ms: 3000 } });
    await h.confirm(tenant);
    await until(async () => (await h.work(tenant.tenantId)).work.create_spreadsheet?.includes(SCRIPT));
    await assertStopped(tenant);
  });

  test("a tenant whose webhook keeps silent", async () => {
    const tenant = await newTenant("starter");
    await h.disturb(tenant.tenantId, { task: "validate_webhook", what: "hook.eu2.make.com", how: { kind: "silence" } });
    await h.confirm(tenant, tenant.webhook);
    await until(async () => (await h.work(tenant.tenantId)).work.validate_webhook?.includes("hook.eu2.make.com"));
    await assertStopped(tenant);
    assert.deepEqual(await h.mails(tenant.email), []);
  });

  test("a tenant that waits for its next attempt", async () => {
    const tenant = await newTenant("pro");
    await h.disturb(tenant.tenantId, {
      ...{ task: "create_spreadsheet", what: SCRIPT },
      how: { kind: "lost", status: 429, headers: { "retry-after": "500" } },
    });
    await h.confirm(tenant);
    await until(async () => (await h.status(tenant)).body.data.steps.some(({ retryAt }) => retryAt));
    assert.equal((await sheetsOf(tenant)).length, 1, "made, and nobody knows");
    await assertStopped(tenant);
  });

  test("a tenant whose object lost its alarm on the way: the sweep finds it", async () => {
    const tenant = await live("pro");
    await h.disturb(tenant.tenantId, { task: "undo_create_spreadsheet", what: SCRIPT, how: "forget after" });
    await remove(tenant);
    await until(async () => (await h.work(tenant.tenantId)).ended);
    await h.operate(tenant.tenantId);
    assert.equal((await saga(tenant)).undo.status, "undoing");
    assert.equal(await h.storage(tenant.tenantId), null, "nothing began it again");
    await h.sql("update tenants set undo_updated_at = undo_updated_at - 120, swept_at = 0 where id = ?", tenant.tenantId);
    await h.sweep();
    assert.equal((await until(() => h.storage(tenant.tenantId))).alarm, null, "its alarm was lost");
    assert.equal(await removed(tenant), "undone");
    await assertGone(tenant);
  });

  async function assertStopped(tenant) {
    tenant.runId = (await remove(tenant)).runId;
    assert.equal(await removed(tenant), "undone");
    await assertGone(tenant);
    assert.deepEqual(await recordsOf(tenant), []);
    const { status, reason } = await saga(tenant);
    assert.deepEqual([status, reason], ["failed", "CANCELLED"]);
    await assertSagaUndone(tenant);
  }
});

describe("what others put under a tenant's name stays as it is,", { concurrency: true }, () => {
  const foreign = (tenant) => ({ name: `${tenant.clubSlug}.clubs.example`, comment: "the old site" });

  test("beside the tenant's own record", async () => {
    const tenant = await live("starter");
    const planted = await dashboard("POST", "", { ...foreign(tenant), type: "TXT", content: "v=spf1 -all" });
    await remove(tenant);
    assert.equal(await removed(tenant), "undone");
    await assertGone(tenant);
    assert.deepEqual(await recordsOf(tenant), [planted]);
  });

  test("or in its place", async () => {
    const tenant = await newTenant("starter");
    const planted = await dashboard("POST", "", { ...foreign(tenant), type: "CNAME", content: "clubs.example", proxied: true });
    await h.confirm(tenant, tenant.webhook);
    const { data } = await settled(tenant);
    assert.equal(data.reason, "SUBDOMAIN_CONFLICT");
    tenant.runId = data.runId;
    assert.equal((await act(tenant, "cancel", { undo: true })).status, 200);
    assert.equal(await removed(tenant), "undone");
    await assertGone(tenant);
    assert.deepEqual(await recordsOf(tenant), [planted]);
  });
});
