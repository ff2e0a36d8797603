// The signup page as a person uses it.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { codeIn, mailTo } from "./harness.mjs";

/** A tenant that nobody else has. */
export function aTenant(over = {}) {
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

export async function fillTenant(page, tenant) {
  await page.fill("#clubName", tenant.clubName);
  if (tenant.clubSlug) await page.fill("#clubSlug", tenant.clubSlug);
  await page.fill("#email", tenant.email);
  await page.check(`[name=plan][value=${tenant.plan}]`);
  if (tenant.promoCode) await page.fill("#promoCode", tenant.promoCode);
}

export const proofIs = (page, view) => page.waitForSelector(`#proof[data-view=${view}]:not([hidden])`);
export const codeFor = async (email) => codeIn(await mailTo(email, /\/proof\/#token=/));

/** Types the code that was mailed. */
export async function prove(page, { email }) {
  await proofIs(page, "code");
  await page.fill("#proofCode", await codeFor(email));
  await proofIs(page, "proven");
}

/** Sends the form: the address is not proven then. */
export async function createUnproven(page, tenant = aTenant()) {
  await fillTenant(page, tenant);
  await submit(page, "club-form");
  await at(page, "colours");
  return tenant;
}

export async function createTenant(page, tenant = aTenant()) {
  await createUnproven(page, tenant);
  await prove(page, tenant);
  return tenant;
}

export async function toConnect(page, tenant = aTenant()) {
  await createTenant(page, tenant);
  await submit(page, "colours-form");
  await at(page, "connect");
  return tenant;
}

export async function connect(page, tenant) {
  if (tenant.plan === "starter") {
    await page.fill("#webhookUrl", tenant.webhookUrl);
    await submit(page, "starter-form");
  } else {
    await submit(page, "pro-form");
  }
}

export async function toProgress(page, tenant = aTenant()) {
  await toConnect(page, tenant);
  await connect(page, tenant);
  await at(page, "progress");
  return tenant;
}

/** The bodies and keys of the posts that made tenants. */
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

/** The id of the tenant that the page holds. */
export const tenantId = (page) => page.evaluate(() => JSON.parse(localStorage.getItem("tenantry.draft")).tenant?.id);
