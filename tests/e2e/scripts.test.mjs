// Every script, whatever its arguments and answers. The caller names no environment, a server means harm, a wrangler claims more than it
// did, or somebody lists the processes.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { choice, pathsOf } from "../../scripts/lib/suites.mjs";
import { storedSql } from "../bench/peer/sql.mjs";
import { makeCheckout } from "./checkout.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "tenantry-scripts-"));
const servers = [];
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(directory, { recursive: true, force: true });
});

const SCRIPTS = readdirSync(join(ROOT, "scripts")).filter((name) => /\.(sh|m?js)$/.test(name));
const SECRET = "a secret of which nobody may see a single word";
const TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlLW9mLW5vYm9keQ";
const PROVEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ5In0.YW5kLWEtdGhpcmQtc2lnbmF0dXJl";
const ADMIN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.YW5vdGhlci1zaWduYXR1cmU";
/** Whatever a terminal obeys, but the line break that ends a line. */
const OBEYED = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;
const EVIL = "\x1b[2J\x07\x9b31m\u202eknil\u2066\u200b\u2028✓ 15 passed, 0 failed";

/** Runs a script of this checkout; answers its exit code and all that it printed. */
function run(name, args = [], env = {}) {
  const file = join(ROOT, "scripts", name);
  const [command, first] = name.endsWith(".sh") ? [file, []] : [process.execPath, [file]];
  return new Promise((done) => {
    const child = spawn(command, [...first, ...args], { env: { PATH: process.env.PATH, HOME: directory, ...env } });
    let printed = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (chunk) => (printed += chunk));
    child.on("close", (status) => done({ status, printed }));
  });
}

