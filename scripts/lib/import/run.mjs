// What scripts/import.mjs does.
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { ask, literal, wrangler } from "../d1.mjs";
import { DEPLOYED, configuration, localSecret } from "../environments.mjs";
import { decisionsOf } from "./decisions.mjs";
import { readDump } from "./dump.mjs";
import { makePlan } from "./plan.mjs";
import { printPlan } from "./print.mjs";
import { keyName } from "./seal.mjs";
import { statementsOf } from "./statements.mjs";
import { Failure, at, harmless, help, say } from "../project.mjs";

/** As many values are asked for at once: an argument of a program holds 128 KiB. */
const ASKED_AT_ONCE = 400;
const SHORTEST_KEY = 32;

/** Does what the command line says. `script` is the address of the script, whose first comment is its help. */
export async function runImport(script) {
  const wanted = request(script);
  const where = whereIs(wanted.environment);
  const dump = readDump(wanted.from);
  const decisions = decisionsOf(wanted.decisions, dump.rows);
  const { vars } = await configuration(wanted.environment);
  await needsMigrations(where, wanted.environment);
  const makeIt = () =>
    makePlan({
      rows: dump.rows,
      decisions,
      known: knownTo(where),
      allowedHosts: vars.ALLOWED_WEBHOOK_HOSTS,
      routed: vars.SUBDOMAIN_MODE === "wildcard",
      now: Math.floor(Date.now() / 1000),
    });
  const plan = await makeIt();
  printPlan(plan, dump, wanted);
  if (plan.report.collisions.length > 0) process.exitCode = 2;
  else if (wanted.dryRun) process.stdout.write("✓ Nothing was changed: this was a dry run.\n");
  else if (isDone(plan)) process.stdout.write("✓ Everything is there already: nothing was changed.\n");
  else await write(plan, where, wanted, makeIt);
}

function request(script) {
  const options = { from: "string", env: "string", confirm: "string", decisions: "string", "dry-run": "boolean", help: "boolean" };
  let values;
  try {
    ({ values } = parseArgs({ options: Object.fromEntries(Object.entries(options).map(([name, type]) => [name, { type }])) }));
  } catch (error) {
    throw new Failure(`${error.message.split("\n")[0]} See scripts/import.mjs --help.`);
  }
  if (values.help) help(script);
  const { from, env: environment = "local", confirm, decisions, "dry-run": dryRun = false } = values;
  if (!from) throw new Failure("Say what to import: --from DUMP. See scripts/import.mjs --help.");
  if (!["local", ...DEPLOYED].includes(environment)) throw new Failure(`Unknown environment: ${environment}. Use local, preview or production.`);
  if (environment !== "local" && !dryRun && confirm !== environment) throw new Failure(`This writes to the database of ${environment}: say --confirm ${environment}, after a dry run.`);
  return { from, environment, decisions, dryRun };
}

function whereIs(environment) {
  if (environment !== "local") return ["--remote", "--env", environment];
  const state = process.env.STATE_DIR || at(".wrangler/state");
  if (!existsSync(join(state, "v3/d1"))) throw new Failure(`There is no database in ${state}: run npm start once (with the same STATE_DIR).`);
  return ["--local", "--persist-to", state, "--env", ""];
}

async function needsMigrations(where, environment) {
  const newest = readdirSync(at("migrations")).filter((name) => name.endsWith(".sql")).sort().at(-1);
  const [applied] = await ask(where, [`select name from d1_migrations where name = '${newest}'`]);
  const next = environment === "local" ? "npm start" : `npx wrangler d1 migrations apply DB --remote --env ${environment}`;
  if (applied.length === 0) throw new Failure(`The database of ${environment} has not every migration: ${next}`);
}

