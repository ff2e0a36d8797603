// The club's header as its members will see it, in the colours picked so far.

import { isColour, readable } from "./colour.js";
import { byId } from "./dom.js";
import * as draft from "./draft.js";
import { t } from "./strings.js";

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
