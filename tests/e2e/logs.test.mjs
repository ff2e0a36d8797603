// What a whole day of the service leaves in its log: one object a line, one summary a request, and the words that operators filter by.
// Nothing secret is in it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { tenantForm, makeWebhook, startHarness, until } from "./harness.mjs";

const h = await startHarness();
after(() => h.close());

/** Every request of the day: what was asked, and what came back. */
const asked = [];
/** What must be nowhere. */
const secret = new Set(Object.values(h.secrets));
/** The same, too short to be looked for within anything. */
const codes = new Set();

async function ask(route, method, path, options = {}) {
  const { status, headers, body } = await h.api(method, path, options);
  asked.push({ route, method, status, requestId: headers.get("x-request-id") });
  if (body?.jwt) secret.add(body.jwt);
  if (options.token) secret.add(options.token);
  return { status, body, requestId: headers.get("x-request-id") };
}

const start = async (form, headers) => ask("/public/signup/start", "POST", "/public/signup/start", { body: form, headers });

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const traced = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` };
const tenants = {};

/** Proves the address of a tenant, by what its mail shows: a starter tenant by the code, a pro tenant by the link. */
async function prove({ email, plan, jwt: token }) {
  const { code, proofToken } = await h.proofMail(email);
  codes.add(code);
  secret.add(proofToken.split(".")[1]);
  const shown = plan === "starter" ? { token, body: { code } } : { body: { token: proofToken } };
  return ask("/auth/proof", "POST", "/auth/proof", { ...shown, headers: traced });
}

/** A tenant from its form to the end of its run. */
async function wholeTenant(name, plan, { webhook = makeWebhook(), promoCode } = {}) {
  const form = tenantForm({ plan, promoCode });
  const key = `key-${randomUUID()}`;
  const { body } = await start(form, { "idempotency-key": key });
  const tenant = { ...form, ...body, plan };
  for (const value of [form.email, form.email.split("@")[0] + "@", key]) secret.add(value);
  let token = tenant.jwt;
  const colours = { primaryColor: "#102030", secondaryColor: "#405060" };
  await ask("/public/signup/brand", "POST", "/public/signup/brand", { token, body: colours });
  if (plan === "starter") {
    for (const value of [webhook.webhookSecret, new URL(webhook.webhookUrl).pathname.slice(1)]) secret.add(value);
    await ask("/public/signup/starter/make", "POST", "/public/signup/starter/make", { token, body: webhook, headers: traced });
  } else {
    await ask("/public/signup/pro/confirm", "POST", "/public/signup/pro/confirm", { token });
  }
  const path = `/api/v1/tenants/${tenant.tenantId}/provision-status`;
  tenant.proof = await prove(tenant);
  tenant.jwt = token = tenant.proof.body.jwt;
  tenant.end = await until(async () => {
    const { body: answer } = await ask("/api/v1/tenants/{id}/provision-status", "GET", path, { token });
    return ["completed", "failed"].includes(answer.status) && answer;
  });
  tenants[name] = tenant;
  return tenant;
}

/** One tenant that is removed on the second try, and one of which a part is refused. */
async function removals() {
  const operator = h.token();
  const body = { reason: "left the league" };
  const remove = ({ tenantId }) =>
    ask("/api/v1/admin/tenants/{id}", "DELETE", `/api/v1/admin/tenants/${tenantId}`, { token: operator, body });
  const ends = ({ tenantId }) =>
    until(async () => {
      const [{ undo_state: state }] = await h.sql("select undo_state from tenants where id = ?", tenantId);
      return state !== "undoing" && state;
    });
  const fault = { host: "script.google.com", kind: "status", times: 1, body: { ok: false, error: "secret-in-a-refusal-of-a-script" } };
  secret.add("secret-in-a-refusal-of-a-script");
  for (const [name, status] of [["removed", 500], ["kept", 200]]) {
    const tenant = await wholeTenant(name, "pro");
    await h.sandbox("/__sandbox/faults", { method: "POST", body: { ...fault, status, bodyIncludes: tenant.tenantId } });
    tenant.asked = (await remove(tenant)).requestId;
    await ends(tenant);
  }
}

before(async () => {
  await h.sql("insert into promo_codes (code, discount_percent, created_at) values ('SPRING', 25, unixepoch())");
  await wholeTenant("starter", "starter", { promoCode: "SPRING" });
  await wholeTenant("pro", "pro");
  await wholeTenant("failed", "starter", { webhook: { ...makeWebhook(), webhookUrl: `https://hook.eu1.make.com/gone${randomUUID()}` } });
  const flaky = makeWebhook();
  const fault = { host: "hook.eu2.make.com", path: new URL(flaky.webhookUrl).pathname, kind: "status", status: 500, times: 1 };
  await h.sandbox("/__sandbox/faults", { method: "POST", body: { ...fault, body: "secret-in-an-upstream-answer" } });
  secret.add("secret-in-an-upstream-answer");
  await wholeTenant("retried", "starter", { webhook: flaky });

  // Signing in by mail, and the replay that mails.
  const { starter, pro, failed } = tenants;
  await ask("/auth/magic/start", "POST", "/auth/magic/start", { body: { email: starter.email } });
  const again = { clubName: pro.clubName, clubSlug: pro.clubSlug, email: pro.email, plan: "pro" };
  await start(again);
  const mails = await until(async () => {
    const all = await h.mails();
    return all.length >= 5 && all;
  });
  const tokens = mails.map(({ linkToken }) => linkToken);
  for (const token of tokens) secret.add(token);
  for (const token of [tokens[0], tokens[0], "guessed"]) {
    await ask("/auth/magic/verify", "POST", "/auth/magic/verify", { body: { token } });
  }

  // What proves nothing.
  const unproven = await start(tenantForm());
  tenants.unproven = { ...unproven.body, email: unproven.body.tenant.email };
  secret.add(tenants.unproven.email);
  const { code } = await h.proofMail(tenants.unproven.email);
  codes.add(code);
  const wrong = code === "000000" ? "111111" : "000000";
  await ask("/auth/proof", "POST", "/auth/proof", { token: unproven.body.jwt, body: { code: wrong } });
  await ask("/auth/proof", "POST", "/auth/proof", { body: { token: `${unproven.body.tenantId}.guessed` } });
  await ask("/auth/proof/send", "POST", "/auth/proof/send", { token: unproven.body.jwt });
  const retry = `/api/v1/tenants/${unproven.body.tenantId}/provision/retry`;
  await ask("/api/v1/tenants/{id}/provision/retry", "POST", retry, { token: unproven.body.jwt });
  const corrected = tenantForm().email;
  secret.add(corrected);
  await ask("/public/signup/email", "PATCH", "/public/signup/email", { token: unproven.body.jwt, body: { email: corrected } });
  codes.add((await h.proofMail(corrected)).code);

  // What is refused.
  const service = h.token({ aud: "internal", roles: ["service"] });
  await start({ ...again, clubName: "Another name" });
  await start({ clubName: "", clubSlug: "X", email: "nobody", plan: "gold" });
  await start(tenantForm({ promoCode: "NOSUCH" }));
  await ask("/whoami", "GET", "/whoami");
  await ask("/whoami", "GET", "/whoami", { token: `${starter.jwt}x` });
  await ask("/whoami", "GET", "/whoami", { token: h.token({}, "another secret, that is long enough") });
  await ask("/api/v1/tenants/{id}/provision-status", "GET", `/api/v1/tenants/${pro.tenantId}/provision-status`, { token: starter.jwt });
  await ask("/internal/provision/queue", "POST", "/internal/provision/queue", { token: starter.jwt, body: { tenantId: starter.tenantId } });
  await ask("/internal/provision/queue", "POST", "/internal/provision/queue", { token: service, body: { tenantId: "tenant_nobody" } });
  await ask("/internal/provision/queue", "POST", "/internal/provision/queue", { token: service, body: { tenantId: failed.tenantId } });
  await ask("unmatched", "GET", `/no/such/path?token=${starter.jwt}`);
  await ask("unmatched", "DELETE", `/api/${starter.email}`);
  await ask("/health", "GET", "/health?secret=in-a-query");
  await ask("/health/ready", "GET", "/health/ready");
  await ask("/public/signup/availability", "GET", `/public/signup/availability?slug=${starter.clubSlug}`);
  await ask("/public/signup/verify-promo", "POST", "/public/signup/verify-promo", { body: { promoCode: "SPRING" } });
  secret.add("in-a-query");

  await removals();

  // The last line of the last deferred mail and of the last run.
  await until(async () => h.logs().filter(({ msg, kind }) => msg === "mail_sent" && kind === "sign_in").length >= 2);
  await until(async () => h.logs().filter(({ msg }) => msg === "tenant_provision_failed").length >= 2);
});

