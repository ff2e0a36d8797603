// The operators' runbook, as printed (runbook.md beside this file): its token snippet, its calls, its SQL.
// RUNBOOK.md's own commands are run by runbook-commands.test.mjs.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { clubForm, makeWebhook, startHarness, until } from "./harness.mjs";
import { blocksOf, paste } from "./runbook.mjs";

const h = await startHarness();
after(() => h.close());

const RUNBOOK = readFileSync(new URL("runbook.md", import.meta.url), "utf8");
/** The tenant that the runbook's examples name. */
const TENANT = "tenant_123";

const blocks = blocksOf(RUNBOOK).map(({ code }) => code);
const blockWith = (text) => blocks.find((block) => block.includes(text));
const requeue = blockWith("/internal/provision/queue");
const sqlWith = (text) => [...RUNBOOK.matchAll(/--command \\\n {2}"(.*)"$/gm)].map(([, sql]) => sql).find((sql) => sql.startsWith(text));

/** Pastes a block, with what the runbook has people set; answers what the last command printed. */
async function pasted(block, env = {}) {
  const { status, stdout, stderr } = await paste(block, { env: { WORKER_URL: h.url.origin, JWT_SECRET: h.secrets.JWT_SECRET, ...env } });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

const rows = (table, tenant) => h.sql(`select * from ${table} where ${table === "tenants" ? "id" : "tenant_id"} = ?`, tenant);

const requests = async () => (await h.sandbox("/__sandbox/requests?limit=20000")).requests;

const statusOf = (tenant) => h.api("GET", `/api/v1/tenants/${tenant}/provision-status`, { token: h.token() });

before(async () => {
  // An operator's own test tenant, whose id the service did not give.
  const { tenantId } = await h.signup({ plan: "pro" });
  const [row] = await rows("tenants", tenantId);
  const { clubSlug: slug, email } = clubForm();
  const copy = { ...row, id: TENANT, slug, email };
  const names = Object.keys(copy);
  await h.sql(`insert into tenants (${names}) values (${names.map(() => "?")})`, ...Object.values(copy));
});

test("the quick reference: health, whoami and the status endpoint", async () => {
  const commands = [...RUNBOOK.matchAll(/^\| [^|]+ \| `(curl [^`]+)` \|/gm)].map(([, command]) => command);
  assert.equal(commands.length, 2);
  const club = await h.signup();
  const [health, whoami] = await Promise.all(commands.map((command) => pasted(command.replace("Bearer JWT", `Bearer ${club.jwt}`))));
  assert.equal(health.ok, true);
  assert.equal(whoami.data.tenantId, club.tenantId);
  const ask = blockWith("/provision-status").replace("TENANT_ID", club.tenantId).replace("Bearer JWT", `Bearer ${club.jwt}`);
  assert.equal((await pasted(ask)).status, "pending");
});

test("the token snippet and its curl re-queue a failed run", async () => {
  const refusal = { host: "script.google.com", kind: "status", status: 200, body: { ok: false, error: "quota", code: "QUOTA" } };
  await h.sandbox("/__sandbox/faults", { method: "POST", body: { ...refusal, bodyIncludes: TENANT, times: 1 } });
  const first = await pasted(requeue);
  assert.deepEqual([first.success, first.data.status, first.data.changed], [true, "processing", true]);
  const failed = await until(async () => {
    const { body } = await statusOf(TENANT);
    return body.status === "failed" && body;
  });
  assert.equal(failed.data.reason, "SPREADSHEET_REJECTED");

  const again = await pasted(requeue, { JWT_ISSUER: "syston.app" });
  assert.deepEqual([again.success, again.data.runId, again.data.changed], [true, first.data.runId, true]);
  const completed = await until(async () => {
    const { body } = await statusOf(TENANT);
    return body.status === "completed" && body;
  });
  assert.equal(completed.data.checkpoints.create_spreadsheet.attempts, 2);
});

test("with another secret or issuer, the snippet's token opens nothing", async () => {
  for (const env of [{ JWT_SECRET: "another secret that is long enough" }, { JWT_ISSUER: "evil.example" }]) {
    const { success, error } = await pasted(requeue, env);
    assert.deepEqual([success, error.code], [false, "INVALID_TOKEN"]);
  }
});

test("a tenant that is not there is told", async () => {
  const { success, error } = await pasted(requeue.replaceAll(TENANT, "tenant_nobody"));
  assert.deepEqual([success, error.code], [false, "TENANT_NOT_FOUND"]);
});

test("the SQL that looks a webhook up finds it", async () => {
  const club = await h.signup();
  const webhook = makeWebhook();
  await h.confirm(club, webhook);
  const select = sqlWith("SELECT webhook_url");
  assert.deepEqual(await h.sql(select.replace(TENANT, club.tenantId)), [{ webhook_url: webhook.webhookUrl }]);
  assert.deepEqual(await h.sql(select), []);
});

test("the curl that corrects a webhook corrects it, and the failed run goes on", async () => {
  const club = await h.signup();
  await h.confirm(club, { ...makeWebhook(), webhookUrl: "https://hook.eu2.make.com/gone" });
  assert.equal((await h.settled(club)).status, "failed");
  const fix = blockWith("/api/v1/admin/tenant/webhook").replaceAll(TENANT, club.tenantId).replace("PLATFORM_ADMIN_JWT", h.token());
  const { success, data } = await paste(fix);
  assert.deepEqual([success, data.tenant, data.makeWebhookUrl], [true, club.tenantId, "https://hook.us1.make.com/correct-url"]);
  assert.equal((await h.settled(club)).status, "completed");
});

test("the SQL that counts tenants counts them", async () => {
  const counted = await h.sql(sqlWith("SELECT status, COUNT(*)"));
  const expected = Object.fromEntries(
    (await h.sql("select status, count(*) as n from tenants group by status")).map(({ status, n }) => [status, n]),
  );
  assert.deepEqual(Object.fromEntries(counted.map((row) => [row.status, row["COUNT(*)"]])), expected);
  assert.ok(expected.trial > 0);
});

test("the SQL that completes a tenant by hand is believed, whatever its run says", async (t) => {
  const update = sqlWith("UPDATE tenants");
  const byHand = (club) => h.sql(update.replace(TENANT, club.tenantId));

  await t.test("after the run failed", async () => {
    const club = await h.signup();
    await h.confirm(club, { ...makeWebhook(), webhookUrl: "https://hook.eu2.make.com/gone" });
    assert.equal((await h.settled(club)).status, "failed");
    await byHand(club);
    await assertCompletedByHand(club);
  });

  await t.test("before there was a run", async () => {
    const club = await h.signup({ plan: "pro" });
    await byHand(club);
    await assertCompletedByHand(club);
    assert.deepEqual(await rows("provision_runs", club.tenantId), []);
  });

  await t.test("while the run is at work, and after it fails later", async () => {
    const club = await h.signup();
    const webhook = makeWebhook();
    const path = new URL(webhook.webhookUrl).pathname;
    const target = { host: "hook.eu2.make.com", path, times: 1 };
    // The first ping is refused for the moment, the second for good.
    for (const status of [503, 410]) await h.sandbox("/__sandbox/faults", { method: "POST", body: { ...target, kind: "status", status } });
    await h.confirm(club, webhook);
    await until(async () => (await h.status(club)).body.data.steps?.some(({ retryAt }) => retryAt !== null));
    await byHand(club);
    assert.equal((await h.status(club)).body.status, "completed");
    await until(async () => (await rows("provision_runs", club.tenantId))[0].status === "failed");
    await assertCompletedByHand(club);
  });
});

async function assertCompletedByHand(club) {
  const { status, body } = await h.status(club);
  assert.deepEqual([status, body.status, body.data.status, body.data.progress], [200, "completed", "completed", 100]);
  assert.deepEqual([body.data.reason, body.data.error, body.data.currentStep], [null, null, null]);
  assert.match(body.data.completedAt, /^\d{4}-/);

  const seen = async () => [await rows("tenants", club.tenantId), await rows("provision_runs", club.tenantId), (await requests()).length];
  const before = await seen();
  const { success, data } = await pasted(requeue.replaceAll(TENANT, club.tenantId));
  assert.deepEqual([success, data.status, data.changed], [true, "completed", false]);
  assert.match(data.message, /already completed/);
  assert.deepEqual(await seen(), before);
  assert.equal((await h.status(club)).body.status, "completed");
}
