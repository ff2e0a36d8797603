// Who is signed in, in this tab only. Where the token is gone or refused, a mailed link leads back. What the
// proof of an address does to sessions is in proof.js.

import { working } from "./a11y.js";
import * as api from "./api.js";
import * as draft from "./draft.js";
import { notice } from "./notice.js";
import { persist } from "./persist.js";
import { isObject, passing } from "./storage.js";

const PLACE = "tenantry.session";
const FINISHED = "tenantry.finished";

/** The session, if it is that of the club in this tab's draft. */
export function read() {
  const session = passing.read(PLACE);
  return isObject(session) && typeof session.token === "string" && session.tenantId === draft.current().tenant?.id
    ? session
    : null;
}
export const open = (session) => passing.write(PLACE, session);
export const close = () => passing.remove(PLACE);

/** What the last page says after the token has been dropped, so that a reload shows it again. */
export function finished(facts) {
  if (facts) passing.write(FINISHED, facts);
  if (facts === null) passing.remove(FINISHED);
  const found = passing.read(FINISHED);
  return isObject(found) ? found : null;
}

/** Where pages of this browser hand over the token that a proof, or a link, has given. */
export const CHANNEL = "tenantry.session";

/** What the panel that asks for the proof of an address does for the others, once it is there. */
export const proof = { refused: null, seen: null };

/**
 * Does a call that needs the club's token. Answers `{kind: "expired"}` where there is no valid token. The page never sends the form again
 * to get one: that could create a removed club again.
 */
export async function authorised(call) {
  const session = read();
  if (!session) return { kind: "expired" };
  const answer = await call(session.token, session.tenantId);
  if (answer.status !== 401 && answer.error?.reason !== "token_revoked") return answer;
  const known = await proof.refused?.(session, answer, call);
  if (known) return known;
  close();
  return { kind: "expired" };
}

let panel = null;
let attempts = 0;
/** The panel comes when there is something to prove. What did not arrive is asked for again. */
export function proofPanel() {
  panel ??= import(`./proof.js${attempts ? `?${attempts}` : ""}`).catch(() => {
    panel = null;
    attempts++;
    setTimeout(showProof, 5000);
  });
  return panel;
}
/** Waits for the panel where it is needed, but not for long. */
export function showProof() {
  if (draft.current().tenant?.emailProven !== false && !read()?.ended) return null;
  return Promise.race([proofPanel(), new Promise((late) => setTimeout(late, 3000))]);
}

/** Asks for a mailed link, and answers whether it could. The server answers the same whether it knows the address or not, and so do we. */
export async function mailFreshLink(whom, button) {
  const free = working(button, "session.linking");
  const answer = await persist(() => api.mailLink(whom));
  free();
  if (answer.kind === "ok") notice("session.sent", { email: whom.email ?? whom.tenantSlug });
  else if (!answer.quiet) notice("error.unexpected", { id: answer.error?.requestId ?? "–" }, { tone: "bad" });
  return answer.kind === "ok";
}
