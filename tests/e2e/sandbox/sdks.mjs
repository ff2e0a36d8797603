// The official SDKs of Cloudflare and Resend, unchanged, against what the sandbox plays of both.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import Cloudflare from "cloudflare";
import { Resend } from "resend";
import { CLOUDFLARE_TOKEN, RESEND_KEY, call, mails } from "./harness.mjs";

const ZONE = "0123456789abcdef0123456789abcdef";

/** The SDK's own fetch, led to the sandbox. */
const through = async (input, init) => {
  const request = new Request(input, init);
  const body = ["GET", "HEAD"].includes(request.method) ? undefined : await request.text();
  const { status, headers, ...rest } = await call(request.url, { method: request.method, headers: Object.fromEntries(request.headers), body }).then(
    async (response) => ({ status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() }),
  );
  return new Response(rest.text, { status, headers });
};

describe("Cloudflare's SDK", () => {
  const client = (apiToken = CLOUDFLARE_TOKEN) => new Cloudflare({ apiToken, fetch: through, maxRetries: 0 });
  const record = (name) => ({ zone_id: ZONE, type: "CNAME", name, content: "edge.clubs.example", proxied: true, ttl: 1, comment: "tenantry:t" });

  async function all(pages) {
    const found = [];
    for await (const one of pages) found.push(one);
    return found;
  }

  test("makes, reads, changes, finds and deletes a record", async () => {
    const { records } = client().dns;
    const made = await records.create(record("albion.clubs.example"));
    assert.deepEqual(await records.get(made.id, { zone_id: ZONE }), made);
    const edited = await records.edit(made.id, { zone_id: ZONE, comment: "changed" });
    assert.equal(edited.comment, "changed");
    assert.deepEqual(await all(records.list({ zone_id: ZONE, name: { exact: "albion.clubs.example" } })), [edited]);
    assert.deepEqual(await records.delete(made.id, { zone_id: ZONE }), { id: made.id });
    assert.deepEqual(await all(records.list({ zone_id: ZONE })), []);
  });

  test("goes through all pages of records, each once", async () => {
    const { records } = client().dns;
    const names = Array.from({ length: 7 }, (_, at) => `club-${at}.clubs.example`);
    for (const name of names) await records.create(record(name));
    for (const per_page of [1, 3, 7, 100]) {
      assert.deepEqual((await all(records.list({ zone_id: ZONE, per_page }))).map(({ name }) => name), names, `${per_page} a page`);
    }
    const { result, result_info: info } = await records.list({ zone_id: ZONE, page: 3, per_page: 3 });
    assert.deepEqual(result.map(({ name }) => name), names.slice(6));
    assert.deepEqual(info, { page: 3, per_page: 3, count: 1, total_count: 7, total_pages: 3 });
    assert.deepEqual((await records.list({ zone_id: ZONE, page: 4, per_page: 3 })).result, []);
  });

  test("lists and reads zones", async () => {
    const other = "f".repeat(32);
    await client().dns.records.create({ ...record("a.other.example"), zone_id: other });
    assert.deepEqual((await all(client().zones.list({ per_page: 1 }))).map(({ id }) => id), [ZONE, other]);
    assert.deepEqual((await all(client().zones.list({ name: "clubs.example" }))).map(({ id }) => id), [ZONE]);
    assert.deepEqual((await client().zones.get({ zone_id: ZONE })).name, "clubs.example");
  });

  test("knows its errors", async () => {
    await assert.rejects(client("another").zones.list(), ({ status, errors }) => status === 403 && errors[0].code === 10000);
    const missing = client().dns.records.get("0".repeat(32), { zone_id: ZONE });
    await assert.rejects(missing, (error) => error instanceof Cloudflare.NotFoundError && error.errors[0].code === 81044);
    await client().dns.records.create(record("twice.clubs.example"));
    await assert.rejects(client().dns.records.create(record("twice.clubs.example")), ({ errors }) => errors[0].code === 81058);
  });
});

describe("Resend's SDK", () => {
  const mail = { from: "Tenantry <hello@clubs.example>", to: ["ann@example.org"], subject: "Welcome", text: "Hello", html: "<p>Hello" };

  /** Resend's SDK takes the global fetch. */
  async function resend(key, use) {
    const { fetch } = globalThis;
    globalThis.fetch = through;
    try {
      return await use(new Resend(key));
    } finally {
      globalThis.fetch = fetch;
    }
  }

  test("sends a mail, once per idempotency key", async () => {
    const send = (client) => client.emails.send(mail, { idempotencyKey: "welcome/1" });
    const first = await resend(RESEND_KEY, send);
    assert.equal(first.error, null);
    const second = await resend(RESEND_KEY, send);
    assert.equal(second.data.id, first.data.id);
    assert.deepEqual((await mails()).map(({ id, to, subject }) => [id, to, subject]), [[first.data.id, ["ann@example.org"], "Welcome"]]);
    const other = await resend(RESEND_KEY, (client) => client.emails.send({ ...mail, subject: "Other" }, { idempotencyKey: "welcome/1" }));
    assert.equal(other.error.name, "invalid_idempotent_request");
  });

  test("knows its errors", async () => {
    const refused = async (key, change) => (await resend(key, (client) => client.emails.send({ ...mail, ...change }))).error;
    assert.equal((await refused("re_another", {})).name, "invalid_api_key");
    assert.equal((await refused(RESEND_KEY, { to: "nobody" })).name, "validation_error");
    assert.equal((await refused(RESEND_KEY, { subject: "" })).name, "missing_required_field");
  });
});
