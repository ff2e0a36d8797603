// Builds the Worker, and the bundles that the tests load. Each part is skipped while its inputs are what they were.
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { Failure, NODE, QUIET_WRANGLER, WRANGLER, at, capture, fingerprint, run, say, stamped } from "./project.mjs";
import { openapiTools } from "./setup.mjs";
import { buildWorker } from "./worker.mjs";

/** What makes the Worker of its sources. */
export const MAKERS = ["scripts/bindgen/Cargo.lock", "scripts/bindgen/src", "scripts/lib/worker.mjs", "scripts/lib/entry.mjs"];

const STAMP = at("build/.inputs");

/** The release build into build/, when sources, lock file, tools or compiler changed. */
export async function worker(announce = say) {
  const compiler = await capture("rustc", ["--version", "--verbose"]);
  const made = ["Cargo.toml", "Cargo.lock", "src", "package-lock.json", ...MAKERS];
  const inputs = fingerprint(made, compiler);
  if (stamped(STAMP, inputs) && existsSync(at("build/index.js"))) return;
  announce("Building the Worker (one to three minutes) …");
  const started = Date.now();
  rmSync(STAMP, { force: true });
  await buildWorker({ output: at("build"), release: true });
  writeFileSync(STAMP, inputs);
  say(`Built in ${Math.round((Date.now() - started) / 1000)} s`);
}

/** Both Workers as `createTestHarness` loads them: bundled once, not at every start. */
export async function bundles(announce = say) {
  await clientTypes();
  await bundle("product", at("wrangler.toml"), fingerprint(["build/.inputs", "wrangler.toml", "package-lock.json"]), announce);
  await bundle("sandbox", at("scripts/sandbox/wrangler.toml"), fingerprint(["scripts/sandbox", "package-lock.json"]), announce);
}

/** The types of a client, from the API's document, in build/openapi.d.ts. */
export async function clientTypes() {
  const inputs = fingerprint(["public/openapi.json", "package-lock.json"]);
  const types = at("build/openapi.d.ts");
  if (stamped(`${types}.inputs`, inputs) && existsSync(types)) return;
  const generator = at("node_modules/openapi-typescript/bin/cli.js");
  if ((await capture(NODE, [generator, at("public/openapi.json"), "--output", types])) === null) {
    throw new Failure("The client's types could not be generated: run `npx openapi-typescript public/openapi.json`.");
  }
  writeFileSync(`${types}.inputs`, inputs);
}

/** A Python client, from the API's document, in build/python; the folder of the tools that made it. */
export async function pythonClient() {
  const tools = await openapiTools();
  const config = "scripts/lib/openapi-python-client.yaml";
  const inputs = fingerprint(["public/openapi.json", config], basename(dirname(tools)));
  const client = at("build/python/tenantry_client");
  if (stamped(`${client}.inputs`, inputs) && existsSync(client)) return tools;
  await run(
    join(tools, "openapi-python-client"),
    ["generate", "--path", at("public/openapi.json"), "--meta", "none", "--output-path", client, "--overwrite", "--fail-on-warning", "--config", at(config)],
    { advice: "The Python client could not be generated: see above what the generator can't read in public/openapi.json." },
  );
  writeFileSync(`${client}.inputs`, inputs);
  return tools;
}

async function bundle(name, config, inputs, announce) {
  const directory = at("build/bundles", name);
  if (stamped(`${directory}.inputs`, inputs) && existsSync(directory)) return;
  announce(`Bundling the ${name} as the tests load it …`);
  rmSync(directory, { recursive: true, force: true });
  await run(NODE, [WRANGLER, "deploy", "--dry-run", "--config", config, "--env", "", "--outdir", directory], {
    env: { ...QUIET_WRANGLER, WRANGLER_LOG: "warn" },
    input: "ignore",
    advice: `The ${name} Worker could not be bundled: see wrangler's output above.`,
  });
  writeFileSync(`${directory}.inputs`, inputs);
}
