// Watches a provisioning run. It asks for the state as often as the server wants, and less often when nothing changes or nobody answers. It
// asks at once when the connection or the tab comes back.

import * as api from "./api.js";
import { authorised } from "./session.js";

const SLOWEST_S = 15;
/** A failed run that goes on by itself does so after minutes, or hours. */
const SLOWEST_AT_REST_S = 60;
/** A mail fails after a day at the latest. Until then, this is how often we look. */
const WARNINGS_S = [5, 10, 20, 40, 60, 120, 300, ...Array(144).fill(600)];

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
  let slowest = SLOWEST_S;
  while (!signal.aborted) {
    const answer = await authorised((token, id) => api.status(token, id, { etag, signal }));
    if (signal.aborted) return;
    if (answer.kind === "expired" || answer.kind === "refused") return expire(answer);
    quiet = answer.status === 200 ? 0 : quiet + 1;
    if (answer.status === 200) {
      etag = answer.etag;
      const { data } = answer.body;
      see(data);
      if (data.status === "completed" || (data.status === "failed" && !data.resumeAt)) return;
      slowest = data.status === "failed" ? SLOWEST_AT_REST_S : SLOWEST_S;
    }
    const pace = Math.min((answer.retryAfter ?? 1) * 1.5 ** Math.max(0, quiet - 2), slowest);
    if (answer.kind !== "ok") lose(Math.ceil(pace));
    await nap(pace, signal);
  }
}

/** Checks at intervals, while the page is open, whether a live club has a warning. It calls `warn` at the first. */
export async function watchWarnings({ token, tenantId }, warn) {
  let etag = null;
  for (const pace of WARNINGS_S) {
    await nap(pace, new AbortController().signal);
    const answer = await api.status(token, tenantId, { etag });
    if (answer.kind === "refused") return;
    if (answer.status !== 200) continue;
    if (answer.body.data.warnings?.length) return warn(answer.body.data.warnings);
    etag = answer.etag;
  }
}
