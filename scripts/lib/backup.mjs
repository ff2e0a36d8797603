// What scripts/backup.sh and scripts/restore.sh know of what is in a database, and in a backup of it. Run by them:
//
//   backup.mjs export FILE DIRECTORY WHERE…     exports the database into FILE, and says what had to be mended; DIRECTORY is for its use
//   backup.mjs count WHERE…                     `TABLES ROWS`, and the tables' names, newest first
//   backup.mjs load FILE DATABASE               makes a database of a backup or fails; `TABLES ROWS`
//   backup.mjs compare DATABASE WHERE…          fails, and says where, unless the other holds what that one does
//
// WHERE is how wrangler is told of a database: --remote --env preview.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  Digests,
  ask,
  digestOf,
  literal,
  localSchemaOf,
  mayBeChanged,
  quoted,
  readAll,
  readLocal,
  sameSchema,
  schemaOf,
  tablesOf,
  wrangler,
} from "./d1.mjs";
import { Failure, exitWith, harmless } from "./project.mjs";

/** Roll-ups that the service writes by itself, at every moment: nobody's data. */
const MOVING = ["measures", "request_counts"];
const NOT_DATA = ["d1_migrations", ...MOVING];
/** What D1 takes as one statement. */
const STATEMENT_BYTES = 100_000;
const ATTEMPTS = 3;

const commands = {
  async export(file, directory, ...where) {
    for (let attempt = 1; ; attempt += 1) {
      const { unsure, mended, database } = await exported(directory, where);
      if (unsure.length === 0) {
        const long = write(database, file);
        const wrong = differences(database, file, join(directory, "written.sqlite"));
        database.close();
        if (wrong !== null) throw new Failure(`${wrong} was not written down as it is. Nothing was kept.`);
        if (mended > 0) say(`${rowsOf(mended)} that wrangler's export changed: kept as the database has them`);
        if (long > 0) say(`${rowsOf(long)} longer than the ${STATEMENT_BYTES / 1000} KB that Cloudflare takes: they can be restored locally only`);
        return;
      }
      database.close();
      if (attempt === ATTEMPTS) {
        throw new Failure(`${unsure[0]} Pause provisioning (scripts/switch-provisioning.sh off …), or try again at a quieter hour.`);
      }
      say(`${unsure[0]} Again …`);
    }
  },

  async count(...where) {
    const tables = (await schemaOf(where)).filter(({ type }) => type === "table").map(({ name }) => name);
    const counted = tables.filter((name) => !NOT_DATA.includes(name));
    const answers = counted.length === 0 ? [] : await ask(where, counted.map((name) => `select count(*) as n from ${quoted(name)}`));
    const rows = answers.reduce((sum, [row]) => sum + numberOf(row?.n), 0);
    process.stdout.write(`${tables.length} ${rows}\n${tables.reverse().map((name) => `${quoted(name)}\n`).join("")}`);
  },

  async load(file, path) {
    const database = loaded(readFileSync(file), path);
    const tables = tablesOf(localSchemaOf(database));
    const rows = tables.filter(({ name }) => !NOT_DATA.includes(name)).map(({ name }) => rowCount(database, name));
    process.stdout.write(`${tables.length} ${rows.reduce((sum, n) => sum + n, 0)}\n`);
    database.close();
  },

  async compare(path, ...where) {
    const database = new DatabaseSync(path);
    const schema = localSchemaOf(database);
    if (!sameSchema(schema, await schemaOf(where))) throw new Failure("The tables, indexes and triggers there are not those of the backup.");
    const tables = tablesOf(schema).filter(({ name }) => !MOVING.includes(name));
    const wanted = new Digests();
    readLocal(database, tables, (table, values) => wanted.add(table, values));
    database.close();
    const there = new Digests();
    await readAll(where, tables, (table, values) => there.add(table, values));
    const differing = tables.flatMap((table) => {
      const [one, other] = [wanted.of(table), there.of(table)];
      const lost = [...one].filter(([key]) => !other.has(key)).length;
      const strange = [...other.keys()].filter((key) => !one.has(key)).length;
      const changed = [...one].filter(([key, digest]) => other.has(key) && other.get(key) !== digest).length;
      return lost + strange + changed === 0 ? [] : [`${table.name}: ${lost} rows are missing, ${strange} are not of the backup, ${changed} differ`];
    });
    if (differing.length > 0) throw new Failure(differing.join("; "));
    process.stdout.write(`${tables.reduce((sum, table) => sum + wanted.of(table).size, 0)}\n`);
  },
};

