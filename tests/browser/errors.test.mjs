// Every refusal at its field, in the server's words, announced, with the focus on the first.

import assert from "node:assert/strict";
import test from "node:test";
import { accessible, answer, fault, mailTo, open } from "./harness.mjs";
import { aTenant, at, connect, createTenant, errorAt, fillTenant, invalid, noticeText, submit, toConnect } from "./wizard.mjs";

const START = "/public/signup/start";
const focused = (page) => page.evaluate(() => document.activeElement.id);
const said = (page) => page.textContent("#live");

test("empty fields are refused without asking the server", async (t) => {
  const page = await open(t);
  await submit(page, "club-form");
  await invalid(page, "clubName");
  assert.equal(await focused(page), "clubName");
  assert.match(await said(page), /3 fields need your attention/);
  for (const field of ["clubName", "clubSlug", "email"]) assert.match(await errorAt(page, field), /fill this in/);
  assert.equal(page.sent(START).length, 0);
  await accessible(page, "club, empty fields refused");
  await page.fill("#clubName", "Rovers");
  assert.equal(await page.getAttribute("#clubName", "aria-invalid"), null, "editing takes the blame off");
  assert.equal(await errorAt(page, "clubName"), "");
});

test("the server's issues stand at their fields", async (t) => {
  const page = await open(t);
  await fillTenant(page, aTenant({ clubSlug: "ab", email: "not an address" }));
  await submit(page, "club-form");
  await invalid(page, "clubSlug");
  assert.equal(await focused(page), "clubSlug");
  assert.match(await errorAt(page, "clubSlug"), /3 to 63/);
  assert.match(await errorAt(page, "email"), /name@example\.org/);
  assert.match(await said(page), /2 fields/);
  await accessible(page, "club, issues from the server");
});

test("an issue of any field finds its place", async (t) => {
  const page = await open(t);
  await fillTenant(page, aTenant());
  const issues = ["clubName", "clubSlug", "email", "plan", "promoCode"].map((field) => ({
    path: [field],
    code: "custom",
    message: `wrong: ${field}`,
  }));
  await answer(page, START, { status: 400, code: "VALIDATION", issues });
  await submit(page, "club-form");
  await invalid(page, "plan");
  for (const { path, message } of issues) assert.equal(await errorAt(page, path[0]), message);
});

test("SLUG_TAKEN offers addresses that are free", async (t) => {
  const first = await open(t);
  const tenant = await createTenant(first);
  const page = await open(t, { viewport: { width: 320, height: 640 }, shifts: false });
  await fillTenant(page, aTenant({ clubSlug: tenant.clubSlug }));
  await submit(page, "club-form");
  await invalid(page, "clubSlug");
  assert.match(await errorAt(page, "clubSlug"), /just been taken/);
  assert.equal(await focused(page), "clubSlug");
  await page.waitForSelector("#clubSlug-chips button");
  await accessible(page, "club, SLUG_TAKEN");
  await page.click("#clubSlug-chips button");
  await submit(page, "club-form");
  await at(page, "colours");
});

test("EMAIL_EXISTS offers a sign-in link", async (t) => {
  const first = await open(t);
  const tenant = await createTenant(first);
  const page = await open(t, { viewport: { width: 320, height: 640 }, shifts: false });
  await fillTenant(page, aTenant({ email: tenant.email.toUpperCase() }));
  await submit(page, "club-form");
  await invalid(page, "email");
  assert.match(await errorAt(page, "email"), /already a club/);
  await accessible(page, "club, EMAIL_EXISTS");
  await page.click("#email-link");
  await page.waitForSelector("#notice .box:not([hidden])");
  assert.match(await noticeText(page), /a link is on its way/);
  await mailTo(tenant.email);
  await page.fill("#email", aTenant().email);
  assert.ok(await page.isHidden("#email-link"), "another address needs no link");
});

const PROMO_WORDS = {
  unknown: /don’t know this code/,
  inactive: /no longer in use/,
  not_started: /not valid yet/,
  expired: /has expired/,
  not_allowed: /another club/,
  exhausted: /used up/,
};

for (const [reason, words] of Object.entries(PROMO_WORDS)) {
  test(`INVALID_PROMO says which kind: ${reason}`, async (t) => {
    const page = await open(t);
    await answer(page, "/public/signup/verify-promo", { status: 400, code: "INVALID_PROMO", reason });
    await page.fill("#promoCode", "SPRING24");
    await page.waitForSelector("#promoCode-status[data-tone=bad]");
    assert.match(await page.textContent("#promoCode-status"), words);
    await fillTenant(page, aTenant());
    await answer(page, START, { status: 400, code: "INVALID_PROMO", reason });
    await submit(page, "club-form");
    await invalid(page, "promoCode");
    assert.match(await errorAt(page, "promoCode"), words);
    assert.equal(await focused(page), "promoCode");
  });
}

test("a code that does not exist is refused by the real service, as typed and as sent", async (t) => {
  const page = await open(t);
  await fillTenant(page, aTenant({ promoCode: "nosuchcode" }));
  await page.waitForSelector("#promoCode-status[data-tone=bad]");
  await submit(page, "club-form");
  await invalid(page, "promoCode");
  assert.match(await errorAt(page, "promoCode"), PROMO_WORDS.unknown);
  await accessible(page, "club, INVALID_PROMO");
});

