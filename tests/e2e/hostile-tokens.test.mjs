// Tokens made by people who would like to be somebody: none opens anything, and none is an error of ours.
import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, randomUUID } from "node:crypto";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { SignJWT, UnsecuredJWT, exportJWK } from "jose";
import { startHarness } from "./harness.mjs";

const h = await startHarness();
after(() => h.close());

const SECRET = h.secrets.JWT_SECRET;
const key = new TextEncoder().encode(SECRET);
const now = () => Math.floor(Date.now() / 1000);
const base64url = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

let tenant;
before(async () => {
  tenant = await h.signup();
});

/** What the tenant's own token says. */
const claims = (changes = {}) => ({
  iss: "syston.app",
  aud: "syston-mobile",
  sub: "user_hostile",
  roles: ["tenant_admin", "owner"],
  tenantId: tenant.tenantId,
  jti: randomUUID(),
  iat: now(),
  exp: now() + 600,
  ...changes,
});

/** Signs any two texts, whether or not they are JSON. */
function signedText(header, payload, secret = SECRET, digest = "sha256") {
  const signed = `${base64url(header)}.${base64url(payload)}`;
  return `${signed}.${createHmac(digest, secret).update(signed).digest("base64url")}`;
}

const HS256 = { alg: "HS256", typ: "JWT" };
const signed = (header = {}, changes = {}) => signedText({ ...HS256, ...header }, claims(changes));
const whoami = (token) => h.api("GET", "/whoami", { token });

async function assertRefused(token, what) {
  const { status, body, headers } = await whoami(token);
  assert.equal(status, 401, `${what}: ${JSON.stringify(body)}`);
  assert.equal(body.success, false, what);
  assert.equal(body.error.code, "INVALID_TOKEN", what);
  assert.match(headers.get("www-authenticate"), /^Bearer .*error="invalid_token"/, what);
  assert.ok(!("reason" in body.error) || body.error.reason === null, `${what}: which check refused it is nobody's business`);
}

/** `cases` by name: a token, or what makes one. */
function refuses(name, cases) {
  test(name, async () => {
    for (const [what, token] of Object.entries(await cases())) await assertRefused(token, what);
  });
}

test("a token made by jose, and one made by hand, as ours are, opens", async () => {
  const byJose = await new SignJWT(claims()).setProtectedHeader(HS256).sign(key);
  for (const token of [byJose, signed(), tenant.jwt]) {
    const { status, body } = await whoami(token);
    assert.deepEqual([status, body.data?.tenantId], [200, tenant.tenantId]);
  }
});

