// What has to hold before anything is deployed: environments that share nothing, and migrations that only add.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  configurations,
  foreignParts,
  keptByThePlatform,
  missingBindings,
  objectMigration,
  placeholders,
  problems,
  requiredSecrets,
  sharedIds,
  unrouted,
} from "../../scripts/lib/environments.mjs";
import { contractions } from "../../scripts/lib/migrations.mjs";

const all = await configurations();

describe("the environments", () => {
  const changed = (name, change) => {
    const copy = structuredClone(all);
    change(copy[name], copy);
    return copy;
  };

  test("of wrangler.toml share nothing, bind no sandbox, and lack nothing", () => assert.deepEqual(problems(all), []));

  test("that share a database, a name or a rate limit are found", () => {
    for (const [what, change] of [
      ["database_id", (config, { production }) => (config.d1_databases[0].database_id = production.d1_databases[0].database_id)],
      ["database_name", (config, { local }) => (config.d1_databases[0].database_name = local.d1_databases[0].database_name)],
      ["name", (config, { production }) => (config.name = production.name)],
      ["ratelimit namespace_id", (config, { local }) => (config.ratelimits[1].namespace_id = local.ratelimits[3].namespace_id)],
    ]) {
      const found = sharedIds(changed("preview", change));
      assert.equal(found.length, 1, what);
      assert.ok(found[0].startsWith(`${what} `), found[0]);
    }
  });

  test("that reach the sandbox, or say that they are another, are found", () => {
    for (const change of [
      (config) => config.services.push({ binding: "EGRESS", service: "anything" }),
      (config) => config.services.push({ binding: "OTHER", service: "tenantry-sandbox" }),
      (config, { local }) => (config.vars.GAS_WEBAPP_URL = local.vars.GAS_WEBAPP_URL),
      (config) => (config.vars.ENVIRONMENT = "development"),
      (config) => (config.vars.EMAIL_PROVIDER = "log"),
      (config, { local }) => (config.ratelimits[0].simple = local.ratelimits[0].simple),
      (config) => (config.vars.ADMIN_CONSOLE_URL = ""),
    ]) {
      assert.equal(foreignParts("production", changed("production", change).production).length, 1, `${change}`);
    }
  });

  test("that let the platform keep query strings, requests or traces are found, each of them", () => {
    for (const name of Object.keys(all)) {
      assert.deepEqual(keptByThePlatform(name, all[name]), [], name);
      for (const change of [
        ({ observability }) => delete observability.redact_query_string,
        ({ observability }) => (observability.logs.invocation_logs = true),
        ({ observability }) => delete observability.logs,
        ({ observability }) => (observability.traces.enabled = true),
        ({ observability }) => delete observability.traces,
      ]) {
        assert.equal(problems(changed(name, change)).length, 1, `${name} ${change}`);
      }
      assert.equal(keptByThePlatform(name, {}).length, 3);
    }
  });

  test("that lack a binding or variable of development are found: wrangler inherits none", () => {
    for (const change of [
      (config) => config.ratelimits.pop(),
      (config) => (config.d1_databases = []),
      (config) => delete config.vars.BASE_DOMAIN,
      (config) => delete config.version_metadata,
    ]) {
      assert.equal(missingBindings("preview", changed("preview", change)).length, 1, `${change}`);
    }
  });

  test("have placeholders until somebody fills them in, and those alone", () => {
    for (const name of ["preview", "production"])
      assert.deepEqual(
        placeholders(all[name]).map((line) => line.split(" ")[0]),
        ["GAS_WEBAPP_URL", "database_id", "route", "route"],
      );
    // One line, with what belongs there.
    const told = placeholders(all.production);
    assert.match(told[1], /^database_id is a placeholder: 0{8}-.*\. npx wrangler d1 create tenantry-production prints the id\. FIRST-DAY\.md has the steps\.$/);
    assert.ok(told.every((line) => /\. [A-Zn].*\. FIRST-DAY\.md has the steps\.$/.test(line) && !line.includes("\n")), told.join("\n"));
    const filled = structuredClone(all.production);
    filled.vars.GAS_WEBAPP_URL = "https://script.google.com/macros/s/AKfy/exec";
    filled.d1_databases[0].database_id = "5c6e7a80-9b1d-4f2a-8c3e-1a2b3c4d5e60";
    filled.routes = ROUTES;
    assert.deepEqual(placeholders(filled), []);
  });

  const ROUTES = [
    { pattern: "syston.app", custom_domain: true },
    { pattern: "*.syston.app/*", zone_name: "syston.app" },
  ];

  test("that give out addresses which lead elsewhere are found", () => {
    const routed = (routes, vars = {}) => unrouted("production", { ...all.production, routes, vars: { ...all.production.vars, ...vars } });
    assert.deepEqual(unrouted("production", all.production), [], "a placeholder is refused by itself");
    assert.deepEqual(routed(ROUTES), []);
    assert.deepEqual(routed(["syston.app/*", "*.syston.app/*"]), []);
    assert.deepEqual(routed([ROUTES[0]], { SUBDOMAIN_MODE: "none" }), []);
    for (const [routes, vars, ...found] of [
      [undefined, {}, /for syston\.app: mailed links/, /no route \*\.syston\.app\/\*: clubs/],
      [[], {}, /for syston\.app/, /\*\.syston\.app/],
      [[ROUTES[0]], {}, /\*\.syston\.app/],
      [[ROUTES[1]], {}, /for syston\.app/],
      [["syston.app/magic/*", ROUTES[1]], {}, /for syston\.app/],
      [ROUTES, { BASE_DOMAIN: "clubs.syston.app" }, /no route \*\.clubs\.syston\.app/],
      [ROUTES, { ADMIN_CONSOLE_URL: "https://app.syston.app" }, /for app\.syston\.app/],
    ]) {
      const told = routed(routes, vars);
      assert.equal(told.length, found.length, told.join("\n"));
      for (const [index, line] of found.entries()) assert.match(told[index], line);
    }
    const shared = structuredClone(all);
    shared.preview.routes = shared.production.routes = ROUTES;
    assert.equal(sharedIds(shared).filter((line) => line.startsWith("route ")).length, 2);
  });

  test("end what loops, and have source maps", () => {
    for (const name of Object.keys(all)) {
      assert.ok(all[name].limits.cpu_ms > 0 && all[name].limits.cpu_ms <= 30_000, name);
      assert.equal(all[name].upload_source_maps, true, name);
    }
  });

  test("need the secrets without which they are not ready", () => {
    assert.deepEqual(requiredSecrets(all.production), ["JWT_SECRET", "DATA_KEY", "GAS_HMAC_SECRET", "RESEND_API_KEY"]);
    const quiet = { ...all.preview, vars: { ...all.preview.vars, EMAIL_PROVIDER: "log" } };
    assert.ok(!requiredSecrets(quiet).includes("RESEND_API_KEY"));
    assert.match(objectMigration(all.production), /^v\d+$/);
  });
});

