// `npm run test:soak`: SOAK_TENANTS clubs (500), half of either plan, are provisioned at once in the real runtime, while every fifth call
// to the outside fails. All must complete, and nothing may be done twice. SOAK_SEED repeats what is drawn, SOAK_MINUTES (10) bounds it.
import { randomInt } from "node:crypto";
import { Failure, exitWith, say } from "../../scripts/lib/project.mjs";
import { prepare } from "../../scripts/lib/prepare.mjs";
import { makeWebhook } from "../client.mjs";
import { Watch } from "./watch.mjs";

const TENANTS = Number(process.env.SOAK_TENANTS ?? 500);
const MINUTES = Number(process.env.SOAK_MINUTES ?? 10);
const SEED = Number(process.env.SOAK_SEED ?? randomInt(2 ** 31));
const FAILING = 0.2;
/** Requests of ours under way at one time: the runs are what is to be many. */
const AT_ONCE = 50;

const HTML = { headers: { "content-type": "text/html" }, body: "<!DOCTYPE html><title>Error</title>" };
const FAULTS = {
  "a status of 500": { kind: "status", status: 500 },
  "a 429": { kind: "status", status: 429, headers: { "retry-after": "1" } },
  "a broken connection": { kind: "throw" },
  "a lost answer": { kind: "lost" },
  "a page of HTML in place of the answer": { kind: "lost", status: 200, ...HTML },
};

await prepare("bundles");
const { startHarness } = await import("../e2e/harness.mjs");
const { peakMb, workerdPids } = await import("../bench/runtime.mjs");

try {
  if (!Number.isInteger(TENANTS) || TENANTS < 1) throw new Failure("SOAK_TENANTS must be a whole number, at least 1.");
  const h = await startHarness();
  const problems = await soak(h);
  for (const problem of problems) say(`✗ ${problem}`);
  say(problems.length === 0 ? "All completed, nothing was done twice" : `Failed; SOAK_SEED=${SEED} draws the same faults`);
  await h.close();
  process.exit(problems.length === 0 ? 0 : 1);
} catch (error) {
  exitWith(error);
}

async function soak({ api, sandbox, signup, confirm, token, sql }) {
  await scriptFaults(sandbox);
  say(`${TENANTS} clubs sign up …`);
  const plans = Array.from({ length: TENANTS }, (_, n) => (n % 2 === 0 ? "starter" : "pro"));
  const clubs = await few(plans, async (plan) => ({ ...(await signup({ plan })), webhook: makeWebhook() }));

  say(`All are queued; ${FAILING * 100} % of the calls to the outside fail (SOAK_SEED=${SEED}) …`);
  const watch = new Watch(clubs, sql);
  let unanswered = 0;
  const queueing = few(clubs, async (club) => {
    watch.queued(club);
    for (;;) {
      const { status, body } = await confirm(club, club.webhook);
      if (status === 200) return;
      // Asked again, as the page does: queueing twice starts nothing twice.
      if (status !== 503) throw new Failure(`queueing answered ${status}: ${JSON.stringify(body)}`);
      unanswered++;
    }
  });
  // Whose upstream failed as often as it was tried is queued again, as the runbook says.
  const resumed = [];
  const resume = async (tenantId, reason) => {
    if (reason !== "UPSTREAM_UNAVAILABLE") throw new Failure(`The run of ${tenantId} failed for good: ${reason}`);
    resumed.push(reason);
    const service = token({ aud: "internal", roles: ["service"] });
    await api("POST", "/internal/provision/queue", { token: service, body: { tenantId } });
  };
  const [unfinished] = await Promise.all([watch.untilOver(MINUTES * 60_000, resume), queueing]);

  say("Their mails leave …");
  const unsent = await mailsLeave(sql);
  await report(sql, watch, { resumed, unanswered });
  const effects = (await sandbox("/__sandbox/effects")).effects;
  return [...unfinished.map(([id, state]) => `${id} is still ${state}`), ...unsent, ...(await doneTwice(effects, sandbox)), ...(await missing(sql, effects))];
}

