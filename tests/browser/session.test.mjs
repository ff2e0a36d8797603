// Who is signed in: closed tabs, refused tokens, sessions that have ended, and starting over.

import assert from "node:assert/strict";
import test from "node:test";
import { accessible, answer, baseUrl, linkIn, mailTo, open, ready, visit } from "./harness.mjs";
import { at, connect, createClub, noticeText, oneKey, starts, submit, tenantId, toConnect } from "./wizard.mjs";

const START = "/public/signup/start";
const shownNotice = (page) => page.waitForSelector("#notice .box:not([hidden])");

test("a closed tab is taken up again, with a fresh token under the same key", async (t) => {
  const page = await open(t);
  const club = await toConnect(page);
  const id = await tenantId(page);
  const again = await page.context().newPage();
  await page.close();
  await visit(again);
  await at(again, "connect");
  await connect(again, club);
  await at(again, "done");
  const { key, body } = starts(page).at(-1);
  oneKey(page);
  assert.equal(starts(page).length, 2, "one start made the club, one asked for the token");
  assert.deepEqual(body, starts(page)[0].body);
  assert.ok(key && id);
});

const spoilToken = (page) =>
  page.evaluate(() =>
    sessionStorage.setItem(
      "tenantry.session",
      JSON.stringify({ ...JSON.parse(sessionStorage.getItem("tenantry.session")), token: "spoilt" }),
    ),
  );

test("a refused token is renewed without a word", async (t) => {
  const page = await open(t);
  await createClub(page);
  await spoilToken(page);
  await submit(page, "colours-form");
  await at(page, "connect");
  oneKey(page);
});

test("a session that can't be renewed offers a link that leads back to the same step", async (t) => {
  const page = await open(t, { viewport: { width: 320, height: 640 }, shifts: false });
  const club = await createClub(page);
  await page.click("[data-kit=claret]");
  await spoilToken(page);
  await answer(page, START, { status: 409, code: "SLUG_TAKEN", times: 2 });
  await submit(page, "colours-form");
  await shownNotice(page);
  assert.match(await noticeText(page), /signed out/);
  await accessible(page, "colours, session expired");
  await page.click("#notice-actions button");
  await page.waitForFunction(() => /on its way/.test(document.getElementById("notice-text").textContent));
  const link = linkIn(await mailTo(club.email)).replace(/^https?:\/\/[^/]+/, baseUrl);
  const again = await page.context().newPage();
  await visit(again, link.slice(baseUrl.length));
  await submit(again, "sign-in");
  await at(again, "colours");
  assert.equal(await again.inputValue("#primaryColor"), "#7A263A");
  await submit(again, "colours-form");
  await at(again, "connect");
});

test("a token that was ended elsewhere leaves nobody stuck, and nothing is lost", async (t) => {
  const page = await open(t);
  await createClub(page);
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
  const club = await createClub(page);
  page.on("dialog", (dialog) => dialog.accept());
  await page.click("#start-over");
  await page.waitForURL(/#\/club$/);
  await ready(page);
  const stored = await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }]));
  assert.ok(!stored.includes(club.mark) && !stored.includes("eyJ"));
  assert.equal(await page.inputValue("#clubName"), "");
});
