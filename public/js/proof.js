// The panel that asks for the proof of an address: the code from the mail, another mail, or another address. It stands above every step
// until the address is confirmed, here, in another tab or on another device. Loaded only when an address has to be proven.

import { announce, working } from "./a11y.js";
import * as api from "./api.js";
import { codeIn, sendWhole } from "./code.js";
import { byId, make, noticeFills, once } from "./dom.js";
import * as draft from "./draft.js";
import { blameWith, focusFirst, forgive, forgiveOnInput, showRefusal } from "./errors.js";
import english from "./lang/proof.en.js";
import { persist } from "./persist.js";
import { here } from "./router.js";
import * as session from "./session.js";
import { clock, learn, say } from "./strings.js";
import { tidy } from "./text.js";

/** The service's own pause between two mails. */
const PAUSE_S = 30;
/** After this long an address that nobody proved has lapsed, and the club with it. */
const LAPSE_MS = 72 * 3_600_000;
/** A person watches a countdown no longer than this: after that, show the time instead. */
const LONGEST_COUNT_S = 120;
/** How often we look whether the address was proven elsewhere: soon after the mail, and then less often. */
const LOOKS_S = [...Array(12).fill(10), ...Array(20).fill(30), 60];

/** A proof of this page's own that is on its way. */
let proving = null;
/** The club whose address was proven while this page was open. */
let proven = null;
let isCorrecting = false;
let looks = 0;
let shownView = null;

const panel = byId("proof");
const button = (id, key, attributes = {}) => {
  const made = make("button", { type: "button", id, ...attributes });
  say(made, key);
  return made;
};
const worded = (tag, key, attributes = {}) => {
  const made = make(tag, attributes);
  if (key) say(made, key);
  return made;
};

function build() {
  const code = {
    id: "proofCode",
    name: "proofCode",
    inputmode: "numeric",
    autocomplete: "one-time-code",
    autocapitalize: "none",
    spellcheck: "false",
    dir: "ltr",
    "aria-describedby": "proof-hint proofCode-error proof-said",
  };
  const email = {
    id: "proofEmail",
    name: "proofEmail",
    type: "email",
    autocomplete: "email",
    autocapitalize: "none",
    spellcheck: "false",
    dir: "auto",
    "aria-describedby": "proofEmail-error",
  };
  panel.append(
    worded("h2", "code.heading", { id: "proof-heading", tabindex: "-1" }),
    make(
      "div",
      { class: "proof-to" },
      make("p", {}, make("strong", { id: "proof-address", dir: "auto" })),
      button("proof-wrong", "code.wrongAddress", { class: "quiet" }),
    ),
    worded("p", "code.sent", { id: "proof-text" }),
    make(
      "form",
      { id: "proof-form", novalidate: "" },
      worded("label", "code.label", { for: "proofCode" }),
      make("div", { class: "proof-row" }, make("input", code), button("proof-submit", "code.submit", { type: "submit", class: "primary" })),
      make("p", { class: "error", id: "proofCode-error" }),
      make("p", { class: "answer-line", id: "proof-said", role: "status" }),
      worded("p", "code.hint", { class: "hint", id: "proof-hint" }),
      button("proof-again", "code.again", { class: "quiet" }),
    ),
    make(
      "form",
      { id: "proof-email-form", novalidate: "", hidden: "" },
      worded("label", "code.newAddress", { for: "proofEmail" }),
      make("div", { class: "proof-row" }, make("input", email), button("proof-correct", "code.correct", { type: "submit", class: "primary" })),
      make("p", { class: "error", id: "proofEmail-error" }),
      button("proof-leave", "code.leave", { class: "quiet" }),
    ),
    make("div", { class: "actions", id: "proof-actions", hidden: "" }, button("proof-link", "session.link")),
  );
}

/** What the panel has to say now; nothing where there is nothing to prove. */
function viewNow() {
  const { tenant } = draft.current();
  if (!tenant || here() === "done") return null;
  const current = session.read();
  if (tenant.emailProven === false) {
    if (current) return "code";
    return tenant.madeAt < Date.now() - LAPSE_MS ? "lapsed" : "link";
  }
  if (current?.ended) return "elsewhere";
  return proven === tenant.id ? "proven" : null;
}

const TEXTS = { code: "code.sent", link: "code.byLink", lapsed: "code.lapsed", elsewhere: "code.elsewhere", proven: "code.yours" };

