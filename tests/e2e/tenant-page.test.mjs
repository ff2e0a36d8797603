// A club's own address in the real runtime: the Host header says whose page is shown, on every path that files are served at elsewhere.
// What the page says when: tests/api/tenant_page.rs.
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, test } from "node:test";
import { startHarness } from "./harness.mjs";

const h = await startHarness();
after(() => h.close());

/** What a browser is answered that was sent to this host. */
const open = (host, path = "/", { method = "GET", ...headers } = {}) =>
  new Promise((done, failed) => {
    const options = { host: h.url.hostname, port: h.url.port, path, method, headers: { accept: "text/html", ...headers, host } };
    const asked = request(options, async (answer) => {
      let text = "";
      for await (const part of answer) text += part;
      done({ status: answer.statusCode, headers: answer.headers, text });
    });
    asked.on("error", failed).end();
  });

const tenant = await h.signup({ plan: "starter", clubName: "<img src=x onerror=alert(1)>" });
const host = `${tenant.clubSlug}.clubs.example`;
await h.api("PATCH", "/api/v1/tenants/me", { token: tenant.jwt, body: { language: "de", membersUrl: "https://members.example.org/" } });

test("a club's page is its own, and leads its members on once it is live", async () => {
  const before = await open(host, "/", { "accept-language": "en" });
  assert.equal(before.status, 200);
  assert.match(before.text, /This page is not open yet\./);
  assert.match(before.text, /<h1 dir="auto">&lt;img src=x onerror=alert\(1\)&gt;<\/h1>/);
  await h.confirm(tenant);
  assert.equal((await h.settled(tenant)).status, "completed");
  const live = await open(`${host.toUpperCase()}:8787`);
  assert.match(live.text, /<html lang="de">.*href="https:\/\/members\.example\.org\/"/s, "in the club's language where none is asked for");
  assert.match(live.headers["content-security-policy"], /^default-src 'none'; style-src 'sha256-[^']+'; img-src data:; /);
  assert.equal(live.headers["cache-control"], "public, max-age=60");
  assert.match(live.headers.vary, /Accept-Language/);
  assert.equal((await open(host, "/", { "if-none-match": live.headers.etag })).status, 304);
  const head = await open(host, "/", { method: "HEAD" });
  assert.deepEqual([head.status, head.text], [200, ""]);
});

test("no path at a club's address shows a page of ours", async () => {
  for (const path of ["/magic/", "/proof/", "/docs/", "/help/make/", "/help/make/de/", "/signup", "/nothing", "/public/signup/form"]) {
    const { status, text } = await open(host, path, { "accept-language": "en" });
    assert.equal(status, 404, path);
    assert.match(text, /There is nothing here\./, path);
  }
  // Whatever leads on, leads to one of those.
  for (const path of ["/index.html", "/magic", "/magic/index.html", "/proof", "/docs", "/help/make"]) {
    const { status, headers, text } = await open(host, path);
    assert.ok(!text.includes("<form"), path);
    assert.ok(status === 404 || (status >= 300 && status < 400 && headers.location.startsWith("/")), `${path}: ${status}`);
  }
});

test("where no club is, a calm page; at our own address, the signup; and the API at both", async () => {
  const nobody = await open("nobody-here.clubs.example", "/", { "accept-language": "en" });
  assert.equal(nobody.status, 404);
  assert.match(nobody.text, /There is no club at this address\./);
  assert.match((await open("clubs.example")).text, /<form/);
  const me = await open(host, "/api/v1/tenants/me", { authorization: `Bearer ${tenant.jwt}`, accept: "application/json" });
  assert.equal(JSON.parse(me.text).data.slug, tenant.clubSlug);
});

test("a cookie of one club does nothing for a page that shows another", async () => {
  const [{ linkToken }] = await linksOf(tenant);
  const verify = { body: { token: linkToken, session: true }, headers: { origin: h.url.origin, "sec-fetch-site": "same-origin" } };
  const { headers } = await h.api("POST", "/auth/magic/verify", verify);
  const cookie = headers.get("set-cookie").split(";")[0];
  const by = (shown) => ({ headers: { cookie, "sec-fetch-site": "same-origin", "tenantry-tenant": shown } });
  assert.equal((await h.api("GET", "/api/v1/tenants/me", by(tenant.tenantId))).status, 200);
  for (const method of ["GET", "PATCH"]) {
    const { status, body } = await h.api(method, "/api/v1/tenants/me", { ...(method === "PATCH" && { body: { name: "Mixed" } }), ...by("tenant_x") });
    assert.deepEqual([status, body.error.code], [409, "OTHER_TENANT"], method);
  }
});

async function linksOf({ email }) {
  await h.api("POST", "/auth/magic/start", { body: { email } });
  await h.mailsLeft();
  return (await h.links(email)).slice(-1);
}
