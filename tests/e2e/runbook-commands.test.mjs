// RUNBOOK.md's own commands. A `runnable` block runs as it stands against the service as `npm start` runs it, for a tenant in the block's
// state. The other blocks are checked against the programs' own help. A new section is covered by being there.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startService } from "../../scripts/lib/service.mjs";
import { client, makeWebhook, until } from "../client.mjs";
import { makeCheckout } from "./checkout.mjs";
import { blocksOf, callsIn, commandsOf, paste } from "./runbook.mjs";
import { startTailed } from "./tail.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const RUNBOOK = readFileSync(join(ROOT, "RUNBOOK.md"), "utf8");
const blocks = blocksOf(RUNBOOK);
const ofKind = (kind) => blocks.filter((block) => block.kind === kind);
const [fillIn, setup] = blocks;

const directory = mkdtempSync(join(tmpdir(), "tenantry-runbook-"));
const service = await startService();
after(async () => {
  await service.stop();
  rmSync(directory, { recursive: true, force: true });
});
const { api, sandbox, token, signup, signupUnproven, confirm, settled, status } = client({
  url: service.url,
  secret: service.secrets.JWT_SECRET,
  sandboxFetch: (path, init) => fetch(new URL(path, service.sandboxUrl), init),
});

const { root } = makeCheckout(join(directory, "checkout"), { real: true });
writeFileSync(join(root, ".dev.vars"), `JWT_SECRET="${service.secrets.JWT_SECRET}"\n`);

/**
 * As an operator's curl would be read by them: an answer from 400 is a failure, unless what is asked for is the status. Who follows a
 * log for a minute sees in the first seconds what has happened so far.
 */
const PRELUDE = `
curl() {
  case " $* " in
    *" -w "*) command curl --max-time 20 "$@" ;;
    *) command curl --silent --show-error --fail-with-body --max-time 20 "$@" ;;
  esac
}
timeout() { command timeout 2 "\${@:2}" || [ $? -eq 124 ]; }
${commandsOf(setup.code)
  .filter((command) => /^\w+\(\)/.test(command))
  .join("\n")}`;

