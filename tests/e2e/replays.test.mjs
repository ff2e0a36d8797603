// The same signup posted again: safe for who lost the answer, and of no use to who only knows what was posted.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, describe, test } from "node:test";
import { tenantForm, startHarness, until } from "./harness.mjs";

const h = await startHarness();
after(() => h.close());

const start = (body, headers = {}) => h.api("POST", "/public/signup/start", { body, headers });

const mailsTo = (address) => h.mails(address);

/** Its owner proves the address of a tenant that signed up by this answer. */
const prove = ({ body }) => h.prove({ ...body, email: body.tenant.email });

const linksOf = async (tenantId) => {
  const [{ links }] = await h.sql("select count(*) as links from magic_links where tenant_id = ?", tenantId);
  return links;
};

const looksLikeToken = /eyJ[\w-]+\.[\w-]+\.[\w-]+/;

describe("without a key, an identical signup", () => {
  test("before its address is proven, is told that it was there before, and nobody is mailed more than the code that was", async () => {
    const form = tenantForm();
    const first = await start(form);
    for (let times = 0; times < 4; times++) {
      const { status, body, headers } = await start(form);
      assert.deepEqual([status, body.error?.code], [409, "ALREADY_SIGNED_UP"]);
      assert.ok(!JSON.stringify(body).includes(first.body.tenantId));
      assert.doesNotMatch(JSON.stringify([body, ...headers]), looksLikeToken);
    }
    await h.mailsLeft();
    assert.deepEqual([(await h.proofMails(form.email)).length, await mailsTo(form.email)], [1, []]);
    // After the pause there is another code, and no link that would sign anybody in.
    await h.sql("update tenants set link_mailed_at = link_mailed_at - 3600 where id = ?", first.body.tenantId);
    assert.equal((await start(form)).status, 409);
    const { code } = await h.proofMail(form.email, { nth: 2 });
    assert.equal(await linksOf(first.body.tenantId), 0);
    assert.deepEqual(await mailsTo(form.email), []);
    const proven = await h.api("POST", "/auth/proof", { token: first.body.jwt, body: { code } });
    assert.deepEqual([proven.status, proven.body.tenantId], [200, first.body.tenantId]);
  });

  test("is told that it was there before, and its owner is mailed one link, however often it comes", async () => {
    const form = tenantForm();
    const first = await start(form);
    await prove(first);
    for (let times = 0; times < 4; times++) {
      const { status, body, headers } = await start(form);
      assert.deepEqual([status, body.error?.code], [409, "ALREADY_SIGNED_UP"]);
      assert.ok(!JSON.stringify(body).includes(first.body.tenantId));
      assert.doesNotMatch(JSON.stringify([body, ...headers]), looksLikeToken);
    }
    const [mail] = await until(async () => {
      const mails = await mailsTo(form.email);
      return mails.length > 0 && mails;
    });
    assert.equal(await linksOf(first.body.tenantId), 1, "no second link was made, so none is on its way");
    assert.equal((await mailsTo(form.email)).length, 1);

    const [, token] = mail.text.match(/\/magic\/#token=([\w.-]+)/);
    const { status, body } = await h.api("POST", "/auth/magic/verify", { body: { token } });
    assert.deepEqual([status, body.tenantId], [200, first.body.tenantId]);
  });

  test("is recognised however it is written", async () => {
    const form = tenantForm();
    await start(form);
    for (const spelled of [
      { ...form, email: ` ${form.email.toUpperCase()} ` },
      { ...form, clubName: `  ${form.clubName} ` },
      { ...form, promoCode: null },
      { ...form, promoCode: "" },
      { plan: form.plan, unknown: true, email: form.email, clubSlug: form.clubSlug, clubName: form.clubName },
    ]) {
      const { status, body } = await start(spelled);
      assert.deepEqual([status, body.error?.code], [409, "ALREADY_SIGNED_UP"], JSON.stringify(spelled));
    }
  });

  test("that differs in anything is a conflict, and mails nobody", async () => {
    await h.sql("insert into promo_codes (code, discount_percent, created_at) values ('TENOFF', 10, unixepoch())");
    const form = tenantForm();
    const first = await start(form);
    const { body } = first;
    await prove(first);
    for (const [change, code] of [
      [{ clubName: "Another name" }, "SLUG_TAKEN"],
      [{ plan: "pro" }, "SLUG_TAKEN"],
      [{ promoCode: "TENOFF" }, "SLUG_TAKEN"],
      [{ email: tenantForm().email }, "SLUG_TAKEN"],
      [{ clubSlug: tenantForm().clubSlug }, "EMAIL_EXISTS"],
    ]) {
      const answer = await start({ ...form, ...change });
      assert.deepEqual([answer.status, answer.body.error?.code], [409, code], JSON.stringify(change));
      assert.doesNotMatch(JSON.stringify(answer.body), looksLikeToken);
    }
    assert.equal(await linksOf(body.tenantId), 0);
    assert.deepEqual([(await h.proofMails(form.email)).length, await mailsTo(form.email)], [1, []]);
  });

  test("of a tenant that used the last of a code takes no other use", async () => {
    await h.sql("insert into promo_codes (code, discount_percent, max_uses, created_at) values ('LASTONE', 30, 1, unixepoch())");
    const form = tenantForm({ promoCode: "LASTONE" });
    const first = await start(form);
    assert.equal(first.body.discount, 30);
    const again = await start(form);
    assert.deepEqual([again.status, again.body.error?.code], [409, "ALREADY_SIGNED_UP"]);
    const [{ uses }] = await h.sql("select uses from promo_codes where code = 'LASTONE'");
    assert.equal(uses, 1);
  });
});

describe("with its Idempotency-Key, a signup", () => {
  test("that is identical is answered with the same tenant and a token for it", async () => {
    const form = tenantForm();
    const headers = { "idempotency-key": randomUUID() };
    const first = await start(form, headers);
    const again = await start(form, headers);
    assert.equal(again.status, 200);
    assert.equal(again.body.tenantId, first.body.tenantId);
    assert.deepEqual(again.body.tenant, first.body.tenant);
    const whoami = await h.api("GET", "/whoami", { token: again.body.jwt });
    assert.equal(whoami.body.data.tenantId, first.body.tenantId);
    // Both tokens work: the first may have been lost on the way, or not.
    assert.equal((await h.api("GET", "/whoami", { token: first.body.jwt })).status, 200);
    assert.deepEqual(await mailsTo(form.email), []);
  });

  test("of another body is refused, and gives nothing away", async () => {
    const form = tenantForm();
    const headers = { "idempotency-key": randomUUID() };
    await start(form, headers);
    for (const other of [tenantForm(), { ...form, clubName: "Another name" }, { ...form, plan: "pro" }]) {
      const { status, body } = await start(other, headers);
      assert.deepEqual([status, body.error.code], [422, "IDEMPOTENCY_KEY_REUSED"]);
      assert.ok(!JSON.stringify(body).includes("tenant_"));
      assert.doesNotMatch(JSON.stringify(body), looksLikeToken);
    }
    const tenants = await h.sql("select id from tenants where unproven_email = ?", form.email);
    assert.equal(tenants.length, 1);
  });

  test("gives nobody a token who shows another key for it", async () => {
    const form = tenantForm();
    const key = randomUUID();
    await start(form, { "idempotency-key": key });
    for (const guess of [randomUUID(), key.toUpperCase(), `${key} x`, `signup_start:${key}`]) {
      const { status, body } = await start(form, { "idempotency-key": guess });
      assert.deepEqual([status, body.error?.code], [409, "SLUG_TAKEN"], guess);
      assert.ok(!("jwt" in body));
    }
    const without = await start(form);
    assert.deepEqual([without.status, without.body.error?.code], [409, "ALREADY_SIGNED_UP"]);
  });

  test("stores neither the key nor the token", async () => {
    const key = `key-${randomUUID()}`;
    const form = tenantForm();
    const { body } = await start(form, { "idempotency-key": key });
    const tables = await h.sql("select name from sqlite_schema where type = 'table' and name not glob '_cf*' and name not glob 'sqlite*'");
    const signature = body.jwt.split(".").at(-1);
    for (const { name } of tables) {
      const text = JSON.stringify(await h.sql(`select * from "${name}"`));
      assert.ok(!text.includes(key), name);
      assert.ok(!text.includes(signature), name);
    }
  });

  test("that is no key is refused before anything is written", async () => {
    const form = tenantForm();
    for (const key of ["", "k".repeat(256)]) {
      const { status, body } = await start(form, { "idempotency-key": key });
      assert.deepEqual([status, body.error?.code, body.error?.issues?.[0].path], [400, "VALIDATION", ["Idempotency-Key"]]);
    }
    assert.deepEqual(await h.sql("select id from tenants where slug = ?", form.clubSlug), []);
  });
});

describe("what was taken back is not answered again", () => {
  test("after the address was proven: no token, and a link to whoever reads its mail", async () => {
    const headers = { "idempotency-key": randomUUID() };
    const form = tenantForm();
    const first = await start(form, headers);
    const proven = await prove(first);
    const { status, body } = await start(form, headers);
    assert.deepEqual([status, body.error?.code], [409, "ALREADY_SIGNED_UP"]);
    assert.doesNotMatch(JSON.stringify(body), looksLikeToken);
    const { linkToken } = await until(async () => (await h.mails(form.email))[0], { what: "a link" });
    const signedIn = await h.api("POST", "/auth/magic/verify", { body: { token: linkToken } });
    assert.deepEqual([signedIn.status, signedIn.body.tenantId], [200, proven.tenantId]);
    assert.equal((await h.api("GET", "/whoami", { token: proven.jwt })).status, 200, "the proof's own token works on");
    assert.equal((await h.api("GET", "/whoami", { token: first.body.jwt })).status, 403);
  });

  test("after a token of the signup was revoked: neither a token nor another code", async () => {
    const headers = { "idempotency-key": randomUUID() };
    const form = tenantForm();
    const first = await start(form, headers);
    assert.equal((await h.api("POST", "/auth/logout", { token: first.body.jwt })).status, 200);
    const { status, body } = await start(form, headers);
    assert.deepEqual([status, body.error?.code], [409, "ALREADY_SIGNED_UP"]);
    assert.doesNotMatch(JSON.stringify(body), looksLikeToken);
    await h.mailsLeft();
    assert.deepEqual([(await h.proofMails(form.email)).length, await h.mails(form.email)], [1, []]);
  });

  test("after a token of the tenant was revoked: a link by mail", async () => {
    const headers = { "idempotency-key": randomUUID() };
    const form = tenantForm();
    const first = await start(form, headers);
    assert.equal(first.status, 200);
    const { jwt } = await prove(first);
    assert.equal((await h.api("POST", "/auth/logout", { token: jwt })).status, 200);
    const { status, body } = await start(form, headers);
    assert.deepEqual([status, body.error?.code], [409, "ALREADY_SIGNED_UP"]);
    const { linkToken } = await until(async () => (await h.mails(form.email))[0], { what: "a link" });
    assert.equal((await h.api("POST", "/auth/magic/verify", { body: { token: linkToken } })).status, 200);
  });

  test("after the tenant was removed: 410, and its use of a promo code is there for others", async () => {
    await h.sql("insert into promo_codes (code, discount_percent, max_uses, created_at) values ('COMESBACK', 10, 1, 0)");
    const headers = { "idempotency-key": randomUUID() };
    const form = tenantForm({ promoCode: "COMESBACK" });
    const { body } = await start(form, headers);
    const next = tenantForm({ promoCode: "COMESBACK" });
    assert.equal((await start(next)).body.error?.reason, "exhausted");
    const removal = { token: h.token(), body: { reason: "left the league" } };
    assert.equal((await h.api("DELETE", `/api/v1/admin/tenants/${body.tenantId}`, removal)).status, 202);
    const again = await start(form, headers);
    assert.deepEqual([again.status, again.body.error?.code], [410, "TENANT_CANCELLED"]);
    // Nothing was made for it yet, so it goes with the sweep.
    await h.sweep();
    assert.deepEqual(await h.sql("select id from tenants where id = ?", body.tenantId), []);
    assert.equal((await start(form, headers)).status, 410, "and behind it");
    assert.deepEqual(await h.sql("select uses from promo_codes where code = 'COMESBACK'"), [{ uses: 0 }]);
    assert.equal((await start(next)).status, 200);
  });
});
