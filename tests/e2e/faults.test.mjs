// Definite answers of upstreams: a refusal fails the run with its reason, and a failed run resumes where it stopped. Also redirects, and
// answers that nobody reads. What else can go wrong at each call: matrix.test.mjs.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { makeWebhook, startHarness, until } from "./harness.mjs";

const h = await startHarness();
after(() => h.close());

/** Where a step calls, so that a fault hits this tenant's call and no other's; and how the other side says no. */
const STEPS = {
  validate_webhook: {
    plan: "starter",
    target: (tenant) => ({ host: "hook.eu2.make.com", path: new URL(tenant.webhook.webhookUrl).pathname }),
    refusal: { status: 410, body: "There is no scenario listening for this webhook." },
    reason: "WEBHOOK_REJECTED",
  },
  create_spreadsheet: {
    plan: "pro",
    target: (tenant) => ({ host: "script.google.com", bodyIncludes: tenant.tenantId }),
    refusal: { status: 200, body: { ok: false, error: "The quota is used up.", code: "QUOTA" } },
    reason: "SPREADSHEET_REJECTED",
  },
  verify_spreadsheet: {
    plan: "pro",
    target: (tenant) => ({ host: "script.google.com", bodyIncludes: tenant.tenantId, skip: 1 }),
    refusal: { status: 200, body: { ok: true, exists: false } },
    reason: "SPREADSHEET_MISSING",
  },
};

const serviceToken = () => h.token({ aud: "internal", roles: ["service"] });

const queue = (tenant, path = "/internal/provision/queue") =>
  h.api("POST", path, { token: serviceToken(), body: { tenantId: tenant.tenantId } });

async function newTenant(plan) {
  return { ...(await h.signup({ plan })), webhook: makeWebhook() };
}

const script = (fault) => h.sandbox("/__sandbox/faults", { method: "POST", body: { times: 1, ...fault } });

const requestsUnder = async (key) => (await h.sandbox(`/__sandbox/requests?key=${encodeURIComponent(key)}`)).requests;

const effectsUnder = async (key) => (await h.sandbox(`/__sandbox/effects?key=${encodeURIComponent(key)}`)).effects;

const history = (runId, step) =>
  h.sql("select attempt, outcome, error from provision_history where run_id = ? and step = ? order by attempt", runId, step);

describe("a run goes on after", { concurrency: true }, () => {
  test("no answer at all at validate_webhook, within the five seconds that a webhook has", async () => {
    const tenant = await newTenant("starter");
    await script({ ...STEPS.validate_webhook.target(tenant), kind: "silence" });
    await h.confirm(tenant, tenant.webhook);
    const { status, data } = await h.settled(tenant, { within: 60_000 });
    assert.equal(status, "completed", JSON.stringify(data));
    const [lost] = await history(data.runId, "validate_webhook");
    assert.deepEqual([lost.outcome, lost.error], ["unknown", "TIMEOUT"]);
    const [first, second] = await requestsUnder(`${data.runId}/validate_webhook`);
    const waited = Date.parse(second.at) - Date.parse(first.at);
    // The silence itself lasts two minutes.
    assert.ok(waited >= 6600 && waited < 60_000, `the second attempt came after ${waited} ms`);
  });

  test("more than anybody reads", async () => {
    const tenant = await newTenant("pro");
    const body = `<!DOCTYPE html>${"x".repeat(300_000)}`;
    await script({ ...STEPS.create_spreadsheet.target(tenant), kind: "status", status: 200, body });
    await h.confirm(tenant);
    const { status, data } = await h.settled(tenant, { within: 60_000 });
    assert.equal(status, "completed", JSON.stringify(data));
    const [unread] = await history(data.runId, "create_spreadsheet");
    assert.deepEqual([unread.outcome, unread.error], ["unknown", "MALFORMED"]);
  });

  test("a redirect of Apps Script's to somebody else, which is not followed", async () => {
    const tenant = await newTenant("pro");
    const headers = { location: "https://accounts.google.com/ServiceLogin" };
    await script({ ...STEPS.create_spreadsheet.target(tenant), kind: "status", status: 302, headers });
    await h.confirm(tenant, tenant.webhook);
    const { status, data } = await h.settled(tenant, { within: 60_000 });
    assert.equal(status, "completed", JSON.stringify(data));
    const { requests } = await h.sandbox("/__sandbox/requests?host=accounts.google.com");
    assert.deepEqual(requests, []);
  });
});