/** Each makes a tenant in one state, and answers it. */
const STATES = {
  completed: () => ended({ plan: "starter" }, "completed"),
  pro: () => ended({ plan: "pro" }, "completed"),
  failed: () => ended({ plan: "starter" }, "failed", { ...makeWebhook(), webhookUrl: "https://hook.eu2.make.com/gone" }),
  /** Between two attempts at its webhook. */
  async working() {
    const webhook = makeWebhook();
    const fault = { host: "hook.eu2.make.com", path: new URL(webhook.webhookUrl).pathname, kind: "status", status: 503 };
    await sandbox("/__sandbox/faults", { method: "POST", body: fault });
    const tenant = await newTenant({ plan: "starter" });
    await confirm(tenant, webhook);
    const waits = async () => (await status(tenant)).body.data.steps?.some(({ retryAt }) => retryAt !== null);
    await until(waits, { what: "an attempt that is tried again" });
    return { ...tenant, runId: (await status(tenant)).body.data.runId };
  },
  /** Removed but for its spreadsheet, which the script refuses to remove, once. */
  async unremoved() {
    const tenant = await STATES.pro();
    const refusal = { host: "script.google.com", kind: "status", status: 200, body: { ok: false, error: "no", code: "NO" } };
    await sandbox("/__sandbox/faults", { method: "POST", body: { ...refusal, bodyIncludes: tenant.tenantId, times: 1 } });
    await api("DELETE", `/api/v1/admin/tenants/${tenant.tenantId}`, { token: token(), body: { reason: "a test" } });
    const undo = async () => (await api("GET", `/api/v1/bgops/sagas/${tenant.runId}`, { token: token() })).body.data.undo?.status;
    await until(async () => (await undo()) === "compensation_failed", { what: "a removal that fails" });
    return tenant;
  },
  /** Nobody has proven its address, and so it has no run. */
  unproven: async () => ({ ...(await signupUnproven()), runId: "run_none" }),
  /** While something is stopped that the block starts again. */
  stopped: async () => earlier,
  /** One delivery to it was given up. */
  async undelivered() {
    const tenant = await STATES.completed();
    const SQL = `update webhook_deliveries set status = 'failed', next_at = null where tenant_id = '${tenant.tenantId}'`;
    const sent = () => api("GET", `/api/v1/tenants/${tenant.tenantId}/webhook/deliveries`, { token: token() });
    await until(async () => (await sent()).body.data[0]?.status === "delivered", { what: "the first delivery" });
    const { status, stderr } = await paste('npx wrangler d1 execute DB $D1 --command "$SQL"', { env: { ...filledIn(tenant), ...setUp(tenant), SQL }, cwd: root });
    assert.equal(status, 0, stderr);
    assert.equal((await sent()).body.data[0].status, "failed");
    return tenant;
  },
  /** Completed after the moment that the database was put back to, and since then the sweep came by. */
  async forgotten() {
    const tenant = await STATES.completed();
    const sql = `update tenants set status = 'trial', provision_state = 'processing', provisioned_at = null, swept_at = 0,
      provision_updated_at = provision_updated_at - 600 where id = '${tenant.tenantId}';
      delete from auth_users where tenant_id = '${tenant.tenantId}';
      update provision_runs set status = 'processing', step = 'activate', completed_at = null, updated_at = updated_at - 600,
      version = 1 where id = '${tenant.runId}'`;
    const env = { ...filledIn(tenant), ...setUp(tenant), SQL: sql };
    assert.equal((await paste('npx wrangler d1 execute DB $D1 --command "$SQL"', { env, cwd: root })).status, 0);
    const { body } = await api("GET", "/api/v1/bgops/sagas?stuck=true", { token: token() });
    assert.ok(body.data.some(({ runId }) => runId === tenant.runId));
    const retry = await api("POST", `/api/v1/bgops/sagas/${tenant.runId}/retry`, { token: token(), body: { reason: "a test" } });
    assert.equal(retry.status, 409);
    await fetch(`${service.url}/cdn-cgi/local/scheduled`);
    await until(async () => (await status(tenant)).body.status === "completed", { what: "the sweep's putting it back" });
    const [{ results }] = JSON.parse((await paste(`npx wrangler d1 execute DB $D1 --json --command "$SQL"`, {
      env: { ...env, SQL: `select roles from auth_users where tenant_id = '${tenant.tenantId}'` },
      cwd: root,
    })).stdout);
    assert.deepEqual(results, [{ roles: '["tenant_admin","owner"]' }]);
    return tenant;
  },
};

/** Made in `before`: while signups or provisioning are stopped, nobody makes another. */
let earlier;

const newTenant = (form) => signup(form, { headers: { "idempotency-key": randomUUID() } });

async function ended(form, state, webhook) {
  const tenant = await newTenant(form);
  assert.equal((await confirm(tenant, webhook)).status, 200);
  const { status, data } = await settled(tenant);
  assert.equal(status, state);
  return { ...tenant, runId: data.runId };
}

/** What people fill in, for a tenant. Nothing else is set: not even a developer's own variables. */
const filledIn = (tenant) => ({
  HOME: directory,
  PORT: new URL(service.url).port,
  SANDBOX_PORT: new URL(service.sandboxUrl).port,
  STATE_DIR: service.stateDir,
  WRANGLER_SEND_METRICS: "false",
  ENV: "local",
  WORKER_URL: service.url,
  JWT_SECRET: service.secrets.JWT_SECRET,
  METRICS_TOKEN: service.secrets.METRICS_TOKEN,
  TENANT_ID: tenant.tenantId,
  RUN_ID: tenant.runId,
  EMAIL: tenant.email,
  SLUG: tenant.clubSlug,
  UPSTREAM: "cloudflare",
  WEBHOOK_URL: "https://hook.us1.make.com/correct-url",
});

/** What the set-up makes of it. */
const setUp = (tenant) => ({
  BASE: service.url,
  D1: `--local --persist-to ${service.stateDir}`,
  TENANT_TOKEN: tenant.jwt,
  ADMIN_TOKEN: token(),
  SERVICE_TOKEN: token({ aud: "internal", roles: ["service"] }),
});

/** Tokens of the very second in which all were revoked are refused. */
const opens = () =>
  until(async () => (await api("GET", "/whoami", { token: token() })).status === 200, { what: "tokens that open" });

