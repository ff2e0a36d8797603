// `npm run rollback -- --env preview|production [--to VERSION] [--message WHY] [--dry-run]`: back to a version that ran before.
//
// Without --to it is the last version that had all the traffic before the running one. The database stays as it is: migrations only add, so
// the older version works on it. A rollback across a Durable Object migration is impossible, and refused. The smoke test follows when
// WORKER_URL is set.
import { prepare } from "./lib/prepare.mjs";
import { Failure, exitWith, helpIfAsked, say } from "./lib/project.mjs";
import { confirmShares, deployments, options, release, smoke } from "./lib/release.mjs";

helpIfAsked(import.meta.url);
await prepare();
try {
  const asked = options(import.meta.url, { texts: ["to", "message"] });
  const it = release(asked.env, asked["dry-run"]);
  const listed = await deployments(it);
  const running = listed.at(-1).versions.map(({ version_id }) => version_id);
  const target = asked.to ?? before(listed, running);
  if (running.length === 1 && running[0] === target) throw new Failure(`${target} is what runs in ${asked.env}: name another with --to.`);
  say(`${asked.env} runs ${running.join(" and ")}; back to ${target}`);
  it.check("Durable Objects", await objectProblem(it, running, target));
  await it.changeByWrangler(["rollback", target, "--message", asked.message ?? "rollback", "--yes"], {
    advice:
      "Cloudflare did not go back: see above. A changed secret or Durable Object migration stands in the way of old versions: then deploy a fix forward.",
  });
  await confirmShares(it, { [target]: 100 });
  if (process.env.WORKER_URL) await smoke(it, { older: true });
  else say(`Try it: WORKER_URL=… scripts/smoke-test.sh ${asked.env}`);
  it.done(`${asked.env} runs ${target}. Its database stays as it is.`);
} catch (error) {
  exitWith(error);
}

/** The last version that had all the traffic, before the running deployment. */
function before(listed, running) {
  const alone = listed
    .slice(0, -1)
    .filter(({ versions }) => versions.length === 1)
    .map(({ versions: [version] }) => version.version_id);
  const target = alone.findLast((version) => running.length > 1 || version !== running[0]);
  if (!target) throw new Failure("Cloudflare lists no earlier version: name one with --to (npx wrangler versions list).");
  return target;
}

async function objectProblem(it, running, target) {
  const tags = await Promise.all(
    [...running, target].map(async (version) => {
      const details = await it.ask("versions", "view", version, "--json");
      if (details === null)
        throw new Failure(`Cloudflare does not know the version ${version}: see npx wrangler versions list --env ${it.environment}.`);
      return details.resources?.script_runtime?.migration_tag ?? null;
    }),
  );
  const to = tags.at(-1);
  const between = tags.slice(0, -1).find((tag) => tag !== to);
  if (between === undefined) return null;
  return `${target} is from before the Durable Object migration ${between} (it has ${to ?? "none"}), and Cloudflare goes back across none: deploy a fix forward.`;
}
