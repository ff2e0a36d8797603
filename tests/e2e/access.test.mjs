// Who gets in, and who does not any more: revocation, and mailed links.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, describe, test } from "node:test";
import { clubForm, makeWebhook, startHarness, token, until } from "./harness.mjs";

const h = await startHarness();
after(() => h.close());

const REVOKE = "/api/v1/admin/tokens/revoke";
const BRAND = { primaryColor: "#112233", secondaryColor: "#445566" };
const MAIL_PAUSE_SECONDS = 300;

const seconds = () => Math.floor(Date.now() / 1000);
const claims = (jwt) => JSON.parse(Buffer.from(jwt.split(".")[1], "base64url"));
const whoami = (jwt) => h.api("GET", "/whoami", { token: jwt });
const brand = (jwt) => h.api("POST", "/public/signup/brand", { token: jwt, body: BRAND });
const logout = (jwt) => h.api("POST", "/auth/logout", { token: jwt });
const revoke = (body, jwt = h.token()) => h.api("POST", REVOKE, { token: jwt, body: { reason: "a test of it", ...body } });
const startLink = (body) => h.api("POST", "/auth/magic/start", { body });
const redeem = (linkToken) => h.api("POST", "/auth/magic/verify", { body: { token: linkToken } });

/** Another token of a club, as any of its devices may hold one. */
const tokenOf = (club, more = {}) =>
  h.token({ aud: "syston-mobile", roles: ["tenant_admin", "owner"], tenantId: club.tenantId, ttl: 3600, ...more });

function assertIs(answer, status, code, reason) {
  const { error } = answer.body;
  assert.deepEqual([answer.status, error?.code, error?.reason], [status, code, reason], JSON.stringify(answer.body));
}
const assertRevoked = (answer) => assertIs(answer, 403, "FORBIDDEN", "token_revoked");
const assertRefused = (answer) => assertIs(answer, 401, "INVALID_TOKEN");
const assertWorks = (answer) => assert.equal(answer.status, 200, JSON.stringify(answer.body));

/** Runs `work` until all of it happened within one second of the clock, which a busy machine may take a few attempts for. */
async function withinOneSecond(work) {
  for (let left = 20; ; left -= 1) {
    const begun = seconds();
    const result = await work();
    if (seconds() === begun || left === 0) return result;
  }
}

/** Asks for a link and answers its token, as it arrives in the owner's inbox. */
async function mailedLink({ email, tenantId }) {
  await h.sql("update tenants set link_mailed_at = 0 where id = ?", tenantId);
  const before = (await h.mails(email)).length;
  assert.equal((await startLink({ email })).status, 202);
  const mail = await until(async () => (await h.mails(email))[before], { what: `a mail to ${email}` });
  return mail.linkToken;
}

describe("logging out", () => {
  test("ends the token that was shown, at once, and no other", async () => {
    const club = await h.signup();
    const phone = tokenOf(club);
    assertWorks(await logout(club.jwt));
    for (const answer of [await whoami(club.jwt), await h.status(club), await brand(club.jwt), await logout(club.jwt)]) {
      assertRevoked(answer);
    }
    assertWorks(await brand(phone));
    const [row] = await h.sql("select * from revoked_tokens where jti = ?", claims(club.jwt).jti);
    assert.deepEqual([row.tenant_id, row.reason], [club.tenantId, "logout"]);
    assert.ok(row.expires_at >= claims(club.jwt).exp, "remembered for as long as the token would have lived");
  });

  test("is for operators and machines, too", async () => {
    for (const jwt of [h.token(), h.token({ aud: "internal", roles: ["service"] })]) {
      assertWorks(await logout(jwt));
      assertRevoked(await whoami(jwt));
    }
  });

  test("with a token that has no id is refused, and ends nobody's", async () => {
    const club = await h.signup();
    const nameless = tokenOf(club, { jti: undefined });
    const before = await h.sql("select * from revoked_tokens");
    assertIs(await logout(nameless), 400, "VALIDATION");
    assert.deepEqual(await h.sql("select * from revoked_tokens"), before);
    assertWorks(await whoami(nameless));
    assertWorks(await whoami(tokenOf(club, { jti: undefined })));
  });

  test("takes a token", async () => assertIs(await logout(), 401, "UNAUTHORIZED"));
});

