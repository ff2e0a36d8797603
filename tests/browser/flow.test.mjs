// From the empty form to a working tenant: both plans, by mouse and by keyboard, in both languages.

import assert from "node:assert/strict";
import test from "node:test";
import { accessible, fault, mailTo, open, ready, sandbox, signInLink, visit } from "./harness.mjs";
import {
  aTenant,
  at,
  codeFor,
  connect,
  createTenant,
  errorAt,
  fillTenant,
  invalid,
  oneKey,
  proofIs,
  prove,
  starts,
  submit,
  tenantId,
  toConnect,
  toProgress,
} from "./wizard.mjs";

test("a starter tenant gets from the form to the end", async (t) => {
  const page = await open(t);
  await accessible(page, "club, empty");
  const tenant = aTenant();
  await page.fill("#clubName", tenant.clubName);
  await page.waitForSelector("#clubSlug-answer[data-tone=good]");
  assert.equal(await page.inputValue("#clubSlug"), tenant.clubSlug, "the address is suggested from the name");
  assert.match(await page.textContent("#clubSlug-status"), new RegExp(`${tenant.clubSlug}\\.\\S+ is free`));
  await fillTenant(page, tenant);
  await accessible(page, "club, filled in");
  await submit(page, "club-form");
  await at(page, "colours");
  assert.equal(await page.evaluate(() => document.activeElement.id), "colours-heading", "the focus follows the step");
  await accessible(page, "colours, address not proven");
  await prove(page, tenant);

  await page.click("[data-kit=claret]");
  assert.equal(await page.inputValue("#primaryColor"), "#7A263A");
  assert.equal(
    await page.evaluate(() => getComputedStyle(document.getElementById("preview")).getPropertyValue("--club")),
    "#7A263A",
  );
  await accessible(page, "colours");
  await submit(page, "colours-form");
  await at(page, "connect");
  await page.click("summary");
  await page.fill("#webhookUrl", tenant.webhookUrl);
  await accessible(page, "connect, help open");
  assert.ok(await page.isHidden("#webhook-test"), "nothing is stored yet that could be tested");

  const secret = await page.inputValue("#webhookSecret");
  assert.ok(secret.length >= 16);
  await sandbox("webhooks", { method: "PUT", body: { url: tenant.webhookUrl, secret } });
  const hold = { host: "hook.eu1.make.com", path: `/${tenant.mark}`, kind: "delay", ms: 2500, times: 1 };
  await fault(t, hold);
  await submit(page, "starter-form");
  await at(page, "progress");
  await page.waitForSelector("[data-name=validate_webhook][data-stage=running]");
  await accessible(page, "progress, running");
  assert.equal(await page.getAttribute("#bar", "role"), "progressbar");
  await at(page, "done");
  assert.match(await page.textContent("#done-heading"), new RegExp(`${tenant.clubName} is ready`));
  assert.match(await page.getAttribute("#done-address", "href"), new RegExp(`^https://${tenant.clubSlug}\\.`));
  assert.match(await page.textContent("#done-mail"), new RegExp(tenant.email));
  await accessible(page, "done, starter");
  await mailTo(tenant.email, /\/magic\//);
  oneKey(page);
  assert.equal(starts(page).length, 1);

  const stored = await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }]));
  assert.ok(!/"token"|eyJ/.test(stored), "the token is dropped at the end");
  assert.ok(!stored.includes(secret), "and so is the secret");
  await page.reload();
  await at(page, "done");
  assert.match(await page.textContent("#done-heading"), new RegExp(tenant.clubName), "a reload still says so");
  await page.click("#done-another");
  await page.waitForURL(/#\/club$/);
  await ready(page);
  assert.equal(await page.inputValue("#clubName"), "");
});

test("a pro tenant needs nothing but a confirmation", async (t) => {
  const page = await open(t);
  const tenant = await toConnect(page, aTenant({ plan: "pro" }));
  assert.equal(await page.textContent("#steps [data-for=connect]"), "Confirm");
  await accessible(page, "confirm");
  await connect(page, tenant);
  await at(page, "progress");
  await page.waitForSelector("#tasks [data-name=create_spreadsheet]");
  await at(page, "done");
  await accessible(page, "done, pro");
});

