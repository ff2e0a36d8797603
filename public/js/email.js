// The page that mails about a changed address lead to: one press confirms the new address, or puts the earlier one back. As on the other
// pages of mailed links, the token stands in the fragment, and only a person's press spends it.

import { focusHeading, working } from "./a11y.js";
import * as api from "./api.js";
import { byId, once } from "./dom.js";
import english from "./lang/email.en.js";
import { notice, startOffline } from "./notice.js";
import { persist } from "./persist.js";
import { passing } from "./storage.js";
import { learn, say, startLanguage } from "./strings.js";

const LINK = "tenantry.email";

/** What a link is for, by its name in the fragment. */
const WORKS = {
  token: { form: "confirm", send: api.confirmEmail, heading: "email.confirmHeading", busy: "email.confirming", done: "email.confirmed" },
  undo: { form: "undo", send: api.undoEmail, heading: "email.undoHeading", busy: "email.undoing", done: "email.undone" },
};

/** Why nothing was changed: the words begin with what the link is for, where that matters. */
const REFUSALS = {
  EMAIL_CHANGE_EXPIRED: "Expired",
  EMAIL_CHANGE_SUPERSEDED: "Superseded",
  EMAIL_CHANGE_USED: "Used",
  EMAIL_EXISTS: "Taken",
};

function takeLink() {
  const given = new URLSearchParams(location.hash.slice(1));
  const name = Object.keys(WORKS).find((known) => given.get(known));
  if (name) passing.write(LINK, { name, token: given.get(name) });
  history.replaceState(null, "", location.pathname);
  return passing.read(LINK);
}

function show(id) {
  for (const part of ["confirm", "undo", "done"]) byId(part).hidden = part !== id;
}

/** Shows how it ended, for good: with the address that counts now, if there is one. */
function end(heading, text, { more, email } = {}) {
  passing.remove(LINK);
  say(byId("email-heading"), heading);
  byId("address").textContent = email ?? "";
  byId("done-address").hidden = !email;
  say(byId("done-text"), text);
  say(byId("done-more"), more);
  byId("done-more").hidden = !more;
  show("done");
  focusHeading("email-heading");
}

function refuse(form, { error = {} }) {
  const { code } = error;
  const reason = REFUSALS[code];
  if (reason) return end(code === "EMAIL_CHANGE_USED" ? "email.heading" : "email.refused", `email.${form}${reason}`);
  if (code === "TENANT_SUSPENDED") return notice("email.suspended", {}, { tone: "bad" });
  if (code === "EMAIL_CHANGE_UNKNOWN" || code === "VALIDATION") return end("email.refused", "email.unknown");
  notice("error.unexpected", { id: error.requestId ?? code ?? "–" }, { tone: "bad" });
}

async function press({ form, send, busy, done }, token) {
  const free = working(byId(form).querySelector("button"), busy);
  const answer = await persist(() => send(token));
  free();
  if (answer.quiet) return;
  if (answer.kind !== "ok") return refuse(form, answer);
  end(done, `${done}Text`, { more: `${done}More`, email: answer.body.email });
}

startOffline();
const link = takeLink();
await learn(english, (language) => import(`./lang/email.${language}.js`));
await startLanguage();
const work = WORKS[link?.name];
if (work) {
  say(byId("email-heading"), work.heading);
  once(byId(work.form), "submit", () => press(work, link.token));
  show(work.form);
} else {
  byId("done-address").hidden = true;
  byId("done-more").hidden = true;
  say(byId("done-text"), "email.missing");
  show("done");
}
document.documentElement.dataset.ready = "";
