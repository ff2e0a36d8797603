// The console's screens of the team, the webhook, the settings and one's clubs: every state of each, every deed, and every refusal in words.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { accessible, ready } from "./harness.mjs";
import { aClub, anEvent, atScreen, ok, refusal, shown } from "./console.mjs";

const PHONE = { viewport: { width: 320, height: 568 } };
const CLUB = "/api/v1/tenants/tenant_1";
const ME = "/api/v1/tenants/me";
const MEMBERS = `${CLUB}/members`;
const INVITATIONS = `${CLUB}/invitations`;
const TRANSFER = `${CLUB}/ownership/transfer`;
const DELIVERIES = `${CLUB}/webhook/deliveries`;
const SESSIONS = `${ME}/sessions`;
const MEMBERSHIPS = `${ME}/memberships`;
const MAKE = "/public/signup/starter/make";
const NASTY = `<img src=x onerror=alert(1)> ${"Sport- und Freizeitverein ".repeat(3)}ממתק`;

const ago = (hours) => new Date(Date.now() - hours * 3_600_000).toISOString();
const OWNER = ["tenant_admin", "owner"];
const ADMIN = ["tenant_admin"];

const aMember = (n, over = {}) => ({ userId: `user_${n}`, email: `person${n}@example.org`, name: null, roles: ADMIN, status: "active", primary: false, self: false, joinedAt: ago(300), lastSignInAt: ago(n * 30), ...over });
const me = (over = {}) => aMember(1, { roles: OWNER, self: true, primary: true, ...over });
const anInvitation = (n, over = {}) => ({ id: `inv_${n}`, email: `guest${n}@example.org`, role: "tenant_admin", state: "open", message: null, invitedBy: { userId: "user_1", email: "person1@example.org" }, expiresAt: ago(-90), createdAt: ago(70), mails: 1, ...over });
const aTransfer = (over = {}) => ({ userId: "user_2", email: "person2@example.org", expiresAt: ago(-60), toMe: false, byMe: true, ...over });
const aTeam = (members, invitations = [], transfer) => ok({ members, invitations, ...(transfer && { transfer }) });
const two = aTeam([me(), aMember(2)]);
const crowd = aTeam(
  [me({ name: NASTY }), ...Array.from({ length: 12 }, (_, n) => aMember(n + 2, { lastSignInAt: n % 3 ? ago(n) : null, roles: n % 2 ? OWNER : ADMIN }))],
  Array.from({ length: 8 }, (_, n) => anInvitation(n, { state: n % 2 ? "expired" : "open", role: n % 3 ? "owner" : "tenant_admin", message: n ? null : `${NASTY}\n${"x".repeat(80)}`, ...(n === 3 && { invitedBy: undefined }) })),
  aTransfer(),
);

const aWebhook = (over = {}) => ({ host: "hook.eu1.make.com", health: "working", validatedAt: ago(40), failingSince: null, disabledAt: null, disabledReason: null, previousSecretUntil: null, ...over });
const aDelivery = (n, over = {}) => ({ id: `evt_${n}`, type: "member.joined", status: ["delivered", "failed", "pending", "cancelled"][n % 4], attempts: (n % 3) + 1, lastStatus: 200, lastError: null, nextAttemptAt: null, createdAt: ago(n + 1), settledAt: null, ...over });
const deliveries = Array.from({ length: 20 }, (_, n) => aDelivery(n));
const details = { ...aDelivery(0), attempts: [{ at: ago(3), status: 503, ms: 40 }, { at: ago(2), status: null, error: "TIMEOUT", ms: 10_000 }, { at: ago(1), status: 200, ms: 31 }], payload: { type: "member.joined", data: { text: NASTY, long: "x".repeat(200) } }, nextAttemptAt: ago(-1) };
const starter = (webhook = {}) => ({ plan: "starter", spreadsheet: undefined, webhook: webhook && aWebhook(webhook) });
const sent = (data = [], nextCursor = null) => ({ [DELIVERIES]: ok({ data, nextCursor }) });

