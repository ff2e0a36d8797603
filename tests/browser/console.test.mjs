// The console's frame and its first screens: every state of each, on a phone and a desk, by day and by night, by keyboard, in two languages.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { accessible, baseUrl, mailTo, open, ready, signInLink } from "./harness.mjs";
import { aClub, anEvent, atScreen, followsLink, heading, ok, realClub, refusal, setUp, shown } from "./console.mjs";

const PUBLIC = new URL("../../public/", import.meta.url);
const PHONE = { viewport: { width: 320, height: 568 } };
const ME = "/api/v1/tenants/me";
const STATUS = "/api/v1/tenants/tenant_1/provision-status";
const EVENTS = "/api/v1/tenants/tenant_1/events";
const NASTY = `<img src=x onerror=alert(1)> ${"Sport- und Freizeitverein ".repeat(3)}ממתק`;

const LOOKS = {
  "320 px, light": PHONE,
  "320 px, dark, German": { ...PHONE, colorScheme: "dark", locale: "de-DE" },
  "1280 px, light": {},
  "1280 px, dark": { colorScheme: "dark" },
};

const ALL_OF = ["320 px, light", "1280 px, dark"];

const many = Array.from({ length: 20 }, (_, n) => anEvent(["session.started", "webhook.changed", "mail.failed"][n % 3], { how: "link", browser: "firefox", host: "hook.eu1.make.com" }, n * 5));
const failed = setUp({ at: "create_spreadsheet", how: "failed", reason: "SPREADSHEET_REJECTED", error: { code: "SPREADSHEET_REJECTED", message: "No." } });

/** Every screen in every state: what the service answers, and what is there then. */
const STATES = {
  "home, up and running": [{}, ".state[data-tone=good]"],
  "home, setting up": [{ state: setUp({ at: "create_owner" }) }, ".state[data-tone=calm]"],
  "home, not begun": [{ state: setUp({ at: "seed_defaults", status: "pending" }) }, ".card[data-tone=warn]"],
  "home, stopped, a nasty name": [{ state: failed, me: { name: NASTY } }, ".card[data-tone=bad]"],
  "home, everything to do": [
    { state: setUp({ warnings: [{ code: "EMAIL_REJECTED" }] }), me: { plan: "starter", webhook: { host: "hook.eu1.make.com", failingSince: new Date().toISOString() }, trialEndsAt: 1 } },
    ".card[data-tone=bad]",
  ],
  "home, suspended": [{ me: { status: "suspended" } }, ".state[data-tone=bad]"],
  "home, no address, comped": [{ me: { address: null, comped: true } }, ".facts"],
  "home, state on its way": [{ routes: { [STATUS]: "held" } }, ".loading"],
  "home, state failed": [{ routes: { [STATUS]: refusal(500, "INTERNAL") } }, "[role=alert]"],
  "set-up, done": [{ path: "/app/setup" }, ".tasks [data-stage=completed]"],
  "set-up, waiting to try again": [
    { path: "/app/setup", state: setUp({ at: "verify_spreadsheet", steps: setUp({ at: "verify_spreadsheet" }).steps.map((step) => (step.status === "running" ? { ...step, retryAt: new Date(Date.now() + 60_000).toISOString() } : step)) }) },
    ".tasks [data-stage=retry]",
  ],
  "set-up, stopped": [{ path: "/app/setup", state: failed }, ".card[data-tone=bad]"],
  "set-up, interrupted": [{ path: "/app/setup", state: { ...failed, resumeAt: new Date(Date.now() + 600_000).toISOString() } }, ".card[data-tone=warn]"],
  "set-up, not begun": [{ path: "/app/setup", state: setUp({ at: "seed_defaults", status: "pending" }) }, ".card[data-tone=warn]"],
  "set-up, on its way": [{ path: "/app/setup", routes: { [STATUS]: "held" } }, ".loading"],
  "set-up, failed to load": [{ path: "/app/setup", routes: { [STATUS]: "lost" } }, "[role=alert]"],
  "spreadsheet, there": [{ path: "/app/spreadsheet" }, ".state[data-tone=good]"],
  "spreadsheet, not checked": [{ path: "/app/spreadsheet", me: { spreadsheet: { url: "https://docs.google.com/x", verifiedAt: null } } }, ".state[data-tone=warn]"],
  "spreadsheet, not there": [{ path: "/app/spreadsheet", me: { spreadsheet: undefined } }, ".empty"],
  "activity, empty": [{ path: "/app/activity" }, ".empty"],
  "activity, one": [{ path: "/app/activity", events: [anEvent("tenant.signed_up", { plan: "pro" })] }, ".rows li"],
  "activity, many": [{ path: "/app/activity", events: many, routes: { [EVENTS]: ok({ data: many, nextCursor: "x" }) } }, ".rows li"],
  "activity, on its way": [{ path: "/app/activity", routes: { [EVENTS]: "held" } }, ".loading"],
  "activity, failed": [{ path: "/app/activity", routes: { [EVENTS]: refusal(503, "STORE_UNAVAILABLE") } }, "[role=alert]"],
  "the club on its way": [{ routes: { [ME]: "held" } }, ".loading"],
  "the club failed": [{ routes: { [ME]: refusal(500, "INTERNAL") } }, "[role=alert]"],
  "nowhere": [{ path: "/app/no-such-screen" }, ".empty"],
};

