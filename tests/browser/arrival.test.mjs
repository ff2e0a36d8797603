// How the pages come and grow: seen before their scripts, without a jump, whoever fills the fields in and however long the words are.

import assert from "node:assert/strict";
import test from "node:test";
import { accessible, fault, open, ready, visit, visitor } from "./harness.mjs";
import { aTenant, at, connect, createTenant, createUnproven, errorAt, fillTenant, prove, starts, submit } from "./wizard.mjs";

/** Keeps the answers to all requests for scripts back until it is released. */
async function holdScripts(page) {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  let asked = 0;
  await page.route("**/js/**", async (route) => {
    asked++;
    await held;
    await route.continue();
  });
  return { release, asked: () => asked };
}

for (const [path, seen] of [["/", "#club-form"], ["/magic/", "#wait"]]) {
  test(`${path} is seen before any of its scripts has come`, async (t) => {
    const { context } = await visitor(t);
    const page = await context.newPage();
    const scripts = await holdScripts(page);
    await page.goto(path, { waitUntil: "commit" });
    await page.waitForSelector("#main", { state: "visible" });
    await page.waitForSelector(seen, { state: "visible" });
    assert.ok(scripts.asked() > 10, "all are asked for at once");
    assert.equal(await page.evaluate(() => document.documentElement.dataset.ready), undefined);
    // What does not work yet is not offered.
    await page.waitForSelector("#languages button", { state: "hidden" });
    await accessible(page, `${path} before its scripts`);
    scripts.release();
    await ready(page);
    assert.ok(await page.isVisible("#languages button"));
    if (seen === "#wait") assert.ok(await page.isHidden(seen));
  });
}

const WINDOWS = {
  "a desktop": { viewport: { width: 1280, height: 900 } },
  "a phone, German": { viewport: { width: 320, height: 640 }, locale: "de-DE" },
};

for (const [what, options] of Object.entries(WINDOWS)) {
  test(`nothing jumps when late scripts come, wherever the person stopped: ${what}`, async (t) => {
    const { context } = await visitor(t, options);
    const page = await context.newPage();
    const comesLate = async (step, seen) => {
      const scripts = await holdScripts(page);
      await page.goto("about:blank");
      await page.goto("/", { waitUntil: "commit" });
      await page.waitForSelector("#main", { state: "visible" });
      // The first picture has been drawn.
      await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
      scripts.release();
      await ready(page);
      await page.waitForSelector(seen, { state: "visible" });
      const shifts = await page.evaluate(() => window.shifts.reduce((sum, { value }) => sum + value, 0));
      assert.ok(shifts < 0.01, `${step}: ${shifts}`);
      await page.unroute("**/js/**");
    };
    await comesLate("an empty form", "#club-form");
    const tenant = aTenant();
    await fillTenant(page, tenant);
    await comesLate("a filled form", "#clubSlug-answer[data-tone=good]");
    await createTenant(page, tenant);
    await comesLate("colours", "#colours-form");
    await submit(page, "colours-form");
    await at(page, "connect");
    await comesLate("connect", "#starter-form");
    await fault(t, { host: "hook.eu1.make.com", path: `/${tenant.mark}`, kind: "status", status: 410 });
    await connect(page, tenant);
    await page.waitForSelector("#failed:not([hidden])");
    await comesLate("a stopped set-up", "#failed");
  });
}

test("the preview appears on a phone without moving the form, and stays in sight", async (t) => {
  const page = await open(t, { viewport: { width: 320, height: 640 } });
  const top = (id) => page.evaluate((id) => document.querySelector(id).getBoundingClientRect().top + scrollY, id);
  const before = await top(".sheet");
  // Longer than the half second in which a shift counts as the press's own.
  await page.route("**/public/signup/start", async (route) => {
    const response = await route.fetch();
    await page.waitForFunction((since) => performance.now() > since + 600, await page.evaluate(() => performance.now()));
    await route.fulfill({ response });
  });
  await createTenant(page);
  assert.equal(await top(".sheet"), before);
  await page.waitForFunction(() => {
    const { top, bottom } = document.getElementById("preview").getBoundingClientRect();
    return top > 0 && bottom <= innerHeight;
  });
  await accessible(page, "colours, preview in sight");
});

/** Fills a field in as some password managers do: nothing but the value changes. */
const fillSilently = (page, id, value) => page.evaluate(([id, value]) => (document.getElementById(id).value = value), [id, value]);

