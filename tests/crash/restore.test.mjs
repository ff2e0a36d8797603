// The disaster drill: the database is backed up, everything that the service stored is destroyed, and the backup is put back. Whoever
// had a token, a provisioned tenant or a failed run has them afterwards, and the service works on. And a database that is put back while runs
// and removals are at work, whose objects know more than it does.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startService } from "../../scripts/lib/service.mjs";
import { client, makeWebhook, ran, until } from "../client.mjs";
import { mailsAreDue, query, sweep } from "./database.mjs";

const script = (name) => fileURLToPath(new URL(`../../scripts/${name}`, import.meta.url));

const service = await startService();
const backups = mkdtempSync(join(tmpdir(), "tenantry-drill-"));
after(async () => {
  await service.stop();
  rmSync(backups, { recursive: true, force: true });
});
const { api, sandbox, token, signup, confirm, settled, status, mails } = client({
  url: service.url,
  secret: service.secrets.JWT_SECRET,
  sandboxFetch: (path, init) => fetch(new URL(path, service.sandboxUrl), init),
});

/** Runs a script on the service's state. */
async function run(name, ...args) {
  const { code, stdout, stderr } = await ran(script(name), args, { env: { STATE_DIR: service.stateDir } });
  return { code, printed: stdout + stderr };
}

/** What everybody sees: each tenant its own claims, events and progress, an operator the runs. */
async function seen(tenants) {
  const answers = [];
  for (const tenant of tenants) {
    for (const path of ["/whoami", `/api/v1/tenants/${tenant.tenantId}/provision-status`, `/api/v1/tenants/${tenant.tenantId}/events`]) {
      const { status: code, body } = await api("GET", path, { token: tenant.jwt });
      assert.equal(code, 200, `${path}: ${JSON.stringify(body)}`);
      answers.push(body);
    }
  }
  answers.push((await api("GET", "/api/v1/bgops/sagas", { token: token() })).body);
  return answers;
}

test("after a backup, the loss of everything, and a restore, the service answers the same and works on", async () => {
  // Names that a careless export would break.
  const pro = await signup({ plan: "pro", clubName: `O'Neill "the; -- best" 日本 \\n FC` });
  const failed = await signup();
  const idle = await signup();
  await confirm(pro);
  await confirm(failed, { ...makeWebhook(), webhookUrl: "https://hook.eu2.make.com/gone" });
  assert.deepEqual([(await settled(pro)).status, (await settled(failed)).status], ["completed", "failed"]);
  const tenants = [pro, failed, idle];
  const before = await seen(tenants);
  // What D1's export changes: a line break beside a backslash with an n, a return beside one with an r, and a number beyond 2^53.
  const awkward = "select hex(name) as name, cast(value as text) as value from feature_flags where name glob 'drill*' order by 1";
  await query(
    service,
    `insert into feature_flags (name, enabled, value, updated_at) values ('drill' || char(10) || '\\n', 1, 9007199254740993, 1),
       ('drill' || char(13) || '\\r', 1, -9223372036854775808, 1)`,
  );
  const exact = await query(service, awkward);
  assert.equal(exact.length, 2);

  // While it runs: a backup disturbs nobody.
  const saved = await run("backup.sh", "--local", "--to", backups);
  assert.equal(saved.code, 0, saved.printed);
  const file = join(
    backups,
    readdirSync(backups).find((name) => name.endsWith(".sql")),
  );
  assert.deepEqual(await seen(tenants), before);

  await service.kill();
  // The database and the objects: the outside world, which is the sandbox's part of the state, goes on.
  for (const part of ["d1", "do/tenantry-Provisioner"]) rmSync(join(service.stateDir, "v3", part), { recursive: true });
  await service.restart();
  assert.equal((await api("GET", "/whoami", { token: pro.jwt })).status, 503, "nobody is let in without a database");
  await service.kill();

  const restored = await run("restore.sh", file, "--local");
  assert.equal(restored.code, 0, restored.printed);
  assert.ok(!existsSync(join(service.stateDir, "migrations.applied")), "the next npm start asks for newer migrations");
  assert.match(restored.printed, /✓ Restored, and compared: \d+ rows\./);
  assert.deepEqual(await query(service, awkward), exact);
  await service.restart();
  assert.deepEqual(await seen(tenants), before);
  assert.equal((await api("GET", "/health/startup")).status, 200);

  // Whatever was at work waits for somebody who looked, and the sweep, which notices what happened, changes nothing about that.
  assert.match(restored.printed, /Provisioning is paused: .*\n {2}scripts\/switch-provisioning\.sh on local\n$/s);
  await sweep(service);
  assert.equal((await api("GET", "/health/ready")).body.provisioning, "paused");
  const resumed = await api("POST", "/api/v1/bgops/provisioning/resume", { token: token(), body: { reason: "the drill" } });
  assert.deepEqual(resumed.body.data, { provisioning: "on", changed: true });

  // The objects are gone, too: what failed and what was never started begins, from what the database knows.
  await confirm(idle);
  assert.equal((await settled(idle)).status, "completed");
  assert.equal((await status(pro)).body.status, "completed");
  assert.equal(
    (
      await api("POST", "/public/signup/start", {
        body: { clubName: "Another", clubSlug: pro.clubSlug, email: "other@example.org", plan: "pro" },
      })
    ).body.error.code,
    "SLUG_TAKEN",
  );

  await service.kill();
  const refused = await run("restore.sh", file, "--local");
  assert.equal(refused.code, 2);
  assert.match(refused.printed, /has rows: say --force/);
  const forced = await run("restore.sh", file, "--local", "--force");
  assert.equal(forced.code, 0, forced.printed);
  await service.restart();
  assert.deepEqual(await seen([pro, failed]), [...before.slice(0, 6), before.at(-1)]);
});

