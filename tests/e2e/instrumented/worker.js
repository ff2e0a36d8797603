// The product with every call to D1, to the objects and through EGRESS recorded. A test can take D1 or the objects away. It can end an
// object right before or after one of its calls, or have a call fail in any way. Nothing of the product is replaced.
import Product, { Provisioner as ProductObject } from "product";

export { CircuitBreaker } from "product";

const LONG_MS = 600_000;
/** Longer than the first wait of a step, and within every limit. */
const SLOW_MS = 3_500;

/**
 * D1: "ok", "down", "hanging" or "absent". The object and the breakers: "ok", "failing" or "hanging". The product's time limits: "on" or
 * "off".
 */
const behaviour = { database: "ok", object: "ok", breaker: "ok", limits: "on" };
/** What was called: {by: "request" | "mail" (one that a request left behind) | "object" | "tally" (an isolate that writes down what it answered), tenant?, kind: "batch" | "object" | "breaker" | "egress", …}. */
let calls = [];
/**
 * By tenant: the moments of its object's calls so far, those of them that belong to no task, and the strike at one of them: {at, kind:
 * "reset" | "break" | "slow"}.
 */
const moments = new Map();
const between = new Map();
const strikes = new Map();
/** By tenant: for how many milliseconds from then each alarm was set that its object set from inside of one. */
const alarms = new Map();
/** By tenant: SQL to run in its object's storage when that is next begun, and what it answered, with what else lies there. */
const operations = new Map();
const storages = new Map();
/** By tenant: what its object called at each task so far, and what is to happen to one of these calls: {task, what, nth, how}. */
const work = new Map();
const disturbances = new Map();
const held = new Set();
/** The tenants whose object was ended by a test. */
const ended = new Set();

/** Every call of an object has two moments, before it leaves and after it came back. At either, the run may end or the call fail. */
async function moment(object, when, what) {
  if (object === null) return;
  const seen = moments.get(object.tenant) ?? [];
  moments.set(object.tenant, [...seen, `${when} ${what}`]);
  if (taskOf(object) === null) between.set(object.tenant, [...(between.get(object.tenant) ?? []), seen.length]);
  const strike = strikes.get(object.tenant);
  if (strike?.at !== seen.length) return;
  strikes.delete(object.tenant);
  if (strike.kind === "slow") return scheduler.wait(SLOW_MS);
  if (strike.kind === "reset") await reset(object);
  throw new Error("broken by a test");
}

/** What the object is at, by its own checkpoint: a step, a step's undoing, or nothing that belongs to one. */
function taskOf(object) {
  const { stage, undo } = checkpointOf(object) ?? {};
  if (undo) return undo.stage.running ? `undo_${undo.stage.running.step}` : null;
  return stage?.running?.step ?? null;
}

/** Null if there is none, or none that can be read. */
function checkpointOf({ context }) {
  try {
    const [row] = context.storage.sql.exec("select run from checkpoint").toArray();
    return JSON.parse(row.run);
  } catch {
    return null;
  }
}

/** Notes a call that belongs to a task; answers how it is to be disturbed. */
function disturbance(object, what) {
  const task = object && taskOf(object);
  if (!task) return undefined;
  const calls = work.get(object.tenant) ?? {};
  work.set(object.tenant, calls);
  (calls[task] ??= []).push(what);
  const wanted = disturbances.get(object.tenant);
  const nth = calls[task].filter((one) => one === what).length - 1;
  if (wanted?.task !== task || wanted.what !== what || wanted.nth !== nth) return undefined;
  disturbances.delete(object.tenant);
  return wanted.how;
}

async function reset(object) {
  // In a turn of its own, as a reset from outside comes: never with the product's code on the stack.
  await scheduler.wait(1);
  ended.add(object.tenant);
  object.context.abort("reset by a test");
}

const MANNERS = {
  reset,
  async forget(object) {
    await object.context.storage.deleteAlarm();
    await reset(object);
  },
  hold(object) {
    held.add(object.tenant);
    return scheduler.wait(LONG_MS);
  },
  hang: () => scheduler.wait(LONG_MS),
  break() {},
};

