// `npm start`: sets up what is missing, builds, migrates the local database and serves the product with its sandboxed upstreams.
// PORT, SANDBOX_PORT and STATE_DIR override 8787, 8788 and .wrangler/state; the data outlives the run.
// What the product logs is kept in STATE_DIR/product.log, where `scripts/watch-logs.sh … local` follows it.
import { claimedPlace, startLocal } from "./lib/local.mjs";
import { prepare } from "./lib/prepare.mjs";
import { exitWith, noArguments } from "./lib/project.mjs";

noArguments(import.meta.url);
try {
  const place = await claimedPlace();
  await prepare("secrets", "worker");
  await startLocal(place, { command: "npm start" });
} catch (error) {
  exitWith(error);
}
