// Refusals at their fields. The server's `issues` are the one source of rules. The browser's checks only save a round trip, and their
// messages appear in the same place.

import { announce } from "./a11y.js";
import { byId } from "./dom.js";
import { notice } from "./notice.js";
import { mailFreshLink, read } from "./session.js";
import { clock, knows, quote, say } from "./strings.js";

const FIELD_OF = {
  SLUG_TAKEN: "clubSlug",
  EMAIL_EXISTS: "email",
  INVALID_PROMO: "promoCode",
  INVALID_WEBHOOK_HOST: "webhookUrl",
};

/** Marks a field as wrong. `write` puts the words into its error line. */
export function blame(name, write) {
  const input = byId(name);
  if (!input) return false;
  input.setAttribute("aria-invalid", "true");
  write(byId(`${name}-error`));
  return true;
}

export const blameWith = (name, key, args) => blame(name, (line) => say(line, key, args));

/** Takes the blame off one field. */
export function forgive(name) {
  byId(name).removeAttribute("aria-invalid");
  say(byId(`${name}-error`));
}

export function forgiveAll(form) {
  for (const input of form.querySelectorAll("[aria-invalid]")) forgive(input.id);
}

/** Takes the blame off a field as soon as it is edited. */
export function forgiveOnInput(form) {
  form.addEventListener("input", ({ target }) => {
    const id = target.type === "radio" ? target.name : target.id;
    if (byId(id)?.hasAttribute("aria-invalid")) forgive(id);
  });
}

/** Focuses the first wrong field of a form and says how many there are. Answers whether there is one. */
export function focusFirst(form) {
  const wrong = [...form.querySelectorAll("[aria-invalid]")];
  if (!wrong.length) return false;
  wrong[0].focus();
  announce("error.fields", { n: wrong.length });
  return true;
}

/** In our words if the language has any for the field, else in the server's, which are English. */
function issueWords(field, code, message) {
  const ours = [`issue.${field}.${code}`, `issue.${field}`].find(knows);
  if (ours) return (line) => say(line, ours);
  return (line) => (message ? quote(line, message) : say(line, "error.check"));
}

function blameCode({ code, reason, message }, idOf) {
  const field = FIELD_OF[code];
  if (!field) return false;
  const key = { INVALID_PROMO: `promo.${reason}`, INVALID_WEBHOOK_HOST: "connect.urlHost" }[code] ?? `error.${code}`;
  return blame(idOf(field), (line) => (knows(key) ? say(line, key) : issueWords(field, code, message)(line)));
}

/** Shows a definite refusal: at its fields if it names any, else in the notice. `ids` are those of fields whose id is another. */
export function showRefusal(form, { error = {}, retryAfter }, ids = {}) {
  forgiveAll(form);
  const idOf = (field) => ids[field] ?? field;
  for (const { path = [], code, message } of error.issues ?? []) {
    const [field] = path;
    if (!byId(idOf(field))?.getAttribute("aria-invalid")) blame(idOf(field), issueWords(field, code, message));
  }
  if (!form.querySelector("[aria-invalid]")) blameCode(error, idOf);
  if (focusFirst(form)) return;
  showProblem(error, retryAfter);
}

function showProblem(error, retryAfter) {
  const key = `error.${error.code}`;
  const time = clock(Date.now() + (retryAfter ?? 3600) * 1000);
  if (knows(key)) notice(key, { time }, { tone: "bad" });
  else notice("error.unexpected", { id: error.requestId ?? error.code ?? "–" }, { tone: "bad" });
}

/** The session is over: offers a link that brings the person back to where they were. */
export function showExpired(email) {
  notice(read()?.ended ? "session.ended" : "session.expired", {}, { tone: "bad", actions: email ? [["session.link", (button) => mailFreshLink({ email }, button)]] : [] });
}
