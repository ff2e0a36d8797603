// `npm run vendor`: writes public/js/vendor/preact.js anew, after preact or htm has another version.
import { writeFileSync } from "node:fs";
import { prepare } from "./lib/prepare.mjs";
import { at, exitWith, noArguments } from "./lib/project.mjs";
import { VENDORED, vendored } from "./lib/vendor.mjs";

noArguments(import.meta.url);
await prepare();
try {
  writeFileSync(at(VENDORED), await vendored());
} catch (error) {
  exitWith(error);
}
