// Protection of the service against abuse, and of others against the service: Turnstile, the kill switch, webhooks that lead elsewhere.
// Also the form without JavaScript, which anybody's page may post.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { migrate } from "../../scripts/lib/runtime.mjs";
import { tenantForm, makeWebhook, startHarness, until } from "./harness.mjs";

const h = await startHarness({ secrets: { TURNSTILE_SECRET: "the secret that Turnstile knows us by" } });
after(() => h.close());

const SITEVERIFY = { host: "challenges.cloudflare.com" };

const script = (fault) => h.sandbox("/__sandbox/faults", { method: "POST", body: { times: 1, ...fault } });
const requestsTo = async (host, path = "") => (await h.sandbox(`/__sandbox/requests?host=${host}&path=${path}`)).requests;
const start = (body, key) => h.api("POST", "/public/signup/start", { body, headers: key ? { "idempotency-key": key } : {} });
const person = () => `ok-${randomUUID()}`;
const tenants = async () => (await h.sql("select count(*) as n from tenants"))[0].n;

function assertIs(answer, status, code, reason) {
  const { error } = answer.body;
  assert.deepEqual([answer.status, error?.code, error?.reason], [status, code, reason], JSON.stringify(answer.body));
}
const assertWorks = (answer) => assert.equal(answer.status, 200, JSON.stringify(answer.body));