const aSession = (n, over = {}) => ({ id: `ses_${n}`, current: n === 0, how: ["link", "code", "proof"][n % 3], credential: "cookie", browser: ["firefox", "chrome", "unknown"][n % 3], platform: ["mac", "android", "unknown"][n % 3], createdAt: ago(n * 20 + 1), lastSeenAt: ago(n), expiresAt: ago(-100), ...over });
const settings = (over = {}) => ({ [MEMBERS]: two, [SESSIONS]: ok({ data: [aSession(0)], nextCursor: null }), ...over });
const ofMine = (n, over = {}) => ({ tenantId: `tenant_${n}`, slug: `club-${n}`, name: `Club ${n}`, status: "trial", roles: n % 2 ? OWNER : ADMIN, current: n === 1, ...over });
const clubs = (...memberships) => ({ [MEMBERSHIPS]: ok({ memberships }) });

/** Every screen in every state: how it is opened, what is there then, and what is pressed first, in the page's language. */
const STATES = {
  "team, alone": [{ path: "/app/team", routes: { [MEMBERS]: aTeam([me()]) } }, ".rows li"],
  "team, many": [{ path: "/app/team", routes: { [MEMBERS]: crowd } }, ".rows .quote"],
  "team, offered to me": [{ path: "/app/team", routes: { [MEMBERS]: aTeam([me({ roles: ADMIN }), aMember(2, { roles: OWNER })], [anInvitation(1, { role: "owner" })], aTransfer({ toMe: true, byMe: false })) } }, ".card[data-tone=warn]"],
  "team, all deeds": [{ path: "/app/team", routes: { [MEMBERS]: crowd } }, ".rows .quote", (page) => page.evaluate(() => { for (const node of document.querySelectorAll("details")) node.open = true; })],
  "team, inviting": [{ path: "/app/team", routes: { [MEMBERS]: two } }, ".rows li", (page) => page.click("main .primary")],
  "team, asked before a deed": [{ path: "/app/team", routes: { [MEMBERS]: two } }, ".rows li", (page) => pressDeed(page, 1, -1)],
  "team, on its way": [{ path: "/app/team", routes: { [MEMBERS]: "held" } }, ".loading"],
  "team, failed": [{ path: "/app/team", routes: { [MEMBERS]: refusal(503, "STORE_UNAVAILABLE") } }, ".empty[role=alert]"],
  "team, lost": [{ path: "/app/team", routes: { [MEMBERS]: "lost" } }, ".empty[role=alert]"],
  "webhook, nothing sent": [{ path: "/app/webhook", me: starter(), routes: sent() }, ".empty"],
  "webhook, many sent, switched off": [{ path: "/app/webhook", me: starter({ disabledAt: ago(5), previousSecretUntil: ago(-5) }), routes: sent(deliveries, "next one") }, ".rows li"],
  "webhook, failing": [{ path: "/app/webhook", me: starter({ failingSince: ago(5) }), routes: sent([aDelivery(1)]) }, ".rows li"],
  "webhook, untested": [{ path: "/app/webhook", me: starter({ validatedAt: null }), routes: sent([aDelivery(1)]) }, ".rows li"],
  "webhook, none": [{ path: "/app/webhook", me: starter(null) }, ".empty"],
  "webhook, one opened": [{ path: "/app/webhook", me: starter(), routes: { ...sent([aDelivery(0)]), [`${DELIVERIES}/evt_0`]: ok({ delivery: details }) } }, ".rows li", (page) => page.click("summary").then(() => page.waitForSelector("pre"))],
  "webhook, another one": [{ path: "/app/webhook", me: starter(), routes: sent() }, ".empty", (page) => page.locator("section").nth(1).locator("button").first().click()],
  "webhook, on its way": [{ path: "/app/webhook", me: starter(), routes: { [DELIVERIES]: "held" } }, ".loading"],
  "webhook, failed": [{ path: "/app/webhook", me: starter(), routes: { [DELIVERIES]: refusal(500, "INTERNAL") } }, ".empty[role=alert]"],
  "settings, one signed in": [{ path: "/app/settings", routes: settings() }, ".rows li"],
  "settings, many signed in, a nasty name": [{ path: "/app/settings", me: { name: NASTY, membersUrl: `https://members.example.org/${"x".repeat(100)}` }, routes: settings({ [SESSIONS]: ok({ data: Array.from({ length: 12 }, (_, n) => aSession(n)), nextCursor: "next one" }) }) }, ".rows li"],
  "settings, no colours": [{ path: "/app/settings", me: { brand: { primaryColor: null, secondaryColor: null }, address: null }, routes: settings() }, ".rows li"],
  "settings, everywhere": [{ path: "/app/settings", routes: settings() }, ".rows li", (page) => page.locator("button.bad").last().click()],
  "settings, on their way": [{ path: "/app/settings", routes: settings({ [SESSIONS]: "held", [MEMBERS]: "held" }) }, ".loading"],
  "settings, failed": [{ path: "/app/settings", routes: settings({ [SESSIONS]: "lost", [MEMBERS]: refusal(500, "INTERNAL") }) }, ".empty[role=alert]"],
  "clubs, one": [{ path: "/app/clubs", routes: clubs(ofMine(1)) }, ".rows li"],
  "clubs, many": [{ path: "/app/clubs", routes: clubs(ofMine(1), ofMine(2, { name: NASTY }), ...[3, 4, 5, 6, 7].map((n) => ofMine(n))) }, ".rows li"],
  "clubs, on their way": [{ path: "/app/clubs", routes: { [MEMBERSHIPS]: "held" } }, ".loading"],
  "clubs, failed": [{ path: "/app/clubs", routes: { [MEMBERSHIPS]: refusal(500, "INTERNAL") } }, ".empty[role=alert]"],
};

