// What the person has typed and how far the club has come, kept on this device until the wizard is finished.
// The idempotency key lives and dies with the draft: whatever happens on the way, one draft makes one club.

import { kept, passing } from "./storage.js";

const PLACE = "tenantry.draft";
const ASIDE = "tenantry.draft.aside";
const SECRET = "tenantry.secret";

const random = (bytes) =>
  Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (b) => b.toString(16).padStart(2, "0")).join("");

const blank = () => ({
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
  /** The address that was stored last. */
  storedWebhook: "",
  /** Bodies posted under the key whose answer never came: one of them may have made the club. */
  sent: [],
  /** The club once it exists, and the body that made it (to ask for a fresh token under the same key). */
  tenant: null,
  body: null,
  queued: false,
});

let draft = { ...blank(), ...kept.read(PLACE) };
kept.write(PLACE, draft);

/** The draft as it is now; change it with `save` only. */
export const current = () => draft;

export function save(changes) {
  draft = { ...draft, ...changes };
  kept.write(PLACE, draft);
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

/** The server knows the key from an attempt that we don't know of: this draft needs another one. */
export function renewKey() {
  save({ key: blank().key, sent: [] });
}

/** The club exists. */
export function made(tenant, body) {
  save({ tenant, body, sent: [], step: "colours" });
}

/** Somebody signed in to an existing club: carry on with that one, and put an unfinished other draft aside. */
export function adopt(tenant, changes) {
  if (draft.tenant?.id !== tenant.id) {
    if (draft.clubName && !draft.tenant) kept.write(ASIDE, draft);
    draft = blank();
    secret("");
  }
  save({ tenant: { ...draft.tenant, ...tenant }, ...changes });
}

/** Forgets the draft; what was put aside comes back. */
export function finish() {
  draft = { ...blank(), ...kept.read(ASIDE) };
  kept.remove(ASIDE);
  kept.write(PLACE, draft);
  passing.remove(SECRET);
}

/** Forgets everything typed on this device. */
export function forget() {
  kept.remove(ASIDE);
  finish();
}

/** The webhook's secret: it survives a reload, but is not left behind on a shared computer. */
export function secret(value) {
  if (value !== undefined) passing.write(SECRET, value);
  return passing.read(SECRET) || "";
}

export const freshSecret = () => random(16);