describe("with Turnstile, a signup", () => {
  test("goes through with a good token, which Turnstile is asked about with our secret", async () => {
    const turnstileToken = person();
    const answer = await h.api("POST", "/public/signup/start", {
      body: tenantForm({ turnstileToken }),
      headers: { "cf-connecting-ip": "203.0.113.7" },
    });
    assertWorks(answer);
    const [{ method, path, body, signature }] = (await requestsTo(SITEVERIFY.host)).slice(-1);
    assert.deepEqual([method, path, signature], ["POST", "/turnstile/v0/siteverify", { present: true, valid: true }]);
    const asked = new URLSearchParams(body);
    assert.deepEqual([asked.get("response"), asked.get("secret")], [turnstileToken, h.secrets.TURNSTILE_SECRET]);
  });

  test("is refused without one, and with a bad or a spent one: nothing is stored", async () => {
    const spent = person();
    assertWorks(await start(tenantForm({ turnstileToken: spent })));
    const stored = await h.dump();
    for (const key of [undefined, randomUUID()]) {
      for (const turnstileToken of [undefined, null, "", "bad", spent]) {
        assertIs(await start(tenantForm({ turnstileToken }), key), 403, "TURNSTILE_FAILED");
      }
      assertIs(await start(tenantForm({ turnstileToken: 7 }), key), 400, "VALIDATION");
    }
    assert.deepEqual(await h.dump(), stored);
  });

  test("that was refused goes through under the same key with a good token, at once", async () => {
    const [form, key] = [tenantForm(), randomUUID()];
    assertIs(await start({ ...form, turnstileToken: "bad" }, key), 403, "TURNSTILE_FAILED");
    assertWorks(await start({ ...form, turnstileToken: person() }, key));
  });

  test("is answered again under its key although its token is spent", async () => {
    const [form, key] = [tenantForm({ turnstileToken: person() }), randomUUID()];
    const first = await start(form, key);
    assertWorks(first);
    const asked = (await requestsTo(SITEVERIFY.host)).length;
    const again = await start(form, key);
    assertWorks(again);
    assert.deepEqual([again.body.tenantId, again.body.replayed], [first.body.tenantId, true]);
    assertWorks(await h.api("GET", "/whoami", { token: again.body.jwt }));
    assertWorks(await start({ ...form, turnstileToken: undefined }, key));
    assert.equal((await requestsTo(SITEVERIFY.host)).length, asked, "nobody was asked about a spent token");

    assertIs(await start({ ...form, clubName: "Another" }, key), 422, "IDEMPOTENCY_KEY_REUSED");
    assertIs(await start(form), 403, "TURNSTILE_FAILED");
    assertIs(await start(form, randomUUID()), 403, "TURNSTILE_FAILED");
  });

  for (const [name, fault] of Object.entries({
    "answers 500": { kind: "status", status: 500 },
    "answers nonsense": { kind: "status", status: 200, body: "<html>" },
    "breaks the connection": { kind: "throw" },
  })) {
    test(`is turned away when Turnstile ${name}, and can be sent again at once`, async () => {
      const [form, key] = [tenantForm({ turnstileToken: person() }), randomUUID()];
      const stored = await h.dump();
      await script({ ...SITEVERIFY, ...fault });
      const answer = await start(form, key);
      assertIs(answer, 503, "TURNSTILE_UNAVAILABLE");
      assert.match(answer.headers.get("retry-after"), /^[1-9]\d*$/);
      assert.deepEqual(await h.dump(), stored);
      assertWorks(await start(form, key));
    });
  }

  test("can be sent again when Turnstile took the token and the answer was lost", async () => {
    const [form, key] = [tenantForm({ turnstileToken: person() }), randomUUID()];
    await script({ ...SITEVERIFY, kind: "lost" });
    assertIs(await start(form, key), 503, "TURNSTILE_UNAVAILABLE");
    assertWorks(await start(form, key));
    // What makes a repeat of it good must not make it good for anything else.
    assertIs(await start(tenantForm({ turnstileToken: form.turnstileToken }), randomUUID()), 403, "TURNSTILE_FAILED");
  });

  test("holds its key while it is at work; a hold that a crash left behind ends by itself", async () => {
    const [form, key] = [tenantForm(), randomUUID()];
    await script({ ...SITEVERIFY, kind: "delay", ms: 2000 });
    const slow = start({ ...form, turnstileToken: "bad" }, key);
    const lease = await until(async () => (await h.sql("select * from idempotency_keys where status = 'in_progress'"))[0]);
    const meanwhile = await start({ ...form, turnstileToken: person() }, key);
    assertIs(meanwhile, 409, "IDEMPOTENCY_IN_PROGRESS");
    assert.match(meanwhile.headers.get("retry-after"), /^[1-9]\d*$/);
    assertIs(await slow, 403, "TURNSTILE_FAILED");
    assert.deepEqual(await h.sql("select * from idempotency_keys where id = ?", lease.id), []);

    // As it lies there when the request ended without an answer, before and after it expires.
    const columns = Object.keys(lease);
    await h.sql(`insert into idempotency_keys (${columns}) values (${columns.map(() => "?")})`, ...Object.values(lease));
    assert.ok(lease.expires_at - lease.created_at <= 60, "a minute at most");
    assertIs(await start({ ...form, turnstileToken: person() }, key), 409, "IDEMPOTENCY_IN_PROGRESS");
    await h.sql("update idempotency_keys set expires_at = unixepoch() where id = ?", lease.id);
    const granted = await start({ ...form, turnstileToken: person() }, key);
    assertWorks(granted);
    assert.equal((await start(form, key)).body.tenantId, granted.body.tenantId);
  });

  test("of twenty at once under one key and one token is one tenant", async () => {
    const [form, key] = [tenantForm({ turnstileToken: person() }), randomUUID()];
    const answers = await Promise.all(Array.from({ length: 20 }, () => start(form, key)));
    const ids = new Set(answers.filter(({ status }) => status === 200).map(({ body }) => body.tenantId));
    assert.equal(ids.size, 1);
    for (const { status, body } of answers) {
      assert.ok(status === 200 || body.error.code === "IDEMPOTENCY_IN_PROGRESS", `${status} ${body.error?.code}`);
    }
    assertWorks(await start(form, key));
  });

  test("through the form needs a person, too", async () => {
    const count = await tenants();
    const { status } = await post(tenantForm());
    assert.equal(status, 403);
    assert.equal(await tenants(), count);
  });
});

const TYPE = "application/x-www-form-urlencoded";

/** Posts a form as a browser does. */
const post = (fields, type = TYPE) =>
  h.api("POST", "/public/signup/form", { body: new URLSearchParams(fields).toString(), headers: { "content-type": type } });

