// `npm run bench -- --heap`: what requests leave behind in the isolate. Before and after so many requests of a route a heap snapshot is
// taken; what the second has more is left. The first time fills caches and compiles what was never run, so each is done twice.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { say } from "../../scripts/lib/project.mjs";
import { checkAlike } from "./alike.mjs";
import { ask, loadThread, prepareCases, table } from "./cases.mjs";
import { inspect } from "./inspector.mjs";
import { peakMb } from "./processes.mjs";
import { startPeer, startProduct } from "./runtime.mjs";
import { byConstructor, bytesOf, difference, sides, wasmMemory } from "./snapshot.mjs";

const CONNECTIONS = 8;
/** Of each round. A signup writes rows and mails, and a run takes seconds: fewer of those. */
const WHOLE = { reads: 2_048, signups: 64, runs: 32 };
const QUICK = { reads: 512, signups: 64, runs: 8 };
const RUN = "a whole starter run";
/** The state of an object that is there, and how long an idle one may be. */
const OBJECT = "workerd / DurableObjectState";
const OBJECTS_END_WITHIN_MS = 60_000;
/** How many constructors are named for a route. */
const NAMED = 3;

/** With `folder` the last snapshot of each route is kept there, for a browser's own tools. */
export async function heap({ isQuick, folder }) {
  const counts = isQuick ? QUICK : WHOLE;
  const options = { inspected: true };
  const workers = { ours: await startProduct(undefined, options), peer: await startPeer(options) };
  const load = loadThread();
  const requests = await prepareCases(workers);
  await checkAlike(requests, workers);
  const jobs = Object.fromEntries(Object.entries(requests).map(([name, request]) => [name, { request, count: request.form ? counts.signups : counts.reads }]));
  const results = {};
  for (const [who, worker] of Object.entries(workers)) {
    // The peer sets nothing up.
    const all = who === "ours" ? { ...jobs, [RUN]: { runs: counts.runs } } : jobs;
    results[who] = await inspected(worker, who, all, load, folder);
  }
  await load.terminate();
  await Promise.all(Object.values(workers).map((worker) => worker.stop()));
  print(results);
}

async function inspected(worker, who, jobs, load, folder) {
  const inspector = await inspect(worker);
  const look = async (name) => {
    const text = await inspector.snapshot();
    if (folder && name) keep(folder, `${who}-${name}`, text);
    const parsed = JSON.parse(text);
    return { held: byConstructor(parsed), wasmKb: wasmMemory(parsed) / 1024 };
  };
  const idle = await look();
  let before = idle;
  const routes = {};
  for (const [name, job] of Object.entries(jobs)) {
    say(`${name}, ${who} …`);
    const rounds = [];
    for (let round = 1; round <= 2; round++) {
      await ask(load, { url: worker.url.href, sandboxUrl: worker.sandboxUrl, concurrency: CONNECTIONS, ...job });
      // What a signup left to be done is done when its mail has left.
      await worker.drained();
      const after = await look(round === 2 && name);
      const grown = difference(before.held, after.held);
      const { left, compiled } = sides(grown);
      rounds.push({ wasmKb: after.wasmKb, each: bytesOf(left) / (job.count ?? job.runs), left, compiled: bytesOf(compiled) });
      before = after;
    }
    // The sandbox keeps what it was sent.
    await worker.sandbox("/__sandbox/reset", { method: "POST" });
    routes[name] = { count: job.count ?? job.runs, rounds };
  }
  const objects = before.held[OBJECT]?.count ?? 0;
  if (objects > 0) {
    say("The objects of those runs are idle, and the runtime ends them …");
    const begun = Date.now();
    const isOver = () => (before.held[OBJECT]?.count ?? 0) === 0 || Date.now() - begun > OBJECTS_END_WITHIN_MS;
    while (!isOver()) before = await look();
  }
  inspector.close();
  return { routes, idle, after: before, objects, objectsLeft: before.held[OBJECT]?.count ?? 0, peakMb: peakMb(worker.pid) };
}

function keep(folder, name, text) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name.replaceAll(/\W+/g, "-")}.heapsnapshot`), text);
}

function print({ ours, peer }) {
  const each = (route, round) => route?.rounds[round].each.toFixed(1) ?? "";
  const rows = Object.entries(ours.routes).map(([name, route]) => ({
    "bytes left by each": name,
    of: route.count,
    first: each(route, 0),
    second: each(route, 1),
    "the peer's first": each(peer.routes[name], 0),
    "and second": each(peer.routes[name], 1),
    "Wasm memory, KB": route.rounds.map(({ wasmKb }) => wasmKb).join(", "),
    "compiled meanwhile, KB": route.rounds.map(({ compiled }) => (compiled / 1024).toFixed(0)).join(", "),
  }));
  process.stdout.write(`\n${table(rows)}\n\nWhat grew most the second time, but for compiled code:\n`);
  for (const [name, { rounds }] of Object.entries(ours.routes)) {
    const most = rounds[1].left.filter(({ bytes }) => bytes > 0).slice(0, NAMED);
    process.stdout.write(`${name.padEnd(20)} ${most.map(({ name, count, bytes }) => `${count} ${name}, ${bytes} B`).join("; ") || "nothing"}\n`);
  }
  const kb = ({ held }) => (bytesOf(held) / 1024).toFixed(0);
  process.stdout.write(`
on the heap                  ${kb(ours.idle)} KB at first, ${kb(ours.after)} KB after all; the peer's ${kb(peer.idle)} and ${kb(peer.after)} KB
objects                      ${ours.objects} after the runs, ${ours.objectsLeft} once they were idle
Wasm memory                  ${ours.idle.wasmKb} KB at first, ${ours.after.wasmKb} KB after all
peak memory of workerd       ${ours.peakMb.toFixed(0)} MB, the peer's ${peer.peakMb.toFixed(0)} MB: ${(ours.peakMb / peer.peakMb).toFixed(2)} (aim: at most 1.3); snapshots are part of it
`);
}
