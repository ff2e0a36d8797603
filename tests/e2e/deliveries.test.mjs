// Lifecycle events at the clubs' webhooks: signed so that another implementation of Standard Webhooks verifies them, sent right
// after the run, by the sweep when that failed, and not any more once nobody is there.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { makeWebhook, startHarness, until } from "./harness.mjs";

const h = await startHarness();
after(() => h.close());

const target = (webhook) => ({ host: "hook.eu2.make.com", path: new URL(webhook.webhookUrl).pathname });

const script = (webhook, fault) => h.sandbox("/__sandbox/faults", { method: "POST", body: { ...target(webhook), times: 1, ...fault } });

/** What the club's webhook was sent, but for pings. */
async function eventsAt(webhook) {
  const { host, path } = target(webhook);
  const { requests } = await h.sandbox(`/__sandbox/requests?host=${host}&path=${path}`);
  return requests.filter(({ key }) => key.startsWith("evt_"));
}

const arrived = (webhook, count = 1) =>
  until(async () => {
    const events = await eventsAt(webhook);
    return events.length >= count && events;
  });

/** As whoever built the scenario does it, with the secret that the club chose. */
const verified = ({ body, headers }, { webhookSecret }) => new Webhook(webhookSecret, { format: "raw" }).verify(body, headers);

const deliveriesOf = async (club) => {
  const { status, body } = await h.api("GET", `/api/v1/tenants/${club.tenantId}/webhook/deliveries`, { token: club.jwt });
  assert.equal(status, 200, JSON.stringify(body));
  return body;
};

/** The club's one delivery, once it stands so. */
const stands = (club, status) =>
  until(
    async () => {
      const { data } = await deliveriesOf(club);
      return data.length === 1 && data[0].status === status && data[0];
    },
    { what: `the delivery of ${club.tenantId} to be ${status}` },
  );

const post = (club, path, body) => h.api("POST", `/api/v1/tenants/${club.tenantId}/webhook/${path}`, { token: club.jwt, body });

/** As if the club's deliveries had waited for their next attempt. */
const age = ({ tenantId }) => h.sql("update webhook_deliveries set next_at = next_at - 600 where tenant_id = ? and status = 'pending'", tenantId);

async function newClub() {
  return { ...(await h.signup()), webhook: makeWebhook() };
}

async function completed() {
  const club = await newClub();
  await h.confirm(club, club.webhook);
  const end = await h.settled(club);
  assert.equal(end.status, "completed");
  return { ...club, runId: end.data.runId };
}

