// Text that people type or paste, read as the service reads it; a test holds the two to the same cases. Which characters exist is
// for the service to say: it may know more of them than this browser, or fewer.

/** What nobody sees: blanks, and characters without a width or a shape of their own. */
const BLANK = "(?:(?![\\u202a-\\u202e\\u2066-\\u2069])[\\s\\u0085\\p{Default_Ignorable_Code_Point}\\ufff9-\\ufffc\\u{16fe4}\\u2800\\u{1d159}])";
/** The visible end of a text, with what belongs to its last character: a variant form, a flag's country or a joiner. */
const SEEN_TO_ITS_END =
  "\\u{1f3f4}[\\u{e0020}-\\u{e007f}]+|" +
  "[\\u094d\\u09cd\\u0a4d\\u0acd\\u0b4d\\u0bcd\\u0c4d\\u0ccd\\u0d4d\\u0dca][\\u200c\\u200d]|" +
  `(?!${BLANK})[^][\\ufe00-\\ufe0f\\u{e0100}-\\u{e01ef}]?`;

const START = new RegExp(`^${BLANK}+`, "u");
const END = new RegExp(`^([^]*(?:${SEEN_TO_ITS_END}))${BLANK}*$`, "u");
const SEEN = new RegExp(`(?!${BLANK})\\P{M}`, "u");
const UNWANTED = [
  ["line", /[\n\v\f\r\u0085\u2028\u2029]/],
  ["control", /\p{Cc}/u],
  ["direction", /[\u202a-\u202e\u2066-\u2069]/],
];

/** Composed, and without invisible characters at its ends. Empty if no character is visible. */
export function tidy(text) {
  const trimmed = text.normalize("NFC").replace(START, "").replace(END, "$1");
  return SEEN.test(trimmed) || unwanted(trimmed) ? trimmed : "";
}

/** What the text can't contain and does: `line`, `control`, `direction`, or nothing. */
export const unwanted = (text) => UNWANTED.find(([, characters]) => characters.test(text))?.[0];

/** How many characters it has: as people count them more than as a browser does. */
export const lengthOf = (text) => [...text].length;

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** A name within a sentence: one that is written from right to left turns nothing but itself. */
export const isolated = (name) => (RIGHT_TO_LEFT.test(name) ? `\u2068${name}\u2069` : name);
