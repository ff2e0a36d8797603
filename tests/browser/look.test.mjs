// How the pages look and arrive: every width and theme, without scripts, with slow ones, in bytes and in words.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { accessible, baseUrl, fault, open, proofLink, saidIn, visitor } from "./harness.mjs";
import { aTenant, at, connect, fillTenant, invalid, prove, submit } from "./wizard.mjs";

const PUBLIC = new URL("../../public/", import.meta.url);
const read = (name) => readFileSync(new URL(name, PUBLIC), "utf8");
const scripts = readdirSync(new URL("js/", PUBLIC), { recursive: true })
  .filter((name) => name.endsWith(".js"))
  .map((name) => `js/${name}`);

const SCREENS = {
  "320 px, light": { viewport: { width: 320, height: 640 } },
  "320 px, dark": { viewport: { width: 320, height: 640 }, colorScheme: "dark" },
  "768 px, dark": { viewport: { width: 768, height: 1024 }, colorScheme: "dark" },
  "1280 px, dark": { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
  "1280 px at 200 % zoom": { viewport: { width: 640, height: 450 }, deviceScaleFactor: 2 },
  "4K": { viewport: { width: 3840, height: 2160 } },
  "320 px, German, calm": { viewport: { width: 320, height: 640 }, locale: "de-DE", reducedMotion: "reduce" },
};

for (const [screen, options] of Object.entries(SCREENS)) {
  test(`every step fits and reads: ${screen}`, async (t) => {
    const page = await open(t, options);
    const check = (state) => accessible(page, `${state} (${screen})`);
    const tenant = aTenant({ plan: screen.includes("dark") ? "pro" : "starter" });
    await check("club, empty");
    await submit(page, "club-form");
    await invalid(page, "clubName");
    await check("club, refused");
    await fillTenant(page, { ...tenant, clubName: `The Very Long Name of a Sports and Social Club ${tenant.mark}` });
    await page.waitForSelector("#clubSlug-answer[data-tone=good]");
    await check("club, filled in");
    await submit(page, "club-form");
    await at(page, "colours");
    await check("colours, address not proven");
    await prove(page, tenant);
    await check("colours");
    await submit(page, "colours-form");
    await at(page, "connect");
    if (tenant.plan === "starter") await page.click("summary");
    await check("connect");
    if (tenant.plan === "starter")
      await fault(t, { host: "hook.eu1.make.com", path: `/${tenant.mark}`, kind: "delay", ms: 2500, times: 1 });
    else await fault(t, { host: "script.google.com", bodyIncludes: tenant.clubSlug, kind: "delay", ms: 2500, times: 1 });
    await connect(page, tenant);
    await at(page, "progress");
    await page.waitForSelector("#tasks [data-stage=running]");
    await check("progress");
    await at(page, "done");
    await check("done");
  });
}

test("a reader's own large font breaks nothing", async (t) => {
  const page = await open(t, { viewport: { width: 640, height: 900 }, shifts: false });
  await page.evaluate(() => document.documentElement.style.setProperty("font-size", "200%"));
  await accessible(page, "club, font twice as large");
});

test("whoever asks for less motion gets none", async (t) => {
  const page = await open(t, { reducedMotion: "reduce" });
  const moving = await page.evaluate(
    () =>
      [...document.querySelectorAll("*")].filter((n) =>
        getComputedStyle(n)
          .transitionDuration.split(",")
          .some((d) => parseFloat(d) > 0),
      ).length,
  );
  assert.equal(moving, 0);
});

test("nothing moves while the page loads, wherever the person stopped", async (t) => {
  const page = await open(t);
  await fillTenant(page, aTenant());
  await page.waitForSelector("#clubSlug-answer[data-tone=good]");
  await page.reload();
  await page.waitForSelector("#clubSlug-answer[data-tone=good]");
  const shifts = await page.evaluate(() => window.shifts.reduce((sum, { value }) => sum + value, 0));
  assert.ok(shifts < 0.002, `${shifts}`);
});

test("what somebody types is text, never markup", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  const nasty = `<img src=x onerror=alert(1)> ${tenant.mark}`;
  await fillTenant(page, { ...tenant, clubName: nasty });
  assert.equal(await page.textContent("#preview-name"), nasty);
  await submit(page, "club-form");
  await at(page, "colours");
  await page.goBack();
  await at(page, "club");
  assert.equal(await page.textContent("#made-name"), nasty);
  assert.equal(await page.locator("img").count(), 0);
  for (const name of scripts)
    assert.doesNotMatch(read(name), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/, name);
});

test("without JavaScript the first step explains itself and posts", async (t) => {
  const { context } = await visitor(t, { javaScriptEnabled: false, shifts: false });
  const page = await context.newPage();
  await page.goto("/");
  assert.ok(await page.isVisible("#club-form"));
  assert.match(await page.textContent("noscript"), /send this first step/);
  for (const step of ["colours", "connect", "progress", "done"]) assert.ok(await page.isHidden(`#${step}`));
  const tenant = aTenant();
  await fillTenant(page, tenant);
  const [request] = await Promise.all([page.waitForRequest("**/public/signup/form"), submit(page, "club-form")]);
  assert.equal(request.method(), "POST");
  assert.equal(request.headers()["content-type"], "application/x-www-form-urlencoded");
  const { clubName, clubSlug, email, plan } = tenant;
  assert.deepEqual(Object.fromEntries(new URLSearchParams(request.postData())), {
    clubName,
    clubSlug,
    email,
    plan,
    promoCode: "",
  });
  await page.waitForSelector("h1:has-text('Check your mail')");
  assert.ok(await proofLink(tenant.email));
});

