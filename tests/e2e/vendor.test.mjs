// The console's library is what the lock file says.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { at } from "../../scripts/lib/project.mjs";
import { VENDORED, vendored } from "../../scripts/lib/vendor.mjs";

const { packages } = JSON.parse(readFileSync(at("package-lock.json"), "utf8"));

test("the vendored module is made of the packages in the lock file, and of nothing else", async () => {
  const [banner] = readFileSync(at(VENDORED), "utf8").split("\n");
  for (const name of ["preact", "htm"]) {
    const { version } = packages[`node_modules/${name}`];
    assert.ok(banner.includes(`${name} ${version} `), `${banner}: the lock file has ${name} ${version}. Run \`npm run vendor\`.`);
  }
  assert.equal(readFileSync(at(VENDORED), "utf8"), await vendored(), "run `npm run vendor`");
});