describe("refused is a token", () => {
  refuses("without a signature, whatever it calls that", async () => {
    const unsecured = new UnsecuredJWT(claims()).encode();
    const unsigned = (alg, signature = "") => `${base64url({ alg, typ: "JWT" })}.${base64url(claims())}.${signature}`;
    const cases = { "jose's unsecured": unsecured };
    for (const alg of ["none", "None", "NONE", "nOnE", "", null, 0, [], ["HS256"], { HS256: true }]) {
      cases[`alg ${JSON.stringify(alg)}`] = unsigned(alg);
      cases[`alg ${JSON.stringify(alg)} signed with HS256`] = signed({ alg });
    }
    cases["no alg"] = signedText({ typ: "JWT" }, claims());
    cases["no alg, no signature"] = `${base64url({ typ: "JWT" })}.${base64url(claims())}.`;
    return cases;
  });

  refuses("of another algorithm", async () => {
    const cases = {
      "HS384 with our secret": await new SignJWT(claims()).setProtectedHeader({ alg: "HS384" }).sign(key),
      "HS512 with our secret": await new SignJWT(claims()).setProtectedHeader({ alg: "HS512" }).sign(key),
      "HS512's signature, called HS256": signedText(HS256, claims(), SECRET, "sha512"),
      "lower case": signed({ alg: "hs256" }),
      "with a space": signed({ alg: "HS256 " }),
      "RS256 with our secret as a HMAC key": signed({ alg: "RS256" }),
      "ES256 with our secret as a HMAC key": signed({ alg: "ES256" }),
    };
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const ed = generateKeyPairSync("ed25519");
    for (const [alg, { privateKey, publicKey }] of Object.entries({ RS256: rsa, PS256: rsa, ES256: ec, EdDSA: ed })) {
      const jwk = await exportJWK(publicKey);
      cases[alg] = await new SignJWT(claims()).setProtectedHeader({ alg }).sign(privateKey);
      cases[`${alg} that brings its key`] = await new SignJWT(claims()).setProtectedHeader({ alg, jwk }).sign(privateKey);
    }
    const pem = rsa.publicKey.export({ type: "spki", format: "pem" });
    cases["HS256 under a public key"] = signedText(HS256, claims(), pem);
    return cases;
  });

  refuses("under a key that is not ours", async () => {
    const oct = { kty: "oct", k: base64url("a key of my own that is long enough") };
    const own = (header) => signedText({ ...HS256, ...header }, claims(), "a key of my own that is long enough");
    return {
      "another secret": own({}),
      "an empty secret": signedText(HS256, claims(), ""),
      "our secret, decoded from base64": signedText(HS256, claims(), Buffer.from(SECRET, "base64")),
      "our secret with a line feed": signedText(HS256, claims(), `${SECRET}\n`),
      "a jwk in the header": own({ jwk: oct }),
      "a jku in the header": own({ jku: "https://keys.example/jwks.json" }),
      "an x5u in the header": own({ x5u: "https://keys.example/chain.pem" }),
      "an x5c in the header": own({ x5c: ["MIIB"] }),
      ...Object.fromEntries(
        ["../../../../dev/null", "/dev/null", "x' union select 'a key of my own that is long enough", "", "\u0000", "k".repeat(2000)].map(
          (kid) => [`kid ${JSON.stringify(kid.slice(0, 30))}`, own({ kid })],
        ),
      ),
    };
  });

  refuses("that was changed after it was signed", async () => {
    const [header, payload, signature] = tenant.jwt.split(".");
    const lifted = base64url({ ...JSON.parse(Buffer.from(payload, "base64url")), aud: "syston-admin", roles: ["admin"] });
    const flipped = `${signature[0] === "A" ? "B" : "A"}${signature.slice(1)}`;
    return {
      "other claims": `${header}.${lifted}.${signature}`,
      "another header": `${base64url({ alg: "HS256", typ: "at+jwt" })}.${payload}.${signature}`,
      "a bit of the signature": `${header}.${payload}.${flipped}`,
      "no signature": `${header}.${payload}.`,
      "no third part": `${header}.${payload}`,
      "half a signature": `${header}.${payload}.${signature.slice(0, 21)}`,
      "a byte less": `${header}.${payload}.${signature.slice(0, -2)}`,
      "a byte more": `${header}.${payload}.${signature}AA`,
      "the signature twice": `${header}.${payload}.${signature}.${signature}`,
      "parts swapped": `${payload}.${header}.${signature}`,
      "an empty header": `.${payload}.${signature}`,
      "an empty payload": `${header}..${signature}`,
      dots: "..",
      nothing: ".",
      "a JWE's five parts": `${header}.${payload}.${signature}.a.b`,
    };
  });

  refuses("that is spelt in another way", async () => {
    const [header, payload, signature] = tenant.jwt.split(".");
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    // The last character of 32 bytes holds two bits that mean nothing: four spellings of one signature.
    const stray = [1, 2, 3].map((bits) => signature.slice(0, -1) + alphabet[alphabet.indexOf(signature.at(-1)) ^ bits]);
    const cases = Object.fromEntries(stray.map((one, index) => [`stray bits ${index + 1}`, `${header}.${payload}.${one}`]));
    return {
      ...cases,
      padding: `${tenant.jwt}=`,
      "padding in between": `${header}=.${payload}=.${signature}=`,
      "base64 instead of base64url": signed({ kid: "???>>>" }).replace(/[-_]/g, (char) => (char === "-" ? "+" : "/")) + "+/",
      "percent encoding": tenant.jwt.replaceAll(".", "%2E"),
      "a space inside": `${header}. ${payload}.${signature}`,
      "a tab inside": `${header}.\t${payload}.${signature}`,
      "a second token": `${tenant.jwt} ${tenant.jwt}`,
      "a list of tokens": `${tenant.jwt}, ${tenant.jwt}`,
      quotes: `"${tenant.jwt}"`,
      "an invisible character": `${tenant.jwt}\u00ad`,
      "not base64url at all": "ä.ö.ü",
    };
  });

  refuses("that demands what is not understood", async () => ({
    "crit b64": signed({ crit: ["b64"], b64: true }),
    "crit of a claim": signed({ crit: ["exp"], exp: now() + 600 }),
    "an empty crit": signed({ crit: [] }),
    "crit null": signed({ crit: null, b64: false }),
    "crit that is a text": signed({ crit: "b64" }),
  }));

  refuses("that is not in time", async () => ({
    expired: signed({}, { exp: now() - 301 }),
    "expired long ago": signed({}, { exp: 1 }),
    "exp 0": signed({}, { exp: 0 }),
    "exp negative": signed({}, { exp: -1 }),
    "exp very negative": signed({}, { exp: -9_007_199_254_740_991 }),
    "no exp": signed({}, { exp: undefined }),
    "exp null": signed({}, { exp: null }),
    "exp a text": signed({}, { exp: String(now() + 600) }),
    "exp in exponents": signedText(HS256, JSON.stringify(claims()).replace(/"exp":\d+/, '"exp":1e300')),
    "exp infinite": signedText(HS256, JSON.stringify(claims()).replace(/"exp":\d+/, '"exp":Infinity')),
    "exp beyond 64 bits": signedText(HS256, JSON.stringify(claims()).replace(/"exp":\d+/, '"exp":18446744073709551616')),
    "exp the largest of 64 bits": signedText(HS256, JSON.stringify(claims()).replace(/"exp":\d+/, '"exp":9223372036854775807')),
    "exp the smallest of 64 bits": signedText(HS256, JSON.stringify(claims()).replace(/"exp":\d+/, '"exp":-9223372036854775808')),
    "exp a list": signed({}, { exp: [now() + 600] }),
    "exp an object": signed({}, { exp: { $gt: 0 } }),
    "exp true": signed({}, { exp: true }),
    "issued in the future": signed({}, { iat: now() + 600, exp: now() + 1200 }),
    "iat a text": signed({}, { iat: "now" }),
    "iat the largest of 64 bits": signedText(HS256, JSON.stringify(claims()).replace(/"iat":\d+/, '"iat":9223372036854775807')),
    "not yet valid": signed({}, { nbf: now() + 600 }),
    "nbf a text": signed({}, { nbf: "0" }),
  }));

  refuses("of another issuer, or for something that is nobody", async () => ({
    "another issuer": signed({}, { iss: "evil.example" }),
    "no issuer": signed({}, { iss: undefined }),
    "issuer null": signed({}, { iss: null }),
    "issuer a list": signed({}, { iss: ["syston.app"] }),
    "issuer with a line feed": signed({}, { iss: "syston.app\n" }),
    "an audience object": signed({}, { aud: { 0: "syston-mobile" } }),
    "roles a number": signed({}, { roles: 1 }),
    "roles of objects": signed({}, { roles: [{ admin: true }] }),
    "a tenant that is no id": signed({}, { tenantId: "tenant_x' or '1'='1" }),
    "a tenant of NULs": signed({}, { tenantId: "tenant_\u0000" }),
    "a tenant that is an object": signed({}, { tenantId: { $ne: null } }),
    "a tenant that is very long": signed({}, { tenantId: `tenant_${"a".repeat(1000)}` }),
    "a service's that lives too long": signed({}, { aud: "internal", roles: ["service"], exp: now() + 301 }),
    "a service's of unknown age": signed({}, { aud: "internal", roles: ["service"], iat: undefined }),
    "an operator's that lives too long": signed({}, { aud: "syston-admin", roles: ["admin"], exp: now() + 8 * 86_400 }),
    "an operator's of unknown age": signed({}, { aud: "syston-admin", roles: ["admin"], iat: undefined }),
    "an operator's that was issued before time began": signedText(
      HS256,
      JSON.stringify(claims({ aud: "syston-admin", roles: ["admin"] })).replace(/"iat":\d+/, '"iat":-9223372036854775808'),
    ),
  }));

  refuses("whose JSON says two things, or is none", async () => {
    const twice = (name, first, second) => {
      const rest = claims({ [name]: undefined });
      return signedText(
        HS256,
        `{"${name}":${JSON.stringify(first)},${JSON.stringify(rest).slice(1, -1)},"${name}":${JSON.stringify(second)}}`,
      );
    };
    const deep = (levels, open, close, inner) => open.repeat(levels) + inner + close.repeat(levels);
    return {
      "exp twice": twice("exp", now() - 9999, now() + 600),
      "aud twice": twice("aud", "syston-mobile", "syston-admin"),
      "roles twice": twice("roles", ["owner"], ["admin"]),
      "iss twice": twice("iss", "evil.example", "syston.app"),
      "two names for the tenant": signed({}, { tenant_id: "tenant_other" }),
      "three names for the tenant": signed({}, { tenant_id: tenant.tenantId, tenant: tenant.tenantId }),
      "alg twice": signedText('{"alg":"none","typ":"JWT","alg":"HS256"}', claims()),
      "deep lists": signedText(HS256, JSON.stringify(claims()).slice(0, -1) + `,"x":${deep(1200, "[", "]", "")}}`),
      "deep objects": signedText(HS256, JSON.stringify(claims()).slice(0, -1) + `,"x":${deep(800, '{"a":', "}", "1")}}`),
      "a deep header": signedText(`{"alg":"HS256","x":${deep(1200, "[", "]", "")}}`, claims()),
      "a list of claims": signedText(HS256, JSON.stringify([claims()])),
      "a text": signedText(HS256, JSON.stringify("claims")),
      null: signedText(HS256, "null"),
      "an empty payload": signedText(HS256, ""),
      "JSON that breaks off": signedText(HS256, JSON.stringify(claims()).slice(0, -1)),
      "JSON and more": signedText(HS256, `${JSON.stringify(claims())}{}`),
      "a byte order mark": signedText(HS256, `\ufeff${JSON.stringify(claims())}`),
      "half a surrogate": signedText(HS256, JSON.stringify(claims()).replace("user_hostile", "\\ud800")),
      "bytes that are no UTF-8": (() => {
        const body = Buffer.concat([
          Buffer.from('{"sub":"'),
          Buffer.from([0xff, 0xfe]),
          Buffer.from(`",${JSON.stringify(claims({ sub: undefined })).slice(1)}`),
        ]);
        const text = `${base64url(HS256)}.${body.toString("base64url")}`;
        return `${text}.${createHmac("sha256", SECRET).update(text).digest("base64url")}`;
      })(),
      "a header that is no JSON": signedText("HS256", claims()),
      "a prototype": signedText(HS256, `{"__proto__":{"roles":["admin"]},"constructor":1}`),
    };
  });

  refuses("that is too long, though it is signed", async () => ({
    "9 KiB": signed({}, { padding: "x".repeat(9 * 1024 * 0.75) }),
    "64 KiB": signed({}, { padding: "x".repeat(48 * 1024) }),
    "64 KiB of dots": ".".repeat(64 * 1024),
  }));
});