/** Programs that take down their arguments, first on PATH, and go on as the real ones. */
function watched(...names) {
  const folder = mkdtempSync(join(directory, "watched-"));
  const log = join(folder, "arguments");
  writeFileSync(log, "");
  for (const name of names) {
    writeFileSync(join(folder, name), `#!/bin/bash\nprintf '%s\\n' "${name} $*" >>"${log}"\nPATH="\${PATH#*:}" exec ${name} "$@"\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return { PATH: `${folder}:${process.env.PATH}`, log: () => readFileSync(log, "utf8") };
}

describe("every script", () => {
  for (const name of SCRIPTS) {
    test(`${name} says with --help what it does, and does nothing`, async () => {
      const { status, printed } = await run(name, ["--help"]);
      assert.equal(status, 0, printed);
      assert.match(printed, /^\S.{20,}/);
      assert.doesNotMatch(printed, /^[·✗✓]|^#|^\/\//m);
    });
  }

  test("of a shell stops at the first failure", () => {
    for (const name of SCRIPTS.filter((each) => each.endsWith(".sh"))) {
      assert.match(readFileSync(join(ROOT, "scripts", name), "utf8"), /^#!\/usr\/bin\/env bash\n(#.*\n)+set -euo pipefail\n/, name);
      assert.equal(statSync(join(ROOT, "scripts", name)).mode & 0o111, 0o111, name);
    }
  });

  test("that is told nothing refuses what it is told", async () => {
    for (const name of ["build.mjs", "dev.mjs", "lint.mjs", "openapi.mjs", "start.mjs"]) {
      const { status, printed } = await run(name, ["--fast"]);
      assert.equal(status, 1);
      assert.match(printed, /^✗ --fast: this takes no arguments\. See --help\.\n$/);
    }
  });
});

describe("scripts/test.mjs", () => {
  for (const [asked, answer] of [
    [["toString"], /^✗ No such suite: toString\. There are host, scale, e2e, .*\.\n$/],
    [["host", "abuse"], /^✗ No such suite: abuse\. .*\n$/],
    [["e2e", "abuse", "host"], /^✗ No such suite: abuse\. .*\n$/],
    [["abuse", "e2e"], /^✗ No such suite: abuse\. .*\n$/],
    [["e2e", "abuse", "nobody"], /^✗ No such file in tests\/e2e: nobody\. There are abuse, .*\n$/],
    [["crash", "abuse"], /^✗ No such file in tests\/crash: abuse\. There are kill, .*\n$/],
    [["e2e", "../crash/kill"], /^✗ No such file in tests\/e2e: .*\n$/],
  ]) {
    test(`refuses ${asked.join(" ")} in one line`, async () => {
      const { status, printed } = await run("test.mjs", asked);
      assert.equal(status, 1);
      assert.match(printed, answer);
    });
  }

  test("runs all suites, those that are named, or the named files of one", () => {
    const all = ["host", "e2e", "crash", "browser"];
    assert.deepEqual(choice([], all), { names: all, files: [] });
    assert.deepEqual(choice(["crash", "host"], all), { names: ["crash", "host"], files: [] });
    assert.deepEqual(choice(["e2e", "client", "scripts"], all), { names: ["e2e"], files: ["client", "scripts"] });
    assert.deepEqual(pathsOf("e2e", ["scripts", "client"]), ["tests/e2e/client.test.mts", "tests/e2e/scripts.test.mjs"]);
    assert.ok(pathsOf("e2e").length > 20);
  });
});

describe("what a script needs", () => {
  const there = makeCheckout(join(directory, "newcomer"));
  writeFileSync(there.path("Cargo.toml"), '[package]\nrust-version = "1.91"\n');
  rmSync(there.path("node_modules/.tenantry-lock"), { force: true });
  const rustc = (script) => {
    for (const name of ["rustc", "cargo"]) {
      writeFileSync(there.path("node_modules/.bin", name), `#!/bin/sh\n${script}\n`);
      chmodSync(there.path("node_modules/.bin", name), 0o755);
    }
  };

  for (const [what, script, answer] of [
    ["no Rust", "exit 1", /^✗ Rust is missing: install it with rustup [^\n]+\n$/],
    ["an old Rust", "echo 'rustc 1.90.3 (abc 2025-01-01)'", /^✗ Rust 1\.90 is too old, 1\.91 or newer is needed: [^\n]+\n$/],
  ]) {
    test(`is not downloaded where there is ${what}`, async () => {
      rustc(script);
      for (const name of ["start.mjs", "dev.mjs", "build.mjs", "test.mjs"]) {
        const { status, printed, asked } = await there.run(`scripts/${name}`, [], { PORT: "18787", SANDBOX_PORT: "18788" });
        assert.equal(status, 1);
        assert.match(printed, answer);
        assert.deepEqual(asked, []);
      }
    });
  }

  test("is counted", async () => {
    rustc('case "$*" in *libdir*) echo / ;; *) echo "rustc 1.95.0 (abc 2026-01-01)" ;; esac');
    there.fail("npm ci --no-audit");
    const { status, printed, asked } = await there.run("scripts/build.mjs", []);
    assert.equal(status, 1);
    assert.match(printed, /^· Step 2 of 4: Installing the Node packages [^\n]+\n/);
    assert.equal(asked.length, 1);
  });
});

