// Both plans from signup to `completed` in the real runtime. Each external call is checked as the upstream sees it: headers, signatures and
// redirects. What is stored and answered in every other case is proved in tests/api.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { STEPS } from "../../public/js/plans.js";
import { makeWebhook, startHarness } from "./harness.mjs";

const h = await startHarness();
after(() => h.close());

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";

/** The requests that the sandbox got for one run, in the order of arrival; answers to Apps Script's redirect carry no key. */
async function received(runId) {
  const { requests } = await h.sandbox("/__sandbox/requests");
  return requests.filter(({ key }) => key?.startsWith(`${runId}/`));
}

/** Signs up and is provisioned. */
async function walk(plan) {
  const tenant = { ...(await h.signup({ plan })), webhook: makeWebhook() };
  assert.equal((await h.status(tenant)).body.status, "pending");
  const queued = await (plan === "starter"
    ? h.api("POST", "/public/signup/starter/make", { token: tenant.jwt, body: tenant.webhook, headers: { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` } })
    : h.confirm(tenant));
  assert.deepEqual([queued.status, queued.body.data?.status], [200, "processing"], JSON.stringify(queued.body));
  const end = await h.settled(tenant);
  assert.equal(end.status, "completed", JSON.stringify(end));
  assert.equal(end.data.runId, queued.body.data.runId);
  assert.deepEqual(end.data.steps.map(({ name, status, attempts }) => [name, status, attempts]), STEPS[plan].map((name) => [name, "completed", 1]));
  const [row] = await h.sql("select status, route_ready from tenants where id = ?", tenant.tenantId);
  assert.deepEqual(row, { status: "active", route_ready: 1 });
  return { ...tenant, runId: end.data.runId };
}

/** Resend was asked once, as its API asks. */
async function assertMailed(tenant, request) {
  assert.equal(request.url, "https://api.resend.com/emails");
  assert.equal(request.headers.authorization, `Bearer ${h.secrets.RESEND_API_KEY}`);
  assert.match(request.headers["user-agent"], /^Tenantry\/\d/);
  assert.equal(request.headers["idempotency-key"], `${tenant.runId}/send_welcome_email`);
  const mails = await h.mails(tenant.email);
  assert.deepEqual(mails.map(({ to, from }) => [to, from]), [[[tenant.email], "Tenantry <welcome@clubs.example>"]]);
}

test("a starter tenant is signed up, pings its webhook as Standard Webhooks has it, is mailed and live", async () => {
  const tenant = await walk("starter");
  const calls = await received(tenant.runId);
  assert.equal(calls.length, 2);
  const [ping, mail] = calls;
  assert.deepEqual([ping.method, ping.url], ["POST", tenant.webhook.webhookUrl]);
  assert.match(ping.headers["content-type"], /^application\/json\b/);
  assert.match(ping.headers["user-agent"], /^Tenantry\/\d/);
  assert.equal(ping.headers["webhook-id"], `${tenant.runId}/validate_webhook`);
  assert.equal(ping.headers["idempotency-key"], ping.headers["webhook-id"]);
  const payload = new Webhook(tenant.webhook.webhookSecret, { format: "raw" }).verify(ping.body, ping.headers);
  assert.deepEqual(payload, { type: "webhook.ping", timestamp: payload.timestamp, data: { tenantId: tenant.tenantId } });
  const another = new Webhook("another secret, just as long", { format: "raw" });
  assert.throws(() => another.verify(ping.body, ping.headers), /No matching signature/);
  await assertMailed(tenant, mail);
  for (const { headers } of calls) assert.match(headers.traceparent, new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));

  // An answer without a body, as the runtime sends it.
  const path = `/api/v1/tenants/${tenant.tenantId}/provision-status`;
  const etag = (await h.api("GET", path, { token: tenant.jwt })).headers.get("etag");
  const again = await h.api("GET", path, { token: tenant.jwt, headers: { "if-none-match": etag } });
  assert.deepEqual([again.status, again.body, again.headers.get("etag")], [304, "", etag]);
});

test("a pro tenant is signed up, asks Apps Script with signed requests whose redirect is followed, is mailed and live", async () => {
  const tenant = await walk("pro");
  const [provision, verify, mail] = await received(tenant.runId);
  for (const [request, action] of [
    [provision, "provision"],
    [verify, "verify"],
  ]) {
    const url = new URL(request.url);
    assert.equal(url.origin + url.pathname, "https://script.google.com/macros/s/sandbox/exec");
    const expected = createHmac("sha256", h.secrets.GAS_HMAC_SECRET).update(request.body).digest("hex");
    assert.equal(url.searchParams.get("signature"), expected);
    assert.deepEqual([request.operation, request.response.status], [action, 302]);
  }
  const [sheet] = await h.sql("select spreadsheet_id from pro_automation where tenant_id = ?", tenant.tenantId);
  const { spreadsheets } = await h.sandbox("/__sandbox/spreadsheets");
  const own = spreadsheets.filter(({ tenantId }) => tenantId === tenant.tenantId);
  assert.deepEqual(own.map(({ id }) => id), [sheet.spreadsheet_id]);
  await assertMailed(tenant, mail);
});
