// The console in the club's colours: what has to be read is made readable, whatever the club picked.

import { isColour, legible, readable } from "../colour.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
/** The darkest ground of the light look and the lightest of the dark one, on which the accent is text: see app.css. */
const GROUNDS = { light: "#f1f0e9", dark: "#212b27" };

let shown = null;

/** Shows a club's colours, `{primaryColor, secondaryColor}`. Without any, those of app.css stay. */
export function wear(brand = shown) {
  shown = brand;
  const { primaryColor, secondaryColor } = brand ?? {};
  // Through the object model: the content security policy forbids style attributes, not this.
  const { style } = document.documentElement;
  if (isColour(primaryColor)) {
    const accent = legible(primaryColor, dark.matches ? GROUNDS.dark : GROUNDS.light);
    style.setProperty("--club", primaryColor);
    style.setProperty("--on-club", readable(primaryColor));
    style.setProperty("--accent", accent);
    style.setProperty("--on-accent", readable(accent));
  }
  if (isColour(secondaryColor)) style.setProperty("--club-2", secondaryColor);
}
dark.addEventListener("change", () => wear());
