// A wrangler whose `d1 execute` and `d1 export` work on a SQLite file for each environment, in place of Cloudflare's. It exports as D1
// does, with what that changes (miniflare's dumpSql). In the folder that FAKE_D1 names:
//
//   ENVIRONMENT.sqlite   the databases; what is not there is empty
//   log                  what was asked, one line each
//   KIND.fails           text that the command says before it fails; KIND is execute, file or export
//   KIND.busy            how many times the database is locked first
//   KIND.says            text that `execute` or `export` answers in place of the truth, with exit code 0
//   KIND.sql             is run on the database before an export, after one (`exported`), or after a --file (`filed`)
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const folder = process.env.FAKE_D1;
const args = process.argv.slice(2);
const option = (name) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
appendFileSync(join(folder, "log"), `wrangler ${args.map((arg) => arg.split("\n")[0].slice(0, 120)).join(" ")}\n`);
const read = (name) => (existsSync(join(folder, name)) ? readFileSync(join(folder, name), "utf8") : null);

const kind = args[1] === "export" ? "export" : option("--file") ? "file" : "execute";
const failure = read(`${kind}.fails`);
if (failure !== null) {
  process.stderr.write(failure);
  process.exit(1);
}
const busy = Number(read(`${kind}.busy`) ?? 0);
if (busy > 0) {
  writeFileSync(join(folder, `${kind}.busy`), `${busy - 1}`);
  process.stderr.write("failed: SQLite failed; dbErrorMessage(prepareResult, db) = database is locked: SQLITE_BUSY\n");
  process.exit(1);
}
const database = new DatabaseSync(join(folder, `${option("--env") || "local"}.sqlite`));
const meanwhile = (name) => database.exec(read(`${name}.sql`) ?? "");

if (kind === "export") {
  meanwhile("export");
  writeFileSync(option("--output"), read("export.says") ?? dump());
  meanwhile("exported");
} else if (kind === "file") {
  database.exec(`begin;\n${readFileSync(option("--file"), "utf8")}\n;commit`);
  meanwhile("filed");
} else {
  const answers = option("--command")
    .split(";\n")
    .map((sql) => ({ results: database.prepare(sql).all(), success: true, meta: {} }));
  process.stdout.write(read("execute.says") ?? JSON.stringify(answers));
}

function dump() {
  const lines = ["PRAGMA defer_foreign_keys=TRUE;"];
  const schema = database.prepare("select type, name, sql from sqlite_schema where sql is not null order by name = 'sqlite_sequence', rowid").all();
  for (const { name, sql } of schema.filter(({ type }) => type === "table")) {
    if (name === "sqlite_sequence") lines.push("DELETE FROM sqlite_sequence;");
    else lines.push(/CREATE TABLE ['"].*/.test(sql) ? `CREATE TABLE IF NOT EXISTS ${sql.slice(13)};` : `${sql};`);
    const rows = database.prepare(`select * from "${name}"`);
    rows.setReadBigInts(true);
    for (const row of rows.all()) {
      const columns = Object.keys(row).map((column) => `"${column}"`);
      lines.push(`INSERT INTO "${name}" (${columns.join(",")}) VALUES(${Object.values(row).map(cell).join(",")});`);
    }
  }
  for (const { type, sql } of schema) if (type !== "table") lines.push(`${sql};`);
  return lines.join("\n");
}

function cell(value) {
  if (value === null) return "NULL";
  if (typeof value === "bigint" || typeof value === "number") return String(Number(value));
  if (typeof value !== "string") return `X'${Buffer.from(value).toString("hex")}'`;
  let text = `'${value.replaceAll("'", "''").replaceAll("\n", "\\n").replaceAll("\r", "\\r")}'`;
  if (value.includes("\r")) text = `replace(${text},'\\r',char(13))`;
  return value.includes("\n") ? `replace(${text},'\\n',char(10))` : text;
}
