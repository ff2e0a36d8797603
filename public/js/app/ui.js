// What screens are made of. Text from a club, from people or from other services is text here, never markup: there is no other way in.

import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { clock, dayAndTime } from "../times.js";
import { known, t } from "./language.js";
import { hasMoved } from "./router.js";

const PATHS = {
  home: "M3 11.5 12 4l9 7.5M5.5 10v9.5h13V10",
  setup: "M4 6.5l1.5 1.5L8 5M4 12.5 5.5 14 8 11M4 18.5 5.5 20 8 17M11 6.5h9M11 12.5h9M11 18.5h9",
  webhook: "M9 7V3m6 4V3M6.5 7h11v4a5.5 5.5 0 0 1-11 0zM12 16.5V21",
  spreadsheet: "M4 4.5h16v15H4zM4 9.5h16M4 14.5h16M10 9.5v10",
  team: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M2.5 20a6.5 6.5 0 0 1 13 0M16 4.3a3.5 3.5 0 0 1 0 6.4M18 14.3a6.5 6.5 0 0 1 3.5 5.7",
  activity: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M12 7v5.5l3.5 2",
  settings: "M4 7h9M17 7h3M4 12h3M11 12h9M4 17h9M17 17h3M15 5v4M9 10v4M15 15v4",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  done: "M5 12.5 10 17.5 19.5 7",
  warn: "M12 4 2.5 20h19zM12 10v4.5M12 17.2v.3",
  away: "M9 5H5v14h14v-4M13 4h7v7M20 4l-9.5 9.5",
};

export const Icon = ({ name }) => html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;

export const Crest = () =>
  html`<svg class="crest" viewBox="0 0 32 34" aria-hidden="true"><path class="crest-a" d="M3 3h26v14c0 7-5.5 11-13 14C8.5 28 3 24 3 17z" /><path class="crest-b" d="M16 3h13v14c0 7-5.5 11-13 14z" /></svg>`;

/** What was said to people who do not see the page. */
export function announce(text) {
  document.getElementById("live").textContent = text;
}

/** A screen. Whoever comes to it is at its heading. */
export function Screen({ title, children }) {
  const heading = useRef();
  useEffect(() => {
    if (hasMoved) heading.current.focus({ preventScroll: true });
  }, []);
  return html`<div class="screen"><h1 tabindex="-1" ref=${heading}>${title}</h1>${children}</div>`;
}

/** A part of a screen, with its own heading. `tone`: "warn", "bad", or none. */
export const Card = ({ title, tone, children }) =>
  html`<section class="card" data-tone=${tone}>${title && html`<h2>${title}</h2>`}${children}</section>`;

/** Facts as pairs: `[label, content]`; what is false is left out. */
export const Facts = ({ of }) =>
  html`<dl class="facts">${of.filter(Boolean).map(([label, content]) => html`<div key=${label}><dt>${label}</dt><dd>${content}</dd></div>`)}</dl>`;

/**
 * A button that says when it is at work and gives no second start. It keeps the focus, so it is not disabled. `kind`: "primary", "quiet",
 * "bad", or none.
 */
export function Button({ kind, busy, busyText, onClick, children, ...rest }) {
  return html`<button type=${onClick ? "button" : "submit"} ...${rest} class=${kind} aria-disabled=${busy ? "true" : null}
    onClick=${(event) => (busy ? event.preventDefault() : onClick?.(event))}>${busy ? (busyText ?? t("state.busy")) : children}</button>`;
}

/** A text with a button that copies it. `what` names it for those who do not see it. */
export function Copy({ text, what, children }) {
  const [said, say] = useState(null);
  async function copy() {
    const key = await navigator.clipboard.writeText(text).then(
      () => "copy.done",
      () => "copy.byHand",
    );
    say(key);
    announce(t(key));
    setTimeout(say, 4000, null);
  }
  return html`<span class="copy"><span class="copied" dir="auto">${children ?? text}</span>
    <button type="button" class="small" onClick=${copy} aria-label=${t("copy.of", { what })}><${Icon} name=${said === "copy.done" ? "done" : "copy"} /><span>${t(said ?? "copy.do")}</span></button></span>`;
}

/** What is further away is told with its day. */
const HALF_DAY_S = 43_200;