before(async () => {
  earlier = await STATES.completed();
  const h = await startTailed();
  await h.signup();
  await h.api("GET", "/whoami");
  await h.stranger("/throw");
  const words = ["request", "authz_deny"];
  const text = await h.tail((lines) => lines.includes("two") && words.every((word) => lines.some(({ msg }) => msg === word)));
  writeFileSync(join(root, "tail.json"), text);
  await h.close();
});

test("the set-up makes tokens that open what they are for, from what is filled in", async () => {
  const tenant = await STATES.completed();
  const code = `${setup.code}
    for token in $ADMIN_TOKEN $SERVICE_TOKEN $TENANT_TOKEN; do curl $BASE/whoami -H "Authorization: Bearer $token"; echo; done
    get /api/v1/admin/tenants/$TENANT_ID | jq -c '[.data.id]'
    send PATCH /api/v1/admin/tenants/$TENANT_ID '{"comped":true,"reason":"a test"}' | jq -c '[.data.comped]'
    printf '"%s"\\n' "$D1"`;
  const { status, stdout, stderr } = await paste(code, { env: filledIn(tenant), cwd: root, prelude: PRELUDE });
  assert.equal(status, 0, stderr);
  const [admin, machine, ofTenant, ...answers] = stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual([admin.data.roles, machine.data.aud, ofTenant.data.tenantId], [["admin"], "internal", tenant.tenantId]);
  assert.deepEqual(answers, [[tenant.tenantId], [true], setUp(tenant).D1]);
});

/** The programs that a block calls, first on PATH: each takes its arguments down, as `ps` would show them. */
function watchedPrograms() {
  const folder = mkdtempSync(join(directory, "programs-"));
  const log = join(folder, "arguments");
  writeFileSync(log, "");
  const PATH = `${dirname(process.execPath)}:${process.env.PATH}`;
  for (const name of ["curl", "jq", "npx", "node", "timeout", "grep", "cat", "env", "openssl"]) {
    writeFileSync(join(folder, name), `#!/bin/bash\nprintf '%s\\n' "${name} $*" >>"${log}"\nPATH="\${PATH#*:}" exec ${name} "$@"\n`, { mode: 0o755 });
  }
  return { PATH: `${folder}:${PATH}`, arguments: () => readFileSync(log, "utf8") };
}

/** What the blocks printed, by heading. */
const printed = {};

describe("what is marked runnable works as it stands:", () => {
  for (const { heading, line, state, code } of ofKind("runnable")) {
    test(`${heading}, line ${line}`, async () => {
      await opens();
      const tenant = await STATES[state]();
      const listed = watchedPrograms();
      const env = { ...filledIn(tenant), ...setUp(tenant), PATH: listed.PATH };
      const { status, stdout, stderr } = await paste(code, { env, cwd: root, prelude: PRELUDE });
      assert.equal(status, 0, `${code}\n${stdout}\n${stderr}`);
      for (const name of ["JWT_SECRET", "METRICS_TOKEN", "TENANT_TOKEN", "ADMIN_TOKEN", "SERVICE_TOKEN"]) {
        assert.ok(!listed.arguments().includes(env[name]), `whoever lists the processes sees ${name}`);
      }
      assert.notEqual(stdout.trim(), "", `it printed nothing:\n${code}\n${stderr}`);
      printed[heading] = `${printed[heading] ?? ""}${stdout}`;
      assert.equal((await api("GET", "/health/ready")).status, 200, "the service works on");
    });
  }
});