const lines = (msg) => h.logs().filter((line) => msg === undefined || line.msg === msg);

test("every line is one object with its time, level and word, at the console's level of the same name", () => {
  const consoles = { info: "info", warn: "warn", error: "error" };
  for (const line of lines()) {
    assert.equal(line.text, undefined, `not an object: ${line.text}`);
    assert.match(line.ts, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, line.msg);
    assert.match(line.msg, /^[a-z][a-z_]*$/);
    assert.equal(line.console, consoles[line.level], `${line.msg}: ${line.level}`);
  }
});

test("every request ends in one summary with its route's pattern, method, status and time", () => {
  const summaries = lines("request");
  for (const { route, method, status, requestId } of asked) {
    const own = summaries.filter((line) => line.requestId === requestId);
    assert.equal(own.length, 1, `${own.length} for ${method} ${route}`);
    const [line] = own;
    assert.deepEqual([line.route, line.method, line.status], [route, method, status]);
    assert.ok(Number.isInteger(line.status) && Number.isInteger(line.ms) && line.ms >= 0);
    assert.equal(line.release, "0.4.0");
    assert.match(line.version, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, "the deployment, as the runtime calls it");
  }
  const known = new Set(asked.map(({ requestId }) => requestId));
  assert.deepEqual(
    summaries.filter(({ requestId }) => !known.has(requestId)),
    [],
    "no summary without a request",
  );
});

