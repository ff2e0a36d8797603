// Nothing is lost: reloads, Back, broken connections, a busy and a closed service.

import assert from "node:assert/strict";
import test from "node:test";
import { accessible, answer, fault, mailTo, open, ready } from "./harness.mjs";
import { aTenant, at, connect, createTenant, fillTenant, noticeText, oneKey, starts, submit, toProgress } from "./wizard.mjs";

const START = "/public/signup/start";
const shownNotice = (page) => page.waitForSelector("#notice .box:not([hidden])");
const reload = async (page) => {
  await page.reload();
  await ready(page);
};

test("a reload keeps every field of every step", async (t) => {
  const page = await open(t);
  const tenant = aTenant({ promoCode: "MAYBE2024" });
  await fillTenant(page, { ...tenant, plan: "pro" });
  await reload(page);
  const values = await page.$$eval("#club-form input:not([type=radio])", (inputs) => inputs.map((input) => input.value));
  assert.deepEqual(values, [tenant.clubName, tenant.clubSlug, tenant.email, tenant.promoCode]);
  assert.ok(await page.isChecked("[value=pro]"));

  await page.fill("#promoCode", "");
  await createTenant(page, { ...tenant, promoCode: "" });
  await page.click("[data-kit=sky]");
  await reload(page);
  await at(page, "colours");
  assert.equal(await page.inputValue("#primaryColor"), "#8FC6EA");
  await submit(page, "colours-form");
  await at(page, "connect");
  await page.fill("#webhookUrl", tenant.webhookUrl);
  await page.fill("#webhookSecret", "a secret of my own");
  await reload(page);
  await at(page, "connect");
  assert.equal(await page.inputValue("#webhookUrl"), tenant.webhookUrl);
  assert.equal(await page.inputValue("#webhookSecret"), "a secret of my own");

  await fault(t, { host: "hook.eu1.make.com", path: `/${tenant.mark}`, kind: "delay", ms: 3000, times: 1 });
  await connect(page, tenant);
  await at(page, "progress");
  await reload(page);
  await at(page, "progress");
  await at(page, "done");
  assert.equal(starts(page).length, 1);
});

test("Back goes back one step at a time, and the tenant is not made again", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  await fault(t, { host: "hook.eu1.make.com", path: `/${tenant.mark}`, kind: "delay", ms: 4000, times: 1 });
  await toProgress(page, tenant);
  await page.goBack();
  await at(page, "connect");
  assert.equal(await page.inputValue("#webhookUrl"), tenant.webhookUrl);
  await page.goBack();
  await at(page, "colours");
  await page.goBack();
  await at(page, "club");
  assert.ok(await page.isVisible("#club-made"), "what has been created is shown, not asked for");
  assert.match(await page.textContent("#made-name"), new RegExp(tenant.clubName));
  await accessible(page, "club, created");
  await page.goForward();
  await at(page, "colours");
  await page.click("#colours-form [data-back]");
  await at(page, "club");
  await page.click("#made-continue");
  await at(page, "done");
  assert.equal(starts(page).length, 1);
});

test("offline in the middle: the banner says so, and the post goes out when the connection is back", async (t) => {
  const page = await open(t);
  await fillTenant(page, aTenant());
  await page.waitForSelector("#clubSlug-answer[data-tone=good]");
  await page.context().setOffline(true);
  await page.waitForSelector("#offline p:not([hidden])");
  await submit(page, "club-form");
  await shownNotice(page);
  assert.match(await noticeText(page), /No connection/);
  await accessible(page, "club, offline");
  await page.context().setOffline(false);
  await at(page, "colours");
  assert.ok(await page.isHidden("#offline p"));
  oneKey(page);
});

test("offline at any later step: what was asked for goes out when the connection is back", async (t) => {
  const page = await open(t);
  const tenant = await createTenant(page);
  for (const [step, form, next] of [
    ["colours", "colours-form", "connect"],
    ["connect", "starter-form", "done"],
  ]) {
    await at(page, step);
    if (step === "connect") await page.fill("#webhookUrl", tenant.webhookUrl);
    await page.context().setOffline(true);
    await submit(page, form);
    await shownNotice(page);
    assert.match(await noticeText(page), /No connection/, step);
    await page.context().setOffline(false);
    await at(page, next);
  }
});

test("an answer that got lost on the way back does not make a second tenant", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  await page.route(
    `**${START}`,
    async (route) => {
      await route.fetch();
      await route.abort("connectionreset");
    },
    { times: 1 },
  );
  await fillTenant(page, tenant);
  await submit(page, "club-form");
  await shownNotice(page);
  assert.match(await noticeText(page), /could not reach the service/);
  await accessible(page, "club, waiting to try again");
  await at(page, "colours");
  oneKey(page);
  assert.equal(starts(page).length, 2);
});

test("changing the form after a lost answer finds the tenant that was made", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  await page.route(
    `**${START}`,
    async (route) => {
      await route.fetch();
      await route.abort("connectionreset");
    },
    { times: 1 },
  );
  await fillTenant(page, tenant);
  await submit(page, "club-form");
  await shownNotice(page);
  await page.click("#notice-actions button:has-text('Stop')");
  assert.match(await noticeText(page), /Nothing is lost/);
  await page.fill("#clubName", "Another name");
  await submit(page, "club-form");
  await at(page, "colours");
  assert.match(await noticeText(page), new RegExp(`already been created as “${tenant.clubName}”`));
  assert.equal(await page.textContent("#preview-name"), tenant.clubName);
  oneKey(page);
});

