// Runs a Make blueprint on a delivery: exactly the modules, filters and functions that integrations/make/tenantry.blueprint.json uses,
// as Make documents them (help.make.com, "Text and binary functions", "Array functions"; apps.make.com/gateway). Whatever else a blueprint
// uses is an error here. This is no copy of Make: it shows that the scenario's logic is right, not that Make runs it.
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";

/**
 * `{status, body, texts, ran}`: the answer, the variables `text` that routes set, and the names of the modules that ran. `store` is the data
 * store, a Map. `webhook` says which advanced settings of the webhook are on.
 */
export function runScenario(blueprint, { headers, body }, { store = new Map(), now = Date.now() / 1000, webhook = {} } = {}) {
  const { getsHeaders = true, passesJson = true } = webhook;
  const run = { outputs: new Map(), store, now: Math.floor(now), answer: null, texts: [], ran: [] };
  const bundle = passesJson ? { value: body } : JSON.parse(body);
  if (getsHeaders) bundle.__IMTHEADERS__ = Object.entries(headers).map(([name, value]) => ({ name, value }));
  run.bundle = bundle;
  flow(run, blueprint.flow);
  // Without an answer of its own, a scenario's caller is told that the message waits for it.
  const { status, text } = run.answer ?? { status: 200, text: "Accepted" };
  return { status, body: text, texts: run.texts, ran: run.ran };
}

/** Answers whether the flow went on to its end: a filter or a handled error ends it sooner. */
function flow(run, modules) {
  for (const module of modules) {
    if (!passes(run, module.filter)) return false;
    run.ran.push(module.metadata.designer.name);
    try {
      run.outputs.set(module.id, perform(run, module));
    } catch (error) {
      if (!(error instanceof ModuleError) || !module.onerror) throw error;
      const handlers = module.onerror;
      assert.equal(handlers.at(-1).module, "builtin:Ignore", "what handles an error ends by ignoring it");
      flow(run, handlers);
      return false;
    }
  }
  return true;
}

/** What a module in Make reports as its own failure: error handlers are for these. */
class ModuleError extends Error {}

const MODULES = {
  "gateway:CustomWebHook": (run) => run.bundle,
  "util:SetVariable2": (run, { name, value, scope }) => {
    assert.equal(scope, "roundtrip");
    if (name === "text") run.texts.push(value);
    return { [name]: value };
  },
  "json:ParseJSON": (_, { json }) => JSON.parse(json),
  "builtin:Ignore": () => ({}),
  "gateway:WebhookRespond": (run, { status, body, headers }) => {
    assert.equal(run.answer, null, "a second answer is an error in Make");
    assert.deepEqual(headers.map(({ key }) => key), ["content-type"]);
    run.answer = { status: Number(status), text: body };
    return {};
  },
  "datastore:ExistRecord": (run, { key }) => ({ exist: run.store.has(key) }),
  "datastore:AddRecord": (run, { key, data, overwrite }) => {
    if (!overwrite && run.store.has(key)) throw new ModuleError("The key exists.");
    if (run.store.isFull) throw new ModuleError("Out of space.");
    run.store.set(key, data);
    return {};
  },
};

function perform(run, module) {
  if (module.module === "builtin:BasicRouter") {
    // One after the other, and every one whose filter passes.
    for (const route of module.routes) flow(run, route.flow);
    return {};
  }
  const known = MODULES[module.module];
  assert.ok(known, `a module that is not played here: ${module.module}`);
  return known(run, mapped(run, module.mapper ?? {}));
}

const mapped = (run, value) => {
  if (typeof value === "string") return template(run, value);
  if (Array.isArray(value)) return value.map((one) => mapped(run, one));
  if (typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, mapped(run, one)]));
};

const isThere = (value) => value !== undefined && value !== null && value !== "";
const asText = (value) => (isThere(value) ? String(value) : "");
/** Nobody says what Make does with a number that is none. The scenario must not need to know. */
function asNumber(value) {
  const text = asText(value);
  assert.match(text, /^-?\d+$/, "numbers only are compared as such");
  return Number(text);
}

const OPERATORS = {
  exist: (a) => isThere(a),
  notexist: (a) => !isThere(a),
  "text:equal": (a, b) => asText(a) === asText(b),
  "text:notequal": (a, b) => asText(a) !== asText(b),
  "text:contain": (a, b) => asText(a).includes(asText(b)),
  "text:notcontain": (a, b) => !asText(a).includes(asText(b)),
  "boolean:equal": (a, b) => asText(a) === asText(b),
  "number:less": (a, b) => asNumber(a) < asNumber(b),
  "number:greater": (a, b) => asNumber(a) > asNumber(b),
  "number:lessorequal": (a, b) => asNumber(a) <= asNumber(b),
  "number:greaterorequal": (a, b) => asNumber(a) >= asNumber(b),
};

