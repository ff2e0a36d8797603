// Colours that a club picks, and what can be read on them.

const HEX = /^#[0-9a-f]{6}$/i;
export const isColour = (text) => HEX.test(text);

const partsOf = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** WCAG relative luminance. */
function luminance(hex) {
  const [r, g, b] = partsOf(hex).map((part) => (part / 255 <= 0.04045 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Black or white, whichever reads better on the colour. Both can't fail: one has at least 4.5 : 1. */
export const readable = (hex) => (luminance(hex) > 0.179 ? "#101413" : "#ffffff");

function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

const mixed = (hex, other, share) => {
  const [from, to] = [partsOf(hex), partsOf(other)];
  return `#${from.map((part, n) => Math.round(part + (to[n] - part) * share).toString(16).padStart(2, "0")).join("")}`;
};

/** The colour itself where it can be read on `ground`, else the nearest on its way to black or white that can. */
export function legible(hex, ground) {
  const end = readable(ground) === "#ffffff" ? "#ffffff" : "#000000";
  for (let share = 0; share < 1; share += 0.05) {
    const found = mixed(hex, end, share);
    if (contrast(found, ground) >= 4.6) return found;
  }
  return end;
}
