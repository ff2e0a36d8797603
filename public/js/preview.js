// The club's header as its members will see it, in the colours picked so far.

import { byId } from "./dom.js";
import * as draft from "./draft.js";
import { t } from "./strings.js";

const HEX = /^#[0-9a-f]{6}$/i;
export const isColour = (text) => HEX.test(text);

/** WCAG relative luminance. */
function luminance(hex) {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Black or white, whichever reads better on the colour. Both can't fail: one has at least 4.5 : 1. */
export const readable = (hex) => (luminance(hex) > 0.179 ? "#101413" : "#ffffff");

export function showColours(primary, secondary) {
  // Set through the object model: the content security policy forbids style attributes, not this.
  const { style } = byId("preview");
  if (isColour(primary)) {
    style.setProperty("--club", primary);
    style.setProperty("--on-club", readable(primary));
  }
  if (isColour(secondary)) {
    style.setProperty("--club-2", secondary);
    style.setProperty("--on-club-2", readable(secondary));
  }
}

export function showName(name, address) {
  byId("preview-name").textContent = name || t("colours.yourClub");
  byId("preview-address").textContent = address || "…";
}

export function showClub() {
  const { clubName, clubSlug, tenant, base } = draft.current();
  const slug = tenant ? tenant.slug : clubSlug;
  showName(tenant ? tenant.name : clubName, slug && `${slug}${base ? `.${base}` : ""}`);
}

export function startPreview() {
  const { primaryColor, secondaryColor } = draft.current();
  showColours(primaryColor, secondaryColor);
  showClub();
  document.addEventListener("languagechange", showClub);
}
