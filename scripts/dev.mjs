// `npm run dev`: serves the product as `npm start` does, compiled without optimisation, so that it is there soon. It compiles and serves
// again whenever a Rust source, the manifest, a migration or wrangler.toml is saved. Pages are served as they are saved. While the sources
// don't compile, the last version is served. PORT, SANDBOX_PORT and STATE_DIR are those of `npm start`.
import { watch } from "node:fs";
import { claimedPlace, startLocal } from "./lib/local.mjs";
import { prepare } from "./lib/prepare.mjs";
import { Failure, ROOT, at, exitWith, fingerprint, noArguments, say } from "./lib/project.mjs";
import { buildWorker } from "./lib/worker.mjs";

const FOLDERS = ["src", "migrations"];
const FILES = ["Cargo.toml", "Cargo.lock", "wrangler.toml", ".dev.vars"];

noArguments(import.meta.url);
try {
  const place = await claimedPlace();
  await prepare("secrets", "bindgen");
  await follow(place);
} catch (error) {
  exitWith(error);
}

async function follow(place) {
  let service;
  let saved = () => {};
  let savedAt;
  const changed = () => {
    savedAt = Date.now();
    saved();
  };
  for (const folder of FOLDERS) watch(at(folder), { recursive: true }, changed);
  // Watches their folder: an editor may replace a file by a new one.
  watch(ROOT, (_, name) => FILES.includes(name) && changed());

  for (let seen = null, round = 0; ; ) {
    const next = new Promise((done) => (saved = done));
    const now = fingerprint([...FOLDERS, ...FILES]);
    if (now === seen) {
      await next;
      continue;
    }
    seen = now;
    const output = at("build/dev", String(round % 2));
    try {
      await buildWorker({ output, release: false });
      // A file that was saved during this is served at once, not after it.
      if (fingerprint([...FOLDERS, ...FILES]) !== seen) continue;
      if (service?.stopping()) return;
      round += 1;
      if (service === undefined) {
        service = await startLocal(place, { entry: `${output}/index.js`, command: "npm run dev" });
        continue;
      }
      await service.restart(`${output}/index.js`);
      say(`Serving what was saved ${Math.round((Date.now() - savedAt) / 1000)} s ago`);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (service?.stopping()) return;
      process.stderr.write(`✗ ${error.message}\n`);
      say(service ? "What was served before goes on; waiting for a change …" : "Waiting for a change …");
    }
  }
}
