// Takes the README's pictures of the signup page from the running service: `node tests/browser/record.mjs`, with the
// variables of harness.mjs. The form in both themes, then the flow on a phone, step by step.

import { mkdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { baseUrl, FLAGS, sandbox } from "./harness.mjs";
import { at, connect, fillTenant, prove, submit } from "./wizard.mjs";

const SHOTS = new URL("shots/", import.meta.url);
const DESK = { viewport: { width: 1180, height: 1060 } };
const PHONE = { viewport: { width: 390, height: 760 }, isMobile: true, hasTouch: true };

/** A tenant that reads like one, and is hardly taken yet. */
function aRealTenant() {
  const year = 1860 + Math.floor(Math.random() * 140);
  const slug = `riverside-rovers-${year}`;
  return {
    clubName: `Riverside Rovers ${year}`,
    clubSlug: slug,
    email: `secretary@${slug}.example`,
    plan: "starter",
    webhookUrl: `https://hook.eu1.make.com/${slug}`,
  };
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });

async function open(options) {
  const page = await (
    await browser.newContext({ baseURL: baseUrl, locale: "en-GB", reducedMotion: "reduce", ...options })
  ).newPage();
  await page.goto("/");
  await page.waitForSelector("html[data-ready]");
  return page;
}

async function shoot(page, name) {
  await page.evaluate(() => {
    document.activeElement.blur();
    scrollTo(0, 0);
  });
  const path = fileURLToPath(new URL(`${name}.png`, SHOTS));
  await page.screenshot({ path });
  console.log(`${name}.png  ${statSync(path).size} bytes`);
}

async function form(colorScheme) {
  const page = await open({ ...DESK, colorScheme });
  await fillTenant(page, aRealTenant());
  await page.waitForSelector("#clubSlug-answer[data-tone=good]");
  await shoot(page, `signup-${colorScheme}`);
  await page.context().close();
}

async function flow() {
  const tenant = aRealTenant();
  const page = await open(PHONE);
  await fillTenant(page, tenant);
  await page.waitForSelector("#clubSlug-answer[data-tone=good]");
  await shoot(page, "flow-1-club");
  await submit(page, "club-form");
  await at(page, "colours");
  await shoot(page, "flow-2-proof");
  await prove(page, tenant);
  await page.click("[data-kit=claret]");
  await shoot(page, "flow-2-colours");
  await submit(page, "colours-form");
  await at(page, "connect");
  await sandbox("faults", {
    method: "POST",
    body: { host: "hook.eu1.make.com", path: `/${tenant.clubSlug}`, kind: "status", status: 503, times: 1 },
  });
  await connect(page, tenant);
  await at(page, "progress");
  await page.locator("[data-stage=retry] .stage", { hasText: / s$/ }).waitFor();
  await shoot(page, "flow-3-progress");
  await at(page, "done");
  await shoot(page, "flow-4-done");
}

mkdirSync(SHOTS, { recursive: true });
await form("light");
await form("dark");
await flow();
await browser.close();
