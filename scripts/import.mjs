#!/usr/bin/env node
// Brings the clubs of the older service into a database of this one: with their brands, promo codes, redemptions, webhooks and users.
//
//   scripts/import.mjs --from DUMP --dry-run [--env local|preview|production] [--decisions FILE]
//   DATA_KEY=… scripts/import.mjs --from DUMP [--env preview --confirm preview] [--decisions FILE]
//
// DUMP is what `wrangler d1 export` writes of the older database. --dry-run writes nothing, and says what would be done: how many of each,
// what would be stored otherwise than it was, what would be left out, and each collision. While there is a collision, nothing is imported.
// FILE decides them; the dry run ends with a beginning of it:
//
//   { "tenants": { "tenant_1": { "email": "…" }, "tenant_2": { "leaveOut": true } }, "promoCodes": { "spring-26": { "code": "SPRING26" } } }
//
// For a club: `slug`, `email`, `name`, `webhookUrl`, or true for `keepSlug` (a reserved one), `withoutWebhook`, `leaveOut`. For a code:
// `code`, `into` (another code, which gets its uses), or true for `leaveOut`.
//
// Everything is written at once or not at all, and a club that was imported is not imported again: what was interrupted is repeated.
// Nobody gets a mail or an event. DATA_KEY is the secret of that environment. For `local`, the default, it comes from .dev.vars when it is
// not set, and STATE_DIR is as for npm start. Exit code 2 says that there are collisions.
//
// What is different from the older service, and in which order to move: MIGRATING.md.
import { onProjectNode } from "./lib/prepare.mjs";
import { exitWith } from "./lib/project.mjs";

try {
  await onProjectNode();
  // Needs the project's Node.
  const { runImport } = await import("./lib/import/run.mjs");
  await runImport(import.meta.url);
} catch (error) {
  exitWith(error);
}
