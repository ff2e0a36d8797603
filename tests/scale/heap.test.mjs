// What `npm run bench -- --heap` makes of two snapshots, on snapshots of a handful of nodes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, byConstructor, difference, sides, wasmMemory } from "../bench/snapshot.mjs";

const KINDS = ["hidden", "object", "string", "native"];

/** Nodes as `[kind, name, bytes]`, in V8's format: numbers in a row, names and kinds by their places. */
function snapshot(...all) {
  const strings = [...new Set(all.map(([, name]) => name))];
  const nodes = all.flatMap(([kind, name, bytes], id) => [KINDS.indexOf(kind), strings.indexOf(name), id, bytes, 0]);
  const meta = { node_fields: ["type", "name", "id", "self_size", "edge_count"], node_types: [KINDS, "string", "number", "number", "number"] };
  return { snapshot: { meta }, nodes, strings };
}

test("objects count by their constructor, everything else by its kind", () => {
  const held = byConstructor(snapshot(["object", "Request", 40], ["object", "Request", 24], ["string", "Request", 16], ["native", "system / Data", 100], ["string", "b", 8]));
  assert.deepEqual(held, {
    Request: { count: 2, bytes: 64 },
    "(string)": { count: 2, bytes: 24 },
    "system / Data": { count: 1, bytes: 100 },
  });
  assert.equal(bytesOf(held), 188);
});

test("what grew most comes first, what went is negative, and what stayed is not named", () => {
  const before = byConstructor(snapshot(["object", "Gone", 8], ["object", "Kept", 8], ["object", "Grown", 8]));
  const after = byConstructor(snapshot(["object", "Kept", 8], ["object", "Grown", 8], ["object", "Grown", 12], ["object", "New", 100]));
  const grown = difference(before, after);
  assert.deepEqual(grown, [
    { name: "New", count: 1, bytes: 100 },
    { name: "Grown", count: 1, bytes: 12 },
    { name: "Gone", count: -1, bytes: -8 },
  ]);
  assert.equal(bytesOf(grown), bytesOf(after) - bytesOf(before));
});

test("as many of another size differ", () => {
  const one = (bytes) => byConstructor(snapshot(["object", "Map", bytes]));
  assert.deepEqual(difference(one(16), one(64)), [{ name: "Map", count: 0, bytes: 48 }]);
  assert.deepEqual(difference(one(16), one(16)), []);
});

test("the memory of WebAssembly and its code count apart, other buffers do not", () => {
  const buffer = (bytes) => ["native", "system / JSArrayBufferData", bytes];
  const taken = snapshot(buffer(1_000), buffer(2 * 65_536), buffer(300_000), ["native", "system / CppGCManaged (WasmNativeModule)", 9_000_000]);
  assert.equal(wasmMemory(taken), 2 * 65_536);
  assert.deepEqual(byConstructor(taken), { "system / JSArrayBufferData": { count: 2, bytes: 301_000 } });
  assert.equal(wasmMemory(snapshot(buffer(1_000))), 0);
});

test("what was compiled meanwhile is not what requests left", () => {
  const before = byConstructor(snapshot(["object", "system / Context", 8]));
  const taken = snapshot(["object", "system / Context", 40], ["string", "Request", 500], ["native", "system / WeakArrayList", 60]);
  const { left, compiled } = sides(difference(before, byConstructor(taken)));
  assert.deepEqual(left.map(({ name, bytes }) => [name, bytes]), [["(string)", 500], ["system / Context", 32]]);
  assert.deepEqual(compiled.map(({ name, bytes }) => [name, bytes]), [["system / WeakArrayList", 60]]);
});
