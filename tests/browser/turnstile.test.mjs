// The signup page where Turnstile is switched on: the whole way from the widget to the tenant, under the page's own policy.
//
// The widget is the sandbox's, given to the browser where it asks for Cloudflare's.

import assert from "node:assert/strict";
import test, { after } from "node:test";
import { FRAME, SCRIPT } from "../../scripts/sandbox/turnstile-widget.js";
import { startService } from "../../scripts/lib/service.mjs";
import { accessible, eventually, ready, visitor } from "./harness.mjs";
import { aTenant, at, errorAt, fillTenant, invalid, noticeText, submit } from "./wizard.mjs";

const CLOUDFLARE = "https://challenges.cloudflare.com";
/** Cloudflare's own test keys. */
const PASSES = "1x00000000000000000000AA";
const FAILS = "2x00000000000000000000AB";
const ASKS = "3x00000000000000000000FF";

const service = await startService({ vars: { TURNSTILE_SITE_KEY: PASSES }, secrets: { TURNSTILE_SECRET: "1x0000000000000000000000000000000AA" } });
after(() => service.stop());

/** A page that is not open yet. Its widget behaves as under `cloudflare.key`, which the test may change. */
async function visit(t, options = {}) {
  const cloudflare = { key: PASSES, blocked: false };
  const { context, requests } = await visitor(t, { origin: service.url, guest: CLOUDFLARE, ...options });
  await context.route(`${CLOUDFLARE}/**`, (route) => {
    if (cloudflare.blocked) return route.abort();
    const isScript = new URL(route.request().url()).pathname.endsWith("api.js");
    const frame = FRAME.replaceAll("asked.sitekey", JSON.stringify(cloudflare.key));
    return route.fulfill(isScript ? { contentType: "text/javascript", body: SCRIPT } : { contentType: "text/html", body: frame });
  });
  const sent = (part) => requests.filter((r) => r.url().includes(part));
  return Object.assign(await context.newPage(), { cloudflare, sent });
}

async function shown(t, key = PASSES, options = {}) {
  const page = await visit(t, options);
  page.cloudflare.key = key;
  await page.goto("/");
  if (options.javaScriptEnabled !== false) await ready(page);
  return page;
}

const tokens = (page) =>
  page
    .sent("/public/signup/start")
    .filter((r) => r.url().endsWith("/start"))
    .map((r) => JSON.parse(r.postData()).turnstileToken);

const widget = (page) => page.frameLocator("#human-box iframe");

test("a person signs a tenant up, and the policy lets the widget in", async (t) => {
  const page = await shown(t);
  const tenant = aTenant();
  await fillTenant(page, tenant);
  await submit(page, "club-form");
  await at(page, "colours");
  const [token, ...more] = tokens(page);
  assert.match(token, /^ok-.*~127\.0\.0\.1~signup$/);
  assert.equal(more.length, 0);
  const { headers } = await fetch(service.url);
  assert.match(headers.get("content-security-policy"), /script-src 'self' https:\/\/challenges\.cloudflare\.com;/);
});

test("the page that the browser keeps is the one with the widget", async () => {
  const first = await fetch(service.url);
  const etag = first.headers.get("etag");
  assert.match(await first.text(), new RegExp(`data-turnstile="${PASSES}"`));
  const again = await fetch(service.url, { headers: { "if-none-match": `"other", W/${etag}` } });
  assert.deepEqual([again.status, await again.text()], [304, ""]);
  const head = await fetch(service.url, { method: "HEAD" });
  assert.deepEqual([head.status, head.headers.get("etag"), await head.text()], [200, etag, ""]);
  assert.equal(head.headers.get("x-content-type-options"), "nosniff");
});

test("whoever is refused sends another token, and nothing typed is lost", async (t) => {
  const other = await shown(t);
  const known = aTenant();
  await fillTenant(other, known);
  await submit(other, "club-form");
  await at(other, "colours");

  const page = await shown(t, PASSES, { shifts: false });
  const tenant = aTenant();
  await fillTenant(page, { ...tenant, clubSlug: known.clubSlug });
  await submit(page, "club-form");
  await invalid(page, "clubSlug");
  assert.match(await errorAt(page, "clubSlug"), /just been taken/);
  assert.equal(await page.inputValue("#email"), tenant.email);
  await page.fill("#clubSlug", tenant.clubSlug);
  await submit(page, "club-form");
  await at(page, "colours");
  assert.equal(new Set(tokens(page)).size, 2);
});

