// What comes from an older service, read as the service reads it at its door (src/domain): the stored form, or why it can't be stored.
// tests/e2e/import.test.mjs asks the running service about the same values.
import { readFileSync } from "node:fs";
import { domainToASCII, domainToUnicode } from "node:url";
import { at } from "../project.mjs";

/** A value that is not as the service stores it; `proposal` is one like it that is. */
export class Unfit extends Error {
  constructor(message, proposal = null) {
    super(message);
    this.proposal = proposal;
  }
}

const BLANK =
  "\\s\\x85\\xad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u2060-\\u2065\\u206a-\\u206f\\u2800\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffc" +
  "\\u{16fe4}\\u{1bca0}-\\u{1bca3}\\u{1d159}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}";
const ONLY_BLANKS = new RegExp(`^[${BLANK}\\p{M}]*$`, "u");
const ANY_BLANK = new RegExp(`[${BLANK}]`, "u");
const LEADING = new RegExp(`^[${BLANK}]+`, "u");
/** What stands behind the last character that is seen, but for the form of it that is meant, or whose flag it is. */
const TRAILING = new RegExp(`(?<kept>\\u{1f3f4}[\\u{e0020}-\\u{e007f}]+|[^${BLANK}][\\ufe00-\\ufe0f]?)[${BLANK}]*$`, "u");
const UNWANTED = /[\p{Cc}\p{Cn}\u2028-\u202e\u2066-\u2069]/u;
const UNWANTED_RUNS = /[\p{Cc}\u2028\u2029]+/gu;
const UNSEEN = /[\p{Cn}\u202a-\u202e\u2066-\u2069]+/gu;

const trimmed = (text) => text.replace(LEADING, "").replace(TRAILING, "$<kept>");

/** The text in one spelling, without what nobody sees at its ends. */
function read(text) {
  const composed = trimmed(String(text).normalize("NFC"));
  if (UNWANTED.test(composed)) throw new Unfit("holds a character that can't be stored");
  return ONLY_BLANKS.test(composed) ? "" : composed;
}

const LONGEST_NAME = 100;

/** A tenant's name. What controls text is a blank from now on, and what turns its direction goes: people see the same. */
export function nameOf(text) {
  const plain = String(text ?? "").normalize("NFC").replaceAll(UNWANTED_RUNS, " ").replaceAll(UNSEEN, "");
  const name = read(plain);
  if (name === "") throw new Unfit("has no name that can be seen");
  const characters = [...name];
  if (characters.length > LONGEST_NAME) {
    throw new Unfit(`has a name of ${characters.length} characters, and ${LONGEST_NAME} are possible`, trimmed(characters.slice(0, LONGEST_NAME).join("")));
  }
  return name;
}

const words = (file) => new Set(readFileSync(at("src/domain", file), "utf8").split("\n").filter(Boolean));
let reserved;
/** Whether a slug is kept for the service, however it is hyphenated or numbered. */
export function isReserved(slug) {
  reserved ??= { names: words("reserved.txt"), numbered: words("numbered.txt") };
  const name = slug.replaceAll("-", "");
  const stem = name.replace(/\d+$/, "");
  return (stem.length < name.length && reserved.numbered.has(stem)) || reserved.names.has(name);
}

/** A tenant's name in addresses. */
export function slugOf(text, { mayBeReserved = false } = {}) {
  const slug = String(text ?? "").trim().toLowerCase();
  const near = () => {
    const stem = slug.normalize("NFKD").replaceAll(/\p{M}/gu, "").replaceAll(/[^a-z0-9]+/g, "-").slice(0, 58).replaceAll(/^-+|-+$/g, "");
    const other = [stem, `${stem}-club`].find((each) => wrongOf(each) === null && !isReserved(each));
    return other ?? null;
  };
  const wrong = wrongOf(slug);
  if (wrong !== null) throw new Unfit(`has the slug ${slug}, ${wrong}`, near());
  if (isReserved(slug) && !mayBeReserved) throw new Unfit(`has the slug ${slug}, which is reserved here`, near());
  return slug;
}

function wrongOf(slug) {
  if (slug.length < 3 || slug.length > 63) return "which has not 3 to 63 characters";
  if (!/^[a-z0-9-]+$/.test(slug)) return "which holds more than a–z, digits and hyphens";
  if (slug.startsWith("-") || slug.endsWith("-") || slug.slice(2, 4) === "--") return "whose hyphens are not possible here";
  return null;
}

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const ATOM = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;

/** An e-mail address: one mailbox is one spelling. */
export function emailOf(text) {
  const no = () => new Unfit(`has the address ${masked(String(text ?? ""))}, which is none that can get mail here`);
  let address;
  try {
    address = read(text ?? "");
  } catch {
    throw no();
  }
  const end = address.lastIndexOf("@");
  const [local, host] = [address.slice(0, end).toLowerCase(), address.slice(end + 1)];
  if (end < 1 || ANY_BLANK.test(address) || local.length > 64 || !ATOM.test(local)) throw no();
  const domain = domainToASCII(host).toLowerCase();
  const labels = domain.split(".");
  const top = labels.at(-1);
  // What is no encoding of anything stays as it is.
  const isLabel = (label) => LABEL.test(label) && !domainToUnicode(label).startsWith("xn--");
  const isDomain = domain.length <= 253 && labels.length > 1 && labels.every(isLabel) && /^(xn--.+|[a-z]{2,})$/.test(top);
  const whole = `${local}@${domain}`;
  if (!isDomain || whole.length > 254) throw no();
  return whole;
}

