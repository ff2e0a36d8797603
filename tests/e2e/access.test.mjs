// Who gets in, and who does not any more, in the real runtime: revocation takes effect at once, a mailed link signs in once. Every
// refusal and every rule of it is proved in tests/api.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { startHarness, until } from "./harness.mjs";

const h = await startHarness();
after(() => h.close());

const claims = (jwt) => JSON.parse(Buffer.from(jwt.split(".")[1], "base64url"));
const whoami = (jwt) => h.api("GET", "/whoami", { token: jwt });
const revoke = (target) => h.api("POST", "/api/v1/admin/tokens/revoke", { token: h.token(), body: { reason: "a test of it", ...target } });
const startLink = (body) => h.api("POST", "/auth/magic/start", { body });
const redeem = (linkToken) => h.api("POST", "/auth/magic/verify", { body: { token: linkToken } });

function assertIs(answer, status, code, reason) {
  const { error } = answer.body;
  assert.deepEqual([answer.status, error?.code, error?.reason], [status, code, reason], JSON.stringify(answer.body));
}
const assertRevoked = (answer) => assertIs(answer, 403, "FORBIDDEN", "token_revoked");
const assertRefused = (answer) => assertIs(answer, 401, "INVALID_TOKEN");
const assertWorks = (answer) => assert.equal(answer.status, 200, JSON.stringify(answer.body));

/** Asks for a link and answers its token, as it arrives in the owner's inbox. */
async function mailedLink({ email, tenantId }) {
  await h.sql("update tenants set link_mailed_at = 0 where id = ?", tenantId);
  const before = (await h.links(email)).length;
  assert.equal((await startLink({ email })).status, 202);
  const mail = await until(async () => (await h.links(email))[before], { what: `a mail to ${email}` });
  return mail.linkToken;
}

test("a tenant logs out, comes back by a mailed link that works once, and is cut off by an operator", async () => {
  const [tenant, other] = [await h.signup(), await h.signup()];
  assertWorks(await h.api("POST", "/auth/logout", { token: tenant.jwt }));
  assertRevoked(await whoami(tenant.jwt));

  const link = await mailedLink(tenant);
  const answers = await Promise.all(Array.from({ length: 20 }, () => redeem(link)));
  const [won, ...more] = answers.filter(({ status }) => status === 200);
  assert.equal(more.length, 0, "of twenty at once, one");
  for (const lost of answers.filter((answer) => answer !== won)) assertRefused(lost);
  assert.match(won.headers.get("cache-control"), /\bno-store\b/);
  assert.deepEqual([claims(won.body.jwt).sub, claims(won.body.jwt).tenantId], [claims(tenant.jwt).sub, tenant.tenantId]);
  assertWorks(await whoami(won.body.jwt));

  const unused = await mailedLink(tenant);
  assertWorks(await revoke({ tenantId: tenant.tenantId }));
  assertRevoked(await whoami(won.body.jwt));
  assertRefused(await redeem(unused));
  assertWorks(await whoami(other.jwt));
  const back = await redeem(await mailedLink(tenant));
  assertWorks(await whoami(back.body.jwt));
});

test("asking for a link is answered alike, header by header, whoever asks for whom", async () => {
  const [tenant, other, unproven] = [await h.signup(), await h.signup(), await h.signupUnproven()];
  const answers = [];
  for (const body of [{ email: tenant.email }, { email: unproven.email }, { email: `nobody-${randomUUID()}@example.org` }, { email: tenant.email, tenantId: other.tenantId }]) {
    const { status, body: text, headers } = await startLink(body);
    const seen = [...headers].filter(([name]) => !["x-request-id", "date", "connection", "keep-alive"].includes(name));
    answers.push({ status, text, seen });
  }
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
  assert.deepEqual([answers[0].status, answers[0].text], [202, { success: true }]);
});

test("a mailed link outlives mail scanners: opening its page spends nothing", async () => {
  const link = await mailedLink(await h.signup());
  for (const path of ["/magic/", `/magic/?token=${link}`, `/auth/magic/verify?token=${link}`]) {
    for (const method of ["HEAD", "GET", "OPTIONS"]) {
      const response = await fetch(new URL(path, h.url), { method, headers: { "user-agent": "a mail scanner" } });
      assert.ok(response.status < 500, `${method} ${path}: ${response.status}`);
    }
  }
  assertWorks(await redeem(link));
});

// Last, for it ends every token that the tests above hold.
test("an operator revokes everything: it ends for all at once, the operator included", async () => {
  const [tenant, operator, machine] = [await h.signup(), h.token(), h.token({ aud: "internal", roles: ["service"] })];
  const link = await mailedLink(tenant);
  const done = await revoke({ all: true });
  assert.deepEqual([done.status, done.body], [200, { success: true, data: { scope: "all" } }]);
  for (const jwt of [tenant.jwt, operator, machine]) assertRevoked(await whoami(jwt));
  assertRefused(await redeem(link));
  assertWorks(await whoami((await h.signup()).jwt));
});