describe("a script that acts on an environment", () => {
  const there = makeCheckout(join(directory, "checkout"));
  const backup = there.path("tenantry-local-20260101T000000Z.sql");
  for (const name of [backup, `${backup}.sha256`]) writeFileSync(name, "");
  const unnamed = [
    ["scripts/backup.sh", []],
    ["scripts/restore.sh", [backup]],
    ["scripts/switch-signups.sh", ["off"]],
    ["scripts/switch-provisioning.sh", ["off"]],
    ["scripts/rotate-jwt-secret.sh", ["emergency"]],
    ["scripts/watch-logs.sh", ["deny"]],
    ["scripts/make-token.mjs", ["platform"]],
    ["scripts/provision-tenant.js", ["tenant_1"]],
    ["scripts/deploy.mjs", []],
    ["scripts/rollout.mjs", ["--percent", "10"]],
    ["scripts/rollback.mjs", []],
  ];
  test("is in this list", () => {
    const others = ["build.mjs", "dev.mjs", "import.mjs", "lint.mjs", "openapi.mjs", "start.mjs", "test.mjs", "smoke-test.sh"];
    assert.deepEqual([...unnamed.map(([script]) => script.slice(8)), ...others].sort(), SCRIPTS.toSorted());
  });
  for (const [script, args] of unnamed) {
    for (const [what, more] of [["no environment", []], ["an empty one", [""]]]) {
      test(`${script} refuses ${what} in one line, and asks nobody`, async () => {
        const { status, printed, asked } = await there.run(script, [...args, ...more], { JWT_SECRET: SECRET });
        assert.notEqual(status, 0);
        assert.deepEqual(asked, []);
        assert.match(printed, /^✗ [^\n]+\n$/);
      });
    }
  }
  test("scripts/smoke-test.sh refuses where nothing says which service", async () => {
    for (const args of [[], [""], ["local", "production"], ["preview"]]) {
      const { status, printed } = await run("smoke-test.sh", args);
      assert.equal(status, 2);
      assert.match(printed, /^✗ [^\n]+\n$/);
    }
  });

  test("says where it acted, and success only when the database says so", async () => {
    const says = (...results) => there.answer("wrangler d1 execute", results.map((rows) => ({ results: rows, success: true })));
    for (const [script, flag] of [["scripts/switch-signups.sh", "signup_enabled"], ["scripts/switch-provisioning.sh", "provisioning_enabled"]]) {
      says([], [{ enabled: 0 }]);
      const off = await there.run(script, ["off", "production"]);
      assert.equal(off.status, 0, off.printed);
      assert.match(off.printed, /^✓ .* \(production\)\n$/);
      assert.match(off.asked.join("\n"), new RegExp(`^wrangler d1 execute DB --remote --env production .*'${flag}', 0,`));
      for (const answer of [[[], [{ enabled: 1 }]], [[], []], [[]], []]) {
        says(...answer);
        const unsure = await there.run(script, ["off", "production"]);
        assert.equal(unsure.status, 2, JSON.stringify(answer));
        assert.match(unsure.printed, /✗ The database of production does not say that it was switched/);
        assert.doesNotMatch(unsure.printed, /✓/);
      }
      for (const answer of ["", `<html>${EVIL}`, "[]\n[]"]) {
        there.answer("wrangler d1 execute", answer);
        const { status, printed } = await there.run(script, ["on", "preview"]);
        assert.equal(status, 2);
        assert.doesNotMatch(printed, OBEYED);
      }
      there.fail("wrangler d1 execute", `${EVIL}\n`);
      const failed = await there.run(script, ["on", "preview"]);
      there.mend("wrangler d1 execute");
      assert.equal(failed.status, 2);
      assert.match(failed.printed, /✗ Nothing was switched: see above\.\n$/);
      assert.doesNotMatch(failed.printed, OBEYED);
      assert.equal((await there.run(script, ["off", "preview", "production"])).status, 2);
    }
  });

  test("takes ENV for the log alone, and only if it names one", async () => {
    there.answer("wrangler tail", "");
    const followed = await there.run("scripts/watch-logs.sh", ["deny"], { ENV: "preview" });
    assert.deepEqual([followed.status, followed.asked], [0, ["wrangler tail --env preview --format json"]]);
    assert.match(followed.printed, /^· deny of preview, until Ctrl-C\n· wrangler tail ended by itself: nothing is followed any more\n$/);
    const strange = await there.run("scripts/watch-logs.sh", ["deny"], { ENV: "/etc/profile" });
    assert.deepEqual([strange.status, strange.asked], [2, []]);
    assert.match(strange.printed, /^✗ ENV is \/etc\/profile: use local, preview or production\.\n$/);
    const switched = await there.run("scripts/switch-signups.sh", ["off"], { ENV: "production" });
    assert.deepEqual([switched.status, switched.asked], [2, []]);
  });
});

const UPSTREAM = { name: "resend", ok: true, code: "OK", message: "The key is known." };

/**
 * A service that signs tenants up, except for the routes in `answers`. Each is a function of the request and its answer, or the answer
 * itself.
 */
