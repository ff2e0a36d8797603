// Every step against everything that can go wrong with it. provision-status says which steps there are, and an undisturbed run shows what
// each calls. So an added step is disturbed without a test of its own. Whatever happens, the run ends completed, its history says what
// happened, and what was done outside was done once under each key.
//
// A process that is killed at each step: tests/crash/steps.test.mjs.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { makeWebhook, until } from "./harness.mjs";
import { startInstrumented } from "./instrumented.mjs";
import { witness } from "./once.mjs";
import { assertTold, disturbancesOf, each } from "./disturbances.mjs";

const h = await startInstrumented({
  // Each tenant with a DNS record of its own: of all ways to be reached, the one that can fail.
  vars: { SUBDOMAIN_MODE: "record", CLOUDFLARE_ZONE_ID: "0123456789abcdef0123456789abcdef" },
  secrets: { CLOUDFLARE_API_TOKEN: "end-to-end tests edit DNS with this" },
});
after(() => h.close());
const { settled, assertDoneOnce, effectsUnder, historyOf } = witness(h);

// So much goes wrong here at once that breakers would open: that is another test's.
await h.behave({ breaker: "failing" });

const newTenant = async (plan) => ({ ...(await h.signup({ plan })), webhook: makeWebhook() });

/** The steps of a plan, as its tenant is told before they begin, with what each calls in an undisturbed run. */
async function stepsOf(plan) {
  const tenant = await newTenant(plan);
  const { steps } = (await h.status(tenant)).body.data;
  await h.confirm(tenant, tenant.webhook);
  assert.equal((await settled(tenant)).status, "completed");
  const { work } = await h.work(tenant.tenantId);
  return steps.map(({ name }) => ({ plan, step: name, calls: work[name] ?? [] }));
}

const pro = await stepsOf("pro");
const starter = await stepsOf("starter");
// What the plans share is disturbed in the pro run.
const steps = [...pro, ...starter.filter(({ step }) => !pro.some((one) => one.step === step))];

/** What these do in D1 is written with the run's listing, which tests/e2e/interruptions.test.mjs disturbs. */
const WRITTEN_LATER = ["seed_defaults", "create_owner", "send_welcome_email"];

test("every step that calls anything is disturbed, and the others are written with the listing", () => {
  assert.ok(pro.length >= 7 && starter.length >= 6);
  const silent = steps.filter(({ calls }) => calls.length === 0).map(({ step }) => step);
  assert.deepEqual(silent, WRITTEN_LATER);
});

const cells = steps.flatMap(({ plan, step, calls }) => disturbancesOf(step, calls).map((cell) => ({ plan, ...cell })));

each("a run completes although", cells, async (cell) => {
  const tenant = await newTenant(cell.plan);
  await h.disturb(tenant.tenantId, cell);
  await h.confirm(tenant, tenant.webhook);
  const { status, data } = await settled(tenant);
  assert.equal(status, "completed", JSON.stringify(data));
  await until(async () => (await h.work(tenant.tenantId)).disturbed, { what: "the disturbance", every: 250 });
  await assertAttempts(cell, data);
  await assertDoneOnce(tenant, data);
  const [record] = await effectsUnder(`CNAME ${tenant.clubSlug}.clubs.example`);
  assert.equal(record.count, 1);
});

async function assertAttempts(cell, { runId, steps }) {
  const { task, what, how, isAnAnswer } = cell;
  // Going live and writing so is one batch: whoever missed its answer hears of it when D1 is told how it went.
  const isWritten = task === pro.at(-1).step && /after$/.test(how);
  // Make queues whatever it gets: any 2xx is its yes, whatever it says.
  const isHeard = isAnAnswer && /make\.com$/.test(what);
  const count = isHeard || (isWritten && how !== "reset after") ? 1 : 2;
  const attempts = await until(async () => {
    const attempts = await historyOf(runId, task);
    return attempts.length >= count && attempts;
  });
  if (count > 1) assertTold(attempts, cell, isWritten);
  else assert.deepEqual(attempts.map(({ outcome, error }) => [outcome, error]), [["done", null]]);
  for (const { name, attempts } of steps) assert.equal(attempts, name === task && !isWritten ? count : 1, name);
}
