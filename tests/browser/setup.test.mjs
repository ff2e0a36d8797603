// The set-up on its way: steps that fail and recover, that fail for good and are tried again, and lost touch.

import assert from "node:assert/strict";
import test from "node:test";
import { accessible, eventually, fault, mailTo, open } from "./harness.mjs";
import { aTenant, at, noticeText, submit, toConnect, toProgress } from "./wizard.mjs";

const MAKE = "hook.eu1.make.com";
const failedPanel = (page) => page.waitForSelector("#failed:not([hidden])");

test("a step that fails and recovers is shown as trying again, not as failed", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  await fault(t, { host: MAKE, path: `/${tenant.mark}`, kind: "status", status: 503, times: 2 });
  await toProgress(page, tenant);
  const counting = page.locator("[data-name=validate_webhook][data-stage=retry] .stage", { hasText: /trying again in \d+ s/ });
  await counting.waitFor();
  const words = () => page.textContent("[data-name=validate_webhook] .stage");
  assert.match(await page.textContent("#live"), /trying again (in \d+ s|now)/i, "a screen reader is told once");
  await accessible(page, "progress, trying again");
  const counted = new Set();
  await eventually("the countdown goes on by itself", async () => counted.add(await words().catch(() => "")).size > 1);
  assert.ok(await page.isHidden("#failed"));
  await at(page, "done");
});

test("a definite failure says which step, why and what to do; trying again goes on from there", async (t) => {
  const page = await open(t, { viewport: { width: 320, height: 640 }, shifts: false });
  const tenant = aTenant();
  const lift = await fault(t, { host: MAKE, path: `/${tenant.mark}`, kind: "status", status: 410 });
  await toProgress(page, tenant);
  await failedPanel(page);
  assert.equal(await page.evaluate(() => document.activeElement.id), "failed-heading");
  assert.match(await page.textContent("#failed-at"), /Saying hello to Make/);
  assert.doesNotMatch(await page.textContent("#progress"), /goes on, and/, "nothing goes on by itself now");
  assert.match(await page.textContent("#failed-why"), /\w/);
  assert.match(await page.textContent("#failed-do"), /Switch your scenario on/);
  assert.match(await page.textContent("#failed-support"), /run_/);
  assert.equal(await page.getAttribute("[data-name=seed_defaults]", "data-stage"), "completed");
  assert.equal(await page.getAttribute("[data-name=validate_webhook]", "data-stage"), "failed");
  await accessible(page, "progress, failed");
  await page.reload();
  await failedPanel(page);

  await lift();
  await page.click("#failed-retry");
  await at(page, "done");
});

test("the advice fits the reason, in both languages", async (t) => {
  const advice = [
    ["WEBHOOK_REJECTED", "validate_webhook", /Switch your scenario on/, true],
    ["WEBHOOK_MISSING", "validate_webhook", /Enter the address/, true],
    ["UPSTREAM_UNAVAILABLE", "validate_webhook", /its queue has room/, true],
    ["MISCONFIGURED", "validate_webhook", /on our side/, true],
    ["CANCELLED", "validate_webhook", /Ask our support/, false],
    ["UPSTREAM_UNAVAILABLE", "configure_routing", /need not do anything/, false],
    ["SUBDOMAIN_CONFLICT", "configure_routing", /in use elsewhere/, false],
    ["SUBDOMAIN_REJECTED", "configure_routing", /on our side/, false],
    ["MISCONFIGURED", "configure_routing", /on our side/, false],
    ["SPREADSHEET_REJECTED", "create_spreadsheet", /or at Google/, false],
    ["UPSTREAM_UNAVAILABLE", "create_spreadsheet", /need not do anything/, false],
    ["DEADLINE_EXCEEDED", "create_spreadsheet", /goes on where it stopped/, false],
    ["A_NEWER_REASON", "a_newer_step", /on our side/, false],
  ];
  const german = (await import(new URL("../../public/js/lang/de.js", import.meta.url))).default;
  const page = await open(t);
  const tenant = aTenant();
  let now;
  await page.route("**/provision-status", (route) => {
    const [reason, step] = now;
    const steps = [{ name: step, status: "failed", attempts: 1, error: { code: reason, message: "No." } }];
    const data = { status: "failed", progress: 0, step, currentStep: step, steps, reason, error: "No.", runId: "run_1", warnings: [] };
    return route.fulfill({ json: { success: true, status: "failed", data } });
  });
  now = advice[0];
  await toProgress(page, tenant);
  for (const one of advice) {
    now = one;
    const [reason, step, words, isWebhook] = one;
    await page.reload();
    await failedPanel(page);
    assert.match(await page.textContent("#failed-do"), words, `${reason} ${step}`);
    assert.equal(await page.isVisible("#failed-webhook"), isWebhook, `${reason} ${step}`);
    if (reason !== "A_NEWER_REASON") assert.ok(german[`reason.${reason}`] && german[`failed.do.${reason}`], reason);
  }
});

