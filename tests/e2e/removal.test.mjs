// A club is removed. Its tokens are dead with the request. What was made for it is removed step by step, each confirmed before it counts.
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

const newClub = async (plan) => ({ ...(await h.signup({ plan })), webhook: makeWebhook() });

/** A club whose run has ended, with the id of its run. */
async function ended(plan, webhook) {
  const club = await newClub(plan);
  await h.confirm(club, webhook ?? club.webhook);
  const { status, data } = await settled(club);
  return { ...club, status, runId: data.runId };
}

/** A club at work, with its DNS record. */
async function live(plan) {
  const club = await ended(plan);
  assert.equal(club.status, "completed");
  const [record] = await recordsOf(club);
  return { ...club, record };
}

const dashboard = async (method, rest = "", body) => {
  const headers = { authorization: `Bearer ${TOKEN}` };
  return (await h.sandbox(`https://api.cloudflare.com/client/v4/zones/${ZONE}/dns_records${rest}`, { method, headers, body })).result;
};

const recordsOf = (club) => dashboard("GET", `?name.exact=${club.clubSlug}.clubs.example`);

const sheetsOf = async (club) =>
  (await h.sandbox("/__sandbox/spreadsheets")).spreadsheets.filter(({ tenantId }) => tenantId === club.tenantId);

const operator = (method, path, body) => h.api(method, path, { token: h.token(), body });

const saga = async (club, rest = "") => (await operator("GET", `/api/v1/bgops/sagas/${club.runId}${rest}`)).body.data;

const act = (club, action, more = {}) => operator("POST", `/api/v1/bgops/sagas/${club.runId}/${action}`, { reason: "as agreed", ...more });

async function remove(club) {
  const { status, body } = await operator("DELETE", `/api/v1/admin/tenants/${club.tenantId}`, { reason: "left the league" });
  assert.equal(status, 202, JSON.stringify(body));
  assert.deepEqual(body.data, { tenantId: club.tenantId, runId: club.runId ?? body.data.runId, undo: "undoing" });
  await assertTokenIsDead(club);
  return body.data;
}

async function assertTokenIsDead(club) {
  const { status, body } = await h.api("GET", "/whoami", { token: club.jwt });
  assert.deepEqual([status, body.error?.code, body.error?.reason], [403, "FORBIDDEN", "token_revoked"]);
}

const signUpAs = (club, email = club.email) =>
  h.api("POST", "/public/signup/start", { body: { clubName: "Newcomers", clubSlug: club.clubSlug, email, plan: club.plan } });

const OWN_ROWS = ["auth_users", "make_connections", "pro_automation", "tenant_brand", "feed_posts", "idempotency_keys"];

/** Nothing is left of the club but its history; what was removed outside was removed once; its name and address are free. */
async function assertGone(club) {
  const counts = OWN_ROWS.map((table) => `(select count(*) from ${table} where tenant_id = t.id) as ${table}`).join(", ");
  const [row] = await h.sql(`select slug, email, status, undo_state, route_ready, ${counts} from tenants t where id = ?`, club.tenantId);
  const none = Object.fromEntries(OWN_ROWS.map((table) => [table, 0]));
  assert.deepEqual(row, { slug: null, email: null, status: "cancelled", undo_state: "undone", route_ready: 0, ...none });
  assert.deepEqual(await sheetsOf(club), []);
  const events = await h.sql("select type from domain_events where tenant_id = ? and type = 'tenant.deprovisioned'", club.tenantId);
  assert.equal(events.length, 1);
  if (club.record) {
    assert.deepEqual((await recordsOf(club)).filter(({ id }) => id === club.record.id), []);
    await assertOnce(club.record.id);
  }
  if (club.plan === "pro" && club.record) await assertOnce(`${club.runId}/undo_create_spreadsheet`);
  await assertTokenIsDead(club);
  const newcomer = await signUpAs(club);
  assert.equal(newcomer.status, 200, JSON.stringify(newcomer.body));
  assert.notEqual(newcomer.body.tenantId, club.tenantId);
  return newcomer.body;
}

async function assertOnce(key) {
  const effects = await effectsUnder(key);
  assert.deepEqual(effects.map(({ count }) => count), [1], key);
}

async function assertSagaUndone(club, left = []) {
  const { undo, made } = await saga(club);
  assert.deepEqual(undo, { status: "undone", step: null, reason: null, error: null });
  for (const { step, status } of made) assert.equal(status, left.includes(step) ? "left" : "removed", step);
  return made;
}

