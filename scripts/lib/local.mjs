// The service on this machine, as `npm start` and `npm run dev` run it: product and sandbox until Ctrl-C, on ports and data that outlive the run.
import { resolve } from "node:path";
import { COLOUR, logFile } from "./log.mjs";
import { Failure, ROOT, at, exitWith, harmless, say } from "./project.mjs";
import { claimPort, migrate, serve } from "./runtime.mjs";

/** Where it runs: PORT, SANDBOX_PORT and STATE_DIR, or 8787, 8788 and .wrangler/state. Fails while a port is in use. */
export async function claimedPlace() {
  const place = {
    port: portOf("PORT", 8787),
    sandboxPort: portOf("SANDBOX_PORT", 8788),
    stateDir: resolve(ROOT, process.env.STATE_DIR || ".wrangler/state"),
  };
  if (place.port === place.sandboxPort) throw new Failure(`PORT and SANDBOX_PORT are both ${place.port}: choose two different ports.`);
  await claimPort(place.port, "PORT");
  await claimPort(place.sandboxPort, "SANDBOX_PORT");
  return place;
}

/** Starts both, of which the product is served from `entry`, or as wrangler.toml says. A signal ends both, and this process. */
export async function startLocal({ port, sandboxPort, stateDir }, { entry, command }) {
  const running = new Set();
  let stopping = false;
  const stop = async (code) => {
    if (stopping) return;
    stopping = true;
    await Promise.all([...running].map((worker) => worker.stop()));
    process.exit(code);
  };
  const begun = (worker) => {
    running.add(worker);
    worker.exited.then(() => {
      if (stopping || !running.has(worker)) return;
      process.stderr.write(`✗ The ${worker.name} ended unexpectedly: see its output above, then run ${command} again.\n`);
      stop(1);
    });
    return worker;
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => stop(0));

  say("Starting (database migrations, sandbox, product) …");
  const keep = logFile(stateDir);
  const show = print("product");
  const onLine = (line) => {
    keep(line);
    show(line);
  };
  const serveProduct = async (entry) => {
    await migrate(stateDir);
    return begun(await serve("product", { port, stateDir, entry, onLine }));
  };
  let [product, sandbox] = await Promise.all([
    serveProduct(entry),
    // The upstreams know the secrets that the product shares with them.
    serve("sandbox", { port: sandboxPort, stateDir, envFile: at(".dev.vars"), onLine: print("sandbox") }).then(begun),
  ]);
  sweepEveryMinute(product.url);
  process.stdout.write(`\n  Product  ${product.url}\n  Sandbox  ${sandbox.url}  (what its upstreams received: mail, calls, faults)\n\n  Ctrl-C stops both; the data stays in ${stateDir}\n\n`);
  return {
    stopping: () => stopping,
    /** Serves the product again, from another entry. The sandbox continues, with what it received. */
    async restart(entry) {
      running.delete(product);
      await product.stop();
      if (!stopping) product = await serveProduct(entry);
    },
  };
}

/** What a Worker logs, without wrangler's own announcements. */
function print(name) {
  const noise = /^(\[wrangler:info\]|⎔|env\.|Binding |Your Worker has access|Service bindings, |Using secrets|\s*$)/;
  let skipping = false;
  return (line) => {
    // wrangler warns, over several lines, that it does not fire cron triggers: sweepEveryMinute does.
    if (line.includes("Scheduled Workers are not automatically triggered")) skipping = true;
    else if (!/^(\s|$)/.test(line)) skipping = false;
    if (skipping || noise.test(line)) return;
    const shown = harmless(line.replaceAll(COLOUR, ""));
    process.stdout.write(name === "sandbox" ? `sandbox | ${shown}\n` : `${shown}\n`);
  };
}

/** The cron trigger of wrangler.toml, which the local runtime leaves to us. */
function sweepEveryMinute(url) {
  setInterval(() => fetch(`${url}/cdn-cgi/local/scheduled`).catch(() => {}), 60_000).unref();
}

function portOf(variable, otherwise) {
  const text = process.env[variable];
  if (!text) return otherwise;
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  return exitWith(new Failure(`${variable}=${text} is not a port: give a number from 1 to 65535.`));
}
