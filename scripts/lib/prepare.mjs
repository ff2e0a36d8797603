// The first line of every entry script: sets up what the script needs, then makes sure that it runs under npm's Node 24.
import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { Failure, NODE, exitWith, withBins } from "./project.mjs";
import * as build from "./build.mjs";
import * as setup from "./setup.mjs";

/** `needs`: any of "worker", "bundles", "secrets". Under another Node it does not return: a second process goes on. */
export async function prepare(...needs) {
  try {
    await setup.nodePackages();
    if (needs.includes("secrets")) setup.secrets();
    if (needs.includes("bundles")) await build.bundles();
    else if (needs.includes("worker")) await build.worker();
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