async function service(answers = {}) {
  const seen = [];
  const good = {
    "GET /health": { ok: true, environment: "development" },
    "GET /health/ready": { ok: true },
    "GET /health/ready?deep=1": { ok: true, upstreams: [UPSTREAM] },
    "POST /public/signup/start": { success: true, tenantId: "tenant_1", jwt: TOKEN },
    "GET /whoami": { success: true, data: { tenantId: "tenant_1" } },
    "POST /public/signup/brand": { success: true },
    "POST /public/signup/starter/make": { success: true },
    "POST /public/signup/pro/confirm": { success: true },
    "GET /api/v1/tenants/tenant_1/provision-status": { success: true, status: "completed" },
    "DELETE /api/v1/admin/tenants/tenant_1": { success: true },
    "GET /api/v1/bgops/sagas?tenant=tenant_1": { success: true, data: [{ tenantId: "tenant_1", undo: { status: "undone" } }] },
    "POST /internal/provision/queue": { success: true, data: { status: "processing" } },
  };
  const server = createServer((request, response) => {
    const route = `${request.method} ${request.url}`;
    seen.push({ route, headers: request.headers });
    request.resume();
    const all = { ...good, ...answers };
    const answer = all[route] ?? all[route.split("?")[0]];
    if (typeof answer === "function") return answer(response, request);
    response.statusCode = answer === undefined ? 404 : request.method === "DELETE" ? 202 : 200;
    response.setHeader("content-type", "application/json");
    response.end(typeof answer === "string" ? answer : JSON.stringify(answer ?? { success: false }));
  });
  servers.push(server);
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    seen,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const json = (response, body) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));

const START = "POST /public/signup/start";
const start = (more) => ({ [START]: { success: true, tenantId: "tenant_1", jwt: TOKEN, ...more } });

const INBOX = "GET /__sandbox/mails";
const PROVE = "POST /auth/proof";
const VOUCH = "PATCH /api/v1/admin/tenants/tenant_1";
const STATUS = "GET /api/v1/tenants/tenant_1/provision-status";

/** A service that wants addresses proven, with its sandbox: what was wished for is done once that is so. */
function unproven(answers = {}) {
  let vouched = false;
  const pending = { success: true, data: { status: "pending" } };
  return service({
    [START](response) {
      vouched = false;
      json(response, { success: true, tenantId: "tenant_1", jwt: TOKEN, emailProven: false });
    },
    "POST /public/signup/starter/make": pending,
    "POST /public/signup/pro/confirm": pending,
    [INBOX]: { mails: [{ to: ["x@example.org"], text: "Enter this code:\n\n271828\n\nhttps://x.example/proof/#token=tenant_1.secret" }] },
    [PROVE]: { success: true, tenantId: "tenant_1", jwt: PROVEN, emailProven: true },
    [VOUCH](response) {
      vouched = true;
      json(response, { success: true });
    },
    [STATUS](response, { headers }) {
      const isDone = vouched || headers.authorization === `Bearer ${PROVEN}`;
      json(response, isDone ? { success: true, status: "completed" } : { success: true, status: "pending", data: { reason: "EMAIL_UNPROVEN" } });
    },
    ...answers,
  });
}

/** Without an end, as fast as it is taken. */
const endless = (response) => {
  response.writeHead(200, { "content-type": "application/json" });
  const chunk = " ".repeat(1 << 16);
  const more = () => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on("drain", more);
  response.on("error", () => {});
  more();
};

