// Carries one wish to the server through bad reception: an answer that is lost or "not now" is asked for again, with
// the same idempotency key, while a notice counts down. The person can hurry it or stop it, and nothing is lost either way.

import { clearNotice, notice } from "./notice.js";
import { clock } from "./strings.js";

const TRIES = 6;
/** Longer than this nobody sits and watches: say the time instead. */
const LONGEST_WAIT_S = 120;

const backoff = (attempt) => Math.min(2 ** attempt, 15);

const wording = (answer) => (answer.status === 429 ? "wait.limited" : answer.kind === "later" ? "wait.busy" : "wait.lost");

/** Waits `n` seconds, or for the connection to come back. Answers false if the person said stop. */
function pause(answer, n) {
  return new Promise((resolve) => {
    let left = n;
    const end = (goOn) => {
      clearInterval(timer);
      removeEventListener("online", online);
      clearNotice();
      resolve(goOn);
    };
    const online = () => end(true);
    const key = () => (navigator.onLine ? wording(answer) : "wait.offline");
    const actions = [["wait.stop", () => end(false)]];
    // After "too many attempts" hurrying would only prolong the wait.
    if (answer.status !== 429) actions.unshift(["wait.now", () => end(true)]);
    const rewrite = notice(key(), { n: left }, { actions });
    const timer = setInterval(() => {
      // Offline there is nothing to count down to; the browser tells us when it is over.
      if (navigator.onLine && --left <= 0) end(true);
      else rewrite(key(), { n: left });
    }, 1000);
    addEventListener("online", online);
  });
}

/** Does `attempt` until it is answered one way or the other. The answer's `quiet` says that the notice has told the rest. */
export async function persist(attempt) {
  clearNotice();
  for (let n = 0; ; n++) {
    const answer = await attempt();
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
    if (!(await pause(answer, Math.ceil(wait)))) {
      notice("wait.stopped");
      return { ...answer, quiet: true };
    }
  }
}