test("a wrong webhook can be changed, and the set-up goes on", async (t) => {
  const page = await open(t);
  const tenant = await toConnect(page);
  await page.fill("#webhookUrl", `https://hook.eu1.make.com/gone${tenant.mark}`);
  await submit(page, "starter-form");
  await at(page, "progress");
  await failedPanel(page);
  await page.click("#failed-webhook");
  await at(page, "connect");
  await page.fill("#webhookUrl", tenant.webhookUrl);
  await submit(page, "starter-form");
  await at(page, "done");
});

test("a refused spreadsheet is told in words, and trying again helps", async (t) => {
  const page = await open(t);
  const tenant = aTenant({ plan: "pro" });
  const lift = await fault(t, {
    host: "script.google.com",
    bodyIncludes: tenant.clubSlug,
    kind: "status",
    status: 200,
    body: { ok: false, error: "quota", code: "QUOTA" },
  });
  await toProgress(page, tenant);
  await failedPanel(page);
  assert.match(await page.textContent("#failed-at"), /Creating the club’s spreadsheet/);
  assert.ok(await page.isHidden("#failed-webhook"));
  await accessible(page, "progress, spreadsheet failed");
  await lift();
  await page.click("#failed-retry");
  await at(page, "done");
});

test("a welcome mail that can't be sent does not stop the tenant", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  const lift = await fault(t, { host: "api.resend.com", bodyIncludes: tenant.clubSlug, kind: "status", status: 422 });
  // It is given up when the tenant is live already: the page hears of it if it asks late enough.
  await page.route("**/provision-status", async (route) => {
    const response = await route.fetch();
    const body = await response.json().catch(() => ({}));
    const warnings = [{ code: "EMAIL_REJECTED", message: "The welcome mail could not be delivered." }];
    if (body.status !== "completed") return route.fulfill({ response });
    await route.fulfill({ response, json: { ...body, data: { ...body.data, warnings } } });
  });
  await toProgress(page, tenant);
  await at(page, "done");
  assert.match(await page.textContent("#done-mail"), /could not send the welcome mail/);
  await accessible(page, "done, no mail");
  await lift();
  await page.click("#done-link");
  await page.waitForSelector("#notice .box:not([hidden])");
  assert.match(await noticeText(page), /on its way/);
  await mailTo(tenant.email, /\/magic\//);
});

test("lost touch is said, and found again", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  await fault(t, { host: MAKE, path: `/${tenant.mark}`, kind: "delay", ms: 3000, times: 1 });
  await page.route("**/provision-status", (route) => route.abort(), { times: 2 });
  await toProgress(page, tenant);
  await page.waitForSelector("#notice .box:not([hidden])");
  assert.match(await noticeText(page), /goes on without us/);
  await accessible(page, "progress, lost touch");
  await at(page, "done");
});

