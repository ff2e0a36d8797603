// What can go wrong with one call of an object: `how` it is done to it (see instrumented.mjs), what the history calls it, how many
// seconds the next attempt waits at least, and whether it takes as long as a time limit.

/** It is done, and the answer can't be read. */
const unreadable = (type, body) => ({ kind: "lost", status: 200, headers: { "content-type": type }, body });
const HTML = "<!DOCTYPE html><title>Error</title>";

/** With a call to the outside. */
export const OUTSIDE = [
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
export const IN_D1 = [
  { name: "no answer comes, and it was done", how: "hang after", error: /^STORE_UNAVAILABLE$/, isSlow: true },
  { name: "it fails before it is done", how: "break before", error: /^STORE_UNAVAILABLE$/ },
  { name: "it fails after it was done", how: "break after", error: /^STORE_UNAVAILABLE$/ },
];

/** With any of them. */
export const BY_US = [
  { name: "the object is reset before it", how: "reset before", error: /^INTERRUPTED$/ },
  { name: "the object is reset after it", how: "reset after", error: /^INTERRUPTED$/ },
];