test("every line says which request or which run it belongs to", () => {
  const known = new Set(asked.map(({ requestId }) => requestId));
  for (const line of lines()) {
    const ofRun = line.runId !== undefined && line.tenantId !== undefined;
    assert.ok(known.has(line.requestId) || ofRun, JSON.stringify(line));
  }
});

describe("signups", () => {
  test("that begin and complete", () => {
    const { starter } = tenants;
    const [completed] = lines("signup_completed").filter(({ tenantId }) => tenantId === starter.tenantId);
    assert.equal(completed.plan, "starter");
    assert.match(completed.contactEmail, /^c\*+@example\.org$/);
    assert.ok(lines("signup_started").some(({ requestId, plan }) => requestId === completed.requestId && plan === "starter"));
  });

  test("that are refused, with the code", () => {
    const codes = lines("signup_rejected").map(({ code }) => code);
    assert.deepEqual(codes.sort(), ["ALREADY_SIGNED_UP", "INVALID_PROMO", "SLUG_TAKEN", "VALIDATION"]);
  });
});

describe("proofs", () => {
  test("of an address, with whose it is and whether that waited for it", () => {
    const { starter, pro } = tenants;
    for (const { tenantId, proof } of [starter, pro]) {
      const [line, ...more] = lines("email_proven").filter((one) => one.tenantId === tenantId);
      assert.deepEqual([line.level, line.wanted, line.requestId, more], ["info", true, proof.requestId, []]);
    }
  });

  test("that are refused, and corrections", () => {
    const { tenantId } = tenants.unproven;
    const [refused, ...more] = lines("email_proof_refused");
    assert.deepEqual([refused.tenantId, refused.error, more], [tenantId, "wrong code", []]);
    assert.deepEqual(lines("email_corrected").map((line) => line.tenantId), [tenantId]);
    const denied = lines("authz_deny").filter((line) => line.reason === "email_unproven");
    assert.deepEqual(denied.map((line) => line.tenantId), [tenantId]);
  });
});

