// The Worker as the version before would have been: of the same sources, but that its pro plan has one step less.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure, at, fingerprint, say, stamped } from "../../scripts/lib/project.mjs";
import { MAKERS } from "../../scripts/lib/build.mjs";
import { buildWorker } from "../../scripts/lib/worker.mjs";

const STEPS = "src/domain/provisioning.rs";
const LESS = "                Self::VerifySpreadsheet,\n";

/** Answers the directory of the build; skipped while its inputs are what they were. */
export async function olderBuild() {
  const root = at("target/older");
  const built = join(root, "build");
  const inputs = fingerprint(["Cargo.toml", "Cargo.lock", "src", "tests/soak/older.mjs", ...MAKERS]);
  if (stamped(join(root, ".inputs"), inputs)) return built;
  say("Building the version before, with a step less …");
  for (const name of ["src", "build"]) rmSync(join(root, name), { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  for (const name of ["Cargo.toml", "Cargo.lock", "src"]) cpSync(at(name), join(root, name), { recursive: true });
  // Named in Cargo.toml.
  mkdirSync(join(root, "tests/api"), { recursive: true });
  writeFileSync(join(root, "tests/api/main.rs"), "");
  const text = readFileSync(join(root, STEPS), "utf8");
  if (text.split(LESS).length !== 2) throw new Failure(`${STEPS} has changed: say in tests/soak/older.mjs what the version before lacks.`);
  writeFileSync(join(root, STEPS), text.replace(LESS, ""));
  await buildWorker({ root, output: built, release: true });
  writeFileSync(join(root, ".inputs"), inputs);
  return built;
}
