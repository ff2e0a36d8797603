// The words of the console, in one language: the other is not loaded. Loaded first, so that the words come together with the rest.

import { kept } from "../storage.js";
import { isolated } from "../text.js";

const PLACE = "tenantry.language";
export const LANGUAGES = { en: "English", de: "Deutsch" };

let words = {};

export const language = () => document.documentElement.lang;
export const knows = (key) => key in words;

/** The words for a key. Names are isolated: one that is written from right to left turns nothing but itself. */
export function t(key, args = {}) {
  const word = words[key] ?? key;
  if (typeof word !== "function") return word;
  return word(typeof args.name === "string" ? { ...args, name: isolated(args.name) } : args);
}

/** The first of `keys` that the language has words for. */
export const known = (...keys) => keys.find(knows);

/** Writes words into a node of a part that is no component. */
export function say(node, key, args) {
  node.textContent = key ? t(key, args) : "";
}

function preferred() {
  const wished = [kept.read(PLACE), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  return wished.find((tag) => Object.hasOwn(LANGUAGES, tag)) ?? "en";
}

/** The parts that are spoken: "" is what every screen says, the others are the screens' own. */
const parts = new Set([""]);

const tableOf = async (part, wished) => (await import(`./lang/${part ? `${part}.` : ""}${wished}.js`)).default;

/** Learns what a screen says. */
export async function learn(part) {
  words = { ...words, ...(await tableOf(part, language())) };
  parts.add(part);
}

async function load(wished) {
  words = Object.assign({}, ...(await Promise.all([...parts].map((part) => tableOf(part, wished)))));
  document.documentElement.lang = wished;
  // What stands in the page itself, not in a component.
  for (const node of document.querySelectorAll("[data-t]")) say(node, node.dataset.t);
}

/** Speaks another language from now on. Where it can't be loaded, nothing changes. */
export async function speak(wished) {
  await load(wished);
  kept.write(PLACE, wished);
}

await load(preferred()).catch(() => load(preferred() === "en" ? "de" : "en"));
