// Step 4: the set-up as it goes, in words a secretary understands.

import { announce, focusHeading, working } from "../a11y.js";
import * as api from "../api.js";
import { byId, once } from "../dom.js";
import * as draft from "../draft.js";
import { showExpired, showRefusal } from "../errors.js";
import { clearNotice, notice } from "../notice.js";
import { persist } from "../persist.js";
import { STEPS } from "../plans.js";
import { go, here } from "../router.js";
import * as session from "../session.js";
import { explanation, secondsUntil, stepList, taskName } from "../setup.js";
import { knows, say, t } from "../strings.js";
import { watch } from "../watch.js";
import { finish } from "./done.js";

const words = { say, knows, t };

let stop = () => {};
let list = null;
/** What a screen reader was told last: only changes are worth saying. */
let told = "";
let last = null;

function showBar(percent) {
  const bar = byId("bar");
  bar.setAttribute("aria-valuenow", String(percent));
  bar.setAttribute("aria-valuetext", t("progress.percent", { percent }));
  bar.style.setProperty("--done", String(percent / 100));
  say(byId("percent"), "progress.percent", { percent });
}

function tell(steps) {
  const now = steps.find((step) => step.status === "running" || step.retryAt);
  const key = now && (now.retryAt ? "stage.retry" : "progress.now");
  if (!now || told === key + now.name) return;
  told = key + now.name;
  announce(key, now.retryAt ? { n: secondsUntil(now.retryAt) } : { step: taskName(now.name, words) });
}

function see(data) {
  last = data;
  clearNotice();
  session.proof.seen?.(data);
  // Before there is a run, the list is the plan's own.
  const steps = data.steps?.length ? data.steps : [];
  if (steps.length) list.show(steps);
  showBar(data.progress ?? 0);
  tell(steps);
  const panel = byId("failed");
  const isNews = panel.hidden;
  // It went on by itself: whoever stood in the panel is not left nowhere.
  if (data.status !== "failed" && panel.contains(document.activeElement)) focusHeading("progress-heading");
  panel.hidden = data.status !== "failed";
  if (data.status === "completed") complete(data);
  if (data.status === "failed") fail(data, isNews);
}

function complete(data) {
  leave();
  if (here() === "progress") finish(data);
}

function explain(data) {
  const said = explanation(data, words);
  for (const part of ["heading", "at", "why", "resume", "support"]) say(byId(`failed-${part}`), ...said[part]);
  say(byId("failed-do"), ...said.todo);
  byId("failed-webhook").hidden = !said.webhook;
}

function fail(data, isNews) {
  if (!data.resumeAt) leave();
  explain(data);
  if (!isNews) return;
  announce(data.resumeAt ? "failed.headingResumed" : "failed.heading");
  focusHeading("failed-heading");
}

function lose(n) {
  notice("progress.lostTouch", { n }, { silent: true });
}

function expire(answer) {
  if (answer.kind === "expired") showExpired(draft.current().tenant.email);
  else showRefusal(byId("progress"), answer);
}

function leave() {
  stop();
  list.stop();
}

function begin() {
  leave();
  told = "";
  stop = watch({ see, lose, expire });
}

async function retry({ currentTarget }) {
  const free = working(currentTarget, "failed.retrying");
  const answer = await persist(() => session.authorised((token, id) => api.retry(token, id)));
  free();
  if (answer.quiet) return;
  if (answer.kind === "expired") return showExpired(draft.current().tenant.email);
  if (answer.kind === "refused" && answer.error.code !== "NOT_RETRYABLE") return showRefusal(byId("progress"), answer);
  byId("failed").hidden = true;
  if (answer.kind === "refused") announce("failed.notRetryable");
  focusHeading("progress-heading");
  begin();
}

export const progress = {
  heading: () => "progress-heading",
  start() {
    list = stepList(byId("tasks"), words);
    once(byId("failed-retry"), "click", retry);
    once(byId("failed-webhook"), "click", () => go("connect"));
    document.addEventListener("proven", () => here() === "progress" && begin());
  },
  enter() {
    byId("failed").hidden = true;
    // The steps of either plan are known beforehand: showing them now spares a jump when the first answer comes.
    const plan = draft.current().tenant?.plan;
    list.show((STEPS[plan] ?? STEPS.starter).map((name) => ({ name, status: "pending" })));
    showBar(0);
    begin();
  },
  leave,
  speak: () => last?.status === "failed" && explain(last),
};
