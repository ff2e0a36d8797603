// scripts/watch-logs.sh on what the real runtime hands to a tail, and on what else a tail prints.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { logFile, loggedObjects, parsePrinted } from "../../scripts/lib/log.mjs";
import { makeWebhook, until } from "./harness.mjs";
import { startTailed } from "./tail.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "tenantry-watch-"));
const FILE = join(directory, "tail.json");

const h = await startTailed();
after(async () => {
  await h.close();
  rmSync(directory, { recursive: true, force: true });
});

const tenants = {};
/** What the tail would have printed of the day below. */
let text;

before(async () => {
  tenants.done = await h.signup({ plan: "pro" });
  tenants.failed = await h.signup();
  await h.confirm(tenants.done);
  await h.confirm(tenants.failed, { ...makeWebhook(), webhookUrl: "https://hook.eu2.make.com/gone" });
  assert.deepEqual([(await h.settled(tenants.done)).status, (await h.settled(tenants.failed)).status], ["completed", "failed"]);
  await h.api("GET", "/whoami");
  await h.api("GET", `/api/v1/tenants/${tenants.done.tenantId}/provision-status`, { token: tenants.failed.jwt });
  await h.api("POST", "/public/signup/start", { body: { clubName: "", plan: "gold" } });
  await h.api("POST", "/auth/logout", { token: (await h.signup()).jwt });
  await h.api("GET", "/api/v1/bgops/sagas", { token: h.token() });
  await h.sql("alter table promo_codes rename to promo_codes_away");
  assert.equal((await h.api("POST", "/public/signup/verify-promo", { body: { promoCode: "SPRING" } })).status, 503);
  await h.sql("alter table promo_codes_away rename to promo_codes");
  await h.stranger("/quiet");
  await h.stranger("/throw?secret=in-a-query");
  text = await h.tail(
    (lines) =>
      ["tenant_provision_complete", "tenant_provision_failed", "token_revoked", "signup_rejected"].every((word) =>
        lines.some(({ msg }) => msg === word),
      ) && lines.filter((line) => line === "two").length === 2,
  );
  writeFileSync(FILE, text);
});

/** Runs the script on a text; answers its lines. */
function watch(filter, { input = text, env = {}, args = ["--from", "-"] } = {}) {
  const { status, stdout, stderr } = spawnSync(join(ROOT, "scripts/watch-logs.sh"), [filter, ...args], {
    input,
    encoding: "utf8",
    env: { PATH: process.env.PATH, ...env },
  });
  assert.equal(status, 0, stderr);
  return stdout.split("\n").slice(0, -1);
}

const objects = (filter, options) => watch(filter, { ...options, args: ["--json", "--from", "-"] }).map((line) => JSON.parse(line));
const words = (filter, options) => new Set(objects(filter, options).map(({ msg }) => msg));

test("the tail is what wrangler prints: indented objects with their logs, of requests, alarms and schedules", async () => {
  const events = JSON.parse(`[${text.replaceAll(/^}\n(?=\{)/gm, "},\n")}]`);
  for (const event of events) {
    assert.ok(["ok", "exception"].includes(event.outcome));
    for (const key of ["eventTimestamp", "scriptName", "event", "logs", "exceptions"]) assert.ok(key in event, key);
  }
  assert.ok(events.some(({ event }) => "request" in event) && events.some(({ event }) => "scheduledTime" in event));
});

