// The pages that mailed links open: magic/ signs in, proof/ confirms an address. The token stands in the fragment, which no server log
// sees, and is removed from the address bar at once. Only a person's press spends it, because mail scanners open links.

import { announce, focusHeading, working } from "./a11y.js";
import * as api from "./api.js";
import { codeIn, sendWhole } from "./code.js";
import { byId, make, once } from "./dom.js";
import * as draft from "./draft.js";
import { blameWith, focusFirst, forgiveAll, forgiveOnInput, showRefusal } from "./errors.js";
import english from "./lang/links.en.js";
import { notice, startOffline } from "./notice.js";
import { persist } from "./persist.js";
import * as session from "./session.js";
import { kept, passing } from "./storage.js";
import { learn, say, startLanguage, t } from "./strings.js";
import { tidy } from "./text.js";

/** What this page does, and the words that it does it with. */
const { page } = document.documentElement.dataset;
const isProof = page === "proof";
const LINK = isProof ? "tenantry.proof" : "tenantry.link";
const CONSOLE = "/app/";
/** What app/client.js keeps for us, for as long as a link lives. */
const BACK = "tenantry.back";
const BACK_MS = 86_400_000;
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
  await take(answer, { token });
}

/** Goes on with what a link or a code was answered. */
async function take(answer, proof) {
  if (answer.quiet) return;
  if (answer.kind !== "ok") return refuse(answer);
  if (answer.body.choose) return choose(answer.body.choose, proof);
  passing.remove(LINK);
  await arrive(answer.body);
}

/** One person in several clubs says which one. Nothing is spent before that. */
function choose(clubs, proof) {
  const list = byId("choose") ?? make("div", { id: "choose" });
  const buttons = clubs.map(({ tenantId, name }) => {
    const button = make("button", { type: "button", dir: "auto" }, name);
    once(button, "click", async () => {
      button.setAttribute("aria-disabled", "true");
      announce("magic.submitting");
      const answer = await persist(() => api.redeem({ ...proof, tenantId }));
      button.removeAttribute("aria-disabled");
      await take(answer, proof);
    });
    return make("p", {}, button);
  });
  list.replaceChildren(...buttons);
  byId("notice").before(list);
  say(byId("magic-heading"), "magic.choose");
  show("choose");
  focusHeading("magic-heading");
}

function refuse(answer) {
  const isTaken = isProof && answer.error?.code === "EMAIL_EXISTS";
  if (answer.status !== 401 && answer.status !== 400 && !isTaken) return showRefusal(byId("sign-in"), answer);
  passing.remove(LINK);
  byId("choose")?.remove();
  offerFresh(isTaken ? "proof.taken" : `${page}.used`);
  focusHeading("magic-heading");
}

/** Tells a tab that waits for it. Answers whether one goes on. */
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

/** Signed in. A tab that waits with the club's wizard goes on. */
async function arrive({ tenantId, tenant }) {
  notice("magic.look");
  const club = { ...tenant, id: tenantId ?? tenant?.id };
  if (await handOver({ tenantId: club.id, tenant })) return showHanded(club);
  await goOn(club);
}

/** Where the console sent somebody away who was signed out; only its own addresses count. */
function wayBack() {
  const { path, at } = kept.read(BACK) ?? {};
  kept.remove(BACK);
  const isOurs = typeof path === "string" && new URL(path, location.origin).pathname.startsWith(CONSOLE) && path.startsWith(CONSOLE);
  return isOurs && Date.now() - at < BACK_MS ? path : null;
}

/** To the console, or to the wizard if the club waits for something that only that asks for. */
async function goOn(club) {
  const { id } = club;
  const answer = await persist(() => api.status({ tenantId: id }, id));
  const { status, plan } = answer.kind === "ok" ? answer.body.data : { status: "pending" };
  if (status !== "pending") return location.replace(wayBack() ?? (status === "completed" ? CONSOLE : `${CONSOLE}setup`));
  const who = await persist(() => api.whoami({ tenantId: id }));
  session.finished(null);
  const known = await draft.adopt({ ...club, emailProven: true });
  session.openCookie(id, isProof ? {} : { until: who.body?.data?.expiresAt });
  const { step, tenant } = draft.current();
  draft.save({ tenant: { ...tenant, ...(plan && { plan }) }, step: known ? step : "colours" });
  location.replace("/");
}

const nameOf = (tenant) => tenant.name ?? t("colours.yourClub");

/** The tab that waited goes on. Whoever wants to go on here can. */
function showHanded(club) {
  const open = byId("open");
  say(open, "proof.here");
  open.onclick = (event) => {
    event.preventDefault();
    open.onclick = null;
    say(open, "magic.look");
    goOn(club);
  };
  byId("notice").firstElementChild.hidden = true;
  if (isProof) say(byId("magic-heading"), "proof.done");
  say(byId("state"), "proof.handed", { name: nameOf(club) });
  show("signed-in");
  focusHeading("magic-heading");
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
  if (answer.quiet || answer.kind === "ok") return take(answer, { code, ...mailed });
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
