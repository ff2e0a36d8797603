// `npm run test:soak`: SOAK_TENANTS tenants (500), half of either plan, are provisioned at once in the real runtime. Every fifth external
// call fails. Every tenth tenant's webhook hangs or asks for five minutes' patience. Resend takes two calls a second. In the middle the
// database is away for SOAK_OUTAGE seconds (360). Once, at a random moment, the runtime is killed, and scripts/restore.sh restores the
// database to an earlier moment. Then a build with one step more is started (SOAK_OLDER=no: the same build). Who stored a webhook since
// then stores it again. Every tenant whose webhook is well must complete, nothing may be done twice, no mail be lost, and nothing be left
// that nobody knows. SOAK_SEED repeats what is drawn, SOAK_MINUTES (40) bounds it.
//
// With SOAK_CALM=yes nothing of this happens. The calls of the tenants are counted and compared with the model of tests/scale. A count that
// is off by more than 25 % fails.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { randomInt } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure, at, say } from "../../scripts/lib/project.mjs";
import { prepare } from "../../scripts/lib/prepare.mjs";
import { startService } from "../../scripts/lib/service.mjs";
import { peakMb, workerdsOf } from "../bench/processes.mjs";
import { client, makeWebhook, ran, untimed } from "../client.mjs";
import { controls, instrumentedBundle } from "../e2e/instrumented.mjs";
import { calm } from "./calm.mjs";
import { few } from "./few.mjs";
import { olderBuild } from "./older.mjs";
import { Watch } from "./watch.mjs";

const TENANTS = Number(process.env.SOAK_TENANTS ?? 500);
const MINUTES = Number(process.env.SOAK_MINUTES ?? 40);
const OUTAGE_S = Number(process.env.SOAK_OUTAGE ?? 360);
const SEED = Number(process.env.SOAK_SEED ?? randomInt(2 ** 31));
const IS_DEPLOYED = process.env.SOAK_OLDER !== "no";
const IS_CALM = process.env.SOAK_CALM === "yes";
const FAILING = 0.2;
const GOOD = IS_CALM ? "As the model says" : "All completed, nothing was done twice, nothing is lost";
const BAD = IS_CALM ? "Failed: the model knows other calls than these" : `Failed; SOAK_SEED=${SEED} draws the same faults`;
/** Every so-manieth tenant's webhook is hostile. */
const HOSTILE = 10;
/** As Resend's own limit is. */
const MAILS_PER_SECOND = 2;
/** Requests of ours under way at one time: the runs are what is to be many. */
const AT_ONCE = 50;
/** The platform's is a minute. */
const SWEEP_EVERY_MS = 20_000;

const MAKE = "hook.eu2.make.com";
/** What a customer's own endpoint may do, by the beginning of its path. */
const HOSTILITIES = {
  "/hangs": { kind: "silence" },
  "/busy": { kind: "status", status: 503, headers: { "retry-after": "300" } },
};
const HTML = { headers: { "content-type": "text/html" }, body: "<!DOCTYPE html><title>Error</title>" };
const FAULTS = {
  "a status of 500": { kind: "status", status: 500 },
  "a 429": { kind: "status", status: 429, headers: { "retry-after": "1" } },
  "a broken connection": { kind: "throw" },
  "a lost answer": { kind: "lost" },
  "a page of HTML in place of the answer": { kind: "lost", status: 200, ...HTML },
};

await prepare("bundles");

const directory = mkdtempSync(join(tmpdir(), "tenantry-soak-"));
const leftovers = [() => rmSync(directory, { recursive: true, force: true })];
try {
  if (!Number.isInteger(TENANTS) || TENANTS < 1) throw new Failure("SOAK_TENANTS must be a whole number, at least 1.");
  const problems = IS_CALM ? await calmly() : await stormily();
  for (const problem of problems) say(`✗ ${problem}`);
  say(problems.length === 0 ? GOOD : BAD);
  process.exitCode = problems.length === 0 ? 0 : 1;
} catch (error) {
  process.exitCode = 1;
  process.stderr.write(`${error instanceof Failure ? `✗ ${error.message}` : error.stack}\n`);
} finally {
  for (const remove of leftovers.reverse()) await remove();
}
process.exit();

