// The end: what happens next. The draft is dropped here, and the token leaves the browser's store. Only this page, as long as it is open,
// still asks what becomes of the welcome mail. What is shown is kept for a reload.

import { announce } from "../a11y.js";
import { byId, leave, once } from "../dom.js";
import * as draft from "../draft.js";
import { showColours, showName } from "../preview.js";
import { go } from "../router.js";
import * as session from "../session.js";
import { dayOf, say } from "../strings.js";
import { watchWarnings } from "../watch.js";

const mailFailed = (data) =>
  data.steps?.some(({ name, status }) => name === "send_welcome_email" && status !== "completed") || data.warnings?.length > 0;

/** Keeps what the last page says, forgets the rest, and shows it. */
export function finish(data) {
  const { tenant, base, primaryColor, secondaryColor } = draft.current();
  const address = tenant.slug && base ? `${tenant.slug}.${base}` : null;
  session.finished({
    name: tenant.name,
    email: tenant.email,
    plan: tenant.plan ?? data.plan,
    address,
    trialEndsAt: tenant.comped ? null : tenant.trialEndsAt,
    mailed: !mailFailed(data),
    primaryColor,
    secondaryColor,
  });
  const signedIn = session.read();
  session.close();
  draft.finish();
  go("done", { replace: true });
  if (signedIn && !mailFailed(data)) watchWarnings(signedIn, tellMailFailed);
}

/** The mail leaves once the club is live, and may be given up much later. */
function tellMailFailed() {
  const facts = session.finished();
  if (!facts) return;
  session.finished({ ...facts, mailed: false });
  show(session.finished());
  announce("done.noMail");
}

function show({ name, email, plan, address, trialEndsAt, mailed, primaryColor, secondaryColor }) {
  showName(name, address);
  showColours(primaryColor, secondaryColor);
  if (name) say(byId("done-heading"), "done.heading", { name });
  else say(byId("done-heading"), "done.headingPlain");
  byId("done-facts").hidden = !address;
  const link = byId("done-address");
  link.textContent = address ?? "";
  if (address) link.href = `https://${address}/`;
  if (!mailed) say(byId("done-mail"), "done.noMail");
  else say(byId("done-mail"), email ? "done.mail" : "done.mailPlain", { email });
  byId("done-link").hidden = mailed || !email;
  byId("done-trial").hidden = !trialEndsAt;
  if (trialEndsAt) say(byId("done-trial"), "done.trial", { date: dayOf(new Date(trialEndsAt * 1000)) });
  say(byId("done-plan"), plan === "pro" ? "done.pro" : "done.starter");
}

export const done = {
  heading: () => "done-heading",
  start() {
    once(byId("done-link"), "click", ({ currentTarget }) => session.mailFreshLink({ email: session.finished().email }, currentTarget));
    once(byId("done-another"), "click", () => {
      session.finished(null);
      draft.another();
      leave();
    });
  },
  enter: () => show(session.finished()),
};
