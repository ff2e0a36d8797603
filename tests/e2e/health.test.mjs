// Whether the health routes report the truth while D1, the object, the schema and the configuration are taken away one by one. Also what
// the API answers meanwhile.
import assert from "node:assert/strict";
import { after, afterEach, describe, test } from "node:test";
import { tenantForm, makeWebhook, startHarness, until } from "./harness.mjs";
import { startInstrumented } from "./instrumented.mjs";

const h = await startInstrumented();
after(() => h.close());
afterEach(() => h.behave({ database: "ok", object: "ok" }));

const READY = ["/health/ready", "/readyz"];
const serviceToken = (of = h) => of.token({ aud: "internal", roles: ["service"] });
const failing = (checks) => Object.keys(checks).filter((name) => !checks[name].ok);

async function timed(act) {
  const started = performance.now();
  const answer = await act();
  return { ...answer, ms: performance.now() - started };
}

test("all is well", async () => {
  for (const path of READY) {
    const { status, body } = await h.api("GET", path);
    assert.equal(status, 200);
    assert.deepEqual(body, {
      ok: true,
      status: "ready",
      checks: { database: { ok: true }, provisioner: { ok: true }, configuration: { ok: true } },
      provisioning: "on",
      signups: "open",
    });
  }
  const startup = await h.api("GET", "/health/startup");
  assert.deepEqual(
    [startup.status, startup.body],
    [200, { ok: true, status: "ok", checks: { schema: { ok: true }, configuration: { ok: true } } }],
  );
});

test("ready asks D1 and the object each time", async () => {
  await h.forget();
  await h.api("GET", "/health/ready");
  const calls = await h.calls();
  assert.deepEqual(calls.map(({ kind }) => kind).sort(), ["batch", "object"]);
});

test("health and live touch nothing, and stay well whatever is down", async () => {
  await h.behave({ database: "down", object: "failing" });
  await h.forget();
  for (const path of ["/health", "/health/live", "/healthz"]) {
    const { status, body } = await h.api("GET", path);
    assert.deepEqual([status, body.ok, body.status], [200, true, "ok"], path);
  }
  const { body } = await h.api("GET", "/health");
  assert.deepEqual([body.version, body.environment], ["0.4.0", "development"]);
  assert.ok(Math.abs(Date.parse(body.timestamp) - Date.now()) < 60_000);
  assert.deepEqual(await h.calls(), []);
});

describe("not ready, and says why, when", { concurrency: false }, () => {
  for (const [what, behaviour, check] of [
    ["D1 is down", { database: "down" }, "database"],
    ["D1 is not bound", { database: "absent" }, "database"],
    ["D1 doesn't answer", { database: "hanging" }, "database"],
    ["the object fails", { object: "failing" }, "provisioner"],
    ["the object doesn't answer", { object: "hanging" }, "provisioner"],
  ]) {
    test(what, async () => {
      await h.behave(behaviour);
      // Both paths are one route's; one wait is enough.
      const paths = Object.values(behaviour).includes("hanging") ? ["/health/ready"] : READY;
      for (const path of paths) {
        const { status, body } = await h.api("GET", path);
        assert.equal(status, 503);
        assert.deepEqual([body.ok, body.status, failing(body.checks)], [false, "unavailable", [check]]);
        assert.match(body.checks[check].problem, /^does not answer/);
      }
      await h.behave({ database: "ok", object: "ok" });
      assert.equal((await h.api("GET", "/health/ready")).status, 200, "and ready again afterwards");
    });
  }

  test("both are down", async () => {
    await h.behave({ database: "hanging", object: "hanging" });
    const { status, body } = await h.api("GET", "/health/ready");
    assert.deepEqual([status, failing(body.checks)], [503, ["database", "provisioner"]]);
  });
});

