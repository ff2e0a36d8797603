// Step 3: the Make webhook (Starter) or a confirmation (Pro). Sending it starts the set-up.

import { announce, working } from "../a11y.js";
import * as api from "../api.js";
import { byId, noticeFills, once } from "../dom.js";
import * as draft from "../draft.js";
import { blameWith, focusFirst, forgiveAll, forgiveOnInput, showExpired, showRefusal } from "../errors.js";
import { persist } from "../persist.js";
import { go, here, showPlan } from "../router.js";
import { authorised } from "../session.js";
import { knows, say } from "../strings.js";

const starter = () => byId("starter-form");
const pro = () => byId("pro-form");

const webhook = () => ({ webhookUrl: byId("webhookUrl").value.trim(), webhookSecret: byId("webhookSecret").value });

/** The fields that say something else than what is kept: whatever filled them in said nothing. */
function filled() {
  if (here() !== "connect" || starter().hidden) return [];
  const { webhookUrl, webhookSecret } = webhook();
  return [
    ...(webhookUrl !== draft.current().webhookUrl ? [byId("webhookUrl")] : []),
    ...(webhookSecret !== draft.secret() ? [byId("webhookSecret")] : []),
  ];
}

function keep() {
  draft.save({ webhookUrl: webhook().webhookUrl });
  draft.secret(webhook().webhookSecret);
  showTest("calm");
  showTestButton();
}

/** Only what is stored can be tested: setting the club up stores it, and begins with a test. */
function showTestButton() {
  const { webhookUrl, storedWebhook, tenant } = draft.current();
  byId("webhook-test").hidden = !webhookUrl || webhookUrl !== storedWebhook || tenant?.emailProven === false;
}

/** What needs no server to be refused. */
function incomplete() {
  forgiveAll(starter());
  const { webhookUrl, webhookSecret } = webhook();
  if (!webhookUrl) blameWith("webhookUrl", "error.required");
  else if (!webhookUrl.startsWith("https://")) blameWith("webhookUrl", "connect.urlShape");
  if (webhookSecret.length < 16) blameWith("webhookSecret", "connect.secretShort");
  return focusFirst(starter());
}

/** The server knows better which plan the club is on: show the page for that one. */
function otherPlan(answer) {
  if (answer.error?.code !== "PLAN_MISMATCH") return;
  const { tenant } = draft.current();
  draft.save({ tenant: { ...tenant, plan: tenant.plan === "pro" ? "starter" : "pro" } });
  showForm();
}

async function queue(form, call) {
  const free = working(form.querySelector("[type=submit]"), "connect.submitting");
  const answer = await persist(() => authorised(call));
  free();
  if (answer.quiet) return;
  if (answer.kind === "expired") return showExpired(draft.current().tenant.email);
  if (answer.kind === "refused") {
    showRefusal(form, answer);
    return otherPlan(answer);
  }
  draft.save({ queued: true, storedWebhook: draft.current().webhookUrl });
  if (here() === "connect") go("progress");
}

async function copySecret() {
  try {
    await navigator.clipboard.writeText(webhook().webhookSecret);
    announce("connect.copied");
    say(byId("secret-copy"), "connect.copied");
  } catch {
    byId("webhookSecret").select();
    announce("connect.notCopied");
  }
}

function showTest(tone, key, args) {
  const line = byId("webhook-answer");
  line.dataset.tone = tone;
  say(line, key, args);
}

/** What came back from the webhook, in words. */
function tellTest({ delivered, status, ms, tryAgain }) {
  if (delivered) return showTest("good", "connect.testOk", { ms });
  if (!status) return showTest("bad", "connect.testSilent");
  if (tryAgain) return showTest("bad", "connect.testBusy", { status });
  const known = `connect.test${status}`;
  return showTest("bad", knows(known) ? known : "connect.testRefused", { status });
}

/** Sends a signed ping to the stored webhook, with the secret that stands in the form. */
async function test(webhook) {
  showTest("calm", "connect.testing");
  const free = working(byId("webhook-test"), "connect.testing");
  const answer = await persist(() => authorised((token, id) => api.testWebhook(webhook, token, id)));
  free();
  showTest("calm");
  if (answer.kind === "ok") return tellTest(answer.body.data);
  if (answer.kind === "expired") return showExpired(draft.current().tenant.email);
  if (answer.kind === "refused") showRefusal(starter(), answer);
}

function showForm() {
  const isPro = draft.current().tenant?.plan === "pro";
  starter().hidden = isPro;
  pro().hidden = !isPro;
  byId("connect").setAttribute("aria-labelledby", connect.heading());
  showPlan();
}

export const connect = {
  heading: () => (draft.current().tenant?.plan === "pro" ? "confirm-heading" : "connect-heading"),
  start() {
    forgiveOnInput(starter());
    starter().addEventListener("input", keep);
    noticeFills(filled);
    once(starter(), "submit", () => incomplete() || queue(starter(), (token) => api.connectMake(webhook(), token)));
    once(pro(), "submit", () => queue(pro(), (token) => api.confirmPro(token)));
    once(byId("webhook-test"), "click", () => incomplete() || test(webhook()));
    once(byId("secret-copy"), "click", copySecret);
    document.addEventListener("proven", showTestButton);
  },
  enter() {
    byId("webhookUrl").value ||= draft.current().webhookUrl;
    // The club has one already that this device does not know.
    if (!draft.secret() && draft.current().queued) say(byId("webhookSecret-hint"), "connect.secretAnew");
    byId("webhookSecret").value = draft.secret() || draft.secret(draft.freshSecret());
    say(byId("secret-copy"), "connect.copy");
    showTest("calm");
    showTestButton();
    showForm();
  },
};
