// Sends one request to the server through bad reception. A lost answer or "not now" is retried with the same idempotency key, while a
// notice counts down. The person can hurry it or stop it, and nothing is lost either way.

import { clearNotice, notice } from "./notice.js";
import { clock } from "./strings.js";

const TRIES = 6;
/** After this long a single attempt is no longer silent. */
const SLOW_MS = 4000;
/** A person watches no longer than this: after that, show the time instead. */
const LONGEST_WAIT_S = 120;

const backoff = (attempt) => Math.min(2 ** attempt, 15);

const wording = (answer) => (answer.status === 429 ? "wait.limited" : answer.kind === "later" ? "wait.busy" : "wait.lost");

/** Does one attempt, and says so if it takes long. */
async function once(attempt) {
  let told = false;
  const slow = setTimeout(() => {
    told = true;
    notice("wait.slow");
  }, SLOW_MS);
  const answer = await attempt();
  clearTimeout(slow);
  if (told) clearNotice();
  return answer;
}

/** Waits `n` seconds, or for the connection to come back. Answers "stop" if the person said so, "left" if they went to another step. */
function pause(answer, n) {
  return new Promise((resolve) => {
    let rest = n;
    const end = (how) => {
      clearInterval(timer);
      removeEventListener("online", online);
      document.removeEventListener("stepchange", left);
      clearNotice();
      resolve(how);
    };
    const online = () => end("on");
    const left = () => end("left");
    const key = () => (navigator.onLine ? wording(answer) : "wait.offline");
    const actions = [["wait.stop", () => end("stop")]];
    // After "too many attempts" hurrying would only prolong the wait.
    if (answer.status !== 429) actions.unshift(["wait.now", () => end("on")]);
    const rewrite = notice(key(), { n: rest }, { actions });
    const timer = setInterval(() => {
      // Offline there is nothing to count down to; the browser tells us when it is over.
      if (navigator.onLine && --rest <= 0) end("on");
      else rewrite(key(), { n: rest });
    }, 1000);
    addEventListener("online", online);
    document.addEventListener("stepchange", left);
  });
}

/** Does `attempt` until it is answered one way or the other. The answer's `quiet` says that the notice has told the rest. */
export async function persist(attempt) {
  clearNotice();
  for (let n = 0; ; n++) {
    const answer = await once(attempt);
    if (answer.kind !== "lost" && answer.kind !== "later") return answer;
    const wait = answer.retryAfter ?? backoff(n);
    if (wait > LONGEST_WAIT_S) {
      notice("error.RATE_LIMITED", { time: clock(Date.now() + wait * 1000) }, { tone: "bad" });
      return { ...answer, quiet: true };
    }
    if (n + 1 >= TRIES && navigator.onLine) {
      notice("wait.gaveUp", {}, { tone: "bad" });
      return { ...answer, quiet: true };
    }
    const how = await pause(answer, Math.ceil(wait));
    if (how === "on") continue;
    if (how === "stop") notice("wait.stopped");
    return { ...answer, quiet: true };
  }
}
