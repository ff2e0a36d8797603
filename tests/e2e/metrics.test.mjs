// `GET /metrics` over the real runtime: what Prometheus reads, what moves when, and what is left while the database is down.
// promtool, which reads as Prometheus does, judges it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, describe, test } from "node:test";
import { promtool } from "../../scripts/lib/setup.mjs";
import { until } from "./harness.mjs";
import { startInstrumented } from "./instrumented.mjs";

const PROMTOOL = await promtool();
const h = await startInstrumented();
after(() => h.close());

const ask = (token) => h.api("GET", "/metrics", token === undefined ? {} : { token });

/** What monitoring reads, as text. */
async function text() {
  const { status, headers, body } = await ask(h.secrets.METRICS_TOKEN);
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  return body;
}

/** Every sample, by its name and labels. */
const parse = (body) => Object.fromEntries(body.trimEnd().split("\n").filter((line) => !line.startsWith("#")).map(sample));

function sample(line) {
  const [, name, value] = /^(\S.*) (-?\d+)$/.exec(line);
  return [name, Number(value)];
}

const isRequests = ([name]) => name.startsWith("tenantry_http_requests_total");

/** Without the requests, which move by themselves: whoever scrapes asks, too. */
const read = (body) => Object.fromEntries(Object.entries(parse(body)).filter((sample) => !isRequests(sample)));
const scrape = async () => read(await text());

/** Runs a program on a text; answers `{status, printed}`. */
function judge(input) {
  return new Promise((done) => {
    const child = execFile(PROMTOOL, ["check", "metrics"], (error, stdout, stderr) => done({ status: error?.code ?? 0, printed: stdout + stderr }));
    child.stdin.end(input);
  });
}

/** How much more there is of each sample that changed. */
function moved(before, now) {
  const more = Object.keys({ ...before, ...now }).map((name) => [name, (now[name] ?? 0) - (before[name] ?? 0)]);
  return Object.fromEntries(more.filter(([, by]) => by !== 0));
}

test("who may read it", async () => {
  assert.equal((await ask()).body.error.code, "UNAUTHORIZED");
  for (const token of ["wrong", `${h.secrets.METRICS_TOKEN}x`, "a.b.c", h.token({}, "another key of more than 32 bytes!")]) {
    const { status, body, headers } = await ask(token);
    assert.deepEqual([status, body.error.code], [401, "INVALID_TOKEN"], token);
    assert.match(headers.get("www-authenticate"), /^Bearer /);
  }
  const tenant = await h.signup();
  for (const token of [tenant.jwt, h.token({ aud: "internal", roles: ["service"] }), h.token({ roles: ["owner"] })]) {
    const { status, body } = await ask(token);
    assert.deepEqual([status, body.error.code], [403, "FORBIDDEN"]);
  }
  const operators = await ask(h.token());
  assert.equal(operators.status, 200);
  assert.deepEqual(read(operators.body), await scrape());
  const jti = "an operator's token that was lost";
  await h.sql("insert into revoked_tokens (jti, reason, revoked_at, expires_at) values (?, '', 0, 9000000000)", jti);
  assert.equal((await ask(h.token({ jti }))).body.error.reason, "token_revoked");
  assert.equal((await h.api("GET", "/whoami", { token: h.secrets.METRICS_TOKEN })).status, 401, "it opens nothing else");
  const secret = h.secrets.METRICS_TOKEN;
  assert.ok(!JSON.stringify(h.logs()).includes(secret), "nor is it in the log");
});

test("promtool finds nothing to say", async () => {
  assert.deepEqual(await judge(await text()), { status: 0, printed: "" });
  const { status, printed } = await judge("# TYPE clubs counter\nclubs 1\n");
  assert.ok(status !== 0 && printed.includes("_total"), "it would say so");
});

test("a tenant that signs up, proves its address and goes live moves what it should, and nothing else", async () => {
  const mailed = 'tenantry_mails_settled_total{outcome="sent"}';
  await h.mailsLeft();
  await h.sweep();
  const before = await scrape();
  const tenant = await h.signup({ plan: "starter" });
  await h.mailsLeft();
  const signedUp = await scrape();
  assert.deepEqual(moved(before, signedUp), { [mailed]: 1, tenantry_signups_total: 1, 'tenantry_tenants{plan="starter",status="trial"}': 1 });

  await h.confirm(tenant);
  assert.equal((await h.settled(tenant)).status, "completed");
  const delivered = 'tenantry_webhook_deliveries_settled_total{outcome="delivered"}';
  const hasMoved = (name, now) => (now[name] ?? 0) > (signedUp[name] ?? 0);
  await until(async () => [await scrape()].every((now) => hasMoved(delivered, now) && hasMoved(mailed, now)), { what: "the event and the mail" });
  const change = moved(signedUp, await scrape());
  const [{ took }] = await h.sql("select completed_at - started_at as took from provision_runs where tenant_id = ?", tenant.tenantId);
  const histogram = "tenantry_provisioning_duration_seconds";
  assert.equal(change[`${histogram}_sum{plan="starter"}`] ?? 0, took);
  const buckets = Object.keys(change).filter((name) => name.startsWith(`${histogram}_bucket{plan="starter"`));
  const ends = buckets.map((name) => Number(/le="([^"]+)"/.exec(name)[1].replace("+Inf", "Infinity")));
  assert.ok(ends.every((end) => end >= took) && ends.includes(Infinity), `${took}: ${ends}`);
  const others = Object.entries(change).filter(([name]) => !buckets.includes(name) && name !== `${histogram}_sum{plan="starter"}`);
  assert.deepEqual(Object.fromEntries(others), {
    [`${histogram}_count{plan="starter"}`]: 1,
    ...{ [delivered]: 1, [mailed]: 1 },
    'tenantry_provisioning_runs{plan="starter",status="completed"}': 1,
    'tenantry_tenants{plan="starter",status="active"}': 1,
    'tenantry_tenants{plan="starter",status="trial"}': -1,
  });
  assert.ok(!(await text()).includes(tenant.tenantId));
});

