// `npm start`: sets up what is missing, builds, migrates the local database and serves the product with its sandboxed upstreams.
// PORT, SANDBOX_PORT and STATE_DIR override 8787, 8788 and .wrangler/state; the data outlives the run.
// What the product logs is kept in STATE_DIR/product.log, where `scripts/watch-logs.sh … local` follows it.
import { resolve } from "node:path";
import { COLOUR, logFile } from "./lib/log.mjs";
import { Failure, ROOT, at, exitWith, harmless, noArguments, say } from "./lib/project.mjs";
import { prepare } from "./lib/prepare.mjs";
import { claimPort, migrate, serve } from "./lib/runtime.mjs";

noArguments(import.meta.url);
const port = portOf("PORT", 8787);
const sandboxPort = portOf("SANDBOX_PORT", 8788);
const stateDir = resolve(ROOT, process.env.STATE_DIR || ".wrangler/state");

try {
  if (port === sandboxPort) throw new Failure(`PORT and SANDBOX_PORT are both ${port}: choose two different ports.`);
  await claimPort(port, "PORT");
  await claimPort(sandboxPort, "SANDBOX_PORT");
  await prepare("secrets", "worker");
  await start();
} catch (error) {
  exitWith(error);
}

async function start() {
  const running = [];
  let stopping = false;
  const stop = async (code) => {
    if (stopping) return;
    stopping = true;
    await Promise.all(running.map((worker) => worker.stop()));
    process.exit(code);
  };
  const begun = (worker) => {
    running.push(worker);
    worker.exited.then(() => {
      if (stopping) return;
      process.stderr.write(`✗ The ${worker.name} ended unexpectedly: see its output above, then run npm start again.\n`);
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
  const [sandbox, product] = await Promise.all([
    // The upstreams know the secrets that the product shares with them.
    serve("sandbox", { port: sandboxPort, stateDir, envFile: at(".dev.vars"), onLine: print("sandbox") }).then(begun),
    migrate(stateDir).then(() => serve("product", { port, stateDir, onLine })).then(begun),
  ]);
  sweepEveryMinute(product);
  process.stdout.write(`\n  Product  ${product.url}\n  Sandbox  ${sandbox.url}  (what its upstreams received: mail, calls, faults)\n\n  Ctrl-C stops both; the data stays in ${stateDir}\n\n`);
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
function sweepEveryMinute(product) {
  setInterval(() => fetch(`${product.url}/cdn-cgi/local/scheduled`).catch(() => {}), 60_000).unref();
}

function portOf(variable, otherwise) {
  const text = process.env[variable];
  if (!text) return otherwise;
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  return exitWith(new Failure(`${variable}=${text} is not a port: give a number from 1 to 65535.`));
}
