// Production's rate limits, per client, per network and per tenant. The limits' windows are minutes of the wall clock, so a burst may meet
// two of them. At least the limit passes, at most twice the limit. Of one more than that at least one is refused.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { tenantForm, startHarness } from "./harness.mjs";

// As many calls to Resend as there are mails: whoever signs up proves the address, and its mail must not wait for those of a burst.
const h = await startHarness({ env: "production", vars: { RESEND_CALLS_PER_SECOND: "1000" } });
after(() => h.close());

const LIMITS = { start: 10, lookup: 60, magic: 5, magicNetwork: 50, tenant: 10 };

let clients = 0;
/** As if from an address of its own. */
const from = (client) => ({ headers: { "cf-connecting-ip": client } });
const newClient = () => `2001:db8:${(++clients).toString(16)}::1`;

/** `ask(index)` once more than two windows let through. */
const burst = (limit, ask) => Promise.all(Array.from({ length: 2 * limit + 1 }, (_, index) => ask(index)));

function assertLimited(answers, limit, passes) {
  const refused = answers.filter(({ status }) => status === 429);
  const passed = answers.filter((answer) => !refused.includes(answer));
  assert.ok(passed.length >= limit && passed.length <= 2 * limit, `${passed.length} of ${answers.length} passed`);
  for (const { status, body } of passed) assert.ok(passes.includes(status), `${status} ${JSON.stringify(body)}`);
  for (const { body, headers } of refused) {
    assert.deepEqual([body.success, body.error.code], [false, "RATE_LIMITED"]);
    const seconds = Number(headers.get("retry-after"));
    assert.ok(Number.isInteger(seconds) && seconds >= 1 && seconds <= 60, headers.get("retry-after"));
  }
  return { passed, refused };
}

const start = (form, client) => h.api("POST", "/public/signup/start", { body: form, ...from(client) });

describe("signups", () => {
  test("of one client are limited, and what is refused is not written", async () => {
    const client = newClient();
    const forms = Array.from({ length: 2 * LIMITS.start + 1 }, () => tenantForm());
    const answers = await burst(LIMITS.start, (index) => start(forms[index], client));
    const { passed } = assertLimited(answers, LIMITS.start, [200]);
    const slugs = JSON.stringify(forms.map(({ clubSlug }) => clubSlug));
    const tenants = await h.sql("select id from tenants where slug in (select value from json_each(?))", slugs);
    assert.equal(tenants.length, passed.length);
    assert.equal((await start(tenantForm(), newClient())).status, 200, "another client is not held up");
  });

  test("are counted by the /64 of an IPv6 client, and every IPv4 client is one", async () => {
    const network = newClient().replace("::1", "");
    const inside = (index) => `${network}:${index}:5:2:3:4`;
    const answers = await burst(LIMITS.start, (index) => start(tenantForm(), inside(index.toString(16))));
    assert.ok(answers.every(({ status }) => status === 200), "each from a /64 of its own");
    const oneNetwork = newClient().replace("::1", "");
    assertLimited(await burst(LIMITS.start, (index) => start(tenantForm(), `${oneNetwork}::${index + 1}`)), LIMITS.start, [200]);
    const addresses = await burst(LIMITS.start, (index) => start(tenantForm(), `198.51.100.${index}`));
    assert.ok(addresses.every(({ status }) => status === 200));
  });

  test("for one address, from wherever, keep nobody from signing up with it", async () => {
    const { email } = tenantForm();
    const promoCode = "NOSUCH";
    const tried = await burst(LIMITS.start, () => start(tenantForm({ email, promoCode }), newClient()));
    assert.ok(tried.every(({ body }) => body.error.code === "INVALID_PROMO"));
    assert.equal((await start(tenantForm({ email }), newClient())).status, 200);
  });
});

describe("look-ups of one client are limited:", () => {
  for (const [what, ask] of Object.entries({
    availability: (client) => h.api("GET", `/public/signup/availability?slug=${tenantForm().clubSlug}`, from(client)),
    "verify-promo": (client) => h.api("POST", "/public/signup/verify-promo", { body: { promoCode: "GUESS1" }, ...from(client) }),
    "magic/verify": (client) => h.api("POST", "/auth/magic/verify", { body: { token: "guess" }, ...from(client) }),
    "a proof by a link": (client) => h.api("POST", "/auth/proof", { body: { token: "tenant_guess.guess" }, ...from(client) }),
  })) {
    test(what, async () => {
      const client = newClient();
      assertLimited(await burst(LIMITS.lookup, () => ask(client)), LIMITS.lookup, [200, 400, 401]);
      assert.notEqual((await ask(newClient())).status, 429);
    });
  }
});