describe("a filter shows what it names, and nothing else:", () => {
  test("all", () => {
    const logged = text.match(/^ {16}\{$/gm);
    assert.ok(logged.length > 30);
    const { length } = JSON.parse(`[${text.replaceAll(/^}\n(?=\{)/gm, "},\n")}]`).flatMap(({ logs, exceptions }) => [
      ...logs.flatMap(({ message }) => message),
      ...exceptions,
    ]);
    assert.equal(watch("all").length, length);
  });

  test("authz", () => assert.deepEqual(words("authz"), new Set(["authz_grant", "authz_deny", "token_revoked"])));

  test("deny", () => {
    const denied = objects("deny");
    assert.deepEqual(new Set(denied.map(({ msg }) => msg)), new Set(["authz_deny"]));
    assert.deepEqual(denied.map(({ reason }) => reason).sort(), ["no_token", "tenant_mismatch"]);
  });

  test("signup", () => {
    assert.deepEqual(words("signup"), new Set(["signup_started", "signup_completed", "signup_rejected", "request"]));
    for (const { msg, route } of objects("signup")) assert.ok(msg !== "request" || route.startsWith("/public/signup/"), route);
  });

  test("provision", () => {
    const expected = ["queued", "start", "step", "complete", "failed"].map((word) => `tenant_provision_${word}`);
    assert.deepEqual(words("provision"), new Set([...expected, "upstream_call", "webhook_delivery"]));
  });

  test("provision, of removals and breakers too", () => {
    const removal = ["queued", "step", "failed"].map((word) => `tenant_deprovision_${word}`);
    const provision = [...removal, "tenant_deprovisioned", "circuit_opened"];
    const lines = [...provision, "provision_alarm_failed", "sweep", "request", "authz_grant"].map((msg) => JSON.stringify({ msg }));
    const shown = objects("provision", { input: `${lines.join("\n")}\n` }).map(({ msg }) => msg);
    assert.deepEqual(shown, [...provision, "provision_alarm_failed", "sweep"]);
  });

  test("errors", () => {
    const errors = objects("errors");
    for (const line of errors) assert.ok(line.level === "error" || line.status >= 500, JSON.stringify(line));
    const has = (what) => assert.ok(errors.some(what), JSON.stringify(errors));
    has(({ msg, status, route }) => msg === "request" && status === 503 && route === "/public/signup/verify-promo");
    has(({ msg, step }) => msg === "tenant_provision_failed" && step === "validate_webhook");
    has(({ msg, name, error, path }) => msg === "exception" && name === "TypeError" && error === "nobody caught this" && path === "/throw");
    has(({ msg, text }) => msg === "text" && text.includes("clears the screen"));
    assert.ok(!watch("errors").some((line) => line.includes("in-a-query")));
  });

  test("tenant", () => {
    const { tenantId } = tenants.done;
    const own = objects("tenant", { env: { TENANT_ID: tenantId } });
    for (const line of own) assert.ok([line.tenantId, line.requestedTenant].includes(tenantId));
    const seen = new Set(own.map(({ msg }) => msg));
    for (const word of ["signup_completed", "tenant_provision_complete", "authz_deny"]) assert.ok(seen.has(word), word);
    assert.deepEqual(watch("tenant", { env: { TENANT_ID: "tenant_nobody" } }), []);
  });
});

test("a line reads: time, level, word, then what matters", () => {
  const failed = watch("provision").find((line) => line.includes(" tenant_provision_failed "));
  const { tenantId, runId } = objects("provision").find(({ msg }) => msg === "tenant_provision_failed");
  assert.match(failed, /^\d{4}-\d\d-\d\dT[\d:.]+Z error tenant_provision_failed error=WEBHOOK_REJECTED step=validate_webhook /);
  assert.ok(failed.includes(` tenantId=${tenantId} runId=${runId} requestId=req_`), failed);
  const [denied] = watch("deny").filter((line) => line.includes("tenant_mismatch"));
  assert.match(denied, / warn {2}authz_deny reason=tenant_mismatch .*aud=syston-mobile .*roles=tenant_admin,owner /);
});

test("what others wrote into the log stays on its line, and moves no cursor", () => {
  const lines = watch("all");
  assert.equal(lines.filter((line) => line.includes("forges a line")).length, 2);
  for (const line of lines) {
    assert.match(line, /^(\d{4}-\d\d-\d\dT[\d:.]+Z|-) (info |warn |error) [a-z_]+( |$)/);
    assert.doesNotMatch(line, /[\x00-\x1f\x7f-\x9f]/);
  }
});

test("what others wrote is escaped in JSON too, and says the same", () => {
  const logged = { msg: "request", level: "info", path: "\x1b[2J\x00\x7f\x9b31m\u202e\u2066\u061c\u200b\u2028\ufeff\u00ad\u{e0041}é日🏉" };
  const input = `${JSON.stringify(logged)}\n`;
  const [line, ...others] = watch("all", { input, args: ["--json", "--from", "-"] });
  const [shown] = watch("all", { input });
  for (const each of [line, shown]) assert.doesNotMatch(each, /[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e0fff}]/u);
  assert.deepEqual([JSON.parse(line), others], [logged, []]);
  assert.match(shown, /é日🏉/);
});