test("a database that is put back while runs and a removal are at work learns again what their objects know", async () => {
  const operator = async (method, path, body) => (await api(method, path, { token: token(), body })).body.data;
  await operator("POST", "/api/v1/bgops/provisioning/resume", { reason: "the drill is over" });
  const fail = async (fault) => {
    const body = { kind: "status", status: 503, times: null, ...fault };
    return (await sandbox("/__sandbox/faults", { method: "POST", body })).id;
  };
  const tries = (tenant, step) =>
    until(async () => (await status(tenant)).body.data.steps.find(({ name, retryAt }) => name === step && retryAt !== null), {
      // The wait before an attempt grows with what went before, which takes long on a busy machine.
      ...{ within: 300_000, every: 100, what: `${step} to fail` },
    });
  const begin = async (plan) => ({ ...(await signup({ plan })), webhook: makeWebhook() });

  // Two at work: one will end, the other be at another step. One live, which will be removed. One that nothing is asked of.
  const ending = await begin("starter");
  const first = [await fail({ host: "hook.eu2.make.com", path: new URL(ending.webhook.webhookUrl).pathname })];
  const working = await begin("pro");
  first.push(await fail({ host: "script.google.com", bodyIncludes: working.tenantId }));
  const leaving = await begin("pro");
  const idle = await begin("starter");
  for (const tenant of [ending, working, leaving]) await confirm(tenant, tenant.webhook);
  await tries(ending, "validate_webhook");
  await tries(working, "create_spreadsheet");
  assert.equal((await settled(leaving)).status, "completed");

  const files = mkdtempSync(join(backups, "at-work-"));
  const saved = await run("backup.sh", "--local", "--to", files);
  assert.equal(saved.code, 0, saved.printed);
  const [file] = readdirSync(files).filter((name) => name.endsWith(".sql"));

  // The next step fails before this one may pass, and until the end: it is seen waiting however long the others take.
  await fail({ host: "script.google.com", bodyIncludes: '"action":"verify"' });
  await fail({ host: "script.google.com", bodyIncludes: leaving.tenantId, times: 3 });
  for (const id of first) await sandbox(`/__sandbox/faults/${id}`, { method: "DELETE" });
  const { undo } = await operator("DELETE", `/api/v1/admin/tenants/${leaving.tenantId}`, { reason: "left the league" });
  assert.equal(undo, "undoing");
  const ended = await settled(ending, { within: 300_000 });
  assert.equal(ended.status, "completed", JSON.stringify(ended));
  await tries(working, "verify_spreadsheet");

  await service.kill();
  const restored = await run("restore.sh", join(files, file), "--local", "--force");
  assert.equal(restored.code, 0, restored.printed);
  await service.restart();
  await sandbox("/__sandbox/faults", { method: "DELETE" });
  const ready = await api("GET", "/health/ready");
  assert.deepEqual([ready.status, ready.body.ok, ready.body.provisioning], [200, true, "paused"]);
  for (const tenant of [ending, working]) assert.equal((await status(tenant)).body.status, "processing", "as it was then");
  await sweep(service);
  assert.equal((await status(ending)).body.status, "processing", "nobody is woken yet");

  await operator("POST", "/api/v1/bgops/provisioning/resume", { reason: "looked at" });
  assert.equal((await api("GET", "/health/ready")).body.provisioning, "on");
  const runs = {};
  for (const tenant of [ending, working]) {
    const over = async () => {
      await sweep(service);
      const { body } = await status(tenant);
      return body.status === "completed" && body.data;
    };
    const data = await until(over, { within: 300_000, every: 1000, what: `the run of ${tenant.plan} ${tenant.tenantId} to be listed` });
    assert.deepEqual(data.steps.filter(({ status: one }) => one !== "completed"), []);
    runs[tenant.tenantId] = data.runId;
  }
  assert.equal(runs[ending.tenantId], ended.data.runId);
  const removed = async () => {
    await sweep(service);
    const [{ undo: state }] = await operator("GET", `/api/v1/bgops/sagas?tenant=${leaving.tenantId}`);
    return state?.status === "undone";
  };
  await until(removed, { within: 300_000, every: 1000, what: "the removal to be listed" });
  assert.equal((await api("GET", "/whoami", { token: leaving.jwt })).status, 403, "its token is dead again");
  assert.equal((await status(idle)).body.status, "pending", "what nobody asked for did not begin");

  const there = await query(
    service,
    `select t.id, t.status, t.route_ready, t.slug is null as released, (select count(*) from auth_users where tenant_id = t.id) as owners,
       (select count(*) from tenant_brand where tenant_id = t.id) as brands, (select count(*) from feed_posts where tenant_id = t.id) as posts,
       (select count(*) from pro_automation where tenant_id = t.id) as sheets, (select count(*) from provision_runs where tenant_id = t.id) as runs
     from tenants t where t.id in (${[ending, working, leaving].map(({ tenantId }) => `'${tenantId}'`)})`,
  );
  const live = { status: "active", route_ready: 1, released: 0, owners: 1, brands: 1, posts: 1, runs: 1 };
  const gone = { status: "cancelled", route_ready: 0, released: 1, owners: 0, brands: 0, posts: 0, sheets: 0, runs: 1 };
  const wanted = new Map([[ending, { ...live, sheets: 0 }], [working, { ...live, sheets: 1 }], [leaving, gone]]);
  for (const [{ tenantId }, row] of wanted) assert.deepEqual(there.find(({ id }) => id === tenantId), { id: tenantId, ...row });

  // Outside, nothing was done again, and nothing is left that nobody knows.
  const { spreadsheets } = await sandbox("/__sandbox/spreadsheets");
  const sheetsOf = ({ tenantId }) => spreadsheets.filter((sheet) => sheet.tenantId === tenantId).length;
  assert.deepEqual([sheetsOf(working), sheetsOf(leaving)], [1, 0]);
  const mailsTo = ({ email }) => mails(email);
  for (const tenant of [ending, working]) {
    const mail = async () => {
      if ((await mailsTo(tenant)).length > 0) return true;
      await mailsAreDue(service);
      return false;
    };
    await until(mail, { within: 60_000, every: 1000, what: `the welcome mail of ${tenant.tenantId}` });
    assert.equal((await mailsTo(tenant)).length, 1);
  }
});
