// What the model takes for granted, and where each number is from.

/** Upstreams by the name under which the code calls them: what they take a second or at once, how long an answer takes. */
export const QUOTAS = {
  /** Resend: two calls a second on every plan, published. */
  resend: { perSecond: 2, ms: 150 },
  /** Apps Script: 30 runs at once, published; the budget keeps 25. About 2.5 s an answer: assumed. */
  apps_script: { atOnce: 25, ms: 2500 },
  /** Make queues by itself. About 300 ms an answer: assumed. */
  make: { ms: 300 },
};

/** Nothing outside ever waits: what our own parts would take. */
export const withoutQuotas = (upstreams) =>
  Object.fromEntries(Object.entries(upstreams).map(([name, { ms }]) => [name, { ms }]));

export const PUBLISHED = {
  registers: 1,
  /** D1: below 1 ms a read, "several milliseconds" a write, growing with its rows: published; 0.03 ms a row is measured here. */
  d1: { readMs: 1, writeMs: 3, rowMs: 0.03 },
  /** An object with storage writes: 200 to 500 a second, published. */
  object: { ms: 3 },
  breaker: { ms: 3 },
  /** From the Worker to D1 or an object and back: assumed. */
  networkMs: 10,
  /** The first wait of a step that calls out, doubled each time, and the longest: the step's policy. */
  backoffMs: 2000,
  longestBackoffMs: 240_000,
  upstreams: QUOTAS,
};
