// A Worker's isolate through the runtime's inspector, which speaks the DevTools protocol.
import { once } from "node:events";

/** How long an isolate may leave a question before it is woken for it. */
const PATIENCE_MS = 50;

/** Connects to the isolate of the Worker in a runtime that was started with an inspector: `{snapshot, close}`. */
export async function inspect({ inspectorUrl, url }) {
  const targets = await fetch(new URL("/json", inspectorUrl.href.replace("ws:", "http:"))).then((answer) => answer.json());
  const { webSocketDebuggerUrl } = targets.find(({ id }) => id.startsWith("core:user:"));
  const socket = new WebSocket(webSocketDebuggerUrl);
  const waiting = new Map();
  const chunks = [];
  let asked = 0;
  socket.addEventListener("message", ({ data }) => {
    const { id, method, params, result, error } = JSON.parse(data);
    if (method === "HeapProfiler.addHeapSnapshotChunk") chunks.push(params.chunk);
    const answered = waiting.get(id);
    waiting.delete(id);
    if (error) answered?.fail(new Error(`the inspector: ${error.message}`));
    else answered?.done(result);
  });
  socket.addEventListener("close", () => {
    for (const { fail } of waiting.values()) fail(new Error("the inspector closed the connection"));
  });
  await once(socket, "open");

  async function ask(method, params = {}) {
    const id = ++asked;
    const answer = new Promise((done, fail) => waiting.set(id, { done, fail }));
    socket.send(JSON.stringify({ id, method, params }));
    // Collecting and looking are tasks of the isolate's, and an isolate that has nothing to answer does none.
    while (waiting.has(id)) {
      await Promise.race([answer, new Promise((done) => setTimeout(done, PATIENCE_MS))]);
      if (waiting.has(id)) await fetch(new URL("/health/live", url)).then((response) => response.text());
    }
    return answer;
  }

  return {
    /** What is reachable, as V8 writes it: a text. */
    async snapshot() {
      // The inspector itself keeps what was logged.
      await ask("Runtime.discardConsoleEntries");
      await ask("HeapProfiler.collectGarbage");
      chunks.length = 0;
      await ask("HeapProfiler.takeHeapSnapshot", { reportProgress: false });
      return chunks.join("");
    },
    close: () => socket.close(),
  };
}
