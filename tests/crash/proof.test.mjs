// The whole product runtime is killed while an address proves itself: before the proof is stored, and between it and the start of what waited
// for it; and while the mail is on its way that asks for it. Whoever proved it is set up without asking again, and nothing is spent in vain.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { startService } from "../../scripts/lib/service.mjs";
import { client, makeWebhook, until } from "../client.mjs";
import { controls, instrumentedBundle } from "../e2e/instrumented.mjs";
import { mailsAreDue, sweep } from "./database.mjs";

const bundle = await instrumentedBundle();
after(() => bundle.remove());
const service = await startService({ entry: join(bundle.directory, "index.js") });
after(() => service.stop());
const { api, sandbox, signupUnproven, proofMail, proofMails, confirm, status, settled, mails } = client({
  url: service.url,
  secret: service.secrets.JWT_SECRET,
  sandboxFetch: (path, init) => fetch(new URL(path, service.sandboxUrl), init),
});
const { behave, sql } = controls(api);

const PLANS = ["starter", "pro"];

const prove = (tenant, body) => api("POST", "/auth/proof", { token: tenant.jwt, body });

/** Signed up, and waiting for nothing but the proof; `mail` is what shows it. */
async function waiting(plan) {
  const tenant = { ...(await signupUnproven({ plan })), webhook: makeWebhook() };
  assert.equal((await confirm(tenant, tenant.webhook)).body.data.status, "pending");
  return { ...tenant, mail: await proofMail(tenant.email) };
}

const rowOf = async ({ tenantId }) => (await sql("select email, provision_state, provision_run_id from tenants where id = ?", tenantId))[0];

/** A request that dies with the runtime. */
const lost = (request) => request.then((answer) => assert.fail(`it was answered: ${answer.status}`), () => undefined);

test("between the proof and the start of what waited for it: the run begins without anybody asking, and once", async () => {
  const tenants = await Promise.all(PLANS.map(waiting));
  await behave({ object: "hanging", limits: "off" });
  const proofs = tenants.map((tenant, index) => lost(prove(tenant, index === 0 ? { code: tenant.mail.code } : { token: tenant.mail.proofToken })));
  await until(async () => (await Promise.all(tenants.map(rowOf))).every(({ email }) => email !== null), { what: "the proofs to be stored" });
  for (const tenant of tenants) assert.deepEqual(await rowOf(tenant), { email: tenant.email, provision_state: "processing", provision_run_id: null });
  await service.kill();
  await Promise.all(proofs);
  await service.restart();

  // Who signed up still sees how far it is; as if its minute had passed, the sweep looks after what nobody told.
  for (const tenant of tenants) assert.equal((await status(tenant)).body.status, "processing");
  for (const { tenantId } of tenants) await sql("update tenants set swept_at = 0, provision_updated_at = provision_updated_at - 120 where id = ?", tenantId);
  await sweep(service);
  for (const tenant of tenants) {
    const end = await settled(tenant, { within: 60_000, every: 250 });
    assert.equal(end.status, "completed", JSON.stringify(end));
    const [{ runs }] = await sql("select count(*) as runs from provision_runs where tenant_id = ?", tenant.tenantId);
    assert.equal(runs, 1);
    const step = tenant.plan === "pro" ? "create_spreadsheet" : "validate_webhook";
    const { effects } = await sandbox(`/__sandbox/effects?key=${encodeURIComponent(`${end.data.runId}/${step}`)}`);
    assert.deepEqual(effects.map(({ count }) => count), [1]);
    // The answer is lost, and what was shown is spent: a link by mail signs its owner in.
    assert.notEqual((await prove(tenant, { code: tenant.mail.code })).status, 200);
    assert.notEqual((await prove(tenant, { token: tenant.mail.proofToken })).status, 200);
    await sql("update tenants set link_mailed_at = 0 where id = ?", tenant.tenantId);
    await api("POST", "/auth/magic/start", { body: { email: tenant.email } });
    const { linkToken } = await until(async () => (await mails(tenant.email)).findLast(({ linkToken }) => linkToken), { what: "a link" });
    assert.equal((await api("POST", "/auth/magic/verify", { body: { token: linkToken } })).status, 200);
  }
});

test("before the proof is stored: nothing is proven, and the same code proves it afterwards", async () => {
  const tenant = await waiting("pro");
  await behave({ database: "hanging", limits: "off" });
  const proof = lost(prove(tenant, { code: tenant.mail.code }));
  await service.kill();
  await proof;
  await service.restart();
  const row = await rowOf(tenant);
  assert.deepEqual([row.email, row.provision_state], [null, "pending"]);
  const { status: code, body } = await prove(tenant, { code: tenant.mail.code });
  assert.equal(code, 200, JSON.stringify(body));
  assert.equal((await settled({ ...tenant, jwt: body.jwt }, { within: 60_000 })).status, "completed");
});

test("while the mail that asks for it is on its way: it leaves again by itself, as one mail, and proves the address", async () => {
  await sandbox("/__sandbox/faults", { method: "POST", body: { host: "api.resend.com", kind: "silence", times: 1 } });
  const tenant = await signupUnproven({ plan: "pro" });
  await until(async () => (await sandbox("/__sandbox/faults")).faults.length === 0, { what: "the mail to leave" });
  await service.kill();
  await service.restart();
  assert.deepEqual(await proofMails(tenant.email), []);
  await mailsAreDue(service);
  const { code } = await proofMail(tenant.email);
  const [{ attempts }] = await sql("select attempts from mails where tenant_id = ? and kind = 'confirm_address'", tenant.tenantId);
  assert.equal(attempts, 2);
  assert.equal((await proofMails(tenant.email)).length, 1);
  assert.equal((await prove(tenant, { code })).status, 200);
});