/**
 * An export as a database of its own, with every row as it really is. A row that was the same before the export and after it was so
 * during it: it is taken from there. `unsure` says which moved meanwhile and hold what the export may have changed.
 */
async function exported(directory, where) {
  const schema = await schemaOf(where);
  if (!schema.some(({ type, name }) => type === "table" && name === "tenants")) {
    throw new Failure("The export holds no tenants: is the database migrated? Nothing was kept.");
  }
  const tables = tablesOf(schema);
  const before = new Digests();
  await readAll(where, tables, (table, values) => before.add(table, values));

  const file = join(directory, "export.sql");
  const { code, printed, errors } = await wrangler(["d1", "export", "DB", ...where, "--skip-confirmation", "--output", file]);
  if (code !== 0) {
    process.stderr.write(`${harmless(`${printed}${errors}`.slice(-4_000)).trim()}\n`);
    throw new Failure("The database could not be exported: see above.");
  }
  const path = join(directory, "export.sqlite");
  rmSync(path, { force: true });
  const { database, cut } = loadedExport(readFileSync(file), path);
  if (!sameSchema(localSchemaOf(database), schema)) {
    throw new Failure("The export has other tables, indexes or triggers than the database: was it migrated meanwhile? Try again.");
  }
  database.exec("pragma foreign_keys = off; begin");
  const triggers = localSchemaOf(database).filter(({ type }) => type === "trigger");
  for (const { name } of triggers) database.exec(`drop trigger ${quoted(name)}`);

  const unsure = [];
  const [removed, inserted] = [[], []];
  const after = new Digests();
  const find = (table, key) => {
    const row = database.prepare(table.one(key)).get();
    return row === undefined ? null : [...table.keys, ...table.names].map((_, n) => row[`c${n}`]);
  };
  await readAll(where, tables, (table, values) => {
    after.add(table, values);
    const key = table.keyOf(values);
    const found = find(table, key);
    const [then, now] = [before.of(table).get(key.join(",")), digestOf(table, values)];
    const taken = found === null ? undefined : digestOf(table, found);
    if (taken === now) return;
    if (then === now) {
      if (found !== null) removed.push({ table, key });
      inserted.push({ table, values });
    } else if (taken !== then && (cut || found?.some(mayBeChanged))) {
      unsure.push(`A row of ${table.name} changed while it was exported, and holds what the export may have changed.`);
    }
  });
  // What neither reading knows under its key was there for a moment, or has a key that the export changed.
  readLocal(database, tables, (table, values) => {
    const key = table.keyOf(values);
    const id = key.join(",");
    if (after.of(table).has(id)) return;
    const then = before.of(table).get(id);
    if (then === undefined && (cut || key.some(mayBeChanged))) removed.push({ table, key });
    else if (then !== digestOf(table, values) && (cut || values.some(mayBeChanged)))
      unsure.push(`A row of ${table.name} went while it was exported, and holds what the export may have changed.`);
  });
  for (const { table, key } of removed) database.exec(`delete from ${quoted(table.name)} where ${table.is(key)}`);
  for (const { table, values } of inserted) {
    const row = table.cellsOf(values).map(literal);
    try {
      database.exec(`insert into ${quoted(table.name)} (${table.names.map(quoted).join(", ")}) values (${row.join(", ")})`);
    } catch {
      unsure.push(`A row of ${table.name} is in the way of another, which changed while it was exported.`);
    }
  }
  for (const { sql } of triggers) database.exec(sql);
  database.exec("commit");
  if (database.prepare("pragma foreign_key_check").get()) unsure.push("Rows that belong together changed while they were exported.");
  return { unsure, mended: inserted.length, database };
}

/**
 * The same for wrangler's export, whose rows are a line each. A row that the export spoiled so that no table takes it is left out. `cut`
 * says whether that happened, or a NUL was cut out.
 */