/** What removing a club calls, undisturbed. */
async function removals(plan) {
  const club = await live(plan);
  await remove(club);
  assert.equal(await removed(club), "undone");
  await assertGone(club);
  await assertSagaUndone(club);
  const { work } = await h.work(club.tenantId);
  return Object.entries(work).filter(([task]) => task.startsWith("undo_"));
}

const pro = await removals("pro");

test("a starter club leaves what every club leaves, and nothing that only a pro club does", async () => {
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
    const club = await live("pro");
    await h.disturb(club.tenantId, cell);
    await remove(club);
    assert.equal(await removed(club), "undone");
    const newcomer = await assertGone(club);
    await until(async () => (await h.work(club.tenantId)).disturbed, { what: "the disturbance", every: 250 });
    const attempts = await until(async () => {
      const attempts = await historyOf(club.runId, cell.task);
      return attempts.length >= 2 && attempts;
    });
    // Letting go of the name and writing so is one batch.
    assertTold(attempts, cell, cell.task === "undo_seed_defaults" && /after$/.test(cell.how));
    await assertSagaUndone(club);
    const [row] = await h.sql("select slug, email from tenants where id = ?", newcomer.tenantId);
    assert.deepEqual(row, { slug: club.clubSlug, email: club.email }, "who took the name keeps it");
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
      const club = await live("pro");
      await h.disturb(club.tenantId, { task: `undo_${step}`, what, nth, how: { kind: "status", ...refusal } });
      await remove(club);
      assert.equal(await removed(club), "compensation_failed");
      const { body } = await operator("GET", `/api/v1/bgops/sagas?status=compensation_failed&tenant=${club.tenantId}`);
      assert.deepEqual(body.data.map(({ runId }) => runId), [club.runId]);
      const { status, undo, made } = await saga(club);
      assert.deepEqual([status, undo.status, undo.step, undo.reason], ["completed", "compensation_failed", step, "COMPENSATION_REFUSED"]);
      assert.ok(undo.error.length > 20 && !/Not today|Locked|[<{]/.test(undo.error), `a sentence for people: ${undo.error}`);
      assert.equal(made.find((one) => one.step === step).status, "failed");
      const taken = await signUpAs(club, `other-${club.email}`);
      assert.deepEqual([taken.status, taken.body.error?.code], [409, "SLUG_TAKEN"], "its name is kept until it is gone");
      return club;
    };

    test(`by ${step} is seen, keeps the name, and is removed when it is tried again`, async () => {
      const club = await refused();
      assert.equal((await act(club, "retry")).status, 200);
      assert.equal(await removed(club), "undone");
      await assertGone(club);
      await assertSagaUndone(club);
      const attempts = (await historyOf(club.runId, `undo_${step}`)).map(({ outcome, error }) => [outcome, error]);
      assert.deepEqual(attempts, [
        ["refused", "COMPENSATION_REFUSED"],
        ["done", null],
      ]);
    });

    test(`by ${step} is left on an operator's word, and the rest goes`, async () => {
      const club = await refused();
      const other = step === "create_spreadsheet" ? "configure_routing" : "create_spreadsheet";
      assert.equal((await act(club, "skip-step", { step: other })).body.error?.code, "RUN_STATE_CONFLICT");
      // A second click leaves nothing more out.
      const clicks = await Promise.all([act(club, "skip-step", { step }), act(club, "skip-step", { step })]);
      assert.deepEqual(clicks.map(({ status }) => status).sort(), [200, 409]);
      assert.equal(await removed(club), "undone");
      await assertSagaUndone(club, [step]);
      assert.equal((await sheetsOf(club)).length, step === "create_spreadsheet" ? 1 : 0);
      assert.equal((await recordsOf(club)).length, step === "configure_routing" ? 1 : 0);
      assert.equal((await signUpAs(club)).status, 200);
      const again = await act(club, "retry");
      assert.deepEqual([again.status, again.body.error?.code], [409, "RUN_STATE_CONFLICT"], "it is over");
    });
  }

  test("because our own access is wrong, is said so", async () => {
    const club = await live("pro");
    const body = { success: false, errors: [{ code: 10000, message: "Authentication error" }], messages: [], result: null };
    await h.disturb(club.tenantId, { task: "undo_configure_routing", what: "api.cloudflare.com", nth: 1, how: { kind: "status", status: 403, body } });
    await remove(club);
    assert.equal(await removed(club), "compensation_failed");
    assert.equal((await saga(club)).undo.reason, "MISCONFIGURED");
    assert.equal((await operator("DELETE", `/api/v1/admin/tenants/${club.tenantId}`, { reason: "again" })).status, 202);
    assert.equal(await removed(club), "undone");
    await assertGone(club);
  });
});

