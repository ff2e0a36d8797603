// What a request and a whole tenant cost, counted where the product calls: batches of D1, calls to objects, rows read and written.
// The budgets are ARCHITECTURE's ("count round trips"); a row written is what D1 bills, index entries included.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { tenantForm, makeWebhook, until } from "./harness.mjs";
import { startInstrumented } from "./instrumented.mjs";

const h = await startInstrumented();
after(() => h.close());

/**
 * Rows that one tenant may write to D1, from its signup until its webhook was told that it is live and its welcome mail left. Ten of them are
 * that mail's, eighteen the first mail's, and six the proof's.
 */
const ROWS_PER_TENANT = 105;
/** Rows that a signup without a promo code may write. Six of them are the mail's that waits in the outbox then. */
const ROWS_PER_SIGNUP = 15;
/** Batches of a mail that proves an address: claimed, begun, settled. */
const BATCHES_PER_MAIL = 3;
/**
 * Calls to breakers: one for the mail that proves the address, then those of the run: one before each step that calls out, and one for its
 * mail. While nothing fails, only the breaker that counts concurrent calls is told afterwards.
 */
const BREAKERS = { starter: ["make", "resend"], pro: [...Array(4).fill("apps_script"), "resend"] };

const sum = (calls, name) => calls.reduce((total, call) => total + (call[name] ?? 0), 0);

/** What one request called itself: neither what its object did for it afterwards, nor what a mail did that it left behind. */
async function costOf(request) {
  await h.mailsLeft();
  await h.forget();
  const answer = await request();
  const calls = (await h.calls()).filter(({ by }) => by === "request");
  const count = (kind) => calls.filter((call) => call.kind === kind).length;
  return {
    status: answer.status,
    batches: count("batch"),
    objects: count("object") + count("breaker"),
    outside: count("egress"),
    rowsRead: sum(calls, "rowsRead"),
    rowsWritten: sum(calls, "rowsWritten"),
    sql: calls.map(({ sql }) => sql?.map((statement) => statement.trim().slice(0, 60))),
  };
}

const tenants = {};

before(async () => {
  await h.sql("insert into promo_codes (code, discount_percent, created_at) values ('BUDGET', 10, unixepoch())");
  for (const plan of ["starter", "pro"]) {
    const tenant = await h.signup({ plan });
    await h.confirm(tenant);
    await h.settled(tenant);
    tenants[plan] = tenant;
  }
});

const service = () => h.token({ aud: "internal", roles: ["service"] });

