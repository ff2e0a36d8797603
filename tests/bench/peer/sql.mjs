// The statements of the store, read out of its source: the peer runs the very SQL that the product does.
import { readFileSync } from "node:fs";
import { at } from "../../../scripts/lib/project.mjs";

const FUNCTIONS = {
  "src/store/access.rs": ["auth_guard"],
  "src/store/runs.rs": ["select"],
  "src/store/request_metrics.rs": ["add"],
  "src/store/mails/proof.rs": ["confirm_address", "begin_proof 1", "begin_proof 2", "begin_proof 3", "begin_proof 4"],
  "src/store/mails/mod.rs": ["settle"],
  "src/store/signups.rs": ["insert_tenant", "insert_event", "count_promo", "insert_redemption", "facts", "select_tenant"],
};

/** The SQL by the name of its function, and its place there where the function has more than one. */
export function storedSql() {
  const found = Object.entries(FUNCTIONS).flatMap(([file, names]) => {
    const source = readFileSync(at(file), "utf8");
    return names.map((name) => [name, statementIn(source, name) ?? missing(file, name)]);
  });
  return Object.fromEntries(found);
}

/** The first SQL text in a function, or the one of which the place is named. */
function statementIn(source, named) {
  const [name, place = 1] = named.split(" ");
  const start = source.search(new RegExp(`\\bfn ${name}\\b`));
  if (start < 0) return undefined;
  const body = source.slice(start, source.indexOf("\n}\n", start));
  return [...body.matchAll(/"((?:select|insert|update)\s[^"]*)"/g)][place - 1]?.[1];
}

function missing(file, name) {
  throw new Error(`${file} has no SQL in a function ${name}: tests/bench/peer/sql.mjs names those that the peer runs`);
}
