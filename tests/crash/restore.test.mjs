// The disaster drill: the database is backed up, everything that the service stored is destroyed, and the backup is put back. Whoever
// had a token, a provisioned club or a failed run has them afterwards, and the service works on.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startService } from "../../scripts/lib/service.mjs";
import { client, makeWebhook } from "../client.mjs";

const script = (name) => fileURLToPath(new URL(`../../scripts/${name}`, import.meta.url));

const service = await startService();
const backups = mkdtempSync(join(tmpdir(), "tenantry-drill-"));
after(async () => {
  await service.stop();
  rmSync(backups, { recursive: true, force: true });
});
const { api, token, signup, confirm, settled, status } = client({
  url: service.url,
  secret: service.secrets.JWT_SECRET,
  sandboxFetch: (path, init) => fetch(new URL(path, service.sandboxUrl), init),
});

/** Runs a script on the service's state. */
function run(name, ...args) {
  const {
    status: code,
    stdout,
    stderr,
  } = spawnSync(script(name), args, { encoding: "utf8", env: { ...process.env, STATE_DIR: service.stateDir } });
  return { code, printed: stdout + stderr };
}

/** What everybody sees: each club its own claims, events and progress, an operator the runs. */
async function seen(clubs) {
  const answers = [];
  for (const club of clubs) {
    for (const path of ["/whoami", `/api/v1/tenants/${club.tenantId}/provision-status`, `/api/v1/tenants/${club.tenantId}/events`]) {
      const { status: code, body } = await api("GET", path, { token: club.jwt });
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
  const clubs = [pro, failed, idle];
  const before = await seen(clubs);

  // While it runs: a backup disturbs nobody.
  const saved = run("backup.sh", "--local", "--to", backups);
  assert.equal(saved.code, 0, saved.printed);
  const file = join(
    backups,
    readdirSync(backups).find((name) => name.endsWith(".sql")),
  );
  assert.deepEqual(await seen(clubs), before);

  await service.kill();
  // The database and the objects: the outside world, which is the sandbox's part of the state, goes on.
  for (const part of ["d1", "do/tenantry-Provisioner"]) rmSync(join(service.stateDir, "v3", part), { recursive: true });
  await service.restart();
  assert.equal((await api("GET", "/whoami", { token: pro.jwt })).status, 503, "nobody is let in without a database");
  await service.kill();

  const restored = run("restore.sh", file, "--local");
  assert.equal(restored.code, 0, restored.printed);
  assert.ok(!existsSync(join(service.stateDir, "migrations.applied")), "the next npm start asks for newer migrations");
  await service.restart();
  assert.deepEqual(await seen(clubs), before);
  assert.equal((await api("GET", "/health/startup")).status, 200);

  // Whatever was at work waits for somebody who looked, and the sweep, which notices what happened, changes nothing about that.
  assert.match(restored.printed, /Provisioning is paused: .*\n {2}scripts\/switch-provisioning\.sh on local\n$/s);
  await fetch(`${service.url}/cdn-cgi/local/scheduled`);
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
  const refused = run("restore.sh", file, "--local");
  assert.equal(refused.code, 2);
  assert.match(refused.printed, /has rows: say --force/);
  const forced = run("restore.sh", file, "--local", "--force");
  assert.equal(forced.code, 0, forced.printed);
  await service.restart();
  assert.deepEqual(await seen([pro, failed]), [...before.slice(0, 6), before.at(-1)]);
});
