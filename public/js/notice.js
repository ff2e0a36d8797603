// The one place below a form where the page says what it is waiting for or what went wrong, with what can be done.

import { announce } from "./a11y.js";
import { byId, make } from "./dom.js";
import { say } from "./strings.js";

/** The focus sat on one of our buttons when they were taken away: the next message takes it over. */
let owesFocus = false;

/** Shows a message. `actions` are `[key, work]` pairs; `tone` is "calm" or "bad". Answers a function that rewrites the words. */
export function notice(key, args, { actions = [], tone = "calm", silent = false } = {}) {
  const box = byId("notice").firstElementChild;
  owesFocus ||= box.contains(document.activeElement);
  const buttons = actions.map(([label, work]) => {
    const button = make("button", { type: "button" });
    say(button, label);
    button.addEventListener("click", () => work(button));
    return button;
  });
  byId("notice-actions").replaceChildren(...buttons);
  box.dataset.tone = tone;
  say(byId("notice-text"), key, args);
  box.hidden = false;
  box.scrollIntoView({ block: "nearest" });
  if (owesFocus) box.focus({ preventScroll: true });
  owesFocus = false;
  if (!silent) announce(key, args);
  return (again, moreArgs) => say(byId("notice-text"), again, moreArgs);
}

export function clearNotice() {
  const box = byId("notice").firstElementChild;
  owesFocus ||= box.contains(document.activeElement);
  box.hidden = true;
  say(byId("notice-text"));
  byId("notice-actions").replaceChildren();
}

/** The banner that says the connection is gone. It lies over the page, so that nothing moves when it comes or goes. */
export function startOffline() {
  const text = byId("offline").firstElementChild;
  const show = () => {
    text.hidden = navigator.onLine;
  };
  addEventListener("online", show);
  addEventListener("offline", show);
  show();
}
