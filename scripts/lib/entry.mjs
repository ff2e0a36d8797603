// The Worker's entry, written around what the compiled Rust exports: the runtime's events and its Durable Objects.
//
// A panic ends the WebAssembly instance that it happens in, and what it left in memory is not to be trusted. So each call first checks
// whether that happened, and then starts a new instance. An object of an earlier instance is created again first.

/** What the runtime calls in a Worker, of which the Rust code exports some. */
const EVENTS = ["fetch", "scheduled", "queue", "email", "tail", "connect"];

/** The entry's source, for the exports of `bound`, the JavaScript that is bound to the compiled module. */
export function entrySource(bound) {
  const functions = [...bound.matchAll(/^export (?:async )?function (\w+)\s*\(/gm)].map(([, name]) => name);
  // Each class ends at a brace in the first column. Those that answer no request are of the library, and nobody's object.
  const classes = [...bound.matchAll(/^export class (\w+) \{$([\s\S]*?)^\}$/gm)];
  const objects = classes.filter(([, , body]) => /^\s+(?:async )?fetch\(/m.test(body)).map(([, name]) => name);
  const events = functions.filter((name) => EVENTS.includes(name));
  return `${FRAME}
class Entry extends WorkerEntrypoint {
${events.map((name) => `  ${name}(event) {\n    return guarded(() => bound.${name}(event, this.env, this.ctx));\n  }\n`).join("")}}
export default Entry;
${objects.map((name) => `export const ${name} = durable(bound.${name});\n`).join("")}`;
}

const FRAME = `
import { WorkerEntrypoint } from "cloudflare:workers";
import * as bound from "./bound.js";

Error.stackTraceLimit = 100;

// The Rust code's panic hook writes it too.
const health = bound.__worker_init_state();

function renewed() {
  if (!health.criticalError) return;
  console.log("Reinitializing Wasm application");
  bound.__wbg_reset_state();
  health.criticalError = false;
  health.instanceId += 1;
}

function noted(error) {
  if (!(error instanceof WebAssembly.RuntimeError)) return;
  console.error("Critical", error);
  health.criticalError = true;
}

// What fails in a task of its own, and not in a call, ends here.
addEventListener("error", ({ error }) => noted(error));

function guarded(call) {
  renewed();
  try {
    return call();
  } catch (error) {
    noted(error);
    throw error;
  }
}

function durable(Bound) {
  return class {
    #given;
    #inner;
    #instanceId;

    constructor(...given) {
      this.#given = given;
      renewed();
      this.#make();
    }

    #make() {
      try {
        this.#inner = new Bound(...this.#given);
        this.#instanceId = health.instanceId;
      } catch (error) {
        health.criticalError = true;
        throw error;
      }
    }

    static {
      for (const name of Object.getOwnPropertyNames(Bound.prototype)) {
        if (["constructor", "free", "__destroy_into_raw"].includes(name)) continue;
        this.prototype[name] = function (...given) {
          return guarded(() => {
            if (this.#instanceId !== health.instanceId) this.#make();
            return this.#inner[name](...given);
          });
        };
      }
    }
  };
}
`;