const LOOKS = {
  "320 px, dark, German": { ...PHONE, colorScheme: "dark", locale: "de-DE" },
  "1280 px, light": {},
};

for (const [look, options] of Object.entries(LOOKS)) {
  test(`every state of these screens fits and reads: ${look}`, async (t) => {
    for (const [state, [how, there, act]] of Object.entries(STATES)) {
      const page = await shown(t, { ...how, ...options });
      await page.waitForSelector(`main ${there}`);
      await act?.(page);
      await accessible(page, `console: ${state} (${look})`);
      assert.equal(await page.locator("img").count(), 0, state);
      assert.ok(!/NaN|undefined|\[object/.test(await page.textContent("main")), state);
      await page.close();
    }
  });
}

/** Presses what can be done to the `n`th of the people, the `at`th of it. */
async function pressDeed(page, n, at) {
  await page.locator(".rows li").nth(n).locator("summary").click();
  await page.locator(".rows li").nth(n).locator("details button").nth(at).click();
  await page.waitForSelector("dialog[open]");
}

const bodyOf = (request) => request.postDataJSON();
const sentTo = (page, method, path) => page.sent(path).filter((request) => request.method() === method && new URL(request.url()).pathname === path);
const saying = (page, text) => page.waitForFunction((part) => document.querySelector("main").textContent.includes(part), text);
const problem = (page) => page.waitForSelector(".problem:not(:empty)").then((node) => node.textContent());

const team = (t, body, more = {}, options = {}) => shown(t, { path: "/app/team", routes: { [MEMBERS]: body, ...more }, ...options });

test("somebody is invited: the mail, the list, and the same person again", async (t) => {
  const page = await team(t, aTeam([me()]), { [INVITATIONS]: () => ({ ...ok({ invitation: anInvitation(1) }), status: 201 }) }, { shifts: false });
  await page.click("text=Invite somebody");
  await page.click("dialog .primary");
  assert.match(await page.textContent("dialog .error:not(:empty)"), /missing/);
  assert.equal(await page.evaluate(() => document.activeElement.id), "email");
  await page.fill("#email", " guest1@example.org ");
  await page.check("input[value=owner]");
  await page.fill("#message", "Please help.");
  page.answers[MEMBERS] = aTeam([me()], [anInvitation(1, { role: "owner" })]);
  await page.click("dialog .primary");
  await saying(page, "An invitation is on its way to guest1@example.org");
  assert.deepEqual(bodyOf(sentTo(page, "POST", INVITATIONS)[0]), { email: "guest1@example.org", role: "owner", message: "Please help." });
  assert.equal(await page.locator("dialog").count(), 0);
  await saying(page, "Invited until");
  page.answers[INVITATIONS] = ok({ invitation: anInvitation(1) });
  await page.click("text=Invite somebody");
  await page.fill("#email", "guest1@example.org");
  await page.click("dialog .primary");
  await saying(page, "was invited already. We sent the mail again");
});

test("what an invitation is refused for is said in words, and what was typed stays", async (t) => {
  const page = await team(t, two, {}, { shifts: false });
  await page.click("text=Invite somebody");
  await page.fill("#email", "guest1@example.org");
  for (const [answer, words] of [
    [refusal(409, "ALREADY_MEMBER"), /runs the club already/],
    [refusal(409, "TOO_MANY_INVITATIONS"), /20 invitations are open/],
    [{ ...refusal(429, "RATE_LIMITED"), headers: { "retry-after": "300" } }, /Too many attempts.*\d\d:\d\d/],
    [{ ...refusal(429, "RATE_LIMITED"), headers: { "retry-after": "80000" } }, /Too many attempts.*20\d\d.*\d\d:\d\d/],
    [refusal(403, "FORBIDDEN", { reason: "role_mismatch" }), /You may not do this/],
    [refusal(500, "INTERNAL"), /could not reach the service/],
    ["lost", /could not reach the service/],
  ]) {
    page.answers[INVITATIONS] = answer;
    await page.click("dialog .primary");
    await page.waitForFunction((source) => new RegExp(source).test(document.querySelector("dialog .problem").textContent), words.source);
    assert.equal(await page.inputValue("#email"), "guest1@example.org");
  }
  page.answers[INVITATIONS] = refusal(400, "VALIDATION", { issues: [{ path: ["email"], code: "invalid_email", message: "No." }] });
  await page.click("dialog .primary");
  await saying(page, "This is no e-mail address");
  assert.equal(await page.evaluate(() => document.activeElement.id), "email");
  await accessible(page, "console: an invitation was refused");
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog", { state: "detached" });
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Invite somebody", "the focus is where it was");
});

test("an invitation is sent again, and taken back after a question", async (t) => {
  const page = await team(t, aTeam([me()], [anInvitation(1, { state: "expired" })]), { [`${INVITATIONS}/inv_1/resend`]: ok({ invitation: anInvitation(1) }), [`${INVITATIONS}/inv_1`]: ok({ invitation: anInvitation(1, { state: "revoked" }) }) }, { shifts: false });
  await page.click("text=Send again");
  await saying(page, "The link in the earlier one no longer works");
  page.answers[`${INVITATIONS}/inv_1/resend`] = { ...refusal(429, "RATE_LIMITED"), headers: { "retry-after": "200" } };
  await page.click("text=Send again");
  assert.match(await problem(page), /Too many attempts/);
  for (const [code, words] of [["INVITATION_USED", /accepted in the meantime/], ["INVITATION_REVOKED", /taken back in the meantime/]]) {
    page.answers[`${INVITATIONS}/inv_1/resend`] = refusal(409, code);
    await page.click("text=Send again");
    await page.waitForFunction((source) => new RegExp(source).test(document.querySelector(".problem").textContent), words.source);
  }
  await page.click("text=Take back");
  await page.click("dialog >> text=Cancel");
  assert.equal(sentTo(page, "DELETE", `${INVITATIONS}/inv_1`).length, 0);
  await page.click("text=Take back");
  page.answers[MEMBERS] = aTeam([me()]);
  await page.click("dialog .bad");
  await saying(page, "was taken back");
  assert.equal(sentTo(page, "DELETE", `${INVITATIONS}/inv_1`).length, 1);
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "H1", "the button is gone: the focus is at the heading");
});

