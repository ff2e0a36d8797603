// `npm run bench [-- --quick | --starts | --heap]`: the release build in the real runtime on loopback, and beside it a peer: a Worker in
// JavaScript, written by hand for the same requests. A table on the screen, JSON in bench-results.json.
//
// Rounds are interleaved, every case on both in every round, and each figure is the median over the rounds. Absolute figures drift
// with the machine; the ratios within a round hold. `--starts` measures cold starts only; `--against=<folder>` measures another build's
// bundle (a copy of build/bundles/product) in the same rounds. `--heap` says what requests leave behind in memory, and measures no times;
// `--heap=<folder>` also keeps the snapshots there.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { at, exitWith, say } from "../../scripts/lib/project.mjs";
import { prepare } from "../../scripts/lib/prepare.mjs";
import { ask, loadThread, prepareCases, table } from "./cases.mjs";
import { peakMb } from "./processes.mjs";

const IS_QUICK = process.argv.includes("--quick");
const PLAN = IS_QUICK
  ? { rounds: 2, ms: 300, runs: { 1: 4, 32: 32 }, starts: 2 }
  : { rounds: 7, ms: 1_000, runs: { 1: 10, 32: 64 }, starts: 7 };
const CONCURRENCY = [1, 32];
/** The bundle of another build. */
const AGAINST = process.argv.find((argument) => argument.startsWith("--against="))?.slice("--against=".length);
const HEAP = process.argv.find((argument) => /^--heap(=|$)/.test(argument));
const RUN = "a whole starter run";
/** Aims at 32 connections, as shares of the peer's requests per second. */
const AIMS = { "health/live": 0.65, whoami: 0.92, "provision-status": 0.95, "signup/start": 0.95 };

await prepare("bundles");
const { cpuMs, startPeer, startProduct, startUp } = await import("./runtime.mjs");
const { checkAlike } = await import("./alike.mjs");

try {
  if (HEAP) await (await import("./heap.mjs")).heap({ isQuick: IS_QUICK, folder: HEAP.split("=")[1] });
  else await bench();
  process.exit(0);
} catch (error) {
  exitWith(error);
}

async function bench() {
  const startUpMs = await starts();
  if (process.argv.includes("--starts")) return process.stdout.write(`\n${told(startUpMs)}\n`);

  const workers = { ours: await startProduct(), peer: await startPeer() };
  if (AGAINST) workers.against = await startProduct(resolve(AGAINST));
  const load = loadThread();
  const measure = async (worker, job) => {
    const before = cpuMs(worker.pid);
    const result = await ask(load, { url: worker.url.href, sandboxUrl: worker.sandboxUrl, ...job });
    const { count } = result;
    let { perSecond } = result;
    if (job.request?.form || job.runs) {
      // Done is a signup when its mail has left.
      const answered = performance.now();
      await worker.drained();
      perSecond = count / (count / perSecond + (performance.now() - answered) / 1000);
      await worker.sandbox("/__sandbox/reset", { method: "POST" });
    }
    return { ...result, perSecond, cpuMs: (cpuMs(worker.pid) - before) / count };
  };
  const cases = await prepareCases(workers);
  await checkAlike(cases, workers);
  const idleMb = eachOf(workers, ({ pid }) => peakMb(pid));
  const samples = {};
  const note = (who, concurrency, name, sample) => (((samples[concurrency] ??= {})[name] ??= { ours: [], peer: [], against: [] })[who].push(sample));
  for (const request of Object.values(cases)) {
    for (const worker of Object.values(workers)) await measure(worker, { request, concurrency: 8, ms: PLAN.ms / 2 });
  }
  for (let round = 1; round <= PLAN.rounds; round++) {
    say(`Round ${round} of ${PLAN.rounds} …`);
    // Each goes first every other time.
    const order = Object.entries(workers);
    if (round % 2 === 0) order.reverse();
    for (const concurrency of CONCURRENCY) {
      for (const [name, request] of Object.entries(cases)) {
        for (const [who, worker] of order) note(who, concurrency, name, await measure(worker, { request, concurrency, ms: PLAN.ms }));
      }
    }
  }
  // The peer sets nothing up, so what is measured beside it comes before the whole runs.
  const memoryMb = { idle: idleMb, peak: eachOf(workers, ({ pid }) => peakMb(pid)) };
  for (const concurrency of CONCURRENCY) {
    for (let round = 1; round <= PLAN.rounds; round++) {
      note("ours", concurrency, RUN, await measure(workers.ours, { concurrency, runs: PLAN.runs[concurrency] }));
    }
  }
  const results = {
    machine: { cpu: cpus()[0].model, cores: cpus().length, node: process.version },
    rounds: PLAN.rounds,
    cases: Object.fromEntries(CONCURRENCY.map((concurrency) => [concurrency, ratios(samples[concurrency])])),
    memoryMb,
    startUpMs,
    uploadKbGzip: uploadSize(),
  };
  await load.terminate();
  await Promise.all(Object.values(workers).map((worker) => worker.stop()));
  print(results);
  writeFileSync(at("bench-results.json"), `${JSON.stringify(results, null, 2)}\n`);
  say("Written to bench-results.json");
}