describe("an operator revokes", () => {
  test("one token by its id, and writes down who did it and why", async () => {
    const club = await h.signup();
    const { jti, exp } = claims(club.jwt);
    const answer = await revoke({ jti, exp, reason: "  laptop stolen " }, h.token({ sub: "ann@operators" }));
    assertWorks(answer);
    assert.deepEqual(answer.body, { success: true, data: { scope: "token" } });
    assertRevoked(await h.status(club));
    assertRevoked(await brand(club.jwt));
    assertWorks(await brand(tokenOf(club)));
    const [row] = await h.sql("select * from audit_log where subject = ?", `token:${jti}`);
    const { actor, action, reason, request_id } = row;
    assert.deepEqual(
      { actor, action, reason, request_id },
      { actor: "ann@operators", action: "tokens.revoke", reason: "laptop stolen", request_id: answer.headers.get("x-request-id") },
    );
    assert.ok(Math.abs(row.occurred_at - seconds()) <= 5, "in Unix seconds");
  });

  test("a token whose end is not known, for as long as any token lives", async () => {
    const jwt = tokenOf(await h.signup());
    assertWorks(await revoke({ jti: claims(jwt).jti }));
    assertRevoked(await whoami(jwt));
    const [{ expires_at }] = await h.sql("select expires_at from revoked_tokens where jti = ?", claims(jwt).jti);
    assert.ok(expires_at >= seconds() + 365 * 86_400);
  });

  test("a token for good, even when told that it ends sooner than it does", async () => {
    const jwt = tokenOf(await h.signup());
    assertWorks(await revoke({ jti: claims(jwt).jti, exp: seconds() - 3600 }));
    await h.sweep();
    assertRevoked(await whoami(jwt));
  });

  test("every token of one club; another club's, operators' and machines' go on", async () => {
    const [club, other] = [await h.signup(), await h.signup()];
    const old = tokenOf(club, { iat: seconds() - 100 });
    const nameless = tokenOf(club, { jti: undefined });
    const undated = tokenOf(club, { iat: undefined, exp: seconds() + 60 });
    assertWorks(await whoami(undated));
    assertWorks(await revoke({ tenantId: club.tenantId }));
    for (const jwt of [club.jwt, old, nameless, undated]) assertRevoked(await whoami(jwt));
    assertRevoked(await brand(club.jwt));
    assertWorks(await h.status(other));
    const path = `/api/v1/tenants/${club.tenantId}/provision-status`;
    for (const jwt of [h.token(), h.token({ aud: "internal", roles: ["service"] })]) assertWorks(await h.api("GET", path, { token: jwt }));
    const [{ subject }] = await h.sql("select subject from audit_log order by id desc limit 1");
    assert.equal(subject, club.tenantId);
  });

  test("and what a club is issued later works, in the same second, too", async () => {
    const [club, later] = await withinOneSecond(async () => {
      const club = await h.signup();
      assertWorks(await revoke({ tenantId: club.tenantId }));
      return [club, await redeem(await mailedLink(club))];
    });
    assertWorks(later);
    assertRevoked(await whoami(club.jwt));
    assertWorks(await whoami(later.body.jwt));
    assertWorks(await brand(later.body.jwt));
    assertWorks(await whoami(tokenOf(club, { iat: seconds() + 1 })));
  });

  test("links that were mailed before, with the club's tokens", async () => {
    const club = await h.signup();
    const link = await mailedLink(club);
    assertWorks(await revoke({ tenantId: club.tenantId }));
    assertRefused(await redeem(link));
  });

  test("nothing without a reason, or without one clear target", async () => {
    const club = await h.signup();
    const jti = randomUUID();
    const before = await h.dump();
    const unclear = [
      {},
      { jti, tenantId: club.tenantId },
      { jti, all: true },
      { tenantId: club.tenantId, all: true },
      { all: "true" },
      { all: false },
      { jti: "" },
      { jti: 7 },
      { jti: "x".repeat(201) },
      { jti, exp: "tomorrow" },
      { tenantId: "not a tenant's id" },
      ...[undefined, null, "", "  ", 7, "x".repeat(501)].map((reason) => ({ jti, reason })),
    ];
    for (const body of unclear) {
      const answer = await revoke(body);
      assertIs(answer, 400, "VALIDATION");
      assert.ok(answer.body.error.issues.length > 0, JSON.stringify(body));
    }
    assertIs(await revoke({ tenantId: "tenant_01jd0000000000000000000000" }), 404, "TENANT_NOT_FOUND");
    const { audit_log: now, ...rest } = await h.dump();
    const { audit_log: then, ...unchanged } = before;
    assert.deepEqual(rest, unchanged);
    assert.deepEqual(
      now.filter(({ subject }) => !subject.startsWith("tenant_01jd")),
      then,
    );
    assertWorks(await whoami(club.jwt));
  });

  test("nothing at all once the own token is revoked", async () => {
    const club = await h.signup();
    const operator = h.token();
    assertWorks(await revoke({ jti: claims(operator).jti }));
    const before = await h.dump();
    for (const target of [{ jti: claims(club.jwt).jti }, { tenantId: club.tenantId }, { all: true }]) {
      assertRevoked(await revoke(target, operator));
    }
    assertRevoked(await logout(operator));
    assert.deepEqual(await h.dump(), before);
    assertWorks(await whoami(club.jwt));
  });

  test("and a club may not", async () => {
    const club = await h.signup();
    const before = await h.dump();
    assertIs(await revoke({ all: true }, club.jwt), 403, "FORBIDDEN", 'unexpected "aud" claim value');
    assertIs(await revoke({ all: true }, h.token({ roles: ["tenant_admin"] })), 403, "FORBIDDEN", "role_mismatch");
    assert.deepEqual(await h.dump(), before);
  });
});