const REQUESTS = {
  "GET /health": [0, 0, () => h.api("GET", "/health")],
  "GET /health/live": [0, 0, () => h.api("GET", "/health/live")],
  "an unknown path": [0, 0, () => h.api("GET", "/nowhere"), 404],
  "POST start": [1, 0, () => h.api("POST", "/public/signup/start", { body: tenantForm() })],
  "POST start with a promo code": [1, 0, () => h.api("POST", "/public/signup/start", { body: tenantForm({ promoCode: "BUDGET" }) })],
  "POST start with a key": [
    ...[1, 0],
    () => h.api("POST", "/public/signup/start", { body: tenantForm(), headers: { "idempotency-key": randomUUID() } }),
  ],
  "POST start, a taken name": [
    1,
    0,
    () => h.api("POST", "/public/signup/start", { body: tenantForm({ clubSlug: tenants.pro.clubSlug }) }),
    409,
  ],
  "POST start, bad input": [0, 0, () => h.api("POST", "/public/signup/start", { body: {} }), 400],
  "GET availability, free": [1, 0, () => h.api("GET", `/public/signup/availability?slug=${tenantForm().clubSlug}`)],
  "GET availability, taken": [1, 0, () => h.api("GET", `/public/signup/availability?slug=${tenants.pro.clubSlug}`)],
  "POST verify-promo": [1, 0, () => h.api("POST", "/public/signup/verify-promo", { body: { promoCode: "BUDGET" } })],
  "GET whoami": [1, 0, () => h.api("GET", "/whoami", { token: tenants.pro.jwt })],
  "GET whoami without a token": [0, 0, () => h.api("GET", "/whoami"), 401],
  "GET whoami with a bad token": [0, 0, () => h.api("GET", "/whoami", { token: "a.b.c" }), 401],
  "GET provision-status": [1, 0, () => h.status(tenants.pro)],
  "POST brand": [
    ...[1, 0],
    () => h.api("POST", "/public/signup/brand", { token: tenants.pro.jwt, body: { primaryColor: "#aabbcc", secondaryColor: "#ddeeff" } }),
  ],
  "POST starter/make": [1, 1, async () => h.confirm(fresh.starter)],
  "POST pro/confirm": [1, 1, async () => h.confirm(fresh.pro)],
  "POST pro/confirm, completed": [1, 0, () => h.confirm(tenants.pro)],
  "POST provision/queue, completed": [
    ...[1, 0],
    () => h.api("POST", "/internal/provision/queue", { token: service(), body: { tenantId: tenants.pro.tenantId } }),
  ],
  "POST starter/make, unproven": [1, 0, () => h.confirm(unproven.starter)],
  "POST pro/confirm, unproven": [1, 0, () => h.confirm(unproven.pro)],
  // Whoever is refused is judged once more: a token that admits nobody hears nothing else.
  "POST proof, a wrong code": [2, 0, () => h.api("POST", "/auth/proof", { token: unproven.starter.jwt, body: { code: unproven.starter.wrong } }), 400],
  "POST proof/send, too soon": [2, 0, () => h.api("POST", "/auth/proof/send", { token: unproven.starter.jwt }), 429],
  "POST proof, the code of who waits for it": [
    ...[1, 1],
    () => h.api("POST", "/auth/proof", { token: unproven.starter.jwt, body: { code: unproven.starter.code } }),
  ],
  "POST proof, the link of who waits for it": [1, 1, () => h.api("POST", "/auth/proof", { body: { token: unproven.pro.proofToken } })],
  "POST proof, a link that is spent": [1, 0, () => h.api("POST", "/auth/proof", { body: { token: unproven.pro.proofToken } }), 401],
  "POST proof, no link": [0, 0, () => h.api("POST", "/auth/proof", { body: { token: "guess" } }), 401],
  "PATCH signup/email": [1, 0, () => h.api("PATCH", "/public/signup/email", { token: unproven.other.jwt, body: { email: tenantForm().email } })],
  "POST proof, the code of who waits for nothing": [
    ...[1, 0],
    () => h.api("POST", "/auth/proof", { token: unproven.idle.jwt, body: { code: unproven.idle.code } }),
  ],
  "GET tenants/me": [1, 0, () => h.api("GET", "/api/v1/tenants/me", { token: tenants.pro.jwt })],
  "PATCH tenants/me": [1, 0, () => h.api("PATCH", "/api/v1/tenants/me", { token: tenants.pro.jwt, body: { name: "Renamed" } })],
  "GET admin/stats": [1, 0, () => h.api("GET", "/api/v1/admin/stats", { token: h.token() })],
  "GET metrics, a breaker each": [1, 5, () => h.api("GET", "/metrics", { token: h.secrets.METRICS_TOKEN })],
  "GET admin/tenants/{id}": [1, 0, () => h.api("GET", `/api/v1/admin/tenants/${tenants.pro.tenantId}`, { token: h.token() })],
  "PATCH admin/tenants/{id}": [
    ...[1, 0],
    () => h.api("PATCH", `/api/v1/admin/tenants/${tenants.pro.tenantId}`, { token: h.token(), body: { comped: true, reason: "why" } }),
  ],
  "POST magic/start": [1, 0, () => h.api("POST", "/auth/magic/start", { body: { email: "nobody@example.org" } }), 202],
  "GET bgops/upstreams, a breaker each": [1, 5, () => h.api("GET", "/api/v1/bgops/upstreams", { token: h.token() })],
  "POST magic/verify, no link": [0, 0, () => h.api("POST", "/auth/magic/verify", { body: { token: "a.b.c" } }), 401],
};

const fresh = {};
/** Before the proof of their addresses, with what would show it. */
const unproven = {};

describe("round trips of", () => {
  before(async () => {
    for (const plan of ["starter", "pro"]) fresh[plan] = await h.signup({ plan });
    for (const [name, plan] of Object.entries({ starter: "starter", pro: "pro", other: "pro", idle: "pro" })) {
      const tenant = await h.signupUnproven({ plan });
      const { code, proofToken } = await h.proofMail(tenant.email);
      unproven[name] = { ...tenant, code, proofToken, wrong: code === "000000" ? "111111" : "000000" };
    }
  });
  for (const [name, [batches, objects, request, status = 200]] of Object.entries(REQUESTS)) {
    test(name, async (t) => {
      const cost = await costOf(request);
      t.diagnostic(`${cost.rowsRead} rows read, ${cost.rowsWritten} written`);
      assert.deepEqual([cost.status, cost.batches, cost.objects], [status, batches, objects], JSON.stringify(cost.sql));
      if (name === "POST start") assert.ok(cost.rowsWritten <= ROWS_PER_SIGNUP, `${cost.rowsWritten} rows`);
    });
  }
});

