// Who is signed in: closed tabs, refused tokens, sessions that have ended, and starting over.

import assert from "node:assert/strict";
import test from "node:test";
import { accessible, answer, open, ready, signInLink, visit } from "./harness.mjs";
import { aTenant, at, connect, createTenant, fillTenant, noticeText, starts, submit, tenantId, toConnect } from "./wizard.mjs";

const START = "/public/signup/start";
const shownNotice = (page) => page.waitForSelector("#notice .box:not([hidden])");

/** Presses for a link, and opens it in a new tab, which is there then. */
async function comesBack(page, tenant) {
  await page.click("#notice-actions button");
  await page.waitForFunction(() => /on its way/.test(document.getElementById("notice-text").textContent));
  const again = await page.context().newPage();
  await visit(again, await signInLink(tenant.email));
  await submit(again, "sign-in");
  return again;
}

/** The form was sent once: that made the tenant. Nothing since sent it again. */
const onceOnly = (page) => assert.equal(starts(page).length, 1);

test("a closed tab is taken up again by a mailed link, and the form is not sent again", async (t) => {
  const page = await open(t);
  const tenant = await toConnect(page);
  const again = await page.context().newPage();
  await page.close();
  await visit(again);
  await at(again, "connect");
  await connect(again, tenant);
  await shownNotice(again);
  assert.match(await noticeText(again), /signed out/);
  onceOnly(page);
  const back = await comesBack(again, tenant);
  await at(back, "connect");
  await connect(back, tenant);
  await at(back, "done");
  onceOnly(page);
});

const spoilToken = (page) =>
  page.evaluate(() =>
    sessionStorage.setItem(
      "tenantry.session",
      JSON.stringify({ ...JSON.parse(sessionStorage.getItem("tenantry.session")), token: "spoilt" }),
    ),
  );

test("a token that is refused, or revoked, is not asked for again by sending the form", async (t) => {
  for (const [status, code, reason] of [
    [401, "INVALID_TOKEN", "invalid_token"],
    [403, "FORBIDDEN", "token_revoked"],
  ]) {
    const page = await open(t);
    await createTenant(page);
    await answer(page, "/public/signup/brand", { status, code, reason });
    await submit(page, "colours-form");
    await shownNotice(page);
    assert.match(await noticeText(page), /signed out/);
    assert.equal(await page.evaluate(() => sessionStorage.getItem("tenantry.session")), null);
    await page.reload();
    await ready(page);
    await submit(page, "colours-form");
    await shownNotice(page);
    onceOnly(page);
  }
});

test("a set-up that is watched when the session ends offers a link, and sends nothing again", async (t) => {
  const page = await open(t);
  await toConnect(page);
  const id = await tenantId(page);
  await answer(page, `/api/v1/tenants/${id}/provision-status`, { status: 403, code: "FORBIDDEN", reason: "token_revoked" });
  await page.fill("#webhookUrl", `https://hook.eu1.make.com/${id}`);
  await submit(page, "starter-form");
  await at(page, "progress");
  await shownNotice(page);
  assert.match(await noticeText(page), /signed out/);
  onceOnly(page);
});

test("a tenant that was removed is made anew by a person's press only, under another key", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  await answer(page, START, { status: 410, code: "TENANT_CANCELLED" });
  await fillTenant(page, tenant);
  await submit(page, "club-form");
  await shownNotice(page);
  assert.match(await noticeText(page), /has been removed/);
  await accessible(page, "club, removed");
  await page.reload();
  await ready(page);
  onceOnly(page);
  assert.equal(await page.inputValue("#clubName"), tenant.clubName, "what was typed is kept");
  await submit(page, "club-form");
  await at(page, "colours");
  assert.equal(new Set(starts(page).map(({ key }) => key)).size, 2);
});

test("a repeat that brings no token says that a link was mailed", async (t) => {
  for (const older of [false, true]) {
    const page = await open(t);
    const tenant = aTenant();
    await page.route(
      `**${START}`,
      async (route) => {
        const made = await route.fetch();
        const { jwt, ...rest } = await made.json();
        assert.ok(jwt);
        const error = { code: "ALREADY_SIGNED_UP", message: "We have mailed you a link.", requestId: "req_1" };
        // A version that is rolled back to answers 200 without a token.
        if (older) await route.fulfill({ response: made, json: { ...rest, replayed: true } });
        else await route.fulfill({ status: 409, json: { success: false, error } });
      },
      { times: 1 },
    );
    await fillTenant(page, tenant);
    await submit(page, "club-form");
    await shownNotice(page);
    assert.match(await noticeText(page), new RegExp(`mailed a sign-in link to ${tenant.email}`));
    onceOnly(page);
  }
});

test("a session that is over offers a link that leads back to the same step", async (t) => {
  const page = await open(t, { viewport: { width: 320, height: 640 }, shifts: false });
  const tenant = await createTenant(page);
  await page.click("[data-kit=claret]");
  await spoilToken(page);
  await submit(page, "colours-form");
  await shownNotice(page);
  assert.match(await noticeText(page), /signed out/);
  await accessible(page, "colours, session expired");
  const again = await comesBack(page, tenant);
  await at(again, "colours");
  assert.equal(await again.inputValue("#primaryColor"), "#7A263A");
  await submit(again, "colours-form");
  await at(again, "connect");
});

test("a token that was ended elsewhere leaves nobody stuck, and nothing is lost", async (t) => {
  const page = await open(t);
  await createTenant(page);
  await page.click("[data-kit=claret]");
  const token = await page.evaluate(() => JSON.parse(sessionStorage.getItem("tenantry.session")).token);
  const ended = await page.request.post("/auth/logout", { headers: { authorization: `Bearer ${token}` }, data: {} });
  assert.equal(ended.status(), 200);
  await submit(page, "colours-form");
  // Renewed without a word, or said, with a link that leads back.
  await page.waitForSelector("#connect:not([hidden]), #notice-actions button");
  await page.reload();
  await ready(page);
  await visit(page, "/#/colours");
  assert.equal(await page.inputValue("#primaryColor"), "#7A263A");
});

test("starting over forgets everything", async (t) => {
  const page = await open(t);
  const tenant = await createTenant(page);
  page.on("dialog", (dialog) => dialog.accept());
  await page.click("#start-over");
  await page.waitForURL(/#\/club$/);
  await ready(page);
  const stored = await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }]));
  assert.ok(!stored.includes(tenant.mark) && !stored.includes("eyJ"));
  assert.equal(await page.inputValue("#clubName"), "");
});
