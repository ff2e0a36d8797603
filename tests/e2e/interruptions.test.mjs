// Runs that are interrupted: the object reset, or a call of it broken, at each moment there is, and the object evicted while it
// waits. Each ends completed without anybody asking, and what was done outside was done once under each key.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { makeWebhook, until } from "./harness.mjs";
import { startInstrumented } from "./instrumented.mjs";

const h = await startInstrumented();
after(() => h.close());

const newClub = async (plan) => ({ ...(await h.signup({ plan })), webhook: makeWebhook() });

let states;
/** Where every club stands. Asked for all who wait: a hundred runs at once must not drown in each other's questions. */
function ask() {
  states ??= h.sql("select id, provision_state as state from tenants").then((rows) => {
    setTimeout(() => (states = undefined), 200);
    return new Map(rows.map(({ id, state }) => [id, state]));
  });
  return states;
}

/** Waits until the club's run is over; answers provision-status. */
async function settled(club) {
  const over = async () => ["completed", "failed"].includes((await ask()).get(club.tenantId));
  await until(over, { within: 60_000, every: 200, what: `the run of ${club.tenantId} to end` });
  return (await h.status(club)).body;
}

/** The moments of an undisturbed run: the tests below strike at each of them. */
async function momentsOf(plan) {
  const club = await newClub(plan);
  await h.confirm(club, club.webhook);
  assert.equal((await settled(club)).status, "completed");
  // The object has one thing more to tell D1 when the listing says completed already, and an event to deliver.
  await until(async () => (await h.sql("select id from webhook_deliveries where tenant_id = ? and status = 'pending'", club.tenantId)).length === 0);
  return until(async () => {
    const { moments } = await h.moments(club.tenantId);
    return moments.length % 2 === 0 && /webhook_deliveries/.test(moments.at(-1)) && moments;
  });
}

const pro = await momentsOf("pro");
// What the plans share is struck in the pro run.
const starter = (await momentsOf("starter")).map((moment) => (/hook|make/.test(moment) ? moment : null));

describe("a run completes", { concurrency: true }, () => {
  for (const [plan, moments] of Object.entries({ starter, pro })) {
    for (const [at, moment] of moments.entries()) {
      if (moment === null) continue;
      for (const [kind, what] of [
        ["reset", "the object is reset"],
        ["break", "the call breaks"],
      ]) {
        test(`although ${what} ${moment} (${plan}, ${at})`, async () => {
          const club = await newClub(plan);
          await h.strike(club.tenantId, at, kind);
          await h.confirm(club, club.webhook);
          const { status, data } = await settled(club);
          assert.equal(status, "completed", JSON.stringify(data));
          await until(async () => (await h.moments(club.tenantId)).struck, { what: "the strike", every: 250 });
          await assertDoneOnce(club, data);
        });
      }
    }
  }
});

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
      const { status, data } = await settled(club);
      assert.equal(status, "completed", JSON.stringify(data));
      for (const { name, attempts } of data.steps) assert.equal(attempts, name === step ? 2 : 1, name);
      await assertDoneOnce(club, data);
    });
  }

  test("unless its alarm was lost, too: then the sweep wakes it", async () => {
    const club = await newClub("pro");
    await h.strike(
      club.tenantId,
      pro.findIndex((moment) => moment.startsWith("after script.google.com")),
      "forget",
    );
    await h.confirm(club);
    await until(async () => (await h.moments(club.tenantId)).struck);
    // An alarm that failed is rung again within two seconds; this one is not.
    await new Promise((done) => setTimeout(done, 3000));
    await h.sweep();
    assert.equal((await h.status(club)).body.status, "processing", "what moved a moment ago is left alone");

    await age(club);
    await h.sweep();
    const { status, data } = await settled(club);
    assert.equal(status, "completed", JSON.stringify(data));
    await assertDoneOnce(club, data);
  });

  test("and after it completed, it still knows", async () => {
    const club = await newClub("starter");
    await h.confirm(club, club.webhook);
    const end = await settled(club);
    await until(() => h.evict(club.tenantId).then(() => true));
    const again = await h.confirm(club, club.webhook);
    assert.deepEqual([again.status, again.body.data.status, again.body.data.changed], [200, "completed", false]);
    assert.deepEqual((await h.status(club)).body, end);
  });
});

/** As if the run had not moved for two minutes. */
const age = (club) => h.sql("update tenants set provision_updated_at = provision_updated_at - 120 where id = ?", club.tenantId);

test("the sweep begins what was asked for while the object was away", async () => {
  const club = await newClub("pro");
  await h.behave({ object: "failing" });
  assert.equal((await h.confirm(club)).status, 503);
  await h.behave({ object: "ok" });
  await age(club);
  await h.sweep();
  const { status, data } = await settled(club);
  assert.equal(status, "completed", JSON.stringify(data));
  await assertDoneOnce(club, data);
});

const OUTSIDE = {
  starter: ["make/validate_webhook", "resend/send_welcome_email"],
  pro: ["apps-script/create_spreadsheet", "resend/send_welcome_email"],
};

/** One run, one of each thing in D1, and one effect under each key; at most one step was tried twice. */
async function assertDoneOnce(club, data) {
  const [there] = await h.sql(
    `select status, provision_state,
       (select count(*) from provision_runs where tenant_id = t.id) as runs,
       (select count(*) from auth_users where tenant_id = t.id) as owners,
       (select count(*) from feed_posts where tenant_id = t.id) as posts,
       (select count(*) from tenant_brand where tenant_id = t.id) as brands,
       (select group_concat(type) from domain_events where tenant_id = t.id) as events
     from tenants t where id = ?`,
    club.tenantId,
  );
  assert.deepEqual(there, {
    ...{ status: "active", provision_state: "completed", runs: 1, owners: 1, posts: 1, brands: 1 },
    events: "tenant.signed_up,tenant.provisioned",
  });
  const repeated = data.steps.filter(({ attempts }) => attempts > 1);
  assert.ok(repeated.length <= 1 && data.steps.every(({ attempts }) => attempts <= 2), JSON.stringify(data.checkpoints));
  assert.deepEqual(data.warnings, []);

  for (const [upstream, step] of OUTSIDE[club.plan].map((word) => word.split("/"))) {
    const key = `${data.runId}/${step}`;
    const { effects } = await h.sandbox(`/__sandbox/effects?key=${encodeURIComponent(key)}`);
    assert.equal(effects.length, 1);
    // Make recognises no keys: a ping whose answer was lost is sent again, and counts twice.
    const most = upstream === "make" ? 2 : 1;
    assert.ok(effects[0].count >= 1 && effects[0].count <= most, `${effects[0].count} under ${key}`);
    const { requests } = await h.sandbox(`/__sandbox/requests?key=${encodeURIComponent(key)}`);
    assert.equal(new Set(requests.map(({ body }) => body)).size, 1, "every attempt sends the same to the byte");
  }
}
