// The release build in one workerd, without the proxy that `wrangler dev` puts in front: what is measured is the Worker.
// The sandbox runs in a workerd of its own, so that its work is not counted.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { QUIET_WRANGLER, ROOT, at } from "../../scripts/lib/project.mjs";

Object.assign(process.env, QUIET_WRANGLER, { WRANGLER_LOG: "error" });
const { Log, LogLevel, Miniflare, convertV4MiniflareOptions } = await import("miniflare");
const { unstable_getMiniflareWorkerOptions, unstable_splitSqlQuery } = await import("wrangler");

export const SECRETS = {
  JWT_SECRET: "the benchmark signs with this very key",
  GAS_HMAC_SECRET: "the benchmark signs Apps Script calls with this",
  RESEND_API_KEY: "re_benchmark",
  DATA_KEY: Buffer.alloc(32, 7).toString("base64"),
  METRICS_TOKEN: "benchmark metrics token",
};

/** Starts the product with its upstreams: `{url, pid, sql, sandbox, stop}`. */
export async function startProduct() {
  const sandbox = miniflare(worker("scripts/sandbox/wrangler.toml", "sandbox"));
  await sandbox.ready;
  const before = workerdPids();
  const options = worker("wrangler.toml", "product");
  options.serviceBindings = { EGRESS: (request) => sandbox.dispatchFetch(request.url, request) };
  options.unsafeDirectSockets = [{ host: "127.0.0.1", port: 0 }];
  const product = miniflare(options);
  await product.ready;
  const database = await product.getD1Database("DB");
  for (const file of readdirSync(at("migrations")).sort()) {
    const statements = unstable_splitSqlQuery(readFileSync(at("migrations", file), "utf8"));
    await database.batch(statements.map((statement) => database.prepare(statement)));
  }
  return {
    url: await product.unsafeGetDirectURL(),
    pid: workerdPids().find((pid) => !before.includes(pid)),
    sql: (statement, ...values) => database.prepare(statement).bind(...values).run(),
    sandbox: (path, init) => sandbox.dispatchFetch(new URL(path, "http://sandbox.localhost"), init),
    stop: () => Promise.all([product.dispose(), sandbox.dispose()]),
  };
}

/** Milliseconds from starting workerd to the first answer: the product's, or an empty JavaScript Worker's with the same bindings. */
export async function startUp(kind) {
  const { modules, modulesRoot, ...bindings } = worker("wrangler.toml", "product");
  const options = { ...bindings, ...(kind === "product" ? { modules, modulesRoot } : EMPTY) };
  options.serviceBindings = { EGRESS: () => new Response(null, { status: 502 }) };
  options.unsafeDirectSockets = [{ host: "127.0.0.1", port: 0 }];
  const started = performance.now();
  const instance = miniflare(options);
  await instance.ready;
  const response = await fetch(new URL("/health/live", await instance.unsafeGetDirectURL()));
  await response.arrayBuffer();
  const ms = performance.now() - started;
  await instance.dispose();
  return ms;
}

/** User and system time of a process so far, in milliseconds. */
export function cpuMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function miniflare(options) {
  return new Miniflare(
    // wrangler still speaks the options of Miniflare 4.
    convertV4MiniflareOptions({ log: new Log(LogLevel.NONE), handleStructuredLogs: () => {}, workers: [options] }),
  );
}

/** A Worker from its configuration and its bundle, without static assets: the platform serves those, not the Worker. */
function worker(config, bundle) {
  const { workerOptions } = unstable_getMiniflareWorkerOptions(at(config));
  const directory = at("build/bundles", bundle);
  const { assets, ...options } = workerOptions;
  return {
    ...options,
    bindings: { ...options.bindings, ...SECRETS },
    modulesRoot: directory,
    modules: readdirSync(directory)
      .filter((name) => !/\.map$|^README/.test(name))
      .sort((a, b) => Number(b === "index.js") - Number(a === "index.js"))
      .map((name) => ({ type: moduleType(name), path: join(directory, name) })),
  };
}

function moduleType(name) {
  if (name === "index.js") return "ESModule";
  return name.endsWith(".wasm") ? "CompiledWasm" : "Text";
}

const EMPTY = {
  modulesRoot: ROOT,
  modules: [
    {
      type: "ESModule",
      path: at("empty.js"),
      contents: 'export class Provisioner {}\nexport default { fetch: () => new Response("{}") };',
    },
  ],
};

/** The workerd processes that we started: our children's stat files name us as their parent. */
function workerdPids() {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const [, name, rest] = /^\d+ \((.*)\) (.*)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"));
        return name === "workerd" && Number(rest.split(" ")[1]) === process.pid;
      } catch {
        return false; // It ended while we looked.
      }
    });
}
