// Who is signed in, in this tab only. Where the token is gone or refused, a mailed link leads back.

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

/**
 * Does a call that needs the club's token. Answers `{kind: "expired"}` where there is no valid token. The page never sends the form again
 * to get one: that could create a removed club again.
 */
export async function authorised(call) {
  const session = read();
  if (!session) return { kind: "expired" };
  const answer = await call(session.token, session.tenantId);
  if (answer.status !== 401 && answer.error?.reason !== "token_revoked") return answer;
  close();
  return { kind: "expired" };
}

/** Asks for a mailed link. The server answers the same whether it knows the address or not, and so do we. */
export async function mailFreshLink(email, button) {
  const free = working(button, "session.linking");
  const answer = await persist(() => api.mailLink(email));
  free();
  if (answer.kind === "ok") notice("session.sent", { email });
  else if (!answer.quiet) notice("error.unexpected", { id: answer.error?.requestId ?? "–" }, { tone: "bad" });
}
