// What the sandbox plays of Cloudflare: DNS records and Turnstile.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CLOUDFLARE_TOKEN, TURNSTILE_SECRET, call, effects, post } from "./harness.mjs";

describe("Cloudflare", () => {
  const ZONE = "0123456789abcdef0123456789abcdef";
  const RECORDS = `https://api.cloudflare.com/client/v4/zones/${ZONE}/dns_records`;
  const record = {
    type: "CNAME",
    name: "albion.clubs.test",
    content: "edge.clubs.test",
    proxied: true,
    comment: "tenantry:tenant_1",
  };

  async function api(method, url, value, headers = { authorization: `Bearer ${CLOUDFLARE_TOKEN}` }) {
    const response = await call(url, { method, headers, body: value && JSON.stringify(value) });
    return { status: response.status, ...(await response.json()) };
  }

  test("a record is created, listed by name, read and deleted", async () => {
    const made = await api("POST", RECORDS, record);
    assert.equal(made.status, 200);
    assert.deepEqual([made.success, made.errors, made.messages], [true, [], []]);
    assert.equal(made.result.comment, "tenantry:tenant_1");
    assert.match(made.result.id, /^[0-9a-f]{32}$/);
    const listed = await api("GET", `${RECORDS}?name=albion.clubs.test`);
    assert.deepEqual(listed.result, [made.result]);
    assert.equal(listed.result_info.total_count, 1);
    assert.deepEqual((await api("GET", `${RECORDS}?name=other.clubs.test`)).result, []);
    assert.deepEqual((await api("GET", `${RECORDS}/${made.result.id}`)).result, made.result);
    assert.deepEqual((await api("DELETE", `${RECORDS}/${made.result.id}`)).result, { id: made.result.id });
    for (const method of ["GET", "DELETE"]) {
      const missing = await api(method, `${RECORDS}/${made.result.id}`);
      assert.deepEqual([missing.status, missing.errors[0].code], [404, 81044]);
    }
    assert.deepEqual(
      (await effects()).map(({ operation, count }) => [operation, count]),
      [
        ["dns_records.create", 1],
        ["dns_records.delete", 1],
      ],
    );
  });

  test("a token's state and a zone are shown to whoever has the token", async () => {
    const [state, zone] = [`https://api.cloudflare.com/client/v4/user/tokens/verify`, RECORDS.replace("/dns_records", "")];
    assert.equal((await api("GET", state)).result.status, "active");
    assert.partialDeepStrictEqual((await api("GET", zone)).result, { id: ZONE, name: "clubs.example", status: "active", paused: false, type: "full" });
    for (const url of [state, zone]) {
      const refused = await api("GET", url, undefined, { authorization: "Bearer another" });
      assert.deepEqual([refused.status, refused.errors[0].code], [403, 10000]);
      assert.equal((await api("DELETE", url)).success, false);
    }
    assert.deepEqual(await effects(), []);
  });

  test("a record is found by its exact name, and a comment is changed", async () => {
    const { result: made } = await api("POST", RECORDS, record);
    assert.deepEqual((await api("GET", `${RECORDS}?name.exact=Albion.clubs.test`)).result, [made]);
    assert.deepEqual((await api("GET", `${RECORDS}?name.exact=clubs.test`)).result, []);
    const changed = await api("PATCH", `${RECORDS}/${made.id}`, { comment: "somebody's shop" });
    assert.deepEqual({ ...changed.result, modified_on: "" }, { ...made, comment: "somebody's shop", modified_on: "" });
    assert.deepEqual((await api("GET", `${RECORDS}/${made.id}`)).result, changed.result);
    const missing = await api("PATCH", `${RECORDS}/${"0".repeat(32)}`, { comment: "x" });
    assert.deepEqual([missing.status, missing.errors[0].code], [404, 81044]);
    assert.equal((await api("PATCH", `${RECORDS}/${made.id}`)).errors[0].code, 9207);
  });

  test("records that can't stand together are refused", async () => {
    await api("POST", RECORDS, record);
    const codes = [];
    for (const changed of [
      {},
      { content: "other.test" },
      { type: "A", content: "192.0.2.1" },
      { type: "TXT", content: "x" },
    ]) {
      codes.push((await api("POST", RECORDS, { ...record, ...changed })).errors[0]?.code);
    }
    assert.deepEqual(codes, [81058, 81053, 81053, undefined]);
  });

  test("bad credentials, identifiers and records are refused in the envelope", async () => {
    const refusals = [
      [await api("GET", RECORDS, undefined, {}), 400, 9106],
      [await api("GET", RECORDS, undefined, { authorization: CLOUDFLARE_TOKEN }), 400, 6003],
      [await api("GET", RECORDS, undefined, { authorization: "Bearer another" }), 403, 10000],
      [await api("GET", RECORDS.replace(ZONE, "my-zone")), 400, 7003],
      [await api("PUT", RECORDS, record), 405, 10405],
      [await api("POST", RECORDS, { ...record, type: "A", content: "300.1.1.1" }), 400, 9005],
      [await api("POST", RECORDS, { ...record, name: "" }), 400, 9000],
    ];
    for (const [answer, status, code] of refusals) {
      assert.deepEqual(
        [answer.status, answer.success, answer.result, answer.errors[0].code],
        [status, false, null, code],
      );
    }
  });
});

