// RUNBOOK.md's own commands: the blocks marked `runnable` are run as they stand against the service as `npm start` runs it; of the
// others, what can be checked without an account. A new section is covered by being there.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startService } from "../../scripts/lib/service.mjs";
import { client, makeWebhook, until } from "../client.mjs";
import { makeCheckout } from "./checkout.mjs";
import { blocksOf, paste } from "./runbook.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const RUNBOOK = readFileSync(join(ROOT, "RUNBOOK.md"), "utf8");
const blocks = blocksOf(RUNBOOK);
const runnable = blocks.filter((block) => block.runnable);
const STATES = ["completed", "failed", "pending"];

const directory = mkdtempSync(join(tmpdir(), "tenantry-runbook-"));
const service = await startService();
after(async () => {
  await service.stop();
  rmSync(directory, { recursive: true, force: true });
});
const { api, token, signup, confirm, settled } = client({ url: service.url, secret: service.secrets.JWT_SECRET });

/** As an operator's curl would be read by them: an answer from 400 is a failure. */
const PRELUDE = 'curl() { command curl --silent --show-error --fail-with-body --max-time 20 "$@"; }';

/** A club of a block's own, so that blocks may do with it what they like. */
async function club(state) {
  const club = await signup();
  if (state === "pending") return club;
  const webhook = state === "failed" ? { ...makeWebhook(), webhookUrl: "https://hook.eu2.make.com/gone" } : makeWebhook();
  assert.equal((await confirm(club, webhook)).status, 200);
  const { status, data } = await settled(club);
  assert.equal(status, state);
  return { ...club, runId: data.runId };
}

/** What the runbook has people set, and where the service is. Nothing else: not even a developer's own variables. */
const variables = (club) => ({
  HOME: directory,
  PORT: new URL(service.url).port,
  STATE_DIR: service.stateDir,
  ENV: "local",
  WORKER_URL: service.url,
  BASE: service.url,
  D1: `--local --persist-to ${service.stateDir}`,
  WRANGLER_SEND_METRICS: "false",
  JWT_SECRET: service.secrets.JWT_SECRET,
  METRICS_TOKEN: service.secrets.METRICS_TOKEN,
  TENANT_ID: club.tenantId,
  RUN_ID: club.runId ?? "",
  EMAIL: club.email,
  TENANT_TOKEN: club.jwt,
  ADMIN_TOKEN: token(),
  SERVICE_TOKEN: token({ aud: "internal", roles: ["service"] }),
});

describe("a block that is marked runnable works as it stands:", () => {
  // Where it is run, no file of a developer's is in the way, and what it writes goes away.
  const { root } = makeCheckout(join(directory, "checkout"), { real: true });
  for (const { heading, line, state, code } of runnable) {
    test(`${heading}, line ${line}`, async () => {
      const { status, stdout, stderr } = await paste(code, { env: variables(await club(state)), cwd: root, prelude: PRELUDE });
      assert.equal(status, 0, `${code}\n${stdout}\n${stderr}`);
      assert.notEqual(stdout.trim(), "", `it printed nothing:\n${code}`);
      const { status: open } = await api("GET", "/health/ready");
      assert.equal(open, 200, "the service works on");
    });
  }
});

test("what the local service logs can be followed, warnings and errors too", async () => {
  const { tenantId, runId } = await club("failed");
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

test("there are such blocks, their state is one that a club can be in, and they name nobody in particular", () => {
  assert.ok(runnable.length >= 8, `${runnable.length}`);
  for (const { line, words, state, code } of runnable) {
    assert.ok(words.length <= 2 && STATES.includes(state), `line ${line}: ${words.join(" ")}`);
    assert.doesNotMatch(code, /…|tenant_123|--env production/, `line ${line} is for one case, or for production`);
    for (const [, name] of code.matchAll(/\$\{?([A-Z][A-Z0-9_]+)/g)) {
      assert.ok(name in variables({}) || new RegExp(`^\\s*(export )?${name}=`, "m").test(code), `line ${line}: who sets ${name}?`);
    }
  }
});

test("every block of shell parses, and nothing else is run", async () => {
  for (const { line, language, words, code } of blocks) {
    assert.notEqual(language, "", `line ${line}: in what language?`);
    assert.ok(words.length === 0 || (language === "sh" && words[0] === "runnable"), `line ${line}: ${language} ${words.join(" ")}`);
    if (language !== "sh") continue;
    const { status, stderr } = await paste('bash -n <<<"$CODE"', { env: { CODE: code } });
    assert.equal(status, 0, `line ${line}: ${stderr}`);
  }
});

test("every script, npm command and section that the runbook names is there", () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  for (const [name] of RUNBOOK.matchAll(/scripts\/[\w-]+\.\w+/g)) assert.ok(existsSync(join(ROOT, name)), name);
  for (const [, name] of RUNBOOK.matchAll(/npm run ([\w:-]+)/g)) assert.ok(name in scripts, name);
  const anchors = [...RUNBOOK.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );
  for (const [, anchor] of RUNBOOK.matchAll(/\]\(#([\w-]+)\)/g)) assert.ok(anchors.includes(anchor), anchor);
});

test("what is set first explains every variable that a runnable block is given", () => {
  const [place, whom] = blocks;
  for (const name of [
    "ENV",
    "WORKER_URL",
    "BASE",
    "D1",
    "TENANT_ID",
    "RUN_ID",
    "EMAIL",
    "JWT_SECRET",
    "METRICS_TOKEN",
    "ADMIN_TOKEN",
    "SERVICE_TOKEN",
    "TENANT_TOKEN",
  ]) {
    assert.match(place.code + whom.code, new RegExp(`\\b${name}\\b`), name);
  }
});
