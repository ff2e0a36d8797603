// The whole product runtime is killed while one tenant is held at each call of each step, before it and after it. So is one at each call of
// each removal. The runtime is then started on the same state. One death for all of them: every run ends completed and every removal
// undone, without anybody asking, and what was done outside was done once.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { startService } from "../../scripts/lib/service.mjs";
import { client, makeWebhook, until } from "../client.mjs";
import { callsOf } from "../e2e/disturbances.mjs";
import { controls, instrumentedBundle } from "../e2e/instrumented.mjs";
import { sweep } from "./database.mjs";

const bundle = await instrumentedBundle();
after(() => bundle.remove());
const service = await startService({
  entry: join(bundle.directory, "index.js"),
  vars: { SUBDOMAIN_MODE: "record", CLOUDFLARE_ZONE_ID: "0123456789abcdef0123456789abcdef" },
  secrets: { CLOUDFLARE_API_TOKEN: "crash tests edit DNS with this" },
});
after(() => service.stop());
const { api, sandbox, signup, confirm, status, settled, token } = client({
  url: service.url,
  secret: service.secrets.JWT_SECRET,
  sandboxFetch: (path, init) => fetch(new URL(path, service.sandboxUrl), init),
});
const { behave, disturb, work, held } = controls(api);

const operator = async (method, path, body) => {
  const answer = await api(method, path, { token: token(), body });
  assert.ok(answer.status < 300, `${method} ${path}: ${JSON.stringify(answer.body)}`);
  return answer.body.data;
};

const remove = (tenant) => operator("DELETE", `/api/v1/admin/tenants/${tenant.tenantId}`, { reason: "left the league" });

const undoOf = async (tenant) => (await operator("GET", `/api/v1/bgops/sagas/${tenant.runId}`)).undo?.status;

const removed = (tenant) =>
  until(async () => (await undoOf(tenant)) === "undone", { within: 60_000, every: 250, what: `the removal of ${tenant.tenantId}` });

async function live(plan) {
  const tenant = { ...(await signup({ plan })), webhook: makeWebhook() };
  await confirm(tenant, tenant.webhook);
  const { status: end, data } = await settled(tenant, { within: 60_000, every: 250 });
  assert.equal(end, "completed", JSON.stringify(data));
  return { ...tenant, runId: data.runId };
}

/** What a tenant calls on its way in and out again. */
async function workOf(plan) {
  const tenant = await live(plan);
  await remove(tenant);
  await removed(tenant);
  return (await work(tenant.tenantId)).work;
}

const pro = await workOf("pro");
const starter = await workOf("starter");

const cells = Object.entries({ pro, starter }).flatMap(([plan, work]) =>
  Object.entries(work)
    // What the plans share is held in the pro run.
    .filter(([task]) => plan === "pro" || !(task in pro))
    .flatMap(([task, calls]) => callsOf(task, calls).map((call) => ({ plan, ...call })))
    .flatMap((cell) => ["before", "after"].map((when) => ({ ...cell, when }))),
);

// So that all of them are at their calls when the end comes, however many there are.
await behave({ limits: "off" });
await Promise.all(
  cells.map(async (cell) => {
    const hold = (tenant) => disturb(tenant.tenantId, { ...cell, how: `hold ${cell.when}` });
    if (cell.task.startsWith("undo_")) {
      cell.tenant = await live(cell.plan);
      await hold(cell.tenant);
      await remove(cell.tenant);
    } else {
      cell.tenant = { ...(await signup({ plan: cell.plan })), webhook: makeWebhook() };
      await hold(cell.tenant);
      await confirm(cell.tenant, cell.tenant.webhook);
    }
  }),
);
await until(async () => (await held()).length === cells.length, { within: 60_000, every: 100, what: "all clubs to be held" });
await service.kill();
await service.restart();

// A mail that was on its way when the process died leaves with a sweep.
const sweeping = setInterval(() => sweep(service).catch(() => {}), 5000);
after(() => clearInterval(sweeping));

describe("killed", { concurrency: 8 }, () => {
  for (const { tenant, plan, task, what, nth, when } of cells) {
    const isRemoval = task.startsWith("undo_");
    test(`${when} call ${nth} of ${task} to ${what}, a ${isRemoval ? "removal ends undone" : "run completes"}`, async () => {
      if (isRemoval) {
        await removed(tenant);
      } else {
        const end = await settled(tenant, { within: 60_000, every: 250 });
        assert.equal(end.status, "completed", JSON.stringify(end));
        tenant.runId = end.data.runId;
      }
      const attempts = await until(async () => {
        const attempts = await attemptsAt(tenant, task);
        return attempts.length >= 2 && attempts;
      });
      // The last batch of a run, and of a removal, writes its own end.
      const isWritten = ["activate", "undo_seed_defaults"].includes(task) && when === "after";
      assert.deepEqual(attempts, [isWritten ? "done" : "unknown INTERRUPTED", "done"]);
      await assertOnce(tenant, plan, isRemoval);
    });
  }
});

async function attemptsAt(tenant, task) {
  const history = await operator("GET", `/api/v1/bgops/sagas/${tenant.runId}/history`);
  return history
    .filter(({ step, undo }) => task === (undo ? `undo_${step}` : step))
    .sort((a, b) => a.attempt - b.attempt)
    .map(({ outcome, error }) => [outcome, error].filter(Boolean).join(" "));
}

/** Each thing was made once outside, and of a tenant that was removed, removed once. */
async function assertOnce(tenant, plan, isRemoval) {
  const count = async (key) => {
    const { effects } = await sandbox(`/__sandbox/effects?key=${encodeURIComponent(key)}`);
    return effects.map(({ count }) => count).join();
  };
  const { runId } = tenant;
  await until(async () => (await count(`${runId}/send_welcome_email`)) !== "", { within: 300_000, every: 2000, what: "the welcome mail" });
  assert.equal(await count(`${runId}/send_welcome_email`), "1");
  assert.equal(await count(`CNAME ${tenant.clubSlug}.clubs.example`), "1");
  if (plan === "pro") assert.equal(await count(`${runId}/create_spreadsheet`), "1");
  // Make recognises no key: a ping whose answer was lost is sent again.
  else assert.match(await count(`${runId}/validate_webhook`), /^[12]$/);
  if (isRemoval && plan === "pro") assert.equal(await count(`${runId}/undo_create_spreadsheet`), "1");
  const { spreadsheets } = await sandbox("/__sandbox/spreadsheets");
  const sheets = spreadsheets.filter(({ tenantId }) => tenantId === tenant.tenantId);
  assert.equal(sheets.length, plan === "pro" && !isRemoval ? 1 : 0);
}

test("nothing is removed twice", async () => {
  const { effects } = await sandbox("/__sandbox/effects?upstream=cloudflare");
  assert.deepEqual(effects.filter(({ count }) => count !== 1), []);
  const { body } = await status(cells.find(({ task }) => task === "activate").tenant);
  assert.equal(body.status, "completed");
});
