// The release build in one workerd, without the proxy that `wrangler dev` puts in front: what is measured is the Worker.
// The sandbox runs in a workerd of its own, so that its work is not counted.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { QUIET_WRANGLER, ROOT, at } from "../../scripts/lib/project.mjs";
import { until } from "../client.mjs";
import { storedSql } from "./peer/sql.mjs";

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

/** A mail that has not left by then waits for the sweep. */
const SWEEP_AFTER_MS = 20_000;

/**
 * Starts a build of the product with its upstreams: `{url, pid, sql, rows, drained, sandbox, sandboxUrl, stop}`. With `inspected` its
 * runtime has an inspector, at `inspectorUrl`.
 */
export const startProduct = (directory = at("build/bundles/product"), options = {}) => withSandbox(bundle(directory), options);

/** Starts the peer, over a database, a workerd and upstreams of its own. */
export const startPeer = (options = {}) => withSandbox(PEER(), options);

async function withSandbox(modules, options) {
  const sandbox = miniflare(worker("scripts/sandbox/wrangler.toml", bundle(at("build/bundles/sandbox"))));
  const { href: sandboxUrl } = await sandbox.ready;
  const egress = (request) => sandbox.dispatchFetch(request.url, request);
  const started = await startedWith(worker("wrangler.toml", modules), egress, options);
  return {
    ...started,
    sandboxUrl,
    /** Waits until every mail has left. What a slow machine did not send beside its signup, the sweep sends. */
    async drained() {
      let sweepAt = Date.now() + SWEEP_AFTER_MS;
      await until(
        async () => {
          const [{ n }] = await started.rows("select count(*) as n from mails where status = 'pending'");
          if (n > 0 && Date.now() > sweepAt) {
            await started.sweep();
            sweepAt = Date.now() + SWEEP_AFTER_MS;
          }
          return n === 0;
        },
        { within: 300_000, every: 10, what: "the mails to leave" },
      );
    },
    sandbox: (path, init) => sandbox.dispatchFetch(new URL(path, "http://sandbox.localhost"), init),
    stop: () => Promise.all([started.stop(), sandbox.dispose()]),
  };
}

async function startedWith(options, egress, { inspected = false }) {
  const before = workerdPids();
  const bound = { ...options, serviceBindings: { EGRESS: egress }, unsafeDirectSockets: LOOPBACK };
  const instance = miniflare(bound, inspected ? { inspectorPort: 0 } : {});
  await instance.ready;
  const database = await instance.getD1Database("DB");
  for (const file of readdirSync(at("migrations")).sort()) {
    const statements = unstable_splitSqlQuery(readFileSync(at("migrations", file), "utf8"));
    await database.batch(statements.map((statement) => database.prepare(statement)));
  }
  return {
    url: await instance.unsafeGetDirectURL(),
    ...(inspected && { inspectorUrl: await instance.getInspectorURL() }),
    pid: workerdPids().find((pid) => !before.includes(pid)),
    sql: (statement, ...values) => database.prepare(statement).bind(...values).run(),
    rows: async (statement, ...values) => (await database.prepare(statement).bind(...values).all()).results,
    sweep: () => instance.dispatchFetch("http://localhost/cdn-cgi/local/scheduled").then((answer) => answer.text()),
    stop: () => instance.dispose(),
  };
}

/**
 * A start of workerd with the product, the peer or an empty Worker of the same bindings, in milliseconds: all of it up to the
 * first answer, and the isolate's part of it, from the first request to its answer.
 */
export async function startUp(kind) {
  const modules = { product: () => bundle(at("build/bundles/product")), peer: PEER, empty: EMPTY }[kind]();
  const begun = performance.now();
  const instance = miniflare({
    ...worker("wrangler.toml", modules),
    serviceBindings: { EGRESS: NOWHERE },
    unsafeDirectSockets: LOOPBACK,
  });
  await instance.ready;
  const url = new URL("/health/live", await instance.unsafeGetDirectURL());
  const asked = performance.now();
  const response = await fetch(url);
  await response.arrayBuffer();
  const answered = performance.now();
  await instance.dispose();
  return { total: answered - begun, first: answered - asked };
}

/** User and system time of a process so far, in milliseconds. */
export function cpuMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function miniflare(options, shared = {}) {
  return new Miniflare(
    // wrangler still speaks the options of Miniflare 4.
    convertV4MiniflareOptions({ ...shared, unsafeTriggerHandlers: true, log: new Log(LogLevel.NONE), handleStructuredLogs: () => {}, workers: [options] }),
  );
}

/** A Worker from its configuration and its modules, without static assets: the platform serves those, not the Worker. */
function worker(config, modules) {
  const { workerOptions } = unstable_getMiniflareWorkerOptions(at(config));
  const { assets, ...options } = workerOptions;
  return { ...options, bindings: { ...options.bindings, ...SECRETS }, ...modules };
}

function bundle(directory) {
  return {
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

const LOOPBACK = [{ host: "127.0.0.1", port: 0 }];
const NOWHERE = () => new Response(null, { status: 502 });

const CLASSES = "export class Provisioner {}\nexport class CircuitBreaker {}\n";

const EMPTY = () => ({
  modulesRoot: ROOT,
  modules: [
    { type: "ESModule", path: at("empty.js"), contents: `${CLASSES}export default { fetch: () => new Response("{}") };` },
  ],
});

const PEER = () => ({
  modulesRoot: at("tests/bench/peer"),
  modules: [
    { type: "ESModule", path: at("tests/bench/peer/index.js") },
    { type: "ESModule", path: at("tests/bench/peer/sql.js"), contents: `export default ${JSON.stringify(storedSql())};` },
  ],
});

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
