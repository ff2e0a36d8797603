// scripts/backup.sh and scripts/restore.sh at Cloudflare, with a wrangler that only takes down what it is asked. That they give back
// what they took is tried for real in tests/crash/restore.test.mjs.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { appendFileSync, cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { makeCheckout } from "./checkout.mjs";

const directory = mkdtempSync(join(tmpdir(), "tenantry-backup-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const DUMP = `PRAGMA defer_foreign_keys=TRUE;
CREATE TABLE IF NOT EXISTS "d1_migrations"(name TEXT);
INSERT INTO "d1_migrations" ("name") VALUES('0001_tenants.sql');
CREATE TABLE tenants (
  id text primary key
) strict;
INSERT INTO "tenants" ("id") VALUES('tenant_1');`;
const rows = (...results) => [{ results, success: true, meta: {} }];

const there = makeCheckout(join(directory, "checkout"));
const backup = (...args) => there.run("scripts/backup.sh", args);
const restore = (...args) => there.run("scripts/restore.sh", args);
/** What a restored database ends with: it is paused, or it was announced that it shall not be. */
const ends = (flag) =>
  `\nINSERT INTO feature_flags (name, enabled, value, updated_at) VALUES (${flag}, unixepoch())\n` +
  "ON CONFLICT (name) DO UPDATE SET enabled = excluded.enabled, value = excluded.value, updated_at = excluded.updated_at;\n";
const PAUSED = ends("'provisioning_enabled', 0, 1");
/** What was asked that changes something. */
const changes = ({ asked }) => asked.filter((line) => !line.includes("--command"));
const files = (folder) => readdirSync(folder).sort();

/** A backup of production, made by the script. */
async function made(name, dump = DUMP) {
  const folder = join(directory, name);
  there.answer("wrangler d1 export", dump);
  const result = await backup("--env", "production", "--to", folder);
  assert.equal(result.status, 0, result.printed);
  return { folder, result, file: join(folder, files(folder)[0]) };
}

describe("scripts/backup.sh", () => {
  test("keeps the export with its time and checksum, readable by its owner alone", async () => {
    const { folder, file, result } = await made("plain");
    assert.match(result.asked[0], /^wrangler d1 export DB --remote --env production --skip-confirmation --output \S+$/);
    const [sql, sum, ...others] = files(folder);
    assert.match(sql, /^tenantry-production-\d{8}T\d{6}Z\.sql$/);
    assert.deepEqual([sum, others], [`${sql}.sha256`, []]);
    assert.equal(readFileSync(file, "utf8"), DUMP);
    assert.equal(readFileSync(`${file}.sha256`, "utf8"), `${createHash("sha256").update(DUMP).digest("hex")}  ${sql}\n`);
    for (const name of [sql, sum]) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600);
  });

  test("--keep leaves the newest, and those of other environments alone", async () => {
    const folder = join(directory, "kept");
    const { file } = await made("kept");
    for (const name of ["production-20260101T000000Z", "production-20260102T000000Z", "preview-20250101T000000Z"]) {
      cpSync(file, join(folder, `tenantry-${name}.sql`));
      cpSync(`${file}.sha256`, join(folder, `tenantry-${name}.sql.sha256`));
    }
    writeFileSync(join(folder, "tenantry-production-notes.sql"), "mine");
    rmSync(file);
    rmSync(`${file}.sha256`);
    const result = await backup("--env", "production", "--to", folder, "--keep", "2");
    assert.equal(result.status, 0, result.printed);
    const left = files(folder).filter((name) => name.endsWith(".sql"));
    assert.equal(left.length, 4);
    assert.ok(!left.includes("tenantry-production-20260101T000000Z.sql"));
    assert.ok(!files(folder).includes("tenantry-production-20260101T000000Z.sql.sha256"));
    for (const name of ["preview-20250101T000000Z", "production-20260102T000000Z", "production-notes"])
      assert.ok(left.includes(`tenantry-${name}.sql`), name);
  });

  test("keeps nothing of an export that failed or holds nothing, and removes nothing either", async () => {
    const { folder } = await made("failing");
    const before = files(folder);
    there.fail("wrangler d1 export", "no network\n");
    const failed = await backup("--env", "production", "--to", folder, "--keep", "1");
    there.mend("wrangler d1 export");
    assert.equal(failed.status, 2);
    assert.match(failed.printed, /no network\n✗ The database could not be exported/);
    there.answer("wrangler d1 export", "PRAGMA defer_foreign_keys=TRUE;");
    const empty = await backup("--env", "production", "--to", folder, "--keep", "1");
    assert.equal(empty.status, 2);
    assert.match(empty.printed, /^✗ The export holds no tenants/);
    assert.deepEqual(files(folder), before);
  });

  test("does nothing unless it was told clearly", async () => {
    for (const args of [
      [],
      ["--env", "staging"],
      ["--env"],
      ["--local", "--keep", "0"],
      ["--local", "--keep"],
      ["--local", "--to"],
      ["production"],
    ]) {
      const { status, printed, asked } = await backup(...args);
      assert.deepEqual([status, asked], [2, []], `${args}: ${printed}`);
      assert.match(printed, /^✗ .+\n$/);
    }
    const { status, printed } = await there.run("scripts/backup.sh", ["--local"], { STATE_DIR: join(directory, "nowhere") });
    assert.equal(status, 2);
    assert.match(printed, /^✗ There is no database in .*: run npm start once/);
    assert.match((await backup("--help")).printed, /^Backs the database up/);
  });
});

describe("scripts/restore.sh", () => {
  test("fills an empty database, and says what it does", async () => {
    const { file } = await made("empty");
    there.answer("wrangler d1 execute", rows());
    const dry = await restore(file, "--env", "preview", "--dry-run");
    assert.deepEqual([dry.status, changes(dry)], [0, []]);
    const result = await restore(file, "--env", "preview");
    assert.equal(result.status, 0, result.printed);
    assert.match(
      result.printed,
      /: 2 tables, 1 rows\n· the database of preview: 0 tables, 0 rows\n✓ Restored\. npx wrangler d1 migrations apply DB --remote --env preview /,
    );
    assert.match(result.printed, /· Provisioning is paused: .*\n {2}scripts\/switch-provisioning\.sh on preview\n$/);
    assert.equal(changes(result).length, 1);
    assert.match(changes(result)[0], /^wrangler d1 execute DB --remote --env preview --yes --file \S+$/);
    assert.equal(there.given(), `PRAGMA defer_foreign_keys=TRUE;\n${DUMP}${PAUSED}`);
    const going = await restore(file, "--env", "preview", "--resume");
    assert.match(going.printed, /· Provisioning goes on as the backup has it\.\n$/);
    assert.equal(there.given(), `PRAGMA defer_foreign_keys=TRUE;\n${DUMP}${ends("'restore_announced', 1, unixepoch()")}`);
  });

  test("leaves NULs out, at which a statement would end, and counts what stands behind them", async () => {
    const another = `\nINSERT INTO "tenants" ("id") VALUES('tenant_2');`;
    const { file } = await made("nul", DUMP.replace("tenant_1", "tenant\0_1") + another);
    there.answer("wrangler d1 execute", rows());
    const result = await restore(file, "--env", "preview");
    assert.equal(result.status, 0, result.printed);
    assert.match(result.printed, /^· .*: 2 tables, 2 rows, 1 NUL left out\n· the database/);
    assert.equal(there.given(), `PRAGMA defer_foreign_keys=TRUE;\n${DUMP}${another}${PAUSED}`);
  });

  test("refuses a database with rows; forced, it backs that up first, and replaces it in one go, children first", async () => {
    const { folder, file } = await made("forced");
    // The answer to every question: three rows of one column, which are tables or a count.
    there.answer("wrangler d1 execute", rows({ name: "tenant_brand" }, { name: "tenants" }, { name: "d1_migrations" }));
    const refused = await restore(file, "--env", "production");
    assert.deepEqual([refused.status, changes(refused)], [2, []]);
    assert.match(refused.printed, /✗ The database of production has rows: say --force to replace them\./);

    const other = join(directory, "elsewhere.sql");
    cpSync(file, other);
    cpSync(`${file}.sha256`, `${other}.sha256`);
    const result = await restore(other, "--env", "production", "--force");
    assert.equal(result.status, 0, result.printed);
    assert.deepEqual(
      changes(result).map((line) => line.split(" ").slice(1, 3).join(" ")),
      ["d1 export", "d1 execute"],
    );
    assert.ok(
      files(directory).some((name) => /^tenantry-production-.*\.sql$/.test(name)),
      "the backup of what was there",
    );
    assert.equal(
      there.given(),
      `PRAGMA defer_foreign_keys=TRUE;\nDROP TABLE "tenant_brand";\nDROP TABLE "tenants";\nDROP TABLE "d1_migrations";\n${DUMP}${PAUSED}`,
    );

    there.fail("wrangler d1 export", "no network\n");
    const unsaved = await restore(file, "--env", "production", "--force");
    there.mend("wrangler d1 export");
    assert.equal(unsaved.status, 2);
    assert.match(unsaved.printed, /✗ What is there could not be backed up: nothing was changed\./);
    assert.ok(!unsaved.asked.some((line) => line.includes("--file")));
    assert.equal(files(folder).length, 2);
  });

  test("refuses a file that is not what was backed up, or of which nobody knows", async () => {
    const { file } = await made("broken");
    there.answer("wrangler d1 execute", rows());
    appendFileSync(file, "\nDELETE FROM tenants;");
    for (const [change, why] of [
      [() => {}, /^✗ .* is not what was backed up: its checksum differs/],
      [() => rmSync(`${file}.sha256`), /^✗ .*\.sha256 is missing/],
      [() => rmSync(file), /^✗ .* can't be read/],
    ]) {
      change();
      const { status, printed, asked } = await restore(file, "--env", "preview");
      assert.deepEqual([status, asked], [2, []]);
      assert.match(printed, why);
    }
  });

  test("does nothing unless it was told clearly, or when the database does not answer", async () => {
    const { file } = await made("unclear");
    for (const args of [[], [file], ["--local"], [file, "--env", "staging"], [file, "--local", "--now"], [file, file, "--local"]]) {
      const { status, printed, asked } = await restore(...args);
      assert.deepEqual([status, asked], [2, []], `${args}: ${printed}`);
      assert.match(printed, /^✗ .+\n$/);
    }
    there.fail("wrangler d1 execute", "no network\n");
    const silent = await restore(file, "--env", "preview");
    there.mend("wrangler d1 execute");
    assert.deepEqual([silent.status, changes(silent)], [2, []]);
    assert.match(silent.printed, /no network\n✗ The database of preview does not answer/);
  });
});
