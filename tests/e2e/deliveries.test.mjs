// Lifecycle events at the clubs' webhooks in the real runtime. Another implementation of Standard Webhooks verifies their signatures. They
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

/** As whoever built the scenario does it, with the secret that the club chose. */
const verified = ({ body, headers }, { webhookSecret }, options = { format: "raw" }) => new Webhook(webhookSecret, options).verify(body, headers);

const deliveriesOf = async (club) => (await h.api("GET", `/api/v1/tenants/${club.tenantId}/webhook/deliveries`, { token: club.jwt })).body;

/** The club's one delivery, once it stands so. */
const stands = (club, status) =>
  until(
    async () => {
      const { data } = await deliveriesOf(club);
      return data.length === 1 && data[0].status === status && data[0];
    },
    { what: `the delivery of ${club.tenantId} to be ${status}` },
  );

const newClub = async () => ({ ...(await h.signup()), webhook: makeWebhook() });

test("an event arrives after the run's end, is sent again on request, and verifies by old and new secrets", async () => {
  const club = await newClub();
  await h.confirm(club, club.webhook);
  const { data } = await h.settled(club);
  const [event] = await arrived(club.webhook);
  const payload = verified(event, club.webhook);
  assert.deepEqual([payload.type, payload.data], ["tenant.provisioned", { tenantId: club.tenantId, runId: data.runId, plan: "starter" }]);
  assert.throws(() => verified(event, makeWebhook()), /signature/);
  assert.throws(() => verified({ ...event, body: event.body.replace("starter", "pro") }, club.webhook), /signature/);
  const { id, attempts } = await stands(club, "delivered");
  assert.deepEqual([id, attempts], [event.key, 1]);

  assert.equal((await h.api("POST", `/api/v1/tenants/${club.tenantId}/webhook/deliveries/${id}/redeliver`, { token: club.jwt })).status, 200);
  assert.deepEqual((await arrived(club.webhook, 2)).map(({ key }) => key), [id, id]);

  const other = makeWebhook();
  assert.equal((await h.confirm(club, other)).body.data.webhook.test.delivered, true);
  const [ping] = await sentTo(other);
  for (const known of [other, club.webhook]) assert.equal(verified(ping, known).type, "webhook.ping");
  assert.throws(() => verified(ping, makeWebhook()), /signature/);
});

test("an event that did not arrive is sent again by the sweep, under a secret in Standard Webhooks' own form", async () => {
  const club = await newClub();
  club.webhook.webhookSecret = `whsec_${Buffer.from("twenty-four bytes of key").toString("base64")}`;
  await script(club.webhook, { kind: "status", status: 503, skip: 1 });
  await h.confirm(club, club.webhook);
  await until(async () => (await deliveriesOf(club)).data[0]?.lastStatus === 503);
  // As if it had waited for its next attempt.
  await h.sql("update webhook_deliveries set next_at = next_at - 600 where tenant_id = ? and status = 'pending'", club.tenantId);
  await h.sweep();
  const events = await arrived(club.webhook, 2);
  assert.equal(new Set(events.map(({ key, body }) => `${key} ${body}`)).size, 1);
  for (const event of events) assert.equal(verified(event, club.webhook, {}).type, "tenant.provisioned");
  assert.equal((await stands(club, "delivered")).attempts, 2);
});

test("an event that hangs for ever holds up nothing that the club does next", async () => {
  const club = await newClub();
  await h.behave({ limits: "off" });
  await script(club.webhook, { kind: "status", status: 410 });
  await script(club.webhook, { kind: "silence" });
  await h.confirm(club, club.webhook);
  assert.equal((await h.settled(club)).status, "failed");
  await arrived(club.webhook);
  await h.confirm(club, club.webhook);
  assert.equal((await h.settled(club)).status, "completed");
  const [, first] = (await deliveriesOf(club)).data;
  assert.deepEqual([first.type, first.status, first.lastStatus], ["tenant.failed", "pending", null]);
  await h.behave({ limits: "on" });
});