describe("removed all the same is", { concurrency: true }, () => {
  test("a club that was never set up", async () => {
    const club = await newClub("pro");
    await remove(club);
    assert.equal(await removed(club), "undone");
    await assertGone(club);
  });

  test("a club whose run failed, by its run, with what that made", async () => {
    const club = await ended("starter", { ...makeWebhook(), webhookUrl: "https://hook.eu2.make.com/gone" });
    assert.equal(club.status, "failed");
    [club.record] = await recordsOf(club);
    assert.equal((await act(club, "cancel")).body.error?.code, "RUN_STATE_CONFLICT");
    const { status, body } = await act(club, "cancel", { undo: true });
    assert.deepEqual([status, body.data?.undo], [200, "undoing"], JSON.stringify(body));
    await assertTokenIsDead(club);
    assert.equal(await removed(club), "undone");
    await assertGone(club);
    await assertSagaUndone(club);
  });

  test("a club while its spreadsheet is being made", async () => {
    const club = await newClub("pro");
    await h.disturb(club.tenantId, { task: "create_spreadsheet", what: SCRIPT, how: { kind: "delay", ms: 3000 } });
    await h.confirm(club);
    await until(async () => (await h.work(club.tenantId)).work.create_spreadsheet?.includes(SCRIPT));
    await assertStopped(club);
  });

  test("a club whose webhook keeps silent", async () => {
    const club = await newClub("starter");
    await h.disturb(club.tenantId, { task: "validate_webhook", what: "hook.eu2.make.com", how: { kind: "silence" } });
    await h.confirm(club, club.webhook);
    await until(async () => (await h.work(club.tenantId)).work.validate_webhook?.includes("hook.eu2.make.com"));
    await assertStopped(club);
    assert.deepEqual(await h.sandbox(`/__sandbox/mails?to=${club.email}`), { mails: [] });
  });

  test("a club that waits for its next attempt", async () => {
    const club = await newClub("pro");
    await h.disturb(club.tenantId, {
      ...{ task: "create_spreadsheet", what: SCRIPT },
      how: { kind: "lost", status: 429, headers: { "retry-after": "500" } },
    });
    await h.confirm(club);
    await until(async () => (await h.status(club)).body.data.steps.some(({ retryAt }) => retryAt));
    assert.equal((await sheetsOf(club)).length, 1, "made, and nobody knows");
    await assertStopped(club);
  });

  test("a club whose object lost its alarm on the way: the sweep finds it", async () => {
    const club = await live("pro");
    await h.disturb(club.tenantId, { task: "undo_create_spreadsheet", what: SCRIPT, how: "forget after" });
    await remove(club);
    await until(async () => (await h.work(club.tenantId)).ended);
    await h.operate(club.tenantId);
    assert.equal((await saga(club)).undo.status, "undoing");
    assert.equal(await h.storage(club.tenantId), null, "nothing began it again");
    await h.sql("update tenants set undo_updated_at = undo_updated_at - 120, swept_at = 0 where id = ?", club.tenantId);
    await h.sweep();
    assert.equal((await until(() => h.storage(club.tenantId))).alarm, null, "its alarm was lost");
    assert.equal(await removed(club), "undone");
    await assertGone(club);
  });

  async function assertStopped(club) {
    club.runId = (await remove(club)).runId;
    assert.equal(await removed(club), "undone");
    await assertGone(club);
    assert.deepEqual(await recordsOf(club), []);
    const { status, reason } = await saga(club);
    assert.deepEqual([status, reason], ["failed", "CANCELLED"]);
    await assertSagaUndone(club);
  }
});

describe("what others put under a club's name stays as it is,", { concurrency: true }, () => {
  const foreign = (club) => ({ name: `${club.clubSlug}.clubs.example`, comment: "the old site" });

  test("beside the club's own record", async () => {
    const club = await live("starter");
    const planted = await dashboard("POST", "", { ...foreign(club), type: "TXT", content: "v=spf1 -all" });
    await remove(club);
    assert.equal(await removed(club), "undone");
    await assertGone(club);
    assert.deepEqual(await recordsOf(club), [planted]);
  });

  test("or in its place", async () => {
    const club = await newClub("starter");
    const planted = await dashboard("POST", "", { ...foreign(club), type: "CNAME", content: "clubs.example", proxied: true });
    await h.confirm(club, club.webhook);
    const { data } = await settled(club);
    assert.equal(data.reason, "SUBDOMAIN_CONFLICT");
    club.runId = data.runId;
    assert.equal((await act(club, "cancel", { undo: true })).status, 200);
    assert.equal(await removed(club), "undone");
    await assertGone(club);
    assert.deepEqual(await recordsOf(club), [planted]);
  });
});
