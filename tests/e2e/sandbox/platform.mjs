// What the sandbox plays of the platform's own receiver.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { PLATFORM_SECRET, call, effects, fault, post, requests } from "./harness.mjs";

describe("the platform's receiver", () => {
  const RECEIVER = "https://platform.example.com/tenantry";
  const body = JSON.stringify({ type: "tenant.provisioned", timestamp: "2026-11-21T00:00:00.000Z", data: { tenantId: "tenant_1" } });

  function signed({ secret = PLATFORM_SECRET, id = "evt_1", at = new Date() } = {}) {
    return {
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
      "webhook-signature": new Webhook(secret).sign(id, at, body),
    };
  }

  test("takes what is signed, and does it once per id", async () => {
    for (const id of ["evt_1", "evt_1", "evt_2"]) {
      const response = await post(RECEIVER, body, signed({ id }));
      assert.deepEqual([response.status, await response.json()], [200, { received: id }]);
    }
    const seen = await requests();
    assert.deepEqual(
      seen.map(({ upstream, key, signature }) => [upstream, key, signature.valid]),
      ["evt_1", "evt_1", "evt_2"].map((key) => ["platform", key, true]),
    );
    assert.deepEqual(
      (await effects()).map(({ key, count, requests }) => [key, count, requests]),
      [
        ["evt_1", 1, 2],
        ["evt_2", 1, 1],
      ],
    );
  });

  test("takes one of several signatures", async () => {
    const headers = signed();
    const response = await post(RECEIVER, body, { ...headers, "webhook-signature": `v1,AAAA ${headers["webhook-signature"]}` });
    assert.equal(response.status, 200);
  });

  test("refuses what is wrongly signed, not signed or stale, and other methods", async () => {
    const other = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
    for (const headers of [signed({ secret: other }), {}, signed({ at: new Date(Date.now() - 600_000) })])
      assert.equal((await post(RECEIVER, body, headers)).status, 401);
    assert.equal((await call(RECEIVER)).status, 405);
    assert.equal((await effects()).reduce((sum, { count }) => sum + count, 0), 0);
  });

  test("fails as it is told to", async () => {
    await fault({ host: "platform.example.com", kind: "status", status: 503, times: 1 });
    assert.equal((await post(RECEIVER, body, signed())).status, 503);
    assert.equal((await post(RECEIVER, body, signed())).status, 200);
  });
});