describe("links by mail are limited", () => {
  const ask = (email, client) => h.api("POST", "/auth/magic/start", { body: { email }, ...from(client) });

  test("for one client, whatever address it asks for", async () => {
    const client = newClient();
    assertLimited(await burst(LIMITS.magic, () => ask(tenantForm().email, client)), LIMITS.magic, [202]);
    assert.equal((await ask(tenantForm().email, newClient())).status, 202);
  });

  test("for one network of many clients, more loosely", async () => {
    const network = newClient().replace("::1", "");
    const inside = (index) => `${network}:${index.toString(16)}::1`;
    const answers = await burst(LIMITS.magicNetwork, (index) => ask(tenantForm().email, inside(index)));
    assertLimited(answers, LIMITS.magicNetwork, [202]);
    assert.equal((await ask(tenantForm().email, newClient())).status, 202);
  });

  test("but not for an address: whoever keeps asking for it keeps nobody out, and it gets one mail", async () => {
    const known = await h.signup({}, from(newClient()));
    for (const email of [known.email, tenantForm().email]) {
      const answers = await burst(LIMITS.magic, () => ask(email, newClient()));
      assert.ok(answers.every(({ status }) => status === 202));
    }
    const [{ links }] = await h.sql("select count(*) as links from magic_links where tenant_id = ?", known.tenantId);
    assert.equal(links, 1, "because it rests after each");
  });
});

/** Twice the limit in each of two windows, and one more: beyond the limit there is as much again for those whose tokens are good. */
const many = (ask) => Promise.all(Array.from({ length: 4 * LIMITS.tenant + 1 }, (_, index) => ask(index)));

describe("proofs are limited", () => {
  const guess = (tenant, code) => h.api("POST", "/auth/proof", { token: tenant.jwt, body: { code }, ...from(newClient()) });
  const unproven = async (form) => h.signupUnproven(form, from(newClient()));
  const rested = (tenant) => h.sql("update tenants set link_mailed_at = link_mailed_at - 31 where id = ?", tenant.tenantId);

  test("for one tenant, wherever the codes come from: five are tried, and the link still proves", async () => {
    const tenant = await unproven();
    const { code, proofToken } = await h.proofMail(tenant.email);
    const answers = await many((index) => guess(tenant, String((Number(code) + 1 + index) % 1_000_000).padStart(6, "0")));
    const refused = answers.filter(({ status }) => status === 429);
    assert.ok(refused.length > 0 && answers.length - refused.length >= 2 * LIMITS.tenant, `${refused.length} refused`);
    const looked = answers.filter(({ status }) => status === 400);
    assert.equal(looked.length + refused.length, answers.length);
    assert.ok(looked.filter(({ body }) => body.error.reason === "wrong_code").length < 5);
    const proven = await h.api("POST", "/auth/proof", { body: { token: proofToken }, ...from(newClient()) });
    assert.equal(proven.status, 200, "whoever reads the mail is not kept out");
  });

  test("by a pause between the mails: of many who ask at once one has another sent", async () => {
    const tenant = await unproven();
    await h.proofMail(tenant.email);
    const send = () => h.api("POST", "/auth/proof/send", { token: tenant.jwt, ...from(newClient()) });
    const early = await send();
    assert.deepEqual([early.status, early.body.error.code], [429, "RATE_LIMITED"]);
    const seconds = Number(early.headers.get("retry-after"));
    assert.ok(seconds >= 1 && seconds <= 30, `${seconds}`);
    await rested(tenant);
    const answers = await Promise.all(Array.from({ length: LIMITS.tenant - 1 }, send));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [202, ...Array(LIMITS.tenant - 2).fill(429)]);
    await h.mailsLeft();
    assert.equal((await h.proofMails(tenant.email)).length, 2);
  });

  test("by ten mails a day to a mailbox, however it is written, and nobody is told", async () => {
    const [name, host] = tenantForm().email.split("@");
    const tenants = [];
    for (let n = 0; n < 12; n += 1) tenants.push(await unproven({ email: n % 2 === 0 ? `${name}@${host}` : `${name}+${n}@${host}` }));
    await h.mailsLeft();
    const mails = await h.proofMails(name);
    assert.equal(mails.length, 10);
    const [{ kept }] = await h.sql("select count(*) as kept from mails where last_error = 'MAILBOX_LIMIT'");
    assert.equal(kept, 2);
    await rested(tenants.at(-1));
    const again = await h.api("POST", "/auth/proof/send", { token: tenants.at(-1).jwt, ...from(newClient()) });
    assert.equal(again.status, 202);
    await h.mailsLeft();
    assert.equal((await h.proofMails(name)).length, 10);
    assert.equal((await h.signup({}, from(newClient()))).emailProven, true, "another mailbox gets its mail");
  });
});