const person = `${MEMBERS}/user_2`;

for (const [name, body, n, at, path, method, wanted, words] of [
  ["an admin becomes an owner", two, 1, 0, person, "PATCH", { roles: OWNER }, "is an owner now"],
  ["an owner becomes an admin", aTeam([me(), aMember(2, { roles: OWNER })]), 1, 0, person, "PATCH", { roles: ADMIN }, "is an admin now"],
  ["one stops being an owner oneself", two, 0, 0, `${MEMBERS}/user_1`, "PATCH", { roles: ADMIN }, "You are an admin now"],
  ["somebody is removed", two, 1, -1, person, "DELETE", null, "was removed"],
  ["the club is offered", two, 1, 1, TRANSFER, "POST", { userId: "user_2" }, "Until they accept, nothing changes"],
]) {
  test(`${name}, after a question`, async (t) => {
    const page = await team(t, body, {}, { shifts: false });
    page.answers[path] = path === TRANSFER ? { ...ok({ transfer: aTransfer() }), status: 201 } : ok({ member: aMember(2) });
    await pressDeed(page, n, at);
    assert.equal(sentTo(page, method, path).length, 0, "nothing before the answer");
    await page.click("dialog button >> nth=0");
    await saying(page, words);
    assert.deepEqual(bodyOf(sentTo(page, method, path)[0]), wanted);
    assert.equal(await page.locator("dialog").count(), 0);
  });
}