describe("with Turnstile, a good token", () => {
  for (const [what, token] of Object.entries({
    "of another page": `ok-${randomUUID()}~evil.example`,
    "of another form": `ok-${randomUUID()}~localhost~login`,
    "that is old": `ok-${randomUUID()}~localhost~signup~301`,
  })) {
    test(`${what} is refused, and the key is free at once`, async () => {
      const [form, key] = [tenantForm(), randomUUID()];
      assertIs(await start({ ...form, turnstileToken: token }, key), 403, "TURNSTILE_FAILED");
      assertWorks(await start({ ...form, turnstileToken: person() }, key));
    });
  }

  test("is spent by a refusal, which gives the key back at once", async () => {
    const known = await h.signup({ turnstileToken: person() });
    const [form, key] = [tenantForm(), randomUUID()];
    assertIs(await start({ ...form, clubSlug: known.clubSlug, turnstileToken: person() }, key), 409, "SLUG_TAKEN");
    assertIs(await start({ ...form, email: known.email, turnstileToken: person() }, key), 409, "EMAIL_EXISTS");
    assertIs(await start({ ...form, promoCode: "NOSUCH", turnstileToken: person() }, key), 400, "INVALID_PROMO", "unknown");
    assertWorks(await start({ ...form, turnstileToken: person() }, key));
  });
});

describe("the form without JavaScript", () => {
  const post = (headers) =>
    fetch(new URL("/public/signup/form", h.url), {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
      body: new URLSearchParams({ ...tenantForm(), turnstileToken: person() }),
    });

  test("is refused when another site posts it", async () => {
    for (const headers of [{ "sec-fetch-site": "cross-site" }, { "sec-fetch-site": "same-site" }, { origin: "https://evil.example" }]) {
      const answer = await post(headers);
      assert.equal(answer.status, 403, JSON.stringify(headers));
      assert.match(await answer.text(), /sent from another website/);
    }
    for (const headers of [{ "sec-fetch-site": "same-origin" }, {}]) assert.equal((await post(headers)).status, 200, JSON.stringify(headers));
  });
});

