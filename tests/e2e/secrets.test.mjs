// Secrets at rest: webhook secrets are encrypted under DATA_KEY, which can be changed. After everything that a service goes through, no row
// of D1 holds a secret, a token, a link or an address where none belongs.
import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { tenantForm, makeWebhook, startHarness, until } from "./harness.mjs";

const { publicKey, privateKey } = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});
const account = {
  type: "service_account",
  private_key_id: randomBytes(20).toString("hex"),
  private_key: privateKey,
  client_email: "reader@clubs.iam.gserviceaccount.com",
  token_uri: "https://oauth2.googleapis.com/token",
};
const dataKey = () => randomBytes(32).toString("base64");
const [FIRST, SECOND, FOREIGN] = [dataKey(), dataKey(), dataKey()];

const h = await startHarness({
  vars: { JWT_ROTATED_AT: "1700000000", TURNSTILE_SITE_KEY: "1x00000000000000000000AA" },
  secrets: {
    JWT_SECRET: randomBytes(32).toString("base64"),
    JWT_SECRET_NEXT: randomBytes(32).toString("base64"),
    JWT_SECRET_PREVIOUS: randomBytes(32).toString("base64"),
    GAS_HMAC_SECRET: randomBytes(32).toString("hex"),
    RESEND_API_KEY: `re_${randomBytes(16).toString("hex")}`,
    METRICS_TOKEN: randomBytes(16).toString("hex"),
    TURNSTILE_SECRET: randomBytes(16).toString("hex"),
    GOOGLE_SERVICE_ACCOUNT_KEY: JSON.stringify(account),
    DATA_KEY: FIRST,
  },
});
after(() => h.close());
await h.sandbox("/__sandbox/google", { method: "PUT", body: { clientEmail: account.client_email, publicKey } });

const person = () => `ok-${randomUUID()}`;
const signup = (more, options) => h.signup({ turnstileToken: person(), ...more }, options);
const script = (fault) => h.sandbox("/__sandbox/faults", { method: "POST", body: { times: 1, ...fault } });
const service = () => h.token({ aud: "internal", roles: ["service"] });
const pathOf = ({ webhookUrl }) => new URL(webhookUrl).pathname;
const target = (webhook) => ({ host: "hook.eu2.make.com", path: pathOf(webhook) });
const pingsAt = async (webhook) => (await h.sandbox(`/__sandbox/requests?host=hook.eu2.make.com&path=${pathOf(webhook)}`)).requests;
const queue = (tenant) => h.api("POST", "/internal/provision/queue", { token: service(), body: { tenantId: tenant.tenantId } });
const tryOut = (tenant, options) => h.api("POST", `/api/v1/tenants/${tenant.tenantId}/webhook/test`, { token: tenant.jwt, ...options });
const sealed = async ({ tenantId }) =>
  (await h.sql("select webhook_secret from make_connections where tenant_id = ?", tenantId))[0]?.webhook_secret;
const keyName = (text) => text.split(".")[1];

/** Lets the sandbox check this webhook's signatures. */
const known = async (webhook) => {
  await h.sandbox("/__sandbox/webhooks", { method: "PUT", body: { url: webhook.webhookUrl, secret: webhook.webhookSecret } });
  return webhook;
};

/** A starter tenant whose webhook is stored, and refused when provisioning pinged it. */
async function tenantWithRefusedWebhook() {
  const [tenant, webhook] = [await signup(), await known(makeWebhook())];
  await script({ ...target(webhook), kind: "status", status: 410 });
  await h.confirm(tenant, webhook);
  assert.equal((await h.settled(tenant)).data.reason, "WEBHOOK_REJECTED");
  return { ...tenant, webhook };
}

async function assertDelivers(tenant, what) {
  const { body } = await tryOut(tenant);
  assert.equal(body.data?.delivered, true, `${what}: ${JSON.stringify(body)}`);
  const ping = (await pingsAt(tenant.webhook)).at(-1);
  assert.deepEqual(ping.signature, { present: true, valid: true }, what);
}