for (const plan of ["starter", "pro"]) {
  test(`a whole ${plan} club writes at most ${ROWS_PER_TENANT} rows`, async (t) => {
    // What was asked before it is written down before it.
    await h.forget();
    await tallied();
    await h.forget();
    const unproven = await h.signupUnproven({ plan }, { headers: { "idempotency-key": randomUUID() } });
    const colours = { primaryColor: "#102030", secondaryColor: "#405060" };
    await h.api("POST", "/public/signup/brand", { token: unproven.jwt, body: colours });
    await h.confirm(unproven, makeWebhook());
    const tenant = await h.prove(unproven);
    assert.equal((await h.settled(tenant)).status, "completed");
    // The run's last listing comes after the status says completed: an odd moment is one that is still out.
    await until(async () => (await h.moments(tenant.tenantId)).moments.length % 2 === 0 && (await isListed(tenant)));
    // The last of its requests are written down with the others' of these seconds.
    const asked = (await h.calls()).length;
    await tallied(asked);
    const all = await h.calls();
    const breakers = all.filter(({ kind }) => kind === "breaker").map(({ by, upstream }) => [by, upstream]);
    assert.deepEqual(breakers, [["mail", "resend"], ...BREAKERS[plan].map((upstream) => ["object", upstream])]);
    const ofMail = all.filter(({ by, kind }) => by === "mail" && kind === "batch");
    assert.equal(ofMail.length, BATCHES_PER_MAIL);
    const calls = all.filter(({ kind }) => kind === "batch");
    const ofObject = calls.filter(({ by }) => by === "object");
    const written = sum(calls, "rowsWritten");
    t.diagnostic(`${written} rows in ${calls.length} batches (${sum(ofObject, "rowsWritten")} in the object's ${ofObject.length}, ${sum(ofMail, "rowsWritten")} in the first mail's ${ofMail.length})`);
    assert.ok(written <= ROWS_PER_TENANT, `${written} rows`);
    const owners = ofObject.filter(({ tenant: owner }) => owner !== tenant.tenantId);
    assert.deepEqual(owners, []);
  });
}

/** Has the requests so far written down: of two that read, one writes, at once or some seconds later. */
async function tallied(from = 0) {
  for (let n = 0; n < 2; n += 1) await h.api("GET", "/health");
  await until(async () => (await h.calls()).slice(from).some(({ by }) => by === "tally"), { within: 30_000, every: 250, what: "a tally" });
}

/** The attempt at the last step is listed too, a starter tenant's webhook was told, and the welcome mail was sent. */
async function isListed(tenant) {
  const [row] = await h.sql(
    `select count(*) as attempts, (select group_concat(status) from webhook_deliveries where tenant_id = ?1) as delivered,
       (select group_concat(status) from mails where tenant_id = ?1) as mailed
     from provision_history h join provision_runs r on r.id = h.run_id where r.tenant_id = ?1 and h.step = 'activate'`,
    tenant.tenantId,
  );
  return row.attempts === 1 && row.mailed === "sent,sent" && row.delivered === (tenant.tenant.plan === "starter" ? "delivered" : null);
}

test("what a request reads does not grow with the number of tenants and codes", async () => {
  const requests = [
    ...["POST start with a promo code", "GET availability, taken", "POST verify-promo", "GET whoami", "GET provision-status"],
    ...["GET admin/stats", "GET admin/tenants/{id}"],
  ];
  const read = async () => {
    const costs = {};
    for (const name of requests) costs[name] = (await costOf(REQUESTS[name][2])).rowsRead;
    return costs;
  };
  // Signups of the last minute are counted by whoever asks, all others by the sweep.
  await h.sweep();
  const before = await read();
  const many = "with recursive n (i) as (select 1 union all select i + 1 from n where i < 5000)";
  const [template] = await h.sql("select * from tenants where id = ?", tenants.starter.tenantId);
  const names = Object.keys(template);
  const own = { id: "'tenant_many_' || i", slug: "'many-' || i", email: "'many-' || i || '@example.org'" };
  await h.sql(
    `${many} insert into tenants (${names}) select ${names.map((name) => own[name] ?? name)} from n cross join
       (select ${names.filter((name) => !(name in own))} from tenants where id = ?)`,
    tenants.starter.tenantId,
  );
  await h.sql(`${many} insert into promo_codes (code, discount_percent, created_at) select 'MANY' || i, 10, 0 from n`);
  await h.sql(`${many} insert into revoked_tokens (jti, revoked_at, expires_at) select 'jti-' || i, 0, 0 from n`);
  await h.sweep();
  const [{ rows }] = await h.sql("select count(*) as rows from tenants");
  assert.ok(rows > 5000);
  for (const [name, rows] of Object.entries(await read())) assert.ok(rows <= before[name], `${name}: ${before[name]}, then ${rows}`);
});
