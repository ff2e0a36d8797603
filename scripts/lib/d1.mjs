// A database of an environment as it is: each value exactly, whatever a tool on the way does to it. `wrangler d1 export`
// changes texts with both a line break and a backslash-n, numbers beyond 2^53, and anything after a NUL. Here a value travels
// as one letter for its type, and digits or hexadecimal bytes: `n`, `i-7`, `r0.1`, `t6162`, `b00ff`.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { Failure, ROOT, harmless, withBins } from "./project.mjs";

const PAGE_ROWS = 10_000;
/** In one call of wrangler: an argument holds 128 KiB. */
const COMMAND_BYTES = 60_000;

/** What is nobody's but SQLite's and the platform's. */
const OURS = "name not glob '_cf_*' and name not glob 'sqlite_*'";

export const quoted = (name) => `"${name.replaceAll('"', '""')}"`;

const exact = (name) =>
  `case typeof(${quoted(name)}) when 'null' then 'n' when 'integer' then 'i' || ${quoted(name)} when 'real' then 'r' || printf('%!.17g', ${quoted(name)})` +
  ` when 'text' then 't' || hex(${quoted(name)}) else 'b' || hex(${quoted(name)}) end`;

/** An exact value as SQL. What has no control character is written as people read it. */
export function literal(value) {
  const text = value.slice(1);
  if (value[0] === "n") return "NULL";
  if (value[0] === "i") return text;
  if (value[0] === "r") return text.replace("Inf", "9e999");
  if (value[0] === "b") return `X'${text}'`;
  const bytes = Buffer.from(text, "hex");
  const words = bytes.toString("utf8");
  const plain = !/[\x00-\x1f\x7f]/.test(words) && Buffer.from(words, "utf8").equals(bytes);
  return plain ? `'${words.replaceAll("'", "''")}'` : `CAST(X'${text}' AS TEXT)`;
}

/** Whether the export may have changed such a value. */
export function mayBeChanged(value) {
  if (value[0] === "t") return /[\0\n\r\ufffd]/.test(Buffer.from(value.slice(1), "hex").toString("utf8"));
  if (value[0] === "i") return !Number.isSafeInteger(Number(value.slice(1)));
  return value[0] === "r";
}

const digest = (values) => createHash("sha256").update(values.join(",")).digest("base64").slice(0, 24);

/** A table: its columns, which of them are its key, and how rows are asked for. */
function tableOf(database, name) {
  const columns = database.prepare(`select name, pk from pragma_table_info(${literal(`t${Buffer.from(name).toString("hex")}`)}) order by cid`).all();
  const key = columns.filter(({ pk }) => pk > 0).sort((one, other) => one.pk - other.pk);
  const names = columns.map((column) => column.name);
  const keys = key.map((column) => column.name);
  if (keys.length === 0) throw new Failure(`${name} has no primary key, by which its rows could be told apart.`);
  const list = [...keys, ...names].map((column, n) => `${exact(column)} as c${n}`);
  const is = (key) => keys.map((column, n) => `${quoted(column)} = ${literal(key[n])}`).join(" and ");
  return {
    name,
    names,
    keys,
    /** Of a row as it was answered. */
    keyOf: (values) => values.slice(0, keys.length),
    cellsOf: (values) => values.slice(keys.length),
    /** Rows behind that key, in the key's order. */
    page(behind, limit) {
      const order = keys.map(quoted).join(", ");
      const where = behind === null ? "" : ` where (${order}) > (${behind.map(literal).join(", ")})`;
      return `select ${list.join(", ")} from ${quoted(name)}${where} order by ${order} limit ${limit}`;
    },
    is,
    one: (key) => `select ${list.join(", ")} from ${quoted(name)} where ${is(key)}`,
  };
}

/** The tables of a schema, by what `schemaOf` answered. */
export function tablesOf(schema) {
  const empty = new DatabaseSync(":memory:");
  try {
    const tables = schema.filter(({ type }) => type === "table");
    for (const { sql } of tables) empty.exec(sql);
    return tables.map(({ name }) => tableOf(empty, name));
  } finally {
    empty.close();
  }
}

/** Asks a database of wrangler's, several statements at once; answers the rows of each. `where` is what names it: --remote --env …. */
export async function ask(where, statements) {
  const command = statements.join(";\n");
  const { code, printed, errors } = await wrangler(["d1", "execute", "DB", ...where, "--yes", "--json", "--command", command]);
  let answer = null;
  try {
    answer = JSON.parse(printed);
  } catch {
    // Said below.
  }
  const whole = code === 0 && Array.isArray(answer) && answer.length === statements.length;
  if (whole && answer.every((each) => each?.success === true && Array.isArray(each.results))) return answer.map(({ results }) => results);
  process.stderr.write(`${harmless(`${errors}${printed}`.slice(0, 4_000)).trim()}\n`);
  throw new Failure("The database does not answer: see above.");
}

