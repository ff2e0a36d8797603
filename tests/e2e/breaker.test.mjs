// The breakers in the real runtime. An upstream that is dead for many tenants is left alone until it is back. Waiting runs are woken when a
// breaker closes. An operator can hold one open. A breaker that is itself away stops nothing.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { until } from "./harness.mjs";
import { startInstrumented } from "./instrumented.mjs";

const h = await startInstrumented();
after(() => h.close());

const TENANTS = 14;
const DEAD = { host: "script.google.com", kind: "status", status: 503 };
const TWO_SECONDS = { headers: { "retry-after": "2" } };

const script = (fault) => h.sandbox("/__sandbox/faults", { method: "POST", body: fault });
const heal = () => h.sandbox("/__sandbox/faults", { method: "DELETE" });

const asked = async () => (await h.sandbox("/__sandbox/requests?host=script.google.com&limit=20000")).requests;

async function upstream(name) {
  const { status, body } = await h.api("GET", "/api/v1/bgops/upstreams", { token: h.token() });
  assert.equal(status, 200, JSON.stringify(body));
  return body.data.find((one) => one.upstream === name);
}

const moved = (name, how, body) => h.api("POST", `/api/v1/bgops/upstreams/${name}/${how}`, { token: h.token(), body });
const close = (name, body) => moved(name, "close", body);

async function queued(count, plan = "pro") {
  const tenants = await Promise.all(Array.from({ length: count }, () => h.signup({ plan })));
  await Promise.all(tenants.map((tenant) => h.confirm(tenant)));
  return tenants;
}

/** One fails before the others leave: the failures of those who left before the first was told would not count. */
async function queuedAfterAFailure(count) {
  const first = await queued(1);
  await until(async () => (await upstream("apps_script")).failures > 0, { what: "the first failure" });
  return [...first, ...(await queued(count - 1))];
}

async function allComplete(tenants, within = 90_000) {
  for (const tenant of tenants) {
    const { status, data } = await h.settled(tenant, { within });
    assert.equal(status, "completed", JSON.stringify(data));
  }
}

const refusals = (tenant) =>
  h.sql(
    `select h.step, h.outcome, h.error, h.upstream_status from provision_history h join provision_runs r on r.id = h.run_id
     where r.tenant_id = ? and h.error = 'CIRCUIT_OPEN'`,
    tenant.tenantId,
  );