/** Shows one state after the other in one page, and checks each. */
async function walk(page, states, look) {
  for (const state of states) {
    const [{ path = "/app/", ...how }, there] = STATES[state];
    page.answering(how);
    await page.goto(path);
    await page.waitForSelector(`main ${there}`);
    await accessible(page, `console: ${state} (${look})`);
    assert.equal(await page.locator("img").count(), 0, state);
  }
}

for (const [look, options] of Object.entries(LOOKS)) {
  test(`every state fits and reads: ${look}`, async (t) => {
    const page = await shown(t, options);
    // Each state once on a phone by day, and once on a desk by night; the others for what the language and the look add.
    const all = Object.keys(STATES);
    await walk(page, ALL_OF.includes(look) ? all : all.filter((_, n) => n % 4 === 0), look);
  });
}

test("whatever a club's colours are, what stands on them and in them can be read", async (t) => {
  for (const colorScheme of ["light", "dark"]) {
    const page = await shown(t, { colorScheme });
    for (const [primaryColor, secondaryColor] of [["#ffff00", "#ffffff"], ["#000000", "#000000"], ["#808080", "#7f7f7f"], ["#fefefe", "#ff0000"]]) {
      page.answering({ me: { brand: { primaryColor, secondaryColor } } });
      await page.reload();
      await page.waitForSelector(".state[data-tone=good]");
      assert.equal(await page.evaluate(() => document.documentElement.style.getPropertyValue("--club")), primaryColor);
      await accessible(page, `console in ${primaryColor}, ${colorScheme}`);
    }
  }
});

test("the first screen says the state, the address and the days that are left, and copies the address", async (t) => {
  const page = await shown(t);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin: baseUrl });
  await page.waitForSelector(".state[data-tone=good]");
  assert.match(await page.textContent(".state"), /up and running/);
  assert.match(await page.textContent(".facts"), /9 days left/);
  assert.equal(await page.title(), "Home · SC Hollenbach 1912");
  await page.click("button:has-text('Copy')");
  await page.waitForSelector("button:has-text('Copied')");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "https://sc-hollenbach.clubs.example/");
});

