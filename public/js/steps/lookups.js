// What the server says while somebody types: whether the web address is free, and what the promo code is worth.
// Neither stands in the way: without an answer both are decided when the form is sent.

import * as api from "../api.js";
import { byId, debounced, make } from "../dom.js";
import * as draft from "../draft.js";
import { showClub } from "../preview.js";
import { plausible } from "../slug.js";
import { knows, quote, say, t } from "../strings.js";

/** The questions asked last; answers to earlier ones are out of date, in whatever order they arrive. */
let latestSlug = 0;
let latestPromo = 0;
let running = null;

function showSlug(tone, key, args, suggestions = []) {
  const answer = byId("clubSlug-answer");
  answer.dataset.tone = tone;
  say(byId("clubSlug-status"), key, args);
  byId("clubSlug-chips").replaceChildren(...suggestions.map(chip));
}

function chip(slug) {
  const button = make("button", { type: "button", "aria-label": t("slug.use", { slug }) }, slug);
  button.addEventListener("click", () => {
    const input = byId("clubSlug");
    input.value = slug;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.focus();
  });
  return make("li", {}, button);
}

/** The domain below which clubs live is known from the first answer on. */
function learnBase(slug, address) {
  if (!address?.startsWith(`${slug}.`)) return;
  draft.learn({ base: address.slice(slug.length + 1) });
  showBase();
  showClub();
}

export function showBase() {
  const { base } = draft.current();
  if (base) byId("clubSlug-base").textContent = `.${base}`;
}

function tellSlug(slug, { kind, body }) {
  if (kind !== "ok") return showSlug("calm", "slug.later");
  const { available, reason, address, suggestions = [] } = body.data;
  learnBase(slug, address);
  if (available) return showSlug("good", "slug.free", { address: address ?? slug });
  if (reason !== "taken" && reason !== "reserved") return showSlug("bad", "slug.shape");
  // Whoever chose no address gets another one.
  if (reason === "reserved" && suggestions.length && !draft.current().slugChosen) return takeOver(suggestions[0]);
  const word = `slug.${reason}`;
  return showSlug("bad", suggestions.length ? word : `${word}Only`, {}, suggestions);
}

/** Puts another address into the field that still follows the name. */
function takeOver(slug) {
  byId("clubSlug").value = slug;
  draft.learn({ clubSlug: slug });
  showClub();
  return checkSlugNow(slug);
}

/** The name can't be written in an address: asks for one in words. */
export function askForSlug() {
  latestSlug++;
  running?.abort();
  checkSlugLater("", "slug.ask");
}

/** Asks now. */
export async function checkSlugNow(slug, otherwise) {
  const question = ++latestSlug;
  running?.abort();
  if (!slug) return showSlug("calm", otherwise);
  if (!plausible(slug)) return showSlug("calm", "slug.shape");
  running = new AbortController();
  const answer = await api.availability(slug, running.signal);
  if (question === latestSlug) tellSlug(slug, answer);
}

const checkSlugLater = debounced(350, checkSlugNow);

/** Asks when typing pauses. Whatever was known about the address before is out of date at once. */
export function checkSlug(slug) {
  latestSlug++;
  if (plausible(slug)) showSlug("calm", "slug.checking");
  checkSlugLater(slug);
}

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

function tellPromo(line, { kind, body, error }) {
  line.dataset.tone = kind === "ok" ? "good" : "calm";
  if (kind === "ok") return quote(line, worth(body.data));
  if (kind !== "refused") return say(line, "promo.later");
  line.dataset.tone = "bad";
  const key = `promo.${error.reason}`;
  return say(line, knows(key) ? key : "promo.unknown");
}

async function askPromo(code, slug) {
  const question = ++latestPromo;
  const line = byId("promoCode-status");
  const answer = await api.verifyPromo(code, slug || undefined);
  if (question === latestPromo) tellPromo(line, answer);
}

const askPromoLater = debounced(450, askPromo);

/** Asks when typing pauses. */
export function checkPromo(code, slug) {
  latestPromo++;
  const line = byId("promoCode-status");
  line.dataset.tone = "calm";
  say(line, code ? "promo.checking" : null);
  if (code) askPromoLater(code, slug);
}

export const clearPromo = () => checkPromo("");
