// `npm run bench [-- --quick]`: the release build in the real runtime on loopback. A table on the screen, JSON in bench-results.json.
//
// Rounds are interleaved, every case in every round, and each figure is the median over the rounds. Absolute figures drift with the
// machine; the ratios to `health/live` of the same round hold.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { Worker } from "node:worker_threads";
import { gzipSync } from "node:zlib";
import { at, exitWith, say } from "../../scripts/lib/project.mjs";
import { prepare } from "../../scripts/lib/prepare.mjs";
import { client } from "../client.mjs";
import { peakMb } from "./processes.mjs";

const PLAN = process.argv.includes("--quick")
  ? { rounds: 2, ms: 300, runs: { 1: 4, 32: 32 }, starts: 2 }
  : { rounds: 7, ms: 1_000, runs: { 1: 10, 32: 64 }, starts: 7 };
const CONCURRENCY = [1, 32];
const BASE = "health/live";
const RUN = "a whole starter run";
/** Aims at 32 connections, as shares of health/live's requests per second. */
const AIMS = { whoami: 0.28, "provision-status": 0.14, "signup/start": 0.12 };

await prepare("bundles");
const { cpuMs, startProduct, startUp } = await import("./runtime.mjs");

try {
  await bench();
  process.exit(0);
} catch (error) {
  exitWith(error);
}

async function bench() {
  say(`Start-up: ${PLAN.starts} starts of the product and of an empty Worker, in turn …`);
  const starts = { product: [], empty: [] };
  for (let n = 0; n < PLAN.starts; n++) {
    for (const kind of Object.keys(starts)) starts[kind].push(await startUp(kind));
  }

  const product = await startProduct();
  const load = new Worker(new URL("./load.mjs", import.meta.url));
  const measure = async (job) => {
    const before = cpuMs(product.pid);
    const result = await ask(load, { url: product.url.href, ...job });
    return { ...result, cpuMs: (cpuMs(product.pid) - before) / result.count };
  };
  const idleMb = peakMb(product.pid);
  const cases = await prepareCases(product);
  const samples = {};
  for (const [name, request] of Object.entries(cases)) await measure({ request, concurrency: 8, ms: PLAN.ms / 2, name });
  for (let round = 1; round <= PLAN.rounds; round++) {
    say(`Round ${round} of ${PLAN.rounds} …`);
    for (const concurrency of CONCURRENCY) {
      for (const [name, request] of Object.entries(cases)) {
        ((samples[concurrency] ??= {})[name] ??= []).push(await measure({ request, concurrency, ms: PLAN.ms }));
      }
      (samples[concurrency][RUN] ??= []).push(await measure({ concurrency, runs: PLAN.runs[concurrency] }));
    }
  }
  const results = {
    machine: { cpu: cpus()[0].model, cores: cpus().length, node: process.version },
    rounds: PLAN.rounds,
    cases: Object.fromEntries(CONCURRENCY.map((concurrency) => [concurrency, ratios(samples[concurrency])])),
    memoryMb: { idle: idleMb, peak: peakMb(product.pid) },
    startUpMs: { product: median(starts.product), empty: median(starts.empty) },
    uploadKbGzip: uploadSize(),
  };
  await load.terminate();
  await product.stop();
  print(results);
  writeFileSync(at("bench-results.json"), `${JSON.stringify(results, null, 2)}\n`);
  say("Written to bench-results.json");
}

/** One provisioned club to ask about, and a promo code without an end. */
async function prepareCases(product) {
  const { signup, confirm, settled } = client({ url: product.url, sandboxFetch: product.sandbox });
  await product.sql("insert into promo_codes (code, discount_percent, created_at) values ('BENCH', 10, unixepoch())");
  const club = await signup({ plan: "starter" });
  await confirm(club);
  const { status } = await settled(club);
  if (status !== "completed") throw new Error(`the first club ended ${status}`);
  const headers = { authorization: `Bearer ${club.jwt}` };
  return {
    [BASE]: { method: "GET", path: "/health/live" },
    whoami: { method: "GET", path: "/whoami", headers },
    "provision-status": { method: "GET", path: `/api/v1/tenants/${club.tenantId}/provision-status`, headers },
    "signup/start": { method: "POST", path: "/public/signup/start", form: {} },
    "signup/start, promo": { method: "POST", path: "/public/signup/start", form: { promoCode: "BENCH" } },
  };
}

/** Medians over the rounds; ratios are taken within a round before the median. */
function ratios(byName) {
  const base = byName[BASE];
  return Object.fromEntries(
    Object.entries(byName).map(([name, rounds]) => [
      name,
      {
        perSecond: median(rounds.map((round) => round.perSecond)),
        ratio: median(rounds.map((round, n) => round.perSecond / base[n].perSecond)),
        p50Ms: median(rounds.map((round) => round.p50)),
        p99Ms: median(rounds.map((round) => round.p99)),
        cpuMs: median(rounds.map((round) => round.cpuMs)),
        cpuRatio: median(rounds.map((round, n) => round.cpuMs / base[n].cpuMs)),
      },
    ]),
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
    const rows = Object.entries(cases[concurrency]).map(([name, figures]) => ({
      [`c = ${concurrency}`]: name,
      "req/s": Math.round(figures.perSecond),
      ratio: figures.ratio.toFixed(3),
      aim: (concurrency === 32 && AIMS[name]) || "",
      "p50 ms": figures.p50Ms.toFixed(2),
      "p99 ms": figures.p99Ms.toFixed(2),
      "CPU ms": figures.cpuMs.toFixed(3),
      "CPU ratio": figures.cpuRatio.toFixed(1),
    }));
    process.stdout.write(`\n${table(rows)}\n`);
  }
  const promo = cases[32]["signup/start, promo"].perSecond / cases[32]["signup/start"].perSecond;
  process.stdout.write(`
promo against plain signup   ${promo.toFixed(2)} (aim: at least 0.9)
peak memory of workerd       ${memoryMb.peak.toFixed(0)} MB under load (aim: at most 300), ${memoryMb.idle.toFixed(0)} MB before
upload, gzipped              ${uploadKbGzip.wasm.toFixed(0)} KB WebAssembly (aim: at most 250) and ${uploadKbGzip.javascript.toFixed(0)} KB JavaScript
start-up to first answer     ${startUpMs.product.toFixed(0)} ms, ${(startUpMs.product - startUpMs.empty).toFixed(0)} ms over an empty JavaScript Worker

`);
}

function table(rows) {
  const columns = Object.keys(rows[0]);
  const cells = [columns, ...rows.map((row) => columns.map((column) => String(row[column])))];
  const widths = columns.map((_, n) => Math.max(...cells.map((line) => line[n].length)));
  return cells.map((line) => line.map((cell, n) => (n === 0 ? cell.padEnd(widths[n]) : cell.padStart(widths[n]))).join("  ")).join("\n");
}

/** One job to the load thread. */
function ask(thread, job) {
  return new Promise((done, fail) => {
    thread.once("message", ({ result, error }) => (error ? fail(new Error(error)) : done(result)));
    thread.postMessage(job);
  });
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