describe("runs", () => {
  const of = ({ tenantId }) => lines().filter((line) => line.tenantId === tenantId && line.msg.startsWith("tenant_provision"));

  test("that complete", () => {
    for (const tenant of [tenants.starter, tenants.pro]) {
      const own = of(tenant);
      const steps = tenant.end.data.steps.map(({ name }) => `tenant_provision_step ${name} 1 done`);
      assert.deepEqual(
        own.map(({ msg, step, attempt, outcome }) => [msg, step, attempt, outcome].filter(Boolean).join(" ")),
        ["tenant_provision_queued", "tenant_provision_start", ...steps, "tenant_provision_complete"],
      );
      for (const line of own) {
        assert.equal(line.runId, tenant.end.data.runId);
        assert.equal(line.level, "info");
      }
      assert.ok(Number.isInteger(own.at(-1).ms));
    }
  });

  test("that fail, with the step and the reason", () => {
    const [line] = of(tenants.failed).filter(({ msg }) => msg === "tenant_provision_failed");
    assert.deepEqual(
      [line.level, line.step, line.error, line.runId],
      ["error", "validate_webhook", "WEBHOOK_REJECTED", tenants.failed.end.data.runId],
    );
  });

  test("that try again, with each attempt", () => {
    const attempts = of(tenants.retried).filter(({ step }) => step === "validate_webhook");
    assert.deepEqual(
      attempts.map(({ level, attempt, outcome, error }) => [level, attempt, outcome, error]),
      [
        ["warn", 1, "unknown", "SERVER_ERROR"],
        ["info", 2, "done", undefined],
      ],
    );
  });

  test("under the trace of the request that queued them: the proof that they waited for", () => {
    const { requestId: proof } = tenants.starter.proof;
    assert.equal(lines("request").find(({ requestId }) => requestId === proof).traceId, TRACE);
    assert.deepEqual(new Set(of(tenants.starter).map(({ requestId }) => requestId)), new Set([proof]));
    for (const line of of(tenants.starter).filter(({ msg }) => msg !== "tenant_provision_queued"))
      assert.equal(line.traceId, TRACE, line.msg);
  });
});

describe("removals", () => {
  const of = ({ tenantId }) => lines().filter((line) => line.tenantId === tenantId && line.msg.startsWith("tenant_deprovision"));
  const told = (line) => [line.level, line.msg, line.step, line.attempt, line.outcome, line.error].filter(Boolean).join(" ");

  test("that end, step by step in reverse", () => {
    const own = of(tenants.removed);
    assert.deepEqual(own.map(told), [
      "warn tenant_deprovision_queued",
      "info tenant_deprovision_step create_owner 2 done",
      "warn tenant_deprovision_step create_spreadsheet 2 unknown SERVER_ERROR",
      "info tenant_deprovision_step create_spreadsheet 3 done",
      "info tenant_deprovision_step configure_routing 2 done",
      "info tenant_deprovision_step seed_defaults 2 done",
      "info tenant_deprovisioned",
    ]);
    for (const line of own) {
      assert.equal(line.runId, tenants.removed.end.data.runId);
      assert.equal(line.requestId, tenants.removed.asked, line.msg);
    }
    assert.ok(Number.isInteger(own.at(-1).ms));
  });

  test("that can't, with the step and the reason", () => {
    assert.deepEqual(of(tenants.kept).map(told), [
      "warn tenant_deprovision_queued",
      "info tenant_deprovision_step create_owner 2 done",
      "error tenant_deprovision_step create_spreadsheet 2 refused COMPENSATION_REFUSED",
      "error tenant_deprovision_failed create_spreadsheet COMPENSATION_REFUSED",
    ]);
  });
});

