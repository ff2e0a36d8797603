// The database of a service, and what only the sweep and time bring about there.
import assert from "node:assert/strict";
import { QUIET_WRANGLER, WRANGLER } from "../../scripts/lib/project.mjs";
import { CONFIG } from "../../scripts/lib/runtime.mjs";
import { ran } from "../client.mjs";

/** The rows that one statement finds, whoever else is at work in it. */
export async function query(service, sql) {
  const args = ["d1", "execute", "DB", "--local", "--persist-to", service.stateDir, "--config", CONFIG.product, "--env", "", "--json", "--command", sql];
  const { stdout, stderr } = await ran(process.execPath, [WRANGLER, ...args], { env: QUIET_WRANGLER });
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout)[0].results;
}

/** The cron trigger, which nobody else pulls here. */
export const sweep = (service) => fetch(`${service.url}/cdn-cgi/local/scheduled`);

/** As if the time of every mail that waits had come, and the sweep with it. */
export async function mailsAreDue(service) {
  await query(service, "update mails set next_at = unixepoch() where status = 'pending'");
  await sweep(service);
}
