// What the person has typed and how far the club has come, kept on this device until the wizard is finished. Every club has a draft of its
// own. Every tab works on one draft that no other open tab works on, so that two clubs never mix. The idempotency key lives and dies with
// the draft: whatever happens on the way, one draft makes one club.

import { isObject, kept, passing, shaped } from "./storage.js";

/** The draft written last, where earlier versions of this page keep their only one, and the one they put aside. */
const PLACE = "tenantry.draft";
const ASIDE = "tenantry.draft.aside";
/** Every draft, by its id. */
const EACH = "tenantry.draft:";
/** The id of this tab's draft. */
const TAB = "tenantry.tab";
/** What belongs to this tab's draft, and to no other: the session, and the secret as earlier versions keep it. */
const SECRET = "tenantry.secret";
const SESSION = "tenantry.session";

const KEPT_DAYS = 90;
/** How long a reload waits for the previous page to release the draft. */
const LETTING_GO_MS = 1500;

const random = (bytes) =>
  Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (b) => b.toString(16).padStart(2, "0")).join("");

const blank = (id = random(8)) => ({
  id,
  at: 0,
  key: `signup-${random(16)}`,
  step: "club",
  clubName: "",
  clubSlug: "",
  slugChosen: false,
  email: "",
  plan: "starter",
  promoCode: "",
  primaryColor: "#0f5c45",
  secondaryColor: "#f2c14e",
  webhookUrl: "",
  webhookSecret: "",
  /** The address that was stored last. */
  storedWebhook: "",
  /** Bodies posted under the key whose answer never came: one of them may have made the club. */
  sent: [],
  /** The club once it exists. As long as its address has to be proven, `emailProven` is false. */
  tenant: null,
  /** When the next mail that proves the address may be asked for. */
  againAt: 0,
  branded: false,
  queued: false,
});

/** A draft from what is stored, whoever wrote it. */
function read(value) {
  const draft = shaped(value, blank());
  draft.sent = draft.sent.filter(isObject);
  if (!isObject(draft.tenant) || typeof draft.tenant.id !== "string") draft.tenant = null;
  if (!draft.tenant) draft.queued = false;
  return draft;
}

const TYPED = ["clubName", "clubSlug", "email", "promoCode"];
const isEmpty = (draft) => !draft.tenant && !draft.sent.length && TYPED.every((name) => !draft[name]);

let draft = blank();
let elsewhere = null;
let letGo = () => {};

/** The draft as it is now; change it with `save` only. */
export const current = () => draft;

/** Another draft than this tab's that the person may be looking for, and whether another tab works on it. */
export const other = () => elsewhere;

/** Whether the browser keeps what is typed: not in every private window, nor on a full disk. */
export const isKept = () => !kept.forgets() || isEmpty(draft);

export function save(changes) {
  keep({ ...changes, at: Date.now() });
}

/** Keeps what the service answered. Of two drafts, the latest is the one that the person worked on last, whatever came later. */
export function learn(changes) {
  keep({ ...changes, at: draft.at || Date.now() });
}

function keep(changes) {
  draft = { ...draft, ...changes };
  if (isEmpty(draft)) return drop(draft);
  kept.write(EACH + draft.id, draft);
  kept.write(PLACE, draft);
}

function drop({ id }) {
  kept.remove(EACH + id);
  if (kept.read(PLACE)?.id === id) kept.remove(PLACE);
}

/** All drafts of this browser, the latest first. */
const all = () =>
  kept
    .names()
    .filter((name) => name.startsWith(EACH))
    .map((name) => ({ ...read(kept.read(name)), id: name.slice(EACH.length) }))
    .filter((found) => !isEmpty(found))
    .sort((a, b) => b.at - a.at);

/** What an earlier version of this page left, or wrote since, becomes a draft like the others. */
function takeOver() {
  for (const place of [ASIDE, PLACE]) {
    const left = kept.read(place);
    if (!isObject(left) || isEmpty(read(left))) continue;
    const found = read(left);
    if (!found.at) found.at = Date.now();
    if (found.at < kept.read(EACH + found.id)?.at) continue;
    kept.write(EACH + found.id, found);
    if (place === PLACE) kept.write(PLACE, found);
  }
  kept.remove(ASIDE);
  const tooOld = Date.now() - KEPT_DAYS * 86_400_000;
  for (const found of all()) if (found.at < tooOld) drop(found);
}

