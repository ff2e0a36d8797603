// What is uploaded has a source map that leads past our own bundle, to what was written.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

test("the bundle's source map names the sources that were written, and has them", () => {
  const bundle = new URL("../../build/bundles/product/", import.meta.url);
  assert.match(readFileSync(new URL("index.js", bundle), "utf8"), /\n\/\/# sourceMappingURL=index\.js\.map\s*$/);
  const { sources, sourcesContent } = JSON.parse(readFileSync(new URL("index.js.map", bundle), "utf8"));
  const at = sources.findIndex((name) => name.endsWith("/src/edge/boundary.js"));
  assert.equal(sourcesContent[at], readFileSync(new URL("../../src/edge/boundary.js", import.meta.url), "utf8"));
  assert.ok(sources.every((name) => !name.endsWith("build/index.js")), sources.join(", "));
});
