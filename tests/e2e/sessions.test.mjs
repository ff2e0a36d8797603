// Sign-ins of our pages in the real runtime: the cookie crosses the boundary both ways, and with it what says who sent it. Every refusal
// and every rule of it is proved in tests/api.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { startHarness, until } from "./harness.mjs";

const h = await startHarness();
after(() => h.close());

const SESSIONS = "/api/v1/tenants/me/sessions";
const LAPTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0";
const PHONE = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36";
const OURS = { "sec-fetch-site": "same-origin" };

const by = (cookie, more = OURS) => ({ headers: { cookie: `theme=dark; ${cookie}`, ...more } });
const whoami = (cookie, more) => h.api("GET", "/whoami", by(cookie, more));

function assertIs({ status, body }, expected, code, reason) {
  assert.deepEqual([status, body.error?.code, body.error?.reason], [expected, code, reason], JSON.stringify(body));
}

/** Asks for a mail, and signs in by what it has: answers the cookie. */
async function signsIn(tenant, agent, proof) {
  await h.sql("update tenants set link_mailed_at = 0 where id = ?", tenant.tenantId);
  const before = (await h.links(tenant.email)).length;
  assert.equal((await h.api("POST", "/auth/magic/start", { body: { email: tenant.email } })).status, 202);
  const mail = await until(async () => (await h.links(tenant.email))[before], { what: `a mail to ${tenant.email}` });
  const body = { session: true, ...proof(mail) };
  const answer = await h.api("POST", "/auth/magic/verify", { body, headers: { ...OURS, "user-agent": agent } });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.equal("jwt" in answer.body, false);
  const [cookie, ...rest] = answer.headers.getSetCookie()[0].split("; ");
  assert.equal(answer.headers.getSetCookie().length, 1);
  assert.deepEqual(rest, ["Path=/", "Max-Age=604800", "HttpOnly", "Secure", "SameSite=Strict"]);
  assert.match(answer.headers.get("cache-control"), /\bno-store\b/);
  return cookie;
}
const byLink = ({ linkToken }) => ({ token: linkToken });

test("the sign-in on a lost laptop is ended from the phone", async () => {
  const tenant = await h.signup();
  const laptop = await signsIn(tenant, LAPTOP, byLink);
  const phone = await signsIn(tenant, PHONE, ({ text }) => ({ email: tenant.email, code: /^(\d{6})$/m.exec(text)[1] }));
  assertIs(await whoami(laptop), 200);
  const { body } = await h.api("GET", SESSIONS, by(phone));
  const seen = body.data.map(({ browser, platform, how, current }) => [browser, platform, how, current]);
  assert.deepEqual(
    seen.sort(),
    [
      ["chrome", "android", "code", true],
      ["firefox", "linux", "link", false],
    ],
  );
  const lost = body.data.find(({ current }) => !current);
  assertIs(await h.api("DELETE", `${SESSIONS}/${lost.id}`, by(phone)), 200);
  assertIs(await whoami(laptop), 403, "FORBIDDEN", "token_revoked");
  assertIs(await whoami(phone), 200);
  const told = await until(async () => (await h.mails(tenant.email)).find(({ subject }) => /was ended/.test(subject)));
  assert.equal(told.linkToken, undefined);

  const everywhere = await h.api("POST", "/auth/logout", { body: { all: true }, ...by(phone) });
  assertIs(everywhere, 200);
  assert.match(everywhere.headers.get("set-cookie"), /^__Host-tenantry=; Path=\/; Max-Age=0;/);
  assert.equal(everywhere.headers.get("clear-site-data"), '"cookies", "storage"');
  assertIs(await whoami(phone), 403, "FORBIDDEN", "token_revoked");
  assertIs(await h.api("GET", "/whoami", { token: tenant.jwt }), 403, "FORBIDDEN", "token_revoked");
});

test("a cookie counts for our own page alone, and never for operators", async () => {
  const tenant = await h.signup();
  const cookie = await signsIn(tenant, LAPTOP, byLink);
  const own = { origin: h.url.origin };
  assertIs(await whoami(cookie, own), 200);
  for (const from of [{}, { "sec-fetch-site": "same-site" }, { "sec-fetch-site": "none" }, { origin: "https://evil.example" }]) {
    assertIs(await whoami(cookie, from), 401, "UNAUTHORIZED");
    const body = { name: "FC Evil" };
    assertIs(await h.api("PATCH", "/api/v1/tenants/me", { body, ...by(cookie, from) }), 403, "FORBIDDEN", "cross_site");
  }
  assertIs(await h.api("GET", "/api/v1/admin/tenants", by(cookie)), 401, "UNAUTHORIZED");
  assertIs(await h.api("GET", "/metrics", by(cookie)), 401, "UNAUTHORIZED");
  assertIs(await h.api("GET", "/whoami", { ...by(cookie), token: tenant.jwt }), 400, "AMBIGUOUS_CREDENTIALS");
  assertIs(await whoami(`${cookie}; ${cookie}`), 400, "AMBIGUOUS_CREDENTIALS");
});

test("a sign-in that is used is renewed, also where nothing is answered", async () => {
  const tenant = await h.signup();
  const cookie = await signsIn(tenant, LAPTOP, byLink);
  const path = `/api/v1/tenants/${tenant.tenantId}/provision-status`;
  const first = await h.api("GET", path, by(cookie));
  assert.deepEqual([first.status, first.headers.getSetCookie()], [200, []]);

  // The same sign-in, two days ago.
  const ago = 2 * 86_400;
  const claims = JSON.parse(Buffer.from(cookie.split(".")[1], "base64url"));
  const older = h.token({ ...claims, iat: claims.iat - ago, exp: claims.exp - ago });
  await h.sql("update sessions set created_at = created_at - ?2, seen_at = seen_at - ?2 where id = ?1", claims.sid, ago);
  // Its address was proven before that.
  await h.sql("update tenants set tokens_valid_after = 0 where id = ?", tenant.tenantId);
  const headers = { ...OURS, "if-none-match": first.headers.get("etag") };
  const answer = await h.api("GET", path, by(`__Host-tenantry=${older}`, headers));
  assert.equal(answer.status, 304);
  const [renewed] = answer.headers.getSetCookie()[0].split("; ");
  const now = JSON.parse(Buffer.from(renewed.split(".")[1], "base64url"));
  assert.deepEqual([now.sid, now.jti, now.iat], [claims.sid, claims.jti, claims.iat - ago]);
  assert.ok(now.exp >= claims.exp);
  assertIs(await whoami(renewed), 200);
});
