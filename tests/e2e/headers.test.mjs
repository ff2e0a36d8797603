// The headers of every answer: who may read it, what a browser may do with it, how long it is kept. Also the limits of incoming headers.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, describe, test } from "node:test";
import { tenantForm, startHarness, token, until } from "./harness.mjs";

const EXACT = "https://app.example.com";
const BY_PATTERN = "https://a.b.clubs.example";
const h = await startHarness({ vars: { CORS_ALLOWED: `${EXACT},https://*.clubs.example` } });
after(() => h.close());

const seconds = () => Math.floor(Date.now() / 1000);
const whoami = (jwt) => h.api("GET", "/whoami", { token: jwt });

describe("across origins", () => {
  const ask = (path, { origin, method = "GET", headers = {}, body }) =>
    fetch(new URL(path, h.url), { method, body, headers: { ...(origin && { origin }), ...headers } });
  const json = { "content-type": "application/json" };
  const answers = {
    "an answer": ["/public/signup/availability?slug=free-club", {}, 200],
    "a health check": ["/health", {}, 200],
    "a missing token": ["/whoami", {}, 401],
    "a broken token": ["/whoami", { headers: { authorization: "Bearer x" } }, 401],
    "a missing route": ["/api/v1/nothing", {}, 404],
    "a wrong method": ["/public/signup/start", { method: "DELETE" }, 405],
    "a wrong type": ["/public/signup/start", { method: "POST", body: "x" }, 415],
    "broken JSON": ["/public/signup/start", { method: "POST", body: "{", headers: json }, 400],
    "too large a body": ["/public/signup/start", { method: "POST", body: `"${"x".repeat(17_000)}"`, headers: json }, 413],
  };
  for (const [name, [path, init, status]] of Object.entries(answers)) {
    test(`${name} may be read by whom the configuration names, and by nobody else`, async () => {
      for (const origin of [EXACT, BY_PATTERN]) {
        const { headers, status: seen } = await ask(path, { ...init, origin });
        assert.deepEqual([seen, headers.get("access-control-allow-origin")], [status, origin]);
        assert.match(headers.get("access-control-expose-headers"), /X-Request-Id.*Retry-After/i);
      }
      for (const origin of [
        undefined,
        "null",
        "https://evil.example",
        "http://app.example.com",
        "https://clubs.example",
        `${EXACT}.evil.example`,
      ]) {
        const { headers, status: seen } = await ask(path, { ...init, origin });
        assert.deepEqual([seen, headers.get("access-control-allow-origin")], [status, null], origin);
        assert.match(headers.get("vary"), /\bOrigin\b/i);
        assert.equal(headers.get("access-control-allow-credentials"), null);
      }
    });
  }

  test("a preflight says what may be sent", async () => {
    const headers = {
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type,idempotency-key",
    };
    for (const path of ["/public/signup/start", "/whoami", "/api/v1/admin/tokens/revoke"]) {
      const allowed = await ask(path, { method: "OPTIONS", origin: BY_PATTERN, headers });
      assert.deepEqual([allowed.status, await allowed.text()], [204, ""]);
      assert.equal(allowed.headers.get("access-control-allow-origin"), BY_PATTERN);
      assert.match(allowed.headers.get("access-control-allow-methods"), /\bPOST\b/);
      for (const name of ["Authorization", "Content-Type", "Idempotency-Key"]) {
        assert.ok(allowed.headers.get("access-control-allow-headers").includes(name), name);
      }
      assert.ok(Number(allowed.headers.get("access-control-max-age")) > 0);

      const refused = await ask(path, { method: "OPTIONS", origin: "https://evil.example", headers });
      assert.equal(refused.headers.get("access-control-allow-origin"), null);
      assert.equal(refused.headers.get("access-control-allow-methods"), null);
    }
  });
});