describe("a definite refusal", { concurrency: true }, () => {
  const failing = Object.entries(STEPS);
  const ways = ["/internal/provision/queue", "/internal/provision/retry", null];

  for (const [index, [step, upstream]] of failing.entries()) {
    test(`at ${step} fails the run with its reason; queued again, it goes on there`, async () => {
      const tenant = await newTenant(upstream.plan);
      await script({ ...upstream.target(tenant), kind: "status", ...upstream.refusal });
      await h.confirm(tenant, tenant.webhook);
      const failed = await h.settled(tenant);
      await assertFailed(tenant, failed, step, upstream.reason);
      const before = await otherRequests(failed.data.runId, step);

      // An operator's two ways, and the tenant's own.
      const own = `/api/v1/tenants/${tenant.tenantId}/provision/retry`;
      const again = ways[index] === null ? await h.api("POST", own, { token: tenant.jwt }) : await queue(tenant, ways[index]);
      assert.equal(again.status, 200, JSON.stringify(again.body));
      assert.deepEqual([again.body.data.runId, again.body.data.status], [failed.data.runId, "processing"]);
      const end = await h.settled(tenant);
      assert.equal(end.status, "completed", JSON.stringify(end));
      assert.deepEqual([end.data.reason, end.data.error], [null, null]);
      for (const { name, attempts } of end.data.steps) assert.equal(attempts, name === step ? 2 : 1, name);
      assert.deepEqual((await otherRequests(failed.data.runId, step)).slice(0, before.length), before, "what was done is not done again");
      const asked = await requestsUnder(`${end.data.runId}/${step}`);
      assert.equal(asked.length, 2);

      await assertSettledForGood(tenant, end);
    });
  }

  test("of the mail fails nothing: the tenant hears of it, and has another sent", async () => {
    const tenant = await newTenant("starter");
    const body = { statusCode: 422, name: "validation_error", message: "Invalid `to` field." };
    await script({ host: "api.resend.com", bodyIncludes: tenant.email, kind: "status", status: 422, body });
    await h.confirm(tenant, tenant.webhook);
    assert.equal((await h.settled(tenant)).status, "completed");
    const { data } = await until(async () => {
      const { body: told } = await h.status(tenant);
      return told.data.warnings.length > 0 && told;
    });
    assert.deepEqual([data.progress, data.reason, data.error], [100, null, null]);
    assert.deepEqual(data.warnings.map(({ code }) => code), ["EMAIL_REJECTED"]);
    assert.ok(data.steps.every(({ status }) => status === "completed"), "it was stored, and is no matter of the run's");
    const [row] = await h.sql("select status, owner_email_sent_at from tenants where id = ?", tenant.tenantId);
    assert.deepEqual(row, { status: "active", owner_email_sent_at: null });
    const [event] = await h.sql("select data from domain_events where tenant_id = ? and type = 'mail.failed'", tenant.tenantId);
    assert.deepEqual(JSON.parse(event.data), { kind: "welcome", reason: "EMAIL_REJECTED" });
    const mailsTo = () => h.mails(tenant.email);
    assert.deepEqual(await mailsTo(), []);
    const again = await h.api("POST", `/api/v1/tenants/${tenant.tenantId}/welcome/resend`, { token: tenant.jwt });
    assert.deepEqual([again.status, again.body.data.kind], [202, "welcome"]);
    await until(async () => (await mailsTo()).length === 1);
    assert.deepEqual((await h.status(tenant)).body.data.warnings, []);
  });

  test("by a webhook that redirects is a refusal too: the ping goes nowhere else", async () => {
    const tenant = await newTenant("starter");
    const headers = { location: "https://hook.eu2.make.com/another" };
    await script({ ...STEPS.validate_webhook.target(tenant), kind: "status", status: 307, headers });
    await h.confirm(tenant, tenant.webhook);
    const failed = await h.settled(tenant);
    assert.deepEqual([failed.status, failed.data.reason], ["failed", "WEBHOOK_REJECTED"]);
    const { requests } = await h.sandbox("/__sandbox/requests?host=hook.eu2.make.com&path=/another");
    assert.deepEqual(requests, []);
  });

  test("of a webhook is mended by another webhook", async () => {
    const tenant = await newTenant("starter");
    await h.confirm(tenant, { ...tenant.webhook, webhookUrl: "https://hook.eu2.make.com/gone" });
    assert.equal((await h.settled(tenant)).data.reason, "WEBHOOK_REJECTED");
    assert.equal((await h.confirm(tenant, tenant.webhook)).body.data.status, "processing");
    assert.equal((await h.settled(tenant)).status, "completed");
    const [{ webhook_url: url }] = await h.sql("select webhook_url from make_connections where tenant_id = ?", tenant.tenantId);
    assert.equal(url, tenant.webhook.webhookUrl);
  });

  test("by Apps Script itself, of a team that it won't have, is a refusal", async () => {
    const tenant = await h.signup({ plan: "pro", clubName: "fail-me" });
    await h.confirm(tenant);
    const failed = await h.settled(tenant);
    await assertFailed(tenant, failed, "create_spreadsheet", "SPREADSHEET_REJECTED");
  });

  test("of the read-back: a spreadsheet that its owner deleted in between is missed", async () => {
    const tenant = await newTenant("pro");
    await script({ ...STEPS.verify_spreadsheet.target(tenant), kind: "delay", ms: 4000 });
    await h.confirm(tenant);
    await until(async () => {
      const asked = (await h.sandbox("/__sandbox/requests?host=script.google.com")).requests;
      return asked.some(({ operation, body }) => operation === "verify" && body.includes(tenant.tenantId));
    });
    const { spreadsheets } = await h.sandbox("/__sandbox/spreadsheets");
    const { id } = spreadsheets.find(({ tenantId }) => tenantId === tenant.tenantId);
    await h.sandbox(`/__sandbox/spreadsheets/${id}`, { method: "DELETE" });
    const { status, data } = await h.settled(tenant);
    assert.deepEqual([status, data.reason, data.step], ["failed", "SPREADSHEET_MISSING", "verify_spreadsheet"]);
  });
});

