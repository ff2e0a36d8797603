// `npm run deploy -- --env preview|production [--checked] [--object-migration] [--dry-run]`: the release build, to everybody at once.
//
// Refuses unless the checkout is clean and on main, or on a tag prod-… to go back to. wrangler.toml must be valid for the environment, and
// every migration since the last deployment may only add. wrangler must be logged in, and all required secrets set. Then: lint and tests,
// the build, the database's migrations, the deployment, the smoke test on WORKER_URL, and in production the tag prod-YYYYMMDDHHMM. With
// PLATFORM_ADMIN_JWT the smoke test vouches for its tenants' addresses. Without it nobody proves them, provisioning is not tried, and a
// deployment that went well otherwise ends with 3.
//
// --checked            lint and tests ran on this very commit already
// --object-migration   ships a new Durable Object migration, across which no rollback goes
// --dry-run            checks everything, names every command that would change something, and runs none of them
import { prepare } from "./lib/prepare.mjs";
import { exitWith, helpIfAsked } from "./lib/project.mjs";
import { commit, confirmDeployed, options, prepareVersion, release, remember, smoke } from "./lib/release.mjs";

helpIfAsked(import.meta.url);
await prepare();
try {
  const asked = options(import.meta.url, { flags: ["checked", "object-migration"] });
  const it = release(asked.env, asked["dry-run"]);
  await prepareVersion(it, { checked: asked.checked, objects: asked["object-migration"] });
  await it.changeByWrangler(["deploy", "--strict", "--tag", await commit()], {
    advice: "The version was not deployed: see above. The one before works on with what the migrations added.",
  });
  await confirmDeployed(it);
  await smoke(it);
  await remember(it);
  it.done(`Deployed to ${asked.env}. Watch it for ten minutes: scripts/watch-logs.sh errors ${asked.env}`);
} catch (error) {
  exitWith(error);
}