test("the last owner stays one, and whoever is gone already is said to be", async (t) => {
  const page = await team(t, two, { [`${MEMBERS}/me/leave`]: refusal(409, "LAST_OWNER"), [person]: refusal(404, "MEMBER_NOT_FOUND") }, { shifts: false });
  await pressDeed(page, 0, -1);
  await page.click("dialog .bad");
  assert.match(await problem(page), /no owner any more/);
  await accessible(page, "console: the last owner");
  await page.click("dialog >> text=Cancel");
  await pressDeed(page, 1, -1);
  await page.click("dialog .bad");
  assert.match(await problem(page), /no longer in the club/);
});

test("who leaves is at the sign-in", async (t) => {
  const page = await team(t, aTeam([me({ roles: ADMIN }), aMember(2, { roles: OWNER })]), { [`${MEMBERS}/me/leave`]: ok({}) }, { shifts: false });
  await page.waitForSelector(".rows li");
  assert.equal(await page.locator("summary").count(), 1, "an admin decides for nobody else");
  await pressDeed(page, 0, 0);
  await page.click("dialog .bad");
  await page.waitForURL("**/magic/");
});

test("an offer of the club is accepted, declined, taken back, or too old", async (t) => {
  const offered = aTeam([me({ roles: ADMIN }), aMember(2, { roles: OWNER })], [], aTransfer({ userId: "user_1", toMe: true, byMe: false }));
  const page = await team(t, offered, { [`${TRANSFER}/accept`]: refusal(409, "TRANSFER_EXPIRED"), [TRANSFER]: ok({}) }, { shifts: false });
  await page.click("text=Take the club over");
  await page.click("dialog .primary");
  assert.match(await problem(page), /too old/);
  page.answers[`${TRANSFER}/accept`] = ok({});
  page.answers[MEMBERS] = aTeam([me(), aMember(2)]);
  await page.click("dialog .primary");
  await saying(page, "You are an owner of the club now");
  page.answers[MEMBERS] = offered;
  await page.reload();
  await page.click("text=Decline");
  await page.click("dialog .bad");
  await saying(page, "You have declined");
  page.answers[MEMBERS] = aTeam([me(), aMember(2)], [], aTransfer());
  await page.reload();
  await saying(page, "The club is being handed over");
  await page.locator(".rows li").nth(1).locator("summary").click();
  assert.equal(await page.locator("text=Hand the club over").count(), 0, "one offer at a time");
  await page.click("text=Take the offer back");
  await page.click("dialog .bad");
  await saying(page, "The offer was taken back");
  assert.equal(sentTo(page, "DELETE", TRANSFER).length, 2);
});

test("the keyboard is enough to invite and to remove", async (t) => {
  const page = await team(t, two, { [person]: ok({}), [INVITATIONS]: { ...ok({ invitation: anInvitation(1) }), status: 201 } }, { shifts: false });
  const tabTo = async (text) => {
    for (let presses = 0; presses < 30; presses++) {
      await page.keyboard.press("Tab");
      const focused = await page.evaluate(() => document.activeElement.textContent.trim() || document.activeElement.id);
      if (focused.startsWith(text)) return;
    }
    assert.fail(`Tab never reached ${text}`);
  };
  await page.waitForSelector(".rows li");
  await page.locator("summary").nth(1).focus();
  await page.keyboard.press("Enter");
  await tabTo("Remove");
  await page.keyboard.press("Enter");
  await page.waitForSelector("dialog[open]");
  await tabTo("Remove");
  page.answers[MEMBERS] = aTeam([me()]);
  await page.keyboard.press("Enter");
  await saying(page, "was removed");
  await tabTo("Invite");
  await page.keyboard.press("Enter");
  await page.waitForSelector("dialog[open]");
  await tabTo("email");
  await page.keyboard.type("guest1@example.org");
  await page.keyboard.press("Enter");
  await saying(page, "is on its way");
});

test("the webhook is tested, and what came of it is said", async (t) => {
  const page = await shown(t, { path: "/app/webhook", me: starter(), routes: { ...sent(), [`${CLUB}/webhook/test`]: ok({ data: { delivered: true, status: 200, ms: 31, reason: null } }) }, shifts: false });
  await page.click("text=Send a test");
  await saying(page, "It took the test: 200, after 31 ms");
  for (const [answer, words] of [
    [ok({ data: { delivered: false, status: 404, ms: 9, reason: "no" } }), "It refused the test with 404"],
    [ok({ data: { delivered: false, status: null, ms: null, reason: "no" } }), "It did not answer"],
    [refusal(409, "NO_WEBHOOK"), "switched off"],
    [{ ...refusal(429, "RATE_LIMITED"), headers: { "retry-after": "60" } }, "Too many attempts"],
  ]) {
    page.answers[`${CLUB}/webhook/test`] = answer;
    await page.click("text=Send a test");
    await saying(page, words);
  }
});

