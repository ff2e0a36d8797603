// What an import would do: the tenants and promo codes of a dump as the service stores them, what stands in the way, and what is left out.
import { createHash } from "node:crypto";
import { Unfit, codeOf, colourOf, emailOf, masked, nameOf, secondsOf, slugOf, webhookSecretOf, webhookUrlOf } from "./values.mjs";

const TRIAL_SECONDS = 14 * 86_400;
/** What the service shows where a tenant has no colours. */
const DEFAULT_COLOURS = ["#1f4e79", "#f4b942"];
const OWNER_ROLES = ["tenant_admin", "owner"];
const MEMBER_ROLES = ["tenant_admin", "tenant_member"];
/** Stands before the older id where a tenant's signup has its fingerprint: such a tenant was imported. */
export const IMPORTED = "imported:";

/** What the service takes of an operator, too. */
const [MOST_USES, LONGEST_NOTES] = [1_000_000_000, 500];
const count = (value) => Math.min(MOST_USES, Math.max(0, Math.floor(Number(value) || 0)));

const hash = (text) => createHash("sha256").update(text).digest("hex").slice(0, 32);
const isOf = (prefix, id) => id.startsWith(prefix) && id.length > prefix.length && id.length <= 64 && /^[\w-]+$/.test(id);

/** An id of the service: the older one if it is one already. The same comes of the same. */
function idOf(prefix, id) {
  if (isOf(prefix, id)) return id;
  return isOf(prefix, prefix + id) ? prefix + id : `${prefix}${hash(id)}`;
}

/** `known` is asked what the database has: `tenants({ids, slugs, emails})` and `promoCodes(codes)`. */
export async function makePlan({ rows, decisions, known, allowedHosts, routed, now }) {
  const report = new Report();
  const names = rows.tenants.map((row) => String(row.id));
  const here = new Map((await known.tenants({ ids: names.map((id) => idOf("tenant_", id)) })).map((row) => [row.id, row]));
  const isImported = (row) => here.get(idOf("tenant_", String(row.id)))?.signup_fingerprint?.startsWith(IMPORTED) === true;
  const before = rows.tenants.filter(isImported);

  const related = relatedTo(rows);
  const tenants = rows.tenants
    .filter((row) => !isImported(row))
    .map((row) => tenantOf({ row, related, decision: decisions.tenant(row.id), report, allowedHosts, routed, now }))
    .filter((tenant) => tenant !== null);
  const codes = await codesOf({ rows, decisions, known, report, slugs: newSlugs(tenants) });
  await findCollisions(tenants, here, known, report);

  const byOldId = new Map([...tenants, ...before.map((row) => ({ oldId: String(row.id), id: idOf("tenant_", String(row.id)), isBefore: true }))].map((tenant) => [tenant.oldId, tenant]));
  const redemptions = redemptionsOf(rows, codes, byOldId, report, now);
  const used = grouped(redemptions, "tenant");
  for (const tenant of tenants) usesCode(tenant, codes, used.get(tenant.id) ?? [], report);
  const clubs = new Set(names);
  for (const { tenant_id: id, email } of rows.auth_users) {
    if (!clubs.has(String(id))) report.leaves("users whose club is not there", masked(String(email ?? "")));
  }
  const counted = countUses(codes, redemptions);
  return { tenants, codes: counted.filter((code) => code.isNew), redemptions, before: before.length, report };
}

/** What is told of an import: what stands in its way, what is stored otherwise than it was, and what is left out. */
class Report {
  collisions = [];
  changed = new Map();
  left = new Map();

  /** `proposal` is a decision that would solve it. */
  collides(kind, name, what, proposal) {
    this.collisions.push({ kind, name, what, proposal });
  }
  changes(what, who) {
    this.changed.set(what, [...(this.changed.get(what) ?? []), who]);
  }
  leaves(what, who) {
    this.left.set(what, [...(this.left.get(what) ?? []), who]);
  }
}

const grouped = (rows, column) => Map.groupBy(rows, (row) => String(row[column]));

function relatedTo(rows) {
  const [brands, webhooks, automations, users] = ["tenant_brand", "make_connections", "pro_automation", "auth_users"].map((table) => grouped(rows[table], "tenant_id"));
  return (id) => ({ brand: brands.get(id)?.[0], webhook: webhooks.get(id)?.[0], automation: automations.get(id)?.[0], users: users.get(id) ?? [] });
}

