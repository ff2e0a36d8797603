// The whole way of a tenant through a client that is generated from openapi.json: types from the document, calls by its paths.
// `tsc` holds the types against what is written here, the run holds the document against the service.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import createClient from "openapi-fetch";
import type { components, paths } from "../../build/openapi.d.ts";
import { tenantForm, makeWebhook, startHarness, until } from "./harness.mjs";

type ErrorDetails = components["schemas"]["ErrorDetails"];

const h = await startHarness();
after(() => h.close());
const api = createClient<paths>({ baseUrl: h.url.href });
const as = (jwt: string) => ({ Authorization: `Bearer ${jwt}` });

test("a tenant signs up, connects Make, proves its address, goes live, and reads what happened", async () => {
  const { clubName, clubSlug, email } = tenantForm();
  const free = await api.GET("/public/signup/availability", { params: { query: { slug: clubSlug } } });
  assert.equal(free.data?.data.available, true);

  const signup = await api.POST("/public/signup/start", {
    params: { header: { "Idempotency-Key": clubSlug } },
    body: { clubName, clubSlug, email, plan: "starter" },
  });
  assert.equal(signup.error, undefined);
  const { tenantId, tenant, emailProven } = signup.data;
  assert.deepEqual([tenant.status, emailProven], ["trial", false]);

  const { webhookUrl, webhookSecret } = makeWebhook();
  const connected = await api.POST("/public/signup/starter/make", {
    headers: as(signup.data.jwt),
    body: { webhookUrl, webhookSecret },
  });
  assert.deepEqual([connected.data?.data.changed, connected.data?.data.status], [true, "pending"]);

  const path = { id: tenantId };
  const early = await api.POST("/api/v1/tenants/{id}/webhook/test", { params: { path }, headers: as(signup.data.jwt), body: {} });
  assert.equal(early.error?.error.code, "EMAIL_UNPROVEN");
  const { code } = await h.proofMail(email);
  const proof = await api.POST("/auth/proof", { headers: as(signup.data.jwt), body: { code } });
  assert.equal(proof.error, undefined);
  const { jwt } = proof.data;
  // A page that asked for a cookie gets none.
  assert.ok(jwt !== undefined);

  const done = await until(
    async () => {
      const { data } = await api.GET("/api/v1/tenants/{id}/provision-status", { params: { path }, headers: as(jwt) });
      return data?.status === "completed" && data.data;
    },
    { what: "provisioning to complete" },
  );
  assert.deepEqual([done.progress, done.warnings], [100, []]);
  assert.match(`${done.runId}`, /^run_/);

  const events = await api.GET("/api/v1/tenants/{id}/events", { params: { path, query: { limit: 100 } }, headers: as(jwt) });
  const types = events.data?.data.map(({ type }) => type) ?? [];
  assert.ok(types.includes("tenant.provisioned"), types.join(" "));
  assert.equal(events.data?.nextCursor, null);
});

test("a failure is typed too", async () => {
  const refused = await api.GET("/api/v1/tenants/me");
  assert.equal(refused.data, undefined);
  const { code, requestId }: ErrorDetails = refused.error.error;
  assert.equal(code, "UNAUTHORIZED");
  assert.match(requestId, /^req_/);

  const wrong = await api.POST("/public/signup/start", { body: { ...tenantForm(), plan: "starter", clubSlug: "www" } });
  assert.deepEqual(wrong.error?.error.issues?.map(({ path, code }) => [path, code]), [[["clubSlug"], "reserved"]]);
});

/** Never called: what must not compile. */
export async function mistakes() {
  // @ts-expect-error There is no such route.
  await api.GET("/api/v1/tenants/mine");
  // @ts-expect-error There is no such plan.
  await api.POST("/public/signup/start", { body: { ...tenantForm(), plan: "gold" } });
  // @ts-expect-error The name is missing.
  await api.POST("/public/signup/start", { body: { clubSlug: "riverside", email: "ann@example.org", plan: "pro" } });
  // @ts-expect-error The tenant is missing.
  await api.GET("/api/v1/tenants/{id}/events");
  const { data } = await api.GET("/whoami");
  // @ts-expect-error A token says no such thing.
  return data?.data.password;
}
