// The Worker's entry around a stand-in for what is bound to the compiled module: after a panic nothing of the old instance is called.
import assert from "node:assert/strict";
import { test } from "node:test";
import { entrySource } from "../../scripts/lib/entry.mjs";

/** As wasm-bindgen writes it. */
const BOUND = `
export class CircuitBreaker {
    fetch(req) {
        return "breaker";
    }
}
export class MinifyConfig {
    free() {
    }
}
export class Provisioner {
    constructor(state, env) {
        this.__wbg_inst = instance();
    }
    free() {
    }
    __destroy_into_raw() {
    }
    alarm() {
        return "alarm";
    }
    fetch(req) {
        return "object";
    }
}
export function __wbg_reset_state () {
}
export function __worker_init_state() {
}
export function fetch(req, env, ctx) {
}
export async function scheduled(event, env, ctx) {
}
export function start() {
}
`;

/** The entry as a module, over `bound`, and the listener that it adds. */
async function load(bound) {
  const listeners = [];
  globalThis.__entryTest = { bound, add: (kind, listener) => listeners.push([kind, listener]) };
  const source = entrySource(BOUND)
    .replace(/^import \{ WorkerEntrypoint \}.*$/m, "class WorkerEntrypoint { constructor(ctx, env) { this.ctx = ctx; this.env = env; } }")
    .replace(/^import \* as bound.*$/m, "const { bound, add: addEventListener } = globalThis.__entryTest; const console = { log() {}, error() {} };");
  const module = await import(`data:text/javascript,${encodeURIComponent(`${source}\n// ${Math.random()}`)}`);
  return { module, listeners };
}

/** What is bound: an instance that counts, and answers or fails as it is told. */
function stand() {
  const state = { criticalError: false, instanceId: 0 };
  const it = { state, instance: 0, calls: [], fail: null };
  const call = (what, ...given) => {
    it.calls.push([what, it.instance, ...given]);
    if (it.fail) throw it.fail;
    return what;
  };
  it.bound = {
    __worker_init_state: () => state,
    __wbg_reset_state: () => (it.instance += 1),
    fetch: (...given) => call("fetch", ...given),
    scheduled: (...given) => call("scheduled", ...given),
    CircuitBreaker: class {
      fetch() {}
    },
    Provisioner: class {
      constructor(...given) {
        this.made = it.instance;
        call("new", ...given);
      }
      free() {}
      __destroy_into_raw() {}
      alarm() {
        assert.equal(this.made, it.instance, "an object of the instance before is called");
        return call("alarm");
      }
      fetch(request) {
        assert.equal(this.made, it.instance, "an object of the instance before is called");
        return call("object", request);
      }
    },
  };
  return it;
}

const PANIC = new WebAssembly.RuntimeError("unreachable");

test("the runtime's events and the objects are exported, and nothing of the library", async () => {
  const { module } = await load(stand().bound);
  assert.deepEqual(Object.keys(module).sort(), ["CircuitBreaker", "Provisioner", "default"]);
  assert.deepEqual(Object.getOwnPropertyNames(module.default.prototype).sort(), ["constructor", "fetch", "scheduled"]);
  assert.deepEqual(Object.getOwnPropertyNames(module.Provisioner.prototype).sort(), ["alarm", "constructor", "fetch"]);
});

test("an event is given what it is about, the bindings and the context", async () => {
  const it = stand();
  const { module } = await load(it.bound);
  assert.equal(new module.default("context", "bindings").fetch("request"), "fetch");
  assert.deepEqual(it.calls, [["fetch", 0, "request", "bindings", "context"]]);
});

for (const [how, panic] of [
  ["a panic in a call", (it, entry) => {
    it.fail = PANIC;
    assert.throws(() => entry.fetch("request"), PANIC);
    it.fail = null;
  }],
  ["a panic in a task of its own", (_it, _entry, [[kind, listener]]) => {
    assert.equal(kind, "error");
    listener({ error: PANIC });
  }],
  ["a panic that the Rust code notes", (it) => {
    it.state.criticalError = true;
  }],
]) {
  test(`after ${how} the next call starts a new instance, once, and objects are made anew as they were`, async () => {
    const it = stand();
    const { module, listeners } = await load(it.bound);
    const entry = new module.default("context", "bindings");
    const object = new module.Provisioner("state", "bindings");
    panic(it, entry, listeners);
    it.calls.length = 0;
    assert.equal(object.fetch("request"), "object");
    assert.equal(object.alarm(), "alarm");
    assert.equal(entry.fetch("request"), "fetch");
    assert.deepEqual(it.calls, [["new", 1, "state", "bindings"], ["object", 1, "request"], ["alarm", 1], ["fetch", 1, "request", "bindings", "context"]]);
    assert.deepEqual(it.state, { criticalError: false, instanceId: 1 });
  });
}

test("what fails without a panic keeps the instance", async () => {
  const it = stand();
  const { module } = await load(it.bound);
  it.fail = new Error("refused");
  assert.throws(() => new module.default("context", "bindings").fetch("request"), /refused/);
  assert.equal(it.state.criticalError, false);
});

test("an object that can't be made is made in a new instance the next time", async () => {
  const it = stand();
  const { module } = await load(it.bound);
  it.fail = new Error("half made");
  assert.throws(() => new module.Provisioner("state", "bindings"), /half made/);
  it.fail = null;
  new module.Provisioner("state", "bindings");
  assert.equal(it.instance, 1);
});
