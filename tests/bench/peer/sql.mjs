// The statements of the store, read out of its source: the peer runs the very SQL that the product does.
import { readFileSync } from "node:fs";
import { at } from "../../../scripts/lib/project.mjs";

const FUNCTIONS = {
  "src/store/access.rs": ["auth_guard"],
  "src/store/runs.rs": ["select"],
  "src/store/request_metrics.rs": ["add"],
  "src/store/signups.rs": ["insert_tenant", "insert_event", "count_promo", "insert_redemption", "facts", "select_tenant"],
};

/** The SQL by the name of its function. */
export function storedSql() {
  const found = Object.entries(FUNCTIONS).flatMap(([file, names]) => {
    const source = readFileSync(at(file), "utf8");
    return names.map((name) => [name, statementIn(source, name) ?? missing(file, name)]);
  });
  return Object.fromEntries(found);
}

/** The first SQL text in a function. */
function statementIn(source, name) {
  const start = source.search(new RegExp(`\\bfn ${name}\\b`));
  return start < 0 ? undefined : /"((?:select|insert|update)\s[^"]*)"/.exec(source.slice(start))?.[1];
}

function missing(file, name) {
  throw new Error(`${file} has no SQL in a function ${name}: tests/bench/peer/sql.mjs names those that the peer runs`);
}