describe("scripts/smoke-test.sh", () => {
  const portOf = (it) => new URL(it.url).port;
  const smoke = (it, env) => run("smoke-test.sh", [], { WORKER_URL: it.url, SANDBOX_PORT: portOf(it), PLATFORM_ADMIN_JWT: ADMIN, ...env });
  const routesOf = (it) => it.seen.map(({ route }) => route);

  /** A port where nobody is. */
  async function closedPort() {
    const it = await service();
    it.close();
    return portOf(it);
  }

  test("passes against a service that answers as ours does", async () => {
    const it = await service();
    const { status, printed } = await smoke(it);
    it.close();
    assert.equal(status, 0, printed);
    assert.match(printed, /\n· It says that it is development\n/);
    assert.match(printed, /\n✓ resend: OK\. The key is known\.\n/);
    assert.match(printed, /\n15 passed, 0 failed\n$/);
  });

  test("proves an address by the code in the sandbox's inbox, and goes on with the token that it gets", async () => {
    const it = await unproven();
    const { status, printed } = await smoke(it, { SMOKE_EMAIL: "ann+b&c@example.org" });
    it.close();
    assert.equal(status, 0, printed);
    for (const what of ["the wish is remembered", "waits for the proof", "a code is mailed", "the code proves the address"]) {
      for (const plan of ["starter", "pro"]) assert.ok(printed.includes(`\n✓ ${plan}: ${what}\n`), printed);
    }
    assert.match(printed, /\n21 passed, 0 failed\n$/);
    const asked = routesOf(it).filter((route) => route.startsWith(INBOX));
    assert.equal(asked.length, 2);
    for (const route of asked) assert.match(new URL(route.slice(4), it.url).searchParams.get("to"), /^ann\+b&c\+smoke-\w+-\d+-[0-9a-f]{8}@example\.org$/);
    assert.ok(!routesOf(it).includes(VOUCH));
    assert.doesNotMatch(printed, /271828|eyJ|secret/);
  });

  test("vouches for an address where no sandbox is, and goes on with the token of the signup", async () => {
    const it = await unproven();
    const { status, printed } = await smoke(it, { SANDBOX_PORT: await closedPort() });
    it.close();
    assert.equal(status, 0, printed);
    for (const plan of ["starter", "pro"]) assert.match(printed, new RegExp(`\n✓ ${plan}: the address is vouched for\n✓ ${plan}: provisioned`));
    assert.match(printed, /\n19 passed, 0 failed\n$/);
    const vouched = it.seen.filter(({ route }) => route === VOUCH);
    assert.deepEqual(vouched.map(({ headers }) => headers.authorization), Array(2).fill(`Bearer ${ADMIN}`));
    assert.ok(!routesOf(it).includes(PROVE));
  });

  test("says that provisioning was not tried where nobody proves an address, and ends with a code of its own", async () => {
    const it = await unproven();
    const { status, printed } = await smoke(it, { SANDBOX_PORT: await closedPort(), PLATFORM_ADMIN_JWT: "" });
    assert.equal(status, 3, printed);
    assert.match(printed, /\n· Provisioning was not tried \(starter pro\): PLATFORM_ADMIN_JWT would let me vouch for the addresses\n12 passed, 0 failed\n$/);
    assert.doesNotMatch(printed, /provisioned/);
    it.close();

    // What failed is worse than what was not tried.
    const failing = await unproven({ "POST /public/signup/brand": { success: false } });
    const failed = await smoke(failing, { SANDBOX_PORT: await closedPort(), PLATFORM_ADMIN_JWT: "" });
    failing.close();
    assert.equal(failed.status, 1, failed.printed);
    assert.match(failed.printed, /\n· Provisioning was not tried \(starter pro\).*\n10 passed, 2 failed\n$/);
  });

  test("asks for a proof only where the service wants one", async () => {
    for (const emailProven of [true, undefined]) {
      const it = await service({ ...start({ emailProven }), [INBOX]: { mails: [] } });
      const { status, printed } = await smoke(it, {});
      it.close();
      assert.equal(status, 0, printed);
      assert.match(printed, /\n15 passed, 0 failed\n$/);
      assert.deepEqual(routesOf(it).filter((route) => /mails|proof|PATCH/.test(route)), []);
    }
  });

  test("takes no SANDBOX_PORT that leads elsewhere", async () => {
    const it = await unproven();
    for (const SANDBOX_PORT of ["8788@evil.example", "8788/../x", "80 80", "\n8788", "999999"]) {
      const { status, printed } = await smoke(it, { SANDBOX_PORT });
      assert.equal(status, 2);
      assert.match(printed, /^✗ SANDBOX_PORT is no port/);
    }
    it.close();
    assert.deepEqual(it.seen, []);
  });

  const mail = (text) => ({ [INBOX]: { mails: [{ text }] } });
  const proof = (more) => ({ [PROVE]: { success: true, tenantId: "tenant_1", jwt: PROVEN, emailProven: true, ...more } });
  const hostileProofs = [
    ["a mail without a code", mail(`Welcome ${EVIL} https://x.example/proof/#token=tenant_1.secret`)],
    ["a code with more behind it", mail("Enter this code:\n\n2718281828\n\nThanks.")],
    ["a code in other digits", mail("Enter this code:\n\n٢٧١٨٢٨\n")],
    ["a mail that is no text", { [INBOX]: { mails: [{ text: ["\n271828\n"] }] } }],
    ["an inbox that is no list", { [INBOX]: { mails: "\n271828\n" } }],
    ["an inbox without an end", { [INBOX]: endless }],
    ...[`${TOKEN}\r\nX-Evil: 1`, "x".repeat(10_000), 7, null].map((jwt) => [`the proven token ${JSON.stringify(jwt)?.slice(0, 70)}`, proof({ jwt })]),
    ["a proof of another club", proof({ tenantId: "tenant_2" })],
    ["a proof in words", proof({ emailProven: "yes" })],
    ["a proof that is refused", { [PROVE]: { success: false, error: { code: "INVALID_CODE", message: EVIL } } }],
    ["a wish that is not remembered", { "POST /public/signup/starter/make": { success: true, data: { status: "processing" } }, "POST /public/signup/pro/confirm": { success: true } }],
    ["a wait without a reason", { [STATUS]: { success: true, status: "pending" } }],
    ["a club that is set up before its proof", { [STATUS]: { success: true, status: "completed" } }],
  ];
  for (const [what, answers] of hostileProofs) {
    test(`fails, and prints nothing that is obeyed, for ${what}`, async () => {
      const it = await unproven(answers);
      const { status, printed } = await smoke(it);
      it.close();
      assert.equal(status, 1, printed);
      assert.match(printed, /\n\d+ passed, [1-9]\d* failed\n$/);
      for (const { route, headers } of it.seen) {
        assert.ok(/^[A-Z]+ \/[\w/?=%.&-]*$/.test(route), route);
        assert.equal(headers["x-evil"], undefined);
      }
      assert.ok(it.seen.length <= 40, `${it.seen.length} requests`);
      assert.doesNotMatch(printed, OBEYED);
      assert.doesNotMatch(printed, /eyJ|secret/, "a token");
      assert.ok(printed.length < 6_000, `${printed.length} characters`);
    });
  }

  const hostile = [
    ...["tenant_[1-5000]", "tenant_{a,b,c}", 'tenant_1" or true or "', "tenant_1/../../../health", "tenant_1?x=", "tenant_1#", "tenant_1\r\nX: y", `tenant_1${EVIL}`].map(
      (tenantId) => [`the id ${JSON.stringify(tenantId)}`, start({ tenantId })],
    ),
    ...[7, null, ["tenant_1"], { id: "tenant_1" }, "", "tenant_".padEnd(5000, "x")].map((tenantId) => [`an id that is ${JSON.stringify(tenantId).slice(0, 30)}`, start({ tenantId })]),
    ...[`${TOKEN}\r\nX-Evil: 1`, `${TOKEN}\n`, "$(id)".repeat(9), "x".repeat(10_000), 7, null].map((jwt) => [`the token ${JSON.stringify(jwt)?.slice(0, 70)}`, start({ jwt })]),
    ["success in words", { ...start({ success: "yes" }) }],
    ["two answers in one", { "GET /health": '{"ok":true}{"ok":false}' }],
    ["no JSON", { "GET /health": `<html>${EVIL}` }],
    ["nothing", { "GET /health": "" }],
    ["a failure that paints the terminal", { "GET /health": { ok: false, error: { message: EVIL } } }],
    ["an array", { "GET /health": [true] }],
    ["a thousand brackets", { "GET /health": "[".repeat(100_000) }],
    ["an answer without an end", { "GET /health": endless }],
    ["an environment that paints the terminal", { "GET /health": { ok: false, environment: EVIL } }],
    ["another club's claims", { "GET /whoami": { success: true, data: { tenantId: 'tenant_1" or "' } } }],
    ["a removal of another club", { "GET /api/v1/bgops/sagas?tenant=tenant_1": { data: [{ tenantId: "tenant_2", undo: { status: "undone" } }] } }],
    ...[
      [{ ...UPSTREAM, ok: "true" }],
      [{ ...UPSTREAM, ok: false, message: `${EVIL}\n✓ all is well` }],
      [{ ...UPSTREAM, ok: false, name: "a\nb", message: "x".repeat(50_000) }],
      [{ ...UPSTREAM, message: 7 }],
      [true],
      [],
      { resend: UPSTREAM },
      Array(1000).fill(UPSTREAM),
      null,
    ].map((upstreams) => [`upstreams ${JSON.stringify(upstreams).slice(0, 60)}`, { "GET /health/ready?deep=1": { ok: true, upstreams } }]),
    ["a token in a failure", { "POST /public/signup/brand": { success: false, data: { jwt: TOKEN, deep: [{ said: `your token is ${TOKEN}` }] } } }],
  ];
  for (const [what, answers] of hostile) {
    test(`fails, asks no more than it has to, and prints nothing that is obeyed, for ${what}`, async () => {
      const it = await service(answers);
      const { status, printed } = await smoke(it);
      it.close();
      assert.equal(status, 1, printed);
      assert.match(printed, /\n\d+ passed, [1-9]\d* failed\n$/);
      assert.ok(it.seen.length <= 30, `${it.seen.length} requests`);
      for (const { route, headers } of it.seen) {
        assert.ok(/^[A-Z]+ \/[\w/?=-]*$/.test(route), route);
        assert.equal(headers["x-evil"], undefined);
      }
      assert.doesNotMatch(printed, OBEYED);
      assert.doesNotMatch(printed, /eyJ/, "a token");
      assert.ok(printed.length < 6_000, `${printed.length} characters`);
    });
  }

  test("follows no redirect, and no instruction of a .curlrc", async () => {
    const elsewhere = await service();
    const moved = (response) => response.writeHead(302, { location: `${elsewhere.url}/health` }).end();
    const it = await service({ "GET /health": moved });
    const HOME = mkdtempSync(join(directory, "home-"));
    writeFileSync(join(HOME, ".curlrc"), `location\nurl = "${elsewhere.url}/health"\n`);
    const { status, printed } = await smoke(it, { HOME, http_proxy: elsewhere.url });
    for (const each of [it, elsewhere]) each.close();
    assert.equal(status, 1);
    assert.match(printed, /✗ health: status 302/);
    assert.deepEqual(elsewhere.seen, []);
  });

  test("shows no token and no secret to whoever lists the processes", async () => {
    const { log, PATH } = watched("curl", "jq");
    const it = await service();
    const { status, printed } = await smoke(it, { PATH, SMOKE_WEBHOOK_SECRET: SECRET, SMOKE_WEBHOOK_URL: "https://hook.make.com/a-path-of-ours" });
    it.close();
    assert.equal(status, 0, printed);
    assert.match(log(), /^curl .*\/public\/signup\/start$/m);
    for (const secret of [TOKEN, ADMIN, SECRET, "a-path-of-ours"]) assert.ok(!log().includes(secret), secret);
  });

  test("takes no token that would begin another header", async () => {
    const it = await service();
    for (const env of [{ PLATFORM_ADMIN_JWT: `${ADMIN}\nX-Evil: 1` }, { WORKER_VERSION: 'a="b"\r\nX-Evil: 1' }]) {
      const { status, printed } = await smoke(it, env);
      assert.equal(status, 2);
      assert.match(printed, /^✗ [A-Z_]+ holds a control character/);
    }
    it.close();
    assert.deepEqual(it.seen, []);
  });
});