/** `send` makes the call; it may be given a fault for the sandbox to act out. */
async function carryOut(object, how, send) {
  if (typeof how !== "string") return send(how);
  const [manner, when] = how.split(" ");
  if (when === "after") await Promise.allSettled([send()]);
  await MANNERS[manner](object);
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

/** Only the first call of a mail says so by itself: the others follow it. */
const mailed = (object, isMails) => (object === null && isMails && calls.some(({ by }) => by === "mail") ? { by: "mail" } : {});

function observed(env, object) {
  const by = object === null ? { by: "request" } : { by: "object", tenant: object.tenant };
  const DB = over(env.DB, {
    async batch(statements) {
      const sql = statements.map(({ statement }) => statement);
      const what = `batch: ${sql[0].trim().split(/\s+/).slice(0, 3).join(" ")}`;
      await moment(object, "before", what);
      const isMail = object === null && /^\s*update mails\b/.test(sql[0]);
      const other = sql[0].includes("into request_counts") ? { by: "tally" } : isMail ? { by: "mail" } : {};
      const answers = await carryOut(object, disturbance(object, "D1"), () => answer(env.DB, statements)).catch((error) => {
        calls.push({ ...by, ...other, kind: "failed batch", sql });
        throw error;
      });
      const total = (name) => answers.reduce((sum, { meta }) => sum + (meta[name] ?? 0), 0);
      calls.push({ ...by, ...other, kind: "batch", sql, rowsRead: total("rows_read"), rowsWritten: total("rows_written"), rowsChanged: total("changes") });
      await moment(object, "after", what);
      return answers;
    },
  });
  const EGRESS = over(env.EGRESS, {
    async fetch(request, init) {
      const { host } = new URL(request.url ?? request);
      await moment(object, "before", host);
      const response = await carryOut(object, disturbance(object, host), (fault) => env.EGRESS.fetch(scripted(request, fault), init));
      calls.push({ ...by, ...mailed(object, host === "api.resend.com"), kind: "egress", host });
      await moment(object, "after", host);
      return response;
    },
  });
  const BREAKER = objects(env.BREAKER, async (id, send) => {
    await moment(object, "before", `breaker ${id.name}`);
    calls.push({ ...by, ...mailed(object, id.name === "resend"), kind: "breaker", upstream: id.name });
    const response = await carryOut(object, disturbance(object, "its breaker"), async () => {
      await disturbed(behaviour.breaker);
      return send();
    });
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

/** The sandbox does to this one call what its header says. */
function scripted(request, fault) {
  if (fault === undefined) return request;
  const copy = new Request(request);
  copy.headers.set("sandbox-fault", JSON.stringify(fault));
  return copy;
}

// A call that is held is held for as long as the test wants: without limits nothing that takes a second or more ever comes.
const { setTimeout } = globalThis;
globalThis.setTimeout = (then, ms, ...rest) => (behaviour.limits === "off" && ms >= 1000 ? 0 : setTimeout(then, ms, ...rest));

export class Provisioner extends ProductObject {
  constructor(context, env) {
    const tenant = context.id.name;
    watchAlarms(context, tenant);
    if (operations.has(tenant)) operate(context, tenant);
    super(context, observed(env, { context, tenant }));
  }
}

function watchAlarms(context, tenant) {
  const { storage } = context;
  const setAlarm = storage.setAlarm.bind(storage);
  storage.setAlarm = (time, options) => {
    alarms.set(tenant, [...(alarms.get(tenant) ?? []), Number(time) - Date.now()]);
    return setAlarm(time, options);
  };
}

/** Before the product's own code: the object is asked for, and finds its storage so. */
function operate(context, tenant) {
  const { sql, clear } = operations.get(tenant);
  operations.delete(tenant);
  context.blockConcurrencyWhile(async () => {
    const { storage } = context;
    const tables = storage.sql.exec("select name from sqlite_master where name not glob '_cf_*'").toArray();
    const rows = sql === undefined ? [] : storage.sql.exec(sql).toArray();
    storages.set(tenant, { tables: tables.map(({ name }) => name), rows, alarm: await storage.getAlarm() });
    if (!clear) return;
    await storage.deleteAlarm();
    await storage.deleteAll();
  });
}

export default class extends Product {
  constructor(context, env) {
    const PROVISIONER = objects(env.PROVISIONER, async (_id, send) => {
      calls.push({ by: "request", kind: "object" });
      await disturbed(behaviour.object);
      return send();
    });
    super(context, { ...observed(env, null), PROVISIONER });
    this.database = env.DB;
  }

  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (!pathname.startsWith("/__test/")) return super.fetch(request);
    return control(request, pathname.slice("/__test/".length), searchParams.get("tenant"), this.database);
  }
}

async function control(request, path, tenant, database) {
  const input = ["PUT", "POST"].includes(request.method) ? await request.json() : undefined;
  switch (`${request.method} ${path}`) {
    case "PUT behaviour":
      return Response.json(Object.assign(behaviour, input));
    case "PUT strike":
      strikes.set(input.tenant, input);
      return Response.json({});
    case "PUT disturbance":
      disturbances.set(input.tenant, input);
      return Response.json({});
    // Whatever the product sees of it.
    case "POST sql":
      return Response.json((await database.prepare(input.statement).bind(...input.params).all()).results);
    case "GET alarms":
      return Response.json(alarms.get(tenant) ?? []);
    case "PUT operation":
      operations.set(input.tenant, input);
      storages.delete(input.tenant);
      return Response.json({});
    case "GET storage":
      return Response.json(storages.get(tenant) ?? null);
    case "GET work":
      return Response.json({ work: work.get(tenant) ?? {}, disturbed: !disturbances.has(tenant), ended: ended.has(tenant) });
    case "GET held":
      return Response.json([...held]);
    case "GET calls":
      return Response.json(calls);
    case "DELETE calls":
      calls = [];
      return Response.json({});
    case "GET moments":
      return Response.json({
        moments: moments.get(tenant) ?? [],
        between: between.get(tenant) ?? [],
        struck: !strikes.has(tenant),
      });
    default:
      return new Response("no such control", { status: 404 });
  }
}
