// A club's own address: a calm page in its colours, at any width, light and dark, whatever the club calls itself.

import assert from "node:assert/strict";
import test from "node:test";
import { accessible, baseUrl, codeIn, mailTo, visitor } from "./harness.mjs";
import { aTenant } from "./wizard.mjs";

const SCREENS = {
  "320 px, light": { viewport: { width: 320, height: 568 } },
  "320 px, dark": { viewport: { width: 320, height: 568 }, colorScheme: "dark" },
  "1280 px, light": {},
  "1280 px, dark, German": { colorScheme: "dark", locale: "de-DE" },
};
const NAMES = ["<img src=x onerror=alert(1)>", "نادي كرة القدم", "x".repeat(100), "TSV Rüderwald 1897 – Abteilung Leichtathletik und Turnen"];
const COLOURS = [
  ["#ffff00", "#ffffff"],
  ["#0f5c45", "#f4b942"],
  ["#111111", "#000000"],
  ["#fefefe", "#fefefe"],
];

async function api(method, path, body, token) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(new URL(path, baseUrl), { method, headers, body: JSON.stringify(body) });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

/** A club that is live, by its slug and token. */
async function liveClub() {
  const { clubName, clubSlug, email, webhookUrl, webhookSecret = "a secret of my own" } = aTenant();
  const made = await api("POST", "/public/signup/start", { clubName, clubSlug, email, plan: "starter" });
  const code = codeIn(await mailTo(email, /\/proof\/#token=/));
  const { jwt } = await api("POST", "/auth/proof", { code }, made.jwt);
  await api("POST", "/public/signup/starter/make", { webhookUrl, webhookSecret }, jwt);
  return { slug: clubSlug, id: made.tenantId, jwt };
}

async function isLive({ id, jwt }) {
  for (;;) {
    const answer = await fetch(new URL(`/api/v1/tenants/${id}/provision-status`, baseUrl), { headers: { authorization: `Bearer ${jwt}` } });
    const { status } = await answer.json();
    if (status !== "processing" && status !== "pending") return status;
    await new Promise((done) => setTimeout(done, 100));
  }
}

const originOf = ({ slug }) => `http://${slug}.clubs.example:${new URL(baseUrl).port}`;

test("a club's page fits and reads whatever the club calls itself and however it is coloured", async (t) => {
  const club = await liveClub();
  assert.equal(await isLive(club), "completed");
  const origin = originOf(club);
  let n = 0;
  for (const [screen, options] of Object.entries(SCREENS)) {
    const { context, requests } = await visitor(t, { origin, ...options });
    const page = await context.newPage();
    for (const name of NAMES) {
      const [primaryColor, secondaryColor] = COLOURS[n++ % COLOURS.length];
      const membersUrl = n % 2 ? "https://members.example.org/" : null;
      await api("PATCH", "/api/v1/tenants/me", { name, brand: { primaryColor, secondaryColor }, membersUrl }, club.jwt);
      // What the browser has is a minute old at most: another address of the same page.
      await page.goto(`/?${n}`);
      assert.equal(await page.textContent("h1"), name);
      assert.equal(await page.title(), name);
      assert.equal(await page.locator("img, script, form, input").count(), 0);
      assert.equal(await page.locator("a.go").count(), membersUrl ? 1 : 0);
      await accessible(page, `club's page ${n} (${screen})`);
      await page.goto(`/nothing/${n}`);
      assert.match(await page.textContent("main"), options.locale ? /Hier ist nichts/ : /There is nothing here/);
      await accessible(page, `club's page ${n}, nothing (${screen})`);
      await page.click("a.go");
      assert.equal(new URL(page.url()).pathname, "/");
    }
    assert.ok(requests.every((request) => request.url().startsWith(origin) || request.url().startsWith("data:")));
  }
});

test("where no club is, a calm page leads on", async (t) => {
  const origin = originOf({ slug: "nobody-is-here" });
  for (const options of Object.values(SCREENS)) {
    const { context } = await visitor(t, { origin, ...options });
    const page = await context.newPage();
    const answer = await page.goto("/");
    assert.equal(answer.status(), 404);
    assert.match(await page.textContent("h1"), options.locale ? /keinen Verein/ : /no club/);
    await accessible(page, "no club");
  }
});
