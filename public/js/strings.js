// Words into the page, and the language they are in. Text is put there as text, never as markup, together with its key
// and arguments, so that switching the language can say it again. Another language is fetched only when asked for, and so are the words
// that only some pages or moments say.

import english from "./lang/en.js";
import { kept } from "./storage.js";
import { isolated } from "./text.js";

// What a page says by itself stands in it, in English.
for (const node of document.querySelectorAll("[data-t]")) english[node.dataset.t] ??= node.textContent;
for (const node of document.querySelectorAll("[data-ta]")) {
  const [attribute, key] = node.dataset.ta.split(":");
  english[key] ??= node.getAttribute(attribute);
}

let words = english;

export const knows = (key) => key in words;

export function t(key, args = {}) {
  const word = words[key] ?? key;
  if (typeof word !== "function") return word;
  return word(typeof args.name === "string" ? { ...args, name: isolated(args.name) } : args);
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
function translate(root) {
  for (const node of root.querySelectorAll("[data-t]")) {
    node.textContent = t(node.dataset.t, JSON.parse(node.dataset.args ?? "{}"));
  }
  for (const node of root.querySelectorAll("[data-ta]")) {
    const [attribute, key] = node.dataset.ta.split(":");
    node.setAttribute(attribute, t(key));
  }
}

/** Writes a moment in the page's language, by the customs of the reader's country if that speaks it. */
function moment(date, style) {
  if (Number.isNaN(Number(date))) return "–";
  const { lang } = document.documentElement;
  return new Intl.DateTimeFormat(navigator.languages.find((tag) => tag.startsWith(lang)) ?? lang, style).format(date);
}

export const clock = (date) => moment(date, { hour: "2-digit", minute: "2-digit" });
export const dayOf = (date) => moment(date, { dateStyle: "long" });
export const dayAndTime = (date) => moment(date, { dateStyle: "medium", timeStyle: "short" });

const PLACE = "tenantry.language";
const LANGUAGES = ["en", "de"];

/** Tables beside that of all pages: each in English, and how to load it in another language. */
const more = [];

async function tables(language) {
  const others = language === "en" ? [] : [import(`./lang/${language}.js`), ...more.map(({ load }) => load(language))];
  return [english, ...more.map((table) => table.english), ...(await Promise.all(others)).map((table) => table.default)];
}

function preferred() {
  const chosen = kept.read(PLACE);
  if (LANGUAGES.includes(chosen)) return chosen;
  const wished = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => LANGUAGES.includes(tag));
  return wished ?? "en";
}

function mark(language) {
  for (const button of document.querySelectorAll("#languages button")) {
    button.setAttribute("aria-pressed", String(button.lang === language));
  }
}

async function use(language) {
  try {
    // Words that a table lacks stay English.
    words = Object.assign({}, ...(await tables(language)));
  } catch {
    // The file did not arrive; the page goes on in the language it has.
    return;
  }
  if (document.documentElement.lang !== language) {
    document.documentElement.lang = language;
    translate(document);
  }
  mark(language);
  document.dispatchEvent(new Event("languagechange"));
}

/** Makes the switch work and speaks the preferred language. */
export async function startLanguage() {
  for (const button of document.querySelectorAll("#languages button")) {
    button.addEventListener("click", () => {
      kept.write(PLACE, button.lang);
      use(button.lang);
    });
  }
  await use(preferred());
}

/** More words from now on. Where they can't be loaded in the page's language, they are English. */
export async function learn(table, load) {
  more.push({ english: table, load });
  words = { ...words, ...table };
  const { lang } = document.documentElement;
  if (lang !== "en") Object.assign(words, (await load(lang).catch(() => ({}))).default);
}
