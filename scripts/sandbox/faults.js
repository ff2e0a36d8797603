// Scripted faults: which calls they hit, and how often. A fault is the control API's input (see control.js), stored with two counters.
// `skip` is how many matching calls still pass, `times` how many hits are left (null: no limit). A call can also bring its own fault along,
// in a header.

import { isObject, isText, parseJson } from "./replies.js";

export const KINDS = ["status", "delay", "silence", "throw", "lost"];

// In a call's header, as JSON: what is to be done to this very call. A test that sees the service's calls leave knows
// best which one it means.
const HEADER = "sandbox-fault";

// Long enough to outlast every time limit of the service, short enough to end by itself.
export const SILENCE_MS = 120_000;

const isCount = (value) => Number.isInteger(value) && value >= 0;

const RULES = {
  host: { test: isText, must: 'be a host name or "*"', needed: true },
  kind: { test: (value) => KINDS.includes(value), must: `be one of ${KINDS.join(", ")}`, needed: true },
  path: { test: (value) => isText(value) && value.startsWith("/"), must: "be a path prefix that starts with /" },
  method: { test: isText, must: "be an HTTP method" },
  bodyIncludes: { test: isText, must: "be a text" },
  status: { test: (value) => Number.isInteger(value) && value >= 200 && value <= 599, must: "be from 200 to 599" },
  headers: {
    test: (value) => isObject(value) && Object.values(value).every((one) => typeof one === "string"),
    must: "be an object of texts",
  },
  body: { test: () => true, must: "" },
  ms: { test: (value) => isCount(value) && value <= 600_000, must: "be from 0 to 600000" },
  times: { test: (value) => isCount(value) && value > 0, must: "be a positive whole number, or null" },
  skip: { test: isCount, must: "be a whole number" },
  probability: { test: (value) => typeof value === "number" && value >= 0 && value <= 1, must: "be from 0 to 1" },
  seed: { test: (value) => Number.isInteger(value), must: "be a whole number" },
};

// The errors in a fault as it was sent, as texts. A usable fault has none. Misspelt fields are wrong too: a fault that silently hits
// something else makes a test pass for the wrong reason.
export function faultProblems(input) {
  if (!isObject(input)) return ["a fault is a JSON object"];
  const unknown = Object.keys(input).filter((field) => !(field in RULES));
  const wrong = Object.entries(RULES).filter(([field, rule]) =>
    input[field] == null ? rule.needed : !rule.test(input[field]),
  );
  const problems = [
    ...unknown.map((field) => `${field} is not known`),
    ...wrong.map(([field, rule]) => `${field} must ${rule.must}`),
  ];
  if (input.kind === "status" && input.status == null) problems.push("status is needed for this kind");
  if (input.kind === "delay" && input.ms == null) problems.push("ms is needed for this kind");
  return problems;
}

export function addFault(sql, { skip, times, ...fault }) {
  const row = sql.exec(
    "insert into faults (body, skip, times, applied) values (?, ?, ?, 0) returning id",
    JSON.stringify(fault),
    skip ?? 0,
    times ?? null,
  );
  return row.toArray()[0].id;
}

export function listFaults(sql) {
  const rows = sql.exec("select id, body, skip, times, applied from faults order by id").toArray();
  return rows.map(({ id, body, skip, times, applied }) => ({ id, ...JSON.parse(body), skip, times, applied }));
}

export const removeFault = (sql, id) => sql.exec("delete from faults where id = ? returning id", id).toArray().length;

export const removeFaults = (sql) => sql.exec("delete from faults returning id").toArray().length;

// A call's headers, and the fault that it brought along: what is recorded is the call without it.
export function withoutFault({ [HEADER]: text, ...headers }) {
  if (text === undefined) return { headers, fault: undefined };
  const fault = { host: "*", ...parseJson(text) };
  const problems = faultProblems(fault);
  if (problems.length > 0) throw new Error(`${HEADER}: ${problems.join("; ")}`);
  return { headers, fault };
}

// The first fault, oldest first, that hits this call, its counters moved on. Those that let the call pass are counted
// too.
export function takeFault(sql, call) {
  if (call.fault) return call.fault;
  return listFaults(sql).find((fault) => matches(fault, call) && fires(sql, fault));
}

function matches(fault, call) {
  return (
    (fault.host === "*" || fault.host.toLowerCase() === call.host) &&
    call.path.startsWith(fault.path ?? "/") &&
    (fault.method == null || fault.method.toUpperCase() === call.method) &&
    (fault.bodyIncludes == null || call.body.includes(fault.bodyIncludes))
  );
}

function fires(sql, fault) {
  if (fault.skip > 0) {
    sql.exec("update faults set skip = skip - 1 where id = ?", fault.id);
    return false;
  }
  if (fault.probability != null && draw(sql, fault) >= fault.probability) return false;
  if (fault.times === 1) removeFault(sql, fault.id);
  else sql.exec("update faults set times = times - 1, applied = applied + 1 where id = ?", fault.id);
  return true;
}

// From 0 to 1; with a seed (mulberry32, whose state it is) the same ones for the same seed.
function draw(sql, fault) {
  if (fault.seed == null) return Math.random();
  const state = (fault.seed + 0x6d2b79f5) | 0;
  sql.exec("update faults set body = json_set(body, '$.seed', ?) where id = ?", state, fault.id);
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

// The answer that a "status" or "lost" fault gives; without a body, what the upstream itself would say with that
// status.
export function faultReply(fault, upstream) {
  const status = fault.status ?? 502;
  const own = fault.body == null ? upstream.failure(status) : bodyReply(status, fault.body);
  return { ...own, headers: { ...own.headers, ...lowerCased(fault.headers ?? {}) } };
}

function bodyReply(status, body) {
  if (typeof body === "string") return { status, headers: { "content-type": "text/plain; charset=utf-8" }, body };
  return { status, headers: { "content-type": "application/json; charset=utf-8" }, body: JSON.stringify(body) };
}

const lowerCased = (headers) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