test("another webhook is stored: what is wrong stands at its field, what came of it is said", async (t) => {
  const page = await shown(t, { path: "/app/webhook", me: starter(), routes: sent(), shifts: false });
  await page.click("text=Enter another one");
  await page.click("text=Store and test");
  await saying(page, "This is missing");
  await page.fill("#webhookUrl", "https://example.org/");
  await page.fill("#webhookSecret", "0123456789abcdef");
  page.answers[MAKE] = refusal(400, "INVALID_WEBHOOK_HOST");
  await page.click("text=Store and test");
  assert.match(await problem(page), /no address at Make/);
  page.answers[MAKE] = refusal(400, "VALIDATION", { issues: [{ path: ["webhookSecret"], code: "too_short", message: "No." }] });
  await page.click("text=Store and test");
  await saying(page, "at least 16 characters, or");
  assert.equal(await page.evaluate(() => document.activeElement.id), "webhookSecret");
  await accessible(page, "console: another webhook was refused");
  page.answers[MAKE] = ok({ data: { changed: true, status: "completed", message: "", runId: null, webhook: { host: "hook.us1.make.com", changed: true, previousSecretUntil: ago(-24), test: { delivered: false, status: 410, ms: 3, reason: "gone" } } } });
  page.answers[ME] = ok({ data: aClub(starter({ host: "hook.us1.make.com", previousSecretUntil: ago(-24) })) });
  await page.fill("#webhookUrl", "https://hook.us1.make.com/abc");
  await page.click("text=Store and test");
  await saying(page, "Stored: hook.us1.make.com");
  await saying(page, "It refused the test with 410");
  await saying(page, "Both secrets sign until");
  assert.deepEqual(bodyOf(sentTo(page, "POST", MAKE).at(-1)), { webhookUrl: "https://hook.us1.make.com/abc", webhookSecret: "0123456789abcdef" });
});

test("a new secret is shown once, to be copied", async (t) => {
  const secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
  const page = await shown(t, { ...PHONE, path: "/app/webhook", me: starter(), routes: { ...sent(), [`${CLUB}/webhook/secret`]: ok({ secret }) }, shifts: false });
  await page.click("text=New secret");
  await accessible(page, "console: asked for a new secret");
  await page.click("dialog .primary");
  await saying(page, secret);
  await accessible(page, "console: a new secret");
  await page.click("text=I have stored it");
  assert.ok(!(await page.content()).includes(secret));
  await page.reload();
  await page.waitForSelector(".empty");
  assert.ok(!(await page.content()).includes(secret));
  assert.ok(!(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))).includes(secret), "it is kept nowhere");
});

test("deliveries: more of them, every attempt of one, what is sent, and once more", async (t) => {
  const page = await shown(t, {
    path: "/app/webhook",
    me: starter(),
    routes: {
      [DELIVERIES]: (request) => (request.url().includes("cursor=") ? ok({ data: [aDelivery(19), aDelivery(20)], nextCursor: null }) : ok({ data: deliveries, nextCursor: "next one" })),
      [`${DELIVERIES}/evt_0`]: ok({ delivery: details }),
      [`${DELIVERIES}/evt_0/redeliver`]: refusal(409, "NO_WEBHOOK"),
    },
    shifts: false,
  });
  await page.click("text=Show earlier ones");
  await page.waitForFunction(() => document.querySelectorAll(".rows li").length === 21);
  assert.equal(page.sent("/evt_0").length, 0, "one is asked for when it is opened");
  await page.click("summary");
  await page.waitForSelector("pre");
  assert.match(await page.textContent(".points"), /answered 503 \(40 ms\).*no answer \(10000 ms\).*answered 200/s);
  assert.ok((await page.textContent("pre")).includes(JSON.stringify(NASTY)));
  await page.click("text=Send again");
  assert.match(await problem(page), /Send it a test first/);
  page.answers[`${DELIVERIES}/evt_0/redeliver`] = ok({ data: aDelivery(0, { status: "pending" }) });
  await page.click("text=Send again");
  await page.waitForFunction(() => document.getElementById("live").textContent === "It is on its way.");
});

