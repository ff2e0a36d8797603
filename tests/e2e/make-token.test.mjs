// scripts/make-token.mjs: what it signs is what the service takes, for as long as the service takes it, and nothing else leaves it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeCheckout } from "./checkout.mjs";
import { startHarness } from "./harness.mjs";

const SCRIPT = fileURLToPath(new URL("../../scripts/make-token.mjs", import.meta.url));
const DAY = 86_400;
const directory = mkdtempSync(join(tmpdir(), "tenantry-token-"));

const h = await startHarness();
after(async () => {
  await h.close();
  rmSync(directory, { recursive: true, force: true });
});

function make(args, { script = SCRIPT, secret = h.secrets.JWT_SECRET } = {}) {
  return new Promise((done) => {
    const env = { PATH: process.env.PATH, NODE_COMPILE_CACHE: join(directory, "compiled"), ...(secret && { JWT_SECRET: secret }) };
    execFile(process.execPath, [script, ...args], { env }, (error, stdout, stderr) => done({ status: error?.code ?? 0, stdout, stderr }));
  });
}

async function made(...args) {
  const { status, stdout, stderr } = await make([...args, "--environment", "local"]);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/, "the token alone");
  assert.ok(!stderr.includes(stdout.trim()) && !stderr.includes(h.secrets.JWT_SECRET));
  return stdout.trim();
}

const whoami = async (token) => (await h.api("GET", "/whoami", { token })).body.data;

test("a service token queues provisioning, and lives five minutes", async () => {
  const { tenantId } = await h.signup({ plan: "pro" });
  const token = await made("service", "--sub", "ann");
  assert.equal((await h.api("POST", "/internal/provision/queue", { token, body: { tenantId } })).status, 200);
  const { aud, sub, roles, iat, exp } = await whoami(token);
  assert.deepEqual([aud, sub, roles, exp - iat], ["internal", "ann", ["service"], 300]);
});

test("a platform token opens operators' routes, for at most seven days", async () => {
  const token = await made("platform", "--ttl", "7d");
  assert.equal((await h.api("GET", "/api/v1/bgops/sagas", { token })).status, 200);
  const { aud, roles, iat, exp } = await whoami(token);
  assert.deepEqual([aud, roles, exp - iat], ["syston-admin", ["admin"], 7 * DAY]);
});

test("a tenant token is the tenant's admin's, for at most a year", async () => {
  const { tenantId } = await h.signup();
  const token = await made("tenant", "--tenant", tenantId, "--ttl", "365d");
  assert.equal((await h.api("GET", `/api/v1/tenants/${tenantId}/provision-status`, { token })).status, 200);
  const claims = await whoami(token);
  assert.deepEqual(
    [claims.tenantId, claims.aud, claims.roles, claims.exp - claims.iat],
    [tenantId, "syston-mobile", ["tenant_admin", "owner"], 365 * DAY],
  );
});

test("what the service would refuse, or what is unclear, is refused with one line", async () => {
  for (const [args, why] of [
    [[], /Say one of service, platform, tenant/],
    [["root"], /Say one of/],
    [["service", "platform"], /Say one of/],
    [["service", "--ttl", "301"], /longer than 5 minutes/],
    [["platform", "--ttl", "8d"], /longer than 7 days/],
    [["tenant", "--tenant", "tenant_1", "--ttl", "366d"], /longer than 365 days/],
    [["service", "--ttl", "soon"], /--ttl soon/],
    [["service", "--ttl=-5"], /--ttl -5/],
    [["service", "--ttl", "0"], /--ttl 0/],
    [["tenant"], /--tenant tenant_…/],
    [["platform", "--tenant", "tenant_1"], /leave --tenant out/],
    [["service"], /Say where: --environment local, preview or production\./],
    [["service", "--environment", "staging"], /Unknown environment: staging/],
    [["service", "--secret", "x".repeat(32)], /Unknown option '--secret'/],
  ]) {
    const where = args.includes("--environment") || `${why}`.includes("Say where") ? [] : ["--environment", "local"];
    const { status, stdout, stderr } = await make([...args, ...where]);
    assert.deepEqual([status, stdout], [1, ""], `${args}`);
    assert.match(stderr, why);
    assert.match(stderr, /^✗ .+\n$/);
  }
  assert.match((await make(["service", "--environment", "local"], { secret: "x".repeat(31) })).stderr, /shorter than 32 bytes/);
  assert.match(
    (await make(["service", "--environment", "production"], { secret: null })).stderr,
    /give production's secret in the environment/,
  );
});

test("locally the secret is .dev.vars', as wrangler reads it; issuer and audience are the environment's", async () => {
  const there = makeCheckout(join(directory, "checkout"));
  const script = there.path("scripts/make-token.mjs");
  assert.match((await make(["service", "--environment", "local"], { script, secret: null })).stderr, /run npm start once/);
  there.edit("wrangler.toml", (text) => text.replace('JWT_ISSUER = "syston.app"', 'JWT_ISSUER = "elsewhere.example"'));
  for (const [line, secret] of [
    [`JWT_SECRET="${h.secrets.JWT_SECRET}"`, null],
    [`export JWT_SECRET='${h.secrets.JWT_SECRET}'`, null],
    ['JWT_SECRET="another one, that is not asked for"', h.secrets.JWT_SECRET],
  ]) {
    writeFileSync(there.path(".dev.vars"), `OTHER=1\nJWT_SECRET=overridden below\n${line}\n`);
    const { stdout, stderr } = await make(["platform", "--environment", "local"], { script, secret });
    const [header, payload, signature] = stdout.trim().split(".");
    assert.equal(JSON.parse(Buffer.from(payload, "base64url")).iss, "elsewhere.example", stderr);
    assert.equal(signature, createHmac("sha256", h.secrets.JWT_SECRET).update(`${header}.${payload}`).digest("base64url"), line);
  }
  const { stdout } = await make(["platform", "--environment", "preview"], { script });
  assert.equal((await whoami(stdout.trim())).iss, "syston.app");
});