describe("a club that is", () => {
  for (const status of ["suspended", "cancelled"]) {
    test(`${status} is shut out: reads are refused, writes change nothing, no link is mailed`, async () => {
      const club = await h.signup();
      const link = await mailedLink(club);
      await h.sql("update tenants set status = ?, link_mailed_at = 0 where id = ?", status, club.tenantId);
      const before = await h.dump();
      assertRevoked(await whoami(club.jwt));
      assertRevoked(await h.status(club));
      assertRevoked(await brand(club.jwt));
      assertRevoked(await h.confirm(club));
      assertRevoked(await h.api("POST", `/api/v1/tenants/${club.tenantId}/provision/retry`, { token: club.jwt }));
      assertRevoked(await h.api("POST", `/api/v1/tenants/${club.tenantId}/webhook/test`, { token: club.jwt, body: makeWebhook() }));
      assertRevoked(await logout(club.jwt));
      assertRefused(await redeem(link));
      assert.equal((await startLink({ email: club.email })).status, 202);
      assert.deepEqual(await h.dump(), before);
      assert.deepEqual((await h.sandbox("/__sandbox/requests?host=hook.eu2.make.com")).requests, []);
      assert.equal((await h.mails(club.email)).length, 1, "the link from before");
      assertWorks(await h.api("GET", `/api/v1/tenants/${club.tenantId}/provision-status`, { token: h.token() }));

      await h.sql("update tenants set status = 'active' where id = ?", club.tenantId);
      assertWorks(await brand(club.jwt));
      assertWorks(await redeem(link));
    });
  }
});

test("the sweep removes what expired, and only that", async () => {
  const { tenantId } = await h.signup();
  const now = seconds();
  const ends = { expired: now - 1, live: now + 3600 };
  for (const [name, end] of Object.entries(ends)) {
    await h.sql("insert into revoked_tokens (jti, revoked_at, expires_at) values (?, 0, ?)", `sweep ${name}`, end);
    await h.sql("insert into magic_links (id, tenant_id, created_at, expires_at) values (?, ?, 0, ?)", `sweep ${name}`, tenantId, end);
    await h.sql(
      "insert into idempotency_keys (id, operation, fingerprint, status, created_at, expires_at) values (?, 'x', 'x', 'completed', 0, ?)",
      `sweep ${name}`,
      end,
    );
  }
  h.clearLogs();
  await h.sweep();
  for (const [table, key] of [
    ["revoked_tokens", "jti"],
    ["magic_links", "id"],
    ["idempotency_keys", "id"],
  ]) {
    const left = await h.sql(`select ${key} as name from ${table} where ${key} like 'sweep %'`);
    assert.deepEqual(left, [{ name: "sweep live" }], table);
  }
  const line = await until(() => h.logs().find(({ msg }) => msg === "sweep"));
  assert.deepEqual([line.level, line.pruned, line.error], ["info", 3, undefined]);
});