function loadedExport(text, path) {
  const words = text.toString("utf8").split("\n");
  const isRow = (line) => /^(INSERT INTO |DELETE FROM sqlite_sequence;)/.test(line);
  const first = words.findIndex(isRow);
  if (first < 0) return { database: loaded(text, path), cut: false };
  const [rows, rest] = [words.filter(isRow), words.filter((line) => !isRow(line))];
  // Indexes and triggers would slow the rows down, and count them twice: they come last, as in the export.
  const end = rest.findIndex((line) => /^CREATE (UNIQUE INDEX|INDEX|TRIGGER|VIEW)\b/i.test(line));
  const [tables, others] = end < 0 ? [rest, []] : [rest.slice(0, end), rest.slice(end)];
  const database = loaded(Buffer.from(tables.join("\n")), path);
  let cut = text.includes(0);
  database.exec("begin");
  for (const row of rows) {
    try {
      database.exec(row.replaceAll("\0", ""));
    } catch {
      cut = true;
    }
  }
  database.exec("commit");
  try {
    database.exec(others.join("\n"));
  } catch (error) {
    throw unreadable(error, database);
  }
  return { database, cut };
}

function unreadable(error, database) {
  database.close();
  return new Failure(`The file does not make a database: ${harmless(error.message.slice(0, 300))}. Nothing was changed.`);
}

/** A database that a dump makes; no statement of it may fail. A statement would end at a NUL, which the export writes as it is. */
function loaded(text, path) {
  const database = new DatabaseSync(path);
  try {
    const words = text.toString("utf8").replaceAll("\0", "");
    database.exec(`pragma journal_mode = off; pragma synchronous = off; pragma foreign_keys = off; begin;\n${words}\n;commit`);
  } catch (error) {
    throw unreadable(error, database);
  }
  return database;
}

/** Writes the database as SQL; answers how many rows are too long for D1. */
function write(database, file) {
  const schema = localSchemaOf(database);
  const tables = new Map(tablesOf(schema).map((table) => [table.name, table]));
  const lines = ["PRAGMA defer_foreign_keys=TRUE;"];
  let long = 0;
  for (const { type, name, sql } of schema) {
    if (type !== "table") continue;
    const table = tables.get(name);
    lines.push(`${sql};`);
    readLocal(database, [table], (_, values) => {
      const row = `INSERT INTO ${quoted(name)} (${table.names.map(quoted).join(",")}) VALUES(${table.cellsOf(values).map(literal).join(",")});`;
      if (Buffer.byteLength(row) > STATEMENT_BYTES) long += 1;
      lines.push(row);
    });
  }
  if (database.prepare("select 1 from sqlite_master where name = 'sqlite_sequence'").get()) {
    lines.push("DELETE FROM sqlite_sequence;");
    for (const { name, seq } of database.prepare("select name, seq from sqlite_sequence").all()) {
      lines.push(`INSERT INTO "sqlite_sequence" ("name","seq") VALUES('${name.replaceAll("'", "''")}',${seq});`);
    }
  }
  for (const kind of ["index", "trigger", "view"]) {
    for (const { type, sql } of schema) if (type === kind) lines.push(`${sql};`);
  }
  writeFileSync(file, `${lines.join("\n")}\n`, { mode: 0o600 });
  return long;
}

/** The first table of which the file makes something else, or null. */
function differences(database, file, path) {
  rmSync(path, { force: true });
  const written = loaded(readFileSync(file), path);
  try {
    const schema = localSchemaOf(database);
    if (!sameSchema(schema, localSchemaOf(written))) return "The schema";
    const tables = tablesOf(schema);
    const [one, other] = [database, written].map((each) => {
      const digests = new Digests();
      readLocal(each, tables, (table, values) => digests.add(table, values));
      return digests;
    });
    const same = (table) => one.of(table).size === other.of(table).size && [...one.of(table)].every(([key, digest]) => other.of(table).get(key) === digest);
    return tables.find((table) => !same(table))?.name ?? null;
  } finally {
    written.close();
  }
}

const rowCount = (database, name) => database.prepare(`select count(*) as n from ${quoted(name)}`).get().n;
const rowsOf = (n) => (n === 1 ? "1 row" : `${n} rows`);
const say = (line) => process.stderr.write(`· ${line}\n`);

function numberOf(value) {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new Failure("The database does not say how many rows it has.");
}

try {
  const [command, ...args] = process.argv.slice(2);
  if (!Object.hasOwn(commands, command)) throw new Failure("This is run by scripts/backup.sh and scripts/restore.sh.");
  await commands[command](...args);
} catch (error) {
  exitWith(error);
}