test("screens have addresses: links, Back, Forward, a reload and a new tab lead where they say", async (t) => {
  const page = await shown(t, { events: many });
  await page.click(".tabs a[href='/app/activity']");
  await atScreen(page, "Activity");
  assert.equal(new URL(page.url()).pathname, "/app/activity");
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "H1", "whoever comes to a screen is at its heading");
  assert.equal(await page.getAttribute(".tabs a[aria-current=page]", "href"), "/app/activity");
  await page.click(".tabs a[href='/app/spreadsheet']");
  await atScreen(page, "Spreadsheet");
  await page.goBack();
  await atScreen(page, "Activity");
  await page.goBack();
  await atScreen(page, "SC Hollenbach 1912");
  await page.goForward();
  await atScreen(page, "Activity");
  await page.reload();
  await atScreen(page, "Activity");
  const [tab] = await Promise.all([page.context().waitForEvent("page"), page.click(".tabs a[href='/app/spreadsheet']", { modifiers: ["ControlOrMeta"] })]);
  assert.equal(new URL(tab.url() === "about:blank" ? await tab.waitForURL(/spreadsheet/).then(() => tab.url()) : tab.url()).pathname, "/app/spreadsheet");
  assert.equal(await heading(page), "Activity");
  await tab.close();
});

test("the keyboard is enough, and what has the focus can be seen", async (t) => {
  const page = await shown(t, { shifts: false, state: failed, routes: { "/api/v1/tenants/tenant_1/provision/retry": ok({ data: { changed: true } }) } });
  await page.waitForSelector(".card[data-tone=bad]");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await page.keyboard.press("Enter");
  const tabTo = async (name) => {
    for (let presses = 0; presses < 30; presses++) {
      await page.keyboard.press("Tab");
      const [text, ring] = await page.evaluate(() => [document.activeElement.textContent.trim(), getComputedStyle(document.activeElement).outlineStyle]);
      assert.notEqual(ring, "none", `the focus on ${text} can be seen`);
      if (text.startsWith(name)) return;
    }
    assert.fail(`Tab never reached ${name}`);
  };
  await tabTo("See what helps");
  await page.keyboard.press("Enter");
  await atScreen(page, "Set-up");
  await page.waitForSelector(".card[data-tone=bad]");
  page.answers[STATUS] = ok({ data: setUp() });
  await tabTo("Try again");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".state[data-tone=good]");
  assert.match(await page.textContent("#live"), /Everything is set up/);
});

test("the set-up counts down, goes on by itself, and says what came of trying again", async (t) => {
  const retrying = setUp({ at: "verify_spreadsheet" });
  retrying.steps[3].retryAt = new Date(Date.now() + 60_000).toISOString();
  const page = await shown(t, { path: "/app/setup", state: retrying, shifts: false });
  const words = () => page.textContent("[data-name=verify_spreadsheet] .stage");
  await page.waitForSelector("[data-stage=retry]");
  assert.match(await words(), /trying again in \d+ s/);
  const before = await words();
  await page.waitForFunction((text) => document.querySelector("[data-name=verify_spreadsheet] .stage").textContent !== text, before);
  page.answers[STATUS] = ok({ data: failed });
  await page.waitForSelector(".card[data-tone=bad]");
  assert.match(await page.textContent(".card[data-tone=bad]"), /Creating the club’s spreadsheet.*or at Google/s);
  const RETRY = "/api/v1/tenants/tenant_1/provision/retry";
  page.answers[RETRY] = refusal(429, "RATE_LIMITED");
  await page.click("button:has-text('Try again')");
  await page.waitForSelector(".problem:not(:empty)");
  assert.match(await page.textContent(".problem"), /Too many attempts/);
  // What is shown was older than the club's state: it is looked at again.
  page.answers[RETRY] = refusal(409, "NOT_RETRYABLE");
  page.answers[STATUS] = ok({ data: setUp() });
  await page.click("button:has-text('Try again')");
  await page.waitForSelector(".state[data-tone=good]");
});