test("and does what the text says of it", () => {
  for (const [heading, ...wanted] of [
    ["Is it up?", /"schema":\{"ok":true\}/, /✓ pro: provisioned/],
    ["Watching the log", /tenant_provision_failed/, / no_token\n/, /"nobody caught this"/],
    ["Signup failed", /✓ Signups are off/, /✓ Signups are on/, /"slug": "club-/],
    ["Provisioning stuck or failed", /"error":"WEBHOOK_REJECTED"/, /"changed":true/, /"undo": "undoing"/, /"status": "failed"/],
    ["An upstream is down", /"upstream":"make"/, /"changed": false/],
    ["Removing a tenant", /"undo": "undoing"/, /"status": "compensation_failed"/, /"externalId": "/],
    ["Tenant isolation", /^tenant_\w+ 200\ntenant_\w+ 403\n$/],
    ["Idempotency keys", /"operation": "signup_start"/],
    ["JWT secret compromised, or due", /✓ Rotated/, /✓ Every token/],
    ["Webhook not triggering (starter)", /"msg":"webhook_delivery"/, /"resumed": true/],
    ["A tenant's webhook is dead", /"type": "tenant.provisioned"/],
    ["Google Sheets not created (pro)", /docs\.google\.com/, /"upstream":"apps_script"/],
    ["Suspending a tenant", /"status": "suspended"/, /"status": "active"/],
    ["Promo codes", /"discountPercent": 50/],
    ["Who did what", /"action":"tenant.update"/, /"action":"tenant.deprovision"/],
    ["Backups", /✓ \S+backups\/tenantry-local/, /✓ Nothing was changed: this was a dry run/, /\{"status":"completed","stuck":false\}/],
    ["Service levels", /"successRatio"/, /"requests": [1-9]/, /trial/],
  ]) {
    for (const words of wanted) assert.match(printed[heading] ?? "", words, heading);
  }
});

test("what the local service logs can be followed, warnings and errors too", async () => {
  const { tenantId, runId } = await STATES.failed();
  await api("GET", "/whoami");
  const child = spawn(join(ROOT, "scripts/watch-logs.sh"), ["all", "local", "--json"], {
    env: { PATH: process.env.PATH, STATE_DIR: service.stateDir },
    detached: true,
  });
  let seen = "";
  child.stdout.on("data", (chunk) => (seen += chunk));
  const lines = () =>
    seen
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  try {
    const wanted = [
      (line) => line.msg === "tenant_provision_failed" && line.level === "error" && line.tenantId === tenantId && line.runId === runId,
      (line) => line.msg === "authz_deny" && line.level === "warn" && line.reason === "no_token" && Array.isArray(line.roles),
      (line) => line.msg === "request" && line.route === "/whoami" && line.status === 401,
    ];
    await until(() => wanted.every((is) => lines().some(is)), { what: "the lines in the local log" });
  } finally {
    process.kill(-child.pid, "SIGTERM");
  }
});

test("every block is run or checked, parses, and names nobody in particular", async () => {
  assert.deepEqual([fillIn.kind, setup.kind], ["checked", "setup"]);
  assert.ok(ofKind("runnable").length >= 30, `${ofKind("runnable").length}`);
  for (const { line, language, kind, words, state, code } of blocks) {
    assert.ok(language === "sh" && ["setup", "runnable", "checked"].includes(kind), `line ${line}: ${language} ${words.join(" ")}`);
    assert.ok(words.length === 1 || (kind === "runnable" && words.length === 2), `line ${line}: ${words.join(" ")}`);
    assert.ok(state in STATES, `line ${line}: no club can be ${state}`);
    assert.doesNotMatch(code, /tenant_123|--env production|\bJWT"/, `line ${line} is for one case, or for production`);
    assert.ok(kind !== "runnable" || !/…/.test(code), `line ${line}: something is to be filled in`);
    const { status, stderr } = await paste('bash -n <<<"$CODE"', { env: { CODE: code } });
    assert.equal(status, 0, `line ${line}: ${stderr}`);
  }
});

test("every variable is filled in, made by the set-up, or set by its own block", () => {
  const first = fillIn.code + setup.code;
  // What is Cloudflare's or Google's, and not asked for at every case.
  const theirs = ["BASE_DOMAIN", "CLOUDFLARE_ZONE_ID", "CLOUDFLARE_API_TOKEN", "USER", "STATE_DIR", "FILE", "AT"];
  for (const { line, code } of blocks) {
    for (const [, name] of code.matchAll(/\$\{?([A-Z][A-Z0-9_]+)/g)) {
      const isSet = [code, first].some((text) => new RegExp(`(^|\\s)${name}=`, "m").test(text));
      assert.ok(isSet || theirs.includes(name), `line ${line}: who sets ${name}?`);
    }
  }
  for (const name of Object.keys(setUp({}))) assert.match(first, new RegExp(`\\b${name}=`), name);
});

test("what a command leaves in the checkout is not committed, and stands in no deployment's way", () => {
  const ignored = readFileSync(join(ROOT, ".gitignore"), "utf8").split("\n");
  const left = [...new Set([...RUNBOOK.matchAll(/(?:--keep|--to| >) ([a-z][\w.-]*)(?=[\s`])/g)].map(([, name]) => name))];
  assert.deepEqual(left.sort(), ["backups", "new-secret.txt", "tail.json"]);
  for (const name of left) assert.ok(ignored.includes(`/${name}`) || ignored.includes(`/${name}/`), name);
});

describe("what a command is told, its program knows:", { concurrency: 2 }, () => {
  const inText = [...RUNBOOK.replaceAll(/^```[\s\S]*?^```/gm, "").matchAll(/`([^`\n]+)`/g)].map(([, code]) => code.replaceAll("\\|", "|"));
  // What the older runbook said is in the first column of the last section.
  const older = [...RUNBOOK.matchAll(/^\| (`.*?`) \| .* \| .* \|$/gm)].flatMap(([, column]) =>
    [...column.matchAll(/`([^`]+)`/g)].map(([, code]) => code.replaceAll("\\|", "|")),
  );
  const shell = [...blocks.flatMap(({ code }) => commandsOf(code)), ...inText.filter((code) => !older.includes(code))];
  const calls = shell.flatMap(callsIn).filter(({ flags, words }) => flags.length > 0 || words.length > 0);
  const byProgram = Map.groupBy(calls, ({ program, words }) => (program === "wrangler" ? `wrangler ${words.join(" ")}` : program));
  test("there are many", () => assert.ok(byProgram.size > 20, [...byProgram.keys()].join("\n")));

  for (const [program, used] of byProgram) {
    const flags = [...new Set(used.flatMap(({ flags }) => flags))];
    test(`${program} ${flags.join(" ")}`, async () => {
      const help = await helpOf(program);
      for (const flag of flags) {
        assert.match(help, new RegExp(`(^|[\\s\`[,|])${flag}(?![\\w-])`, "m"), `${program} has no ${flag}:\n${help}`);
      }
      if (!program.startsWith("wrangler")) return;
      const [, command] = /^(wrangler [a-z0-9 -]*?)\s*(?:[<[].*)?$/m.exec(help) ?? [];
      const [, subcommand] = program.split(" ");
      assert.ok(command?.startsWith(`wrangler ${subcommand}`) && `${program} `.startsWith(`${command} `), `${program}: ${command}`);
    });
  }

  async function helpOf(program) {
    const bin = join(ROOT, "node_modules/.bin");
    const [command, ...words] = program.split(" ");
    const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    if (command === "npm") assert.ok(words[1] in scripts, `there is no ${program}`);
    const [file, ...args] =
      command === "wrangler"
        ? [process.execPath, join(bin, "wrangler"), ...words]
        : command === "npm"
          ? [process.execPath, join(ROOT, `scripts/${words[1]}.mjs`)]
          : command.endsWith(".sh")
            ? [join(ROOT, command)]
            : [process.execPath, join(ROOT, command)];
    // Not every npm command is a script of ours with something to say: those that are told nothing need none.
    if (command === "npm" && !existsSync(args[0])) return "";
    const env = { PATH: process.env.PATH, WRANGLER_SEND_METRICS: "false" };
    return (await promisify(execFile)(file, [...args, "--help"], { env })).stdout;
  }
});

test("every script, npm command and section that the runbook names is there", () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  for (const [name] of RUNBOOK.matchAll(/scripts\/[\w-]+\.\w+/g)) assert.ok(existsSync(join(ROOT, name)), name);
  for (const [, name] of RUNBOOK.matchAll(/npm run ([\w:-]+)/g)) assert.ok(name in scripts, name);
  const anchors = [...RUNBOOK.replaceAll(/^```[\s\S]*?^```/gm, "").matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );
  assert.deepEqual(anchors, [...new Set(anchors)], "two sections of one name");
  for (const [, anchor] of RUNBOOK.matchAll(/\]\(#([\w-]+)\)/g)) assert.ok(anchors.includes(anchor), anchor);
  const first = RUNBOOK.slice(RUNBOOK.indexOf("## The page rings"), RUNBOOK.indexOf("## Is it up?"));
  assert.ok([...first.matchAll(/\]\(#([\w-]+)\)/g)].length >= 15, "the first table leads to the sections");
});
