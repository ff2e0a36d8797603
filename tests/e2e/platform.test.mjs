// How the rest of the platform hears of a tenant in the real runtime: the feed, and the platform's own webhook. Another implementation of
// Standard Webhooks verifies its signatures. Failures, claims and cursors are proved in tests/api.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { startHarness, until } from "./harness.mjs";

const HOST = "platform.example.com";
const SECRET = `whsec_${Buffer.alloc(32, 9).toString("base64")}`;

const h = await startHarness({ secrets: { PLATFORM_WEBHOOK_URL: `https://${HOST}/tenantry`, PLATFORM_WEBHOOK_SECRET: SECRET } });
after(() => h.close());

/** What the platform's receiver was sent about a tenant. */
async function sentAbout({ tenantId }) {
  const { requests } = await h.sandbox(`/__sandbox/requests?host=${HOST}`);
  return requests.filter(({ body }) => JSON.parse(body).data.tenantId === tenantId);
}

const arrived = (tenant, count) =>
  until(
    async () => {
      const sent = await sentAbout(tenant);
      return sent.length >= count && sent;
    },
    { what: `${count} events about ${tenant.tenantId}` },
  );

const service = () => h.token({ aud: "internal", roles: ["service"], ttl: 200 });

/** The feed behind a cursor. */
async function feed(after = "") {
  const { status, body } = await h.api("GET", `/api/v1/admin/events?limit=100&after=${after}`, { token: service() });
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

for (const plan of ["starter", "pro"]) {
  test(`from the form to live: the platform's receiver and the feed tell of a ${plan} club the same events`, async () => {
    const before = (await feed()).nextCursor;
    const tenant = await h.signup({ plan });
    assert.equal((await h.confirm(tenant)).status, 200);
    const { data } = await h.settled(tenant);
    const sent = await arrived(tenant, 2);
    const events = sent.map(({ body, headers, signature }) => {
      assert.equal(signature.valid, true);
      return { id: headers["webhook-id"], ...new Webhook(SECRET).verify(body, headers) };
    });
    assert.throws(() => new Webhook(`whsec_${Buffer.alloc(32, 8).toString("base64")}`).verify(sent[0].body, sent[0].headers), /signature/);
    const provisioned = events.find(({ type }) => type === "tenant.provisioned");
    assert.deepEqual(provisioned.data, { tenantId: tenant.tenantId, runId: data.runId, plan });

    const told = (await feed(before)).data.filter(({ tenantId }) => tenantId === tenant.tenantId);
    assert.deepEqual(told.map(({ type }) => type), ["tenant.signed_up", "tenant.provisioned"]);
    assert.deepEqual(told.map(({ id }) => id).sort(), events.map(({ id }) => id).sort());
    for (const { id, occurredAt } of told) assert.equal(events.find((event) => event.id === id).timestamp, occurredAt);
    const cursors = [(await feed(before)).nextCursor, (await feed((await feed(before)).nextCursor)).nextCursor];
    assert.equal(cursors[0], cursors[1], "nothing new: the same cursor");
  });
}

test("a receiver that is down is told again under the same id, and operators see why", async () => {
  await h.sandbox("/__sandbox/faults", { method: "POST", body: { host: HOST, kind: "status", status: 503, times: 1 } });
  const tenant = await h.signup();
  await h.sweep();
  const path = "/api/v1/admin/webhook/deliveries";
  const failed = await until(async () => {
    const { body } = await h.api("GET", path, { token: h.token() });
    return body.data.find(({ tenantId, lastStatus }) => tenantId === tenant.tenantId && lastStatus === 503) && body;
  });
  assert.equal(failed.webhook.host, HOST);
  assert.match(failed.webhook.failingSince, /Z$/);
  const [{ id, status, lastError, nextAttemptAt }] = failed.data;
  assert.deepEqual([status, lastError, typeof nextAttemptAt], ["pending", "SERVER_ERROR", "string"]);
  assert.equal((await h.api("POST", `${path}/${id}/redeliver`, { token: h.token(), body: {} })).status, 200);
  const [first, second] = await arrived(tenant, 2);
  assert.deepEqual([first.key, first.body], [second.key, second.body]);
  assert.equal(new Webhook(SECRET).verify(second.body, second.headers).type, "tenant.signed_up");
  const well = async () => (await h.api("GET", path, { token: h.token() })).body.webhook.failingSince === null;
  await until(well, { what: "the receiver to count as well" });
});

test("a cursor of a lost future is told", async () => {
  await h.signup();
  const { nextCursor } = await feed();
  await h.sql("delete from event_feed where seq = (select max(seq) from event_feed)");
  const { status, body } = await h.api("GET", `/api/v1/admin/events?after=${nextCursor}`, { token: service() });
  assert.deepEqual([status, body.error.code], [410, "CURSOR_OUTDATED"]);
});