test("one poller: every two seconds while something changes, slower while nothing does, never while nobody looks", async (t) => {
  const asked = [];
  let now = { status: 200, headers: { etag: '"1"' }, body: { success: true, data: setUp({ at: "create_owner" }) } };
  const page = await shown(t, {
    before: async (page) => {
      await page.clock.install();
      await page.addInitScript(() => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => window.isHidden ?? false });
      });
    },
    routes: {
      [STATUS]: (request) => {
        asked.push(request.headers()["if-none-match"]);
        return now;
      },
    },
  });
  await page.waitForSelector(".state[data-tone=calm]");
  const passes = async (ms, count) => {
    const arrived = count && page.waitForResponse(`**${STATUS}`);
    await page.clock.runFor(ms);
    await arrived;
    // The answer has been read when the next look is planned.
    await page.evaluate(() => new Promise((done) => queueMicrotask(done)));
  };
  assert.equal(asked.length, 1);
  now = { status: 304, headers: { etag: '"1"' } };
  await passes(2100, 1);
  assert.deepEqual(asked, [undefined, '"1"']);
  await passes(2500, 0);
  assert.equal(asked.length, 2, "slower now");
  await passes(1000, 1);
  assert.equal(asked.length, 3);
  const see = (hidden) =>
    page.evaluate((value) => {
      window.isHidden = value;
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  await see(true);
  await page.clock.runFor(120_000);
  assert.equal(asked.length, 3, "nobody looks");
  now = { status: 200, headers: { etag: '"2"' }, body: { success: true, data: setUp() } };
  await see(false);
  await page.waitForSelector(".state[data-tone=good]");
  assert.equal(asked.length, 4, "at once when somebody looks again");
  await page.clock.runFor(300_000);
  assert.equal(asked.length, 4, "nothing changes any more");
});

test("offline is said, what is known stays, and the connection's return brings what is true", async (t) => {
  const page = await shown(t, { path: "/app/activity", events: [anEvent("tenant.signed_up")] });
  await page.waitForSelector(".rows li");
  await page.context().setOffline(true);
  await page.waitForSelector(".banner p");
  assert.match(await page.textContent(".banner"), /No connection/);
  assert.equal(await page.locator(".rows li").count(), 1);
  await accessible(page, "console: offline");
  // A screen that has not come yet can't come now, and does as soon as it can.
  await page.click(".tabs a[href='/app/spreadsheet']");
  await page.waitForSelector("[role=alert]");
  await page.context().setOffline(false);
  await page.waitForSelector(".banner p", { state: "detached" });
  await page.click("button:has-text('Try again')");
  await page.waitForSelector(".state[data-tone=good]");
});

test("a failed screen has one button that helps", async (t) => {
  const page = await shown(t, { path: "/app/activity", routes: { [EVENTS]: refusal(500, "INTERNAL") } });
  await page.waitForSelector("[role=alert]");
  assert.match(await page.textContent("[role=alert]"), /could not reach|our side/);
  page.answers[EVENTS] = ok({ data: [anEvent("tenant.signed_up")], nextCursor: null });
  await page.click("button:has-text('Try again')");
  await page.waitForSelector(".rows li");
});

test("events are told in words, by their days, with who; earlier ones come on demand", async (t) => {
  const first = [anEvent("session.started", { how: "code", browser: "safari" }, 1), anEvent("club.did_something_new", { by: { email: "anna@example.org" } }, 2)];
  const second = [anEvent("tenant.failed", { step: "create_spreadsheet", reason: "SPREADSHEET_REJECTED" }, 60)];
  const page = await shown(t, {
    path: "/app/activity",
    routes: { [EVENTS]: (request) => (request.url().includes("cursor=") ? ok({ data: [first[1], ...second], nextCursor: null }) : ok({ data: first, nextCursor: "next one" })) },
  });
  await page.waitForSelector(".rows li");
  assert.match(await page.textContent("main"), /signed in by a mailed code, with Safari.*club\.did_something_new.*anna@example\.org/s);
  await page.click("text=Show earlier ones");
  await page.waitForFunction(() => document.querySelectorAll(".rows li").length === 3);
  assert.match(await page.textContent("main"), /stopped at “Creating the club’s spreadsheet”/);
  assert.equal(await page.locator("text=Show earlier ones").count(), 0);
  assert.equal(page.sent("cursor=next%20one").length, 1);
});

test("a spreadsheet's address that is none of the web is no link", async (t) => {
  const page = await shown(t, { path: "/app/spreadsheet", me: { spreadsheet: { url: "javascript:alert(1)", verifiedAt: null } } });
  await page.waitForSelector(".empty");
  assert.equal(await page.locator("a[href^=javascript]").count(), 0);
});