describe("a webhook's secret is stored sealed", () => {
  test("never as it is, and differently each time", async () => {
    const webhookSecret = randomBytes(24).toString("hex");
    const [tenant, other] = [await signup(), await signup()];
    const texts = [];
    for (const owner of [tenant, tenant, other]) {
      const webhook = { ...makeWebhook(), webhookSecret };
      await script({ ...target(webhook), kind: "status", status: 410 });
      await h.confirm(owner, webhook);
      await h.settled(owner);
      texts.push(await sealed(owner));
    }
    assert.equal(new Set(texts).size, 3);
    for (const text of texts) {
      const [version, name, rest, ...more] = text.split(".");
      assert.deepEqual([version, more.length], ["v1", 0]);
      assert.match(name, /^[\w-]{8}$/);
      // A nonce of 12 bytes, the text, a tag of 16.
      assert.equal(Buffer.from(rest, "base64url").length, 12 + webhookSecret.length + 16);
      assertAbsent(webhookSecret, text, "a sealed secret");
    }
  });

  test("for its tenant alone: in another's row, or changed by a bit, it opens nothing", async () => {
    const [tenant, other] = [await tenantWithRefusedWebhook(), await tenantWithRefusedWebhook()];
    const own = await sealed(tenant);
    const changed = `${own.slice(0, -3)}${own.at(-3) === "A" ? "B" : "A"}${own.slice(-2)}`;
    for (const text of [await sealed(other), changed, own.replace(/^v1/, "v2"), "", tenant.webhook.webhookSecret]) {
      await h.sql("update make_connections set webhook_secret = ? where tenant_id = ?", text, tenant.tenantId);
      const before = (await pingsAt(tenant.webhook)).length;
      assert.notEqual((await tryOut(tenant)).body.data?.delivered, true, text);
      assert.equal((await pingsAt(tenant.webhook)).length, before, "nothing was sent");
    }
    await h.sql("update make_connections set webhook_secret = ? where tenant_id = ?", own, tenant.tenantId);
    await assertDelivers(tenant, "as it was");
  });
});

describe("DATA_KEY changes", () => {
  let tenant;
  before(async () => {
    tenant = await tenantWithRefusedWebhook();
  });

  test("what was sealed before still opens with DATA_KEY_PREVIOUS, and what is new is sealed under the new key", async () => {
    const old = keyName(await sealed(tenant));
    await h.reconfigure({ secrets: { DATA_KEY: SECOND, DATA_KEY_PREVIOUS: FIRST } });
    assert.equal((await h.api("GET", "/health/ready")).status, 200);
    await assertDelivers(tenant, "sealed under the key before");
    const later = await tenantWithRefusedWebhook();
    assert.notEqual(keyName(await sealed(later)), old);
    await assertDelivers(later, "sealed under the key of now");

    const webhook = await known(makeWebhook());
    await h.confirm(tenant, webhook);
    assert.equal((await h.settled(tenant)).status, "completed");
    assert.equal(keyName(await sealed(tenant)), keyName(await sealed(later)), "stored again, it is sealed under the new key");
    tenant = await tenantWithRefusedWebhook();
  });

  test("a key that is wrong fails the step as misconfigured, until the right one is back: nothing is lost", async () => {
    await h.reconfigure({ secrets: { DATA_KEY: FOREIGN, DATA_KEY_PREVIOUS: "" } });
    const before = await pingsAt(tenant.webhook);
    assert.equal((await queue(tenant)).status, 200);
    const failed = await until(async () => {
      const { body } = await h.status(tenant);
      return body.data.reason === "MISCONFIGURED" && body;
    });
    assert.equal(failed.status, "failed");
    for (const word of [FIRST, SECOND, FOREIGN, "DATA_KEY"]) assert.ok(!JSON.stringify(failed).includes(word), "said to a club");
    const steps = Object.fromEntries(failed.data.steps.map(({ name, status }) => [name, status]));
    assert.deepEqual([steps.configure_routing, steps.validate_webhook, steps.activate], ["completed", "failed", "pending"]);
    assert.deepEqual(await pingsAt(tenant.webhook), before, "nothing was sent unsigned, or signed by something else");

    await h.reconfigure({ secrets: { DATA_KEY: SECOND } });
    assert.equal((await queue(tenant)).status, 200);
    await until(async () => (await h.status(tenant)).body.status === "completed");
    assert.deepEqual((await pingsAt(tenant.webhook)).at(-1).signature, { present: true, valid: true });
  });

  test("a try with a key that is wrong does not tell the tenant that it has no webhook", async () => {
    const own = await tenantWithRefusedWebhook();
    const text = await sealed(own);
    await h.sql(
      "update make_connections set webhook_secret = ? where tenant_id = ?",
      text.replace(keyName(text), "AAAAAAAA"),
      own.tenantId,
    );
    const { status, body } = await tryOut(own);
    assert.ok(status >= 500, JSON.stringify(body));
    assert.notEqual(body.error.code, "NO_WEBHOOK");
  });

  test("without one, the service is not ready and says so, and stores no webhook", async () => {
    const fresh = await signup();
    await h.reconfigure({ secrets: { DATA_KEY: "", DATA_KEY_PREVIOUS: "" } });
    for (const path of ["/health/ready", "/health/startup"]) {
      const { status, body } = await h.api("GET", path);
      assert.deepEqual([status, body.checks.configuration], [503, { ok: false, problem: "DATA_KEY is missing" }]);
    }
    const stored = await h.dump();
    const { status, body } = await h.confirm(fresh);
    assert.deepEqual([status, body.error.code], [500, "INTERNAL"]);
    assert.deepEqual(await h.dump(), stored);
    await h.reconfigure({ secrets: { DATA_KEY: FIRST, DATA_KEY_PREVIOUS: SECOND } });
    assert.equal((await h.api("GET", "/health/ready")).status, 200);
  });
});

