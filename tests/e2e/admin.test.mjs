// What operators do, over the real runtime and the real D1, in one walk: the webhook's correction, tenants, promo codes, statistics, the
// audit log. Each of their answers is proved in tests/api.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { makeWebhook, startHarness, until } from "./harness.mjs";

const h = await startHarness();
after(() => h.close());

/** Asks as an operator; throws unless the answer has this status. Answers its data. */
async function data(method, path, body) {
  const answer = await h.api(method, `/api/v1/admin${path}`, { token: h.token({ sub: "ops" }), body });
  assert.equal(answer.status, 200, `${method} ${path}: ${JSON.stringify(answer.body)}`);
  return answer.body.data;
}

test("an operator makes a code, corrects a tenant's webhook, suspends the tenant and brings it back, and all is written down", async () => {
  const code = `E2E${randomUUID().slice(0, 8).toUpperCase()}`;
  const validUntil = new Date(Date.now() + 3_600_000).toISOString();
  await data("POST", "/promo-codes", { code, discountPercent: 25, maxUses: 10, validUntil });
  const tenant = await h.signup({ promoCode: code });
  assert.equal(tenant.discount, 25);
  assert.equal((await data("GET", "/promo-codes?limit=100")).find((promo) => promo.code === code).uses, 1);
  assert.equal((await data("POST", `/promo-codes/${code}/deactivate`)).changed, true);

  await h.confirm(tenant, { ...makeWebhook(), webhookUrl: "https://hook.eu2.make.com/gone" });
  const failed = await h.settled(tenant);
  assert.deepEqual([failed.status, failed.data.reason], ["failed", "WEBHOOK_REJECTED"]);
  const { webhookUrl } = makeWebhook();
  const path = new URL(webhookUrl).pathname;
  const { runId } = failed.data;
  const corrected = await data("POST", "/tenant/webhook", { tenant: tenant.tenantId, make_webhook_url: webhookUrl });
  assert.deepEqual(corrected, { tenant: tenant.tenantId, makeWebhookUrl: webhookUrl, resumed: true, runId });
  assert.equal((await h.settled(tenant)).status, "completed");
  const { requests } = await h.sandbox("/__sandbox/requests?limit=20000");
  const pings = requests.filter(({ key }) => key?.startsWith(`${runId}/`) && key.includes("validate_webhook"));
  assert.deepEqual(pings.map(({ url }) => new URL(url).pathname), ["/gone", path]);
  const details = await data("GET", `/tenants/${tenant.tenantId}`);
  assert.equal(details.webhook.host, "hook.eu2.make.com");
  assert.ok(!JSON.stringify([details, h.logs()]).includes(path), "never the path");

  const me = () => h.api("GET", "/api/v1/tenants/me", { token: tenant.jwt });
  const found = await data("GET", `/tenants?q=${tenant.clubSlug.toUpperCase()}`);
  assert.deepEqual(found.map(({ id, status }) => [id, status]), [[tenant.tenantId, "active"]]);
  await data("PATCH", `/tenants/${tenant.tenantId}`, { status: "suspended", reason: "invoice unpaid" });
  assert.equal((await me()).body.error.reason, "token_revoked");
  await data("PATCH", `/tenants/${tenant.tenantId}`, { status: "active", comped: true, reason: "a sponsor pays" });
  assert.deepEqual([(await me()).status, (await me()).body.data.comped], [200, true]);

  const audit = await data("GET", `/audit?subject=${tenant.tenantId}&actor=ops`);
  assert.deepEqual(audit.map(({ action, reason }) => [action, reason]).slice(0, 2), [
    ["tenant.update", "a sponsor pays"],
    ["tenant.update", "invoice unpaid"],
  ]);
  // The run's last listing comes after the status says completed.
  const stats = await until(async () => {
    const stats = await data("GET", "/stats");
    return stats.provisioning.total.processing === 0 && stats;
  });
  assert.deepEqual([stats.tenants.byPlan.starter.active, stats.provisioning.byPlan.starter.completed], [1, 1]);
  const { p50, p95 } = stats.provisioning.last30Days.durationMs;
  assert.ok(p50 > 0 && p95 >= p50, JSON.stringify({ p50, p95 }));
});
