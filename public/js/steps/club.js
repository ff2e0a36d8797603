// Step 1: the club's name, address, owner and plan. Sending it makes the club, once.

import { working } from "../a11y.js";
import * as api from "../api.js";
import { byId, noticeFills, once } from "../dom.js";
import * as draft from "../draft.js";
import { blameWith, focusFirst, forgiveAll, forgiveOnInput, showRefusal } from "../errors.js";
import { notice } from "../notice.js";
import { persist } from "../persist.js";
import { showClub } from "../preview.js";
import { go, here, showPlan } from "../router.js";
import * as session from "../session.js";
import { fold, suggest } from "../slug.js";
import { say, t } from "../strings.js";
import { lengthOf, tidy, unwanted } from "../text.js";
import { askForSlug, checkPromo, checkSlug, checkSlugNow, clearPromo, showBase } from "./lookups.js";

/** Turnstile, where the page has a key for it. */
const human = document.documentElement.dataset.turnstile ? import("../human.js") : null;

const form = () => byId("club-form");
const chosenPlan = () => form().elements.plan.value;

/** What the form says, as the API wants it. */
function body() {
  const { clubName, clubSlug, email, promoCode } = form().elements;
  const promo = tidy(promoCode.value).toUpperCase();
  return {
    clubName: tidy(clubName.value),
    clubSlug: fold(clubSlug.value),
    email: tidy(email.value),
    plan: chosenPlan(),
    language: document.documentElement.lang,
    ...(promo && { promoCode: promo }),
  };
}

function fill() {
  const { clubName, clubSlug, email, promoCode, plan } = draft.current();
  const { elements } = form();
  // On a slow line somebody may have typed before this script arrived: what they typed wins.
  elements.clubName.value ||= clubName;
  elements.clubSlug.value ||= clubSlug;
  elements.email.value ||= email;
  elements.promoCode.value ||= promoCode;
  if (elements.plan.value === elements.plan[0].value) elements.plan.value = plan;
  keep();
}

function keep() {
  const { clubName, clubSlug, email, promoCode } = form().elements;
  draft.save({
    clubName: clubName.value,
    clubSlug: clubSlug.value,
    email: email.value,
    promoCode: promoCode.value,
    plan: chosenPlan(),
  });
  showClub();
}

const FIELDS = ["clubSlug", "clubName", "email", "promoCode"];

/** The fields that say something else than the draft: whatever filled them in said nothing. */
function filled() {
  if (here() !== "club" || draft.current().tenant) return [];
  const { elements } = form();
  const plan = chosenPlan() !== draft.current().plan ? [...elements.plan].filter(({ checked }) => checked) : [];
  return [...FIELDS.filter((name) => elements[name].value !== draft.current()[name]).map((name) => elements[name]), ...plan];
}

function onName() {
  if (draft.current().slugChosen) return;
  const { clubName, clubSlug } = form().elements;
  const slug = suggest(clubName.value);
  if (!slug && tidy(clubName.value)) askForSlug();
  if (slug === clubSlug.value) return;
  clubSlug.value = slug;
  if (slug) checkSlug(slug);
}

function onSlug() {
  const slug = form().elements.clubSlug.value;
  // An emptied field goes back to following the name.
  draft.save({ slugChosen: slug !== "" });
  checkSlug(fold(slug));
}

function onInput({ target }) {
  // By the time that the form is sent, what comes after it is there.
  session.proofPanel();
  if (target.name === "clubName") onName();
  if (target.name === "clubSlug") onSlug();
  if (target.name === "email") byId("email-link").hidden = true;
  if (target.name === "promoCode") checkPromo(body().promoCode ?? "", body().clubSlug);
  keep();
  showPlan();
}

/** The longest name, in characters. */
const LONGEST_NAME = 100;

/** What the service would say of the name, too. */
function blameName({ clubName }) {
  const kind = unwanted(clubName);
  if (kind) blameWith("clubName", `text.${kind}`);
  else if (lengthOf(clubName) > LONGEST_NAME) blameWith("clubName", "text.long", { n: LONGEST_NAME });
}

/** Empty fields need no server to be refused. */
function anythingMissing(wish) {
  forgiveAll(form());
  blameName(wish);
  for (const name of ["clubName", "clubSlug", "email"]) if (!wish[name]) blameWith(name, "error.required");
  return focusFirst(form());
}

/** One attempt at posting: each with a token of its own, where one is needed. What was not sent is no answer. */
async function attempt(wish) {
  const signup = { ...wish, language: document.documentElement.lang };
  if (!human) return api.start(signup, draft.current().key);
  const turnstileToken = await human.then(({ take }) => take()).catch(() => null);
  if (turnstileToken === null) return { kind: "unsent" };
  return api.start({ ...signup, turnstileToken }, draft.current().key);
}

