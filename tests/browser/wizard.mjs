// The signup page as a person uses it.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";

/** A club that nobody else has. */
export function aClub(over = {}) {
  const mark = randomBytes(4).toString("hex");
  return {
    mark,
    clubName: `Rovers ${mark}`,
    clubSlug: `rovers-${mark}`,
    email: `secretary-${mark}@example.org`,
    plan: "starter",
    webhookUrl: `https://hook.eu1.make.com/${mark}`,
    ...over,
  };
}

export const at = (page, step) => page.waitForSelector(`#${step}:not([hidden])`);
export const submit = (page, form) => page.click(`#${form} [type=submit]`);
export const invalid = (page, field) => page.waitForSelector(`#${field}[aria-invalid]`);
export const errorAt = (page, field) => page.textContent(`#${field}-error`);
export const noticeText = (page) => page.textContent("#notice .box:not([hidden]) #notice-text");

export async function fillClub(page, club) {
  await page.fill("#clubName", club.clubName);
  if (club.clubSlug) await page.fill("#clubSlug", club.clubSlug);
  await page.fill("#email", club.email);
  await page.check(`[name=plan][value=${club.plan}]`);
  if (club.promoCode) await page.fill("#promoCode", club.promoCode);
}

export async function createClub(page, club = aClub()) {
  await fillClub(page, club);
  await submit(page, "club-form");
  await at(page, "colours");
  return club;
}

export async function toConnect(page, club = aClub()) {
  await createClub(page, club);
  await submit(page, "colours-form");
  await at(page, "connect");
  return club;
}

export async function connect(page, club) {
  if (club.plan === "starter") {
    await page.fill("#webhookUrl", club.webhookUrl);
    await submit(page, "starter-form");
  } else {
    await submit(page, "pro-form");
  }
}

export async function toProgress(page, club = aClub()) {
  await toConnect(page, club);
  await connect(page, club);
  await at(page, "progress");
  return club;
}

/** The bodies and keys of the posts that made clubs. */
export const starts = (page) =>
  page
    .sent("/public/signup/start")
    .filter((r) => r.url().endsWith("/start"))
    .map((r) => ({ key: r.headers()["idempotency-key"], body: r.postData() }));

export function oneKey(page) {
  const keys = new Set(starts(page).map(({ key }) => key));
  assert.equal(keys.size, 1, "every attempt carries the same key");
  assert.ok([...keys][0]);
}

/** The id of the club that the page holds. */
export const tenantId = (page) => page.evaluate(() => JSON.parse(localStorage.getItem("tenantry.draft")).tenant?.id);
