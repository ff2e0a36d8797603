// `npm run scale`: how many tenants a second each part takes, and which one is the bottleneck. Also how long a signup and a run take then,
// for 1, 4 and 64 registers. Its inputs are the calls that the code makes (calls.json) and the numbers of settings.mjs. Nothing is measured
// here.
import { readFileSync } from "node:fs";
import { limits, share, simulate } from "./model.mjs";
import { PUBLISHED, withoutQuotas } from "./settings.mjs";

const TENANTS = 20_000;
/** Of what binds: beyond it queues grow. */
const UTILISATION = 0.7;
const recorded = JSON.parse(readFileSync(new URL("calls.json", import.meta.url), "utf8"));

const CASES = [1, 4, 64].flatMap((registers) => [
  ["starter, upstreams without quotas", { ...PUBLISHED, registers, upstreams: withoutQuotas(PUBLISHED.upstreams) }, { starter: 1 }],
  ["half of either plan, published quotas", { ...PUBLISHED, registers }, { starter: 0.5, pro: 0.5 }],
]);

const seconds = (ms) => `${(ms / 1000).toFixed(ms < 1000 ? 2 : 1)} s`;

console.log("| registers | tenants | a second | binds | next | signup p50 / p95 | run p50 / p95 |\n|---|---|---|---|---|---|---|");
for (const [name, settings, mix] of CASES) {
  const [[binds, perSecond], [next, then]] = Object.entries(limits(recorded, settings, mix)).sort(([, one], [, other]) => one - other);
  const { signup, run } = simulate(recorded, settings, { tenants: TENANTS, perSecond: perSecond * UTILISATION, mix, seed: 1 });
  const both = (all) => `${seconds(share(all, 0.5))} / ${seconds(share(all, 0.95))}`;
  console.log(`| ${settings.registers} | ${name} | ${perSecond.toFixed(1)} | ${binds} | ${next}, ${then.toFixed(1)} | ${both(signup)} | ${both(run)} |`);
}
