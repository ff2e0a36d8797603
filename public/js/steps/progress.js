// Step 4: the set-up as it goes, in words a secretary understands.

import { announce, focusHeading, working } from "../a11y.js";
import * as api from "../api.js";
import { byId, make, once } from "../dom.js";
import * as draft from "../draft.js";
import { showExpired, showRefusal } from "../errors.js";
import { clearNotice, notice } from "../notice.js";
import { persist } from "../persist.js";
import { STEPS } from "../plans.js";
import { go, here } from "../router.js";
import * as session from "../session.js";
import { clock, knows, say, t } from "../strings.js";
import { watch } from "../watch.js";
import { finish } from "./done.js";

let stop = () => {};
let ticking = null;
/** What a screen reader was told last: only changes are worth saying. */
let told = "";
let last = null;

const taskName = (name) => (knows(`task.${name}`) ? t(`task.${name}`) : name);

function row(name) {
  const label = make("span", { class: "task-name" });
  say(label, knows(`task.${name}`) ? `task.${name}` : null);
  return make(
    "li",
    { "data-name": name, "data-stage": "pending" },
    make("span", { class: "mark", "aria-hidden": "true" }),
    label,
    make("span", { class: "stage" }),
  );
}

function rows(steps) {
  const list = byId("tasks");
  const names = steps.map((step) => step.name);
  const shown = [...list.children].map((item) => item.dataset.name);
  if (names.join() !== shown.join()) list.replaceChildren(...names.map(row));
  return [...list.children];
}

const secondsUntil = (time) => Math.max(0, Math.ceil((Date.parse(time) - api.serverNow()) / 1000));

function paint(item, step) {
  const waiting = Boolean(step.retryAt) && step.status !== "completed" && step.status !== "failed";
  item.dataset.stage = waiting ? "retry" : step.status;
  if (step.status === "running" || waiting) item.setAttribute("aria-current", "step");
  else item.removeAttribute("aria-current");
  const stage = item.querySelector(".stage");
  if (waiting) say(stage, "stage.retry", { n: secondsUntil(step.retryAt) });
  else if (["completed", "skipped"].includes(step.status) && step.error) say(stage, "stage.warning");
  else say(stage, `stage.${step.status}`);
}

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
  announce(key, now.retryAt ? { n: secondsUntil(now.retryAt) } : { step: taskName(now.name) });
}

function see(data) {
  last = data;
  clearNotice();
  session.proof.seen?.(data);
  // Before there is a run, the list is the plan's own.
  const steps = data.steps?.length ? data.steps : [];
  const items = steps.length ? rows(steps) : [];
  const paintAll = () => {
    for (const [n, step] of steps.entries()) paint(items[n], step);
  };
  paintAll();
  showBar(data.progress ?? 0);
  tell(steps);
  clearInterval(ticking);
  // Between two answers the countdown goes on by itself.
  if (steps.some((step) => step.retryAt)) ticking = setInterval(paintAll, 1000);
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

const text = (value) => (typeof value === "string" ? value : (value?.message ?? ""));

/** In our words if the language has any for the reason, else in the server's, which are English. */
function why({ error, reason }) {
  const ours = `reason.${error?.code ?? reason}`;
  return knows(ours) ? t(ours) : text(error) || text(reason);
}

/** What helps: by the reason, and where it matters by the step, too. */
const advice = (reason, step) =>
  [`failed.do.${reason}.${step}`, `failed.do.${reason}`].find(knows) ?? "failed.do.other";

/** Another webhook helps wherever it is the webhook that keeps the club waiting, and nobody has stopped it. */
const webhookHelps = (reason, step) => step === "validate_webhook" && !["CANCELLED", "TENANT_GONE"].includes(reason);

/** Says which step broke, why, and what helps. */
function explain(data) {
  const broken = data.steps?.find((step) => step.status === "failed")?.name ?? data.currentStep ?? data.step;
  const reason = why(data);
  say(byId("failed-at"), broken ? "failed.at" : null, { step: taskName(broken) });
  say(byId("failed-why"), reason ? "failed.why" : null, { reason });
  say(byId("failed-do"), advice(data.reason, broken));
  say(byId("failed-support"), data.runId ? "failed.support" : null, { id: data.runId });
  byId("failed-webhook").hidden = !webhookHelps(data.reason, broken);
  tellResumed(data.resumeAt);
  // Where only waiting helps, nobody is told to do something.
  if (data.resumeAt && !webhookHelps(data.reason, broken)) say(byId("failed-do"));
}

/** Whether the service goes on by itself, and when. */
function tellResumed(resumeAt) {
  say(byId("failed-heading"), resumeAt ? "failed.headingResumed" : "failed.heading");
  const at = resumeAt && Date.parse(resumeAt) - api.serverNow() + Date.now();
  if (at > Date.now()) say(byId("failed-resume"), "failed.resume", { time: clock(new Date(at)) });
  else say(byId("failed-resume"), resumeAt ? "failed.resumeSoon" : null);
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
  clearInterval(ticking);
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
    once(byId("failed-retry"), "click", retry);
    once(byId("failed-webhook"), "click", () => go("connect"));
    document.addEventListener("proven", () => here() === "progress" && begin());
  },
  enter() {
    byId("failed").hidden = true;
    // The steps of either plan are known beforehand: showing them now spares a jump when the first answer comes.
    const plan = draft.current().tenant?.plan;
    for (const item of rows((STEPS[plan] ?? STEPS.starter).map((name) => ({ name })))) paint(item, { status: "pending" });
    showBar(0);
    begin();
  },
  leave,
  speak: () => last?.status === "failed" && explain(last),
};