function tenantOf({ row, related, decision, report, allowedHosts, routed, now }) {
  const oldId = String(row.id);
  if (decision.leaveOut) return leftOut("clubs that were decided to be left out");
  if (!["trial", "active", "suspended"].includes(row.status)) return leftOut(`clubs with the status ${row.status}`);
  const { brand, webhook, automation, users } = related(oldId);
  const id = idOf("tenant_", oldId);
  const collides = (what, proposal) => report.collides("tenants", oldId, what, proposal);
  const value = (field, parse) => {
    try {
      return parse(decision[field] ?? row[field]);
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      collides(error.message, { [field]: error.proposal ?? "" });
      return null;
    }
  };
  if (id !== oldId) report.changes("clubs whose id is none of this service: their older tokens open nothing", `${oldId} → ${id}`);
  if (!["starter", "pro"].includes(row.plan)) collides(`has the plan ${row.plan}`, { leaveOut: true });

  const made = secondsOf(row.created_at) ?? secondsOf(/^tenant_(\d{13})(?:_|$)/.exec(oldId)?.[1]);
  if (made === null) report.changes("clubs without a readable time of signup: it is now", oldId);
  const createdAt = Math.min(made ?? now, now);
  const isReady = ["complete", "completed"].includes(row.provision_state) || secondsOf(row.provisioned_at) !== null;
  const isLive = row.status === "active" || isReady || (row.plan === "starter" ? webhook : automation) !== undefined;
  if (!isLive) report.changes("clubs that never finished their setup: they go on where they stopped", oldId);
  const liveAt = secondsOf(row.provisioned_at) ?? secondsOf(row.provision_updated_at) ?? createdAt;

  const name = value("name", nameOf);
  if (name !== null && decision.name === undefined && name !== row.name) report.changes("clubs whose name held what nobody sees", oldId);
  const slug = value("slug", (text) => slugOf(text, { mayBeReserved: decision.keepSlug === true }));
  const email = value("email", emailOf);
  const tenant = {
    oldId,
    id,
    name,
    slug,
    oldSlug: String(row.slug ?? "").trim().toLowerCase(),
    email,
    plan: row.plan,
    status: row.status === "suspended" ? "suspended" : isLive ? "active" : "trial",
    comped: Number(row.comped) > 0 ? 1 : 0,
    trialEndsAt: secondsOf(row.trial_ends_at) ?? createdAt + TRIAL_SECONDS,
    billingTier: String(row.billing_tier || "standard"),
    typedCode: row.promo_code_used,
    isLive,
    provisionedAt: isLive ? Math.max(createdAt, Math.min(liveAt, now)) : null,
    routeReady: isLive && routed ? 1 : 0,
    mailedAt: secondsOf(row.owner_email_sent_at),
    createdAt,
    updatedAt: Math.max(createdAt, Math.min(secondsOf(row.updated_at) ?? createdAt, now)),
    brand: brandOf(brand, oldId, report, now),
    webhook: webhookOf({ row, webhook, decision, allowedHosts, collides, report, oldId }),
  };
  if (isLive && row.plan === "starter" && tenant.webhook === null) report.changes("starter clubs without a webhook: nothing is sent until one is stored", oldId);
  if (isLive && row.plan === "pro") report.changes("pro clubs: no spreadsheet comes with them", oldId);
  return { ...tenant, ...peopleOf(tenant, users, row.email, report) };

  function leftOut(what) {
    report.leaves(what, oldId);
    return null;
  }
}

function brandOf(brand, oldId, report, now) {
  if (brand === undefined) return null;
  const colours = [brand.primary_color, brand.secondary_color].map((colour, n) => colourOf(colour) ?? DEFAULT_COLOURS[n]);
  if ([brand.primary_color, brand.secondary_color].some((colour) => colourOf(colour) === null)) report.changes("clubs with colours that are none: they get the usual ones", oldId);
  if (brand.badge_url) report.leaves("badges: there is no place for them", oldId);
  return { colours, updatedAt: Math.min(secondsOf(brand.updated_at) ?? now, now) };
}

function webhookOf({ row, webhook, decision, allowedHosts, collides, report, oldId }) {
  if (decision.withoutWebhook) return null;
  if (row.plan !== "starter") {
    if (webhook !== undefined) report.leaves("webhooks of pro clubs, to which nothing was sent", oldId);
    return null;
  }
  if (webhook === undefined) return null;
  try {
    return { url: webhookUrlOf(decision.webhookUrl ?? webhook.webhook_url, allowedHosts), secret: webhookSecretOf(webhook.webhook_secret) };
  } catch (error) {
    if (!(error instanceof Unfit)) throw error;
    collides(error.message, { withoutWebhook: true });
    return null;
  }
}

