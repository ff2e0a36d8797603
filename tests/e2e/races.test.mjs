// What many do at the same moment, one of them wins: the database decides, and nobody is answered with an error of ours.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, describe, test } from "node:test";
import { tenantForm, makeWebhook, startHarness } from "./harness.mjs";

const h = await startHarness();
after(() => h.close());

const MANY = 200;

const start = (body, headers = {}) => h.api("POST", "/public/signup/start", { body, headers });

const prove = (body, token) => h.api("POST", "/auth/proof", { body, token });

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

const rowsFor = async (condition, value) => h.sql(`select id, slug, coalesce(email, unproven_email) as email from tenants where ${condition} = ?`, value);

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

  const spelled = (email, index) => [email, email.toUpperCase(), ` ${email} `, email.replace("club", "Club")][index % 4];

  test("for an address that is proven, however it is written: no tenant", async () => {
    const { email, tenantId } = await h.signup();
    const answers = await at(MANY, (index) => start(tenantForm({ email: spelled(email, index) })));
    assert.deepEqual(tally(answers), { "409 EMAIL_EXISTS": MANY });
    assert.deepEqual((await rowsFor("coalesce(email, unproven_email)", email)).map(({ id }) => id), [tenantId]);
  });

  test("for an address that nobody has proven: one tenant each, at most ten mails, and of those that prove it at once one has it", async () => {
    const { email } = tenantForm();
    const answers = await at(MANY, (index) => start(tenantForm({ email: spelled(email, index) })));
    assert.deepEqual(tally(answers), { 200: MANY });
    await h.mailsLeft();
    const mails = await h.proofMails(email);
    assert.equal(mails.length, 10, "to one mailbox in a day");
    const proofs = await at(mails.length, (index) => prove({ token: mails[index].proofToken }));
    const won = proofs.find(({ status }) => status === 200).body;
    const lost = tally(proofs.filter(({ body }) => body !== won));
    assert.deepEqual(Object.keys(lost).filter((word) => !["409 EMAIL_EXISTS", "401 INVALID_TOKEN"].includes(word)), []);
    assert.equal(Object.values(lost).reduce((sum, n) => sum + n, 0), mails.length - 1);
    const rows = await h.sql("select id, email, status, slug is not null as named from tenants where coalesce(email, unproven_email) = ?", email);
    const kept = rows.filter(({ named }) => named === 1);
    assert.deepEqual(kept.map(({ id, email, status }) => ({ id, email, status })), [{ id: won.tenantId, email, status: "trial" }]);
    assert.ok(rows.every(({ id, status }) => id === won.tenantId || status === "cancelled"), "the others lapse with it");
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

describe("a hundred proofs at once", () => {
  const TRIES = 100;

  /** A tenant that waits for nothing but its proof, and what shows it. */
  async function waiting() {
    const tenant = await h.signupUnproven({ plan: "pro" });
    assert.equal((await h.confirm(tenant)).body.data.status, "pending");
    return { ...tenant, mail: await h.proofMail(tenant.email) };
  }

  for (const [what, shown] of Object.entries({
    "by the same code": ({ jwt, mail }) => prove({ code: mail.code }, jwt),
    "by the same link": ({ mail }) => prove({ token: mail.proofToken }),
    "by the code and the link": ({ jwt, mail }, index) => (index % 2 === 0 ? prove({ code: mail.code }, jwt) : prove({ token: mail.proofToken })),
  })) {
    test(`${what}: one gets the token, and one run starts`, async () => {
      const tenant = await waiting();
      const answers = await at(TRIES, (index) => shown(tenant, index));
      const { 200: won, ...lost } = tally(answers);
      assert.equal(won, 1, JSON.stringify(lost));
      // Who shows a code has a token that ended with the proof.
      assert.deepEqual(Object.keys(lost).filter((word) => !["403 FORBIDDEN token_revoked", "401 INVALID_TOKEN"].includes(word)), []);
      const { jwt } = answers.find(({ status }) => status === 200).body;
      assert.ok(answers.every(({ status, body }) => status === 200 || !JSON.stringify(body).includes(jwt)));
      const end = await h.settled({ ...tenant, jwt });
      assert.equal(end.status, "completed", JSON.stringify(end));
      const [there] = await h.sql(
        `select (select count(*) from provision_runs where tenant_id = t.id) as runs, (select count(*) from email_proofs where tenant_id = t.id) as codes
         from tenants t where id = ? and email_proven_at is not null`,
        tenant.tenantId,
      );
      assert.deepEqual(there, { runs: 1, codes: 0 });
      const { effects } = await h.sandbox("/__sandbox/effects");
      const made = effects.filter(({ key }) => key === `${end.data.runId}/create_spreadsheet`);
      assert.deepEqual(made.map(({ count, requests }) => [count, requests]), [[1, 1]]);
      // Spent, whoever shows it and whatever they hold.
      for (const again of [await prove({ token: tenant.mail.proofToken }), await prove({ code: tenant.mail.code }, tenant.jwt), await prove({ code: tenant.mail.code }, jwt)]) {
        assert.notEqual(again.status, 200);
      }
      assert.equal((await h.api("GET", "/whoami", { token: jwt })).status, 200);
      const ofSignup = await h.api("GET", "/whoami", { token: tenant.jwt });
      assert.deepEqual([ofSignup.status, ofSignup.body.error?.reason], [403, "token_revoked"]);
    });
  }

  test("by wrong codes: five are tried, and the right one is burnt", async () => {
    const tenant = await waiting();
    const wrong = (index) => String((Number(tenant.mail.code) + 1 + index) % 1_000_000).padStart(6, "0");
    const answers = await at(TRIES, (index) => prove({ code: wrong(index) }, tenant.jwt));
    const counts = tally(answers);
    assert.ok(counts["400 INVALID_CODE wrong_code"] <= 4 && counts["400 INVALID_CODE burnt_code"] >= TRIES - 5, JSON.stringify(counts));
    assert.deepEqual(Object.keys(counts).filter((word) => !/^400 INVALID_CODE (wrong|burnt)_code$/.test(word)), []);
    assert.deepEqual(await h.sql("select tries from email_proofs where tenant_id = ?", tenant.tenantId), [{ tries: 5 }]);
    const right = await prove({ code: tenant.mail.code }, tenant.jwt);
    assert.deepEqual([right.status, right.body.error?.reason], [400, "burnt_code"]);
    assert.equal((await prove({ token: tenant.mail.proofToken })).status, 200, "the link is not");
  });
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
