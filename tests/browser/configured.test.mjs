// What an installation configures of its pages: no proof of addresses, who answers for the pages, and what plans cost.

import assert from "node:assert/strict";
import test, { after } from "node:test";
import { startService } from "../../scripts/lib/service.mjs";
import { accessible, ready, visitor } from "./harness.mjs";
import { aTenant, at, connect, createUnproven, submit } from "./wizard.mjs";

const vars = {
  EMAIL_PROOF: "off",
  SUPPORT_EMAIL: "help@clubs.example",
  TERMS_URL: "https://clubs.example/terms",
  PRIVACY_URL: "https://clubs.example/privacy",
  IMPRINT_URL: "https://clubs.example/imprint?a=1&b=2",
  PRICE_STARTER: "9 € a month",
  PRICE_PRO: "19 € a month",
};
const service = await startService({ vars });
after(() => service.stop());

async function shown(t, path = "/", options = {}) {
  const { context } = await visitor(t, { origin: service.url, ...options });
  const page = await context.newPage();
  await page.goto(path);
  if (options.javaScriptEnabled !== false) await ready(page);
  return page;
}

test("without the proof of addresses there is no panel, and everything is as it was", async (t) => {
  const page = await shown(t);
  const tenant = await createUnproven(page, aTenant());
  assert.ok(await page.isHidden("#proof"));
  await submit(page, "colours-form");
  await at(page, "connect");
  await connect(page, tenant);
  await at(page, "done");
});

const links = (page) => page.$$eval(".foot a", (all) => all.map((a) => [a.textContent, a.getAttribute("href")]));
const LINKS = [
  ["help@clubs.example", "mailto:help@clubs.example"],
  ["Terms", "https://clubs.example/terms"],
  ["Privacy", "https://clubs.example/privacy"],
  ["Imprint", "https://clubs.example/imprint?a=1&b=2"],
];

test("every page says who answers for it, and where to sign in", async (t) => {
  for (const path of ["/", "/magic/", "/proof/", "/docs/", "/help/make/"]) {
    const page = await shown(t, path, { viewport: { width: 320, height: 640 } });
    assert.deepEqual(await links(page), LINKS, path);
    assert.equal(await page.getAttribute(".top .sign-in", "href"), "/magic/", path);
    await accessible(page, `${path} with who answers for it`);
  }
  const german = await shown(t, "/help/make/de/");
  assert.deepEqual((await links(german)).map(([text]) => text), ["help@clubs.example", "Bedingungen", "Datenschutz", "Impressum"]);
});

test("the links speak the language of the page, and prices stand beside their plans", async (t) => {
  const page = await shown(t, "/", { locale: "de-DE", colorScheme: "dark" });
  assert.deepEqual((await links(page)).map(([text]) => text), ["help@clubs.example", "Bedingungen", "Datenschutz", "Impressum"]);
  assert.match(await page.textContent(".plan:has([value=starter])"), /Starter\s*9 € a month/);
  assert.match(await page.textContent(".plan:has([value=pro])"), /Pro\s*19 € a month/);
  await accessible(page, "club, with prices");
});

test("they are there without a script, too", async (t) => {
  const page = await shown(t, "/", { javaScriptEnabled: false, shifts: false });
  assert.deepEqual(await links(page), LINKS);
  assert.equal(await page.textContent("#price-pro"), "19 € a month");
});

test("the browser keeps a page with what is configured", async () => {
  for (const path of ["/", "/magic/"]) {
    const first = await fetch(service.url + path);
    const again = await fetch(service.url + path, { headers: { "if-none-match": first.headers.get("etag") } });
    assert.deepEqual([again.status, await again.text()], [304, ""], path);
    assert.equal(again.headers.get("content-security-policy"), first.headers.get("content-security-policy"));
    assert.match(first.headers.get("content-security-policy"), /script-src 'self';/);
  }
});