test("a set-up that goes on while the device is offline is caught up with", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  await fault(t, { host: MAKE, path: `/${tenant.mark}`, kind: "delay", ms: 2000, times: 1 });
  await toProgress(page, tenant);
  await page.waitForSelector("[data-name=validate_webhook][data-stage=running]");
  await page.context().setOffline(true);
  await page.waitForSelector("#offline p:not([hidden])");
  await accessible(page, "progress, offline");
  await mailTo(tenant.email, /\/magic\//);
  await page.context().setOffline(false);
  await at(page, "done");
});

test("unchanged states are answered without a body", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  await fault(t, { host: MAKE, path: `/${tenant.mark}`, kind: "delay", ms: 4000, times: 1 });
  const statuses = [];
  page.on("response", (response) => response.url().endsWith("/provision-status") && statuses.push(response.status()));
  await toProgress(page, tenant);
  await at(page, "done");
  assert.ok(statuses.includes(304), `${statuses}`);
});

/** Puts something else into the next answers about a set-up; `change` answers the new data, or nothing to leave it. */
const statusIs = (page, change) =>
  page.route("**/provision-status", async (route) => {
    const response = await route.fetch();
    const body = await response.json().catch(() => null);
    const data = body?.data && change(body.data);
    if (!data) return route.fulfill({ response });
    await route.fulfill({ json: { ...body, status: data.status, data } });
  });

const looksAgain = (page) => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));

test("a set-up that an outage ended says that it goes on by itself, and the page sees it go on", async (t) => {
  const page = await open(t, { locale: "de-DE", viewport: { width: 320, height: 640 } });
  const tenant = aTenant({ plan: "pro" });
  let outage = { resumeAt: new Date(Date.now() + 5 * 60_000).toISOString() };
  const steps = (steps) => steps.map((step) => (step.name === "create_spreadsheet" ? { ...step, status: "failed" } : step));
  await statusIs(
    page,
    (data) =>
      outage && { ...data, status: "failed", reason: "UPSTREAM_UNAVAILABLE", error: "…", steps: steps(data.steps), ...outage },
  );
  await toProgress(page, tenant);
  await failedPanel(page);
  assert.match(await page.textContent("#failed-heading"), /unterbrochen/);
  assert.match(await page.textContent("#failed-resume"), /Sie müssen nichts tun.*etwa um \d\d:\d\d/);
  assert.equal(await page.textContent("#failed-do"), "", "nobody is told to do what the service does");
  await accessible(page, "progress, goes on by itself");
  await page.click("#languages [lang=en]");
  await page.waitForFunction(() => /You need not do anything.*at about/.test(document.getElementById("failed-resume").textContent));
  // Its time has come, and the outage lasts.
  outage = { resumeAt: new Date(Date.now() - 1000).toISOString() };
  await looksAgain(page);
  await page.waitForFunction(() => /as soon as the trouble is over/.test(document.getElementById("failed-resume").textContent));
  assert.equal(await page.evaluate(() => document.activeElement.lang), "en", "nobody is moved again");
  outage = null;
  await looksAgain(page);
  await at(page, "done");
});

test("a set-up that only the person can mend promises nothing", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  await fault(t, { host: MAKE, path: `/${tenant.mark}`, kind: "status", status: 410 });
  await toProgress(page, tenant);
  await failedPanel(page);
  assert.equal(await page.textContent("#failed-resume"), "");
  assert.match(await page.textContent("#failed-heading"), /has stopped/);
});

test("a welcome mail that is given up later is told on the last page too", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  let warnings = [];
  await statusIs(page, (data) => data.status === "completed" && { ...data, warnings });
  await toProgress(page, tenant);
  await at(page, "done");
  assert.match(await page.textContent("#done-mail"), /on its way/);
  warnings = [{ code: "EMAIL_REJECTED", message: "The welcome mail could not be delivered." }];
  await looksAgain(page);
  await page.waitForFunction(() => /could not send the welcome mail/.test(document.getElementById("done-mail").textContent));
  assert.ok(await page.isVisible("#done-link"));
  assert.match(await page.textContent("#live"), /could not send/);
  await page.reload();
  await at(page, "done");
  assert.match(await page.textContent("#done-mail"), /could not send the welcome mail/);
});