test("the peer of the bench finds the product's SQL that it runs", () => {
  for (const [name, sql] of Object.entries(storedSql())) assert.match(sql, /^(select|insert|update)\s/, name);
});

test("a script loads nothing that Node 20 lacks before it has gone on under the project's own Node", () => {
  const seen = new Set();
  const lacking = (file) => {
    // A text may look like an import.
    if (seen.has(file) || !existsSync(file)) return [];
    seen.add(file);
    const sources = [...readFileSync(file, "utf8").matchAll(/^(?:import|export) (?:[^;]*? from )?"([^"]+)"/gm)].map(([, source]) => source);
    return sources.flatMap((source) => {
      if (source === "node:sqlite") return [file];
      return source.startsWith(".") ? lacking(join(dirname(file), source)) : [];
    });
  };
  const scripts = SCRIPTS.filter((name) => !name.endsWith(".sh"));
  assert.deepEqual(scripts.flatMap((name) => lacking(join(ROOT, "scripts", name))), []);
  assert.ok(seen.has(join(ROOT, "scripts/lib/project.mjs")), "imports are followed");
});

describe("scripts/provision-tenant.js", () => {
  const queue = (it, args = ["tenant_1"]) => run("provision-tenant.js", [...args, "--url", it.url], { JWT_SECRET: SECRET });

  test("says where it asks, what was answered, and succeeds only when it was accepted", async () => {
    const it = await service();
    const { status, printed } = await queue(it);
    it.close();
    assert.equal(status, 0, printed);
    assert.equal(printed, `· ${it.url}\n{"success":true,"data":{"status":"processing"}}\n`);
  });

  test("prints nothing that is obeyed, reads no answer to the end, and follows nobody", async () => {
    const elsewhere = await service();
    for (const answer of [
      { success: false, error: EVIL },
      `<html>${EVIL}`,
      "",
      "null",
      { success: "true" },
      endless,
      (response) => response.writeHead(307, { location: `${elsewhere.url}/internal/provision/queue` }).end(),
      (response) => response.writeHead(200, { "content-length": "9" }).end("short", () => response.destroy()),
    ]) {
      const it = await service({ "POST /internal/provision/queue": answer });
      const { status, printed } = await queue(it);
      it.close();
      assert.equal(status, 1, printed);
      assert.match(printed, /✗ [^\n]+\n$/);
      assert.doesNotMatch(printed, OBEYED);
      assert.ok(printed.length < 100_000 && !printed.includes(SECRET) && !/eyJ| {4}at /.test(printed), printed.slice(0, 300));
    }
    elsewhere.close();
    assert.deepEqual(elsewhere.seen, []);
  });

  test("asks nobody for what is no id, at what is no address, or with what is no secret", async () => {
    const it = await service();
    for (const [args, JWT_SECRET] of [
      [["tenant_1/../x"], SECRET],
      [["tenant_1\n"], SECRET],
      [["club"], SECRET],
      [["tenant_1", "tenant_2"], SECRET],
      [["tenant_1"], "short"],
      [["tenant_1"], ""],
    ]) {
      const { status, printed } = await run("provision-tenant.js", [...args, "--url", it.url], { JWT_SECRET });
      assert.equal(status, 1);
      assert.match(printed, /^✗ [^\n]+\n$/);
    }
    for (const url of ["http://tenantry.example.org", "ftp://127.0.0.1", "nowhere", "https://ann:secret@tenantry.example.org"]) {
      const { status, printed } = await run("provision-tenant.js", ["tenant_1", "--url", url], { JWT_SECRET: SECRET });
      assert.equal(status, 1);
      assert.match(printed, /^✗ [^\n]+\n$/);
    }
    it.close();
    assert.deepEqual(it.seen, []);
  });
});

test("what holds a secret or a token is not committed; the examples are", () => {
  const there = makeCheckout(join(directory, "ignoring"));
  mkdirSync(there.path("deep"));
  const secret = [".env", ".env.production", ".dev.vars", ".dev.vars.preview", "club.json", "new-secret.txt", "tail.json", "deep/.env.local", "deep/club.json"];
  const open = [".env.example", ".dev.vars.example"];
  for (const name of [...secret, ...open]) writeFileSync(there.path(name), "SECRET=1\n");
  const untracked = there.git("status", "--porcelain", "--untracked-files=all").split("\n").map((line) => line.slice(3));
  assert.deepEqual(untracked.sort(), open.sort());
  assert.equal(dirname(there.path("x")), there.root);
});
