// The page that invitations lead to, in every state that an invitation may be in, and the choice of a club by who belongs to several.

import assert from "node:assert/strict";
import test from "node:test";
import { accessible, ready } from "./harness.mjs";
import { aClub, atScreen, ok, refusal, shown } from "./console.mjs";

const PHONE = { viewport: { width: 320, height: 568 } };
const LOOK = "/public/invitations/look";
const ACCEPT = "/public/invitations/accept";
const ASK = "/public/invitations/ask-again";
const LINK = "/invitation/#token=inv_1.secret";
const NASTY = `<img src=x onerror=alert(1)> ${"Sport- und Freizeitverein ".repeat(3)}ממתק`;

const standing = (state, over = {}) => ok({ state, clubName: "SC Hollenbach 1912", role: "tenant_admin", inviter: "Anna (example.org)", email: "g…@example.org", expiresAt: new Date(Date.now() + 86_400_000).toISOString(), ...over });
const opened = (t, look, routes = {}, options = {}) => shown(t, { path: LINK, routes: { [LOOK]: look, ...routes }, shifts: false, ...options });
const heading = (page) => page.textContent("h1");
const saying = (page, text) => page.waitForFunction((part) => document.querySelector("main").textContent.includes(part), text);
/** The one thing that is offered. */
const offered = (page) => page.locator("main .primary:visible").allTextContents();

test("one press lets the person in: opening the link spends nothing", async (t) => {
  const page = await opened(t, standing("open"), { [ACCEPT]: ok({ tenant: aClub(), user: { id: "user_3" } }) }, { shifts: true });
  assert.equal(await heading(page), "Join SC Hollenbach 1912");
  assert.match(await page.textContent("#why"), /Anna \(example\.org\) invites you to help run the club, as an admin/);
  assert.equal(new URL(page.url()).hash, "", "the token is not left in the address bar");
  assert.equal(page.sent(ACCEPT).length, 0);
  await accessible(page, "invitation, open");
  await page.reload();
  await ready(page);
  assert.equal(await heading(page), "Join SC Hollenbach 1912", "a reload keeps the link");
  await page.keyboard.press("Tab");
  await page.locator("#accept button").focus();
  await page.keyboard.press("Enter");
  await page.waitForURL("**/app/");
  await atScreen(page, "SC Hollenbach 1912");
  const [accepted] = page.sent(ACCEPT);
  assert.deepEqual(accepted.postDataJSON(), { token: "inv_1.secret", session: true });
  assert.equal(await page.evaluate(() => sessionStorage.getItem("tenantry.invitation")), null);
});

test("what people have written is text, in whatever direction", async (t) => {
  const page = await opened(t, standing("open", { clubName: NASTY, inviter: NASTY, role: "owner" }), {}, { ...PHONE, colorScheme: "dark", locale: "de-DE" });
  assert.equal(await page.locator("img").count(), 0);
  assert.match(await page.textContent("#why"), /als Inhaber/);
  await accessible(page, "invitation, open, a nasty name, German, 320 px, dark");
});

for (const [state, title, next] of [
  ["expired", "This invitation is too old", "Ask for a new invitation"],
  ["superseded", "There is a newer mail", "Ask for a new invitation"],
  ["revoked", "This invitation was taken back", "Sign in by a mailed link"],
  ["used", "This invitation was accepted already", "Sign in by a mailed link"],
]) {
  test(`${state}: said, with what to do next, when it is looked up and when it is accepted`, async (t) => {
    const page = await opened(t, standing(state), {}, PHONE);
    assert.equal(await heading(page), title);
    assert.deepEqual(await offered(page), [next]);
    await accessible(page, `invitation, ${state}, 320 px`);
    await page.close();
    const late = await opened(t, standing("open"), { [ACCEPT]: refusal(409, `INVITATION_${state.toUpperCase()}`) });
    await late.click("#accept button");
    await saying(late, title);
    assert.deepEqual(await offered(late), [next]);
    assert.equal(await late.evaluate(() => document.activeElement.id), "invitation-heading");
  });
}

