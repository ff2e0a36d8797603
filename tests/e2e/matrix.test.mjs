// Every step against everything that can go wrong with it. Which steps there are, provision-status says; what each calls, an
// undisturbed run shows: a step that is added is disturbed without a test of its own. Whatever happens, the run ends completed, its
// history says what happened, and what was done outside was done once under each key.
//
// A process that is killed at each step: tests/crash/steps.test.mjs.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { makeWebhook, until } from "./harness.mjs";
import { startInstrumented } from "./instrumented.mjs";
import { witness } from "./once.mjs";
import { BY_US, IN_D1, OUTSIDE } from "./disturbances.mjs";

const h = await startInstrumented({
  // Each club with a DNS record of its own: of all ways to be reached, the one that can fail.
  vars: { SUBDOMAIN_MODE: "record", CLOUDFLARE_ZONE_ID: "0123456789abcdef0123456789abcdef" },
  secrets: { CLOUDFLARE_API_TOKEN: "end-to-end tests edit DNS with this" },
});
after(() => h.close());
const { settled, assertDoneOnce, effectsUnder } = witness(h);

// So much goes wrong here at once that breakers would open: that is another test's.
await h.behave({ breaker: "failing" });

const newClub = async (plan) => ({ ...(await h.signup({ plan })), webhook: makeWebhook() });

/** The steps of a plan, as its club is told before they begin, with what each calls in an undisturbed run. */
async function stepsOf(plan) {
  const club = await newClub(plan);
  const { steps } = (await h.status(club)).body.data;
  await h.confirm(club, club.webhook);
  assert.equal((await settled(club)).status, "completed");
  const { work } = await h.work(club.tenantId);
  return steps.map(({ name }) => ({ plan, step: name, calls: work[name] ?? [] }));
}

const pro = await stepsOf("pro");
const starter = await stepsOf("starter");
// What the plans share is disturbed in the pro run.
const steps = [...pro, ...starter.filter(({ step }) => !pro.some((one) => one.step === step))];

test("every step does something that can be disturbed", () => {
  assert.ok(pro.length >= 7 && starter.length >= 6);
  for (const { step, calls } of steps) assert.ok(calls.length > 0, `nothing is known of ${step} that could fail`);
});

const cells = steps.flatMap(({ plan, step, calls }) =>
  calls.flatMap((what, call) =>
    [...(what === "D1" ? IN_D1 : OUTSIDE), ...BY_US].map((fault) => ({ plan, step, call, what, ...fault, last: step === pro.at(-1).step })),
  ),
);
const history = (runId, step) =>
  h.sql(
    "select attempt, outcome, error, started_at as at from provision_history where run_id = ? and step = ? order by attempt",
    runId,
    step,
  );

/** Those that wait for a time limit all at once, and meanwhile the others. */
const crowds = [
  [cells.filter(({ isSlow }) => isSlow), true],
  [cells.filter(({ isSlow }) => !isSlow), 16],
];

describe("a run completes although", { concurrency: true }, () => {
  for (const [cells, concurrency] of crowds) {
    describe(concurrency === true ? "for as long as anybody waits," : "at once,", { concurrency }, () => {
      for (const cell of cells) test(`${cell.name}: call ${cell.call} of ${cell.step}, to ${cell.what}`, () => completes(cell));
    });
  }
});

async function completes(cell) {
  const club = await newClub(cell.plan);
  await h.disturb(club.tenantId, cell.step, cell.call, cell.how);
  await h.confirm(club, club.webhook);
  const { status, data } = await settled(club);
  assert.equal(status, "completed", JSON.stringify(data));
  await until(async () => (await h.work(club.tenantId)).disturbed, { what: "the disturbance", every: 250 });
  await assertTold(cell, data);
  await assertDoneOnce(club, data);
  const [record] = await effectsUnder(`CNAME ${club.clubSlug}.clubs.example`);
  assert.equal(record.count, 1);
}

/** The history shows the attempt that was disturbed, with its error, and the one that was not. */
async function assertTold({ step, what, how, error, isAnAnswer, waits, last }, { runId, steps }) {
  // Make queues whatever it gets: any 2xx is its yes, whatever it says.
  if (isAnAnswer && /make\.com$/.test(what)) {
    assert.deepEqual((await history(runId, step)).map(({ outcome, error }) => [outcome, error]), [["done", null]]);
    return;
  }
  const [first, second, ...more] = await until(async () => {
    const attempts = await history(runId, step);
    return attempts.length >= 2 && attempts;
  });
  assert.deepEqual([second.outcome, second.error, more], ["done", null, []]);
  // Going live and writing so is one batch: once that is done, the history says so, whoever missed its answer.
  const isLive = last && /after$/.test(how);
  assert.equal(first.outcome, isLive ? "done" : "unknown");
  if (!isLive) assert.match(first.error, error);
  assert.ok(second.at - first.at >= (waits ?? 0), `the second attempt came ${second.at - first.at} s later`);
  for (const other of steps) assert.equal(other.attempts, other.name === step && !isLive ? 2 : 1, other.name);
}
