// The API's documentation: all of the document, for everybody, under the same policy as every other page.

import assert from "node:assert/strict";
import test from "node:test";
import { accessible, baseUrl, open } from "./harness.mjs";

const api = await (await fetch(`${baseUrl}/openapi.json`)).json();
const operations = [api.paths, api.webhooks].flatMap((items) => Object.values(items)).flatMap((item) => Object.values(item));

test("every route and every type stands on the page, and every link leads somewhere", async (t) => {
  const page = await open(t, { path: "/docs/" });
  for (const { operationId, summary, responses } of operations) {
    assert.equal(await page.textContent(`#${operationId} h3`), summary);
    assert.equal(await page.locator(`#${operationId} details`).count(), Object.keys(responses).length);
  }
  for (const name of Object.keys(api.components.schemas)) assert.equal(await page.textContent(`#type-${name} h3`), name);
  const dead = await page.evaluate(() =>
    [...document.querySelectorAll('a[href^="#"]')]
      .map((link) => link.getAttribute("href").slice(1))
      .filter((id) => document.getElementById(id) === null),
  );
  assert.deepEqual(dead, []);
});

for (const colorScheme of ["light", "dark"]) {
  for (const [name, viewport] of Object.entries({ wide: { width: 1280, height: 900 }, phone: { width: 360, height: 740 } })) {
    test(`it can be read by everybody: ${colorScheme}, ${name}`, async (t) => {
      const page = await open(t, { path: "/docs/#signUp", colorScheme, viewport });
      await page.locator("#signUp details summary").first().click();
      await page.locator("#signUp details[open] pre").first().waitFor();
      await accessible(page, `docs, ${colorScheme}, ${name}`);
    });
  }
}

test("an address leads to its route, and /docs to the page", async (t) => {
  const page = await open(t, { path: "/docs#listRuns" });
  assert.equal(new URL(page.url()).pathname, "/docs/");
  assert.ok(await page.locator("#listRuns").evaluate((node) => node.getBoundingClientRect().top < window.innerHeight));
});

test("without the document it says so", async (t) => {
  const page = await open(t, { path: "/docs/" });
  await page.route("**/openapi.json", (route) => route.abort());
  await page.reload();
  await page.waitForSelector("#failed:not([hidden])");
});

test("every word of a failure is told", async (t) => {
  const page = await open(t, { path: "/docs/" });
  for (const name of ["ErrorCode", "ErrorReason", "FieldErrorCode", "ErrorSummaryCode"]) {
    const words = await page.locator(`#type-${name} li code:first-child`).allTextContents();
    assert.deepEqual(words.filter((word) => api.components.schemas[name].enum.includes(word)), api.components.schemas[name].enum);
  }
});

for (const file of ["openapi.json", "openapi-3.0.json"]) test(`any origin may read ${file}, and whoever knows it is not sent it again`, async () => {
  const answer = await fetch(`${baseUrl}/${file}`, { headers: { origin: "https://elsewhere.example" } });
  assert.match(answer.headers.get("content-type"), /^application\/json/);
  assert.equal(answer.headers.get("access-control-allow-origin"), "*");
  assert.equal(answer.headers.get("cross-origin-resource-policy"), "cross-origin");
  const again = await fetch(`${baseUrl}/${file}`, { headers: { "if-none-match": answer.headers.get("etag") } });
  assert.equal(again.status, 304);
});
