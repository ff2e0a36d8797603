// Both plans from signup to `completed`, and each call that they make outside, as the other side sees it.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, describe, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { STEPS } from "../../public/js/plans.js";
import { makeWebhook, startHarness, until } from "./harness.mjs";

const h = await startHarness();
after(() => h.close());

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** The requests that the sandbox got for one run, in the order of arrival; answers to Apps Script's redirect carry no key. */
async function received(runId) {
  const { requests } = await h.sandbox("/__sandbox/requests");
  return requests.filter(({ key }) => key?.startsWith(`${runId}/`));
}

async function mailsTo(address) {
  return (await h.sandbox(`/__sandbox/mails?to=${encodeURIComponent(address)}`)).mails;
}

const linkIn = (text) => text.match(/\bhttps?:\/\/[^\s"<]+\/magic\/#token=([\w.-]+)/);

for (const plan of ["starter", "pro"]) {
  test(`a ${plan} club is signed up, provisioned and live`, async (t) => {
    const asked = Math.floor(Date.now() / 1000);
    const club = await h.signup({ plan });
    assert.deepEqual(club.tenant, {
      id: club.tenantId,
      slug: club.clubSlug,
      name: club.clubName,
      email: club.email,
      plan,
      status: "trial",
      comped: false,
      trialEndsAt: club.tenant.trialEndsAt,
    });
    assert.match(club.tenantId, /^tenant_[0-9a-z]{26,32}$/);
    assert.ok(Math.abs(club.tenant.trialEndsAt - asked - 14 * 86_400) <= 5, "fourteen days of trial");
    assert.equal(club.discount, 0);

    const before = await h.status(club);
    assert.equal(before.body.status, "pending");
    assertShape(before.body, plan);
    assert.deepEqual([before.body.data.progress, before.body.data.runId], [0, null]);
    assert.ok(before.body.data.steps.every(({ status, attempts }) => status === "pending" && attempts === 0));

    const queued = await h.confirm(club);
    assert.equal(queued.status, 200, JSON.stringify(queued.body));
    assert.equal(queued.body.data.status, "processing");
    assert.match(queued.body.data.runId, /^run_/);

    const end = await h.settled(club);
    assert.equal(end.status, "completed", JSON.stringify(end));
    assertShape(end, plan);
    const { data } = end;
    assert.equal(data.runId, queued.body.data.runId);
    assert.deepEqual([data.progress, data.step, data.currentStep, data.reason, data.error], [100, null, null, null, null]);
    assert.deepEqual(data.warnings, []);
    for (const moment of [data.startedAt, data.updatedAt, data.completedAt]) assert.match(moment, RFC_3339);
    for (const step of data.steps) {
      assert.equal(step.status, "completed", step.name);
      assert.equal(step.attempts, 1, step.name);
      assert.match(step.startedAt, RFC_3339);
      assert.match(step.completedAt, RFC_3339);
      assert.deepEqual([step.retryAt, step.error], [null, null]);
      assert.deepEqual(data.checkpoints[step.name], { status: "completed", attempts: 1, error: null });
    }

    const [tenant] = await h.sql("select * from tenants where id = ?", club.tenantId);
    assert.equal(tenant.status, "active");
    assert.equal(tenant.route_ready, 1);
    assert.ok(tenant.provisioned_at >= asked && tenant.owner_email_sent_at >= asked, "in Unix seconds");
    const owners = await h.sql("select email, roles from auth_users where tenant_id = ?", club.tenantId);
    assert.deepEqual(owners, [{ email: club.email, roles: '["tenant_admin","owner"]' }]);
    const [{ posts }] = await h.sql("select count(*) as posts from feed_posts where tenant_id = ?", club.tenantId);
    assert.equal(posts, 1);
    const history = await h.sql("select step, attempt, outcome from provision_history where run_id = ?", data.runId);
    assert.deepEqual(history.map(({ step }) => step).sort(), [...STEPS[plan]].sort());
    assert.ok(history.every(({ attempt, outcome }) => attempt === 1 && outcome === "done"));

    const complete = h.logs().find(({ msg, tenantId }) => msg === "tenant_provision_complete" && tenantId === club.tenantId);
    t.diagnostic(`provisioning took ${complete.ms} ms`);
  });
}

function assertShape(body, plan) {
  assert.deepEqual(Object.keys(body).sort(), ["data", "status", "success"]);
  assert.equal(body.success, true);
  const { data } = body;
  assert.equal(data.status, body.status);
  assert.equal(data.plan, plan);
  assert.deepEqual(
    Object.keys(data).sort(),
    [
      ...["checkpoints", "completedAt", "currentStep", "error", "plan", "progress", "reason", "resumeAt", "runId"],
      ...["startedAt", "status", "step", "steps", "updatedAt", "warnings"],
    ].sort(),
  );
  assert.deepEqual(
    data.steps.map(({ name }) => name),
    STEPS[plan],
  );
  for (const step of data.steps) {
    assert.deepEqual(Object.keys(step).sort(), ["attempts", "completedAt", "error", "name", "retryAt", "startedAt", "status"]);
  }
  assert.deepEqual(Object.keys(data.checkpoints).sort(), [...STEPS[plan]].sort());
}

test("while it is at work, provision-status says how far it is and when to ask again", async () => {
  const club = await h.signup();
  const webhook = makeWebhook();
  const fault = { host: "hook.eu2.make.com", path: new URL(webhook.webhookUrl).pathname, kind: "delay", ms: 2500, times: 1 };
  await h.sandbox("/__sandbox/faults", { method: "POST", body: fault });
  await h.confirm(club, webhook);
  const { headers, body } = await until(async () => {
    const answer = await h.status(club);
    return answer.body.data.currentStep === "validate_webhook" && answer;
  });
  assert.equal(body.status, "processing");
  assertShape(body, "starter");
  assert.equal(body.data.step, "validate_webhook");
  assert.equal(body.data.progress, Math.floor((2 / 6) * 100));
  assert.deepEqual(
    body.data.steps.map(({ status }) => status),
    ["completed", "completed", "running", "pending", "pending", "pending"],
  );
  assert.equal(body.data.completedAt, null);
  assert.match(headers.get("retry-after"), /^[1-9]\d*$/);

  assert.equal((await h.settled(club)).status, "completed");
});

test("provision-status is not sent twice to who has it: ETag and 304", async () => {
  const club = await h.signup();
  await h.confirm(club);
  await h.settled(club);
  const path = `/api/v1/tenants/${club.tenantId}/provision-status`;
  const first = await h.api("GET", path, { token: club.jwt });
  const etag = first.headers.get("etag");
  assert.match(etag, /^(W\/)?"[^"]+"$/);
  assert.equal(first.headers.get("retry-after"), null);
  const again = await h.api("GET", path, { token: club.jwt, headers: { "if-none-match": etag } });
  assert.deepEqual([again.status, again.body, again.headers.get("etag")], [304, "", etag]);
  const other = await h.api("GET", path, { token: club.jwt, headers: { "if-none-match": '"another"' } });
  assert.equal(other.status, 200);
});

describe("the ping that Make gets", () => {
  const secrets = {
    "a secret as text": ["a shared secret of a club", { format: "raw" }],
    "a secret in Standard Webhooks' own form": [`whsec_${Buffer.from("twenty-four bytes of key").toString("base64")}`, undefined],
  };
  for (const [name, [webhookSecret, options]] of Object.entries(secrets)) {
    test(`is signed as Standard Webhooks has it, under ${name}`, async () => {
      const club = await h.signup();
      const webhook = { ...makeWebhook(), webhookSecret };
      await h.sandbox("/__sandbox/webhooks", { method: "PUT", body: { url: webhook.webhookUrl, secret: webhookSecret } });
      await h.confirm(club, webhook);
      const { data } = await h.settled(club);
      const [ping] = await received(data.runId);
      assert.equal(ping.url, webhook.webhookUrl);
      assert.equal(ping.method, "POST");
      assert.deepEqual(ping.signature, { present: true, valid: true });
      assert.match(ping.headers["content-type"], /^application\/json\b/);
      assert.match(ping.headers["user-agent"], /^Tenantry\/\d/);
      assert.equal(ping.headers["webhook-id"], `${data.runId}/validate_webhook`);
      assert.equal(ping.headers["idempotency-key"], ping.headers["webhook-id"]);

      const payload = new Webhook(webhookSecret, options).verify(ping.body, ping.headers);
      assert.deepEqual(payload, { type: "webhook.ping", timestamp: payload.timestamp, data: { tenantId: club.tenantId } });
      assert.match(payload.timestamp, RFC_3339);
      const another = new Webhook("another secret, just as long", { format: "raw" });
      assert.throws(() => another.verify(ping.body, ping.headers), /No matching signature/);
    });
  }

  test("goes to the address that was stored, whose secret is stored encrypted", async () => {
    const club = await h.signup();
    const webhook = makeWebhook();
    await h.confirm(club, webhook);
    await h.settled(club);
    const [row] = await h.sql("select * from make_connections where tenant_id = ?", club.tenantId);
    assert.equal(row.webhook_url, webhook.webhookUrl);
    assert.ok(row.validated_at > 0);
    assert.ok(!JSON.stringify(row).includes(webhook.webhookSecret));
  });
});

test("Apps Script gets signed requests, and its redirect is followed", async () => {
  const club = await h.signup({ plan: "pro" });
  await h.confirm(club);
  const { data } = await h.settled(club);
  const [provision, verify] = await received(data.runId);

  for (const [request, action] of [
    [provision, "provision"],
    [verify, "verify"],
  ]) {
    const url = new URL(request.url);
    assert.equal(url.origin + url.pathname, "https://script.google.com/macros/s/sandbox/exec");
    const expected = createHmac("sha256", h.secrets.GAS_HMAC_SECRET).update(request.body).digest("hex");
    assert.equal(url.searchParams.get("signature"), expected);
    assert.deepEqual(request.signature, { present: true, valid: true });
    assert.equal(request.operation, action);
    assert.equal(request.response.status, 302);
  }
  const [sheet] = await h.sql("select * from pro_automation where tenant_id = ?", club.tenantId);
  assert.ok(sheet.verified_at >= sheet.created_at);
  assert.deepEqual(JSON.parse(provision.body), {
    action: "provision",
    tenantId: club.tenantId,
    teamName: club.clubName,
    slug: club.clubSlug,
    email: club.email,
    idempotencyKey: `${data.runId}/create_spreadsheet`,
  });
  assert.deepEqual(JSON.parse(verify.body), {
    action: "verify",
    tenantId: club.tenantId,
    spreadsheetId: sheet.spreadsheet_id,
    idempotencyKey: `${data.runId}/verify_spreadsheet`,
  });
  const { spreadsheets } = await h.sandbox("/__sandbox/spreadsheets");
  const own = spreadsheets.filter(({ tenantId }) => tenantId === club.tenantId);
  assert.deepEqual(
    own.map(({ id }) => id),
    [sheet.spreadsheet_id],
  );
});

describe("the welcome mail", () => {
  test("goes through Resend as its API asks", async () => {
    const club = await h.signup();
    await h.confirm(club);
    const { data } = await h.settled(club);
    const [, request] = await received(data.runId);
    assert.equal(request.url, "https://api.resend.com/emails");
    assert.equal(request.headers.authorization, `Bearer ${h.secrets.RESEND_API_KEY}`);
    assert.match(request.headers["user-agent"], /^Tenantry\/\d/);
    assert.equal(request.headers["idempotency-key"], `${data.runId}/send_welcome_email`);
    assert.deepEqual(request.signature, { present: true, valid: true });

    const mails = await mailsTo(club.email);
    assert.equal(mails.length, 1);
    const [mail] = mails;
    assert.deepEqual(mail.to, [club.email]);
    assert.equal(mail.from, "Tenantry <welcome@clubs.example>");
    assert.ok(mail.subject.includes(club.clubName));
    assert.ok(mail.text.includes(`${club.clubSlug}.clubs.example`));
  });

  test("holds a link that signs in exactly once: of twenty at once, one", async () => {
    const club = await h.signup();
    await h.confirm(club);
    await h.settled(club);
    const [mail] = await mailsTo(club.email);
    const [link, token] = linkIn(mail.text);
    assert.ok(link.startsWith(new URL("/magic/#token=", h.url).href), link);
    assert.equal(linkIn(mail.html)[1], token);

    const verify = () => h.api("POST", "/auth/magic/verify", { body: { token } });
    const answers = await Promise.all(Array.from({ length: 20 }, verify));
    const [won, ...more] = answers.filter(({ status }) => status === 200);
    assert.equal(more.length, 0);
    for (const lost of answers.filter((answer) => answer !== won)) {
      assert.deepEqual([lost.status, lost.body.error.code], [401, "INVALID_TOKEN"]);
    }
    assert.equal((await verify()).status, 401);

    const { data } = (await h.api("GET", "/whoami", { token: won.body.jwt })).body;
    assert.equal(data.tenantId, club.tenantId);
    assert.deepEqual(data.roles, ["tenant_admin", "owner"]);
    assert.equal(data.aud, "syston-mobile");
    assert.equal(data.exp - data.iat, 7 * 86_400);
    assert.equal(data.sub, (await h.api("GET", "/whoami", { token: club.jwt })).body.data.sub);
  });

  test("holds a link that is no token for anything else", async () => {
    const club = await h.signup();
    await h.confirm(club);
    await h.settled(club);
    const [, token] = linkIn((await mailsTo(club.email))[0].text);
    const whoami = await h.api("GET", "/whoami", { token });
    assert.deepEqual([whoami.status, whoami.body.error.reason], [403, 'unexpected "aud" claim value']);
    const status = await h.status({ ...club, jwt: token });
    assert.equal(status.status, 403);
    // And a club's own token is no link.
    assert.equal((await h.api("POST", "/auth/magic/verify", { body: { token: club.jwt } })).status, 401);
  });

  test("shows what a club typed as text", async () => {
    const club = await h.signup({ clubName: `<img src=x onerror=alert(1)> & "FC"` });
    await h.confirm(club);
    await h.settled(club);
    const [mail] = await mailsTo(club.email);
    assert.ok(!mail.html.includes("<img"));
    assert.ok(mail.html.includes("&lt;img src=x onerror=alert(1)&gt; &amp; &quot;FC&quot;"));
  });
});

test("the trace of the request that queued a run goes on in its calls", async () => {
  const club = await h.signup();
  const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  const queued = await h.api("POST", "/public/signup/starter/make", {
    token: club.jwt,
    body: makeWebhook(),
    headers: { traceparent: `00-${trace}-00f067aa0ba902b7-01` },
  });
  await h.settled(club);
  const calls = await received(queued.body.data.runId);
  assert.equal(calls.length, 2);
  for (const { headers } of calls) assert.match(headers.traceparent, new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
  const lines = h.logs().filter(({ runId }) => runId === queued.body.data.runId);
  assert.ok(lines.length > 0);
  for (const line of lines.filter(({ msg }) => msg !== "tenant_provision_queued")) assert.equal(line.traceId, trace, line.msg);
});