describe("what one tenant changes is limited", () => {
  const webhook = { webhookUrl: "https://hook.eu1.make.com/limits", webhookSecret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" };
  const ROUTES = {
    "provision/retry": ({ tenantId }) => ["POST", `/api/v1/tenants/${tenantId}/provision/retry`],
    "webhook/test": ({ tenantId }) => ["POST", `/api/v1/tenants/${tenantId}/webhook/test`, webhook],
    "starter/make": () => ["POST", "/public/signup/starter/make", webhook],
    brand: () => ["POST", "/public/signup/brand", { primaryColor: "#102030", secondaryColor: "#405060" }],
    proof: () => ["POST", "/auth/proof", { code: "000000" }],
    "PATCH me": () => ["PATCH", "/api/v1/tenants/me", { name: "Another" }],
  };

  for (const [what, route] of Object.entries(ROUTES)) {
    test(`by ${what}, wherever it comes from`, async () => {
      const tenant = await h.signup({}, from(newClient()));
      const [method, path, body] = route(tenant);
      const answers = await many(() => h.api(method, path, { token: tenant.jwt, body, ...from(newClient()) }));
      const refused = answers.filter(({ status }) => status === 429);
      // The proof of its address was one.
      assert.ok(refused.length > 0 && answers.length - refused.length >= 2 * LIMITS.tenant - 1, `${refused.length} refused`);
      for (const { body: answer, headers } of refused) {
        assert.equal(answer.error.code, "RATE_LIMITED");
        assert.equal(headers.get("retry-after"), "60");
      }
      const other = await h.signup({}, from(newClient()));
      const [, otherPath] = route(other);
      assert.notEqual((await h.api(method, otherPath, { token: other.jwt, body, ...from(newClient()) })).status, 429);
      assert.equal((await h.api("GET", "/api/v1/tenants/me", { token: tenant.jwt })).status, 200, "reading is not");
      assert.equal((await h.api("POST", "/auth/logout", { token: tenant.jwt })).status, 200, "nor does it keep anybody signed in");
    });
  }

  test("but not by those whose tokens are revoked, nor are operators", async () => {
    const tenant = await h.signup({}, from(newClient()));
    const claims = { roles: ["tenant_admin", "owner"], aud: "syston-mobile", iss: "syston.app", tenantId: tenant.tenantId };
    const stolen = h.token({ ...claims, jti: "stolen" });
    await h.sql("insert into revoked_tokens values ('stolen', null, 'stolen', 0, 9000000000)");
    const change = (token) => h.api("PATCH", "/api/v1/tenants/me", { token, body: { name: "Another" } });
    const answers = await many(() => change(stolen));
    assert.ok(answers.every(({ status }) => status === 403));
    assert.equal((await change(tenant.jwt)).status, 200);
    const operator = h.token({ roles: ["admin"], aud: "syston-admin", sub: "ops" });
    const path = `/api/v1/admin/tenants/${tenant.tenantId}`;
    const body = { comped: true, reason: "a sponsor pays" };
    const acts = await many(() => h.api("PATCH", path, { token: operator, body }));
    assert.ok(acts.every(({ status }) => status === 200));
  });
});

test("every limiter is bound, and readiness says so", async () => {
  const { body } = await h.api("GET", "/health/startup");
  assert.doesNotMatch(JSON.stringify(body.checks.configuration), /LIMIT_/);
});

test("what needs a token, and health, is not limited", async () => {
  const tenant = await h.signup({}, from(newClient()));
  const client = newClient();
  const answers = await Promise.all([
    ...Array.from({ length: 130 }, () => h.api("GET", "/whoami", { token: tenant.jwt, ...from(client) })),
    ...Array.from({ length: 130 }, () => h.api("GET", "/health", from(client))),
  ]);
  assert.ok(answers.every(({ status }) => status === 200));
});

test("each refusal is logged under its request, with no address in it", () => {
  const lines = h.logs();
  const refused = lines.filter(({ msg, status }) => msg === "request" && status === 429);
  const limited = lines.filter(({ msg }) => msg === "rate_limited");
  assert.ok(refused.length > 0);
  for (const { requestId, code } of refused) {
    assert.equal(code, "RATE_LIMITED");
    assert.ok(
      limited.some((line) => line.requestId === requestId),
      `no rate_limited line for ${requestId}`,
    );
  }
  assert.ok(!/@example\.org|2001:db8/.test(JSON.stringify(lines.filter(({ msg }) => msg !== "signup_completed"))));
});
