// scripts/import.mjs on the running service: a dump with the older service's schema and its quirks comes in once, nobody hears of it, and
// each tenant is served as one of our own. Nothing is written while anything collides.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Webhook } from "standardwebhooks";
import { Unfit, codeOf, emailOf, nameOf, secondsOf, slugOf, webhookSecretOf, webhookUrlOf } from "../../scripts/lib/import/values.mjs";
import { startService } from "../../scripts/lib/service.mjs";
import { client, tenantForm, makeWebhook, ran, until } from "../client.mjs";
import { makeCheckout } from "./checkout.mjs";
import { OlderDump } from "./older-dump.mjs";

const SCRIPT = fileURLToPath(new URL("../../scripts/import.mjs", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "tenantry-import-test-"));
const service = await startService();
after(async () => {
  await service.stop();
  rmSync(directory, { recursive: true, force: true });
});
const { api, sandbox, token, signup, confirm, settled, mails } = client({
  url: service.url,
  secret: service.secrets.JWT_SECRET,
  sandboxFetch: (path, init) => fetch(new URL(path, service.sandboxUrl), init),
});

let files = 0;
function write(name, content) {
  const path = join(directory, `${(files += 1)}-${name}`);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

/** Runs the script on the service's database; answers its exit code and what it printed. */
async function run(dump, args = [], env = {}) {
  const { code, stdout, stderr } = await ran(process.execPath, [SCRIPT, "--from", dump, ...args], {
    env: { STATE_DIR: service.stateDir, DATA_KEY: service.secrets.DATA_KEY, ...env },
  });
  return { code, printed: stdout + stderr };
}

/** What a statement finds in the service's database. */
function rows(sql) {
  const folder = join(service.stateDir, "v3/d1/miniflare-D1DatabaseObject");
  const file = readdirSync(folder).find((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite");
  const database = new DatabaseSync(join(folder, file), { readOnly: true, timeout: 5_000 });
  try {
    return database.prepare(sql).all().map((row) => ({ ...row }));
  } finally {
    database.close();
  }
}

const MOVING = ["measures", "request_counts"];
/** Every row that is somebody's data. */
function everything() {
  const tables = rows("select name from sqlite_master where type = 'table' and name not glob '_cf_*' and name not glob 'sqlite_*' order by name");
  return Object.fromEntries(tables.filter(({ name }) => !MOVING.includes(name)).map(({ name }) => [name, rows(`select * from "${name}"`)]));
}

const tenant = (id) => rows(`select * from tenants where id = '${id}'`)[0];
const codeRow = (code) => rows(`select * from promo_codes where code = '${code}'`)[0];
const peopleOf = (id) => rows(`select id, email, roles from auth_users where tenant_id = '${id}' order by email`);

/** As the older service signed it: no subject, no key, no id of its own, and its own spelling of the claim. */
const olderToken = (id) =>
  token({ aud: "syston-mobile", sub: undefined, jti: undefined, roles: ["tenant_admin", "owner"], tenant_id: id, ttl: 365 * 86_400 });

/** What the triggers have counted is what there is. */
function assertCounted() {
  const counted = rows("select plan, trial, active, suspended, cancelled from tenant_counts order by plan");
  const there = rows(
    "select plan, sum(status = 'trial') as trial, sum(status = 'active') as active, sum(status = 'suspended') as suspended, sum(status = 'cancelled') as cancelled from tenants where counted = 1 or id <= (select through from signups_counted) group by plan order by plan",
  );
  assert.deepEqual(counted, there);
  const uses = rows("select code, uses from promo_codes where uses < (select count(*) from promo_redemptions r where r.code = promo_codes.code)");
  assert.deepEqual(uses, [], "no code has fewer uses than are listed");
}

const sentTo = async (url) => (await sandbox(`/__sandbox/requests?host=${new URL(url).hostname}&path=${new URL(url).pathname}`)).requests;
const isSigned = ({ body, headers }, secret) => new Webhook(secret, { format: "raw" }).verify(body, headers);

/** A dump without anything that collides: one tenant of each kind, and what surrounds them. */
function harmless(prefix) {
  const hook = makeWebhook();
  const dump = new OlderDump();
  const at = { seconds: 1_750_000_000, millis: 1_750_000_000_123 };
  dump.add("promo_codes", { id: "promo_1", code: `${prefix}gift`, discount_percent: 100, max_uses: 1, used_count: 3, lifetime: 1, plan: "pro", tenant_slug_whitelist: `${prefix}-pro, Other-Club`, starts_at: "2025-01-01", created_at: at.seconds });
  dump.add("promo_codes", { id: "promo_2", code: `${prefix.toUpperCase()}HALF`, discount_percent: 12.5, max_uses: 0, used_count: 0, valid_until: at.millis + 10 ** 12, active: 0, created_at: at.millis });
  dump.tenant({ id: `tenant_1750000000123_${prefix}live`, slug: `${prefix}-live`, name: `<b>O'Neill\n"the; -- best"</b> 日本`, email: ` Ann@${prefix.toUpperCase()}.example.org`, status: "active", provision_state: "failed", provision_reason: "Error: NOT NULL constraint failed", created_at: at.seconds, updated_at: at.millis, provision_updated_at: "2025-06-15T15:06:40.500Z", trial_ends_at: at.millis }, { webhook: hook, brand: ["#A1B2C3", "red"] });
  dump.tenant({ id: `tenant_1750000000456_${prefix}pro`, slug: `${prefix}-pro`, name: "Pro FC", email: `pro@${prefix}.example.org`, plan: "pro", status: "active", provision_state: "complete", provisioned_at: at.millis + 5_000, created_at: "2025-06-15 15:06:40", comped: 1, billing_tier: "lifetime", promo_code_used: ` ${prefix}GIFT`, trial_ends_at: null }, { automation: true, brand: ["#FFD700", "#000000"] });
  dump.tenant({ id: `tenant_${prefix}_half`, slug: `${prefix}-half`, name: "Half-way FC", email: `half@${prefix}.example.org`, status: "trial", created_at: at.seconds });
  dump.tenant({ id: `tenant_${prefix}_stopped`, slug: `${prefix}-stopped`, name: "Stopped FC", email: `stopped@${prefix}.example.org`, status: "suspended", provisioned_at: at.seconds, created_at: at.seconds });
  dump.tenant({ id: `tenant_${prefix}_gone`, slug: `${prefix}-gone`, name: "Gone FC", email: `gone@${prefix}.example.org`, status: "cancelled", created_at: at.seconds });
  dump.tenant({ id: `0b9c3c1e-1d8b-4a57-9b43-${prefix.padEnd(12, "0")}`, slug: `${prefix}-uuid`, name: "Foreign FC", email: `uuid@${prefix}.example.org`, status: "active", created_at: at.seconds });
  const live = `tenant_1750000000123_${prefix}live`;
  dump.user({ id: `user_1750000000_${prefix}`, tenant_id: live, email: `ANN@${prefix}.example.org`, roles: '["tenant_admin","platform_admin"]', created_at: at.millis });
  dump.user({ id: `9f2b6c1e-0000-4a57-9b43-${prefix.padEnd(12, "0")}`, tenant_id: live, email: "Ben@Example.org", roles: '["tenant_member"]', created_at: at.seconds });
  dump.user({ id: `user_ben_${prefix}`, tenant_id: live, email: "ben@example.org", roles: '["tenant_admin"]', created_at: at.millis });
  dump.user({ id: `user_ben_too_${prefix}`, tenant_id: `tenant_${prefix}_stopped`, email: "ben@example.org", roles: "not json", created_at: at.millis });
  dump.user({ id: `user_lost_${prefix}`, tenant_id: "tenant_of_nobody", email: "lost@example.org", roles: "[]" });
  dump.user({ id: `user_mute_${prefix}`, tenant_id: live, email: "no address", roles: "[]" });
  dump.add("promo_redemptions", { id: "r1", tenant_id: `tenant_1750000000456_${prefix}pro`, promo_code_id: "promo_1", redeemed_at: at.millis });
  dump.add("promo_redemptions", { id: "r2", tenant_id: `tenant_${prefix}_gone`, promo_code_id: "promo_1", redeemed_at: at.seconds });
  dump.add("promo_redemptions", { id: "r3", tenant_id: live, promo_code_id: "promo_of_nobody", redeemed_at: at.seconds });
  dump.add("feed_posts", { id: "post_1", tenant_id: live, title: "News", content: "…", author: "Ann", created_at: at.millis, updated_at: at.millis });
  return { file: write("older.sql", dump.sql()), hook, live, pro: `tenant_1750000000456_${prefix}pro`, half: `tenant_${prefix}_half`, stopped: `tenant_${prefix}_stopped`, gone: `tenant_${prefix}_gone`, uuid: `tenant_0b9c3c1e-1d8b-4a57-9b43-${prefix.padEnd(12, "0")}`, dump };
}

test("a dump comes in as provisioned, nobody hears of it, and twice is once", async () => {
  const silence = () => rows("select (select count(*) from mails) as mails, (select count(*) from webhook_deliveries) as deliveries, (select count(*) from domain_events) as events, (select count(*) from provision_runs) as runs")[0];
  const [quiet, before] = [silence(), everything()];
  const { file, hook, live, pro, half, stopped, gone, uuid } = harmless("fca");

  const dry = await run(file, ["--dry-run"], { DATA_KEY: "" });
  assert.equal(dry.code, 0, dry.printed);
  assert.match(dry.printed, /· to import: 5 clubs \(4 of them provisioned\), 2 brands, 2 promo codes, 1 redemptions, 1 webhooks, 6 users\n/);
  assert.match(dry.printed, /✓ Nothing was changed: this was a dry run\.\n$/);
  for (const secret of ["ann@", "ben@", new URL(hook.webhookUrl).pathname, hook.webhookSecret]) assert.ok(!dry.printed.toLowerCase().includes(secret), secret);
  assert.deepEqual(everything(), before, "a dry run writes nothing");

  const done = await run(file);
  assert.equal(done.code, 0, done.printed);
  assert.match(done.printed, /✓ Imported into the database of local: 5 clubs, 2 promo codes\.\n$/);
  assert.deepEqual(silence(), quiet, "no mail, no delivery, no event, no run");
  assertCounted();

  const { name, email, status, provision_state, provisioned_at, created_at, updated_at, trial_ends_at } = tenant(live);
  assert.deepEqual(
    { name, email, status, provision_state, provisioned_at, created_at, updated_at, trial_ends_at },
    { name: `<b>O'Neill "the; -- best"</b> 日本`, email: "ann@fca.example.org", status: "active", provision_state: "completed", provisioned_at: 1_750_000_000, created_at: 1_750_000_000, updated_at: 1_750_000_000, trial_ends_at: 1_750_000_000 },
  );
  assert.deepEqual(rows(`select primary_color, secondary_color from tenant_brand where tenant_id = '${live}'`), [{ primary_color: "#a1b2c3", secondary_color: "#f4b942" }]);
  assert.deepEqual(peopleOf(live), [
    { id: "user_1750000000_fca", email: "ann@fca.example.org", roles: '["tenant_admin","owner"]' },
    { id: "user_9f2b6c1e-0000-4a57-9b43-fca000000000", email: "ben@example.org", roles: '["tenant_admin","tenant_member"]' },
  ]);
  assert.equal(tenant(live).owner_user_id, "user_1750000000_fca");
  assert.deepEqual(peopleOf(stopped).map(({ email: address, roles }) => [address, roles]), [["ben@example.org", "[]"], ["stopped@fca.example.org", '["tenant_admin","owner"]']]);

  const lifetime = tenant(pro);
  assert.deepEqual([lifetime.comped, lifetime.billing_tier, lifetime.promo_code_used, lifetime.provisioned_at, lifetime.created_at, lifetime.trial_ends_at], [1, "lifetime", "FCAGIFT", 1_750_000_005, 1_750_000_000, 1_750_000_000 + 14 * 86_400]);
  assert.deepEqual(
    (({ discount_percent, plan, lifetime: forLife, active, starts_at, max_uses, uses, tenant_slugs }) => ({ discount_percent, plan, forLife, active, starts_at, max_uses, uses, tenant_slugs }))(codeRow("FCAGIFT")),
    { discount_percent: 100, plan: "pro", forLife: 1, active: 1, starts_at: 1_735_689_600, max_uses: 3, uses: 3, tenant_slugs: '["fca-pro","other-club"]' },
  );
  const half_ = codeRow("FCAHALF");
  assert.deepEqual([half_.discount_percent, half_.max_uses, half_.active, half_.valid_until, half_.created_at], [12, null, 0, 2_750_000_000, 1_750_000_000]);
  assert.deepEqual(rows("select code, tenant_id, discount_percent, redeemed_at from promo_redemptions where code = 'FCAGIFT'"), [{ code: "FCAGIFT", tenant_id: pro, discount_percent: 100, redeemed_at: 1_750_000_000 }]);
  assert.deepEqual([tenant(half).status, tenant(half).provision_state, peopleOf(half)], ["trial", "pending", []]);
  assert.deepEqual([tenant(stopped).status, tenant(stopped).provision_state], ["suspended", "completed"]);
  assert.equal(tenant(gone), undefined);
  assert.equal(tenant(uuid).status, "active");
  const sealed = rows(`select webhook_secret from make_connections where tenant_id = '${live}'`)[0].webhook_secret;
  assert.match(sealed, /^v1\.[\w-]{8}\.[\w-]+$/);
  assert.ok(!JSON.stringify(everything()).includes(hook.webhookSecret));

  const once = everything();
  const again = await run(file);
  assert.equal(again.code, 0, again.printed);
  assert.match(again.printed, /✓ Everything is there already: nothing was changed\.\n$/);
  assert.deepEqual(everything(), once, "twice is once");
  const audited = (await api("GET", "/api/v1/admin/audit?actor=import", { token: token() })).body.data;
  assert.deepEqual(audited.map(({ action, subject }) => [action, subject]), [["tenants.import", "tenants"]]);

  // What came since Monday comes on Friday, and its uses are counted besides.
  const { dump } = harmless("fca");
  dump.tenant({ id: "tenant_fca_new", slug: "fca-new", name: "New FC", email: "new@fca.example.org", plan: "pro", status: "active" }, { automation: true });
  dump.add("promo_redemptions", { id: "r9", tenant_id: "tenant_fca_new", promo_code_id: "promo_1" });
  const later = await run(write("later.sql", dump.sql()));
  assert.equal(later.code, 0, later.printed);
  assert.match(later.printed, /✓ Imported into the database of local: 1 clubs, 0 promo codes\.\n$/);
  assert.deepEqual([codeRow("FCAGIFT").uses, codeRow("FCAGIFT").max_uses, tenant("tenant_fca_new").promo_code_used], [4, 4, "FCAGIFT"]);
  assertCounted();
});

test("an imported tenant is served as any other: its token, status, sign-in, webhook, list and removal", async () => {
  const { file, hook, live, half, stopped } = harmless("fcb");
  assert.equal((await run(file)).code, 0);
  const own = olderToken(live);

  const whoami = await api("GET", "/whoami", { token: own });
  assert.deepEqual([whoami.status, whoami.body.data.tenantId], [200, live]);
  const status = await api("GET", `/api/v1/tenants/${live}/provision-status`, { token: own });
  assert.deepEqual([status.status, status.body.status, status.body.data.progress, status.body.data.completedAt], [200, "completed", 100, "2025-06-15T15:06:40.000Z"]);
  const me = await api("GET", "/api/v1/tenants/me", { token: own });
  assert.equal(me.status, 200, JSON.stringify(me.body));
  for (const path of [`/api/v1/tenants/${live}/events`, `/api/v1/tenants/${live}/webhook/deliveries`]) {
    assert.deepEqual((await api("GET", path, { token: own })).body.data, [], path);
  }
  assert.equal((await api("GET", "/whoami", { token: olderToken(stopped) })).status, 403, "who was suspended there is here");

  // An operator finds it, by any part of its name.
  const listed = await api("GET", `/api/v1/admin/tenants?q=${encodeURIComponent("fcb-live")}`, { token: token() });
  assert.deepEqual(listed.body.data.map(({ id, provisioning }) => [id, provisioning.status]), [[live, "completed"]]);
  const shown = await api("GET", `/api/v1/admin/tenants/${live}`, { token: token() });
  assert.equal(shown.status, 200, JSON.stringify(shown.body));
  const queued = await api("POST", "/internal/provision/queue", { token: token({ aud: "internal", roles: ["service"] }), body: { tenantId: live } });
  assert.deepEqual([queued.status, queued.body.data.status, queued.body.data.changed], [200, "completed", false]);

  // Its secret opens: the scenario that has it takes a test, and another one is stored beside it.
  const tried = await api("POST", `/api/v1/tenants/${live}/webhook/test`, { token: own });
  assert.deepEqual([tried.status, tried.body.data.delivered], [200, true], JSON.stringify(tried.body));
  const [ping] = await sentTo(hook.webhookUrl);
  assert.equal(isSigned(ping, hook.webhookSecret).type, "webhook.ping");
  const next = makeWebhook();
  const stored = await api("POST", "/public/signup/starter/make", { token: own, body: next });
  assert.deepEqual([stored.status, stored.body.data.webhook.changed], [200, true], JSON.stringify(stored.body));
  const [moved] = await sentTo(next.webhookUrl);
  for (const secret of [hook.webhookSecret, next.webhookSecret]) isSigned(moved, secret);
  assert.equal((await api("POST", "/public/signup/brand", { token: own, body: { primaryColor: "#010203", secondaryColor: "#040506" } })).status, 200);

  // Its owner signs in by mail.
  assert.equal((await api("POST", "/auth/magic/start", { body: { email: "Ann@FCB.example.org" } })).status, 202);
  const mail = await until(async () => (await mails("ann@fcb.example.org")).find(({ linkToken }) => linkToken), { what: "the mail with a link" });
  const signedIn = await api("POST", "/auth/magic/verify", { body: { token: mail.linkToken } });
  assert.deepEqual([signedIn.status, signedIn.body.tenantId ?? signedIn.body.tenant?.id], [200, live], JSON.stringify(signedIn.body));
  const claims = (await api("GET", "/whoami", { token: signedIn.body.jwt })).body.data;
  assert.equal(claims.sub, "user_1750000000_fcb", "the owner is the one of before");

  // Who never finished there finishes here, by its own token.
  const goesOn = { tenantId: half, jwt: olderToken(half), tenant: { plan: "starter" } };
  const before = await api("GET", `/api/v1/tenants/${half}/provision-status`, { token: goesOn.jwt });
  assert.equal(before.body.status, "pending");
  assert.equal((await confirm(goesOn)).status, 200);
  assert.equal((await settled(goesOn)).status, "completed");

  // Its names and codes are taken; nobody signs up with them.
  const taken = await api("POST", "/public/signup/start", { body: tenantForm({ clubSlug: "fcb-live" }) });
  assert.deepEqual([taken.status, taken.body.error.code], [409, "SLUG_TAKEN"]);
  const known = await api("POST", "/public/signup/start", { body: tenantForm({ email: "ann@fcb.example.org" }) });
  assert.deepEqual([known.status, known.body.error.code], [409, "EMAIL_EXISTS"]);
  const used = await api("POST", "/public/signup/start", { body: tenantForm({ clubSlug: "other-club", promoCode: "fcbgift" }) });
  assert.deepEqual([used.status, used.body.error.reason], [400, "exhausted"]);

  // An operator removes it: an object that never ran undoes it, its webhook hears of that and of nothing else, its people are gone.
  const removed = await api("DELETE", `/api/v1/admin/tenants/${live}`, { token: token(), body: { reason: "left the league" } });
  assert.equal(removed.status, 202, JSON.stringify(removed.body));
  await until(() => tenant(live).undo_state === "undone", { what: "the removal to end" });
  const told = await until(async () => {
    const events = (await sentTo(next.webhookUrl)).filter(({ key }) => key.startsWith("evt_"));
    return events.length > 0 && events;
  });
  assert.deepEqual(told.map((call) => isSigned(call, next.webhookSecret).type), ["tenant.deprovisioned"]);
  assert.equal((await api("GET", "/whoami", { token: own })).status, 403);
  assert.deepEqual(peopleOf(live), []);
  assert.deepEqual([tenant(live).slug, tenant(live).email, tenant(live).route_ready], [null, null, 0]);
  assertCounted();
  await signup({ clubSlug: "fcb-live", email: "ann@fcb.example.org" });

  // A dump that still has it does not bring it back.
  const again = await run(file);
  assert.match(again.printed, /✓ Everything is there already/);
  assert.equal(tenant(live).status, "cancelled");
});

/** Everything that can't come in as it is, and the decisions by which it can. */
function colliding() {
  const dump = new OlderDump();
  const old = 1_740_000_000;
  dump.tenant({ id: "tenant_c_first", slug: "fcc-first", name: "First FC", email: "two@fcc.example.org", status: "active", created_at: old });
  dump.tenant({ id: "tenant_c_second", slug: "fcc-second", name: "Second FC", email: "TWO@FCC.example.org ", status: "active", created_at: old + 1 });
  dump.tenant({ id: "tenant_c_idn", slug: "fcc-idn", name: "Müller FC", email: "two@xn--mller-kva.example.org", status: "active", created_at: old + 2 });
  dump.tenant({ id: "tenant_c_idn2", slug: "fcc-idn2", name: "Müller FC", email: "two@MÜLLER.example.org", status: "trial", created_at: old });
  dump.tenant({ id: "tenant_c_case", slug: "FCC-First", name: "Case FC", email: "case@fcc.example.org", status: "active", created_at: old + 3 });
  dump.tenant({ id: "tenant_c_reserved", slug: "admin", name: "Admin FC", email: "admin@fcc.example.org", status: "active" });
  dump.tenant({ id: "tenant_c_kept", slug: "syston", name: "Kept FC", email: "kept@fcc.example.org", status: "active" });
  dump.tenant({ id: "tenant_c_hyphen", slug: "---", name: "Hyphen FC", email: "hyphen@fcc.example.org", status: "active" });
  dump.tenant({ id: "tenant_c_long", slug: "fcc-long", name: "ä".repeat(130), email: "long@fcc.example.org", status: "active" });
  dump.tenant({ id: "tenant_c_mute", slug: "fcc-mute", name: "\u200b \u202e", email: "fcc", status: "active" });
  dump.tenant({ id: "tenant_c_hook", slug: "fcc-hook", name: "Hook FC", email: "hook@fcc.example.org", status: "active" }, { webhook: { webhookUrl: "https://webhook.site/abc", webhookSecret: "a".repeat(16) } });
  dump.tenant({ id: "tenant_c_secret", slug: "fcc-secret", name: "Secret FC", email: "secret@fcc.example.org", status: "active" }, { webhook: { ...makeWebhook(), webhookSecret: "sixteen and a line break\n" } });
  dump.tenant({ id: "tenant_c_taken", slug: "fcc-taken", name: "Taken FC", email: "taken@fcc.example.org", status: "active" });
  dump.add("promo_codes", { id: "p1", code: "FCCTWIN", discount_percent: 10, used_count: 1 });
  dump.add("promo_codes", { id: "p2", code: "fcctwin", discount_percent: 10, used_count: 2 });
  dump.add("promo_codes", { id: "p3", code: "fcc-26", discount_percent: 20, used_count: 0 });
  dump.add("promo_codes", { id: "p4", code: "F", discount_percent: 20, used_count: 0 });
  dump.add("promo_codes", { id: "p5", code: "FCCHERE", discount_percent: 20, used_count: 0 });
  dump.add("promo_redemptions", { id: "r1", tenant_id: "tenant_c_first", promo_code_id: "p1" });
  dump.add("promo_redemptions", { id: "r2", tenant_id: "tenant_c_second", promo_code_id: "p2" });
  return write("colliding.sql", dump.sql());
}

test("collisions are told first, all at once, and stop everything until each is decided", async () => {
  await signup({ clubSlug: "fcc-taken" });
  await signup({ email: "taken@fcc.example.org" });
  const created = await api("POST", "/api/v1/admin/promo-codes", { token: token(), body: { code: "FCCHERE", discountPercent: 5 } });
  assert.ok([200, 201].includes(created.status), JSON.stringify(created.body));
  const file = colliding();
  const before = everything();
  for (const args of [["--dry-run"], []]) {
    const { code, printed } = await run(file, args);
    assert.equal(code, 2, printed);
    for (const line of [
      "tenant_c_second has the address t***@fcc.example.org of tenant_c_first",
      "tenant_c_idn2 has the address t***@xn--mller-kva.example.org of tenant_c_idn",
      "tenant_c_case has the slug fcc-first of tenant_c_first",
      "tenant_c_reserved has the slug admin, which is reserved here",
      "tenant_c_kept has the slug syston, which is reserved here",
      "tenant_c_hyphen has the slug ---, whose hyphens are not possible here",
      "tenant_c_long has a name of 130 characters, and 100 are possible",
      "tenant_c_mute has no name that can be seen",
      "tenant_c_mute has the address ***, which is none that can get mail here",
      "tenant_c_hook has a webhook on webhook.site, which is not among ALLOWED_WEBHOOK_HOSTS",
      "tenant_c_secret has a webhook whose secret has blanks at its ends",
      "fcctwin is FCCTWIN, as FCCTWIN is",
      "fcc-26 is no code of 4 to 20 letters and digits",
      "F is no code of 4 to 20 letters and digits",
      "FCCHERE is a code here, too",
    ]) assert.ok(printed.includes(`✗ ${line}\n`), `${line}\n${printed}`);
    assert.match(printed, /✗ tenant_c_taken has the slug fcc-taken of tenant_\w+ here\n/);
    assert.match(printed, /✗ tenant_c_taken has the address t\*\*\*@fcc\.example\.org of tenant_\w+ here\n/);
    assert.match(printed, /✗ 17 collisions: nothing is imported/);
    assert.deepEqual(everything(), before, "nothing was written");
  }

  // The dry run ends with a beginning of the file; what nobody else can decide is empty there, and is not taken as a decision.
  const { printed } = await run(file, ["--dry-run"]);
  const template = JSON.parse(printed.slice(printed.indexOf("\n{\n") + 1));
  const undecided = await run(file, ["--dry-run", "--decisions", write("undecided.json", template)]);
  assert.equal(undecided.code, 1);
  assert.match(undecided.printed, /✗ .*: (email|slug|name|code) of \S+ is still to be decided\.\n/);

  const decisions = structuredClone(template);
  Object.assign(decisions.tenants, {
    tenant_c_second: { email: "second@fcc.example.org" },
    tenant_c_idn2: { leaveOut: true },
    tenant_c_case: { slug: "fcc-case" },
    tenant_c_kept: { keepSlug: true },
    tenant_c_hyphen: { slug: "fcc-hyphen" },
    tenant_c_mute: { name: "Mute FC", email: "mute@fcc.example.org" },
    tenant_c_taken: { slug: "fcc-taken-2", email: "taken2@fcc.example.org" },
  });
  decisions.promoCodes.F = { leaveOut: true };
  const path = write("decisions.json", decisions);
  const done = await run(file, ["--decisions", path]);
  assert.equal(done.code, 0, done.printed);
  assert.deepEqual(
    rows("select id, slug, email from tenants where id glob 'tenant_c_*' order by id").map(({ id, slug, email }) => [id.slice(9), slug, email.split("@")[0]]),
    [
      ["case", "fcc-case", "case"],
      ["first", "fcc-first", "two"],
      ["hook", "fcc-hook", "hook"],
      ["hyphen", "fcc-hyphen", "hyphen"],
      ["idn", "fcc-idn", "two"],
      ["kept", "syston", "kept"],
      ["long", "fcc-long", "long"],
      ["mute", "fcc-mute", "mute"],
      ["reserved", "admin-club", "admin"],
      ["second", "fcc-second", "second"],
      ["secret", "fcc-secret", "secret"],
      ["taken", "fcc-taken-2", "taken2"],
    ],
  );
  assert.equal(tenant("tenant_c_long").name, "ä".repeat(100));
  assert.deepEqual(rows("select tenant_id from make_connections where tenant_id glob 'tenant_c_*'"), []);
  assert.deepEqual([codeRow("FCCTWIN").uses, codeRow("FCC26").uses, codeRow("FCCHERE").discount_percent], [3, 0, 5]);
  assert.deepEqual(rows("select tenant_id from promo_redemptions where code = 'FCCTWIN' order by 1").map((row) => row.tenant_id), ["tenant_c_first", "tenant_c_second"]);
  assertCounted();
  assert.match((await run(file, ["--decisions", path])).printed, /✓ Everything is there already/);
});

test("what ends in the middle leaves nothing, and is done by repeating it", async () => {
  const { file, live, uuid } = harmless("fcd");
  const fault = join(service.stateDir, "v3/d1/miniflare-D1DatabaseObject");
  const database = () => new DatabaseSync(join(fault, readdirSync(fault).find((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite")), { timeout: 5_000 });
  const change = (sql) => {
    const open = database();
    open.exec(sql);
    open.close();
  };
  change(`create trigger in_the_way before insert on tenants when new.id = '${uuid}' begin select raise(abort, 'in the way'); end`);
  const before = everything();
  const { code, printed } = await run(file);
  assert.equal(code, 1, printed);
  assert.match(printed, /✗ Nothing was imported: see above\./);
  assert.deepEqual(everything(), before, "all or nothing");
  change("drop trigger in_the_way");
  assert.equal((await run(file)).code, 0);
  assert.equal(tenant(live).status, "active");
  assertCounted();
});

describe("what is asked for wrongly is refused before anything is asked", () => {
  const simple = () => {
    const dump = new OlderDump();
    dump.tenant({ id: "tenant_e", slug: "fce", name: "E", email: "e@fce.example.org", status: "active" }, { webhook: makeWebhook() });
    return dump;
  };
  const cases = {
    "no dump": [[], /Say what to import: --from DUMP/],
    "an environment that is none": [["--env", "staging"], /Unknown environment: staging/],
    "another environment without its name": [["--env", "production"], /say --confirm production, after a dry run/],
    "another environment with another name": [["--env", "production", "--confirm", "preview"], /say --confirm production/],
    "an unknown option": [["--force"], /Unknown option '--force'/],
  };
  for (const [what, [args, message]] of Object.entries(cases)) {
    test(what, async () => {
      const from = what === "no dump" ? [] : ["--from", write("simple.sql", simple().sql())];
      const { code, stderr } = await ran(process.execPath, [SCRIPT, ...from, ...args], { env: { STATE_DIR: service.stateDir } });
      assert.equal(code, 1);
      assert.match(stderr, message);
    });
  }
  for (const [what, [content, message]] of Object.entries({
    "a file that is no SQL": ["hello", /does not make a database/],
    "a dump of something else": ["create table teams (id text);", /has no table tenants/],
    "a backup of this service": ["create table tenants (id text); create table provision_runs (id text);", /is a backup of this service: scripts\/restore\.sh/],
    "a dump that reaches for other files": [`attach '${join(directory, "stolen.sqlite")}' as other;`, /does not make a database: not authorized/],
  })) {
    test(what, async () => {
      const { code, printed } = await run(write("other.sql", content), ["--dry-run"]);
      assert.equal(code, 1, printed);
      assert.match(printed, message);
    });
  }
  for (const [what, [decisions, message]] of Object.entries({
    "a decision for nobody": [{ tenants: { tenant_typo: { leaveOut: true } } }, /tenants has tenant_typo, which is not in the dump/],
    "a decision of no kind": [{ tenants: { tenant_e: { colour: "red" } } }, /tenant_e has colour, which is none of slug, email/],
    "a decision that says nothing": [{ tenants: { tenant_e: { slug: "" } } }, /slug of tenant_e is still to be decided/],
    "decisions that are no JSON": ["{", /can't be read as JSON/],
  })) {
    test(what, async () => {
      const { code, printed } = await run(write("simple.sql", simple().sql()), ["--dry-run", "--decisions", write("wrong.json", decisions)]);
      assert.equal(code, 1, printed);
      assert.match(printed, message);
    });
  }
  test("a key under which the database has no webhook", async () => {
    await confirm(await signup());
    const { code, printed } = await run(write("simple.sql", simple().sql()), [], { DATA_KEY: Buffer.alloc(32, 3).toString("base64") });
    assert.equal(code, 1, printed);
    assert.match(printed, /✗ DATA_KEY is not the one under which the database of local has its webhooks/);
    assert.equal(tenant("tenant_e"), undefined);
  });
});

test("another environment is written to by wrangler, in one file, and the key is never an argument", async () => {
  const there = makeCheckout(join(directory, "checkout"));
  mkdirSync(there.path("src/domain"), { recursive: true });
  for (const name of ["reserved.txt", "numbered.txt"]) writeFileSync(there.path("src/domain", name), readFileSync(fileURLToPath(new URL(`../../src/domain/${name}`, import.meta.url))));
  const folder = join(directory, "d1");
  mkdirSync(folder);
  writeFileSync(there.path("node_modules/.bin/wrangler"), `#!/bin/sh\nexec "${process.execPath}" --disable-warning=ExperimentalWarning "${fileURLToPath(new URL("fake-d1.mjs", import.meta.url))}" "$@"\n`);
  chmodSync(there.path("node_modules/.bin/wrangler"), 0o755);
  const database = new DatabaseSync(join(folder, "production.sqlite"));
  const names = readdirSync(there.path("migrations")).sort();
  database.exec("create table d1_migrations (id integer primary key, name text)");
  for (const name of names.slice(0, -1)) database.exec(readFileSync(there.path("migrations", name), "utf8"));
  const { file, live } = harmless("fcf");
  const key = Buffer.alloc(32, 5).toString("base64");
  const on = (...args) => {
    writeFileSync(join(folder, "log"), "");
    return there.run("scripts/import.mjs", ["--from", file, "--env", "production", ...args], { FAKE_D1: folder, DATA_KEY: key });
  };
  const early = await on("--dry-run");
  assert.match(early.printed, /✗ The database of production has not every migration: npx wrangler d1 migrations apply DB --remote --env production/);
  database.exec(readFileSync(there.path("migrations", names.at(-1)), "utf8"));
  database.prepare("insert into d1_migrations (name) values (?)").run(names.at(-1));

  assert.equal((await on("--dry-run")).status, 0);
  assert.ok(!readFileSync(join(folder, "log"), "utf8").includes("--file"));
  const done = await on("--confirm", "production");
  assert.equal(done.status, 0, done.printed);
  const asked = readFileSync(join(folder, "log"), "utf8");
  assert.equal(asked.split("\n").filter((line) => line.includes("--file")).length, 1);
  assert.match(asked, /wrangler d1 execute DB --remote --env production --yes --file \S+import\.sql/);
  assert.ok(!asked.includes(key));
  assert.equal(database.prepare("select count(*) as n from tenants").get().n, 5);
  // Somebody signs up between the look and the file: all or nothing.
  const { file: next } = harmless("fcg");
  writeFileSync(join(folder, "file.fails"), "UNIQUE constraint failed: tenants.slug\n");
  const refused = await there.run("scripts/import.mjs", ["--from", next, "--env", "production", "--confirm", "production"], { FAKE_D1: folder, DATA_KEY: key });
  assert.equal(refused.status, 1);
  assert.match(refused.printed, /UNIQUE constraint failed: tenants\.slug\n✗ Nothing was imported: see above\. Did somebody sign up meanwhile\?/);
  assert.equal(database.prepare("select status from tenants where id = ?").get(live).status, "active");
  database.close();
});

test("a dump of before the newest migrations comes in, too", async () => {
  const dump = new OlderDump({ upTo: "005" });
  dump.add("tenants", { id: "tenant_h", slug: "fch", name: "H", email: "h@fch.example.org", plan: "starter", status: "active", created_at: 1_740_000_000 });
  dump.add("promo_codes", { id: "p", code: "FCHOLD", discount_percent: 30, used_count: 0 });
  const { code, printed } = await run(write("old.sql", dump.sql()));
  assert.equal(code, 0, printed);
  assert.deepEqual([tenant("tenant_h").provision_state, tenant("tenant_h").billing_tier, codeRow("FCHOLD").active], ["completed", "standard", 1]);
});

describe("values are read as the service reads them at its door", () => {
  const mine = (parse, value) => {
    try {
      return parse(value);
    } catch (error) {
      if (error instanceof Unfit) return null;
      throw error;
    }
  };
  /** What a signup stores of it, or null where it is refused. */
  async function stored(field, value) {
    const { body } = await api("POST", "/public/signup/start", { body: tenantForm({ [field]: value }) });
    const refused = body.error?.issues?.some(({ path }) => path[0] === field);
    assert.ok(body.success || refused, JSON.stringify(body));
    return body.success ? body.tenant : null;
  }
  test("slugs", async () => {
    for (const slug of ["fcv-a", "ab", "a".repeat(63), "a".repeat(64), "fcv_a", "-fcv", "fcv-", "xn--80ak6aa92e", "ab--cd", "abc--d", "admin", "web-master", "ns42", "mail2", "wpad", "1860-fcv", "fcv ä"]) {
      assert.equal(mine(slugOf, slug), (await stored("clubSlug", slug))?.slug ?? null, slug);
    }
  });
  test("addresses", async () => {
    for (const email of [" Ann@FCV.example.org ", "ann+1@fcv.example.org", "b@müller.example.org", "c@xn--mller-kva.example.org", "d@fcv.例え", "ann", "ann@localhost", "a b@fcv.example.org", "a..b@fcv.example.org", ".a@fcv.example.org", "\u00e4@fcv.example.org", "a@fcv_x.org", "a@127.0.0.1", "a@fcv.example.123", "a@-fcv.org", "a@fcv.example.org.", '"a"@fcv.example.org', "a@exam\u200bple.org", "\u200be@fcv.example.org", `${"a".repeat(65)}@fcv.example.org`, "o'neill@fcv.example.org", "a@xn--a.org"]) {
      assert.equal(mine(emailOf, email), (await stored("email", email))?.email ?? null, JSON.stringify(email));
    }
  });
  test("names", async () => {
    for (const name of ["A", " \u200bFC\u00a0", "e\u0301cole", "ä".repeat(100), "<b>&amp;</b>", "O'Neill \\n", "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}", "FC ⚽️", "\u200b", "ä".repeat(101)]) {
      assert.equal(mine(nameOf, name), (await stored("clubName", name))?.name ?? null, JSON.stringify(name));
    }
  });
  test("webhooks and their secrets", async () => {
    const tenant = await signup();
    const asked = async (hook) => (await api("POST", "/public/signup/starter/make", { token: tenant.jwt, body: hook })).status;
    // Nothing of it is set up: this is about what the door says.
    assert.equal((await api("POST", "/api/v1/bgops/provisioning/pause", { token: token(), body: { reason: "a test" } })).status, 200);
    const allowed = /ALLOWED_WEBHOOK_HOSTS = "([^"]*)"/.exec(readFileSync(fileURLToPath(new URL("../../wrangler.toml", import.meta.url)), "utf8"))[1];
    for (const url of ["https://hook.eu2.make.com/abc", "https://HOOK.make.com/a?b=c#d", "http://hook.make.com/a", "https://hook.make.com/", "https://hook.make.com:8443/a", "https://u@hook.make.com/a", "https://make.com/a", "https://hook.eu.x.make.com/a", "https://webhook.site/a", "https://127.0.0.1/a", "https://hook.make.com/ä", "not a url", "https://hook.make.com\\a"]) {
      const parsed = mine((text) => webhookUrlOf(text, allowed), url);
      const status = await asked({ webhookUrl: url, webhookSecret: "0123456789abcdef" });
      assert.equal(parsed !== null, status === 200, `${url}: ${status}`);
      if (parsed !== null) assert.equal(rows(`select webhook_url from make_connections where tenant_id = '${tenant.tenantId}'`)[0].webhook_url, parsed);
    }
    for (const secret of ["0123456789abcdef", "0123456789abcde", " 0123456789abcdef", "schlüssel-0123456789", "a".repeat(200), "a".repeat(201), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB", "whsec_c2hvcnQ=", "whsec_not base64 at all, and long", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw=", "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]) {
      const status = await asked({ webhookUrl: "https://hook.eu2.make.com/abc", webhookSecret: secret });
      assert.equal(mine(webhookSecretOf, secret) !== null, status === 200, `${secret}: ${status}`);
    }
    assert.equal((await api("POST", "/api/v1/bgops/provisioning/resume", { token: token(), body: { reason: "a test" } })).status, 200);
  });
  test("codes, and moments in seconds, milliseconds and as text", () => {
    assert.deepEqual([" spring26 ", "ABC", "SPRING-26", "A".repeat(21)].map((code) => mine(codeOf, code)), ["SPRING26", null, null, null]);
    const moment = 1_750_000_000;
    for (const value of [moment, moment * 1e3, moment * 1e6, moment * 1e9, String(moment), `${moment}123`, "2025-06-15T15:06:40Z", "2025-06-15T15:06:40.999Z", "2025-06-15T17:06:40+02:00", "2025-06-15 15:06:40", "2025-06-15T15:06:40"]) {
      assert.equal(secondsOf(value), moment, String(value));
    }
    for (const value of [null, undefined, "", 0, -5, "soon", Number.NaN]) assert.equal(secondsOf(value), null, String(value));
    assert.equal(secondsOf("2025-06-15"), 1_749_945_600);
  });
});

test("MIGRATING.md says of each older route whether it is here", async () => {
  const page = readFileSync(fileURLToPath(new URL("../../MIGRATING.md", import.meta.url)), "utf8");
  const routes = [...page.matchAll(/^\| `([A-Z]+) (\/\S*)` \| (same|differs|gone) \|/gm)];
  assert.ok(routes.length > 40, "the table is read");
  for (const [, method, path, here] of routes) {
    const { status } = await api(method, path.replace("{id}", "tenant_123").replace("{code}", "SPRING26"), { body: method === "GET" ? undefined : {} });
    if (here === "gone") assert.ok([404, 405].includes(status), `${method} ${path}: ${status}`);
    else assert.ok(![404, 405].includes(status), `${method} ${path}: ${status}`);
  }
  const { paths } = JSON.parse(readFileSync(fileURLToPath(new URL("../../public/openapi.json", import.meta.url)), "utf8"));
  for (const [, method, path] of page.matchAll(/`([A-Z]+) (\/(?:api|auth|public|internal)\/\S*)`/g)) {
    const row = routes.find(([, verb, pattern]) => verb === method && pattern === path);
    if (row?.[3] === "gone") continue;
    assert.ok(paths[path]?.[method.toLowerCase()], `${method} ${path}`);
  }
});