/** Shows what there is to say, and moves a focus that would be nowhere. */
export function show() {
  const view = viewNow();
  const hadFocus = panel.contains(document.activeElement);
  const isNews = view !== shownView;
  const isDone = view === "proven" || view === "elsewhere";
  // The height is held, so that what stands below does not move when the answer comes.
  if (isNews && isDone && shownView) panel.style.setProperty("min-height", `${panel.offsetHeight}px`);
  if (!isDone) panel.style.removeProperty("min-height");
  shownView = view;
  panel.hidden = !view;
  if (!view) return;
  panel.dataset.view = view;
  say(byId("proof-heading"), isDone ? "code.proven" : "code.heading");
  say(byId("proof-text"), TEXTS[view]);
  byId("proof-address").textContent = draft.current().tenant.email ?? "–";
  const isAsked = view === "code";
  byId("proof-wrong").hidden = !isAsked || isCorrecting;
  byId("proof-form").hidden = !isAsked || isCorrecting;
  byId("proof-email-form").hidden = !isAsked || !isCorrecting;
  byId("proof-actions").hidden = view !== "link" && view !== "elsewhere";
  countDown();
  if (isNews && isDone) announce("code.proven");
  const { activeElement } = document;
  if (hadFocus && (!panel.contains(activeElement) || activeElement.closest("[hidden]"))) byId("proof-heading").focus({ preventScroll: true });
}

const secondsLeft = () => Math.ceil((draft.current().againAt - Date.now()) / 1000);

/** When the next mail may be sent, on the button that sends it. */
function countDown() {
  const again = byId("proof-again");
  if (panel.hidden || again.dataset.t === "code.sending") return;
  const left = secondsLeft();
  if (left > LONGEST_COUNT_S) say(again, "code.againAt", { time: clock(draft.current().againAt) });
  else if (left > 0) say(again, "code.againIn", { n: left });
  else say(again, "code.again");
  if (left > 0) again.setAttribute("aria-disabled", "true");
  else again.removeAttribute("aria-disabled");
}

/** "Not now" is said on the panel, and not waited for. */
const unpaced = async (attempt) => {
  const answer = await attempt;
  return answer.status === 429 ? { ...answer, kind: "refused" } : answer;
};

const timeAfter = (seconds) => clock(Date.now() + (seconds ?? 3600) * 1000);

/** What stands in the way, where it concerns the panel alone. Answers whether it does. */
function isElsewhere({ kind, error }) {
  if (kind === "expired") show();
  else if (error?.code === "EMAIL_PROVEN") provenElsewhere();
  else return false;
  return true;
}

async function prove() {
  forgive("proofCode");
  const input = byId("proofCode");
  const code = codeIn(input);
  if (!code) {
    blameWith("proofCode", input.value ? "code.shape" : "error.required");
    return focusFirst(byId("proof-form"));
  }
  const free = working(byId("proof-submit"), "code.submitting");
  const call = (token) => api.prove({ code }, token);
  proving = { call, done: persist(() => session.authorised(call)) };
  const answer = await proving.done;
  proving = null;
  free();
  if (answer.quiet || isElsewhere(answer)) return;
  if (answer.kind === "ok") return take(answer.body);
  const { code: why, reason, triesLeft } = answer.error;
  if (why === "INVALID_CODE") refuse(`code.${reason}`, { n: triesLeft });
  else if (why === "EMAIL_EXISTS") refuse("code.taken");
  else if (answer.status === 400) refuse("code.shape");
  else showRefusal(byId("proof-form"), answer);
}

/** The code was not taken: the next one is typed over it. */
function refuse(key, args) {
  blameWith("proofCode", key, args);
  announce(key, args);
  const input = byId("proofCode");
  input.focus();
  input.select();
}

/** Proven: the token that it gives takes the place of the one from before, here and in every tab with the same club. */
function take({ tenantId, jwt, tenant }) {
  got({ tenantId, token: jwt, tenant });
  channel?.postMessage({ tenantId, token: jwt, tenant });
}

function got({ tenantId, token, tenant }) {
  const { tenant: known } = draft.current();
  if (known?.id !== tenantId) return;
  session.open({ token, tenantId });
  draft.learn({ tenant: { ...known, ...tenant, emailProven: true } });
  proven = tenantId;
  show();
  document.dispatchEvent(new Event("proven"));
}

/** Pages of the same browser tell each other: whoever proved the address has the token, and the others wait for it. */
const channel = "BroadcastChannel" in window ? new BroadcastChannel(session.CHANNEL) : null;
channel?.addEventListener("message", ({ data }) => {
  const { tenant } = draft.current();
  const waits = ["code", "link", "elsewhere"].includes(viewNow());
  if (!waits || data?.tenantId !== tenant.id || typeof data.token !== "string") return;
  got(data);
  channel.postMessage({ taken: data.tenantId });
});

async function sendAgain({ currentTarget }) {
  if (secondsLeft() > 0) return;
  const free = working(currentTarget, "code.sending");
  const answer = await persist(() => unpaced(session.authorised((token) => api.sendProof(token))));
  free();
  if (answer.kind === "ok") {
    draft.learn({ againAt: Date.now() + PAUSE_S * 1000 });
    forgive("proofCode");
    say(byId("proof-said"), "code.onItsWay");
  } else if (answer.status === 429) {
    draft.learn({ againAt: Date.now() + (answer.retryAfter ?? 3600) * 1000 });
    say(byId("proof-said"), "code.tooOften", { time: timeAfter(answer.retryAfter) });
  } else if (!answer.quiet && !isElsewhere(answer)) showRefusal(byId("proof-form"), answer);
  countDown();
}