describe("Turnstile", () => {
  const VERIFY = "https://challenges.cloudflare.com/turnstile/v0/siteverify";
  const verify = async (value) => (await call(VERIFY, { method: "POST", body: new URLSearchParams(value) })).json();

  test("a token is good once; the same idempotency key may ask again", async () => {
    const first = await verify({ secret: TURNSTILE_SECRET, response: "ok-1", idempotency_key: "k1" });
    assert.equal(first.success, true);
    assert.deepEqual(first["error-codes"], []);
    assert.deepEqual(await verify({ secret: TURNSTILE_SECRET, response: "ok-1", idempotency_key: "k1" }), first);
    const second = await verify({ secret: TURNSTILE_SECRET, response: "ok-1" });
    assert.deepEqual([second.success, second["error-codes"]], [false, ["timeout-or-duplicate"]]);
    const asJson = await post(VERIFY, { secret: TURNSTILE_SECRET, response: "ok-2" });
    assert.equal((await asJson.json()).success, true);
  });

  test("a token says for which page and for what it was given, and when", async () => {
    const { hostname, action, challenge_ts: at } = await verify({ secret: TURNSTILE_SECRET, response: "ok-3~clubs.example~login~400" });
    assert.deepEqual([hostname, action], ["clubs.example", "login"]);
    const age = (Date.now() - Date.parse(at)) / 1000;
    assert.ok(age >= 400 && age < 460, `${age}`);
    const plain = await verify({ secret: TURNSTILE_SECRET, response: "ok-4" });
    assert.deepEqual([plain.hostname, plain.action], ["localhost", "signup"]);
  });

  test("pages get a widget, which shows a frame", async () => {
    const script = await call("https://challenges.cloudflare.com/turnstile/v0/api.js?render=explicit");
    assert.match(script.headers.get("content-type"), /^text\/javascript/);
    assert.match(await script.text(), /window\.turnstile = /);
    const frame = await call("https://challenges.cloudflare.com/turnstile/v0/frame?sitekey=1x");
    assert.match(frame.headers.get("content-type"), /^text\/html/);
    assert.match(await frame.text(), /I am a person/);
  });

  test("other tokens, and none, are refused with their codes", async () => {
    const codes = async (value) => (await verify(value))["error-codes"];
    assert.deepEqual(await codes({ secret: TURNSTILE_SECRET, response: "made-up" }), ["invalid-input-response"]);
    assert.deepEqual(await codes({ secret: TURNSTILE_SECRET }), ["missing-input-response"]);
    assert.deepEqual(await codes({ response: "ok-1" }), ["missing-input-secret"]);
    assert.deepEqual(await codes({ secret: "another", response: "ok-1" }), ["invalid-input-secret"]);
    assert.equal((await call(VERIFY)).status, 405);
  });
});