test("text between the events, compact events, foreign objects and Windows line ends change nothing", () => {
  const whole = watch("all");
  const [first, ...rest] = text.split(/(?<=^}\n)/m);
  const noisy = [
    "Successfully created tail, expires at 2026-11-21T18:00:00Z\n\n",
    `${JSON.stringify(JSON.parse(first))}\n`,
    'Connected to tenantry-production, waiting for logs...\n{\n  "hello": 1\n}\n[1, 2]\n{ not json }\n"text"\nnull\n',
    ...rest,
    '{"logs":null,"outcome":7}\n{"logs":[null,1,{"message":"one text","level":"log","timestamp":"?"}],"exceptions":[null]}\n',
  ].join("");
  assert.deepEqual(watch("all", { input: noisy }).slice(0, -1), whole);
  assert.equal(watch("all", { input: noisy }).at(-1), '- info  text text="one text"');
  assert.deepEqual(watch("all", { input: text.replaceAll("\n", "\r\n") }), whole);
});

test("a tail that was cut off gives what came whole, also when another begins behind it", () => {
  const events = text.split(/(?<=^}\n)/m);
  const half = events[1].slice(0, events[1].length / 2);
  const count = (input) => watch("all", { input }).length;
  assert.equal(count(events[0] + half), count(events[0]));
  assert.equal(count(`${events[0]}${half}\n${events[2]}`), count(events[0] + events[2]));
  assert.equal(count(""), 0);
});

test("an outcome without an exception, and lines that the platform dropped, are told", () => {
  const event = {
    outcome: "exceededCpu",
    eventTimestamp: 1_795_258_972_306,
    event: { request: { url: "https://a.example/b?c", method: "POST" } },
    logs: [],
    exceptions: [],
    truncated: true,
  };
  assert.deepEqual(watch("all", { input: `${JSON.stringify(event, null, 2)}\n` }), [
    "2026-11-21T11:02:52Z error outcome method=POST path=/b outcome=exceededCpu",
    '2026-11-21T11:02:52Z warn  truncated error="Cloudflare cut this request\'s lines off"',
  ]);
});

test("asked unclearly, it says what to do, and asks nobody", () => {
  const from = ["--from", FILE];
  for (const args of [
    [],
    ["deny"],
    ["everything"],
    ["deny", "errors", ...from],
    ["deny", "preview", "production"],
    ["deny", "staging"],
    ["tenant"],
    ["deny", "--from"],
    ["deny", "production", ...from],
    ["deny", "--from", join(directory, "none")],
  ]) {
    const { status, stdout, stderr } = spawnSync(join(ROOT, "scripts/watch-logs.sh"), args, {
      encoding: "utf8",
      env: { PATH: process.env.PATH },
    });
    assert.deepEqual([status, stdout], [2, ""], `${args}`);
    assert.match(stderr, /^✗ .+\n$/);
  }
  assert.match(watch("--help", { args: [] })[2], /scripts\/watch-logs\.sh all\|authz/);
});

