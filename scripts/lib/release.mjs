// What deploy, rollout and rollback have in common: commands that a dry run only names, checks before anything changes, and how a
// deployment is judged and remembered.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DEPLOYED, configurations, objectMigration, placeholders, problems, requiredSecrets } from "./environments.mjs";
import { contractions } from "./migrations.mjs";
import { Failure, at, capture, help, run, say } from "./project.mjs";

const WRANGLER_ENV = { WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true" };

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
    async change(command, args, { env = {}, advice } = {}) {
      process.stdout.write(`${dryRun ? "would run:" : "$"} ${[command, ...args].map(quoted).join(" ")}\n`);
      if (!dryRun) await run(command, args, { env: { ...WRANGLER_ENV, ...env }, input: "ignore", advice });
    },
    changeByWrangler(args, more) {
      return this.change(...wrangler(args), more);
    },
    /** What wrangler answers to a question, parsed; null when it can't be asked. */
    async ask(...args) {
      const text = await capture(...wrangler(args));
      try {
        return JSON.parse(text);
      } catch {
        return null;
      }
    },
    done(line) {
      if (refused > 0) throw new Failure(`A real run would be refused: ${refused} of the checks failed, see above.`);
      process.stdout.write(dryRun ? "✓ Nothing was changed: this was a dry run.\n" : `✓ ${line}\n`);
    },
  };
}

const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** Everything that has to hold before a version goes out; then the tests, unless they ran already, the build and the migrations. */
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
  it.check(
    "wrangler is logged in",
    (await capture("wrangler", ["whoami", "--json"])) === null
      ? "wrangler is not logged in: run npx wrangler login, or set CLOUDFLARE_API_TOKEN."
      : null,
  );
  it.check("secrets", await secretsProblem(it, config));
  if (!checked) {
    await it.change("npm", ["run", "lint"], { advice: "Lint failed: nothing was deployed." });
    await it.change("npm", ["test"], { advice: "The tests failed: nothing was deployed." });
  }
  await it.change("npm", ["run", "build"], { advice: "The build failed: nothing was deployed." });
  await it.changeByWrangler(["d1", "migrations", "apply", "DB", "--remote"], {
    advice: "The migrations were not all applied: see above. No new version was deployed; the running one works on with what was added.",
  });
}

/** Nothing goes out that can't be tried. */
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
  const names = readdirSync(at("migrations"))
    .filter((name) => name.endsWith(".sql"))
    .sort();
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

/** Uploads a version that nobody is sent to; answers its id. */
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
          .map((line) => JSON.parse(line))
      : [];
    const id = lines.find(({ type }) => type === "version-upload")?.version_id;
    if (!id)
      throw new Failure(
        `wrangler did not say which version it uploaded: see npx wrangler versions list --env ${it.environment}, then go on with --version.`,
      );
    return id;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The deployments, oldest first: `[{versions: [{version_id, percentage}], …}]`. */
export async function deployments(it) {
  const listed = await it.ask("deployments", "list", "--json");
  if (!Array.isArray(listed) || listed.length === 0) {
    throw new Failure(`Cloudflare lists no deployments of ${it.environment}: see npx wrangler deployments list --env ${it.environment}.`);
  }
  return listed.toSorted((a, b) => a.created_on.localeCompare(b.created_on));
}

/** Signs clubs up on what was deployed; `version` asks that one, whatever share of the traffic it gets. */
export async function smoke(it, { version, name } = {}) {
  const override = version ? { WORKER_VERSION: `${name}="${version}"` } : {};
  await it.change("scripts/smoke-test.sh", [it.environment], {
    env: override,
    advice: `The smoke test failed: see above. Go back with npm run rollback -- --env ${it.environment}`,
  });
}

/** Remembers what production runs. */
export async function remember(it, revision = "HEAD") {
  if (it.environment !== "production") return;
  const tag = `prod-${new Date().toISOString().replaceAll(/\D/g, "").slice(0, 12)}`;
  await it.change("git", ["tag", tag, revision], { advice: `The tag ${tag} could not be made: tag ${revision} by hand.` });
  say(`Share the tag: git push origin ${tag}`);
}
