// What each scripted fault does to a call, to its effect and to its record.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { call, post, control, fault, requests, effects, eventually } from "./harness.mjs";

describe("faults", () => {
  const HOOK = "https://hook.eu1.make.com/abc123";
  const ping = (headers = { "webhook-id": "k1" }, url = HOOK) => post(url, { type: "webhook.ping" }, headers);

  test("status answers instead, with the given headers and body, and nothing is done", async () => {
    await fault({
      host: "hook.eu1.make.com",
      kind: "status",
      status: 429,
      headers: { "Retry-After": "2" },
      body: { slow: "down" },
      times: 1,
    });
    const refused = await ping();
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get("retry-after"), "2");
    assert.deepEqual(await refused.json(), { slow: "down" });
    assert.equal((await ping()).status, 200);
    assert.deepEqual(
      (await requests()).map((one) => one.fault),
      ["status", null],
    );
    assert.deepEqual(
      (await effects()).map(({ count, requests: asked }) => [count, asked]),
      [[1, 2]],
    );
    assert.deepEqual((await control("GET", "faults")).faults, []);
  });

  test("without a body the upstream's own words are used", async () => {
    await fault({ host: "*", kind: "status", status: 429 });
    const limited = await (await post("https://api.resend.com/emails", {})).json();
    assert.equal(limited.name, "rate_limit_exceeded");
    const quota = await (await call("https://sheets.googleapis.com/v4/spreadsheets/x")).json();
    assert.equal(quota.error.status, "RESOURCE_EXHAUSTED");
  });

  test("delay waits, then goes on", async () => {
    await fault({ host: "*", kind: "delay", ms: 40 });
    const started = performance.now();
    assert.equal((await ping()).status, 200);
    assert.ok(performance.now() - started >= 39);
    const [seen] = await requests();
    assert.equal(seen.fault, "delay");
    assert.deepEqual(seen.response, { status: 200, body: "Accepted" });
    assert.equal((await effects())[0].count, 1);
  });

  test("lost does it and answers a failure", async () => {
    await fault({ host: "hook.eu1.make.com", kind: "lost", times: 1 });
    await fault({ host: "hook.eu1.make.com", kind: "lost", status: 504, times: 1 });
    assert.equal((await ping()).status, 502);
    assert.equal((await ping()).status, 504);
    assert.equal((await effects())[0].count, 2);
    assert.deepEqual(
      (await requests()).map((one) => one.fault),
      ["lost", "lost"],
    );
  });

  test("throw breaks the call, and nothing is done", async () => {
    await fault({ host: "*", kind: "throw", times: 1 });
    const outcome = await ping().then(
      (response) => response.status,
      () => "broken",
    );
    assert.ok(outcome === 500 || outcome === "broken");
    assert.equal((await effects())[0].count, 0);
    const [seen] = await requests();
    assert.deepEqual([seen.fault, seen.response], ["throw", null]);
  });

  test("silence keeps the caller waiting while others are served", async () => {
    await fault({ host: "*", kind: "silence", times: 1 });
    const abort = new AbortController();
    const silent = call(HOOK, { method: "POST", body: "{}", signal: abort.signal });
    const ended = silent.then(
      () => "answered",
      () => "given up",
    );
    await eventually(async () => (await requests()).some((one) => one.fault === "silence"));
    assert.equal((await ping()).status, 200);
    abort.abort();
    assert.equal(await ended, "given up");
    assert.equal((await requests())[0].response, null);
  });

  test("a fault hits by path, method and body, after its skip, as often as it may", async () => {
    const { id, status } = await fault({
      host: "hook.eu1.make.com",
      path: "/abc",
      method: "post",
      bodyIncludes: "ping",
      kind: "status",
      status: 503,
      skip: 1,
      times: 2,
    });
    assert.equal(status, 201);
    const statuses = [];
    statuses.push((await ping({}, "https://hook.eu1.make.com/other")).status);
    statuses.push((await ping({}, "https://hook.eu2.make.com/abc123")).status);
    statuses.push((await call(HOOK)).status);
    statuses.push((await post(HOOK, { type: "else" })).status);
    assert.deepEqual(statuses, [200, 200, 200, 200]);
    assert.equal((await ping()).status, 200, "skipped");
    assert.equal((await ping()).status, 503);
    const [left] = (await control("GET", "faults")).faults;
    assert.deepEqual([left.id, left.skip, left.times, left.applied, left.kind], [id, 0, 1, 1, "status"]);
    assert.equal((await ping()).status, 503);
    assert.equal((await ping()).status, 200);
  });

  test("probability 0 never hits and 1 always does", async () => {
    await fault({ host: "*", kind: "status", status: 500, probability: 0 });
    assert.equal((await ping()).status, 200);
    await fault({ host: "*", kind: "status", status: 501, probability: 1 });
    assert.equal((await ping()).status, 501);
  });

  test("the same seed draws the same calls, about as many as the probability says", async () => {
    const drawn = async (seed) => {
      const { id } = await fault({ host: "*", kind: "status", status: 500, probability: 0.3, seed });
      const statuses = [];
      for (let n = 0; n < 60; n++) statuses.push((await ping()).status);
      await control("DELETE", `faults/${id}`);
      return statuses;
    };
    const first = await drawn(7);
    assert.deepEqual(await drawn(7), first);
    assert.notDeepEqual(await drawn(8), first);
    const hits = first.filter((status) => status === 500).length;
    assert.ok(hits > 6 && hits < 36, `${hits} of 60`);
  });

  test("a call brings its own fault, which is not recorded as a header and hits no other", async () => {
    const own = { "webhook-id": "k1", "sandbox-fault": JSON.stringify({ kind: "lost", status: 503 }) };
    assert.equal((await ping(own)).status, 503);
    assert.equal((await ping()).status, 200);
    const [seen] = await requests();
    assert.deepEqual([seen.fault, seen.headers["sandbox-fault"]], ["lost", undefined]);
    assert.equal((await effects())[0].count, 2);
  });

  test("faults are removed one by one or all at once", async () => {
    const { id } = await fault({ host: "*", kind: "status", status: 500 });
    await fault({ host: "*", kind: "status", status: 501 });
    assert.equal((await control("DELETE", `faults/${id}`)).status, 200);
    assert.equal((await ping()).status, 501);
    assert.equal((await control("DELETE", "faults")).removed, 1);
    assert.equal((await ping()).status, 200);
    assert.equal((await control("DELETE", `faults/${id}`)).status, 404);
  });

  test("a fault that could not hit as meant is refused", async () => {
    const wrong = [
      {},
      { host: "*" },
      { host: "*", kind: "explode" },
      { host: "*", kind: "status" },
      { host: "*", kind: "delay" },
      { host: "*", kind: "status", status: 42 },
      { host: "*", kind: "lost", times: 0 },
      { host: "*", kind: "lost", pathPrefix: "/" },
      { host: "*", kind: "lost", probability: 2 },
      { host: "*", kind: "lost", seed: 0.5 },
      [],
      null,
    ];
    for (const value of wrong) {
      const answer = await fault(value);
      assert.equal(answer.status, 400, JSON.stringify(value));
      assert.equal(typeof answer.error, "string");
    }
    assert.deepEqual((await control("GET", "faults")).faults, []);
  });
});
