// What can go wrong with one call of an object. `how` disturbs the call (see instrumented.mjs). The others are its error in the history,
// the least seconds until the next attempt, and whether it takes as long as a time limit.
import assert from "node:assert/strict";
import { describe, test } from "node:test";


/** It is done, and the answer can't be read. */
const unreadable = (type, body) => ({ kind: "lost", status: 200, headers: { "content-type": type }, body });
const HTML = "<!DOCTYPE html><title>Error</title>";

/** With a call to the outside. */
const OUTSIDE = [
  { name: "no answer ever comes", how: { kind: "silence" }, error: /^TIMEOUT$/, isSlow: true },
  { name: "a status of 500", how: { kind: "status", status: 500 }, error: /^SERVER_ERROR$/, waits: 1 },
  // Longer than the first wait of our own.
  {
    ...{ name: "429, asking for four seconds", how: { kind: "status", status: 429, headers: { "retry-after": "4" } } },
    ...{ error: /^RATE_LIMITED$/, waits: 4 },
  },
  { name: "a page of HTML with a status of 200", how: unreadable("text/html", HTML), error: /^MALFORMED$/, waits: 1, isAnAnswer: true },
  {
    ...{ name: "JSON that breaks off", how: unreadable("application/json", '{"ok":true,"id":"') },
    ...{ error: /^MALFORMED$/, waits: 1, isAnAnswer: true },
  },
  { name: "the other side throws", how: { kind: "throw" }, error: /^(CONNECTION|SERVER_ERROR)$/, waits: 1 },
  { name: "it was done and its answer lost", how: { kind: "lost" }, error: /^SERVER_ERROR$/, waits: 1 },
  { name: "the connection breaks before it", how: "break before", error: /^CONNECTION$/, waits: 1 },
  { name: "the connection breaks after it", how: "break after", error: /^CONNECTION$/, waits: 1 },
];

/** With a batch of D1's. */
const IN_D1 = [
  { name: "no answer comes, and it was done", how: "hang after", error: /^STORE_UNAVAILABLE$/, isSlow: true },
  { name: "it fails before it is done", how: "break before", error: /^STORE_UNAVAILABLE$/ },
  { name: "it fails after it was done", how: "break after", error: /^STORE_UNAVAILABLE$/ },
];

/** With any of them. */
const BY_US = [
  { name: "the object is reset before it", how: "reset before", error: /^INTERRUPTED$/ },
  { name: "the object is reset after it", how: "reset after", error: /^INTERRUPTED$/ },
];

/** A breaker that is away stops nothing, and is another test's. */
const faultsOf = (what) => ({ D1: IN_D1, "its breaker": [] })[what] ?? OUTSIDE;

/** Everything that can go wrong with what is called at a task, as `h.work` tells it. */
export const disturbancesOf = (task, calls) =>
  callsOf(task, calls).flatMap((call) => [...faultsOf(call.what), ...BY_US].map((fault) => ({ ...call, ...fault })));

/** The calls of a task, each as it can be disturbed: the how-many-th to whom. */
export const callsOf = (task, calls) =>
  calls.map((what, at) => ({ task, what, nth: calls.slice(0, at).filter((one) => one === what).length }));

/** A test for each: those that wait for a time limit all at once, and meanwhile the others, a few at a time. */
export function each(what, disturbances, run) {
  const crowds = {
    "for as long as anybody waits,": [disturbances.filter(({ isSlow }) => isSlow), true],
    "at once,": [disturbances.filter(({ isSlow }) => !isSlow), 16],
  };
  describe(what, { concurrency: true }, () => {
    for (const [name, [crowd, concurrency]] of Object.entries(crowds)) {
      describe(name, { concurrency }, () => {
        for (const one of crowd) test(`${one.name}: call ${one.nth} of ${one.task} to ${one.what}`, () => run(one));
      });
    }
  });
}

/**
 * The history of a task shows the attempt that was disturbed, with its error, and one more that was not. `isWritten`: the work and the
 * report of it are one batch, and that was done. Then the history says so, whoever missed its answer.
 */
export function assertTold([first, second, ...more], { error, waits = 0 }, isWritten) {
  assert.deepEqual([second.outcome, second.error, more], ["done", null, []]);
  assert.equal(first.outcome, isWritten ? "done" : "unknown");
  if (!isWritten) assert.match(first.error, error);
  assert.ok(second.at - first.at >= waits, `the second attempt came ${second.at - first.at} s later`);
}