test("a plan's screens are that plan's", async (t) => {
  const page = await shown(t, { path: "/app/spreadsheet", me: { plan: "starter" } });
  await atScreen(page, "There is nothing here");
  assert.equal(await page.locator(".tabs a[href='/app/spreadsheet']").count(), 0);
});

test("the language changes in the middle of everything, and is remembered", async (t) => {
  const page = await shown(t, { path: "/app/activity", events: many });
  await atScreen(page, "Activity");
  assert.equal(page.sent("/lang/").filter((request) => /de\.js$/.test(request.url())).length, 0, "the other language is not loaded");
  await page.click("button:has-text('Deutsch')");
  await atScreen(page, "Verlauf");
  assert.equal(await page.getAttribute("html", "lang"), "de");
  await page.reload();
  await atScreen(page, "Verlauf");
});

test("signed out in the middle: to the sign-in, and back to the same screen", async (t) => {
  const page = await shown(t, { events: [anEvent("tenant.signed_up")], shifts: false });
  await page.waitForSelector(".state[data-tone=good]");
  page.answers[EVENTS] = refusal(401, "UNAUTHORIZED");
  await page.click(".tabs a[href='/app/activity']");
  await page.waitForURL("**/magic/");
  await ready(page);
  page.answers[EVENTS] = ok({ data: [anEvent("tenant.signed_up")], nextCursor: null });
  page.answers["/auth/magic/start"] = { status: 202, body: { success: true } };
  const { id, slug, name, email, plan } = aClub();
  page.answers["/auth/magic/verify"] = ok({ tenantId: id, tenant: { id, slug, name, email, plan } });
  await page.fill("#email", email);
  await page.click("#fresh [type=submit]");
  await page.fill("#code", "123456");
  await page.waitForURL("**/app/activity");
  await page.waitForSelector(".rows li");
});

test("another tab's sign-in to another club is said, and neither shows the other's", async (t) => {
  for (const answer of [refusal(409, "OTHER_TENANT"), refusal(403, "FORBIDDEN", { reason: "tenant_mismatch" })]) {
    const page = await shown(t, { path: "/app/activity", routes: { [EVENTS]: answer } });
    await atScreen(page, "Another club is open");
    await accessible(page, "console: another club");
    const asked = page.sent(EVENTS)[0];
    assert.equal(asked.headers()["tenantry-tenant"], "tenant_1", "every call says which club is shown");
    page.answers[ME] = ok({ data: aClub({ name: "The other club" }) });
    page.answers[EVENTS] = ok({ data: [], nextCursor: null });
    await page.click("text=Show the other club");
    await atScreen(page, "The other club");
    await page.close();
  }
});

test("signing out ends at the sign-in", async (t) => {
  const page = await shown(t, { shifts: false });
  await page.click("text=Sign out");
  await page.waitForURL("**/magic/");
  assert.equal(page.sent("/auth/logout").length, 1);
});