/** Medians of starts, in turn. */
async function starts() {
  say(`Cold starts: ${PLAN.starts} of the product, the peer and an empty Worker, in turn …`);
  const samples = { product: [], peer: [], empty: [] };
  for (let n = 0; n < PLAN.starts; n++) {
    for (const kind of Object.keys(samples)) samples[kind].push(await startUp(kind));
  }
  const medians = (part) => eachOf(samples, (starts) => median(starts.map((start) => start[part])));
  return { total: medians("total"), first: medians("first") };
}

/** Medians over the rounds; ratios to the peer are taken within a round before the median. */
function ratios(byName) {
  return Object.fromEntries(
    Object.entries(byName).map(([name, { ours, peer, against }]) => {
      const to = (other, field) => (other.length > 0 ? median(ours.map((sample, n) => sample[field] / other[n][field])) : null);
      const own = (samples) => Object.fromEntries(["perSecond", "p50", "p99", "cpuMs"].map((f) => [f, median(samples.map((s) => s[f]))]));
      return [
        name,
        {
          ours: own(ours),
          peer: peer.length > 0 ? own(peer) : null,
          ratio: to(peer, "perSecond"),
          cpuRatio: to(peer, "cpuMs"),
          toOtherBuild: to(against, "perSecond"),
        },
      ];
    }),
  );
}

/** What is uploaded: the bundle's code, without its source map. */
function uploadSize() {
  const directory = at("build/bundles/product");
  const size = (pattern) =>
    readdirSync(directory)
      .filter((name) => pattern.test(name))
      .reduce((sum, name) => sum + gzipSync(readFileSync(`${directory}/${name}`)).length, 0) / 1024;
  return { wasm: size(/\.wasm$/), javascript: size(/\.js$/) };
}

function print({ cases, memoryMb, startUpMs, uploadKbGzip }) {
  for (const concurrency of CONCURRENCY) {
    const rows = Object.entries(cases[concurrency]).map(([name, { ours, peer, ratio, cpuRatio, toOtherBuild }]) => ({
      [`c = ${concurrency}`]: name,
      "req/s": Math.round(ours.perSecond),
      peer: peer ? Math.round(peer.perSecond) : "",
      ratio: ratio?.toFixed(2) ?? "",
      aim: (concurrency === 32 && AIMS[name]) || "",
      "p50 ms": ours.p50.toFixed(2),
      "p99 ms": ours.p99.toFixed(2),
      "CPU ms": ours.cpuMs.toFixed(3),
      "CPU ratio": cpuRatio?.toFixed(2) ?? "",
      ...(AGAINST && { "to the other build": toOtherBuild?.toFixed(2) ?? "" }),
    }));
    process.stdout.write(`\n${table(rows)}\n`);
  }
  const promo = cases[32]["signup/start, promo"].ours.perSecond / cases[32]["signup/start"].ours.perSecond;
  const { ours, peer } = memoryMb.peak;
  process.stdout.write(`
promo against plain signup   ${promo.toFixed(2)} (aim: at least 0.9)
peak memory of workerd       ${ours.toFixed(0)} MB under load, the peer's ${peer.toFixed(0)} MB: ${(ours / peer).toFixed(2)} (aim: at most 1.3)
                             ${memoryMb.idle.ours.toFixed(0)} MB before, the peer's ${memoryMb.idle.peer.toFixed(0)} MB
upload, gzipped              ${uploadKbGzip.wasm.toFixed(0)} KB WebAssembly (aim: at most 380) and ${uploadKbGzip.javascript.toFixed(0)} KB JavaScript
${told(startUpMs)}
`);
}

function told({ total, first }) {
  const line = (times) => `product ${times.product.toFixed(0)} ms, peer ${times.peer.toFixed(0)} ms, empty Worker ${times.empty.toFixed(0)} ms`;
  return `start-up to first answer     ${line(total)}\nof it, the first request     ${line(first)}\n`;
}

function eachOf(record, read) {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, read(value)]));
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
