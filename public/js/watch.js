// Watches a provisioning run: asks for its state as often as the server wants, less often when nothing changes or
// nobody answers, and at once when the connection or the tab comes back.

import * as api from "./api.js";
import { authorised } from "./session.js";

const SLOWEST_S = 15;

/** Sleeps, but wakes when the person looks again or the connection is back. */
function nap(seconds, signal) {
  return new Promise((resolve) => {
    const wake = () => {
      if (document.hidden) return;
      clearTimeout(timer);
      removeEventListener("online", wake);
      document.removeEventListener("visibilitychange", wake);
      resolve();
    };
    const timer = setTimeout(() => {
      removeEventListener("online", wake);
      document.removeEventListener("visibilitychange", wake);
      resolve();
    }, seconds * 1000);
    addEventListener("online", wake);
    document.addEventListener("visibilitychange", wake);
    signal.addEventListener("abort", wake);
  });
}

/**
 * Calls `see(data)` at every new state until the run is over, `lose(seconds)` when nobody answers, and `expire()`
 * when the session is over. Answers a function that stops it.
 */
export function watch({ see, lose, expire }) {
  const stop = new AbortController();
  run(stop.signal, { see, lose, expire });
  return () => stop.abort();
}

async function run(signal, { see, lose, expire }) {
  let etag = null;
  let quiet = 0;
  while (!signal.aborted) {
    const answer = await authorised((token, id) => api.status(token, id, { etag, signal }));
    if (signal.aborted) return;
    if (answer.kind === "expired" || answer.kind === "refused") return expire(answer);
    quiet = answer.status === 200 ? 0 : quiet + 1;
    if (answer.status === 200) {
      etag = answer.etag;
      see(answer.body.data);
      if (["completed", "failed"].includes(answer.body.data.status)) return;
    }
    const pace = Math.min((answer.retryAfter ?? 1) * 1.5 ** Math.max(0, quiet - 2), SLOWEST_S);
    if (answer.kind !== "ok") lose(Math.ceil(pace));
    await nap(pace, signal);
  }
}
