// What deploy, rollout and rollback share. A dry run only names its commands. Checks come before any change. A deployment is verified and
// remembered.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { DEPLOYED, configuration, configurations, objectMigration, placeholders, problems, requiredSecrets } from "./environments.mjs";
import { contractions } from "./migrations.mjs";
import { Failure, at, capture, help, run, say } from "./project.mjs";

const WRANGLER_ENV = { WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true" };

/** What a version is called, and a commit: they become arguments, whoever said them. */
const VERSION = /^[A-Za-z0-9][\w-]{0,63}$/;
const REVISION = /^[0-9a-f]{7,40}$/;

/** A script's options, each a string but for `flags`; `--env`, `--dry-run` and `--help` are common to all. */
export function options(script, { texts = [], flags = [] } = {}) {
  const typed = [
    ["env", "string"],
    ["dry-run", "boolean"],
    ["help", "boolean"],
    ...texts.map((name) => [name, "string"]),
    ...flags.map((name) => [name, "boolean"]),
  ];
  let values;
  try {
    ({ values } = parseArgs({ options: Object.fromEntries(typed.map(([name, type]) => [name, { type }])) }));
  } catch (error) {
    throw new Failure(`${error.message.split("\n")[0]} See --help.`);
  }
  if (values.help) help(script);
  for (const name of ["to", "version"]) {
    if (values[name] !== undefined && !VERSION.test(values[name])) throw new Failure(`--${name} ${values[name]} is no version: see npx wrangler versions list.`);
  }
  if (!DEPLOYED.includes(values.env)) throw new Failure(`Say where: --env ${DEPLOYED.join(" or --env ")}.`);
  return values;
}

/** A dry run runs what only asks, names what would change something, and goes on behind a failed check to name the rest. */
export function release(environment, dryRun) {
  let refused = 0;
  const wrangler = (args) => ["wrangler", [...args, "--env", environment]];
  return {
    environment,
    dryRun,
    /** What has to be so: `problem` is what is wrong, or null. */
    check(what, problem) {
      if (problem === null) return say(`${what} ✓`);
      if (!dryRun) throw new Failure(problem);
      refused += 1;
      return process.stdout.write(`✗ ${problem}\n`);
    },
    /** A command that changes something. */
    async change(command, args, { env = {}, advice, passes } = {}) {
      process.stdout.write(`${dryRun ? "would run:" : "$"} ${[command, ...args].map(quoted).join(" ")}\n`);
      if (!dryRun) return run(command, args, { env: { ...WRANGLER_ENV, ...env }, input: "ignore", advice, passes });
    },
    changeByWrangler(args, more) {
      return this.change(...wrangler(args), more);
    },
    /** What wrangler answers to a question, parsed; null when it can't be asked. */
    ask: (...args) => asked(...wrangler(args)),
    done(line) {
      if (refused > 0) throw new Failure(`A real run would be refused: ${refused} of the checks failed, see above.`);
      process.stdout.write(dryRun ? "✓ Nothing was changed: this was a dry run.\n" : `✓ ${line}\n`);
    },
  };
}

const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** Every check before a version goes out. Then the tests, unless they ran already, the build and the migrations. */
export async function prepareVersion(it, { checked = false, objects = false } = {}) {
  const all = await configurations();
  const config = all[it.environment];
  const last = await lastDeployed();
  it.check("wrangler.toml", firstOf(problems(all)));
  it.check("no placeholders", firstOf(placeholders(config).map((line) => `wrangler.toml, ${it.environment}: ${line}`)));
  it.check("the checkout", await checkoutProblem());
  it.check("migrations only add", await migrationProblem(last));
  it.check("Durable Objects", await objectProblem(last, config, objects));
  needsAddress(it);
  it.check("wrangler is logged in", await loginProblem());
  it.check("secrets", await secretsProblem(it, config));
  if (!checked) {
    await it.change("npm", ["run", "lint"], { advice: "Lint failed: nothing was deployed." });
    await it.change("npm", ["test"], { advice: "The tests failed: nothing was deployed." });
  }
  await it.change("npm", ["run", "build"], { advice: "The build failed: nothing was deployed." });
  await it.changeByWrangler(["d1", "migrations", "apply", "DB", "--remote"], {
    advice: NOT_MIGRATED,
  });
  if (!it.dryRun) await confirmMigrations(it);
}

const NOT_MIGRATED = "The migrations were not all applied: see above. No new version was deployed; the running one works on with what was added.";

async function loginProblem() {
  const answer = await asked("wrangler", ["whoami", "--json"]);
  return answer?.loggedIn === true ? null : "wrangler is not logged in: run npx wrangler login, or set CLOUDFLARE_API_TOKEN.";
}

/** What the database says, not that wrangler ended well. */
async function confirmMigrations(it) {
  const answer = await it.ask("d1", "execute", "DB", "--remote", "--json", "--command", "select name from d1_migrations");
  const rows = answer?.[0]?.success === true && Array.isArray(answer[0].results) ? answer[0].results : [];
  const missing = migrations().find((name) => !rows.some((row) => row?.name === name));
  if (missing) throw new Failure(`The database does not say that ${missing} is applied. ${NOT_MIGRATED}`);
}

const migrations = () =>
  readdirSync(at("migrations"))
    .filter((name) => name.endsWith(".sql"))
    .sort();

/** What a program answers to a question, parsed; null when it can't be asked. */
async function asked(command, args) {
  try {
    return JSON.parse(await capture(command, args));
  } catch {
    return null;
  }
}

/** A version that can't be tested is not deployed. */
export function needsAddress(it) {
  it.check(
    "WORKER_URL",
    process.env.WORKER_URL ? null : `Set WORKER_URL to the address of ${it.environment}: the smoke test asks it afterwards.`,
  );
}

const firstOf = (lines) => lines[0] ?? null;

async function git(...args) {
  return (await capture("git", args))?.trim() ?? null;
}

async function checkoutProblem() {
  const changes = await git("status", "--porcelain");
  if (changes === null) return "This is no git checkout: deploy from one, so that what runs can be found again.";
  if (changes !== "") return "There are changes that are not committed: commit or stash them, so that what is deployed can be found again.";
  const branch = await git("symbolic-ref", "--short", "-q", "HEAD");
  if (branch === "main" || (await git("tag", "--points-at", "HEAD", "--list", "prod-*"))) return null;
  return `HEAD is ${branch ?? "no branch"}: deploy from main, or go back to a tag prod-… that was deployed.`;
}

/** The newest tag of a production deployment that this commit contains, or null. */
export async function lastDeployed() {
  const tags = await git("tag", "--list", "prod-*", "--merged", "HEAD", "--sort=-refname");
  return tags?.split("\n")[0] || null;
}

/** Each migration that is newer than the last deployment only adds, and the older ones are as they were. */
export async function migrationProblem(last) {
  const names = migrations();
  const deployed = last === null ? [] : ((await git("ls-tree", "--name-only", last, "migrations/"))?.split("\n").filter(Boolean) ?? []);
  const changed = last === null ? [] : ((await git("diff", "--name-only", last, "--", ...deployed))?.split("\n").filter(Boolean) ?? []);
  if (deployed.length > 0 && changed.length > 0)
    return `${changed[0]} was deployed with ${last} and has changed since: put the change into a new migration.`;
  for (const name of names.filter((name) => !deployed.includes(`migrations/${name}`))) {
    const [contraction] = contractions(readFileSync(at("migrations", name), "utf8"));
    if (contraction)
      return `migrations/${name} ${contraction}. The version before still needs that: only add here, and take away in a later release.`;
  }
  return null;
}

async function objectProblem(last, config, allowed) {
  const before =
    last === null
      ? null
      : [...((await git("show", `${last}:wrangler.toml`)) ?? "").matchAll(/^\[\[migrations\]\]\s+tag = "(.+)"/gm)].at(-1)?.[1];
  const now = objectMigration(config);
  if (last === null || before === now || allowed) return null;
  return `Durable Object migration ${now} is new since ${last}, and Cloudflare rolls back across none: ship it alone, with deploy and --object-migration.`;
}

async function secretsProblem(it, config) {
  const listed = await it.ask("secret", "list");
  if (!Array.isArray(listed))
    return `Cloudflare does not say which secrets ${it.environment} has: see npx wrangler secret list --env ${it.environment}.`;
  const missing = requiredSecrets(config).filter((name) => !listed.some((secret) => secret.name === name));
  return missing.length === 0 ? null : `${missing.join(", ")} missing: npx wrangler secret put ${missing[0]} --env ${it.environment}.`;
}

/** The commit, as a version carries it: what is promoted later can be tagged where it came from. */
export const commit = async () => (await git("rev-parse", "--short=12", "HEAD")) ?? "unknown";

/** Uploads a version that gets no traffic; returns its id. */
export async function upload(it) {
  const directory = mkdtempSync(join(tmpdir(), "tenantry-upload-"));
  const output = join(directory, "output.ndjson");
  try {
    await it.changeByWrangler(["versions", "upload", "--strict", "--tag", await commit()], {
      env: { WRANGLER_OUTPUT_FILE_PATH: output },
      advice: "The version could not be uploaded: see above. Nobody is sent to it.",
    });
    if (it.dryRun) return "NEW-VERSION";
    const lines = existsSync(output)
      ? readFileSync(output, "utf8")
          .trim()
          .split("\n")
          .flatMap(parsed)
      : [];
    const id = lines.find(({ type }) => type === "version-upload")?.version_id;
    if (!VERSION.test(id ?? ""))
      throw new Failure(
        `wrangler did not say which version it uploaded: see npx wrangler versions list --env ${it.environment}, then go on with --version.`,
      );
    return id;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function parsed(line) {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}

/** The deployments, oldest first: `[{versions: [{version_id, percentage}], …}]`. */
export async function deployments(it) {
  const listed = await it.ask("deployments", "list", "--json");
  const isDeployment = (each) =>
    typeof each?.created_on === "string" &&
    Array.isArray(each.versions) &&
    each.versions.length > 0 &&
    each.versions.every((part) => typeof part?.version_id === "string" && VERSION.test(part.version_id) && Number.isFinite(part.percentage));
  if (!Array.isArray(listed) || listed.length === 0 || !listed.every(isDeployment)) {
    throw new Failure(`Cloudflare lists no deployments of ${it.environment}: see npx wrangler deployments list --env ${it.environment}.`);
  }
  return listed.toSorted((a, b) => a.created_on.localeCompare(b.created_on));
}

/** Cloudflare says that these versions have these shares, `{version: percentage}`, whatever the command that asked for it said. */
export async function confirmShares(it, wanted) {
  if (it.dryRun) return;
  await confirm(it, async ({ versions }) => {
    const shares = Object.fromEntries(versions.map(({ version_id, percentage }) => [version_id, percentage]));
    return Object.keys({ ...shares, ...wanted }).every((version) => shares[version] === wanted[version]);
  });
}

/** Cloudflare says that one version has all the traffic, and that it was made of this commit. */
export async function confirmDeployed(it) {
  if (it.dryRun) return;
  const revision = await commit();
  await confirm(it, async ({ versions: [version, ...others] }) => others.length === 0 && (await madeOf(it, version.version_id)) === revision);
}

async function confirm(it, holds) {
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    if (await holds((await deployments(it)).at(-1))) return say("Cloudflare says so ✓");
    await sleep(1_000);
  }
  throw new Failure(`Cloudflare does not list what was asked for as what runs: see npx wrangler deployments list --env ${it.environment}.`);
}

/** The commit that a version was uploaded from, or null. */
export async function madeOf(it, version) {
  const revision = (await it.ask("versions", "view", version, "--json"))?.annotations?.["workers/tag"];
  return typeof revision === "string" && REVISION.test(revision) ? revision : null;
}

/**
 * Signs tenants up on what was deployed, and looks whether mails and clubs are given addresses that lead there. `version` asks that version,
 * whatever share of the traffic it gets. An older one that traffic goes back to need not know how to be recognised.
 */
export async function smoke(it, { version, name, older = false } = {}) {
  const override = version ? { WORKER_VERSION: `${name}="${version}"` } : {};
  const { ADMIN_CONSOLE_URL, BASE_DOMAIN, SUBDOMAIN_MODE } = (await configuration(it.environment)).vars;
  const addresses = older ? {} : { ADMIN_CONSOLE_URL, BASE_DOMAIN: SUBDOMAIN_MODE === "none" ? "" : BASE_DOMAIN };
  // 3: all is well, as far as anybody may look who can't vouch for an address.
  const code = await it.change("scripts/smoke-test.sh", [it.environment], {
    passes: [0, 3],
    env: { ...override, ...addresses },
    advice: `The smoke test failed: see above. Go back with npm run rollback -- --env ${it.environment}`,
  });
  if (code === 3) say(`Provisioning was NOT tried. Try it: PLATFORM_ADMIN_JWT=… scripts/smoke-test.sh ${it.environment}`);
}

/** Remembers what production runs. */
export async function remember(it, revision = "HEAD") {
  if (it.environment !== "production") return;
  const tag = `prod-${new Date().toISOString().replaceAll(/\D/g, "").slice(0, 12)}`;
  await it.change("git", ["tag", tag, revision], { advice: `The tag ${tag} could not be made: tag ${revision} by hand.` });
  say(`Share the tag: git push origin ${tag}`);
}
