// What the sandbox plays of Make and of Resend.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";
import { RESEND_KEY, call, post, control, fault, requests, effects, mails } from "./harness.mjs";

describe("Make", () => {
  const HOOK = "https://hook.eu1.make.com/abc123";
  const SECRET = "a-webhook-secret-of-a-club";
  const body = JSON.stringify({ type: "webhook.ping", timestamp: "2026-11-21T00:00:00Z", data: {} });

  function signed({
    secret = Buffer.from(SECRET),
    id = "run_1/validate_webhook",
    at = Math.floor(Date.now() / 1000),
  } = {}) {
    const signature = createHmac("sha256", secret).update(`${id}.${at}.${body}`).digest("base64");
    return {
      "webhook-id": id,
      "webhook-timestamp": String(at),
      "webhook-signature": `v1,${signature}`,
      "idempotency-key": id,
    };
  }

  test("a ping is accepted and its signature judged by the registered secret", async () => {
    await control("PUT", "webhooks", { url: HOOK, secret: SECRET });
    const response = await post(HOOK, body, signed());
    assert.equal(response.status, 200);
    assert.equal(await response.text(), "Accepted");
    const [seen] = await requests();
    assert.equal(seen.upstream, "make");
    assert.deepEqual([seen.host, seen.path], ["hook.eu1.make.com", "/abc123"]);
    assert.equal(seen.key, "run_1/validate_webhook");
    assert.equal(seen.body, body);
    assert.deepEqual(seen.signature, { present: true, valid: true });
    assert.deepEqual(seen.response, { status: 200, body: "Accepted" });
    assert.match(seen.at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  test("a secret after whsec_ is base64, and one of several signatures is enough", async () => {
    const key = Buffer.from("thirty-two-bytes-of-a-shared-key");
    await control("PUT", "webhooks", { url: HOOK, secret: `whsec_${key.toString("base64")}` });
    const headers = signed({ secret: key });
    await post(HOOK, body, { ...headers, "webhook-signature": `v1,AAAA ${headers["webhook-signature"]}` });
    assert.equal((await requests())[0].signature.valid, true);
  });

  test("a wrong, missing or stale signature is recorded, and accepted as Make does", async () => {
    await post(HOOK, body, signed());
    await control("PUT", "webhooks", { url: HOOK, secret: SECRET });
    await post(HOOK, body, signed({ secret: "another secret" }));
    await post(HOOK, body);
    await post(HOOK, body, signed({ at: 1_700_000_000 }));
    const seen = await requests();
    assert.deepEqual(
      seen.map((one) => one.signature.valid),
      [null, false, false, false],
    );
    assert.deepEqual(
      seen.map((one) => one.response.status),
      [200, 200, 200, 200],
    );
  });

  test("every accepted ping counts: Make recognises no key", async () => {
    await post(HOOK, body, signed());
    await post(HOOK, body, signed());
    assert.deepEqual(await effects(), [
      { upstream: "make", operation: "ping", key: "run_1/validate_webhook", count: 2, requests: 2 },
    ]);
    assert.deepEqual(
      (await requests()).map((one) => one.repeated),
      [false, true],
    );
  });

  test("a hook without a scenario is 410, an address that is none 404", async () => {
    const gone = await post("https://hook.eu2.make.com/gone-1", body, signed());
    assert.equal(gone.status, 410);
    assert.equal(await gone.text(), "There is no scenario listening for this webhook.");
    assert.equal((await post("https://hook.eu2.make.com/", body)).status, 404);
    assert.equal((await effects())[0].count, 0);
  });
});

describe("Resend", () => {
  const EMAILS = "https://api.resend.com/emails";
  const mail = {
    from: "Tenantry <hello@tenantry.test>",
    to: ["owner@club.test"],
    subject: "Welcome",
    html: "<p>Hi</p>",
    text: "Hi",
  };
  const authorization = `Bearer ${RESEND_KEY}`;

  async function send(value, headers = {}) {
    const response = await post(EMAILS, value, { authorization, ...headers });
    const body = await response.text();
    return { status: response.status, body, ...(body.startsWith("{") ? JSON.parse(body) : {}) };
  }

  test("a mail is sent once per key, and the inbox shows it", async () => {
    const first = await send(mail, { "idempotency-key": "run_1/mail" });
    assert.equal(first.status, 200);
    assert.equal((await send(mail, { "idempotency-key": "run_1/mail" })).id, first.id);
    const inbox = await mails("?to=owner@club.test");
    assert.equal(inbox.length, 1);
    const { at, ...shown } = inbox[0];
    assert.deepEqual(shown, { ...mail, id: first.id, key: "run_1/mail" });
    assert.ok(Date.parse(at));
    assert.deepEqual(await mails("?to=nobody@club.test"), []);
    assert.equal((await control("GET", `mails/${first.id}`)).subject, "Welcome");
    assert.deepEqual(await effects(), [
      { upstream: "resend", operation: "email", key: "run_1/mail", count: 1, requests: 2 },
    ]);
  });

  test("the same key with another body is refused, without a key every mail goes out", async () => {
    await send(mail, { "idempotency-key": "run_1/mail" });
    const other = await send({ ...mail, subject: "Other" }, { "idempotency-key": "run_1/mail" });
    assert.equal(other.status, 409);
    assert.equal(other.name, "invalid_idempotent_request");
    await send(mail);
    await send(mail);
    assert.equal((await mails()).length, 3);
  });

  test("a limit of calls in a second is kept where a test asks for it, and counts what it refuses", async () => {
    assert.equal((await control("PUT", "resend", { perSecond: 0 })).status, 400);
    await control("PUT", "resend", { perSecond: 2 });
    const all = await Promise.all(["a", "b", "c", "d"].map((key) => send(mail, { "idempotency-key": key })));
    assert.deepEqual(all.map(({ status }) => status).sort(), [200, 200, 429, 429]);
    assert.equal(all.find(({ status }) => status === 429).name, "rate_limit_exceeded");
    const refused = await post(EMAILS, mail, { authorization });
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "1"]);
    assert.equal((await mails()).length, 2);
    await control("PUT", "resend", { perSecond: null });
    assert.equal((await send(mail)).status, 200);
  });

  test("a quota that is used up is scripted", async () => {
    const body = { statusCode: 429, name: "daily_quota_exceeded", message: "You have reached your daily email sending quota." };
    await fault({ host: "api.resend.com", kind: "status", status: 429, body, times: 1 });
    assert.deepEqual(pick(await send(mail)), [429, "daily_quota_exceeded"]);
    assert.equal((await send(mail)).status, 200);
  });

  test("the domains are listed to whoever has the key, and nothing else is there", async () => {
    const list = (headers, method = "GET") => call("https://api.resend.com/domains?limit=100", { method, headers: { "user-agent": "test", ...headers } });
    const { has_more, data } = await (await list({ authorization })).json();
    assert.deepEqual([has_more, data.map(({ name, status }) => [name, status])], [false, [["clubs.example", "verified"]]]);
    assert.equal((await list({ authorization: "Bearer re_wrong" })).status, 403);
    assert.equal((await list({ authorization }, "DELETE")).status, 404);
    assert.deepEqual(await effects(), []);
  });

  test("a caller without User-Agent or key is refused", async () => {
    const anonymous = await send(mail, { "user-agent": "" });
    assert.deepEqual([anonymous.status, anonymous.body], [403, "error code: 1010"]);
    assert.deepEqual(pick(await send(mail, { authorization: "" })), [401, "missing_api_key"]);
    assert.deepEqual(pick(await send(mail, { authorization: "Bearer re_wrong" })), [403, "invalid_api_key"]);
    assert.deepEqual(pick(await send(mail, { "idempotency-key": "k".repeat(257) })), [
      400,
      "invalid_idempotency_key",
    ]);
    assert.deepEqual(await mails(), []);
  });

  test("a mail that lacks a field or has a bad address is refused", async () => {
    for (const field of ["from", "to", "subject"]) {
      assert.deepEqual(pick(await send({ ...mail, [field]: undefined })), [422, "missing_required_field"]);
    }
    assert.deepEqual(pick(await send({ ...mail, html: undefined, text: undefined })), [
      422,
      "missing_required_field",
    ]);
    assert.deepEqual(pick(await send({ ...mail, from: "Tenantry" })), [422, "validation_error"]);
    assert.deepEqual(pick(await send({ ...mail, to: ["owner at club"] })), [422, "validation_error"]);
    assert.deepEqual(pick(await send("{")), [400, "validation_error"]);
    assert.deepEqual(await mails(), []);
  });

  test("a mail is shown where nothing of it can run and its links open outside", async () => {
    const { id } = await send({
      ...mail,
      html: '<script>alert(1)</script><a href="https://app.test/magic/#token=t">In</a>',
    });
    const page = await call(`/__sandbox/mails/${id}/html`);
    assert.match(
      page.headers.get("content-security-policy"),
      /^sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'/,
    );
    const body = await page.text();
    assert.ok(body.startsWith('<!doctype html><base target="_blank">'));
    assert.ok(body.includes("https://app.test/magic/#token=t"));
    const plain = await send({ ...mail, html: undefined, text: "<b> https://app.test/?a=1&b=2" });
    const text = await (await call(`/__sandbox/mails/${plain.id}/html`)).text();
    assert.ok(text.includes('&lt;b&gt; <a href="https://app.test/?a=1&amp;b=2">'));
  });

  const pick = ({ status, name }) => [status, name];
});
