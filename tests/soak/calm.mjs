// A soak without faults and without quotas: it counts what so many tenants call, beside what the model of tests/scale says.
import { readFileSync } from "node:fs";
import { say } from "../../scripts/lib/project.mjs";
import { client, until } from "../client.mjs";
import { controls } from "../e2e/instrumented.mjs";
import { compared, counted, predicted } from "../scale/counts.mjs";
import { few } from "./few.mjs";

/** The model may be off by this share. */
const TOLERANCE = 0.25;
const AT_ONCE = 8;
const NAMES = {
  d1: "calls to D1",
  rows: "rows changed",
  object: "calls to objects",
  breaker: "questions to breakers",
  resend: "calls to Resend",
  make: "calls to Make",
  apps_script: "calls to Apps Script",
};

/** Answers what is off. */
export async function calm(service, { tenants, minutes }) {
  const sandboxFetch = (path, init) => fetch(new URL(path, service.sandboxUrl), init);
  const { api, signupUnproven, prove, confirm } = client({ url: service.url, sandboxFetch });
  const { behave, sql, calls, forget } = controls(api);
  const within = minutes * 60_000;
  const plans = Array.from({ length: tenants }, (_, n) => (n % 2 === 0 ? "starter" : "pro"));
  // A machine that is busy with other things is slow, and what is slow must not look like a fault.
  await behave({ limits: "off" });
  await forget();
  say(`${tenants} clubs sign up and are provisioned, without faults …`);
  await few(plans, AT_ONCE, async (plan) => {
    const tenant = await prove(await signupUnproven({ plan }), { within });
    const colours = { primaryColor: "#102030", secondaryColor: "#405060" };
    for (const answer of [await api("POST", "/public/signup/brand", { token: tenant.jwt, body: colours }), await confirm(tenant)]) {
      if (answer.status !== 200) throw new Error(`${tenant.tenantId}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
  });
  // Asked past the product, so that nothing of it counts.
  await until(async () => (await open(sql)) === 0, { within, every: 500, what: "all to complete, and to be told" });
  const all = await settled(calls, within);

  const counts = { starter: plans.filter((plan) => plan === "starter").length, pro: plans.filter((plan) => plan === "pro").length };
  const recorded = JSON.parse(readFileSync(new URL("../scale/calls.json", import.meta.url), "utf8"));
  const lines = compared(predicted(recorded, counts), counted(all));
  say(`${"".padEnd(22)} ${"model".padStart(7)} ${"counted".padStart(8)} ${"each".padStart(6)}`);
  for (const { name, model, counted, off } of lines) {
    const percent = `${off < 0 ? "−" : "+"}${Math.abs(off * 100).toFixed(0)} %`;
    say(`${(NAMES[name] ?? name).padEnd(22)} ${String(model).padStart(7)} ${String(counted).padStart(8)} ${(counted / tenants).toFixed(1).padStart(6)}  ${percent}`);
  }
  const tallies = all.filter(({ by }) => by === "tally").length;
  say(`Apart from those: ${tallies} calls to D1 that write down how many requests were answered`);
  return lines
    .filter(({ off }) => Math.abs(off) > TOLERANCE)
    .map(({ name, model, counted }) => `${NAMES[name] ?? name}: ${counted}, and the model says ${model}`);
}

/** What is yet to be done of all that was begun. */
async function open(sql) {
  const [{ count }] = await sql(
    `select (select count(*) from tenants where provision_state <> 'completed') + (select count(*) from mails where status <> 'sent')
       + (select count(*) from webhook_deliveries where status <> 'delivered') as count`,
  );
  return count;
}

/** A row says that it is done before the call that wrote it is over. */
async function settled(calls, within) {
  let before = -1;
  await until(
    async () => {
      const { length } = await calls();
      const isSame = length === before;
      before = length;
      return isSame;
    },
    { within, every: 2_000, what: "the last call" },
  );
  return calls();
}
