// What the model says that so many tenants call, and whether that is what was counted.

/** `{d1, rows, object, breaker, …upstreams}` of `tenants`, a number of each plan, by their recorded calls. */
export function predicted(recorded, tenants) {
  const total = { d1: 0, rows: 0 };
  for (const [plan, count] of Object.entries(tenants)) {
    for (const call of Object.values(recorded[plan]).flat()) {
      const [to, rows = "0"] = call.split(" ");
      total[to] = (total[to] ?? 0) + count;
      total.rows += count * Number(rows);
    }
  }
  return total;
}

const UPSTREAMS = { "api.resend.com": "resend", "hook.eu2.make.com": "make", "script.google.com": "apps_script" };
/** Where Apps Script sends a caller for its answer: a part of the call. */
const ANSWERS = "script.googleusercontent.com";

/** The same of calls that the instrumented product recorded. What an isolate writes down of its requests is no tenant's. */
export function counted(calls) {
  const total = { d1: 0, rows: 0 };
  for (const { by, kind, host, rowsChanged = 0 } of calls) {
    if (by === "tally" || host === ANSWERS) continue;
    const name = kind.endsWith("batch") ? "d1" : kind === "egress" ? (UPSTREAMS[host] ?? host) : kind;
    total[name] = (total[name] ?? 0) + 1;
    total.rows += rowsChanged;
  }
  return total;
}

/** `[{name, model, counted, off}]`: by which share of what the model says it is off. What either does not know is none. */
export function compared(model, counted) {
  return [...new Set([...Object.keys(model), ...Object.keys(counted)])].map((name) => {
    const [said, was] = [model[name] ?? 0, counted[name] ?? 0];
    return { name, model: said, counted: was, off: said === was ? 0 : (was - said) / said };
  });
}