/** How often wrangler is run while another process holds the lock of a local database. */
const MAX_TRIES = 10;

/** Runs wrangler; answers its exit code and what it printed. Where the database was locked it did nothing, and is run again. */
export async function wrangler(args) {
  for (let tries = 1; ; tries += 1) {
    const answer = await runOnce(args);
    if (answer.code === 0 || tries === MAX_TRIES || !/SQLITE_BUSY/.test(answer.errors + answer.printed)) return answer;
  }
}

function runOnce(args) {
  return new Promise((done, fail) => {
    const env = withBins({ WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true", NO_COLOR: "1" });
    const child = spawn("wrangler", args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"], env });
    const parts = { stdout: [], stderr: [] };
    for (const stream of ["stdout", "stderr"]) child[stream].on("data", (chunk) => parts[stream].push(chunk));
    const text = (stream) => Buffer.concat(parts[stream]).toString("utf8");
    child.on("error", () => fail(new Failure("wrangler is missing: run npm install.")));
    child.on("close", (code) => done({ code, printed: text("stdout"), errors: text("stderr") }));
  });
}

const SCHEMA = `select type, name, tbl_name, sql from sqlite_master where sql is not null and ${OURS} order by rowid`;

/** What the database has, in the order in which it was made: tables, indexes, triggers and views. */
export async function schemaOf(where) {
  const [rows] = await ask(where, [SCHEMA]);
  for (const { type, name, sql } of rows) {
    if ([type, name, sql].some((each) => typeof each !== "string")) throw new Failure("The database does not say what it has.");
  }
  return rows;
}

export const localSchemaOf = (database) => database.prepare(SCHEMA).all();

/** The same schema, however it was written down: the export says `if not exists`. */
export const sameSchema = (one, other) => JSON.stringify(plain(one)) === JSON.stringify(plain(other));
const plain = (schema) =>
  schema
    .map(({ type, name, sql }) => [type, name, sql.replace(/^create table if not exists /i, "create table ").replaceAll(/\s+/g, " ").toLowerCase()])
    .sort((one, other) => (one.join() < other.join() ? -1 : 1));

/** Hands every row of the tables to `each(table, values)`. */
export async function readAll(where, tables, each) {
  let open = tables.map((table) => ({ table, behind: null }));
  while (open.length > 0) {
    const limit = Math.max(500, Math.floor(PAGE_ROWS / open.length));
    const asked = [];
    let bytes = 0;
    for (const one of open) {
      const sql = one.table.page(one.behind, limit);
      if (asked.length > 0 && bytes + sql.length > COMMAND_BYTES) break;
      bytes += sql.length;
      asked.push({ ...one, sql });
    }
    const answers = await ask(where, asked.map(({ sql }) => sql));
    const left = [];
    for (const [nth, { table }] of asked.entries()) {
      for (const row of answers[nth]) each(table, valuesOf(row, table));
      if (answers[nth].length >= limit) left.push({ table, behind: table.keyOf(valuesOf(answers[nth].at(-1), table)) });
    }
    open = [...left, ...open.slice(asked.length)];
  }
}

/** The same of a database in a file. */
export function readLocal(database, tables, each) {
  for (const table of tables) for (const row of database.prepare(table.page(null, -1)).iterate()) each(table, valuesOf(row, table));
}

function valuesOf(row, table) {
  const values = [...table.keys, ...table.names].map((_, n) => row[`c${n}`]);
  if (values.every((value) => /^(n|i-?\d+|r-?(?:\d[-+.\de]*|Inf)|[tb](?:[\dA-F]{2})*)$/.test(value))) return values;
  throw new Failure(`The database answers something else than a row of ${table.name}.`);
}

/** A digest of each row, by its key. */
export class Digests {
  #tables = new Map();
  add(table, values) {
    const { name } = table;
    if (!this.#tables.has(name)) this.#tables.set(name, new Map());
    this.#tables.get(name).set(table.keyOf(values).join(","), digest(table.cellsOf(values)));
  }
  of(table) {
    return this.#tables.get(table.name) ?? new Map();
  }
}

export const digestOf = (table, values) => digest(table.cellsOf(values));
