// Runs that are interrupted between their steps: the object is reset, or one of its calls broken, at each moment that belongs to no step.
// matrix.test.mjs has the others. Also the object evicted while it waits. Each ends completed without anybody asking, and what was done
// outside was done once under each key.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { makeWebhook, until } from "./harness.mjs";
import { startInstrumented } from "./instrumented.mjs";
import { witness } from "./once.mjs";

const h = await startInstrumented();
after(() => h.close());
const { settled, assertDoneOnce } = witness(h);

const newClub = async (plan) => ({ ...(await h.signup({ plan })), webhook: makeWebhook() });

/** The moments of an undisturbed run, those of its steps left out: the tests below strike at each of them. */
async function momentsOf(plan) {
  const club = await newClub(plan);
  await h.confirm(club, club.webhook);
  assert.equal((await settled(club)).status, "completed");
  // The object has one thing more to tell D1 when the listing says completed already, an event to deliver, and then a mail.
  const waiting = (table) => h.sql(`select id from ${table} where tenant_id = ? and status = 'pending'`, club.tenantId);
  await until(async () => [...(await waiting("webhook_deliveries")), ...(await waiting("mails"))].length === 0);
  return until(async () => {
    const { moments, between } = await h.moments(club.tenantId);
    const isOver = moments.length % 2 === 0 && / mails /.test(moments.at(-1));
    return isOver && moments.map((moment, at) => (between.includes(at) ? moment : null));
  });
}

const pro = await momentsOf("pro");
// What the plans share is struck in the pro run.
const starter = (await momentsOf("starter")).map((moment) => (/hook|make/.test(moment ?? "") ? moment : null));

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
          for (const { name, attempts } of data.steps) assert.equal(attempts, 1, name);
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
    await h.disturb(club.tenantId, { task: "create_spreadsheet", what: "script.google.com", how: "forget after" });
    await h.confirm(club);
    await until(async () => (await h.work(club.tenantId)).ended);
    await h.operate(club.tenantId);
    await h.sweep();
    assert.equal((await h.status(club)).body.status, "processing", "what moved a moment ago is left alone");
    assert.equal(await h.storage(club.tenantId), null, "nothing began it again");

    await age(club);
    await h.sweep();
    assert.equal((await until(() => h.storage(club.tenantId))).alarm, null, "its alarm was lost");
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
const age = (club) => h.sql("update tenants set provision_updated_at = provision_updated_at - 120, swept_at = 0 where id = ?", club.tenantId);

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