/** The owner, and who else may sign in. Of one address there is one person in each club. */
function peopleOf(tenant, users, oldAddress, report) {
  const people = new Map();
  for (const user of users) {
    const address = addressOf(user.email);
    if (address === null) report.leaves("users with an address that can get no mail", masked(String(user.email ?? "")));
    else people.set(address, [...(people.get(address) ?? []), user]);
  }
  const idsOwn = (user) => idOf("user_", String(user.id));
  // A corrected address is the same person's.
  const former = addressOf(oldAddress);
  const owner = people.get(tenant.email)?.[0] ?? people.get(former)?.[0];
  const members = [...people].filter(([address]) => address !== tenant.email && !(people.get(tenant.email) === undefined && address === former));
  for (const same of people.values()) if (same.length > 1) report.changes("people who were several users of one club: they are one now", tenant.oldId);
  return {
    owner: { id: owner === undefined ? `user_${hash(tenant.oldId)}` : idsOwn(owner), createdAt: secondsOf(owner?.created_at) ?? tenant.createdAt },
    members: members.map(([address, same]) => ({
      id: idsOwn(same[0]),
      email: address,
      roles: MEMBER_ROLES.filter((role) => same.some((user) => rolesOf(user.roles).includes(role))),
      createdAt: secondsOf(same[0].created_at) ?? tenant.createdAt,
    })),
  };
}

export const ownerRoles = JSON.stringify(OWNER_ROLES);

function addressOf(text) {
  try {
    return emailOf(text);
  } catch (error) {
    if (error instanceof Unfit) return null;
    throw error;
  }
}

function rolesOf(text) {
  try {
    const roles = JSON.parse(text);
    return Array.isArray(roles) ? roles.filter((role) => typeof role === "string") : [];
  } catch {
    return [];
  }
}

const newSlugs = (tenants) => new Map(tenants.filter(({ slug }) => slug !== null).map(({ oldSlug, slug }) => [oldSlug, slug]));

/** One name or address belongs to one tenant: whoever is live, then whoever came first. */
async function findCollisions(tenants, here, known, report) {
  const first = tenants.toSorted((one, other) => Number(other.isLive) - Number(one.isLive) || one.createdAt - other.createdAt || (one.oldId < other.oldId ? -1 : 1));
  const wanted = (field) => first.map((tenant) => tenant[field]).filter((value) => value !== null);
  const there = await known.tenants({ slugs: wanted("slug"), emails: wanted("email") });
  const owners = { slug: new Map(), email: new Map(), id: new Map() };
  for (const row of there) for (const field of ["slug", "email"]) if (row[field] !== null) owners[field].set(row[field].toLowerCase(), `${row.id} here`);
  for (const tenant of first) {
    const collides = (what, proposal) => report.collides("tenants", tenant.oldId, what, proposal);
    if (here.has(tenant.id) || owners.id.has(tenant.id)) collides(`has the id of ${owners.id.get(tenant.id) ?? `${tenant.id} here`}`, { leaveOut: true });
    owners.id.set(tenant.id, tenant.oldId);
    const { slug, email } = tenant;
    if (slug !== null && owners.slug.has(slug)) collides(`has the slug ${slug} of ${owners.slug.get(slug)}`, { slug: "" });
    else if (slug !== null) owners.slug.set(slug, tenant.oldId);
    if (email !== null && owners.email.has(email)) collides(`has the address ${masked(email)} of ${owners.email.get(email)}`, { email: "" });
    else if (email !== null) owners.email.set(email, tenant.oldId);
  }
}

async function codesOf({ rows, decisions, known, report, slugs }) {
  const codes = rows.promo_codes.map((row) => codeRow(row, decisions.promoCode(row.code), report, slugs)).filter((code) => code !== null);
  const wanted = codes.flatMap(({ code, into }) => [code, into]).filter((code) => code !== null);
  const here = new Map((await known.promoCodes(wanted)).map((row) => [row.code, row]));
  const owners = new Map();
  for (const code of codes.filter(({ into }) => into === null)) {
    const collides = (what, proposal) => report.collides("promoCodes", code.typed, what, proposal);
    if (code.code === null) continue;
    if (owners.has(code.code)) collides(`is ${code.code}, as ${owners.get(code.code).typed} is`, { into: code.code });
    else owners.set(code.code, code);
    // It has been imported before if it is as old.
    const there = here.get(code.code);
    code.isNew = there === undefined;
    if (there !== undefined && there.created_at !== code.createdAt) collides(`is a code here, too`, { into: code.code });
  }
  for (const code of codes.filter(({ into }) => into !== null)) {
    if (owners.has(code.into)) owners.get(code.into).used += code.used;
    else if (!here.has(code.into)) report.collides("promoCodes", code.typed, `goes into ${code.into}, which is no code`, { into: "" });
  }
  return codes;
}

