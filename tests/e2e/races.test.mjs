// What many do at the same moment, one of them wins: the database decides, and nobody is answered with an error of ours.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, describe, test } from "node:test";
import { tenantForm, makeWebhook, startHarness, until } from "./harness.mjs";

const h = await startHarness();
after(() => h.close());

const MANY = 200;

const start = (body, headers = {}) => h.api("POST", "/public/signup/start", { body, headers });

const at = (count, act) => Promise.all(Array.from({ length: count }, (_, index) => act(index)));

/** How often each answer came, as {"200": 1, "409 SLUG_TAKEN": 199}. */
function tally(answers) {
  const counts = {};
  for (const { status, body } of answers) {
    const { code, reason } = body.error ?? {};
    const word = [status, code, reason].filter(Boolean).join(" ");
    counts[word] = (counts[word] ?? 0) + 1;
  }
  return counts;
}

/** Everything that a signup writes is there once, or not at all. */
async function assertWhole(tenantId) {
  for (const table of ["tenants where id", "domain_events where tenant_id"]) {
    const [{ rows }] = await h.sql(`select count(*) as rows from ${table} = ?`, tenantId);
    assert.equal(rows, 1, table);
  }
}

const rowsFor = async (condition, value) => h.sql(`select id, slug, email from tenants where ${condition} = ?`, value);

describe(`${MANY} signups at once`, () => {
  test("for one slug, from different addresses: one tenant", async () => {
    const { clubSlug } = tenantForm();
    const answers = await at(MANY, () => start(tenantForm({ clubSlug })));
    assert.deepEqual(tally(answers), { 200: 1, "409 SLUG_TAKEN": MANY - 1 });
    const rows = await rowsFor("slug", clubSlug);
    const won = answers.find(({ status }) => status === 200).body;
    assert.deepEqual(rows, [{ id: won.tenantId, slug: clubSlug, email: won.tenant.email }]);
    await assertWhole(won.tenantId);
  });

  test("for one address, however it is written: one tenant", async () => {
    const { email } = tenantForm();
    const spelled = (index) => [email, email.toUpperCase(), ` ${email} `, email.replace("club", "Club")][index % 4];
    const answers = await at(MANY, (index) => start(tenantForm({ email: spelled(index) })));
    assert.deepEqual(tally(answers), { 200: 1, "409 EMAIL_EXISTS": MANY - 1 });
    const rows = await rowsFor("email", email);
    assert.equal(rows.length, 1);
    await assertWhole(rows[0].id);
  });

  test("with a code that is good once: one tenant, and the code is counted once", async () => {
    await promo("ONLYONCE", 1);
    const forms = Array.from({ length: MANY }, () => tenantForm({ promoCode: "ONLYONCE" }));
    const answers = await at(MANY, (index) => start(forms[index]));
    assert.deepEqual(tally(answers), { 200: 1, "400 INVALID_PROMO exhausted": MANY - 1 });
    await assertRedeemed("ONLYONCE", 1);
    const tenants = await h.sql(
      "select slug from tenants where slug in (select value from json_each(?))",
      JSON.stringify(forms.map((f) => f.clubSlug)),
    );
    assert.equal(tenants.length, 1, "a refused signup leaves nothing behind");
  });
});

test("fifty signups with a code that is good seven times: seven tenants", async () => {
  await promo("SEVEN777", 7);
  const answers = await at(50, () => start(tenantForm({ promoCode: "SEVEN777" })));
  assert.deepEqual(tally(answers), { 200: 7, "400 INVALID_PROMO exhausted": 43 });
  await assertRedeemed("SEVEN777", 7);
});

test("fifty different signups: fifty tenants", async () => {
  const answers = await at(50, () => start(tenantForm()));
  assert.deepEqual(tally(answers), { 200: 50 });
  assert.equal(new Set(answers.map(({ body }) => body.tenantId)).size, 50);
});

async function promo(code, maxUses) {
  await h.sql("insert into promo_codes (code, discount_percent, max_uses, created_at) values (?, 20, ?, unixepoch())", code, maxUses);
}

async function assertRedeemed(code, times) {
  const [counted] = await h.sql("select uses from promo_codes where code = ?", code);
  assert.equal(counted.uses, times);
  const redeemed = await h.sql(
    "select t.id from promo_redemptions r join tenants t on t.id = r.tenant_id and t.promo_code_used = r.code where r.code = ?",
    code,
  );
  assert.equal(redeemed.length, times);
}