/** What came of an answer that is not "ok", in a sentence. */
export function problemText({ kind, error = {}, retryAfter, status }) {
  if (kind === "lost") return t(navigator.onLine ? "problem.lost" : "problem.offline");
  const key = known(`error.${error.code}.${error.reason}`, `error.${error.code}`);
  const wait = retryAfter ?? 60;
  const time = (wait < HALF_DAY_S ? clock : dayAndTime)(Date.now() + wait * 1000);
  if (key) return t(key, { time });
  if (kind === "later") return t(status === 429 ? "error.RATE_LIMITED" : "problem.busy", { time });
  return t("problem.other", { id: error.requestId ?? error.code ?? "–" });
}

/** Below a form or a button: what came of the last attempt. Its role has it read. */
export const Problem = ({ answer }) => html`<p class="problem" role="alert">${answer && problemText(answer)}</p>`;

/**
 * Work of a button or form: `{run, busy, problem}`. `work` answers an answer of client.js; `run` answers it too, and does nothing while it
 * is at work.
 */
export function useAction(work) {
  const [view, show] = useState({ busy: false, problem: null });
  const running = useRef(false);
  async function run(...args) {
    if (running.current) return null;
    running.current = true;
    show({ busy: true, problem: null });
    const answer = await work(...args);
    running.current = false;
    show({ busy: false, problem: answer?.kind === "ok" || answer?.kind === "gone" ? null : answer });
    return answer;
  }
  return { ...view, run, forgive: () => show({ busy: false, problem: null }) };
}

/**
 * A field with its label, hint and error. `error`: the sentence, if any. Everything else goes to the input. The parent keeps the value.
 */
export function Field({ name, label, hint, error, as = "input", ...input }) {
  const hintId = hint && `${name}-hint`;
  return html`<div class="field"><label for=${name}>${label}</label>
    ${hint && html`<p class="hint" id=${hintId}>${hint}</p>`}
    <${as} id=${name} name=${name} dir="auto" ...${input} aria-invalid=${error ? "true" : null} aria-describedby=${`${hintId ?? ""} ${name}-error`} />
    <p class="error" id=${`${name}-error`}>${error}</p></div>`;
}

/** The sentence for a field that the service refused, if it refused this one. */
export function issueFor(answer, field) {
  const issue = answer?.error?.issues?.find(({ path }) => path?.[0] === field);
  if (!issue) return null;
  const key = known(`issue.${field}.${issue.code}`, `issue.${field}`, `issue.${issue.code}`);
  return key ? t(key) : issue.message;
}

/** A question that has to be answered before anything else. Escape and the second button leave it. */
export function Dialog({ title, onClose, children }) {
  const dialog = useRef();
  useEffect(() => {
    const { activeElement } = document;
    dialog.current.showModal();
    return () => activeElement?.focus?.();
  }, []);
  return html`<dialog ref=${dialog} aria-labelledby="dialog-title" onClose=${onClose} onCancel=${onClose}><h2 id="dialog-title" tabindex="-1" autofocus>${title}</h2>${children}</dialog>`;
}

/** The place of what is on its way, as high as it will be about: nothing jumps. */
export const Loading = ({ lines = 3 }) =>
  html`<div class="loading" role="status"><span class="aside-text">${t("state.loading")}</span>${Array.from({ length: lines }, () => html`<i></i>`)}</div>`;

/** What did not come, why, and one button. */
export const Failed = ({ answer, again }) =>
  html`<div class="empty" role="alert"><${Icon} name="warn" /><p>${problemText(answer)}</p><${Button} onClick=${again}>${t("state.again")}<//></div>`;

/** Where there is nothing yet: what will be here, and what one can do, as children. */
export const Empty = ({ icon, text, children }) => html`<div class="empty"><${Icon} name=${icon} /><p>${text}</p>${children}</div>`;

/** One of the three: on its way, failed, or `children(body)`. `view` and `again` as of resources.js. */
export function Shown({ view, again, lines, children }) {
  if (view.state === "loading") return html`<${Loading} lines=${lines} />`;
  if (view.state === "failed") return html`<${Failed} answer=${view.answer} again=${again} />`;
  return children(view.body ?? view.data);
}
