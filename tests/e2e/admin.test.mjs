// What operators do, over the real runtime and the real D1: the webhook's correction, clubs, promo codes, statistics, the audit log.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { clubForm, makeWebhook, startHarness, until } from "./harness.mjs";

const h = await startHarness();
after(() => h.close());

const operator = (claims = {}) => h.token({ sub: "ops", ...claims });

/** Asks as an operator; throws unless the answer has this status. Answers the body. */
async function admin(method, path, body, { status = 200, token = operator() } = {}) {
  const answer = await h.api(method, `/api/v1/admin${path}`, { token, body });
  assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

const data = async (...ask) => (await admin(...ask)).data;

/** A starter club whose run failed on its webhook. */
async function failedClub() {
  const club = await h.signup();
  await h.confirm(club, { ...makeWebhook(), webhookUrl: "https://hook.eu2.make.com/gone" });
  const { status, data } = await h.settled(club);
  assert.deepEqual([status, data.reason], ["failed", "WEBHOOK_REJECTED"]);
  return club;
}

test("a corrected webhook resumes the run that failed on it, with the secret that is stored", async () => {
  const club = await failedClub();
  const { webhookUrl } = makeWebhook();
  h.clearLogs();
  const corrected = await data("POST", "/tenant/webhook", { tenant: club.tenantId, make_webhook_url: webhookUrl });
  const { runId } = (await h.status(club)).body.data;
  assert.deepEqual(corrected, { tenant: club.tenantId, makeWebhookUrl: webhookUrl, resumed: true, runId });
  assert.equal((await h.settled(club)).status, "completed");
  const { requests } = await h.sandbox("/__sandbox/requests?limit=20000");
  const pings = requests.filter(({ key }) => key?.startsWith(`${runId}/`) && key.includes("validate_webhook"));
  assert.deepEqual(
    pings.map(({ url }) => new URL(url).pathname),
    ["/gone", new URL(webhookUrl).pathname],
  );
  const details = await data("GET", `/tenants/${club.tenantId}`);
  assert.equal(details.webhook.host, "hook.eu2.make.com");
  assert.match(details.webhook.validatedAt, /^\d{4}-/);
  assert.ok(!JSON.stringify(details).includes(new URL(webhookUrl).pathname), "never the path");
  const lines = h.logs();
  const actions = lines.filter(({ msg }) => msg === "operator_action").map(({ action, host }) => [action, host]);
  assert.deepEqual(actions, [["tenant.webhook", "hook.eu2.make.com"]]);
  assert.ok(!JSON.stringify(lines).includes(new URL(webhookUrl).pathname), "nor in the log");
});

test("a webhook is refused where it can't be", async () => {
  const [pro, fresh] = [await h.signup({ plan: "pro" }), await h.signup()];
  const url = makeWebhook().webhookUrl;
  const refused = async (body, status) => (await admin("POST", "/tenant/webhook", body, { status })).error;
  assert.equal((await refused({ tenant: pro.tenantId, make_webhook_url: url }, 409)).code, "PLAN_MISMATCH");
  assert.equal((await refused({ tenant: "tenant_nobody", make_webhook_url: url }, 404)).code, "TENANT_NOT_FOUND");
  assert.equal((await refused({ tenant: fresh.tenantId, make_webhook_url: "https://evil.example/a" }, 400)).code, "INVALID_WEBHOOK_HOST");
  const { issues } = await refused({ tenant: fresh.tenantId, make_webhook_url: url }, 400);
  assert.deepEqual(issues[0].path, ["webhook_secret"]);
});

test("clubs are found, shown, suspended and brought back, and all of it is written down", async () => {
  const club = await h.signup();
  await h.confirm(club);
  await h.settled(club);
  const path = `/tenants/${club.tenantId}`;
  const found = await data("GET", `/tenants?q=${club.clubSlug.toUpperCase()}`);
  assert.deepEqual(found.map(({ id, slug, status }) => [id, slug, status]), [[club.tenantId, club.clubSlug, "active"]]);
  const beginnings = [club.email, club.clubName].map((text) => `q=${encodeURIComponent(text)}`);
  for (const query of [...beginnings, "status=active&provision=completed&limit=1"]) {
    assert.equal((await data("GET", `/tenants?${query}`))[0].id, club.tenantId, query);
  }
  for (const query of ["limit=abc", "limit=-1"]) await admin("GET", `/tenants?${query}`, undefined, { status: 400 });

  const me = () => h.api("GET", "/api/v1/tenants/me", { token: club.jwt });
  assert.equal((await me()).body.data.provisioning.status, "completed");
  assert.equal((await data("PATCH", path, { status: "suspended", reason: "invoice unpaid" })).status, "suspended");
  const stopped = await me();
  assert.deepEqual([stopped.status, stopped.body.error.reason], [403, "token_revoked"]);
  await data("PATCH", path, { status: "active", comped: true, reason: "a sponsor pays" });
  assert.deepEqual([(await me()).status, (await me()).body.data.comped], [200, true]);
  assert.equal((await admin("PATCH", path, { plan: "pro", reason: "no" }, { status: 409 })).error.code, "PLAN_LOCKED");
  await admin("PATCH", path, { status: "cancelled", reason: "no" }, { status: 400 });

  const renamed = await h.api("PATCH", "/api/v1/tenants/me", { token: club.jwt, body: { name: "Renamed", primaryColor: "#ABCDEF" } });
  assert.deepEqual([renamed.body.data.name, renamed.body.data.brand.primaryColor], ["Renamed", "#abcdef"]);

  const audit = await data("GET", `/audit?subject=${club.tenantId}&action=tenant.update&actor=ops`);
  assert.deepEqual(
    audit.map(({ reason, data }) => [reason, data.before, data.after]),
    [
      ["a sponsor pays", { status: "suspended", plan: "starter", comped: false }, { status: "active", plan: "starter", comped: true }],
      ["invoice unpaid", { status: "active", plan: "starter", comped: false }, { status: "suspended", plan: "starter", comped: false }],
    ],
  );
  assert.match(audit[0].requestId, /^req_/);
});

test("a promo code is made, used, switched off and refused", async () => {
  const code = `E2E${randomUUID().slice(0, 8).toUpperCase()}`;
  const validUntil = new Date(Date.now() + 3_600_000).toISOString();
  const made = await data("POST", "/promo-codes", { code, discountPercent: 25, maxUses: 10, validUntil, plan: "pro" });
  assert.deepEqual([made.code, made.usesRemaining, made.active], [code, 10, true]);
  assert.equal((await admin("POST", "/promo-codes", { code, discountPercent: 5 }, { status: 409 })).error.code, "PROMO_EXISTS");
  const club = await h.signup({ promoCode: code });
  assert.deepEqual([club.discount, club.tenant.plan], [25, "pro"]);
  assert.equal((await data("GET", "/promo-codes?limit=100")).find((promo) => promo.code === code).uses, 1);
  const off = () => data("POST", `/promo-codes/${code}/deactivate`);
  assert.deepEqual([(await off()).changed, (await off()).changed], [true, false]);
  const refused = await h.api("POST", "/public/signup/start", { body: clubForm({ promoCode: code }) });
  assert.deepEqual([refused.status, refused.body.error.code, refused.body.error.reason], [400, "INVALID_PROMO", "inactive"]);
  await admin("POST", "/promo-codes/UNKNOWN1/deactivate", undefined, { status: 404 });
  const audit = await data("GET", `/audit?subject=promo:${code}`);
  assert.deepEqual(audit.map(({ action }) => action), ["promo.deactivate", "promo.create"]);
});

test("the statistics tell what was counted, and no refusal", async () => {
  const before = await data("GET", "/stats");
  const [live] = [await h.signup({ plan: "pro" }), await h.signup({ plan: "pro" })];
  await h.api("POST", "/public/signup/start", { body: clubForm({ clubSlug: live.clubSlug }) });
  await h.confirm(live);
  assert.equal((await h.settled(live)).status, "completed");
  await failedClub();
  // The run's last listing comes after the status says completed.
  const now = await until(async () => {
    const stats = await data("GET", "/stats");
    return stats.provisioning.total.processing === 0 && stats;
  });
  const grew = (read) => read(now) - read(before);
  assert.equal(grew(({ tenants }) => tenants.total), 3);
  assert.equal(grew(({ tenants }) => tenants.byPlan.pro.active), 1);
  assert.equal(grew(({ tenants }) => tenants.byPlan.pro.trial), 1);
  assert.equal(grew(({ signups }) => signups.last24Hours), 3, "what was refused is no signup");
  assert.equal(grew(({ provisioning }) => provisioning.byPlan.pro.completed), 1);
  assert.equal(grew(({ provisioning }) => provisioning.byPlan.starter.failed), 1);
  assert.equal(grew(({ provisioning }) => provisioning.failures), 1);
  const { completed, failed, successRatio, durationMs } = now.provisioning.last30Days;
  assert.equal(successRatio, completed / (completed + failed));
  assert.ok(durationMs.p50 > 0 && durationMs.p95 >= durationMs.p50 && durationMs.p95 <= 30_000, JSON.stringify(durationMs));
  const counted = await h.sql("select status, count(*) as n from tenants group by status");
  const byStatus = Object.fromEntries(counted.map(({ status, n }) => [status, n]));
  assert.deepEqual(now.tenants.byStatus, { trial: 0, active: 0, suspended: 0, cancelled: 0, ...byStatus });
});

test("nobody but an operator sees or does any of it", async () => {
  const club = await h.signup();
  const paths = ["/tenants", `/tenants/${club.tenantId}`, "/promo-codes", "/stats", "/audit"];
  for (const path of paths) {
    const token = h.token({ aud: "internal", roles: ["service", "admin"] });
    for (const [given, status] of [[club.jwt, 403], [token, 403], [undefined, 401]]) {
      const answer = await h.api("GET", `/api/v1/admin${path}`, { token: given });
      assert.equal(answer.status, status, path);
    }
  }
});
