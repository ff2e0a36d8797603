// What is asked of the product and its peer, and the thread that asks.
import { Worker } from "node:worker_threads";
import { client } from "../client.mjs";

/** What the others must know to answer as the product does. */
const COPIED = ["tenants", "provision_runs", "provision_steps"];

/** One provisioned tenant to ask about, and a promo code without an end, in each database. */
export async function prepareCases({ ours, ...others }) {
  const { signup, confirm, settled } = client({ url: ours.url, sandboxFetch: ours.sandbox });
  for (const worker of [ours, ...Object.values(others)]) {
    await worker.sql("insert into promo_codes (code, discount_percent, created_at) values ('BENCH', 10, unixepoch())");
  }
  const tenant = await signup({ plan: "starter" });
  await confirm(tenant);
  const { status } = await settled(tenant);
  if (status !== "completed") throw new Error(`the first club ended ${status}`);
  for (const table of COPIED) {
    for (const row of await ours.rows(`select * from ${table}`)) {
      const columns = Object.keys(row);
      const insert = `insert into ${table} (${columns}) values (${columns.map(() => "?")})`;
      for (const worker of Object.values(others)) await worker.sql(insert, ...Object.values(row));
    }
  }
  const headers = { authorization: `Bearer ${tenant.jwt}` };
  return {
    "health/live": { method: "GET", path: "/health/live" },
    whoami: { method: "GET", path: "/whoami", headers },
    "provision-status": { method: "GET", path: `/api/v1/tenants/${tenant.tenantId}/provision-status`, headers },
    "signup/start": { method: "POST", path: "/public/signup/start", form: {} },
    "signup/start, promo": { method: "POST", path: "/public/signup/start", form: { promoCode: "BENCH" } },
  };
}

export const loadThread = () => new Worker(new URL("./load.mjs", import.meta.url));

/** One job to the load thread. */
export function ask(thread, job) {
  return new Promise((done, fail) => {
    thread.once("message", ({ result, error }) => (error ? fail(new Error(error)) : done(result)));
    thread.postMessage(job);
  });
}

/** Rows of the same columns, aligned. */
export function table(rows) {
  const columns = Object.keys(rows[0]);
  const cells = [columns, ...rows.map((row) => columns.map((column) => String(row[column])))];
  const widths = columns.map((_, n) => Math.max(...cells.map((line) => line[n].length)));
  return cells.map((line) => line.map((cell, n) => (n === 0 ? cell.padEnd(widths[n]) : cell.padStart(widths[n]))).join("  ")).join("\n");
}
