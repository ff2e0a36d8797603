// An import in words: no address in full, no webhook's path, no secret.
import { harmless, say } from "../project.mjs";

/** As many are named; of the others it is said how many there are. */
const NAMED = 5;

export function printPlan({ tenants, codes, redemptions, before, report }, { rows, left }, { from, environment }) {
  say(`${from}: ${rows.tenants.length} clubs, ${rows.promo_codes.length} promo codes, ${rows.promo_redemptions.length} redemptions, ${rows.make_connections.length} webhooks, ${rows.auth_users.length} users`);
  if (before > 0) say(`${before} clubs are in the database of ${environment} already: they stay as they are`);
  const live = tenants.filter(({ isLive }) => isLive).length;
  const people = tenants.reduce((sum, { members, isLive }) => sum + members.length + Number(isLive), 0);
  const count = (field) => tenants.filter((tenant) => tenant[field] !== null).length;
  say(`to import: ${tenants.length} clubs (${live} of them provisioned), ${count("brand")} brands, ${codes.length} promo codes, ${redemptions.length} redemptions, ${count("webhook")} webhooks, ${people} users`);
  for (const [what, who] of report.changed) say(`changed: ${what} (${named(who)})`);
  for (const [what, who] of report.left) say(`left out: ${what} (${named(who)})`);
  if (left.length > 0) say(`left out: tables without a place here (${left.map(([name, n]) => `${harmless(name)}: ${n}`).join(", ")})`);
  if (report.collisions.length === 0) return;
  for (const { name, what } of report.collisions) process.stdout.write(`✗ ${line(`${name} ${what}`)}\n`);
  process.stdout.write(`✗ ${report.collisions.length} collisions: nothing is imported before they are decided, by --decisions with a file like this.\n`);
  process.stdout.write(`${harmless(JSON.stringify(template(report.collisions), null, 2))}\n`);
}

const line = (text) => harmless(text).replaceAll(/[\n\t]/g, " ");
const named = (who) => `${who.length}: ${who.slice(0, NAMED).map(line).join(", ")}${who.length > NAMED ? ", …" : ""}`;

/** The beginning of a file of decisions; what is empty nobody else can decide. */
function template(collisions) {
  const decisions = {};
  for (const { kind, name, proposal } of collisions) {
    decisions[kind] ??= {};
    decisions[kind][name] = { ...decisions[kind][name], ...proposal };
  }
  return decisions;
}
