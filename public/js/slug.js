// A web address from a club's name. Only a suggestion: the server decides.

/** Letters that Unicode does not take apart into a base letter and an accent. */
const LETTERS = { ß: "ss", æ: "ae", œ: "oe", ø: "o", ł: "l", đ: "d", ð: "d", þ: "th", ı: "i", ħ: "h", ŋ: "ng" };

/** Words the service needs for itself that a club's name may well come to. The server knows all of them and decides. */
const RESERVED = new Set(
  (
    "about account admin api app assets auth blog docs email health help host internal mail ops public root security " +
    "signup status support system test www"
  ).split(" "),
);

const LONGEST = 63;

/** Folds any text to `a-z0-9-`, without a hyphen at either end. */
export function fold(text) {
  return text
    .toLowerCase()
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .replace(/[ßæœøłđðþıħŋ]/g, (letter) => LETTERS[letter])
    .replace(/['’‘`.]/g, "")
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, LONGEST)
    .replace(/^-+|-+$/g, "");
}

/** A shape the server may accept: worth asking for. */
export const plausible = (slug) => /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(slug) && !slug.startsWith("xn--");

/** Suggests an address: short names and reserved words become `…-club`. */
export function suggest(name) {
  const slug = fold(name).replace(/^xn--/, "xn-");
  if (!slug) return "";
  return slug.length < 3 || RESERVED.has(slug) ? `${slug}-club` : slug;
}
