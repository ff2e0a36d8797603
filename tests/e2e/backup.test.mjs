// scripts/backup.sh and scripts/restore.sh at Cloudflare, with a wrangler that works on SQLite files and exports as D1 does. That they
// give back what they took from a running service is tried in tests/crash/restore.test.mjs.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { appendFileSync, chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, describe, test } from "node:test";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { makeCheckout } from "./checkout.mjs";

const directory = mkdtempSync(join(tmpdir(), "tenantry-backup-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const there = makeCheckout(join(directory, "checkout"));
const FAKE_D1 = join(directory, "d1");
writeFileSync(
  there.path("node_modules/.bin/wrangler"),
  `#!/bin/sh\nexec "${process.execPath}" --disable-warning=ExperimentalWarning "${fileURLToPath(new URL("fake-d1.mjs", import.meta.url))}" "$@"\n`,
);
chmodSync(there.path("node_modules/.bin/wrangler"), 0o755);

const SCHEMA = `
  create table d1_migrations (id integer primary key autoincrement, name text);
  create table tenants (id text primary key, slug text unique, name text not null) strict;
  create table brands (tenant_id text primary key references tenants (id), colour text, size integer, ratio real, logo blob) strict, without rowid;
  create table feature_flags (name text primary key, enabled integer not null, value integer, updated_at integer not null) strict;
  create table tenant_counts (id integer primary key, n integer not null) strict;
  create table measures (name text primary key, value integer not null) strict;
  create index brands_by_colour on brands (colour);
  create trigger tenants_counted after insert on tenants
  BEGIN
    update tenant_counts set n = n + 1;
  END;
  insert into d1_migrations (name) values ('0001_tenants.sql');
  insert into tenant_counts values (1, 0);
  insert into tenants values ('tenant_1', 'one', 'One');
`;
const set = (name, text) => writeFileSync(join(FAKE_D1, name), text);
const on = (environment, sql) => {
  const database = new DatabaseSync(join(FAKE_D1, `${environment}.sqlite`));
  try {
    return sql.startsWith("select") ? database.prepare(sql).all() : database.exec(sql);
  } finally {
    database.close();
  }
};
beforeEach(() => {
  rmSync(FAKE_D1, { recursive: true, force: true });
  mkdirSync(FAKE_D1);
  on("production", SCHEMA);
});

async function run(script, args, env) {
  set("log", "");
  const result = await there.run(`scripts/${script}.sh`, args, { FAKE_D1, ...env });
  return { ...result, asked: readFileSync(join(FAKE_D1, "log"), "utf8").split("\n").slice(0, -1) };
}
const backup = (...args) => run("backup", args);
const restore = (...args) => run("restore", args);
const files = (folder) => (existsSync(folder) ? readdirSync(folder).sort() : []);
/** What was asked that changes something. */
const changes = ({ asked }) => asked.filter((line) => line.includes(" --file "));

let folders = 0;
/** A backup of production, made by the script in a folder of its own. */
async function made() {
  const folder = join(directory, `backup-${(folders += 1)}`);
  const result = await backup("--env", "production", "--to", folder);
  assert.equal(result.status, 0, result.printed);
  return { folder, result, file: join(folder, files(folder)[0]) };
}

/** Everything that an environment has, byte for byte. */
function everything(environment, tables = ["d1_migrations", "tenants", "brands", "tenant_counts", "measures"]) {
  const exact = (column) => `typeof(${column}) || ' ' || iif(typeof(${column}) = 'real', printf('%!.17g', ${column}), iif(typeof(${column}) = 'integer', ${column}, hex(${column})))`;
  return Object.fromEntries(
    tables.map((table) => {
      const columns = on(environment, `select name from pragma_table_info('${table}')`).map(({ name }) => exact(name));
      return [table, on(environment, `select ${columns.join(", ")} from ${table} order by 1`).map((row) => Object.values(row))];
    }),
  );
}

/** Texts and numbers that D1's export changes, or is not able to write down at all. */
const AWKWARD = [
  ["a break and a backslash with an n", "'a' || char(10) || '\\n'"],
  ["a return and a backslash with an r", "'a' || char(13) || '\\r' || char(10)"],
  ["a NUL", "'a' || char(0) || 'b'"],
  ["what ends in a NUL", "'a' || char(0)"],
  ["bytes that are no UTF-8", "cast(x'61ff62' as text)"],
  ["quotes, semicolons and a comment", "'a''; drop table tenants; -- \"'"],
  ["other alphabets, and what changes the direction", "'日本 🏉 ' || char(8238) || char(8232)"],
  ["the empty text", "''"],
];

describe("scripts/backup.sh", () => {
  test("keeps the database with its time and checksum, readable by its owner alone", async () => {
    const { folder, file, result } = await made();
    assert.match(result.asked.join("\n"), /^wrangler d1 export DB --remote --env production --skip-confirmation --output \S+$/m);
    const [sql, sum, ...others] = files(folder);
    assert.match(sql, /^tenantry-production-\d{8}T\d{6}Z\.sql$/);
    assert.deepEqual([sum, others], [`${sql}.sha256`, []]);
    const text = readFileSync(file, "utf8");
    assert.ok(text.includes(`INSERT INTO "tenants" ("id","slug","name") VALUES('tenant_1','one','One');\n`), text);
    assert.equal(readFileSync(`${file}.sha256`, "utf8"), `${createHash("sha256").update(text).digest("hex")}  ${sql}\n`);
    for (const name of [sql, sum]) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600);
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    assert.doesNotMatch(result.printed, /export changed/);
  });

  for (const [what, sql] of AWKWARD) {
    test(`a text that holds ${what} comes back as it was, as a value and as a key`, async () => {
      on("production", `insert into tenants values ('tenant_2', ${sql}, ${sql}), (${sql}, 'key', 'k')`);
      const before = everything("production");
      const { file } = await made();
      const result = await restore(file, "--env", "preview", "--of", "production");
      assert.equal(result.status, 0, result.printed);
      assert.deepEqual(everything("preview"), before);
    });
  }

  test("numbers, NULL and bytes come back as they were", async () => {
    on(
      "production",
      `insert into tenants values ('tenant_2', null, ''), ('tenant_3', '', 'x');
       insert into brands values ('tenant_1', null, 9007199254740993, 0.1, x''), ('tenant_2', '', -9223372036854775808, 9e999, x'00ff0a'),
         ('tenant_3', 'NULL', 9223372036854775807, 1.0, null)`,
    );
    const before = everything("production");
    const { file, result } = await made();
    assert.match(result.printed, /· 3 rows that wrangler's export changed: kept as the database has them\n/);
    assert.equal((await restore(file, "--env", "preview", "--of", "production")).status, 0);
    assert.deepEqual(everything("preview"), before);
  });

  test("a row, a table or an index that the export loses is found", async () => {
    set("export.says", `PRAGMA defer_foreign_keys=TRUE;${SCHEMA.replaceAll("\n  ", "\n").replace(/insert into tenants .*;/, "")}`);
    const { file, result } = await made();
    assert.match(result.printed, /· 2 rows? that wrangler's export changed/);
    assert.match(readFileSync(file, "utf8"), /VALUES\('tenant_1','one','One'\)/);
    for (const [part, without] of [["brands_by_colour", /create index .*;/], ["tenants_counted", /create trigger[\s\S]*END;/], ["measures", /create table measures.*;/]]) {
      set("export.says", SCHEMA.replace(without, "").replaceAll("\n  ", "\n"));
      const { status, printed } = await backup("--env", "production", "--to", join(directory, "lossy"));
      assert.equal(status, 2, part);
      assert.match(printed, /^✗ The export has other tables, indexes or triggers/m);
    }
    assert.deepEqual(files(join(directory, "lossy")), []);
  });

  test("what moves meanwhile is taken as the export has it", async () => {
    on("production", "insert into measures values ('requests', 1)");
    set("export.sql", "update measures set value = value + 1; insert into tenants values ('tenant_2', 'two', 'Two')");
    set("exported.sql", "update measures set value = value + 1; delete from tenants where id = 'tenant_2'");
    const { file, result } = await made();
    assert.doesNotMatch(result.printed, /changed/);
    const text = readFileSync(file, "utf8");
    assert.match(text, /VALUES\('requests',2\)/);
    assert.match(text, /VALUES\('tenant_2','two','Two'\)/);
  });

  test("what moves meanwhile and may have been changed has it done again, and is not shipped", async () => {
    const folder = join(directory, "moving");
    on("production", "update tenants set name = 'a' || char(10) || '\\n'");
    for (const name of ["export", "exported"]) set(`${name}.sql`, "update tenants set name = name || char(10) || '\\n'");
    const { status, printed, asked } = await backup("--env", "production", "--to", folder);
    assert.equal(status, 2, printed);
    assert.match(printed, /(^· A row of tenants changed while .* Again …\n){2}✗ A row of tenants changed .* Pause provisioning .*\n$/m);
    assert.equal(asked.filter((line) => line.includes("d1 export")).length, 3);
    assert.deepEqual(files(folder), []);
  });

  test("--keep leaves the newest, and those of other environments alone", async () => {
    const { folder, file } = await made();
    for (const name of ["production-20260101T000000Z", "production-20260102T000000Z", "preview-20250101T000000Z"]) {
      cpSync(file, join(folder, `tenantry-${name}.sql`));
      cpSync(`${file}.sha256`, join(folder, `tenantry-${name}.sql.sha256`));
    }
    writeFileSync(join(folder, "tenantry-production-notes.sql"), "mine");
    writeFileSync(join(folder, "tenantry-production-BeforeTheZ.sql"), "mine too");
    rmSync(file);
    rmSync(`${file}.sha256`);
    const result = await backup("--env", "production", "--to", folder, "--keep", "2");
    assert.equal(result.status, 0, result.printed);
    const left = files(folder).filter((name) => name.endsWith(".sql"));
    assert.equal(left.length, 5);
    assert.ok(!left.includes("tenantry-production-20260101T000000Z.sql"));
    assert.ok(!files(folder).includes("tenantry-production-20260101T000000Z.sql.sha256"));
    for (const name of ["preview-20250101T000000Z", "production-20260102T000000Z", "production-notes", "production-BeforeTheZ"])
      assert.ok(left.includes(`tenantry-${name}.sql`), name);
  });

  test("keeps nothing when wrangler fails, or answers something else than rows, and removes nothing either", async () => {
    const { folder } = await made();
    const before = files(folder);
    const rows = (results) => JSON.stringify([{ results, success: true, meta: {} }]);
    for (const [name, text, why] of [
      ["export.fails", "no network\n", /no network\n✗ The database could not be exported/],
      ["execute.fails", "\x1b[2Jno \u202enetwork\u009b\n", /^\\u001b\[2Jno \\u202enetwork\\u009b\n✗ The database does not answer/],
      ["export.says", "PRAGMA defer_foreign_keys=TRUE;\n", /✗ The export has other tables/],
      ["export.says", "<html>\x1b]0;title\x07", /✗ The file does not make a database: [^\x07\x1b]*\n$/],
      ["execute.says", "", /✗ The database does not answer/],
      ["execute.says", "<html>", /<html>\n✗ The database does not answer/],
      ["execute.says", "[]", /✗ The database does not answer/],
      ["execute.says", JSON.stringify([{ results: [], success: false, error: "no" }]), /✗ The database does not answer/],
      ["execute.says", JSON.stringify([{ success: true }]), /✗ The database does not answer/],
      ["execute.says", rows([]), /✗ The export holds no tenants/],
      ["execute.says", rows([{ type: "table", name: "tenants", sql: 7 }]), /✗ The database does not say what it has/],
    ]) {
      set(name, text);
      const { status, printed } = await backup("--env", "production", "--to", folder, "--keep", "1");
      rmSync(join(FAKE_D1, name));
      assert.equal(status, 2, `${name}: ${printed}`);
      assert.match(printed, why);
      assert.doesNotMatch(printed, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]| {4}at /);
    }
    assert.deepEqual(files(folder), before);
  });

  test("asks again while another process holds the database's lock, and gives up at some time", async () => {
    set("execute.busy", "3");
    set("export.busy", "3");
    const { result } = await made();
    assert.ok(result.asked.length > 6);
    set("export.busy", "1000");
    const { status, printed, asked } = await backup("--env", "production", "--to", join(directory, "locked"));
    assert.equal(status, 2);
    assert.match(printed, /SQLITE_BUSY\n✗ The database could not be exported/);
    assert.equal(asked.filter((line) => line.startsWith("wrangler d1 export")).length, 10);
  });

  test("does nothing unless it was told clearly", async () => {
    for (const args of [[], ["--env", "staging"], ["--env"], ["--local", "--keep", "0"], ["--local", "--keep"], ["--local", "--to"], ["--local", "--to", ""], ["production"]]) {
      const { status, printed, asked } = await backup(...args);
      assert.deepEqual([status, asked], [2, []], `${args}: ${printed}`);
      assert.match(printed, /^✗ .+\n$/);
    }
    const { status, printed } = await run("backup", ["--local"], { STATE_DIR: join(directory, "nowhere") });
    assert.equal(status, 2);
    assert.match(printed, /^✗ There is no database in .*: run npm start once/);
    assert.match((await backup("--help")).printed, /^Backs the database up/);
  });
});

describe("scripts/restore.sh", () => {
  const into = (...args) => restore(...args, "--env", "preview", "--of", "production");

  test("fills an empty database, compares what is there, and says what it does", async () => {
    const { file } = await made();
    const dry = await into(file, "--dry-run");
    assert.deepEqual([dry.status, changes(dry)], [0, []], dry.printed);
    const result = await into(file);
    assert.equal(result.status, 0, result.printed);
    assert.match(
      result.printed,
      /: 6 tables, 2 rows\n· the database of preview: 0 tables, 0 rows\n✓ Restored, and compared: 4 rows\. npx wrangler d1 migrations apply DB --remote --env preview /,
    );
    assert.match(result.printed, /· Provisioning is paused: .*\n {2}scripts\/switch-provisioning\.sh on preview\n$/);
    assert.equal(changes(result).length, 1);
    assert.match(changes(result)[0], /^wrangler d1 execute DB --remote --env preview --yes --file \S+$/);
    assert.deepEqual(everything("preview"), everything("production"));
    const flags = () => on("preview", "select name, enabled, value > 1700000000 as moment from feature_flags").map((row) => Object.values(row));
    assert.deepEqual(flags(), [["provisioning_enabled", 0, 0]]);
    const going = await into(file, "--resume", "--force");
    assert.match(going.printed, /· Provisioning goes on as the backup has it\.\n$/);
    assert.deepEqual(flags(), [["restore_announced", 1, 1]]);
  });

  test("what the way there changed, lost or added is found, and no success is claimed", async () => {
    on("production", "insert into brands values ('tenant_1', 'red', 1, 0.1, x'00')");
    const { file } = await made();
    for (const [sql, why] of [
      ["update tenants set name = name || ' '", /✗ tenants: 0 rows are missing, 0 are not of the backup, 1 differ\n/],
      ["update brands set colour = ''", /✗ brands: .* 1 differ\n/],
      ["update brands set colour = null", /✗ brands: .* 1 differ\n/],
      ["delete from brands", /✗ brands: 1 rows are missing, 0 /],
      ["insert into tenants values ('tenant_9', 'nine', 'Nine')", /✗ tenants: 0 rows are missing, 1 are not of the backup, 0 differ; tenant_counts: /],
      ["drop index brands_by_colour", /✗ The tables, indexes and triggers there are not those of the backup\./],
    ]) {
      set("filed.sql", sql);
      const { status, printed } = await into(file, "--force");
      assert.equal(status, 2, `${sql}: ${printed}`);
      assert.match(printed, why);
      assert.match(printed, /\n✗ The database of preview was replaced, but is not what the backup says: /);
      assert.doesNotMatch(printed, /✓ Restored/);
    }
    // What the running service writes down at every moment is nobody's data.
    set("filed.sql", "insert into measures values ('requests', 1)");
    assert.equal((await into(file, "--force")).status, 0);
  });

  test("leaves NULs out of an older backup, at which a statement would end, and counts what stands behind them", async () => {
    const { file } = await made();
    const older = join(directory, "tenantry-preview-20260101T000000Z.sql");
    writeFileSync(older, `${readFileSync(file, "utf8").replace("'One'", "'O\0ne'")}\nINSERT INTO "tenants" VALUES('tenant_2','two','Two');`);
    writeFileSync(`${older}.sha256`, createHash("sha256").update(readFileSync(older)).digest("hex"));
    const result = await restore(older, "--env", "preview");
    assert.equal(result.status, 0, result.printed);
    assert.match(result.printed, /^· .*: 6 tables, 3 rows, 1 NUL left out\n· the database/);
    assert.deepEqual(on("preview", "select name from tenants order by 1").map(({ name }) => name), ["One", "Two"]);
  });

  test("refuses a database with rows; forced, it backs that up first, and replaces it in one go", async () => {
    const { folder, file } = await made();
    on("production", "update tenants set name = 'Changed since'; create table newer (id integer primary key) strict; insert into newer values (1)");
    const refused = await restore(file, "--env", "production");
    assert.deepEqual([refused.status, changes(refused)], [2, []]);
    assert.match(refused.printed, /✗ The database of production has rows: say --force to replace them\./);

    const elsewhere = join(directory, "elsewhere");
    cpSync(folder, elsewhere, { recursive: true });
    const [copy] = files(elsewhere);
    const renamed = join(elsewhere, "tenantry-production-20260101T000000Z.sql");
    for (const end of ["", ".sha256"]) cpSync(join(elsewhere, `${copy}${end}`), `${renamed}${end}`);
    for (const end of ["", ".sha256"]) rmSync(join(elsewhere, `${copy}${end}`));
    const result = await restore(renamed, "--env", "production", "--force");
    assert.equal(result.status, 0, result.printed);
    assert.deepEqual(result.asked.filter((line) => / export | --file /.test(line)).map((line) => line.split(" ")[2]), ["export", "execute"]);
    assert.deepEqual(on("production", "select name from tenants").map(({ name }) => name), ["One"]);
    assert.deepEqual(on("production", "select name from sqlite_master where name = 'newer'"), []);
    const saved = files(elsewhere).filter((name) => name.endsWith(".sql") && name !== "tenantry-production-20260101T000000Z.sql");
    assert.match(readFileSync(join(elsewhere, saved[0]), "utf8"), /'Changed since'/);

    set("export.fails", "no network\n");
    const unsaved = await restore(file, "--env", "production", "--force");
    assert.equal(unsaved.status, 2);
    assert.match(unsaved.printed, /✗ What is there could not be backed up: nothing was changed\./);
    assert.deepEqual(changes(unsaved), []);
  });

  test("refuses another environment's backup, unless it is said whose it is", async () => {
    const { file } = await made();
    for (const args of [["--env", "preview"], ["--local"], ["--env", "preview", "--of", "local"]]) {
      const { status, printed, asked } = await restore(file, ...args);
      assert.deepEqual([status, asked], [2, []], printed);
      assert.match(printed, /^✗ This backup is of production, by its name: say --of production if it shall go into (preview|local)\.\n$/);
    }
    const nameless = join(directory, "nameless.sql");
    for (const end of ["", ".sha256"]) cpSync(`${file}${end}`, `${nameless}${end}`);
    assert.match((await restore(nameless, "--env", "preview")).printed, /^✗ This backup is of unknown, by its name: say --of ENVIRONMENT /);
    assert.equal((await into(nameless)).status, 0);
  });

  test("refuses a file that is not what was backed up, of which nobody knows, or that makes no database", async () => {
    const { file } = await made();
    appendFileSync(file, "\nINSERT INTO nowhere VALUES (1);");
    for (const [change, why] of [
      [() => {}, /^✗ .* is not what was backed up: its checksum differs/],
      [() => writeFileSync(`${file}.sha256`, createHash("sha256").update(readFileSync(file)).digest("hex")), /^✗ The file does not make a database: no such table: nowhere/],
      [() => rmSync(`${file}.sha256`), /^✗ .*\.sha256 is missing/],
      [() => rmSync(file), /^✗ .* can't be read/],
    ]) {
      change();
      const { status, printed, asked } = await into(file);
      assert.deepEqual([status, asked], [2, []], printed);
      assert.match(printed, why);
    }
  });

  test("does nothing unless it was told clearly, or when the database does not answer as one", async () => {
    const { file } = await made();
    for (const args of [[], [file], ["--local"], [file, "--env", "staging"], [file, "--local", "--now"], [file, file, "--local"], [directory, "--local"]]) {
      const { status, printed, asked } = await restore(...args);
      assert.deepEqual([status, asked], [2, []], `${args}: ${printed}`);
      assert.match(printed, /^✗ .+\n$/);
    }
    const counts = JSON.stringify([{ results: [{ n: "many" }], success: true }]);
    for (const [name, text, why] of [
      ["execute.fails", "no network\n", /no network\n✗ The database does not answer/],
      ["execute.says", "{}", /✗ The database does not answer/],
      ["execute.says", counts, /✗ The database does not say what it has/],
      ["file.fails", "\x1b[31mtoo long\n", /\n\?\[31mtoo long\n✗ The backup could not be restored, and the database is as it was/],
    ]) {
      set(name, text);
      const silent = await into(file);
      rmSync(join(FAKE_D1, name));
      assert.equal(silent.status, 2, silent.printed);
      assert.match(silent.printed, why);
      assert.deepEqual(everything("preview", []), {});
    }
  });
});