async function calmly() {
  const bundle = await instrumentedBundle();
  leftovers.push(bundle.remove);
  const service = await startService({ entry: join(bundle.directory, "index.js") });
  leftovers.push(() => service.stop());
  return calm(service, { tenants: TENANTS, minutes: MINUTES });
}

async function stormily() {
  const newer = await instrumentedBundle();
  const older = IS_DEPLOYED ? await instrumentedBundle(await olderBuild()) : newer;
  leftovers.push(newer.remove, older.remove);
  const service = await startService({
    entry: join(older.directory, "index.js"),
    vars: { RESEND_CALLS_PER_SECOND: String(MAILS_PER_SECOND), APPS_SCRIPT_AT_ONCE: "25" },
  });
  leftovers.push(() => service.stop());
  return soak(service, join(newer.directory, "index.js"));
}

async function soak(service, newer) {
  const sandboxFetch = (path, init) => fetch(new URL(path, service.sandboxUrl), init);
  const { api, sandbox, signupUnproven, prove, confirm, mails, token } = client({ url: service.url, secret: service.secrets.JWT_SECRET, sandboxFetch });
  const { behave, sql } = controls(api);
  const operator = (path, body) => api("POST", path, { token: token(), body });

  await sandbox("/__sandbox/resend", { method: "PUT", body: { perSecond: MAILS_PER_SECOND } });
  await scriptFaults(sandbox);
  // A minute's sweep, three times as often: what has to be sent again, or is put back, waits for it.
  const sweeping = setInterval(() => fetch(`${service.url}/cdn-cgi/local/scheduled`).catch(() => {}), SWEEP_EVERY_MS);
  say(`${TENANTS} clubs sign up and prove their addresses (SOAK_SEED=${SEED}) …`);
  const plans = Array.from({ length: TENANTS }, (_, n) => ({ plan: n % 2 === 0 ? "starter" : "pro", hostility: hostilityOf(n) }));
  const all = await few(plans, AT_ONCE, async ({ plan, hostility }) => {
    const { webhookUrl, webhookSecret } = makeWebhook();
    const { origin, pathname } = new URL(webhookUrl);
    const webhook = { webhookUrl: `${origin}${hostility ?? ""}${pathname}`, webhookSecret };
    const tenant = await prove(await signupUnproven({ plan }), { within: MINUTES * 60_000, every: 500 });
    return { ...tenant, plan, hostility, webhook };
  });
  const tenants = all.filter(({ hostility }) => hostility === undefined);

  say(`All are queued, ${all.length - tenants.length} with a hostile webhook; ${FAILING * 100} % of the calls to the outside fail …`);
  const watch = new Watch(tenants, sql);
  let unanswered = 0;
  const queueing = few([...all].sort((one, other) => Number(other.hostility !== undefined) - Number(one.hostility !== undefined)), AT_ONCE, async (tenant) => {
    watch.queued(tenant);
    for (;;) {
      const status = await confirm(tenant, tenant.webhook).then(({ status }) => status, () => 0);
      if (status === 200) return;
      // Asked again, as the page does: queueing twice starts nothing twice.
      if (status !== 503 && status !== 0) throw new Failure(`queueing ${tenant.tenantId} answered ${status}`);
      unanswered++;
      await pause(1000);
    }
  });

  const draw = generator(SEED);
  const disaster = async () => {
    // A webhook that was stored after the backup would be lost with it, and its tenant would have to store it again.
    await watch.during(queueing);
    await watch.share(0.1 + 0.15 * draw());
    const file = await backUp(service);
    await watch.look();
    say(`Backed up while ${watch.over.size} of ${tenants.length} are completed …`);
    await watch.share(Math.min(0.95, watch.over.size / tenants.length + 0.1 + 0.2 * draw()));
    const [kind] = draw() < 0.5 ? ["down"] : ["hanging"];
    say(`The database is ${kind} for ${OUTAGE_S} s, ${watch.over.size} are completed …`);
    await behave({ database: kind });
    await pause(OUTAGE_S * 1000);
    await behave({ database: "ok" });
    await pause(draw() * 20_000);
    say(`Killed, put back${IS_DEPLOYED ? ", deployed with one step more" : ""}; ${watch.over.size} were completed …`);
    await service.kill();
    await restore(service, file);
    await service.restart({ entry: newer });
    const { body: ready } = await api("GET", "/health/ready");
    if (ready.provisioning !== "paused") throw new Failure(`A restored database is not paused: ${JSON.stringify(ready)}`);
    await fetch(`${service.url}/cdn-cgi/local/scheduled`);
    const resumed = await operator("/api/v1/bgops/provisioning/resume", { reason: "looked at" });
    if (resumed.status !== 200) throw new Failure(`Provisioning can't be resumed: ${JSON.stringify(resumed.body)}`);
  };
  // A webhook that was stored after the backup is gone with the database that was: its owner stores it again.
  const byId = new Map(tenants.map((tenant) => [tenant.tenantId, tenant]));
  const again = new Set();
  const storesAgain = async (id, reason) => {
    if (reason !== "WEBHOOK_MISSING") return;
    const tenant = byId.get(id);
    await confirm(tenant, tenant.webhook);
    again.add(id);
  };
  const [unfinished] = await Promise.all([disaster().then(() => watch.untilOver(MINUTES * 60_000, storesAgain)), queueing]);

  say("Their mails leave …");
  const unsent = await mailsLeave(sql, watch);
  clearInterval(sweeping);
  await report(sql, watch, { unanswered, again: again.size, stateDir: service.stateDir });
  const effects = (await sandbox("/__sandbox/effects")).effects;
  return [
    ...unfinished.map(([id, state, reason]) => `${id} is still ${state} ${reason ?? ""}`),
    ...unsent,
    ...(await doneTwice(effects, sandbox)),
    ...(await missing(sql, effects)),
    ...(await halfDone(sql, tenants)),
    ...(await orphans(sql, sandbox)),
    ...(await mailsOf(all, mails)),
  ];
}