describe("without Turnstile", () => {
  before(() => h.reconfigure({ secrets: { TURNSTILE_SECRET: "" } }));

  describe("the form without JavaScript", () => {
    const POLICY = /^default-src 'none'; .*form-action 'self'.*frame-ancestors 'none'$/;
    function assertPage({ status, headers, body }, expected) {
      assert.equal(status, expected, body);
      assert.equal(headers.get("content-type"), "text/html; charset=utf-8");
      assert.match(headers.get("content-security-policy"), POLICY);
      assert.doesNotMatch(headers.get("content-security-policy"), /unsafe|script-src/);
      assert.equal(headers.get("x-content-type-options"), "nosniff");
      assert.match(headers.get("cache-control"), /\bno-store\b/);
      assert.match(headers.get("x-request-id"), /^req_/);
      assert.match(body, /^<!doctype html>/i);
      assert.doesNotMatch(body, /<script|eyJ|onerror=|undefined|null/i);
    }

    test("signs a tenant up and mails its owner a link that proves the address and signs in", async () => {
      const form = tenantForm({ plan: "pro" });
      const answer = await post(form);
      assertPage(answer, 200);
      assert.doesNotMatch(answer.body, /<form/);
      const { proofToken } = await h.proofMail(form.email);
      const { status, body } = await h.api("POST", "/auth/proof", { body: { token: proofToken } });
      assert.equal(status, 200, JSON.stringify(body));
      assertWorks(await h.api("GET", "/whoami", { token: body.jwt }));
      const [row] = await h.sql("select id, slug, name, plan from tenants where email = ?", form.email);
      assert.deepEqual(row, { id: body.tenantId, slug: form.clubSlug, name: form.clubName, plan: "pro" });
    });

    test("sent twice is one tenant and one mail", async () => {
      const form = tenantForm();
      for (const answer of await Promise.all([post(form), post(form)])) assertPage(answer, 200);
      assertPage(await post(form), 200);
      await h.mailsLeft();
      assert.equal((await h.sql("select id from tenants where unproven_email = ?", form.email)).length, 1);
      assert.deepEqual([(await h.proofMails(form.email)).length, await h.mails(form.email)], [1, []]);
    });

    test("shows again what was typed, as text, and what is wrong with it", async () => {
      const typed = {
        clubName: `"><script>alert(1)</script>`,
        clubSlug: `'><img src=x onerror=alert(1)>`,
        email: `a"b`,
        promoCode: "&lt;b>",
        plan: "pro",
      };
      const answer = await post(typed);
      assert.equal(answer.status, 400);
      const { body } = answer;
      assert.doesNotMatch(body, /<script|<img/);
      const values = Object.fromEntries(
        [...body.matchAll(/ name="(\w+)" type="(?:text|email)"(?: dir="auto")? value="([^"]*)"/g)].map(([, name, value]) => [name, value]),
      );
      const text = (html) =>
        html.replace(/&(lt|gt|quot|#39|amp);/g, (_, name) => ({ lt: "<", gt: ">", quot: '"', "#39": "'", amp: "&" })[name]);
      for (const name of ["clubName", "clubSlug", "email", "promoCode"]) assert.equal(text(values[name]), typed[name]);
      for (const value of Object.values(values)) assert.doesNotMatch(value, /[<>]/);
      assert.match(body, /value="pro" checked/);
      for (const name of ["clubSlug", "email", "promoCode"]) {
        assert.match(body, new RegExp(`name="${name}"[^>]*aria-invalid="true"><p class="error" id="${name}-error">[^<]+</p>`));
      }
      assert.match(body, /role="alert"/);
      assertPage({ ...answer, body: body.replaceAll("onerror=", "") }, 400);
    });

    test("says what stands in the way, where it does", async () => {
      const taken = tenantForm();
      await h.signup(taken);
      for (const [fields, status, name] of [
        [{ clubSlug: taken.clubSlug }, 409, "clubSlug"],
        [{ email: taken.email.toUpperCase() }, 409, "email"],
        [{ promoCode: "NOSUCHCODE" }, 400, "promoCode"],
        [{ plan: "enterprise" }, 400, "plan"],
        [{ clubName: "" }, 400, "clubName"],
      ]) {
        const answer = await post(tenantForm(fields));
        assertPage(answer, status);
        assert.match(answer.body, new RegExp(`id="${name}-error">[^<]+</p>`), name);
      }
    });

    test("takes a form and nothing else, and not too much of it", async () => {
      const count = await tenants();
      for (const type of ["application/json", "text/plain", "multipart/form-data; boundary=x"]) {
        const answer = await post(tenantForm(), type);
        assertPage(answer, 415);
        assert.doesNotMatch(answer.body, /JSON/, "said to a person who never sent any");
      }
      assertPage(await post(tenantForm({ clubName: "x".repeat(17_000) })), 413);
      const get = await h.api("GET", "/public/signup/form");
      assert.deepEqual([get.status, get.headers.get("allow")], [405, "POST"]);
      assert.equal(await tenants(), count);
    });
  });

  test("a body far too large is read to its end, so that its sender sees the answer", async () => {
    const json = { "content-type": "application/json" };
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const routes = {
      "a refused size": ["POST", "/public/signup/start", json, 413],
      "a form": ["POST", "/public/signup/form", form, 413],
      "a link's token": ["POST", "/auth/magic/verify", json, 413],
      "a wrong type": ["POST", "/public/signup/start", { "content-type": "text/plain" }, 415],
      "no token": ["PATCH", "/api/v1/tenants/me", json, 401],
      "a wrong method": ["DELETE", "/public/signup/start", json, 405],
      "no such route": ["POST", "/no/such/route", json, 404],
    };
    const announced = (bytes) => ({ body: "x".repeat(bytes) });
    const streamed = (bytes) => ({ body: new Blob(["x".repeat(bytes)]).stream(), duplex: "half" });
    for (const [name, [method, path, headers, status]] of Object.entries(routes)) {
      for (const body of [announced, streamed]) {
        for (const bytes of [100_000, 1_000_000, 5_000_000]) {
          const response = await fetch(new URL(path, h.url), { method, headers, ...body(bytes) });
          await response.text();
          assert.equal(response.status, status, `${name}, ${body.name} ${bytes}`);
        }
      }
    }
  });

  describe("the kill switch", () => {
    test("stops new signups, and nothing else", async () => {
      const [form, key] = [tenantForm(), randomUUID()];
      const first = await start(form, key);
      assertWorks(first);
      await h.sql("insert into feature_flags (name, enabled, updated_at) values ('signup_enabled', 0, 0)");
      const stored = await h.dump();
      for (const answer of [await start(tenantForm()), await start(tenantForm(), randomUUID()), await start(form)]) {
        assertIs(answer, 503, "SIGNUPS_DISABLED");
        assert.equal(answer.headers.get("retry-after"), "3600");
      }
      assert.equal((await post(tenantForm())).status, 503);
      assert.deepEqual(await h.dump(), stored);

      assert.equal((await start(form, key)).body.tenantId, first.body.tenantId, "who was granted it gets the answer again");
      const tenant = await h.prove({ ...form, ...first.body });
      assertWorks(await h.api("GET", "/public/signup/availability?slug=free-club"));
      assertIs(await h.api("POST", "/public/signup/verify-promo", { body: { promoCode: "NOSUCH" } }), 400, "INVALID_PROMO", "unknown");
      for (const path of ["/health/ready", "/health/startup"]) assertWorks(await h.api("GET", path));
      assert.equal((await h.api("POST", "/auth/magic/start", { body: { email: tenant.email } })).status, 202);
      const [{ linkToken }] = await until(async () => (await h.mails(tenant.email)).length > 0 && h.mails(tenant.email));
      assertWorks(await h.api("POST", "/auth/magic/verify", { body: { token: linkToken } }));
      assertWorks(await h.confirm(tenant));
      assert.equal((await h.settled(tenant)).status, "completed");

      await h.sql("update feature_flags set enabled = 1 where name = 'signup_enabled'");
      assertWorks(await start(tenantForm()));
    });

    describe("as a command", () => {
      const stateDir = mkdtempSync(join(tmpdir(), "tenantry-switch-"));
      const command = fileURLToPath(new URL("../../scripts/switch-signups.sh", import.meta.url));
      const run = (...args) => promisify(execFile)(command, args, { cwd: tmpdir(), env: { ...process.env, STATE_DIR: stateDir } });
      before(() => migrate(stateDir));
      after(() => rmSync(stateDir, { recursive: true, force: true }));

      function flag(name = "signup_enabled") {
        const databases = join(stateDir, "v3/d1/miniflare-D1DatabaseObject");
        const files = readdirSync(databases).filter((name) => /^[0-9a-f]+\.sqlite$/.test(name));
        assert.equal(files.length, 1);
        const database = new DatabaseSync(join(databases, files[0]), { readOnly: true });
        try {
          return database.prepare("select enabled from feature_flags where name = ?").get(name)?.enabled;
        } finally {
          database.close();
        }
      }

      test("is thrown and thrown back in the database of npm start", async () => {
        assert.equal(flag(), undefined);
        assert.match((await run("off", "local")).stdout, /^✓ Signups are off \(local\)\n$/);
        assert.equal(flag(), 0);
        await run("on", "local");
        assert.equal(flag(), 1);
      });

      test("pauses provisioning by the same switch, of an environment that must be named", async () => {
        const pause = fileURLToPath(new URL("../../scripts/switch-provisioning.sh", import.meta.url));
        const run = (...args) => promisify(execFile)(pause, args, { cwd: tmpdir(), env: { ...process.env, STATE_DIR: stateDir } });
        for (const args of [[], ["off"], ["of", "local"], ["off", "staging"]]) {
          await assert.rejects(run(...args), ({ code, stderr }) => code === 2 && /^✗ .+\n$/.test(stderr));
        }
        assert.equal(flag("provisioning_enabled"), undefined);
        assert.match((await run("off", "local")).stdout, /^✓ Provisioning is paused \(local\)\n$/);
        assert.equal(flag("provisioning_enabled"), 0);
        assert.match((await run("on", "local")).stdout, /^✓ Provisioning is on \(local\)\n$/);
        assert.equal(flag("provisioning_enabled"), 1);
      });

      test("makes no database where npm start has none", async () => {
        const nowhere = join(stateDir, "nowhere");
        const run = promisify(execFile)(command, ["off", "local"], { cwd: tmpdir(), env: { ...process.env, STATE_DIR: nowhere } });
        await assert.rejects(run, ({ code, stderr }) => code === 2 && /^✗ There is no database in .*: run npm start once/.test(stderr));
        assert.ok(!existsSync(nowhere));
      });

      test("does nothing unless it was told clearly", async () => {
        for (const args of [[], ["off"], ["of", "local"], ["off", "staging"]]) {
          await assert.rejects(run(...args), ({ code, stderr }) => code === 2 && /^✗ .+\n$/.test(stderr));
        }
        assert.ok(existsSync(stateDir));
      });
    });
  });

  describe("a webhook", () => {
    const pathOf = ({ webhookUrl }) => new URL(webhookUrl).pathname;
    const HOST = "hook.eu2.make.com";
    const ELSEWHERE = {
      same: "/elsewhere",
      make: "https://hook.eu1.make.com/elsewhere",
      evil: "https://evil.example/collect",
      plain: "http://hook.eu2.make.com/x",
    };
    const pingsTo = async (webhook) =>
      (await requestsTo(HOST, pathOf(webhook))).filter(({ body }) => JSON.parse(body).type === "webhook.ping");
    const tryOut = (tenant, { body, token = tenant.jwt } = {}) =>
      h.api("POST", `/api/v1/tenants/${tenant.tenantId}/webhook/test`, { token, body });

    for (const [name, location] of Object.entries(ELSEWHERE)) {
      test(`that redirects (${name}) is not followed: neither by a run nor by a try`, async () => {
        const [tenant, webhook] = [await h.signup(), makeWebhook()];
        await script({
          host: HOST,
          path: pathOf(webhook),
          kind: "status",
          status: name === "evil" ? 307 : 302,
          headers: { location },
          body: "moved",
          times: null,
        });
        await h.confirm(tenant, webhook);
        const { status, data } = await h.settled(tenant);
        assert.deepEqual([status, data.reason], ["failed", "WEBHOOK_REJECTED"], JSON.stringify(data));
        const tried = await tryOut(tenant);
        assertWorks(tried);
        assert.deepEqual([tried.body.data.delivered, tried.body.data.status], [false, name === "evil" ? 307 : 302]);

        assert.equal((await pingsTo(webhook)).length, 2, "the run's ping and the try's");
        for (const [host, path] of [["hook.eu1.make.com"], ["evil.example"], [HOST, "/elsewhere"], [HOST, "/x"]]) {
          assert.deepEqual(await requestsTo(host, path), [], host);
        }
      });
    }

    test("that is not the tenant's own is tried by operators alone, with a signed ping", async () => {
      const [tenant, webhook] = [await h.signup(), makeWebhook()];
      await h.sandbox("/__sandbox/webhooks", { method: "PUT", body: { url: webhook.webhookUrl, secret: webhook.webhookSecret } });
      assertIs(await tryOut(tenant, { body: webhook }), 409, "WEBHOOK_NOT_STORED");
      assert.deepEqual(await requestsTo(HOST, pathOf(webhook)), []);
      const answer = await tryOut(tenant, { body: webhook, token: h.token() });
      assertWorks(answer);
      const { ms, ...data } = answer.body.data;
      assert.deepEqual(data, { delivered: true, status: 200, reason: null });
      assert.ok(Number.isInteger(ms) && ms >= 0);
      const [ping, ...more] = await requestsTo(HOST, pathOf(webhook));
      assert.deepEqual([more.length, ping.signature], [0, { present: true, valid: true }]);
      assert.equal(JSON.parse(ping.body).type, "webhook.ping");
      assert.deepEqual(await h.sql("select * from make_connections where tenant_id = ?", tenant.tenantId), []);
      assert.equal((await h.status(tenant)).body.status, "pending");
    });

    test("is tried out as it is stored, by its tenant and by operators", async () => {
      const [tenant, webhook] = [await h.signup(), makeWebhook()];
      await h.sandbox("/__sandbox/webhooks", { method: "PUT", body: { url: webhook.webhookUrl, secret: webhook.webhookSecret } });
      await h.confirm(tenant, webhook);
      await h.settled(tenant);
      for (const token of [tenant.jwt, h.token()]) assert.equal((await tryOut(tenant, { token })).body.data.delivered, true);
      const pings = await pingsTo(webhook);
      assert.equal(new Set(pings.map(({ key }) => key)).size, 3, "each under a key of its own");
      assert.ok(pings.every(({ signature }) => signature.valid));
    });

    test("that says no is told as such, in our words and never in its own", async () => {
      const tenant = await h.signup();
      const marker = "INTERNAL-BODY-OF-ANOTHER-HOST";
      for (const [fault, status] of [
        [{ kind: "status", status: 410 }, 410],
        [{ kind: "status", status: 403 }, 403],
        [{ kind: "status", status: 429 }, 429],
        [{ kind: "status", status: 500 }, 500],
        [{ kind: "throw" }],
      ]) {
        const webhook = makeWebhook();
        await script({ host: HOST, path: pathOf(webhook), body: marker, headers: { "x-internal": marker }, ...fault });
        const answer = await tryOut(tenant, { body: webhook, token: h.token() });
        assertWorks(answer);
        assert.equal(answer.body.data.delivered, false);
        assert.match(answer.body.data.reason, /^[A-Z].+\.$/);
        if (status) assert.equal(answer.body.data.status, status);
        const told = JSON.stringify([answer.body, [...answer.headers]]);
        for (const secret of [marker, pathOf(webhook).slice(1), webhook.webhookSecret]) assert.ok(!told.includes(secret), told);
      }
    });

    test("that answers a flood is read to a bound, and not told either", async () => {
      const [tenant, webhook] = [await h.signup(), makeWebhook()];
      await script({ host: HOST, path: pathOf(webhook), kind: "status", status: 200, body: "flood ".repeat(100_000) });
      const answer = await tryOut(tenant, { body: webhook, token: h.token() });
      assert.equal(answer.body.data.delivered, true);
      assert.ok(JSON.stringify(answer.body).length < 1000);
    });

    test("that never answers is given up after five seconds", async () => {
      const [tenant, webhook] = [await h.signup(), makeWebhook()];
      await script({ host: HOST, path: pathOf(webhook), kind: "silence" });
      const since = performance.now();
      const answer = await tryOut(tenant, { body: webhook, token: h.token() });
      const took = performance.now() - since;
      assertWorks(answer);
      assert.deepEqual([answer.body.data.delivered, answer.body.data.status], [false, null]);
      assert.ok(took >= 4900, `${took} ms`);
    });

    test("that is none is told apart", async () => {
      const [tenant, pro, other] = [await h.signup(), await h.signup({ plan: "pro" }), await h.signup()];
      const webhook = makeWebhook();
      for (const owner of [tenant, pro]) assertIs(await tryOut(owner), 409, "NO_WEBHOOK");
      for (const webhookUrl of [
        "https://evil.example/x",
        "https://evilmake.com/x",
        "https://hook.make.com.evil.example/x",
        "http://hook.eu2.make.com/x",
        "https://169.254.169.254/x",
        "https://hook.eu2.make.com:8443/x",
        "https://a@hook.eu2.make.com/x",
      ]) {
        assertIs(await tryOut(tenant, { body: { ...webhook, webhookUrl } }), 400, "INVALID_WEBHOOK_HOST");
      }
      for (const body of [
        { webhookUrl: webhook.webhookUrl },
        { webhookSecret: webhook.webhookSecret },
        { ...webhook, webhookSecret: "short" },
        { ...webhook, webhookUrl: "hook" },
      ]) {
        assertIs(await tryOut(tenant, { body }), 400, "VALIDATION");
      }
      assertIs(await tryOut(tenant, { body: webhook, token: other.jwt }), 403, "FORBIDDEN", "tenant_mismatch");
      const service = h.token({ aud: "internal", roles: ["service"] });
      assertIs(await tryOut(tenant, { body: webhook, token: service }), 403, "FORBIDDEN", 'unexpected "aud" claim value');
      assertIs(await h.api("POST", `/api/v1/tenants/${tenant.tenantId}/webhook/test`, { body: webhook }), 401, "UNAUTHORIZED");
      assert.deepEqual(await requestsTo(HOST, pathOf(webhook)), []);
      assert.deepEqual(await requestsTo("evil.example"), []);
    });

    test("of a tenant that does not exist is tried by nobody", async () => {
      const [tenant, webhook] = [{ tenantId: "tenant_01jd0000000000000000000000" }, makeWebhook()];
      assertIs(await tryOut(tenant, { body: webhook, token: h.token() }), 404, "TENANT_NOT_FOUND");
      assert.deepEqual(await requestsTo(HOST, pathOf(webhook)), []);
    });
  });
});
