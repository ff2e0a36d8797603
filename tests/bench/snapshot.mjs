// What a heap snapshot of V8 holds, by constructor, and how two of them differ.

const PAGE = 65_536;

/** Kinds of nodes whose names say who made them; of all others the kind says more. */
const NAMED = ["object", "native"];

/** What lies outside of V8's heap, and is not a request's: the code of WebAssembly and its memory, which `wasmMemory` answers. */
const CODE = "system / CppGCManaged (WasmNativeModule)";
const BUFFER = "system / JSArrayBufferData";

/** `{name: {count, bytes}}` of a parsed snapshot. */
export function byConstructor(snapshot) {
  const held = {};
  let memory = wasmMemory(snapshot);
  for (const { kind, name, bytes } of nodesOf(snapshot)) {
    if (name === CODE) continue;
    if (name === BUFFER && bytes === memory) {
      memory = undefined;
      continue;
    }
    const key = NAMED.includes(kind) ? name : `(${kind})`;
    held[key] ??= { count: 0, bytes: 0 };
    held[key].count += 1;
    held[key].bytes += bytes;
  }
  return held;
}

/** The size of the Wasm memory: by far the largest buffer where there is one, in pages of 64 KB. Zero where there is none. */
export function wasmMemory(snapshot) {
  let largest = 0;
  for (const { name, bytes } of nodesOf(snapshot)) {
    if (name === BUFFER && bytes % PAGE === 0) largest = Math.max(largest, bytes);
  }
  return largest;
}

function* nodesOf({ snapshot: { meta }, nodes, strings }) {
  const { node_fields: fields, node_types: types } = meta;
  const [type, name, size] = ["type", "name", "self_size"].map((field) => fields.indexOf(field));
  for (let node = 0; node < nodes.length; node += fields.length) {
    yield { kind: types[type][nodes[node + type]], name: strings[nodes[node + name]], bytes: nodes[node + size] };
  }
}

/** What was added between the two, those who hold most of it first; less than before is a negative number. */
export function difference(before, after) {
  const none = { count: 0, bytes: 0 };
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .map((name) => {
      const [was, is] = [before[name] ?? none, after[name] ?? none];
      return { name, count: is.count - was.count, bytes: is.bytes - was.bytes };
    })
    .filter(({ count, bytes }) => count !== 0 || bytes !== 0)
    .sort((one, other) => other.bytes - one.bytes || one.name.localeCompare(other.name));
}

/** What V8 makes of the program and learns of it while that runs: as much as the program is long, however often it is asked. */
const COMPILED = ["(code)", "system / WeakArrayList", "system / ProtectedFixedArray"];

/** The bytes of a difference that requests left, and those that were compiled meanwhile. */
export function sides(grown) {
  const isCompiled = ({ name }) => COMPILED.includes(name);
  return { left: grown.filter((one) => !isCompiled(one)), compiled: grown.filter(isCompiled) };
}

export const bytesOf = (entries) => Object.values(entries).reduce((sum, { bytes }) => sum + bytes, 0);