describe("an upstream that is dead", () => {
  let tenants;
  let opened;

  test("opens its breaker, and no other", async () => {
    const begun = Date.now();
    await script({ ...DEAD, ...TWO_SECONDS });
    tenants = await queuedAfterAFailure(TENANTS);
    opened = await until(async () => {
      const one = await upstream("apps_script");
      return one.state !== "closed" && one;
    });
    assert.ok(["open", "half_open"].includes(opened.state) && opened.failures >= 10, JSON.stringify(opened));
    assert.ok(Date.parse(opened.since) >= begun);
    const make = { upstream: "make", state: "closed", failures: 0, since: null, heldOpen: false, nextProbeAt: null };
    assert.deepEqual(await upstream("make"), { ...make, closedAt: null });
    assert.deepEqual((await upstream("cloudflare")).budget, { used: 0, calls: 1200, windowSeconds: 300 });
    assert.equal((await h.api("GET", "/health/ready")).status, 200);
  });

  test("is asked by one run at a time while all the others wait, whatever becomes of the breaker's object", async () => {
    const late = await queued(6);
    tenants.push(...late);
    // Whoever had left before it opened arrives within a moment.
    const first = Date.parse(opened.since) + 1500;
    const probes = async () => (await asked()).map(({ at }) => Date.parse(at)).filter((at) => at > first);
    await until(() => h.product.evictDurableObject("BREAKER", { name: "apps_script" }).then(() => true));
    // Whoever waits is woken to go and see when half a minute is over.
    await until(async () => (await probes()).length >= 1, { every: 100, within: 40_000 });
    const all = await asked();
    const moments = await probes();
    // Ten that failed, and whoever was on the way then.
    assert.ok(all.length - moments.length < 10 + TENANTS, `${all.length - moments.length} calls until it was open`);
    assert.equal(moments.length, 1);
    assert.ok(moments[0] - Date.parse(opened.since) >= 29_900, `a probe after ${moments[0] - Date.parse(opened.since)} ms`);
    assert.notEqual((await upstream("apps_script")).state, "closed");
    const refused = (await Promise.all(late.map(refusals))).filter((attempts) => attempts.length > 0);
    assert.ok(refused.length >= late.length - moments.length, "whoever was no probe was refused");
    assert.deepEqual(refused[0][0], { step: "create_spreadsheet", outcome: "unknown", error: "CIRCUIT_OPEN", upstream_status: null });
    for (const tenant of tenants) assert.equal((await h.status(tenant)).body.status, "processing");
  });

  test("is asked by all of them within seconds after its breaker is closed, and all complete", async () => {
    await heal();
    assert.equal((await close("apps_script", { reason: "it is back" })).status, 200);
    await allComplete(tenants, 20_000);
    const one = await upstream("apps_script");
    assert.deepEqual([one.state, one.failures, one.since, one.nextProbeAt], ["closed", 0, null, null]);
    assert.ok(Date.parse(one.closedAt) >= Date.parse(opened.since));
    for (const word of ["circuit_opened", "circuit_half_open", "circuit_closed", "circuit_woke"]) {
      const lines = h.logs().filter(({ msg }) => msg === word);
      assert.ok(lines.length > 0 && lines.every((line) => line.upstream === "apps_script"), word);
    }
    const woken = h.logs().filter(({ msg }) => msg === "circuit_woke");
    assert.ok(woken.every(({ tenants, reached }) => tenants === reached), JSON.stringify(woken));
    const { spreadsheets } = await h.sandbox("/__sandbox/spreadsheets");
    assert.equal(spreadsheets.length, tenants.length, "one each");
  });

  test("is asked at once by whoever comes after an operator closed its breaker", async () => {
    await script({ ...DEAD, headers: { "retry-after": "3000" } });
    await queuedAfterAFailure(TENANTS);
    const { nextProbeAt } = await until(async () => {
      const one = await upstream("apps_script");
      return one.state === "open" && one;
    });
    const wait = Date.parse(nextProbeAt) - Date.now();
    assert.ok(wait > 280_000 && wait <= 300_000, `no longer than five minutes: ${wait} ms`);
    await heal();
    assert.equal((await close("apps_script", {})).status, 400);
    const { status, body } = await close("apps_script", { reason: "Google says that it is back" });
    assert.deepEqual([status, body.data], [200, { upstream: "apps_script", state: "closed", changed: true }]);
    await allComplete(await queued(1));
    const [row] = await h.sql("select actor, action, subject, reason from audit_log order by id desc limit 1");
    assert.deepEqual(row, {
      ...{ actor: "test", action: "upstream.close", subject: "upstream_apps_script" },
      reason: "Google says that it is back",
    });
  });
});

test("a breaker that an operator opened lets nobody through until it is closed, whatever becomes of its object", async () => {
  const before = (await asked()).length;
  const { status, body } = await moved("apps_script", "open", { reason: "maintenance" });
  assert.deepEqual([status, body.data], [200, { upstream: "apps_script", state: "open", changed: true }]);
  const tenants = await queued(3);
  await until(async () => (await Promise.all(tenants.map(refusals))).every((attempts) => attempts.length > 0));
  await until(() => h.product.evictDurableObject("BREAKER", { name: "apps_script" }).then(() => true));
  const held = await upstream("apps_script");
  assert.deepEqual([held.state, held.heldOpen, held.nextProbeAt], ["open", true, null]);
  assert.equal((await asked()).length, before);
  assert.equal((await close("apps_script", { reason: "it is over" })).body.data.changed, true);
  await allComplete(tenants, 15_000);
});

describe("a breaker that", () => {
  for (const [breaker, plans] of Object.entries({ failing: ["starter", "pro"], hanging: ["starter"] })) {
    test(`is ${breaker} stops nothing`, async () => {
      await h.behave({ breaker });
      if (breaker === "failing") await script({ ...DEAD, host: "api.resend.com", ...TWO_SECONDS, times: 1 });
      for (const plan of plans) await allComplete(await queued(1, plan));
      const one = await upstream("apps_script");
      assert.deepEqual([one.state, one.failures, one.since], ["unknown", null, null]);
      const { status, body } = await close("make", { reason: "to be sure" });
      assert.deepEqual([status, body.error.code], [503, "BREAKER_UNAVAILABLE"]);
      const line = h.logs().find(({ msg }) => msg === "circuit_unavailable");
      assert.deepEqual([line.level, typeof line.error], ["error", "string"]);
      await h.behave({ breaker: "ok" });
    });
  }
});