test("a webhook's delivery is told with its host, status and time, and whose it was", () => {
  const deliveries = lines("webhook_delivery");
  assert.ok(deliveries.length >= 4);
  for (const line of deliveries) {
    assert.match(line.host, /^hook\.eu[12]\.make\.com$/);
    assert.ok(Number.isInteger(line.status) && Number.isInteger(line.ms));
    assert.ok(
      Object.values(tenants).some(({ tenantId }) => tenantId === line.tenantId),
      "no tenantId",
    );
  }
});

test("who is refused is told, as event and word, with the reason that the caller was told", () => {
  const denied = lines("authz_deny");
  const refused = asked.filter(({ status }) => status === 401 || status === 403);
  assert.deepEqual(denied.map(({ requestId }) => requestId).sort(), refused.map(({ requestId }) => requestId).sort());
  for (const line of denied) {
    assert.deepEqual([line.event, line.decision, typeof line.reason, Array.isArray(line.roles)], ["authz_deny", "deny", "string", true]);
    assert.equal(typeof line.hasAuthHeader, "boolean");
  }
  const { starter, pro } = tenants;
  const mismatch = denied.find(({ reason }) => reason === "tenant_mismatch");
  assert.deepEqual(
    [mismatch.tenantId, mismatch.requestedTenant, mismatch.aud, mismatch.roles, mismatch.hasAuthHeader],
    [starter.tenantId, pro.tenantId, "syston-mobile", ["tenant_admin", "owner"], true],
  );
  assert.ok(denied.some(({ reason }) => reason === 'unexpected "aud" claim value'));
});

/** Long enough that it is nowhere by chance; of a token, each part. */
const needles = () =>
  [...secret]
    .flatMap((text) => [text, ...text.split(".")])
    .filter((text) => text.length >= 10 && text !== "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9");

test("no secret, token, link, key, webhook path or whole address is in any line", () => {
  const text = JSON.stringify(h.server.getLogs());
  assert.ok(needles().length > 60, `${needles().length} things to look for`);
  for (const needle of needles()) assert.ok(!text.includes(needle), `${needle} is in the log`);
  assert.doesNotMatch(text, /eyJ[\w-]{10,}\.[\w-]+/, "a token");
  assert.doesNotMatch(text, /[\w.+-]{2,}@example\.org/, "an address");
  assert.doesNotMatch(text, /signature=|Bearer |whsec_|user_content_key/);
  assertNoCode(text, "the log");
});

/** As a word of its own: six digits may be part of an id. */
function assertNoCode(text, where) {
  assert.ok(codes.size >= 8, `${codes.size} codes to look for`);
  for (const code of codes) assert.doesNotMatch(text, new RegExp(`(?<![\\w.-])${code}(?![\\w.-])`), `a code is in ${where}`);
}

test("nor in an event, a run, its steps or its history; nor what proves an address anywhere in the database", async () => {
  const everything = JSON.stringify(await h.dump());
  assertNoCode(everything, "the database");
  for (const mail of (await h.sandbox("/__sandbox/mails")).mails) {
    const [, proof] = /\/proof\/#token=[\w-]+\.([\w-]+)/.exec(mail.text) ?? [];
    assert.ok(proof === undefined || !everything.includes(proof), "a link is in the database");
  }
  for (const table of ["domain_events", "provision_runs", "provision_steps", "provision_history"]) {
    const text = JSON.stringify(await h.sql(`select * from ${table}`));
    assert.ok(text.length > 100, table);
    for (const needle of needles()) assert.ok(!text.includes(needle), `${needle} is in ${table}`);
    assertNoCode(text, table);
  }
});

test("nothing went wrong that nobody scripted", () => {
  const expected = ({ msg, tenantId }) =>
    (/^tenant_provision_(step|failed)$/.test(msg) && tenantId === tenants.failed.tenantId) ||
    (/^tenant_deprovision_(step|failed)$/.test(msg) && tenantId === tenants.kept.tenantId);
  assert.deepEqual(
    lines().filter((line) => line.level === "error" && !expected(line)),
    [],
  );
});
