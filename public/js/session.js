// Who is signed in, in this tab only. Where the token is gone or refused, a mailed link leads back. A token from before the address was
// proven ends with the proof: the one that the proof gives takes its place.

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

/** Where pages of this browser hand over what a proof, or a link, has given. */
export const CHANNEL = "tenantry.session";

/** A proof of this page's own that is on its way: whatever is refused meanwhile may be so for that. */
let proving = null;
export const prove = (proof) => {
  proving = proof;
};

/** The address was proven, but nobody gave this page the token. What it has still shows how the set-up goes. */
export function provenElsewhere() {
  const session = read();
  const { tenant } = draft.current();
  if (session) open({ ...session, ended: true });
  draft.learn({ tenant: { ...tenant, emailProven: true } });
  document.dispatchEvent(new Event("provenelsewhere"));
}

/**
 * Does a call that needs the club's token. Answers `{kind: "expired"}` where there is no valid token. The page never sends the form again
 * to get one: that could create a removed club again.
 */
export async function authorised(call, { isProof = false } = {}) {
  const session = read();
  if (!session) return { kind: "expired" };
  const answer = await call(session.token, session.tenantId);
  const isRevoked = answer.error?.reason === "token_revoked";
  if (answer.status !== 401 && !isRevoked) return answer;
  if (!isProof) await proving;
  const now = read();
  if (now && now.token !== session.token) return authorised(call, { isProof });
  // The token from before the proof ends with it, but for showing how the set-up goes.
  const state = isRevoked && session.unproven ? await api.status(session.token, session.tenantId) : null;
  if (state?.kind === "lost" || state?.kind === "later") return state;
  if (state?.kind === "ok") provenElsewhere();
  else close();
  return { kind: "expired" };
}

/** The panel that asks for the proof of an address comes when there is one to prove. What did not arrive is asked for again. */
let panel = null;
let attempts = 0;
export function proofPanel() {
  panel ??= import(`./proof.js${attempts ? `?${attempts}` : ""}`).catch(() => {
    panel = null;
    attempts++;
    setTimeout(showProof, 5000);
  });
  return panel;
}
/** Shows it if it is needed. */
export function showProof() {
  return draft.current().tenant?.emailProven === false || read()?.ended ? proofPanel() : null;
}

/** Asks for a mailed link. The server answers the same whether it knows the address or not, and so do we. */
export async function mailFreshLink(whom, button) {
  const free = working(button, "session.linking");
  const answer = await persist(() => api.mailLink(whom));
  free();
  if (answer.kind === "ok") notice("session.sent", { email: whom.email ?? whom.tenantSlug });
  else if (!answer.quiet) notice("error.unexpected", { id: answer.error?.requestId ?? "–" }, { tone: "bad" });
}
