// With a service account's key the spreadsheet is read back from Google itself: a token for a signed assertion, then the Sheets API.
import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { after, beforeEach, test } from "node:test";
import { jwtVerify } from "jose";
import { startHarness, until } from "./harness.mjs";

const keyPair = () =>
  generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });

const { publicKey, privateKey } = keyPair();
const account = {
  type: "service_account",
  project_id: "clubs",
  private_key_id: "0123456789abcdef",
  private_key: privateKey,
  client_email: "reader@clubs.iam.gserviceaccount.com",
  token_uri: "https://oauth2.googleapis.com/token",
};

const h = await startHarness({ secrets: { GOOGLE_SERVICE_ACCOUNT_KEY: JSON.stringify(account) } });
after(() => h.close());

const registerKey = (key) => h.sandbox("/__sandbox/google", { method: "PUT", body: { clientEmail: account.client_email, publicKey: key } });

const script = (fault) => h.sandbox("/__sandbox/faults", { method: "POST", body: { times: 1, ...fault } });

const requestsTo = async (host) => (await h.sandbox(`/__sandbox/requests?host=${host}`)).requests;

beforeEach(async () => {
  await h.sandbox("/__sandbox/reset", { method: "POST" });
  await registerKey(publicKey);
});

async function provision() {
  const tenant = await h.signup({ plan: "pro" });
  await h.confirm(tenant);
  return tenant;
}

const spreadsheetOf = async (tenant) =>
  (await h.sandbox("/__sandbox/spreadsheets")).spreadsheets.find(({ tenantId }) => tenantId === tenant.tenantId);

test("a spreadsheet that Google shows is verified", async () => {
  const tenant = await provision();
  const { status, data } = await h.settled(tenant);
  assert.equal(status, "completed", JSON.stringify(data));

  const [grant, ...more] = await requestsTo("oauth2.googleapis.com");
  assert.equal(more.length, 0);
  assert.deepEqual([grant.method, grant.url], ["POST", "https://oauth2.googleapis.com/token"]);
  assert.deepEqual(grant.signature, { present: true, valid: true });
  assert.match(grant.headers["content-type"], /^application\/x-www-form-urlencoded\b/);
  const form = new URLSearchParams(grant.body);
  assert.equal(form.get("grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
  const { payload, protectedHeader } = await jwtVerify(form.get("assertion"), createPublicKey(publicKey), {
    algorithms: ["RS256"],
    issuer: account.client_email,
    audience: "https://oauth2.googleapis.com/token",
    maxTokenAge: "1h",
  });
  assert.deepEqual(protectedHeader, { alg: "RS256", typ: "JWT", kid: account.private_key_id });
  assert.equal(payload.scope, "https://www.googleapis.com/auth/spreadsheets.readonly");
  assert.ok(payload.exp - payload.iat <= 3600);

  const [read] = await requestsTo("sheets.googleapis.com");
  const { id } = await spreadsheetOf(tenant);
  assert.deepEqual(
    [read.method, read.url],
    ["GET", `https://sheets.googleapis.com/v4/spreadsheets/${id}?fields=spreadsheetId,properties.title`],
  );
  assert.deepEqual(read.signature, { present: true, valid: true });
  // Apps Script was not asked a second time.
  assert.deepEqual(
    (await requestsTo("script.google.com")).map(({ operation }) => operation),
    ["provision"],
  );
  const [row] = await h.sql("select spreadsheet_id, verified_at from pro_automation where tenant_id = ?", tenant.tenantId);
  assert.ok(row.spreadsheet_id === id && row.verified_at > 0);
});

test("a spreadsheet that was deleted in between fails the run", async () => {
  await script({ host: "oauth2.googleapis.com", kind: "delay", ms: 4000 });
  const tenant = await provision();
  await until(async () => (await requestsTo("oauth2.googleapis.com")).length > 0);
  const { id } = await spreadsheetOf(tenant);
  await h.sandbox(`/__sandbox/spreadsheets/${id}`, { method: "DELETE" });
  const { status, data } = await h.settled(tenant);
  assert.deepEqual([status, data.reason, data.step], ["failed", "SPREADSHEET_MISSING", "verify_spreadsheet"]);
  const [row] = await h.sql("select verified_at from pro_automation where tenant_id = ?", tenant.tenantId);
  assert.equal(row.verified_at, null);
});

test("what Google can't answer now is asked again", async () => {
  await script({ host: "oauth2.googleapis.com", kind: "status", status: 503 });
  await script({ host: "sheets.googleapis.com", kind: "status", status: 429, headers: { "retry-after": "1" } });
  const tenant = await provision();
  const { status, data } = await h.settled(tenant, { within: 30_000 });
  assert.equal(status, "completed", JSON.stringify(data));
  assert.equal(data.checkpoints.verify_spreadsheet.attempts, 3);
  const history = await h.sql(
    `select outcome, error, upstream_status as status from provision_history
     where run_id = ? and step = 'verify_spreadsheet' order by attempt`,
    data.runId,
  );
  assert.deepEqual(history, [
    { outcome: "unknown", error: "SERVER_ERROR", status: 503 },
    { outcome: "unknown", error: "RATE_LIMITED", status: 429 },
    { outcome: "done", error: null, status: null },
  ]);
});

test("an account that Google doesn't know fails the run as our mistake, and it goes on once that is mended", async () => {
  await registerKey(keyPair().publicKey);
  const tenant = await provision();
  const failed = await h.settled(tenant);
  assert.deepEqual([failed.status, failed.data.reason, failed.data.step], ["failed", "MISCONFIGURED", "verify_spreadsheet"]);
  assert.ok(!/grant|JWT|signature/i.test(failed.data.error), `nothing of Google's words: ${failed.data.error}`);

  await registerKey(publicKey);
  const token = h.token({ aud: "internal", roles: ["service"] });
  await h.api("POST", "/internal/provision/queue", { token, body: { tenantId: tenant.tenantId } });
  const { status, data } = await h.settled(tenant);
  assert.equal(status, "completed", JSON.stringify(data));
  assert.equal(data.checkpoints.create_spreadsheet.attempts, 1);
});

test("nothing of the key or the tokens is logged", async () => {
  const text = JSON.stringify(h.server.getLogs());
  const lines = privateKey.split("\n").filter((line) => line.length > 20);
  for (const secret of [...lines, "ya29.", account.private_key_id]) assert.ok(!text.includes(secret));
});