test("fifty times the same request under one Idempotency-Key is one tenant, and each gets a token for it", async () => {
  const form = tenantForm();
  const key = randomUUID();
  const answers = await at(50, () => start(form, { "idempotency-key": key }));
  assert.deepEqual(tally(answers), { 200: 50 });
  const [{ id }, ...others] = await rowsFor("slug", form.clubSlug);
  assert.equal(others.length, 0);
  await assertWhole(id);
  for (const { body } of answers) assert.deepEqual([body.tenantId, body.tenant.id], [id, id]);
  assert.equal(answers.filter(({ body }) => !body.replayed).length, 1, "all but one are told that it is a replay");
  const whoami = await at(50, (index) => h.api("GET", "/whoami", { token: answers[index].body.jwt }));
  for (const { body } of whoami) assert.equal(body.data.tenantId, id);
});

test("fifty times the same request without a key is one tenant, one token and one mail", async () => {
  const form = tenantForm();
  const answers = await at(50, () => start(form));
  assert.deepEqual(tally(answers), { 200: 1, "409 ALREADY_SIGNED_UP": 49 });
  assert.equal(answers.filter(({ body }) => body.jwt !== undefined).length, 1);
  assert.equal((await rowsFor("slug", form.clubSlug)).length, 1);
});

test("fifty keys for one tenant: one wins, the others are told that the name is taken", async () => {
  const form = tenantForm();
  const answers = await at(50, () => start(form, { "idempotency-key": randomUUID() }));
  assert.deepEqual(tally(answers), { 200: 1, "409 SLUG_TAKEN": 49 });
});

test("one key for fifty tenants: one wins, the others are told that the key was used", async () => {
  const key = randomUUID();
  const answers = await at(50, () => start(tenantForm(), { "idempotency-key": key }));
  assert.deepEqual(tally(answers), { 200: 1, "422 IDEMPOTENCY_KEY_REUSED": 49 });
});

test("queued by everybody at once, a tenant is provisioned once", async () => {
  for (const plan of ["starter", "pro"]) {
    const tenant = await h.signup({ plan });
    const webhook = makeWebhook();
    const service = () => h.token({ aud: "internal", roles: ["service"] });
    const queue = () => h.api("POST", "/internal/provision/queue", { token: service(), body: { tenantId: tenant.tenantId } });
    await h.confirm(tenant, webhook);
    const answers = await at(50, (index) => (index % 2 === 0 ? h.confirm(tenant, webhook) : queue()));
    assert.deepEqual(tally(answers), { 200: 50 });
    const end = await h.settled(tenant);
    assert.equal(end.status, "completed");
    assert.deepEqual(new Set(answers.map(({ body }) => body.data.runId)), new Set([end.data.runId]));
    const runs = await h.sql("select id from provision_runs where tenant_id = ?", tenant.tenantId);
    assert.deepEqual(runs, [{ id: end.data.runId }]);
    const { effects } = await h.sandbox("/__sandbox/effects");
    const own = effects.filter(({ key }) => key?.startsWith(`${end.data.runId}/`));
    assert.equal(own.length, 2);
    for (const effect of own) assert.deepEqual([effect.count, effect.requests], [1, 1], effect.key);
  }
});

test("nothing of all this was an error of ours", () => {
  assert.deepEqual(
    h.logs().filter((line) => line.level === "error" || line.text !== undefined || line.status >= 500),
    [],
  );
});

test("of a hundred proofs of one address, by code and by link, one wins", async () => {
  const tenant = await h.signupUnproven();
  const { code, proofToken } = await until(async () => (await h.mails(tenant.email)).find((mail) => mail.code), { what: "the code" });
  const answers = await at(100, (index) =>
    index % 2 === 0
      ? h.api("POST", "/auth/proof", { token: tenant.jwt, body: { code } })
      : h.api("POST", "/auth/proof", { body: { token: proofToken } }),
  );
  assert.equal(answers.filter(({ status }) => status === 200).length, 1, JSON.stringify(tally(answers)));
  assert.ok(answers.every(({ status }) => [200, 401, 403, 429].includes(status)), JSON.stringify(tally(answers)));
});

test("of ten clubs with one address the first proof wins", async () => {
  const { email } = tenantForm();
  const tenants = await at(10, () => h.signupUnproven({ email }));
  const codes = await until(async () => {
    const mails = await h.mails(email);
    return mails.length === 10 && mails;
  }, { what: "ten codes" });
  const byTenant = new Map(codes.map(({ code, proofToken }) => [proofToken.split(".")[0], code]));
  const answers = await Promise.all(
    tenants.map(({ jwt, tenantId }) => h.api("POST", "/auth/proof", { token: jwt, body: { code: byTenant.get(tenantId) } })),
  );
  assert.deepEqual(tally(answers), { 200: 1, "403 FORBIDDEN token_revoked": 9 });
  assert.equal((await rowsFor("email", email)).length, 1);
});