/** Makes a draft this tab's own until the tab ends. Answers whether no other tab works on it. */
function hold(id, patience = 0) {
  if (!navigator.locks) return Promise.resolve(true);
  const limit = new AbortController();
  const timer = patience && setTimeout(() => limit.abort(), patience);
  return new Promise((answer) => {
    navigator.locks
      .request(EACH + id, patience ? { signal: limit.signal } : { ifAvailable: true }, (lock) => {
        clearTimeout(timer);
        answer(lock !== null);
        return lock && new Promise((free) => (letGo = free));
      })
      .catch(({ name }) => answer(name !== "AbortError"));
  });
}

/** This tab goes on with that draft; what belonged to another one is forgotten. */
function bind(found) {
  draft = found;
  if (passing.read(TAB) === found.id) return;
  if (passing.read(TAB) !== null) for (const name of [SECRET, SESSION]) passing.remove(name);
  passing.write(TAB, found.id);
}

async function begin() {
  letGo();
  const fresh = blank();
  await hold(fresh.id);
  bind(fresh);
}

/** Finds a draft: the one this tab had, else the latest that no other tab works on. */
async function find() {
  const own = passing.read(TAB);
  const drafts = all();
  if (typeof own === "string") {
    const found = drafts.find(({ id }) => id === own);
    if (await hold(own, LETTING_GO_MS)) return bind(found ?? blank(own));
    // The tab was duplicated.
    elsewhere = found ? { draft: found, busy: true } : null;
    return begin();
  }
  for (const found of drafts) {
    if (await hold(found.id)) {
      // An earlier version of this page kept the secret with the tab.
      const secret = passing.read(SECRET);
      return bind({ ...found, webhookSecret: found.webhookSecret || (typeof secret === "string" ? secret : "") });
    }
  }
  elsewhere = drafts.length ? { draft: drafts[0], busy: true } : null;
  return begin();
}

/** Starts with this tab's draft. `typed` answers what stands in the form already: of another club than the draft's, it begins a new one. */
export async function open(typed = () => ({})) {
  takeOver();
  await find();
  if (!isEmpty(draft) && Object.entries(typed()).some(([name, value]) => value && value !== draft[name])) {
    elsewhere = { draft, busy: false };
    await begin();
  }
  addEventListener("pagehide", () => letGo());
  // A page that comes back from the browser's cache may have missed what happened since.
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
}

/** Has the next page of this tab start with that draft. */
export function goOnWith({ id }) {
  letGo();
  for (const name of [SECRET, SESSION]) passing.remove(name);
  passing.write(TAB, id);
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** Notes, before posting, that this body may reach the server. */
export function sending(body) {
  if (!draft.sent.some((other) => same(other, body))) save({ sent: [...draft.sent, body] });
}

/** The server has definitely not made a club from this body. */
export function refused(body) {
  save({ sent: draft.sent.filter((other) => !same(other, body)) });
}

/** The key is another attempt's that we don't know of, or that of a club that is gone: this draft needs another one. */
export function renewKey() {
  save({ key: blank().key, sent: [] });
}

/** The club exists. */
export function made(tenant) {
  save({ tenant, sent: [], step: "colours", againAt: Date.now() + 30_000 });
}

/** Somebody signed in to an existing club: this tab goes on with that one's draft. Answers whether there was one. */
export async function adopt(tenant) {
  const known = draft.tenant?.id === tenant.id ? draft : all().find((found) => found.tenant?.id === tenant.id);
  if (known && known !== draft) {
    letGo();
    // While another tab works on it, this one goes on with a copy.
    if (await hold(known.id)) bind(known);
    else {
      await begin();
      draft = { ...known, id: draft.id };
    }
  }
  if (!known) await begin();
  save({ tenant: { ...draft.tenant, ...tenant } });
  return Boolean(known);
}

/** Forgets the draft, and copies of it. The next page of this tab begins a new one. */
export function finish() {
  const { id, tenant } = draft;
  for (const found of all()) if (found.id === id || (tenant && found.tenant?.id === tenant.id)) drop(found);
  drop(draft);
  goOnWith((draft = blank()));
}

/** Has the next page of this tab start with an unfinished form, if there is one, else with an empty one. */
export function another() {
  goOnWith(all().find((found) => !found.tenant && found.id !== draft.id) ?? blank());
}

/** The webhook's secret: the one that was shown is there again when the person comes back. */
export function secret(value) {
  if (value !== undefined) {
    passing.write(SECRET, value);
    save({ webhookSecret: value });
  }
  return draft.webhookSecret;
}

export const freshSecret = () => random(16);
