// Tenants with DNS records of their own: one each, with its tenant's marker. A record of somebody else is a conflict, and stays as it is.
// What can go wrong with each call: matrix.test.mjs.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { startHarness } from "./harness.mjs";

const ZONE = "0123456789abcdef0123456789abcdef";
const TOKEN = "end-to-end tests edit DNS with this";
const PATH = `/client/v4/zones/${ZONE}/dns_records`;
const HOST = "api.cloudflare.com";

const h = await startHarness({
  vars: { SUBDOMAIN_MODE: "record", CLOUDFLARE_ZONE_ID: ZONE },
  secrets: { CLOUDFLARE_API_TOKEN: TOKEN },
});
after(() => h.close());

/** What somebody with the zone's dashboard does. */
const dashboard = async (method, rest = "", body) => {
  const headers = { authorization: `Bearer ${TOKEN}` };
  return (await h.sandbox(`https://${HOST}${PATH}${rest}`, { method, headers, body })).result;
};

const addressOf = (tenant) => `${tenant.clubSlug}.clubs.example`;

const recordsOf = (tenant) => dashboard("GET", `?name.exact=${addressOf(tenant)}`);

const script = (fault) => h.sandbox("/__sandbox/faults", { method: "POST", body: { host: HOST, path: PATH, times: 1, ...fault } });

const markerOf = (tenant) => `tenantry:development:${tenant.tenantId}`;

/** The service's own creations of this tenant's record that Cloudflare did, and those it was asked for. */
async function creationsOf(tenant) {
  const { effects } = await h.sandbox(`/__sandbox/effects?key=${encodeURIComponent(`CNAME ${addressOf(tenant)}`)}`);
  return effects.map(({ operation, count, requests }) => [operation, count, requests]);
}

async function provisioned(tenant) {
  await h.confirm(tenant);
  return h.settled(tenant, { within: 60_000 });
}

async function assertItsRecord(tenant, { status, data }) {
  assert.equal(status, "completed", JSON.stringify(data));
  const [record, ...more] = await recordsOf(tenant);
  assert.deepEqual(more, []);
  assert.deepEqual(
    [record.type, record.name, record.content, record.proxied, record.comment],
    ["CNAME", addressOf(tenant), "clubs.example", true, markerOf(tenant)],
  );
  const [row] = await h.sql("select status, route_ready from tenants where id = ?", tenant.tenantId);
  assert.deepEqual(row, { status: "active", route_ready: 1 });
}

const history = (runId) =>
  h.sql("select outcome, error from provision_history where run_id = ? and step = 'configure_routing' order by attempt", runId);

