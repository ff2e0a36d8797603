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

const newTenant = async (plan) => ({ ...(await h.signup({ plan })), webhook: makeWebhook() });

/** The moments of an undisturbed run, those of its steps left out: the tests below strike at each of them. */
async function momentsOf(plan) {
  const tenant = await newTenant(plan);
  await h.confirm(tenant, tenant.webhook);
  assert.equal((await settled(tenant)).status, "completed");
  // The object has one thing more to tell D1 when the listing says completed already, an event to deliver, and then a mail.
  const waiting = (table) => h.sql(`select id from ${table} where tenant_id = ? and status = 'pending'`, tenant.tenantId);
  await until(async () => [...(await waiting("webhook_deliveries")), ...(await waiting("mails"))].length === 0);
  return until(async () => {
    const { moments, between } = await h.moments(tenant.tenantId);
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
          const tenant = await newTenant(plan);
          await h.strike(tenant.tenantId, at, kind);
          await h.confirm(tenant, tenant.webhook);
          const { status, data } = await settled(tenant);
          assert.equal(status, "completed", JSON.stringify(data));
          await until(async () => (await h.moments(tenant.tenantId)).struck, { what: "the strike", every: 250 });
          for (const { name, attempts } of data.steps) assert.equal(attempts, 1, name);
          await assertDoneOnce(tenant, data);
        });
      }
    }
  }
});

describe("evicted while it waits for the next attempt, the object goes on", { concurrency: true }, () => {
  for (const [step, plan, target] of [
    ["validate_webhook", "starter", (tenant) => ({ host: "hook.eu2.make.com", path: new URL(tenant.webhook.webhookUrl).pathname })],
    ["create_spreadsheet", "pro", (tenant) => ({ host: "script.google.com", bodyIncludes: tenant.tenantId })],
    ["verify_spreadsheet", "pro", (tenant) => ({ host: "script.google.com", bodyIncludes: tenant.tenantId, skip: 1 })],
  ]) {
    test(`at ${step}`, async () => {
      const tenant = await newTenant(plan);
      await h.sandbox("/__sandbox/faults", { method: "POST", body: { ...target(tenant), kind: "status", status: 503, times: 1 } });
      await h.confirm(tenant, tenant.webhook);
      await until(async () => (await h.status(tenant)).body.data.steps.some(({ name, retryAt }) => name === step && retryAt !== null));
      await h.evict(tenant.tenantId);
      const { status, data } = await settled(tenant);
      assert.equal(status, "completed", JSON.stringify(data));
      for (const { name, attempts } of data.steps) assert.equal(attempts, name === step ? 2 : 1, name);
      await assertDoneOnce(tenant, data);
    });
  }

  test("unless its alarm was lost, too: then the sweep wakes it", async () => {
    const tenant = await newTenant("pro");
    await h.disturb(tenant.tenantId, { task: "create_spreadsheet", what: "script.google.com", how: "forget after" });
    await h.confirm(tenant);
    await until(async () => (await h.work(tenant.tenantId)).ended);
    await h.operate(tenant.tenantId);
    await h.sweep();
    assert.equal((await h.status(tenant)).body.status, "processing", "what moved a moment ago is left alone");
    assert.equal(await h.storage(tenant.tenantId), null, "nothing began it again");

    await age(tenant);
    await h.sweep();
    assert.equal((await until(() => h.storage(tenant.tenantId))).alarm, null, "its alarm was lost");
    const { status, data } = await settled(tenant);
    assert.equal(status, "completed", JSON.stringify(data));
    await assertDoneOnce(tenant, data);
  });

  test("and after it completed, it still knows", async () => {
    const tenant = await newTenant("starter");
    await h.confirm(tenant, tenant.webhook);
    const end = await settled(tenant);
    await until(() => h.evict(tenant.tenantId).then(() => true));
    const again = await h.confirm(tenant, tenant.webhook);
    assert.deepEqual([again.status, again.body.data.status, again.body.data.changed], [200, "completed", false]);
    assert.deepEqual((await h.status(tenant)).body, end);
  });
});

/** As if the run had not moved for two minutes. */
const age = (tenant) => h.sql("update tenants set provision_updated_at = provision_updated_at - 120, swept_at = 0 where id = ?", tenant.tenantId);

test("the sweep begins what was asked for while the object was away", async () => {
  const tenant = await newTenant("pro");
  await h.behave({ object: "failing" });
  assert.equal((await h.confirm(tenant)).status, 503);
  await h.behave({ object: "ok" });
  await age(tenant);
  await h.sweep();
  const { status, data } = await settled(tenant);
  assert.equal(status, "completed", JSON.stringify(data));
  await assertDoneOnce(tenant, data);
});
