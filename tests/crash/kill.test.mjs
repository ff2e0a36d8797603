// Twenty tenants are being provisioned while the whole product runtime is killed, again and again, at random moments, and started on
// the same state. Every run ends `completed`, and nothing was done twice outside: the sandbox, which is not killed, kept count.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { after, test } from "node:test";
import { startService } from "../../scripts/lib/service.mjs";
import { client, makeWebhook, until } from "../client.mjs";
import { mailsAreDue } from "./database.mjs";

const TENANTS_PER_PLAN = 10;
const KILLS = 8;
/** Makes every outside call slow enough to be interrupted. */
const DELAY_MS = 60;

const seed = Number(process.env.CRASH_SEED ?? randomInt(2 ** 31));
const random = generator(seed);

const service = await startService();
after(() => service.stop());
const { sandbox, signup, confirm, status, mails: mailsThere } = client({
  url: service.url,
  secret: service.secrets.JWT_SECRET,
  sandboxFetch: (path, init) => fetch(new URL(path, service.sandboxUrl), init),
});

test("runs killed at random moments end completed, each outside effect done once", async (t) => {
  t.diagnostic(`seed ${seed} (CRASH_SEED=${seed} repeats it)`);
  await sandbox("/__sandbox/faults", { method: "POST", body: { host: "*", kind: "delay", ms: DELAY_MS, times: null } });
  const plans = ["starter", "pro"].flatMap((plan) => Array(TENANTS_PER_PLAN).fill(plan));
  const tenants = await Promise.all(plans.map(async (plan) => ({ ...(await signup({ plan })), webhook: makeWebhook() })));

  let interrupted = 0;
  let unfinished = tenants;
  for (let kill = 1; kill <= KILLS && unfinished.length > 0; kill++) {
    // A request that the kill cut off is asked again, as a client would; queueing twice starts nothing twice.
    const queueing = unfinished.filter((tenant) => !tenant.queued).map(queue);
    const calls = 1 + Math.floor(random() * 8);
    const pause = Math.floor(random() * DELAY_MS);
    await callsMade(calls);
    await sleep(pause);
    await service.kill();
    await Promise.all(queueing);
    await service.restart();
    unfinished = await stillRunning(unfinished);
    if (unfinished.length > 0) interrupted++;
    t.diagnostic(`kill ${kill}, ${pause} ms after call ${calls}: ${unfinished.length} of ${tenants.length} runs unfinished`);
  }
  assert.ok(interrupted >= 2, `only ${interrupted} kills hit a run that was under way`);

  await Promise.all(unfinished.filter((tenant) => !tenant.queued).map(queue));
  for (const tenant of tenants) {
    const end = await until(async () => over((await status(tenant)).body), { within: 60_000, every: 100, what: `${tenant.tenantId} to end` });
    assert.equal(end.status, "completed", `${tenant.plan} ${tenant.tenantId}: ${JSON.stringify(end)}`);
  }
  await nothingTwice(t, tenants);
});

async function queue(tenant) {
  try {
    const { status: code, body } = await confirm(tenant, tenant.webhook);
    assert.equal(code, 200, JSON.stringify(body));
    tenant.queued = true;
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    // The runtime died under the request.
  }
}

/** Waits until the sandbox has been asked `count` more times. */
async function callsMade(count) {
  const { requests } = await sandbox("/__sandbox/requests?limit=1");
  const last = requests.at(-1)?.id ?? 0;
  await until(async () => (await sandbox(`/__sandbox/requests?after=${last}&limit=${count}`)).requests.length >= count, {
    within: 3_000,
    every: 5,
    what: `${count} outside calls`,
  }).catch(() => {}); // The runs may need fewer: then the kill finds nothing, and says so.
}

async function stillRunning(tenants) {
  const bodies = await Promise.all(tenants.map((tenant) => status(tenant)));
  return tenants.filter((_, index) => bodies[index].body.status !== "completed");
}

async function nothingTwice(t, tenants) {
  // Those that were on their way when a process died leave with a sweep, and what is due leaves two a second.
  const allLeft = async () => {
    if ((await mailsThere()).length >= tenants.length) return true;
    await mailsAreDue(service);
    return false;
  };
  await until(allLeft, { within: 120_000, every: 2000, what: "the mails to leave" });
  const { effects } = await sandbox("/__sandbox/effects");
  t.diagnostic(`${effects.filter(({ requests }) => requests > 1).length} of ${effects.length} effects were asked for again`);
  const repeated = effects.filter(({ upstream, count }) => upstream !== "make" && count !== 1);
  assert.deepEqual(repeated, [], "effects that were not done exactly once");

  const pros = tenants.filter(({ plan }) => plan === "pro");
  const made = effects.filter(({ upstream, operation }) => upstream === "apps_script" && operation === "provision");
  assert.equal(made.length, pros.length, "one spreadsheet for each pro club");
  const mails = await mailsThere();
  assert.deepEqual(mails.flatMap(({ to }) => to).sort(), tenants.map(({ email }) => email).sort(), "one welcome mail for each club");

  // Make recognises no key, its receiver does: however often it was pinged, the pings are one.
  for (const tenant of tenants.filter(({ plan }) => plan === "starter")) {
    const { host, pathname } = new URL(tenant.webhook.webhookUrl);
    const { requests } = await sandbox(`/__sandbox/requests?host=${host}&path=${pathname}`);
    const keys = (operation) => new Set(requests.filter((request) => request.operation === operation).map(({ key }) => key));
    assert.equal(keys("ping").size, 1, `the keys under which ${tenant.tenantId} was pinged`);
    assert.ok(keys("event").size <= 1, `the keys under which ${tenant.tenantId} was told that it is provisioned`);
  }
}

const over = (body) => ["completed", "failed"].includes(body.status) && body;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** mulberry32: the same numbers for the same seed. */
function generator(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