test("a box that must be ticked is asked for, and the form goes on by itself when it is", async (t) => {
  const page = await shown(t, ASKS);
  const tenant = aTenant();
  await fillTenant(page, tenant);
  await submit(page, "club-form");
  await page.waitForFunction(() => document.getElementById("human-error").textContent.includes("tick the box"));
  await accessible(page, "club, the box is not ticked");
  assert.equal(tokens(page).length, 0);
  await widget(page).locator("#box").click();
  await at(page, "colours");
});

test("a token that has expired is not sent", async (t) => {
  const page = await shown(t, ASKS);
  await fillTenant(page, aTenant());
  await widget(page).locator("#box").click();
  await widget(page).locator("#expire").click();
  await submit(page, "club-form");
  await page.waitForFunction(() => document.getElementById("human-error").textContent.includes("tick the box"));
  await widget(page).locator("#box").click();
  await at(page, "colours");
  assert.equal(tokens(page).length, 1);
});

test("a check that fails says so and can be tried again, with everything typed still there", async (t) => {
  const page = await shown(t, FAILS);
  const tenant = aTenant();
  await fillTenant(page, tenant);
  await submit(page, "club-form");
  await page.waitForSelector("#notice [data-tone=bad]:not([hidden])");
  assert.match(await noticeText(page), /Nothing was sent/);
  assert.match(await errorAt(page, "human"), /did not work/);
  assert.equal(tokens(page).length, 0);
  page.cloudflare.key = PASSES;
  assert.equal(await page.inputValue("#clubName"), tenant.clubName);
  await submit(page, "club-form");
  await at(page, "colours");
});

test("a widget that does not load says so, and is loaded when it can be", async (t) => {
  const page = await visit(t);
  page.cloudflare.blocked = true;
  await page.goto("/");
  await ready(page);
  await page.waitForFunction(() => document.getElementById("human-error").textContent.includes("could not be loaded"));
  await fillTenant(page, aTenant());
  await submit(page, "club-form");
  await page.waitForSelector("#notice [data-tone=bad]:not([hidden])");
  assert.equal(tokens(page).length, 0);
  page.cloudflare.blocked = false;
  await submit(page, "club-form");
  await at(page, "colours");
});

test("the widget and its words speak the page's language", async (t) => {
  const page = await shown(t, ASKS, { locale: "de-DE" });
  await fillTenant(page, aTenant());
  await submit(page, "club-form");
  await page.waitForFunction(() => document.getElementById("human-error").textContent.includes("Häkchen"));
  assert.equal(await widget(page).locator("html").getAttribute("lang"), "de");
  await page.click("#languages [lang=en]");
  await eventually("the widget speaks English", async () => (await widget(page).locator("html").getAttribute("lang")) === "en");
  await widget(page).locator("#box").click();
  await at(page, "colours");
});

test("on a narrow screen the widget fits", async (t) => {
  const page = await shown(t, ASKS, { viewport: { width: 320, height: 640 } });
  await widget(page).locator("#box").waitFor();
  await accessible(page, "club, the widget on a narrow screen");
});

test("without JavaScript the page and the form's answer say what to do", async (t) => {
  const page = await shown(t, PASSES, { javaScriptEnabled: false, shifts: false });
  assert.ok(await page.locator("noscript .with-widget").isVisible());
  assert.ok(await page.locator("noscript .without-widget").isHidden());
  const tenant = aTenant();
  await fillTenant(page, tenant);
  await submit(page, "club-form");
  await page.getByText("switch JavaScript on").waitFor();
  assert.equal(await page.inputValue("#email"), tenant.email);
  assert.equal(await page.getByRole("link", { name: "Open the page" }).getAttribute("href"), "/");
});

test("a form of another site is refused in a real browser, and our own is not", async (t) => {
  const page = await visit(t, { javaScriptEnabled: false, shifts: false, guest: "http://localhost" });
  const { port } = new URL(service.url);
  // The same machine under another name is another site.
  await page.route(`http://localhost:${port}/evil`, (route) =>
    route.fulfill({
      contentType: "text/html",
      body: `<form action="${service.url}/public/signup/form" method="post"><input name="clubName" value="Evil"><button>Win</button></form>`,
    }),
  );
  await page.goto(`http://localhost:${port}/evil`);
  await page.click("button");
  await page.getByText("sent from another website").waitFor();
});
