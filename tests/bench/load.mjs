// The load generator, in a thread of its own: keep-alive connections on loopback, one request at a time on each.
// It speaks just enough HTTP/1.1 to be cheaper than what it measures.
import { connect } from "node:net";
import { parentPort } from "node:worker_threads";
import { client, tenantForm, makeWebhook } from "../client.mjs";

/** How long a mail or a run may take. */
const WITHIN_MS = 300_000;

parentPort.on("message", async (job) => {
  try {
    parentPort.postMessage({ result: job.runs ? await starterRuns(job) : await requests(job) });
  } catch (error) {
    parentPort.postMessage({ error: error.stack });
  }
});

/** `concurrency` connections ask for `ms` milliseconds, or `count` times in all; every answer must be a 200. */
async function requests({ url, concurrency, ms, count, request }) {
  const { hostname, port } = new URL(url);
  const head = `${request.method} ${request.path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n${headerLines(request.headers)}`;
  const next = request.form ? () => withBody(head, JSON.stringify(tenantForm(request.form))) : () => `${head}\r\n`;
  const started = performance.now();
  let left = count - concurrency;
  const isMore = count === undefined ? (now) => now < started + ms : () => left-- > 0;
  const latencies = (await Promise.all(Array.from({ length: concurrency }, () => connection(hostname, port, next, isMore)))).flat();
  return summary(latencies, performance.now() - started);
}

function connection(host, port, next, isMore) {
  return new Promise((done, fail) => {
    const latencies = [];
    const socket = connect({ host, port, noDelay: true });
    let sent;
    let received = "";
    const ask = () => {
      const text = next();
      sent = performance.now();
      socket.write(text, "latin1");
    };
    socket.setEncoding("latin1").on("connect", ask).on("error", fail).on("close", () => done(latencies));
    socket.on("data", (chunk) => {
      received += chunk;
      if (!isComplete(received)) return;
      if (!received.startsWith("HTTP/1.1 200")) return socket.destroy(new Error(`unexpected answer: ${received.slice(0, 600)}`));
      const now = performance.now();
      latencies.push(now - sent);
      received = "";
      if (isMore(now)) ask();
      else socket.destroy();
    });
  });
}

function isComplete(text) {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, end + 2));
  return length ? text.length >= end + 4 + Number(length[1]) : text.endsWith("\r\n0\r\n\r\n");
}

/** `runs` tenants from signup, by the proof of their addresses, to `completed`, `concurrency` at a time. */
async function starterRuns({ url, sandboxUrl, concurrency, runs }) {
  const sandboxFetch = (path, init) => fetch(new URL(path, sandboxUrl), init);
  const { signupUnproven, prove, confirm, settled } = client({ url, sandboxFetch });
  const latencies = [];
  let left = runs;
  const started = performance.now();
  const worker = async () => {
    while (left-- > 0) {
      const begun = performance.now();
      const tenant = await prove(await signupUnproven({ plan: "starter" }), { within: WITHIN_MS, every: 10 });
      await confirm(tenant, makeWebhook());
      const { status } = await settled(tenant, { within: WITHIN_MS, every: 10 });
      if (status !== "completed") throw new Error(`a run ended ${status}`);
      latencies.push(performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return summary(latencies, performance.now() - started);
}

function summary(latencies, ms) {
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
  return { count: latencies.length, perSecond: (latencies.length / ms) * 1000, p50: at(0.5), p99: at(0.99) };
}

const headerLines = (headers = {}) => Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
const withBody = (head, body) => `${head}content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