test("a token whose times have fractions, or whose audience is a list, is read", async () => {
  const fraction = (name, seconds) => signedText(HS256, JSON.stringify(claims()).replace(new RegExp(`"${name}":\\d+`), `"${name}":${seconds}.5`));
  for (const token of [fraction("exp", now() + 600), fraction("iat", now() - 1), signed({}, { aud: ["syston-mobile"] })]) {
    assert.equal((await whoami(token)).status, 200, token);
  }
  const { status, body } = await whoami(signed({}, { aud: ["internal", "syston-admin", "syston-mobile"] }));
  assert.deepEqual([status, body.error.code], [403, "FORBIDDEN"], "a list of several of ours is for nobody");
});

test("a token of just under 8 KiB is read", async () => {
  const token = signed({}, { padding: "x".repeat(5500) });
  assert.ok(token.length > 7500 && token.length <= 8192);
  assert.equal((await whoami(token)).status, 200);
});

test("a tenant's token without a role or a tenant, or a link's token, opens no route of its own", async () => {
  for (const [what, changes] of Object.entries({
    "no roles": { roles: [] },
    "another role": { roles: ["admin"] },
    "no tenant": { tenantId: undefined },
    "another tenant": { tenantId: "tenant_other" },
    "a link's audience": { aud: "magic-link" },
    "a foreign audience": { aud: "other-app" },
    "an empty audience": { aud: "" },
  })) {
    const { status, body } = await h.status({ ...tenant, jwt: signed({}, changes) });
    assert.deepEqual([status, body.error.code], [403, "FORBIDDEN"], what);
  }
});