test("the keyboard is enough", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim());
  const tabTo = async (selector) => {
    for (let presses = 0; presses < 60; presses++) {
      await page.keyboard.press("Tab");
      const there = await page.evaluate((s) => document.activeElement.matches(s), selector);
      if (!there) continue;
      const ringed = await page.evaluate(() =>
        [document.activeElement, document.activeElement.closest(".plan")].some(
          (n) => n && getComputedStyle(n).outlineStyle !== "none",
        ),
      );
      assert.ok(ringed, `the focus on ${selector} can be seen`);
      return;
    }
    assert.fail(`Tab never reached ${selector}; it stands on ${await focused()}`);
  };
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Skip to the form");
  await page.keyboard.press("Enter");
  await tabTo("#clubName");
  await page.keyboard.type(tenant.clubName);
  await tabTo("#email");
  await page.keyboard.type(tenant.email);
  await tabTo("[name=plan]");
  await page.keyboard.press("ArrowDown");
  assert.ok(await page.isChecked("[value=pro]"));
  await page.keyboard.press("ArrowUp");
  await tabTo("#club-form [type=submit]");
  await page.keyboard.press("Enter");
  await at(page, "colours");
  // The code stands before the form: Shift+Tab would lead to it, and whoever begins anew comes by.
  await page.keyboard.press("Shift+Tab");
  while ((await focused()) !== "proofCode") await page.keyboard.press("Shift+Tab");
  await page.keyboard.type(await codeFor(tenant.email));
  await proofIs(page, "proven");
  assert.equal(await focused(), "proof-heading", "the focus stays where the answer is");
  await tabTo("[data-kit=navy]");
  await page.keyboard.press("Space");
  assert.equal(await page.getAttribute("[data-kit=navy]", "aria-pressed"), "true");
  await tabTo("#colours-form [type=submit]");
  await page.keyboard.press("Enter");
  await at(page, "connect");
  await tabTo("summary");
  await page.keyboard.press("Enter");
  await tabTo("#webhookUrl");
  await page.keyboard.type(tenant.webhookUrl);
  await page.keyboard.press("Enter");
  await at(page, "done");
  assert.equal(await focused(), "done-heading");
});

test("pressing twice makes one tenant", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  await fillTenant(page, tenant);
  await page.dblclick("#club-form [type=submit]");
  await at(page, "colours");
  assert.equal(starts(page).length, 1);
  await prove(page, tenant);
  await page.dblclick("#colours-form [type=submit]");
  await at(page, "connect");
  assert.equal(page.sent("/public/signup/brand").length, 1);
  await page.fill("#webhookUrl", tenant.webhookUrl);
  await page.dblclick("#starter-form [type=submit]");
  await at(page, "done");
  assert.equal(page.sent("/public/signup/starter/make").length, 1);
});

test("the page speaks German, and changes its language in the middle of everything", async (t) => {
  const page = await open(t, { locale: "de-AT" });
  assert.equal(await page.getAttribute("html", "lang"), "de");
  assert.equal(await page.title(), "Ihr Verein · Verein einrichten · Tenantry");
  await accessible(page, "club, German");
  await page.click("#club-form [type=submit]");
  await invalid(page, "clubName");
  assert.match(await errorAt(page, "clubName"), /füllen/);
  const tenant = aTenant();
  await page.fill("#clubName", tenant.clubName);
  await page.click("#languages [lang=en]");
  await page.waitForSelector("html[lang=en]");
  assert.match(await errorAt(page, "email"), /Please fill this in/, "what is already said is said again");
  assert.equal(await page.inputValue("#clubName"), tenant.clubName);
  await page.click("#languages [lang=de]");
  await page.reload();
  await ready(page);
  assert.equal(await page.getAttribute("html", "lang"), "de", "the choice is remembered");
  await toProgress(page, tenant);
  await at(page, "done");
  assert.match(await page.textContent("#done-heading"), /ist bereit/);
  await accessible(page, "done, German");
});