test("a run that is given up is a failure, and so is its step", async () => {
  const before = await scrape();
  const tenant = await h.signup({ plan: "starter" });
  await h.confirm(tenant, { webhookUrl: "https://hook.eu2.make.com/gone", webhookSecret: "0123456789abcdef0123456789abcdef" });
  assert.equal((await h.settled(tenant)).status, "failed");
  const wanted = {
    tenantry_provisioning_failures_total: 1,
    'tenantry_provisioning_runs{plan="starter",status="failed"}': 1,
    'tenantry_step_troubles_total{step="validate_webhook",outcome="refused"}': 1,
    'tenantry_domain_events_total{type="tenant.failed"}': 1,
  };
  const change = moved(before, await scrape());
  for (const [name, by] of Object.entries(wanted)) assert.equal(change[name], by, name);
});

test("the sweep is seen, and the schema is the one that is needed", async () => {
  const begun = Math.floor(Date.now() / 1000);
  await h.sweep();
  const now = await scrape();
  const swept = now.tenantry_sweep_last_success_timestamp_seconds;
  assert.ok(begun <= swept && swept <= Date.now() / 1000, `${swept}`);
  assert.equal(now.tenantry_schema_version, now.tenantry_schema_needed_version);
  const [{ newest }] = await h.sql("select max(name) as newest from d1_migrations");
  assert.equal(now.tenantry_schema_version, Number.parseInt(newest, 10));
  assert.equal(now['tenantry_build_info{version="0.4.0",environment="development"}'], 1);
});

test("requests are added up: in a row each, whoever asked, within seconds, and when the database is back", async () => {
  const told = async () => Object.fromEntries(Object.entries(parse(await text())).filter(isRequests));
  const before = await told();
  const sample = (route, status) => `tenantry_http_requests_total{route="${route}",method="GET",status="${status}"}`;
  await h.forget();
  await h.behave({ database: "down" });
  for (let n = 0; n < 3; n += 1) assert.equal((await h.api("GET", "/whoami", { token: h.token() })).status, 503);
  for (let n = 0; n < 49; n += 1) assert.equal((await h.api("GET", "/health")).status, 200);
  assert.equal((await h.api("GET", "/nowhere")).status, 404);
  await until(async () => (await h.calls()).some(({ by, kind }) => by === "tally" && kind === "failed batch"), { within: 30_000, what: "a tally that is refused" });
  await h.behave({ database: "ok" });
  await h.api("GET", "/health");
  const wanted = { [sample("/whoami", "5xx")]: 3, [sample("/health", "2xx")]: 50, [sample("unmatched", "4xx")]: 1 };
  const change = await until(
    async () => {
      const now = moved(before, await told());
      return now[sample("/health", "2xx")] === 50 && now;
    },
    { within: 30_000, every: 500, what: "the requests' being written down" },
  );
  for (const [name, by] of Object.entries(wanted)) assert.equal(change[name], by, name);
  const tallies = (await h.calls()).filter(({ by, kind }) => by === "tally" && kind === "batch");
  const rows = tallies.reduce((sum, { rowsWritten }) => sum + rowsWritten, 0);
  assert.ok(rows < 30, `a row for each route and status, not for each request: ${rows}`);
});

test("a scrape is one batch, a call to each breaker, and no row written", async () => {
  await h.forget();
  await text();
  const calls = (await h.calls()).filter(({ by }) => by === "request");
  const count = (kind) => calls.filter((call) => call.kind === kind).length;
  assert.deepEqual([count("batch"), count("breaker"), count("egress")], [1, 5, 0]);
  assert.equal(calls.reduce((sum, { rowsWritten = 0 }) => sum + rowsWritten, 0), 0);
});

describe("monitoring is answered", () => {
  after(() => h.behave({}));
  for (const database of ["down", "hanging", "absent"]) {
    test(`while the database is ${database}, and operators are not`, async () => {
      await h.behave({ database });
      const begun = Date.now();
      const body = await text();
      assert.ok(Date.now() - begun < 10_000, "within Prometheus' patience");
      const now = parse(body);
      assert.equal(now.tenantry_store_up, 0);
      assert.equal(now['tenantry_breaker_state{upstream="make",state="closed"}'], 1);
      assert.ok(!body.includes("tenantry_tenants") && !body.includes("tenantry_sweep"), "nothing is made up");
      assert.deepEqual(await judge(body), { status: 0, printed: "" });
      if (database !== "hanging") assert.equal((await ask(h.token())).body.error.code, "STORE_UNAVAILABLE");
    });
  }

  for (const breaker of ["failing", "hanging"]) {
    test(`while breakers are ${breaker}, which are unknown then`, async () => {
      await h.behave({ breaker });
      const begun = Date.now();
      const body = await text();
      assert.ok(Date.now() - begun < 20_000, "all at once: five seconds for each, one after the other, would be longer");
      const states = Object.entries(parse(body)).filter(([name, is]) => name.startsWith("tenantry_breaker_state") && is === 1);
      assert.equal(states.length, 5);
      assert.ok(states.every(([name]) => name.includes('state="unknown"')));
      assert.ok(!/^tenantry_breaker_failures\{/m.test(body));
      assert.deepEqual(await judge(body), { status: 0, printed: "" });
    });
  }
});