function codeRow(row, decision, report, slugs) {
  const typed = String(row.code);
  if (decision.leaveOut) {
    report.leaves("promo codes that were decided to be left out", typed);
    return null;
  }
  const collides = (error, proposal) => {
    if (!(error instanceof Unfit)) throw error;
    report.collides("promoCodes", typed, error.message, proposal);
    return null;
  };
  const parsed = (text) => {
    try {
      return codeOf(text);
    } catch (error) {
      return collides(error, { code: error.proposal ?? "" });
    }
  };
  const into = decision.into === undefined ? null : parsed(decision.into);
  const code = into === null ? parsed(decision.code ?? typed) : null;
  if (code !== null && decision.code === undefined && code !== typed) report.changes("promo codes that are written in capitals now", typed);
  const moment = (value) => (value ? secondsOf(value) : null);
  const isReadable = (value) => !value || secondsOf(value) !== null;
  const plan = ["starter", "pro"].includes(row.plan) ? row.plan : null;
  const isUsable = isReadable(row.starts_at) && isReadable(row.valid_until) && (plan !== null || !row.plan);
  if (!isUsable) report.changes("promo codes whose plan or time can't be read: they are switched off", typed);
  const percent = Number(row.discount_percent);
  if (!Number.isInteger(percent)) report.changes("promo codes with a fraction of a percent: it is cut", typed);
  const list = String(row.tenant_slug_whitelist ?? "").split(",").map((slug) => slug.trim().toLowerCase()).filter(Boolean);
  return {
    oldId: String(row.id),
    typed,
    code,
    into,
    discount: Math.min(100, Math.max(0, Math.trunc(percent) || 0)),
    plan,
    lifetime: Number(row.lifetime) > 0 ? 1 : 0,
    active: isUsable && (row.active === undefined || Number(row.active) > 0) ? 1 : 0,
    startsAt: moment(row.starts_at),
    validUntil: moment(row.valid_until),
    // Nought was no limit there.
    maxUses: Number(row.max_uses) > 0 ? Math.max(1, count(row.max_uses)) : null,
    used: count(row.used_count),
    slugs: list.length === 0 ? null : JSON.stringify(list.map((slug) => slugs.get(slug) ?? slug)),
    notes: row.notes ? String(row.notes).replaceAll(/\p{C}+/gu, " ").slice(0, LONGEST_NOTES) : null,
    createdAt: secondsOf(row.created_at) ?? 0,
    isNew: false,
  };
}

/** Whose use of which code is counted. */
function redemptionsOf(rows, codes, tenants, report, now) {
  const byId = new Map(codes.map((code) => [code.oldId, code]));
  const seen = new Set();
  const redemptions = [];
  for (const row of rows.promo_redemptions) {
    const [tenant, code] = [tenants.get(String(row.tenant_id)), byId.get(String(row.promo_code_id))];
    const who = `${row.tenant_id}, ${code?.typed ?? row.promo_code_id}`;
    if (code === undefined) report.leaves("uses of promo codes that are not there", who);
    else if (tenant === undefined) report.leaves("uses of promo codes by clubs that are left out: they stay counted", who);
    else if (tenant.isBefore !== true) {
      const name = code.into ?? code.code;
      const key = `${tenant.id} ${name}`;
      if (!seen.has(key)) redemptions.push({ tenant: tenant.id, code: name, discount: code.discount, at: Math.min(secondsOf(row.redeemed_at) ?? tenant.createdAt, now) });
      seen.add(key);
    }
  }
  return redemptions;
}

/** Which code a tenant came with: as it was typed, or, before that was kept, as it was redeemed. */
function usesCode(tenant, codes, redemptions, report) {
  const typed = String(tenant.typedCode ?? "").trim().toUpperCase();
  const known = codes.find(({ typed: name }) => name.toUpperCase() === typed);
  const redeemed = redemptions.map(({ code }) => code);
  const named = known === undefined ? null : (known.into ?? known.code);
  if (typed !== "" && named === null) report.changes("clubs that name a promo code that is not there: it is dropped", tenant.oldId);
  tenant.promoCode = redeemed.includes(named) ? named : (redeemed[0] ?? named);
}

/** A code's uses are those that are listed, which the import counts one by one, and those whose club is not there any more. */
function countUses(codes, redemptions) {
  const byCode = grouped(redemptions, "code");
  for (const code of codes) {
    const listed = byCode.get(code.code)?.length ?? 0;
    code.usesBefore = Math.max(0, code.used - listed);
    if (code.maxUses !== null) code.maxUses = Math.max(code.maxUses, code.usesBefore + listed);
  }
  return codes.filter(({ code }) => code !== null);
}