describe("while D1 is down", { timeout: 120_000 }, () => {
  for (const database of ["down", "absent", "hanging"]) {
    test(`(${database}) the object answers a club's own provision-status, and nobody else's`, async () => {
      const tenant = await h.signup();
      await h.confirm(tenant);
      const before = await h.settled(tenant);
      const other = await h.signup();

      await h.behave({ database });
      const { status, body, headers } = await h.status(tenant);
      assert.deepEqual([status, body.status, body.data.degraded], [200, "completed", true], JSON.stringify(body));
      for (const name of ["runId", "plan", "progress", "step", "reason", "warnings"]) {
        assert.deepEqual(body.data[name], before.data[name], name);
      }
      assert.deepEqual(
        body.data.steps.map(({ name, status: word, attempts }) => [name, word, attempts]),
        before.data.steps.map(({ name, status: word, attempts }) => [name, word, attempts]),
      );
      assert.ok(headers.get("etag"));

      const path = `/api/v1/tenants/${tenant.tenantId}/provision-status`;
      const refused = await Promise.all([
        h.api("GET", path, { token: serviceToken() }),
        h.api("GET", path, { token: h.token() }),
        // A tenant that was never queued has no object to ask.
        h.status(other),
      ]);
      for (const answer of refused) {
        assert.deepEqual([answer.status, answer.body.error?.code], [503, "STORE_UNAVAILABLE"]);
        assert.match(answer.headers.get("retry-after"), /^\d+$/);
      }
      assert.equal((await h.api("GET", path, { token: other.jwt })).status, 403);
      assert.equal((await h.api("GET", path)).status, 401);

      await h.behave({ database: "ok" });
      assert.deepEqual((await h.status(tenant)).body, before);
    });
  }

  for (const database of ["down", "hanging"]) {
    test(`(${database}) every other route that needs it fails closed, with 503 and when to come back`, async () => {
      const tenant = await h.signup();
      const pro = await h.signup({ plan: "pro" });
      const unproven = await h.signupUnproven();
      const { code, proofToken } = await h.proofMail(unproven.email);
      const colours = { primaryColor: "#112233", secondaryColor: "#445566" };
      const requests = [
        ["POST", "/public/signup/start", { body: tenantForm() }],
        ["GET", "/public/signup/availability?slug=some-club"],
        ["POST", "/public/signup/verify-promo", { body: { promoCode: "SUMMER" } }],
        ["POST", "/public/signup/brand", { token: tenant.jwt, body: colours }],
        ["POST", "/public/signup/starter/make", { token: tenant.jwt, body: makeWebhook() }],
        ["POST", "/public/signup/pro/confirm", { token: pro.jwt }],
        ["GET", "/whoami", { token: tenant.jwt }],
        ["POST", "/internal/provision/queue", { token: serviceToken(), body: { tenantId: tenant.tenantId } }],
        ["POST", "/auth/magic/start", { body: { email: tenant.email } }],
        ["POST", "/auth/proof", { token: unproven.jwt, body: { code } }],
        ["POST", "/auth/proof", { body: { token: proofToken } }],
        ["POST", "/auth/proof/send", { token: unproven.jwt }],
        ["PATCH", "/public/signup/email", { token: unproven.jwt, body: { email: tenantForm().email } }],
      ];
      await h.behave({ database });
      await Promise.all(
        requests.map(async ([method, path, options]) => {
          const { status, body, headers, ms } = await timed(() => h.api(method, path, options));
          assert.deepEqual([status, body.error?.code], [503, "STORE_UNAVAILABLE"], `${method} ${path}`);
          assert.match(headers.get("retry-after"), /^\d+$/, path);
          assert.ok(!/\bD1|SQL|by a test/.test(body.error.message), `nothing of the cause: ${body.error.message}`);
          assert.ok(ms < 20_000, `${method} ${path} took ${ms} ms`);
        }),
      );
      await h.behave({ database: "ok" });
      assert.equal((await h.prove(unproven)).emailProven, true, "what was not looked at is not spent");
    });
  }

  test("a run waits for it, and completes when it is back", async () => {
    const tenant = await h.signup();
    const webhook = makeWebhook();
    const fault = { host: "hook.eu2.make.com", path: new URL(webhook.webhookUrl).pathname, kind: "delay", ms: 8000, times: 1 };
    await h.sandbox("/__sandbox/faults", { method: "POST", body: fault });
    await h.confirm(tenant, webhook);
    await h.behave({ database: "down" });
    const lines = async () => h.logs().filter(({ tenantId, msg }) => tenantId === tenant.tenantId && msg === "tenant_provision_not_listed");
    await until(async () => (await lines()).length > 0, { what: "the run to miss D1" });
    const { body } = await h.status(tenant);
    assert.deepEqual([body.status, body.data.degraded], ["processing", true]);
    await h.behave({ database: "ok" });
    assert.equal((await h.settled(tenant, { within: 40_000 })).status, "completed");
  });
});

