// The whole service for a test run: product and sandbox on free ports, with a state directory of their own that goes with them.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logFile } from "./log.mjs";
import { freePort, migrate, serve } from "./runtime.mjs";

/**
 * Starts both. `kill` and `restart` act on the product. The sandbox continues, and so does its record of external calls. `vars` and
 * `secrets` override the usual ones, and `env` the environment of the runtimes. `entry` is served in place of the product's own bundle,
 * until a `restart` names another.
 */
export async function startService({ vars, secrets: more, entry, env } = {}) {
  const stateDir = mkdtempSync(join(tmpdir(), "tenantry-"));
  const secrets = {
    JWT_SECRET: randomBytes(32).toString("hex"),
    GAS_HMAC_SECRET: randomBytes(32).toString("hex"),
    RESEND_API_KEY: `re_${randomBytes(16).toString("hex")}`,
    DATA_KEY: randomBytes(32).toString("base64"),
    METRICS_TOKEN: randomBytes(16).toString("hex"),
    ...more,
  };
  // In place of .dev.vars: what a developer added there must not change a test.
  const envFile = join(stateDir, "secrets.env");
  writeFileSync(envFile, Object.entries(secrets).map(([key, value]) => `${key}="${value}"\n`).join(""), { mode: 0o600 });

  let served = entry;
  const output = [];
  const keep = logFile(stateDir);
  const begin = (name, port) => {
    const own = name === "product" ? { vars, entry: served } : {};
    const onLine = (line) => {
      output.push(line);
      if (name === "product") keep(line);
    };
    return serve(name, { port, stateDir, envFile, env, ...own, onLine });
  };
  const ports = { product: await freePort(), sandbox: await freePort() };
  let product;
  let sandbox;
  const stop = async () => {
    await Promise.all([product, sandbox].map((worker) => worker?.stop()));
    rmSync(stateDir, { recursive: true, force: true });
  };
  try {
    [sandbox, product] = await Promise.all([
      begin("sandbox", ports.sandbox),
      migrate(stateDir).then(() => begin("product", ports.product)),
    ]);
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    url: product.url,
    sandboxUrl: sandbox.url,
    secrets,
    stateDir,
    /** Everything that both printed. */
    output,
    /** SIGKILL to the product's whole process group. */
    kill: () => product.kill(),
    async restart({ entry = served } = {}) {
      served = entry;
      product = await begin("product", ports.product);
    },
    /** Ends both and removes the state. */
    stop,
  };
}
