// The cookie of our pages in a real browser: scripts can't read it, our own page's requests carry it, and a sibling's don't count. The pages
// of the service sign in by a link, here the one that proves the address; what they ask on behalf of the cookie is asked here by hand.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import test from "node:test";
import { baseUrl, proofLink, visitor } from "./harness.mjs";

/** A tenant, and what stands in the link that its owner was mailed. */
async function mailed() {
  const slug = `fc-${randomUUID().slice(0, 18)}`;
  const post = (path, body) =>
    fetch(`${baseUrl}${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const email = `owner@${slug}.example`;
  const signedUp = await post("/public/signup/start", { clubName: "FC", clubSlug: slug, email, plan: "pro" });
  assert.equal(signedUp.status, 200, await signedUp.clone().text());
  return (await proofLink(email)).split("#token=")[1];
}

/** Somebody else's page on the same site: another port of the same host. */
async function sibling(t) {
  const server = createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<!doctype html><title>sibling</title>"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

const ask = (page, method, path, body) =>
  page.evaluate(
    async ([method, path, body]) => {
      const answer = await fetch(path, { method, headers: body && { "content-type": "application/json" }, body: body && JSON.stringify(body) });
      return { status: answer.status, body: await answer.json() };
    },
    [method, path, body],
  );

test("a browser keeps the cookie from scripts, sends it from our page, and a sibling's page gets nothing by it", async (t) => {
  const token = await mailed();
  const other = await sibling(t);
  const { context } = await visitor(t, { guest: other, shifts: false });
  const page = await context.newPage();
  await page.goto("/");
  const signedIn = await ask(page, "POST", "/auth/proof", { token, session: true });
  assert.equal(signedIn.status, 200, JSON.stringify(signedIn.body));
  assert.equal(await page.evaluate(() => document.cookie), "");
  const [cookie] = (await context.cookies(baseUrl)).filter(({ name }) => name === "__Host-tenantry");
  assert.deepEqual([cookie.httpOnly, cookie.secure, cookie.sameSite, cookie.path], [true, true, "Strict", "/"]);
  assert.equal((await ask(page, "GET", "/whoami")).status, 200);

  const theirs = await context.newPage();
  await theirs.goto(other);
  // What is asked without CORS is kept from the page, whatever the answer is.
  const kept = (path) => theirs.waitForEvent("requestfailed", (request) => request.url() === `${baseUrl}${path}`);
  const isKept = async (request) => assert.match((await request).failure().errorText, /BLOCKED_BY_RESPONSE/);
  const posted = kept("/auth/logout");
  await theirs.evaluate((url) => fetch(url, { method: "POST", mode: "no-cors", credentials: "include" }).catch(() => {}), `${baseUrl}/auth/logout`);
  await isKept(posted);
  const read = kept("/whoami");
  await theirs.evaluate((url) => fetch(url, { mode: "no-cors", credentials: "include" }).catch(() => {}), `${baseUrl}/whoami`);
  await isKept(read);
  const form = theirs.waitForResponse(`${baseUrl}/auth/logout`);
  await theirs.evaluate((action) => {
    const form = Object.assign(document.createElement("form"), { method: "post", action, enctype: "text/plain" });
    document.body.append(form);
    form.submit();
  }, `${baseUrl}/auth/logout`);
  assert.equal((await form).status(), 403);
  assert.equal((await ask(page, "GET", "/whoami")).status, 200, "the sign-in is as it was");

  const out = await ask(page, "POST", "/auth/logout");
  assert.equal(out.status, 200);
  assert.deepEqual((await context.cookies(baseUrl)).filter(({ name }) => name === "__Host-tenantry"), []);
  assert.equal((await ask(page, "GET", "/whoami")).status, 401);
});