test("a key that the server knows from elsewhere is replaced", async (t) => {
  const page = await open(t);
  await answer(page, START, { status: 422, code: "IDEMPOTENCY_KEY_REUSED" });
  await createTenant(page);
  assert.equal(new Set(starts(page).map(({ key }) => key)).size, 2);
});

test("a tenant made elsewhere with the same words brings a mailed link, not a token", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  const { clubName, clubSlug, email, plan } = tenant;
  const made = await page.request.post(START, { data: { clubName, clubSlug, email, plan } });
  assert.equal(made.status(), 200);
  await page.route(`**${START}`, async (route) => {
    const headers = { ...route.request().headers() };
    delete headers["idempotency-key"];
    await route.continue({ headers });
  });
  await fillTenant(page, tenant);
  await submit(page, "club-form");
  await shownNotice(page);
  assert.match(await noticeText(page), /mailed a sign-in link/);
  await mailTo(email);
});

test("a 500 is tried again with the same key", async (t) => {
  const page = await open(t);
  await answer(page, START, { status: 500, code: "INTERNAL" });
  await createTenant(page);
  oneKey(page);
  assert.equal(starts(page).length, 2);
});

test("a busy store is waited for as long as it asks", async (t) => {
  const page = await open(t);
  await answer(page, START, { status: 503, code: "STORE_UNAVAILABLE", headers: { "retry-after": "3" } });
  await fillTenant(page, aTenant());
  await submit(page, "club-form");
  await shownNotice(page);
  assert.match(await noticeText(page), /busy.*in [23] s/);
  await page.click("#notice-actions button:has-text('Try now')");
  await at(page, "colours");
  oneKey(page);
});

test("429 counts down and goes on by itself", async (t) => {
  const page = await open(t);
  await answer(page, START, { status: 429, code: "RATE_LIMITED", headers: { "retry-after": "3" } });
  await fillTenant(page, aTenant());
  await submit(page, "club-form");
  await page.waitForFunction(() => /in 3 s/.test(document.getElementById("notice-text").textContent));
  assert.equal(await page.locator("#notice-actions button").count(), 1, "there is no hurrying it");
  await accessible(page, "club, 429 counting down");
  await page.waitForFunction(() => /in 1 s/.test(document.getElementById("notice-text").textContent));
  await at(page, "colours");
  oneKey(page);
});

test("a long 429 names a time instead of counting", async (t) => {
  const page = await open(t);
  await answer(page, START, { status: 429, code: "RATE_LIMITED", headers: { "retry-after": "1800" } });
  await fillTenant(page, aTenant());
  await submit(page, "club-form");
  await shownNotice(page);
  assert.match(await noticeText(page), /try again at about \d\d:\d\d/);
});

test("the kill switch is shown as such, with when to come back, and what was typed stays", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  await answer(page, START, { status: 503, code: "SIGNUPS_DISABLED", headers: { "retry-after": "3600" } });
  await fillTenant(page, tenant);
  await submit(page, "club-form");
  await shownNotice(page);
  assert.match(await noticeText(page), /not taking new clubs.*about \d\d:\d\d/);
  assert.equal(starts(page).length, 1, "nobody hammers a closed door");
  await accessible(page, "club, kill switch");
  await reload(page);
  assert.equal(await page.inputValue("#clubName"), tenant.clubName);
  await submit(page, "club-form");
  await at(page, "colours");
  oneKey(page);
});

test("lookups that fail do not stand in the way", async (t) => {
  const page = await open(t);
  await page.route("**/availability**", (route) => route.abort());
  await answer(page, "/public/signup/verify-promo", { status: 429, code: "RATE_LIMITED", headers: { "retry-after": "9" } });
  await page.fill("#clubName", "Rovers");
  await page.waitForFunction(() => /when you continue/.test(document.getElementById("clubSlug-status").textContent));
  await page.fill("#promoCode", "SPRING24");
  await page.waitForFunction(() => /when you continue/.test(document.getElementById("promoCode-status").textContent));
});

test("an answer that is slow in coming is not waited for in silence", async (t) => {
  const page = await open(t);
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await page.route(`**${START}`, async (route) => {
    await held;
    await route.continue();
  });
  await fillTenant(page, aTenant());
  await submit(page, "club-form");
  await shownNotice(page);
  assert.match(await noticeText(page), /longer than usual/);
  release();
  await at(page, "colours");
});

test("going back while waiting gives the wait up, and the form can be sent again", async (t) => {
  const page = await open(t);
  await createTenant(page);
  await answer(page, "/public/signup/brand", { status: 503, code: "STORE_UNAVAILABLE", headers: { "retry-after": "60" } });
  await submit(page, "colours-form");
  await shownNotice(page);
  await page.goBack();
  await at(page, "club");
  assert.ok(await page.isHidden("#notice .box"));
  await page.click("#made-continue");
  await at(page, "colours");
  await submit(page, "colours-form");
  await at(page, "connect");
});
