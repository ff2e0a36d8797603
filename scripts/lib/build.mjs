// Builds the Worker, and the bundles that the tests load. Each part is skipped while its inputs are what they were.
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { Failure, NODE, QUIET_WRANGLER, WRANGLER, at, capture, fingerprint, run, say, stamped } from "./project.mjs";
import { buildTools, openapiTools, rust } from "./setup.mjs";

const STAMP = at("build/.inputs");

/** `worker-build --release` into build/, when sources, lock file, tools or compiler changed. */
export async function worker() {
  await rust();
  const tools = await buildTools();
  const compiler = await capture("rustc", ["--version", "--verbose"]);
  const inputs = fingerprint(["Cargo.toml", "Cargo.lock", "src", "package-lock.json"], `${compiler} ${basename(dirname(tools))}`);
  if (stamped(STAMP, inputs) && existsSync(at("build/index.js"))) return;
  say("Building the Worker (worker-build --release; a few minutes the first time) …");
  const started = Date.now();
  rmSync(STAMP, { force: true });
  await run(`${tools}/worker-build`, ["--release"], {
    // Named, or worker-build would download its own.
    env: {
      WASM_BINDGEN_BIN: `${tools}/wasm-bindgen`,
      WASM_OPT_BIN: at("node_modules/binaryen/bin/wasm-opt"),
      ESBUILD_BIN: at("node_modules/esbuild/bin/esbuild"),
    },
    advice: "The Worker could not be built: see the compiler's output above.",
  });
  // worker-build has wasm-opt keep the names of all functions: a sixth of the upload, and only a debugger reads them.
  const wasm = at("build/index_bg.wasm");
  await run(NODE, [at("node_modules/binaryen/bin/wasm-opt"), wasm, "--all-features", "--strip-debug", "-o", wasm], {
    advice: "The Worker's names could not be stripped: see wasm-opt's output above.",
  });
  writeFileSync(STAMP, inputs);
  say(`Built in ${Math.round((Date.now() - started) / 1000)} s`);
}

/** Both Workers as `createTestHarness` loads them: bundled once, not at every start. */
export async function bundles() {
  await worker();
  await clientTypes();
  await bundle("product", at("wrangler.toml"), fingerprint(["build/.inputs", "wrangler.toml", "package-lock.json"]));
  await bundle("sandbox", at("scripts/sandbox/wrangler.toml"), fingerprint(["scripts/sandbox", "package-lock.json"]));
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
  const inputs = fingerprint(["public/openapi.json"], basename(dirname(tools)));
  const client = at("build/python/tenantry_client");
  if (stamped(`${client}.inputs`, inputs) && existsSync(client)) return tools;
  await run(
    join(tools, "openapi-python-client"),
    ["generate", "--path", at("public/openapi.json"), "--meta", "none", "--output-path", client, "--overwrite", "--fail-on-warning"],
    {
      // It calls a formatter that is installed beside it.
      env: { PATH: `${tools}:${process.env.PATH}` },
      advice: "The Python client could not be generated: see above what the generator can't read in public/openapi.json.",
    },
  );
  writeFileSync(`${client}.inputs`, inputs);
  return tools;
}

async function bundle(name, config, inputs) {
  const directory = at("build/bundles", name);
  if (stamped(`${directory}.inputs`, inputs) && existsSync(directory)) return;
  rmSync(directory, { recursive: true, force: true });
  await run(NODE, [WRANGLER, "deploy", "--dry-run", "--config", config, "--env", "", "--outdir", directory], {
    env: { ...QUIET_WRANGLER, WRANGLER_LOG: "warn" },
    input: "ignore",
    advice: `The ${name} Worker could not be bundled: see wrangler's output above.`,
  });
  writeFileSync(`${directory}.inputs`, inputs);
}
