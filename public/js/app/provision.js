// How the club's set-up goes: the one thing that is watched. It asks every two seconds while something changes, and less often, down to
// every half minute, while nothing does. Nobody looks: nothing is asked. At rest it asks only when somebody looks again.

import { useEffect, useReducer } from "../vendor/preact.js";
import { ask, ofClub } from "./client.js";

const FASTEST_S = 2;
const SLOWEST_S = 30;

let view = { state: "loading" };
let etag = null;
let pace = FASTEST_S;
let timer = null;
let asking = null;
const readers = new Set();

/** Whether something happens by itself. */
const isMoving = ({ data }) => data?.status === "processing" || Boolean(data?.resumeAt) || data?.reason === "EMAIL_UNPROVEN";

function show(next) {
  view = next;
  for (const redraw of readers) redraw();
}

function later() {
  clearTimeout(timer);
  timer = null;
  if (readers.size === 0 || document.hidden || !(isMoving(view) || view.isStale || view.state === "failed")) return;
  timer = setTimeout(look, pace * 1000);
}

async function load() {
  const answer = await ask("GET", ofClub("provision-status"), { etag });
  asking = null;
  if (answer.kind === "gone") return;
  pace = answer.status === 200 ? FASTEST_S : Math.min(pace * 1.5, SLOWEST_S);
  if (answer.retryAfter) pace = Math.max(pace, Math.min(answer.retryAfter, SLOWEST_S));
  if (answer.status === 200) {
    etag = answer.etag;
    show({ state: "ready", data: answer.body.data });
  } else if (answer.kind === "ok") {
    if (view.isStale) show({ state: "ready", data: view.data });
  } else if (view.data) show({ ...view, isStale: true });
  else show({ state: "failed", answer });
  later();
}

/** Looks now, or waits for the answer that is on its way. */
export function look() {
  clearTimeout(timer);
  asking ??= load();
  return asking;
}

/** Looks now, and quickly from here on: something was started. */
export function lookClosely() {
  pace = FASTEST_S;
  return look();
}

/** `{state: "loading" | "ready" | "failed", data?, isStale?}`, as long as the part is shown. */
export function useProvision() {
  const [, redraw] = useReducer((n) => n + 1, 0);
  useEffect(() => {
    readers.add(redraw);
    look();
    return () => {
      readers.delete(redraw);
      if (readers.size === 0) clearTimeout(timer);
    };
  }, []);
  return view;
}

const lookAgain = () => {
  if (readers.size > 0 && !document.hidden) lookClosely();
  else clearTimeout(timer);
};
document.addEventListener("visibilitychange", lookAgain);
addEventListener("online", lookAgain);
