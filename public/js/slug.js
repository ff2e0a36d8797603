// A web address from a club's name. Only a suggestion: the service decides, and knows the words that it keeps for itself.

/** Letters that Unicode does not take apart into a base letter and an accent. */
const LETTERS = { ß: "ss", æ: "ae", œ: "oe", ø: "o", ł: "l", đ: "d", ð: "d", þ: "th", ı: "i", ħ: "h", ŋ: "ng", ŧ: "t" };

/** German writes its umlauts so where it can't write them. */
const UMLAUTS = { ä: "ae", ö: "oe", ü: "ue" };
/** Letters that German has not: in a name with one of them an umlaut is another language's letter. */
const NOT_GERMAN = /[çğışåæøőűáíóúñčřžšěůąęłńćźż]/;

const GREEK = spelled(
  "α a β v γ g δ d ε e ζ z η i θ th ι i κ k λ l μ m ν n ξ x ο o π p ρ r σ s ς s τ t υ y φ f χ ch ψ ps ω o",
);
const CYRILLIC = spelled(
  "а a б b в v г g д d е e ж zh з z и i к k л l м m н n о o п p р r с s т t у u ф f х kh ц ts ч ch ш sh щ shch ъ - ы y ь - э e ю yu " +
    "я ya є ye ґ g ђ dj ј j љ lj њ nj ћ c џ dz ѕ dz ё yo й y ї yi",
);
const GREEK_PAIRS = { ου: "ou", αυ: "av", ευ: "ev", γγ: "ng", μπ: "mp" };
const COMPOSED = /[ёйї]/g;

const LONGEST = 63;

function spelled(pairs) {
  const words = pairs.split(" ");
  return Object.fromEntries(words.filter((_, at) => at % 2 === 0).map((letter, at) => [letter, words[2 * at + 1].replace("-", "")]));
}

const replaced = (text, letters, pattern) => text.replace(pattern, (letter) => letters[letter] ?? letter);

/** The text in Latin letters, as far as it can be. */
function latin(text) {
  const small = text.normalize("NFC").toLowerCase();
  const german = NOT_GERMAN.test(small) ? small : replaced(small, UMLAUTS, /[äöü]/g);
  const bare = replaced(german, CYRILLIC, COMPOSED)
    .normalize("NFKD")
    .replace(/\p{M}/gu, "");
  const pairs = replaced(bare, GREEK_PAIRS, /ου|αυ|ευ|γγ|μπ/g);
  return replaced(pairs, { ...LETTERS, ...GREEK, ...CYRILLIC }, /[ßæœøłđðþıħŋŧ\p{Script=Greek}\p{Script=Cyrillic}]/gu);
}

/** Folds any text to `a-z0-9-`, without a hyphen at either end or in the third and fourth place together. */
export function fold(text) {
  return latin(text)
    .replace(/['’‘`´ʼ.\p{Default_Ignorable_Code_Point}]/gu, "")
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, LONGEST)
    .replace(/^-+|-+$/g, "");
}

/** A shape the service may accept: worth asking for. */
export const plausible = (slug) => /^(?!..--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(slug);

/** Whether most letters of a name have no Latin spelling here: what is left of it would be no name. */
function isForeign(name) {
  const letters = [...latin(name)].filter((letter) => /\p{L}/u.test(letter));
  return letters.filter((letter) => !/[a-z]/.test(letter)).length * 2 >= Math.max(letters.length, 1);
}

/** Suggests an address; none where the name has no Latin spelling. Short ones become `…-club`. */
export function suggest(name) {
  const slug = isForeign(name) ? "" : fold(name);
  return slug && slug.length < 3 ? `${slug}-club` : slug;
}
