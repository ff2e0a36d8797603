// Which step is shown. Every step is an entry in the browser's history, so Back goes back one step and loses nothing.

import { announce, focusHeading } from "./a11y.js";
import { byId } from "./dom.js";
import * as draft from "./draft.js";
import { clearNotice } from "./notice.js";
import * as session from "./session.js";
import { say, t } from "./strings.js";

const ORDER = ["club", "colours", "connect", "progress"];

let steps = {};
let shown = null;

/** The step on the page now. */
export const here = () => shown;

/** The furthest step that makes sense, given what exists. */
function reachable(step) {
  if (session.finished() && !draft.current().tenant) return "done";
  const { tenant, queued } = draft.current();
  if (!tenant) return "club";
  const furthest = queued ? "progress" : "connect";
  const at = ORDER.indexOf(step);
  return at < 0 || at > ORDER.indexOf(furthest) ? furthest : step;
}

function shownPlan() {
  if (shown === "done") return session.finished().plan;
  const { tenant, plan } = draft.current();
  return tenant?.plan ?? plan;
}

export function showPlan() {
  const plan = shownPlan();
  say(byId("steps").children[2].firstElementChild, plan === "pro" ? "step.confirm" : "step.connect");
}

/** Which steps have been done, whatever was left out on the way here. */
function doneSteps() {
  const { tenant, branded, queued } = draft.current();
  return shown === "done" ? [true, true, true, true] : [Boolean(tenant), branded, queued, false];
}

function mark(step) {
  const at = ORDER.indexOf(step);
  const done = doneSteps();
  [...byId("steps").children].forEach((item, n) => {
    item.dataset.stage = n === at ? "running" : done[n] ? "completed" : "pending";
    if (n === at) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  });
  showPlan();
  showTitle();
}

function showTitle() {
  const at = ORDER.indexOf(shown);
  document.title = at < 0 ? t("page.title") : `${nameOf(at)} · ${t("page.title")}`;
}

const nameOf = (at) => t(byId("steps").children[at].firstElementChild.dataset.t);

function show(step, focus) {
  if (shown && shown !== step) steps[shown].leave?.();
  shown = step;
  byId("main").dataset.step = step;
  for (const name of [...ORDER, "done"]) byId(name).hidden = name !== step;
  clearNotice();
  document.dispatchEvent(new Event("stepchange"));
  mark(step);
  steps[step].enter();
  if (!focus) return;
  // What has to be done first comes into view with the step.
  const first = byId("proof");
  focusHeading(steps[step].heading(), first.hidden ? undefined : first);
  const at = ORDER.indexOf(step);
  if (at >= 0) announce("step.position", { n: at + 1, name: nameOf(at) });
}

/** Goes to a step and remembers it. */
export function go(wanted, { replace = false } = {}) {
  const step = reachable(wanted);
  if (step !== "done") draft.save({ step });
  const change = replace || step === shown ? "replaceState" : "pushState";
  history[change](null, "", `#/${step}`);
  show(step, true);
}

function back() {
  const at = ORDER.indexOf(shown);
  if (at > 0) go(ORDER[at - 1]);
}

/** The step that the address names, written `#/step` so that it is no element's id and moves neither view nor focus. */
const inAddress = () => location.hash.slice(2);

/** Starts with the step in the address, or else where the draft stopped. */
export function startRouter(table) {
  steps = table;
  for (const step of Object.values(steps)) step.start();
  for (const button of document.querySelectorAll("[data-back]")) button.addEventListener("click", back);
  // Text with a key is translated again by the language. Text made of several keys is translated by its step.
  document.addEventListener("languagechange", () => {
    showTitle();
    steps[shown].speak?.();
  });
  addEventListener("popstate", () => {
    const step = reachable(inAddress() || draft.current().step);
    history.replaceState(null, "", `#/${step}`);
    show(step, true);
  });
  const first = reachable(inAddress() || draft.current().step);
  history.replaceState(null, "", `#/${first}`);
  show(first, false);
}
