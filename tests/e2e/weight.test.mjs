// How much a deployment uploads, and every new isolate reads: it grows by what somebody decided, and not by itself.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

/** Bytes, gzipped. What the Worker weighed when this was last set, and 40 KB to grow. */
const BUDGET = 876_000;

test("the Worker keeps to its weight", (t) => {
  const { length } = gzipSync(readFileSync(new URL("../../build/index_bg.wasm", import.meta.url)), { level: 9 });
  t.diagnostic(`${length} bytes gzipped`);
  assert.ok(length <= BUDGET, `${length} bytes, of ${BUDGET}`);
});