test("fields that were filled in without an event are sent, and kept", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  await submit(page, "club-form");
  await page.waitForSelector("#email[aria-invalid]");
  await fillSilently(page, "clubName", tenant.clubName);
  await fillSilently(page, "email", tenant.email);
  await page.waitForSelector("#clubSlug-answer[data-tone=good]");
  assert.equal(await page.inputValue("#clubSlug"), tenant.clubSlug, "the address follows the name");
  assert.equal(await errorAt(page, "email"), "", "and the blame is taken off");
  await page.reload();
  await ready(page);
  assert.equal(await page.inputValue("#email"), tenant.email);

  const other = aTenant();
  await fillSilently(page, "email", other.email);
  await submit(page, "club-form");
  await at(page, "colours");
  assert.equal(JSON.parse(starts(page)[0].body).email, other.email);
  await fillSilently(page, "primaryColor", "#123456");
  await page.reload();
  await ready(page);
  assert.equal(await page.inputValue("#primaryColor"), "#123456");
  await submit(page, "colours-form");
  await at(page, "connect");
  await fillSilently(page, "webhookUrl", tenant.webhookUrl);
  await fillSilently(page, "webhookSecret", "a secret of a password manager");
  await page.reload();
  await ready(page);
  assert.equal(await page.inputValue("#webhookUrl"), tenant.webhookUrl);
  assert.equal(await page.inputValue("#webhookSecret"), "a secret of a password manager");
});

test("a filled-in address that is chosen does not follow a filled-in name", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  await page.evaluate(({ clubName, clubSlug }) => {
    document.getElementById("clubName").value = clubName;
    document.getElementById("clubSlug").value = clubSlug;
    document.querySelector("[name=plan][value=pro]").checked = true;
  }, { clubName: "Quite another name", clubSlug: tenant.clubSlug });
  await page.waitForSelector("#clubSlug-answer[data-tone=good]");
  assert.equal(await page.inputValue("#clubSlug"), tenant.clubSlug);
  await page.reload();
  await ready(page);
  assert.ok(await page.isChecked("[value=pro]"));
});

test("a plan chosen before the scripts came stays chosen", async (t) => {
  const { context } = await visitor(t);
  const page = await context.newPage();
  const scripts = await holdScripts(page);
  await page.goto("/", { waitUntil: "commit" });
  await page.check("[name=plan][value=pro]");
  scripts.release();
  await ready(page);
  assert.ok(await page.isChecked("[value=pro]"));
});

/** The marks that stand before something on the page, with what they stand before. */
const ticked = () =>
  [...document.querySelectorAll("body *")]
    .filter((node) => node.checkVisibility() && /[✓✔]/.test(getComputedStyle(node, "::before").content + getComputedStyle(node, "::marker").content))
    .map((node) => node.textContent || node.closest("li")?.dataset.name);

test("a mark stands only before what has happened", async (t) => {
  const page = await open(t);
  assert.deepEqual(await page.evaluate(ticked), []);
  await createUnproven(page, aTenant({ plan: "pro" }));
  assert.deepEqual(await page.evaluate(ticked), ["Your club"]);
  await prove(page, { email: await page.textContent("#proof-address") });
  assert.deepEqual(await page.evaluate(ticked), ["Your club", "Your address is confirmed"]);
  // Past the colours without saving any.
  await page.evaluate(() => (location.hash = "#/connect"));
  await at(page, "connect");
  assert.deepEqual(await page.evaluate(ticked), ["Your club"], "nothing of what is to be made is done");
  await page.evaluate(() => (location.hash = "#/colours"));
  await at(page, "colours");
  await submit(page, "colours-form");
  await at(page, "connect");
  await page.goBack();
  await at(page, "colours");
  await page.goBack();
  await page.click("#steps");
  await page.evaluate(() => (location.hash = "#/club"));
  await at(page, "club");
  assert.deepEqual(await page.evaluate(ticked), ["Colours"], "what was done stays done for whoever goes back");
  await page.evaluate(() => (location.hash = "#/connect"));
  await submit(page, "pro-form");
  await at(page, "done");
  assert.deepEqual(await page.evaluate(ticked), ["Your club", "Colours", "Confirm", "Set-up"], "a mail on its way has not arrived");
});

/** What is wider than its place: the window, or the element around it. */
const tooWide = () =>
  [...document.querySelectorAll("body *")]
    .filter((node) => node.checkVisibility() && !node.closest(".aside-text, .skip"))
    .filter((node) => {
      const { display, overflowX } = getComputedStyle(node);
      const spills = overflowX === "visible" && display !== "inline" && node.clientWidth > 0 && node.scrollWidth > node.clientWidth + 1;
      return spills || node.getBoundingClientRect().right > document.documentElement.clientWidth + 1;
    })
    .map((node) => node.id || node.className || node.nodeName);