test("settings: only what was changed is sent, and the colours are shown before they count", async (t) => {
  const page = await shown(t, { path: "/app/settings", routes: settings(), shifts: false });
  await page.fill("#primaryColor", "#ffe14d");
  const preview = await page.evaluate(() => document.querySelector(".preview").style.getPropertyValue("--club"));
  assert.equal(preview, "#ffe14d");
  assert.equal(await page.evaluate(() => document.documentElement.style.getPropertyValue("--club")), "#8b1e3f", "the club's own stay until it is saved");
  await page.fill("#membersUrl", "members.example.org");
  page.answers[ME] = (request) =>
    request.method() === "PATCH" ? refusal(400, "VALIDATION", { issues: [{ path: ["membersUrl"], code: "invalid_url", message: "No." }] }) : ok({ data: aClub() });
  await page.click("text=Save");
  await saying(page, "a whole address that everybody can open");
  assert.equal(await page.evaluate(() => document.activeElement.id), "membersUrl");
  await page.fill("#membersUrl", "https://members.example.org/");
  await page.selectOption("#language", "de");
  const stored = aClub({ brand: { primaryColor: "#ffe14d", secondaryColor: "#7ec8e3" }, language: "de", membersUrl: "https://members.example.org/" });
  page.answers[ME] = ok({ data: stored });
  await page.click("text=Save");
  await saying(page, "Saved.");
  assert.deepEqual(bodyOf(sentTo(page, "PATCH", ME).at(-1)), { brand: { primaryColor: "#ffe14d" }, language: "de", membersUrl: "https://members.example.org/" });
  assert.equal(await page.evaluate(() => document.documentElement.style.getPropertyValue("--club")), "#ffe14d");
  await page.fill("#membersUrl", "");
  await page.fill("#name", "Another name");
  page.answers[ME] = ok({ data: { ...stored, name: "Another name", membersUrl: null } });
  await page.click("text=Save");
  await page.waitForFunction(() => document.querySelector(".bar strong").textContent === "Another name");
  assert.deepEqual(bodyOf(sentTo(page, "PATCH", ME).at(-1)), { name: "Another name", membersUrl: null });
  const before = sentTo(page, "PATCH", ME).length;
  await page.click("text=Save");
  await saying(page, "Saved.");
  assert.equal(sentTo(page, "PATCH", ME).length, before, "nothing was changed: nothing is sent");
});

test("one's own address waits for its confirmation, also after a reload, until it counts", async (t) => {
  const path = `${MEMBERS}/me/email`;
  const page = await shown(t, { path: "/app/settings", routes: settings({ [path]: refusal(409, "EMAIL_UNCHANGED") }), shifts: false });
  await page.fill("#email", "person1@example.org");
  await page.click("text=Mail the link");
  assert.match(await problem(page), /your address already/);
  page.answers[path] = { status: 202, body: { success: true, pending: { email: "new@example.org", expiresAt: ago(-24) } } };
  await page.fill("#email", "new@example.org");
  await page.click("text=Mail the link");
  await saying(page, "We mailed a link to new@example.org");
  await page.reload();
  await saying(page, "We mailed a link to new@example.org");
  page.answers[MEMBERS] = aTeam([me({ email: "new@example.org" })]);
  await page.reload();
  await saying(page, "new@example.org");
  await page.waitForSelector(".rows li");
  assert.equal(await page.locator("text=We mailed a link").count(), 0);
});

test("a sign-in is ended after a question, and all of them", async (t) => {
  const both = ok({ data: [aSession(0), aSession(1)], nextCursor: null });
  const page = await shown(t, { path: "/app/settings", routes: settings({ [SESSIONS]: both, [`${SESSIONS}/ses_1`]: refusal(404, "SESSION_NOT_FOUND") }), shifts: false });
  await page.click(".rows button");
  await page.click("dialog .bad");
  assert.match(await problem(page), /ended already/);
  page.answers[`${SESSIONS}/ses_1`] = ok({});
  page.answers[SESSIONS] = ok({ data: [aSession(0)], nextCursor: null });
  await page.click("dialog .bad");
  await page.waitForFunction(() => document.querySelectorAll(".rows li").length === 1);
  await page.click("text=Sign out everywhere");
  await page.click("dialog .bad");
  await page.waitForURL("**/magic/");
  assert.deepEqual(bodyOf(sentTo(page, "POST", "/auth/logout")[0]), { all: true });
});

