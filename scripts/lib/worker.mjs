// From Rust sources to what the runtime loads: compiled, bound to JavaScript, made small, and bundled into index.js, with its source map, and
// index_bg.wasm.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { entrySource } from "./entry.mjs";
import { NODE, ROOT, at, run } from "./project.mjs";
import { bindgen } from "./setup.mjs";

const TARGET = "wasm32-unknown-unknown";

/** What rustc and wasm-bindgen make use of. Named one by one: the runtime need not know what wasm-opt knows besides. */
const FEATURES = [
  "bulk-memory",
  "exception-handling",
  "multivalue",
  "mutable-globals",
  "nontrapping-float-to-int",
  "reference-types",
  "sign-ext",
].map((name) => `--enable-${name}`);

/**
 * Builds the crate in `root` into `output`. With `release` it is as small and fast as possible. Without, it is ready as soon as possible.
 * The old contents of `output` stay until all of the new is there.
 */
export async function buildWorker({ root = ROOT, output, release }) {
  const tool = await bindgen();
  const target = process.env.CARGO_TARGET_DIR && root === ROOT ? process.env.CARGO_TARGET_DIR : join(root, "target");
  await run("cargo", ["build", "--lib", "--target", TARGET, "--target-dir", target, ...(release ? ["--release"] : [])], {
    cwd: root,
    // wasm-bindgen's macros then take what is asynchronous from js-sys, as the crate `worker` wants it.
    env: { WASM_BINDGEN_USE_JS_SYS: "1" },
    advice: "The Worker could not be compiled: see the compiler's output above.",
  });
  const folder = `${output}.new`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await run(tool, [join(target, TARGET, release ? "release" : "debug", "tenantry.wasm"), folder], {
    advice: "The Worker could not be bound to JavaScript: see above. wasm-bindgen must have one version in Cargo.toml and scripts/bindgen.",
  });
  if (release) await shrink(join(folder, "index_bg.wasm"));
  await bundle(folder, release);
  mkdirSync(output, { recursive: true });
  for (const name of ["index_bg.wasm", "index.js.map", "index.js"]) renameSync(join(folder, name), join(output, name));
  rmSync(folder, { recursive: true, force: true });
}

/**
 * The functions' names go with it: a sixth of the upload, and only a debugger reads them. Ordered by name, functions that are alike stand
 * side by side: 13 KB less once compressed.
 */
async function shrink(wasm) {
  await run(NODE, [at("node_modules/binaryen/bin/wasm-opt"), wasm, "-Oz", "--reorder-functions-by-name", ...FEATURES, "-o", wasm], {
    advice: "The Worker could not be made smaller: see wasm-opt's output above.",
  });
}

async function bundle(folder, release) {
  // The runtime has a module at hand where the proposed `import source` is written.
  const bound = readFileSync(join(folder, "index.js"), "utf8").replaceAll(/^import source /gm, "import ");
  writeFileSync(join(folder, "bound.js"), bound);
  writeFileSync(join(folder, "entry.js"), entrySource(bound));
  const args = ["entry.js", "--bundle", "--format=esm", "--external:./index_bg.wasm", "--external:cloudflare:*", "--outfile=index.js", "--sourcemap"];
  await run(at("node_modules/esbuild/bin/esbuild"), [...args, "--allow-overwrite", "--log-level=warning", ...(release ? ["--minify"] : [])], {
    cwd: folder,
    advice: "The Worker could not be bundled: see esbuild's output above.",
  });
}
