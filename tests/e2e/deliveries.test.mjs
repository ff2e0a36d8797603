// Lifecycle events at the tenants' webhooks in the real runtime. Another implementation of Standard Webhooks verifies their signatures. They
// are sent right after the run, and by the sweep when that failed. Schedules, claims and dead webhooks are proved in tests/api.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { makeWebhook, until } from "./harness.mjs";
import { startInstrumented } from "./instrumented.mjs";

const h = await startInstrumented();
after(() => h.close());

const target = ({ webhookUrl }) => ({ host: "hook.eu2.make.com", path: new URL(webhookUrl).pathname });
const script = (webhook, fault) => h.sandbox("/__sandbox/faults", { method: "POST", body: { ...target(webhook), times: 1, ...fault } });

/** What the webhook was sent. */
async function sentTo(webhook) {
  const { host, path } = target(webhook);
  return (await h.sandbox(`/__sandbox/requests?host=${host}&path=${path}`)).requests;
}

/** The events that the webhook was sent, once there are so many. */
const arrived = (webhook, count = 1) =>
  until(async () => {
    const events = (await sentTo(webhook)).filter(({ key }) => key.startsWith("evt_"));
    return events.length >= count && events;
  });

/** As whoever built the scenario does it, with the secret that the tenant chose. */
const verified = ({ body, headers }, { webhookSecret }, options = { format: "raw" }) => new Webhook(webhookSecret, options).verify(body, headers);

const deliveriesOf = async (tenant) => (await h.api("GET", `/api/v1/tenants/${tenant.tenantId}/webhook/deliveries`, { token: tenant.jwt })).body;

/** The tenant's one delivery, once it stands so. */
const stands = (tenant, status) =>
  until(
    async () => {
      const { data } = await deliveriesOf(tenant);
      return data.length === 1 && data[0].status === status && data[0];
    },
    { what: `the delivery of ${tenant.tenantId} to be ${status}` },
  );

const newTenant = async () => ({ ...(await h.signup()), webhook: makeWebhook() });

test("an event arrives after the run's end, is sent again on request, and verifies by old and new secrets", async () => {
  const tenant = await newTenant();
  await h.confirm(tenant, tenant.webhook);
  const { data } = await h.settled(tenant);
  const [event] = await arrived(tenant.webhook);
  const payload = verified(event, tenant.webhook);
  assert.deepEqual([payload.type, payload.data], ["tenant.provisioned", { tenantId: tenant.tenantId, runId: data.runId, plan: "starter" }]);
  assert.throws(() => verified(event, makeWebhook()), /signature/);
  assert.throws(() => verified({ ...event, body: event.body.replace("starter", "pro") }, tenant.webhook), /signature/);
  const { id, attempts } = await stands(tenant, "delivered");
  assert.deepEqual([id, attempts], [event.key, 1]);

  assert.equal((await h.api("POST", `/api/v1/tenants/${tenant.tenantId}/webhook/deliveries/${id}/redeliver`, { token: tenant.jwt })).status, 200);
  assert.deepEqual((await arrived(tenant.webhook, 2)).map(({ key }) => key), [id, id]);

  const other = makeWebhook();
  assert.equal((await h.confirm(tenant, other)).body.data.webhook.test.delivered, true);
  const [ping] = await sentTo(other);
  for (const known of [other, tenant.webhook]) assert.equal(verified(ping, known).type, "webhook.ping");
  assert.throws(() => verified(ping, makeWebhook()), /signature/);
});

test("an event that did not arrive is sent again by the sweep, under a secret in Standard Webhooks' own form", async () => {
  const tenant = await newTenant();
  tenant.webhook.webhookSecret = `whsec_${Buffer.from("twenty-four bytes of key").toString("base64")}`;
  await script(tenant.webhook, { kind: "status", status: 503, skip: 1 });
  await h.confirm(tenant, tenant.webhook);
  await until(async () => (await deliveriesOf(tenant)).data[0]?.lastStatus === 503);
  // As if it had waited for its next attempt.
  await h.sql("update webhook_deliveries set next_at = next_at - 600 where tenant_id = ? and status = 'pending'", tenant.tenantId);
  await h.sweep();
  const events = await arrived(tenant.webhook, 2);
  assert.equal(new Set(events.map(({ key, body }) => `${key} ${body}`)).size, 1);
  for (const event of events) assert.equal(verified(event, tenant.webhook, {}).type, "tenant.provisioned");
  assert.equal((await stands(tenant, "delivered")).attempts, 2);
});

test("an event that hangs for ever holds up nothing that the tenant does next", async () => {
  const tenant = await newTenant();
  await h.behave({ limits: "off" });
  await script(tenant.webhook, { kind: "status", status: 410 });
  await script(tenant.webhook, { kind: "silence" });
  await h.confirm(tenant, tenant.webhook);
  assert.equal((await h.settled(tenant)).status, "failed");
  await arrived(tenant.webhook);
  await h.confirm(tenant, tenant.webhook);
  assert.equal((await h.settled(tenant)).status, "completed");
  const [, first] = (await deliveriesOf(tenant)).data;
  assert.deepEqual([first.type, first.status, first.lastStatus], ["tenant.failed", "pending", null]);
  await h.behave({ limits: "on" });
});