describe("asking for a link", () => {
  test("is answered alike, whoever asks for whom", async () => {
    const [club, other, stopped] = [await h.signup(), await h.signup(), await h.signup()];
    await h.sql("update tenants set status = 'suspended' where id = ?", stopped.tenantId);
    const answers = [];
    for (const body of [
      { email: club.email },
      { email: `nobody-${randomUUID()}@example.org` },
      { email: club.email, tenantId: other.tenantId },
      { email: other.email, tenantId: other.tenantId },
      { email: stopped.email },
    ]) {
      const { status, body: text, headers } = await startLink(body);
      const seen = [...headers].filter(([name]) => !["x-request-id", "date", "connection", "keep-alive"].includes(name));
      answers.push({ status, text, seen });
    }
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
    assert.deepEqual([answers[0].status, answers[0].text], [202, { success: true }]);
    await until(async () => (await h.mails(other.email)).length === 1);
    assert.deepEqual(await Promise.all([club, other, stopped].map(async ({ email }) => (await h.mails(email)).length)), [1, 1, 0]);
  });

  test("gets one mail in five minutes, however often and in whatever case it is asked", async () => {
    const club = await h.signup();
    const ask = (email) => startLink({ email });
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => ask(n % 2 ? club.email : club.email.toUpperCase())));
    assert.ok(answers.every(({ status }) => status === 202));
    await until(async () => (await h.mails(club.email)).length > 0);
    await h.sql("update tenants set link_mailed_at = link_mailed_at - ? where id = ?", MAIL_PAUSE_SECONDS - 30, club.tenantId);
    await ask(club.email);
    assert.deepEqual(await h.sql("select count(*) as links from magic_links where tenant_id = ?", club.tenantId), [{ links: 1 }]);
    await h.sql("update tenants set link_mailed_at = link_mailed_at - 31 where id = ?", club.tenantId);
    await ask(club.email);
    await until(async () => (await h.mails(club.email)).length === 2);
    const [first, second] = await h.mails(club.email);
    assert.notEqual(first.linkToken, second.linkToken);
  });

  test("takes an address, and no nonsense", async () => {
    for (const body of [{}, { email: "" }, { email: "ann" }, { email: 7 }, { email: "ann@example.org", tenantId: "x" }]) {
      assertIs(await startLink(body), 400, "VALIDATION");
    }
  });
});

describe("a mailed link", () => {
  test("signs in once, whoever comes first of twenty", async () => {
    const club = await h.signup();
    const link = await mailedLink(club);
    const answers = await Promise.all(Array.from({ length: 20 }, () => redeem(link)));
    const [won, ...more] = answers.filter(({ status }) => status === 200);
    assert.equal(more.length, 0);
    for (const lost of answers.filter((answer) => answer !== won)) assertRefused(lost);
    assert.equal(won.body.tenantId, club.tenantId);
    assert.match(won.headers.get("cache-control"), /\bno-store\b/);
    const { aud, roles, tenantId, iat, exp, jti, sub } = claims(won.body.jwt);
    assert.deepEqual(
      { aud, roles, tenantId, life: exp - iat },
      { aud: "syston-mobile", roles: ["tenant_admin", "owner"], tenantId: club.tenantId, life: 7 * 86_400 },
    );
    assert.equal(sub, claims(club.jwt).sub);
    assert.ok(jti && jti !== claims(club.jwt).jti);
  });

  test("never gives an operator's rights, whatever it says", async () => {
    const club = await h.signup();
    const { jti } = claims(await mailedLink(club));
    // Only we can sign this; were it ever signed wrongly, its words still count for nothing.
    const claimed = { aud: "magic-link", roles: ["admin", "service"], role: "admin", tenantId: club.tenantId, jti };
    const { body } = await redeem(h.token(claimed));
    assert.deepEqual(claims(body.jwt).roles, ["tenant_admin", "owner"]);
    assertIs(await revoke({ all: true }, body.jwt), 403, "FORBIDDEN", 'unexpected "aud" claim value');
  });

  test("of another club, of no club, expired or unknown opens nothing", async () => {
    const [club, other] = [await h.signup(), await h.signup()];
    const link = await mailedLink(club);
    const { jti } = claims(link);
    const own = { aud: "magic-link", roles: undefined, tenantId: club.tenantId, jti };
    for (const wrong of [
      { jti: randomUUID() },
      { jti: undefined },
      { tenantId: undefined },
      { iat: seconds() - 90_000, exp: seconds() - 3600 },
      { ttl: 25 * 3600 },
      { iat: undefined, exp: seconds() + 60 },
      { aud: "syston-mobile", roles: ["tenant_admin"] },
      { aud: "syston-admin", roles: ["admin"] },
      { aud: "internal", roles: ["service"] },
    ]) {
      assertRefused(await redeem(h.token({ ...own, ...wrong })));
    }
    assertRefused(await redeem(token({ ...own }, "another key, just as long as it has to be")));
    for (const text of ["", 7, null, undefined, {}]) assertIs(await redeem(text), 400, "VALIDATION");
    for (const text of [" ", "a.b.c", `${link}=`, ` ${link}`, "x".repeat(9000), club.jwt]) assertRefused(await redeem(text));
    assertWorks(await redeem(link));

    const foreign = claims(await mailedLink(other)).jti;
    assertRefused(await redeem(h.token({ ...own, jti: foreign })));
    const stale = await mailedLink(club);
    await h.sql("update magic_links set expires_at = ? where tenant_id = ?", seconds(), club.tenantId);
    assertRefused(await redeem(stale));
  });

  test("is no token for anything else", async () => {
    const club = await h.signup();
    const link = await mailedLink(club);
    const before = await h.dump();
    const path = `/api/v1/tenants/${club.tenantId}`;
    for (const [method, route, body] of [
      ["GET", "/whoami"],
      ["GET", "/api/v1/admin/whoami"],
      ["GET", `${path}/provision-status`],
      ["POST", `${path}/provision/retry`],
      ["POST", `${path}/webhook/test`, makeWebhook()],
      ["POST", "/public/signup/brand", BRAND],
      ["POST", "/public/signup/starter/make", makeWebhook()],
      ["POST", "/public/signup/pro/confirm"],
      ["POST", "/auth/logout"],
      ["POST", "/internal/provision/queue", { tenantId: club.tenantId }],
      ["POST", REVOKE, { all: true, reason: "none" }],
    ]) {
      assertIs(await h.api(method, route, { token: link, body }), 403, "FORBIDDEN", 'unexpected "aud" claim value');
    }
    assert.deepEqual(await h.dump(), before);
    assertWorks(await redeem(link));
  });

  test("outlives mail scanners: opening its page spends nothing", async () => {
    const club = await h.signup();
    const link = await mailedLink(club);
    for (const path of ["/magic/", `/magic/?token=${link}`, `/auth/magic/verify?token=${link}`]) {
      for (const method of ["HEAD", "GET", "OPTIONS"]) {
        const response = await fetch(new URL(path, h.url), { method, headers: { "user-agent": "a mail scanner" } });
        assert.ok(response.status < 500, `${method} ${path}: ${response.status}`);
      }
    }
    assert.equal((await h.api("GET", "/auth/magic/verify")).headers.get("allow"), "POST");
    assertWorks(await redeem(link));
  });

  test("is stored as a hash", async () => {
    const club = await h.signup();
    const link = await mailedLink(club);
    const before = JSON.stringify(await h.dump());
    const spent = await redeem(link);
    const stored = before + JSON.stringify(await h.dump());
    for (const secret of [link, link.split(".")[2], claims(link).jti, spent.body.jwt, claims(spent.body.jwt).jti]) {
      assert.ok(!stored.includes(secret), "a link in clear");
    }
  });
});

