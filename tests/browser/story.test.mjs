// The whole way, with nothing in the service's place: from the form to a second person who runs the club.

import assert from "node:assert/strict";
import test from "node:test";
import { accessible, mailTo, open, ready, visitor } from "./harness.mjs";
import { atScreen } from "./console.mjs";
import { aTenant, atConsole, toProgress } from "./wizard.mjs";

const INVITES = /https?:\/\/\S+(\/invitation\/#token=[^\s"<>]+)/;
const invitationLink = async (address) => (await mailTo(address, INVITES)).text.match(INVITES)[1];

test("signed up, proven, set up, and a second admin is let in by one press", async (t) => {
  const owner = await open(t, { shifts: false });
  const tenant = await toProgress(owner, aTenant({ plan: "pro" }));
  await atConsole(owner);
  const guest = `second-${tenant.mark}@example.org`;
  await owner.click(".tabs a[href='/app/team']");
  await atScreen(owner, "Team");
  await owner.click("text=Invite somebody");
  await owner.fill("#email", guest);
  await owner.fill("#message", "Please help us.");
  await owner.click("dialog .primary");
  await owner.waitForFunction((to) => document.querySelector("main .state")?.textContent.includes(to), guest);
  await owner.waitForSelector(".rows .quote");
  await accessible(owner, "story: invited");

  const { context } = await visitor(t, { viewport: { width: 320, height: 568 }, shifts: false });
  const phone = await context.newPage();
  await phone.goto(await invitationLink(guest));
  await ready(phone);
  assert.equal(await phone.textContent("h1"), `Join ${tenant.clubName}`);
  await accessible(phone, "story: the invitation, 320 px");
  await phone.click("#accept button");
  await phone.waitForURL("**/app/");
  await atScreen(phone, tenant.clubName);
  await phone.click(".tabs a[href='/app/team']");
  await phone.waitForFunction(() => document.querySelectorAll(".rows li").length === 2);
  assert.equal(await phone.locator("summary").count(), 1, "an admin decides for nobody else");
  await accessible(phone, "story: the second admin's team, 320 px");

  await owner.reload();
  await owner.waitForFunction(() => document.querySelectorAll(".rows li").length === 2);
  assert.match(await owner.textContent("main"), new RegExp(guest));
  await owner.locator(".rows li").nth(1).locator("summary").click();
  await owner.locator("text=Remove").last().click();
  await owner.click("dialog .bad");
  await owner.waitForFunction(() => document.querySelectorAll(".rows li").length === 1);

  // Who was removed is out at once, wherever they are.
  await phone.click(".tabs a[href='/app/activity']");
  await phone.waitForURL("**/magic/");
});