function hostilityOf(n) {
  // Pro tenants have no webhook: of the starter tenants, every fifth.
  if (n % HOSTILE !== 0) return undefined;
  const kinds = Object.keys(HOSTILITIES);
  return kinds[(n / HOSTILE) % kinds.length];
}

async function script(service, name, ...args) {
  const { code, stdout, stderr } = await ran(at("scripts", name), args, { env: { STATE_DIR: service.stateDir } });
  if (code !== 0) throw new Failure(`${name} failed: ${stdout}${stderr}`);
}

async function backUp(service) {
  const folder = mkdtempSync(join(directory, "backup-"));
  await script(service, "backup.sh", "--local", "--to", folder);
  return join(folder, readdirSync(folder).find((name) => name.endsWith(".sql")));
}

function restore(service, file) {
  return script(service, "restore.sh", file, "--local", "--force");
}

/** Waits until no mail waits any more; answers those that still do, or were given up. */
async function mailsLeave(sql, watch) {
  const deadline = Date.now() + MINUTES * 60_000;
  for (;;) {
    const unsent = await sql("select id, status, last_error from mails where status <> 'sent' limit 20");
    if (unsent.every(({ status }) => status !== "pending") || Date.now() > deadline) {
      watch.mailed();
      return unsent.map(({ id, status, last_error: error }) => `${id} is ${status}: ${error}`);
    }
    await pause(2000);
  }
}

/** Hostile webhooks first: nothing else happens to them. Each other fault with the share that leaves them the same chance, one after the other. */
async function scriptFaults(sandbox) {
  for (const [path, hostility] of Object.entries(HOSTILITIES)) {
    await sandbox("/__sandbox/faults", { method: "POST", body: { host: MAKE, path, ...hostility, times: null } });
  }
  const faults = Object.values(FAULTS);
  const probability = 1 - (1 - FAILING) ** (1 / faults.length);
  for (const [n, fault] of faults.entries()) {
    await sandbox("/__sandbox/faults", { method: "POST", body: { host: "*", ...fault, probability, seed: SEED + n, times: null } });
  }
}