describe("every answer", () => {
  const assertSecure = (headers, what) => {
    assert.match(headers.get("strict-transport-security") ?? "", /^max-age=\d{8,}/, what);
    assert.equal(headers.get("x-content-type-options"), "nosniff", what);
    assert.equal(headers.get("x-frame-options"), "DENY", what);
    assert.equal(headers.get("referrer-policy"), "no-referrer", what);
    // By this a deployment knows its own addresses.
    assert.equal(headers.get("x-served-by"), "tenantry", what);
    const policy = headers.get("content-security-policy") ?? "";
    assert.match(policy, /default-src 'none'/, what);
    assert.match(policy, /frame-ancestors 'none'/, what);
    assert.doesNotMatch(policy, /unsafe|\*/, what);
  };

  test("of the API has the security headers, an id, and is not kept", async () => {
    for (const [method, path, options] of [
      ["GET", "/health"],
      ["GET", "/health/ready"],
      ["GET", "/whoami"],
      ["GET", "/whoami", { token: h.token() }],
      ["GET", "/nothing/here"],
      ["GET", "/api/v1/nothing"],
      ["GET", "/js/nothing.js"],
      ["GET", "/magic/nothing"],
      ["DELETE", "/whoami"],
      ["POST", "/public/signup/start", { body: {} }],
    ]) {
      const { headers } = await h.api(method, path, options);
      const what = `${method} ${path}`;
      assertSecure(headers, what);
      assert.match(headers.get("x-request-id"), /^req_[0-9a-z]{26,32}$/, what);
      assert.match(headers.get("content-type"), /^application\/json\b/, what);
      assert.match(headers.get("cache-control"), /\bno-store\b/, what);
    }
  });

  test("has the same HSTS value, without preload", async () => {
    for (const path of ["/health", "/", "/favicon.svg", "/nothing", "/robots.txt", "/signup"]) {
      const { headers } = await fetch(new URL(path, h.url), { redirect: "manual" });
      assert.equal(headers.get("strict-transport-security"), "max-age=63072000; includeSubDomains", path);
    }
  });

  test("at a well-known address, and where nothing is, is for whoever asks", async () => {
    const get = (path, headers = {}) => fetch(new URL(path, h.url), { redirect: "manual", headers });
    assert.match(await (await get("/robots.txt")).text(), /^User-agent: \*\nDisallow: \/\n$/);
    assert.match(await (await get("/.well-known/security.txt")).text(), /^Contact: mailto:\S+@\S+\nExpires: \d{4}-/);
    for (const path of ["/signup?promo=A", "/onboarding/?promo=A"]) {
      const { status, headers } = await get(path);
      assert.deepEqual([status, headers.get("location")], [302, "/?promo=A"], path);
    }
    const person = await get("/nothing", { accept: "text/html", "accept-language": "de-AT,en;q=0.5" });
    assert.deepEqual([person.status, person.headers.get("content-type")], [404, "text/html; charset=utf-8"]);
    assert.match(await person.text(), /<html lang="de">/);
    const program = await get("/nothing", { accept: "application/json" });
    assert.equal((await program.json()).error.code, "NOT_FOUND");
  });

  test("to a method that nobody knows is a refusal, never what a GET would get", async () => {
    for (const method of ["QUERY", "PROPFIND"]) {
      for (const path of ["/health", "/api/v1/admin/stats"]) {
        const { status, headers, body } = await h.api(method, path, { token: h.token() });
        assert.deepEqual([status, body.error.code, headers.get("allow")], [405, "METHOD_NOT_ALLOWED", "GET,HEAD"], `${method} ${path}`);
      }
    }
  });

  test("that is a file has the security headers, too", async () => {
    for (const [path, type] of [
      ["/", "text/html"],
      ["/magic/", "text/html"],
      ["/proof/", "text/html"],
      ["/js/app.js", "text/javascript"],
      ["/css/page.css", "text/css"],
      ["/favicon.svg", "image/svg+xml"],
      ["/docs/", "text/html"],
      ["/docs/docs.js", "text/javascript"],
      ["/openapi.json", "application/json"],
      ["/openapi-3.0.json", "application/json"],
    ]) {
      const { status, headers } = await h.api("GET", path);
      assert.equal(status, 200, path);
      assert.ok(headers.get("content-type").startsWith(type), path);
      assertSecure(headers, path);
      const again = await h.api("GET", path, { headers: { "if-none-match": headers.get("etag") } });
      assert.equal(again.status, 304, path);
    }
  });

  test("that leads to a file's own address has them, too", async () => {
    for (const [path, location] of [
      ["/magic", "/magic/"],
      ["/index.html", "/"],
    ]) {
      const { status, headers } = await h.api("GET", path);
      assert.deepEqual([status, headers.get("location")], [307, location]);
      assertSecure(headers, path);
    }
  });

  test("that holds a token is never kept", async () => {
    const body = tenantForm();
    const headers = { "idempotency-key": randomUUID() };
    const first = await h.api("POST", "/public/signup/start", { body, headers });
    const again = await h.api("POST", "/public/signup/start", { body, headers });
    const { code } = await h.proofMail(body.email);
    const proven = await h.api("POST", "/auth/proof", { token: first.body.jwt, body: { code } });
    await h.api("POST", "/auth/magic/start", { body: { email: body.email } });
    const [{ linkToken }] = await until(async () => (await h.mails(body.email)).length > 0 && h.mails(body.email));
    const redeemed = await h.api("POST", "/auth/magic/verify", { body: { token: linkToken } });
    for (const answer of [first, again, proven, redeemed]) {
      assert.ok(answer.body.jwt);
      assert.equal(answer.headers.get("cache-control"), "no-store");
    }
  });

  test("to who is not known says how to sign in, as RFC 6750 has it", async () => {
    const challenge = async (headers) => {
      const { status, body, headers: answered } = await h.api("GET", "/whoami", { headers });
      return [status, body.error?.code, answered.get("www-authenticate")];
    };
    const absent = [401, "UNAUTHORIZED", 'Bearer realm="tenantry"'];
    const invalid = [401, "INVALID_TOKEN", 'Bearer realm="tenantry", error="invalid_token"'];
    assert.deepEqual(await challenge({}), absent);
    const expired = h.token({ iat: seconds() - 7200, exp: seconds() - 3600 });
    const foreign = token({}, "another key, just as long as it has to be");
    for (const text of ["Bearer x", "Bearer", "Bearer a b", "Basic YTpi", expired, `Bearer ${expired}`, `Bearer ${foreign}`]) {
      assert.deepEqual(await challenge({ authorization: text }), invalid, text);
    }
    assert.equal((await challenge({ authorization: `bearer ${h.token()}` }))[0], 200);
    assert.equal((await h.api("GET", "/health")).headers.get("www-authenticate"), null);
  });

  test("comes within bounds: tokens of 8 KiB, keys of 255 characters", async () => {
    const sized = (length) => {
      // Three more characters of a claim are four more of a token.
      for (let filler = Math.floor((length * 3) / 4) - 400; ; filler += 1) {
        const jwt = h.token({ sub: "x".repeat(filler) });
        if (jwt.length >= length) return jwt;
      }
    };
    const [longest, tooLong] = [sized(8190), sized(8193)];
    assert.ok(longest.length <= 8192 && tooLong.length > 8192, `${longest.length} ${tooLong.length}`);
    assert.equal((await whoami(longest)).status, 200);
    for (const jwt of [tooLong, "x".repeat(12_000)]) {
      const { status, body } = await whoami(jwt);
      assert.deepEqual([status, body.error?.code], [401, "INVALID_TOKEN"]);
    }

    const before = await h.dump();
    for (const key of ["", "x".repeat(256), "x".repeat(4000), "n\u00f6"]) {
      const answer = await h.api("POST", "/public/signup/start", { body: tenantForm(), headers: { "idempotency-key": key } });
      assert.deepEqual([answer.status, answer.body.error?.code], [400, "VALIDATION"]);
      assert.deepEqual(
        answer.body.error.issues.map(({ path }) => path),
        [["Idempotency-Key"]],
      );
    }
    assert.deepEqual(await h.dump(), before);
    const headers = { "idempotency-key": "x".repeat(255) };
    assert.equal((await h.api("POST", "/public/signup/start", { body: tenantForm(), headers })).status, 200);
  });
});
