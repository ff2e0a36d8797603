// The sandbox apart from its upstreams: what it records, keeps, forgets and shows.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";
import { GAS_SECRET, RESEND_KEY, server, call, post, control, fault, requests, effects, mails } from "./harness.mjs";

describe("the sandbox itself", () => {
  test("a host that nobody plays is refused by name and recorded", async () => {
    const response = await call("https://api.example.com/v1/things");
    assert.equal(response.status, 502);
    const answer = await response.json();
    assert.deepEqual([answer.error, answer.host], ["HOST_NOT_PLAYED", "api.example.com"]);
    const [seen] = await requests("?host=api.example.com");
    assert.deepEqual([seen.upstream, seen.path, seen.response.status], ["unknown", "/v1/things", 502]);
  });

  test("requests are listed in order, by host, path, key and from where one left off", async () => {
    for (const name of ["one", "two", "three"])
      await post(`https://hook.eu1.make.com/${name}`, {}, { "webhook-id": name });
    const all = await requests();
    assert.deepEqual(
      all.map((one) => one.path),
      ["/one", "/two", "/three"],
    );
    assert.deepEqual(
      (await requests(`?after=${all[0].id}&limit=1`)).map((one) => one.path),
      ["/two"],
    );
    assert.deepEqual(
      (await requests("?limit=1")).map((one) => one.path),
      ["/three"],
    );
    assert.deepEqual(
      (await requests("?host=hook.eu1.make.com&path=/t")).map((one) => one.path),
      ["/two", "/three"],
    );
    assert.deepEqual(
      (await requests("?key=two")).map((one) => one.path),
      ["/two"],
    );
    assert.equal((await control("GET", "requests?limit=abc")).status, 400);
  });

  test("a long body is judged whole and kept to 64 KiB", async () => {
    const body = JSON.stringify({
      action: "provision",
      tenantId: "t",
      teamName: "Long",
      padding: "x".repeat(200_000),
    });
    const signature = createHmac("sha256", GAS_SECRET).update(body).digest("hex");
    await post(`https://script.google.com/macros/s/x/exec?signature=${signature}`, body);
    const [seen] = await requests();
    assert.equal(seen.signature.valid, true);
    assert.equal(seen.body.length, 64 * 1024);
  });

  test("everything outlives the object", async () => {
    const HOOK = "https://hook.eu1.make.com/kept";
    await control("PUT", "webhooks", { url: HOOK, secret: "a-secret-that-is-kept" });
    await post(HOOK, {}, { "webhook-id": "k1" });
    await fault({ host: "hook.eu1.make.com", kind: "status", status: 503, skip: 1, times: 1 });
    const mail = { from: "a@b.test", to: "c@d.test", subject: "Kept", text: "Kept" };
    const headers = { authorization: `Bearer ${RESEND_KEY}`, "idempotency-key": "m1" };
    const { id } = await (await post("https://api.resend.com/emails", mail, headers)).json();
    const earlier = [await requests(), await effects(), await mails(), await control("GET", "faults")];
    await server.getWorker().evictDurableObject("Store", { name: "sandbox" });
    assert.deepEqual([await requests(), await effects(), await mails(), await control("GET", "faults")], earlier);
    assert.equal((await (await post("https://api.resend.com/emails", mail, headers)).json()).id, id);
    assert.equal((await post(HOOK, {}, { "webhook-id": "k1" })).status, 200);
    assert.equal((await post(HOOK, {}, { "webhook-id": "k1" })).status, 503);
    assert.deepEqual(
      (await requests("?host=hook.eu1.make.com")).map((one) => one.signature.valid),
      [false, false, false],
    );
  });

  test("reset forgets everything, and ids go on rising", async () => {
    await post("https://hook.eu1.make.com/one", {}, { "webhook-id": "k1" });
    await fault({ host: "*", kind: "throw" });
    const [{ id }] = await requests();
    assert.equal((await control("POST", "reset")).status, 200);
    assert.deepEqual([await requests(), await effects(), await mails()], [[], [], []]);
    await post("https://hook.eu1.make.com/two", {}, { "webhook-id": "k1" });
    const [next] = await requests(`?after=${id}`);
    assert.deepEqual([next.path, next.repeated], ["/two", false]);
  });

  test("calls at the same time are each recorded and counted once", async () => {
    const many = Array.from({ length: 60 }, (_, n) =>
      post("https://hook.eu1.make.com/many", {}, { "webhook-id": `k${n % 30}` }),
    );
    assert.ok((await Promise.all(many)).every((response) => response.status === 200));
    assert.equal((await requests()).length, 60);
    const counted = await effects();
    assert.equal(counted.length, 30);
    assert.ok(counted.every((effect) => effect.count === 2 && effect.requests === 2));
    assert.equal((await requests()).filter((one) => one.repeated).length, 30);
  });

  test("the control API says what it can't do", async () => {
    assert.equal((await control("GET", "nothing")).status, 404);
    assert.equal((await control("PATCH", "faults")).status, 405);
    assert.equal((await control("GET", "mails/none")).status, 404);
    assert.equal((await control("PUT", "webhooks", { url: "no url", secret: "s" })).status, 400);
    assert.equal((await control("PUT", "webhooks", { url: "https://a.test/", secret: "whsec_%%%" })).status, 400);
    assert.equal((await control("PUT", "google", { clientEmail: "a@b.test", publicKey: "no key" })).status, 400);
    const foreign = await call("/__sandbox/reset", { method: "POST", headers: { "sec-fetch-site": "cross-site" } });
    assert.equal(foreign.status, 403);
  });

  test("the page and its files are served under a policy without inline script", async () => {
    const page = await call("/");
    assert.match(page.headers.get("content-security-policy"), /script-src 'self'; style-src 'self'/);
    const html = await page.text();
    for (const [, file] of html.matchAll(/(?:src|href)="(\/page\/[^"]+)"/g))
      assert.equal((await call(file)).status, 200);
    assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=/);
    assert.equal((await call("/elsewhere")).status, 404);
  });
});
