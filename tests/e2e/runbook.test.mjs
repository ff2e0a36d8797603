// The operators' older runbook (runbook.md beside this file). Every command of it is in the last table of RUNBOOK.md. A command that works
// "as printed" is run here as it is printed. RUNBOOK.md's own commands are run by runbook-commands.test.mjs.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeCheckout } from "./checkout.mjs";
import { tenantForm, makeWebhook, until } from "./harness.mjs";
import { blocksOf, callsIn, commandsOf, flat, paste } from "./runbook.mjs";
import { startTailed } from "./tail.mjs";

const directory = mkdtempSync(join(tmpdir(), "tenantry-older-"));
const h = await startTailed();
after(async () => {
  await h.close();
  rmSync(directory, { recursive: true, force: true });
});

const OLDER = readFileSync(new URL("runbook.md", import.meta.url), "utf8");
const RUNBOOK = readFileSync(new URL("../../RUNBOOK.md", import.meta.url), "utf8");
/** The tenant that the older runbook's examples name. */
const TENANT = "tenant_123";

const blocks = blocksOf(OLDER).map(({ code }) => code);
const inTable = [...OLDER.matchAll(/^\| [^|]+ \| `([^`]+)` \|/gm)].flatMap(([, code]) => code.split(" && "));
const commands = [...new Set([...inTable, ...blocks.flatMap(commandsOf)])];

/** What was run here as it is printed. */
const ran = new Set();
/** The commands that begin so, from now on held to have been run. */
function printed(beginning) {
  const found = commands.filter((command) => flat(command).startsWith(beginning));
  assert.notDeepEqual(found, [], beginning);
  for (const command of found) ran.add(command);
  return found[0];
}

const requeue = `${printed("SERVICE_JWT=")}\n${printed("curl -X POST $WORKER_URL/internal/provision/queue")}`;
const sqlWith = (text) => [...OLDER.matchAll(/--command \\\n {2}"(.*)"$/gm)].map(([, sql]) => sql).find((sql) => sql.startsWith(text));

/** Pastes commands, with what the runbook has people set; answers what the last one printed. */
async function pasted(code, env = {}) {
  const { status, stdout, stderr } = await paste(code, { env: { WORKER_URL: h.url.origin, JWT_SECRET: h.secrets.JWT_SECRET, ...env } });
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
  const { clubSlug: slug, email } = tenantForm();
  const copy = { ...row, id: TENANT, slug, email };
  const names = Object.keys(copy);
  await h.sql(`insert into tenants (${names}) values (${names.map(() => "?")})`, ...Object.values(copy));
});

test("health, whoami and the status endpoint", async () => {
  const tenant = await h.signup();
  const asTenant = (beginning) => printed(beginning).replace(/Bearer \w+/, `Bearer ${tenant.jwt}`).replace("TENANT_ID", tenant.tenantId);
  assert.equal((await pasted(printed("curl $WORKER_URL/health"))).ok, true);
  assert.equal((await pasted(asTenant("curl $WORKER_URL/whoami"))).data.tenantId, tenant.tenantId);
  assert.equal((await pasted(asTenant("curl $WORKER_URL/api/v1/tenants/TENANT_ID/provision-status"))).status, "pending");
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
  const tenant = await h.signup();
  const webhook = makeWebhook();
  await h.confirm(tenant, webhook);
  const select = sqlWith("SELECT webhook_url");
  assert.deepEqual(await h.sql(select.replace(TENANT, tenant.tenantId)), [{ webhook_url: webhook.webhookUrl }]);
  assert.deepEqual(await h.sql(select), []);
});

test("the curl that corrects a webhook corrects it, and the failed run goes on", async () => {
  const tenant = await h.signup();
  await h.confirm(tenant, { ...makeWebhook(), webhookUrl: "https://hook.eu2.make.com/gone" });
  assert.equal((await h.settled(tenant)).status, "failed");
  const fix = printed("curl -X POST $WORKER_URL/api/v1/admin/tenant/webhook").replaceAll(TENANT, tenant.tenantId);
  const { success, data, error } = await pasted(fix.replace("PLATFORM_ADMIN_JWT", h.token()));
  assert.equal(error, undefined);
  assert.deepEqual([success, data.tenant, data.makeWebhookUrl], [true, tenant.tenantId, "https://hook.us1.make.com/correct-url"]);
  assert.equal((await h.settled(tenant)).status, "completed");
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
  const byHand = (tenant) => h.sql(update.replace(TENANT, tenant.tenantId));

  await t.test("after the run failed", async () => {
    const tenant = await h.signup();
    await h.confirm(tenant, { ...makeWebhook(), webhookUrl: "https://hook.eu2.make.com/gone" });
    assert.equal((await h.settled(tenant)).status, "failed");
    await byHand(tenant);
    await assertCompletedByHand(tenant);
  });

  await t.test("before there was a run", async () => {
    const tenant = await h.signup({ plan: "pro" });
    await byHand(tenant);
    await assertCompletedByHand(tenant);
    assert.deepEqual(await rows("provision_runs", tenant.tenantId), []);
  });

  await t.test("while the run is at work, and after it fails later", async () => {
    const tenant = await h.signup();
    const webhook = makeWebhook();
    const path = new URL(webhook.webhookUrl).pathname;
    const target = { host: "hook.eu2.make.com", path, times: 1 };
    // The first ping is refused for the moment, the second for good.
    for (const status of [503, 410]) await h.sandbox("/__sandbox/faults", { method: "POST", body: { ...target, kind: "status", status } });
    await h.confirm(tenant, webhook);
    await until(async () => (await h.status(tenant)).body.data.steps?.some(({ retryAt }) => retryAt !== null));
    await byHand(tenant);
    assert.equal((await h.status(tenant)).body.status, "completed");
    await until(async () => (await rows("provision_runs", tenant.tenantId))[0].status === "failed");
    await assertCompletedByHand(tenant);
  });
});

test("the scripts, the address of the service account and the last commits", async () => {
  const { root, answer } = makeCheckout(join(directory, "checkout"));
  const tenant = await h.signup();
  await h.confirm(tenant);
  assert.equal((await h.settled(tenant)).status, "completed");
  await h.api("GET", "/whoami");
  await h.sql("alter table promo_codes rename to promo_codes_away");
  assert.equal((await h.api("POST", "/public/signup/verify-promo", { body: { promoCode: "SPRING" } })).status, 503);
  await h.sql("alter table promo_codes_away rename to promo_codes");
  const enough = (lines) =>
    lines.some(({ msg, tenantId }) => msg === "tenant_provision_complete" && tenantId === tenant.tenantId) &&
    lines.some(({ msg, status }) => msg === "request" && status === 503);
  answer("wrangler tail", await h.tail(enough));

  const env = { ENV: "production", GOOGLE_SERVICE_ACCOUNT_KEY: JSON.stringify({ client_email: "clubs@x.iam.gserviceaccount.com", private_key: "a\nb" }) };
  for (const [beginning, wanted] of [
    ["./scripts/watch-logs.sh deny", /authz_deny/],
    ["./scripts/watch-logs.sh signup", /signup_completed/],
    ["./scripts/watch-logs.sh provision", /tenant_provision_complete/],
    ["./scripts/watch-logs.sh errors", /status=503/],
    ["TENANT_ID=tenant_123 ./scripts/watch-logs.sh tenant", new RegExp(`tenantId=${tenant.tenantId}`)],
    ["echo $GOOGLE_SERVICE_ACCOUNT_KEY", /^clubs@x\.iam\.gserviceaccount\.com\n$/],
    ["git log --oneline --decorate", /A checkout/],
  ]) {
    const { status, stdout, stderr } = await paste(printed(beginning).replace(TENANT, tenant.tenantId), { cwd: root, env });
    assert.equal(status, 0, `${beginning}: ${stderr}`);
    assert.match(stdout, wanted, beginning);
  }
});

test("the smoke test", async () => {
  const cwd = new URL("../../", import.meta.url);
  const { status, stdout } = await paste(printed("./scripts/smoke-test.sh"), { cwd, env: { WORKER_URL: h.url.origin, SANDBOX_PORT: await h.serveSandbox() } });
  assert.equal(status, 0, stdout);
  assert.match(stdout, / 0 failed\n$/);
});

test("RUNBOOK.md says of every command what became of it, and of no other; what changed has its reason", () => {
  const [, table] = RUNBOOK.split("## What became of the older runbook's commands\n");
  const rows = [...table.matchAll(/^\| (`.+?`) \| (.+?) \| (.*?) ?\|$/gm)].flatMap(([, there, here, why]) =>
    [...there.matchAll(/`([^`]+)`/g)].map(([, beginning]) => ({ beginning: beginning.replaceAll("\\|", "|"), here, why })),
  );
  const used = new Set();
  for (const command of commands) {
    const fitting = rows.filter(({ beginning }) => `${flat(command)} `.startsWith(beginning));
    const row = fitting.sort((one, other) => other.beginning.length - one.beginning.length)[0];
    assert.ok(row, `nothing is said of ${command}`);
    used.add(row);
    if (row.here === "as printed") assert.ok(ran.has(command), `said to work as printed, but not run: ${command}`);
    else if (row.here === "with `npx`") assert.equal(callsIn(command)[0]?.program, "wrangler", command);
    else assert.ok(/`|\]\(#/.test(row.here) && row.why.length > 10, `what in its place, and why: ${command}`);
  }
  assert.deepEqual(rows.filter((row) => !used.has(row)), [], "the older runbook has no such command");
});

async function assertCompletedByHand(tenant) {
  const { status, body } = await h.status(tenant);
  assert.deepEqual([status, body.status, body.data.status, body.data.progress], [200, "completed", "completed", 100]);
  assert.deepEqual([body.data.reason, body.data.error, body.data.currentStep], [null, null, null]);
  assert.match(body.data.completedAt, /^\d{4}-/);

  const seen = async () => [await rows("tenants", tenant.tenantId), await rows("provision_runs", tenant.tenantId), (await requests()).length];
  const before = await seen();
  const { success, data } = await pasted(requeue.replaceAll(TENANT, tenant.tenantId));
  assert.deepEqual([success, data.status, data.changed], [true, "completed", false]);
  assert.match(data.message, /already completed/);
  assert.deepEqual(await seen(), before);
  assert.equal((await h.status(tenant)).body.status, "completed");
}
