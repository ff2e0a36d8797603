// The steps of each plan in their order: what the page shows until the service has answered where the club stands. The words
// of the tasks stand in that order.

import english from "./lang/en.js";

/** Steps that only one plan has. */
const ONLY = { validate_webhook: "starter", create_spreadsheet: "pro", verify_spreadsheet: "pro" };

const all = Object.keys(english)
  .filter((key) => key.startsWith("task."))
  .map((key) => key.slice("task.".length));
const of = (plan) => all.filter((step) => (ONLY[step] ?? plan) === plan);

export const STEPS = { starter: of("starter"), pro: of("pro") };
