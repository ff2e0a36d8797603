// The product behind a pane of glass: each call to D1, to the object and through EGRESS is noted, and a test can take D1 or the
// object away, or end an object right before or after one of its calls. Nothing of the product is replaced.
import Product, { Provisioner as ProductObject } from "product";

const LONG_MS = 600_000;

/** D1: "ok", "down", "hanging" or "absent". The object: "ok", "failing" or "hanging". */
const behaviour = { database: "ok", object: "ok" };
/** What was called: {by: "request" | "object", tenant?, kind: "batch" | "object" | "egress", …}. */
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
  return behaviour.database === "absent" ? { ...env, DB: undefined, EGRESS } : { ...env, DB, EGRESS };
}

export class Provisioner extends ProductObject {
  constructor(context, env) {
    super(context, observed(env, { context, tenant: context.id.name }));
  }
}

// Around the object's own fetch: a Rust object's methods live on an instance that its constructor hands out.
const objects = (namespace) =>
  over(namespace, {
    get(id) {
      const stub = namespace.get(id);
      return over(stub, {
        async fetch(request, init) {
          calls.push({ by: "request", kind: "object" });
          if (behaviour.object === "failing") throw new Error("The object was taken away by a test.");
          if (behaviour.object === "hanging") await scheduler.wait(LONG_MS);
          return stub.fetch(request, init);
        },
      });
    },
  });

export default class extends Product {
  constructor(context, env) {
    super(context, { ...observed(env, null), PROVISIONER: objects(env.PROVISIONER) });
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