/** The key has made a club from an earlier body whose answer we never saw: find out from which. */
async function recover() {
  for (const earlier of draft.current().sent) {
    const answer = await persist(() => attempt(earlier));
    if (answer.kind === "ok" || wasMade(answer)) return { answer, wish: earlier };
    if (answer.quiet || answer.kind === "unsent") return { answer };
  }
  return null;
}

async function post(wish) {
  draft.sending(wish);
  const answer = await persist(() => attempt(wish));
  if (answer.kind !== "refused" || wasMade(answer)) return { answer, wish };
  draft.refused(wish);
  // The club of this key was removed. Whoever sends the form once more, having read that, makes another.
  if (answer.error.code === "TENANT_CANCELLED") draft.renewKey();
  if (answer.error.code !== "IDEMPOTENCY_KEY_REUSED") return { answer, wish };
  const earlier = await recover();
  if (earlier) return earlier;
  draft.renewKey();
  return { answer: await persist(() => attempt(wish)), wish };
}

function refuse(answer, wish) {
  if (answer.quiet) return;
  if (answer.kind === "unsent") return notice("human.missing", {}, { tone: "bad" });
  clearPromo();
  showRefusal(form(), answer);
  if (answer.error?.code === "SLUG_TAKEN") checkSlugNow(wish.clubSlug);
  if (answer.error?.code === "EMAIL_EXISTS") byId("email-link").hidden = false;
}

/** The club was made before: without our key, or its tokens were revoked since. The server mails its owner a link instead. */
const wasMade = ({ kind, error, body }) => error?.code === "ALREADY_SIGNED_UP" || (kind === "ok" && !body.jwt);

async function settle({ answer, wish }, intended) {
  if (wasMade(answer)) return notice("error.replayed", { email: wish.email });
  if (answer.kind !== "ok") return refuse(answer, wish);
  const { jwt, tenant, tenantId, discount, emailProven } = answer.body;
  const unproven = emailProven === false;
  session.open({ token: jwt, tenantId, ...(unproven && { unproven }) });
  draft.made({ ...tenant, discount, ...(unproven && { emailProven, madeAt: Date.now() }) });
  await session.showProof();
  showMade();
  showClub();
  // Whoever was faster than the look-up still gets to see the club's whole address in the end.
  if (!draft.current().base) checkSlugNow(tenant.slug);
  if (here() === "club") go("colours");
  tellWhatChanged(tenant, discount, wish, intended);
}

function tellWhatChanged(tenant, discount, wish, intended) {
  if (wish.clubName !== intended.clubName || wish.clubSlug !== intended.clubSlug) notice("made.earlier", { name: tenant.name });
  else if (tenant.plan !== wish.plan) notice("made.planChanged", { plan: t(`club.${tenant.plan}`) });
  else if (discount) notice("made.discount", { percent: discount });
}

async function submit() {
  const wish = body();
  form().elements.clubSlug.value = wish.clubSlug;
  keep();
  if (anythingMissing(wish)) return;
  const free = working(form().querySelector("[type=submit]"), "club.submitting");
  const outcome = await post(wish);
  free();
  await settle(outcome, wish);
}

/** Once the club exists its details are shown, not asked for. */
export function showMade() {
  const { tenant, base } = draft.current();
  form().hidden = Boolean(tenant);
  byId("club-made").hidden = !tenant;
  if (!tenant) return;
  byId("made-name").textContent = tenant.name ?? "–";
  byId("made-address").textContent = tenant.slug ? `${tenant.slug}${base ? `.${base}` : ""}` : "–";
  byId("made-email").textContent = tenant.email ?? "–";
  byId("made-plan").textContent = tenant.plan ? t(`club.${tenant.plan}`) : "–";
}

function lookUp() {
  const { clubSlug, promoCode } = body();
  if (clubSlug) checkSlugNow(clubSlug);
  if (promoCode) checkPromo(promoCode, clubSlug);
}

export const club = {
  heading: () => (draft.current().tenant ? "made-heading" : "club-heading"),
  start() {
    form().noValidate = true;
    forgiveOnInput(form());
    form().addEventListener("input", onInput);
    byId("clubSlug").addEventListener("change", ({ target }) => {
      target.value = fold(target.value);
      keep();
    });
    noticeFills(filled);
    once(form(), "submit", submit);
    once(byId("made-continue"), "click", () => go(draft.current().queued ? "progress" : "colours"));
    once(byId("email-link"), "click", ({ currentTarget }) => session.mailFreshLink({ email: body().email }, currentTarget));
  },
  enter() {
    showMade();
    if (draft.current().tenant) return;
    human?.then(({ start }) => start()).catch(() => say(byId("human-error"), "human.blocked"));
    fill();
    showBase();
    lookUp();
  },
  speak() {
    showMade();
    if (!draft.current().tenant) lookUp();
  },
};