/** What may be printed of an address. */
export function masked(address) {
  const end = address.lastIndexOf("@");
  return end < 0 ? "***" : `${[...address.slice(0, end)].slice(0, 1).join("")}***${address.slice(end)}`;
}

/** `#rrggbb`, or null. */
export const colourOf = (text) => (/^#[0-9a-f]{6}$/i.test(String(text ?? "").trim()) ? String(text).trim().toLowerCase() : null);

/** A promo code: in capitals, whatever case it was stored in. */
export function codeOf(text) {
  const code = String(text ?? "").trim().toUpperCase();
  if (/^[A-Z0-9]{4,20}$/.test(code)) return code;
  const near = code.replaceAll(/[^A-Z0-9]/g, "").slice(0, 20);
  throw new Unfit("is no code of 4 to 20 letters and digits", near.length < 4 ? null : near);
}

/** The address of a webhook on one of the allowed hosts, a comma-separated list in which a `*` stands for one label. */
export function webhookUrlOf(text, allowed) {
  const typed = trimmed(String(text ?? ""));
  const no = (why) => new Unfit(`has a webhook ${why}`);
  if (typed.length > 2048 || /[^\x21-\x7e]|\\/.test(typed)) throw no("whose address holds blanks or signs that are not possible");
  let url;
  try {
    url = new URL(typed);
  } catch {
    throw no("whose address is none");
  }
  url.hash = "";
  if (url.protocol !== "https:") throw no("that is not https");
  if (url.username || url.password || url.port) throw no(`on ${url.hostname} that names a user or a port`);
  if (!isAllowed(url.hostname, allowed)) throw no(`on ${url.hostname}, which is not among ALLOWED_WEBHOOK_HOSTS`);
  if (/^\/*$/.test(url.pathname)) throw no(`on ${url.hostname} without a path`);
  return url.href.replace(/#$/, "");
}

function isAllowed(host, allowed) {
  const labels = host.split(".");
  return String(allowed)
    .toLowerCase()
    .split(",")
    .map((pattern) => pattern.trim().split("."))
    .some((pattern) => pattern.length === labels.length && pattern.every((label, n) => LABEL.test(labels[n]) && (label === "*" || label === labels[n])));
}

/** The secret of a webhook, in the one spelling that all receivers read alike. */
export function webhookSecretOf(text) {
  const secret = String(text ?? "");
  const no = (why) => new Unfit(`has a webhook whose secret ${why}`);
  if (secret.trim() !== secret) throw no("has blanks at its ends");
  if (!/^[ -~]*$/.test(secret)) throw no("holds more than letters, digits and signs");
  if (secret.length > 200) throw no("has more than 200 characters");
  if (!/^whsec_/i.test(secret)) {
    if (secret.length < 16) throw no("has fewer than 16 characters");
    return secret;
  }
  const encoded = secret.slice("whsec_".length);
  const bare = encoded.replace(/=+$/, "");
  const isBase64 = secret.startsWith("whsec_") && /^[A-Za-z0-9+/]*={0,2}$/.test(encoded) && bare.length % 4 !== 1 && (bare === encoded || encoded.length % 4 === 0);
  if (!isBase64) throw no("begins as whsec_ does, but is no base64");
  const key = Buffer.from(bare, "base64");
  if (key.length < 24) throw no("has fewer than 24 bytes behind whsec_");
  return `whsec_${key.toString("base64")}`;
}

/** From here on a number counts milliseconds: in seconds it would be the year 5138. From the others on, micro- and nanoseconds. */
const UNITS = [
  [1e17, 1e9],
  [1e14, 1e6],
  [1e11, 1e3],
];

/** Unix seconds of a moment in seconds, milliseconds or as text; null where there is none that can be read. */
export function secondsOf(value) {
  if (value === null || value === undefined || value === "") return null;
  const number = typeof value === "string" && !/^\s*-?\d+(\.\d+)?\s*$/.test(value) ? null : Number(value);
  if (number === null) {
    // SQLite's own format has no zone, and means UTC.
    const text = value.trim().replace(/^(\d{4}-\d\d-\d\d) (\d\d:\d\d(:\d\d(\.\d+)?)?)$/, "$1T$2Z");
    const millis = Date.parse(/T[\d:.]+$/.test(text) ? `${text}Z` : text);
    return Number.isNaN(millis) || millis <= 0 ? null : Math.floor(millis / 1000);
  }
  if (!Number.isFinite(number) || number <= 0) return null;
  const [, unit] = UNITS.find(([from]) => number >= from) ?? [0, 1];
  return Math.floor(number / unit);
}