describe("while the object is away", () => {
  for (const object of ["failing", "hanging"]) {
    test(`(${object}) queueing says so, in time, and loses nothing`, async () => {
      const tenant = await h.signup();
      const webhook = makeWebhook();
      await h.behave({ object });
      const { status, body, headers, ms } = await timed(() => h.confirm(tenant, webhook));
      assert.deepEqual([status, body.error?.code], [503, "PROVISIONER_UNAVAILABLE"]);
      assert.match(headers.get("retry-after"), /^\d+$/);
      assert.ok(ms < 20_000, `within the deadline of a call to an object: ${ms} ms`);
      await h.behave({ object: "ok" });
      assert.equal((await h.confirm(tenant, webhook)).status, 200);
      assert.equal((await h.settled(tenant)).status, "completed");
    });
  }
});

describe("a configuration that does not hold", { concurrency: true }, () => {
  const cases = [
    ["no JWT_SECRET", { secrets: { JWT_SECRET: "" } }, /JWT_SECRET is missing/],
    ["a JWT_SECRET of 31 bytes", { secrets: { JWT_SECRET: "x".repeat(31) } }, /JWT_SECRET is shorter than 32 bytes/],
  ];
  for (const [what, options, problem] of cases) {
    test(`${what}: neither started nor ready, and nothing is signed`, async (t) => {
      const broken = await startHarness(options);
      t.after(() => broken.close());
      for (const path of ["/health/startup", ...READY]) {
        const { status, body } = await broken.api("GET", path);
        assert.deepEqual([status, body.ok, failing(body.checks)], [503, false, ["configuration"]], path);
        assert.match(body.checks.configuration.problem, problem);
      }
      assert.equal((await broken.api("GET", "/health/live")).status, 200);

      const form = tenantForm();
      const { status, body } = await broken.api("POST", "/public/signup/start", { body: form });
      assert.deepEqual([status, body.error.code], [500, "INTERNAL"]);
      assert.ok(!JSON.stringify(body).includes("JWT"), "the cause is in the log");
      assert.deepEqual(await broken.sql("select id from tenants"), [], "the name is not burnt");
      // A token signed with that secret, or with none, opens nothing.
      for (const secret of [options.secrets.JWT_SECRET, "x"]) {
        const token = broken.token({ aud: "internal", roles: ["service"] }, secret);
        assert.equal((await broken.api("GET", "/whoami", { token })).status, 401);
      }
    });
  }

  test("production with a sandbox behind it is not ready", async (t) => {
    const production = await startHarness({ env: "production" });
    t.after(() => production.close());
    for (const path of ["/health/startup", "/health/ready"]) {
      const { status, body } = await production.api("GET", path);
      assert.equal(status, 503);
      assert.match(body.checks.configuration.problem, /EGRESS must not be bound in production/);
    }
    assert.equal((await production.api("GET", "/health")).body.environment, "production");
  });

  test("a database that lacks a migration is not started", async (t) => {
    const behind = await startHarness();
    t.after(() => behind.close());
    await behind.sql("delete from d1_migrations where id = (select max(id) from d1_migrations)");
    const { status, body } = await behind.api("GET", "/health/startup");
    assert.deepEqual([status, failing(body.checks)], [503, ["schema"]]);
    assert.match(body.checks.schema.problem, /^\d{4}_\w+\.sql is not applied$/);

    await behind.sql("drop table d1_migrations");
    const unread = await behind.api("GET", "/health/startup");
    assert.deepEqual([unread.status, unread.body.checks.schema.problem], [503, "can't be read"]);
  });
});