describe("after a whole life", () => {
  /** What must be nowhere in D1, by what it is; and what may be in one place each. */
  const nowhere = new Map();
  const urls = new Set();
  const addresses = new Set();
  /** Six digits are too short to be looked for within anything. */
  const codes = new Set();
  const isJwt = (text) => typeof text === "string" && text.split(".").length === 3;
  let stored;

  before(async () => {
    // All that goes over the wire from here on: every Authorization header, key and token, asked or answered.
    const { fetch } = globalThis;
    globalThis.fetch = async (url, init = {}) => {
      const response = await fetch(url, init);
      note(new Headers(init.headers), init.body, await response.clone().text());
      return response;
    };
    try {
      await live();
    } finally {
      globalThis.fetch = fetch;
    }
    for (const { headers } of (await h.sandbox("/__sandbox/requests")).requests) {
      if (headers.authorization) keep("an Authorization header of ours", headers.authorization.replace(/^Bearer /, ""));
    }
    for (const { code, proofToken } of await h.proofMails("@")) {
      codes.add(code);
      keep("a link that proves", proofToken.split(".")[1]);
    }
    for (const { linkToken } of await h.mails("@")) {
      if (!linkToken) continue;
      keepToken("a link", linkToken);
      keep("a link's id", JSON.parse(Buffer.from(linkToken.split(".")[1], "base64url")).jti);
    }
    for (const [name, value] of Object.entries({ ...h.secrets, SECOND, FOREIGN })) keep(name, value);
    for (const line of privateKey.split("\n").filter((line) => !line.startsWith("---") && line)) keep("Google's key", line);
    stored = await h.dump();
  });

  const keep = (what, value) => {
    assert.ok(value.length >= 16, `${what} is too short to be looked for: it would be found by chance`);
    if (!nowhere.has(value)) nowhere.set(value, what);
  };

  function keepToken(what, jwt) {
    keep(what, jwt);
    keep(`${what}'s signature`, jwt.split(".")[2]);
  }

  function note(headers, sent, answered) {
    const bearer = headers.get("authorization")?.replace(/^Bearer /, "");
    if (bearer) keepToken("a token that was shown", bearer);
    const key = headers.get("idempotency-key");
    if (key) keep("an Idempotency-Key", key);
    for (const text of [sent, answered]) {
      const body = parsed(text);
      for (const name of ["jwt", "token"]) if (isJwt(body?.[name])) keepToken(`a ${name}`, body[name]);
      for (const name of ["turnstileToken", "webhookSecret"]) if (body?.[name]) keep(`a ${name}`, body[name]);
      if (body?.webhookUrl) urls.add(body.webhookUrl);
      if (body?.email) addresses.add(body.email.toLowerCase());
    }
  }

  /** Both plans from signup to the end, with what goes wrong on the way, and all that people do beside it. */
  async function live() {
    const withKey = () => ({ headers: { "idempotency-key": `a key of a client's own ${randomUUID()}` } });
    const marker = (text) => {
      const word = `BODY-${randomUUID()}`;
      keep("an upstream's words", word);
      return `${text} ${word}`;
    };
    // A starter tenant: a try, a refusal, a correction; its mail fails at first.
    const [form, options] = [tenantForm({ turnstileToken: person() }), withKey()];
    const first = await h.signupUnproven(form, options);
    const again = await h.signupUnproven(form, options);
    assert.equal(again.replayed, true);
    const starter = await h.prove(first);
    await h.api("POST", "/public/signup/start", { body: { ...form, turnstileToken: person() } });
    const [tried, wrong, right] = [makeWebhook(), makeWebhook(), makeWebhook()];
    await tryOut(starter, { body: tried, token: h.token() });
    await script({ ...target(wrong), kind: "status", status: 403, body: marker(`no entry for ${wrong.webhookSecret}`) });
    await h.confirm(starter, wrong);
    assert.equal((await h.settled(starter)).status, "failed");
    const mailFault = { host: "api.resend.com", bodyIncludes: starter.email };
    await script({
      ...mailFault,
      kind: "status",
      status: 422,
      body: { statusCode: 422, name: "validation_error", message: marker(`not to ${starter.email}`) },
    });
    await h.confirm(starter, right);
    await until(async () => (await h.status(starter)).body.status === "completed");
    await tryOut(starter);

    // One that proves nothing: by a wrong code, a wrong link, and its own code for another address.
    const unproven = await h.signupUnproven({ turnstileToken: person() }, withKey());
    const { code } = await h.proofMail(unproven.email);
    const prove = (body) => h.api("POST", "/auth/proof", { token: unproven.jwt, body });
    assert.equal((await prove({ code: code === "000000" ? "111111" : "000000" })).status, 400);
    assert.equal((await prove({ token: `${unproven.tenantId}.${randomUUID()}` })).status, 401);
    await h.api("PATCH", "/public/signup/email", { token: unproven.jwt, body: { email: tenantForm().email } });
    assert.equal((await prove({ code })).status, 400);

    // A pro tenant whose spreadsheet is refused, then made when a machine queues it again.
    const pro = await signup({ plan: "pro" }, withKey());
    await script({
      host: "script.google.com",
      bodyIncludes: pro.tenantId,
      kind: "status",
      status: 200,
      body: { ok: false, error: marker(`refused for ${pro.email}`), code: "QUOTA" },
    });
    await h.confirm(pro);
    assert.equal((await h.settled(pro)).status, "failed");
    assert.equal((await queue(pro)).status, 200);
    await until(async () => (await h.status(pro)).body.status === "completed");
    assert.equal((await h.sandbox("/__sandbox/requests?host=sheets.googleapis.com")).requests.length > 0, true);

    // What did not work at all.
    await h.api("POST", "/public/signup/start", {
      body: tenantForm({ turnstileToken: `bad-${randomUUID()}`, email: "refused@example.org" }),
      ...withKey(),
    });
    await script({ host: "challenges.cloudflare.com", kind: "status", status: 500, body: marker("down") });
    await h.api("POST", "/public/signup/start", { body: tenantForm({ turnstileToken: person() }), ...withKey() });
    await h.api("POST", "/public/signup/start", { body: { ...form, clubName: "Another", turnstileToken: person() }, ...options });

    // Links: mailed, spent, asked for in vain.
    for (const { tenantId, email } of [starter, pro]) {
      await h.sql("update tenants set link_mailed_at = 0 where id = ?", tenantId);
      const before = (await h.links(email)).length;
      await h.api("POST", "/auth/magic/start", { body: { email } });
      const { linkToken } = await until(async () => (await h.links(email))[before]);
      assert.equal((await h.api("POST", "/auth/magic/verify", { body: { token: linkToken } })).status, 200);
    }
    await h.api("POST", "/auth/magic/start", { body: { email: "stranger@example.org" } });

    // Operators: a token, a tenant, and their own.
    const operator = h.token({ sub: "ann" });
    const body = (more) => ({ body: { reason: "seen in a screenshot", ...more }, token: operator });
    const jti = JSON.parse(Buffer.from(pro.jwt.split(".")[1], "base64url")).jti;
    for (const target of [{ jti }, { tenantId: starter.tenantId }]) {
      assert.equal((await h.api("POST", "/api/v1/admin/tokens/revoke", body(target))).status, 200);
    }
    assert.equal((await h.api("POST", "/auth/logout", { token: operator })).status, 200);
    await h.api("POST", "/api/v1/admin/tokens/revoke", body({ all: true }));
    await h.sweep();
  }

  test("there is something to find: the scan knows each kind, and every table that has rows", () => {
    const kinds = new Set(nowhere.values());
    for (const kind of [
      "a jwt",
      "a token",
      "a link",
      "a link's id",
      "a link that proves",
      "a webhookSecret",
      "a turnstileToken",
      "an Idempotency-Key",
      "a token that was shown",
      "an upstream's words",
      "Google's key",
      "an Authorization header of ours",
    ]) {
      assert.ok(kinds.has(kind), kind);
    }
    assert.ok(urls.size >= 3 && addresses.size >= 4, `${urls.size} ${addresses.size}`);
    for (const table of [
      "tenants",
      "auth_users",
      "make_connections",
      "pro_automation",
      "provision_history",
      "domain_events",
      "audit_log",
      "revoked_tokens",
      "magic_links",
      "email_proofs",
      "proof_mails",
      "idempotency_keys",
    ]) {
      assert.ok(stored[table].length > 0, table);
    }
  });

  test("no secret, token, link or key is in D1", () => {
    const text = JSON.stringify(stored);
    for (const [value, what] of nowhere) {
      assertAbsent(value, text, what);
      for (const encoding of ["utf8", "base64", "hex"]) {
        const planted = JSON.stringify({ error: `as it was: ${Buffer.from(value).toString(encoding)}` });
        assert.throws(() => assertAbsent(value, planted, what), `${what} would not be found`);
      }
    }
  });

  test("no code that proves an address is in D1", () => {
    const text = JSON.stringify(stored);
    assert.ok(codes.size >= 4, `${codes.size}`);
    const isIn = (code, text) => new RegExp(`(?<![\\w-])${code}(?![\\w-])`).test(text);
    for (const code of codes) {
      assert.ok(!isIn(code, text), "a code");
      assert.ok(isIn(code, JSON.stringify([{ code }])) && isIn(code, JSON.stringify({ said: `it is ${code}.` })), "it would not be found");
    }
  });

  test("a webhook's address is in its connection and nowhere else", () => {
    const { make_connections: connections, ...others } = stored;
    const text = JSON.stringify([others, connections.map(({ webhook_url, ...rest }) => rest)]);
    for (const url of urls) {
      assert.ok(!text.includes(new URL(url).pathname.slice(1)), "the path of a webhook");
    }
    assert.ok(connections.some(({ webhook_url }) => urls.has(webhook_url)));
  });

  test("an address is with its tenant and its owner, and nowhere else", () => {
    const { tenants, auth_users: users, ...others } = stored;
    const without = (rows) => rows.map(({ email, unproven_email, ...rest }) => rest);
    const text = JSON.stringify([others, without(tenants), without(users)]).toLowerCase();
    for (const address of addresses) assertAbsent(address, text, "an address");
    assert.ok(tenants.every(({ email, unproven_email }) => (email === null) !== (unproven_email === null)) && users.every(({ email }) => email));
  });
});

/** Neither as it is nor in one of the forms in which a text is usually passed on. */
function assertAbsent(value, text, what) {
  const bytes = Buffer.from(value);
  for (const form of [
    value,
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value),
    bytes.toString("base64"),
    bytes.toString("base64url"),
    bytes.toString("hex"),
  ]) {
    assert.ok(!text.includes(form), `${what} is in D1`);
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