/** Any of the groups, all of the conditions in it. */
function passes(run, filter) {
  if (!filter) return true;
  const holds = ({ a, o, b = "" }) => {
    assert.ok(OPERATORS[o], `an operator that is not played here: ${o}`);
    return OPERATORS[o](template(run, a), template(run, b));
  };
  // Every group is evaluated: Make does not promise to stop at the first that holds.
  return filter.conditions.map((group) => group.every(holds)).some(Boolean);
}

const FUNCTIONS = {
  first: (list) => list?.[0],
  /** Of the entries whose `by` is one of `wanted`, separated by commas, what stands under `key`. */
  map: (list, key, by, wanted) => list?.filter((entry) => wanted.split(",").includes(entry[by])).map((entry) => entry[key]),
  length: (text) => asText(text).length,
  trim: (text) => asText(text).trim(),
  substring: (text, start, end) => asText(text).slice(start, end),
  if: (condition, yes, no) => (condition ? yes : no),
  /** With a key the HMAC. Key encodings are "text" and "base64". */
  sha256(text, encoding, key, keyEncoding) {
    assert.ok(["text", "base64"].includes(keyEncoding), keyEncoding);
    const bytes = Buffer.from(key, keyEncoding === "text" ? "utf8" : "base64");
    // Without a key it is a plain hash, which anybody can make.
    const hash = bytes.length === 0 ? createHash("sha256") : createHmac("sha256", bytes);
    return hash.update(text).digest(encoding);
  },
};

/** A text with expressions in it; one that is nothing but an expression keeps the expression's type. */
function template(run, text) {
  const pieces = text.split(/\{\{(.*?)\}\}/s);
  if (pieces.length === 3 && pieces[0] === "" && pieces[2] === "") return evaluate(run, pieces[1]);
  return pieces.map((piece, index) => (index % 2 === 0 ? piece : asText(evaluate(run, piece)))).join("");
}

const TOKEN = /\s*(?:"([^"]*)"|([A-Za-z]\w*)(?=\()|((?:\d+|[A-Za-z]\w*)(?:\.(?:\w+|`[^`]+`))+)|(\d+)|([A-Za-z]\w*)|([()=;+-]))/y;

function evaluate(run, source) {
  const tokens = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.trimEnd().length) {
    const found = TOKEN.exec(source);
    assert.ok(found, `can't be read: ${source}`);
    const [, string, call, path, number, name, sign] = found;
    tokens.push({ string, call, path, number, name, sign });
  }
  const takes = (sign) => (tokens[0]?.sign === sign ? tokens.shift() : null);
  const expect = (sign) => assert.ok(takes(sign), `${sign} is missing: ${source}`);

  function value() {
    const { string, call, path, number, name } = tokens.shift() ?? {};
    if (string !== undefined) return string;
    if (number !== undefined) return Number(number);
    if (path !== undefined) return lookUp(run, path);
    if (name === "timestamp") return run.now;
    assert.ok(Object.hasOwn(FUNCTIONS, call ?? ""), `not played here: ${source}`);
    expect("(");
    const args = [expression()];
    while (takes(";")) args.push(expression());
    expect(")");
    return FUNCTIONS[call](...args);
  }

  function sum() {
    let left = value();
    for (;;) {
      if (takes("+")) left = asNumber(left) + asNumber(value());
      else if (takes("-")) left = asNumber(left) - asNumber(value());
      else return left;
    }
  }

  function expression() {
    const left = sum();
    return takes("=") ? left === sum() : left;
  }

  const result = expression();
  assert.deepEqual(tokens, [], `can't be read to its end: ${source}`);
  return result;
}

function lookUp(run, path) {
  const [id, ...names] = path.replaceAll("`", "").split(".");
  assert.ok(run.outputs.has(Number(id)), `module ${id} has not run: ${path}`);
  return names.reduce((value, name) => value?.[name], run.outputs.get(Number(id)));
}

/** Every module of a flow, with those that have run before it, outermost first. */
export function* modulesOf(modules, before = []) {
  let earlier = before;
  for (const module of modules) {
    yield { module, earlier };
    earlier = [...earlier, module];
    for (const { flow: route } of module.routes ?? []) yield* modulesOf(route, earlier);
    yield* modulesOf(module.onerror ?? [], earlier);
  }
}