test("a good code says what it changes", async (t) => {
  const page = await open(t);
  const data = { code: "GIFT2024", discountPercent: 100, appliedPlan: "pro", lifetime: true, usesRemaining: 1 };
  await page.route("**/verify-promo", (route) => route.fulfill({ json: { success: true, data } }));
  await page.fill("#promoCode", "gift2024");
  await page.waitForSelector("#promoCode-status[data-tone=good]");
  assert.equal(
    await page.textContent("#promoCode-status"),
    "This code makes it free of charge. For as long as the club is with us. It puts your club on the Pro plan. One use left.",
  );
  await accessible(page, "club, promo accepted");
});

test("TURNSTILE_FAILED and unknown refusals say what to do", async (t) => {
  const page = await open(t);
  await fillTenant(page, aTenant());
  await answer(page, START, { status: 403, code: "TURNSTILE_FAILED" });
  await submit(page, "club-form");
  await page.waitForSelector("#notice [data-tone=bad]:not([hidden])");
  assert.match(await noticeText(page), /press the button again.*reload the page/);
  await answer(page, START, { status: 418, code: "SOMETHING_NEW" });
  await submit(page, "club-form");
  await page.waitForFunction(() => document.getElementById("notice-text").textContent.includes("req_test"));
  await accessible(page, "club, unknown refusal");
});

test("colours that are none are refused at their fields", async (t) => {
  const page = await open(t);
  await createTenant(page);
  await page.fill("#primaryColor", "green");
  await submit(page, "colours-form");
  await invalid(page, "primaryColor");
  assert.equal(await focused(page), "primaryColor");
  await accessible(page, "colours, refused");
  await page.fill("#primaryColor", "0f5c45");
  const issues = [{ path: ["secondaryColor"], code: "invalid_color", message: "Enter a colour like #1a2b3c." }];
  await answer(page, "/public/signup/brand", { status: 400, code: "VALIDATION", issues });
  await submit(page, "colours-form");
  await invalid(page, "secondaryColor");
  assert.equal(await errorAt(page, "secondaryColor"), issues[0].message);
  await submit(page, "colours-form");
  await at(page, "connect");
});

test("a webhook that is none is refused at its field", async (t) => {
  const page = await open(t);
  await toConnect(page);
  await page.fill("#webhookSecret", "short");
  await submit(page, "starter-form");
  await invalid(page, "webhookUrl");
  assert.match(await errorAt(page, "webhookUrl"), /fill this in/);
  assert.match(await errorAt(page, "webhookSecret"), /16 characters/);
  await page.fill("#webhookSecret", "0123456789abcdef");
  await page.fill("#webhookUrl", "http://hook.eu1.make.com/abc");
  await submit(page, "starter-form");
  await invalid(page, "webhookUrl");
  assert.match(await errorAt(page, "webhookUrl"), /whole address/);
  await accessible(page, "connect, refused");
});

test("INVALID_WEBHOOK_HOST stands at the webhook", async (t) => {
  const page = await open(t);
  const tenant = await toConnect(page);
  await connect(page, { ...tenant, webhookUrl: "https://hook.make.com.evil.example/abc" });
  await invalid(page, "webhookUrl");
  assert.ok(await errorAt(page, "webhookUrl"));
  assert.equal(await focused(page), "webhookUrl");
  await accessible(page, "connect, INVALID_WEBHOOK_HOST");
});

test("PLAN_MISMATCH shows the form of the plan that the tenant is on", async (t) => {
  const page = await open(t);
  const tenant = await toConnect(page);
  await answer(page, "/public/signup/starter/make", { status: 409, code: "PLAN_MISMATCH" });
  await connect(page, tenant);
  await page.waitForSelector("#pro-form:not([hidden])");
  assert.match(await noticeText(page), /other plan/);
  await accessible(page, "connect, PLAN_MISMATCH");
});

test("a test of the stored webhook says what came back", async (t) => {
  const page = await open(t);
  const tenant = await toConnect(page);
  const lift = await fault(t, { host: "hook.eu1.make.com", path: `/${tenant.mark}`, kind: "status", status: 410 });
  await connect(page, tenant);
  await page.waitForSelector("#failed:not([hidden])");
  await page.click("#failed-webhook");
  await at(page, "connect");
  const tested = async (words) => {
    await page.click("#webhook-test");
    await page.waitForSelector("#webhook-answer[data-tone=bad], #webhook-answer[data-tone=good]");
    assert.match(await page.textContent("#webhook-answer"), words);
  };
  await tested(/no scenario is listening/);
  await accessible(page, "connect, test refused");
  await lift();
  await tested(/has received the test/);
  await accessible(page, "connect, tested");
  const says = (data) => page.route("**/webhook/test", (route) => route.fulfill({ json: { success: true, data } }), { times: 1 });
  for (const [data, words] of [
    [{ status: 404 }, /does not know this address/],
    [{ status: 401 }, /has another secret, or none/],
    [{ status: 403 }, /refused the test \(answer 403\)/],
    [{ status: 400 }, /refused the test \(answer 400\)/],
    [{ status: 503, tryAgain: true }, /having trouble/],
    [{ status: 400, tryAgain: true }, /having trouble at the moment \(answer 400\)/],
    [{ status: 404, tryAgain: true }, /having trouble/],
    [{ status: null, tryAgain: true }, /did not answer/],
  ]) {
    await says({ delivered: false, ms: 9, ...data });
    await tested(words);
  }
  await page.fill("#webhookUrl", `https://hook.eu1.make.com/another${tenant.mark}`);
  assert.ok(await page.isHidden("#webhook-test"), "another address is not stored yet");
  await page.fill("#webhookUrl", tenant.webhookUrl);
  assert.ok(await page.isVisible("#webhook-test"));
});