test("a new invitation is asked for once a day", async (t) => {
  const page = await opened(t, standing("expired"), { [ASK]: { status: 202, body: { success: true } } });
  await page.click("#ask-again button");
  await saying(page, "We have asked for you");
  assert.deepEqual(page.sent(ASK)[0].postDataJSON(), { token: "inv_1.secret" });
  assert.deepEqual(await offered(page), []);
  await accessible(page, "invitation, asked again");
  page.answers[ASK] = { ...refusal(429, "RATE_LIMITED"), headers: { "retry-after": "80000" } };
  await page.reload();
  await ready(page);
  await page.click("#ask-again button");
  await saying(page, "were asked today already");
  page.answers[ASK] = refusal(409, "INVITATION_OPEN");
  await page.reload();
  await ready(page);
  await page.click("#ask-again button");
  await saying(page, "Join SC Hollenbach 1912");
});

test("a link that opens nothing, and none at all, lead to the sign-in", async (t) => {
  const page = await opened(t, refusal(404, "INVITATION_UNKNOWN"));
  assert.equal(await heading(page), "This link opens nothing");
  await accessible(page, "invitation, unknown");
  await page.click("main .primary:visible");
  await page.waitForURL("**/magic/");
  const none = await shown(t, { path: "/invitation/", shifts: false });
  assert.equal(await heading(none), "This page needs the link from your mail");
  assert.deepEqual(await offered(none), ["Sign in by a mailed link"]);
  await accessible(none, "invitation, no link");
});

test("what may be otherwise later keeps the link", async (t) => {
  const page = await opened(t, standing("open"), { [ACCEPT]: refusal(409, "TENANT_SUSPENDED") });
  await page.click("#accept button");
  await saying(page, "suspended at the moment");
  page.answers[ACCEPT] = refusal(400, "SOMETHING_ELSE");
  await page.click("#accept button");
  await saying(page, "req_test");
  await accessible(page, "invitation, something went wrong");
  page.answers[ACCEPT] = "lost";
  await page.click("#accept button");
  page.answers[ACCEPT] = ok({ tenant: aClub() });
  await page.waitForURL("**/app/");
});

test("the language changes, and nothing is asked again", async (t) => {
  const page = await opened(t, standing("open"));
  await page.click("#languages [lang=de]");
  await page.waitForSelector("html[lang=de]");
  assert.equal(await heading(page), "SC Hollenbach 1912 beitreten");
  assert.equal(page.sent(LOOK).length, 1);
});

const CHOICE = ok({ choose: [{ tenantId: "tenant_1", slug: "a", name: NASTY, roles: ["tenant_admin"] }, { tenantId: "tenant_2", slug: "b", name: "Club 2", roles: ["owner"] }] });
const VERIFY = "/auth/magic/verify";

test("who belongs to several clubs chooses one, and the link is spent only then", async (t) => {
  const club = aClub({ id: "tenant_2", name: "Club 2" });
  const routes = {
    [VERIFY]: (request) => (request.postDataJSON().tenantId ? ok({ tenantId: "tenant_2", tenant: club }) : CHOICE),
    "/api/v1/tenants/tenant_2/provision-status": ok({ data: { status: "completed", plan: "pro", progress: 100, steps: [], warnings: [] } }),
  };
  const page = await shown(t, { path: "/magic/#token=link.secret", me: club, routes, ...PHONE, shifts: false });
  await page.click("#sign-in [type=submit]");
  await saying(page, "Which club?");
  assert.equal(await page.locator("img").count(), 0);
  assert.equal(await page.evaluate(() => document.activeElement.id), "magic-heading");
  await accessible(page, "the mailed link, a choice of clubs, 320 px");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/app/");
  await atScreen(page, "Club 2");
  assert.deepEqual(page.sent(VERIFY).map((request) => request.postDataJSON().tenantId), [undefined, "tenant_2"]);
});

test("a choice that comes too late offers another link", async (t) => {
  const page = await shown(t, { path: "/magic/#token=link.secret", routes: { [VERIFY]: CHOICE }, shifts: false });
  await page.click("#sign-in [type=submit]");
  await page.waitForSelector("#choose button");
  page.answers[VERIFY] = refusal(401, "INVALID_TOKEN");
  await page.click("#choose button");
  await page.waitForSelector("#fresh:not([hidden])");
  assert.equal(await page.locator("#choose").count(), 0);
});
