// The pages that mailed links open: magic/ signs in, proof/ confirms an address. The token stands in the fragment, which no server log
// sees, and is removed from the address bar at once. Only a person's press spends it, because mail scanners open links.

import { announce, focusHeading, working } from "./a11y.js";
import * as api from "./api.js";
import { codeIn, sendWhole } from "./code.js";
import { byId, once } from "./dom.js";
import * as draft from "./draft.js";
import { blameWith, focusFirst, forgiveAll, forgiveOnInput, showRefusal } from "./errors.js";
import english from "./lang/links.en.js";
import { notice, startOffline } from "./notice.js";
import { persist } from "./persist.js";
import * as session from "./session.js";
import { passing } from "./storage.js";
import { dayAndTime, learn, say, startLanguage, t } from "./strings.js";
import { tidy } from "./text.js";

/** What this page does, and the words that it does it with. */
const { page } = document.documentElement.dataset;
const isProof = page === "proof";
const LINK = isProof ? "tenantry.proof" : "tenantry.link";
/** How long another tab has to say that it goes on. */
const HANDING_OVER_MS = 400;

function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) passing.write(LINK, token);
  history.replaceState(null, "", location.pathname);
  return passing.read(LINK);
}

function show(id) {
  for (const part of ["sign-in", "fresh", "by-code", "signed-in"]) byId(part).hidden = part !== id;
}

function offerFresh(why) {
  say(byId("fresh-why"), why);
  const { tenant, email } = draft.other()?.draft ?? draft.current();
  byId("email").value ||= tenant?.email ?? email;
  show("fresh");
}

async function redeem() {
  const free = working(byId("sign-in").querySelector("button"), `${page}.submitting`);
  const token = passing.read(LINK);
  const answer = await persist(() => (isProof ? api.prove({ token }) : api.redeem({ token })));
  free();
  if (answer.quiet) return;
  if (answer.kind !== "ok") return refuse(answer);
  passing.remove(LINK);
  const given = answer.body.data ?? answer.body;
  await arrive(given.jwt ?? given.token, given);
}

function refuse(answer) {
  const isTaken = isProof && answer.error?.code === "EMAIL_EXISTS";
  if (answer.status !== 401 && answer.status !== 400 && !isTaken) return showRefusal(byId("sign-in"), answer);
  passing.remove(LINK);
  offerFresh(isTaken ? "proof.taken" : `${page}.used`);
  focusHeading("magic-heading");
}

/** Offers the token to a tab that waits for it. Answers whether one took it. */
function handOver(message) {
  if (!("BroadcastChannel" in window)) return false;
  const channel = new BroadcastChannel(session.CHANNEL);
  return new Promise((answer) => {
    const end = (taken) => {
      channel.close();
      answer(taken);
    };
    channel.addEventListener("message", ({ data }) => data?.taken === message.tenantId && end(true));
    channel.postMessage(message);
    setTimeout(end, HANDING_OVER_MS, false);
  });
}

/** Signed in: where is the club, and where does its wizard go on? */
async function arrive(token, { tenant, tenantId }) {
  notice("magic.look");
  const who = await persist(() => api.whoami(token));
  const id = who.body?.data?.tenantId ?? tenantId ?? tenant?.id;
  const until = who.body?.data?.expiresAt;
  if (await handOver({ tenantId: id, token, tenant })) return showHanded(token, { ...tenant, id }, until);
  await goOn(token, { ...tenant, id }, until);
}

async function goOn(token, tenant, until) {
  const { id } = tenant;
  session.finished(null);
  const known = await draft.adopt({ ...tenant, emailProven: true });
  session.open({ token, tenantId: id, ...(!isProof && { until }) });
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

const nameOf = (tenant) => tenant.name ?? t("colours.yourClub");

function showHere(key, args) {
  byId("notice").firstElementChild.hidden = true;
  if (isProof) say(byId("magic-heading"), "proof.done");
  say(byId("state"), key, args);
  show("signed-in");
  focusHeading("magic-heading");
}

function showState(until) {
  say(byId("who"), "magic.signedIn", { name: nameOf(draft.current().tenant), time: dayAndTime(new Date(until)) });
  showHere("magic.running");
}

/** The tab that waited goes on. Whoever wants to go on here can. */
function showHanded(token, tenant, until) {
  const open = byId("open");
  say(open, "proof.here");
  open.classList.remove("primary");
  open.onclick = (event) => {
    event.preventDefault();
    open.onclick = null;
    say(open, "magic.open");
    open.classList.add("primary");
    goOn(token, tenant, until);
  };
  showHere("proof.handed", { name: nameOf(tenant) });
}

/** An e-mail address, or the club's web address, with or without its domain. */
function whom(text) {
  if (text.includes("@")) return { email: text };
  const [host] = text.toLowerCase().replace(/^https?:\/\//, "").split(/[/?#]/);
  const [tenantSlug] = host.split(".");
  return /^[a-z0-9-]{3,63}$/.test(tenantSlug) ? { tenantSlug } : null;
}

/** Whom the mail went to that was asked for last: its code counts together with that. */
let mailed = null;

async function signInByCode() {
  const input = byId("code");
  const code = codeIn(input);
  forgiveAll(byId("by-code"));
  if (!code) blameWith("code", input.value ? "magic.codeShape" : "error.required");
  if (focusFirst(byId("by-code"))) return;
  const free = working(byId("by-code").querySelector("button"), "magic.submitting");
  const answer = await persist(() => api.redeem({ code, ...mailed }));
  free();
  if (answer.quiet) return;
  if (answer.kind === "ok") return arrive(answer.body.jwt, answer.body);
  if (answer.status !== 401 && answer.status !== 400) return showRefusal(byId("by-code"), answer);
  blameWith("code", "magic.codeWrong");
  announce("magic.codeWrong");
  input.focus();
  input.select();
}

async function fresh() {
  const text = tidy(byId("email").value);
  const asked = whom(text);
  forgiveAll(byId("fresh"));
  if (!text) blameWith("email", "error.required");
  else if (!asked) blameWith("email", "magic.neither");
  if (focusFirst(byId("fresh"))) return;
  if (!(await session.mailFreshLink(asked, byId("fresh").querySelector("[type=submit]")))) return;
  const { tenantSlug: slug } = asked;
  mailed = slug ? { slug } : asked;
  byId("by-code").hidden = false;
}

startOffline();
const token = takeToken();
await learn(english, (language) => import(`./lang/links.${language}.js`));
await draft.open();
await startLanguage();
for (const id of ["fresh", "by-code"]) forgiveOnInput(byId(id));
byId("code").addEventListener("input", ({ target }) => sendWhole(target));
once(byId("sign-in"), "submit", redeem);
once(byId("fresh"), "submit", fresh);
once(byId("by-code"), "submit", signInByCode);
if (token) show("sign-in");
else offerFresh(isProof ? "proof.missing" : "magic.ask");
document.documentElement.dataset.ready = "";
