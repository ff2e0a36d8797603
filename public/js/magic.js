// The page that a mailed link opens. The token stands in the fragment, which no server log sees, and is removed from the address bar at
// once. Only a person's press spends it, because mail scanners open links.

import { focusHeading, working } from "./a11y.js";
import * as api from "./api.js";
import { byId, once } from "./dom.js";
import * as draft from "./draft.js";
import { blameWith, focusFirst, forgiveAll, forgiveOnInput, showRefusal } from "./errors.js";
import { notice, startOffline } from "./notice.js";
import { persist } from "./persist.js";
import * as session from "./session.js";
import { passing } from "./storage.js";
import { dayAndTime, say, startLanguage, t } from "./strings.js";

const LINK = "tenantry.link";

function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) passing.write(LINK, token);
  history.replaceState(null, "", location.pathname);
  return passing.read(LINK);
}

function show(id) {
  for (const part of ["sign-in", "fresh", "signed-in"]) byId(part).hidden = part !== id;
}

function offerFresh(why) {
  say(byId("fresh-why"), why);
  const { tenant, email } = draft.other()?.draft ?? draft.current();
  byId("email").value ||= tenant?.email ?? email;
  show("fresh");
}

async function signIn() {
  const free = working(byId("sign-in").querySelector("button"), "magic.submitting");
  const answer = await persist(() => api.redeemLink(passing.read(LINK)));
  free();
  if (answer.quiet) return;
  if (answer.kind !== "ok") return refuse(answer);
  passing.remove(LINK);
  const given = answer.body.data ?? answer.body;
  await arrive(given.jwt ?? given.token, given);
}

function refuse(answer) {
  if (answer.status !== 401 && answer.status !== 400) return showRefusal(byId("sign-in"), answer);
  passing.remove(LINK);
  offerFresh("magic.used");
  focusHeading("magic-heading");
}

/** Signed in: where is the club, and where does its wizard go on? */
async function arrive(token, { tenant, tenantId }) {
  notice("magic.look");
  const who = await persist(() => api.whoami(token));
  const id = who.body?.data?.tenantId ?? tenantId ?? tenant?.id;
  const until = who.body?.data?.expiresAt;
  session.finished(null);
  const known = await draft.adopt({ id, ...tenant });
  session.open({ token, tenantId: id, until });
  const answer = await persist(() => api.status(token, id));
  const state = answer.kind === "ok" ? answer.body.data : { status: "pending" };
  const { step, tenant: club } = draft.current();
  const queued = state.status !== "pending";
  draft.save({
    tenant: { ...club, ...(state.plan && { plan: state.plan }) },
    queued,
    step: queued ? "progress" : known ? step : "colours",
  });
  if (state.status !== "completed") return location.replace("/");
  showState(until);
}

function showState(until) {
  const { tenant } = draft.current();
  byId("notice").firstElementChild.hidden = true;
  say(byId("who"), "magic.signedIn", { name: tenant.name ?? t("colours.yourClub"), time: dayAndTime(new Date(until)) });
  say(byId("state"), "magic.running");
  show("signed-in");
  focusHeading("magic-heading");
}

async function fresh() {
  const email = byId("email").value.trim();
  forgiveAll(byId("fresh"));
  if (!email) blameWith("email", "error.required");
  if (focusFirst(byId("fresh"))) return;
  await session.mailFreshLink(email, byId("fresh").querySelector("[type=submit]"));
}

startOffline();
const token = takeToken();
await draft.open();
await startLanguage();
forgiveOnInput(byId("fresh"));
once(byId("sign-in"), "submit", signIn);
once(byId("fresh"), "submit", fresh);
if (token) show("sign-in");
else offerFresh("magic.missing");
document.documentElement.dataset.ready = "";
