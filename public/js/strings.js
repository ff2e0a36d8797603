// Words into the page. Text is put there as text, never as markup, together with its key and arguments, so that
// switching the language can say it again.

import english from "./lang/en.js";

let words = english;

/** Sets the table to read from; words it lacks stay English. */
export function speak(table) {
  words = { ...english, ...table };
}

export const knows = (key) => key in words;

export function t(key, args = {}) {
  const word = words[key] ?? key;
  return typeof word === "function" ? word(args) : word;
}

/** Writes the words for `key` into a node; no key empties it. */
export function say(node, key, args) {
  delete node.dataset.args;
  if (!key) {
    delete node.dataset.t;
    node.textContent = "";
    return;
  }
  node.dataset.t = key;
  if (args) node.dataset.args = JSON.stringify(args);
  node.textContent = t(key, args);
}

/** Writes words that came from the server: they have no key. */
export function quote(node, text) {
  say(node);
  node.textContent = text;
}

/** Says everything on the page again, in the language spoken now. */
export function translate(root) {
  for (const node of root.querySelectorAll("[data-t]")) {
    node.textContent = t(node.dataset.t, JSON.parse(node.dataset.args ?? "{}"));
  }
  for (const node of root.querySelectorAll("[data-ta]")) {
    const [attribute, key] = node.dataset.ta.split(":");
    node.setAttribute(attribute, t(key));
  }
}

/** A time of day in the page's language. */
export const clock = (date) => new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" }).format(date);

/** A day in the page's language. */
export const dayOf = (date) => new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long" }).format(date);

/** A day and time in the page's language. */
export const day = (date) => new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" }).format(date);
