// How an operator decides what can't be imported as it is: a file, by the older ids and codes.
import { readFileSync } from "node:fs";
import { Failure } from "../project.mjs";

const FIELDS = {
  tenants: { slug: "string", email: "string", name: "string", webhookUrl: "string", keepSlug: "boolean", withoutWebhook: "boolean", leaveOut: "boolean" },
  promoCodes: { code: "string", into: "string", leaveOut: "boolean" },
};

/** What was decided; nothing for whom nothing was. A decision that decides nothing is a mistake, and told. */
export function decisionsOf(path, rows) {
  const decided = path === undefined ? {} : read(path);
  const known = { tenants: new Set(rows.tenants.map(({ id }) => String(id))), promoCodes: new Set(rows.promo_codes.map(({ code }) => String(code))) };
  for (const [kind, entries] of Object.entries(decided)) {
    if (!Object.hasOwn(FIELDS, kind)) throw new Failure(`${path}: ${kind} is none of ${Object.keys(FIELDS).join(", ")}.`);
    for (const [name, decision] of Object.entries(objectIn(path, kind, entries))) {
      if (!known[kind].has(name)) throw new Failure(`${path}: ${kind} has ${name}, which is not in the dump.`);
      for (const [field, value] of Object.entries(objectIn(path, name, decision))) {
        const type = Object.hasOwn(FIELDS[kind], field) ? FIELDS[kind][field] : null;
        if (type === null) throw new Failure(`${path}: ${name} has ${field}, which is none of ${Object.keys(FIELDS[kind]).join(", ")}.`);
        if (typeof value !== type || value === "" || value === false) throw new Failure(`${path}: ${field} of ${name} is still to be decided.`);
      }
    }
  }
  const of = (kind) => (name) => (Object.hasOwn(decided[kind] ?? {}, name) ? decided[kind][name] : {});
  return { tenant: of("tenants"), promoCode: of("promoCodes") };
}

function read(path) {
  try {
    return objectIn(path, "it", JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(`${path} can't be read as JSON: ${error.message.split("\n")[0]}`);
  }
}

function objectIn(path, name, value) {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new Failure(`${path}: ${name} is no object.`);
}
