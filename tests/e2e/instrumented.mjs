// The harness over the product as tests/e2e/instrumented/worker.js wraps it.
//
//   const h = await startInstrumented();
//   await h.behave({ database: "down" });
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { startHarness } from "./harness.mjs";

const at = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The instrumented product, of which `built` is the build, as a bundle in a directory of its own: `{directory, remove}`. */
export async function instrumentedBundle(built = at("build")) {
  const directory = mkdtempSync(join(tmpdir(), "tenantry-instrumented-"));
  await build({
    entryPoints: [at("tests/e2e/instrumented/worker.js")],
    outfile: join(directory, "index.js"),
    bundle: true,
    format: "esm",
    external: ["*.wasm", "cloudflare:*"],
    alias: { product: join(built, "index.js") },
    logLevel: "error",
  });
  copyFileSync(join(built, "index_bg.wasm"), join(directory, "index_bg.wasm"));
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** `options` as of `startHarness`. */
export async function startInstrumented(options = {}) {
  const { directory, remove } = await instrumentedBundle();
  const h = await startHarness({ ...options, productDirectory: directory });
  return {
    ...controls(h.api),
    ...h,
    async close() {
      await h.close();
      remove();
    },
  };
}

/** What can be told to the instrumented product, over its API. */
export function controls(api) {
  const control = async (method, path, body) => {
    const response = await api(method, `/__test/${path}`, { body });
    if (response.status !== 200) throw new Error(`${method} /__test/${path}: ${response.status}`);
    return response.body;
  };
  return {
    /**
     * `{database?: "ok" | "down" | "hanging" | "absent", object?: "ok" | "failing" | "hanging", breaker?: likewise, limits?: "on" | "off"}`,
     * until told otherwise: without limits the product waits for ever.
     */
    behave: (behaviour) => control("PUT", "behaviour", behaviour),
    /** At the `at`-th moment of the tenant's object: "reset" ends the object, as a deploy does; "break" fails the call, "slow" has it take seconds. */
    strike: (tenant, at, kind) => control("PUT", "strike", { tenant, at, kind }),
    /** The moments of the tenant's object so far, which of them belong to no task, and whether its strike, if it has one, has come. */
    moments: (tenant) => control("GET", `moments?tenant=${tenant}`),
    /**
     * Disturbs the `nth` call, from zero, of the tenant's object to `what` ("D1", "its breaker", or a host). `task` is a step, or `undo_`
     * and a step. `how` says what happens, and whether before the call or after it. "reset before" ends the object, as a deploy does, and
     * "forget after" ends it together with its alarm. "break" fails the call, "hang" and "hold" never let it return. For a call to the
     * outside it may be a fault for the sandbox to act out.
     */
    disturb: (tenant, { task, what, nth = 0, how }) => control("PUT", "disturbance", { tenant, task, what, nth, how }),
    /** What the tenant's object called so far at each task, whether its disturbance, if it has one, has come, and whether it was ever ended. */
    work: (tenant) => control("GET", `work?tenant=${tenant}`),
    /** For how many milliseconds the tenant's object set each alarm so far. */
    alarms: (tenant) => control("GET", `alarms?tenant=${tenant}`),
    /**
     * When the tenant's object next starts, this SQL runs in its storage first. With `clear` all of the storage is deleted, its alarm too.
     * `storage` answers what that found, once it came to it: `{tables, rows, alarm}`.
     */
    operate: (tenant, { sql, clear } = {}) => control("PUT", "operation", { tenant, sql, clear }),
    storage: (tenant) => control("GET", `storage?tenant=${tenant}`),
    /** The tenants of which a call is held. */
    held: () => control("GET", "held"),
    /** Runs one statement on D1, whatever the product sees of it, and answers its rows. */
    sql: (statement, ...params) => control("POST", "sql", { statement, params }),
    /** What was called since the last `forget`. */
    calls: () => control("GET", "calls"),
    forget: () => control("DELETE", "calls"),
  };
}
