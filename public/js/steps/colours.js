// Step 2: the club's two colours, previewed as they are picked.

import { working } from "../a11y.js";
import * as api from "../api.js";
import { byId, make, noticeFills, once } from "../dom.js";
import * as draft from "../draft.js";
import { blameWith, focusFirst, forgiveAll, forgiveOnInput, showExpired, showRefusal } from "../errors.js";
import { persist } from "../persist.js";
import { isColour, showColours } from "../preview.js";
import { go, here } from "../router.js";
import { authorised } from "../session.js";
import { t } from "../strings.js";

const KITS = {
  green: ["#0f5c45", "#ffffff"],
  claret: ["#7a263a", "#8fc6ea"],
  red: ["#b3202c", "#ffffff"],
  blue: ["#1d4f9c", "#ffffff"],
  amber: ["#f2a900", "#16161a"],
  black: ["#16161a", "#ffffff"],
  navy: ["#14213d", "#e0b13c"],
  sky: ["#8fc6ea", "#6d1f2f"],
};
const FIELDS = ["primaryColor", "secondaryColor"];
const PICKERS = { primaryColor: "primaryPick", secondaryColor: "secondaryPick" };

const form = () => byId("colours-form");
/** People paste colours with and without the hash. */
const tidy = (text) => text.trim().replace(/^#?/, "#").toUpperCase();
const picked = () => Object.fromEntries(FIELDS.map((name) => [name, tidy(byId(name).value)]));

function show() {
  const { primaryColor, secondaryColor } = picked();
  showColours(primaryColor, secondaryColor);
  for (const name of FIELDS) if (isColour(picked()[name])) byId(PICKERS[name]).value = picked()[name].toLowerCase();
  for (const button of byId("kits").children) {
    const kit = KITS[button.dataset.kit].map((colour) => colour.toUpperCase());
    button.setAttribute("aria-pressed", String(kit[0] === primaryColor && kit[1] === secondaryColor));
  }
}

/** The fields that say something else than the draft: whatever filled them in said nothing. */
const filled = () =>
  here() === "colours" ? FIELDS.filter((name) => picked()[name] !== tidy(draft.current()[name])).map(byId) : [];

function keep() {
  draft.save(picked());
  show();
}

function put(primary, secondary) {
  byId("primaryColor").value = primary.toUpperCase();
  byId("secondaryColor").value = secondary.toUpperCase();
  forgiveAll(form());
  keep();
}

function kitButton([name, [primary, secondary]]) {
  const swatch = make("span", { class: "swatch" });
  swatch.style.setProperty("--club", primary);
  swatch.style.setProperty("--club-2", secondary);
  const button = make(
    "button",
    {
      type: "button",
      "data-kit": name,
      "aria-pressed": "false",
      "aria-label": t(`colours.kit.${name}`),
      "data-ta": `aria-label:colours.kit.${name}`,
    },
    swatch,
  );
  button.addEventListener("click", () => put(primary, secondary));
  return button;
}

function notAColour() {
  forgiveAll(form());
  for (const name of FIELDS) if (!isColour(picked()[name])) blameWith(name, "colours.shape");
  return focusFirst(form());
}

async function submit() {
  if (notAColour()) return;
  const free = working(form().querySelector("[type=submit]"), "colours.submitting");
  const answer = await persist(() => authorised((token) => api.brand(picked(), token)));
  free();
  if (answer.quiet) return;
  if (answer.kind === "expired") return showExpired(draft.current().tenant.email);
  if (answer.kind === "refused") return showRefusal(form(), answer);
  draft.save({ branded: true });
  if (here() === "colours") go("connect");
}

export const colours = {
  heading: () => "colours-heading",
  start() {
    byId("kits").append(...Object.entries(KITS).map(kitButton));
    for (const name of FIELDS) {
      byId(name).addEventListener("input", keep);
      byId(PICKERS[name]).addEventListener("input", ({ target }) => {
        byId(name).value = target.value.toUpperCase();
        forgiveAll(form());
        keep();
      });
    }
    forgiveOnInput(form());
    noticeFills(filled);
    once(form(), "submit", submit);
  },
  enter() {
    const { primaryColor, secondaryColor } = draft.current();
    put(primaryColor, secondaryColor);
  },
};