test("a link from the mail leads into the console, and a deep link to its screen", async (t) => {
  const club = await realClub();
  await mailTo(club.email, /\/magic\//);
  const page = await followsLink(t, club, await signInLink(club.email), PHONE);
  await page.waitForURL("**/app/");
  await atScreen(page, club.name);
  await page.waitForSelector(".state[data-tone=good]");
  assert.match(await page.textContent("main"), new RegExp(`${club.slug}\\.`));
  await accessible(page, "console: signed in by a link");
  await page.click("text=Sign out");
  await page.waitForURL("**/magic/");
  await page.goto("/app/spreadsheet");
  await page.waitForURL("**/magic/");
  await ready(page);
  await page.fill("#email", club.email);
  const before = await signInLink(club.email);
  await page.click("#fresh [type=submit]");
  await page.waitForSelector("#by-code:not([hidden])");
  let link = before;
  while (link === before) link = await signInLink(club.email);
  const tab = await page.context().newPage();
  await tab.goto(link);
  await ready(tab);
  await tab.click("#sign-in [type=submit]");
  await tab.waitForURL("**/app/spreadsheet");
  await tab.waitForSelector("main .state[data-tone=good], main .empty");
  await tab.click(".tabs a[href='/app/activity']");
  await tab.waitForSelector(".rows li");
  assert.match(await tab.textContent("main"), /was set up and opened/);
});

test("every address below /app/ is the console, under a policy that makes no markup of text", async (t) => {
  const page = await open(t, { path: "/docs/", shifts: false });
  for (const path of ["/app/", "/app/activity", "/app/some/where?x=1"]) {
    const answer = await page.request.get(path, { headers: { accept: "text/html" } });
    assert.equal(answer.status(), 200, path);
    const headers = answer.headers();
    assert.match(headers["content-security-policy"], /^default-src 'none'.*require-trusted-types-for 'script'; trusted-types 'none'$/, path);
    assert.doesNotMatch(headers["content-security-policy"], /unsafe|,/);
    assert.match(await answer.text(), /data-page="console"/);
    const again = await fetch(`${baseUrl}${path}`, { headers: { "if-none-match": headers.etag } });
    assert.equal(again.status, 304, path);
  }
  const short = await fetch(`${baseUrl}/app`, { redirect: "manual" });
  assert.match(short.headers.get("location"), /^(http:\/\/[^/]+)?\/app\/$/);
});

test("opening the console at any screen costs 40 KB, in one language", async (t) => {
  for (const name of ["", "setup", "spreadsheet", "activity"]) {
    const page = await shown(t, { path: `/app/${name}` });
    await page.waitForSelector("main .card, main .empty");
    const fetched = await page.evaluate(() =>
      performance
        .getEntriesByType("resource")
        .map(({ name }) => new URL(name).pathname)
        .filter((path) => /\.(js|css)$/.test(path)),
    );
    const files = ["app/index.html", ...new Set(fetched.map((path) => path.slice(1)))];
    const bytes = files.map((file) => gzipSync(readFileSync(new URL(file, PUBLIC)), { level: 9 }).length).reduce((a, b) => a + b);
    t.diagnostic(`/app/${name}: ${files.length} files, ${bytes} bytes gzipped`);
    assert.ok(bytes <= 40_000, `${name}: ${bytes} bytes`);
    assert.ok(!files.some((file) => /(^|\.|\/)de\.js$/.test(file)), "the other language is fetched only when it is spoken");
    // Every module that the first screen needs is named in the page, so that all arrive in one round trip.
    if (name === "") {
      const named = [...readFileSync(new URL("app/index.html", PUBLIC), "utf8").matchAll(/(?:href|src)="(\/js\/[^"]+)"/g)].map(([, path]) => path);
      const words = fetched.filter((path) => path.includes("/lang/"));
      assert.deepEqual([...new Set(fetched.filter((path) => path.endsWith(".js") && !words.includes(path)))].sort(), [...new Set(named)].sort());
    }
    await page.close();
  }
});

test("every word is there in both languages, and of the same kind", async () => {
  const folder = new URL("js/app/lang/", PUBLIC);
  const wizard = (await import(new URL("js/lang/setup.de.js", PUBLIC))).default;
  const parts = readdirSync(folder).filter((name) => name.endsWith("en.js"));
  assert.ok(parts.length > 3);
  for (const part of parts) {
    const [english, german] = await Promise.all([part, part.replace(/en\.js$/, "de.js")].map(async (name) => (await import(new URL(name, folder))).default));
    // The service says some refusals in English itself. The wizard's words are compared with its pages: see look.test.mjs.
    const isOwn = (key) => !/^(issue|reason)\./.test(key) && (part.startsWith("setup.") || !(key in wizard));
    const own = (words) => Object.keys(words).filter(isOwn).sort();
    assert.deepEqual(own(german), own(english), part);
    for (const key of own(english)) assert.equal(typeof german[key], typeof english[key], key);
  }
});
