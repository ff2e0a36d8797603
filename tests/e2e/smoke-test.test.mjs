// scripts/smoke-test.sh: it passes on a service where tenants can sign up, and on nothing else.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startHarness } from "./harness.mjs";

const SCRIPT = fileURLToPath(new URL("../../scripts/smoke-test.sh", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "tenantry-smoke-"));
const h = await startHarness();
const SANDBOX_PORT = await h.serveSandbox();
after(async () => {
  await h.close();
  rmSync(directory, { recursive: true, force: true });
});

function smoke(args, env) {
  return new Promise((done) => {
    const child = spawn(SCRIPT, args, { env: { PATH: process.env.PATH, HOME: directory, SANDBOX_PORT, ...env } });
    let printed = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (printed += chunk));
    child.on("close", (status) => done({ status, printed }));
  });
}

/** A server on this machine that answers everything with `{"ok":true,…}`; `seen` are the requests' headers. */
async function stub(create, options, body = { ok: true, environment: "production" }) {
  const seen = [];
  const server = create(options, (request, response) => {
    seen.push(request.headers);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(body));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { port: server.address().port, seen, close: () => server.close() };
}

test("signs a tenant of each plan up, and passes when both are provisioned: as local, and without an argument", async () => {
  for (const [args, env, checks] of [
    [["local"], { PORT: h.url.port }, 19],
    [[], { WORKER_URL: `${h.url.origin}/` }, 18],
  ]) {
    const { status, printed } = await smoke(args, env);
    assert.equal(status, 0, printed);
    for (const plan of ["starter", "pro"]) assert.match(printed, new RegExp(`✓ ${plan}: provisioned in [\\d.]+ s`));
    for (const plan of ["starter", "pro"]) assert.match(printed, new RegExp(`✓ ${plan}: waits for the proof\n✓ ${plan}: a code is mailed\n✓ ${plan}: the code proves the address\n`));
    assert.ok(printed.endsWith(`\n${checks} passed, 0 failed\n`), printed);
    assert.doesNotMatch(printed, /eyJ/, "a token");
  }
});

test("fails when a tenant is not provisioned", async () => {
  const refusal = { host: "script.google.com", kind: "status", status: 200, body: { ok: false, error: "quota" }, times: 1 };
  await h.sandbox("/__sandbox/faults", { method: "POST", body: refusal });
  const { status, printed } = await smoke(["local"], { PORT: h.url.port });
  assert.equal(status, 1, printed);
  assert.match(printed, /✓ starter: provisioned[\s\S]*✗ pro: provisioned[\s\S]* 1 failed\n$/);
});

test("where nobody proves the addresses, it says that provisioning was not tried, and does not pass", async () => {
  const { port, close } = await stub(createServer, {});
  close();
  const { status, printed } = await smoke(["local"], { PORT: h.url.port, SANDBOX_PORT: String(port) });
  assert.equal(status, 3, printed);
  assert.match(printed, /✓ starter: waits for the proof[\s\S]*✓ pro: waits for the proof[\s\S]*\n· Provisioning was not tried \(starter pro\).*\n13 passed, 0 failed\n$/);
  for (const { id } of await tenantsIn(printed)) {
    const [tenant] = await h.sql("select provision_state, provision_wanted_at is not null as wanted, email from tenants where id = ?", id);
    assert.deepEqual(tenant, { provision_state: "pending", wanted: 1, email: null });
  }
});

/** The tenants that a run of the script names, as D1 has them. */
async function tenantsIn(printed) {
  const ids = [...new Set(printed.match(/tenant_\w+/g))];
  return Promise.all(ids.map(async (id) => (await h.sql("select id, slug, plan, undo_state from tenants where id = ?", id))[0]));
}

test("removes the tenants of both plans when it is given a platform admin's token, and what was made for them", async () => {
  const { status, printed } = await smoke(["local"], { PORT: h.url.port, PLATFORM_ADMIN_JWT: h.token() });
  assert.equal(status, 0, printed);
  assert.match(printed, /(\n✓ tenant_\w+: removed){2}\n25 passed, 0 failed\n$/);
  const tenants = await tenantsIn(printed);
  assert.deepEqual(tenants.map(({ slug, plan, undo_state }) => [slug, plan, undo_state]).sort(), [
    [null, "pro", "undone"],
    [null, "starter", "undone"],
  ]);
  const { spreadsheets } = await h.sandbox("/__sandbox/spreadsheets");
  assert.ok(!tenants.some(({ id }) => spreadsheets.some((each) => JSON.stringify(each).includes(id))), "a spreadsheet is left");
});

test("says which tenants are left without such a token, and fails with one that is refused", async () => {
  const left = await smoke(["local"], { PORT: h.url.port });
  assert.equal(left.status, 0, left.printed);
  assert.match(left.printed, /\n· Left behind \(PLATFORM_ADMIN_JWT .*\): tenant_\w+ tenant_\w+\n/);
  const refused = await smoke(["local"], { PORT: h.url.port, PLATFORM_ADMIN_JWT: h.token({ aud: "syston-mobile" }) });
  assert.equal(refused.status, 1, refused.printed);
  assert.match(refused.printed, /(\n✗ tenant_\w+: removal: status 403, wanted 202 .*\n.*FORBIDDEN.*){2}\n19 passed, 3 failed\n$/);
  for (const { slug, undo_state } of [...(await tenantsIn(left.printed)), ...(await tenantsIn(refused.printed))]) {
    assert.match(slug, /^smoke-/);
    assert.equal(undo_state, null);
  }
});

test("fails when what was made for a tenant can't be removed", async () => {
  const refusal = { host: "script.google.com", kind: "status", status: 200, body: { ok: false, error: "no", code: "NO" } };
  await h.sandbox("/__sandbox/faults", { method: "POST", body: { ...refusal, bodyIncludes: '"deprovision"', times: 1 } });
  const { status, printed } = await smoke(["local"], { PORT: h.url.port, PLATFORM_ADMIN_JWT: h.token() });
  assert.equal(status, 1, printed);
  assert.match(printed, /\n✗ tenant_\w+: removed: status 200[\s\S]*"compensation_failed"[\s\S]*\n24 passed, 1 failed\n$/);
});

test("prints what the service says of each upstream, and fails with what is wrong", async () => {
  const signIn = { host: "script.google.com", bodyIncludes: '"version"', kind: "status", status: 302, headers: { location: "https://accounts.google.com/ServiceLogin" } };
  const unverified = { object: "list", has_more: false, data: [{ id: "d1", name: "clubs.example", status: "pending\u001b[31m" }] };
  const domains = { host: "api.resend.com", path: "/domains", kind: "status", status: 200, body: unverified };
  for (const fault of [signIn, domains]) await h.sandbox("/__sandbox/faults", { method: "POST", body: { ...fault, times: 1 } });
  const { status, printed } = await smoke(["local"], { PORT: h.url.port, PLATFORM_ADMIN_JWT: h.token() });
  assert.equal(status, 1, printed);
  assert.match(printed, /\n✗ apps_script: NOT_PUBLIC\. The script asks for a sign-in: .*"Anyone"\.\n/);
  assert.match(printed, /\n✓ google: NOT_USED\. .*\n✗ resend: DOMAIN_UNVERIFIED\. clubs\.example is not verified: .*\n✓ cloudflare: NOT_USED\. .*\n/);
  assert.match(printed, /\n23 passed, 2 failed\n$/);
  const without = await smoke(["local"], { PORT: h.url.port });
  assert.match(without.printed, /\n· Upstreams were not looked at \(PLATFORM_ADMIN_JWT would let me ask\)\n/);
});

test("looks whether mailed links and the tenants' addresses lead to the service, and to no other", async () => {
  const there = { PORT: h.url.port, ADMIN_CONSOLE_URL: `${h.url.origin}/`, BASE_DOMAIN: `localhost:${h.url.port}` };
  const { status, printed } = await smoke(["local"], there);
  assert.equal(status, 0, printed);
  assert.match(printed, /\n✓ mailed links: http:\/\/[\d.:]+\/magic\/ leads here\n/);
  for (const plan of ["starter", "pro"]) assert.match(printed, new RegExp(`\n✓ ${plan}: its address: http://smoke-${plan}-[\\w-]+\\.localhost:\\d+/ leads here\n`));
  const other = await stub(createServer, {});
  const elsewhere = { ...there, ADMIN_CONSOLE_URL: `http://127.0.0.1:${other.port}`, BASE_DOMAIN: `localhost:${other.port}` };
  const misled = await smoke(["local"], elsewhere);
  other.close();
  assert.equal(misled.status, 1, misled.printed);
  assert.match(misled.printed, /\n✗ mailed links: http:\/\/127\.0\.0\.1:\d+\/magic\/ does not lead here \(200\): see its route/);
  assert.match(misled.printed, / 3 failed\n$/);
});

test("fails when the service says that it is another environment", async () => {
  for (const environment of ["preview", "production"]) {
    const { status, printed } = await smoke([environment], { WORKER_URL: h.url.origin });
    assert.equal(status, 1, printed);
    assert.match(printed, new RegExp(`✗ environment is ${environment}: status 200`));
    assert.doesNotMatch(printed, /signup/);
  }
});

test("fails when not a single check could run", async () => {
  for (const [args, env, why] of [
    [["staging"], {}, /^✗ Unknown environment: staging/],
    [["production"], {}, /^✗ Set WORKER_URL to the address of production/],
    [["production"], { WORKER_URL: "http://tenantry.example.org" }, /^✗ http:\/\/tenantry\.example\.org: only https/],
    // Names that only begin like this machine's: a platform admin's token would travel there in the clear.
    [[], { WORKER_URL: "http://127.0.0.1.example.org" }, /^✗ .*: only https/],
    [[], { WORKER_URL: "http://localhost.example.org:8787/" }, /^✗ .*: only https/],
    [[], { WORKER_URL: "http://127.0.0.1:80@tenantry.example.org" }, /^✗ .*: only https/],
  ]) {
    const { status, printed } = await smoke(args, env);
    assert.equal(status, 2);
    assert.match(printed, why);
  }
  const { port, close } = await stub(createServer, {});
  close();
  const { status, printed } = await smoke(["local"], { PORT: String(port) });
  assert.equal(status, 1, printed);
  assert.match(printed, /✗ health: status 000/);
});

test("trusts no certificate that nobody vouches for", async () => {
  const [key, cert] = ["key.pem", "cert.pem"].map((name) => join(directory, name));
  const made = spawnSync("openssl", [
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-subj",
    "/CN=localhost",
    "-days",
    "1",
    "-keyout",
    key,
    "-out",
    cert,
  ]);
  assert.equal(made.status, 0, `${made.stderr}`);
  const server = await stub(createSecureServer, { key: readFileSync(key), cert: readFileSync(cert) });
  const { status, printed } = await smoke(["production"], { WORKER_URL: `https://localhost:${server.port}` });
  server.close();
  assert.equal(status, 1, printed);
  assert.match(printed, /✗ health: status 000[\s\S]*certificate/i);
  assert.deepEqual(server.seen, [], "nothing was sent");
});

test("asks one version of a Worker when told to", async () => {
  const server = await stub(createServer, {}, { ok: false });
  await smoke(["local"], { PORT: String(server.port), WORKER_VERSION: 'tenantry-production="0e5a"' });
  server.close();
  assert.equal(server.seen.length, 1);
  assert.equal(server.seen[0]["cloudflare-workers-version-overrides"], 'tenantry-production="0e5a"');
});
