// Runs that are interrupted: the object reset, or a call of it broken, at each moment there is, and the object evicted while it
// waits. Each ends completed without anybody asking, and what was done outside was done once under each key.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { makeWebhook, until } from "./harness.mjs";
import { startInstrumented } from "./instrumented.mjs";

const h = await startInstrumented();
after(() => h.close());

/** Make recognises no keys: a ping whose answer was lost is sent again, the same to the byte. */
const MAKE_TWICE = 2;

const newClub = async (plan) => ({ ...(await h.signup({ plan })), webhook: makeWebhook() });

/** The moments of an undisturbed run: the tests below strike at each of them. */
async function momentsOf(plan) {
  const club = await newClub(plan);
  await h.confirm(club, club.webhook);
  assert.equal((await h.settled(club)).status, "completed");
  // The object has more to say to D1 after the listing says completed.
  return until(async () => {
    const seen = (await h.observed()).moments[club.tenantId];
    return seen.length % 2 === 0 && seen.filter((word) => word.includes("provision_runs") || word.includes("update tenants set")).length > 0 && seen;
  });
}

const MOMENTS = { starter: await momentsOf("starter"), pro: await momentsOf("pro") };

for (const [kind, what] of [
  ["reset", "the object is reset"],
  ["break", "the call breaks"],
]) {
  for (const [plan, moments] of Object.entries(MOMENTS)) {
    describe(`a ${plan} run completes when ${what}`, { concurrency: true }, () => {
      for (const [at, moment] of moments.entries()) {
        test(`${moment} (${at})`, async () => {
          const club = await newClub(plan);
          await h.strike(club.tenantId, at, kind);
          await h.confirm(club, club.webhook);
          const { status, data } = await h.settled(club, { within: 60_000, every: 100 });
          assert.equal(status, "completed", JSON.stringify(data));
          await until(async () => !(await h.observed()).pending.includes(club.tenantId), { what: "the strike" });
          await assertDoneOnce(club, data);
        });
      }
    });
  }
}

describe("evicted while it waits for the next attempt, the object goes on", { concurrency: true }, () => {
  for (const [step, plan, target] of [
    ["validate_webhook", "starter", (club) => ({ host: "hook.eu2.make.com", path: new URL(club.webhook.webhookUrl).pathname })],
    ["create_spreadsheet", "pro", (club) => ({ host: "script.google.com", bodyIncludes: club.tenantId })],
    ["verify_spreadsheet", "pro", (club) => ({ host: "script.google.com", bodyIncludes: club.tenantId, skip: 1 })],
    ["send_welcome_email", "pro", (club) => ({ host: "api.resend.com", bodyIncludes: club.email })],
  ]) {
    test(`at ${step}`, async () => {
      const club = await newClub(plan);
      await h.sandbox("/__sandbox/faults", { method: "POST", body: { ...target(club), kind: "status", status: 503, times: 1 } });
      await h.confirm(club, club.webhook);
      await until(async () => (await h.status(club)).body.data.steps.some(({ name, retryAt }) => name === step && retryAt !== null));
      await h.evict(club.tenantId);
      const { status, data } = await h.settled(club, { within: 60_000 });
      assert.equal(status, "completed", JSON.stringify(data));
      for (const { name, attempts } of data.steps) assert.equal(attempts, name === step ? 2 : 1, name);
      await assertDoneOnce(club, data);
    });
  }

  test("and after it completed, it still knows", async () => {
    const club = await newClub("starter");
    await h.confirm(club, club.webhook);
    const end = await h.settled(club);
    await until(() => h.evict(club.tenantId).then(() => true));
    const again = await h.confirm(club, club.webhook);
    assert.deepEqual([again.status, again.body.data.status, again.body.data.changed], [200, "completed", false]);
    assert.deepEqual((await h.status(club)).body, end);
  });
});

/** One run, one of each thing in D1, and one effect under each key; an attempt more than once only at the step that was struck. */
async function assertDoneOnce(club, data) {
  const counts = {
    runs: "provision_runs where tenant_id",
    owners: "auth_users where tenant_id",
    posts: "feed_posts where tenant_id",
    brands: "tenant_brand where tenant_id",
  };
  for (const [what, table] of Object.entries(counts)) {
    const [{ rows }] = await h.sql(`select count(*) as rows from ${table} = ?`, club.tenantId);
    assert.equal(rows, 1, what);
  }
  const events = await h.sql("select type from domain_events where tenant_id = ? order by type", club.tenantId);
  assert.deepEqual(
    events.map(({ type }) => type),
    ["tenant.provisioned", "tenant.signed_up"],
  );
  const [tenant] = await h.sql("select status, provision_state from tenants where id = ?", club.tenantId);
  assert.deepEqual(tenant, { status: "active", provision_state: "completed" });

  const repeated = data.steps.filter(({ attempts }) => attempts > 1);
  assert.ok(repeated.length <= 1 && data.steps.every(({ attempts }) => attempts <= 2), JSON.stringify(data.checkpoints));
  assert.deepEqual(data.warnings, []);

  const { effects } = await h.sandbox("/__sandbox/effects");
  const own = effects.filter(({ key }) => key?.startsWith(`${data.runId}/`));
  assert.equal(own.length, 2);
  for (const { upstream, key, count } of own) {
    if (upstream === "make") assert.ok(count >= 1 && count <= MAKE_TWICE, `${count} pings`);
    else assert.equal(count, 1, key);
    const { requests } = await h.sandbox(`/__sandbox/requests?key=${encodeURIComponent(key)}`);
    assert.equal(new Set(requests.map(({ body }) => body)).size, 1, "every attempt sends the same to the byte");
  }
}