describe("the header around it", () => {
  test("may say bearer in any case, and nothing else", async () => {
    const ask = (authorization) => h.api("GET", "/whoami", { headers: { authorization } });
    for (const scheme of ["Bearer", "bearer", "BEARER", "Bearer "]) assert.equal((await ask(`${scheme} ${tenant.jwt}`)).status, 200);
    for (const value of [
      tenant.jwt,
      `Basic ${tenant.jwt}`,
      `Bearer${tenant.jwt}`,
      "Bearer",
      `Bearer:${tenant.jwt}`,
      `Token ${tenant.jwt}`,
      `Bearer Bearer ${tenant.jwt}`,
      "Bearer null",
      "Bearer undefined",
      "Bearer [object Object]",
    ]) {
      const { status } = await ask(value);
      assert.equal(status, 401, value.slice(0, 20));
    }
    const none = await h.api("GET", "/whoami");
    assert.deepEqual([none.status, none.body.error.code], [401, "UNAUTHORIZED"]);
  });

  test("that no client could send, sent all the same, is refused by whoever reads it first", async () => {
    const line = (value) => `GET /whoami HTTP/1.1\r\nHost: ${h.url.host}\r\nConnection: close\r\nAuthorization: ${value}\r\n\r\n`;
    for (const [what, value] of Object.entries({
      "a NUL": `Bearer ${tenant.jwt}\u0000`,
      "a NUL in between": `Bearer ${tenant.jwt.slice(0, 20)}\u0000${tenant.jwt.slice(20)}`,
      "a carriage return": `Bearer ${tenant.jwt}\r X`,
      "two of them": `Bearer ${tenant.jwt}\r\nAuthorization: Bearer ${tenant.jwt}`,
      "a folded line": `Bearer ${tenant.jwt.slice(0, 20)}\r\n ${tenant.jwt.slice(20)}`,
      "a megabyte": `Bearer ${"a".repeat(2 ** 20)}`,
      "a megabyte of a signed token": `Bearer ${signed({}, { padding: "x".repeat(2 ** 20) })}`,
      "bytes beyond ASCII": `Bearer ${tenant.jwt}\u00e9`,
    })) {
      const status = await rawStatus(line(value));
      assert.ok(status === null || (status >= 400 && status < 500), `${what}: ${status}`);
    }
    assert.equal((await whoami(tenant.jwt)).status, 200, "and the service is still there");
  });
});

