// The Worker asks the runtime about text, domains and URLs, where the host asks crates: both read hard cases alike. The host's half is
// tests/api/standards.rs.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { tenantForm, makeWebhook, startHarness, token } from "./harness.mjs";

const cases = JSON.parse(readFileSync(new URL("../standards.json", import.meta.url), "utf8"));
const texts = JSON.parse(readFileSync(new URL("../browser/texts.json", import.meta.url), "utf8"));
const h = await startHarness();
after(() => h.close());

let clients = 0;
/** Signs up as a client of its own: no limit of clients counts them together. */
const signup = (form) => {
  clients += 1;
  const headers = { "cf-connecting-ip": `203.${(clients >> 8) & 255}.${clients & 255}.1` };
  return h.api("POST", "/public/signup/start", { body: tenantForm(form), headers });
};
const refused = ({ status, body }, field) => {
  assert.equal(status, 400, JSON.stringify(body));
  return body.error.issues.some(({ path }) => path[0] === field);
};

test("a domain of mail is read as the host reads it", async () => {
  for (const [index, { text, read }] of cases.domains.entries()) {
    const answer = await signup({ email: `ann${index}@${text}` });
    if (read === null) assert.ok(refused(answer, "email"), text);
    else assert.equal(answer.body.tenant?.email, `ann${index}@${read}`, `${text}: ${JSON.stringify(answer.body)}`);
  }
});

test("a text is read as the host reads it", async () => {
  for (const { text, read, length } of texts) {
    const answer = await signup({ clubName: text });
    if (!read || length > 100) assert.ok(refused(answer, "clubName"), JSON.stringify(text));
    else assert.equal(answer.body.tenant?.name, read, JSON.stringify(text));
  }
});

test("a name is folded for search as the host folds it", async () => {
  for (const { text, read } of cases.folded) {
    const { body } = await signup({ clubName: text });
    const [row] = await h.sql("select name_folded from tenants where id = ?", body.tenantId);
    assert.equal(row?.name_folded, read, text);
  }
});

test("a webhook's address is read, and stored, as the host reads it", async () => {
  const { body: tenant } = await signup({});
  const { webhookSecret } = makeWebhook();
  for (const { text, read } of cases.webhooks) {
    const correction = { tenant: tenant.tenantId, make_webhook_url: text, webhook_secret: webhookSecret, reason: "hard cases" };
    const answer = await h.api("POST", "/api/v1/admin/tenant/webhook", { token: token({}, h.secrets.JWT_SECRET), body: correction });
    if (read === null) assert.ok(refused(answer, "make_webhook_url"), text);
    else assert.equal(answer.body.data?.makeWebhookUrl, read, `${text}: ${JSON.stringify(answer.body)}`);
  }
});
