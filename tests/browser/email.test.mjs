// Somebody changes their own address: by the link in the mail to the new one, and back by the link in the mail to the old one.

import assert from "node:assert/strict";
import test from "node:test";
import { accessible, answer, mailTo, open, ready, visit } from "./harness.mjs";
import { aTenant, createTenant, noticeText, submit } from "./wizard.mjs";

const PHONE = { viewport: { width: 320, height: 640 } };
const CONFIRMS = /https?:\/\/\S+(\/email\/#token=[^\s"<>]+)/;
const UNDOES = /https?:\/\/\S+(\/email\/#undo=[^\s"<>]+)/;
const confirmLink = async (address) => (await mailTo(address, CONFIRMS)).text.match(CONFIRMS)[1];
const undoLink = async (address) => (await mailTo(address, UNDOES)).text.match(UNDOES)[1];
const focused = (page) => page.evaluate(() => document.activeElement.id);
const heading = (page) => page.textContent("#email-heading");
const done = (page) => page.waitForSelector("#done:not([hidden])");

/** A tenant whose owner wants another address. */
async function moving(t) {
  const page = await open(t);
  const tenant = await createTenant(page);
  const { token, tenantId } = await page.evaluate(() => JSON.parse(sessionStorage.getItem("tenantry.session")));
  const email = `new-${aTenant().mark}@example.org`;
  const asked = await page.request.post(`/api/v1/tenants/${tenantId}/members/me/email`, {
    headers: { authorization: `Bearer ${token}` },
    data: { email },
  });
  assert.equal(asked.status(), 202);
  return { tenant, email, token, request: page.request };
}

test("one press confirms the new address, and one puts the old one back", async (t) => {
  const { tenant, email, token, request } = await moving(t);
  const page = await open(t, { path: await confirmLink(email) });
  assert.equal(await heading(page), "Confirm your new e-mail address");
  assert.equal(new URL(page.url()).hash, "", "the token is not left in the address bar");
  assert.equal(page.sent("/public/email").length, 0, "opening spends nothing");
  await accessible(page, "email, confirm");
  await page.reload();
  await ready(page);
  await submit(page, "confirm");
  await done(page);
  assert.equal(await heading(page), "Your new e-mail address counts");
  assert.equal(await page.textContent("#address"), email);
  assert.equal(await focused(page), "email-heading");
  await accessible(page, "email, confirmed");
  const whoami = () => request.get("/whoami", { headers: { authorization: `Bearer ${token}` } });
  assert.equal((await whoami()).status(), 200);

  const phone = await open(t, { ...PHONE, path: await undoLink(tenant.email), locale: "de-DE", colorScheme: "dark" });
  assert.equal(await heading(phone), "Frühere E-Mail-Adresse zurückholen");
  await accessible(phone, "email, undo, German, 320 px");
  await submit(phone, "undo");
  await done(phone);
  assert.equal(await phone.textContent("#address"), tenant.email);
  assert.match(await phone.textContent("#done-text"), /abgemeldet/);
  await accessible(phone, "email, undone, German, 320 px");
  await phone.click("#languages [lang=en]");
  await phone.waitForSelector("html[lang=en]");
  assert.equal(await heading(phone), "Your earlier e-mail address counts again");
  assert.equal((await whoami()).status(), 403, "whoever was signed in is signed out");
});

test("a link that was used says so, and one that is none says what to do", async (t) => {
  const { email } = await moving(t);
  const link = await confirmLink(email);
  const page = await open(t, { path: link });
  await submit(page, "confirm");
  await done(page);
  await visit(page, "/magic/");
  await visit(page, link);
  await submit(page, "confirm");
  await done(page);
  assert.match(await page.textContent("#done-text"), /done its work already/);
  assert.ok(await page.isHidden("#done-address"));
  await accessible(page, "email, link used");

  await visit(page, "/magic/");
  await visit(page, "/email/#undo=change_none.guess");
  await submit(page, "undo");
  await done(page);
  assert.equal(await heading(page), "Nothing was changed");
  assert.match(await page.textContent("#done-text"), /opens nothing/);

  const empty = await open(t, { path: "/email/" });
  assert.match(await empty.textContent("#done-text"), /needs the link/);
  await accessible(empty, "email, without a link");
});

for (const [code, name, words] of [
  ["EMAIL_CHANGE_EXPIRED", "token", /older than 24 hours/],
  ["EMAIL_CHANGE_EXPIRED", "undo", /older than 7 days/],
  ["EMAIL_CHANGE_SUPERSEDED", "token", /newer link/],
  ["EMAIL_CHANGE_SUPERSEDED", "undo", /our support/],
  ["EMAIL_EXISTS", "token", /choose another one/],
  ["EMAIL_EXISTS", "undo", /we help/],
]) {
  test(`${code} of ${name} is said in words`, async (t) => {
    const page = await open(t, { path: `/email/#${name}=change_1.secret` });
    const form = name === "undo" ? "undo" : "confirm";
    await answer(page, `/public/email/${form}`, { status: 409, code });
    await submit(page, form);
    await done(page);
    assert.equal(await heading(page), "Nothing was changed");
    assert.match(await page.textContent("#done-text"), words);
    await accessible(page, `email, ${code} of ${name}`);
  });
}

test("what may be otherwise later keeps the link", async (t) => {
  const page = await open(t, { path: "/email/#token=change_1.secret" });
  await answer(page, "/public/email/confirm", { status: 409, code: "TENANT_SUSPENDED" });
  await submit(page, "confirm");
  await page.waitForSelector("#notice .box:not([hidden])");
  assert.match(await noticeText(page), /suspended/);
  assert.ok(await page.isVisible("#confirm"));
  await answer(page, "/public/email/confirm", { status: 413, code: "PAYLOAD_TOO_LARGE" });
  await submit(page, "confirm");
  await page.waitForFunction(() => /req_test/.test(document.getElementById("notice-text").textContent));
  await accessible(page, "email, something went wrong");
});

test("offline nothing is lost, and it goes on by itself", async (t) => {
  const { email } = await moving(t);
  const page = await open(t, { path: await confirmLink(email) });
  await page.context().setOffline(true);
  await submit(page, "confirm");
  await page.waitForSelector("#notice .box:not([hidden])");
  assert.match(await noticeText(page), /No connection/);
  await accessible(page, "email, offline");
  await page.context().setOffline(false);
  await done(page);
  assert.equal(await page.textContent("#address"), email);
});
