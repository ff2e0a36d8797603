// What a promo code is worth, while it is typed.

import * as api from "../api.js";
import { byId, debounced } from "../dom.js";
import { knows, quote, say, t } from "../strings.js";

let latest = 0;

const planName = (plan) => t(`club.${plan}`);

/** What the code changes, in words. */
function worth({ discountPercent: percent, appliedPlan, lifetime, usesRemaining: left }) {
  const parts = [];
  if (percent >= 100) parts.push(t("promo.free"));
  else if (percent > 0) parts.push(t("promo.discount", { percent }));
  else parts.push(t("promo.ok"));
  if (lifetime) parts.push(t("promo.lifetime"));
  if (appliedPlan) parts.push(t("promo.plan", { plan: planName(appliedPlan) }));
  if (left !== null && left !== undefined && left <= 10) parts.push(t("promo.left", { n: left }));
  return parts.join(" ");
}

function tell(line, { kind, body, error }) {
  line.dataset.tone = kind === "ok" ? "good" : "calm";
  if (kind === "ok") return quote(line, worth(body.data));
  if (kind !== "refused") return say(line, "promo.later");
  line.dataset.tone = "bad";
  const key = `promo.${error.reason}`;
  return say(line, knows(key) ? key : "promo.unknown");
}

async function ask(code, slug) {
  const question = ++latest;
  const line = byId("promoCode-status");
  const answer = await api.verifyPromo(code, slug || undefined);
  if (question === latest) tell(line, answer);
}

const askLater = debounced(450, ask);

/** Asks when typing pauses. */
export function checkPromo(code, slug) {
  latest++;
  const line = byId("promoCode-status");
  line.dataset.tone = "calm";
  say(line, code ? "promo.checking" : null);
  if (code) askLater(code, slug);
}

export const clearPromo = () => checkPromo("");