for (const locale of ["en-GB", "de-DE"]) {
  test(`one unbroken word of any length fits into 320 px, everywhere: ${locale}`, async (t) => {
    const page = await open(t, { viewport: { width: 320, height: 640 }, locale });
    const fits = async (state) => assert.deepEqual(await page.evaluate(tooWide), [], state);
    const { mark, webhookUrl } = aTenant();
    const tenant = aTenant({
      mark,
      webhookUrl,
      clubName: `${"W".repeat(92)}${mark}`,
      clubSlug: `${"w".repeat(55)}${mark}`,
      email: `${"m".repeat(56)}${mark}@${"w".repeat(60)}.${"w".repeat(60)}.example`,
    });
    await fillTenant(page, tenant);
    await page.waitForSelector("#clubSlug-answer[data-tone=good]");
    await fits("club");
    const issues = ["clubName", "clubSlug", "email", "plan", "promoCode"].map((field) => ({ path: [field], code: "custom", message: "W".repeat(63) }));
    const refuse = (path, error) =>
      page.route(`**${path}`, (route) => route.fulfill({ status: 400, json: { success: false, error: { requestId: "req_test", ...error } } }), { times: 1 });
    await refuse("/public/signup/start", { code: "VALIDATION", issues });
    await submit(page, "club-form");
    await page.waitForSelector("#clubName[aria-invalid]");
    await fits("club, refused");
    await refuse("/public/signup/start", { code: "W".repeat(63), requestId: "W".repeat(63) });
    await submit(page, "club-form");
    await page.waitForSelector("#notice .box:not([hidden])");
    await fits("club, unknown refusal");
    await createTenant(page, tenant);
    await fits("colours");

    const other = await page.context().newPage();
    await visit(other);
    await other.waitForSelector("#elsewhere > div:not([hidden])");
    assert.deepEqual(await other.evaluate(tooWide), [], "another tab");
    await other.click("#elsewhere-close");
    await other.fill("#clubName", tenant.clubName);
    await other.fill("#clubSlug", tenant.clubSlug);
    await other.waitForSelector("#clubSlug-chips button");
    assert.deepEqual(await other.evaluate(tooWide), [], "suggestions");
    await visit(other, "/magic/");
    await other.fill("#email", tenant.email);
    await submit(other, "fresh");
    await other.waitForSelector("#notice .box:not([hidden])");
    assert.deepEqual(await other.evaluate(tooWide), [], "magic");
    await other.close();

    await page.goBack();
    await at(page, "club");
    await fits("club, created");
    await page.click("#made-continue");
    await at(page, "colours");
    await submit(page, "colours-form");
    await at(page, "connect");
    await page.click("summary");
    await page.fill("#webhookUrl", `https://hook.eu1.make.com/gone${"w".repeat(63)}`);
    await fits("connect");
    await page.route(
      "**/provision-status",
      async (route) => {
        const response = await route.fetch();
        const body = await response.json();
        const word = "W".repeat(63);
        await route.fulfill({ json: { ...body, data: { ...body.data, status: "failed", reason: word, error: word, runId: word } } });
      },
      { times: 1 },
    );
    await submit(page, "starter-form");
    await page.waitForSelector("#failed:not([hidden])");
    await fits("failed");
    await page.click("#failed-webhook");
    await at(page, "connect");
    await page.fill("#webhookUrl", tenant.webhookUrl);
    await submit(page, "starter-form");
    await at(page, "done");
    await fits("done");
  });
}

test("a reader at 400 % sees everything, and can reach it", async (t) => {
  const page = await open(t, { viewport: { width: 320, height: 225 }, deviceScaleFactor: 4 });
  await accessible(page, "club at 400 %");
  await createTenant(page);
  await accessible(page, "colours at 400 %");
  assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector(".preview")).position), "static", "nothing covers the form");
  await page.click("[data-kit=navy]");
  await submit(page, "colours-form");
  await at(page, "connect");
  await accessible(page, "connect at 400 %");
});

test("without JavaScript long words fit too", async (t) => {
  const { context } = await visitor(t, { javaScriptEnabled: false, shifts: false, viewport: { width: 320, height: 640 } });
  const page = await context.newPage();
  await page.goto("/");
  const width = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  const { mark } = aTenant();
  const tenant = aTenant({ clubName: `${"W".repeat(90)}${mark}`, clubSlug: `${"w".repeat(55)}${mark}`, email: `${"m".repeat(63)}@localhost` });
  await fillTenant(page, tenant);
  await submit(page, "club-form");
  await page.waitForSelector("[role=alert]");
  assert.ok((await width()) <= 0, "refused");
  await page.fill("[name=email]", `${"m".repeat(56)}${mark}@${"w".repeat(60)}.${"w".repeat(60)}.example`);
  await page.click("[type=submit]");
  await page.waitForSelector("h1:has-text('Check your mail')");
  assert.ok((await width()) <= 0, "sent");
});
