// Clubs with DNS records of their own: one each, with its tenant's marker. A record of somebody else is a conflict, and stays as it is.
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

const addressOf = (club) => `${club.clubSlug}.clubs.example`;

const recordsOf = (club) => dashboard("GET", `?name.exact=${addressOf(club)}`);

const script = (fault) => h.sandbox("/__sandbox/faults", { method: "POST", body: { host: HOST, path: PATH, times: 1, ...fault } });

const markerOf = (club) => `tenantry:development:${club.tenantId}`;

/** The service's own creations of this club's record that Cloudflare did, and those it was asked for. */
async function creationsOf(club) {
  const { effects } = await h.sandbox(`/__sandbox/effects?key=${encodeURIComponent(`CNAME ${addressOf(club)}`)}`);
  return effects.map(({ operation, count, requests }) => [operation, count, requests]);
}

async function provisioned(club) {
  await h.confirm(club);
  return h.settled(club, { within: 60_000 });
}

async function assertItsRecord(club, { status, data }) {
  assert.equal(status, "completed", JSON.stringify(data));
  const [record, ...more] = await recordsOf(club);
  assert.deepEqual(more, []);
  assert.deepEqual(
    [record.type, record.name, record.content, record.proxied, record.comment],
    ["CNAME", addressOf(club), "clubs.example", true, markerOf(club)],
  );
  const [tenant] = await h.sql("select status, route_ready from tenants where id = ?", club.tenantId);
  assert.deepEqual(tenant, { status: "active", route_ready: 1 });
}

const history = (runId) =>
  h.sql("select outcome, error from provision_history where run_id = ? and step = 'configure_routing' order by attempt", runId);

test("a club of either plan gets one record, with its marker", async () => {
  for (const plan of ["starter", "pro"]) {
    const club = await h.signup({ plan });
    const end = await provisioned(club);
    await assertItsRecord(club, end);
    assert.deepEqual(await creationsOf(club), [["dns_records.create", 1, 1]]);
    assert.deepEqual(await history(end.data.runId), [{ outcome: "done", error: null }]);
  }
  const { requests } = await h.sandbox(`/__sandbox/requests?host=${HOST}`);
  const [created] = requests.filter(({ operation }) => operation === "dns_records.create");
  assert.deepEqual(created.signature, { present: true, valid: true });
  assert.match(created.headers["user-agent"], /^Tenantry\//);
  assert.match(created.headers["content-type"], /^application\/json/);
});

test("a record that is not ours is a conflict and stays as it is; once it is gone, the run goes on", async () => {
  const club = await h.signup({ plan: "starter" });
  const foreign = { type: "CNAME", name: addressOf(club), content: "clubs.example", proxied: true, comment: "the old site" };
  const planted = await dashboard("POST", "", foreign);
  const failed = await provisioned(club);
  assert.deepEqual([failed.status, failed.data.reason, failed.data.step], ["failed", "SUBDOMAIN_CONFLICT", "configure_routing"]);
  assert.deepEqual(await recordsOf(club), [planted]);
  const [tenant] = await h.sql("select status, route_ready from tenants where id = ?", club.tenantId);
  assert.deepEqual(tenant, { status: "trial", route_ready: 0 });

  const retry = () => h.api("POST", `/api/v1/tenants/${club.tenantId}/provision/retry`, { token: club.jwt });
  await retry();
  assert.equal((await h.settled(club)).data.reason, "SUBDOMAIN_CONFLICT", "as long as it is there");
  assert.deepEqual(await recordsOf(club), [planted]);

  await dashboard("DELETE", `/${planted.id}`);
  assert.equal((await retry()).status, 200);
  const end = await h.settled(club);
  await assertItsRecord(club, end);
  assert.equal(end.data.runId, failed.data.runId);
});

test("a record with the marker of another tenant is a conflict too, and one with its own is adopted", async () => {
  const [club, other] = [await h.signup(), await h.signup()];
  const record = { type: "CNAME", name: addressOf(club), content: "clubs.example", proxied: true, comment: markerOf(other) };
  const planted = await dashboard("POST", "", record);
  assert.equal((await provisioned(club)).data.reason, "SUBDOMAIN_CONFLICT");
  await dashboard("PATCH", `/${planted.id}`, { comment: markerOf(club) });
  await h.api("POST", `/api/v1/tenants/${club.tenantId}/provision/retry`, { token: club.jwt });
  await assertItsRecord(club, await h.settled(club));
  assert.equal((await recordsOf(club))[0].id, planted.id);
});

test("what stands in front of Cloudflare's API refuses nothing: the look before the creation is tried again", async () => {
  const club = await h.signup();
  const html = { headers: { "content-type": "text/html" }, body: "<!DOCTYPE html><title>Just a moment...</title>" };
  await script({ method: "GET", kind: "status", status: 403, ...html });
  const end = await provisioned(club);
  const attempts = await history(end.data.runId);
  assert.deepEqual(attempts, [
    { outcome: "unknown", error: "MALFORMED" },
    { outcome: "done", error: null },
  ]);
  await assertItsRecord(club, end);
  assert.deepEqual(await creationsOf(club), [["dns_records.create", 1, 1]]);
});

test("a token that may only look fails the run as our mistake, in words of our own", async () => {
  const club = await h.signup();
  const body = { success: false, errors: [{ code: 10000, message: "Authentication error" }], messages: [], result: null };
  await script({ kind: "status", status: 403, body, method: "POST", bodyIncludes: addressOf(club) });
  const { status, data } = await provisioned(club);
  assert.deepEqual([status, data.reason, data.step], ["failed", "MISCONFIGURED", "configure_routing"]);
  assert.ok(!/authentication|10000/i.test(data.error), data.error);
  assert.deepEqual(await recordsOf(club), []);
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
