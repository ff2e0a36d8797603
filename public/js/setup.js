// A set-up's steps as they go, and why it stopped: what the wizard and the console show alike. Each of them has its own words, and gives
// `say`, `knows` and `t`.

import { serverNow } from "./api.js";
import { make } from "./dom.js";
import { clock } from "./times.js";

const taskOf = (name, { knows }) => (knows(`task.${name}`) ? `task.${name}` : null);
export const taskName = (name, words) => (taskOf(name, words) ? words.t(`task.${name}`) : name);

export const secondsUntil = (time) => Math.max(0, Math.ceil((Date.parse(time) - serverNow()) / 1000));

const isWaiting = (step) => Boolean(step.retryAt) && step.status !== "completed" && step.status !== "failed";

/** `[key, args]` of a step's state. */
function stageOf(step) {
  if (isWaiting(step)) return ["stage.retry", { n: secondsUntil(step.retryAt) }];
  if (["completed", "skipped"].includes(step.status) && step.error) return ["stage.warning"];
  return [`stage.${step.status}`];
}

/** Keeps the rows of a list as the steps are. Between two answers the countdown goes on by itself, until `stop()`. */
export function stepList(list, words) {
  let ticking = null;

  function row(name) {
    const label = make("span", { class: "task-name" });
    const key = taskOf(name, words);
    if (key) words.say(label, key);
    else label.textContent = name;
    return make(
      "li",
      { "data-name": name, "data-stage": "pending" },
      make("span", { class: "mark", "aria-hidden": "true" }),
      label,
      make("span", { class: "stage" }),
    );
  }

  function paint(item, step) {
    item.dataset.stage = isWaiting(step) ? "retry" : step.status;
    if (step.status === "running" || isWaiting(step)) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
    words.say(item.querySelector(".stage"), ...stageOf(step));
  }

  const stop = () => clearInterval(ticking);
  function show(steps) {
    const shown = [...list.children].map((item) => item.dataset.name);
    if (steps.map(({ name }) => name).join() !== shown.join()) list.replaceChildren(...steps.map(({ name }) => row(name)));
    const paintAll = () => {
      for (const [n, step] of steps.entries()) paint(list.children[n], step);
    };
    paintAll();
    stop();
    if (steps.some(isWaiting)) ticking = setInterval(paintAll, 1000);
  }
  return { show, stop };
}

const text = (value) => (typeof value === "string" ? value : (value?.message ?? ""));

/** In our words if the language has any for the reason, else in the server's, which are English. */
function why({ error, reason }, { knows, t }) {
  const ours = `reason.${error?.code ?? reason}`;
  return knows(ours) ? t(ours) : text(error) || text(reason);
}

/** Another webhook helps wherever it is the webhook that keeps the club waiting, and nobody has stopped it. */
const webhookHelps = (reason, step) => step === "validate_webhook" && !["CANCELLED", "TENANT_GONE"].includes(reason);

/** Whether the service goes on by itself, and when. */
function resumed(resumeAt) {
  const at = resumeAt && Date.parse(resumeAt) - serverNow() + Date.now();
  if (at > Date.now()) return ["failed.resume", { time: clock(new Date(at)) }];
  return [resumeAt ? "failed.resumeSoon" : null];
}

/** Which step broke, why, and what helps: each as `[key, args]`, and `webhook`, whether another one helps. */
export function explanation(data, words) {
  const broken = data.steps?.find((step) => step.status === "failed")?.name ?? data.currentStep ?? data.step;
  const reason = why(data, words);
  const webhook = webhookHelps(data.reason, broken);
  const advice = [`failed.do.${data.reason}.${broken}`, `failed.do.${data.reason}`].find(words.knows) ?? "failed.do.other";
  return {
    heading: [data.resumeAt ? "failed.headingResumed" : "failed.heading"],
    at: [broken ? "failed.at" : null, { step: taskName(broken, words) }],
    why: [reason ? "failed.why" : null, { reason }],
    // Where only waiting helps, nobody is told to do something.
    todo: [data.resumeAt && !webhook ? null : advice],
    resume: resumed(data.resumeAt),
    support: [data.runId ? "failed.support" : null, { id: data.runId }],
    webhook,
  };
}