test("names with accents, reserved words and taken addresses lead to an address that is free", async (t) => {
  const page = await open(t);
  const suggested = async (name) => {
    await page.fill("#clubName", name);
    return page.inputValue("#clubSlug");
  };
  assert.equal(await suggested("Königsbrück & Ærø Łódź"), "konigsbruck-aero-lodz");
  assert.equal(await suggested("St. Mary’s F.C."), "st-marys-fc");
  await page.fill("#clubName", "Admin");
  // The service knows which words it keeps for itself, and offers another.
  await page.waitForFunction(() => document.querySelector("#clubSlug").value === "admin-club");
  assert.equal(await suggested("FC"), "fc-club");
  assert.equal(await suggested("!!!"), "");
  const tenant = aTenant();
  await createTenant(page, tenant);

  const other = await open(t);
  await other.fill("#clubName", tenant.clubName);
  await other.waitForSelector("#clubSlug-chips button");
  await accessible(other, "club, address taken");
  const offered = await other.textContent("#clubSlug-chips button");
  await other.click("#clubSlug-chips button");
  assert.equal(await other.inputValue("#clubSlug"), offered);
  await other.waitForSelector("#clubSlug-answer[data-tone=good]");
  await other.fill("#clubName", "Something else");
  assert.equal(await other.inputValue("#clubSlug"), offered, "a chosen address no longer follows the name");
  await other.fill("#clubSlug", "www");
  await other.waitForSelector("#clubSlug-answer[data-tone=bad]");
  assert.match(await other.textContent("#clubSlug-status"), /kept for the service/);
});

test("answers about addresses count only for the address asked last", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  const slow = `${tenant.clubSlug}-slow`;
  let release;
  const held = new Promise((resolve) => (release = resolve));
  let asked;
  const wasAsked = new Promise((resolve) => (asked = resolve));
  await page.route(new RegExp(`availability\\?slug=${slow}$`), async (route) => {
    asked();
    await held;
    // The page may have hung up already.
    await route
      .fulfill({ json: { success: true, data: { slug: slow, available: false, reason: "taken", suggestions: ["too-late"] } } })
      .catch(() => {});
  });
  await page.fill("#clubSlug", slow);
  await wasAsked;
  await page.fill("#clubSlug", tenant.clubSlug);
  await page.waitForSelector("#clubSlug-answer[data-tone=good]");
  release();
  await page.waitForFunction(() => true);
  assert.match(await page.textContent("#clubSlug-status"), new RegExp(`${tenant.clubSlug}\\.`));
  assert.equal(await page.locator("#clubSlug-chips button").count(), 0);
});

test("a mailed link signs in once and goes on where the tenant stands", async (t) => {
  const page = await open(t);
  const tenant = await createTenant(page);
  const id = await tenantId(page);
  await page.request.post("/auth/magic/start", { data: { email: tenant.email } });
  const link = await signInLink(tenant.email);

  const other = await open(t, { path: link });
  assert.equal(new URL(other.url()).hash, "", "the token leaves the address bar at once");
  await accessible(other, "magic, ready to sign in");
  assert.equal(other.sent("/auth/magic/verify").length, 0, "nothing is spent without a press");
  await other.reload();
  await ready(other);
  await submit(other, "sign-in");
  await at(other, "colours");
  assert.match(await other.textContent("#signed-in"), /signed in/);
  await accessible(other, "colours, resumed by link");
  await submit(other, "colours-form");
  await at(other, "connect");
  await connect(other, tenant);
  await at(other, "done");
  assert.ok(id);

  await visit(other, link);
  await submit(other, "sign-in");
  await other.waitForSelector("#fresh:not([hidden])");
  assert.match(await other.textContent("#fresh-why"), /used or has expired/);
  await accessible(other, "magic, link used");
  await other.fill("#email", tenant.email);
  await submit(other, "fresh");
  await other.waitForSelector("#notice .box:not([hidden])");
  assert.match(await other.textContent("#notice-text"), /a link is on its way/);
  await accessible(other, "magic, fresh link mailed");
});

test("a link to a finished tenant says so", async (t) => {
  const page = await open(t);
  const tenant = await toProgress(page);
  await at(page, "done");
  const other = await open(t, { path: await signInLink(tenant.email) });
  await submit(other, "sign-in");
  await other.waitForSelector("#signed-in:not([hidden])");
  assert.match(await other.textContent("#state"), /up and running/);
  await accessible(other, "magic, club running");
});