async function report(sql, watch, { unanswered, again, stateDir }) {
  const seconds = watch.seconds();
  const share = (part) => seconds[Math.min(seconds.length - 1, Math.floor(seconds.length * part))]?.toFixed(1);
  say(`From queued to completed: p50 ${share(0.5)} s, p95 ${share(0.95)} s, max ${seconds.at(-1)?.toFixed(1)} s (${seconds.length} runs); mails ${watch.mailedAfter?.toFixed(0)} s after the last`);
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
  say(`${mails} mails left in ${left} attempts`);
  const states = await sql("select provision_state as state, provision_reason as reason, count(*) as n from tenants group by 1, 2 order by 3 desc");
  say(`In the end: ${states.map(({ state, reason, n }) => `${n} ${[state, reason].filter(Boolean).join(" ")}`).join(", ")}`);
  say(`${again} webhooks were lost with the database, and stored again`);
  say(`${unanswered} requests were not answered in time and asked again`);
  say(`Peak memory: ${workerdsOf(stateDir).map((pid) => `${peakMb(pid).toFixed(0)} MB`).join(", ")} of the runtimes`);
}

/** What was done more than once under one key. Make recognises none, its receiver does: its repeats must say the same. */
async function doneTwice(effects, sandbox) {
  const twice = effects.filter(({ upstream, count }) => upstream !== "make" && count > 1).map(({ key, count }) => `${key} was done ${count} times`);
  const bodies = new Map();
  let last = 0;
  for (;;) {
    const { requests } = await sandbox(`/__sandbox/requests?host=${MAKE}&after=${last}&limit=500`);
    if (requests.length === 0) break;
    last = requests.at(-1).id;
    for (const { key, body } of requests) bodies.set(key, (bodies.get(key) ?? new Set()).add(untimed(body)));
  }
  const different = [...bodies].filter(([, all]) => all.size > 1).map(([key, all]) => `${key} was not sent the same each time: ${[...all].join(" and ")}`);
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

/** What a completed tenant lacks in the database, or has twice. */
async function halfDone(sql, tenants) {
  const counted = ["auth_users", "tenant_brand", "feed_posts", "provision_runs"];
  const counts = counted.map((table) => `(select count(*) from ${table} where tenant_id = t.id) as ${table}`).join(", ");
  const rows = await sql(
    `select id, status, route_ready, ${counts},
       (select count(*) from provision_steps where run_id = t.provision_run_id and status <> 'completed') as undone,
       (select count(*) from pro_automation where tenant_id = t.id) as sheets from tenants t`,
  );
  const byId = new Map(rows.map((row) => [row.id, row]));
  return tenants.flatMap(({ tenantId, plan }) => {
    const { id, ...row } = byId.get(tenantId) ?? {};
    const wanted = { status: "active", route_ready: 1, ...Object.fromEntries(counted.map((table) => [table, 1])), undone: 0, sheets: plan === "pro" ? 1 : 0 };
    return JSON.stringify(row) === JSON.stringify(wanted) ? [] : [`${id} is ${JSON.stringify(row)}`];
  });
}

/** Spreadsheets that no tenant knows. */
async function orphans(sql, sandbox) {
  const known = new Set((await sql("select spreadsheet_id as id from pro_automation")).map(({ id }) => id));
  const { spreadsheets } = await sandbox("/__sandbox/spreadsheets");
  return spreadsheets.filter(({ id }) => !known.has(id)).map(({ id, tenantId }) => `nobody knows ${id} of ${tenantId}`);
}

/**
 * Behind what proved its address, one welcome mail for each tenant that completed, and none for another. That a run failed may be told
 * too: `doneTwice` sees that no run is told of twice.
 */
async function mailsOf(all, mailsTo) {
  const problems = [];
  await few(all, AT_ONCE, async ({ email, hostility, tenantId }) => {
    const mails = (await mailsTo(email)).filter(({ key }) => !key.endsWith("/setup_failed"));
    const wanted = hostility === undefined ? 1 : 0;
    if (mails.length !== wanted) problems.push(`${tenantId} has ${mails.length} mails: ${mails.map(({ subject }) => subject).join(", ")}`);
  });
  return problems;
}

function pause(ms) {
  return new Promise((done) => setTimeout(done, ms));
}

/** mulberry32: the same numbers for the same seed. */
function generator(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