async function assertFailed(tenant, { status, data }, step, reason) {
  assert.equal(status, "failed", JSON.stringify(data));
  assert.deepEqual([data.reason, data.step, data.currentStep, data.completedAt], [reason, step, step, null]);
  assert.ok(data.error.length > 20 && !/[<{]/.test(data.error), `a sentence for people: ${data.error}`);
  assert.ok(data.progress < 100);
  const at = data.steps.findIndex(({ name }) => name === step);
  for (const [index, { name, status: word, attempts, error }] of data.steps.entries()) {
    const expected = index < at ? ["completed", 1] : index === at ? ["failed", 1] : ["pending", 0];
    assert.deepEqual([word, attempts], expected, name);
    assert.equal(error?.code, index === at ? reason : undefined, name);
  }
  const [row] = await h.sql("select status, provisioned_at, provision_state, provision_reason from tenants where id = ?", tenant.tenantId);
  assert.deepEqual(row, { status: "trial", provisioned_at: null, provision_state: "failed", provision_reason: reason });
  const mails = await until(async () => {
    const sent = await h.mails(tenant.email);
    return sent.length > 0 && sent;
  });
  // Nobody is welcomed to a club that is not ready.
  assert.equal(mails.length, 1);
  assert.match(mails[0].subject, /^Setting up .+ (needs your help|takes longer)$/);
}

async function otherRequests(runId, step) {
  const { requests } = await h.sandbox("/__sandbox/requests?limit=20000");
  return requests.filter(({ key }) => key?.startsWith(`${runId}/`) && key !== `${runId}/${step}`).map(({ id, key }) => [id, key]);
}

/** Queueing a completed run again changes nothing, and says so. */
async function assertSettledForGood(tenant, end) {
  const rows = async () => {
    const tables = ["provision_runs where tenant_id", "tenants where id", "domain_events where tenant_id"];
    return Promise.all(tables.map((table) => h.sql(`select * from ${table} = ?`, tenant.tenantId)));
  };
  const before = [await rows(), await otherRequests(end.data.runId, null)];
  const again = await queue(tenant);
  assert.equal(again.status, 200);
  assert.deepEqual([again.body.data.status, again.body.data.changed, again.body.data.runId], ["completed", false, end.data.runId]);
  assert.match(again.body.data.message, /already completed/);
  assert.deepEqual((await h.status(tenant)).body, end);
  assert.deepEqual([await rows(), await otherRequests(end.data.runId, null)], before);
}

test("an answer lost between Apps Script's two hosts makes no second spreadsheet", async () => {
  const tenant = await newTenant("pro");
  await script({ host: "script.googleusercontent.com", kind: "status", status: 502 });
  await h.confirm(tenant);
  const { status, data } = await h.settled(tenant);
  assert.equal(status, "completed", JSON.stringify(data));
  const [effect] = await effectsUnder(`${data.runId}/create_spreadsheet`);
  assert.deepEqual([effect.count, effect.requests], [1, 2]);
  const { spreadsheets } = await h.sandbox("/__sandbox/spreadsheets");
  assert.equal(spreadsheets.filter(({ tenantId }) => tenantId === tenant.tenantId).length, 1);
});

test("every scripted fault was met", async () => {
  assert.deepEqual((await h.sandbox("/__sandbox/faults")).faults, []);
});

test("what was not read of all those answers ends nobody's request when it is collected", async () => {
  // Enough work for the garbage collector to come by.
  for (let round = 0; round < 10; round++) {
    const answers = await Promise.all(Array.from({ length: 40 }, () => h.api("GET", "/health")));
    assert.ok(answers.every(({ status }) => status === 200));
  }
  // workerd's own note that a context ended with something still queued for it, which it marks as not worth a report.
  const foreign = h.logs().filter(({ text }) => text !== undefined && !text.startsWith("NOSENTRY "));
  assert.deepEqual(
    foreign.map(({ text }) => text.slice(0, 200)),
    [],
  );
});