/** Waits until no mail waits any more; answers those that still do, or were given up. */
async function mailsLeave(sql) {
  const deadline = Date.now() + MINUTES * 60_000;
  for (;;) {
    const unsent = await sql("select id, status, last_error from mails where status <> 'sent' limit 20");
    if (unsent.every(({ status }) => status !== "pending") || Date.now() > deadline) {
      return unsent.map(({ id, status, last_error: error }) => `${id} is ${status}: ${error}`);
    }
    await new Promise((done) => setTimeout(done, 2000));
  }
}

/** Each with the share that leaves them the same chance, one after the other. */
async function scriptFaults(sandbox) {
  const faults = Object.values(FAULTS);
  const probability = 1 - (1 - FAILING) ** (1 / faults.length);
  for (const [n, fault] of faults.entries()) {
    await sandbox("/__sandbox/faults", { method: "POST", body: { host: "*", ...fault, probability, seed: SEED + n, times: null } });
  }
}

async function report(sql, watch, { resumed, unanswered }) {
  const seconds = watch.seconds();
  const share = (part) => seconds[Math.min(seconds.length - 1, Math.floor(seconds.length * part))]?.toFixed(1);
  say(`From queued to completed: p50 ${share(0.5)} s, p95 ${share(0.95)} s, max ${seconds.at(-1)?.toFixed(1)} s (${seconds.length} runs)`);
  const steps = await sql(
    `select step, count(*) as attempts, count(distinct run_id) as runs, max(attempt) as most from provision_history
     group by step order by avg(started_at), step`,
  );
  for (const { step, attempts, runs, most } of steps) {
    say(`${step.padEnd(20)} ${attempts} attempts in ${runs} runs, ${(attempts / runs).toFixed(2)} each, ${most} at most`);
  }
  const errors = await sql("select outcome, error, count(*) as n from provision_history where error is not null group by 1, 2 order by 3 desc");
  say(`Attempts that failed: ${errors.map(({ outcome, error, n }) => `${n} ${outcome} ${error}`).join(", ") || "none"}`);
  const [{ mails, left }] = await sql("select count(*) as mails, sum(attempts) as left from mails");
  say(`${resumed.length} runs failed and were queued again (${[...new Set(resumed)].join(", ") || "none"}), ${mails} mails left in ${left} attempts`);
  say(`${unanswered} requests were not answered in time and asked again`);
  say(`Peak memory: ${workerdPids().map((pid) => `${peakMb(pid).toFixed(0)} MB`).join(", ")} of the runtime, product and sandbox together`);
}

/** What was done more than once under one key. Make recognises none, its receiver does: its repeats must be the same to the byte. */
async function doneTwice(effects, sandbox) {
  const twice = effects.filter(({ upstream, count }) => upstream !== "make" && count > 1).map(({ key, count }) => `${key} was done ${count} times`);
  const bodies = new Map();
  let last = 0;
  for (;;) {
    const { requests } = await sandbox(`/__sandbox/requests?host=hook.eu2.make.com&after=${last}&limit=500`);
    if (requests.length === 0) break;
    last = requests.at(-1).id;
    for (const { key, body } of requests) bodies.set(key, (bodies.get(key) ?? new Set()).add(body));
  }
  const different = [...bodies].filter(([, all]) => all.size > 1).map(([key]) => `${key} was not sent the same each time`);
  return [...twice, ...different];
}

/** What a completed run must have done outside, under its key; and its mail, however long that took. */
async function missing(sql, effects) {
  const runs = await sql("select id, plan from provision_runs where status = 'completed'");
  const done = new Set(effects.filter(({ count }) => count > 0).map(({ key }) => key));
  return runs.flatMap(({ id, plan }) => {
    const steps = [plan === "pro" ? "create_spreadsheet" : "validate_webhook", "send_welcome_email"];
    return steps.map((step) => `${id}/${step}`).filter((key) => !done.has(key)).map((key) => `${key} was never done`);
  });
}

/** Runs `act` on each of `all`, a few at a time. */
async function few(all, act) {
  const results = [];
  let next = 0;
  const worker = async () => {
    while (next < all.length) {
      const at = next++;
      results[at] = await act(all[at]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}
