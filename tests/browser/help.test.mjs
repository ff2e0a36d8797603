// The guide to Make: for people who have never seen it, in two languages, on every screen, without a script.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { modulesOf, runScenario } from "../e2e/make-scenario.mjs";
import { accessible, open, saidIn } from "./harness.mjs";
import { toConnect } from "./wizard.mjs";

const PUBLIC = new URL("../../public/", import.meta.url);
const read = (name) => readFileSync(new URL(name, PUBLIC), "utf8");
const blueprint = JSON.parse(read("help/make/tenantry.blueprint.json"));
const PAGES = { en: "/help/make/", de: "/help/make/de/" };
const WORDS = {
  en: Object.fromEntries(saidIn("index.html")),
  de: (await import(new URL("js/lang/de.js", PUBLIC))).default,
};

const SCREENS = {
  "320 px, light": { viewport: { width: 320, height: 640 } },
  "320 px, dark": { viewport: { width: 320, height: 640 }, colorScheme: "dark" },
  "1280 px, light": {},
  "1280 px, dark": { colorScheme: "dark" },
  "320 px, without scripts": { viewport: { width: 320, height: 640 }, javaScriptEnabled: false, shifts: false },
};

for (const [language, path] of Object.entries(PAGES)) {
  for (const [screen, options] of Object.entries(SCREENS)) {
    test(`the guide reads and fits: ${language}, ${screen}`, async (t) => {
      const page = await open(t, { path, ...options });
      const shown = await page.locator(".guide > li").count();
      assert.equal(shown, 8);
      assert.equal(await page.getAttribute("html", "lang"), language);
      if (options.javaScriptEnabled !== false) await accessible(page, `guide to Make, ${language}, ${screen}`);
    });
  }
}

test("both languages have the same steps and the same pictures, each told in words", async (t) => {
  const shape = async (path) => {
    const page = await open(t, { path });
    return page.evaluate(() => ({
      steps: [...document.querySelectorAll(".guide > li")].map((li) => [li.id, li.querySelectorAll("p").length]),
      // Make's own words are the same; those of our own form are the language's.
      pictures: [...document.querySelectorAll("figure svg")].map((svg) => [svg.children.length, svg.getAttribute("viewBox")]),
      told: [...document.querySelectorAll("figure title")].map((title) => title.textContent.length > 20),
      rows: [...document.querySelectorAll("tbody th")].map((th) => th.textContent),
      points: document.querySelectorAll(".points li").length,
    }));
  };
  const english = await shape(PAGES.en);
  assert.deepEqual(await shape(PAGES.de), english);
  assert.equal(english.pictures.length, 9);
  assert.ok(english.told.every(Boolean));
});

test("each guide leads to the other, to the signup and to the blueprint, which is the one in integrations/make", async (t) => {
  const page = await open(t, { path: PAGES.en });
  await page.click(".help-languages [lang=de]");
  await page.waitForURL(`**${PAGES.de}`);
  await page.click(".help-languages [lang=en]");
  await page.waitForURL(`**${PAGES.en}`);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#blueprint")]);
  assert.equal(download.suggestedFilename(), "tenantry.blueprint.json");
  const ours = readFileSync(new URL("../integrations/make/tenantry.blueprint.json", PUBLIC), "utf8");
  assert.equal(readFileSync(await download.path(), "utf8"), ours);
  await page.click("main a[href='/']");
  await page.waitForSelector("#club-form");
});

test("the wizard's help opens the guide in the person's language, and what was typed stays", async (t) => {
  const page = await open(t);
  await toConnect(page);
  await page.fill("#webhookUrl", "https://hook.eu1.make.com/abc");
  await page.click(".help summary");
  for (const [language, path] of Object.entries(PAGES)) {
    await page.click(`#languages [lang=${language}]`);
    await page.waitForSelector(`.help a[href="${path}"]`);
    const [guide] = await Promise.all([page.waitForEvent("popup"), page.click(".help a")]);
    await guide.waitForSelector(".guide");
    assert.equal(new URL(guide.url()).pathname, path);
    await guide.close();
  }
  assert.equal(await page.inputValue("#webhookUrl"), "https://hook.eu1.make.com/abc");
});

test("what the guides quote stands in the blueprint and in the wizard", () => {
  const names = [...modulesOf(blueprint.flow)].map(({ module }) => module.metadata.designer.name);
  const quoted = (language) => {
    const text = read(`${PAGES[language].slice(1)}index.html`).replaceAll(/<[^>]+>/g, " ");
    return new Set([...text.matchAll(/[“„]([^“”„]+)[”“]/g)].map(([, words]) => words));
  };
  for (const language of Object.keys(PAGES)) {
    const has = quoted(language);
    for (const name of ["Tenantry sends here", "Your secret", "Was it here before?", "Remember it", "The club is ready", "The set-up failed", "The club was removed", "Something else"]) {
      assert.ok(has.has(name) && names.includes(name), `${language}: ${name}`);
    }
    for (const key of ["connect.url", "connect.secret", "connect.copy", "connect.submit", "connect.test", "failed.webhook"])
      assert.ok(has.has(WORDS[language][key]), `${language}: ${WORDS[language][key]}`);
    assert.ok(has.has(String([...modulesOf(blueprint.flow)][1].module.mapper.value)), language);
  }
});

test("the guides say what a message costs in Make, and mean every answer that the blueprint gives", async () => {
  const { createHmac } = await import("node:crypto");
  const secret = "a secret of its own";
  const copy = structuredClone(blueprint);
  copy.flow[1].mapper.value = secret;
  const cost = (type) => {
    const body = JSON.stringify({ type, data: {} });
    const timestamp = String(Math.floor(Date.now() / 1000));
    const signature = createHmac("sha256", secret).update(`id.${timestamp}.${body}`).digest("base64");
    const headers = { "webhook-id": "id", "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
    const { status, ran } = runScenario(copy, { headers, body });
    assert.equal(status, 200);
    // A router costs nothing.
    const routers = [...modulesOf(copy.flow)].filter(({ module }) => module.routes).map(({ module }) => module.metadata.designer.name);
    return ran.filter((name) => !routers.includes(name)).length;
  };
  const costs = [cost("webhook.ping"), cost("tenant.provisioned")];
  const answers = [...modulesOf(blueprint.flow)].map(({ module }) => module.mapper?.status).filter((status) => status && status !== "200");
  for (const path of Object.values(PAGES)) {
    const text = read(`${path.slice(1)}index.html`);
    const [, ping, event] = text.match(/(\d) (?:of Make’s credits|Credits von Make)\D+(\d)/);
    assert.deepEqual([Number(ping), Number(event)], costs, path);
    const told = [...text.matchAll(/<th scope="row">([^<]+)</g)].flatMap(([, statuses]) => statuses.split(", "));
    for (const status of answers) assert.ok(told.includes(status), `${path}: ${status}`);
  }
});
