// The first line of every entry script: sets up what the script needs, then makes sure that it runs under npm's Node 24.
import { spawn } from "node:child_process";
import { NODE, exitWith, withBins } from "./project.mjs";
import * as build from "./build.mjs";
import * as setup from "./setup.mjs";

/** `needs`: any of "worker", "bundles", "secrets". Does not return in the first process: the second one goes on. */
export async function prepare(...needs) {
  if (process.env.TENANTRY_PREPARED) {
    // Set for this process alone: a program that it starts prepares itself.
    delete process.env.TENANTRY_PREPARED;
    return;
  }
  try {
    await setup.nodePackages();
    if (needs.includes("secrets")) setup.secrets();
    if (needs.includes("bundles")) await build.bundles();
    else if (needs.includes("worker")) await build.worker();
  } catch (error) {
    exitWith(error);
  }
  await again();
}

/** Runs this very script under npm's Node, passing on signals and the exit code. */
function again() {
  const child = spawn(NODE, process.argv.slice(1), { stdio: "inherit", env: withBins({ TENANTRY_PREPARED: "1" }) });
  // A terminal's Ctrl-C reaches both; a signal sent to us alone has to be passed on. Either way the child decides when to end.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", exitWith);
  child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 143)));
  return new Promise(() => {});
}