function correcting(value) {
  isCorrecting = value;
  forgive("proofEmail");
  show();
  if (value) {
    byId("proofEmail").value = draft.current().tenant.email ?? "";
    byId("proofEmail").select();
  }
  byId(value ? "proofEmail" : "proof-wrong").focus();
}

async function correct() {
  forgive("proofEmail");
  const email = tidy(byId("proofEmail").value);
  if (!email) blameWith("proofEmail", "error.required");
  if (focusFirst(byId("proof-email-form"))) return;
  const free = working(byId("proof-correct"), "code.correcting");
  const answer = await persist(() => unpaced(session.authorised((token) => api.correctEmail(email, token))));
  free();
  if (answer.quiet || isElsewhere(answer)) return;
  if (answer.status === 429) return blameWith("proofEmail", "code.tooOften", { time: timeAfter(answer.retryAfter) });
  if (answer.kind === "refused") return showRefusal(byId("proof-email-form"), answer, { email: "proofEmail" });
  const { tenant } = draft.current();
  draft.learn({ tenant: { ...tenant, email: answer.body.data.email }, againAt: Date.now() + PAUSE_S * 1000 });
  byId("made-email").textContent = answer.body.data.email;
  byId("proofCode").value = "";
  forgive("proofCode");
  correcting(false);
  byId("proofCode").focus();
  say(byId("proof-said"), "code.onItsWay");
}

/** The address was proven, but nobody gave this page the token. What it has still shows how the set-up goes. */
function provenElsewhere() {
  const current = session.read();
  const { tenant } = draft.current();
  if (!tenant) return;
  if (current) session.open({ ...current, ended: true });
  draft.learn({ tenant: { ...tenant, emailProven: true } });
  show();
}

/**
 * A token was refused: the one from before the proof ends with it. Answers what the call comes to; nothing if it has another cause.
 */
session.proof.refused = async (refused, answer, call) => {
  // What a proof of this page's own has ended goes on with what it gives.
  if (proving && proving.call !== call) await proving.done;
  const current = session.read();
  if (current && current.token !== refused.token) return session.authorised(call);
  if (!refused.unproven || answer.status === 401) return null;
  const state = await api.status(refused.token, refused.tenantId);
  if (state.kind === "lost" || state.kind === "later") return state;
  if (state.kind !== "ok") return null;
  provenElsewhere();
  return { kind: "expired" };
};

/** Nothing is set up before the proof. The step that shows the set-up says so, and hears when the proof was made elsewhere. */
session.proof.seen = ({ status, reason }) => {
  const waits = status === "pending" && reason === "EMAIL_UNPROVEN";
  const lead = byId("progress-lead");
  const key = waits ? "progress.unproven" : "progress.lead";
  if (waits && lead.dataset.t !== key) announce(key);
  say(lead, key);
  if (status !== "pending" && draft.current().tenant?.emailProven === false) provenElsewhere();
};

/** Looks whether the address was proven elsewhere: the token ends with that. The step that shows the set-up looks by itself. */
async function look() {
  if (viewNow() !== "code" || document.hidden || here() === "progress") return;
  await session.authorised((token) => api.whoami(token));
  show();
}

function lookLater() {
  setTimeout(async () => {
    await look();
    lookLater();
  }, LOOKS_S[Math.min(looks++, LOOKS_S.length - 1)] * 1000);
}

function start() {
  build();
  let seen = "";
  byId("proofCode").addEventListener("input", ({ target }) => {
    say(byId("proof-said"));
    sendWhole(target);
    seen = target.value;
  });
  // Emptying the field is no news.
  noticeFills(() => (["", seen].includes(byId("proofCode").value) ? [] : [byId("proofCode")]));
  forgiveOnInput(panel);
  once(byId("proof-form"), "submit", prove);
  once(byId("proof-email-form"), "submit", correct);
  once(byId("proof-again"), "click", sendAgain);
  once(byId("proof-link"), "click", ({ currentTarget }) => session.mailFreshLink({ email: draft.current().tenant.email }, currentTarget));
  byId("proof-wrong").addEventListener("click", () => correcting(true));
  byId("proof-leave").addEventListener("click", () => correcting(false));
  document.addEventListener("stepchange", () => {
    // What was done is said until the person goes on.
    proven = null;
    show();
  });
  document.addEventListener("visibilitychange", look);
  addEventListener("online", look);
  setInterval(countDown, 1000);
  lookLater();
}

await learn(english, (language) => import(`./lang/proof.${language}.js`));
start();
show();
