// The page that invitations lead to: who invites whom to what, and one press that lets the person in. As on the other pages of mailed
// links, the token stands in the fragment, and only a person's press spends it. A link that no longer lets anybody in says why, and what
// to do next.

import { focusHeading, working } from "./a11y.js";
import { call } from "./api.js";
import { byId, once } from "./dom.js";
import english from "./lang/invitation.en.js";
import { notice, startOffline } from "./notice.js";
import { persist } from "./persist.js";
import { passing } from "./storage.js";
import { clock, dayAndTime, learn, say, startLanguage } from "./strings.js";

const LINK = "tenantry.invitation";
const CONSOLE = "/app/";
const PATH = "/public/invitations/";

/** What there is to do, by where the invitation stands. */
const NEXT = { open: "accept", expired: "ask-again", superseded: "ask-again", revoked: "to-sign-in", used: "to-sign-in", missing: "to-sign-in", unknown: "to-sign-in" };
const STATE_OF = {
  INVITATION_EXPIRED: "expired",
  INVITATION_SUPERSEDED: "superseded",
  INVITATION_REVOKED: "revoked",
  INVITATION_USED: "used",
  INVITATION_OPEN: "open",
  INVITATION_UNKNOWN: "unknown",
  VALIDATION: "unknown",
};

let token = null;
/** What the service said of the invitation last. */
let invitation = {};

function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) passing.write(LINK, given);
  history.replaceState(null, "", location.pathname);
  return passing.read(LINK);
}

const send = (what, body, options) => persist(() => call("POST", PATH + what, { body: { token, ...body }, ...options }));

/** Says where the invitation stands, and offers what comes next. */
function show(state) {
  const { clubName: name, inviter, role, expiresAt } = invitation;
  const isOpen = state === "open";
  if (isOpen) say(byId("invitation-heading"), "invitation.open", { name });
  else say(byId("invitation-heading"), `invitation.${state}`);
  if (isOpen) say(byId("why"), `invitation.${inviter ? "by" : "text"}.${role === "owner" ? "owner" : "admin"}`, { inviter });
  else say(byId("why"), `invitation.${state}.text`, name && { name });
  if (isOpen && expiresAt) say(byId("until"), "invitation.until", { time: dayAndTime(new Date(expiresAt)) });
  else say(byId("until"));
  for (const part of ["accept", "ask-again", "to-sign-in"]) byId(part).hidden = part !== NEXT[state];
}

/** What was refused: the invitation stands otherwise than was shown, or it is something else. */
function refuse({ error = {}, retryAfter, status }) {
  const state = STATE_OF[error.code];
  if (state) {
    show(state);
    return focusHeading("invitation-heading");
  }
  const time = clock(Date.now() + (retryAfter ?? 3600) * 1000);
  if (error.code === "TENANT_SUSPENDED") return notice("invitation.suspended", {}, { tone: "bad" });
  if (status === 429) return notice("error.RATE_LIMITED", { time }, { tone: "bad" });
  notice("error.unexpected", { id: error.requestId ?? error.code ?? "–" }, { tone: "bad" });
}

async function accept() {
  const free = working(byId("accept").querySelector("button"), "invitation.accepting");
  // What is answered is a cookie.
  const answer = await send("accept", { session: true }, { signsIn: true });
  free();
  if (answer.quiet) return;
  if (answer.kind !== "ok") return refuse(answer);
  passing.remove(LINK);
  location.replace(CONSOLE);
}

async function askAgain() {
  const free = working(byId("ask-again").querySelector("button"), "invitation.asking");
  const answer = await persist(async () => {
    const asked = await call("POST", `${PATH}ask-again`, { body: { token } });
    // Once a day: there is nothing to wait for.
    return asked.status === 429 ? { ...asked, kind: "refused" } : asked;
  });
  free();
  if (answer.quiet) return;
  if (answer.kind !== "ok" && answer.status !== 429) return refuse(answer);
  say(byId("invitation-heading"), "invitation.asked");
  say(byId("why"), answer.kind === "ok" ? "invitation.asked.text" : "invitation.askedBefore", {});
  byId("ask-again").hidden = true;
  focusHeading("invitation-heading");
}

/** Looks where the invitation stands: that spends nothing. */
async function look() {
  const answer = await send("look");
  say(byId("wait"));
  if (answer.quiet) {
    // The notice has said why. Whoever is here can still try.
    return say(byId("why"), "invitation.unread");
  }
  if (answer.kind !== "ok") return refuse(answer);
  invitation = answer.body;
  show(Object.hasOwn(NEXT, invitation.state) ? invitation.state : "unknown");
}

startOffline();
token = takeToken();
await learn(english, (language) => import(`./lang/invitation.${language}.js`));
await startLanguage();
once(byId("accept"), "submit", accept);
once(byId("ask-again"), "submit", askAgain);
if (token) await look();
else show("missing");
document.documentElement.dataset.ready = "";