test("from one club to another, and not into one that one no longer belongs to", async (t) => {
  const page = await shown(t, { routes: { ...clubs(ofMine(1), ofMine(2)), "/auth/switch": refusal(403, "FORBIDDEN", { reason: "tenant_mismatch" }) }, shifts: false });
  assert.equal(page.sent(MEMBERSHIPS).length, 0, "asked for when somebody looks");
  await page.click("text=Your clubs");
  await atScreen(page, "Your clubs");
  await page.click(".rows button");
  assert.match(await problem(page), /You may not do this/);
  page.answers["/auth/switch"] = ok({ tenantId: "tenant_2" });
  page.answers[ME] = ok({ data: aClub({ id: "tenant_2", name: "Club 2" }) });
  page.answers["/api/v1/tenants/tenant_2/provision-status"] = page.answers[`${CLUB}/provision-status`];
  await page.click(".rows button");
  await page.waitForURL("**/app/");
  await atScreen(page, "Club 2");
  assert.deepEqual(bodyOf(page.sent("/auth/switch").at(-1)), { tenantId: "tenant_2", session: true });
});

test("what happened names who did it, as long as they are in the team", async (t) => {
  const events = [anEvent("member.invited", { invitation: "inv_1", role: "owner", by: "user_1" }), anEvent("member.removed", { user: "user_9", by: "user_9" }), anEvent("session.started", { how: "invitation", browser: "firefox" })];
  const page = await shown(t, { path: "/app/activity", events, routes: { [MEMBERS]: two }, shifts: false });
  await saying(page, "person1@example.org");
  assert.match(await page.textContent("main"), /An invitation was sent.*left the team.*by an invitation, with Firefox/s);
  assert.ok(!(await page.textContent("main")).includes("user_9"));
});

test("offline and signed out in the middle: nothing is lost, and the way back is to the same screen", async (t) => {
  for (const [path, resource, own] of [
    ["/app/team", MEMBERS, { routes: { [MEMBERS]: two } }],
    ["/app/webhook", DELIVERIES, { me: starter(), routes: sent([aDelivery(1)]) }],
    ["/app/settings", SESSIONS, { routes: settings() }],
    ["/app/clubs", MEMBERSHIPS, { routes: clubs(ofMine(1)) }],
  ]) {
    const page = await shown(t, { path, ...own, shifts: false });
    await page.waitForSelector(".rows li");
    await page.context().setOffline(true);
    await page.waitForSelector(".banner p");
    assert.ok(await page.isVisible(".rows li"), "what was shown stays");
    await page.context().setOffline(false);
    await page.waitForSelector(".banner p", { state: "detached" });
    page.answers[resource] = refusal(401, "UNAUTHORIZED");
    await page.reload();
    await page.waitForURL("**/magic/");
    await ready(page);
    assert.equal(await page.evaluate(() => JSON.parse(localStorage.getItem("tenantry.back")).path), path);
    await page.close();
  }
});

test("opening the console at any of these screens costs 40 KB, in one language", async (t) => {
  const PUBLIC = new URL("../../public/", import.meta.url);
  for (const [name, own] of Object.entries({ team: { routes: { [MEMBERS]: two } }, webhook: { me: starter(), routes: sent() }, settings: { routes: settings() }, clubs: { routes: clubs(ofMine(1)) } })) {
    for (const locale of ["en-GB", "de-DE"]) {
      const page = await shown(t, { path: `/app/${name}`, locale, ...own });
      await page.waitForSelector("main .card, main .empty");
      const fetched = await page.evaluate(() => performance.getEntriesByType("resource").map(({ name: url }) => new URL(url).pathname));
      const files = ["app/index.html", ...new Set(fetched.filter((path) => /\.(js|css)$/.test(path)).map((path) => path.slice(1)))];
      const bytes = files.map((file) => gzipSync(readFileSync(new URL(file, PUBLIC)), { level: 9 }).length).reduce((a, b) => a + b);
      t.diagnostic(`/app/${name}, ${locale}: ${files.length} files, ${bytes} bytes gzipped`);
      assert.ok(bytes <= 40_000, `${name}: ${bytes} bytes`);
      await page.close();
    }
  }
});