/** What the database has of what is asked for. */
function knownTo(where) {
  const list = (values) => values.map((value) => literal(`t${Buffer.from(value, "utf8").toString("hex")}`)).join(", ");
  async function select(columns, table, column, values) {
    const found = [];
    for (let from = 0; from < values.length; from += ASKED_AT_ONCE) {
      const [rows] = await ask(where, [`select ${columns} from ${table} where ${column} in (${list(values.slice(from, from + ASKED_AT_ONCE))})`]);
      found.push(...rows);
    }
    return found;
  }
  const tenants = (column, values) => select("id, slug, email, signup_fingerprint", "tenants", column, values);
  return {
    tenants: async ({ ids = [], slugs = [], emails = [] }) => {
      const found = await Promise.all([tenants("id", ids), tenants("slug", slugs), tenants("email", emails)]);
      return found.flat();
    },
    promoCodes: (codes) => select("code, created_at", "promo_codes", "code", codes),
  };
}

/** The secret under which the service seals: another one would leave it with webhooks that it can't read. */
async function dataKey(plan, where, environment) {
  if (plan.tenants.every(({ webhook }) => webhook === null)) return null;
  const key = process.env.DATA_KEY || (environment === "local" ? localSecret("DATA_KEY") : null);
  if (!key) throw new Failure(`DATA_KEY is not set: webhooks are sealed under the one of ${environment}.`);
  if (Buffer.byteLength(key) < SHORTEST_KEY) throw new Failure(`DATA_KEY is shorter than ${SHORTEST_KEY} bytes: the service accepts no such key.`);
  const [rows] = await ask(where, ["select webhook_secret from make_connections order by updated_at desc limit 100"]);
  const names = new Set(rows.map(({ webhook_secret: sealed }) => String(sealed).split(".")[1]));
  if (names.size > 0 && !names.has(keyName(key))) throw new Failure(`DATA_KEY is not the one under which the database of ${environment} has its webhooks.`);
  return key;
}

async function write(plan, where, { from, environment }, makeIt) {
  const key = await dataKey(plan, where, environment);
  const directory = mkdtempSync(join(tmpdir(), "tenantry-import-"));
  try {
    const file = join(directory, "import.sql");
    const statements = statementsOf(plan, key, auditOf(plan, from));
    writeFileSync(file, `PRAGMA defer_foreign_keys=TRUE;\n${statements.map((statement) => `${statement};\n`).join("")}`, { mode: 0o600 });
    const { code, printed, errors } = await wrangler(["d1", "execute", "DB", ...where, "--yes", "--file", file]);
    if (code !== 0) {
      process.stderr.write(`${harmless(`${errors}${printed}`.slice(0, 4_000)).trim()}\n`);
      throw new Failure("Nothing was imported: see above. Did somebody sign up meanwhile? Do a dry run again.");
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  // Believes what the database says now, not that a command ended well.
  const left = await makeIt();
  if (!isDone(left) || left.report.collisions.length > 0) throw new Failure("The database does not have everything that was imported: do a dry run again.");
  say("their names are found by operators within minutes");
  process.stdout.write(`✓ Imported into the database of ${environment}: ${plan.tenants.length} clubs, ${plan.codes.length} promo codes.\n`);
}

function isDone({ tenants, codes, redemptions }) {
  return tenants.length + codes.length + redemptions.length === 0;
}

/** One entry for it all: which dump, and how many. */
function auditOf({ tenants, codes, redemptions }, from) {
  const now = Date.now();
  const id = `${now.toString(16).padStart(12, "0")}7${randomBytes(10).toString("hex").slice(0, 19)}`;
  const dump = createHash("sha256").update(readFileSync(from)).digest("hex");
  return {
    id: `aud_${id}`,
    actor: "import",
    action: "tenants.import",
    subject: "tenants",
    reason: `Imported from ${basename(from).slice(0, 100)}`,
    request_id: `req_${id}`,
    data: JSON.stringify({ tenants: tenants.length, promoCodes: codes.length, redemptions: redemptions.length, dump }),
    occurred_at: Math.floor(now / 1000),
  };
}
