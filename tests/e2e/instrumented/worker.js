// The product behind a pane of glass: each call to D1, to the objects and through EGRESS is noted, and a test can take D1 or the
// objects away, or end an object right before or after one of its calls. Nothing of the product is replaced.
import Product, { Provisioner as ProductObject } from "product";

export { CircuitBreaker } from "product";

const LONG_MS = 600_000;

/** D1: "ok", "down", "hanging" or "absent". The object and the breakers: "ok", "failing" or "hanging". */
const behaviour = { database: "ok", object: "ok", breaker: "ok" };
/** What was called: {by: "request" | "object", tenant?, kind: "batch" | "object" | "breaker" | "egress", …}. */
let calls = [];
/** By tenant: the moments of its object's calls so far, and what is to happen at one of them: {at, kind: "reset" | "forget" | "break"}. */
const moments = new Map();
const strikes = new Map();

/** Every call of an object has two moments, before it leaves and after it came back; the run may end, or the call fail, at either. */
async function moment(object, when, what) {
  if (object === null) return;
  const seen = moments.get(object.tenant) ?? [];
  moments.set(object.tenant, [...seen, `${when} ${what}`]);
  const strike = strikes.get(object.tenant);
  if (strike?.at !== seen.length) return;
  strikes.delete(object.tenant);
  if (strike.kind === "forget") await object.context.storage.deleteAlarm();
  if (strike.kind === "reset" || strike.kind === "forget") {
    // In a turn of its own, as a reset from outside comes: never with the product's code on the stack.
    await scheduler.wait(1);
    object.context.abort("reset by a test");
  }
  throw new Error("broken by a test");
}

async function answer(database, statements) {
  if (behaviour.database === "down") throw new Error("D1_ERROR: made unavailable by a test");
  if (behaviour.database === "hanging") await scheduler.wait(LONG_MS);
  return database.batch(statements);
}

/** Methods are called on the real thing: bindings refuse a stand-in as `this`. */
const over = (target, methods) =>
  new Proxy(target, {
    get(_, name) {
      if (Object.hasOwn(methods, name)) return methods[name];
      const value = Reflect.get(target, name, target);
      return typeof value === "function" && name !== "constructor" ? value.bind(target) : value;
    },
  });

function observed(env, object) {
  const by = object === null ? { by: "request" } : { by: "object", tenant: object.tenant };
  const DB = over(env.DB, {
    async batch(statements) {
      const sql = statements.map(({ statement }) => statement);
      const what = `batch: ${sql[0].trim().split(/\s+/).slice(0, 3).join(" ")}`;
      await moment(object, "before", what);
      const answers = await answer(env.DB, statements);
      const total = (name) => answers.reduce((sum, { meta }) => sum + (meta[name] ?? 0), 0);
      calls.push({ ...by, kind: "batch", sql, rowsRead: total("rows_read"), rowsWritten: total("rows_written") });
      await moment(object, "after", what);
      return answers;
    },
  });
  const EGRESS = over(env.EGRESS, {
    async fetch(request, init) {
      const { host } = new URL(request.url ?? request);
      await moment(object, "before", host);
      const response = await env.EGRESS.fetch(request, init);
      calls.push({ ...by, kind: "egress", host });
      await moment(object, "after", host);
      return response;
    },
  });
  const BREAKER = objects(env.BREAKER, async (id, send) => {
    await moment(object, "before", `breaker ${id.name}`);
    calls.push({ ...by, kind: "breaker", upstream: id.name });
    await disturbed(behaviour.breaker);
    const response = await send();
    await moment(object, "after", `breaker ${id.name}`);
    return response;
  });
  return { ...env, DB: behaviour.database === "absent" ? undefined : DB, EGRESS, BREAKER };
}

async function disturbed(how) {
  if (how === "failing") throw new Error("The object was taken away by a test.");
  if (how === "hanging") await scheduler.wait(LONG_MS);
}

/** Around the objects' own fetch: a Rust object's methods live on an instance that its constructor hands out. */
function objects(namespace, call) {
  return over(namespace, {
    get(id) {
      const stub = namespace.get(id);
      return over(stub, { fetch: (request, init) => call(id, () => stub.fetch(request, init)) });
    },
  });
}

export class Provisioner extends ProductObject {
  constructor(context, env) {
    super(context, observed(env, { context, tenant: context.id.name }));
  }
}

export default class extends Product {
  constructor(context, env) {
    const PROVISIONER = objects(env.PROVISIONER, async (id, send) => {
      calls.push({ by: "request", kind: "object" });
      await disturbed(behaviour.object);
      return send();
    });
    super(context, { ...observed(env, null), PROVISIONER });
  }

  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (!pathname.startsWith("/__test/")) return super.fetch(request);
    return control(request, pathname.slice("/__test/".length), searchParams.get("tenant"));
  }
}

async function control(request, path, tenant) {
  const input = request.method === "PUT" ? await request.json() : undefined;
  switch (`${request.method} ${path}`) {
    case "PUT behaviour":
      return Response.json(Object.assign(behaviour, input));
    case "PUT strike":
      strikes.set(input.tenant, input);
      return Response.json({});
    case "GET calls":
      return Response.json(calls);
    case "DELETE calls":
      calls = [];
      return Response.json({});
    case "GET moments":
      return Response.json({ moments: moments.get(tenant) ?? [], struck: !strikes.has(tenant) });
    default:
      return new Response("no such control", { status: 404 });
  }
}