test("a tenant of either plan gets one record, with its marker", async () => {
  for (const plan of ["starter", "pro"]) {
    const tenant = await h.signup({ plan });
    const end = await provisioned(tenant);
    await assertItsRecord(tenant, end);
    assert.deepEqual(await creationsOf(tenant), [["dns_records.create", 1, 1]]);
    assert.deepEqual(await history(end.data.runId), [{ outcome: "done", error: null }]);
  }
  const { requests } = await h.sandbox(`/__sandbox/requests?host=${HOST}`);
  const [created] = requests.filter(({ operation }) => operation === "dns_records.create");
  assert.deepEqual(created.signature, { present: true, valid: true });
  assert.match(created.headers["user-agent"], /^Tenantry\//);
  assert.match(created.headers["content-type"], /^application\/json/);
});

test("a record that is not ours is a conflict and stays as it is; once it is gone, the run goes on", async () => {
  const tenant = await h.signup({ plan: "starter" });
  const foreign = { type: "CNAME", name: addressOf(tenant), content: "clubs.example", proxied: true, comment: "the old site" };
  const planted = await dashboard("POST", "", foreign);
  const failed = await provisioned(tenant);
  assert.deepEqual([failed.status, failed.data.reason, failed.data.step], ["failed", "SUBDOMAIN_CONFLICT", "configure_routing"]);
  assert.deepEqual(await recordsOf(tenant), [planted]);
  const [row] = await h.sql("select status, route_ready from tenants where id = ?", tenant.tenantId);
  assert.deepEqual(row, { status: "trial", route_ready: 0 });

  const retry = () => h.api("POST", `/api/v1/tenants/${tenant.tenantId}/provision/retry`, { token: tenant.jwt });
  await retry();
  assert.equal((await h.settled(tenant)).data.reason, "SUBDOMAIN_CONFLICT", "as long as it is there");
  assert.deepEqual(await recordsOf(tenant), [planted]);

  await dashboard("DELETE", `/${planted.id}`);
  assert.equal((await retry()).status, 200);
  const end = await h.settled(tenant);
  await assertItsRecord(tenant, end);
  assert.equal(end.data.runId, failed.data.runId);
});

test("a record with the marker of another tenant is a conflict too, and one with its own is adopted", async () => {
  const [tenant, other] = [await h.signup(), await h.signup()];
  const record = { type: "CNAME", name: addressOf(tenant), content: "clubs.example", proxied: true, comment: markerOf(other) };
  const planted = await dashboard("POST", "", record);
  assert.equal((await provisioned(tenant)).data.reason, "SUBDOMAIN_CONFLICT");
  await dashboard("PATCH", `/${planted.id}`, { comment: markerOf(tenant) });
  await h.api("POST", `/api/v1/tenants/${tenant.tenantId}/provision/retry`, { token: tenant.jwt });
  await assertItsRecord(tenant, await h.settled(tenant));
  assert.equal((await recordsOf(tenant))[0].id, planted.id);
});

test("what stands in front of Cloudflare's API refuses nothing: the look before the creation is tried again", async () => {
  const tenant = await h.signup();
  const html = { headers: { "content-type": "text/html" }, body: "<!DOCTYPE html><title>Just a moment...</title>" };
  await script({ method: "GET", kind: "status", status: 403, ...html });
  const end = await provisioned(tenant);
  const attempts = await history(end.data.runId);
  assert.deepEqual(attempts, [
    { outcome: "unknown", error: "MALFORMED" },
    { outcome: "done", error: null },
  ]);
  await assertItsRecord(tenant, end);
  assert.deepEqual(await creationsOf(tenant), [["dns_records.create", 1, 1]]);
});

test("a token that may only look fails the run as our mistake, in words of our own", async () => {
  const tenant = await h.signup();
  const body = { success: false, errors: [{ code: 10000, message: "Authentication error" }], messages: [], result: null };
  await script({ kind: "status", status: 403, body, method: "POST", bodyIncludes: addressOf(tenant) });
  const { status, data } = await provisioned(tenant);
  assert.deepEqual([status, data.reason, data.step], ["failed", "MISCONFIGURED", "configure_routing"]);
  assert.ok(!/authentication|10000/i.test(data.error), data.error);
  assert.deepEqual(await recordsOf(tenant), []);
});

test("every scripted fault was met", async () => {
  assert.deepEqual((await h.sandbox("/__sandbox/faults")).faults, []);
});

test("the calls are logged by their host, and the token and the zone not at all", () => {
  const text = JSON.stringify(h.server.getLogs());
  assert.ok(!text.includes(TOKEN) && !text.includes(ZONE));
  const line = h.logs().find(({ msg, upstream }) => msg === "upstream_call" && upstream === "cloudflare");
  assert.deepEqual([line.host, line.step], [HOST, "configure_routing"]);
});

test("without its zone the service says that it is not ready, and why", async () => {
  assert.equal((await h.api("GET", "/health/ready")).status, 200);
  await h.reconfigure({ vars: { CLOUDFLARE_ZONE_ID: "" } });
  const { status, body } = await h.api("GET", "/health/ready");
  assert.equal(status, 503);
  assert.match(JSON.stringify(body), /CLOUDFLARE_ZONE_ID is missing/);
});