/** The status that a request as written gets; null when the connection is closed without an answer. */
function rawStatus(text) {
  return new Promise((done) => {
    let answer = "";
    const socket = connect(Number(h.url.port), h.url.hostname, () => socket.write(Buffer.from(text, "latin1")));
    const end = () => done(Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]) || null);
    socket.on("data", (chunk) => {
      answer += chunk;
      if (answer.includes("\r\n\r\n")) socket.end();
    });
    socket.on("close", end);
    socket.on("error", end);
  });
}

test("as a link's token, none of that is more welcome", async () => {
  for (const token of [
    "",
    " ",
    "a",
    "..",
    tenant.jwt,
    signed({ alg: "none" }),
    signed({}, { aud: "magic-link" }),
    "x".repeat(15_000),
    "\u0000",
  ]) {
    const { status, body } = await h.api("POST", "/auth/magic/verify", { body: { token } });
    assert.ok([400, 401].includes(status), `${status} ${JSON.stringify(body)}`);
  }
  const huge = await h.api("POST", "/auth/magic/verify", { body: { token: "x".repeat(2 ** 20) } });
  assert.equal(huge.status, 413);
});

test("each refusal is one denied line, and none an error of ours", () => {
  const lines = h.logs();
  assert.deepEqual(
    lines.filter(({ level, status, text }) => level === "error" || status >= 500 || text !== undefined),
    [],
  );
  const refused = lines.filter(({ msg, status }) => msg === "request" && (status === 401 || status === 403));
  const denied = lines.filter(({ msg }) => msg === "authz_deny");
  assert.ok(refused.length > 100);
  assert.deepEqual(new Set(denied.map(({ requestId }) => requestId)), new Set(refused.map(({ requestId }) => requestId)));
  assert.equal(denied.length, refused.length);
});