describe("following", () => {
  /** A checkout whose wrangler prints the captured tail, and notes how it was asked. */
  function checkout(wrangler) {
    const root = mkdtempSync(join(directory, "checkout-"));
    mkdirSync(join(root, "node_modules/.bin"), { recursive: true });
    for (const path of ["scripts/watch-logs.sh", "scripts/lib"]) cpSync(join(ROOT, path), join(root, path), { recursive: true });
    writeFileSync(join(root, "node_modules/.bin/wrangler"), `#!/usr/bin/env bash\necho "$*" >"${root}/asked"\n${wrangler}\n`);
    chmodSync(join(root, "node_modules/.bin/wrangler"), 0o755);
    return (args, env = {}) => {
      const { status, stdout, stderr } = spawnSync(join(root, "scripts/watch-logs.sh"), args, {
        encoding: "utf8",
        env: { PATH: process.env.PATH, ...env },
      });
      return {
        status,
        lines: stdout.split("\n").slice(0, -1),
        stderr,
        asked: () => spawnSync("cat", [join(root, "asked")], { encoding: "utf8" }).stdout.trim(),
      };
    };
  }

  test("the environment that is named, or that ENV names, as the runbook has it", () => {
    const run = checkout(`cat "${FILE}"`);
    for (const [args, ENV, environment] of [
      [["deny"], "production", "production"],
      [["deny", "preview"], "", "preview"],
      [["deny", "preview"], "production", "preview"],
    ]) {
      const { status, lines, stderr, asked } = run(args, { ENV });
      assert.deepEqual([status, lines, asked()], [0, watch("deny"), `tail --env ${environment} --format json`], stderr);
    }
  });

  test("says what to do when wrangler can't", () => {
    const { status, stderr } = checkout("echo 'not logged in' >&2; exit 1")(["deny", "production"]);
    assert.equal(status, 2);
    assert.match(stderr, /not logged in\n✗ wrangler tail ended: .*wrangler whoami.*\n$/);
  });

  test("the local service's log, live, through the file that npm start writes", async () => {
    const state = join(directory, "state");
    const keep = logFile(state);
    const child = spawn(join(ROOT, "scripts/watch-logs.sh"), ["deny", "local"], {
      env: { PATH: process.env.PATH, STATE_DIR: state },
      detached: true,
    });
    let seen = "";
    child.stdout.on("data", (chunk) => (seen += chunk));
    try {
      for (const line of objects("all")) keep(inspect(line, { breakLength: Infinity, depth: 9 }));
      await until(() => seen.split("\n").length > watch("deny").length);
      assert.deepEqual(seen.split("\n").slice(0, -1), watch("deny"));
    } finally {
      process.kill(-child.pid, "SIGTERM");
    }
    const { status, stderr } = checkout("")(["deny", "local"]);
    assert.equal(status, 2);
    assert.match(stderr, /^✗ .+product\.log is not there: run npm start/);
  });
});

test("a printed object is read back as it was, a printed warning too, and nothing else is taken for one", () => {
  const object = {
    level: "warn",
    msg: "it's",
    b: `"q" 'x' \`t\``,
    c: "\x1b[31m\n\u0007é",
    n: -1.5,
    yes: true,
    no: null,
    list: ["a", { y: 1 }],
    "x-y": {},
    e: [],
  };
  assert.deepEqual(parsePrinted(inspect(object, { breakLength: Infinity, depth: 9 })), object);
  const taken = [];
  const take = loggedObjects((each) => taken.push(each));
  for (const line of [
    "⎔ Starting local server...",
    "\x1b[33m▲ \x1b[43;33m[\x1b[43;30mWARNING\x1b[43;33m]\x1b[0m \x1b[1m{\x1b[0m",
    "",
    "    level: 'warn',",
    "    roles: []",
    "  }",
    "{ a: <ref *1> }",
    "  }",
    "{ level: 'info' }",
  ])
    take(line);
  assert.deepEqual(taken, [{ level: "warn", roles: [] }, { level: "info" }]);
});