describe("an event", { concurrency: true }, () => {
  test("arrives within seconds of the run's end, and verifies", async () => {
    const club = await completed();
    const [event] = await arrived(club.webhook);
    const payload = verified(event, club.webhook);
    assert.equal(payload.type, "tenant.provisioned");
    assert.deepEqual(payload.data, { tenantId: club.tenantId, runId: club.runId, plan: "starter" });
    assert.ok(Math.abs(Date.parse(payload.timestamp) - Date.now()) < 15_000, payload.timestamp);
    const delivery = await stands(club, "delivered");
    assert.deepEqual([delivery.id, delivery.type, delivery.attempts, delivery.lastStatus], [event.key, "tenant.provisioned", 1, 200]);
    assert.throws(() => verified(event, makeWebhook()), /signature/);
    assert.throws(() => verified({ ...event, body: event.body.replace("starter", "pro") }, club.webhook), /signature/);
  });

  test("verifies by the old secret and the new one, once a live club has stored another webhook", async () => {
    const [club, other] = [await completed(), makeWebhook()];
    const { status, body } = await h.confirm(club, other);
    assert.equal(status, 200, JSON.stringify(body));
    const { changed, webhook } = body.data;
    assert.deepEqual([changed, webhook.host, webhook.test.delivered], [true, "hook.eu2.make.com", true]);
    assert.ok(Math.abs(Date.parse(webhook.previousSecretUntil) - Date.now() - 24 * 3600_000) < 60_000);
    const { host, path } = target(other);
    const { requests } = await h.sandbox(`/__sandbox/requests?host=${host}&path=${path}`);
    assert.equal(requests.length, 1);
    for (const known of [other, club.webhook]) assert.equal(verified(requests[0], known).type, "webhook.ping");
    assert.throws(() => verified(requests[0], makeWebhook()), /signature/);
    const profile = await h.api("GET", "/api/v1/tenants/me", { token: club.jwt });
    assert.equal(profile.body.data.webhook.host, host);
    assert.ok(profile.body.data.webhook.validatedAt);
    assert.ok(!JSON.stringify(profile.body).includes(path));
  });

  test("verifies under a secret in Standard Webhooks' own form", async () => {
    const club = await newClub();
    club.webhook.webhookSecret = `whsec_${Buffer.from("twenty-four bytes of key").toString("base64")}`;
    await h.confirm(club, club.webhook);
    const [event] = await arrived(club.webhook);
    const { type } = new Webhook(club.webhook.webhookSecret).verify(event.body, event.headers);
    assert.equal(type, "tenant.provisioned");
  });

  test("that did not arrive is sent again by the sweep, under the same id and with a time of its own", async () => {
    const club = await newClub();
    await script(club.webhook, { kind: "status", status: 503, skip: 1 });
    await h.confirm(club, club.webhook);
    const failed = await until(async () => {
      const [delivery] = (await deliveriesOf(club)).data;
      return delivery?.lastStatus === 503 && delivery;
    });
    assert.deepEqual([failed.status, failed.attempts, failed.lastError], ["pending", 1, "SERVER_ERROR"]);
    assert.ok((await deliveriesOf(club)).webhook.failingSince);
    await h.sweep();
    await age(club);
    // So that the second attempt falls into another second.
    await until(() => Date.now() >= Math.ceil((Date.parse(failed.createdAt) + 1) / 1000) * 1000);
    await h.sweep();
    const events = await arrived(club.webhook, 2);
    assert.equal(new Set(events.map(({ key }) => key)).size, 1);
    assert.equal(new Set(events.map(({ body }) => body)).size, 1);
    for (const event of events) verified(event, club.webhook);
    assert.equal((await stands(club, "delivered")).attempts, 2);
    assert.equal((await deliveriesOf(club)).webhook.failingSince, null);
    await h.sweep();
    assert.equal((await eventsAt(club.webhook)).length, 2);
  });

  test("tells of a run that failed, and why", async () => {
    const club = await newClub();
    await script(club.webhook, { kind: "status", status: 410 });
    await h.confirm(club, club.webhook);
    assert.equal((await h.settled(club)).status, "failed");
    const [event] = await arrived(club.webhook);
    const { type, data } = verified(event, club.webhook);
    assert.deepEqual([type, data.reason, data.step], ["tenant.failed", "WEBHOOK_REJECTED", "validate_webhook"]);
    await h.confirm(club, club.webhook);
    const events = await arrived(club.webhook, 2);
    assert.equal(verified(events[1], club.webhook).type, "tenant.provisioned");
  });

  test("that hangs holds up nothing that the club does next", async () => {
    const club = await newClub();
    await script(club.webhook, { kind: "status", status: 410 });
    await script(club.webhook, { kind: "silence" });
    await h.confirm(club, club.webhook);
    assert.equal((await h.settled(club)).status, "failed");
    await arrived(club.webhook);
    await h.confirm(club, club.webhook);
    // Sooner than the five seconds that a webhook has.
    await until(async () => (await h.status(club)).body.status === "completed", { within: 4000 });
    assert.deepEqual((await deliveriesOf(club)).data.map(({ type }) => type), ["tenant.provisioned", "tenant.failed"]);
  });

  test("is sent once more when its club asks for it", async () => {
    const club = await completed();
    const { id } = await stands(club, "delivered");
    const answer = await post(club, `deliveries/${id}/redeliver`);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    const events = await arrived(club.webhook, 2);
    assert.deepEqual(events.map(({ key }) => key), [id, id]);
    verified(events[1], club.webhook);
    await stands(club, "delivered");
    assert.equal((await post(club, "deliveries/evt_none/redeliver")).body.error.code, "DELIVERY_NOT_FOUND");
  });
});

test("a webhook that is gone is switched off, its owner told, and a test that it takes switches it on", async () => {
  const club = await newClub();
  await script(club.webhook, { kind: "status", status: 410, skip: 1 });
  await h.confirm(club, club.webhook);
  const delivery = await stands(club, "failed");
  assert.deepEqual([delivery.lastStatus, delivery.lastError, delivery.nextAttemptAt], [410, "GONE", null]);
  const { webhook } = await deliveriesOf(club);
  assert.equal(webhook.disabledReason, "gone");
  const notices = (await h.mails(club.email)).filter(({ subject }) => subject.includes("switched off"));
  assert.equal(notices.length, 1);
  assert.match(notices[0].text, /hook\.eu2\.make\.com what happens/);
  assert.ok(!notices[0].text.includes(target(club.webhook).path));
  const events = await h.api("GET", `/api/v1/tenants/${club.tenantId}/events`, { token: club.jwt });
  assert.deepEqual(events.body.data.map(({ type }) => type).sort(), ["tenant.provisioned", "tenant.signed_up", "webhook.disabled"]);
  assert.equal((await post(club, `deliveries/${delivery.id}/redeliver`)).body.error.code, "NO_WEBHOOK");

  assert.equal((await post(club, "test")).body.data.delivered, true);
  assert.equal((await deliveriesOf(club)).webhook.disabledAt, null);
  assert.equal((await post(club, `deliveries/${delivery.id}/redeliver`)).status, 200);
  await stands(club, "delivered");
});

test("the webhook of a cancelled club goes with its last delivery", async () => {
  const club = await newClub();
  await script(club.webhook, { kind: "status", status: 500, skip: 1 });
  await h.confirm(club, club.webhook);
  const connections = () => h.sql("select tenant_id from make_connections where tenant_id = ?", club.tenantId);
  await until(async () => (await deliveriesOf(club)).data[0]?.lastStatus === 500);
  await h.sql("update tenants set status = 'cancelled' where id = ?", club.tenantId);
  assert.equal((await connections()).length, 1);
  await age(club);
  await h.sweep();
  await until(async () => (await connections()).length === 0);
  assert.equal((await eventsAt(club.webhook)).length, 2);
});
