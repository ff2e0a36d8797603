// Whether the web address is free, while it is typed.

import * as api from "../api.js";
import * as draft from "../draft.js";
import { byId, debounced, make } from "../dom.js";
import { say, t } from "../strings.js";
import { plausible } from "../slug.js";

/** The question asked last; answers to earlier ones are out of date, in whatever order they arrive. */
let latest = 0;
let running = null;

function show(tone, key, args, suggestions = []) {
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
  draft.save({ base: address.slice(slug.length + 1) });
  showBase();
}

export function showBase() {
  const { base } = draft.current();
  if (base) byId("clubSlug-base").textContent = `.${base}`;
}

function tell(slug, { kind, body }) {
  if (kind !== "ok") return show("calm", "slug.later");
  const { available, reason, address, suggestions = [] } = body.data;
  learnBase(slug, address);
  if (available) return show("good", "slug.free", { address: address ?? slug });
  if (reason !== "taken" && reason !== "reserved") return show("bad", "slug.shape");
  const word = `slug.${reason}`;
  return show("bad", suggestions.length ? word : `${word}Only`, {}, suggestions);
}

/** Asks now. */
export async function checkNow(slug) {
  const question = ++latest;
  running?.abort();
  if (!slug) return show("calm");
  if (!plausible(slug)) return show("calm", "slug.shape");
  running = new AbortController();
  const answer = await api.availability(slug, running.signal);
  if (question === latest) tell(slug, answer);
}

const checkLater = debounced(350, checkNow);

/** Asks when typing pauses. Whatever was known about the address before is out of date at once. */
export function check(slug) {
  latest++;
  if (plausible(slug)) show("calm", "slug.checking");
  checkLater(slug);
}
