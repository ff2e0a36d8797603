// The Worker as the version before would have been: of the same sources, but that its pro plan has one step less.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { Failure, at, fingerprint, run, say, stamped } from "../../scripts/lib/project.mjs";
import { buildTools } from "../../scripts/lib/setup.mjs";

const STEPS = "src/domain/provisioning.rs";
const LESS = "                Self::VerifySpreadsheet,\n";

/** Answers the directory of the build; skipped while its inputs are what they were. */
export async function olderBuild() {
  const root = at("target/older");
  const built = join(root, "build");
  const tools = await buildTools();
  const inputs = fingerprint(["Cargo.toml", "Cargo.lock", "src", "tests/soak/older.mjs"], basename(dirname(tools)));
  if (stamped(join(root, ".inputs"), inputs)) return built;
  say("Building the version before, with a step less …");
  for (const name of ["src", "build"]) rmSync(join(root, name), { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  for (const name of ["Cargo.toml", "Cargo.lock", "src"]) cpSync(at(name), join(root, name), { recursive: true });
  // Named in Cargo.toml.
  mkdirSync(join(root, "tests/api"), { recursive: true });
  writeFileSync(join(root, "tests/api/main.rs"), "");
  if (!existsSync(join(root, "node_modules"))) symlinkSync(at("node_modules"), join(root, "node_modules"));
  const text = readFileSync(join(root, STEPS), "utf8");
  if (text.split(LESS).length !== 2) throw new Failure(`${STEPS} has changed: say in tests/soak/older.mjs what the version before lacks.`);
  writeFileSync(join(root, STEPS), text.replace(LESS, ""));
  await run(`${tools}/worker-build`, ["--release"], {
    cwd: root,
    // One of its own: in the checkout's, each of the two would take the other's for its own.
    env: {
      CARGO_TARGET_DIR: join(root, "target"),
      WASM_BINDGEN_BIN: `${tools}/wasm-bindgen`,
      WASM_OPT_BIN: at("node_modules/binaryen/bin/wasm-opt"),
      ESBUILD_BIN: at("node_modules/esbuild/bin/esbuild"),
    },
    advice: "The version before could not be built: see the compiler's output above.",
  });
  writeFileSync(join(root, ".inputs"), inputs);
  return built;
}