test("without JavaScript a refusal comes back with what was typed", async (t) => {
  const { context } = await visitor(t, {
    javaScriptEnabled: false,
    shifts: false,
    viewport: { width: 320, height: 640 },
    colorScheme: "dark",
  });
  const page = await context.newPage();
  await page.goto("/");
  const tenant = aTenant({ clubSlug: "www" });
  await fillTenant(page, tenant);
  await page.click("#club-form [type=submit]");
  await page.waitForSelector("[role=alert]");
  assert.equal(await page.inputValue("[name=clubName]"), tenant.clubName);
  assert.match(await page.textContent("#clubSlug-error"), /reserved/);
});

test("scripts that never arrive leave a form that works", async (t) => {
  const { context } = await visitor(t, { shifts: false });
  const page = await context.newPage();
  await page.route("**/js/**", (route) => route.abort());
  await page.goto("/");
  await page.waitForSelector("#club-form", { state: "visible" });
  await accessible(page, "no script, club");
  const tenant = aTenant();
  await fillTenant(page, { ...tenant, email: "nobody@localhost" });
  await submit(page, "club-form");
  await page.waitForSelector("[role=alert]");
  await accessible(page, "no script, refused");
  await page.fill("[name=email]", tenant.email);
  await page.click("[type=submit]");
  await page.waitForSelector("h1:has-text('Check your mail')");
  await accessible(page, "no script, first step sent");
});

test("what was typed before the scripts arrived is kept", async (t) => {
  const { context } = await visitor(t, { shifts: false });
  const page = await context.newPage();
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await page.route("**/js/app.js", async (route) => {
    await held;
    await route.continue();
  });
  await page.goto("/", { waitUntil: "commit" });
  await page.waitForSelector("#club-form", { state: "visible" });
  await page.fill("#clubName", "Typed early");
  release();
  await page.waitForSelector("html[data-ready]");
  assert.equal(await page.inputValue("#clubName"), "Typed early");
});

test("files come with the policy, are revalidated, and cost 50 KB together", async (t) => {
  const page = await open(t);
  const response = await page.request.get("/");
  const headers = response.headers();
  assert.match(headers["content-security-policy"], /default-src 'none'.*frame-ancestors 'none'/);
  assert.doesNotMatch(headers["content-security-policy"], /unsafe/);
  assert.equal(headers["x-content-type-options"], "nosniff");
  assert.equal(headers["x-frame-options"], "DENY");
  assert.equal(headers["referrer-policy"], "no-referrer");
  assert.match(headers["cache-control"], /must-revalidate/);
  const again = await fetch(baseUrl + "/", { headers: { "if-none-match": headers.etag } });
  assert.equal(again.status, 304);

  const fetched = await page.evaluate(() =>
    performance
      .getEntriesByType("resource")
      .map(({ name }) => new URL(name).pathname)
      .filter((path) => /\.(js|css)$/.test(path)),
  );
  const files = ["index.html", ...fetched.map((path) => path.slice(1))];
  const bytes = files.map((name) => gzipSync(read(name), { level: 9 }).length).reduce((a, b) => a + b);
  t.diagnostic(`${files.length} files, ${bytes} bytes gzipped`);
  assert.ok(bytes <= 50_000, `${bytes} bytes`);
  assert.ok(!fetched.includes("/js/lang/de.js"), "the other language is fetched only when it is spoken");
});

test("every module that the page needs is named in it, so that all arrive in one round trip", async (t) => {
  for (const [path, html] of [
    ["/", read("index.html")],
    ["/magic/", read("magic/index.html")],
    ["/proof/", read("proof/index.html")],
  ]) {
    const page = await open(t, { path });
    const used = await page.evaluate(() =>
      performance
        .getEntriesByType("resource")
        .map(({ name }) => new URL(name).pathname)
        .filter((name) => name.endsWith(".js")),
    );
    const named = [...html.matchAll(/(?:href|src)="(\/js\/[^"]+)"/g)].map(([, name]) => name);
    assert.deepEqual([...new Set(used)].sort(), named.sort(), path);
  }
});

/** Tables of words, by language, with the pages that say the rest in English themselves. */
const WORDS = [
  ["", ["index.html"]],
  ["proof.", []],
  ["links.", ["magic/index.html", "proof/index.html"]],
];

test("every word is there once in English, in a page or in a table, and in German", async () => {
  const table = async (name) => (await import(new URL(`js/lang/${name}.js`, PUBLIC))).default;
  const shared = new Set(Object.keys(await table("en")).concat(saidIn("index.html").map(([key]) => key)));
  for (const [part, pages] of WORDS) {
    const english = await table(`${part}en`);
    const german = await table(`${part}de`);
    const said = new Map();
    for (const [key, text] of pages.flatMap(saidIn)) {
      if (part && shared.has(key)) continue;
      assert.ok(!(key in english), `${key} is said in the page and in the table`);
      assert.ok(text && (said.get(key) ?? text) === text, `${key} is said in two ways`);
      said.set(key, text);
    }
    const serverSays = /^(issue|reason)\./;
    assert.deepEqual(
      Object.keys(german).filter((key) => !serverSays.test(key)).sort(),
      [...said.keys(), ...Object.keys(english)].sort(),
      `${part}de`,
    );
    for (const key of Object.keys(english)) assert.equal(typeof german[key], typeof english[key], key);
    for (const key of said.keys()) assert.equal(typeof german[key], "string", key);
  }
});

test("words that several pages say are the same in each", () => {
  const all = new Map();
  for (const page of ["index.html", "magic/index.html", "proof/index.html"]) {
    for (const [key, text] of saidIn(page)) {
      assert.equal(all.get(key) ?? text, text, `${page}: ${key}`);
      all.set(key, text);
    }
  }
});