describe("a migration", () => {
  for (const sql of [
    "drop table tenants",
    "DROP INDEX IF EXISTS by_slug;",
    "alter table tenants rename to clubs",
    "alter table tenants rename column name to title",
    'ALTER TABLE "tenants"\n  DROP COLUMN name',
    "alter table tenants add column size integer not null",
    "alter table tenants add column size integer not null default null",
    "create table t (a text) strict; /* and */ drop table u",
    "create table tenants_new (id text); insert into tenants_new select id from tenants; drop table tenants; alter table tenants_new rename to tenants",
    "delete from tenants",
    "pragma writable_schema = on",
    "drop trigger t",
    "drop trigger t; create trigger other after insert on a begin update b set n = n + 1; end",
  ]) {
    test(`that takes something away is refused: ${sql.replaceAll("\n", " ")}`, () => assert.ok(contractions(sql).length > 0));
  }

  test("that only adds is not, whatever words are in its comments, texts and names", () => {
    for (const sql of [
      "",
      "-- drop table tenants;\n/* alter table t rename */ create table t (a text not null) strict;",
      "alter table t add column a text",
      "alter table t add column b integer not null default 0 check (b in (0, 1))",
      "alter table t add column c text default 'not null'",
      "insert into flags (name) values ('; drop table t')",
      'create table "drop" (id text); create index by_drop on "drop" (id)',
      "create trigger t after insert on a begin update b set n = n + 1; end",
      "drop trigger t;\n-- Anew.\ncreate trigger t after insert on a when new.n = 1 begin update b set n = n + 1; end",
    ]) {
      assert.deepEqual(contractions(sql), [], sql);
    }
  });
});
