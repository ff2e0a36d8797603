// How the page reads text, by the cases by which the service reads it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { lengthOf, tidy, unwanted } from "../../public/js/text.js";

const cases = JSON.parse(readFileSync(new URL("texts.json", import.meta.url), "utf8"));

test("text is read as the service reads it", () => {
  for (const { text, read, length } of cases) {
    const tidied = tidy(text);
    const name = JSON.stringify(text);
    if (read === null) assert.ok(unwanted(tidied) || /\p{Cn}/u.test(tidied), name);
    else assert.deepEqual([tidied, unwanted(tidied), lengthOf(tidied)], [read, undefined, length], name);
  }
});

test("reading twice changes nothing", () => {
  for (const { text } of cases) assert.equal(tidy(tidy(text)), tidy(text), JSON.stringify(text));
});