// Last, for it ends every token that the tests above hold.
describe("an operator revokes everything", () => {
  test("and it ends for all, the operator included", async () => {
    const [club, operator] = [await h.signup(), h.token({ sub: "ann@operators" })];
    const others = [tokenOf(club), h.token(), h.token({ aud: "internal", roles: ["service"] })];
    const link = await mailedLink(club);
    const done = await revoke({ all: true }, operator);
    assert.deepEqual([done.status, done.body], [200, { success: true, data: { scope: "all" } }]);
    for (const jwt of [club.jwt, operator, ...others]) assertRevoked(await whoami(jwt));
    assertRevoked(await brand(club.jwt));
    assertRefused(await redeem(link));
    const rows = await h.sql("select actor, subject from audit_log where subject = 'all'");
    assert.deepEqual(rows, [{ actor: "ann@operators", subject: "all" }]);
    assertWorks(await whoami(h.token({ iat: seconds() + 1 })));
  });

  test("what is issued later works, in the same second, too: a mailed link", async () => {
    const club = await h.signup();
    const answer = await withinOneSecond(async () => {
      assertWorks(await revoke({ all: true }, h.token({ iat: seconds() + 2 })));
      return redeem(await mailedLink(club));
    });
    assertWorks(answer);
    assertWorks(await whoami(answer.body.jwt));
  });

  test("what is issued later works, in the same second, too: a signup's token", async () => {
    const form = clubForm();
    const options = { headers: { "idempotency-key": randomUUID() } };
    const [club, again] = await withinOneSecond(async () => {
      assertWorks(await revoke({ all: true }, h.token({ iat: seconds() + 2 })));
      return [await h.signup(clubForm()), await h.signup(form, options)];
    });
    assertWorks(await whoami(club.jwt));
    const replayed = await h.signup(form, options);
    for (const { jwt } of [again, replayed]) assertWorks(await whoami(jwt));
  });
});
