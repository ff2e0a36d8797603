// `npm run rollout -- --env preview|production --percent N [--version ID] [--checked] [--dry-run]`: a version for a share of the traffic.
//
// Without --version it checks, builds, migrates and uploads this commit as `npm run deploy` does. It then sends N percent of the requests
// to it. With --version it changes the share of a version that was uploaded. The smoke test asks that version alone. At 100 percent
// production gets its tag. A new Durable Object migration can't be shared out: deploy it.
import { configuration } from "./lib/environments.mjs";
import { prepare } from "./lib/prepare.mjs";
import { Failure, exitWith, helpIfAsked } from "./lib/project.mjs";
import { confirmShares, deployments, madeOf, needsAddress, options, prepareVersion, release, remember, smoke, upload } from "./lib/release.mjs";

helpIfAsked(import.meta.url);
await prepare();
try {
  const asked = options(import.meta.url, { texts: ["percent", "version"], flags: ["checked"] });
  const percent = percentOf(asked.percent);
  const it = release(asked.env, asked["dry-run"]);
  if (asked.version === undefined) await prepareVersion(it, { checked: asked.checked });
  else needsAddress(it);
  const version = asked.version ?? (await upload(it));
  await share(it, version, percent);
  const { name } = await configuration(asked.env);
  await smoke(it, { version, name });
  if (percent === 100) await remember(it, await revisionOf(it, version));
  const next = percent === 100 ? "" : ` Go on with --percent 100 --version ${version}, or back with npm run rollback -- --env ${asked.env}`;
  it.done(`${percent} % of ${asked.env} go to ${version}.${next}`);
} catch (error) {
  exitWith(error);
}

function percentOf(text) {
  const percent = Number(text);
  if (!/^\d+$/.test(text ?? "") || percent < 1 || percent > 100) throw new Failure("Say which share: --percent 1 to --percent 100.");
  return percent;
}

/** The rest goes to the version that had most of the traffic. */
async function share(it, version, percent) {
  const { versions } = (await deployments(it)).at(-1);
  const [rest] = versions.filter((each) => each.version_id !== version).sort((a, b) => b.percentage - a.percentage);
  if (percent < 100 && !rest)
    throw new Failure(`${version} has all of ${it.environment} already: there is no other version to share with.`);
  const wanted = percent === 100 ? { [version]: 100 } : { [version]: percent, [rest.version_id]: 100 - percent };
  const shares = Object.entries(wanted).map(([id, part]) => `${id}@${part}%`);
  await it.changeByWrangler(["versions", "deploy", ...shares, "--message", `${percent} percent`, "--yes"], {
    advice: "The shares were not changed: see above.",
  });
  await confirmShares(it, wanted);
}

/** The commit that a version was uploaded from. */
async function revisionOf(it, version) {
  if (it.dryRun) return "HEAD";
  const revision = await madeOf(it, version);
  if (!revision)
    throw new Failure(`Cloudflare does not say which commit ${version} was made from: tag it by hand, git tag prod-YYYYMMDDHHMM COMMIT.`);
  return revision;
}
