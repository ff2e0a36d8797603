// The product and its sandbox as two `wrangler dev` runtimes, so that either can be killed without the other.
// Used by `npm start`, the crash tests and the benchmark. They find each other through a registry inside the state directory:
// several checkouts, or several test runs, never meet.
import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Failure, NODE, QUIET_WRANGLER, WRANGLER, at, fingerprint, stamped, withBins } from "./project.mjs";

const HOST = "127.0.0.1";
const READY_WITHIN_MS = 120_000;

export const CONFIG = { product: at("wrangler.toml"), sandbox: at("scripts/sandbox/wrangler.toml") };

/** A port that is free now; the system chooses. */
export const freePort = () => listenOnce(0);

/** Fails with one line when something listens on the port already. */
export async function claimPort(port, variable) {
  try {
    await listenOnce(port);
  } catch (error) {
    throw new Failure(
      error.code === "EADDRINUSE"
        ? `Port ${port} is in use: stop what uses it, or choose another with ${variable}=… npm start.`
        : `Port ${port} can't be used (${error.code}): choose another with ${variable}=… npm start.`,
    );
  }
}

function listenOnce(port) {
  return new Promise((done, fail) => {
    const server = createServer().once("error", fail);
    server.listen(port, HOST, () => {
      const { port: actual } = server.address();
      server.close(() => done(actual));
    });
  });
}

/** Applies the migrations that the local database lacks. Asking wrangler costs seconds, so the same set is not asked about twice. */
export async function migrate(stateDir) {
  const stamp = join(stateDir, "migrations.applied");
  const wanted = fingerprint(["migrations"]);
  if (stamped(stamp, wanted) && existsSync(join(stateDir, "v3/d1"))) return;
  const args = ["d1", "migrations", "apply", "DB", "--local", "--persist-to", stateDir, "--config", CONFIG.product, "--env", ""];
  const child = spawnWrangler(args, stateDir);
  const lines = [];
  follow(child, (line) => lines.push(line));
  const code = await new Promise((done) => child.on("error", done).on("close", done));
  if (code !== 0) throw new Failure(`The migrations could not be applied to the database in ${stateDir}:\n${lines.join("\n")}`);
  writeFileSync(stamp, wanted);
}

/**
 * Starts one Worker on a port and resolves when it answers. `envFile` replaces .dev.vars; `onLine` gets every line it prints;
 * `vars` are passed over the configuration's, and `entry` is served in place of its `main`.
 */
export function serve(name, { port, stateDir, envFile, vars = {}, env = {}, entry, onLine = () => {} }) {
  const args = ["dev", ...(entry ? [entry] : []), "--config", CONFIG[name], "--env", "", "--ip", HOST, "--port", String(port), "--inspector-port", "0"];
  // Each runtime has a directory of its own. Two runtimes on one would open each other's databases, and lock each other out while one
  // starts.
  args.push("--persist-to", name === "product" ? stateDir : join(stateDir, name), "--show-interactive-dev-session=false");
  if (envFile) args.push("--env-file", envFile);
  for (const [key, value] of Object.entries(vars)) args.push("--var", `${key}:${value}`);
  const child = spawnWrangler(args, stateDir, env);
  const guard = guardGroup(child.pid);
  const exited = new Promise((done) => child.once("exit", done));
  const signal = (kind) => {
    try {
      process.kill(-child.pid, kind);
    } catch (error) {
      if (error.code !== "ESRCH") throw error;
    }
  };

  const worker = {
    name,
    url: `http://${HOST}:${port}`,
    pid: child.pid,
    exited,
    /** Ends it in order; what has not ended after five seconds is killed. */
    async stop() {
      signal("SIGTERM");
      const timer = setTimeout(() => signal("SIGKILL"), 5_000);
      await exited;
      clearTimeout(timer);
      signal("SIGKILL");
      guard.kill();
    },
    /** The power cut: wrangler and workerd, at once, without a chance to write anything. */
    async kill() {
      signal("SIGKILL");
      await exited;
      guard.kill();
    },
  };

  const printed = [];
  return new Promise((done, fail) => {
    const late = setTimeout(() => giveUp("was not ready within two minutes"), READY_WITHIN_MS);
    const giveUp = async (what) => {
      clearTimeout(late);
      await worker.kill();
      fail(new Failure(`The ${name} ${what}. It printed:\n${printed.slice(-40).join("\n")}`));
    };
    child.on("error", (error) => giveUp(`could not be started (${error.message})`));
    const endedEarly = () => giveUp("ended while starting");
    child.once("exit", endedEarly);
    follow(child, (line) => {
      onLine(line);
      if (printed.length < 1_000) printed.push(line);
      if (/Ready on http/.test(line)) {
        clearTimeout(late);
        child.off("exit", endedEarly);
        done(worker);
      }
    });
  });
}

/** A wrangler in a process group of its own: a Ctrl-C in the terminal reaches us alone, and we end the whole group. */
function spawnWrangler(args, stateDir, env = {}) {
  return spawn(NODE, [WRANGLER, ...args], {
    cwd: at(),
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: withBins({ ...QUIET_WRANGLER, WRANGLER_REGISTRY_PATH: join(stateDir, "registry"), NO_COLOR: "1", ...env }),
  });
}

/** Hands on each printed line; an object that the console spread over several lines comes as one. */
function follow(child, onLine) {
  for (const stream of [child.stdout, child.stderr]) {
    let object = null;
    createInterface({ input: stream }).on("line", (line) => {
      if (object === null && line !== "{") return onLine(line);
      object = [...(object ?? []), line.trim()];
      if (line !== "}") return;
      onLine(object.join(" "));
      object = null;
    });
  }
}

/** Outlives this process by a moment: when this process ends in any way, even by SIGKILL, its input closes and it kills the group. */
function guardGroup(pid) {
  const guard = spawn("sh", ["-c", 'cat >/dev/null; kill -s KILL -- "-$0" 2>/dev/null', String(pid)], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  guard.stdin.on("error", () => {});
  guard.unref();
  guard.stdin.unref();
  return { kill: () => guard.kill("SIGKILL") };
}
