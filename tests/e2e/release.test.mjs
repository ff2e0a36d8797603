// Deploying, sharing out and going back, with a wrangler that only takes down what it is asked.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { configurations, objectMigration } from "../../scripts/lib/environments.mjs";
import { makeCheckout } from "./checkout.mjs";

const directory = mkdtempSync(join(tmpdir(), "tenantry-release-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const SECRETS = ["JWT_SECRET", "DATA_KEY", "GAS_HMAC_SECRET", "RESEND_API_KEY"].map((name) => ({ name, type: "secret_text" }));
const WORKER_URL = "https://tenantry.example.org";
const NEWEST_OBJECTS = objectMigration((await configurations()).production);

/** A checkout that may be deployed. */
function ready(name) {
  const there = makeCheckout(join(directory, name));
  there.edit("wrangler.toml", (text) =>
    text
      .replaceAll(/0{8}-0000-0000-0000-0{11}(\d)/g, "5c6e7a80-9b1d-4f2a-8c3e-1a2b3c4d5e6$1")
      .replaceAll(/REPLACE-WITH-(\w+)-DEPLOYMENT/g, "AKfy$1")
      .replaceAll(/REPLACE-WITH-PREVIEW-(HOST|BASE-DOMAIN)/g, "preview.syston.app")
      .replaceAll(/REPLACE-WITH-PRODUCTION-(HOST|BASE-DOMAIN)|REPLACE-WITH-(PREVIEW|PRODUCTION)-ZONE/g, "syston.app"),
  );
  there.answer("wrangler whoami", { loggedIn: true });
  there.answer("wrangler secret list", SECRETS);
  const applied = () => readdirSync(there.path("migrations")).map((name) => ({ name }));
  const run = (script, args, env) => {
    there.answer("wrangler d1 execute", [{ results: applied(), success: true }]);
    return there.run(script, args, env);
  };
  const deploy = (args = ["--env", "production"], env = { WORKER_URL }) => {
    there.then("wrangler deploy", "wrangler deployments list", deployed({ new: 100 }));
    there.then("wrangler deploy", "wrangler versions view", version("new", NEWEST_OBJECTS, there.git("rev-parse", "--short=12", "HEAD")));
    return run("scripts/deploy.mjs", args, env);
  };
  return { ...there, runAsItIs: there.run, run, deploy };
}

const READS = /^wrangler (whoami|secret list|deployments list|versions view|d1 execute .* --json --command select)\b/;
const changes = ({ asked }) => asked.filter((line) => !READS.test(line));
const tags = (there) => there.git("tag", "--list", "prod-*").split("\n").filter(Boolean);

/** Refused with one line that says `why`, before anything changed. */
function assertRefused(result, why) {
  assert.equal(result.status, 1, result.printed);
  assert.deepEqual(changes(result), []);
  assert.match(result.printed.split("\n").at(-2), why);
}

describe("npm run deploy", { concurrency: 2 }, () => {
  const COMMIT = /(?<=--tag )[0-9a-f]{12}/;
  const STEPS = [
    "npm run lint",
    "npm test",
    "npm run build",
    "wrangler d1 migrations apply DB --remote --env production",
    "wrangler deploy --strict --tag COMMIT --env production",
    "smoke-test.sh production",
  ];
  const steps = (result) => changes(result).map((line) => line.replace(COMMIT, "COMMIT"));

  test("checks, tests, builds, migrates, deploys, tries it, and tags what production runs", async () => {
    const there = ready("deploy");
    const result = await there.deploy();
    assert.equal(result.status, 0, result.printed);
    assert.deepEqual(steps(result), STEPS);
    const [tag, ...others] = tags(there);
    assert.match(tag, /^prod-20\d{10}$/);
    assert.deepEqual([others, there.git("rev-parse", tag)], [[], there.git("rev-parse", "HEAD")]);
    assert.ok(changes(result)[4].includes(there.git("rev-parse", "--short=12", "HEAD")));

    const checked = await there.deploy(["--env", "preview", "--checked"]);
    assert.equal(checked.status, 0, checked.printed);
    assert.deepEqual(
      steps(checked),
      STEPS.slice(2).map((line) => line.replace("production", "preview")),
    );
    assert.deepEqual(tags(there), [tag], "preview is not tagged");

    // Going back by git, as the runbook prints it: the tag may be deployed, another commit may not.
    there.edit("README.md", () => "newer");
    there.git("checkout", "--quiet", tag);
    assert.equal((await there.deploy(["--env", "preview", "--checked"])).status, 0);
  });

  test("as a dry run names every command, and runs none that changes anything", async () => {
    const there = ready("dry");
    const result = await there.deploy(["--env", "production", "--dry-run"]);
    assert.equal(result.status, 0, result.printed);
    assert.deepEqual(changes(result), []);
    const named = [...result.printed.matchAll(/^would run: (.*)$/gm)].map(([, line]) =>
      line.replace(COMMIT, "COMMIT").replace("scripts/smoke", "smoke"),
    );
    assert.deepEqual(named.slice(0, -1), STEPS);
    assert.match(named.at(-1), /^git tag prod-\d{12} HEAD$/);
    assert.deepEqual(tags(there), []);

    there.answer("wrangler secret list", SECRETS.slice(1));
    const refused = await there.deploy(["--env", "production", "--dry-run"], {});
    assert.equal(refused.status, 1);
    assert.deepEqual(changes(refused), []);
    assert.match(refused.printed, /✗ Set WORKER_URL/);
    assert.match(refused.printed, /✗ JWT_SECRET missing: npx wrangler secret put JWT_SECRET --env production\./);
    assert.match(refused.printed, /✗ A real run would be refused: 2 of the checks failed/);
  });

  test("is refused, and changes nothing, until everything holds", async () => {
    const there = ready("refused");
    const refused = async (why, undo, ...args) => {
      assertRefused(await there.deploy(...args), why);
      await undo?.();
    };
    await refused(/^✗ Say where: --env preview or --env production/, null, ["--env", "staging"]);
    await refused(/^✗ Unknown option '--force'/, null, ["--env", "production", "--force"]);
    await refused(/^✗ Set WORKER_URL/, null, undefined, {});
    there.fail("wrangler whoami");
    await refused(/^✗ wrangler is not logged in/, () => there.mend("wrangler whoami"));
    there.answer("wrangler secret list", SECRETS.slice(0, 3));
    await refused(/^✗ RESEND_API_KEY missing/);
    there.fail("wrangler secret list");
    await refused(/^✗ Cloudflare does not say which secrets/, () => there.mend("wrangler secret list"));
    there.answer("wrangler secret list", SECRETS);
    there.git("checkout", "--quiet", "-b", "feature");
    await refused(/^✗ HEAD is feature: deploy from main/, () => there.git("checkout", "--quiet", "main"));
  });

  test("is refused with placeholders, shared ids, and changes that are not committed", async () => {
    const there = makeCheckout(join(directory, "configured"));
    const deploy = () => there.run("scripts/deploy.mjs", ["--env", "production"], { WORKER_URL });
    assertRefused(await deploy(), /^✗ wrangler\.toml, production: GAS_WEBAPP_URL is a placeholder/);
    there.edit("wrangler.toml", (text) => text.replaceAll(/0{11}1/g, `${"0".repeat(11)}2`));
    assertRefused(await deploy(), /^✗ database_id 0{8}-.* belongs to preview and to production/);
    const other = ready("dirty");
    other.edit("README.md", () => "committed");
    rmSync(other.path("README.md"));
    assertRefused(await other.deploy(), /^✗ There are changes that are not committed/);
  });

  test("lets only migrations through that add, and none that was deployed and then changed", async () => {
    const there = ready("migrations");
    there.git("tag", "prod-202601010000");
    const name = "migrations/9000_later.sql";
    there.edit(name, () => "alter table tenants drop column name;\n");
    assertRefused(
      await there.deploy(),
      /^✗ migrations\/9000_later\.sql drops a column: alter table tenants drop column name\. The version before/,
    );
    there.edit(name, () => "alter table tenants add column size integer;\n");
    assert.equal((await there.deploy(["--env", "production", "--checked"])).status, 0);
    there.edit(name, () => "alter table tenants add column size text;\n");
    assertRefused(await there.deploy(), /^✗ migrations\/9000_later\.sql was deployed with prod-.* and has changed since/);
  });

  test("ships a Durable Object migration only when told to", async () => {
    const there = ready("objects");
    there.git("tag", "prod-202601010000");
    there.edit("wrangler.toml", withAnotherObject);
    assertRefused(
      await there.deploy(),
      /^✗ Durable Object migration v99 is new since prod-202601010000, and Cloudflare rolls back across none/,
    );
    assert.equal((await there.deploy(["--env", "production", "--checked", "--object-migration"])).status, 0);
  });

  test("ends with a code of its own, and no claim, when the smoke test could not try provisioning", async () => {
    const there = ready("untried");
    there.fail("smoke-test.sh production", "not tried\n", 3);
    const result = await there.deploy();
    assert.deepEqual([result.status, steps(result)], [3, STEPS], result.printed);
    assert.equal(tags(there).length, 1, "production runs it");
    assert.match(result.printed, /✓ Deployed to production\..*\n· Provisioning was not tried\. Try it: PLATFORM_ADMIN_JWT=… scripts\/smoke-test\.sh production\n$/);
    there.fail("smoke-test.sh production", "cannot begin\n", 2);
    assert.equal((await there.deploy()).status, 1);
  });

  test("stops where something fails, and says what is running then", async () => {
    const there = ready("failing");
    for (const [command, count, why] of [
      ["npm test", 2, /^✗ The tests failed: nothing was deployed/],
      ["wrangler d1 migrations", 4, /^✗ The migrations were not all applied/],
      ["wrangler deploy", 5, /^✗ The version was not deployed/],
      ["smoke-test.sh production", 6, /^✗ The smoke test failed: .* npm run rollback -- --env production/],
    ]) {
      there.fail(command);
      const result = await there.deploy();
      there.mend(command);
      assert.deepEqual([result.status, steps(result)], [1, STEPS.slice(0, count)], result.printed);
      assert.match(result.printed.split("\n").at(-2), why);
    }
    assert.deepEqual(tags(there), []);
  });
});

/** Deployments as `wrangler deployments list --json` prints them; each is `{version: percentage}`. */
const deployed = (...shares) =>
  shares.map((share, index) => ({
    id: `deployment-${index}`,
    created_on: `2026-01-0${index + 1}T00:00:00Z`,
    versions: Object.entries(share).map(([version_id, percentage]) => ({ version_id, percentage })),
  }));
/** The configuration with one more Durable Object class than is there now. */
const withAnotherObject = (text) =>
  text.replace(/.*new_sqlite_classes = [^\n]*\n/s, '$&\n[[migrations]]\ntag = "v99"\nnew_sqlite_classes = ["Another"]\n');
const version = (id, migration_tag, revision) => ({
  id,
  annotations: { "workers/tag": revision },
  resources: { script_runtime: { migration_tag } },
});

describe("npm run rollout", { concurrency: 2 }, () => {
  test("uploads a version for a share of the traffic, tries that one, raises its share, and tags it at the end", async () => {
    const there = ready("rollout");
    there.answer("wrangler deployments list", deployed({ old: 100 }));
    there.then("wrangler versions deploy", "wrangler deployments list", deployed({ old: 100 }, { old: 90, uploaded: 10 }));
    const first = await there.run("scripts/rollout.mjs", ["--env", "production", "--percent", "10"], { WORKER_URL });
    assert.equal(first.status, 0, first.printed);
    const revision = there.git("rev-parse", "--short=12", "HEAD");
    assert.deepEqual(changes(first).slice(3), [
      "wrangler d1 migrations apply DB --remote --env production",
      `wrangler versions upload --strict --tag ${revision} --env production`,
      "wrangler versions deploy uploaded@10% old@90% --message 10 percent --yes --env production",
      'smoke-test.sh production (tenantry-production="uploaded")',
    ]);
    assert.match(first.printed, /Go on with --percent 100 --version uploaded, or back with npm run rollback/);
    assert.deepEqual(tags(there), []);

    // Meanwhile the branch went on: what is tagged is what was uploaded.
    there.edit("README.md", () => "newer");
    there.then("wrangler versions deploy", "wrangler deployments list", deployed({ old: 90, uploaded: 10 }, { uploaded: 100 }));
    there.answer("wrangler versions view uploaded", version("uploaded", NEWEST_OBJECTS, revision));
    const last = await there.run("scripts/rollout.mjs", ["--env", "production", "--percent", "100", "--version", "uploaded"], {
      WORKER_URL,
    });
    assert.equal(last.status, 0, last.printed);
    assert.deepEqual(changes(last), [
      "wrangler versions deploy uploaded@100% --message '100 percent' --yes --env production".replaceAll("'", ""),
      'smoke-test.sh production (tenantry-production="uploaded")',
    ]);
    assert.equal(there.git("rev-parse", "--short=12", tags(there)[0]), revision);
  });

  test("is refused without a share, without another version, and with a Durable Object migration; a dry run runs nothing", async () => {
    const there = ready("unshared");
    const rollout = (...args) => there.run("scripts/rollout.mjs", ["--env", "production", ...args], { WORKER_URL });
    there.answer("wrangler deployments list", deployed({ only: 100 }));
    for (const args of [[], ["--percent", "0"], ["--percent", "101"], ["--percent", "ten"]])
      assertRefused(await rollout(...args), /^✗ Say which share/);
    assertRefused(await rollout("--percent", "50", "--version", "only"), /^✗ only has all of production already/);
    const dry = await rollout("--percent", "10", "--dry-run");
    assert.equal(dry.status, 0, dry.printed);
    assert.deepEqual(changes(dry), []);
    assert.match(dry.printed, /would run: wrangler versions deploy NEW-VERSION@10% only@90%/);
    there.git("tag", "prod-202601010000");
    there.edit("wrangler.toml", withAnotherObject);
    assertRefused(await rollout("--percent", "10"), /^✗ Durable Object migration v99 is new/);
  });
});

describe("npm run rollback", () => {
  const there = ready("rollback");
  for (const id of ["one", "two", "three"]) there.answer(`wrangler versions view ${id}`, version(id, NEWEST_OBJECTS));
  there.answer("wrangler versions view ancient", version("ancient", null));
  const rollback = (...args) => there.run("scripts/rollback.mjs", ["--env", "production", ...args]);

  test("goes to the version that had all the traffic before, from a whole or a shared deployment, or to the one named", async () => {
    for (const [list, args, target] of [
      [[{ one: 100 }, { two: 100 }, { three: 100 }], [], "two"],
      [[{ one: 100 }, { two: 100 }, { two: 90, three: 10 }], [], "two"],
      [[{ one: 100 }, { two: 100 }, { two: 90, three: 10 }, { three: 100 }], [], "two"],
      [[{ one: 100 }, { two: 100 }, { two: 100 }], [], "one"],
      [[{ one: 100 }, { two: 100 }], ["--to", "three", "--message", "too slow"], "three"],
    ]) {
      there.answer("wrangler deployments list", deployed(...list).reverse());
      there.then("wrangler rollback", "wrangler deployments list", deployed(...list, { [target]: 100 }).reverse());
      const result = await rollback(...args);
      assert.equal(result.status, 0, result.printed);
      assert.deepEqual(changes(result), [`wrangler rollback ${target} --message ${args[3] ?? "rollback"} --yes --env production`]);
      assert.match(result.printed, /Try it: WORKER_URL=… scripts\/smoke-test\.sh production/);
    }
  });

  test("tries what it went back to when it knows where; a dry run runs nothing", async () => {
    there.answer("wrangler deployments list", deployed({ one: 100 }, { two: 100 }));
    there.then("wrangler rollback", "wrangler deployments list", deployed({ two: 100 }, { one: 100 }));
    const tried = await there.run("scripts/rollback.mjs", ["--env", "production"], { WORKER_URL });
    assert.deepEqual([tried.status, changes(tried).at(-1)], [0, "smoke-test.sh production"]);
    there.answer("wrangler deployments list", deployed({ one: 100 }, { two: 100 }));
    const dry = await rollback("--dry-run");
    assert.deepEqual([dry.status, changes(dry)], [0, []]);
    assert.match(dry.printed, /would run: wrangler rollback one --message rollback --yes --env production/);
  });

  test("is refused across a Durable Object migration, to what runs already, and when Cloudflare says nothing", async () => {
    there.answer("wrangler deployments list", deployed({ ancient: 100 }, { two: 100 }));
    assertRefused(
      await rollback(),
      new RegExp(
        `^✗ ancient is from before the Durable Object migration ${NEWEST_OBJECTS} \\(it has none\\), and Cloudflare goes back across none: deploy a fix forward\\.$`,
      ),
    );
    assertRefused(await rollback("--to", "two"), /^✗ two is what runs in production/);
    assertRefused(await rollback("--to", "unheard-of"), /^✗ Cloudflare does not know the version unheard-of/);
    there.answer("wrangler deployments list", deployed({ two: 100 }));
    assertRefused(await rollback(), /^✗ Cloudflare lists no earlier version/);
    there.fail("wrangler deployments list");
    assertRefused(await rollback(), /^✗ Cloudflare lists no deployments of production/);
    there.mend("wrangler deployments list");
  });
});

describe("what Cloudflare says afterwards counts, and not that a command ended well:", { concurrency: 2 }, () => {
  const notListed = /^✗ Cloudflare does not list what was asked for as what runs/;
  const ends = (result, why) => {
    assert.equal(result.status, 1, result.printed);
    assert.match(result.printed.split("\n").at(-2), why);
    assert.ok(!result.asked.some((line) => line.startsWith("smoke-test.sh")), "what does not run is not tried");
  };

  test("a deployment of another commit, or to some of the traffic", async () => {
    const there = ready("elsewhere");
    const revision = there.git("rev-parse", "--short=12", "HEAD");
    for (const [shares, made] of [[{ new: 100 }, "0123456789ab"], [{ new: 100 }, undefined], [{ new: 50, old: 50 }, revision]]) {
      there.then("wrangler deploy", "wrangler deployments list", deployed(shares));
      there.then("wrangler deploy", "wrangler versions view", version("new", NEWEST_OBJECTS, made));
      ends(await there.run("scripts/deploy.mjs", ["--env", "production", "--checked"], { WORKER_URL }), notListed);
    }
    assert.deepEqual(tags(there), []);
  });

  test("a migration that the database does not know", async () => {
    const there = ready("unmigrated");
    for (const answer of [[{ results: [], success: true }], [{ results: [{ name: "0001_tenants.sql" }], success: false }], {}, "<html>"]) {
      there.answer("wrangler d1 execute", answer);
      const result = await there.runAsItIs("scripts/deploy.mjs", ["--env", "production", "--checked"], { WORKER_URL });
      ends(result, /^✗ The database does not say that 0001_tenants\.sql is applied\. The migrations were not all applied/);
      assert.ok(!result.asked.some((line) => line.startsWith("wrangler deploy ")), "no version goes out");
    }
  });

  test("shares and a way back that did not come about", async () => {
    const there = ready("unmoved");
    there.answer("wrangler versions view", version("one", NEWEST_OBJECTS));
    there.answer("wrangler deployments list", deployed({ one: 100 }, { two: 100 }));
    ends(await there.run("scripts/rollback.mjs", ["--env", "production"], { WORKER_URL }), notListed);
    ends(await there.run("scripts/rollout.mjs", ["--env", "production", "--percent", "10", "--version", "one"], { WORKER_URL }), notListed);
  });

  test("a version, a commit or a list that is none becomes no argument", async () => {
    const there = ready("strange");
    for (const strange of ["--version", "a b", "$(id)", "\u202e", 7, null]) {
      there.answer("wrangler deployments list", deployed({ two: 100 }).map((each) => ({ ...each, versions: [{ version_id: strange, percentage: 100 }] })));
      assertRefused(await there.run("scripts/rollback.mjs", ["--env", "production"]), /^✗ Cloudflare lists no deployments of production/);
    }
    for (const list of [[null], [{}], [{ created_on: 1, versions: [] }], {}, "<html>"]) {
      there.answer("wrangler deployments list", list);
      assertRefused(await there.run("scripts/rollback.mjs", ["--env", "production"]), /^✗ Cloudflare lists no deployments of production/);
    }
    assertRefused(await there.run("scripts/rollback.mjs", ["--env", "production", "--to=--help"]), /^✗ --to --help is no version/);
    for (const answer of [{ loggedIn: false }, "<html>", null]) {
      there.answer("wrangler whoami", answer);
      assertRefused(await there.deploy(), /^✗ wrangler is not logged in/);
    }
  });
});
