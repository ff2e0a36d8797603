// Turnstile: shows the service that a person sends the form. Loaded only where the page names a key for it. Only then does the page's
// policy allow the widget's script. A token is valid once and for five minutes: whatever became of it, the next attempt gets another.

import { announce } from "./a11y.js";
import { byId } from "./dom.js";
import { say } from "./strings.js";

const SCRIPT = "https://challenges.cloudflare.com/turnstile/v0/api.js?render=explicit";
/** What our tokens are for; the service takes no others. */
const ACTION = "signup";
/** Shorter than Turnstile's five minutes: the token has to arrive, too. */
const LIFE_MS = 270_000;
/** How long an attempt waits for a token before the person is told. */
const PATIENCE_MS = 30_000;
/** The widget's narrowest form, but for the compact one. */
const NARROWEST = 300;

let loading = null;
let widget = null;
let token = null;
let failed = false;
const waiting = [];

function tell(key) {
  const line = byId("human-error");
  if (line.dataset.t === key) return;
  say(line, key);
  if (key) announce(key);
}

function got(value) {
  failed = false;
  token = { value, at: performance.now() };
  tell();
  settle();
}

/** There is none, for whatever reason; the widget itself tries again. */
function lost(key, isFailure) {
  token = null;
  failed = isFailure;
  tell(key);
  if (isFailure) settle();
}

function settle() {
  for (const resume of waiting.splice(0)) resume();
}

function load() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = SCRIPT;
    script.async = true;
    script.addEventListener("load", () => (window.turnstile ? resolve(window.turnstile) : reject(new Error("no widget"))));
    script.addEventListener("error", () => reject(new Error("not loaded")));
    document.head.append(script);
  }).catch(() => {
    loading = null;
    lost("human.blocked", true);
    return null;
  });
  return loading;
}

async function show() {
  const turnstile = await load();
  if (!turnstile || widget !== null) return;
  const box = byId("human-box");
  widget = turnstile.render(box, {
    sitekey: document.documentElement.dataset.turnstile,
    action: ACTION,
    language: document.documentElement.lang,
    theme: "auto",
    size: box.clientWidth < NARROWEST ? "compact" : "flexible",
    "response-field": false,
    callback: got,
    "expired-callback": () => lost(undefined, false),
    "timeout-callback": () => lost("human.tick", false),
    "unsupported-callback": () => lost("human.unsupported", true),
    // Answering true keeps Turnstile from writing to the console.
    "error-callback": () => {
      lost("human.failed", true);
      return true;
    },
  });
}

/** A widget speaks one language: another one is shown in its place. */
function speak() {
  if (widget === null) return;
  window.turnstile.remove(widget);
  widget = null;
  token = null;
  show();
}

/** Shows the widget; once is enough. */
export function start() {
  document.addEventListener("languagechange", speak);
  show();
}

const isFresh = () => token !== null && performance.now() - token.at < LIFE_MS;

/** Waits until there is a token or the widget has failed, but not for ever. */
async function wait() {
  if (failed) {
    failed = false;
    if (widget === null) await show();
    else window.turnstile.reset(widget);
  }
  if (failed || isFresh()) return;
  tell("human.tick");
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, PATIENCE_MS);
    waiting.push(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** A token for one attempt, or null. The widget begins at once to get the next one. */
export async function take() {
  if (!isFresh()) await wait();
  if (!isFresh()) return null;
  const { value } = token;
  token = null;
  window.turnstile.reset(widget);
  return value;
}
