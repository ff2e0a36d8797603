// The first line of every entry script: sets up what the script needs, then makes sure that it runs under npm's Node 24.
import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { Failure, NODE, exitWith, say, withBins } from "./project.mjs";
import * as build from "./build.mjs";
import * as setup from "./setup.mjs";

/**
 * `needs`: any of "rust", "secrets", "bindgen", "worker", "bundles" (which need the Worker). Under another Node it does not return: a
 * second process continues. Rust comes first: where it is missing, nothing has been downloaded in vain.
 */
export async function prepare(...needs) {
  const wanted = new Set(needs.includes("bundles") ? [...needs, "worker"] : needs);
  if (wanted.has("worker")) wanted.add("bindgen");
  const steps = [
    ...(wanted.size > 0 ? [setup.rust] : []),
    setup.nodePackages,
    ...(wanted.has("secrets") ? [setup.secrets] : []),
    ...(wanted.has("bindgen") ? [setup.bindgen] : []),
    ...(wanted.has("worker") ? [build.worker] : []),
    ...(wanted.has("bundles") ? [build.bundles] : []),
  ];
  try {
    for (const [before, step] of steps.entries()) await step((line) => say(`Step ${before + 1} of ${steps.length}: ${line}`));
  } catch (error) {
    exitWith(error);
  }
  await onProjectNode();
}

/** For a script that installs nothing and leaves standard output to its result. */
export async function onProjectNode() {
  if (!existsSync(NODE)) exitWith(new Failure("The Node packages are missing: run npm install."));
  if (process.execPath !== realpathSync(NODE)) await again();
}

/** Runs this very script under npm's Node, where all is set up by now, passing on signals and the exit code. */
function again() {
  const child = spawn(NODE, process.argv.slice(1), { stdio: "inherit", env: withBins({}) });
  // A terminal's Ctrl-C reaches both; a signal sent to us alone has to be passed on. Either way the child decides when to end.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", exitWith);
  child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 143)));
  return new Promise(() => {});
}
