// An older service's dump, as `wrangler d1 export` writes it: its rows, whichever of its migrations were applied.
import { readFileSync } from "node:fs";
import { DatabaseSync, constants } from "node:sqlite";
import { quoted } from "../d1.mjs";
import { Failure, harmless } from "../project.mjs";

/** What is read; only the first must be there. */
const TABLES = ["tenants", "tenant_brand", "promo_codes", "promo_redemptions", "make_connections", "pro_automation", "auth_users"];
/** What a database of this service has, and the older one's has not. */
const OURS = ["provision_runs", "webhook_deliveries"];

/** The rows by table, and how many rows there are that have no place here. */
export function readDump(path) {
  const database = new DatabaseSync(":memory:", { enableForeignKeyConstraints: false, enableDoubleQuotedStringLiterals: true });
  try {
    // A dump makes tables and rows; no other file is its business.
    database.setAuthorizer((action) => (action === constants.SQLITE_ATTACH ? constants.SQLITE_DENY : constants.SQLITE_OK));
    const text = textOf(path);
    try {
      database.exec(text);
    } catch (error) {
      throw new Failure(`${path} does not make a database: ${harmless(error.message.slice(0, 300))}.`);
    }
    const names = new Set(database.prepare("select name from sqlite_master where type = 'table'").all().map(({ name }) => name));
    if (OURS.some((name) => names.has(name))) throw new Failure(`${path} is a backup of this service: scripts/restore.sh restores it.`);
    if (!names.has("tenants")) throw new Failure(`${path} has no table tenants: it is no dump of the older service.`);
    const rows = Object.fromEntries(TABLES.map((name) => [name, names.has(name) ? rowsOf(database, name) : []]));
    const others = [...names].filter((name) => !TABLES.includes(name) && !/^(sqlite_|_cf_|d1_)/.test(name)).sort();
    const left = others.map((name) => [name, Number(database.prepare(`select count(*) as n from ${quoted(name)}`).get().n)]);
    return { rows, left: left.filter(([, count]) => count > 0) };
  } finally {
    database.close();
  }
}

/** Numbers beyond what JavaScript counts exactly are moments in nanoseconds at most. */
function rowsOf(database, name) {
  const statement = database.prepare(`select * from ${quoted(name)}`);
  statement.setReadBigInts(true);
  const plain = (value) => (typeof value === "bigint" ? Number(value) : value);
  return statement.all().map((row) => Object.fromEntries(Object.entries(row).map(([column, value]) => [column, plain(value)])));
}

function textOf(path) {
  try {
    return readFileSync(path, "utf8").replaceAll("\0", "");
  } catch (error) {
    throw new Failure(`${path} can't be read: ${error.code}.`);
  }
}
